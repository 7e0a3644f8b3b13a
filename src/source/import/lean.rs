//! LEAN's futures archives: one zip a day (tick, second, minute) or a product (hour, daily), with
//! one CSV member a contract.
//!
//! | archive | member | row |
//! | --- | --- | --- |
//! | `20131007_trade.zip` | `20131007_es_tick_trade_201312.csv` | `ms,price,size,exchange,condition,suspicious` |
//! | `20131007_trade.zip` | `20131007_es_minute_trade_201312.csv`, or `second` | `ms,open,high,low,close,volume` |
//! | `daily/es_trade.zip`, `hour/es_trade.zip` | `es_trade_201312.csv` | `YYYYMMDD HH:mm,open,high,low,close,volume` |
//!
//! `ms` is milliseconds, with or without decimals, since midnight of the date in the member's name.
//! Bars are labelled with their start. A member's name may end in the expiry:
//! `…_201312_20131220.csv`.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use jiff::SignedDuration;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use zip::ZipArchive;
use zip::result::ZipError;

use super::read_error::ReadError;
use super::row::{BarRow, Label, Row, RowRefusal, RowSink, TradeRow};
use crate::market::{Price, Timestamp};

/// First bytes of every zip archive that is not empty.
pub const ZIP_MAGIC: [u8; 4] = *b"PK\x03\x04";

/// No row of LEAN's is nearly as long.
const LONGEST_LINE: u64 = 1024;
const MILLISECONDS_A_DAY: i64 = 86_400_000;

/// The options for reading a LEAN archive.
#[derive(Clone, Debug, PartialEq)]
pub struct LeanOptions {
    /// The zone of dates and times. LEAN keeps CME and COMEX data in UTC.
    pub time_zone: TimeZone,
}

impl Default for LeanOptions {
    /// Returns UTC.
    fn default() -> LeanOptions {
        LeanOptions { time_zone: TimeZone::UTC }
    }
}

/// The reason why a LEAN archive cannot be read as a whole.
#[derive(Debug, thiserror::Error)]
pub enum LeanError {
    /// Not a zip archive, or a damaged one.
    #[error("not a zip archive, or a damaged one ({0}); copy it again")]
    Archive(#[from] ZipError),
    /// The archive is good as far as its table, but a member is not.
    #[error("member {member} is damaged ({source}); copy the archive again")]
    Member {
        /// The member.
        member: String,
        /// Fault that was found.
        source: io::Error,
    },
    /// A member whose name LEAN would not give.
    #[error(
        "member {0}: not a name of LEAN's futures data, such as 20131007_es_minute_trade_201312.csv or es_trade_201312.csv; give an archive from LEAN's data/future folder"
    )]
    MemberName(String),
    /// A member whose rows are hours or days, and nobody says which.
    #[error(
        "member {0} holds hours or days, and only LEAN's folders tell which; keep the archive in a folder named `hour` or `daily`, as LEAN does"
    )]
    Resolution(String),
    /// A line that cannot be a row.
    #[error("member {member}, line {line}: longer than {LONGEST_LINE} bytes, not a row of LEAN's")]
    LongLine {
        /// The member.
        member: String,
        /// The line, from 1.
        line: u64,
    },
}

/// Reads the trades of a LEAN archive into `sink`, member by member; members of quotes and open
/// interest are passed over in silence.
///
/// A contract is named by product, month letter and year, such as `ESZ2013`. Ticks
/// that LEAN marks as suspicious are refused. An hour that the clocks go through twice is taken as
/// the first of the two, one that they leave out as after it; neither happens in UTC.
///
/// # Errors
/// If the archive cannot be read or is damaged, a member is not LEAN's, or the sink says so.
pub fn read_lean<S: RowSink>(
    path: &Path,
    options: &LeanOptions,
    sink: &mut S,
) -> Result<(), ReadError<S::Error>> {
    let file = File::open(path).map_err(|source| ReadError::io(path, source))?;
    decode_lean(file, path, options, sink)
}

/// Reads as [`read_lean`], from any bytes; `path` names them, and its folder tells hours from days.
///
/// # Errors
/// As [`read_lean`].
pub fn decode_lean<R: Read + Seek, S: RowSink>(
    mut bytes: R,
    path: &Path,
    options: &LeanOptions,
    sink: &mut S,
) -> Result<(), ReadError<S::Error>> {
    // What a damaged archive says of its members' sizes may be more than there is.
    let mut left = bytes.seek(SeekFrom::End(0)).map_err(|source| ReadError::io(path, source))?;
    let lean = |source| ReadError::Lean { path: path.to_owned(), source };
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let mut archive = ZipArchive::new(BufReader::new(bytes)).map_err(|error| lean(error.into()))?;
    for index in 0..archive.len() {
        let file = archive.by_index(index).map_err(|error| lean(error.into()))?;
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        let compressed = file.compressed_size();
        let member = Member::from_name(&name, folder).map_err(lean)?;
        if let Some(member) = member {
            let input = format!("{}/{name}", path.display());
            sink.begin(&input).map_err(ReadError::Sink)?;
            // The year is in full, so that no time is needed.
            let label = Label { name: &member.contract, number: None, at: Timestamp::default() };
            if sink.select(label).map_err(ReadError::Sink)? {
                let zone = &options.time_zone;
                read_member(file, &name, &member, zone, sink).map_err(|error| match error {
                    MemberError::Lean(error) => lean(error),
                    MemberError::Sink(error) => ReadError::Sink(error),
                })?;
            }
        }
        let step = compressed.min(left);
        left -= step;
        sink.advance(step).map_err(ReadError::Sink)?;
    }
    sink.advance(left).map_err(ReadError::Sink)?;
    Ok(())
}

enum MemberError<E> {
    Lean(LeanError),
    Sink(E),
}

fn read_member<S: RowSink>(
    file: impl Read,
    name: &str,
    member: &Member,
    zone: &TimeZone,
    sink: &mut S,
) -> Result<(), MemberError<S::Error>> {
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let length =
            file.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).map_err(|source| {
                MemberError::Lean(LeanError::Member { member: name.into(), source })
            })?;
        if length == 0 {
            break;
        }
        if length as u64 == LONGEST_LINE && !bytes.ends_with(b"\n") {
            return Err(MemberError::Lean(LeanError::LongLine { member: name.into(), line }));
        }
        // A byte that is not UTF-8 becomes a sign that no field can hold.
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            continue;
        }
        match member.row(text, zone) {
            Ok(row) => sink.row(line, row),
            Err(refusal) => sink.refuse(line, refusal, text),
        }
        .map_err(MemberError::Sink)?;
    }
    Ok(())
}

/// The facts in the name of a member with trades.
#[derive(Debug, PartialEq, Eq)]
struct Member {
    contract: String,
    rows: Rows,
}

#[derive(Debug, PartialEq, Eq)]
enum Rows {
    /// Trades, timed from midnight of that date.
    Ticks(Date),
    /// Bars of that many nanoseconds, timed from midnight of that date.
    BarsOfDay(Date, i64),
    /// Bars of that many nanoseconds that carry their date.
    DatedBars(i64),
}

/// Returns whether a member of an archive is named as LEAN names those of its futures data.
pub(super) fn is_member(name: &str) -> bool {
    Member::from_name(name, Some("daily")).is_ok()
}

impl Member {
    /// Reads the name of a member; `None` for a member that holds no trades.
    fn from_name(name: &str, folder: Option<&str>) -> Result<Option<Member>, LeanError> {
        let foreign = || LeanError::MemberName(name.to_owned());
        let stem = name.strip_suffix(".csv").ok_or_else(foreign)?;
        let parts: Vec<&str> = stem.split('_').collect();
        let (day, symbol, kind, month) = match parts[..] {
            [day, symbol, resolution, kind, month] | [day, symbol, resolution, kind, month, _] => {
                (Some((date(day).ok_or_else(foreign)?, resolution)), symbol, kind, month)
            }
            [symbol, kind, month] | [symbol, kind, month, _] => (None, symbol, kind, month),
            _ => return Err(foreign()),
        };
        let contract = contract(symbol, month).ok_or_else(foreign)?;
        match kind {
            "trade" => {}
            "quote" | "openinterest" => return Ok(None),
            _ => return Err(foreign()),
        }
        let rows = match (day, folder) {
            (Some((date, "tick")), _) => Rows::Ticks(date),
            (Some((date, "second")), _) => Rows::BarsOfDay(date, Timestamp::SECOND),
            (Some((date, "minute")), _) => Rows::BarsOfDay(date, Timestamp::MINUTE),
            (Some(_), _) => return Err(foreign()),
            (None, Some("hour")) => Rows::DatedBars(Timestamp::HOUR),
            (None, Some("daily")) => Rows::DatedBars(24 * Timestamp::HOUR),
            (None, _) => return Err(LeanError::Resolution(name.to_owned())),
        };
        Ok(Some(Member { contract, rows }))
    }

    fn row(&self, text: &str, zone: &TimeZone) -> Result<Row, RowRefusal> {
        let mut fields = [""; 6];
        let mut found = 0;
        for part in text.split(',') {
            if let Some(field) = fields.get_mut(found) {
                *field = part;
            }
            found += 1;
        }
        if found != fields.len() {
            return Err(RowRefusal::Columns { expected: fields.len(), found });
        }
        let [time, first, second, third, fourth, last] = fields;
        let (start, duration) = match self.rows {
            Rows::Ticks(date) => {
                if last != "0" {
                    return Err(refuse("suspicious", format!("`{last}`: LEAN doubts this tick")));
                }
                return Ok(Row::Trade(TradeRow {
                    time: instant(time_of_day(date, time)?, zone)?,
                    price: price("price", first)?,
                    size: whole("size", second)?,
                    aggressor: None,
                    received: None,
                    bid: None,
                    ask: None,
                }));
            }
            Rows::BarsOfDay(date, duration) => (time_of_day(date, time)?, duration),
            Rows::DatedBars(duration) => (date_and_time(time)?, duration),
        };
        Ok(Row::Bar(BarRow {
            start: instant(start, zone)?,
            duration,
            open: price("open", first)?,
            high: price("high", second)?,
            low: price("low", third)?,
            close: price("close", fourth)?,
            volume: whole("volume", last)?,
        }))
    }
}

/// Joins `es` and `201312` → `ESZ2013`.
fn contract(symbol: &str, month: &str) -> Option<String> {
    let symbol_is_good = !symbol.is_empty() && symbol.bytes().all(|b| b.is_ascii_alphanumeric());
    let first_of_month = date(&format!("{month}01"))?;
    let letter = char::from(b"FGHJKMNQUVXZ"[first_of_month.month() as usize - 1]);
    let year = first_of_month.year();
    symbol_is_good.then(|| format!("{}{letter}{year}", symbol.to_ascii_uppercase()))
}

fn refuse(field: &'static str, reason: String) -> RowRefusal {
    RowRefusal::Field { field, reason }
}

fn price(field: &'static str, text: &str) -> Result<Price, RowRefusal> {
    text.parse().map_err(|error| refuse(field, format!("{error}")))
}

/// Reads a whole number, which LEAN may write with decimals.
fn whole(field: &'static str, text: &str) -> Result<i64, RowRefusal> {
    let units = price(field, text)?.units();
    if units % Price::SCALE != 0 {
        return Err(refuse(field, format!("`{text}` is not a whole number")));
    }
    Ok(units / Price::SCALE)
}

/// Reads `YYYYMMDD`.
fn date(text: &str) -> Option<Date> {
    if text.len() != 8 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: i32 = text.parse().ok()?;
    let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
    Date::new(year as i16, month as i8, day as i8).ok()
}

/// Milliseconds since midnight; decimals finer than a nanosecond are cut off.
fn time_of_day(date: Date, text: &str) -> Result<DateTime, RowRefusal> {
    let milliseconds = price("time", text)?;
    if !(0..MILLISECONDS_A_DAY * Price::SCALE).contains(&milliseconds.units()) {
        return Err(refuse("time", format!("`{text}` ms is not within a day")));
    }
    let nanos = milliseconds.units() / (Price::SCALE / 1_000_000);
    date.to_datetime(Time::midnight())
        .checked_add(SignedDuration::from_nanos(nanos))
        .map_err(|error| refuse("time", error.to_string()))
}

/// Reads `YYYYMMDD HH:mm`.
fn date_and_time(text: &str) -> Result<DateTime, RowRefusal> {
    let read = || {
        let (day, clock) = text.split_once(' ')?;
        let (hour, minute) = clock.split_once(':')?;
        let time = Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()?;
        Some(date(day)?.to_datetime(time))
    };
    read().ok_or_else(|| refuse("time", format!("`{text}` is not like `20131007 14:00`")))
}

fn instant(local: DateTime, zone: &TimeZone) -> Result<Timestamp, RowRefusal> {
    let out_of_range = || refuse("time", format!("{local} is not between 1677 and 2262"));
    let instant = zone.to_timestamp(local).map_err(|_| out_of_range())?;
    i64::try_from(instant.as_nanosecond()).map(Timestamp::from_nanos).map_err(|_| out_of_range())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{Cursor, Write};

    use proptest::prelude::*;
    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::super::recorded::{RecordedRows, shared_data, volume};
    use super::*;

    fn archive(members: &[(&str, &str)]) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, text) in members {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(text.as_bytes()).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn decode_as(
        path: &str,
        bytes: &[u8],
        options: &LeanOptions,
    ) -> (RecordedRows, Option<String>) {
        let mut sink = RecordedRows::default();
        let error = decode_lean(Cursor::new(bytes), Path::new(path), options, &mut sink).err();
        (sink, error.map(|error| error.to_string()))
    }

    fn decode(members: &[(&str, &str)]) -> (RecordedRows, Option<String>) {
        decode_as("es/20131007_trade.zip", &archive(members), &LeanOptions::default())
    }

    /// Returns the number of rows and sum of a column, by nothing but `split`.
    fn count_and_sum(path: &Path, column: usize) -> (usize, i64) {
        let mut archive = ZipArchive::new(File::open(path).unwrap()).unwrap();
        let mut text = String::new();
        for index in 0..archive.len() {
            archive.by_index(index).unwrap().read_to_string(&mut text).unwrap();
            text.push('\n');
        }
        let rows = text.lines().filter(|line| !line.is_empty());
        let sizes = rows.map(|line| line.split(',').nth(column).unwrap().parse::<i64>().unwrap());
        sizes.fold((0, 0), |(count, sum), size| (count + 1, sum + size))
    }

    fn archives(folder: &str, kind: &str) -> Vec<std::path::PathBuf> {
        let Some(folder) = shared_data(folder) else { return Vec::new() };
        let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
        files.retain(|path| path.to_string_lossy().ends_with(kind));
        files.sort();
        files
    }

    fn read(path: &Path) -> RecordedRows {
        let mut sink = RecordedRows::default();
        read_lean(path, &LeanOptions::default(), &mut sink).unwrap();
        assert_eq!(sink.refusals, []);
        assert_eq!(sink.advanced, fs::metadata(path).unwrap().len());
        sink
    }

    #[test]
    fn every_bar_of_every_real_day_arrives() {
        let folders =
            ["lean/cme/minute/es", "lean/comex/minute/gc", "lean/cme/hour", "lean/cme/daily"];
        for path in folders.iter().flat_map(|folder| archives(folder, "_trade.zip")) {
            let sink = read(&path);
            assert_eq!((sink.rows.len(), sink.volume()), count_and_sum(&path, 5), "{path:?}");
            for (_, _, row) in &sink.rows {
                let Row::Bar(bar) = row else { panic!("{row:?}") };
                assert!(bar.low <= bar.open.min(bar.close) && bar.high >= bar.open.max(bar.close));
                assert_eq!(bar.start.nanos() % bar.duration, 0, "{path:?}");
            }
        }
    }

    #[test]
    fn minutes_and_hours_tell_the_same_market() {
        // Two archives that LEAN made apart. (Its days are longer than its minutes' days.)
        let Some(root) = shared_data("lean/cme") else { return };
        let of_day = |path: &str| -> Vec<BarRow> {
            let day: Timestamp = "2013-10-08T00:00:00Z".parse().unwrap();
            let rows = read(&root.join(path)).rows.into_iter();
            rows.filter_map(|(contract, _, row)| match row {
                Row::Bar(bar) if contract == "ESZ2013" => Some(bar),
                _ => None,
            })
            .filter(|bar| (day..day + 24 * Timestamp::HOUR).contains(&bar.start))
            .collect()
        };
        let minutes = of_day("minute/es/20131008_trade.zip");
        let hours = of_day("hour/es_trade.zip");
        assert_eq!(hours.len(), 23);
        for hour in hours {
            let inside = || {
                let end = hour.start + hour.duration;
                minutes.iter().filter(move |minute| (hour.start..end).contains(&minute.start))
            };
            assert_eq!(hour.volume, inside().map(|minute| minute.volume).sum::<i64>());
            assert_eq!(hour.high, inside().map(|minute| minute.high).max().unwrap());
            assert_eq!(hour.low, inside().map(|minute| minute.low).min().unwrap());
        }
    }

    #[test]
    fn every_tick_of_every_real_day_arrives() {
        // The counts are those of the data's own description.
        let expected = [("20131007_trade.zip", 40_192), ("20131008_trade.zip", 52_322)];
        for (path, (name, count)) in
            archives("lean/comex/tick/gc", "_trade.zip").iter().zip(expected)
        {
            assert!(path.ends_with(name));
            let sink = read(path);
            assert_eq!(sink.rows.len(), count);
            assert_eq!((count, sink.volume()), count_and_sum(path, 2));
            assert!(sink.contracts().contains(&"GCZ2013"));
            assert!(sink.rows.iter().all(|(_, _, row)| matches!(row, Row::Trade(_))));
        }
    }

    #[test]
    fn quotes_and_open_interest_are_passed_over() {
        let paths =
            [archives("lean/cme/minute/es", "_quote.zip"), archives("lean/cme/hour", "t.zip")];
        for path in paths.concat() {
            assert_eq!(read(&path).inputs, [], "{path:?}");
        }
    }

    #[test]
    fn rows_bear_the_members_date_and_contract() {
        let (sink, error) = decode(&[
            ("20131007_gc_tick_trade_201402.csv", "276.5,1313.7,2,usa,,0\r\n"),
            ("20131007_es_second_trade_201403_20140321.csv", "1000,1,2.5,0.5,1.25,3.0"),
            ("20131007_es_minute_quote_201403.csv", "not,read"),
        ]);
        assert_eq!(error, None);
        assert_eq!(sink.contracts(), ["ESH2014", "GCG2014"]);
        assert_eq!(sink.inputs[0].0, "es/20131007_trade.zip/20131007_gc_tick_trade_201402.csv");
        let Row::Trade(tick) = sink.rows[0].2 else { panic!() };
        assert_eq!(tick.time.to_string(), "2013-10-07T00:00:00.276500000Z");
        assert_eq!((tick.price, tick.size), ("1313.7".parse().unwrap(), 2));
        let Row::Bar(bar) = sink.rows[1].2 else { panic!() };
        assert_eq!(bar.start.to_string(), "2013-10-07T00:00:01.000000000Z");
        assert_eq!((bar.duration, bar.volume), (Timestamp::SECOND, 3));
    }

    #[test]
    fn times_may_be_of_another_zone() {
        let bytes = archive(&[("20130710_es_minute_trade_201309.csv", "34200000,1,1,1,1,1\n")]);
        let options = LeanOptions { time_zone: TimeZone::get("America/New_York").unwrap() };
        let (sink, _) = decode_as("a.zip", &bytes, &options);
        let Row::Bar(bar) = sink.rows[0].2 else { panic!() };
        assert_eq!(bar.start.to_string(), "2013-07-10T13:30:00.000000000Z");
    }

    #[test]
    fn refuses_bad_rows_by_line_and_keeps_the_good_ones() {
        let bars = "0,1,1,1,1,1\n\nx,1,1,1,1,1\n86400000,1,1,1,1,1\n0,1,1,1,1\n0,1,1,1,1,1.5\n0,,1,1,1,1\n5,1,1,1,1,1\n";
        let ticks = "0,1,1,usa,,1\n0,1,1,usa,,0\n\u{fffd},1,1,usa,,0\n";
        let (sink, error) = decode(&[
            ("20131007_es_minute_trade_201312.csv", bars),
            ("20131007_es_tick_trade_201312.csv", ticks),
        ]);
        assert_eq!(error, None);
        assert_eq!(sink.rows.iter().map(|row| row.1).collect::<Vec<_>>(), [1, 8, 2]);
        let refusals: Vec<_> = sink.refusals.iter().map(|r| (r.0, r.1.to_string())).collect();
        let expected = [
            (3, "time: `x` is not a decimal price"),
            (4, "time: `86400000` ms is not within a day"),
            (5, "expected 6 columns, found 5"),
            (6, "volume: `1.5` is not a whole number"),
            (7, "open: `` is not a decimal"),
            (1, "suspicious: `1`"),
            (3, "time: "),
        ];
        assert_eq!(refusals.len(), expected.len());
        for ((line, found), (expected_line, part)) in refusals.iter().zip(expected) {
            assert!(*line == expected_line && found.starts_with(part), "{line}: {found}");
        }
    }

    #[test]
    fn passes_over_a_contract_that_is_not_wanted() {
        let bytes = archive(&[
            ("20131007_es_minute_trade_201312.csv", "0,1,1,1,1,1\n"),
            ("20131007_es_minute_trade_201403.csv", "0,2,2,2,2,2\n"),
        ]);
        let mut sink = RecordedRows { unwanted: Some("ESZ2013"), ..Default::default() };
        let path = Path::new("a.zip");
        decode_lean(Cursor::new(&bytes), path, &LeanOptions::default(), &mut sink).unwrap();
        assert_eq!(sink.rows.iter().map(|row| volume(&row.2)).collect::<Vec<_>>(), [2]);
        assert_eq!(sink.advanced, bytes.len() as u64);
    }

    #[test]
    fn refuses_other_archives_by_name() {
        let options = LeanOptions::default();
        let error = |path: &str, bytes: &[u8]| decode_as(path, bytes, &options).1.unwrap();
        assert!(error("a.zip", b"").contains("not a zip archive"));
        assert!(error("a.zip", b"timestamp,price,volume\n").contains("not a zip archive"));
        for name in [
            "readme.txt",
            "a.csv",
            "es_trade_201313.csv",
            "20131007_es_minute_trade_2013.csv",
            "20131007_es_week_trade_201312.csv",
            "20131307_es_minute_trade_201312.csv",
            "es_call_201312.csv",
            "é_trade_201312.csv",
        ] {
            let message = decode(&[(name, "")]).1.unwrap();
            assert!(message.contains(name) && message.contains("not a name"), "{message}");
        }
        let days = archive(&[("es_trade_201312.csv", "20131007 00:00,1,1,1,1,1\n")]);
        assert!(error("es/es_trade.zip", &days).contains("`hour` or `daily`"));
        let (sink, error) = decode_as("daily/es_trade.zip", &days, &options);
        assert_eq!((sink.rows.len(), error), (1, None));
        let long = "1".repeat(2_000);
        let message = decode(&[("20131007_es_minute_trade_201312.csv", &long)]).1.unwrap();
        assert!(message.contains("line 1") && message.contains("1024 bytes"), "{message}");
    }

    proptest! {
        #[test]
        fn damaged_archives_end_in_an_error_or_in_rows_never_in_a_panic(
            cut in 0usize..600,
            changes in prop::collection::vec((0usize..600, any::<u8>()), 0..8),
        ) {
            let rows = "0,1670.25,1670.5,1670,1670.25,12\n60000,1,1,1,1,1\n";
            let mut bytes = archive(&[
                ("20131007_es_minute_trade_201312.csv", rows),
                ("20131007_es_tick_trade_201312.csv", "1,1670.25,1,usa,,0\n"),
            ]);
            let whole = bytes.len();
            for (at, value) in changes {
                bytes[at % whole] = value;
            }
            bytes.truncate(whole.min(cut + 100));
            let (sink, _) = decode_as("a.zip", &bytes, &LeanOptions::default());
            prop_assert!(sink.advanced <= bytes.len() as u64);
        }

        #[test]
        fn every_line_of_any_text_is_a_row_or_a_refusal(text in "([-0-9.,: \\PC]{0,40}\n){0,20}") {
            for name in ["20131007_es_tick_trade_201312.csv", "es_trade_201312.csv"] {
                let bytes = archive(&[(name, &text)]);
                let (sink, error) = decode_as("hour/a.zip", &bytes, &LeanOptions::default());
                prop_assert_eq!(error, None);
                let lines = text.split('\n').filter(|line| !line.is_empty()).count();
                prop_assert_eq!(sink.rows.len() + sink.refusals.len(), lines);
            }
        }
    }
}
