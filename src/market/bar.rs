//! Open, high, low and close of an interval of time.

use std::fmt;
use std::str::FromStr;

use super::{Price, Timestamp};

/// The length of a bar: a whole number of minutes that divides a day, or a trading session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timeframe(u16);

/// A timeframe that bars cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a timeframe: give minutes that divide a day (1, 5, 15, 30, 60, …) or `daily`"
)]
pub struct TimeframeError(String);

impl Timeframe {
    const SESSION: u16 = 1440;
    /// One minute.
    pub const MINUTE_1: Timeframe = Timeframe(1);
    /// Five minutes.
    pub const MINUTES_5: Timeframe = Timeframe(5);
    /// Fifteen minutes.
    pub const MINUTES_15: Timeframe = Timeframe(15);
    /// Thirty minutes.
    pub const MINUTES_30: Timeframe = Timeframe(30);
    /// One hour.
    pub const HOUR: Timeframe = Timeframe(60);
    /// One bar a trading session (17:00 to 16:00 in Chicago for ES), not a calendar day.
    pub const DAILY: Timeframe = Timeframe(Self::SESSION);

    /// Returns the timeframe of this number of minutes; 1440 is [`Timeframe::DAILY`].
    ///
    /// # Errors
    /// If the minutes do not divide a day.
    pub fn from_minutes(minutes: u32) -> Result<Timeframe, TimeframeError> {
        match u16::try_from(minutes) {
            Ok(short) if short != 0 && Self::SESSION % short == 0 => Ok(Timeframe(short)),
            _ => Err(TimeframeError(minutes.to_string())),
        }
    }

    /// Returns the minutes in the bar; 1440 for a daily bar, however long its session is.
    #[inline]
    pub const fn minutes(self) -> u16 {
        self.0
    }

    /// Returns the nanoseconds in the bar, as [`Timeframe::minutes`].
    #[inline]
    pub const fn nanos(self) -> i64 {
        self.0 as i64 * Timestamp::MINUTE
    }

    /// Returns whether one bar stands for a whole trading session.
    #[inline]
    pub const fn is_daily(self) -> bool {
        self.0 == Self::SESSION
    }
}

impl fmt::Display for Timeframe {
    /// Writes `5m`, `60m`, `daily`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_daily() { f.write_str("daily") } else { write!(f, "{}m", self.0) }
    }
}

impl FromStr for Timeframe {
    type Err = TimeframeError;

    /// Reads `5`, `5m`, `1h`, `daily` or `1d`.
    fn from_str(text: &str) -> Result<Timeframe, TimeframeError> {
        let error = || TimeframeError(text.to_owned());
        if text == "daily" || text == "1d" {
            return Ok(Self::DAILY);
        }
        let (digits, factor) = match text.strip_suffix('h') {
            Some(hours) => (hours, 60),
            None => (text.strip_suffix('m').unwrap_or(text), 1),
        };
        let number: u32 = digits.parse().map_err(|_| error())?;
        Self::from_minutes(number.checked_mul(factor).ok_or_else(error)?).map_err(|_| error())
    }
}

/// Facts about a bar, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BarFlags(pub u16);

impl BarFlags {
    /// Every tick of the interval was seen.
    pub const NONE: BarFlags = BarFlags(0);
    /// Nothing traded: open, high, low and close repeat the close before, the volume is zero.
    pub const FILLED: BarFlags = BarFlags(1);
    /// Data is known to be missing inside the interval.
    pub const INCOMPLETE: BarFlags = BarFlags(2);
    /// Made from coarser history bars, not from trades.
    pub const FROM_BARS: BarFlags = BarFlags(4);
    /// Overlaps a gap of the live feed that was not recovered; such a bar is incomplete too.
    pub const GAP: BarFlags = BarFlags(8);

    /// Returns whether any bit of `other` is set.
    #[inline]
    pub const fn any(self, other: BarFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns these flags and those of `other`.
    #[inline]
    pub const fn with(self, other: BarFlags) -> BarFlags {
        BarFlags(self.0 | other.0)
    }

    /// Returns these flags less those of `other`.
    #[inline]
    pub const fn without(self, other: BarFlags) -> BarFlags {
        BarFlags(self.0 & !other.0)
    }
}

impl fmt::Display for BarFlags {
    /// Writes the names joined by `|`, or nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = [
            (Self::FILLED, "filled"),
            (Self::INCOMPLETE, "incomplete"),
            (Self::FROM_BARS, "from_bars"),
            (Self::GAP, "gap"),
        ];
        let mut separator = "";
        for (flag, name) in names {
            if self.any(flag) {
                write!(f, "{separator}{name}")?;
                separator = "|";
            }
        }
        Ok(())
    }
}

/// Open, high, low, close and volume of `[start, end)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Start of the interval: the bar's label.
    pub start: Timestamp,
    /// End of the interval: `start` plus the timeframe; for a daily bar the session's end.
    pub end: Timestamp,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Contracts traded.
    pub volume: u64,
    /// Ticks seen.
    pub ticks: u32,
    /// The bar's length.
    pub timeframe: Timeframe,
    /// The contract, as in [`super::Tick::contract`].
    pub contract: u16,
    /// Facts about the bar.
    pub flags: BarFlags,
}

impl Bar {
    /// A bar before any time, which stands where there is no bar yet.
    pub const NONE: Bar = Bar {
        start: Timestamp::MIN,
        end: Timestamp::MIN,
        open: Price::ZERO,
        high: Price::ZERO,
        low: Price::ZERO,
        close: Price::ZERO,
        volume: 0,
        ticks: 0,
        timeframe: Timeframe::MINUTE_1,
        contract: 0,
        flags: BarFlags::NONE,
    };
}
