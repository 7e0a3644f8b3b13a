//! The vocabulary of the engine: events, which come from outside in one total order; questions to
//! the decision seat and its answers; and outputs, which the stages make.

use serde::{Deserialize, Serialize};

use super::feature_stage::FeatureStage;
use crate::execution::{Decision, EquityPoint, ExitReason, OrderMessage, Refusal, Report, Trade};
use crate::market::{Bar, Gap, Price, Tick, Timestamp};
use crate::strategy::DecisionRecord;

/// An input of the stages. One sequencer puts all events into one order; the same events in the
/// same order give the same results, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A trade in the market.
    Tick(Tick),
    /// The best prices changed without a trade.
    Quote(Quote),
    /// A broker's report on our orders. The simulated exchange's reports come by market time and
    /// are not events.
    Report(Report),
    /// A timer fired: market time has reached this instant without a trade.
    Timer(Timestamp),
    /// The feed lacks trades, before the tick that follows.
    Gap(Gap),
    /// Entries are refused from here on, and one that works is cancelled, or they are allowed
    /// again. Exits pass in any case.
    Entries(Entries),
    /// An answer of the strategy.
    Answer(Answer),
    /// The run ends: positions are closed for this reason.
    End(ExitReason),
}

impl Event {
    /// Returns the market time; `None` for the end, which has the time of the last event. A gap has
    /// that of its beginning, since ticks of it may follow.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            Event::Tick(tick) => Some(tick.time),
            Event::Quote(quote) => Some(quote.time),
            Event::Report(report) => Some(report.arrives),
            Event::Timer(now) => Some(*now),
            Event::Gap(gap) => Some(gap.from),
            Event::Entries(entries) => Some(entries.time),
            Event::Answer(answer) => Some(answer.question.asked),
            Event::End(_) => None,
        }
    }
}

/// The word on entries, from this event on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entries {
    /// Market time: that of the last tick or timer before it.
    pub time: Timestamp,
    /// Reason for which entries are refused; `None` if they are allowed.
    pub refused: Option<Refusal>,
}

/// The best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// Time at the exchange.
    pub time: Timestamp,
    /// Best price to sell at.
    pub bid: Price,
    /// Best price to buy at.
    pub ask: Price,
    /// The contract, as in [`Tick::contract`].
    pub contract: u16,
}

/// A question to the strategy, asked at the close of a bar of its timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// 1, 2, 3, … in the order of asking.
    pub number: u64,
    /// Market time at which the bar was seen to be closed.
    pub asked: Timestamp,
    /// Number of the session and contract, by which a late answer is recognised.
    pub epoch: u32,
    /// Reason why the answer enters nothing: the bar is not whole, or old, or entries are off.
    /// Exits pass.
    pub refused: Option<Refusal>,
}

/// An answer of the strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question.
    pub question: Question,
    /// The decision; `None` changes nothing.
    pub decision: Option<Decision>,
    /// `true` if the strategy took longer than its budget, and its decision was discarded. Only
    /// where answers count from their arrival.
    pub is_overdue: bool,
}

/// The time at which an answer takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecisionTiming {
    /// This number of nanoseconds (≥ 0) of market time after the question, however long the answer
    /// took. Every simulation does this, so that no result depends on the machine.
    After(i64),
    /// At its arrival, as live.
    OnArrival,
}

impl DecisionTiming {
    /// Returns whether the run stands still until an answer is there, as a simulation does, whose
    /// clock is the market's. A live run does not: time passes meanwhile, and nothing is kept back.
    pub fn waits_for_answers(self) -> bool {
        matches!(self, DecisionTiming::After(_))
    }

    /// Returns the time at which an answer to a question of this instant takes effect; `None` if
    /// that is its arrival.
    pub fn due(self, asked: Timestamp) -> Option<Timestamp> {
        match self {
            DecisionTiming::After(latency) => Some(asked.saturating_add(latency)),
            DecisionTiming::OnArrival => None,
        }
    }
}

/// Output of the stages.
#[derive(Clone, Copy, Debug)]
pub enum Output<'a> {
    /// A bar closed.
    Bar(Bar),
    /// A feature row was written, and the matrices of its timeframe moved on by a row.
    Features(&'a FeatureStage),
    /// The account, at every close of the finest bar and at each session's end.
    Equity(EquityPoint),
    /// The series does not continue from the last bar: a rule forgets what it has seen.
    Restart,
    /// An answer of the decision seat has come; it takes effect at its time.
    Answer(Answer),
    /// Something was done.
    Action(Action),
}

impl PartialEq for Output<'_> {
    /// Compares values; features are equal if they are a view of the same stage.
    fn eq(&self, other: &Output<'_>) -> bool {
        match (self, other) {
            (Output::Bar(bar), Output::Bar(other)) => bar == other,
            (Output::Features(stage), Output::Features(other)) => std::ptr::eq(*stage, *other),
            (Output::Equity(point), Output::Equity(other)) => point == other,
            (Output::Restart, Output::Restart) => true,
            (Output::Answer(answer), Output::Answer(other)) => answer == other,
            (Output::Action(action), Output::Action(other)) => action == other,
            _ => false,
        }
    }
}

impl Output<'_> {
    /// Returns the output as a value that can be queued and kept. `None` for features, which are a
    /// view of their stage, and for an answer, which comes at another time where the decision seat
    /// has a thread of its own.
    pub fn kept(&self) -> Option<Output<'static>> {
        Some(match *self {
            Output::Bar(bar) => Output::Bar(bar),
            Output::Features(_) | Output::Answer(_) => return None,
            Output::Equity(point) => Output::Equity(point),
            Output::Restart => Output::Restart,
            Output::Action(action) => Output::Action(action),
        })
    }
}

/// An action about orders.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// An answer took effect, or came too late for its session or contract.
    Decision {
        /// The answer.
        answer: Answer,
        /// `true` if it took effect.
        in_time: bool,
    },
    /// The desk sent a message to the exchange.
    Order {
        /// The message.
        message: OrderMessage,
        /// Market time of sending.
        time: Timestamp,
    },
    /// News from the exchange reached the desk.
    Report(Report),
    /// A round trip ended.
    Trade(Trade),
    /// The record of a decision whose answer has come.
    Considered(DecisionRecord),
    /// The rules refused a decision, or a close failed too often.
    Refused {
        /// Reason.
        refusal: Refusal,
        /// Market time.
        time: Timestamp,
    },
}
