//! Settings of orders, limits and the account.

use super::exchange::{LimitFill, Slippage};
use crate::market::Money;
use crate::settings::{Fraction, settings};

settings! {
    /// `execution`
    #[derive(Copy, Eq)]
    pub struct ExecutionSettings {
        /// Market time from the close of a bar until the decision on it counts.
        pub decision_latency_microseconds: u32 = 0, 0..=60_000_000, "microseconds";
        /// Time from the decision to the simulated exchange.
        pub order_latency_microseconds: u32 = 2000, 0..=60_000_000, "microseconds";
        /// Time from the simulated exchange back to us.
        pub acknowledgement_latency_microseconds: u32 = 2000, 0..=60_000_000, "microseconds";
        /// All fees for one contract bought or sold.
        pub commission_per_side: Money = Money::from_nanos(2_250_000_000),
            Money::ZERO..=Money::from_dollars(1000), "dollars";
        /// Losses of market and stop orders against the traded price.
        pub slippage: Slippage;
        /// Condition on which a resting limit order fills.
        pub limit_fill: LimitFill = LimitFill::Through;
        /// Time before the session's end at which positions are closed.
        pub flatten_before_close_minutes: Option<u32> = Some(5), 1..=1380,
            "minutes, or null to hold overnight";
    }
}

settings! {
    /// `risk_management`
    #[derive(Copy)]
    pub struct RiskSettings {
        /// Most contracts held, long or short.
        pub max_position_size: u32 = 5, 1..=10_000, "contracts";
        /// Loss from the day's highest equity, as a fraction of it, at which trading stops for the
        /// day.
        pub max_daily_drawdown: f64 = 0.05, Fraction, "fraction";
        /// Most that a trade of the agents may lose at its stop, costs apart, as a fraction of
        /// equity. No effect unless `strategy.kind` is `marl`.
        pub max_risk_per_trade: f64 = 0.01, Fraction, "fraction";
        /// Most orders in any one second.
        pub max_orders_per_second: u32 = 10, 1..=500, "orders";
        /// Farthest that an order's price may be from the last trade.
        pub price_collar_ticks: u32 = 80, 1..=100_000, "ticks";
    }
}

settings! {
    /// `account`
    #[derive(Copy, Eq)]
    pub struct AccountSettings {
        /// Money at the start.
        pub initial_capital: Money = Money::from_dollars(100_000),
            Money::from_dollars(1)..=Money::from_dollars(1_000_000_000), "dollars";
    }
}

impl ExecutionSettings {
    /// Returns the nanoseconds from the close of a bar until the decision on it counts.
    pub fn decision_latency(&self) -> i64 {
        i64::from(self.decision_latency_microseconds) * 1_000
    }

    /// Returns the nanoseconds from a decision until its order is at the exchange.
    pub fn order_latency(&self) -> i64 {
        i64::from(self.order_latency_microseconds) * 1_000
    }

    /// Returns the nanoseconds from an event at the exchange until we know of it.
    pub fn acknowledgement_latency(&self) -> i64 {
        i64::from(self.acknowledgement_latency_microseconds) * 1_000
    }
}
