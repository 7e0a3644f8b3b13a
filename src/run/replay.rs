//! The replay of a run from its journal.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::assembly::{AssemblyError, Conditions};
use super::backtest::BacktestError;
use super::chain::{JournalChain, Link};
use super::journal_file::{JournalHeader, RunJournalError};
use super::recording::{Keeping, RunInput, Stages, Taken, run};
use super::seat::ConfiguredStrategy;
use crate::config::{Config, ConfigError};
use crate::engine::{Action, Entries, Entry, Event, Output, Pipeline, Replay, Sink, no_times};
use crate::execution::{ExitReason, Venue};
use crate::journal::End;
use crate::market::{Calendar, Instrument, InstrumentError, Session, TickRule, Timestamp};
use crate::performance::{DecidedBy, RunRecord};
use crate::source::native::TickFileDescription;
use crate::strategy::Strategy;

/// The reason why a journal cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The file is not the journal of a run.
    #[error(transparent)]
    Journal(#[from] RunJournalError),
    /// Its configuration does not load in this version.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its instrument is not known.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// The agents' networks are not those of the run.
    #[error(
        "{path}: the run's model set had the SHA-256 {}, that of its configuration now has {}; put the run's set back where it was",
        written_with.as_deref().unwrap_or("of none"),
        found.as_deref().unwrap_or("of none")
    )]
    Models {
        /// The journal.
        path: String,
        /// The run's.
        written_with: Option<String>,
        /// The value that is there.
        found: Option<String>,
    },
    /// Its configuration does not fit its input.
    #[error(transparent)]
    Assembly(#[from] AssemblyError),
    /// The account exceeded the range of money. The run itself was refused for that.
    #[error("{path}: {refusal}")]
    OutOfRange {
        /// The journal.
        path: String,
        /// The refusal that the run would get.
        refusal: Box<BacktestError>,
    },
    /// It was stopped before its end.
    #[error("stopped before the end of the session")]
    Stopped,
}

/// A replayed run.
#[derive(Debug)]
pub struct Replayed {
    /// The run's record, as the run itself left it.
    pub record: RunRecord,
    /// The journal's end.
    pub end: End,
    /// `true` if the journal holds every action: its writer ended it behind the end of the run.
    pub is_whole: bool,
    /// Version of the program that wrote it.
    pub version: String,
    /// Number of actions that journal and replay have in common, in the same order.
    pub same_actions: u64,
    /// The first difference, if there is one.
    pub difference: Option<Difference>,
    /// Number of questions to which the strategy gives another answer than the journal, whose
    /// answer counts.
    pub changed_answers: u64,
}

/// A journaled action, and the replay's action instead.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Actions before it, which are the same.
    pub after: u64,
    /// The journal's action and the number of its event; `None` if it has no more.
    pub journal: Option<(u64, Action)>,
    /// The replay's.
    pub replay: Option<(u64, Action)>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = |action: &Option<(u64, Action)>| match action {
            Some((event, action)) => format!("at event {event} {action:?}"),
            None => "nothing more".to_owned(),
        };
        let (after, journal, replay) = (self.after, side(&self.journal), side(&self.replay));
        write!(
            f,
            "after {after} actions that are the same, the journal has {journal}; the replay has {replay}"
        )
    }
}

/// Takes a journal's events through the stages that its header describes, and compares their
/// actions with the journal's. A journal that was cut is replayed as far as it goes.
///
/// # Errors
/// If the file is not the journal of a run, this version does not know its records or its
/// configuration, or the run's account exceeded the range of money.
pub fn replay_journal(
    path: &Path,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Replayed, ReplayError> {
    Ok(replay_part(path, WHOLE, stop, progress)?.0)
}

/// Returns the record of one session of the run whose journal is at `path`, also while the run
/// continues: the run until the next session opens, less the run until this one opened.
///
/// # Errors
/// As [`replay_journal`], and if `stop` was set.
pub fn replay_session(
    path: &Path,
    calendar: Calendar,
    session: &Session,
    stop: &AtomicBool,
) -> Result<RunRecord, ReplayError> {
    let next = calendar.session_at_or_after(session.close);
    let (until, before) = replay_part(path, (session.open, next.open), stop, &mut |_, _| {})?;
    if stop.load(Ordering::Relaxed) {
        return Err(ReplayError::Stopped);
    }
    let mut record = until.record.since(&before.expect("the run was cut where it opened"));
    record.decides_from = record.decides_from.map(|from| from.max(session.open));
    Ok(record)
}

/// The whole run, without a cut.
const WHOLE: (Timestamp, Timestamp) = (Timestamp::MAX, Timestamp::MAX);

/// Replays the events before the first one at `until` or later. Only a replay of all of them, until
/// `Timestamp::MAX`, ends the run; the others may be cut at an earlier instant, `cut_at`, of which
/// they give the run's record as well. The first tick of the record is then that behind the cut.
fn replay_part(
    path: &Path,
    (cut_at, until): (Timestamp, Timestamp),
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(Replayed, Option<RunRecord>), ReplayError> {
    let chain = JournalChain::open(path)?;
    let header = chain.header()?;
    let content = Content::of(&chain, &header.description)?;
    let name = format!("{} (configuration)", path.display());
    let config = Config::parse(&header.configuration, &name, &Default::default())?;
    let instrument = config.instrument()?;
    let seat = seat_of(&header, &config, &instrument, path)?;
    let decided_by = seat.decided_by(&config);
    let conditions = Conditions::simulated(&config, &instrument).trading_from(header.trades_from);
    let description = &header.description;
    let stages = seat.into_stages(&config, &instrument, description, conditions)?;

    let name = path.display().to_string();
    let (events, has_answers) = (content.events, header.has_answers);
    let walk = Walk { chain: &chain, events, cut_at, until, has_answers };
    let (mut compared, mut before, mut fault) = ((0, None, 0, 0), None, Ok(()));
    let record = run(&config, &instrument, stages, |mut stages, keeping| {
        let mut sink = Comparing::new(keeping, &content);
        let start = Instant::now();
        let cut = |stages: &Stages<_>, keeping: &Keeping<'_>, counts: &EventCounts| {
            let input = counts.input("replay", &name, &header, decided_by.clone());
            let replay = counts.replay(start.elapsed());
            before = Some(keeping.record(&config, &instrument, &input, stages, replay));
        };
        let counts;
        (counts, fault) = walk.take(&mut stages, &mut sink, cut, stop, progress);
        let replay = counts.replay(start.elapsed());
        compared = (sink.same, sink.difference, counts.changed_answers, sink.lost);
        let input = counts.input("replay", &name, &header, decided_by.clone());
        Ok(Taken { stages, input, replay })
    });
    fault?;
    let mut record = record.map_err(|refusal| ReplayError::OutOfRange {
        path: name.clone(),
        refusal: Box::new(refusal),
    })?;
    record.input_sha256 = chain.sha256()?;
    let (same_actions, difference, changed_answers, lost) = compared;
    let (version, Content { end, is_whole, .. }) = (header.version, content);
    let is_whole = is_whole && lost == 0;
    let replayed =
        Replayed { record, end, is_whole, version, same_actions, difference, changed_answers };
    Ok((replayed, before))
}

/// Sets up the run's strategy, whose networks must be those of the journal.
fn seat_of(
    header: &JournalHeader,
    config: &Config,
    instrument: &Instrument,
    path: &Path,
) -> Result<ConfiguredStrategy, ReplayError> {
    let seat = ConfiguredStrategy::new(config, instrument)?;
    let found = seat.model_set().map(|set| set.sha256().to_owned());
    if found != header.model_set {
        let (path, written_with) = (path.display().to_string(), header.model_set.clone());
        return Err(ReplayError::Models { path, written_with, found });
    }
    Ok(seat)
}

/// A journal's events on their way through the stages.
struct Walk<'a> {
    chain: &'a JournalChain,
    /// Events that it holds.
    events: u64,
    /// The instant at which the run is cut: before the first event at that time or later.
    cut_at: Timestamp,
    /// The first event at this time or later, and all behind it, are left out.
    until: Timestamp,
    has_answers: bool,
}

impl Walk<'_> {
    /// Takes the events until `stop` is set, or until one cannot be read, which is the fault. A run
    /// without an end is shut down; the actions of that are not compared. Where the run is cut,
    /// `cut` sees all that was before.
    fn take<S: Strategy, V: Venue, K: Sink>(
        &self,
        stages: &mut Pipeline<S, V>,
        sink: &mut Comparing<'_, K>,
        mut cut: impl FnMut(&Pipeline<S, V>, &K, &EventCounts),
        stop: &AtomicBool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> (EventCounts, Result<(), RunJournalError>) {
        stages.deciding.answers_are_events = self.has_answers;
        let trades_from = stages.trades_from();
        let (mut counts, mut is_stopped, mut fault) = (EventCounts::default(), false, Ok(()));
        let mut is_cut = self.cut_at == Timestamp::MAX;
        let mut cut = |stages: &mut Pipeline<S, V>, sink: &mut K, counts: &mut EventCounts| {
            // Ends what is over by then, as below.
            stages.on_event(&Event::Timer(self.cut_at), sink);
            cut(stages, sink, counts);
            counts.first_tick = None;
        };
        for event in self.chain.events() {
            let (number, event) = match event {
                Ok(event) => event,
                Err(error) => {
                    fault = Err(error);
                    break;
                }
            };
            if number % 65_536 == 0 {
                progress(number, self.events);
                is_stopped = stop.load(Ordering::Relaxed);
                if is_stopped {
                    break;
                }
            }
            if event.time().is_some_and(|time| time >= self.until) {
                break;
            }
            if !is_cut && event.time().is_some_and(|time| time >= self.cut_at) {
                cut(stages, &mut sink.sink, &mut counts);
                is_cut = true;
            }
            counts.count(&event, trades_from);
            if let Event::Answer(answer) = &event {
                counts.changed_answers += u64::from(!stages.deciding.agrees(answer));
            }
            sink.event(&event);
            stages.on_event(&event, sink);
        }
        if !is_cut {
            cut(stages, &mut sink.sink, &mut counts);
        }
        let takes_all = self.until == Timestamp::MAX;
        if !is_stopped && takes_all {
            progress(self.events, self.events);
            sink.miss_the_rest();
        }
        if !takes_all {
            // Ends the last session and its bars, as a timer of the run does or the next tick will.
            stages.on_event(&Event::Timer(self.until), &mut sink.sink);
        } else if counts.end.is_none() {
            stages.finish(ExitReason::Shutdown, &mut sink.sink);
        }
        (counts, fault)
    }
}

/// Counts of a journal's events.
#[derive(Default)]
pub(super) struct EventCounts {
    pub(super) ticks: u64,
    /// Ticks before the first trading day.
    pub(super) warm_up_ticks: u64,
    pub(super) first_tick: Option<Timestamp>,
    pub(super) last_tick: Option<Timestamp>,
    /// The last word on entries.
    pub(super) entries: Option<Entries>,
    /// Answers that the strategy gives differently.
    changed_answers: u64,
    /// Reason why the run ended, if the journal has it.
    end: Option<ExitReason>,
}

impl EventCounts {
    pub(super) fn count(&mut self, event: &Event, trades_from: Timestamp) {
        match event {
            Event::Tick(tick) => {
                self.ticks += 1;
                if tick.time < trades_from {
                    self.warm_up_ticks += 1;
                } else {
                    self.first_tick.get_or_insert(tick.time);
                    self.last_tick = Some(tick.time);
                }
            }
            Event::Entries(entries) => self.entries = Some(*entries),
            Event::End(reason) => self.end = Some(*reason),
            _ => {}
        }
    }

    /// Describes these events as the input of a run.
    pub(super) fn input<'a>(
        &self,
        mode: &'static str,
        name: &'a str,
        header: &'a JournalHeader,
        decided_by: Option<DecidedBy>,
    ) -> RunInput<'a> {
        RunInput {
            mode,
            name,
            description: &header.description,
            notes: &header.notes,
            decided_by,
            warm_up_ticks: self.warm_up_ticks,
            first_tick: self.first_tick,
            last_tick: self.last_tick,
        }
    }

    /// Returns size and duration of the replay.
    fn replay(&self, elapsed: Duration) -> Replay {
        Replay {
            ticks: self.ticks,
            elapsed,
            picoseconds_per_tick: no_times(),
            interrupted: self.end.is_none_or(|reason| reason == ExitReason::Shutdown),
            latency: None,
        }
    }
}

/// The content of a journal without its events.
struct Content {
    /// Actions of the journal's events, in order.
    actions: Vec<(u64, Action)>,
    events: u64,
    /// Numbers of the first events of later files. Of the actions before, the last ones may be
    /// missing: the process ended before they were written.
    seams: Vec<u64>,
    end: End,
    /// `true` if every action is there: actions are written after the last event, which ends the
    /// run.
    is_whole: bool,
}

impl Content {
    fn of(
        chain: &JournalChain,
        description: &TickFileDescription,
    ) -> Result<Content, RunJournalError> {
        let text = chain.last().path.display().to_string();
        let rule = description
            .tick_rule()
            .map_err(|fault| RunJournalError::Input { path: text, fault })?;
        let mut content = Content {
            actions: Vec::new(),
            events: 0,
            seams: Vec::new(),
            end: End::Finished { records: 0 },
            is_whole: false,
        };
        let mut last = Timestamp::MIN;
        for link in chain.links() {
            content.take(chain, link, rule, &mut last)?;
        }
        Ok(content)
    }

    /// Takes the records of one file; `last` is the time of the last tick.
    fn take(
        &mut self,
        chain: &JournalChain,
        link: &Link,
        rule: TickRule,
        last: &mut Timestamp,
    ) -> Result<(), RunJournalError> {
        let text = || link.path.display().to_string();
        let (mut entries, mut ends_with_run) = (chain.entries(link, self.events)?, false);
        for entry in entries.by_ref() {
            let (event, what) = match entry? {
                Entry::Action(event, action) => {
                    self.actions.push((event, action));
                    continue;
                }
                Entry::Event(event, what) => (event, what),
            };
            ends_with_run = matches!(what, Event::End(_));
            if let Event::Tick(tick) = &what {
                rule.check(*last, tick).map_err(|fault| RunJournalError::Tick {
                    path: text(),
                    event,
                    fault,
                })?;
                *last = tick.time;
            }
            if let Some(time) = what.time().filter(|time| !time.is_in_market_years()) {
                return Err(RunJournalError::Time { path: text(), event, time });
            }
        }
        self.events = entries.event();
        // The stages may have been ahead of the journal when it was cut.
        self.actions.retain(|&(event, _)| event < self.events);
        if link.records.is_some() {
            if ends_with_run {
                return Err(RunJournalError::Chain { path: text() });
            }
            self.seams.push(self.events);
        } else {
            self.end = entries.end()?.expect("every record was read");
            self.is_whole = self.end.is_finished() && ends_with_run;
        }
        Ok(())
    }
}

/// A sink that compares actions with those of a journal before another sink.
struct Comparing<'a, K> {
    sink: K,
    /// Events so far. An action belongs to the last of them.
    events: u64,
    expected: std::slice::Iter<'a, (u64, Action)>,
    seams: &'a [u64],
    is_complete: bool,
    same: u64,
    /// Actions that the journal lost at a seam.
    lost: u64,
    difference: Option<Difference>,
}

impl<'a, K> Comparing<'a, K> {
    fn new(sink: K, content: &'a Content) -> Comparing<'a, K> {
        Comparing {
            sink,
            events: 0,
            expected: content.actions.iter(),
            seams: &content.seams,
            is_complete: content.is_whole,
            same: 0,
            lost: 0,
            difference: None,
        }
    }

    fn compare(&mut self, action: &Action) {
        if self.difference.is_some() {
            return;
        }
        let replay = (self.events - 1, *action);
        let next = self.expected.as_slice().first().map_or(u64::MAX, |&(event, _)| event);
        if self.seams.iter().any(|&seam| replay.0 < seam && seam <= next) {
            self.lost += 1;
            return;
        }
        let journal = self.expected.next().copied();
        if journal == Some(replay) {
            self.same += 1;
        } else if journal.is_some() || self.is_complete {
            let after = self.same;
            self.difference = Some(Difference { after, journal, replay: Some(replay) });
        }
    }

    /// Notes what the journal has beyond the replay's last action.
    fn miss_the_rest(&mut self) {
        if self.difference.is_none()
            && let Some(&journal) = self.expected.next()
        {
            let after = self.same;
            self.difference = Some(Difference { after, journal: Some(journal), replay: None });
        }
    }
}

impl<K: Sink> Sink for Comparing<'_, K> {
    fn event(&mut self, event: &Event) {
        self.events += 1;
        self.sink.event(event);
    }

    fn output(&mut self, output: &Output<'_>) {
        if let Output::Action(action) = output {
            self.compare(action);
        }
        self.sink.output(output);
    }
}
