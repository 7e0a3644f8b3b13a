//! Trading sessions, versioned by date.
//!
//! [`hours`] holds the exchange's ordinary hours, [`holidays`] the days on which it keeps others.

mod holidays;
mod hours;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use jiff::civil::{Date, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};

use super::Timestamp;
use holidays::TradingDay;
use hours::{EVENING_OPEN, SessionTime};

/// The hours in which a product trades.
///
/// Hours are those of CME Globex from 2008 on; earlier dates get the rules of 2008. A future year
/// gets the newest rules, so a change that the exchange announces later has to be added here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// CME equity index futures: ES, NQ, YM, RTY and their micros.
    CmeEquityIndex,
    /// COMEX metals: GC.
    ComexMetals,
    /// CME currency futures: 6E.
    CmeFx,
    /// No session at all: each UTC day is one.
    AlwaysOpen,
}

/// A text that names no calendar.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a calendar; use one of: {list}", list = Calendar::ALL.map(Calendar::name).join(", "))]
pub struct CalendarError(String);

/// One trading session: from its open to its close, with at most one halt between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The date on which the session closes, in exchange time. It is the date under which the
    /// exchange books the session's trades, but for one case: it books the shortened session of a
    /// holiday such as Thanksgiving with the next day's, and here that is a session of its own,
    /// under the holiday's date. No two sessions share a trade date.
    pub trade_date: Date,
    /// First instant of trading.
    pub open: Timestamp,
    /// First instant after trading.
    pub close: Timestamp,
    /// A pause inside the session: `[start, end)`.
    pub halt: Option<(Timestamp, Timestamp)>,
}

impl Session {
    /// A session that was over before any time: stands where no session was looked up yet.
    pub(crate) const NEVER: Session =
        Session { trade_date: Date::ZERO, open: Timestamp::MIN, close: Timestamp::MIN, halt: None };
}

/// From the database inside the program, not the machine's: sessions are the same everywhere.
static CHICAGO: LazyLock<TimeZone> =
    LazyLock::new(|| time_zone("America/Chicago").expect("the bundled database has Chicago"));

/// Returns the zone of that IANA name, such as `America/Chicago`. Every zone of the program comes
/// from here: from the database inside it, never from the machine's, which may be another, or not
/// there.
pub fn time_zone(name: &str) -> Option<TimeZone> {
    TimeZoneDatabase::bundled().get(name).ok()
}

impl Session {
    /// Returns whether `time` is inside the session and not in its halt.
    pub fn is_trading_at(&self, time: Timestamp) -> bool {
        let halted = self.halt.is_some_and(|(start, end)| start <= time && time < end);
        self.open <= time && time < self.close && !halted
    }
}

impl Calendar {
    /// Every calendar.
    pub const ALL: [Calendar; 4] =
        [Self::CmeEquityIndex, Self::ComexMetals, Self::CmeFx, Self::AlwaysOpen];

    /// Returns its name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CmeEquityIndex => "cme_equity_index",
            Self::ComexMetals => "comex_metals",
            Self::CmeFx => "cme_fx",
            Self::AlwaysOpen => "always_open",
        }
    }

    /// Returns the session that holds `time` (a halt is inside its session), or the next one to
    /// open.
    ///
    /// Takes microseconds: ask once a session, not once a tick.
    pub fn session_at_or_after(self, time: Timestamp) -> Session {
        let now = jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
            .expect("every Timestamp is within jiff's range");
        let mut date = now.to_zoned(self.time_zone()).date();
        loop {
            if let Some(session) = self.session_of(date)
                && (session.close > time || session.close == Timestamp::MAX)
            {
                return session;
            }
            date = tomorrow(date);
        }
    }

    /// Returns the session that holds `time`: `open <= time < close`, a halt included.
    pub fn session_at(self, time: Timestamp) -> Option<Session> {
        Some(self.session_at_or_after(time)).filter(|session| session.open <= time)
    }

    /// Returns the session of that trade date, or the next one.
    pub fn session_on_or_after(self, mut date: Date) -> Session {
        loop {
            match self.session_of(date) {
                Some(session) => return session,
                None => date = tomorrow(date),
            }
        }
    }

    /// Returns the session of that trade date, if there is one.
    fn session_of(self, date: Date) -> Option<Session> {
        if self == Self::AlwaysOpen {
            let open = self.instant(date, Time::midnight());
            let close = self.instant(tomorrow(date), Time::midnight());
            return Some(Session { trade_date: date, open, close, halt: None });
        }
        let hours = hours::on(self, date);
        let close = match holidays::trading_day(self, date) {
            TradingDay::Full => hours.close,
            TradingDay::ClosesAt(time) => SessionTime::TradeDate(time),
            TradingDay::None => return None,
        };
        // Where the session ordinarily opens right after the one before (equity index until 2012),
        // that holds only after an ordinary day; after any other it opens in the evening.
        let open = match holidays::trading_day(self, yesterday(date)) {
            TradingDay::Full => hours.open,
            TradingDay::ClosesAt(_) | TradingDay::None => EVENING_OPEN,
        };
        let at = |clock| match clock {
            SessionTime::DayBefore(time) => self.instant(yesterday(date), time),
            SessionTime::TradeDate(time) => self.instant(date, time),
        };
        let (open, close) = (at(open), at(close));
        let halt = hours
            .halt
            .map(|(start, end)| (at(start), at(end)))
            .filter(|&(start, end)| open < start && end < close);
        Some(Session { trade_date: date, open, close, halt })
    }

    /// Returns whether the exchange settles on that date: a weekday that is no holiday. Expiries
    /// count in these days.
    pub(super) fn is_business_day(date: Date) -> bool {
        holidays::is_business_day(date)
    }

    /// Returns the instant at which the clocks of the exchange show that date and time. Saturates
    /// at the range's ends.
    pub(super) fn instant(self, date: Date, time: Time) -> Timestamp {
        let nanos = date
            .to_datetime(time)
            .to_zoned(self.time_zone())
            .expect("dates of a Timestamp are within jiff's range")
            .timestamp()
            .as_nanosecond();
        let nanos = nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Timestamp::from_nanos(nanos as i64)
    }

    /// Returns the sessions in a year, as statistics count them: 252 on an exchange, as most of the
    /// industry has it; every day where there is always one.
    pub const fn sessions_a_year(self) -> u32 {
        match self {
            Self::AlwaysOpen => 365,
            Self::CmeEquityIndex | Self::ComexMetals | Self::CmeFx => 252,
        }
    }

    /// Returns the name of the clocks of [`Calendar::time_zone`], for people.
    pub const fn clock_name(self) -> &'static str {
        match self {
            Self::AlwaysOpen => "UTC",
            Self::CmeEquityIndex | Self::ComexMetals | Self::CmeFx => "Chicago",
        }
    }

    /// Returns the zone of the exchange's clocks; UTC where there is no session.
    pub fn time_zone(self) -> TimeZone {
        match self {
            Self::AlwaysOpen => TimeZone::UTC,
            Self::CmeEquityIndex | Self::ComexMetals | Self::CmeFx => CHICAGO.clone(),
        }
    }
}

/// Returns the day after; dates here are centuries away from the end of jiff's range.
pub(super) fn tomorrow(date: Date) -> Date {
    date.tomorrow().expect("a date within jiff's range")
}

/// Returns the day before; see [`tomorrow`].
pub(super) fn yesterday(date: Date) -> Date {
    date.yesterday().expect("a date within jiff's range")
}

impl fmt::Display for Calendar {
    /// Writes `cme_equity_index`, `comex_metals`, `cme_fx` or `always_open`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Calendar {
    type Err = CalendarError;

    /// Reads what [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Calendar, CalendarError> {
        Self::ALL
            .into_iter()
            .find(|calendar| calendar.name() == text)
            .ok_or_else(|| CalendarError(text.to_owned()))
    }
}
