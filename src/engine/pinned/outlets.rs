//! Outlets of the stages' thread: outputs to their keepers, times to the metrics.

use super::queue::Outlet;
use super::stopwatch::Stopwatch;
use crate::engine::feature_stage::FeatureStage;
use crate::engine::message::{Action, Answer, Output};
use crate::engine::sink::Sink;
use crate::latency::Span;
use crate::market::{Bar, Timeframe};

/// Questions whose stamps are remembered. The times of a question that this many others followed
/// before its answer came are not taken: at the end of a filled gap, or at a decision latency of
/// many bars.
const OPEN_QUESTIONS: usize = 64;

/// The stages' sink on their thread. It formats, keeps and allocates nothing.
pub(super) struct Outlets<F> {
    pub(super) watch: Stopwatch,
    /// The queue to the keeper of the run's results.
    pub(super) results: Outlet<Output<'static>>,
    /// The queue to the journal. Each action goes with the number of its event.
    pub(super) journal: Option<Outlet<(u64, Action)>>,
    on_features: F,
    decides_on: Timeframe,
    answers_here: bool,
    event: u64,
    /// The event's stamp; 0 if it has none.
    stamp: u64,
    bar_closed: u64,
    questions: u64,
    /// Stamps of the tick and of the bar's close, for the last questions.
    asked: [(u64, u64); OPEN_QUESTIONS],
    /// The question whose answer takes effect now.
    decided: Option<u64>,
}

/// The parts of [`Outlets`], but for the reader of the features.
pub(super) struct OutletParts {
    pub(super) watch: Stopwatch,
    pub(super) results: Outlet<Output<'static>>,
    pub(super) journal: Option<Outlet<(u64, Action)>>,
    pub(super) decides_on: Timeframe,
    /// `true` if the strategy answers on this thread. A thread of its own takes its times itself.
    pub(super) answers_here: bool,
    /// Questions asked before: the next has the number after it.
    pub(super) questions: u64,
}

impl OutletParts {
    pub(super) fn with<F>(self, on_features: F) -> Outlets<F> {
        let OutletParts { watch, results, journal, decides_on, answers_here, questions } = self;
        Outlets {
            watch,
            results,
            journal,
            on_features,
            decides_on,
            answers_here,
            event: 0,
            stamp: 0,
            bar_closed: 0,
            questions,
            asked: [(0, 0); OPEN_QUESTIONS],
            decided: None,
        }
    }
}

impl<F> Outlets<F> {
    /// Begins an event.
    #[inline]
    pub(super) fn begin(&mut self, event: u64, stamp: u64) {
        (self.event, self.stamp, self.decided) = (event, stamp, None);
    }

    fn on_bar(&mut self, bar: &Bar) {
        self.bar_closed = self.watch.now();
        if bar.timeframe == self.decides_on {
            self.questions += 1;
            let place = self.questions as usize % OPEN_QUESTIONS;
            self.asked[place] = (self.stamp, self.bar_closed);
        }
    }

    fn on_answer(&mut self, answer: &Answer) {
        let (_, closed) = self.asked(answer.question.number);
        if closed != 0 && self.answers_here {
            self.watch.record_since(Span::BarToDecision, closed);
        }
    }

    fn on_action(&mut self, action: &Action) {
        match action {
            Action::Decision { answer, .. } => {
                self.decided = answer.decision.map(|_| answer.question.number);
            }
            Action::Order { .. } => self.record_order(),
            _ => {}
        }
        if let Some(journal) = &mut self.journal {
            journal.send((self.event, *action));
        }
    }

    /// Records the times up to the first order of a decision.
    fn record_order(&mut self) {
        let Some(question) = self.decided.take() else { return };
        let ((came, closed), now) = (self.asked(question), self.watch.now());
        if closed != 0 {
            self.watch.record(Span::BarToOrder, closed, now);
        }
        if came != 0 {
            self.watch.record(Span::TickToOrder, came, now);
        }
    }

    /// Returns the stamps of a question, zero if they are no longer remembered.
    fn asked(&self, question: u64) -> (u64, u64) {
        let is_remembered = question + OPEN_QUESTIONS as u64 > self.questions;
        if is_remembered { self.asked[question as usize % OPEN_QUESTIONS] } else { (0, 0) }
    }
}

impl<F: FnMut(&FeatureStage)> Sink for Outlets<F> {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Bar(bar) => self.on_bar(bar),
            Output::Features(stage) => {
                self.watch.record_since(Span::BarToFeatures, self.bar_closed);
                (self.on_features)(stage);
            }
            Output::Answer(answer) => self.on_answer(answer),
            Output::Action(action) => self.on_action(action),
            Output::Equity(_) | Output::Restart => {}
        }
        if let Some(output) = output.kept() {
            self.results.send(output);
        }
    }
}

#[cfg(test)]
mod tests {
    use rtrb::Consumer;

    use super::*;
    use crate::engine::message::Event;
    use crate::engine::pinned::queue::queue;
    use crate::engine::trading::tests::{BuysOnce, stage};
    use crate::execution::{ExitReason, OrderMessage, OrderPort, Venue};
    use crate::latency::Sample;
    use crate::machine::Wait;
    use crate::market::{Price, Tick, Timestamp};

    /// A broker that looks into the queue to the journal when it is sent something.
    struct Broker {
        journal: Consumer<(u64, Action)>,
        /// Each message, and what was in the queue then.
        sent: Vec<(OrderMessage, Vec<(u64, Action)>)>,
    }

    impl OrderPort for Broker {
        fn send(&mut self, message: OrderMessage, _: Timestamp) {
            let queued = std::iter::from_fn(|| self.journal.pop().ok()).collect();
            self.sent.push((message, queued));
        }
    }

    impl Venue for Broker {}

    /// The order of effects on the stages' thread. When the journal's thread writes the action, and
    /// when the disk has it, is not said by this.
    #[test]
    fn an_order_is_in_the_queue_to_the_journal_before_the_venue_gets_it() {
        let bar = Output::Bar(Bar::NONE);
        let no_action =
            Action::Refused { refusal: crate::execution::Refusal::Late, time: Timestamp::MIN };
        let time = Sample { span: Span::HandOver, nanoseconds: 0 };
        let (samples, _times) = queue(64, Wait::Yield, time);
        let (results, _results) = queue(64, Wait::Yield, bar);
        let (actions, journal) = queue(64, Wait::Yield, (0, no_action));
        let parts = OutletParts {
            watch: Stopwatch::new(quanta::Clock::new(), samples),
            results,
            journal: Some(actions),
            decides_on: Timeframe::MINUTE_1,
            answers_here: true,
            questions: 0,
        };
        let mut outlets = parts.with(|_: &FeatureStage| {});
        let (mut stage, mut downstream) =
            (stage(Broker { journal, sent: Vec::new() }), BuysOnce::default());
        let start: Timestamp = "2024-01-03T14:30:00Z".parse().unwrap();
        let tick = |minutes| {
            let time = start + minutes * Timestamp::MINUTE;
            Event::Tick(Tick::new(time, Price::from_units(4_500 * Price::SCALE), 9))
        };
        // The first bar closes at the second tick and is bought; the end cancels the entry.
        let events = [tick(0), tick(1), Event::End(ExitReason::Shutdown)];
        for (number, event) in (0..).zip(&events) {
            outlets.begin(number, 0);
            stage.on_event(event, &mut downstream, &mut outlets);
        }
        let [(submitted, with_submit), (cancelled, with_cancel)] = &stage.venue().sent[..] else {
            panic!("{:?}", stage.venue().sent)
        };
        assert!(matches!(submitted, OrderMessage::Submit(_)));
        assert!(matches!(cancelled, OrderMessage::Cancel(_)));
        let time = start + Timestamp::MINUTE;
        let order = |message: &OrderMessage| Action::Order { message: *message, time };
        assert_eq!(with_submit.last(), Some(&(1, order(submitted))));
        assert_eq!(with_cancel.last(), Some(&(2, order(cancelled))));
    }
}
