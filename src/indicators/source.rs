//! The price of a bar that an indicator looks at.

use super::TickBar;
use crate::settings::names;

names! {
    /// The price of a bar that an indicator of one price takes.
    pub enum Source {
        /// The mean of open, high, low and close, which is the Heiken Ashi close.
        Ohlc4 = "ohlc4",
        /// The last price.
        Close = "close",
    }
}

impl Source {
    /// Returns the price in quarter ticks, exact for either source.
    #[inline]
    pub fn quarter_ticks(self, bar: &TickBar) -> i64 {
        match self {
            Source::Close => 4 * bar.close,
            Source::Ohlc4 => bar.ohlc4_quarters(),
        }
    }
}
