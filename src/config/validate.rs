//! Which values can be.

use std::fmt::Display;
use std::ops::RangeInclusive;

use super::error::Problem;
use super::schema::{Config, CoreSettings, Mode, StrategyKind};
use super::source::Source;
use crate::features::FeatureLayout;
use crate::market::{Instrument, Money};
use crate::matrix::{FeatureMatrix, MatrixKind};

/// Everything in `config` that cannot be, in the order of the file.
pub(super) fn problems(config: &Config, source: &Source) -> Vec<Problem> {
    let mut check = Check { source, problems: Vec::new() };
    instruments(config, &mut check);
    data_handler(config, &mut check);
    bars(config, &mut check);
    strategy(config, &mut check);
    execution(config, &mut check);
    limits(config, &mut check);
    pipeline(config, &mut check);
    if check.problems.is_empty() {
        relations(config, &mut check);
    }
    check.problems.sort_by_key(|problem| (problem.line, problem.column));
    check.problems
}

struct Check<'a> {
    source: &'a Source<'a>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// `message` at the first of `paths` that the file has.
    fn refuse(&mut self, paths: &[&str], message: String) {
        self.problems.push(self.source.problem_at(paths, &message));
    }

    /// Not a number is in no range.
    fn range<T: PartialOrd + Display>(
        &mut self,
        path: &str,
        value: T,
        range: RangeInclusive<T>,
        unit: &str,
    ) {
        if !range.contains(&value) {
            let (low, high) = range.into_inner();
            let space = if unit.is_empty() { "" } else { " " };
            self.refuse(
                &[path],
                format!("`{path}` must be from {low} to {high}{space}{unit}, not {value}"),
            );
        }
    }
}

fn instruments(config: &Config, check: &mut Check) {
    for (index, entry) in config.instruments.iter().enumerate() {
        let key = |name: &str| format!("instruments[{index}].{name}");
        let symbol = key("symbol");
        if Instrument::built_in(&entry.symbol).is_ok() {
            check.refuse(
                &[&symbol],
                format!(
                    "`{symbol}`: {} is built in and cannot be described again: use another symbol",
                    entry.symbol
                ),
            );
        } else if config.instruments[..index].iter().any(|other| other.symbol == entry.symbol) {
            check.refuse(
                &[&symbol],
                format!("`{symbol}`: {} is described twice: delete one of the two", entry.symbol),
            );
        } else if let Err(error) = entry.to_instrument() {
            use crate::market::InstrumentError::*;
            let path = match error {
                Symbol(_) | Unknown(_) => symbol,
                TickSize { .. } | TickValue { .. } => key("tick_size"),
                PointValue { .. } => key("point_value"),
            };
            check.refuse(&[&path], format!("`{path}`: {error}"));
        }
    }
    let described = config.instruments.iter().any(|entry| entry.symbol == config.instrument);
    if !described && let Err(error) = Instrument::built_in(&config.instrument) {
        check.refuse(&["instrument"], format!("`instrument`: {error}"));
    }
}

fn pipeline(config: &Config, check: &mut Check) {
    let pipeline = &config.pipeline;
    let slots = 64..=1_048_576;
    check.range("pipeline.ring_slots", pipeline.ring_slots, slots.clone(), "slots");
    if slots.contains(&pipeline.ring_slots) && !pipeline.ring_slots.is_power_of_two() {
        let (slots, path) = (pipeline.ring_slots, "pipeline.ring_slots");
        let below = 1 << slots.ilog2();
        let message = format!(
            "`{path}` must be a power of two, not {slots}: {below} and {} are the nearest",
            2 * below
        );
        check.refuse(&[path], message);
    }
    check.range("pipeline.queue_slots", pipeline.queue_slots, slots, "messages");
    let every = pipeline.latency_sample_every;
    check.range("pipeline.latency_sample_every", every, 1..=1_000_000, "ticks");
    if let Some(priority) = pipeline.real_time_priority {
        check.range("pipeline.real_time_priority", priority, 1..=99, "");
    }
    let CoreSettings { sequencer, stages, features, decision, journal, metrics } = pipeline.cores;
    for (name, core) in [
        ("sequencer", sequencer),
        ("stages", stages),
        ("features", features),
        ("decision", decision),
        ("journal", journal),
        ("metrics", metrics),
    ] {
        check.range(&format!("pipeline.cores.{name}"), core.unwrap_or(0), 0..=1023, "");
    }
    let pace = &pipeline.pace;
    check.range("pipeline.pace.speed", pace.speed, 0.001..=1_000_000.0, "");
    let pause = pace.longest_pause_seconds;
    check.range("pipeline.pace.longest_pause_seconds", pause, 0.001..=86_400.0, "seconds");
    check.range("pipeline.pace.burst_ticks", pace.burst_ticks, 1..=1000, "ticks");
    let every = pace.burst_every_milliseconds;
    check.range("pipeline.pace.burst_every_milliseconds", every, 2..=60_000, "milliseconds");
}

fn data_handler(config: &Config, check: &mut Check) {
    let settings = &config.data_handler.backtest_settings;
    let section = "data_handler.backtest_settings";
    let file_path = format!("{section}.file_path");
    let synthetic = format!("{section}.synthetic");
    match (&settings.file_path, &settings.synthetic) {
        (Some(_), Some(_)) => check.refuse(
            &[&synthetic],
            format!("`{file_path}` and `{synthetic}` exclude each other: delete one of the two"),
        ),
        (None, None) if config.system.mode == Mode::Backtest => check.refuse(
            &[&file_path, &synthetic, section],
            format!(
                "a backtest needs ticks: give `{file_path}` a file, or `{synthetic}` a made-up market"
            ),
        ),
        _ => {}
    }
    if let Some(market) = &settings.synthetic {
        check.range(&format!("{synthetic}.days"), market.days, 1..=10_000, "days");
        check.range(
            &format!("{synthetic}.trades_per_day"),
            market.trades_per_day,
            1..=10_000_000,
            "trades",
        );
        check.range(
            &format!("{synthetic}.trend_ticks_per_half_hour"),
            market.trend_ticks_per_half_hour,
            0.0..=100.0,
            "ticks",
        );
        for (key, hours) in
            [("trend_hours", market.trend_hours), ("range_hours", market.range_hours)]
        {
            check.range(&format!("{synthetic}.{key}"), hours, 0.01..=10_000.0, "hours");
        }
    }
    let days = [
        ("first_trading_day", settings.first_trading_day),
        ("last_trading_day", settings.last_trading_day),
    ];
    for (key, day) in days {
        if let Some(day) = day.filter(|day| !(1970..2200).contains(&day.year())) {
            let path = format!("{section}.{key}");
            check.refuse(&[&path], format!("`{path}`: {day} is not between 1970 and 2199"));
        }
    }
    if let [(first, Some(from)), (last, Some(to))] = days
        && to < from
    {
        let path = format!("{section}.{last}");
        check.refuse(&[&path], format!("`{path}`: {to} is before `{first}`, {from}"));
    }
    if let Some(seconds) = settings.bar_seconds {
        check.range(&format!("{section}.bar_seconds"), seconds, 1..=31 * 86_400, "seconds");
    }
    if let Some(name) = &settings.time_zone
        && crate::market::time_zone(name).is_none()
    {
        let path = format!("{section}.time_zone");
        check.refuse(
            &[&path],
            format!("`{path}`: `{name}` is not an IANA time zone such as America/Chicago or UTC"),
        );
    }
}

fn bars(config: &Config, check: &mut Check) {
    let timeframes = &config.bars.timeframes;
    if !(1..=16).contains(&timeframes.len()) {
        check.refuse(
            &["bars.timeframes"],
            format!("`bars.timeframes` must list 1 to 16 timeframes, not {}", timeframes.len()),
        );
    }
    for (index, timeframe) in timeframes.iter().enumerate() {
        if timeframes[..index].contains(timeframe) {
            check.refuse(
                &[&format!("bars.timeframes[{index}]")],
                format!("`bars.timeframes` lists {timeframe} twice: delete one of the two"),
            );
        }
    }
    let minutes = config.bars.fill_gaps_up_to_minutes;
    check.range("bars.fill_gaps_up_to_minutes", minutes, 0..=1440, "minutes");
}

fn strategy(config: &Config, check: &mut Check) {
    let baseline = &config.strategy.baseline;
    let random = &config.strategy.random_entries;
    for (key, value, range, unit) in [
        ("baseline.fast_period", baseline.fast_period, 1..=9999, "bars"),
        ("baseline.slow_period", baseline.slow_period, 2..=10_000, "bars"),
        ("baseline.quantity", baseline.quantity, 1..=10_000, "contracts"),
        ("baseline.stop_loss_ticks", baseline.stop_loss_ticks, 1..=100_000, "ticks"),
        ("baseline.profit_target_ticks", baseline.profit_target_ticks, 1..=100_000, "ticks"),
        ("baseline.flat_band_ticks", baseline.flat_band_ticks, 0..=100_000, "ticks"),
        (
            "random_entries.entries_per_hundred_bars",
            random.entries_per_hundred_bars,
            1..=100,
            "entries",
        ),
        ("random_entries.quantity", random.quantity, 1..=10_000, "contracts"),
        ("random_entries.hold_bars", random.hold_bars, 1..=10_000, "bars"),
        ("random_entries.stop_loss_ticks", random.stop_loss_ticks, 1..=100_000, "ticks"),
        ("random_entries.profit_target_ticks", random.profit_target_ticks, 1..=100_000, "ticks"),
    ] {
        check.range(&format!("strategy.{key}"), value, range, unit);
    }
}

fn execution(config: &Config, check: &mut Check) {
    let execution = &config.execution;
    let slippage = &execution.slippage;
    let minute = 60_000_000;
    for (key, value, range, unit) in [
        (
            "decision_latency_microseconds",
            execution.decision_latency_microseconds,
            0..=minute,
            "microseconds",
        ),
        (
            "order_latency_microseconds",
            execution.order_latency_microseconds,
            0..=minute,
            "microseconds",
        ),
        (
            "acknowledgement_latency_microseconds",
            execution.acknowledgement_latency_microseconds,
            0..=minute,
            "microseconds",
        ),
        ("slippage.ticks", slippage.ticks, 0..=1000, "ticks"),
        ("slippage.assumed_spread_ticks", slippage.assumed_spread_ticks, 1..=1000, "ticks"),
    ] {
        check.range(&format!("execution.{key}"), value, range, unit);
    }
    check.range(
        "execution.commission_per_side",
        execution.commission_per_side,
        Money::ZERO..=Money::from_dollars(1000),
        "dollars",
    );
    if let Some(minutes) = execution.flatten_before_close_minutes {
        let path = "execution.flatten_before_close_minutes";
        check.range(path, minutes, 1..=1380, "minutes, or null to hold overnight");
    }
}

fn limits(config: &Config, check: &mut Check) {
    let risk = &config.risk_management;
    check.range(
        "risk_management.max_position_size",
        risk.max_position_size,
        1..=10_000,
        "contracts",
    );
    for (path, fraction) in [
        ("risk_management.max_daily_drawdown", risk.max_daily_drawdown),
        ("risk_management.max_risk_per_trade", risk.max_risk_per_trade),
    ] {
        // Not a number fails both comparisons.
        if !(fraction > 0.0 && fraction <= 1.0) {
            check.refuse(
                &[path],
                format!("`{path}` must be a fraction above 0 and at most 1 (0.05 is 5 %), not {fraction}"),
            );
        }
    }
    check.range(
        "risk_management.max_orders_per_second",
        risk.max_orders_per_second,
        1..=500,
        "orders",
    );
    check.range(
        "risk_management.price_collar_ticks",
        risk.price_collar_ticks,
        1..=100_000,
        "ticks",
    );
    check.range(
        "account.initial_capital",
        config.account.initial_capital,
        Money::from_dollars(1)..=Money::from_dollars(1_000_000_000),
        "dollars",
    );
    let dropout = &config.marl_core.mc_dropout;
    check.range("marl_core.mc_dropout.iterations", dropout.iterations, 1..=1000, "passes");
    check.range(
        "marl_core.mc_dropout.confidence_threshold",
        dropout.confidence_threshold,
        0.0..=1.0,
        "",
    );
    check.range(
        "marl_core.mc_dropout.maximum_epistemic",
        dropout.maximum_epistemic,
        0.0..=1.1,
        "nats",
    );
    check.range("marl_core.mc_dropout.minimum_agreement", dropout.minimum_agreement, 0.0..=1.0, "");
    check.range("marl_core.gate_threshold", config.marl_core.gate_threshold, 0.0..=1.0, "");
    check.range(
        "marl_core.decision_budget_milliseconds",
        config.marl_core.decision_budget_milliseconds,
        1..=60_000,
        "milliseconds",
    );
    check.range("rde.latent_dim", config.rde.latent_dim, 1..=16, "numbers");
    check.range("rde.lookback_window", config.rde.lookback_window, 2..=100_000, "bars");
    let performance = &config.performance;
    check.range(
        "performance.bootstrap_resamples",
        performance.bootstrap_resamples,
        100..=1_000_000,
        "resamples",
    );
    check.range("performance.confidence_level", performance.confidence_level, 0.5..=0.999, "");
    if config.output.directory.as_os_str().is_empty() {
        check.refuse(
            &["output.directory"],
            "`output.directory` is empty: name a folder such as runs/latest".to_owned(),
        );
    }
}

/// Values that are good alone but not together.
fn relations(config: &Config, check: &mut Check) {
    let baseline = &config.strategy.baseline;
    let random = &config.strategy.random_entries;
    if baseline.fast_period >= baseline.slow_period {
        let (fast, slow) = ("strategy.baseline.fast_period", "strategy.baseline.slow_period");
        check.refuse(
            &[fast, slow],
            format!(
                "`{fast}` ({}) must be below `{slow}` ({})",
                baseline.fast_period, baseline.slow_period
            ),
        );
    }

    features(config, check);

    let (section, timeframe, quantity) = match config.strategy.kind {
        StrategyKind::Baseline => ("strategy.baseline", baseline.timeframe, baseline.quantity),
        StrategyKind::RandomEntries => {
            ("strategy.random_entries", random.timeframe, random.quantity)
        }
        StrategyKind::Marl => return,
    };
    if !config.bars.timeframes.contains(&timeframe) {
        let path = format!("{section}.timeframe");
        check.refuse(
            &[&path, "bars.timeframes"],
            format!("`{path}` ({timeframe}) must be one of `bars.timeframes`: add it there"),
        );
    }
    let most = config.risk_management.max_position_size;
    if quantity > most {
        let (path, limit) = (format!("{section}.quantity"), "risk_management.max_position_size");
        check.refuse(
            &[&path, limit],
            format!("`{path}` ({quantity}) must be at most `{limit}` ({most}), or no order passes"),
        );
    }
}

/// Indicators and matrices, and the bars that they need.
fn features(config: &Config, check: &mut Check) {
    for (key, timeframes) in config.indicators.timeframes.given() {
        for (index, timeframe) in timeframes.iter().enumerate() {
            let path = format!("indicators.timeframes.{key}[{index}]");
            if !config.bars.timeframes.contains(timeframe) {
                check.refuse(
                    &[&path],
                    format!(
                        "`{path}` ({timeframe}) must be one of `bars.timeframes`: add it there"
                    ),
                );
            } else if timeframes[..index].contains(timeframe) {
                check.refuse(&[&path], format!("`{path}`: {timeframe} stands there twice"));
            }
        }
    }
    for error in config.indicators.problems() {
        let path = format!("indicators.{}.{}", error.indicator, error.setting);
        check.refuse(&[&path], format!("`{path}` must be {}, not {}", error.range, error.value));
    }
    if !check.problems.is_empty() {
        return;
    }
    let layout = match FeatureLayout::new(&config.indicators, &config.bars.timeframes) {
        Ok(layout) => layout,
        Err(error) => {
            return check.refuse(
                &["indicators.timeframes", "bars.timeframes"],
                format!("`indicators.timeframes`: {error}"),
            );
        }
    };
    for kind in MatrixKind::ALL {
        let (name, given) = (kind.name(), config.matrices.given(kind));
        if let Some(given) = given
            && let Err(error) = FeatureMatrix::new(kind, given, &layout)
        {
            let path = format!("matrices.{name}");
            let column = error.column().map(|at| format!("{path}.columns[{at}]"));
            check.refuse(&[column.as_deref().unwrap_or(&path), &path], error.to_string());
        }
    }
}
