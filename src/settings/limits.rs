//! Ranges of settings.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};

use super::OutOfRange;

/// Values that a setting may have.
pub trait Limits<T> {
    /// The limits in words, for the documentation.
    fn words(&self) -> String;
    /// Returns the requirement, in `unit`, if the value is out of range. NaN always is.
    fn refuses(&self, value: &T, unit: &str) -> Option<OutOfRange>;
}

fn refusal(value: impl Display, demand: impl Display, unit: &str) -> Option<OutOfRange> {
    let space = if unit.is_empty() { "" } else { " " };
    Some(OutOfRange { demand: format!("{demand}{space}{unit}"), value: value.to_string() })
}

/// Limits that are the type's, or that words alone say: nothing is refused here.
impl<T> Limits<T> for &str {
    fn words(&self) -> String {
        (*self).to_owned()
    }
    fn refuses(&self, _: &T, _: &str) -> Option<OutOfRange> {
        None
    }
}

impl<T: PartialOrd + Display> Limits<T> for RangeInclusive<T> {
    fn words(&self) -> String {
        format!("{} to {}", self.start(), self.end())
    }
    fn refuses(&self, value: &T, unit: &str) -> Option<OutOfRange> {
        let within = self.contains(value);
        if within {
            None
        } else {
            refusal(value, format!("from {}", Limits::<T>::words(self)), unit)
        }
    }
}

impl<T: PartialOrd + Display> Limits<Option<T>> for RangeInclusive<T> {
    fn words(&self) -> String {
        Limits::<T>::words(self)
    }
    fn refuses(&self, value: &Option<T>, unit: &str) -> Option<OutOfRange> {
        value.as_ref().and_then(|value| self.refuses(value, unit))
    }
}

impl Limits<f64> for Range<f64> {
    fn words(&self) -> String {
        format!("{} to below {}", self.start, self.end)
    }
    fn refuses(&self, value: &f64, unit: &str) -> Option<OutOfRange> {
        let demand = format!("at least {} and below {}", self.start, self.end);
        if self.contains(value) { None } else { refusal(value, demand, unit) }
    }
}

/// Finite numbers above zero.
#[derive(Debug)]
pub struct Positive;

impl Limits<f64> for Positive {
    fn words(&self) -> String {
        "above 0".to_owned()
    }
    fn refuses(&self, value: &f64, _: &str) -> Option<OutOfRange> {
        let good = *value > 0.0 && value.is_finite();
        if good { None } else { refusal(value, "above 0", "") }
    }
}

/// Shares above nothing, up to the whole.
#[derive(Debug)]
pub struct Share;

impl Limits<f64> for Share {
    fn words(&self) -> String {
        "above 0 to 1".to_owned()
    }
    fn refuses(&self, value: &f64, unit: &str) -> Option<OutOfRange> {
        let good = *value > 0.0 && *value <= 1.0;
        if good { None } else { refusal(value, "above 0 and at most 1", unit) }
    }
}

/// [`Share`], with a reminder of fractions in the message.
#[derive(Debug)]
pub struct Fraction;

impl Limits<f64> for Fraction {
    fn words(&self) -> String {
        Share.words()
    }
    fn refuses(&self, value: &f64, _: &str) -> Option<OutOfRange> {
        let demand = "a fraction above 0 and at most 1 (0.05 is 5 %)".to_owned();
        Share.refuses(value, "").map(|refusal| OutOfRange { demand, ..refusal })
    }
}
