//! Exact money.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Neg, Sub, SubAssign};

use serde::{Deserialize, Serialize};

/// An amount of US dollars in units of 1e-9 dollar ("nano-dollars"), exact.
///
/// The range is ±$9.22 billion. What would lie beyond it stays at its end; the account says when it
/// came there ([`crate::execution::Desk::is_out_of_range`]), and the run fails.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[repr(transparent)]
pub struct Money(i64);

impl Money {
    /// Nano-dollars in one dollar.
    pub const SCALE: i64 = 1_000_000_000;
    /// Nothing.
    pub const ZERO: Money = Money(0);
    /// The largest amount.
    pub const MAX: Money = Money(i64::MAX);

    /// Returns the amount of `nanos` × 1e-9 dollars.
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Money {
        Money(nanos)
    }

    /// Returns the amount of `nanos` × 1e-9 dollars, or the end of the range that it lies beyond.
    #[inline]
    pub const fn from_wide(nanos: i128) -> Money {
        if nanos > i64::MAX as i128 {
            Money(i64::MAX)
        } else if nanos < i64::MIN as i128 {
            Money(i64::MIN)
        } else {
            Money(nanos as i64)
        }
    }

    /// Returns a whole number of dollars.
    #[inline]
    pub const fn from_dollars(dollars: i64) -> Money {
        Money(dollars * Self::SCALE)
    }

    /// Returns the amount nearest to a float of dollars, or `None` if it is not finite or out of
    /// range.
    pub fn from_f64(dollars: f64) -> Option<Money> {
        let nanos = (dollars * Self::SCALE as f64).round();
        (nanos.is_finite() && nanos.abs() < i64::MAX as f64).then_some(Money(nanos as i64))
    }

    /// Returns the amount in units of 1e-9 dollar.
    #[inline]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Returns the nearest float of dollars, for statistics and charts.
    #[inline]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }
}

impl fmt::Display for Money {
    /// Writes the shortest exact decimal of dollars: `12.5`, `-2.25`, `100000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::price::write_decimal(f, self.0)
    }
}

impl Add for Money {
    type Output = Money;
    #[inline]
    fn add(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Money;
    #[inline]
    fn sub(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}

impl Neg for Money {
    type Output = Money;
    #[inline]
    fn neg(self) -> Money {
        Money(self.0.saturating_neg())
    }
}

impl Mul<i64> for Money {
    type Output = Money;
    #[inline]
    fn mul(self, factor: i64) -> Money {
        Money(self.0.saturating_mul(factor))
    }
}

impl AddAssign for Money {
    #[inline]
    fn add_assign(&mut self, other: Money) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    #[inline]
    fn sub_assign(&mut self, other: Money) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Money>>(amounts: I) -> Money {
        Money::from_wide(amounts.map(|amount| i128::from(amount.nanos())).sum())
    }
}
