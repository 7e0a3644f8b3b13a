//! Where history bars lie: in sessions, in product bars, in days.

use std::fs;

use algospace_hft::bars::BarBuilder;
use algospace_hft::market::{Bar, BarFlags, Instrument, Timeframe, Timestamp};
use algospace_hft::source::import::{Finding, ImportOptions, ImportReport, run};
use algospace_hft::source::native::TickFile;

/// What a file is imported to, and its product bars of that many minutes.
fn import(
    format: &str,
    text: &str,
    minutes: u32,
    change: impl FnOnce(&mut ImportOptions),
) -> Result<(ImportReport, Vec<Bar>), String> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("bars.csv"), folder.path().join("bars.ticks"));
    fs::write(&input, text).unwrap();
    let es = Instrument::built_in("ES").unwrap();
    let mut options = ImportOptions::new(format, vec![input], output.clone(), es.clone());
    change(&mut options);
    let report = run(&options, &mut |_| {}).map_err(|error| error.to_string())?;
    let timeframe = Timeframe::from_minutes(minutes).unwrap();
    let mut builder = BarBuilder::new(&[timeframe], es.calendar, Timestamp::HOUR);
    let mut bars = Vec::new();
    for tick in TickFile::open(&output).unwrap().ticks() {
        builder.on_tick(tick, &mut |bar| bars.push(*bar));
    }
    builder.finish(&mut |bar| bars.push(*bar));
    assert_eq!(builder.counts().outside_session, 0);
    bars.retain(|bar| !bar.flags.any(BarFlags::FILLED));
    Ok((report, bars))
}

/// Rows of OHLCV at these times; every row differs from its neighbours in every column.
fn rows(times: &[&str]) -> Vec<[i64; 5]> {
    (0..times.len() as i64)
        .map(|row| [4000, 4008, 3992, 4004].map(|price| price + 10 * row))
        .zip(400..)
        .map(|([open, high, low, close], volume)| [open, high, low, close, volume])
        .collect()
}

fn csv(times: &[&str]) -> String {
    let rows = rows(times);
    let line = |(time, [open, high, low, close, volume]): (&&str, &[i64; 5])| {
        format!("{time},{open},{high},{low},{close},{volume}\n")
    };
    "Timestamp,Open,High,Low,Close,Volume\n".to_owned()
        + &times.iter().zip(&rows).map(line).collect::<String>()
}

fn whole(bars: &[Bar]) -> Vec<[i64; 5]> {
    let points = |price: algospace_hft::market::Price| price.as_f64() as i64;
    bars.iter()
        .map(|bar| {
            let [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map(points);
            [open, high, low, close, bar.volume as i64]
        })
        .collect()
}

/// A bar whose session, or whose trading before a halt, ends first.
#[test]
fn bars_that_straddle_a_session_are_their_product_bars() {
    for (minutes, times) in [
        // 17:00 to 17:00 in Chicago in winter; the session closes at 16:00.
        (
            240,
            &[
                "2024-01-08 23:00:00",
                "2024-01-09 03:00:00",
                "2024-01-09 07:00:00",
                "2024-01-09 11:00:00",
                "2024-01-09 15:00:00",
                "2024-01-09 19:00:00",
                "2024-01-09 23:00:00",
                "2024-01-10 03:00:00",
            ][..],
        ),
        // The halt from 15:15 to 15:30, and the close at 16:15, of 2014.
        (
            30,
            &[
                "2014-03-11 19:30:00",
                "2014-03-11 20:00:00",
                "2014-03-11 20:30:00",
                "2014-03-11 21:00:00",
                "2014-03-11 22:00:00",
            ][..],
        ),
        // The same halt inside an hour.
        (60, &["2014-03-11 19:00:00", "2014-03-11 20:00:00", "2014-03-11 21:00:00"][..]),
        // An early close at 12:15.
        (30, &["2024-07-03 16:00:00", "2024-07-03 16:30:00", "2024-07-03 17:00:00"][..]),
    ] {
        let seconds = Some(minutes * 60);
        let (report, bars) =
            import("bar-csv", &csv(times), minutes, |options| options.bar_seconds = seconds)
                .unwrap();
        assert_eq!(report.imported, times.len() as u64);
        assert_eq!(whole(&bars), rows(times), "{times:?}");
        let start = |bar: &Bar| bar.start.to_string()[..19].replace('T', " ");
        assert_eq!(bars.iter().map(start).collect::<Vec<_>>(), times);
    }
}

#[test]
fn bars_off_the_product_grid_are_refused() {
    for (minutes, times) in [
        // Four hours of UTC, where sessions open at 23:00.
        (
            240,
            [
                "2024-01-09 00:00:00",
                "2024-01-09 04:00:00",
                "2024-01-09 08:00:00",
                "2024-01-09 12:00:00",
            ],
        ),
        (
            60,
            [
                "2024-01-09 14:30:00",
                "2024-01-09 15:30:00",
                "2024-01-09 16:30:00",
                "2024-01-09 17:30:00",
            ],
        ),
        // Until 2012 sessions opened at 15:30, so that hours at :00 fit none.
        (
            60,
            [
                "2011-03-08 15:00:00",
                "2011-03-08 16:00:00",
                "2011-03-08 17:00:00",
                "2011-03-08 18:00:00",
            ],
        ),
    ] {
        let error = import("bar-csv", &csv(&times), minutes, |_| {}).unwrap_err();
        assert!(error.contains("4 of 4 bars fit no product bar of cme_equity_index"), "{error}");
        assert!(error.contains("bars.csv:2: ") && error.contains("into a product bar"), "{error}");
    }
    // One among good ones is refused alone.
    let times = [
        "2024-01-09 14:00:00",
        "2024-01-09 15:00:00",
        "2024-01-09 16:30:00",
        "2024-01-09 18:00:00",
    ];
    let hour = |options: &mut ImportOptions| options.bar_seconds = Some(3600);
    let (report, bars) = import("bar-csv", &csv(&times), 60, hour).unwrap();
    assert_eq!((report.imported, report.count(Finding::OffGrid).rows), (3, 1));
    assert_eq!(report.count(Finding::OffGrid).examples[0].line, 4);
    let mut kept = rows(&times);
    kept.remove(2);
    assert_eq!(whole(&bars), kept);
}

const DAYS: [&str; 6] =
    ["2024-03-07", "2024-03-08", "2024-03-11", "2024-03-12", "2024-03-13", "2024-03-14"];

/// New York's clocks changed on 10 March 2024.
#[test]
fn daily_bars_are_the_sessions_of_their_dates_in_every_zone() {
    let es = Instrument::built_in("ES").unwrap();
    let midnights = DAYS.map(|day| format!("{day} 00:00:00"));
    let midnights: Vec<&str> = midnights.iter().map(String::as_str).collect();
    for times in [&DAYS[..], &midnights] {
        for zone in ["UTC", "America/New_York", "America/Chicago", "Asia/Tokyo"] {
            let in_zone = |options: &mut ImportOptions| options.time_zone = Some(zone.to_owned());
            let (report, bars) = import("bar-csv", &csv(times), 1440, in_zone).unwrap();
            assert_eq!((report.imported, report.bar_seconds), (6, Some(86_400)));
            assert_eq!(whole(&bars), rows(times), "{zone}");
            for (bar, day) in bars.iter().zip(DAYS) {
                let session = es.calendar.session_at(bar.start).unwrap();
                assert_eq!(session.trade_date.to_string(), day);
                assert_eq!((bar.start, bar.end), (session.open, session.close));
            }
        }
    }
}

#[test]
fn days_that_are_no_sessions_are_refused() {
    // Sunday's evening and Monday of a clock.
    let days = ["2024-01-04 00:00", "2024-01-05 00:00", "2024-01-07 00:00", "2024-01-08 00:00"];
    let error = import("bar-csv", &csv(&days), 1440, |_| {}).unwrap_err();
    assert!(error.contains("bars.csv:4: a daily bar of 2024-01-07, a Sunday"), "{error}");
    // Good Friday is a holiday: the row alone is wrong.
    let days = ["2024-03-27 00:00", "2024-03-28 00:00", "2024-03-29 00:00", "2024-04-01 00:00"];
    let (report, _) = import("bar-csv", &csv(&days), 1440, |_| {}).unwrap();
    assert_eq!((report.imported, report.count(Finding::NoSession).rows), (3, 1));
    // Neither a date nor a session's open.
    let days = ["2024-01-08 15:00", "2024-01-09 15:00", "2024-01-10 15:00"];
    let error = import("bar-csv", &csv(&days), 1440, |_| {}).unwrap_err();
    assert!(error.contains("3 of 3 bars") && error.contains("no session"), "{error}");
    // Weeks.
    let weeks = ["2024-01-07 23:00", "2024-01-14 23:00", "2024-01-21 23:00"];
    let error = import("bar-csv", &csv(&weeks), 1440, |_| {}).unwrap_err();
    assert!(error.contains("3 of 3 bars") && error.contains("two sessions"), "{error}");
}
