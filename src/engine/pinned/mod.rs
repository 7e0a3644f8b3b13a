//! The pinned runner: the same stages on threads of their own around one ring of preallocated
//! slots.
//!
//! ```text
//! feed, timers, broker ──▶ sequencer ══ ring ══╦═▶ stages: bars, orders ──▶ features ──▶ seat
//!                              ▲               ╚═▶ journal ◀── actions ──┘                │
//!                              └─────────────────────── answers ──────────────────────────┘
//!                                         metrics ◀── results and times ── stages, features
//! ```
//!
//! The sequencer puts everything that comes from outside into one order; the stages' thread is the
//! only one that acts on it. Features and the decision seat run on its thread or on their own
//! ([`ThreadLayout`]). Every result is that of the inline runner, bit for bit.
//!
//! What waits for what, and why nothing waits in a circle: the sequencer waits for room in the
//! ring, and in a simulation for an answer, and takes in everything that is sent to it meanwhile;
//! the stages wait for room in their queues; journal and metrics wait for nothing but their files.

mod downstream;
mod failure;
mod feed;
mod journal_thread;
mod layout;
mod metrics_thread;
mod outlets;
mod queue;
pub mod ring;
mod sequencer;
mod stages_thread;
mod stopwatch;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use quanta::Clock;
use rtrb::Consumer;

pub use failure::Failure;
pub use feed::{Feed, Pace, Paced, Polled, Recorded};
pub use layout::ThreadLayout;
pub use ring::Full;

use super::downstream::Downstream;
use super::feature_stage::{Break, FeatureStage};
use super::message::{Action, Answer, DecisionTiming, Output, Question};
use super::run_journal::RunJournal;
use super::sink::Sink;
use super::stages::{Deciding, Pipeline};
use super::trading::TradingStage;
use crate::execution::{OrderId, OrderMessage};
use crate::inference::Backend;
use crate::latency::{LatencyRecord, Load, Recorder, Sample, Span};
use crate::machine::{
    Core, Placed, Role, Wait, huge_pages, keep_current_thread_on, pin_current_thread, real_time,
};
use crate::market::{Bar, Timestamp};
use crate::strategy::{DecisionRecord, Strategy};
use downstream::{DecisionMessage, FeatureMessage, Features, Notice, Noticed, ToFeatures};
use failure::Failures;
use outlets::OutletParts;
use queue::{Outlet, queue, serve};
use ring::{Publisher, Reader, ring};
use sequencer::{Seat, Sequenced, Sequencer};
use stages_thread::StagesThread;
use stopwatch::Stopwatch;

/// How often progress is shown.
const PROGRESS: Duration = Duration::from_millis(100);

/// How the stages are spread over threads.
#[derive(Clone, Debug)]
pub struct PinnedSettings {
    /// Which stages have a thread of their own.
    pub layout: ThreadLayout,
    /// Slots of the ring, a power of two (≥ 2).
    pub ring_slots: usize,
    /// Messages that each queue beside it holds (≥ 1).
    pub queue_slots: usize,
    /// Where each thread runs and how it waits: one of each of [`ThreadLayout::roles`].
    pub threads: Vec<Placed>,
    /// Where threads without a core of their own run; empty if that is the system's business.
    pub shared: Vec<Core>,
    /// Priority of the sequencer's and the stages' threads under `SCHED_FIFO`, if they shall have
    /// one.
    pub real_time_priority: Option<u8>,
    /// Of so many events the times of one are taken (≥ 1); those of a paced feed all are.
    pub sample_every: u32,
    /// How the feed offers its events.
    pub load: Load,
    /// From a bar's close to the answer on it; one that takes longer does nothing. Only for a seat
    /// on a thread of its own whose answers count from their arrival.
    pub decision_budget: Duration,
}

impl PinnedSettings {
    fn placed(&self, role: Role) -> Placed {
        let placed = self.threads.iter().find(|placed| placed.role == role);
        *placed.expect("every role of the layout has its place")
    }
}

/// What goes into a run and where it comes out.
pub struct Wiring<'a, F, K, N> {
    /// Where events come from.
    pub feed: F,
    /// Is told what the stages make, on the metrics' thread; all but features.
    pub results: &'a mut K,
    /// Is shown features and matrices, on the thread that computes them.
    pub on_features: &'a mut N,
    /// Keeps every event and action.
    pub journal: Option<RunJournal>,
    /// Is told what became of each request to the system, when the threads start.
    pub log: &'a (dyn Fn(&str) + Sync),
}

/// What a pinned run leaves.
pub struct PinnedRun<S> {
    /// The stages after the last event.
    pub pipeline: Pipeline<S>,
    /// Ticks published.
    pub ticks: u64,
    /// Wall time from the first event to the end.
    pub elapsed: Duration,
    /// Whether it was stopped before the feed ended.
    pub interrupted: bool,
    /// How long the ways between the stages took.
    pub latency: LatencyRecord,
    /// Who waited for whom.
    pub waits: Waits,
}

/// How often and how long a thread waited for another, and what was given up instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// The sequencer, for room in the ring.
    pub ring: Full,
    /// The sequencer, for the decision seat's answers.
    pub answers: Full,
    /// The stages, for room to the metrics' thread.
    pub results: Full,
    /// The stages, for room to the journal.
    pub journal: Full,
    /// The stages, for room to the features' thread.
    pub features: Full,
    /// Features, for room to the decision seat.
    pub decision: Full,
    /// Questions that were not asked because the decision seat was behind; only where answers count
    /// from their arrival.
    pub unasked: u64,
    /// Quotes that gave way to newer ones because the ring was full; likewise.
    pub replaced_quotes: u64,
}

/// Takes everything that the feed has through the stages. `stop` ends it in order; `progress` is
/// told the number of ticks.
///
/// # Errors
/// If a thread cannot be started or fails. The other threads have then ended in order: what was
/// published is in the journal, and what was done is told to the results.
pub fn run<S, F, K, N>(
    pipeline: Pipeline<S>,
    wiring: Wiring<'_, F, K, N>,
    settings: &PinnedSettings,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64),
) -> Result<PinnedRun<S>, Failure>
where
    S: Strategy + Send,
    F: Feed,
    K: Sink + Send,
    N: FnMut(&FeatureStage) + Send,
{
    let failures = Failures::default();
    let (log, clock) = (wiring.log, Clock::new());
    let ended = thread::scope(|scope| {
        let threads = Threads { scope, settings, failures: &failures, stop, log, clock };
        threads.run(pipeline, wiring, progress)
    });
    match failures.into_first() {
        None => ended,
        Some(failure) => Err(failure),
    }
}

/// What starts threads.
struct Threads<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    settings: &'env PinnedSettings,
    failures: &'env Failures,
    stop: &'env AtomicBool,
    log: &'env (dyn Fn(&str) + Sync),
    clock: Clock,
}

/// The decision seat on a thread of its own, and the ways to it and back.
struct SeatApart<'scope, S> {
    features: Features,
    /// `None` where nobody waits for an answer.
    notices: Option<Outlet<Notice>>,
    records: Consumer<DecisionRecord>,
    sequencers_end: Seat,
    /// Leaves the strategy, and how many times were given up.
    thread: ScopedJoinHandle<'scope, (S, u64)>,
}

/// What the sequencer's and the stages' threads leave.
struct End<D> {
    trading: TradingStage,
    downstream: D,
    sequenced: Sequenced,
    elapsed: Duration,
    lost_times: u64,
    waits: Waits,
}

impl<'scope, 'env> Threads<'scope, 'env> {
    fn run<S, F, K, N>(
        &self,
        pipeline: Pipeline<S>,
        wiring: Wiring<'env, F, K, N>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<PinnedRun<S>, Failure>
    where
        S: Strategy + Send + 'scope,
        F: Feed + 'scope,
        K: Sink + Send,
        N: FnMut(&FeatureStage) + Send,
    {
        let Threads { settings, failures, .. } = *self;
        let Wiring { feed, results, on_features, journal, .. } = wiring;
        let slots = settings.queue_slots;
        let with_journal = journal.is_some();
        let ring = ring(settings.ring_slots, settings.placed(Role::Sequencer).wait, with_journal);
        let (publisher, reader, journal_reader) = ring;
        let wait = settings.placed(Role::Stages).wait;
        let (results_out, results_in) = queue(slots, wait, Output::Bar(Bar::NONE));
        let cancel = OrderMessage::Cancel(OrderId(0));
        let action = Action::Order { message: cancel, time: Timestamp::MIN };
        let (actions_out, actions_in) = queue(slots, wait, (0, action));
        let time = Sample { span: Span::HandOver, nanoseconds: 0 };
        let (times_out, times_in) = queue(slots, wait, time);
        let (feature_times_out, feature_times_in) = queue(slots, wait, time);
        let (seat_times_out, seat_times_in) = queue(slots, wait, time);
        failures.catch(Role::Sequencer, || (self.log)(&huge_pages().to_string()));
        if let Some((journal, reader)) = journal.zip(journal_reader) {
            self.spawn(Role::Journal, move |wait| {
                journal_thread::run(journal, reader, actions_in, wait, failures);
            })?;
        }
        let recorder = Recorder::new(Timestamp::now(), settings.load);
        let metrics = self.spawn(Role::Metrics, move |wait| {
            let times = vec![times_in, feature_times_in, seat_times_in];
            metrics_thread::run(results_in, times, results, recorder, wait, failures)
        })?;

        let Pipeline { trading, deciding } = pipeline;
        let outlets = OutletParts {
            watch: Stopwatch::new(self.clock.clone(), times_out),
            results: results_out,
            journal: with_journal.then_some(actions_out),
            decides_on: deciding.strategy.timeframe(),
            answers_here: settings.layout == ThreadLayout::Fused,
        };
        let mut feature_watch = Stopwatch::new(self.clock.clone(), feature_times_out);
        let seat_watch = Stopwatch::new(self.clock.clone(), seat_times_out);
        let (end, deciding) = match settings.layout {
            ThreadLayout::Fused => {
                drop((feature_watch, seat_watch));
                let backend = deciding.strategy.backend();
                let downstream = Noticed { downstream: deciding, notices: None, records: None };
                let stages = StagesThread::new(trading, downstream, outlets.with(on_features));
                let end = self.drive(stages, backend, feed, None, (publisher, reader), progress)?;
                end.split()
            }
            ThreadLayout::DecisionApart => {
                drop(feature_watch);
                let apart = self.decision_apart(&trading, deciding, seat_watch)?;
                let SeatApart {
                    features,
                    notices,
                    records,
                    sequencers_end: seat,
                    thread: decision,
                } = apart;
                let records = Some(records);
                let downstream = Noticed { downstream: features, notices, records };
                let stages = StagesThread::new(trading, downstream, outlets.with(on_features));
                let end =
                    self.drive(stages, None, feed, Some(seat), (publisher, reader), progress)?;
                let (mut end, features) = end.split();
                (end.waits.decision, end.waits.unasked) = features.waits();
                let (features, (strategy, lost_times)) = (features.into_stage(), join(decision));
                end.lost_times += lost_times;
                (end, Deciding::new(features, strategy, 0))
            }
            ThreadLayout::AllApart => {
                let apart = self.decision_apart(&trading, deciding, seat_watch)?;
                let SeatApart {
                    mut features,
                    notices,
                    records,
                    sequencers_end: seat,
                    thread: decision,
                } = apart;
                let (outlet, inbox) = queue(slots, wait, FeatureMessage::Restart(Break::Contract));
                let computing = self.spawn(Role::Features, move |wait| {
                    serve(Role::Features, inbox, wait, failures, |message| {
                        features.on_message(message, &mut feature_watch, on_features);
                    });
                    (features, feature_watch.lost())
                })?;
                let downstream = ToFeatures { outlet, clock: self.clock.clone() };
                let downstream = Noticed { downstream, notices, records: Some(records) };
                let ignore = |_: &FeatureStage| {};
                let stages = StagesThread::new(trading, downstream, outlets.with(ignore));
                let end =
                    self.drive(stages, None, feed, Some(seat), (publisher, reader), progress)?;
                let (mut end, to_features) = end.split();
                end.waits.features = to_features.outlet.full;
                drop(to_features);
                let (features, lost_times) = join(computing);
                (end.waits.decision, end.waits.unasked) = features.waits();
                end.lost_times += lost_times;
                let (features, (strategy, lost_times)) = (features.into_stage(), join(decision));
                end.lost_times += lost_times;
                (end, Deciding::new(features, strategy, 0))
            }
        };
        let End { trading, sequenced, elapsed, lost_times, waits, .. } = end;
        let mut latency = join(metrics);
        latency.dropped = lost_times;
        let Sequenced { ticks, interrupted, .. } = sequenced;
        let pipeline = Pipeline { trading, deciding };
        Ok(PinnedRun { pipeline, ticks, elapsed, interrupted, latency, waits })
    }

    /// Puts the decision seat on its thread: what stands before it, what the sequencer hears of it.
    fn decision_apart<S: Strategy + Send + 'scope>(
        &self,
        trading: &TradingStage,
        deciding: Deciding<S>,
        mut watch: Stopwatch,
    ) -> Result<SeatApart<'scope, S>, Failure> {
        let Threads { settings, failures, .. } = *self;
        let Deciding { features: stage, mut strategy, .. } = deciding;
        let (decides_on, clock) = (strategy.timeframe(), self.clock.clone());
        let timing = trading.decision_timing();
        let slots = settings.queue_slots;
        let (decision, inbox) =
            queue(slots, settings.placed(Role::Stages).wait, DecisionMessage::Restart);
        let question = Question { number: 0, asked: Timestamp::MIN, stretch: 0 };
        let answer = Answer { question, decision: None, is_overdue: false };
        let (mut answers, answers_in) = queue(slots, settings.placed(Role::Decision).wait, answer);
        let (notices, notices_in) =
            queue(slots, settings.placed(Role::Stages).wait, Notice::Done(0));
        let waits = timing != DecisionTiming::OnArrival;
        let observes = strategy.observes();
        let most_records = if observes { slots } else { 1 };
        let (mut records, records_in) =
            queue(most_records, settings.placed(Role::Decision).wait, DecisionRecord::EMPTY);
        // In a simulation the clock is the market's, and no result depends on the machine.
        let budget = if waits { Duration::MAX } else { settings.decision_budget };
        let backend = strategy.backend();
        let seat = self.spawn_on(backend, Role::Decision, move |wait| {
            serve(Role::Decision, inbox, wait, failures, |message| match message {
                DecisionMessage::Observation(observation) => strategy.observe(&observation),
                DecisionMessage::Question(bar, question, account, closed) => {
                    let decision = strategy.on_bar(&bar, question.number, &account);
                    let is_overdue = watch.since(closed) > budget;
                    watch.record_since(Span::BarToDecision, closed);
                    if let Some(record) = strategy.take_record() {
                        records.offer(record);
                    }
                    let decision = decision.filter(|_| !is_overdue);
                    answers.send(Answer { question, decision, is_overdue });
                    strategy.prepare(question.number + 1);
                }
                DecisionMessage::Restart => strategy.restart(),
            });
            (strategy, watch.lost())
        })?;
        let features = Features {
            stage,
            decision,
            waits,
            owes_restart: false,
            observes,
            closed: 0,
            decides_on,
            clock,
        };
        // Where answers count from their arrival, nobody waits for one.
        let notices = waits.then_some(notices);
        let sequencers_end = Seat::new(timing, notices_in, answers_in);
        Ok(SeatApart { features, notices, records: records_in, sequencers_end, thread: seat })
    }

    /// Starts the stages and the sequencer, and waits until both have ended.
    fn drive<D, F, N>(
        &self,
        mut stages: StagesThread<D, N>,
        backend: Option<Arc<dyn Backend>>,
        feed: F,
        seat: Option<Seat>,
        (ring, reader): (Publisher, Reader),
        progress: &mut dyn FnMut(u64),
    ) -> Result<End<D>, Failure>
    where
        D: Downstream + Send + 'scope,
        F: Feed + 'scope,
        N: FnMut(&FeatureStage) + Send + 'scope,
    {
        let Threads { settings, failures, stop, ref clock, .. } = *self;
        let ticks = Arc::new(AtomicU64::new(0));
        let sequencer = Sequencer {
            feed,
            ring,
            seat,
            decides_on: stages.trading.decides_on(),
            is_live: stages.trading.decision_timing() == DecisionTiming::OnArrival,
            clock: clock.clone(),
            sample_every: settings.sample_every,
            wait: settings.placed(Role::Sequencer).wait,
            stop,
            failures,
            ticks: Arc::clone(&ticks),
        };
        let start = Instant::now();
        let stages = self.spawn_on(backend, Role::Stages, move |wait| {
            stages.run(reader, wait, failures);
            stages
        })?;
        let waiting = thread::current();
        let sequencer = self.spawn(Role::Sequencer, move |_| {
            // With the sequencer its end of the ring goes, and the readers end.
            let done = sequencer.run();
            waiting.unpark();
            done
        })?;
        let mut show = |ticks| {
            failures.catch(Role::Metrics, || progress(ticks));
        };
        while !sequencer.is_finished() {
            show(ticks.load(Ordering::Relaxed));
            thread::park_timeout(PROGRESS);
        }
        let sequenced = join(sequencer);
        let StagesThread { trading, downstream, outlets, .. } = join(stages);
        show(sequenced.ticks);
        let waits = Waits {
            ring: sequenced.full,
            answers: sequenced.answers,
            replaced_quotes: sequenced.replaced_quotes,
            results: outlets.results.full,
            journal: outlets.journal.as_ref().map_or(Full::default(), |journal| journal.full),
            ..Waits::default()
        };
        Ok(End {
            trading,
            downstream: downstream.downstream,
            sequenced,
            elapsed: start.elapsed(),
            lost_times: outlets.watch.lost(),
            waits,
        })
    }

    /// Starts a thread and puts it in its place.
    fn spawn<T: Send + 'scope>(
        &self,
        role: Role,
        work: impl FnOnce(Wait) -> T + Send + 'scope,
    ) -> Result<ScopedJoinHandle<'scope, T>, Failure> {
        self.spawn_on(None, role, work)
    }

    /// Starts a thread, that of a backend if there is one, and puts it in its place.
    fn spawn_on<T: Send + 'scope>(
        &self,
        backend: Option<Arc<dyn Backend>>,
        role: Role,
        work: impl FnOnce(Wait) -> T + Send + 'scope,
    ) -> Result<ScopedJoinHandle<'scope, T>, Failure> {
        let Threads { settings, failures, log, .. } = *self;
        let placed = settings.placed(role);
        let place_and_work = move || {
            let place = match placed.core {
                Some(core) => Some(pin_current_thread(core)),
                None if settings.shared.is_empty() => None,
                None => Some(keep_current_thread_on(&settings.shared)),
            };
            let is_hot = matches!(role, Role::Sequencer | Role::Stages);
            let priority = settings.real_time_priority.filter(|_| is_hot).map(real_time);
            for outcome in place.into_iter().chain(priority) {
                // Whatever becomes of it, this thread's end of the ring must be served.
                failures.catch(role, || log(&format!("{role}: {outcome}")));
            }
            work(placed.wait)
        };
        let start = move || {
            let Some(backend) = backend else { return place_and_work() };
            let (mut work, mut done) = (Some(place_and_work), None);
            backend.together(&mut || done = work.take().map(|work| work()));
            done.expect("work is done once")
        };
        thread::Builder::new().name(role.to_string()).spawn_scoped(self.scope, start).map_err(
            |error| Failure {
                thread: role,
                event: None,
                reason: format!("it cannot be started: {error}"),
            },
        )
    }
}

impl<D> End<D> {
    /// What stood behind the bars, apart from the rest.
    fn split(self) -> (End<()>, D) {
        let End { trading, downstream, sequenced, elapsed, lost_times, waits } = self;
        (End { trading, downstream: (), sequenced, elapsed, lost_times, waits }, downstream)
    }
}

/// Waits for a thread whose work cannot unwind.
fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().expect("every panic is caught in the thread")
}
