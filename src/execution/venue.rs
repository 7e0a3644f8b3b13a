//! The side behind the desk.

use super::exchange::Marks;
use super::order::{ClosePosition, Fill, OrderPort, Report};
use crate::market::{Price, Tick, Timestamp};

/// The destination of orders: the simulated exchange, or the way to a broker.
///
/// The methods that have a default are those of a venue that lives by market time and fills orders
/// from ticks. A broker does neither: it takes messages ([`OrderPort`]), and its reports are events
/// of the run. So the defaults are a broker's.
pub trait Venue: OrderPort {
    /// Takes a tick that is not calm: messages arrive, and orders fill.
    fn on_tick(&mut self, _tick: &Tick) {}

    /// Returns when the next message arrives, and the prices (inclusive) within which no working
    /// order can change. A plain trade before the first and within the second need not be shown to
    /// the venue.
    fn calm(&self) -> (Timestamp, Price, Price) {
        (Timestamp::MAX, Price::MIN, Price::MAX)
    }

    /// Returns when the next report reaches us; `Timestamp::MAX` if none is under way.
    fn next_report(&self) -> Timestamp {
        Timestamp::MAX
    }

    /// Returns the next report that has reached us by `now`.
    fn take_report(&mut self, _now: Timestamp) -> Option<Report> {
        None
    }

    /// Returns what the last tick, which was one of a history bar, values our position at.
    fn marks(&self) -> Marks {
        Marks::default()
    }

    /// The desk closes the position for the day, from `level` inside the history bar that is
    /// played.
    fn on_day_locked(&mut self, _level: Price) {}

    /// The session is over at `now`.
    fn on_session_end(&mut self, _now: Timestamp) {}

    /// Ends everything at the price of `last`, where the series ends, a contract does, or a part of
    /// the history is absent: there is no later tick that an order could fill on. `slip` says
    /// whether slippage is paid. A venue that takes orders only says so, and is sent `close`.
    fn close_out(
        &mut self,
        _close: &ClosePosition,
        _last: &Tick,
        _now: Timestamp,
        _slip: bool,
    ) -> ClosedOut {
        ClosedOut::ByOrder
    }

    /// Returns how often an order met quotes that are not possible.
    fn impossible_quotes(&self) -> u64 {
        0
    }
}

/// The way in which a venue ends a position that no order can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedOut {
    /// Orders and messages are dropped without a report, and the position is closed by this fill if
    /// there was one.
    AtOnce(Option<Fill>),
    /// By an order like any other.
    ByOrder,
}
