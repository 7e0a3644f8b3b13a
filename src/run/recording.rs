//! One run, from any source and before any venue: its recording, and its record at the end.

use super::backtest::BacktestError;
use super::history::History;
use super::notes::{data_notes, latency_text, strategy_text};
use crate::config::Config;
use crate::engine::{Action, FeatureStage, Output, Pipeline, Replay, Sink};
use crate::execution::{EquityPoint, Trade, Venue};
use crate::machine::Machine;
use crate::market::{Bar, BarFlags, Calendar, Instrument, Tick, Timeframe, Timestamp};
use crate::performance::{BOOTSTRAP_RESAMPLES, DecidedBy, InputDescription, RunRecord};
use crate::source::native::TickFileDescription;
use crate::strategy::{DecisionRecord, Reason, Strategy};

/// The kept output of the stages. It grows with trades and bars, not with ticks.
#[derive(Clone)]
pub(super) struct Recording {
    trades: Vec<Trade>,
    equity: Vec<EquityPoint>,
    decisions: Vec<DecisionRecord>,
    pub(super) bars: Vec<BarCount>,
    /// End of the warm-up. Bars that end by then belong to it.
    trades_from: Timestamp,
    decides_on: Timeframe,
    /// Number of closes that a rule must see before it can decide.
    warm_up: u64,
    /// Number of closes that it has yet to see.
    unready: u64,
    /// The first close at which it could decide.
    decides_from: Option<Timestamp>,
}

/// The first close at which each matrix was whole.
pub(super) struct Readiness {
    pub(super) ready_from: Vec<Option<Timestamp>>,
}

impl Readiness {
    pub(super) fn new(features: &FeatureStage) -> Readiness {
        Readiness { ready_from: vec![None; features.matrices().len()] }
    }

    /// Looks at the matrices after a row was written.
    pub(super) fn see(&mut self, stage: &FeatureStage) {
        for (matrix, ready) in stage.matrices().iter().zip(&mut self.ready_from) {
            if ready.is_none() && matrix.window().is_ok() {
                *ready = Some(stage.engine().row().bar.end);
            }
        }
    }
}

/// A sink that keeps results and looks at the matrices, where both are in one thread.
pub(super) struct Keeping<'a> {
    pub(super) results: &'a mut Recording,
    pub(super) readiness: &'a mut Readiness,
}

impl Keeping<'_> {
    /// Returns everything that the run would leave if it ended here, except the input's hash.
    pub(super) fn record<V: Venue>(
        &self,
        config: &Config,
        instrument: &Instrument,
        input: &RunInput,
        stages: &Stages<V>,
        replay: Replay,
    ) -> RunRecord {
        record(config, instrument, input, stages, self.results.clone(), self.readiness, replay)
    }
}

impl Sink for Keeping<'_> {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Features(stage) => self.readiness.see(stage),
            output => self.results.output(output),
        }
    }
}

#[derive(Clone)]
pub(super) struct BarCount {
    pub(super) timeframe: Timeframe,
    pub(super) all: u64,
    pub(super) filled: u64,
    pub(super) incomplete: u64,
    /// Those of them that overlap a gap of the live feed.
    pub(super) of_gap: u64,
}

impl Recording {
    fn of<V: Venue>(timeframes: &[Timeframe], stages: &Stages<V>) -> Recording {
        let strategy = stages.strategy();
        let (decides_on, warm_up) = (strategy.timeframe(), strategy.warm_up());
        Recording::new(timeframes, stages.trades_from(), decides_on, warm_up)
    }

    /// Creates the recording for a strategy that is asked on bars of `decides_on` and must first
    /// have seen `warm_up` of them.
    pub(super) fn new(
        timeframes: &[Timeframe],
        trades_from: Timestamp,
        decides_on: Timeframe,
        warm_up: u64,
    ) -> Recording {
        let bars = timeframes
            .iter()
            .map(|&timeframe| BarCount { timeframe, all: 0, filled: 0, incomplete: 0, of_gap: 0 })
            .collect();
        Recording {
            trades: Vec::new(),
            equity: Vec::new(),
            decisions: Vec::new(),
            bars,
            trades_from,
            decides_on,
            warm_up,
            unready: warm_up,
            decides_from: None,
        }
    }

    /// Returns the first close at which a rule could decide something.
    pub(super) fn decides_from(&self) -> Option<Timestamp> {
        self.decides_from
    }

    fn count(&mut self, bar: &Bar) {
        let is_ready = self.unready == 0;
        if bar.timeframe == self.decides_on {
            self.unready = self.unready.saturating_sub(1);
        }
        if bar.end <= self.trades_from {
            return;
        }
        if is_ready && bar.timeframe == self.decides_on {
            self.decides_from.get_or_insert(bar.end);
        }
        let counts = self.bars.iter_mut().find(|counts| counts.timeframe == bar.timeframe);
        let counts = counts.expect("only bars that were asked for are made");
        counts.all += 1;
        counts.filled += u64::from(bar.flags.any(BarFlags::FILLED));
        counts.incomplete += u64::from(bar.flags.any(BarFlags::INCOMPLETE));
        counts.of_gap += u64::from(bar.flags.any(BarFlags::GAP));
    }
}

impl Sink for Recording {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Bar(bar) => self.count(bar),
            Output::Equity(point) => self.equity.push(*point),
            Output::Restart => self.unready = self.warm_up,
            Output::Action(Action::Trade(trade)) => self.trades.push(*trade),
            Output::Action(Action::Considered(record)) => self.decisions.push(*record),
            _ => {}
        }
    }
}

/// Returns the number of the agents' entries, and of their other decisions by reason;
/// nothing without agents.
fn decision_counters(decisions: &[DecisionRecord]) -> Vec<(String, u64)> {
    if decisions.is_empty() {
        return Vec::new();
    }
    let count = |of: &dyn Fn(&DecisionRecord) -> bool| {
        decisions.iter().filter(|record| of(record)).count() as u64
    };
    let mut counters = vec![
        ("agents asked".to_owned(), decisions.len() as u64),
        ("agents decided".to_owned(), count(&DecisionRecord::is_executed)),
    ];
    counters.extend(Reason::ALL.into_iter().map(|reason| {
        let name = format!("agents refused: {}", reason.name());
        (name, count(&|record| record.reasons.has(reason)))
    }));
    counters
}

/// The input of a run, as its record names it.
pub(super) struct RunInput<'a> {
    pub(super) mode: &'static str,
    pub(super) name: &'a str,
    pub(super) description: &'a TickFileDescription,
    pub(super) notes: &'a [String],
    pub(super) decided_by: Option<DecidedBy>,
    /// Ticks before the first trading day.
    pub(super) warm_up_ticks: u64,
    pub(super) first_tick: Option<Timestamp>,
    pub(super) last_tick: Option<Timestamp>,
}

impl<'a> RunInput<'a> {
    /// Describes the first ticks of a history.
    pub(super) fn of_ticks(
        mode: &'static str,
        history: &'a History,
        decided_by: Option<DecidedBy>,
        ticks: &[Tick],
        trades_from: Timestamp,
    ) -> RunInput<'a> {
        let warm_up = ticks.partition_point(|tick| tick.time < trades_from);
        let traded = &ticks[warm_up..];
        RunInput {
            mode,
            name: &history.name,
            description: history.file.description(),
            notes: &history.notes,
            decided_by,
            warm_up_ticks: warm_up as u64,
            first_tick: traded.first().map(|tick| tick.time),
            last_tick: traded.last().map(|tick| tick.time),
        }
    }
}

/// The stages of a run.
pub(super) type Stages<V> = Pipeline<Box<dyn Strategy + Send>, V>;

/// The result of taking a source of events through the stages.
pub(super) struct Taken<'a, V> {
    pub(super) stages: Stages<V>,
    pub(super) input: RunInput<'a>,
    pub(super) replay: Replay,
}

/// Carries out a run: `take` brings a source of events and a runner that takes them through the
/// stages, and everything that comes out is kept. Returns all that the run leaves except the
/// input's hash.
///
/// # Errors
/// If `take` fails, or the account has exceeded the range of money.
pub(super) fn run<'a, V: Venue>(
    config: &Config,
    instrument: &Instrument,
    stages: Stages<V>,
    take: impl FnOnce(Stages<V>, Keeping<'_>) -> Result<Taken<'a, V>, BacktestError>,
) -> Result<RunRecord, BacktestError> {
    let mut results = Recording::of(&config.bars.timeframes, &stages);
    let mut readiness = Readiness::new(stages.features());
    let keeping = Keeping { results: &mut results, readiness: &mut readiness };
    let Taken { stages, input, replay } = take(stages, keeping)?;
    if stages.desk().is_out_of_range() {
        return Err(BacktestError::OutOfRange(instrument.point_value));
    }
    Ok(record(config, instrument, &input, &stages, results, &readiness, replay))
}

/// Returns everything that a run leaves except the input's hash.
fn record<V: Venue>(
    config: &Config,
    instrument: &Instrument,
    input: &RunInput,
    stages: &Stages<V>,
    sink: Recording,
    readiness: &Readiness,
    run: Replay,
) -> RunRecord {
    let description = input.description;
    let (open_nanos, sessions) = stages.sessions();
    let seconds = run.elapsed.as_secs_f64();
    let time_in_market: i64 = sink
        .trades
        .iter()
        .map(|trade| open_time(instrument.calendar, trade.entry_time, trade.exit_time))
        .sum();
    let mut counters = vec![("sessions".to_owned(), sessions)];
    counters.extend(stages.desk().counters());
    counters.extend(decision_counters(&sink.decisions));
    RunRecord {
        mode: input.mode.to_owned(),
        strategy: strategy_text(config, input.decided_by.as_ref()),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        input: input.name.to_owned(),
        input_sha256: String::new(),
        input_description: describe(description),
        instrument: instrument.symbol.clone(),
        calendar: instrument.calendar,
        tick_size: instrument.tick_size,
        point_value: instrument.point_value,
        contract_symbols: description.contracts.iter().map(|c| c.symbol.clone()).collect(),
        ticks: run.ticks - input.warm_up_ticks,
        warm_up_ticks: input.warm_up_ticks,
        decides_from: match input.decided_by {
            None => sink.decides_from(),
            Some(_) => {
                let is_ready = |it: &&DecisionRecord| !it.reasons.has(Reason::NotReady);
                sink.decisions.iter().find(is_ready).map(|it| it.bar_end)
            }
        },
        bars: sink.bars.iter().map(|counts| (counts.timeframe, counts.all)).collect(),
        first_tick: input.first_tick,
        last_tick: input.last_tick,
        initial_capital: config.account.initial_capital,
        seed: config.system.seed,
        time_in_market: time_in_market.unsigned_abs(),
        open_market_time: open_nanos.unsigned_abs(),
        counters,
        data_notes: data_notes(config, input, stages, &sink, readiness, run.ticks),
        simulated_latency: latency_text(config),
        configuration: config.to_resolved_yaml(),
        elapsed_seconds: seconds,
        ticks_per_second: if seconds > 0.0 { run.ticks as f64 / seconds } else { 0.0 },
        confidence_level: config.performance.confidence_level,
        bootstrap_resamples: BOOTSTRAP_RESAMPLES,
        processing_time: run.picoseconds_per_tick,
        latency: run.latency,
        machine: Machine::read().summary(),
        interrupted: run.interrupted,
        trades: sink.trades,
        equity: sink.equity,
        decided_by: input.decided_by.clone(),
        decisions: sink.decisions,
    }
}

/// Describes the input for the run's record.
fn describe(description: &TickFileDescription) -> InputDescription {
    InputDescription {
        origin: description.origin.clone(),
        made_up: description.is_made_up(),
        expanded_from_bars_of_seconds: description.expanded_from_bars_of_seconds,
        adjustment: description.adjustment.name().to_owned(),
        facts: description.facts.clone(),
    }
}

/// Returns the nanoseconds of sessions between two instants.
fn open_time(calendar: Calendar, from: Timestamp, to: Timestamp) -> i64 {
    let (mut open, mut at) = (0, from);
    while at < to {
        let session = calendar.session_at_or_after(at);
        open += (session.close.min(to) - session.open.max(at)).max(0);
        at = session.close;
    }
    open
}
