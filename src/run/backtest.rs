//! A backtest from its configuration to everything that it leaves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use super::assembly::{self, AssemblyError, trades_from};
use super::history::{History, HistoryError, Preparation};
use super::journal_file::begin_journal;
use super::runner::{self, Replayed, Runner};
use super::seat::Seat;
use crate::agents::foresee;
use crate::config::{self, Config, ConfigError, StrategyKind};
use crate::engine::pinned::{self, Failure, Wiring};
use crate::engine::{
    Action, FeatureCounts, FeatureStage, NullSink, Output, Pipeline, Replay, Sink, replay,
    run_inline,
};
use crate::execution::{EquityPoint, Trade};
use crate::journal::JournalError;
use crate::machine::{Machine, PlanError};
use crate::market::{
    Bar, BarFlags, Calendar, Instrument, InstrumentError, Money, Timeframe, Timestamp,
};
use crate::performance::{
    BOOTSTRAP_RESAMPLES, DecidedBy, HeldDirectory, InputDescription, RunDirectoryError, RunRecord,
    hold_run_directory,
};
use crate::source::native::TickFileDescription;
use crate::strategy::{DecisionRecord, Observer, Reason, Strategy};

/// Why a backtest did not run.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The configuration asks for what this version cannot do.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The instrument is not known.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// The history cannot be read, imported or generated.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The configuration does not fit the history.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// The threads cannot be placed as configured.
    #[error("pipeline.cores: {0}")]
    Plan(#[from] PlanError),
    /// The directory of the run cannot be written to, or is someone else's.
    #[error(transparent)]
    Directory(#[from] RunDirectoryError),
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// It was asked to stop before it began.
    #[error("stopped; nothing was written")]
    Stopped,
    /// A thread failed.
    #[error(transparent)]
    Thread(#[from] Failure),
    /// More money than can be counted.
    #[error(
        "the account has been beyond 9.22 billion dollars, which is as much as it can count; trade fewer contracts, or correct the point_value, {0} dollars"
    )]
    OutOfRange(Money),
}

/// Where a backtest is, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backtest {
    /// The history is being imported or generated: how much of how much.
    Preparing(u64, u64),
    /// The agents' encoders are run beforehand: on how many ticks of how many.
    Foreseeing(u64, u64),
    /// Ticks are being replayed: how many of how many.
    Replaying(u64, u64),
}

/// Where a backtest writes while it runs.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// Into the directory that is held for it: a history that must be prepared, refused rows of it,
    /// and the journal.
    Run(&'a HeldDirectory),
    /// Nowhere, but for a history that must be prepared: that is in a folder of its own inside this
    /// one, removed with the run. No journal is kept.
    Scratch(&'a Path),
}

/// A history that is open, and the stages for it.
pub struct Prepared {
    instrument: Instrument,
    history: History,
    /// The agents' networks: for people, and their SHA-256.
    model_set: Option<(DecidedBy, String)>,
    stages: Pipeline<Box<dyn Strategy + Send>>,
}

impl Prepared {
    /// Opens, imports or generates the configured history, in a folder inside `working`, and sets
    /// the stages up for a backtest.
    ///
    /// # Errors
    /// If the configuration or the history cannot be used.
    pub fn backtest(
        config: &Config,
        working: &Path,
        stop: &Arc<AtomicBool>,
        progress: &mut dyn FnMut(Backtest),
    ) -> Result<Prepared, BacktestError> {
        // What is wrong with the seat is told before a long import.
        let instrument = config.instrument()?;
        let mut seat = Seat::new(config, &instrument)?;
        let history = Self::open(config, &instrument, working, stop, progress)?;
        let matrices = seat.matrices(config);
        let description = history.file.description();
        let stages =
            |strategy| assembly::pipeline(config, &instrument, description, &matrices, strategy);
        // Threads that measure how long a decision takes make it whole.
        if let Some((set, backend)) = seat.networks()
            && config.pipeline.runner == config::Runner::Inline
        {
            let (threads, ticks) =
                (available_parallelism().map_or(1, |threads| threads.get()), history.ticks());
            let (total, warm_until) = (ticks.len() as u64, trades_from(config, &instrument));
            let mut on_ticks = |done| progress(Backtest::Foreseeing(done, total));
            let walk = |strategy| {
                let mut stages = stages(strategy)?;
                replay(&mut stages, ticks, &mut NullSink, stop, &mut on_ticks);
                Ok(())
            };
            let (foreseen, walked) = foresee(set, backend.as_ref(), threads, warm_until, walk)
                .map_err(AssemblyError::from)?;
            walked.map_err(|error: AssemblyError| error)?;
            if stop.load(Ordering::Relaxed) {
                return Err(BacktestError::Stopped);
            }
            seat.foresee(foreseen);
        }
        let sha256 = seat.model_set().map(|set| set.sha256().to_owned());
        let model_set = seat.decided_by(config).zip(sha256);
        let stages = stages(seat.into_strategy())?;
        Ok(Prepared { instrument, history, model_set, stages })
    }

    /// The same stages with nobody who decides: to see what they make of the history.
    ///
    /// # Errors
    /// If the configuration or the history cannot be used.
    pub fn inspection(
        config: &Config,
        working: &Path,
        stop: &Arc<AtomicBool>,
        progress: &mut dyn FnMut(Backtest),
    ) -> Result<Prepared, BacktestError> {
        let observer: Box<dyn Strategy + Send> = Box::new(Observer(config.bars.timeframes[0]));
        let instrument = config.instrument()?;
        let history = Self::open(config, &instrument, working, stop, progress)?;
        let (description, matrices) = (history.file.description(), &config.matrices);
        let stages = assembly::pipeline(config, &instrument, description, matrices, observer)?;
        Ok(Prepared { instrument, history, model_set: None, stages })
    }

    fn open(
        config: &Config,
        instrument: &Instrument,
        working: &Path,
        stop: &Arc<AtomicBool>,
        progress: &mut dyn FnMut(Backtest),
    ) -> Result<History, HistoryError> {
        History::open(config, instrument, working, stop, &mut |Preparation { done, total }| {
            progress(Backtest::Preparing(done, total));
        })
    }

    /// The history.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Symbols of the contracts, by [`Bar::contract`].
    pub fn contracts(&self) -> Vec<String> {
        let contracts = &self.history.file.description().contracts;
        contracts.iter().map(|contract| contract.symbol.clone()).collect()
    }

    /// The stages, with features and matrices, and what they counted.
    pub fn stages(&self) -> &Pipeline<Box<dyn Strategy + Send>> {
        &self.stages
    }

    /// A sentence on everything that the stages left out of the history.
    pub fn notes(&self) -> Vec<String> {
        let (from, ticks) = (self.stages.trades_from(), self.history.ticks());
        let warm_up = ticks.partition_point(|tick| tick.time < from);
        let mut notes = count_notes(&self.stages, (ticks.len() - warm_up) as u64);
        if warm_up > 0 {
            notes.push(format!(
                "Before the first trading day lie {warm_up} ticks: they warm up what is shown, and are not shown."
            ));
        }
        notes
    }

    /// Takes the whole history through the stages.
    pub fn replay(
        &mut self,
        sink: &mut impl Sink,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(Backtest),
    ) -> Replay {
        let ticks = self.history.ticks();
        let total = ticks.len() as u64;
        let mut on_ticks = |done| progress(Backtest::Replaying(done, total));
        replay(&mut self.stages, ticks, sink, stop, &mut on_ticks)
    }
}

/// Runs a backtest with the configured runner. `stop` ends it early, in order: positions are
/// closed, and the record says so. `log` is told how the threads are placed and what became of each
/// request to the system.
///
/// # Errors
/// If the configuration or the history cannot be used, or the run fails. Nothing is written in any
/// case but the journal, if there is one, and rows that the import of the history refused.
pub fn run_backtest_in(
    place: Place<'_>,
    config: &Config,
    stop: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(Backtest),
    log: &(dyn Fn(&str) + Sync),
) -> Result<RunRecord, BacktestError> {
    let (working, held) = match place {
        Place::Run(held) => (held.path(), Some(held)),
        Place::Scratch(folder) => (folder, None),
    };
    // Cores that cannot be are told before a long import.
    let machine = Machine::read();
    let plan = Runner::plan(config, &machine)?;
    let Prepared { instrument, history, model_set, stages } =
        Prepared::backtest(config, working, stop, progress)?;
    let runner = Runner::of(plan, config, log);
    // From here on nothing is wrong with the configuration, and an earlier run may be replaced once
    // there is room for the journal and for the refused rows.
    let rejects = held.zip(history.rejects.as_deref());
    if let Some((held, _)) = rejects {
        held.check_rejects()?;
    }
    let journal = match held {
        Some(held) if config.keeps_journal() => {
            let sha256 = model_set.as_ref().map(|(_, sha256)| sha256.clone());
            Some(begin_journal(held, config, &history, sha256, &runner)?)
        }
        _ => None,
    };
    if let Some((held, rejects)) = rejects {
        held.keep_rejects(rejects)?;
    }
    let mut results = Recording::of(&config.bars.timeframes, &stages);
    let mut readiness = Readiness::new(stages.features());
    // The hash that names the input takes longer than an inline replay, and goes beside it; beside
    // pinned threads it would take their cores, and goes after them.
    std::thread::scope(|scope| {
        let hash = matches!(runner, Runner::Inline).then(|| scope.spawn(|| history.sha256()));
        let ticks = history.ticks();
        let total = ticks.len() as u64;
        let mut on_ticks = |done| progress(Backtest::Replaying(done, total));
        let (stages, run) = match &runner {
            Runner::Inline => {
                let keeping = Keeping { results: &mut results, readiness: &mut readiness };
                run_inline(stages, ticks, keeping, journal, stop, &mut on_ticks)?
            }
            Runner::Pinned(settings, facts) => {
                let feed = Replayed::new(ticks, config);
                let on_features = &mut |stage: &FeatureStage| readiness.see(stage);
                let wiring = Wiring { feed, results: &mut results, on_features, journal, log };
                let run = pinned::run(stages, wiring, settings, stop, &mut on_ticks)?;
                runner::outcome(run, [machine.facts(), facts.clone()].concat())
            }
        };
        if stages.desk().is_out_of_range() {
            return Err(BacktestError::OutOfRange(instrument.point_value));
        }
        let replayed = &ticks[..run.ticks as usize];
        let trades_from = trades_from(config, &instrument);
        let warm_up = replayed.partition_point(|tick| tick.time < trades_from);
        let traded = &replayed[warm_up..];
        let input = Input {
            mode: "backtest",
            name: &history.name,
            description: history.file.description(),
            notes: &history.notes,
            decided_by: model_set.map(|(decided_by, _)| decided_by),
            warm_up_ticks: warm_up as u64,
            first_tick: traded.first().map(|tick| tick.time),
            last_tick: traded.last().map(|tick| tick.time),
        };
        let mut finished = record(config, &instrument, &input, &stages, results, &readiness, run);
        finished.input_sha256 = match hash {
            Some(hash) => hash.join().expect("hashing bytes in memory cannot fail")?,
            None => history.sha256()?,
        };
        Ok(finished)
    })
}

/// Runs a backtest, with its journal, if it keeps one, in `output.directory`; otherwise nothing is
/// left there.
///
/// # Errors
/// As [`run_backtest_in`], and if the directory of the journal cannot be held.
pub fn run_backtest(
    config: &Config,
    stop: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(Backtest),
    log: &(dyn Fn(&str) + Sync),
) -> Result<RunRecord, BacktestError> {
    if config.keeps_journal() {
        let held = hold_run_directory(&config.output.directory)?;
        return run_backtest_in(Place::Run(&held), config, stop, progress, log);
    }
    run_backtest_in(Place::Scratch(&std::env::temp_dir()), config, stop, progress, log)
}

/// Keeps what the pipeline makes. It grows with trades and bars, not with ticks.
pub(super) struct Recording {
    trades: Vec<Trade>,
    equity: Vec<EquityPoint>,
    decisions: Vec<DecisionRecord>,
    bars: Vec<BarCount>,
    /// Bars that end by then are of the warm-up.
    trades_from: Timestamp,
    decides_on: Timeframe,
    /// Closes that a strategy which is no team of agents must see before it can decide.
    warm_up: u64,
    /// Those of them that it has yet to see.
    unready: u64,
    /// The first close at which it could.
    decides_from: Option<Timestamp>,
}

/// The first close at which each matrix was whole.
pub(super) struct Readiness {
    ready_from: Vec<Option<Timestamp>>,
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

impl Sink for Keeping<'_> {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Features(stage) => self.readiness.see(stage),
            output => self.results.output(output),
        }
    }
}

struct BarCount {
    timeframe: Timeframe,
    all: u64,
    filled: u64,
    incomplete: u64,
}

impl Recording {
    pub(super) fn of<S: Strategy>(timeframes: &[Timeframe], stages: &Pipeline<S>) -> Recording {
        let strategy = stages.strategy();
        let (decides_on, warm_up) = (strategy.timeframe(), strategy.warm_up());
        Recording::new(timeframes, stages.trades_from(), decides_on, warm_up)
    }

    /// Where a strategy that is asked on bars of `decides_on` must first have seen `warm_up` of
    /// them.
    pub(super) fn new(
        timeframes: &[Timeframe],
        trades_from: Timestamp,
        decides_on: Timeframe,
        warm_up: u64,
    ) -> Recording {
        let bars = timeframes
            .iter()
            .map(|&timeframe| BarCount { timeframe, all: 0, filled: 0, incomplete: 0 })
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

    /// The first close at which a strategy that is no team of agents could decide something.
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

/// How many decisions of the agents came to an entry, and for what reasons the others did not;
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
pub(super) struct Input<'a> {
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

/// Everything that a run leaves; but for the input's hash.
pub(super) fn record(
    config: &Config,
    instrument: &Instrument,
    input: &Input,
    stages: &Pipeline<Box<dyn Strategy + Send>>,
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
        input_description: InputDescription {
            origin: description.origin.clone(),
            made_up: description.is_made_up(),
            expanded_from_bars_of_seconds: description.expanded_from_bars_of_seconds,
            adjustment: description.adjustment.name().to_owned(),
            facts: description.facts.clone(),
        },
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

/// Nanoseconds between two instants that lie in sessions.
fn open_time(calendar: Calendar, from: Timestamp, to: Timestamp) -> i64 {
    let (mut open, mut at) = (0, from);
    while at < to {
        let session = calendar.session_at_or_after(at);
        open += (session.close.min(to) - session.open.max(at)).max(0);
        at = session.close;
    }
    open
}

/// A sentence on everything that a reader must know of the data.
pub(super) fn data_notes<S: Strategy>(
    config: &Config,
    input: &Input,
    stages: &Pipeline<S>,
    sink: &Recording,
    readiness: &Readiness,
    ticks: u64,
) -> Vec<String> {
    let mut notes = input.notes.to_vec();
    for BarCount { timeframe, incomplete, filled, .. } in &sink.bars {
        if *incomplete > 0 {
            notes.push(format!(
                "Incomplete bars of {timeframe}: {incomplete}; data is missing in them or around them."
            ));
        }
        if *filled > 0 {
            notes.push(format!(
                "Bars of {timeframe} without a trade, filled flat at the close before: {filled}."
            ));
        }
    }
    if stages.holes() > 0 {
        notes.push(format!(
            "Whole sessions are missing at {} places: positions were closed at the last price before each, and the strategy and its matrices began anew after it.",
            stages.holes()
        ));
    }
    notes.extend(count_notes(stages, ticks - input.warm_up_ticks));
    if input.decided_by.is_none() {
        // Nobody looked at matrices.
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

/// A sentence on everything that the stages left out of `ticks`.
fn count_notes<S: Strategy>(stages: &Pipeline<S>, ticks: u64) -> Vec<String> {
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

fn strategy_text(config: &Config, decided_by: Option<&DecidedBy>) -> String {
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

fn latency_text(config: &Config) -> String {
    let execution = &config.execution;
    format!(
        "{} µs to the exchange, {} µs back; {} ticks of slippage{}; limit orders fill on a trade {}",
        execution.order_latency_microseconds,
        execution.acknowledgement_latency_microseconds,
        execution.slippage.ticks,
        if execution.slippage.cross_spread { " and the spread" } else { ", no spread" },
        match execution.limit_fill {
            crate::config::LimitFill::Through => "through their price",
            crate::config::LimitFill::Touch => "at their price",
        }
    )
}
