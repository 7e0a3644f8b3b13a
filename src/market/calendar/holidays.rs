//! The days on which the exchange is closed or closes early.
//!
//! Times are in Chicago. Those of the equity index are checked day by day against LEAN's table in
//! the tests. Those of metals and currencies come from the exchange's holiday notices of 2007,
//! 2013, 2024 and 2026, as brokers and data vendors repeat them, and are filled in between.

use jiff::civil::{Date, Time, Weekday, date, time};

use super::{Calendar, tomorrow, yesterday};

/// The part of a date on which a calendar trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TradingDay {
    /// Until the ordinary close.
    Full,
    /// Until that earlier time.
    ClosesAt(Time),
    /// Not at all: a weekend or a holiday.
    None,
}

/// A day other than the rest, by what it does to trading.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holiday {
    /// New Year or Christmas.
    AllClosed,
    /// Good Friday.
    GoodFriday,
    /// The others on which stock exchanges are closed: futures halt in the morning.
    StocksClosed,
    /// The weekday before Independence Day, when stocks close early.
    BeforeIndependenceDay,
    /// The day after Thanksgiving, or Christmas Eve.
    ShortDay,
}

/// Closes that no rule gives: CME followed the stock exchanges, which did not open.
const UNPLANNED_EQUITY_INDEX: [(Date, Time); 4] = [
    // Hurricane Sandy.
    (date(2012, 10, 29), time(8, 15, 0, 0)),
    (date(2012, 10, 30), time(8, 15, 0, 0)),
    // National days of mourning for Presidents Bush and Carter.
    (date(2018, 12, 5), time(8, 30, 0, 0)),
    (date(2025, 1, 9), time(8, 30, 0, 0)),
];

/// Returns the part of `day` in which `calendar` trades.
pub(super) fn trading_day(calendar: Calendar, day: Date) -> TradingDay {
    if is_weekend(day) {
        return TradingDay::None;
    }
    let Some(holiday) = holiday(day) else {
        return match UNPLANNED_EQUITY_INDEX.iter().find(|&&(date, _)| date == day) {
            Some(&(_, close)) if calendar == Calendar::CmeEquityIndex => {
                TradingDay::ClosesAt(close)
            }
            _ => TradingDay::Full,
        };
    };
    let closes_at = |hour, minute| TradingDay::ClosesAt(time(hour, minute, 0, 0));
    let is_friday = day.weekday() == Weekday::Friday;
    match (holiday, calendar) {
        (_, Calendar::AlwaysOpen) => TradingDay::Full,
        (Holiday::AllClosed, _) => TradingDay::None,

        // The employment report comes out on the first Friday of a month; when that is Good Friday,
        // financial products trade until shortly after it.
        (Holiday::GoodFriday, Calendar::CmeEquityIndex) if day.day() <= 7 => closes_at(8, 15),
        (Holiday::GoodFriday, Calendar::CmeFx) if day.day() <= 7 => closes_at(10, 15),
        (Holiday::GoodFriday, _) => TradingDay::None,

        // CME aligned its products' halts with Memorial Day 2014, and parted them again in 2022.
        (Holiday::StocksClosed, Calendar::CmeEquityIndex) if day < date(2014, 5, 26) => {
            closes_at(10, 30)
        }
        (Holiday::StocksClosed, Calendar::ComexMetals) if day < date(2014, 5, 26) => {
            closes_at(12, 15)
        }
        (Holiday::StocksClosed, Calendar::ComexMetals) if day.year() >= 2022 && !is_friday => {
            closes_at(13, 30)
        }
        (Holiday::StocksClosed, Calendar::CmeFx) if day.year() >= 2022 && !is_friday => {
            TradingDay::Full
        }
        (Holiday::StocksClosed, _) => closes_at(12, 0),

        (Holiday::BeforeIndependenceDay, Calendar::CmeEquityIndex) => closes_at(12, 15),
        (Holiday::BeforeIndependenceDay, _) => TradingDay::Full,
        (Holiday::ShortDay, Calendar::ComexMetals) => closes_at(12, 45),
        (Holiday::ShortDay, _) => closes_at(12, 15),
    }
}

/// Returns whether `day` is a weekday on which stocks and bonds are settled in New York.
pub(super) fn is_business_day(day: Date) -> bool {
    !is_weekend(day)
        && matches!(holiday(day), None | Some(Holiday::BeforeIndependenceDay | Holiday::ShortDay))
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Returns the holiday of a weekday, if it is one.
fn holiday(day: Date) -> Option<Holiday> {
    let month = day.month();
    // A New Year on Saturday is not moved into the old year.
    if (month == 1 && is_observed(day, 1, 1)) || is_observed(day, 12, 25) {
        return Some(Holiday::AllClosed);
    }
    if day.weekday() == Weekday::Friday && tomorrow(tomorrow(day)) == easter(day.year()) {
        return Some(Holiday::GoodFriday);
    }
    let stocks_closed = match month {
        // Martin Luther King; Washington's birthday.
        1 | 2 => is_nth(day, 3, Weekday::Monday),
        // Memorial Day.
        5 => is_nth(day, -1, Weekday::Monday),
        // Juneteenth.
        6 => day.year() >= 2022 && is_observed(day, 6, 19),
        // Independence Day.
        7 => is_observed(day, 7, 4),
        // Labor Day.
        9 => is_nth(day, 1, Weekday::Monday),
        // Thanksgiving.
        11 => is_nth(day, 4, Weekday::Thursday),
        _ => false,
    };
    if stocks_closed {
        return Some(Holiday::StocksClosed);
    }
    if month == 7 && day.day() == 3 {
        return Some(Holiday::BeforeIndependenceDay);
    }
    let after_thanksgiving = month == 11 && is_nth(yesterday(day), 4, Weekday::Thursday);
    (after_thanksgiving || (month == 12 && day.day() == 24)).then_some(Holiday::ShortDay)
}

/// Returns whether the day is the `nth` such weekday of its month; -1 is the last.
fn is_nth(day: Date, nth: i8, weekday: Weekday) -> bool {
    day.nth_weekday_of_month(nth, weekday).is_ok_and(|found| found == day)
}

/// Returns whether a holiday of fixed date is kept on that weekday: a Saturday's on Friday, a
/// Sunday's on Monday.
fn is_observed(day: Date, month: i8, day_of_month: i8) -> bool {
    let falls_on = |day: Date| (day.month(), day.day()) == (month, day_of_month);
    falls_on(day)
        || match day.weekday() {
            Weekday::Friday => falls_on(tomorrow(day)),
            Weekday::Monday => falls_on(yesterday(day)),
            _ => false,
        }
}

/// Returns Easter Sunday of the Gregorian calendar: the algorithm of "Nature" (1876), as in J.
/// Meeus, *Astronomical Algorithms*, chapter 8.
fn easter(year: i16) -> Date {
    let year = i32::from(year);
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e, f) = (b / 4, b % 4, (b + 8) / 25);
    let g = (b - f + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    date(year as i16, (n / 31) as i8, (n % 31 + 1) as i8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_is_where_the_church_has_it() {
        // The earliest and the latest possible dates, and years of our data.
        let published = [
            date(1818, 3, 22),
            date(1943, 4, 25),
            date(2000, 4, 23),
            date(2008, 3, 23),
            date(2011, 4, 24),
            date(2013, 3, 31),
            date(2024, 3, 31),
            date(2026, 4, 5),
            date(2038, 4, 25),
        ];
        for sunday in published {
            assert_eq!(easter(sunday.year()), sunday);
        }
    }
}
