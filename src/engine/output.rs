//! What the trading stage puts out, as a value that can be queued and kept.

use serde::{Deserialize, Serialize};

use super::decision::Answer;
use super::sink::Sink;
use crate::execution::{EquityPoint, OrderMessage, Refusal, Report, Trade};
use crate::market::{Bar, Timestamp};
use crate::strategy::DecisionRecord;

/// Something that a [`Sink`] is told of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// A bar closed.
    Bar(Bar),
    /// The account.
    Equity(EquityPoint),
    /// The series does not go on from the last bar.
    Restart,
    /// Something was done.
    Action(Action),
}

/// What was done about orders.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// An answer took effect, or came too late.
    Decision {
        /// The answer.
        answer: Answer,
        /// Whether it took effect.
        in_time: bool,
    },
    /// The desk sent this.
    Order {
        /// What.
        message: OrderMessage,
        /// When, in market time.
        time: Timestamp,
    },
    /// The desk was told this.
    Report(Report),
    /// A round trip ended.
    Trade(Trade),
    /// The decision seat had thought this of a question when its answer came.
    Considered(DecisionRecord),
    /// The rules refused a decision, or a close failed too often.
    Refused {
        /// Reason.
        refusal: Refusal,
        /// Market time.
        time: Timestamp,
    },
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
