//! The place of a history bar in trading time.
//!
//! Nothing trades outside a session or in its halt, so what a bar tells of happened in the part of
//! its interval that lies in trading time: that part holds its ticks, and with its end all of the
//! bar is known. Product bars are counted from the session's open ([`crate::bars`]). A bar that
//! begins between two of them, or that holds trades of two sessions, would mix one product bar with
//! the next.

use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::row::BarRow;
use crate::market::{Calendar, Session, Timestamp};

/// The length of a daily bar, however long its session is.
pub(super) const DAY: i64 = 24 * Timestamp::HOUR;

/// A bar whose interval is the part of it that lies in trading time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PlacedBar {
    pub(super) bar: BarRow,
    /// A halt inside that interval, with trading before and after it.
    pub(super) halt: Option<(Timestamp, Timestamp)>,
    /// The trade date of its session; `None` outside every session.
    pub(super) session: Option<Date>,
}

/// The reason why a bar has no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Misplaced {
    #[error(
        "the bar from {start} to {end} begins {into} s into a product bar, which are counted from the session's open, {open}; take bars that begin with them, or finer ones"
    )]
    OffGrid { start: Timestamp, end: Timestamp, open: Timestamp, into: i64 },
    #[error(
        "the bar from {start} to {end} holds trades of two sessions, the first of which closes at {close}; take finer bars"
    )]
    TwoSessions { start: Timestamp, end: Timestamp, close: Timestamp },
    #[error("{date} has no session, so no daily bar")]
    NoSession { date: Date },
    #[error(
        "the day from {start} is no session: the next one opens at {open}; daily bars must be dated by trade date or begin with their session, so take hours or finer bars"
    )]
    NotASession { start: Timestamp, open: Timestamp },
}

/// The source's way of dating daily bars.
#[derive(Clone, Debug)]
pub(super) struct Dated {
    /// The zone in which a row's date was read.
    pub(super) zone: TimeZone,
    /// Nanoseconds from a row's start to the midnight that was written.
    pub(super) shift: i64,
}

impl Dated {
    /// Returns the date that was written, if it was one without a time of day.
    fn date(&self, start: Timestamp) -> Option<Date> {
        let written = start.saturating_add(self.shift);
        // A midnight with an offset of its own, and an integer, are of UTC.
        [&self.zone, &TimeZone::UTC].into_iter().find_map(|zone| {
            let local = jiff::Timestamp::from_nanosecond(i128::from(written.nanos()))
                .expect("every Timestamp is within jiff's range")
                .to_zoned(zone.clone())
                .datetime();
            (local.time() == jiff::civil::Time::midnight()).then(|| local.date())
        })
    }
}

/// Places a daily bar over its whole session.
///
/// # Errors
/// If there is no such session.
pub(super) fn date_bar(
    bar: &BarRow,
    calendar: Calendar,
    dated: Option<&Dated>,
) -> Result<BarRow, Misplaced> {
    let session = match dated.and_then(|dated| dated.date(bar.start)) {
        Some(date) => {
            let session = calendar.session_on_or_after(date);
            if session.trade_date != date {
                return Err(Misplaced::NoSession { date });
            }
            session
        }
        None => {
            // A label at the end of a bar is that of its session.
            let end = dated.map_or(bar.start, |dated| bar.start.saturating_add(dated.shift));
            let before = calendar.session_at_or_after(end.saturating_add(-1));
            let session = match end != bar.start && before.close == end {
                true => before,
                false => calendar.session_at_or_after(bar.start),
            };
            if session.open != bar.start && session.close != end {
                let open = match session.open < bar.start {
                    true => calendar.session_at_or_after(session.close).open,
                    false => session.open,
                };
                return Err(Misplaced::NotASession { start: bar.start, open });
            }
            session
        }
    };
    Ok(BarRow { start: session.open, duration: session.close - session.open, ..*bar })
}

/// Returns whether that is a day on which no session market trades.
pub(super) fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Finds bars' places, in order of time.
#[derive(Clone, Debug)]
pub(super) struct Placer {
    calendar: Calendar,
    /// The session at or after `asked`.
    session: Session,
    asked: Timestamp,
}

impl Placer {
    pub(super) fn new(calendar: Calendar) -> Placer {
        Placer { calendar, session: Session::NEVER, asked: Timestamp::MIN }
    }

    /// Returns the halt of the session of the bar placed last.
    pub(super) fn halt(&self) -> Option<(Timestamp, Timestamp)> {
        self.session.halt
    }

    /// Returns the trade date of the session of the bar placed last, if it began in it.
    pub(super) fn trade_date(&self, start: Timestamp) -> Option<Date> {
        (self.session.open <= start && start < self.session.close)
            .then_some(self.session.trade_date)
    }

    /// Returns the place of a bar; of one outside every session its own interval.
    ///
    /// # Errors
    /// If no product bar could hold it.
    pub(super) fn place(&mut self, bar: &BarRow) -> Result<PlacedBar, Misplaced> {
        let nominal_end = bar.start.saturating_add(bar.duration);
        if bar.start >= self.session.close || bar.start < self.asked {
            self.session = self.calendar.session_at_or_after(bar.start);
            self.asked = bar.start;
        }
        let Session { open, close, halt, trade_date } = self.session;
        if nominal_end <= open {
            return Ok(PlacedBar { bar: *bar, halt: None, session: None });
        }
        if nominal_end > close && self.calendar.session_at_or_after(close).open < nominal_end {
            return Err(Misplaced::TwoSessions { start: bar.start, end: nominal_end, close });
        }
        let (mut start, mut end) = (bar.start.max(open), nominal_end.min(close));
        let into = (start - open) % bar.duration;
        if into != 0 {
            let into = into / Timestamp::SECOND;
            return Err(Misplaced::OffGrid { start: bar.start, end: nominal_end, open, into });
        }
        // A bar that lies in the halt as a whole stays where it is: nothing can make it right.
        let mut inside = None;
        if let Some((from, to)) = halt
            && !(from <= start && end <= to)
        {
            if from <= start && start < to {
                start = to;
            } else if from < end && end <= to {
                end = from;
            } else if start < from && to < end {
                inside = Some((from, to));
            }
        }
        let bar = BarRow { start, duration: end - start, ..*bar };
        Ok(PlacedBar { bar, halt: inside, session: Some(trade_date) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Price;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn row(start: &str, minutes: i64) -> BarRow {
        let price = Price::from_units(Price::SCALE);
        BarRow {
            start: time(start),
            duration: minutes * Timestamp::MINUTE,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 4,
        }
    }

    /// Returns start and end in trading time, or why there is no place.
    fn place(calendar: Calendar, start: &str, minutes: i64) -> Result<(String, String), String> {
        let placed = Placer::new(calendar).place(&row(start, minutes));
        let placed = placed.map_err(|misplaced| misplaced.to_string())?;
        let end = placed.bar.start + placed.bar.duration;
        let minute = |time: Timestamp| time.to_string()[..16].to_owned();
        Ok((minute(placed.bar.start), minute(end)))
    }

    /// Chicago is six hours behind UTC in winter and five in summer.
    #[test]
    fn a_bar_is_cut_to_the_part_of_it_that_lies_in_trading_time() {
        let es = Calendar::CmeEquityIndex;
        for (start, minutes, from, to) in [
            // Whole inside its session, 17:00 to 16:00.
            ("2024-01-08T23:00:00Z", 240, "2024-01-08T23:00", "2024-01-09T03:00"),
            // 13:00 to 17:00: the session closes at 16:00.
            ("2024-01-09T19:00:00Z", 240, "2024-01-09T19:00", "2024-01-09T22:00"),
            // 16:00 to 16:30 in 2014, when it closed at 16:15.
            ("2014-03-11T21:00:00Z", 30, "2014-03-11T21:00", "2014-03-11T21:15"),
            // 12:00 to 12:30 on the eve of Independence Day, which closes at 12:15.
            ("2024-07-03T17:00:00Z", 30, "2024-07-03T17:00", "2024-07-03T17:15"),
            // The halt from 15:15 to 15:30 of 2014: at the end, at the start, inside, and all of
            // it.
            ("2014-03-11T20:00:00Z", 30, "2014-03-11T20:00", "2014-03-11T20:15"),
            ("2014-03-11T20:15:00Z", 15, "2014-03-11T20:15", "2014-03-11T20:30"),
            ("2014-03-11T20:00:00Z", 60, "2014-03-11T20:00", "2014-03-11T21:00"),
            // 16:30 to 17:30: it begins in the break.
            ("2024-01-08T22:30:00Z", 60, "2024-01-08T23:00", "2024-01-08T23:30"),
            // Saturday.
            ("2024-01-06T12:00:00Z", 60, "2024-01-06T12:00", "2024-01-06T13:00"),
        ] {
            assert_eq!(place(es, start, minutes), Ok((from.into(), to.into())), "{start}");
        }
        let mut placer = Placer::new(es);
        let halt = placer.place(&row("2014-03-11T20:00:00Z", 60)).unwrap().halt;
        assert_eq!(halt, Some((time("2014-03-11T20:15:00Z"), time("2014-03-11T20:30:00Z"))));
        assert_eq!(placer.place(&row("2014-03-08T12:00:00Z", 60)).unwrap().session, None);
    }

    #[test]
    fn a_bar_that_no_product_bar_could_hold_has_no_place() {
        for (calendar, start, minutes, words) in [
            (Calendar::CmeEquityIndex, "2024-01-09T00:00:00Z", 240, "3600 s into a product bar"),
            (Calendar::CmeEquityIndex, "2024-01-09T14:30:00Z", 60, "1800 s into a product bar"),
            (Calendar::CmeEquityIndex, "2024-01-09T14:30:30Z", 1, "30 s into a product bar"),
            (Calendar::CmeEquityIndex, "2024-01-09T14:30:00Z", 30, "ok"),
            // Until 2012 the session closed at 15:15 and the next one opened at 15:30.
            (Calendar::CmeEquityIndex, "2011-03-08T21:00:00Z", 60, "trades of two sessions"),
            (Calendar::CmeEquityIndex, "2024-01-09T20:00:00Z", 240, "trades of two sessions"),
            (Calendar::CmeEquityIndex, "2024-01-08T00:00:00Z", 7 * 1440, "trades of two sessions"),
            (Calendar::AlwaysOpen, "2024-01-09T22:00:00Z", 240, "trades of two sessions"),
            (Calendar::AlwaysOpen, "2024-01-09T00:30:00Z", 60, "1800 s into a product bar"),
            (Calendar::AlwaysOpen, "2024-01-09T20:00:00Z", 240, "ok"),
        ] {
            match place(calendar, start, minutes) {
                Ok(_) => assert_eq!(words, "ok", "{start}"),
                Err(error) => assert!(error.contains(words), "{start}: {error}"),
            }
        }
    }

    #[test]
    fn a_daily_bar_is_the_session_of_the_date_that_was_written_in_every_zone() {
        let es = Calendar::CmeEquityIndex;
        for zone in ["UTC", "America/New_York", "Asia/Jerusalem", "Pacific/Auckland"] {
            for shift in [0, DAY] {
                // Over the change of the clocks in New York, where a day has 23 hours.
                for day in [8, 11, 12] {
                    let zone = crate::market::time_zone(zone).unwrap();
                    let date = jiff::civil::date(2024, 3, day);
                    let midnight = zone.to_timestamp(date.to_datetime(Default::default())).unwrap();
                    let start = Timestamp::from_nanos(midnight.as_nanosecond() as i64) + -shift;
                    let bar = BarRow { start, duration: DAY, ..row("2024-01-01T00:00:00Z", 1) };
                    let dated = date_bar(&bar, es, Some(&Dated { zone, shift })).unwrap();
                    let session = es.session_on_or_after(date);
                    assert_eq!(session.trade_date, date);
                    assert_eq!(
                        (dated.start, dated.start + dated.duration),
                        (session.open, session.close)
                    );
                }
            }
        }
        let day = |text: &str| BarRow { start: time(text), duration: DAY, ..row(text, 1) };
        let utc = Dated { zone: TimeZone::UTC, shift: 0 };
        // Good Friday.
        assert_eq!(
            date_bar(&day("2024-03-29T00:00:00Z"), es, Some(&utc)),
            Err(Misplaced::NoSession { date: jiff::civil::date(2024, 3, 29) })
        );
        // A label at the session's end, 16:00 in Chicago, and one inside it.
        let ends = Dated { zone: TimeZone::UTC, shift: DAY };
        let labelled = |end: &str| {
            let start = time(end) + -DAY;
            date_bar(&BarRow { start, ..day(end) }, es, Some(&ends))
        };
        assert_eq!(labelled("2024-01-09T22:00:00Z").unwrap().start, time("2024-01-08T23:00:00Z"));
        assert!(labelled("2024-01-09T21:15:00Z").is_err());
        // A source that dates nothing: only the session's open will do.
        let open = day("2024-01-08T23:00:00Z");
        assert_eq!(date_bar(&open, es, None).unwrap().duration, 23 * Timestamp::HOUR);
        let error = date_bar(&day("2024-01-08T00:00:00Z"), es, None).unwrap_err().to_string();
        assert!(error.contains("the next one opens at 2024-01-08T23:00"), "{error}");
        assert!(date_bar(&day("2024-01-08T00:00:00Z"), Calendar::AlwaysOpen, None).is_ok());
    }
}
