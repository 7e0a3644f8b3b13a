//! A bar's volume among those before it.

use serde::{Deserialize, Serialize};

use super::central_moments::CentralMoments;
use super::sliding_window::SlidingWindow;
use super::{Indicator, TickBar};

/// A bar's volume against the newest n bars, itself among them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeStatistics {
    /// The volumes before the newest; whole numbers, so that their sum is exact.
    earlier: SlidingWindow<f64>,
}

/// The values of one bar; NaN until n bars were taken.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolumeValues {
    /// Volume over the mean volume, 0 to n; NaN if nothing traded in n bars.
    pub ratio: f64,
    /// The ratio's natural logarithm; NaN if nothing traded in this bar.
    pub log_ratio: f64,
    /// Volume less the mean, in sample standard deviations; NaN if all n volumes are equal.
    pub z_score: f64,
    /// Adjusted Fisher-Pearson skewness of the n volumes; NaN if they are all equal.
    pub skewness: f64,
}

impl VolumeStatistics {
    /// Over `length` bars.
    ///
    /// # Panics
    /// If `length` is below 3, where skewness has no meaning.
    pub fn new(length: usize) -> VolumeStatistics {
        assert!(length >= 3, "volume statistics of {length} bars");
        VolumeStatistics { earlier: SlidingWindow::new(length - 1) }
    }
}

impl Indicator for VolumeStatistics {
    type Output = VolumeValues;

    fn update(&mut self, bar: &TickBar) -> VolumeValues {
        let values = self.peek(bar);
        self.earlier.push(bar.volume as f64);
        values
    }

    fn peek(&self, bar: &TickBar) -> VolumeValues {
        let volume = bar.volume as f64;
        let some = |defined: bool, value: f64| if defined { value } else { f64::NAN };
        if !self.earlier.is_full() {
            let none = f64::NAN;
            return VolumeValues { ratio: none, log_ratio: none, z_score: none, skewness: none };
        }
        let moments = CentralMoments::of(self.earlier.values(), volume);
        let ratio = volume / moments.mean;
        VolumeValues {
            ratio: some(moments.mean > 0.0, ratio),
            log_ratio: some(volume > 0.0, libm::log(ratio)),
            z_score: some(
                moments.squares > 0.0,
                (volume - moments.mean) / moments.sample_deviation(),
            ),
            skewness: moments.sample_skewness(),
        }
    }

    fn first_valid(&self) -> usize {
        self.earlier.length()
    }

    /// Nothing older than the window counts.
    fn is_ready(&self) -> bool {
        self.earlier.is_full()
    }

    fn shift(&mut self, _ticks: i64) {}
}
