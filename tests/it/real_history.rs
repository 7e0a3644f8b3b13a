//! Real history through import, bars and backtest, against aggregations made here from the raw
//! files by nothing of ours. Skipped where the shared data is absent.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use algospace_hft::bars::BarBuilder;
use algospace_hft::config::Config;
use algospace_hft::market::{Bar, Instrument, Price, RollRule, Timeframe, Timestamp};
use algospace_hft::run::run_backtest;
use algospace_hft::source::import::{
    ImplausiblePrices, ImportOptions, ImportReport, roll_choice, run,
};
use algospace_hft::source::native::{Adjustment, TickFile};

use crate::shared_data::shared_data;

/// Start in minutes since 1970 → open, high, low, close in 1e-9, volume.
type Boxes = BTreeMap<i64, (i64, i64, i64, i64, u64)>;

/// A price in 1e-9 from its decimal digits, by text alone.
fn nanos(text: &str) -> i64 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

fn add(boxes: &mut Boxes, minute: i64, minutes: i64, bar: (i64, i64, i64, i64, u64)) {
    let row =
        boxes.entry(minute - minute.rem_euclid(minutes)).or_insert((bar.0, bar.1, bar.2, 0, 0));
    *row = (row.0, row.1.max(bar.1), row.2.min(bar.2), bar.3, row.4 + bar.4);
}

/// The rows of one contract's members of LEAN archives, with the members' dates, in order.
fn lean_rows(
    folder: &Path,
    contract_of: impl Fn(&str) -> Option<&'static str>,
) -> Vec<(i64, Vec<String>)> {
    let mut archives: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_str().unwrap().ends_with("_trade.zip"))
        .collect();
    archives.sort();
    let mut rows = Vec::new();
    for archive in archives {
        let date = archive.file_name().unwrap().to_str().unwrap()[..8].to_owned();
        let Some(contract) = contract_of(&date) else { continue };
        let midnight: Timestamp =
            format!("{}-{}-{}T00:00:00Z", &date[..4], &date[4..6], &date[6..]).parse().unwrap();
        let mut zip = zip::ZipArchive::new(std::fs::File::open(&archive).unwrap()).unwrap();
        let name = zip
            .file_names()
            .map(|name| name.unwrap().into_owned())
            .find(|name| name.ends_with(contract))
            .unwrap();
        let mut text = String::new();
        zip.by_name(&name).unwrap().read_to_string(&mut text).unwrap();
        for line in text.lines() {
            rows.push((midnight.nanos(), line.split(',').map(str::to_owned).collect()));
        }
    }
    rows
}

fn import(
    format: &str,
    input: PathBuf,
    instrument: &str,
    rolls: bool,
    output: &Path,
) -> (ImportReport, TickFile) {
    let instrument = Instrument::built_in(instrument).unwrap();
    let calendar = instrument.calendar;
    let mut options = ImportOptions::new(format, vec![input], output.to_owned(), instrument);
    // Every row is compared.
    options.policies.implausible_prices = ImplausiblePrices::Keep;
    if rolls {
        options.roll = Some(roll_choice(RollRule::Volume, Adjustment::None, calendar));
    }
    let report = run(&options, &mut |_| {}).unwrap();
    (report, TickFile::open(output).unwrap())
}

/// The bars with trades, as boxes.
fn bars(file: &TickFile, minutes: u16) -> Boxes {
    let instrument = Instrument::built_in(&file.description().instrument).unwrap();
    let timeframes = [1, 5, 15, 30, 60, 1440].map(|m| Timeframe::from_minutes(m).unwrap());
    let mut builder = BarBuilder::new(&timeframes, instrument.calendar, Timestamp::HOUR);
    let mut all: Vec<Bar> = Vec::new();
    for tick in file.ticks() {
        builder.on_tick(tick, &mut |bar| all.push(*bar));
    }
    builder.finish(&mut |bar| all.push(*bar));
    assert_eq!(builder.counts().outside_session, 0, "every real tick lies in a session");
    all.iter()
        .filter(|bar| bar.timeframe.minutes() == minutes && bar.volume > 0)
        .map(|bar| {
            let units = Price::units;
            let prices = (units(bar.open), units(bar.high), units(bar.low), units(bar.close));
            let start = bar.start.nanos() / Timestamp::MINUTE;
            (start, (prices.0, prices.1, prices.2, prices.3, bar.volume))
        })
        .collect()
}

/// Equal, or the first place where they differ.
fn assert_same(ours: &Boxes, independent: &Boxes, minutes: u16) {
    for start in ours.keys().chain(independent.keys()) {
        let time = Timestamp::from_nanos(start * Timestamp::MINUTE);
        assert_eq!(ours.get(start), independent.get(start), "bar of {minutes} min at {time}");
    }
}

/// A backtest over the file; its books must balance.
fn backtest(file: &Path, instrument: &str, timeframe: u32) -> u64 {
    let yaml = format!(
        "instrument: {instrument}
data_handler: {{ backtest_settings: {{ file_path: {} }} }}
bars: {{ timeframes: [{timeframe}, 30] }}
strategy: {{ kind: baseline, timeframe: {timeframe}, baseline: {{ fast_period: 3, slow_period: 8 }} }}
",
        file.display()
    );
    let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
    let stop = Default::default();
    let record = run_backtest(&config, &stop, &mut |_| {}, &|_| {}).unwrap();
    let again = run_backtest(&config, &stop, &mut |_| {}, &|_| {}).unwrap();
    assert_eq!((&record.trades, &record.equity), (&again.trades, &again.equity));
    let last = record.equity.last().unwrap();
    let earned = record.trades.iter().map(|trade| trade.net_pnl()).sum();
    assert_eq!((last.position, last.equity), (0, record.initial_capital + earned));
    assert!(!record.trades.is_empty());
    for trade in &record.trades {
        assert!(trade.mae <= trade.gross_pnl && trade.gross_pnl <= trade.mfe);
        assert!(trade.entry_time < trade.exit_time);
    }
    record.ticks
}

#[test]
fn fourteen_days_of_es_minutes_across_the_december_roll() {
    let Some(folder) = shared_data("lean/cme/minute/es") else { return };
    let output = tempfile::tempdir().unwrap();
    let path = output.path().join("es.ticks");
    let (report, file) = import("lean", folder.clone(), "ES", true, &path);
    assert_eq!(report.contracts, ["ESZ13", "ESH14"]);
    // 18 December is the first session of the data in which March traded more than December; so
    // from the next one on, which opens at 23:00 UTC, the series shows March, and not before.
    let roll: Timestamp = "2013-12-18T23:00:00Z".parse().unwrap();
    let time = |(midnight, row): &(i64, Vec<String>)| {
        midnight + row[0].parse::<i64>().unwrap() * 1_000_000
    };
    let mut rows = lean_rows(&folder, |_| Some("_201312.csv"));
    rows.retain(|row| time(row) < roll.nanos());
    let mut later = lean_rows(&folder, |date| (date >= "20131218").then_some("_201403.csv"));
    later.retain(|row| time(row) >= roll.nanos());
    rows.append(&mut later);
    assert_eq!(file.description().expanded_from_bars_of_seconds, Some(60));
    for minutes in [1, 5, 15, 30, 60] {
        let mut boxes = Boxes::new();
        for (midnight, row) in &rows {
            let volume: u64 = row[5].parse().unwrap();
            if volume > 0 {
                let milliseconds: i64 = row[0].parse().unwrap();
                let minute = midnight / Timestamp::MINUTE + milliseconds / 60_000;
                let bar = (nanos(&row[1]), nanos(&row[2]), nanos(&row[3]), nanos(&row[4]), volume);
                add(&mut boxes, minute, i64::from(minutes), bar);
            }
        }
        assert_same(&bars(&file, minutes), &boxes, minutes);
    }
    backtest(&path, "ES", 5);
}

#[test]
fn two_days_of_real_gold_ticks() {
    let Some(folder) = shared_data("lean/comex/tick/gc") else { return };
    let output = tempfile::tempdir().unwrap();
    let path = output.path().join("gc.ticks");
    let instrument = Instrument::built_in("GC").unwrap();
    let mut options = ImportOptions::new("lean", vec![folder.clone()], path.clone(), instrument);
    options.contract = Some("GCZ13".to_owned());
    run(&options, &mut |_| {}).unwrap();
    let file = TickFile::open(&path).unwrap();
    // Prints of size 0 are no trades.
    let rows: Vec<_> = lean_rows(&folder, |_| Some("_201312.csv"))
        .into_iter()
        .filter(|(_, row)| row[2] != "0")
        .collect();
    assert_eq!(file.ticks().len(), rows.len());
    for minutes in [1, 5, 30] {
        let mut boxes = Boxes::new();
        for (midnight, row) in &rows {
            let milliseconds: i64 = row[0].parse().unwrap();
            let price = nanos(&row[1]);
            let bar = (price, price, price, price, row[2].parse().unwrap());
            add(
                &mut boxes,
                midnight / Timestamp::MINUTE + milliseconds / 60_000,
                i64::from(minutes),
                bar,
            );
        }
        assert_same(&bars(&file, minutes), &boxes, minutes);
    }
    assert_eq!(backtest(&path, "GC", 5), rows.len() as u64);
}

#[test]
fn an_hour_of_real_es_trades_from_databento() {
    use dbn::decode::{DbnMetadata, DecodeRecord, dbn::Decoder};
    let Some(path) = shared_data("databento_es/databento/esh4-glbx-mdp3-20231225.mbo.dbn.zst")
    else {
        return;
    };
    let mut decoder = Decoder::from_zstd_file(&path).unwrap();
    assert_eq!(decoder.metadata().symbols, ["ESH4"]);
    let mut trades = Vec::new();
    while let Some(record) = decoder.decode_record::<dbn::MboMsg>().unwrap() {
        if record.action as u8 == b'T' {
            trades.push((record.hd.ts_event as i64, record.price, u64::from(record.size)));
        }
    }
    assert_eq!(trades.len(), 2_973);
    let output = tempfile::tempdir().unwrap();
    let native = output.path().join("es.ticks");
    let (report, file) = import("databento", path, "ES", false, &native);
    assert_eq!((report.imported, report.contracts), (2_973, vec!["ESH24".to_owned()]));
    for minutes in [1, 5, 30] {
        let mut boxes = Boxes::new();
        for &(time, price, size) in &trades {
            let bar = (price, price, price, price, size);
            add(&mut boxes, time / Timestamp::MINUTE, i64::from(minutes), bar);
        }
        assert_eq!(boxes.values().map(|bar| bar.4).sum::<u64>(), 9_892);
        assert_same(&bars(&file, minutes), &boxes, minutes);
    }
    backtest(&native, "ES", 1);
}
