//! Outlets of the stages' thread: outputs to their keepers, times to the metrics.

use super::queue::Outlet;
use super::stopwatch::Stopwatch;
use crate::engine::feature_stage::FeatureStage;
use crate::engine::message::{Action, Answer, Output};
use crate::engine::sink::Sink;
use crate::latency::Span;
use crate::market::{Bar, Timeframe};

/// Questions whose stamps are remembered. The times of those that so many more followed before
/// their answer came are not taken: at the end of a filled gap, or at a decision latency of many
/// bars.
const OPEN_QUESTIONS: usize = 64;

/// The stages' sink on their thread. It formats, keeps and allocates nothing.
pub(super) struct Outlets<F> {
    pub(super) watch: Stopwatch,
    /// To the keeper of the run's results.
    pub(super) results: Outlet<Output<'static>>,
    /// To the journal, with the number of the event at which it came.
    pub(super) journal: Option<Outlet<(u64, Action)>>,
    on_features: F,
    decides_on: Timeframe,
    answers_here: bool,
    event: u64,
    /// The event's stamp; 0 if it has none.
    stamp: u64,
    bar_closed: u64,
    questions: u64,
    /// Stamps of the tick that came and of the bar that closed, of the last questions.
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
    /// `true` if the seat answers on this thread; a thread of its own takes its times itself.
    pub(super) answers_here: bool,
}

impl OutletParts {
    pub(super) fn with<F>(self, on_features: F) -> Outlets<F> {
        let OutletParts { watch, results, journal, decides_on, answers_here } = self;
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
            questions: 0,
            asked: [(0, 0); OPEN_QUESTIONS],
            decided: None,
        }
    }
}

impl<F> Outlets<F> {
    /// An event begins.
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

    /// The stamps at which a question was asked, if they are remembered.
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
