//! The average true range.

use serde::{Deserialize, Serialize};

use super::wilder_average::WilderAverage;
use super::{Indicator, TickBar};
use crate::market::Price;

/// Wilder's average true range in points.
///
/// The true range is max(high, close before) - min(low, close before), at the first bar high - low;
/// the average is Wilder's, first defined at bar `length` - 1. This is TradingView's `ta.atr`;
/// TA-Lib leaves the first bar out, so it begins one bar later.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AverageTrueRange {
    tick_size: f64,
    length: usize,
    bars: usize,
    last_close: i64,
    /// In ticks.
    average: WilderAverage,
}

impl AverageTrueRange {
    /// The average over `length` bars (14 is Wilder's).
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize, tick_size: Price) -> AverageTrueRange {
        let average = WilderAverage::new(length);
        AverageTrueRange { tick_size: tick_size.as_f64(), length, bars: 0, last_close: 0, average }
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

    /// That many ticks in points.
    pub(super) fn points_of(&self, ticks: i64) -> f64 {
        ticks as f64 * self.tick_size
    }

    #[inline]
    fn points(&self) -> f64 {
        self.average.value().map_or(f64::NAN, |ticks| ticks * self.tick_size)
    }
}

impl Indicator for AverageTrueRange {
    type Output = f64;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> f64 {
        *self = self.after(bar);
        self.points()
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> f64 {
        self.after(bar).points()
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
