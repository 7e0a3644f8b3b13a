//! Numbers as whole steps, whose sums are exact.
//!
//! A sum of floats that runs along the data drifts, and depends on where it began. One of whole
//! numbers does neither, and costs the same however long its window is.

use serde::{Deserialize, Serialize};

/// Rounds numbers to whole steps, whose size is a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct FixedPoint {
    bound: f64,
    steps: f64,
    /// A number so large that the last digit of its float, and of every float near it, is one step.
    anchor: f64,
}

impl FixedPoint {
    /// Creates the steps for numbers from -`bound` to `bound`, a power of two, which become at most
    /// 2^`bits` steps, and 2^51 at most.
    pub(super) fn new(bound: f64, bits: u32) -> FixedPoint {
        let bits = bits.min(51) as i32;
        let steps = 2f64.powi(bits) / bound;
        FixedPoint { bound, steps, anchor: 1.5 * 2f64.powi(52) / steps }
    }

    /// Returns the number of steps in one.
    pub(super) fn steps(self) -> f64 {
        self.steps
    }

    /// Returns the number in steps, to the nearest; beyond the bound it counts as the bound, and so
    /// does NaN.
    #[inline]
    pub(super) fn of(self, number: f64) -> i64 {
        let number = if number < self.bound { number } else { self.bound };
        let number = if number > -self.bound { number } else { -self.bound };
        // The addition rounds to steps, and floats of one magnitude are in the order of their bits.
        (number + self.anchor).to_bits() as i64 - self.anchor.to_bits() as i64
    }
}

/// Returns the bits that a sum of `terms` takes more than one of them.
pub(super) fn bits_of_sum(terms: usize) -> u32 {
    terms.next_power_of_two().trailing_zeros()
}

/// Returns the product, which always fits.
#[inline]
pub(super) fn product(one: i64, other: i64) -> i128 {
    i128::from(one) * i128::from(other)
}

/// Returns a whole number as a float: the nearest, or the one beside that.
#[inline]
pub(super) fn float(whole: i128) -> f64 {
    // Both halves with a sign, so that what fits the low one is exact.
    let low = whole as i64;
    let high = (whole >> 64) as i64 + i64::from(low < 0);
    high as f64 * 18_446_744_073_709_551_616.0 + low as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_become_the_nearest_step(number in -2.0f64..2.0, bits in 1u32..60) {
            let fixed_point = FixedPoint::new(1.0, bits);
            let steps = 2f64.powi(bits.min(51) as i32);
            prop_assert_eq!(fixed_point.steps(), steps);
            let expected = (number.clamp(-1.0, 1.0) * steps).round_ties_even() as i64;
            prop_assert_eq!(fixed_point.of(number), expected);
        }

        #[test]
        fn whole_numbers_become_a_float_beside_them(high: i64, low: u64, shift in 0u32..127) {
            let whole = ((i128::from(high) << 64) | i128::from(low)) >> shift;
            let (ours, nearest) = (float(whole), whole as f64);
            prop_assert!((ours - nearest).abs() <= nearest.abs() * f64::EPSILON, "{ours} {nearest}");
            if i64::try_from(whole).is_ok() {
                prop_assert_eq!(ours, nearest);
            }
        }
    }

    #[test]
    fn not_a_number_stays_in_bounds() {
        assert_eq!(FixedPoint::new(128.0, 44).of(f64::NAN), 1 << 44);
        assert_eq!(FixedPoint::new(128.0, 44).of(f64::NEG_INFINITY), -1 << 44);
    }
}
