//! Fixed-point prices.

use std::fmt;
use std::str::FromStr;

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

use super::Money;

/// A price in units of 1e-9 of the quote currency per unit of the underlying.
///
/// This is the convention of Databento's DBN, so DBN prices need no conversion. The range is
/// ±9,223,372,036.854775807. All arithmetic is exact integer arithmetic; a float appears only where
/// an indicator or a chart asks for one with [`Price::as_f64`].
///
/// ```
/// use algospace_hft::market::Price;
///
/// let (price, tick): (Price, Price) = ("4750.25".parse()?, "0.25".parse()?);
/// assert!(price.is_on_tick(tick));
/// assert_eq!(price.offset_ticks(-2, tick).to_string(), "4749.75");
/// # Ok::<(), algospace_hft::market::PriceError>(())
/// ```
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Pod,
    Zeroable,
    Serialize,
    Deserialize,
)]
#[repr(transparent)]
pub struct Price(i64);

/// The reason why a text is not a [`Price`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PriceError {
    /// The text is empty, or holds something else than a plain decimal number.
    #[error("`{0}` is not a decimal price such as 4512.25")]
    NotANumber(String),
    /// More than nine digits after the point that are not zero.
    #[error("`{0}` has more than 9 decimals, finer than a price can hold")]
    TooFine(String),
    /// Beyond ±9.2e9.
    #[error("`{0}` is beyond the largest price, 9223372036.854775807")]
    OutOfRange(String),
}

impl Price {
    /// Units in one whole point.
    pub const SCALE: i64 = 1_000_000_000;
    /// The lowest price that can be held; never a market price.
    pub const MIN: Price = Price(i64::MIN);
    /// The highest price that can be held; never a market price.
    pub const MAX: Price = Price(i64::MAX);
    /// A bound that no market price comes near, above zero or below. It leaves room to round, to
    /// move and to subtract.
    pub const HIGHEST: Price = Price(i64::MAX / 2);
    /// Zero.
    pub const ZERO: Price = Price(0);

    /// Returns the price of `units` × 1e-9.
    #[inline]
    pub const fn from_units(units: i64) -> Price {
        Price(units)
    }

    /// Returns the price in units of 1e-9.
    #[inline]
    pub const fn units(self) -> i64 {
        self.0
    }

    /// Returns the nearest float. For indicators, charts and reports; never for money.
    #[inline]
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }

    /// Returns the price nearest to a float, half away from zero, or `None` if it is not finite or
    /// out of range.
    pub fn from_f64(value: f64) -> Option<Price> {
        let scaled = (value * Self::SCALE as f64).round();
        (scaled.is_finite() && scaled.abs() < i64::MAX as f64).then_some(Price(scaled as i64))
    }

    /// Returns whether this price is a whole number of ticks of `tick_size` (> 0).
    #[inline]
    pub const fn is_on_tick(self, tick_size: Price) -> bool {
        self.0 % tick_size.0 == 0
    }

    /// Returns the nearest whole number of ticks of `tick_size` (> 0), half away from zero.
    pub const fn round_to_tick(self, tick_size: Price) -> Price {
        let remainder = self.0 % tick_size.0;
        let down = self.0 - remainder;
        if remainder.abs() * 2 >= tick_size.0 {
            Price(down + remainder.signum() * tick_size.0)
        } else {
            Price(down)
        }
    }

    /// Returns this price moved by `ticks` of `tick_size`. Saturates at the range's ends.
    #[inline]
    pub const fn offset_ticks(self, ticks: i64, tick_size: Price) -> Price {
        Price(self.0.saturating_add(ticks.saturating_mul(tick_size.0)))
    }

    /// Returns the whole ticks of `tick_size` (> 0) from `other` up to this price; the fraction is
    /// cut off.
    #[inline]
    pub const fn ticks_from(self, other: Price, tick_size: Price) -> i64 {
        (self.0 - other.0) / tick_size.0
    }

    /// Returns the money for one contract when the price moves from `other` to this one.
    ///
    /// `point_value` is the money for one whole point. Exact whenever a tick's value is a whole
    /// number of nano-dollars, which holds for every built-in instrument.
    #[inline]
    pub const fn value_from(self, other: Price, point_value: Money) -> Money {
        let product = (self.0 as i128 - other.0 as i128) * point_value.nanos() as i128;
        Money::from_wide(product / Self::SCALE as i128)
    }
}

impl fmt::Display for Price {
    /// Writes the shortest exact decimal: `4512.25`, `1.07585`, `-3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_decimal(f, self.0)
    }
}

/// Writes `value` × 1e-9 as the shortest exact decimal.
pub(super) fn write_decimal(f: &mut fmt::Formatter<'_>, value: i64) -> fmt::Result {
    let sign = if value < 0 { "-" } else { "" };
    let magnitude = value.unsigned_abs();
    let whole = magnitude / Price::SCALE as u64;
    let mut fraction = magnitude % Price::SCALE as u64;
    if fraction == 0 {
        return write!(f, "{sign}{whole}");
    }
    let mut digits = 9;
    while fraction.is_multiple_of(10) {
        (fraction, digits) = (fraction / 10, digits - 1);
    }
    write!(f, "{sign}{whole}.{fraction:0digits$}")
}

impl FromStr for Price {
    type Err = PriceError;

    /// Reads a plain decimal such as `4512.25`, `-0.5`, `+7` or `.25`, exactly. No exponent, no
    /// thousands separator, no white space.
    fn from_str(text: &str) -> Result<Price, PriceError> {
        let not_a_number = || PriceError::NotANumber(text.to_owned());
        let out_of_range = || PriceError::OutOfRange(text.to_owned());
        let (negative, digits) = match text.as_bytes() {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            all => (false, all),
        };
        let (whole, fraction) = match digits.iter().position(|&byte| byte == b'.') {
            Some(point) => (&digits[..point], &digits[point + 1..]),
            None => (digits, &digits[..0]),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(not_a_number());
        }
        let mut value: i64 = 0;
        for &byte in whole {
            if !byte.is_ascii_digit() {
                return Err(not_a_number());
            }
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(i64::from(byte - b'0')))
                .ok_or_else(out_of_range)?;
        }
        value = value.checked_mul(Self::SCALE).ok_or_else(out_of_range)?;
        let mut unit = Self::SCALE;
        for &byte in fraction {
            if !byte.is_ascii_digit() {
                return Err(not_a_number());
            }
            unit /= 10;
            let digit = i64::from(byte - b'0');
            if unit == 0 && digit != 0 {
                return Err(PriceError::TooFine(text.to_owned()));
            }
            value = value.checked_add(digit * unit).ok_or_else(out_of_range)?;
        }
        Ok(Price(if negative { -value } else { value }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn refuses_what_is_not_a_plain_decimal() {
        for text in ["", "-", ".", "1e3", "1,000", " 1", "NaN", "inf", "1.2.3", "0x10"] {
            assert!(matches!(text.parse::<Price>(), Err(PriceError::NotANumber(_))), "{text}");
        }
        assert!(matches!("0.0000000001".parse::<Price>(), Err(PriceError::TooFine(_))));
        assert!(matches!("9223372037".parse::<Price>(), Err(PriceError::OutOfRange(_))));
        assert_eq!(price("1.2500000000000"), Price::from_units(1_250_000_000));
    }

    #[test]
    fn rounds_half_away_from_zero() {
        let tick = price("0.25");
        assert_eq!(price("100.125").round_to_tick(tick), price("100.25"));
        assert_eq!(price("100.12").round_to_tick(tick), price("100"));
        assert_eq!(price("-100.125").round_to_tick(tick), price("-100.25"));
    }

    #[test]
    fn one_es_tick_is_twelve_dollars_fifty() {
        let value = price("4500.25").value_from(price("4500"), Money::from_dollars(50));
        assert_eq!(value.to_string(), "12.5");
    }

    proptest! {
        #[test]
        fn prints_and_parses_back_exactly(units in (i64::MIN + 1)..=i64::MAX) {
            let original = Price::from_units(units);
            prop_assert_eq!(original.to_string().parse::<Price>().unwrap(), original);
        }

        #[test]
        fn parses_as_the_standard_library_does(whole in 0u32..100_000, fraction in 0u32..1_000_000) {
            let text = format!("{whole}.{fraction:06}");
            let expected: f64 = text.parse().unwrap();
            prop_assert!((price(&text).as_f64() - expected).abs() < 1e-9);
        }
    }
}
