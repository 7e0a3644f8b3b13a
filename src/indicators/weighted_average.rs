//! Linearly weighted moving averages of whole numbers, and of others.
//!
//! ```text
//! wma[t] = Σ (L - i) x[t-i] / (L (L + 1) / 2),  i = 0 … L-1
//! ```

use serde::{Deserialize, Serialize};

use super::fixed_point::{FixedPoint, bits_of_sum};
use super::sliding_window::SlidingWindow;

/// The weighted average of whole numbers, exact: no drift, and ties are ties.
///
/// Values must stay below 2⁶³ / L² in magnitude, which for prices in quarter ticks leaves room for
/// windows of a million bars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExactWeightedAverage {
    window: SlidingWindow<i64>,
    length: i64,
    denominator: i64,
    sum: i64,
    numerator: i64,
}

impl ExactWeightedAverage {
    /// Creates the average of the newest `length` values.
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize) -> ExactWeightedAverage {
        assert!(length > 0, "a weighted average of no values");
        let (window, length) = (SlidingWindow::new(length), length as i64);
        let denominator = length * (length + 1) / 2;
        ExactWeightedAverage { window, length, denominator, sum: 0, numerator: 0 }
    }

    /// Takes the next value and returns the average, NaN before
    /// [`ExactWeightedAverage::first_valid`].
    #[inline]
    pub fn update(&mut self, value: i64) -> f64 {
        self.push(value);
        self.average(self.numerator())
    }

    /// Returns what [`ExactWeightedAverage::update`] would return, and changes nothing.
    #[inline]
    pub fn peek(&self, value: i64) -> f64 {
        self.average(self.peek_numerator(value))
    }

    #[inline]
    fn push(&mut self, value: i64) {
        self.numerator += self.length * value - self.sum;
        self.sum += value - self.window.push(value);
    }

    /// Returns Σ (L - i) x\[t-i\], the average times [`ExactWeightedAverage::denominator`], if
    /// there is one.
    #[inline]
    pub fn numerator(&self) -> Option<i64> {
        self.window.is_full().then_some(self.numerator)
    }

    /// Returns [`ExactWeightedAverage::numerator`] as it would be after `value`.
    #[inline]
    pub fn peek_numerator(&self, value: i64) -> Option<i64> {
        (self.window.filled() + 1 >= self.length as usize)
            .then_some(self.numerator + self.length * value - self.sum)
    }

    /// Returns L (L + 1) / 2.
    #[inline]
    pub fn denominator(&self) -> i64 {
        self.denominator
    }

    /// Returns the first value, counted from 0, at which there is an average: `length` - 1.
    pub fn first_valid(&self) -> usize {
        self.length as usize - 1
    }

    /// Returns whether there is an average; nothing older than the window counts.
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
    fn average(&self, numerator: Option<i64>) -> f64 {
        numerator.map_or(f64::NAN, |numerator| numerator as f64 / self.denominator as f64)
    }
}

/// The weighted average of numbers from -128 to 128, such as percentages.
///
/// Each counts to the nearest 2⁻⁴⁴ for lengths to 63 (2⁻²⁹ for 10,000), so that their sum is exact:
/// the average never drifts, and does not depend on where the series began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WeightedAverage {
    fixed_point: FixedPoint,
    steps: ExactWeightedAverage,
    /// Turns the numerator in steps into the average.
    divisor: f64,
}

impl WeightedAverage {
    /// Creates the average of the newest `length` values.
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize) -> WeightedAverage {
        let steps = ExactWeightedAverage::new(length);
        let fixed_point = FixedPoint::new(128.0, 62 - bits_of_sum(steps.denominator() as usize));
        let divisor = steps.denominator() as f64 * fixed_point.steps();
        WeightedAverage { fixed_point, steps, divisor }
    }

    /// Takes the next value and returns the average, NaN before [`WeightedAverage::first_valid`]. A
    /// value beyond ±128 counts as ±128.
    #[inline]
    pub fn update(&mut self, value: f64) -> f64 {
        self.steps.push(self.fixed_point.of(value));
        self.average(self.steps.numerator())
    }

    /// Returns what [`WeightedAverage::update`] would return, and changes nothing.
    #[inline]
    pub fn peek(&self, value: f64) -> f64 {
        self.average(self.steps.peek_numerator(self.fixed_point.of(value)))
    }

    /// Returns the first value, counted from 0, at which there is an average: `length` - 1.
    pub fn first_valid(&self) -> usize {
        self.steps.first_valid()
    }

    /// Returns whether there is an average; nothing older than the window counts.
    pub fn is_ready(&self) -> bool {
        self.steps.is_ready()
    }

    #[inline]
    fn average(&self, numerator: Option<i64>) -> f64 {
        numerator.map_or(f64::NAN, |numerator| numerator as f64 / self.divisor)
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

    #[test]
    fn the_longest_window_of_the_largest_numbers_fits() {
        for length in [255, 10_000] {
            let mut average = WeightedAverage::new(length);
            let last = (0..3 * length).map(|_| average.update(f64::INFINITY)).last().unwrap();
            assert_eq!(last, 128.0);
            let weights = (1..=length).map(|weight| weight as f64);
            let value = |at: usize| (at as f64).sin() * 100.0;
            let sum: f64 = weights.zip(0..).map(|(weight, at)| weight * value(at)).sum();
            let last = (0..length).map(|at| average.update(value(at))).last().unwrap();
            let expected = sum / (length * (length + 1) / 2) as f64;
            let tolerance = if length > 255 { 1e-9 } else { 1e-11 };
            assert!((last - expected).abs() < tolerance, "{last}, not {expected}");
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
            let percent = |value: i64| value as f64 / 10_000.0;
            for (at, &value) in values.iter().enumerate() {
                if at == shift_at {
                    exact.shift(by);
                    float = WeightedAverage::new(length);
                    for value in &mut seen {
                        *value += by;
                        float.update(percent(*value));
                    }
                }
                seen.push(value);
                prop_assert_eq!(exact.peek_numerator(value).is_some(), seen.len() >= length);
                let peeked = (exact.peek(value).to_bits(), float.peek(percent(value)).to_bits());
                let (average, close) = (exact.update(value), float.update(percent(value)));
                prop_assert_eq!(peeked, (average.to_bits(), close.to_bits()));
                if seen.len() < length {
                    prop_assert!(average.is_nan() && close.is_nan() && exact.numerator().is_none());
                    continue;
                }
                let window = &seen[seen.len() - length..];
                let sum: i64 = window.iter().zip(1..).map(|(value, weight)| value * weight).sum();
                prop_assert_eq!(exact.numerator(), Some(sum));
                prop_assert_eq!(average, sum as f64 / exact.denominator() as f64);
                prop_assert!((close - percent(1) * average).abs() < 1e-11);
            }
        }
    }
}
