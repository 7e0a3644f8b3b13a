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
    length: usize,
    bars: usize,
    last_close: i64,
    average: WilderAverage,
}

impl AverageTrueRange {
    /// The average over `length` bars (14 is Wilder's).
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize) -> AverageTrueRange {
        let average = WilderAverage::new(length);
        AverageTrueRange { length, bars: 0, last_close: 0, average }
    }

    #[inline]
    fn after(&self, bar: &TickBar) -> AverageTrueRange {
        let range = if self.bars == 0 {
            bar.high - bar.low
        } else {
            bar.high.max(self.last_close) - bar.low.min(self.last_close)
        };
        AverageTrueRange {
            bars: self.bars + 1,
            last_close: bar.close,
            average: self.average.after(range as f64),
            ..*self
        }
    }

    #[inline]
    fn ticks(&self) -> f64 {
        self.average.value().unwrap_or(f64::NAN)
    }
}

impl Indicator for AverageTrueRange {
    type Output = f64;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> f64 {
        *self = self.after(bar);
        self.ticks()
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> f64 {
        self.after(bar).ticks()
    }

    fn first_valid(&self) -> usize {
        self.length - 1
    }

    /// Whether the mean of the first ranges counts for less than a millionth.
    fn is_ready(&self) -> bool {
        self.average.is_settled()
    }

    fn shift(&mut self, ticks: i64) {
        self.last_close += ticks;
    }
}
