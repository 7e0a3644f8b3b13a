//! The ordinary hours of each calendar, in Chicago time.

use jiff::civil::{Date, Time, date, time};

use super::Calendar;

/// A time on the clocks in Chicago.
#[derive(Clone, Copy)]
pub(super) enum SessionTime {
    /// On the day before the trade date.
    DayBefore(Time),
    /// On the trade date itself.
    TradeDate(Time),
}

/// The hours of one session.
#[derive(Clone, Copy)]
pub(super) struct Hours {
    pub open: SessionTime,
    pub halt: Option<(SessionTime, SessionTime)>,
    pub close: SessionTime,
}

/// The open of each session that does not follow right after an ordinary day: Sunday evening, and
/// the evening after a holiday or an early close.
pub(super) const EVENING_OPEN: SessionTime = SessionTime::DayBefore(time(17, 0, 0, 0));

/// Hours and the first trade date on which they held, in order.
type Eras = &'static [(Date, Hours)];

/// Until 2012 the equity index day turned over at the end of stock trading, with the computers'
/// daily maintenance as its halt. From 2012-11-19: CME notice "Equity Index Later Close", for daily
/// price limits. From 2015-09-21: CME brought Globex maintenance forward by 15 minutes (NinjaTrader
/// advisory 25). From 2021-06-28: CME ended the afternoon halt; we hold no notice of that date.
/// LEAN's ES minutes prove the second era in our tests.
const EQUITY_INDEX: Eras = &[
    (
        Date::MIN,
        Hours {
            open: SessionTime::DayBefore(time(15, 30, 0, 0)),
            halt: Some((SessionTime::DayBefore(time(16, 30, 0, 0)), EVENING_OPEN)),
            close: SessionTime::TradeDate(time(15, 15, 0, 0)),
        },
    ),
    (date(2012, 11, 19), Hours { halt: AFTERNOON_HALT, ..until(16, 15) }),
    (date(2015, 9, 21), Hours { halt: AFTERNOON_HALT, ..until(16, 0) }),
    (date(2021, 6, 28), until(16, 0)),
];

/// 2015-09-21 as for the equity index.
const METALS: Eras = &[(Date::MIN, until(16, 15)), (date(2015, 9, 21), until(16, 0))];

const FX: Eras = &[(Date::MIN, until(16, 0))];

const AFTERNOON_HALT: Option<(SessionTime, SessionTime)> =
    Some((SessionTime::TradeDate(time(15, 15, 0, 0)), SessionTime::TradeDate(time(15, 30, 0, 0))));

/// Returns hours from the evening open until that time, without a halt.
const fn until(hour: i8, minute: i8) -> Hours {
    Hours {
        open: EVENING_OPEN,
        halt: None,
        close: SessionTime::TradeDate(time(hour, minute, 0, 0)),
    }
}

/// Returns the hours of that calendar's ordinary session on a trade date.
pub(super) fn on(calendar: Calendar, trade_date: Date) -> Hours {
    let eras = match calendar {
        Calendar::CmeEquityIndex => EQUITY_INDEX,
        Calendar::ComexMetals => METALS,
        Calendar::CmeFx => FX,
        Calendar::AlwaysOpen => unreachable!("days of UTC have no hours"),
    };
    let later = eras.partition_point(|&(from, _)| from <= trade_date);
    eras[later - 1].1
}
