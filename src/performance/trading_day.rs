//! Which trading day an instant belongs to, and Chicago's clock.

use std::sync::LazyLock;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::EquityPoint;
use crate::market::{Money, Timestamp, time_zone};

static CHICAGO: LazyLock<TimeZone> =
    LazyLock::new(|| time_zone("America/Chicago").expect("the time zones are built in"));

/// The time on Chicago's clock.
pub(super) fn chicago_time(time: Timestamp) -> DateTime {
    let instant = jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
        .expect("every market time lies in the calendar's range");
    CHICAGO.to_datetime(instant)
}

/// The trading day of an instant: the Chicago date seven hours later. A CME session opens at 17:00
/// and closes at 16:00 in Chicago (16:15 in earlier years), so all of it falls on the date on which
/// it closes, as the exchange books it.
pub(super) fn trading_day(time: Timestamp) -> Date {
    chicago_time(time.saturating_add(7 * Timestamp::HOUR)).date()
}

/// The account at the end of each trading day that has equity points, in order.
pub(super) fn daily_closes(equity: &[EquityPoint]) -> Vec<(Date, Money)> {
    let mut closes: Vec<(Date, Money)> = Vec::new();
    for point in equity {
        let day = trading_day(point.time);
        match closes.last_mut() {
            Some(last) if last.0 == day => last.1 = point.equity,
            _ => closes.push((day, point.equity)),
        }
    }
    closes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_falls_on_the_date_on_which_it_closes_in_summer_and_winter() {
        let day = |text: &str| trading_day(text.parse().unwrap()).to_string();
        // Monday's session of 2013-10-07 (summer time, UTC-5): Sunday 17:00 to Monday 16:15.
        assert_eq!(day("2013-10-06T22:00:00Z"), "2013-10-07");
        assert_eq!(day("2013-10-07T21:15:00Z"), "2013-10-07");
        assert_eq!(day("2013-10-07T22:00:00Z"), "2013-10-08");
        // Winter time, UTC-6.
        assert_eq!(day("2013-12-02T22:15:00Z"), "2013-12-02");
        assert_eq!(day("2013-12-02T23:00:00Z"), "2013-12-03");
    }
}
