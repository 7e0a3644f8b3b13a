//! The vocabulary of the engine: events, which come from outside in one total order; questions to the decision seat
//! and its answers; and outputs, which the stages make.

use serde::{Deserialize, Serialize};

use crate::execution::{Decision, EquityPoint, ExitReason, OrderMessage, Refusal, Report, Trade};
use crate::market::{Bar, Price, Tick, Timestamp};
use crate::strategy::DecisionRecord;

/// Input of the stages. One sequencer puts all events into one order; the same events in the same order give the same
/// results, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A trade in the market.
    Tick(Tick),
    /// The best prices changed without a trade.
    Quote(Quote),
    /// News from a broker about our orders. The simulated exchange's own reports come by market time
    /// and are not events.
    Report(Report),
    /// A timer fired: market time has reached this instant although no trade arrived.
    Timer(Timestamp),
    /// The answer of the decision seat.
    Answer(Answer),
    /// The run ends: positions are closed for this reason.
    End(ExitReason),
}

impl Event {
    /// Returns the market time; `None` for the end, which has the time of the last event.
    pub fn time(&self) -> Option<Timestamp> {
        match self {
            Event::Tick(tick) => Some(tick.time),
            Event::Quote(quote) => Some(quote.time),
            Event::Report(report) => Some(report.arrives),
            Event::Timer(now) => Some(*now),
            Event::Answer(answer) => Some(answer.question.asked),
            Event::End(_) => None,
        }
    }
}

/// The best bid and ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quote {
    /// When the exchange had them.
    pub time: Timestamp,
    /// Best price to sell at.
    pub bid: Price,
    /// Best price to buy at.
    pub ask: Price,
    /// Which contract, as in [`Tick::contract`].
    pub contract: u16,
}

/// A question to the decision seat, asked at the close of a bar of its timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// 1, 2, 3, … in the order of asking.
    pub number: u64,
    /// Market time at which the bar was seen to be closed.
    pub asked: Timestamp,
    /// Counts sessions and contracts, so that an answer for an earlier one is known.
    pub stretch: u32,
}

/// An answer of the decision seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question that is answered.
    pub question: Question,
    /// What to do; `None` leaves things as they are.
    pub decision: Option<Decision>,
    /// Whether the seat took longer than its budget; its decision is then discarded. Only where answers count from
    /// their arrival.
    pub is_overdue: bool,
}

/// When an answer takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecisionTiming {
    /// This many nanoseconds (≥ 0) of market time after the question, however long it took: in every
    /// simulation, so that no result depends on the machine.
    After(i64),
    /// When it arrives: live.
    OnArrival,
}

impl DecisionTiming {
    /// Returns when an answer to a question of this instant takes effect; `None` if that is when it arrives.
    pub fn due(self, asked: Timestamp) -> Option<Timestamp> {
        match self {
            DecisionTiming::After(latency) => Some(asked.saturating_add(latency)),
            DecisionTiming::OnArrival => None,
        }
    }
}

/// Output of the trading stage, as a value that can be queued and kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Output {
    /// A bar closed.
    Bar(Bar),
    /// The account.
    Equity(EquityPoint),
    /// The series does not continue from the last bar.
    Restart,
    /// Something was done.
    Action(Action),
}

/// What was done about orders.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    /// An answer took effect, or came too late for its session or contract.
    Decision {
        /// The answer.
        answer: Answer,
        /// Whether it took effect.
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
