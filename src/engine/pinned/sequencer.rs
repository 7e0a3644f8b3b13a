//! The one thread that puts events in order.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use quanta::Clock;
use rtrb::Consumer;

use super::downstream::Notice;
use super::failure::{Failures, ThreadFailure, without_unwinding};
use super::feed::{Feed, Polled};
use super::ring::{BATCH, Full, Publisher, Slot};
use crate::engine::message::{Answer, DecisionTiming, Event};
use crate::execution::ExitReason;
use crate::machine::{Role, Wait, Waiter};
use crate::market::{Tick, TickFlags, Timeframe, Timestamp};

/// The sequencer, which puts feed, timers, broker reports and answers into one order.
///
/// In a simulation an answer stands right before the first event at or after its time, and the
/// sequencer waits for it there. So the order, and with it every result, does not depend on the
/// speed of the strategy. Live, an answer stands where it arrived.
pub(super) struct Sequencer<'a, F> {
    pub(super) feed: F,
    pub(super) ring: Publisher,
    pub(super) questions: Option<OpenQuestions>,
    /// Timeframe of the bars on which the decision seat is asked.
    pub(super) decides_on: Timeframe,
    /// `true` if answers count from their arrival: nothing is kept back, and quotes give way to
    /// newer ones.
    pub(super) is_live: bool,
    pub(super) clock: Clock,
    /// One of this many events is stamped, and every event that comes with a stamp of its own.
    pub(super) sample_every: u32,
    pub(super) wait: Wait,
    pub(super) stop: &'a AtomicBool,
    pub(super) failures: &'a Failures,
    /// Ticks published, for the display of progress.
    pub(super) ticks: Arc<AtomicU64>,
}

/// The results of the sequencer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sequenced {
    pub(super) ticks: u64,
    pub(super) interrupted: bool,
    /// Waiting for room in the ring.
    pub(super) full: Full,
    /// Waiting for answers and for questions.
    pub(super) answers: Full,
    /// Quotes that gave way to newer ones because the ring was full.
    pub(super) replaced_quotes: u64,
}

/// The decision seat on a thread of its own, as the sequencer sees it.
pub(super) struct OpenQuestions {
    pub(super) timing: DecisionTiming,
    pub(super) notices: Consumer<Notice>,
    pub(super) answers: Consumer<Answer>,
    /// Answers that have arrived and are not published.
    pub(super) arrived: VecDeque<Answer>,
    /// Due time of each open question, in order.
    pub(super) open: VecDeque<(u64, Timestamp)>,
    /// Events that may have asked something, and the earliest time at which its answer can be due.
    pub(super) unconfirmed: VecDeque<(u64, Timestamp)>,
}

/// A condition that must hold before an event can be published.
enum Awaited {
    Nothing,
    /// The stages have not yet said what they asked.
    Notice,
    /// The strategy has not yet answered.
    Answer,
}

impl OpenQuestions {
    pub(super) fn new(
        timing: DecisionTiming,
        notices: Consumer<Notice>,
        answers: Consumer<Answer>,
    ) -> OpenQuestions {
        let queue = || VecDeque::with_capacity(4096);
        let (open, unconfirmed) = (queue(), queue());
        let arrived = VecDeque::with_capacity(4096);
        OpenQuestions { timing, notices, answers, arrived, open, unconfirmed }
    }

    /// Takes the messages of the other threads, which then never wait for this one.
    fn listen(&mut self) {
        while let Ok(notice) = self.notices.pop() {
            match notice {
                Notice::Asked(question) => {
                    if let Some(due) = self.timing.due(question.asked) {
                        self.open.push_back((question.number, due));
                    }
                }
                Notice::Done(event) => {
                    while self.unconfirmed.front().is_some_and(|&(number, _)| number <= event) {
                        self.unconfirmed.pop_front();
                    }
                }
            }
        }
        while let Ok(answer) = self.answers.pop() {
            self.arrived.push_back(answer);
        }
    }

    /// Returns the condition that is missing before an event of `time`.
    fn missing(&self, time: Timestamp) -> Awaited {
        let asked_before = |&(_, due): &(u64, Timestamp)| due <= time;
        if self.unconfirmed.front().is_some_and(asked_before) {
            Awaited::Notice
        } else if self.open.front().is_some_and(asked_before) {
            Awaited::Answer
        } else {
            Awaited::Nothing
        }
    }
}

impl<F: Feed> Sequencer<'_, F> {
    /// Publishes everything that the feed has, then the end. If the feed fails, its earlier events
    /// are published.
    pub(super) fn run(mut self) -> Sequenced {
        let mut done = Sequenced::default();
        let mut batch = Batch { slots: [Slot::EMPTY; BATCH], length: 0, first: 0, quote: None };
        if let Err(reason) = without_unwinding(|| self.take_feed(&mut batch, &mut done)) {
            done.interrupted = true;
            let event = Some(batch.next());
            self.failures.add(ThreadFailure { thread: Role::Sequencer, event, reason });
        }
        if self.is_live {
            self.publish_arrived(&mut batch);
        }
        self.flush(&mut batch);
        let reason = if done.interrupted { ExitReason::Shutdown } else { ExitReason::EndOfData };
        batch.push(Slot { event: Event::End(reason), ..Slot::EMPTY });
        self.flush(&mut batch);
        done.full = self.ring.full;
        done
    }

    /// Publishes everything that the feed has.
    fn take_feed(&mut self, batch: &mut Batch, done: &mut Sequenced) {
        let mut boundaries = Boundaries::of(self.decides_on);
        let mut waiter = Waiter::new(self.wait);
        let mut until_sample = 0;
        let live = self.is_live;
        loop {
            if self.must_stop() {
                done.interrupted = true;
                break;
            }
            if live {
                self.publish_arrived(batch);
            }
            let (event, due) = match self.feed.poll() {
                Polled::Event(event) => (event, None),
                Polled::Due(event, stamp) => (event, Some(stamp)),
                Polled::Ended => break,
                Polled::Idle => {
                    self.idle(batch, &mut waiter);
                    continue;
                }
            };
            waiter.reset();
            let before = boundaries.time;
            let may_close = boundaries.may_close(&event);
            if !self.await_answers(boundaries.time, batch, &mut done.answers) {
                done.interrupted = true;
                break;
            }
            let is_sampled = due.is_some() || until_sample == 0;
            until_sample = if is_sampled { self.sample_every - 1 } else { until_sample - 1 };
            let stamp = match due {
                Some(stamp) => stamp,
                None if is_sampled || may_close => self.clock.raw(),
                None => 0,
            };
            let slot = Slot { stamp, is_sampled, may_close, event };
            match event {
                Event::Tick(_) => done.ticks += 1,
                Event::Quote(_) if live => {
                    // Live, an older quote is worthless once there is a newer one.
                    done.replaced_quotes += u64::from(batch.quote.is_some());
                    batch.quote = Some(slot);
                    self.offer_quote(batch);
                    continue;
                }
                _ => {}
            }
            if may_close
                && let Some(questions) = &mut self.questions
                // A session may have ended any time after the event before.
                && let Some(due) = questions.timing.due(before)
            {
                questions.unconfirmed.push_back((batch.next(), due));
            }
            batch.push(slot);
            // An event with an instant of its own is not kept back for a batch.
            if batch.length == BATCH || due.is_some() || live {
                self.flush(batch);
                self.ticks.store(done.ticks, Ordering::Relaxed);
            }
        }
        if !done.interrupted {
            done.interrupted = !self.await_answers(boundaries.time, batch, &mut done.answers);
        }
    }

    /// Publishes what was kept back and waits a little: the feed has nothing.
    fn idle(&mut self, batch: &mut Batch, waiter: &mut Waiter) {
        self.flush(batch);
        self.offer_quote(batch);
        if let Some(questions) = &mut self.questions {
            questions.listen();
        }
        waiter.wait();
    }

    fn must_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.failures.is_any()
    }

    /// Publishes the batch, listening to the others while the ring is full.
    fn flush(&mut self, batch: &mut Batch) {
        let Sequencer { ring, questions, .. } = self;
        ring.publish(&batch.slots[..batch.length], &mut || {
            if let Some(questions) = questions {
                questions.listen();
            }
        });
        batch.first += batch.length as u64;
        batch.length = 0;
    }

    /// Publishes the quote that is kept, if there is room for it now.
    fn offer_quote(&mut self, batch: &mut Batch) {
        if let Some(quote) = batch.quote
            && self.ring.try_publish(&[quote])
        {
            batch.quote = None;
            batch.first += 1;
        }
    }

    /// Publishes the answers that are due by `time`, waiting for them. Returns `false` if the run
    /// must stop before they are there.
    fn await_answers(&mut self, time: Timestamp, batch: &mut Batch, waited: &mut Full) -> bool {
        let is_missing = |questions: &Option<OpenQuestions>| {
            questions
                .as_ref()
                .is_some_and(|questions| !matches!(questions.missing(time), Awaited::Nothing))
        };
        if !is_missing(&self.questions) {
            return true;
        }
        let start = Instant::now();
        let mut waiter = Waiter::new(self.wait);
        while is_missing(&self.questions) {
            self.flush(batch);
            if self.must_stop() {
                return false;
            }
            let questions = self.questions.as_mut().expect("something is missing from it");
            questions.listen();
            match (questions.missing(time), questions.arrived.front()) {
                (Awaited::Answer, Some(answer)) => {
                    batch.push(Slot { event: Event::Answer(*answer), ..Slot::EMPTY });
                    questions.arrived.pop_front();
                    questions.open.pop_front();
                    waiter.reset();
                }
                _ => waiter.wait(),
            }
        }
        waited.times += 1;
        waited.waited += start.elapsed();
        true
    }

    /// Publishes the answers that have arrived, without waiting.
    fn publish_arrived(&mut self, batch: &mut Batch) {
        while let Some(questions) = &mut self.questions {
            questions.listen();
            let Some(answer) = questions.arrived.pop_front() else { return };
            batch.push(Slot { event: Event::Answer(answer), ..Slot::EMPTY });
            self.flush(batch);
        }
    }
}

/// Events on their way into the ring.
struct Batch {
    slots: [Slot; BATCH],
    length: usize,
    /// Number of the first of them in the total order.
    first: u64,
    /// A quote that found no room. It goes before the next event, or gives way to a newer quote.
    quote: Option<Slot>,
}

impl Batch {
    /// Returns the number of the event that is pushed next.
    fn next(&self) -> u64 {
        self.first + self.length as u64
    }

    fn push(&mut self, slot: Slot) {
        if let Some(quote) = self.quote.take() {
            self.slots[self.length] = quote;
            self.length += 1;
        }
        self.slots[self.length] = slot;
        self.length += 1;
    }
}

/// The times at which an event may close a bar of the strategy.
struct Boundaries {
    /// The latest time so far.
    time: Timestamp,
    /// Such bars begin and end at multiples of this number of nanoseconds.
    every: i64,
    /// The stretch of the last tick.
    stretch: i64,
    contract: u16,
}

impl Boundaries {
    /// Returns the boundaries for a timeframe. Sessions and halts begin and end at multiples of
    /// five minutes, and bars count from there.
    fn of(decides_on: Timeframe) -> Boundaries {
        let minutes = if decides_on.minutes().is_multiple_of(5) { 5 } else { 1 };
        let every = minutes * Timestamp::MINUTE;
        Boundaries { time: Timestamp::MIN, every, stretch: i64::MIN, contract: 0 }
    }

    fn may_close(&mut self, event: &Event) -> bool {
        match event {
            Event::Tick(tick) => self.tick_may_close(tick),
            // The session may end by then.
            Event::Timer(now) => {
                let before = self.time;
                self.time = self.time.max(*now);
                self.stretch_of(before) != self.stretch_of(self.time)
            }
            Event::Quote(_)
            | Event::Report(_)
            | Event::Gap(_)
            | Event::Entries(_)
            | Event::Answer(_)
            | Event::End(_) => false,
        }
    }

    fn stretch_of(&self, time: Timestamp) -> i64 {
        time.nanos().div_euclid(self.every)
    }

    fn tick_may_close(&mut self, tick: &Tick) -> bool {
        if tick.time < self.time {
            // The tick is late for the stages, or only behind a timer. Only the stages know whether
            // they took it, and its contract. So it may close a bar, and so may the tick after it.
            self.stretch = i64::MIN;
            return true;
        }
        let stretch = self.stretch_of(tick.time);
        let is_new = stretch != self.stretch || tick.contract != self.contract;
        (self.stretch, self.contract) = (stretch, tick.contract);
        self.time = self.time.max(tick.time);
        is_new || tick.flags.any(TickFlags::BAR_CLOSE)
    }
}
