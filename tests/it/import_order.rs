//! Rows that come newest first, and inputs that overlap.

use std::fs;
use std::path::PathBuf;

use algospace_hft::market::{Instrument, Price, Tick, Timestamp};
use algospace_hft::source::import::{Finding, ImportOptions, ImportReport, run};
use algospace_hft::source::native::TickFile;
use proptest::prelude::*;

/// Imports texts, one a file, in this order.
fn import(time_zone: Option<&str>, texts: &[String]) -> (ImportReport, Vec<Tick>) {
    let folder = tempfile::tempdir().unwrap();
    let mut inputs: Vec<PathBuf> = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        inputs.push(folder.path().join(format!("{index}.csv")));
        fs::write(&inputs[index], text).unwrap();
    }
    let output = folder.path().join("output.ticks");
    let es = Instrument::built_in("ES").unwrap();
    let mut options = ImportOptions::new("tick-csv", inputs, output.clone(), es);
    options.time_zone = time_zone.map(str::to_owned);
    let report = run(&options, &mut |_| {}).unwrap();
    (report, TickFile::open(&output).unwrap().ticks().to_vec())
}

fn text(ticks: &[Tick]) -> String {
    ticks.iter().map(|tick| format!("{},{},{}\n", tick.time, tick.price, tick.size)).collect()
}

fn newest_first(text: &str) -> String {
    text.lines().rev().map(|line| format!("{line}\n")).collect()
}

/// Trades of a few seconds, several at most instants and many of them twins.
fn tape() -> impl Strategy<Value = Vec<Tick>> {
    prop::collection::vec((0i64..20, 0i64..3, 1u32..3), 2..80).prop_map(|mut rows| {
        rows.sort_by_key(|row| row.0);
        rows.into_iter()
            .map(|(second, quarters, size)| {
                let time = Timestamp::from_nanos((1_704_726_000 + second) * Timestamp::SECOND);
                Tick::new(time, Price::from_units((18_000 + quarters) * 250_000_000), size)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn newest_first_is_the_same_tape(tape in tape()) {
        prop_assume!(tape[0].time < tape[tape.len() - 1].time);
        let (report, ticks) = import(None, &[newest_first(&text(&tape))]);
        prop_assert_eq!(&ticks, &tape);
        prop_assert_eq!(report.imported, tape.len() as u64);
        // Half a file each, the later half first in both senses.
        let middle = tape[tape.len() / 2].time;
        let (early, late): (Vec<Tick>, Vec<Tick>) = tape.iter().partition(|t| t.time < middle);
        let halves = [late, early].map(|half| newest_first(&text(&half)));
        let is_told = halves.iter().all(|half| {
            let mut times: Vec<&str> = half.lines().map(|line| &line[..20]).collect();
            times.dedup();
            times.len() > 1
        });
        if is_told {
            prop_assert_eq!(import(None, &halves).1, tape);
        }
    }

    /// Windows of one tape that overlap make the tape again, twins and all.
    #[test]
    fn windows_of_a_tape_are_the_tape(tape in tape(), cuts in prop::array::uniform4(0i64..20)) {
        let instant = |second| Timestamp::from_nanos((1_704_726_000 + second) * Timestamp::SECOND);
        let mut cuts = cuts.map(instant);
        cuts.sort();
        let window = |from: Timestamp, until: Timestamp| {
            let inside = |tick: &&Tick| from <= tick.time && tick.time < until;
            tape.iter().filter(inside).copied().collect::<Vec<Tick>>()
        };
        let windows = [
            window(Timestamp::MIN, cuts[2]), window(cuts[0], cuts[3]), window(cuts[1], Timestamp::MAX),
        ];
        // Windows that share one instant only do not tell a repetition from a seam.
        let span = |window: &[Tick]| Some((window.first()?.time, window.last()?.time));
        let spans: Vec<_> = windows.iter().filter_map(|window| span(window)).collect();
        let seam = spans.iter().enumerate().any(|(at, one)| {
            spans[at + 1..].iter().any(|other| one.0.max(other.0) == one.1.min(other.1))
        });
        prop_assume!(!seam);
        let texts: Vec<String> =
            windows.iter().filter(|window| !window.is_empty()).map(|window| text(window)).collect();
        let (report, ticks) = import(None, &texts);
        prop_assert_eq!(&ticks, &tape);
        let rows: usize = windows.iter().map(Vec::len).sum();
        prop_assert_eq!(report.count(Finding::RepeatedTrade).rows, (rows - tape.len()) as u64);
    }
}

#[test]
fn twins_of_a_day_that_two_files_have_stay_twins() {
    // Two files of two days, the second day of one being the first of the other: 3 trades of 8
    // contracts every half minute, two of them twins.
    let day = |day: u32| -> String {
        let minute =
            |second: u32| format!("2024-01-{day:02} 15:{:02}:{:02}", second / 60, second % 60);
        (0..60)
            .map(|n| {
                let time = minute(n * 30);
                format!("{time}.1,4700.25,2\n{time}.2,4700.5,3\n{time}.2,4700.5,3\n")
            })
            .collect()
    };
    let texts = [day(8) + &day(9), day(9) + &day(10)];
    let (report, ticks) = import(None, &texts);
    let volume: u32 = ticks[180..360].iter().map(|tick| tick.size).sum();
    assert_eq!((ticks.len(), volume), (3 * 180, 480));
    assert_eq!(report.count(Finding::RepeatedTrade).rows, 180);
    assert_eq!(report.count(Finding::IdenticalTradeKept).rows, 180);
}

#[test]
fn trades_at_a_seam_of_two_files_are_all_kept() {
    let line = |second| format!("2024-01-08 15:00:{second:02},4700.25,2\n");
    let texts = [line(1) + &line(2), line(2) + &line(3)];
    let (report, ticks) = import(None, &texts);
    assert_eq!((ticks.len(), report.count(Finding::RepeatedTrade).rows), (4, 0));
}

#[test]
fn an_hour_that_comes_twice_is_read_the_same_from_either_end() {
    // The clocks of New York went back at 02:00 on 3 November 2013.
    let times = ["00:45", "01:00", "01:15", "01:45", "01:00", "01:30", "01:45", "02:00", "02:15"];
    let up: String =
        times.iter().zip(1..).map(|(time, n)| format!("2013-11-03 {time},1700,{n}\n")).collect();
    let zone = Some("America/New_York");
    let (report, ticks) = import(zone, std::slice::from_ref(&up));
    assert_eq!((report.rows_in_repeated_hour, report.imported), (6, 9));
    let hours: Vec<String> =
        ticks.iter().map(|tick| tick.time.to_string()[11..16].to_owned()).collect();
    let expected =
        ["04:45", "05:00", "05:15", "05:45", "06:00", "06:30", "06:45", "07:00", "07:15"];
    assert_eq!(hours, expected);
    let (_, down) = import(zone, &[newest_first(&up)]);
    assert_eq!(down, ticks);
}
