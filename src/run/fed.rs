//! A run whose market comes while it goes.

use std::collections::VecDeque;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::assembly::Conditions;
use super::backtest::BacktestError;
use super::chain::{JournalChain, begin_next};
use super::journal_file::{JournalHeader, RunJournalError};
use super::past::Past;
use super::recording::{Keeping, Stages, Taken, run};
use super::replay::EventCounts;
use super::runner::{Runner, outcome};
use super::seat::ConfiguredStrategy;
use crate::config::Config;
use crate::engine::pinned::{self, Feed, PinnedSettings, Polled, RunnerKind, Wiring};
use crate::engine::{Entries, Event, FeatureStage, Output, Sink, WarmUpGauge};
use crate::execution::Venue;
use crate::latency::{Load, Recorder};
use crate::machine::{Core, Machine, Placed, Plan, Role};
use crate::market::{Gap, GapPhase, Tick, Timestamp};
use crate::performance::{HeldDirectory, RunRecord};
use crate::source::native::TickFileDescription;

/// A market that comes while the run goes.
pub(crate) struct Fed<'a, F> {
    /// The market's events. Its ticks begin behind the warm-up and the run so far, or with a gap
    /// that tells what lies between; ticks from before are left out.
    pub(crate) feed: F,
    /// Name of the market, for people.
    pub(crate) name: String,
    /// The market, as a tick file would describe it.
    pub(crate) description: TickFileDescription,
    /// The warm-up, whose ticks are the first events of the run's journal, and the run so far.
    pub(crate) past: Past<'a>,
    /// The time from which a new run trades; `None` if that is the end of the warm-up.
    pub(crate) trades_from: Option<Timestamp>,
    /// The threads of the run.
    pub(crate) threads: Threads,
    /// The rows and bars that the matrices lack, for others to see.
    pub(crate) gauge: &'a WarmUpGauge,
}

/// The threads of a run, in their places.
pub(crate) struct Threads {
    settings: PinnedSettings,
    /// The report's sentences on them.
    facts: Vec<String>,
    /// `true` if the strategy's answers are events.
    has_answers: bool,
}

/// Runs on that market, from the journals of an unfinished run in the directory on, if there are
/// any; `watch` sees every output but features. Answers count after the configured latency of
/// market time, as in a backtest, so that a replay of the journals gives the same run. When `stop`
/// is set, the run ends in order.
///
/// # Errors
/// If the configuration or the journals cannot be used, or the run fails.
pub(crate) fn run_fed<F: Feed>(
    held: &HeldDirectory,
    config: &Config,
    fed: Fed<'_, F>,
    watch: &mut (impl Sink + Send),
    stop: &Arc<AtomicBool>,
    log: &(dyn Fn(&str) + Sync),
) -> Result<RunRecord, BacktestError> {
    let config = &with_threads(config);
    let instrument = &config.instrument()?;
    let seat = ConfiguredStrategy::new(config, instrument)?;
    let decided_by = seat.decided_by(config);
    let model_set = seat.model_set().map(|set| set.sha256().to_owned());
    let Fed { feed, name, description, past, trades_from, threads, gauge } = fed;
    let Threads { settings, facts, has_answers } = threads;
    let ends = past.warm_up.last().map(|tick| tick.time.saturating_add(1));
    let header = JournalHeader {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: config.system.seed,
        input: name.clone(),
        description,
        notes: Vec::new(),
        configuration: config.to_resolved_yaml(),
        model_set,
        has_answers,
        trades_from: trades_from.or(ends),
        follows: None,
    };
    let header = continued(held, past.chain(), header)?;
    let conditions = Conditions::simulated(config, instrument).trading_from(header.trades_from);
    let stages = seat.into_stages(config, instrument, &header.description, conditions)?;
    held.begin()?;
    let journal = Some(begin_next(held.path(), &header)?);
    let mut sha256 = String::new();
    let mut record = run(config, instrument, stages, |mut stages, mut keeping| {
        let trades_from = stages.trades_from();
        let mut feed = Joined::new(past.warm_up, feed, ends.unwrap_or(Timestamp::MIN));
        if let Some(chain) = past.chain() {
            log(&format!("going on with the run in {}", held.path().display()));
            let sink = &mut Watched { results: &mut keeping, watch: &mut *watch };
            let done = go_on(chain, has_answers, &mut stages, sink)?;
            feed.last = feed.last.max(done.last_tick.unwrap_or(Timestamp::MIN));
            // What was refused at its end says nothing of the market now.
            feed.entries = done.entries.map(|entries| Entries { refused: None, ..entries });
        }
        let Keeping { results, readiness } = keeping;
        gauge.see(stages.features());
        let on_features = &mut |stage: &FeatureStage| {
            readiness.see(stage);
            gauge.see(stage);
        };
        let results = &mut Watched { results, watch };
        let wiring = Wiring { feed: &mut feed, results, on_features, journal, log };
        let run = pinned::run(stages, wiring, &settings, stop, &mut |_| {})?;
        let (stages, mut replay) = outcome(run, facts);
        // The feed may have given a tick more than the run took.
        let chain = JournalChain::open(held.path())?;
        let counts = counted(&chain, trades_from)?;
        sha256 = chain.sha256()?;
        replay.ticks = counts.ticks;
        let input = counts.input("paper", &name, &header, decided_by);
        Ok(Taken { stages, input, replay })
    })?;
    record.input_sha256 = sha256;
    Ok(record)
}

/// Returns the configuration with the pinned runner.
fn with_threads(config: &Config) -> Config {
    let mut config = config.clone();
    config.pipeline.runner = RunnerKind::Pinned;
    config
}

impl Threads {
    /// Places the threads of a run, and tells `log` of it.
    ///
    /// # Errors
    /// If the configured cores are not available, or the machine is too small for threads.
    pub(crate) fn place(config: &Config, log: &dyn Fn(&str)) -> Result<Threads, BacktestError> {
        place(&with_threads(config), log)
    }

    /// Returns the place of the links' thread, and the cores of threads without one of their own.
    pub(crate) fn links(&self) -> (Placed, Vec<Core>) {
        let PinnedSettings { threads, shared, .. } = &self.settings;
        let placed = threads.iter().find(|placed| placed.role == Role::Links);
        (*placed.expect("a paper run has links"), shared.clone())
    }
}

fn place(config: &Config, log: &dyn Fn(&str)) -> Result<Threads, BacktestError> {
    let machine = Machine::read();
    let plan = Runner::plan(config, &machine)?;
    if let Some(Plan::Inline { why }) = plan {
        return Err(BacktestError::TooSmall(why));
    }
    let runner = Runner::of(plan, config, log);
    let has_answers = runner.has_answers();
    let Runner::Pinned(mut settings, facts) = runner else { unreachable!("it has threads") };
    settings.load = Load::OpenLoop;
    let facts = [machine.facts(), facts].concat();
    Ok(Threads { settings, facts, has_answers })
}

/// Returns the journals of a run in the directory that has not ended, if there are any.
///
/// # Errors
/// If they cannot be read.
pub(crate) fn unfinished(held: &HeldDirectory) -> Result<Option<JournalChain>, RunJournalError> {
    match JournalChain::open(held.path()) {
        Ok(chain) => {
            let has_ended = chain.has_ended()?;
            Ok((!has_ended).then_some(chain))
        }
        Err(RunJournalError::File(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the header of the next journal: that of the chain, if it continues one.
fn continued(
    held: &HeldDirectory,
    chain: Option<&JournalChain>,
    header: JournalHeader,
) -> Result<JournalHeader, BacktestError> {
    let Some(chain) = chain else { return Ok(header) };
    let before = chain.header()?;
    let is_the_same = before.configuration == header.configuration
        && before.model_set == header.model_set
        && before.description.contracts.last() == header.description.contracts.last();
    if !is_the_same {
        return Err(BacktestError::OtherRun(held.path().display().to_string()));
    }
    Ok(before)
}

/// Returns the counts of the events of a chain.
fn counted(chain: &JournalChain, trades_from: Timestamp) -> Result<EventCounts, RunJournalError> {
    let mut counts = EventCounts::default();
    for event in chain.events() {
        counts.count(&event?.1, trades_from);
    }
    Ok(counts)
}

/// Takes the events of the run so far through the stages, as they were. Returns their counts.
fn go_on<V: Venue>(
    chain: &JournalChain,
    has_answers: bool,
    stages: &mut Stages<V>,
    sink: &mut impl Sink,
) -> Result<EventCounts, RunJournalError> {
    stages.deciding.answers_are_events = has_answers;
    let mut counts = EventCounts::default();
    for event in chain.events() {
        let (_, event) = event?;
        counts.count(&event, stages.trades_from());
        stages.on_event(&event, sink);
    }
    Ok(counts)
}

/// The warm-up and behind it the market. What lies between them is a gap, of which the market
/// tells, or of which nobody knows anything.
struct Joined<'a, F> {
    warm_up: slice::Iter<'a, Tick>,
    feed: F,
    /// The time up to which everything was before the market.
    last: Timestamp,
    /// `true` once a tick or gap of the market was taken.
    is_live: bool,
    /// The last word on entries of a market that has not begun.
    entries: Option<Entries>,
    /// Events that are due at once.
    due: VecDeque<Event>,
}

impl<'a, F> Joined<'a, F> {
    fn new(warm_up: &'a [Tick], feed: F, last: Timestamp) -> Joined<'a, F> {
        let (warm_up, due) = (warm_up.iter(), VecDeque::with_capacity(4));
        Joined { warm_up, feed, last, is_live: false, entries: None, due }
    }

    /// Takes an event of the market that has not begun yet.
    #[cold]
    fn begin(&mut self, event: Event) -> Polled {
        if let Event::Entries(entries) = event {
            self.entries = Some(entries);
        }
        let time = match event {
            Event::Gap(gap) => gap.from,
            Event::Tick(tick) if tick.time > self.last => tick.time,
            _ => return Polled::Idle,
        };
        self.is_live = true;
        if let Event::Tick(tick) = event
            && self.last > Timestamp::MIN
        {
            let (contract, from, to) = (tick.contract, self.last, tick.time);
            let gap = |phase| Gap { contract, from, to, missing: None, recovered: 0, phase };
            self.due.extend([GapPhase::Opened, GapPhase::Closed].map(|it| Event::Gap(gap(it))));
        }
        if let Some(Entries { refused, .. }) = self.entries {
            self.due.push_back(Event::Entries(Entries { time, refused }));
        }
        self.due.push_back(event);
        Polled::Idle
    }
}

impl<F: Feed> Feed for Joined<'_, F> {
    #[inline]
    fn poll(&mut self) -> Polled {
        if let Some(tick) = self.warm_up.next() {
            return Polled::Event(Event::Tick(*tick));
        }
        if let Some(event) = self.due.pop_front() {
            return Polled::Event(event);
        }
        match self.feed.poll() {
            Polled::Event(event) | Polled::Due(event, _) if !self.is_live => self.begin(event),
            polled => polled,
        }
    }
}

/// A sink before which another one sees everything.
struct Watched<'a, S, W> {
    results: &'a mut S,
    watch: &'a mut W,
}

impl<S: Sink, W: Sink> Sink for Watched<'_, S, W> {
    fn output(&mut self, output: &Output<'_>) {
        self.watch.output(output);
        self.results.output(output);
    }

    fn times(&mut self, times: &Recorder) {
        self.watch.times(times);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::Refusal;
    use crate::market::Price;

    struct Given(std::vec::IntoIter<Event>);

    impl Feed for Given {
        fn poll(&mut self) -> Polled {
            self.0.next().map_or(Polled::Ended, Polled::Event)
        }
    }

    fn tick(seconds: i64) -> Tick {
        let time = Timestamp::from_nanos(seconds * Timestamp::SECOND);
        Tick::new(time, Price::from_units(4_500 * Price::SCALE), 1)
    }

    fn entries(seconds: i64, refused: Option<Refusal>) -> Event {
        Event::Entries(Entries { time: tick(seconds).time, refused })
    }

    /// Returns what comes of events behind a run that ended at second 5.
    fn joined(events: Vec<Event>, entries: Option<Entries>) -> Vec<Event> {
        let mut feed = Joined::new(&[], Given(events.into_iter()), tick(5).time);
        feed.entries = entries;
        let mut taken = Vec::new();
        loop {
            match feed.poll() {
                Polled::Event(event) | Polled::Due(event, _) => taken.push(event),
                Polled::Idle => {}
                Polled::Ended => return taken,
            }
        }
    }

    #[test]
    fn the_last_word_on_entries_stands_before_the_first_tick_of_the_market() {
        let (doubt, stale) = (Some(Refusal::ClockDoubt), Some(Refusal::StaleData));
        let before = [entries(0, doubt), entries(0, stale), Event::Tick(tick(4))];
        let live = [Event::Tick(tick(9)), entries(9, None)];
        let taken = joined([&before[..], &live[..]].concat(), None);
        assert!(matches!(taken[..2], [Event::Gap(_), Event::Gap(_)]));
        assert_eq!(taken[2..], [entries(9, stale), live[0], live[1]]);
        // What an earlier process refused at its end is allowed again.
        let Event::Entries(allowed) = entries(5, None) else { panic!() };
        assert_eq!(joined(live.to_vec(), Some(allowed))[2], entries(9, None));
        assert_eq!(joined(live.to_vec(), None)[2], live[0]);
    }
}
