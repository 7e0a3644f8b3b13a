//! Linearly weighted moving averages: exact for whole numbers, and one for floats.
//!
//! ```text
//! wma[t] = Σ (L - i) x[t-i] / (L (L + 1) / 2),  i = 0 … L-1
//! ```

use serde::{Deserialize, Serialize};

use super::lane_sums::dot;
use super::sliding_window::SlidingWindow;

/// The weighted average of whole numbers, exact: no drift, and ties are ties.
///
/// Values must stay below 2⁶³ / L² in magnitude, which for prices in quarter ticks leaves room for
/// windows of a million bars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExactWeightedAverage {
    window: SlidingWindow<i64>,
    length: i64,
    sum: i64,
    numerator: i64,
}

impl ExactWeightedAverage {
    /// The average of the newest `length` values.
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize) -> ExactWeightedAverage {
        assert!(length > 0, "a weighted average of no values");
        let window = SlidingWindow::new(length);
        ExactWeightedAverage { window, length: length as i64, sum: 0, numerator: 0 }
    }

    /// Takes the next value and returns the average, NaN before
    /// [`ExactWeightedAverage::first_valid`].
    #[inline]
    pub fn update(&mut self, value: i64) -> f64 {
        self.numerator += self.length * value - self.sum;
        self.sum += value - self.window.push(value);
        if self.window.is_full() { self.average(self.numerator) } else { f64::NAN }
    }

    /// What [`ExactWeightedAverage::update`] would return.
    pub fn peek(&self, value: i64) -> f64 {
        self.peek_numerator(value).map_or(f64::NAN, |numerator| self.average(numerator))
    }

    /// Σ (L - i) x\[t-i\], the average times [`ExactWeightedAverage::denominator`], if there is one.
    #[inline]
    pub fn numerator(&self) -> Option<i64> {
        self.window.is_full().then_some(self.numerator)
    }

    /// What [`ExactWeightedAverage::numerator`] would be after `value`.
    #[inline]
    pub fn peek_numerator(&self, value: i64) -> Option<i64> {
        (self.window.filled() + 1 >= self.length as usize)
            .then_some(self.numerator + self.length * value - self.sum)
    }

    /// L (L + 1) / 2.
    #[inline]
    pub fn denominator(&self) -> i64 {
        self.length * (self.length + 1) / 2
    }

    /// The first value, counted from 0, at which there is an average: `length` - 1.
    pub fn first_valid(&self) -> usize {
        self.length as usize - 1
    }

    /// Whether there is an average; nothing older than the window counts.
    pub fn is_ready(&self) -> bool {
        self.window.is_full()
    }

    /// Moves every value taken so far, in the unit of the values.
    pub fn shift(&mut self, by: i64) {
        let taken = self.window.filled() as i64;
        self.window.change_each(|value| *value += by);
        self.sum += by * taken;
        // The newest weighs L, the oldest taken L - taken + 1.
        self.numerator += by * taken * (2 * self.length - taken + 1) / 2;
    }

    #[inline]
    fn average(&self, numerator: i64) -> f64 {
        numerator as f64 / self.denominator() as f64
    }
}

/// The weighted average of floats, summed anew at every value in a fixed order, so that it cannot
/// drift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedAverage {
    /// The values before the newest.
    earlier: SlidingWindow<f64>,
    weights: Vec<f64>,
    length: usize,
}

impl WeightedAverage {
    /// The average of the newest `length` values.
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize) -> WeightedAverage {
        assert!(length > 0, "a weighted average of no values");
        let weights = (1..length).map(|weight| weight as f64).collect();
        WeightedAverage { earlier: SlidingWindow::new(length - 1), weights, length }
    }

    /// Takes the next value, which must be finite, and returns the average, NaN before
    /// [`WeightedAverage::first_valid`].
    #[inline]
    pub fn update(&mut self, value: f64) -> f64 {
        let average = self.peek(value);
        self.earlier.push(value);
        average
    }

    /// What [`WeightedAverage::update`] would return.
    #[inline]
    pub fn peek(&self, value: f64) -> f64 {
        debug_assert!(value.is_finite(), "a value of {value} in a weighted average");
        if !self.earlier.is_full() {
            return f64::NAN;
        }
        let numerator = dot(&self.weights, self.earlier.values()) + value * self.length as f64;
        numerator / (self.length * (self.length + 1) / 2) as f64
    }

    /// The first value, counted from 0, at which there is an average: `length` - 1.
    pub fn first_valid(&self) -> usize {
        self.length - 1
    }

    /// Whether the next value gives an average; nothing older than the window counts.
    pub fn is_ready(&self) -> bool {
        self.earlier.is_full()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn four_values_by_hand() {
        let (mut exact, mut float) = (ExactWeightedAverage::new(3), WeightedAverage::new(3));
        for value in [1, 2] {
            assert!(exact.update(value).is_nan());
            assert!(float.update(value as f64).is_nan());
        }
        // (1·1 + 2·2 + 3·6) / 6, then (1·2 + 2·6 + 3·0) / 6
        for (value, numerator) in [(6, 23), (0, 14)] {
            assert_eq!(exact.update(value), f64::from(numerator) / 6.0);
            assert_eq!(exact.numerator(), Some(i64::from(numerator)));
            assert_eq!(float.update(value as f64), f64::from(numerator) / 6.0);
        }
    }

    proptest! {
        #[test]
        fn the_running_sum_is_the_sum_over_the_window(
            length in 1usize..40,
            values in prop::collection::vec(-1_000_000i64..1_000_000, 1..120),
            shift_at in 0usize..120,
            by in -1000i64..1000,
        ) {
            let mut exact = ExactWeightedAverage::new(length);
            let mut float = WeightedAverage::new(length);
            let mut seen: Vec<i64> = Vec::new();
            for (at, &value) in values.iter().enumerate() {
                if at == shift_at {
                    exact.shift(by);
                    float = WeightedAverage::new(length);
                    for value in &mut seen {
                        *value += by;
                        float.update(*value as f64);
                    }
                }
                seen.push(value);
                prop_assert_eq!(exact.peek_numerator(value).is_some(), seen.len() >= length);
                let peeked = (exact.peek(value).to_bits(), float.peek(value as f64).to_bits());
                let (average, close) = (exact.update(value), float.update(value as f64));
                prop_assert_eq!(peeked, (average.to_bits(), close.to_bits()));
                if seen.len() < length {
                    prop_assert!(average.is_nan() && close.is_nan() && exact.numerator().is_none());
                    continue;
                }
                let window = &seen[seen.len() - length..];
                let sum: i64 = window.iter().zip(1..).map(|(value, weight)| value * weight).sum();
                prop_assert_eq!(exact.numerator(), Some(sum));
                prop_assert_eq!(average, sum as f64 / exact.denominator() as f64);
                prop_assert!((close - average).abs() < 1e-8);
            }
        }
    }
}
