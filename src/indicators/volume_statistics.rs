//! A bar's volume among those before it.

use serde::{Deserialize, Serialize};

use super::sliding_window::SlidingWindow;
use super::{Indicator, TickBar};

/// A bar's volume against the newest n bars, itself among them.
///
/// Sums of volumes, of their squares and of their cubes are kept as whole numbers, so they are exact
/// however long they run. A volume above 2³¹ contracts counts as 2³¹.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeStatistics {
    /// The volumes before the newest.
    earlier: SlidingWindow<i64>,
    sums: PowerSums,
}

/// Of whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct PowerSums {
    values: i64,
    squares: i128,
    cubes: i128,
}

impl PowerSums {
    #[inline]
    fn of(value: i64) -> PowerSums {
        let square = value * value;
        let cube = i128::from(square) * i128::from(value);
        PowerSums { values: value, squares: square.into(), cubes: cube }
    }

    #[inline]
    fn plus(self, other: PowerSums) -> PowerSums {
        PowerSums {
            values: self.values + other.values,
            squares: self.squares + other.squares,
            cubes: self.cubes + other.cubes,
        }
    }

    #[inline]
    fn minus(self, other: PowerSums) -> PowerSums {
        PowerSums {
            values: self.values - other.values,
            squares: self.squares - other.squares,
            cubes: self.cubes - other.cubes,
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

impl VolumeStatistics {
    /// Over `length` bars.
    ///
    /// # Panics
    /// If `length` is below 3, where skewness has no meaning, or above 1,000, where cubes could exceed
    /// 128 bits.
    pub fn new(length: usize) -> VolumeStatistics {
        assert!((3..=1000).contains(&length), "volume statistics of {length} bars");
        let sums = PowerSums::default();
        VolumeStatistics { earlier: SlidingWindow::new(length - 1), sums }
    }

    #[inline]
    fn volume(bar: &TickBar) -> i64 {
        bar.volume.min(1 << 31) as i64
    }

    /// Of the bar with that volume, which is already in `sums`.
    #[inline]
    fn values(&self, volume: i64, sums: PowerSums) -> VolumeValues {
        let some = |defined: bool, value: f64| if defined { value } else { f64::NAN };
        if !self.earlier.is_full() {
            let none = f64::NAN;
            return VolumeValues { ratio: none, log_ratio: none, z_score: none, skewness: none };
        }
        let PowerSums { values: sum, squares, cubes } = sums;
        let count = self.earlier.length() as i64 + 1;
        // With m the mean and n the count: n Σ (v - m)² and n² Σ (v - m)³, still exact.
        let (n, total) = (i128::from(count), i128::from(sum));
        let scaled_squares = (n * squares - total * total) as f64;
        let scaled_cubes =
            (n * (n * cubes - 3 * total * squares) + 2 * total * total * total) as f64;

        let n = count as f64;
        let ratio = (volume * count) as f64 / sum as f64;
        let all_equal = scaled_squares == 0.0;
        let sample_deviation = (scaled_squares / (n * (n - 1.0))).sqrt();
        let biased = scaled_cubes / (scaled_squares * scaled_squares.sqrt());
        VolumeValues {
            ratio: some(sum > 0, ratio),
            log_ratio: some(volume > 0, libm::log(ratio)),
            z_score: some(!all_equal, (volume * count - sum) as f64 / n / sample_deviation),
            skewness: some(!all_equal, biased * (n * (n - 1.0)).sqrt() / (n - 2.0)),
        }
    }
}

impl Indicator for VolumeStatistics {
    type Output = VolumeValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> VolumeValues {
        let volume = Self::volume(bar);
        let sums = self.sums.plus(PowerSums::of(volume));
        let values = self.values(volume, sums);
        self.sums = sums.minus(PowerSums::of(self.earlier.push(volume)));
        values
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> VolumeValues {
        let volume = Self::volume(bar);
        self.values(volume, self.sums.plus(PowerSums::of(volume)))
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
        // 333 of 1,000 volumes are 2³¹, the last is 1; two values with share p are skewed by (1-2p)/√(p(1-p)).
        let (share, count) = (0.333, 1000.0);
        let spread: f64 = share * (1.0 - share);
        let adjusted = (count * (count - 1.0f64)).sqrt() / (count - 2.0);
        let expected = (1.0 - 2.0 * share) / spread.sqrt() * adjusted;
        assert!((values.skewness - expected).abs() < 1e-9, "{values:?}, not {expected}");
    }
}
