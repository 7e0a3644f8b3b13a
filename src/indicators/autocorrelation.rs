//! How much each return resembles the one before.

use serde::{Deserialize, Serialize};

use super::sliding_window::SlidingWindow;

/// Autocorrelation at lag one of the newest returns, -1 to 1.
///
/// Σ (r\[i\] - m)(r\[i-1\] - m) / Σ (r\[i\] - m)², with m the mean of the window (Box and Jenkins; the default
/// of statsmodels' `acf`). NaN until the window is full and where all returns are equal. A return without a
/// value (NaN) empties the window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Autocorrelation {
    /// The returns before the newest.
    earlier: SlidingWindow<f64>,
}

impl Autocorrelation {
    /// Over `length` returns.
    ///
    /// # Panics
    /// If `length` is below 2.
    pub fn new(length: usize) -> Autocorrelation {
        assert!(length >= 2, "autocorrelation of {length} returns");
        Autocorrelation { earlier: SlidingWindow::new(length - 1) }
    }

    /// Takes the next return.
    #[inline]
    pub fn update(&mut self, log_return: f64) -> f64 {
        let value = self.peek(log_return);
        if log_return.is_nan() {
            self.earlier.clear();
        } else {
            self.earlier.push(log_return);
        }
        value
    }

    /// What [`Autocorrelation::update`] would return.
    #[inline]
    pub fn peek(&self, log_return: f64) -> f64 {
        if log_return.is_nan() || !self.earlier.is_full() {
            return f64::NAN;
        }
        let earlier = self.earlier.values();
        let mean = (earlier.iter().sum::<f64>() + log_return) / (earlier.len() + 1) as f64;
        let (mut before, mut squares, mut products) = (0.0, 0.0, 0.0);
        for value in earlier.iter().chain([&log_return]) {
            let deviation = value - mean;
            squares += deviation * deviation;
            products += deviation * before;
            before = deviation;
        }
        if squares > 0.0 { products / squares } else { f64::NAN }
    }

    /// The first return, counted from 0, at which there is a value: `length` - 1.
    pub fn first_valid(&self) -> usize {
        self.earlier.length()
    }

    /// Whether the next return gives a value; nothing older than the window counts.
    pub fn is_ready(&self) -> bool {
        self.earlier.is_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let mut alternating = Autocorrelation::new(4);
        let values: Vec<f64> =
            [1.0, -1.0, 1.0, -1.0].map(|value| alternating.update(value)).to_vec();
        assert!(values[..3].iter().all(|value| value.is_nan()));
        // Three products of -1 over four squares of 1.
        assert_eq!(values[3], -0.75);
        // -1, 1, -1, 3: mean 0.5, deviations -1.5, 0.5, -1.5, 2.5; products -0.75 - 0.75 - 3.75
        assert_eq!(alternating.update(3.0), -5.25 / 11.0);
    }

    #[test]
    fn a_market_that_stands_still_has_none() {
        let mut flat = Autocorrelation::new(3);
        assert!((0..9).all(|_| flat.update(0.0).is_nan()));
    }
}
