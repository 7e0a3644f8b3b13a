//! Instants.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

/// An instant in UTC nanoseconds since 1970-01-01T00:00:00Z, from 1677 to 2262.
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
pub struct Timestamp(i64);

/// A text that is not an instant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an instant such as 2013-10-07T13:30:00Z: {reason}")]
pub struct TimestampError {
    text: String,
    reason: String,
}

impl Timestamp {
    /// Before every market event.
    pub const MIN: Timestamp = Timestamp(i64::MIN);
    /// After every market event; as a wake-up time it means "never".
    pub const MAX: Timestamp = Timestamp(i64::MAX);
    /// Nanoseconds in one second.
    pub const SECOND: i64 = 1_000_000_000;
    /// Nanoseconds in one minute.
    pub const MINUTE: i64 = 60 * Self::SECOND;
    /// Nanoseconds in one hour.
    pub const HOUR: i64 = 60 * Self::MINUTE;

    /// Returns whether it is in the years 1970 to 2199, the only ones in which a market is traded
    /// here: computing with it stays far from [`Timestamp::MIN`] and [`Timestamp::MAX`].
    #[inline]
    pub const fn is_in_market_years(self) -> bool {
        // The start of 2200. A time before 1970 becomes a number above it.
        (self.0 as u64) < 7_258_118_400 * Self::SECOND as u64
    }

    /// Returns the time of the machine's clock: for what surrounds a run, never within a stage.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads it, itself disallowed")]
    pub fn now() -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Returns the instant `nanos` nanoseconds after the epoch.
    #[inline]
    pub const fn from_nanos(nanos: i64) -> Timestamp {
        Timestamp(nanos)
    }

    /// Returns the nanoseconds since the epoch.
    #[inline]
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Returns the start of the interval of `length` nanoseconds (> 0) that holds this instant,
    /// where intervals are counted from the epoch.
    #[inline]
    pub const fn floor_to(self, length: i64) -> Timestamp {
        Timestamp(self.0 - self.0.rem_euclid(length))
    }

    /// Returns this instant moved by `nanos`. Saturates at the range's ends.
    #[inline]
    pub const fn saturating_add(self, nanos: i64) -> Timestamp {
        Timestamp(self.0.saturating_add(nanos))
    }
}

impl Add<i64> for Timestamp {
    type Output = Timestamp;
    /// Moves the instant by this number of nanoseconds.
    #[inline]
    fn add(self, nanos: i64) -> Timestamp {
        Timestamp(self.0 + nanos)
    }
}

impl Sub for Timestamp {
    type Output = i64;
    /// Returns the nanoseconds from `other` to this instant.
    #[inline]
    fn sub(self, other: Timestamp) -> i64 {
        self.0 - other.0
    }
}

impl fmt::Display for Timestamp {
    /// Writes ISO-8601 UTC with nanoseconds: `2013-10-07T13:30:00.000000000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(instant) => write!(f, "{instant:.9}"),
            Err(_) => write!(f, "{} ns since 1970", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    /// Reads ISO-8601 with `Z` or a numeric offset.
    fn from_str(text: &str) -> Result<Timestamp, TimestampError> {
        let error = |reason: String| TimestampError { text: text.to_owned(), reason };
        let instant: jiff::Timestamp =
            text.parse().map_err(|e: jiff::Error| error(e.to_string()))?;
        i64::try_from(instant.as_nanosecond())
            .map(Timestamp)
            .map_err(|_| error("only 1677 to 2262 can be held".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_nanoseconds_and_parses_back() {
        let text = "2013-10-07T13:30:00.000000001Z";
        let instant: Timestamp = text.parse().unwrap();
        assert_eq!(instant.nanos(), 1_381_152_600_000_000_001);
        assert_eq!(instant.to_string(), text);
        let before_1970 = Timestamp::from_nanos(-1).floor_to(Timestamp::MINUTE);
        assert_eq!(before_1970.to_string(), "1969-12-31T23:59:00.000000000Z");
    }
}
