//! Prices into ticks, for the hot path.

use super::Price;

/// Divides prices that are whole ticks by the tick size with one shift and one multiplication: an
/// eighth of the time of a division.
///
/// With the tick size `2^s d`, `d` odd, a multiple `n 2^s d` shifted right by `s` is `n d`, and
/// `n d` times the inverse of `d` modulo 2⁶⁴ is `n` (Granlund and Montgomery 1994, "Division by
/// Invariant Integers using Multiplication", section 9). Of a price between two ticks it makes any
/// number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickDivision {
    shift: u32,
    inverse: u64,
}

impl TickDivision {
    /// Creates the division by `tick_size` (> 0).
    pub fn new(tick_size: Price) -> TickDivision {
        let units = tick_size.units().unsigned_abs();
        let shift = units.trailing_zeros();
        let odd = units >> shift;
        // Newton's iteration: each step doubles the correct bits; an odd number begins with 3.
        let mut inverse = odd;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(odd.wrapping_mul(inverse)));
        }
        TickDivision { shift, inverse }
    }

    /// Returns the price in ticks from zero, if it is a whole number of them.
    #[inline(always)]
    pub fn ticks(self, price: Price) -> i64 {
        ((price.units() >> self.shift) as u64).wrapping_mul(self.inverse) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whole_ticks_come_back(tick_size in 1i64..4_000_000_000, ticks in -2_000_000_000i64..2_000_000_000) {
            let tick_size = Price::from_units(tick_size);
            let price = Price::ZERO.offset_ticks(ticks, tick_size);
            prop_assert_eq!(TickDivision::new(tick_size).ticks(price), ticks);
        }
    }
}
