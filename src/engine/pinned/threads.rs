//! The threads of a pinned run: their work, their start and their end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use quanta::Clock;
use rtrb::Consumer;

use super::downstream::{DecisionMessage, FeatureMessage, Features, Notice, Noticed, ToFeatures};
use super::failure::{Failures, ThreadFailure};
use super::feed::Feed;
use super::layout::ThreadLayout;
use super::outlets::{OutletParts, Outlets};
use super::queue::{Outlet, queue, serve};
use super::ring::{Full, Publisher, Reader, ring};
use super::sequencer::{OpenQuestions, Sequenced, Sequencer};
use super::stages_thread::StagesThread;
use super::stopwatch::Stopwatch;
use super::wiring::{PinnedRun, PinnedSettings, Waits, Wiring};
use super::{journal_thread, metrics_thread};
use crate::engine::downstream::Downstream;
use crate::engine::feature_stage::{Break, FeatureStage};
use crate::engine::message::{Action, Answer, DecisionTiming, Output, Question};
use crate::engine::sink::Sink;
use crate::engine::stages::{Deciding, Pipeline};
use crate::engine::trading::TradingStage;
use crate::execution::{OrderId, OrderMessage, Venue};
use crate::inference::Backend;
use crate::latency::{Recorder, Sample, Span};
use crate::machine::{Role, Wait, huge_pages, real_time};
use crate::market::{Bar, Timestamp};
use crate::strategy::{DecisionRecord, Strategy};

/// Interval of the progress display.
const PROGRESS: Duration = Duration::from_millis(100);

/// The starter of the threads.
pub(super) struct Threads<'scope, 'env> {
    pub(super) scope: &'scope Scope<'scope, 'env>,
    pub(super) settings: &'env PinnedSettings,
    pub(super) failures: &'env Failures,
    pub(super) stop: &'env AtomicBool,
    pub(super) log: &'env (dyn Fn(&str) + Sync),
    pub(super) clock: Clock,
}

/// The strategy on a thread of its own, and the ways to it and back.
struct DecisionThread<'scope, S> {
    features: Features,
    /// `None` where no thread waits for an answer.
    notices: Option<Outlet<Notice>>,
    records: Consumer<DecisionRecord>,
    questions: OpenQuestions,
    /// Leaves the strategy and the number of samples given up.
    thread: ScopedJoinHandle<'scope, (S, u64)>,
}

/// Source of events for the sequencer and the stages, with the display of progress.
struct EventSource<'p, F> {
    feed: F,
    ring: Publisher,
    reader: Reader,
    progress: &'p mut dyn FnMut(u64),
}

/// Results of the sequencer's and the stages' threads.
struct Ended<V> {
    trading: TradingStage<V>,
    sequenced: Sequenced,
    elapsed: Duration,
    lost_times: u64,
    waits: Waits,
}

impl<'scope, 'env> Threads<'scope, 'env> {
    pub(super) fn run<S, V, F, K, N>(
        &self,
        pipeline: Pipeline<S, V>,
        wiring: Wiring<'env, F, K, N>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<PinnedRun<S, V>, ThreadFailure>
    where
        S: Strategy + Send + 'scope,
        V: Venue + Send + 'scope,
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
        let [(watch, times), (feature_watch, feature_times), (seat_watch, seat_times)] =
            [(); 3].map(|()| self.watch());
        failures.catch(Role::Sequencer, || (self.log)(&huge_pages().to_string()));
        if let Some((journal, reader)) = journal.zip(journal_reader) {
            self.spawn(Role::Journal, move |wait| {
                journal_thread::run(journal, reader, actions_in, wait, failures);
            })?;
        }
        let recorder = Recorder::new(Timestamp::now(), settings.load);
        let metrics = self.spawn(Role::Metrics, move |wait| {
            let times = vec![times, feature_times, seat_times];
            metrics_thread::run(results_in, times, results, recorder, wait, failures)
        })?;

        let Pipeline { trading, deciding } = pipeline;
        let outlets = OutletParts {
            watch,
            results: results_out,
            journal: with_journal.then_some(actions_out),
            decides_on: deciding.strategy.timeframe(),
            answers_here: settings.layout == ThreadLayout::Fused,
            questions: trading.questions(),
        };
        let source = EventSource { feed, ring: publisher, reader, progress };
        let (end, deciding) = match settings.layout {
            ThreadLayout::Fused => {
                drop((feature_watch, seat_watch));
                self.fused(trading, deciding, outlets.with(on_features), source)?
            }
            ThreadLayout::DecisionApart => {
                drop(feature_watch);
                let apart = self.seat_apart(trading.decision_timing(), deciding, seat_watch)?;
                self.decision_apart(trading, apart, outlets.with(on_features), source)?
            }
            ThreadLayout::AllApart => {
                let apart = self.seat_apart(trading.decision_timing(), deciding, seat_watch)?;
                self.all_apart(trading, apart, (outlets, on_features, feature_watch), source)?
            }
        };
        let Ended { trading, sequenced, elapsed, lost_times, waits } = end;
        let mut latency = join(metrics);
        latency.dropped = lost_times;
        let Sequenced { ticks, interrupted, .. } = sequenced;
        let pipeline = Pipeline { trading, deciding };
        Ok(PinnedRun { pipeline, ticks, elapsed, interrupted, latency, waits })
    }

    /// Creates a stopwatch for a thread, and the other end of its queue of times.
    fn watch(&self) -> (Stopwatch, Consumer<Sample>) {
        let wait = self.settings.placed(Role::Stages).wait;
        let time = Sample { span: Span::HandOver, nanoseconds: 0 };
        let (outlet, times) = queue(self.settings.queue_slots, wait, time);
        (Stopwatch::new(self.clock.clone(), outlet), times)
    }

    /// Runs features and strategy on the stages' thread.
    fn fused<S, V, F, N>(
        &self,
        trading: TradingStage<V>,
        deciding: Deciding<S>,
        outlets: Outlets<N>,
        source: EventSource<'_, F>,
    ) -> Result<(Ended<V>, Deciding<S>), ThreadFailure>
    where
        S: Strategy + Send + 'scope,
        V: Venue + Send + 'scope,
        F: Feed + 'scope,
        N: FnMut(&FeatureStage) + Send + 'scope,
    {
        let backend = deciding.strategy.backend();
        let downstream = Noticed { downstream: deciding, notices: None, records: None };
        let stages = StagesThread::new(trading, downstream, outlets);
        self.drive(stages, backend, None, source)
    }

    /// Runs features on the stages' thread, and the strategy on its own.
    fn decision_apart<S, V, F, N>(
        &self,
        trading: TradingStage<V>,
        apart: DecisionThread<'scope, S>,
        outlets: Outlets<N>,
        source: EventSource<'_, F>,
    ) -> Result<(Ended<V>, Deciding<S>), ThreadFailure>
    where
        S: Strategy + Send + 'scope,
        V: Venue + Send + 'scope,
        F: Feed + 'scope,
        N: FnMut(&FeatureStage) + Send + 'scope,
    {
        let DecisionThread { features, notices, records, questions, thread } = apart;
        let downstream = Noticed { downstream: features, notices, records: Some(records) };
        let stages = StagesThread::new(trading, downstream, outlets);
        let (end, features) = self.drive(stages, None, Some(questions), source)?;
        Ok(end.with_seat(features, thread))
    }

    /// Runs features and strategy on threads of their own.
    fn all_apart<S, V, F, N>(
        &self,
        trading: TradingStage<V>,
        apart: DecisionThread<'scope, S>,
        (outlets, on_features, mut watch): (OutletParts, &'env mut N, Stopwatch),
        source: EventSource<'_, F>,
    ) -> Result<(Ended<V>, Deciding<S>), ThreadFailure>
    where
        S: Strategy + Send + 'scope,
        V: Venue + Send + 'scope,
        F: Feed + 'scope,
        N: FnMut(&FeatureStage) + Send,
    {
        let Threads { settings, failures, .. } = *self;
        let DecisionThread { mut features, notices, records, questions, thread } = apart;
        let wait = settings.placed(Role::Stages).wait;
        let none = FeatureMessage::Restart(Break::Contract);
        let (outlet, inbox) = queue(settings.queue_slots, wait, none);
        let computing = self.spawn(Role::Features, move |wait| {
            serve(Role::Features, inbox, wait, failures, |message| {
                features.on_message(message, &mut watch, on_features);
            });
            (features, watch.lost())
        })?;
        let downstream = ToFeatures { outlet, clock: self.clock.clone() };
        let downstream = Noticed { downstream, notices, records: Some(records) };
        let ignore = |_: &FeatureStage| {};
        let stages = StagesThread::new(trading, downstream, outlets.with(ignore));
        let (mut end, to_features) = self.drive(stages, None, Some(questions), source)?;
        end.waits.features = to_features.outlet.full;
        drop(to_features);
        let (features, lost_times) = join(computing);
        end.lost_times += lost_times;
        Ok(end.with_seat(features, thread))
    }

    /// Puts the strategy on its thread, with the queues to it and to the sequencer.
    fn seat_apart<S: Strategy + Send + 'scope>(
        &self,
        timing: DecisionTiming,
        deciding: Deciding<S>,
        mut watch: Stopwatch,
    ) -> Result<DecisionThread<'scope, S>, ThreadFailure> {
        let Threads { settings, failures, .. } = *self;
        let Deciding { features: stage, mut strategy, .. } = deciding;
        let (decides_on, clock) = (strategy.timeframe(), self.clock.clone());
        let slots = settings.queue_slots;
        let (decision, inbox) =
            queue(slots, settings.placed(Role::Stages).wait, DecisionMessage::Restart);
        let question = Question { number: 0, asked: Timestamp::MIN, epoch: 0, refused: None };
        let answer = Answer { question, decision: None, is_overdue: false };
        let (mut answers, answers_in) = queue(slots, settings.placed(Role::Decision).wait, answer);
        let (notices, notices_in) =
            queue(slots, settings.placed(Role::Stages).wait, Notice::Done(0));
        let waits = timing.waits_for_answers();
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
        // Where answers count from their arrival, no thread waits for one.
        let notices = waits.then_some(notices);
        let questions = OpenQuestions::new(timing, notices_in, answers_in);
        Ok(DecisionThread { features, notices, records: records_in, questions, thread: seat })
    }

    /// Starts the stages and the sequencer, and waits until both have ended.
    fn drive<D, V, F, N>(
        &self,
        mut stages: StagesThread<D, V, N>,
        backend: Option<Arc<dyn Backend>>,
        questions: Option<OpenQuestions>,
        source: EventSource<'_, F>,
    ) -> Result<(Ended<V>, D), ThreadFailure>
    where
        D: Downstream + Send + 'scope,
        V: Venue + Send + 'scope,
        F: Feed + 'scope,
        N: FnMut(&FeatureStage) + Send + 'scope,
    {
        let Threads { settings, failures, stop, ref clock, .. } = *self;
        let EventSource { feed, ring, reader, progress } = source;
        let ticks = Arc::new(AtomicU64::new(0));
        let sequencer = Sequencer {
            feed,
            ring,
            questions,
            decides_on: stages.trading.decides_on(),
            is_live: !stages.trading.decision_timing().waits_for_answers(),
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
            // The sequencer's end of the ring goes with it, and the readers end.
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
        let (elapsed, lost_times) = (start.elapsed(), outlets.watch.lost());
        let end = Ended { trading, sequenced, elapsed, lost_times, waits };
        Ok((end, downstream.downstream))
    }

    /// Starts a thread and puts it in its place.
    fn spawn<T: Send + 'scope>(
        &self,
        role: Role,
        work: impl FnOnce(Wait) -> T + Send + 'scope,
    ) -> Result<ScopedJoinHandle<'scope, T>, ThreadFailure> {
        self.spawn_on(None, role, work)
    }

    /// Starts a thread, that of a backend if there is one, and puts it in its place.
    fn spawn_on<T: Send + 'scope>(
        &self,
        backend: Option<Arc<dyn Backend>>,
        role: Role,
        work: impl FnOnce(Wait) -> T + Send + 'scope,
    ) -> Result<ScopedJoinHandle<'scope, T>, ThreadFailure> {
        let Threads { settings, failures, log, .. } = *self;
        let placed = settings.placed(role);
        let place_and_work = move || {
            let place = placed.take_place(&settings.shared);
            let is_hot = matches!(role, Role::Sequencer | Role::Stages);
            let priority = settings.real_time_priority.filter(|_| is_hot).map(real_time);
            for outcome in place.into_iter().chain(priority) {
                // Even if it fails, this thread's end of the ring must be served.
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
            |error| ThreadFailure {
                thread: role,
                event: None,
                reason: format!("it cannot be started: {error}"),
            },
        )
    }
}

impl<V> Ended<V> {
    /// Adds what a strategy on its own thread leaves, once that thread has ended.
    fn with_seat<S: Strategy>(
        mut self,
        features: Features,
        thread: ScopedJoinHandle<'_, (S, u64)>,
    ) -> (Ended<V>, Deciding<S>) {
        (self.waits.decision, self.waits.unasked) = features.waits();
        // The strategy's thread ends once the queue to it is gone.
        let features = features.into_stage();
        let (strategy, lost_times) = join(thread);
        self.lost_times += lost_times;
        (self, Deciding::new(features, strategy, 0))
    }
}

/// Waits for a thread whose work cannot unwind.
fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().expect("every panic is caught in the thread")
}
