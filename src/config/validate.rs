//! Checks of values: the ranges of the tables, and what no table can say.

use super::error::Problem;
use super::schema::{Config, Mode};
use super::source::SourceText;
use crate::engine::pinned::ThreadLayout;
use crate::features::FeatureLayout;
use crate::market::{Instrument, Naming};
use crate::matrix::{FeatureMatrix, MatrixKind};
use crate::settings::{OutOfRange, Section, Setting};

/// Returns every invalid value in `config`, in file order.
pub(super) fn problems(config: &Config, source: &SourceText) -> Vec<Problem> {
    let mut check = Check { source, problems: Vec::new() };
    config.visit("", &mut |Setting { path, refusal, .. }| {
        if let Some(OutOfRange { demand, value }) = refusal {
            check.refuse(&[&path], format!("`{path}` must be {demand}, not {value}"));
        }
    });
    instruments(config, &mut check);
    data_handler(config, &mut check);
    live_feed(config, &mut check);
    bars(config, &mut check);
    pipeline(config, &mut check);
    output(config, &mut check);
    if check.problems.is_empty() {
        relations(config, &mut check);
    }
    check.problems.sort_by_key(|problem| (problem.line, problem.column));
    check.problems
}

struct Check<'a> {
    source: &'a SourceText<'a>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    /// `message` at the first of `paths` that the file has.
    fn refuse(&mut self, paths: &[&str], message: String) {
        self.problems.push(self.source.problem_at(paths, &message));
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
    let (slots, path) = (config.pipeline.ring_slots, "pipeline.ring_slots");
    if slots > 1 && !slots.is_power_of_two() {
        let below = 1u64 << slots.ilog2();
        let message = format!(
            "`{path}` must be a power of two, not {slots}: {below} and {} are the nearest",
            2 * below
        );
        check.refuse(&[path], message);
    }
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
                "a backtest needs ticks: give `{file_path}` a file, or `{synthetic}` a synthetic market"
            ),
        ),
        _ => {}
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

fn live_feed(config: &Config, check: &mut Check) {
    let settings = &config.data_handler.live_settings;
    let key = |name: &str| format!("data_handler.live_settings.{name}");
    if settings.password.is_some() && settings.password_file.is_some() {
        let (password, file) = (key("password"), key("password_file"));
        let message =
            format!("`{password}` and `{file}` exclude each other: delete one of the two");
        check.refuse(&[&file], message);
    }
    if settings.application_name.is_empty() {
        let path = key("application_name");
        let message =
            format!("`{path}` is empty: a login names its program, with the prefix from Rithmic");
        check.refuse(&[&path], message);
    }
    if let Some(contract) = &settings.contract
        && !matches!(&Naming::of_symbol(contract), Naming::Contract(name) if name.root() == config.instrument)
    {
        let (path, product) = (key("contract"), &config.instrument);
        let message = format!(
            "`{path}`: `{contract}` is not a contract of {product} such as {product}Z6; null is the front month"
        );
        check.refuse(&[&path], message);
    }
    if config.system.mode == Mode::Backtest {
        return;
    }
    if config.pipeline.layout == ThreadLayout::Fused {
        let path = "pipeline.layout";
        let message = format!(
            "`{path}` must not be `fused` in paper and live trading: a slow decision would hold up stops and orders; use `decision_apart`"
        );
        check.refuse(&[path], message);
    }
    if config.pipeline.journal == Some(false) {
        let path = "pipeline.journal";
        let message = format!(
            "`{path}` must not be `false` in paper and live trading: a restart continues from the journal; delete the key"
        );
        check.refuse(&[path], message);
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
}

fn output(config: &Config, check: &mut Check) {
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

    let Some(timeframe) = config.strategy.timeframe() else { return };
    if !config.bars.timeframes.contains(&timeframe) {
        let path = "strategy.timeframe";
        check.refuse(
            &[path, "bars.timeframes"],
            format!("`{path}` ({timeframe}) must be one of `bars.timeframes`: add it there"),
        );
    }
    let (quantity, most) = (config.strategy.quantity, config.risk_management.max_position_size);
    if quantity > most {
        let (path, limit) = ("strategy.quantity", "risk_management.max_position_size");
        check.refuse(
            &[path, limit],
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
