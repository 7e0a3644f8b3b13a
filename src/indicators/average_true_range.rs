//! The average true range.

use serde::{Deserialize, Serialize};

use super::wilder_average::WilderAverage;
use super::{Indicator, TickBar};

/// Wilder's average true range in ticks.
///
/// The true range is max(high, close before) - min(low, close before), at the first bar high - low;
/// the average is Wilder's, first defined at bar `length` - 1. This is TradingView's `ta.atr`;
/// TA-Lib leaves the first bar out, so it begins one bar later.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AverageTrueRange {
    /// None before the first bar.
    last_close: Option<i64>,
    average: WilderAverage,
}

impl AverageTrueRange {
    /// Creates the average over `length` bars (14 is Wilder's).
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize) -> AverageTrueRange {
        AverageTrueRange { last_close: None, average: WilderAverage::new(length) }
    }
}

impl Indicator for AverageTrueRange {
    type Output = f64;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> f64 {
        let last = self.last_close.unwrap_or(bar.close);
        self.average.update((bar.high.max(last) - bar.low.min(last)) as f64);
        self.last_close = Some(bar.close);
        self.average.value().unwrap_or(f64::NAN)
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> f64 {
        let mut next = *self;
        next.update(bar)
    }

    fn first_valid(&self) -> usize {
        self.average.length() - 1
    }

    /// Returns whether the mean of the first ranges counts for less than a millionth.
    fn is_ready(&self) -> bool {
        self.average.is_settled()
    }

    fn shift(&mut self, ticks: i64) {
        self.last_close = self.last_close.map(|close| close + ticks);
    }
}
