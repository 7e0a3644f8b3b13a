//! A bar that was checked, in whole ticks.

use serde::{Deserialize, Serialize};

use crate::market::{Bar, Price, Timestamp};

/// A bar whose prices are whole ticks and in their order; what indicators take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TickBar {
    /// First price in ticks.
    pub open: i64,
    /// Highest price in ticks, not below any other.
    pub high: i64,
    /// Lowest price in ticks, not above any other.
    pub low: i64,
    /// Last price in ticks.
    pub close: i64,
    /// Contracts traded.
    pub volume: u64,
}

/// A bar that no market can have made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedBar {
    /// The high is below, or the low above, another price.
    #[error("bar of {start}: open {open}, high {high}, low {low}, close {close} are out of order")]
    Order {
        /// Its start.
        start: Timestamp,
        /// Its prices.
        open: Price,
        /// Its prices.
        high: Price,
        /// Its prices.
        low: Price,
        /// Its prices.
        close: Price,
    },
    /// A price is not a whole number of ticks.
    #[error("bar of {start}: price {price} is not a whole number of ticks of {tick_size}")]
    OffTick {
        /// Its start.
        start: Timestamp,
        /// The price.
        price: Price,
        /// The instrument's tick size.
        tick_size: Price,
    },
}

impl TickBar {
    /// Creates the bar in ticks of `tick_size` (> 0).
    ///
    /// # Errors
    /// If its prices are out of order or off the tick grid.
    pub fn new(bar: &Bar, tick_size: Price) -> Result<TickBar, MalformedBar> {
        let Bar { start, open, high, low, close, .. } = *bar;
        if high < open.max(close).max(low) || low > open.min(close) {
            return Err(MalformedBar::Order { start, open, high, low, close });
        }
        for price in [open, high, low, close] {
            if !price.is_on_tick(tick_size) {
                return Err(MalformedBar::OffTick { start, price, tick_size });
            }
        }
        let ticks = |price: Price| price.ticks_from(Price::ZERO, tick_size);
        Ok(TickBar {
            open: ticks(open),
            high: ticks(high),
            low: ticks(low),
            close: ticks(close),
            volume: bar.volume,
        })
    }

    /// Returns open + high + low + close: four times the average price, which is the Heiken Ashi
    /// close, exact in quarter ticks.
    pub fn ohlc4_quarters(&self) -> i64 {
        self.open + self.high + self.low + self.close
    }
}
