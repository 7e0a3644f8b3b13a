//! Sentences on a run: on its data, its decisions and its fills.

use super::recording::{BarCount, Readiness, Recording, RunInput};
use crate::config::Config;
use crate::engine::{FeatureCounts, Pipeline};
use crate::execution::Venue;
use crate::performance::DecidedBy;
use crate::strategy::Strategy;
use crate::strategy::StrategyKind;

/// Returns a sentence on everything that a reader must know of the data.
pub(super) fn data_notes<S: Strategy, V: Venue>(
    config: &Config,
    input: &RunInput,
    stages: &Pipeline<S, V>,
    sink: &Recording,
    readiness: &Readiness,
    ticks: u64,
) -> Vec<String> {
    let mut notes = input.notes.to_vec();
    for BarCount { timeframe, incomplete, filled, of_gap, .. } in &sink.bars {
        if *incomplete > 0 {
            notes.push(format!(
                "Incomplete bars of {timeframe}: {incomplete}; data is missing in them or around them."
            ));
        }
        if *of_gap > 0 {
            notes.push(format!(
                "Bars of {timeframe} that overlap a gap of the feed which was not recovered: {of_gap}; nothing was entered on them."
            ));
        }
        if *filled > 0 {
            notes.push(format!(
                "Bars of {timeframe} without a trade, filled flat at the close before: {filled}."
            ));
        }
    }
    notes.extend(hole_note(stages));
    notes.extend(count_notes(stages, ticks - input.warm_up_ticks));
    if input.decided_by.is_none() {
        // No strategy reads the matrices.
        return notes;
    }
    for (matrix, ready) in stages.features().matrices().iter().zip(&readiness.ready_from) {
        let settings = matrix.settings();
        let name = format!(
            "Matrix {} ({}×{} on {})",
            matrix.name(),
            settings.rows,
            settings.columns.len(),
            settings.timeframe
        );
        notes.push(match (ready, matrix.window()) {
            // Before the first trading day is soon enough.
            (Some(time), _) if *time <= stages.trades_from() => continue,
            (Some(time), _) => format!("{name}: ready from {time} on."),
            (None, Err(why)) => format!("{name}: never ready; {why}."),
            (None, Ok(_)) => unreachable!("it would have been seen"),
        });
    }
    let (engine, neighbours) =
        (stages.features().engine(), config.indicators.momentum_index.neighbours);
    for (column, field) in engine.layout().fields().iter().enumerate() {
        let crossings = engine.row().value(column).unwrap_or(0.0);
        if let Some(timeframe) = field.timeframe
            && field.name.starts_with("mlmi_n_")
            && crossings < neighbours as f64
        {
            notes.push(format!(
                "The momentum index on {timeframe} remembers {crossings} crossings; its vote is full from {neighbours} on."
            ));
        }
    }
    notes
}

/// Returns a sentence on missing sessions, if there are any.
fn hole_note<S: Strategy, V: Venue>(stages: &Pipeline<S, V>) -> Option<String> {
    let done = if stages.invents_fills() { "closed at the last price before" } else { "held over" };
    let holes = stages.holes();
    (holes > 0).then(|| {
        format!(
            "Whole sessions are missing at {holes} places: positions were {done} each, and the strategy and its matrices began anew after it."
        )
    })
}

/// Returns a sentence on everything that the stages left out of `ticks`.
pub(super) fn count_notes<S: Strategy, V: Venue>(
    stages: &Pipeline<S, V>,
    ticks: u64,
) -> Vec<String> {
    let mut notes = Vec::new();
    let counts = stages.tick_counts();
    if counts.outside_session > 0 {
        let share = 100.0 * counts.outside_session as f64 / ticks.max(1) as f64;
        let question = if share > 1.0 { " Is the history's time zone right?" } else { "" };
        notes.push(format!(
            "{} ticks ({share:.1} %) lie outside every trading session of the calendar and were left out.{question}",
            counts.outside_session
        ));
    }
    if counts.in_halt > 0 {
        notes.push(format!(
            "{} ticks lie in a halt of their session, when nothing trades; they built no bar and filled no order.",
            counts.in_halt
        ));
    }
    if counts.of_other_contract > 0 {
        notes.push(format!(
            "{} ticks are of another contract than the one in which a position was held, and were left out.",
            counts.of_other_contract
        ));
    }
    let impossible = stages.impossible_quotes();
    if impossible > 0 {
        notes.push(format!(
            "{impossible} times an order met quotes that cannot be: at zero, crossed, off the tick grid or on the wrong side of the trade. It filled as without quotes: at the spread that is assumed, or that the aggressor tells."
        ));
    }
    if counts.late > 0 {
        notes.push(format!(
            "{} ticks came after their bar was closed and were left out.",
            counts.late
        ));
    }
    let FeatureCounts { malformed_bars, disagreeing_trades } = stages.features().counts();
    if malformed_bars > 0 {
        notes.push(format!(
            "{malformed_bars} bars have prices off the tick grid; indicators left them out. Is `tick_size` right?"
        ));
    }
    if disagreeing_trades > 0 {
        notes.push(format!(
            "The trades of {disagreeing_trades} bars do not add up to them; the volume profile spread their volume evenly."
        ));
    }
    notes
}

pub(super) fn strategy_text(config: &Config, decided_by: Option<&DecidedBy>) -> String {
    match config.strategy.kind {
        StrategyKind::RandomEntries => {
            let (strategy, random) = (&config.strategy, &config.strategy.random_entries);
            format!(
                "random entries on {} bars, {} % a bar, {} contracts, out after {} bars, stop {} and target {} ticks",
                strategy.timeframe,
                random.entries_per_hundred_bars,
                strategy.quantity,
                random.hold_bars,
                strategy.stop_loss_ticks,
                strategy.profit_target_ticks
            )
        }
        StrategyKind::Baseline => {
            let (strategy, baseline) = (&config.strategy, &config.strategy.baseline);
            format!(
                "baseline: moving averages {} × {} on {} closes, {} contracts, stop {} and target {} ticks",
                baseline.fast_period,
                baseline.slow_period,
                strategy.timeframe,
                strategy.quantity,
                strategy.stop_loss_ticks,
                strategy.profit_target_ticks
            )
        }
        StrategyKind::Marl => {
            let (core, dropout) = (&config.marl_core, &config.marl_core.mc_dropout);
            format!(
                "agents of the model set {}, {} passes, confidence from {}, gate from {}",
                decided_by.map_or("?", |decided_by| &decided_by.model_set),
                dropout.iterations,
                dropout.confidence_threshold,
                core.gate_threshold
            )
        }
    }
}

pub(super) fn latency_text(config: &Config) -> String {
    let execution = &config.execution;
    format!(
        "{} µs to the exchange, {} µs back; {} ticks of slippage{}; limit orders fill on a trade {}",
        execution.order_latency_microseconds,
        execution.acknowledgement_latency_microseconds,
        execution.slippage.ticks,
        if execution.slippage.cross_spread { " and the spread" } else { ", no spread" },
        match execution.limit_fill {
            crate::execution::LimitFill::Through => "through their price",
            crate::execution::LimitFill::Touch => "at their price",
        }
    )
}
