//! Wilder's moving average, the smoothing inside RSI and ATR.

use serde::{Deserialize, Serialize};

/// Wilder's average: the mean of the first `length` values, then `(value + (length - 1) × average) / length`.
///
/// J. Welles Wilder, *New Concepts in Technical Trading Systems* (1978).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct WilderAverage {
    length: usize,
    weight: f64,
    kept: f64,
    seen: usize,
    /// The sum of the values while fewer than `length` were seen, then the average.
    value: f64,
}

impl WilderAverage {
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize) -> WilderAverage {
        assert!(length > 0, "Wilder's average over no values");
        let weight = 1.0 / length as f64;
        let kept = (length - 1) as f64 / length as f64;
        WilderAverage { length, weight, kept, seen: 0, value: 0.0 }
    }

    /// The average after one more value.
    #[inline]
    pub fn after(self, value: f64) -> WilderAverage {
        let seen = self.seen + 1;
        let value = if seen > self.length {
            self.value * self.kept + value * self.weight
        } else if seen == self.length {
            (self.value + value) / self.length as f64
        } else {
            self.value + value
        };
        WilderAverage { seen, value, ..self }
    }

    /// The average, once `length` values were seen.
    #[inline]
    pub fn value(&self) -> Option<f64> {
        (self.seen >= self.length).then_some(self.value)
    }

    /// Whether the mean it began with counts for less than a millionth: (1 - 1/length)^(14 length) < 1e-6.
    pub fn is_settled(&self) -> bool {
        self.seen >= 15 * self.length
    }
}
