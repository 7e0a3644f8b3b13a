//! A bar's volume among those before it.

use serde::{Deserialize, Serialize};

use super::fixed_point::{float, product};
use super::sliding_window::SlidingWindow;
use super::{Indicator, TickBar};

/// A bar's volume against the newest n bars, itself among them.
///
/// Sums of volumes, of their squares and of their cubes are kept as whole numbers, so they are
/// exact however long they run. A volume above 2²⁶ contracts, many times what any contract trades
/// in a day, counts as 2²⁶.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeStatistics {
    /// The volumes before the newest.
    earlier: SlidingWindow<i64>,
    sums: PowerSums,
    /// √((n - 1) / n).
    score_factor: f64,
    /// √(n (n - 1)) / (n - 2).
    skewness_factor: f64,
}

/// Returns a bar's volume in contracts, at most 2²⁶, so that the sums of 1,000 fit.
#[inline]
pub(super) fn counted_volume(bar: &TickBar) -> i64 {
    bar.volume.min(1 << 26) as i64
}

/// Of whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct PowerSums {
    values: i64,
    squares: i64,
    cubes: i128,
}

impl PowerSums {
    #[inline]
    fn plus(self, value: i64) -> PowerSums {
        let square = value * value;
        PowerSums {
            values: self.values + value,
            squares: self.squares + square,
            cubes: self.cubes + product(square, value),
        }
    }

    #[inline]
    fn minus(self, value: i64) -> PowerSums {
        let square = value * value;
        PowerSums {
            values: self.values - value,
            squares: self.squares - square,
            cubes: self.cubes - product(square, value),
        }
    }
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

impl VolumeValues {
    const NONE: VolumeValues = VolumeValues {
        ratio: f64::NAN,
        log_ratio: f64::NAN,
        z_score: f64::NAN,
        skewness: f64::NAN,
    };
}

impl VolumeStatistics {
    /// Creates the statistics over `length` bars.
    ///
    /// # Panics
    /// If `length` is below 3, where skewness has no meaning, or above 1,000.
    pub fn new(length: usize) -> VolumeStatistics {
        assert!((3..=1000).contains(&length), "volume statistics of {length} bars");
        let n = length as f64;
        VolumeStatistics {
            earlier: SlidingWindow::new(length - 1),
            sums: PowerSums::default(),
            score_factor: ((n - 1.0) / n).sqrt(),
            skewness_factor: (n * (n - 1.0)).sqrt() / (n - 2.0),
        }
    }

    /// Returns the values of the bar with that volume, which is already in `sums`.
    #[inline]
    fn values(&self, volume: i64, sums: PowerSums) -> VolumeValues {
        let mut values = VolumeValues::NONE;
        let PowerSums { values: sum, squares, cubes } = sums;
        if !self.earlier.is_full() || sum == 0 {
            return values;
        }
        let count = self.earlier.length() as u32 + 1;
        let (n, scaled) = (i64::from(count), volume * i64::from(count));
        values.ratio = scaled as f64 / sum as f64;
        if volume > 0 {
            values.log_ratio = libm::log(values.ratio);
        }
        // With m the mean and n the count: n Σ (v - m)² and n² Σ (v - m)³, still exact.
        let square = product(sum, sum);
        let scaled_squares = product(n, squares) - square;
        if scaled_squares == 0 {
            return values;
        }
        let scaled_cubes = i128::from(count * count) * cubes
            - i128::from(sum as u64) * (3 * scaled_squares + square);
        let scaled_squares = float(scaled_squares);
        let root = scaled_squares.sqrt();
        values.z_score = (scaled - sum) as f64 * self.score_factor / root;
        values.skewness = float(scaled_cubes) * self.skewness_factor / (scaled_squares * root);
        values
    }
}

impl Indicator for VolumeStatistics {
    type Output = VolumeValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> VolumeValues {
        let volume = counted_volume(bar);
        let sums = self.sums.plus(volume);
        let values = self.values(volume, sums);
        self.sums = sums.minus(self.earlier.push(volume));
        values
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> VolumeValues {
        let volume = counted_volume(bar);
        self.values(volume, self.sums.plus(volume))
    }

    fn first_valid(&self) -> usize {
        self.earlier.length()
    }

    /// Returns whether the window is full: nothing older counts.
    fn is_ready(&self) -> bool {
        self.earlier.is_full()
    }

    fn shift(&mut self, _ticks: i64) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_volumes_fit() {
        let mut statistics = VolumeStatistics::new(1000);
        let mut last = None;
        for at in 0..2000u64 {
            let volume = if at % 3 == 0 { u64::MAX } else { 1 };
            let bar = TickBar { open: 0, high: 0, low: 0, close: 0, volume };
            last = Some(statistics.update(&bar));
        }
        let saved = serde_json::to_string(&statistics).unwrap();
        assert_eq!(serde_json::from_str::<VolumeStatistics>(&saved).unwrap(), statistics);
        let values = last.unwrap();
        // 333 of 1,000 volumes are 2²⁶, the last is 1; two values with share p are skewed by
        // (1-2p)/√(p(1-p)).
        let (share, count) = (0.333, 1000.0);
        let spread: f64 = share * (1.0 - share);
        let adjusted = (count * (count - 1.0f64)).sqrt() / (count - 2.0);
        let expected = (1.0 - 2.0 * share) / spread.sqrt() * adjusted;
        assert!((values.skewness - expected).abs() < 1e-9, "{values:?}, not {expected}");
    }
}
