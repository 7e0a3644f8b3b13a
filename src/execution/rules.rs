//! Rule constraints, which no decision can override.

use serde::{Deserialize, Serialize};

use crate::market::{Price, Timestamp};

/// The reason why a decision did not become an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Refusal {
    /// More contracts than `max_position_size`.
    PositionSize,
    /// The day's drawdown limit was reached earlier in this session.
    DailyDrawdown,
    /// More orders than `max_orders_per_second`.
    OrderRate,
    /// A price farther from the market than `price_collar_ticks`.
    PriceCollar,
    /// The session is over, or about to be.
    SessionClosing,
    /// The contract has stopped trading.
    ContractExpired,
    /// The decision came when the session or the contract that it was made for had ended.
    Late,
    /// The decision took longer than its budget.
    Overdue,
    /// Nothing was reported of an order that was sent before.
    Unanswered,
    /// The venue rejected several orders in a row.
    Rejections,
    /// Every attempt to close the position, or to cancel its entry, failed.
    CloseFailed,
    /// A fill was reported that none of our orders explains, so the position may differ from the
    /// booked one. Reported when that happens, and for every entry decided on from then on.
    PositionDoubted,
    /// The bar on which the decision was made overlaps a gap of the feed.
    IncompleteBar,
    /// The bar on which the decision was made was closed by a tick that came late, from history.
    Backfilled,
    /// The market's time is not relied on: no stamp yet, a clock that leapt, data that come late.
    ClockDoubt,
    /// Trades or quotes are silent in an open session.
    StaleData,
    /// The gateway refused the subscription.
    NotSubscribed,
    /// The gateway says that the market is halted or closed, in a session by the calendar.
    MarketHalted,
    /// The next contract is due, and the position in this one is in its way.
    RollDue,
}

impl Refusal {
    /// Every refusal, in a fixed order.
    pub const ALL: [Refusal; 19] = [
        Self::PositionSize,
        Self::DailyDrawdown,
        Self::OrderRate,
        Self::PriceCollar,
        Self::SessionClosing,
        Self::ContractExpired,
        Self::Late,
        Self::Overdue,
        Self::Unanswered,
        Self::Rejections,
        Self::CloseFailed,
        Self::PositionDoubted,
        Self::IncompleteBar,
        Self::Backfilled,
        Self::ClockDoubt,
        Self::StaleData,
        Self::NotSubscribed,
        Self::MarketHalted,
        Self::RollDue,
    ];

    /// Returns the name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PositionSize => "max_position_size",
            Self::DailyDrawdown => "max_daily_drawdown",
            Self::OrderRate => "max_orders_per_second",
            Self::PriceCollar => "price_collar",
            Self::SessionClosing => "session_closing",
            Self::ContractExpired => "contract_expired",
            Self::Late => "late",
            Self::Overdue => "overdue",
            Self::Unanswered => "order_unanswered",
            Self::Rejections => "orders_rejected",
            Self::CloseFailed => "close_failed",
            Self::PositionDoubted => "position_doubted",
            Self::IncompleteBar => "incomplete_bar",
            Self::Backfilled => "backfilled",
            Self::ClockDoubt => "clock_doubt",
            Self::StaleData => "stale_data",
            Self::NotSubscribed => "not_subscribed",
            Self::MarketHalted => "market_halted",
            Self::RollDue => "roll_due",
        }
    }
}

/// The times of the last orders, which hold their rate under a limit.
#[derive(Clone, Debug)]
pub(super) struct OrderRate {
    sent: Box<[Timestamp]>,
    next: usize,
}

impl OrderRate {
    pub(super) fn new(max_orders_per_second: u32) -> OrderRate {
        let slots = max_orders_per_second.max(1) as usize;
        OrderRate { sent: vec![Timestamp::MIN; slots].into(), next: 0 }
    }

    /// Returns whether `orders` more (at most the limit) may be sent at `now`.
    pub(super) fn allows(&self, orders: usize, now: Timestamp) -> bool {
        let slots = self.sent.len();
        if orders > slots {
            return false;
        }
        // The slots are a ring: these are overwritten next, so the last of them must be old.
        let last_overwritten = self.sent[(self.next + orders - 1) % slots];
        last_overwritten.saturating_add(Timestamp::SECOND) <= now
    }

    pub(super) fn record(&mut self, now: Timestamp) {
        self.sent[self.next] = now;
        self.next = (self.next + 1) % self.sent.len();
    }
}

/// Returns whether `price` lies within `collar_ticks` of the last trade.
pub(super) fn within_collar(
    price: Price,
    last: Price,
    tick_size: Price,
    collar_ticks: u32,
) -> bool {
    price.units().abs_diff(last.units())
        <= u64::from(collar_ticks).saturating_mul(tick_size.units().unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_second_ever_holds_more_orders_than_allowed(
            limit in 1u32..6,
            gaps in prop::collection::vec(0i64..700_000_000, 1..200),
        ) {
            let mut rate = OrderRate::new(limit);
            let mut now = Timestamp::from_nanos(0);
            let mut sent: Vec<Timestamp> = Vec::new();
            for gap in gaps {
                now = now + gap;
                let in_last_second =
                    sent.iter().filter(|&&time| now - time < Timestamp::SECOND).count();
                prop_assert_eq!(rate.allows(1, now), in_last_second < limit as usize);
                if rate.allows(1, now) {
                    rate.record(now);
                    sent.push(now);
                }
            }
        }
    }
}
