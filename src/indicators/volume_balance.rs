//! Volume of rising against falling bars.

use serde::{Deserialize, Serialize};

use super::sliding_window::SlidingWindow;
use super::volume_statistics::counted_volume;
use super::{Indicator, TickBar};

/// (Volume of bars that closed above the close before - volume of those that closed below it) /
/// volume of all, over the newest n changes: -1 to 1. Exact sums of contracts; a volume above 2²⁶
/// counts as 2²⁶.
///
/// NaN before bar n, and where nothing traded in n bars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeBalance {
    /// None before the first bar.
    last_close: Option<i64>,
    /// Volumes before the newest.
    earlier: SlidingWindow<Volume>,
    sum: Volume,
}

/// Contracts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Volume {
    /// With the sign of the change.
    signed: i64,
    all: i64,
}

impl VolumeBalance {
    /// Creates the balance over `length` changes.
    ///
    /// # Panics
    /// If `length` is below 2.
    pub fn new(length: usize) -> VolumeBalance {
        assert!(length >= 2, "volume balance of {length} changes");
        let sum = Volume::default();
        VolumeBalance { last_close: None, earlier: SlidingWindow::new(length - 1), sum }
    }

    /// Returns the volume of `bar`, and the sum with it.
    #[inline]
    fn sum_with(&self, bar: &TickBar, last_close: i64) -> (Volume, Volume) {
        let all = counted_volume(bar);
        let signed = (bar.close - last_close).signum() * all;
        (
            Volume { signed, all },
            Volume { signed: self.sum.signed + signed, all: self.sum.all + all },
        )
    }

    #[inline]
    fn value(&self, sum: Volume) -> f64 {
        if self.earlier.is_full() && sum.all > 0 {
            sum.signed as f64 / sum.all as f64
        } else {
            f64::NAN
        }
    }
}

impl Indicator for VolumeBalance {
    type Output = f64;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> f64 {
        let Some(last_close) = self.last_close.replace(bar.close) else {
            return f64::NAN;
        };
        let (volume, sum) = self.sum_with(bar, last_close);
        let value = self.value(sum);
        let oldest = self.earlier.push(volume);
        self.sum = Volume { signed: sum.signed - oldest.signed, all: sum.all - oldest.all };
        value
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> f64 {
        let value = |last_close| self.value(self.sum_with(bar, last_close).1);
        self.last_close.map_or(f64::NAN, value)
    }

    fn first_valid(&self) -> usize {
        self.earlier.length() + 1
    }

    /// Returns whether the window is full: nothing older counts.
    fn is_ready(&self) -> bool {
        self.earlier.is_full()
    }

    fn shift(&mut self, ticks: i64) {
        self.last_close = self.last_close.map(|close| close + ticks);
    }
}
