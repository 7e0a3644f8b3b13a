//! How fast a tick CSV is read and imported, against a bare safe byte loop over the same bytes.
//!
//! `cargo bench --bench csv_import [-- ROWS]`. Each figure is the median of several runs; the runs
//! of the ways take turns, so that other work on the machine disturbs all of them alike.

use std::convert::Infallible;
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::time::Instant;

use algospace_hft::market::{Instrument, Tick, Timestamp};
use algospace_hft::source::import::{ImportOptions, Preset, Refusal, Row, RowSink, read_text, run};

const RUNS: usize = 7;

fn main() {
    let rows = std::env::args().filter_map(|argument| argument.parse().ok()).next();
    let rows: i64 = rows.unwrap_or(5_000_000);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("ticks.csv");
    for (name, is_iso) in [("ISO times with milliseconds", true), ("integer nanoseconds", false)] {
        write(&path, rows, is_iso);
        let text = fs::read(&path).expect("the file was just written");
        println!("{rows} rows, {name}, {:.0} MB", text.len() as f64 / 1e6);

        let format = Preset::by_name("tick-csv").expect("a preset").format();
        let options = ImportOptions::new(
            "tick-csv",
            vec![path.clone()],
            folder.path().join("out.ticks"),
            Instrument::built_in("ES").expect("built in"),
        );
        let mut seconds = [const { Vec::new() }; 4];
        let mut sums = [(0, 0); 2];
        for _ in 0..RUNS {
            let start = Instant::now();
            sums[0] = black_box(bare(&text, is_iso));
            seconds[0].push(start.elapsed().as_secs_f64());

            let start = Instant::now();
            let mut sum = Sum::default();
            let Ok(_) = read_text(&text, &format, &mut sum);
            sums[1] = black_box((sum.rows, sum.sum));
            seconds[1].push(start.elapsed().as_secs_f64());

            let start = Instant::now();
            let report = run(&options, &mut |_| {}).expect("a good file");
            seconds[2].push(start.elapsed().as_secs_f64());
            assert_eq!((report.imported, report.ticks), (rows as u64, rows as u64));

            let records = vec![1u8; rows as usize * size_of::<Tick>()];
            let start = Instant::now();
            let mut file = fs::File::create(folder.path().join("out.ticks")).expect("room");
            file.write_all(&records).and_then(|()| file.sync_all()).expect("room");
            seconds[3].push(start.elapsed().as_secs_f64());
        }
        assert_eq!(sums[0], sums[1], "both must have read the same");
        let [bare, parse, import, disk] = seconds.map(|mut seconds| {
            seconds.sort_by(f64::total_cmp);
            rows as f64 / seconds[seconds.len() / 2] / 1e6
        });
        println!("  bare byte loop   {bare:6.1} M rows/s");
        println!("  read_text        {parse:6.1} M rows/s   {:4.2} of the bare loop", parse / bare);
        println!("  disk alone       {disk:6.1} M rows/s   writing and syncing as many records");
        println!(
            "  import to file   {import:6.1} M rows/s   {:4.2} of the bare loop",
            import / bare
        );
    }
}

/// Ticks some milliseconds apart, a third of them at the time of the one before.
fn write(path: &std::path::Path, rows: i64, is_iso: bool) {
    let mut file = std::io::BufWriter::new(fs::File::create(path).expect("a temporary file"));
    let start: Timestamp = "2013-10-07T13:30:00Z".parse().expect("an instant");
    writeln!(file, "timestamp,price,volume").expect("room");
    let (mut millis, mut quarters, mut state) = (0i64, 6_737i64, 1u64);
    for _ in 0..rows {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let random = state >> 33;
        millis += if random.is_multiple_of(3) { 0 } else { (random % 40) as i64 };
        quarters += match random % 13 {
            0 => 1,
            1 => -1,
            _ => 0,
        };
        let (price, volume) = (quarters as f64 / 4.0, 1 + random % 19);
        let time = start + millis * 1_000_000;
        if is_iso {
            let text = time.to_string();
            let (date, clock) = (&text[..10], &text[11..23]);
            writeln!(file, "{date} {clock},{price},{volume}").expect("room");
        } else {
            writeln!(file, "{},{price},{volume}", time.nanos()).expect("room");
        }
    }
    file.into_inner().expect("room");
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
        if let Row::Trade(trade) = row {
            self.rows += 1;
            self.sum = checksum(self.sum, trade.time.nanos(), trade.price.units(), trade.size);
        }
        Ok(())
    }

    fn refuse(&mut self, line: u64, refusal: Refusal, text: &str) -> Result<(), Infallible> {
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
fn bare(text: &[u8], is_iso: bool) -> (u64, i64) {
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
        let time = if is_iso {
            let (year, month, date) = (number(&mut at), number(&mut at), number(&mut at));
            let (hour, minute, second) = (number(&mut at), number(&mut at), number(&mut at));
            let millis = number(&mut at);
            let key = (year * 100 + month) * 100 + date;
            if day.0 != key {
                day = (key, midnight(year, month, date));
            }
            day.1 + (((hour * 60 + minute) * 60 + second) * 1_000 + millis) * 1_000_000
        } else {
            number(&mut at)
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
