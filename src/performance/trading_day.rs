//! The trading day of an instant, and the exchange's clock.

use jiff::civil::{Date, DateTime};

use crate::execution::EquityPoint;
use crate::market::{Calendar, Money, Session, Timestamp};

/// Returns the time on the clocks of the exchange.
pub(super) fn exchange_time(calendar: Calendar, time: Timestamp) -> DateTime {
    let instant = jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
        .expect("every market time lies in the calendar's range");
    calendar.time_zone().to_datetime(instant)
}

/// Returns the account at the end of each session that has equity points, in order, by trade date.
///
/// A point at the instant at which a session closes is its last, also where the next one opens at
/// once.
pub(super) fn daily_closes(calendar: Calendar, equity: &[EquityPoint]) -> Vec<(Date, Money)> {
    let mut closes: Vec<(Date, Money)> = Vec::new();
    let mut session = Session::NEVER;
    for point in equity {
        if point.time <= session.open || point.time > session.close {
            session = calendar.session_at_or_after(point.time.saturating_add(-1));
        }
        match closes.last_mut() {
            Some(last) if last.0 == session.trade_date => last.1 = point.equity,
            _ => closes.push((session.trade_date, point.equity)),
        }
    }
    closes
}

/// Returns the same from the session on in which something could first be decided; empty if nothing
/// ever could.
pub(super) fn decidable_closes(
    calendar: Calendar,
    equity: &[EquityPoint],
    decides_from: Option<Timestamp>,
) -> Vec<(Date, Money)> {
    let first = decides_from.map(|from| equity.partition_point(|point| point.time < from));
    let Some(first) = first.and_then(|place| equity.get(place)) else { return Vec::new() };
    let [(day, _)] = daily_closes(calendar, std::slice::from_ref(first))[..] else {
        unreachable!("one point is one day")
    };
    let mut closes = daily_closes(calendar, equity);
    closes.retain(|close| close.0 >= day);
    closes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Price;

    fn days(calendar: Calendar, times: &[&str]) -> Vec<String> {
        let point = |(time, dollars): (&&str, i64)| EquityPoint {
            time: time.parse().unwrap(),
            cash: Money::ZERO,
            position: 0,
            mark: Price::ZERO,
            equity: Money::from_dollars(dollars),
        };
        let equity: Vec<_> = times.iter().zip(1..).map(point).collect();
        let day = |(day, money): (Date, Money)| format!("{day}: {}", money.as_f64());
        daily_closes(calendar, &equity).into_iter().map(day).collect()
    }

    #[test]
    fn a_session_is_one_day_by_its_own_hours() {
        let es = Calendar::CmeEquityIndex;
        // Monday's session of 2013-10-07 (summer time, UTC-5): Sunday 17:00 to Monday 16:15.
        let monday = ["2013-10-06T22:05:00Z", "2013-10-07T21:15:00Z", "2013-10-07T22:01:00Z"];
        assert_eq!(days(es, &monday), ["2013-10-07: 2", "2013-10-08: 3"]);
        // Until November 2012 the session opened at 15:30, right after the last.
        let early = ["2012-10-16T20:15:00Z", "2012-10-16T20:31:00Z", "2012-10-17T20:15:00Z"];
        assert_eq!(days(es, &early), ["2012-10-16: 1", "2012-10-17: 3"]);
        // Where no session ends, each day of UTC is one.
        let always = [
            "2024-01-10T00:01:00Z",
            "2024-01-10T23:30:00Z",
            "2024-01-11T00:00:00Z",
            "2024-01-11T00:01:00Z",
        ];
        assert_eq!(days(Calendar::AlwaysOpen, &always), ["2024-01-10: 3", "2024-01-11: 4"]);
    }
}
