//! What the stages make, for whoever keeps it.

use super::feature_stage::FeatureStage;
use super::message::{Action, Answer, Event, Output};
use crate::execution::{EquityPoint, OrderMessage, Report, Trade};
use crate::market::{Bar, Timestamp};
use crate::strategy::DecisionRecord;

/// Takes what the pipeline makes. It stands outside the stages, so it may allocate.
pub trait Sink {
    /// An event is about to be taken; told by the inline runner only.
    fn event(&mut self, _event: &Event) {}
    /// A bar closed.
    fn bar(&mut self, bar: &Bar);
    /// A round trip ended.
    fn trade(&mut self, trade: &Trade);
    /// The account, at every close of the finest bar and at each session's end.
    fn equity(&mut self, point: &EquityPoint);
    /// The series does not go on from the last bar: a rule forgets what it has seen.
    fn restart(&mut self) {}
    /// A feature row was written, and the matrices of its timeframe went on by a row.
    fn features(&mut self, _stage: &FeatureStage) {}
    /// An answer of the decision seat is here; it takes effect at its time.
    fn answer(&mut self, _answer: &Answer) {}
    /// What the decision seat thought of a question whose answer is here. An [`Sink::action`] too.
    fn considered(&mut self, record: &DecisionRecord) {
        self.action(Action::Considered(*record));
    }
    /// An answer of the decision seat takes effect, or comes too late for its session or contract. An
    /// [`Sink::action`], unless taken by itself, as are orders and reports.
    fn decision(&mut self, answer: &Answer, in_time: bool) {
        self.action(Action::Decision { answer: *answer, in_time });
    }
    /// The desk sent this to the exchange.
    fn order(&mut self, message: &OrderMessage, now: Timestamp) {
        self.action(Action::Order { message: *message, time: now });
    }
    /// News from the exchange reached the desk.
    fn report(&mut self, report: &Report) {
        self.action(Action::Report(*report));
    }
    /// Something was done about orders; a trade only comes as [`Sink::trade`].
    fn action(&mut self, _action: Action) {}
}

impl Output {
    /// Tells a sink.
    pub fn tell(&self, sink: &mut impl Sink) {
        match self {
            Output::Bar(bar) => sink.bar(bar),
            Output::Equity(point) => sink.equity(point),
            Output::Restart => sink.restart(),
            Output::Action(Action::Decision { answer, in_time }) => sink.decision(answer, *in_time),
            Output::Action(Action::Order { message, time }) => sink.order(message, *time),
            Output::Action(Action::Report(report)) => sink.report(report),
            Output::Action(Action::Trade(trade)) => sink.trade(trade),
            Output::Action(Action::Considered(record)) => sink.considered(record),
            Output::Action(action @ Action::Refused { .. }) => sink.action(*action),
        }
    }
}
