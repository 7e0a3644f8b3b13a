//! Sums of powers of deviations from the mean, over a window.

use super::lane_sums::sum_of;

/// Of `earlier` and one newest value.
#[derive(Clone, Copy, Debug)]
pub(super) struct CentralMoments {
    pub count: f64,
    pub mean: f64,
    /// Σ (value - mean)².
    pub squares: f64,
    /// Σ (value - mean)³.
    pub cubes: f64,
}

impl CentralMoments {
    pub fn of(earlier: &[f64], newest: f64) -> CentralMoments {
        let count = (earlier.len() + 1) as f64;
        let mean = (sum_of(earlier, |value| value) + newest) / count;
        let square = |value: f64| (value - mean) * (value - mean);
        let cube = |value: f64| square(value) * (value - mean);
        CentralMoments {
            count,
            mean,
            squares: sum_of(earlier, square) + square(newest),
            cubes: sum_of(earlier, cube) + cube(newest),
        }
    }

    /// √(Σ (value - mean)² / (count - 1)).
    pub fn sample_deviation(&self) -> f64 {
        (self.squares / (self.count - 1.0)).sqrt()
    }

    /// The adjusted Fisher-Pearson coefficient of skewness (pandas `skew`), NaN when all values are equal.
    pub fn sample_skewness(&self) -> f64 {
        let CentralMoments { count, squares, cubes, .. } = *self;
        if squares == 0.0 {
            return f64::NAN;
        }
        let variance = squares / count;
        let biased = cubes / count / (variance * variance.sqrt());
        biased * (count * (count - 1.0)).sqrt() / (count - 2.0)
    }
}
