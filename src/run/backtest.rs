//! A backtest from its configuration to everything that it leaves.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use super::assembly::{AssemblyError, Conditions, pipeline, trades_from};
use super::history::{History, HistoryError, Preparation};
use super::journal_file::{RunJournalError, begin_journal};
use super::notes::count_notes;
use super::recording::{Keeping, RunInput, Taken, run};
use super::runner::{self, HistoryFeed, Runner};
use super::seat::ConfiguredStrategy;
use crate::agents::foresee;
use crate::config::{Config, ConfigError};
use crate::engine::pinned::RunnerKind;
use crate::engine::pinned::{self, ThreadFailure, Wiring};
use crate::engine::{
    FeatureStage, NullSink, Pipeline, Replay, RunJournal, Sink, replay, run_inline,
};
use crate::journal::JournalError;
use crate::machine::{Machine, PlanError};
use crate::market::{Instrument, InstrumentError, Money};
use crate::performance::{HeldDirectory, RunDirectoryError, RunRecord, hold_run_directory};
use crate::strategy::Observer;

/// The reason why a backtest did not run.
#[derive(Debug, thiserror::Error)]
pub enum BacktestError {
    /// The configuration asks for something that this version does not do.
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
    /// The chain of journals in the directory cannot be continued.
    #[error(transparent)]
    Chain(#[from] RunJournalError),
    /// The chain of journals in the directory is of another run.
    #[error(
        "{0}: an unfinished run of another configuration or contract is there; choose another `output.directory`, or move it away"
    )]
    OtherRun(String),
    /// The market does not wait for one thread.
    #[error("pipeline: paper trading needs threads, for which this machine is too small: {0}")]
    TooSmall(String),
    /// It was asked to stop before it began.
    #[error("stopped; nothing was written")]
    Stopped,
    /// A thread failed.
    #[error(transparent)]
    Thread(#[from] ThreadFailure),
    /// The account exceeded the range of money.
    #[error(
        "the account has been beyond 9.22 billion dollars, which is as much as it can count; trade fewer contracts, or correct the point_value, {0} dollars"
    )]
    OutOfRange(Money),
}

/// The progress of a backtest, for a progress bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backtest {
    /// The history is being imported or generated: units done, and in all.
    Preparing(u64, u64),
    /// The agents' encoders are run beforehand: ticks done, and in all.
    Foreseeing(u64, u64),
    /// Ticks are being replayed: ticks done, and in all.
    Replaying(u64, u64),
}

/// The place to which a backtest writes while it runs.
#[derive(Clone, Copy, Debug)]
pub enum RunPlace<'a> {
    /// The directory that is held for the run. A history that must be prepared, its refused rows,
    /// and the journal go there.
    Run(&'a HeldDirectory),
    /// No directory. Only a history that must be prepared is written, into a folder of its own
    /// inside this one, which is removed with the run. No journal is kept.
    Scratch(&'a Path),
}

/// An open history and the stages for it, without a strategy that decides.
pub struct Prepared {
    history: History,
    stages: Pipeline<Observer>,
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("history", &self.history).finish_non_exhaustive()
    }
}

impl Prepared {
    /// Opens, imports or generates the configured history, in a folder inside `working`, and sets
    /// the stages up.
    ///
    /// # Errors
    /// If the configuration or the history cannot be used.
    pub fn inspection(
        config: &Config,
        working: &Path,
        stop: &Arc<AtomicBool>,
        progress: &mut dyn FnMut(Backtest),
    ) -> Result<Prepared, BacktestError> {
        let instrument = config.instrument()?;
        let history = open(config, &instrument, working, stop, progress)?;
        let (description, matrices) = (history.file.description(), &config.matrices);
        let (observer, conditions) =
            (Observer(config.bars.timeframes[0]), Conditions::simulated(config, &instrument));
        let stages = pipeline(config, &instrument, description, matrices, observer, conditions)?;
        Ok(Prepared { history, stages })
    }

    /// Returns the history.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Returns the symbols of the contracts, by `Bar::contract`.
    pub fn contracts(&self) -> Vec<String> {
        let contracts = &self.history.file.description().contracts;
        contracts.iter().map(|contract| contract.symbol.clone()).collect()
    }

    /// Returns the stages, with features, matrices and counts.
    pub fn stages(&self) -> &Pipeline<Observer> {
        &self.stages
    }

    /// Returns a sentence on everything that the stages left out of the history.
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
/// closed, and the record says so. `log` is told the places of the threads and the outcome of each
/// request to the system.
///
/// # Errors
/// If the configuration or the history cannot be used, or the run fails. Then nothing is left but
/// the journal, if there is one, and the rows that the import of the history refused.
pub fn run_backtest_in(
    place: RunPlace<'_>,
    config: &Config,
    stop: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(Backtest),
    log: &(dyn Fn(&str) + Sync),
) -> Result<RunRecord, BacktestError> {
    let (working, held) = match place {
        RunPlace::Run(held) => (held.path(), Some(held)),
        RunPlace::Scratch(folder) => (folder, None),
    };
    // Unavailable cores and a faulty strategy are reported before a long import.
    let machine = Machine::read();
    let plan = Runner::plan(config, &machine)?;
    let instrument = &config.instrument()?;
    let mut seat = ConfiguredStrategy::new(config, instrument)?;
    let history = open(config, instrument, working, stop, progress)?;
    foresee_encoders(&mut seat, config, instrument, &history, stop, progress)?;
    let decided_by = seat.decided_by(config);
    let model_set = seat.model_set().map(|set| set.sha256().to_owned());
    let conditions = Conditions::simulated(config, instrument);
    let stages = seat.into_stages(config, instrument, history.file.description(), conditions)?;
    let runner = Runner::of(plan, config, log);
    let journal = begin(held, config, &history, model_set, &runner)?;
    // The hash that names the input takes longer than an inline replay, and goes beside it; beside
    // pinned threads it would take their cores, and goes after them.
    std::thread::scope(|scope| {
        let hash = matches!(runner, Runner::Inline).then(|| scope.spawn(|| history.sha256()));
        let ticks = history.ticks();
        let total = ticks.len() as u64;
        let mut on_ticks = |done| progress(Backtest::Replaying(done, total));
        let mut finished = run(config, instrument, stages, |stages, keeping| {
            let trades_from = stages.trades_from();
            let (stages, replay) = match runner {
                Runner::Inline => run_inline(stages, ticks, keeping, journal, stop, &mut on_ticks)?,
                Runner::Pinned(settings, facts) => {
                    let Keeping { results, readiness } = keeping;
                    let on_features = &mut |stage: &FeatureStage| readiness.see(stage);
                    let feed = HistoryFeed::new(ticks, config);
                    let wiring = Wiring { feed, results, on_features, journal, log };
                    let run = pinned::run(stages, wiring, &settings, stop, &mut on_ticks)?;
                    runner::outcome(run, [machine.facts(), facts].concat())
                }
            };
            let replayed = &ticks[..replay.ticks as usize];
            let input = RunInput::of_ticks("backtest", &history, decided_by, replayed, trades_from);
            Ok(Taken { stages, input, replay })
        })?;
        finished.input_sha256 = match hash {
            Some(hash) => hash.join().expect("hashing bytes in memory cannot fail")?,
            None => history.sha256()?,
        };
        Ok(finished)
    })
}

/// Opens, imports or generates the configured history, in a folder inside `working`.
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

/// Runs the agents' encoders on the whole history beforehand, for the inline runner. The pinned
/// runner measures the time of whole decisions.
fn foresee_encoders(
    seat: &mut ConfiguredStrategy,
    config: &Config,
    instrument: &Instrument,
    history: &History,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(Backtest),
) -> Result<(), BacktestError> {
    if config.pipeline.runner != RunnerKind::Inline {
        return Ok(());
    }
    let Some((set, backend)) = seat.networks() else { return Ok(()) };
    let threads = available_parallelism().map_or(1, |threads| threads.get());
    let (ticks, description) = (history.ticks(), history.file.description());
    let (total, warm_until) = (ticks.len() as u64, trades_from(config, instrument));
    let mut on_ticks = |done| progress(Backtest::Foreseeing(done, total));
    let matrices = seat.matrices(config);
    let walk = |strategy| {
        let conditions = Conditions::simulated(config, instrument);
        let mut stages =
            pipeline(config, instrument, description, &matrices, strategy, conditions)?;
        replay(&mut stages, ticks, &mut NullSink, stop, &mut on_ticks);
        Ok(())
    };
    let (foreseen, walked) =
        foresee(set, backend.as_ref(), threads, warm_until, walk).map_err(AssemblyError::from)?;
    walked.map_err(|error: AssemblyError| error)?;
    if stop.load(Ordering::Relaxed) {
        return Err(BacktestError::Stopped);
    }
    seat.foresee(foreseen);
    Ok(())
}

/// Begins the journal, if the run keeps one, and takes over the rows that the import refused.
/// Nothing is wrong with the configuration by now: an earlier run is replaced once there is room
/// for the journal and for the refused rows.
fn begin(
    held: Option<&HeldDirectory>,
    config: &Config,
    history: &History,
    model_set: Option<String>,
    runner: &Runner,
) -> Result<Option<RunJournal>, BacktestError> {
    let Some(held) = held else { return Ok(None) };
    let rejects = history.rejects.as_deref();
    if rejects.is_some() {
        held.check_rejects()?;
    }
    let journal = config
        .keeps_journal()
        .then(|| begin_journal(held, config, history, model_set, runner))
        .transpose()?;
    if let Some(rejects) = rejects {
        held.keep_rejects(rejects)?;
    }
    Ok(journal)
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
        return run_backtest_in(RunPlace::Run(&held), config, stop, progress, log);
    }
    run_backtest_in(RunPlace::Scratch(&std::env::temp_dir()), config, stop, progress, log)
}
