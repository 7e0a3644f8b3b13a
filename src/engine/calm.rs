//! The fast lane for ticks that need no stage but the open bar and the position's extremes.

use crate::market::{Price, Tick, TickFlags, Timestamp};

/// The ticks that change nothing but the open bar and the extremes of the open position: plain
/// trades with `from <= time < until` and `low <= price <= high`. Most ticks are calm, and cost two
/// nanoseconds instead of twenty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calm {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
    pub(super) low: Price,
    pub(super) high: Price,
    pub(super) contract: u16,
}

impl Calm {
    /// No tick.
    pub(super) const NEVER: Calm = Calm {
        from: Timestamp::MAX,
        until: Timestamp::MIN,
        low: Price::MAX,
        high: Price::MIN,
        contract: 0,
    };

    #[inline(always)]
    pub(super) fn holds(&self, tick: &Tick) -> bool {
        // Without short-circuit evaluation this is one branch, which is nearly always taken.
        (tick.time >= self.from)
            & (tick.time < self.until)
            & (tick.price >= self.low)
            & (tick.price <= self.high)
            & (tick.contract == self.contract)
            & (tick.flags == TickFlags::NONE)
    }
}
