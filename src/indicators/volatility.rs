//! Realised volatility, and how much it varies.

use serde::{Deserialize, Serialize};

use super::lane_sums::sum_of;
use super::sliding_window::SlidingWindow;

/// Realised volatility of a series of returns, and the volatility of that.
///
/// Realised volatility is √(Σ r² / n) over the newest n returns: per bar, not annualised, the mean
/// return taken as zero (Andersen, Bollerslev, Diebold and Labys 2003, over n). Its own volatility
/// is the sample standard deviation of its newest m values. A return without a value (NaN) empties
/// both windows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RealisedVolatility {
    /// Those before the newest.
    returns: SlidingWindow<f64>,
    volatilities: SlidingWindow<f64>,
}

/// The values of one bar, in the unit of the returns; NaN while there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolatilityValues {
    /// √(Σ r² / n).
    pub realised: f64,
    /// The standard deviation of the realised volatility.
    pub of_volatility: f64,
}

impl RealisedVolatility {
    /// Over `returns` returns, and `volatilities` values of volatility.
    ///
    /// # Panics
    /// If `returns` is zero or `volatilities` below 2.
    pub fn new(returns: usize, volatilities: usize) -> RealisedVolatility {
        assert!(returns >= 1 && volatilities >= 2, "volatility of {returns} and {volatilities}");
        RealisedVolatility {
            returns: SlidingWindow::new(returns - 1),
            volatilities: SlidingWindow::new(volatilities - 1),
        }
    }

    /// Takes the next return.
    #[inline]
    pub fn update(&mut self, log_return: f64) -> VolatilityValues {
        let values = self.peek(log_return);
        if log_return.is_nan() {
            self.returns.clear();
            self.volatilities.clear();
            return values;
        }
        self.returns.push(log_return);
        if !values.realised.is_nan() {
            self.volatilities.push(values.realised);
        }
        values
    }

    /// What [`RealisedVolatility::update`] would return.
    #[inline]
    pub fn peek(&self, log_return: f64) -> VolatilityValues {
        let mut values = VolatilityValues { realised: f64::NAN, of_volatility: f64::NAN };
        if log_return.is_nan() || !self.returns.is_full() {
            return values;
        }
        let earlier = self.returns.values();
        let squares = sum_of(earlier, |value| value * value) + log_return * log_return;
        values.realised = (squares / (earlier.len() + 1) as f64).sqrt();
        if self.volatilities.is_full() {
            let earlier = self.volatilities.values();
            let mean =
                (sum_of(earlier, |value| value) + values.realised) / (earlier.len() + 1) as f64;
            let square = |value: f64| (value - mean) * (value - mean);
            let squares = sum_of(earlier, square) + square(values.realised);
            values.of_volatility = (squares / earlier.len() as f64).sqrt();
        }
        values
    }

    /// The first return, counted from 0, at which both values are defined.
    pub fn first_valid(&self) -> usize {
        self.returns.length() + self.volatilities.length()
    }

    /// Whether the next return gives both values; nothing older than the windows counts.
    pub fn is_ready(&self) -> bool {
        self.volatilities.is_full()
    }
}
