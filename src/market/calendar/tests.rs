//! The calendar against published hours, LEAN's table of special days, and real trades.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use jiff::civil::{DateTime, date, datetime};
use proptest::prelude::*;

use super::*;

const CME: [Calendar; 3] = [Calendar::CmeEquityIndex, Calendar::ComexMetals, Calendar::CmeFx];

/// Returns a file of the shared test data, or a loud skip.
fn shared_data(path: &str) -> Option<PathBuf> {
    let full = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(path);
    if full.exists() {
        return Some(full);
    }
    eprintln!("SKIPPED: no test data at {}", full.display());
    None
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Returns the time on the clocks in Chicago.
fn chicago(time: Timestamp) -> DateTime {
    jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
        .unwrap()
        .to_zoned(CHICAGO.clone())
        .datetime()
}

/// Returns open, halt and close of the session of a trade date, as clocks in Chicago show them.
fn hours(calendar: Calendar, trade_date: Date) -> Option<(String, String, String)> {
    let session = calendar.session_of(trade_date)?;
    assert_eq!(session.trade_date, trade_date);
    let clock = |time| chicago(time).strftime("%a %H:%M").to_string();
    let halt = session.halt.map_or("-".to_owned(), |(start, end)| {
        format!("{} {}", clock(start), chicago(end).strftime("%H:%M"))
    });
    Some((clock(session.open), halt, clock(session.close)))
}

fn assert_hours(calendar: Calendar, trade_date: Date, open: &str, halt: &str, close: &str) {
    let expected = Some((open.to_owned(), halt.to_owned(), close.to_owned()));
    assert_eq!(hours(calendar, trade_date), expected, "{calendar} {trade_date}");
}

#[test]
fn the_equity_index_kept_other_hours_in_other_years() {
    let es = Calendar::CmeEquityIndex;
    assert_hours(es, date(2012, 11, 14), "Tue 15:30", "Tue 16:30 17:00", "Wed 15:15");
    assert_hours(es, date(2012, 11, 16), "Thu 15:30", "Thu 16:30 17:00", "Fri 15:15");
    assert_hours(es, date(2012, 11, 19), "Sun 17:00", "Mon 15:15 15:30", "Mon 16:15");
    assert_hours(es, date(2013, 10, 8), "Mon 17:00", "Tue 15:15 15:30", "Tue 16:15");
    assert_hours(es, date(2015, 9, 18), "Thu 17:00", "Fri 15:15 15:30", "Fri 16:15");
    assert_hours(es, date(2015, 9, 21), "Sun 17:00", "Mon 15:15 15:30", "Mon 16:00");
    assert_hours(es, date(2020, 1, 6), "Sun 17:00", "Mon 15:15 15:30", "Mon 16:00");
    assert_hours(es, date(2021, 6, 25), "Thu 17:00", "Fri 15:15 15:30", "Fri 16:00");
    assert_hours(es, date(2021, 6, 28), "Sun 17:00", "-", "Mon 16:00");
    assert_hours(es, date(2026, 11, 23), "Sun 17:00", "-", "Mon 16:00");
    assert_hours(Calendar::ComexMetals, date(2013, 10, 8), "Mon 17:00", "-", "Tue 16:15");
    assert_hours(Calendar::ComexMetals, date(2020, 1, 7), "Mon 17:00", "-", "Tue 16:00");
    assert_hours(Calendar::CmeFx, date(2013, 10, 8), "Mon 17:00", "-", "Tue 16:00");
}

#[test]
fn the_session_moves_in_utc_when_chicago_changes_its_clocks() {
    let es = Calendar::CmeEquityIndex;
    // Spring: 2026-03-08. The week before is UTC-6, Monday's session already UTC-5.
    let friday = es.session_at_or_after(utc("2026-03-06T12:00:00Z"));
    assert_eq!(
        (friday.open, friday.close),
        (utc("2026-03-05T23:00:00Z"), utc("2026-03-06T22:00:00Z"))
    );
    let monday = es.session_at_or_after(friday.close);
    assert_eq!(
        (monday.open, monday.close),
        (utc("2026-03-08T22:00:00Z"), utc("2026-03-09T21:00:00Z"))
    );
    assert_eq!(monday.trade_date, date(2026, 3, 9));
    // Autumn: 2026-11-01.
    let friday = es.session_at_or_after(utc("2026-10-30T12:00:00Z"));
    assert_eq!(
        (friday.open, friday.close),
        (utc("2026-10-29T22:00:00Z"), utc("2026-10-30T21:00:00Z"))
    );
    let monday = es.session_at_or_after(friday.close);
    assert_eq!(
        (monday.open, monday.close),
        (utc("2026-11-01T23:00:00Z"), utc("2026-11-02T22:00:00Z"))
    );
}

#[test]
fn a_time_belongs_to_the_session_that_holds_it_and_a_halt_does_not_trade() {
    let es = Calendar::CmeEquityIndex;
    let session = es.session_at(utc("2013-10-08T20:20:00Z")).unwrap();
    assert_eq!(session.halt, Some((utc("2013-10-08T20:15:00Z"), utc("2013-10-08T20:30:00Z"))));
    let trading = [
        ("2013-10-07T21:59:59.999999999Z", false),
        ("2013-10-07T22:00:00Z", true),
        ("2013-10-08T20:14:59.999999999Z", true),
        ("2013-10-08T20:15:00Z", false),
        ("2013-10-08T20:30:00Z", true),
        ("2013-10-08T21:14:59.999999999Z", true),
        ("2013-10-08T21:15:00Z", false),
    ];
    for (time, expected) in trading {
        assert_eq!(session.is_trading_at(utc(time)), expected, "{time}");
    }
    assert_eq!(es.session_at(utc("2013-10-08T21:15:00Z")), None);
    assert_eq!(es.session_at(utc("2013-10-12T12:00:00Z")), None);
    assert_eq!(
        es.session_at_or_after(utc("2013-10-12T12:00:00Z")).open,
        utc("2013-10-13T22:00:00Z")
    );
}

#[test]
fn the_thanksgiving_and_christmas_weeks_of_2026() {
    let es = Calendar::CmeEquityIndex;
    assert_hours(es, date(2026, 11, 25), "Tue 17:00", "-", "Wed 16:00");
    assert_hours(es, date(2026, 11, 26), "Wed 17:00", "-", "Thu 12:00");
    assert_hours(es, date(2026, 11, 27), "Thu 17:00", "-", "Fri 12:15");
    assert_hours(es, date(2026, 11, 30), "Sun 17:00", "-", "Mon 16:00");
    assert_hours(es, date(2026, 12, 24), "Wed 17:00", "-", "Thu 12:15");
    assert_hours(es, date(2026, 12, 28), "Sun 17:00", "-", "Mon 16:00");
    for calendar in CME {
        assert_eq!(hours(calendar, date(2026, 12, 25)), None, "{calendar}");
        assert_eq!(hours(calendar, date(2027, 1, 1)), None, "{calendar}");
    }
    // Brokers' and vendors' copies of the exchange's notices.
    let (gold, euro) = (Calendar::ComexMetals, Calendar::CmeFx);
    assert_hours(gold, date(2026, 1, 19), "Sun 17:00", "-", "Mon 13:30");
    assert_hours(euro, date(2026, 1, 19), "Sun 17:00", "-", "Mon 16:00");
    assert_hours(gold, date(2024, 7, 4), "Wed 17:00", "-", "Thu 13:30");
    assert_hours(euro, date(2024, 7, 4), "Wed 17:00", "-", "Thu 16:00");
    assert_hours(gold, date(2026, 7, 3), "Thu 17:00", "-", "Fri 12:00");
    assert_hours(gold, date(2013, 7, 4), "Wed 17:00", "-", "Thu 12:15");
    assert_hours(euro, date(2013, 7, 4), "Wed 17:00", "-", "Thu 12:00");
    assert_eq!(hours(gold, date(2026, 4, 3)), None);
}

#[test]
fn sessions_from_2008_to_2030_are_disjoint_and_in_order() {
    for calendar in CME {
        let mut time = utc("2008-01-01T00:00:00Z");
        let mut previous: Option<Session> = None;
        let mut count = 0;
        while time < utc("2031-01-01T00:00:00Z") {
            let session = calendar.session_at_or_after(time);
            let Session { open, close, .. } = session;
            assert!(open < close && close > time, "{session:?}");
            let (start, end) = session.halt.unwrap_or((open, close));
            if session.halt.is_some() {
                assert!(open < start && start < end && end < close, "{session:?}");
            }
            // The pinned runner counts on it.
            for edge in [open, start, end, close] {
                assert_eq!(edge.nanos() % (5 * Timestamp::MINUTE), 0, "{session:?}");
            }
            assert_eq!(chicago(close).date(), session.trade_date);
            assert_eq!(calendar.session_at(open), Some(session));
            assert_eq!(calendar.session_at(close + -1), Some(session));
            if let Some(previous) = previous {
                assert!(previous.close <= open && previous.trade_date < session.trade_date);
                assert!(open - previous.close <= 5 * 24 * Timestamp::HOUR, "{session:?}");
                assert_eq!(calendar.session_at_or_after(previous.close), session);
            }
            previous = Some(session);
            time = close;
            count += 1;
        }
        // 23 years of 260 to 262 weekdays, less two or three closed days each.
        assert!((5_900..5_960).contains(&count), "{calendar}: {count}");
    }
}

/// One date of LEAN's table, with its clocks set from New York to Chicago.
struct LeanDay {
    holiday: bool,
    early_close: Option<Time>,
    late_open: Option<Time>,
}

fn lean_days(path: PathBuf) -> BTreeMap<Date, LeanDay> {
    let table: serde_json::Value = serde_json::from_reader(File::open(path).unwrap()).unwrap();
    let table = &table["Future-cme-ES"];
    assert_eq!(table["exchangeTimeZone"], "America/New_York");
    let parse = |text: &str| Date::strptime("%m/%d/%Y", text).unwrap();
    let holidays: BTreeSet<Date> = table["holidays"]
        .as_array()
        .unwrap()
        .iter()
        .map(|text| parse(text.as_str().unwrap()))
        .collect();
    let times = |key: &str| -> BTreeMap<Date, Time> {
        let rows = table[key].as_object().unwrap();
        rows.iter()
            .map(|(day, time)| {
                // New York is an hour ahead of Chicago, always.
                let time: Time = time.as_str().unwrap().parse().unwrap();
                (parse(day), time.checked_sub(jiff::Span::new().hours(1)).unwrap())
            })
            .collect()
    };
    let (early_closes, late_opens) = (times("earlyCloses"), times("lateOpens"));
    assert!(early_closes.len() > 150 && late_opens.len() > 100 && holidays.len() >= 2);
    holidays
        .iter()
        .chain(early_closes.keys())
        .chain(late_opens.keys())
        .map(|&day| {
            let holiday = holidays.contains(&day);
            let early_close = early_closes.get(&day).copied();
            let late_open = late_opens.get(&day).copied();
            (day, LeanDay { holiday, early_close, late_open })
        })
        .collect()
}

/// Dates on which our table and LEAN's differ, and why ours stands.
const DEVIATIONS: &[(Date, &str)] = &[
    (date(2012, 10, 29), "LEAN lacks it; CME release of 2012-10-28: closes at 8:15"),
    (date(2012, 10, 30), "LEAN lacks it; CME release of 2012-10-29: closes at 8:15"),
    (date(2018, 12, 5), "LEAN lacks it; CME release of 2018-12-02: closes at 8:30"),
    (date(2023, 7, 3), "LEAN lacks it; stocks closed early, and CME does so every such year"),
    (date(2024, 7, 3), "LEAN lacks it; DTN's copy of CME's notice: closes at 12:15"),
    (date(2024, 11, 29), "LEAN lacks it; the day after Thanksgiving of every other year is there"),
    (date(2025, 1, 9), "LEAN lacks it; CME release of 2024-12-30: closes at 8:30"),
    (date(2025, 12, 25), "LEAN has a close at 16:00 on Christmas, when CME is closed until 17:00"),
];

#[test]
fn special_days_are_those_of_leans_table() {
    let Some(path) = shared_data("lean/reference/market-hours-cme-index.json") else { return };
    let es = Calendar::CmeEquityIndex;
    let lean = lean_days(path);
    let mut differing = BTreeSet::new();
    for (&day, row) in &lean {
        let session = es.session_of(day);
        if row.holiday && session.is_some() {
            differing.insert(day);
        }
        if let Some(expected) = row.early_close {
            let close = session.map(|session| chicago(session.close));
            // Nothing may trade from the close to the evening, or beyond it without a late open.
            let next = es.session_at_or_after(es.instant(day, expected));
            let next_open = chicago(next.open);
            let evening = datetime(day.year(), day.month(), day.day(), 17, 0, 0, 0);
            let stays_closed = expected == jiff::civil::time(16, 0, 0, 0);
            if close != Some(day.to_datetime(expected))
                || next_open < evening
                || (stays_closed && next_open == evening)
            {
                differing.insert(day);
            }
        }
        if let Some(expected) = row.late_open {
            let open = es.instant(day, expected);
            if es.session_at_or_after(open).open != open {
                differing.insert(day);
            }
        }
    }
    // The other way round. LEAN keeps closed days apart from 2026 on only, so before that a day on
    // which we are closed must at least not be one on which LEAN trades for a while.
    let mut day = date(2009, 1, 1);
    while day <= date(2027, 1, 1) {
        let row = lean.get(&day);
        match holidays::trading_day(es, day) {
            TradingDay::Full => (),
            TradingDay::ClosesAt(_) if row.is_some_and(|row| row.early_close.is_some()) => (),
            TradingDay::ClosesAt(_) => {
                differing.insert(day);
            }
            TradingDay::None => {
                if row.is_some_and(|row| row.early_close.is_some()) {
                    differing.insert(day);
                }
            }
        }
        day = tomorrow(day);
    }
    let explained: BTreeSet<Date> = DEVIATIONS.iter().map(|&(day, _)| day).collect();
    assert_eq!(differing, explained);
}

/// Returns every line of every file in a zip archive.
fn zip_lines(path: PathBuf) -> Vec<String> {
    let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
    let mut lines = Vec::new();
    for index in 0..archive.len() {
        let mut text = String::new();
        archive.by_index(index).unwrap().read_to_string(&mut text).unwrap();
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

/// Returns the day in a LEAN file name, at its midnight UTC, and the path.
fn lean_day_files(folder: &str) -> Vec<(Timestamp, PathBuf)> {
    let Some(folder) = shared_data(folder) else { return Vec::new() };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if let Some(day) = name.strip_suffix("_trade.zip") {
            let day = Date::strptime("%Y%m%d", day).unwrap();
            files.push((Calendar::AlwaysOpen.instant(day, Time::midnight()), path));
        }
    }
    assert!(!files.is_empty());
    files
}

/// Checks times against the calendar and returns how many there were and how many did not trade.
fn count_outside(calendar: Calendar, times: impl Iterator<Item = Timestamp>) -> (usize, usize) {
    let mut session = calendar.session_at_or_after(Timestamp::default());
    let (mut all, mut outside) = (0, 0);
    for time in times {
        if time < session.open || time >= session.close {
            session = calendar.session_at_or_after(time);
        }
        all += 1;
        if !session.is_trading_at(time) {
            eprintln!("{calendar}: a trade at {time}, outside {session:?}");
            outside += 1;
        }
    }
    (all, outside)
}

#[test]
fn every_real_trade_is_in_a_session_and_none_in_a_halt() {
    let mut checked = 0;
    let sources = [
        (Calendar::CmeEquityIndex, "lean/cme/minute/es", 5),
        (Calendar::ComexMetals, "lean/comex/minute/gc", 5),
        (Calendar::ComexMetals, "lean/comex/tick/gc", 2),
    ];
    for (calendar, folder, volume_column) in sources {
        for (midnight, path) in lean_day_files(folder) {
            let lines = zip_lines(path);
            let times = lines.iter().filter_map(|line| {
                let mut columns = line.split(',');
                let millis: i64 = columns.next().unwrap().parse().unwrap();
                let volume: f64 = columns.nth(volume_column - 1).unwrap().parse().unwrap();
                (volume > 0.0).then(|| midnight + millis * 1_000_000)
            });
            let (all, outside) = count_outside(calendar, times);
            assert_eq!(outside, 0, "{folder}: of {all}");
            checked += all;
        }
    }
    eprintln!("{checked} bars and ticks checked");
}

#[test]
fn every_real_euro_minute_of_january_2024_is_in_a_session() {
    let path = "databento_es/xcme/6EH4.XCME_1min_bars_20240101_20240131.csv.gz";
    let Some(path) = shared_data(path) else { return };
    let mut text = String::new();
    flate2::read::GzDecoder::new(File::open(path).unwrap()).read_to_string(&mut text).unwrap();
    let times = text.lines().skip(1).map(|line| {
        // Labels are the minute's end: the first of a session is 23:01 and the last 22:00 UTC.
        let label = line.split(',').next().unwrap().replace(' ', "T") + "Z";
        utc(&label) + -Timestamp::MINUTE
    });
    let (all, outside) = count_outside(Calendar::CmeFx, times);
    assert!(all > 20_000 && outside == 0, "{outside} of {all}");
}

#[test]
fn names_are_read_back_and_others_refused() {
    for calendar in Calendar::ALL {
        assert_eq!(calendar.to_string().parse::<Calendar>().unwrap(), calendar);
    }
    let message = "globex".parse::<Calendar>().unwrap_err().to_string();
    assert_eq!(
        message,
        "`globex` is not a calendar; use one of: cme_equity_index, comex_metals, cme_fx, always_open"
    );
}

proptest! {
    #[test]
    fn any_instant_has_a_session_that_is_not_over(nanos: i64) {
        let time = Timestamp::from_nanos(nanos);
        for calendar in Calendar::ALL {
            let session = calendar.session_at_or_after(time);
            prop_assert!(time < session.close || session.close == Timestamp::MAX);
            prop_assert!(session.open <= session.close);
            prop_assert_eq!(calendar.session_at(time).is_some(), session.open <= time);
        }
    }

    #[test]
    fn a_day_of_utc_is_a_session_where_there_are_none(nanos in -4_000_000_000_000_000_000i64..4_000_000_000_000_000_000) {
        let time = Timestamp::from_nanos(nanos);
        let session = Calendar::AlwaysOpen.session_at(time).unwrap();
        prop_assert_eq!(session.open, time.floor_to(24 * Timestamp::HOUR));
        prop_assert_eq!(session.close - session.open, 24 * Timestamp::HOUR);
        prop_assert!(session.is_trading_at(time));
    }
}

#[test]
fn the_ends_of_time_have_sessions_too() {
    for calendar in Calendar::ALL {
        assert!(calendar.session_at_or_after(Timestamp::MIN).close > Timestamp::MIN);
        assert_eq!(calendar.session_at_or_after(Timestamp::MAX).close, Timestamp::MAX);
    }
}
