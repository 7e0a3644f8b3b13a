//! Autocorrelation: the resemblance of each return to the one before.

use serde::{Deserialize, Serialize};

use super::fixed_point::{FixedPoint, bits_of_sum, float, product};
use super::sliding_window::SlidingWindow;

/// Autocorrelation at lag one of the newest returns, -1 to 1.
///
/// Σ (r\[i\] - m)(r\[i-1\] - m) / Σ (r\[i\] - m)², with m the mean of the window (Box and Jenkins;
/// the default of statsmodels' `acf`). NaN until the window is full and where all returns are
/// equal. A return without a value (NaN) empties the window.
///
/// The sums are exact. For that a return counts to the nearest 2⁻⁵¹ (2⁻⁴⁸ over 1,000 returns), and
/// one beyond ±1, a price that grew e-fold within the bar, counts as 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Autocorrelation {
    fixed_point: FixedPoint,
    /// The returns before the newest, in steps.
    earlier: SlidingWindow<i64>,
    /// The newest of them.
    last: i64,
    sums: Sums,
}

/// Of whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    values: i64,
    squares: i128,
    /// Of each value and the one before.
    products: i128,
}

impl Sums {
    #[inline]
    fn with_newest(self, value: i64, before: i64) -> Sums {
        Sums {
            values: self.values + value,
            squares: self.squares + product(value, value),
            products: self.products + product(value, before),
        }
    }

    #[inline]
    fn without_oldest(self, value: i64, after: i64) -> Sums {
        Sums {
            values: self.values - value,
            squares: self.squares - product(value, value),
            products: self.products - product(value, after),
        }
    }
}

impl Autocorrelation {
    /// Creates the autocorrelation over `length` returns.
    ///
    /// # Panics
    /// If `length` is below 2 or above 1,000.
    pub fn new(length: usize) -> Autocorrelation {
        assert!((2..=1000).contains(&length), "autocorrelation of {length} returns");
        Autocorrelation {
            // So that the largest number below, n³ squares, takes at most 126 bits.
            fixed_point: FixedPoint::new(1.0, (126 - bits_of_sum(length.pow(3))) / 2),
            earlier: SlidingWindow::new(length - 1),
            last: 0,
            sums: Sums::default(),
        }
    }

    /// Returns the value at the newest return, which is already in `sums`.
    #[inline]
    fn value(&self, newest: i64, sums: Sums) -> f64 {
        if !self.earlier.is_full() {
            return f64::NAN;
        }
        // With S the sum, Q and P those of squares and products, a the oldest and z the newest of n
        // returns, n Σ (r[i] - m)² is n Q - S², and n² Σ (r[i] - m)(r[i-1] - m) is n (n P - S (S -
        // a - z)) - S².
        let count = self.earlier.length() as u32 + 1;
        let n = i128::from(count);
        let Sums { values: sum, squares, products } = sums;
        let square = product(sum, sum);
        let spread = n * squares - square;
        let inner = sum - self.earlier.oldest() - newest;
        let shared = n * (n * products - product(sum, inner)) - square;
        if spread > 0 { float(shared) / (f64::from(count) * float(spread)) } else { f64::NAN }
    }

    /// Takes the next return.
    #[inline]
    pub fn update(&mut self, log_return: f64) -> f64 {
        if log_return.is_nan() {
            self.earlier.clear();
            (self.last, self.sums) = (0, Sums::default());
            return f64::NAN;
        }
        let newest = self.fixed_point.of(log_return);
        let sums = self.sums.with_newest(newest, self.last);
        let value = self.value(newest, sums);
        let oldest = self.earlier.push(newest);
        self.sums = sums.without_oldest(oldest, self.earlier.oldest());
        self.last = newest;
        value
    }

    /// Returns what [`Autocorrelation::update`] would return, and changes nothing.
    #[inline]
    pub fn peek(&self, log_return: f64) -> f64 {
        if log_return.is_nan() {
            return f64::NAN;
        }
        let newest = self.fixed_point.of(log_return);
        self.value(newest, self.sums.with_newest(newest, self.last))
    }

    /// Returns the first return, counted from 0, at which there is a value: `length` - 1.
    pub fn first_valid(&self) -> usize {
        self.earlier.length()
    }

    /// Returns whether the next return gives a value; nothing older than the window counts.
    pub fn is_ready(&self) -> bool {
        self.earlier.is_full()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::Random;

    #[test]
    fn by_hand() {
        let mut alternating = Autocorrelation::new(4);
        let values: Vec<f64> =
            [0.25, -0.25, 0.25, -0.25].map(|value| alternating.update(value)).to_vec();
        assert!(values[..3].iter().all(|value| value.is_nan()));
        // In quarters: three products of -1 over four squares of 1.
        assert_eq!(values[3], -0.75);
        // -1, 1, -1, 3: mean 0.5, deviations -1.5, 0.5, -1.5, 2.5; products -0.75 - 0.75 - 3.75
        assert_eq!(alternating.update(0.75), -5.25 / 11.0);
    }

    #[test]
    fn a_market_that_stands_still_has_none() {
        let mut flat = Autocorrelation::new(3);
        assert!((0..9).all(|_| flat.update(0.0).is_nan()));
    }

    proptest! {
        /// Against the definition, in floats, for returns as small as a market's and as large as
        /// they count.
        #[test]
        fn sums_are_those_of_the_definition(
            length in prop_oneof![9 => 2usize..50, 1 => 990usize..1001],
            size in prop_oneof![Just(1e-4), Just(1.0)],
            seed in 0u64..1000,
        ) {
            let mut random = Random::new(seed, 0);
            let mut next = || size * (random.next_u64() as f64 / 2f64.powi(63) - 1.0);
            let returns: Vec<f64> = (0..length + 30).map(|_| next()).collect();
            let mut autocorrelation = Autocorrelation::new(length);
            for (at, value) in returns.iter().enumerate() {
                let ours = autocorrelation.update(*value);
                if at + 1 < length {
                    prop_assert!(ours.is_nan());
                    continue;
                }
                let window = &returns[at + 1 - length..=at];
                let mean = window.iter().sum::<f64>() / length as f64;
                let squares: f64 = window.iter().map(|value| (value - mean).powi(2)).sum();
                let products: f64 =
                    window.windows(2).map(|pair| (pair[0] - mean) * (pair[1] - mean)).sum();
                let expected = products / squares;
                prop_assert!((ours - expected).abs() < 1e-9, "{ours}, not {expected}");
            }
        }
    }

    #[test]
    fn the_largest_returns_fit() {
        let mut autocorrelation = Autocorrelation::new(1000);
        let last =
            (0..3000).map(|at| autocorrelation.update(if at % 2 == 0 { 9.0 } else { -9.0 })).last();
        assert_eq!(last, Some(-0.999));
    }
}
