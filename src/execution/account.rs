//! The account as a strategy sees it.

use crate::market::{Money, Price, Side};

/// The account, as the desk knows it when it asks for a decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Contracts held: positive long, negative short.
    pub position: i64,
    /// Side of an entry that may fill, or whose position is open.
    pub entering: Option<Side>,
    /// The last traded price.
    pub last_price: Price,
    /// Cash and open profit at the last price.
    pub equity: Money,
    /// Profit of the open position at the last price.
    pub unrealised: Money,
    /// Equity when the session opened.
    pub day_open: Money,
    /// Highest equity since.
    pub day_high: Money,
    /// Equity at which trading stops for the day.
    pub day_limit: Money,
    /// Length of the current run of winning (positive) or losing (negative) round trips; 0 before
    /// the first and after one with neither profit nor loss.
    pub streak: i32,
}

impl Account {
    /// Returns whether the position, or an entry under way, has that side.
    pub fn holds(&self, side: Side) -> bool {
        self.position.signum() == side.sign() || self.entering == Some(side)
    }
}
