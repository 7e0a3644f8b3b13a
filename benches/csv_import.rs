//! The speed of reading and importing text of every kind of layout.
//!
//! `cargo bench --bench csv_import [-- ROWS]`. CPU is that of all threads; what stands in brackets
//! is a layout's time as a multiple of the first one's. The layouts take turns, so that other work
//! on the machine disturbs all of them alike. The first is also read by a bare safe byte loop that
//! checks nothing, and as many records are written to the disk by themselves: the floors of reading
//! and writing.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use algospace_hft::market::{Instrument, Tick, Timestamp};
use algospace_hft::source::import::{
    ImportOptions, Preset, Row, RowRefusal, RowSink, read_text, run,
};

const RUNS: usize = 5;

/// A layout: its name, its preset, its columns and how they are written.
struct Kind {
    name: &'static str,
    preset: &'static str,
    header: &'static str,
    columns: &'static str,
    delimiter: char,
    time: &'static str,
}

const fn kind(
    name: &'static str,
    preset: &'static str,
    header: &'static str,
    columns: &'static str,
    time: &'static str,
) -> Kind {
    Kind { name, preset, header, columns, delimiter: ',', time }
}

/// Dates and times as `strftime` writes them, in a column of its own where a `|` stands between.
const ISO: &str = "%Y-%m-%d %H:%M:%S%.3f";
const SPLIT: &str = "%m/%d/%Y|%H:%M:%S";

const KINDS: &[Kind] = &[
    kind("iso", "tick-csv", "timestamp,price,volume", "time,price,size", ISO),
    kind("iso, T and Z", "tick-csv", "", "time,price,size", "%Y-%m-%dT%H:%M:%S%.6fZ"),
    kind("nanoseconds", "tick-csv", "", "time,price,size", "ns"),
    kind("milliseconds", "tick-csv", "", "time,price,size", "ms"),
    kind("iso, side", "tick-csv", "timestamp,price,volume,side", "time,price,size,side", ISO),
    kind(
        "iso, quotes and side",
        "tick-csv",
        "time,price,size,bid,ask,side",
        "time,price,size,bid,ask,side",
        ISO,
    ),
    kind("other order", "tick-csv", "side,size,price,timestamp", "side,size,price,time", ISO),
    kind("kibot-tick", "kibot-tick", "", "date,time,price,size", SPLIT),
    kind("kibot-tick-bid-ask", "kibot-tick-bid-ask", "", "date,time,price,bid,ask,size", SPLIT),
    Kind {
        delimiter: ';',
        ..kind(
            "ninjatrader-tick",
            "ninjatrader-tick",
            "",
            "time,price,bid,ask,size",
            "%Y%m%d %H%M%S %7f",
        )
    },
    kind(
        "iqfeed-tick",
        "iqfeed-tick",
        "",
        "time,price,size,total,bid,ask,id,market,code,code",
        "%Y-%m-%d %H:%M:%S%.6f",
    ),
    kind("bars, iso", "bar-csv", "", "time,open,high,low,close,volume", "%Y-%m-%d %H:%M:%S"),
    kind(
        "bars, kibot-minute",
        "kibot-minute",
        "",
        "date,time,open,high,low,close,volume",
        "%m/%d/%Y|%H:%M",
    ),
];

fn main() {
    let rows = std::env::args().filter_map(|argument| argument.parse().ok()).next();
    let rows: i64 = rows.unwrap_or(3_000_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = folder.path().join("out.ticks");
    let paths: Vec<PathBuf> = (0..KINDS.len())
        .map(|index| {
            let path = folder.path().join(format!("{index}.csv"));
            write(&path, &KINDS[index], rows_of(&KINDS[index], rows));
            path
        })
        .collect();
    let mut parse = vec![0.0; KINDS.len()];
    let mut import = vec![0.0; KINDS.len()];
    let (mut bare_loop, mut disk) = (0.0, 0.0);
    for _ in 0..RUNS {
        for (index, kind) in KINDS.iter().enumerate() {
            let rows = rows_of(kind, rows);
            let text = fs::read(&paths[index]).expect("the file was just written");
            let preset = Preset::by_name(kind.preset).expect("a preset");
            let mut sum = Sum::default();
            parse[index] += cpu(|| {
                let Ok(_) = read_text(&text, &preset.format(), &mut sum);
            });
            assert_eq!(sum.rows, rows as u64, "{}", kind.name);
            if index == 0 {
                let mut bare_sum = (0, 0);
                bare_loop += cpu(|| bare_sum = black_box(bare(&text)));
                assert_eq!(bare_sum, (sum.rows, sum.sum), "both must have read the same");
                let records = vec![1u8; rows as usize * size_of::<Tick>()];
                disk += cpu(|| {
                    let mut file = fs::File::create(&output).expect("room");
                    file.write_all(&records).and_then(|()| file.sync_all()).expect("room");
                });
                fs::remove_file(&output).expect("it was just written");
            }
            drop(text);
            let es = Instrument::built_in("ES").expect("built in");
            let options =
                ImportOptions::new(kind.preset, vec![paths[index].clone()], output.clone(), es);
            let mut imported = 0;
            import[index] += cpu(|| {
                imported = run(&options, &mut |_| {}).expect("a good file").imported;
            });
            assert_eq!(imported, rows as u64, "{}", kind.name);
        }
    }
    let speed =
        |seconds: f64, kind: &Kind| (rows_of(kind, rows) as usize * RUNS) as f64 / seconds / 1e6;
    println!(
        "bare byte loop {:.1}, disk alone {:.1} M rows/s of CPU",
        speed(bare_loop, &KINDS[0]),
        speed(disk, &KINDS[0])
    );
    println!("{:<22} {:>20} {:>20}", "M rows/s of CPU", "read_text", "whole import");
    for (index, kind) in KINDS.iter().enumerate() {
        let [parse, import] = [&parse, &import].map(|seconds| {
            let own = speed(seconds[index], kind);
            format!("{own:6.1} ({:4.2})", speed(seconds[0], &KINDS[0]) / own)
        });
        println!("{:<22} {parse:>20} {import:>20}", kind.name);
    }
}

/// Bars become four ticks each, so there are fewer of them.
fn rows_of(kind: &Kind, rows: i64) -> i64 {
    if kind.columns.contains("open") { rows / 8 } else { rows }
}

/// Seconds of CPU that all threads spend in `work`; wall time where the system does not say.
fn cpu(work: impl FnOnce()) -> f64 {
    // Hundredths of a second in user and system mode.
    let now = || -> Option<u64> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        Some(fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?)
    };
    let (start, before) = (Instant::now(), now());
    work();
    match (before, now()) {
        (Some(before), Some(after)) => (after - before) as f64 / 100.0,
        _ => start.elapsed().as_secs_f64(),
    }
}

/// Trades some milliseconds apart, a third of them at the time of the one before; or bars a minute
/// apart, without weekends.
fn write(path: &Path, kind: &Kind, rows: i64) {
    let mut text = String::new();
    if !kind.header.is_empty() {
        writeln!(text, "{}", kind.header).expect("room");
    }
    let is_bars = kind.columns.contains("open");
    let start: Timestamp = "2013-10-07T13:30:00Z".parse().expect("an instant");
    let (mut millis, mut quarters, mut state) = (0i64, 6_737i64, 1u64);
    let mut second = (i64::MIN, String::new(), String::new());
    for _ in 0..rows {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = state >> 33;
        millis += match is_bars {
            true => 60_000,
            false
                if random.is_multiple_of(3)
                    || kind.time.contains('|') && !random.is_multiple_of(50) =>
            {
                0
            }
            false if kind.time.contains('|') => 1_000,
            false => (random % 40) as i64,
        };
        quarters += match random % 13 {
            0 => 1,
            1 => -1,
            _ => 0,
        };
        // The hour that clocks leave out once a year is no time in every zone.
        if is_bars && (millis / 3_600_000 + 13) % 24 == 1 {
            millis += 2 * 3_600_000;
        }
        let price = |ticks: i64| (quarters + ticks) as f64 / 4.0;
        let nanos = start.nanos() + millis * 1_000_000;
        if nanos != second.0 {
            let instant = jiff::Timestamp::from_nanosecond(i128::from(nanos)).expect("in range");
            let write = |pattern: &str| match pattern {
                "ns" => nanos.to_string(),
                "ms" => (nanos / 1_000_000).to_string(),
                _ => instant.to_zoned(jiff::tz::TimeZone::UTC).strftime(pattern).to_string(),
            };
            let (date, clock) = kind.time.split_once('|').unwrap_or((kind.time, ""));
            second = (nanos, write(date), write(clock));
        }
        let mut gap = None;
        let has_date = kind.columns.contains("date");
        for column in kind.columns.split(',') {
            text.extend(gap.replace(kind.delimiter));
            match column {
                "date" => text += &second.1,
                "time" => text += if has_date { &second.2 } else { &second.1 },
                "size" => write!(text, "{}", 1 + random % 19).expect("room"),
                "total" => write!(text, "{}", millis / 7).expect("room"),
                "volume" => write!(text, "{}", 100 + random % 1_900).expect("room"),
                "bid" | "low" => write!(text, "{}", price(-1)).expect("room"),
                "ask" | "high" => write!(text, "{}", price(1)).expect("room"),
                "side" => text.push(if random.is_multiple_of(2) { 'B' } else { 'S' }),
                "id" => write!(text, "{random}").expect("room"),
                "market" => text.push('C'),
                "code" => text += "43",
                _ => write!(text, "{}", price(0)).expect("room"),
            }
        }
        text.push('\n');
    }
    fs::write(path, text).expect("a temporary file");
}

#[derive(Default)]
struct Sum {
    rows: u64,
    sum: i64,
}

impl RowSink for Sum {
    type Error = Infallible;

    fn begin(&mut self, _: &str) -> Result<(), Infallible> {
        Ok(())
    }

    #[inline]
    fn row(&mut self, _: u64, row: Row) -> Result<(), Infallible> {
        self.rows += 1;
        self.sum = match row {
            Row::Trade(row) => checksum(self.sum, row.time.nanos(), row.price.units(), row.size),
            Row::Bar(row) => checksum(self.sum, row.start.nanos(), row.close.units(), row.volume),
        };
        Ok(())
    }

    fn refuse(&mut self, line: u64, refusal: RowRefusal, text: &str) -> Result<(), Infallible> {
        panic!("line {line} `{text}`: {refusal}");
    }

    fn advance(&mut self, _: u64) -> Result<(), Infallible> {
        Ok(())
    }
}

#[inline]
fn checksum(sum: i64, time: i64, price: i64, size: i64) -> i64 {
    sum.wrapping_add(time ^ price.wrapping_mul(31) ^ size)
}

/// The least that reads such a file: byte by byte, without any check of what it reads.
fn bare(text: &[u8]) -> (u64, i64) {
    let (mut rows, mut sum) = (0, 0);
    let mut at = text.iter().position(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let number = |at: &mut usize| {
        let mut value = 0i64;
        while let Some(digit) =
            text.get(*at).map(|byte| byte.wrapping_sub(b'0')).filter(|&d| d < 10)
        {
            value = value * 10 + i64::from(digit);
            *at += 1;
        }
        *at += 1;
        value
    };
    let mut day = (0, 0);
    while at < text.len() {
        let time = {
            let (year, month, date) = (number(&mut at), number(&mut at), number(&mut at));
            let (hour, minute, second) = (number(&mut at), number(&mut at), number(&mut at));
            let millis = number(&mut at);
            let key = (year * 100 + month) * 100 + date;
            if day.0 != key {
                day = (key, midnight(year, month, date));
            }
            day.1 + (((hour * 60 + minute) * 60 + second) * 1_000 + millis) * 1_000_000
        };
        let whole = number(&mut at);
        let mut price = whole * 1_000_000_000;
        if text[at - 1] == b'.' {
            let from = at;
            let fraction = number(&mut at);
            price += fraction * 10i64.pow(9 - (at - 1 - from) as u32);
        }
        let size = number(&mut at);
        rows += 1;
        sum = checksum(sum, time, price, size);
    }
    (rows, sum)
}

fn midnight(year: i64, month: i64, day: i64) -> i64 {
    let text = format!("{year:04}-{month:02}-{day:02}T00:00:00Z");
    text.parse::<Timestamp>().expect("a date").nanos()
}
