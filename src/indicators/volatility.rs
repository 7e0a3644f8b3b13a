//! Realised volatility, and how much it varies.

use serde::{Deserialize, Serialize};

use super::fixed_point::{FixedPoint, float, product};
use super::sliding_window::SlidingWindow;

/// Realised volatility of a series of returns, and the volatility of that.
///
/// Realised volatility is √(Σ r² / n) over the newest n returns: per bar, not annualised, the mean
/// return taken as zero (Andersen, Bollerslev, Diebold and Labys 2003, over n). Its own volatility
/// is the sample standard deviation of its newest m values. A return without a value (NaN) empties
/// both windows.
///
/// The sums are exact. For that returns and volatilities count to the nearest 2⁻⁵¹, and a return
/// beyond ±1, a price that grew e-fold within the bar, counts as 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealisedVolatility {
    fixed_point: FixedPoint,
    /// Returns before the newest, in steps.
    returns: SlidingWindow<i64>,
    squared_returns: i128,
    /// Volatilities before the newest, in steps.
    volatilities: SlidingWindow<i64>,
    sums: Sums,
    /// 1 / n and 1 / (m (m - 1)), for squares of steps.
    mean_square: f64,
    variance: f64,
}

/// Of whole numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    values: i64,
    squares: i128,
}

impl Sums {
    #[inline]
    fn plus(self, value: i64) -> Sums {
        let Sums { values, squares } = self;
        Sums { values: values + value, squares: squares + product(value, value) }
    }

    #[inline]
    fn minus(self, value: i64) -> Sums {
        let Sums { values, squares } = self;
        Sums { values: values - value, squares: squares - product(value, value) }
    }
}

/// The values of one bar, in the unit of the returns; NaN while undefined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolatilityValues {
    /// √(Σ r² / n).
    pub realised: f64,
    /// The standard deviation of the realised volatility.
    pub of_volatility: f64,
}

impl VolatilityValues {
    const NONE: VolatilityValues = VolatilityValues { realised: f64::NAN, of_volatility: f64::NAN };
}

impl RealisedVolatility {
    /// Creates the volatility over `returns` returns, and `volatilities` values of volatility.
    ///
    /// # Panics
    /// If `returns` is zero, `volatilities` below 2, or either above 1,000.
    pub fn new(returns: usize, volatilities: usize) -> RealisedVolatility {
        assert!(
            (1..=1000).contains(&returns) && (2..=1000).contains(&volatilities),
            "volatility of {returns} and {volatilities}"
        );
        // The largest number below, m² squares, takes 122 bits.
        let fixed_point = FixedPoint::new(1.0, 51);
        let square = fixed_point.steps() * fixed_point.steps();
        RealisedVolatility {
            fixed_point,
            returns: SlidingWindow::new(returns - 1),
            squared_returns: 0,
            volatilities: SlidingWindow::new(volatilities - 1),
            sums: Sums::default(),
            mean_square: 1.0 / (returns as f64 * square),
            variance: 1.0 / ((volatilities * (volatilities - 1)) as f64 * square),
        }
    }

    /// Returns the volatility at the newest return, whose square is already in `squares`.
    #[inline]
    fn realised(&self, squares: i128) -> f64 {
        if !self.returns.is_full() {
            return f64::NAN;
        }
        (float(squares) * self.mean_square).sqrt()
    }

    /// Returns the deviation at the newest volatility, which is already in `sums`.
    #[inline]
    fn of_volatility(&self, sums: Sums) -> f64 {
        if !self.volatilities.is_full() {
            return f64::NAN;
        }
        // m Σ (v - mean)², with m the number of volatilities.
        let count = self.volatilities.length() as u32 + 1;
        let spread = i128::from(count) * sums.squares - product(sums.values, sums.values);
        (float(spread) * self.variance).sqrt()
    }

    /// Takes the next return.
    #[inline]
    pub fn update(&mut self, log_return: f64) -> VolatilityValues {
        if log_return.is_nan() {
            self.returns.clear();
            self.squared_returns = 0;
            self.volatilities.clear();
            self.sums = Sums::default();
            return VolatilityValues::NONE;
        }
        let newest = self.fixed_point.of(log_return);
        let squares = self.squared_returns + product(newest, newest);
        let realised = self.realised(squares);
        let oldest = self.returns.push(newest);
        self.squared_returns = squares - product(oldest, oldest);
        if realised.is_nan() {
            return VolatilityValues::NONE;
        }
        let newest = self.fixed_point.of(realised);
        let sums = self.sums.plus(newest);
        let of_volatility = self.of_volatility(sums);
        self.sums = sums.minus(self.volatilities.push(newest));
        VolatilityValues { realised, of_volatility }
    }

    /// Returns what [`RealisedVolatility::update`] would return, and changes nothing.
    #[inline]
    pub fn peek(&self, log_return: f64) -> VolatilityValues {
        if log_return.is_nan() {
            return VolatilityValues::NONE;
        }
        let newest = self.fixed_point.of(log_return);
        let realised = self.realised(self.squared_returns + product(newest, newest));
        if realised.is_nan() {
            return VolatilityValues::NONE;
        }
        let of_volatility = self.of_volatility(self.sums.plus(self.fixed_point.of(realised)));
        VolatilityValues { realised, of_volatility }
    }

    /// Returns the first return, counted from 0, at which both values are defined.
    pub fn first_valid(&self) -> usize {
        self.returns.length() + self.volatilities.length()
    }

    /// Returns whether the next return gives both values; nothing older than the windows counts.
    pub fn is_ready(&self) -> bool {
        self.volatilities.is_full()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::random::Random;

    proptest! {
        /// Against the definition, in floats.
        #[test]
        fn sums_are_those_of_the_definition(
            returns in prop_oneof![9 => 1usize..40, 1 => 990usize..1001],
            volatilities in prop_oneof![9 => 2usize..40, 1 => 990usize..1001],
            size in prop_oneof![Just(1e-4), Just(1.0)],
            seed in 0u64..1000,
        ) {
            let mut random = Random::new(seed, 0);
            let mut next = || size * (random.next_u64() as f64 / 2f64.powi(63) - 1.0);
            let mut volatility = RealisedVolatility::new(returns, volatilities);
            let (mut values, mut realised) = (Vec::new(), Vec::new());
            for at in 0..returns + volatilities + 20 {
                values.push(next());
                let ours = volatility.update(values[at]);
                prop_assert_eq!(ours.realised.is_nan(), at + 1 < returns);
                prop_assert_eq!(ours.of_volatility.is_nan(), at < volatility.first_valid());
                if at + 1 < returns {
                    continue;
                }
                let window = &values[at + 1 - returns..];
                let squares: f64 = window.iter().map(|value| value * value).sum();
                realised.push((squares / returns as f64).sqrt());
                prop_assert!((ours.realised - realised[realised.len() - 1]).abs() < 1e-15 + size * 1e-13);
                if at < volatility.first_valid() {
                    continue;
                }
                let window = &realised[realised.len() - volatilities..];
                let mean = window.iter().sum::<f64>() / volatilities as f64;
                let squares: f64 = window.iter().map(|value| (value - mean).powi(2)).sum();
                let expected = (squares / (volatilities - 1) as f64).sqrt();
                let tolerance = 1e-15 + size * 1e-13;
                prop_assert!((ours.of_volatility - expected).abs() < tolerance, "{ours:?} {expected}");
            }
        }
    }

    #[test]
    fn the_largest_returns_fit_and_a_flat_market_is_flat() {
        let mut volatility = RealisedVolatility::new(1, 1000);
        let last = (0..3000).map(|at| volatility.update(f64::from(at % 2) * 9.0)).last().unwrap();
        assert_eq!(last.realised, 1.0);
        assert!((last.of_volatility - 0.5 * (1000f64 / 999.0).sqrt()).abs() < 1e-15);
        let mut volatility = RealisedVolatility::new(1000, 1000);
        let last = (0..3000).map(|_| volatility.update(-0.1)).last().unwrap();
        assert!((last.realised - 0.1).abs() < 1e-15);
        assert_eq!(last.of_volatility, 0.0);
    }
}
