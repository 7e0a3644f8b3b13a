//! Places of history bars: in sessions, in product bars, in days.

use std::fs;

use algospace_hft::bars::BarBuilder;
use algospace_hft::config::Config;
use algospace_hft::market::{Bar, BarFlags, Instrument, Timeframe, Timestamp};
use algospace_hft::run::history::History;
use algospace_hft::source::import::{
    BarRow, Finding, ImplausiblePrices, ImportOptions, ImportReport, expand_bar, run,
};
use algospace_hft::source::native::{TickFile, TickFileDescription, TickFileWriter};

use crate::shared_data::shared_data;

/// Imports a file; returns the report and its product bars of `minutes` minutes.
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
    let length = i64::from(report.bar_seconds.unwrap_or(0)) * Timestamp::SECOND;
    let mut builder =
        BarBuilder::new(&[timeframe], es.calendar, Timestamp::HOUR).with_history_bars_of(length);
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
        // From the session's first bar on, nothing is missing.
        let is_whole = |bar: &Bar| bar.flags == BarFlags::FROM_BARS;
        assert!(minutes != 240 || bars.iter().all(is_whole), "{bars:?}");
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

const DAYS: [&str; 8] = [
    "2024-03-07",
    "2024-03-08",
    "2024-03-11",
    "2024-03-12",
    "2024-03-13",
    "2024-04-24",
    "2024-04-25",
    "2024-04-26",
];

/// New York's clocks changed on 10 March 2024.
#[test]
fn daily_bars_are_the_sessions_of_their_dates_in_every_zone() {
    let es = Instrument::built_in("ES").unwrap();
    let midnights = DAYS.map(|day| format!("{day} 00:00:00"));
    let midnights: Vec<&str> = midnights.iter().map(String::as_str).collect();
    for times in [&DAYS[..], &midnights] {
        // Cairo's clocks left the midnight of 26 April out.
        for zone in ["UTC", "America/New_York", "America/Chicago", "Asia/Tokyo", "Africa/Cairo"] {
            let in_zone = |options: &mut ImportOptions| options.time_zone = Some(zone.to_owned());
            let (report, bars) = import("bar-csv", &csv(times), 1440, in_zone).unwrap();
            assert_eq!((report.imported, report.bar_seconds), (8, Some(86_400)));
            assert_eq!(whole(&bars), rows(times), "{zone}");
            for (bar, day) in bars.iter().zip(DAYS) {
                let session = es.calendar.session_at(bar.start).unwrap();
                assert_eq!(session.trade_date.to_string(), day);
                assert_eq!((bar.start, bar.end), (session.open, session.close));
                assert_eq!(bar.flags, BarFlags::FROM_BARS);
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

/// `count` times from 02:00 UTC on, `step` minutes apart, that number of days after 8 January 2024.
fn times(day: i64, count: i64, step: i64) -> impl Iterator<Item = String> {
    let from = 28_411_320 + day * 1440;
    let text = |minute: i64| {
        Timestamp::from_nanos(minute * Timestamp::MINUTE).to_string()[..19].replace('T', " ")
    };
    (0..count).map(move |at| text(from + at * step))
}

fn csv_of(times: impl Iterator<Item = String>) -> String {
    let line = |time| format!("{time},4700,4701,4699,4700.5,100\n");
    "Timestamp,Open,High,Low,Close,Volume\n".to_owned() + &times.map(line).collect::<String>()
}

#[test]
fn bars_have_one_length_and_the_one_that_was_said() {
    let same = |_: &mut ImportOptions| {};
    // Two days of minutes, then fives.
    let text = csv_of(times(0, 600, 1).chain(times(1, 600, 1)).chain(times(2, 12, 5)));
    let error = import("bar-csv", &text, 60, same).unwrap_err();
    assert!(error.contains("bars.csv:1202: bars are taken to be of 60 s"), "{error}");
    assert!(error.contains("from here on they are 300 s apart"), "{error}");
    // Fives, then minutes; and enough fives that their length is taken for that of all.
    let text = csv_of(times(0, 120, 5).chain(times(1, 100, 1)));
    let error = import("bar-csv", &text, 60, same).unwrap_err();
    assert!(error.contains("bars.csv:2: bars are taken to be of 60 s"), "{error}");
    let text = csv_of((0..10).flat_map(|day| times(day, 120, 5)).chain(times(10, 100, 1)));
    let error = import("bar-csv", &text, 60, same).unwrap_err();
    assert!(error.contains("bars.csv:1203: bars are taken to be of 300 s"), "{error}");
    // Bars of a minute that mostly trade every other minute.
    let seldom = |minute: &(usize, String)| minute.0.is_multiple_of(10) || minute.0 % 2 == 1;
    let minutes = times(1, 600, 1).enumerate().filter(seldom).map(|(_, time)| time);
    let (report, _) = import("bar-csv", &csv_of(minutes), 60, same).unwrap();
    assert_eq!((report.bar_seconds, report.imported), (Some(60), 360));
    // Newest first as well, by the line that stands there.
    let mut newest_first: Vec<String> = times(0, 600, 1).chain(times(1, 12, 5)).collect();
    newest_first.reverse();
    let error = import("bar-csv", &csv_of(newest_first.into_iter()), 60, same).unwrap_err();
    assert!(error.contains("bars.csv:13: bars are taken to be of 60 s"), "{error}");
    // Hours in a format of minutes; said as what they are they are read.
    let hours: String =
        (10..15).map(|hour| format!("01/09/2024,{hour}:00,4800,4808,4792,4804,400\n")).collect();
    let error = import("kibot-minute", &hours, 60, same).unwrap_err();
    assert!(error.contains("bars.csv:1: bars are taken to be of 60 s"), "{error}");
    assert!(error.contains("3600 s apart") && error.contains("--bar-seconds 3600"), "{error}");
    let hourly = |options: &mut ImportOptions| options.bar_seconds = Some(3600);
    assert_eq!(import("kibot-minute", &hours, 60, hourly).unwrap().1.len(), 5);
    // A morning that trades each minute, a break, and an evening that trades now and then.
    let now_and_then = times(1, 600, 1).filter(|time| time.as_bytes()[15] % 3 != 1);
    let text = csv_of(times(0, 300, 1).chain(now_and_then));
    assert_eq!(import("bar-csv", &text, 60, same).unwrap().0.bar_seconds, Some(60));
}

#[test]
fn a_price_a_hundred_times_its_neighbours_is_refused_and_told() {
    let ticks = |prices: &[&str]| -> String {
        let row =
            |(second, price): (usize, &&str)| format!("2024-01-09 14:30:{second:02},{price},2\n");
        prices.iter().enumerate().map(row).collect()
    };
    let none = |_: &mut ImportOptions| {};
    let text = ticks(&["4700", "4700.25", "470050", "4700.5", "47", "4700.75"]);
    let (report, bars) = import("tick-csv", &text, 5, none).unwrap();
    let found = report.count(Finding::Implausible);
    let lines: Vec<u64> = found.examples.iter().map(|example| example.line).collect();
    assert_eq!((report.imported, found.rows, lines), (4, 2, vec![3, 5]));
    assert!(report.to_string().contains("bars.csv:3: prices before and after it are near 4700"));
    assert!(report.to_string().contains("\n  prices from 4700 to 4700.75\n"), "{report}");
    assert_eq!((bars[0].high.as_f64(), bars[0].low.as_f64()), (4700.75, 4700.0));
    // Kept, where asked for.
    let keep = |options: &mut ImportOptions| {
        options.policies.implausible_prices = ImplausiblePrices::Keep;
    };
    let (report, _) = import("tick-csv", &text, 5, keep).unwrap();
    assert_eq!((report.imported, report.count(Finding::ImplausibleKept).rows), (6, 2));
    assert!(report.to_string().contains("\n  prices from 47 to 470050\n"), "{report}");
    // A file that continues in another scale.
    let text = ticks(&["4700", "4700.25", "4700.5", "470050", "470075"]);
    let (report, _) = import("tick-csv", &text, 5, none).unwrap();
    let jump = &report.count(Finding::PriceJump).examples[0];
    assert_eq!((report.imported, jump.line), (5, 4));
    // Out of order: neighbours in time, not in the file.
    let text = "2024-01-09 14:30:05,4700,1\n2024-01-09 14:30:01,4701,1\n\
                2024-01-09 14:30:03,47,1\n2024-01-09 14:30:06,4702,1\n";
    let (report, _) = import("tick-csv", text, 5, none).unwrap();
    assert_eq!(report.count(Finding::Implausible).examples[0].line, 3);
    // A bar with one impossible extreme.
    let bar =
        |minute: i64, high: &str| format!("2024-01-09 14:{minute},4700,{high},4699,4700.25,90\n");
    let text: String =
        (30..36).map(|at| bar(at, if at == 33 { "47010" } else { "4701" })).collect();
    let (report, bars) = import("bar-csv", &text, 5, none).unwrap();
    assert_eq!((report.imported, report.count(Finding::Implausible).examples[0].line), (5, 4));
    assert_eq!(bars[0].high.as_f64(), 4701.0);
}

#[test]
fn prices_on_a_coarser_grid_than_the_instruments_are_told() {
    let ticks = |step: usize| -> String {
        let row = |at: usize| {
            let price = 4700.0 + (step * (at * 7 % 60)) as f64 * 0.25;
            format!("2024-01-09 14:{:02}:{:02},{price},2\n", at / 60, at % 60)
        };
        (0..120).map(row).collect()
    };
    let (report, _) = import("tick-csv", &ticks(4), 5, |_| {}).unwrap();
    assert_eq!(report.coarser_tick.unwrap().to_string(), "1");
    assert!(report.to_string().contains("every price is a multiple of 1,"), "{report}");
    assert_eq!(import("tick-csv", &ticks(1), 5, |_| {}).unwrap().0.coarser_tick, None);
}

/// Real minutes of 2013. That the bars are wrong is told by the quotes of the same minutes.
#[test]
fn the_sessions_range_on_the_first_bar_after_a_halt_is_refused() {
    let Some(folder) = shared_data("lean/cme/minute/es") else { return };
    let mut refused = Vec::new();
    let from_lean = |options: &mut ImportOptions| {
        options.inputs = vec![folder.clone()];
        options.contract = Some("ESZ13".to_owned());
    };
    let (report, _) = import("lean", "", 5, from_lean).unwrap();
    for example in &report.count(Finding::Implausible).examples {
        let date = example.input.split('/').next_back().unwrap()[..8].to_owned();
        let fields: Vec<&str> = example.text.split(',').collect();
        assert!(fields[0].contains("T20:30") || fields[0].contains("T21:30"), "{fields:?}");
        let of_day = fields[0].parse::<Timestamp>().unwrap().nanos() % (24 * Timestamp::HOUR);
        let quotes = std::fs::File::open(folder.join(format!("{date}_quote.zip"))).unwrap();
        let mut quotes = zip::ZipArchive::new(quotes).unwrap();
        let mut text = String::new();
        let member = format!("{date}_es_minute_quote_201312.csv");
        std::io::Read::read_to_string(&mut quotes.by_name(&member).unwrap(), &mut text).unwrap();
        let start = format!("{},", of_day / 1_000_000);
        let quote = text.lines().find(|line| line.starts_with(&start)).unwrap();
        let quote: Vec<f64> = quote.split(',').map(|field| field.parse().unwrap()).collect();
        let [high, low]: [f64; 2] = [2, 3].map(|field| fields[field].parse().unwrap());
        let (highest_ask, lowest_bid) = (quote[7], quote[3]);
        assert!(high > highest_ask + 2.0 || low < lowest_bid - 2.0, "{fields:?} {quote:?}");
        refused.push(fields[0][..10].to_owned());
    }
    let days = ["2013-10-08", "2013-10-09", "2013-10-10", "2013-11-18", "2013-12-02", "2013-12-18"];
    assert_eq!(refused, days);
}

/// As an import of an earlier version wrote it: each bar over its own interval, wherever that lies.
#[test]
fn a_native_file_whose_bars_lie_in_two_product_bars_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("old.ticks");
    let es = Instrument::built_in("ES").unwrap();
    let open = |start: &str, minutes: i64| {
        let mut description = TickFileDescription::new(&es, "an earlier import");
        description.expanded_from_bars_of_seconds = Some(minutes as u32 * 60);
        let mut writer = TickFileWriter::create(&path, description).unwrap();
        let start: Timestamp = start.parse().unwrap();
        let bar = BarRow {
            start,
            duration: minutes * Timestamp::MINUTE,
            open: "4700".parse().unwrap(),
            high: "4701".parse().unwrap(),
            low: "4699".parse().unwrap(),
            close: "4700".parse().unwrap(),
            volume: 40,
        };
        expand_bar(&bar, None, |tick| writer.extend(&[tick]).unwrap());
        writer.finish().unwrap();
        let yaml = format!(
            "instrument: ES\ndata_handler: {{ backtest_settings: {{ file_path: {} }} }}\n\
             bars: {{ timeframes: [daily] }}\noutput: {{ directory: {}/run }}\n",
            path.display(),
            folder.path().display()
        );
        let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
        let (working, stop) = (folder.path(), Default::default());
        let history = History::open(&config, &es, working, &stop, &mut |_| {});
        history.map(drop).map_err(|error| error.to_string())
    };
    for (start, minutes) in [
        // Off the grid; beyond the session's end; two sessions.
        ("2024-01-09T00:00:00Z", 240),
        ("2024-01-09T19:00:00Z", 240),
        ("2024-01-09T00:00:00Z", 1440),
    ] {
        let error = open(start, minutes).unwrap_err();
        assert!(error.contains("old.ticks: the history bar whose ticks are from"), "{error}");
    }
    for (start, minutes) in [
        ("2024-01-09T03:00:00Z", 240),
        ("2024-01-09T21:55:00Z", 5),
        // Outside every session: left out by the run.
        ("2024-01-06T12:00:00Z", 60),
    ] {
        assert_eq!(open(start, minutes), Ok(()));
    }
}
