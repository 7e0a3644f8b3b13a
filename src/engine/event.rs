//! What comes from outside, in one total order.

use serde::{Deserialize, Serialize};

use super::decision::Answer;
use crate::execution::{ExitReason, Report};
use crate::market::{Price, Tick, Timestamp};

/// Whatever reaches the stages. One sequencer puts all of it into one order; the same events in the
/// same order give the same results, bit for bit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// A trade in the market.
    Tick(Tick),
    /// The best prices changed without a trade.
    Quote(Quote),
    /// News from a broker about our orders. The simulated exchange's own reports come by market time
    /// and are no events.
    Report(Report),
    /// So late it is, for what must not wait for the next trade.
    Timer(Timestamp),
    /// What the decision seat answered.
    Answer(Answer),
    /// The run ends: positions are closed for this reason.
    End(ExitReason),
}

impl Event {
    /// When it is; `None` for the end, which is whenever the last event was.
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
