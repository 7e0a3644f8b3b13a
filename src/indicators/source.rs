//! Which price of a bar an indicator looks at.

use serde::{Deserialize, Serialize};

use super::TickBar;

/// The price of a bar that an indicator of one price takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The last price.
    Close,
    /// The mean of open, high, low and close, which is the Heiken Ashi close.
    #[default]
    Ohlc4,
}

impl Source {
    /// The price in quarter ticks, exact for either source.
    #[inline]
    pub fn quarter_ticks(self, bar: &TickBar) -> i64 {
        match self {
            Source::Close => 4 * bar.close,
            Source::Ohlc4 => bar.ohlc4_quarters(),
        }
    }
}
