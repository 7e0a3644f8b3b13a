//! The other side of the desk: venues.

use super::exchange::Marks;
use super::order::{ClosePosition, Fill, OrderPort, Report};
use crate::market::{Price, Tick, Timestamp};

/// The destination of orders: the simulated exchange, or the way to a broker.
///
/// The default methods are a broker's, which takes messages ([`OrderPort`]) and whose reports are
/// events of the run. A venue that lives by market time, and fills orders from ticks, overrides
/// them.
pub trait Venue: OrderPort {
    /// Takes a tick that is not calm: messages arrive, and orders fill.
    fn on_tick(&mut self, _tick: &Tick) {}

    /// Returns the arrival of the next message, and the bounds (inclusive) within which no working
    /// order can change. A plain trade before the arrival and within the bounds need not be shown
    /// to the venue.
    fn calm(&self) -> (Timestamp, Price, Price) {
        (Timestamp::MAX, Price::MIN, Price::MAX)
    }

    /// Returns the arrival of the next report; `Timestamp::MAX` if none is under way.
    fn next_report(&self) -> Timestamp {
        Timestamp::MAX
    }

    /// Returns the next report that has arrived by `now`.
    fn take_report(&mut self, _now: Timestamp) -> Option<Report> {
        None
    }

    /// Returns the prices at which the last tick, one of a history bar, values our position.
    fn marks(&self) -> Marks {
        Marks::default()
    }

    /// Takes note that the desk closes the position for the day, at `level` inside the current
    /// history bar.
    fn on_day_locked(&mut self, _level: Price) {}

    /// Ends the session at `now`.
    fn on_session_end(&mut self, _now: Timestamp) {}

    /// Returns whether a position is closed at the last price before a hole of whole sessions, and
    /// where another contract follows, which no market did. A history leaves no other way; before a
    /// live market the position stays.
    fn invents_fills(&self) -> bool {
        false
    }

    /// Ends everything at the price of `last`, at the end of the series or of a contract, or before
    /// a hole in the history: no later tick could fill an order. `slip` says whether slippage is
    /// paid. A venue that takes orders only answers [`ClosedOut::ByOrder`].
    fn close_out(
        &mut self,
        _close: &ClosePosition,
        _last: &Tick,
        _now: Timestamp,
        _slip: bool,
    ) -> ClosedOut {
        ClosedOut::ByOrder
    }

    /// Returns the number of times that an order met impossible quotes.
    fn impossible_quotes(&self) -> u64 {
        0
    }
}

/// The way in which a venue ends a position after the last tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClosedOut {
    /// Orders and messages are dropped without a report. The fill closed the position; `None` if
    /// there was none.
    AtOnce(Option<Fill>),
    /// An ordinary close does it.
    ByOrder,
}
