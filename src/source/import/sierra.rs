//! Sierra Chart's intraday file, `.scid`: ticks, or bars of one length.
//!
//! Layout (little-endian), from Sierra Chart's "Intraday Data File Format":
//!
//! | bytes | header of 56 bytes |
//! | --- | --- |
//! | 0..4 | magic `SCID` |
//! | 4..8 | header size, `u32` (56) |
//! | 8..12 | record size, `u32` (40) |
//! | 12..14 | version, `u16` (1) |
//! | 14..56 | not used |
//!
//! | bytes | record of 40 bytes |
//! | --- | --- |
//! | 0..8 | microseconds since 1899-12-30T00:00Z, `i64` |
//! | 8..24 | open, high, low, close, `f32` each |
//! | 24..28 | number of trades, `u32` (not read) |
//! | 28..40 | total volume, volume at the bid, volume at the ask, `u32` each |
//!
//! A record is one trade where its open is 0 or one of the two marks of a trade that the exchange
//! reported in parts; then high is the ask, low the bid, close the price. Any other record is a
//! bar.

use std::fs::File;
use std::io::Read;
use std::num::NonZeroU32;
use std::path::Path;

use super::read_error::ReadError;
use super::row::{BarRow, Row, RowRefusal, RowSink, TradeRow};
use crate::market::{Price, Side, Timestamp};

/// First bytes of every `.scid` file.
pub const SIERRA_MAGIC: [u8; 4] = *b"SCID";

const HEADER_BYTES: usize = 56;
const RECORD_BYTES: usize = 40;
/// Records read at once.
const CHUNK_RECORDS: usize = 4096;
/// 1970-01-01 in microseconds since 1899-12-30.
const UNIX_EPOCH_MICROS: i64 = 25_569 * 86_400_000_000;
/// Open of a single trade, and of the first and the last part of a trade reported in parts.
#[expect(clippy::excessive_precision, reason = "as Sierra Chart writes them")]
const TRADE_MARKS: [f32; 3] = [0.0, -1.999_000_95e37, -1.999_001_97e37];

/// The options for reading a `.scid` file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SierraOptions {
    /// Stored prices × this = prices (> 0). Sierra Chart stores some CME prices × 100: 0.01.
    pub price_multiplier: Price,
    /// Seconds in a bar, for a file that holds bars; the file itself does not tell.
    pub bar_seconds: Option<NonZeroU32>,
}

impl Default for SierraOptions {
    /// Returns ticks with prices as stored.
    fn default() -> SierraOptions {
        SierraOptions { price_multiplier: Price::from_units(Price::SCALE), bar_seconds: None }
    }
}

/// The reason why a `.scid` file cannot be read as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SierraError {
    /// The first bytes are not [`SIERRA_MAGIC`].
    #[error(
        "not a Sierra Chart intraday file (it does not start with `SCID`); give a .scid file from Sierra Chart's data folder, or choose another format"
    )]
    Foreign,
    /// Shorter than a header.
    #[error("the file ends inside its header of 56 bytes; copy it again")]
    Truncated,
    /// Another version of the format.
    #[error(
        "version {version} with a header of {header} bytes and records of {record} bytes; this program reads version 1 with 56 and 40: open the chart in a current Sierra Chart, which rewrites the file"
    )]
    Version {
        /// Version found.
        version: u16,
        /// Header size found.
        header: u32,
        /// Record size found.
        record: u32,
    },
    /// A bar, and nobody said how long the bars are.
    #[error(
        "record {record} is a bar, and the file does not tell how long its bars are; give `bar_seconds`, or let Sierra Chart store ticks (Intraday Data Storage Time Unit: 1 tick)"
    )]
    BarLength {
        /// Its place, from 1.
        record: u64,
    },
    /// A multiplier of 0 or below.
    #[error("price_multiplier must be above 0, not {0}")]
    PriceMultiplier(Price),
}

/// Reads a `.scid` file into `sink`.
///
/// Every record goes to [`RowSink::row`] or [`RowSink::refuse`]. Sierra Chart may be writing the
/// file: bytes after the last whole record are one refusal. The file says nothing of its contract
/// but by its name (`ESZ23_FUT_CME.scid`), which is the importer's to read.
///
/// # Errors
/// If the file cannot be read, is of another kind or version, holds bars of unknown length, or the
/// sink says so.
pub fn read_sierra<S: RowSink>(
    path: &Path,
    options: &SierraOptions,
    sink: &mut S,
) -> Result<(), ReadError<S::Error>> {
    let file = File::open(path).map_err(|source| ReadError::io(path, source))?;
    decode_sierra(file, path, options, sink)
}

/// Reads as [`read_sierra`], from any bytes; `path` names them.
///
/// # Errors
/// As [`read_sierra`].
pub fn decode_sierra<R: Read, S: RowSink>(
    mut bytes: R,
    path: &Path,
    options: &SierraOptions,
    sink: &mut S,
) -> Result<(), ReadError<S::Error>> {
    let sierra = |source| ReadError::Sierra { path: path.to_owned(), source };
    if options.price_multiplier <= Price::ZERO {
        return Err(sierra(SierraError::PriceMultiplier(options.price_multiplier)));
    }
    let mut chunk = Vec::with_capacity(CHUNK_RECORDS * RECORD_BYTES);
    let mut read = |chunk: &mut Vec<u8>, length: usize| {
        chunk.clear();
        bytes
            .by_ref()
            .take(length as u64)
            .read_to_end(chunk)
            .map_err(|source| ReadError::io(path, source))
    };
    let header_bytes = read(&mut chunk, HEADER_BYTES)?;
    check_header(&chunk).map_err(sierra)?;
    sink.begin(&path.display().to_string()).map_err(ReadError::Sink)?;
    sink.advance(header_bytes as u64).map_err(ReadError::Sink)?;

    let mut line = 0;
    loop {
        let length = read(&mut chunk, CHUNK_RECORDS * RECORD_BYTES)?;
        let (records, rest) = chunk.as_chunks::<RECORD_BYTES>();
        for bytes in records {
            line += 1;
            let record = ScidRecord::from_bytes(bytes);
            let length = options.bar_seconds.map(|seconds| i64::from(seconds.get()));
            let taken = if record.is_trade() {
                record.trade(options.price_multiplier)
            } else if let Some(seconds) = length {
                record.bar(options.price_multiplier, seconds * Timestamp::SECOND)
            } else {
                return Err(sierra(SierraError::BarLength { record: line }));
            };
            match taken {
                Ok(row) => sink.row(line, row),
                Err(refusal) => sink.refuse(line, refusal, &format!("{record:?}")),
            }
            .map_err(ReadError::Sink)?;
        }
        if !rest.is_empty() {
            let reason = format!("the file ends after {} of its 40 bytes", rest.len());
            let refusal = RowRefusal::Field { field: "record", reason };
            sink.refuse(line + 1, refusal, &format!("{rest:02x?}")).map_err(ReadError::Sink)?;
        }
        sink.advance(length as u64).map_err(ReadError::Sink)?;
        if length < CHUNK_RECORDS * RECORD_BYTES {
            return Ok(());
        }
    }
}

fn check_header(header: &[u8]) -> Result<(), SierraError> {
    if !header.starts_with(&SIERRA_MAGIC) {
        return Err(SierraError::Foreign);
    }
    if header.len() < HEADER_BYTES {
        return Err(SierraError::Truncated);
    }
    let (size, record) = (u32_at(header, 4), u32_at(header, 8));
    let version = u16::from_le_bytes([header[12], header[13]]);
    if (version, size as usize, record as usize) != (1, HEADER_BYTES, RECORD_BYTES) {
        return Err(SierraError::Version { version, header: size, record });
    }
    Ok(())
}

/// A record as it stands.
#[derive(Debug)]
struct ScidRecord {
    micros: i64,
    open: f32,
    high: f32,
    low: f32,
    close: f32,
    volume: u32,
    bid_volume: u32,
    ask_volume: u32,
}

impl ScidRecord {
    fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> ScidRecord {
        let float = |at| f32::from_bits(u32_at(bytes, at));
        let micros = u64::from(u32_at(bytes, 0)) | u64::from(u32_at(bytes, 4)) << 32;
        ScidRecord {
            micros: micros.cast_signed(),
            open: float(8),
            high: float(12),
            low: float(16),
            close: float(20),
            volume: u32_at(bytes, 28),
            bid_volume: u32_at(bytes, 32),
            ask_volume: u32_at(bytes, 36),
        }
    }

    fn is_trade(&self) -> bool {
        TRADE_MARKS.contains(&self.open)
    }

    fn trade(&self, multiplier: Price) -> Result<Row, RowRefusal> {
        // A quote of 0, or one that cannot be read, is no quote; the trade is good all the same.
        let quote =
            |value: f32| if value == 0.0 { None } else { price("quote", value, multiplier).ok() };
        Ok(Row::Trade(TradeRow {
            time: self.time()?,
            price: price("close", self.close, multiplier)?,
            size: i64::from(self.volume),
            aggressor: match (self.bid_volume, self.ask_volume) {
                (0, 1..) => Some(Side::Buy),
                (1.., 0) => Some(Side::Sell),
                _ => None,
            },
            received: None,
            bid: quote(self.low),
            ask: quote(self.high),
        }))
    }

    fn bar(&self, multiplier: Price, duration: i64) -> Result<Row, RowRefusal> {
        Ok(Row::Bar(BarRow {
            start: self.time()?,
            duration,
            open: price("open", self.open, multiplier)?,
            high: price("high", self.high, multiplier)?,
            low: price("low", self.low, multiplier)?,
            close: price("close", self.close, multiplier)?,
            volume: i64::from(self.volume),
        }))
    }

    fn time(&self) -> Result<Timestamp, RowRefusal> {
        self.micros
            .checked_sub(UNIX_EPOCH_MICROS)
            .and_then(|micros| micros.checked_mul(1_000))
            .map(Timestamp::from_nanos)
            .ok_or_else(|| RowRefusal::Field {
                field: "time",
                reason: format!(
                    "{} microseconds since 1899-12-30 is not between 1677 and 2262",
                    self.micros
                ),
            })
    }
}

/// Returns the shortest decimal that means this float, times the multiplier, exactly.
fn price(field: &'static str, value: f32, multiplier: Price) -> Result<Price, RowRefusal> {
    let refuse = |reason: String| RowRefusal::Field { field, reason };
    let stored: Price = value.to_string().parse().map_err(|error| refuse(format!("{error}")))?;
    let product = i128::from(stored.units()) * i128::from(multiplier.units());
    if product % i128::from(Price::SCALE) != 0 {
        return Err(refuse(format!("{value} × {multiplier} is finer than a price can hold")));
    }
    i64::try_from(product / i128::from(Price::SCALE))
        .map(Price::from_units)
        .map_err(|_| refuse(format!("{value} × {multiplier} is beyond the largest price")))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use std::io;

    use jiff::civil::DateTime;
    use proptest::prelude::*;

    use super::super::recorded::RecordedRows;
    use super::*;

    /// Returns a file as Sierra Chart writes it.
    fn file(records: &[[u8; RECORD_BYTES]]) -> Vec<u8> {
        let mut bytes = b"SCID".to_vec();
        bytes.extend(56u32.to_le_bytes());
        bytes.extend(40u32.to_le_bytes());
        bytes.extend(1u16.to_le_bytes());
        bytes.resize(56, 0);
        bytes.extend(records.as_flattened());
        bytes
    }

    /// Creates a record; `[total, bid, ask]` volume.
    fn record(utc: &str, prices: [f32; 4], volumes: [u32; 3]) -> [u8; RECORD_BYTES] {
        let instant = |text: &str| text.parse::<DateTime>().unwrap();
        let since = instant(utc).duration_since(instant("1899-12-30T00:00"));
        let micros = i64::try_from(since.as_micros()).unwrap();
        let mut bytes = micros.to_le_bytes().to_vec();
        bytes.extend(prices.iter().flat_map(|price| price.to_le_bytes()));
        bytes.extend(1u32.to_le_bytes());
        bytes.extend(volumes.iter().flat_map(|volume| volume.to_le_bytes()));
        bytes.try_into().unwrap()
    }

    fn decode(bytes: &[u8], options: &SierraOptions) -> (RecordedRows, Option<String>) {
        let mut sink = RecordedRows::default();
        let path = Path::new("data/ESZ23_FUT_CME.scid");
        let error = decode_sierra(bytes, path, options, &mut sink).err();
        (sink, error.map(|error| error.to_string()))
    }

    fn ticks() -> Vec<[u8; RECORD_BYTES]> {
        vec![
            record("2013-10-07T13:30:00.000001", [0.0, 1670.25, 1670.0, 1670.25], [3, 0, 3]),
            record("2013-10-07T13:30:00.5", [-1.999001e37, 1670.25, 0.0, 1670.0], [2, 2, 0]),
            record("2013-10-07T13:30:01", [-1.999002e37, 0.0, 0.0, 1669.75], [5, 2, 3]),
        ]
    }

    fn price(text: &str) -> Price {
        text.parse().unwrap()
    }

    #[test]
    fn a_tick_has_its_quotes_its_side_and_its_microsecond() {
        let (sink, error) = decode(&file(&ticks()), &SierraOptions::default());
        assert_eq!(error, None);
        assert_eq!(sink.advanced, 56 + 3 * 40);
        let trade = |utc: &str, price_text, size, aggressor, bid, ask| {
            Row::Trade(TradeRow {
                time: utc.parse().unwrap(),
                price: price(price_text),
                size,
                aggressor,
                received: None,
                bid,
                ask,
            })
        };
        let (bid, ask) = (Some(price("1670")), Some(price("1670.25")));
        let expected = [
            trade("2013-10-07T13:30:00.000001Z", "1670.25", 3, Some(Side::Buy), bid, ask),
            trade("2013-10-07T13:30:00.5Z", "1670", 2, Some(Side::Sell), None, ask),
            trade("2013-10-07T13:30:01Z", "1669.75", 5, None, None, None),
        ];
        assert_eq!(sink.rows.iter().map(|row| row.2).collect::<Vec<_>>(), expected);
        assert_eq!(sink.rows.iter().map(|row| row.1).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn a_bar_needs_to_be_told_its_length() {
        let bar = record("2013-10-07T13:30", [1670.0, 1671.5, 1669.25, 1671.0], [400, 190, 210]);
        let bytes = file(&[ticks()[0], bar]);
        let (sink, error) = decode(&bytes, &SierraOptions::default());
        assert_eq!(sink.rows.len(), 1);
        let error = error.unwrap();
        assert!(error.contains("record 2") && error.contains("bar_seconds"), "{error}");

        let options = SierraOptions { bar_seconds: NonZeroU32::new(60), ..Default::default() };
        let (sink, error) = decode(&bytes, &options);
        assert_eq!(error, None);
        let expected = BarRow {
            start: "2013-10-07T13:30:00Z".parse().unwrap(),
            duration: Timestamp::MINUTE,
            open: price("1670"),
            high: price("1671.5"),
            low: price("1669.25"),
            close: price("1671"),
            volume: 400,
        };
        assert_eq!(sink.rows[1].2, Row::Bar(expected));
    }

    #[test]
    fn a_record_that_is_still_being_written_is_one_refusal() {
        let mut bytes = file(&ticks());
        bytes.truncate(bytes.len() - 1);
        let (sink, error) = decode(&bytes, &SierraOptions::default());
        assert_eq!((sink.rows.len(), error), (2, None));
        let (line, refusal, _) = &sink.refusals[..1][0];
        assert_eq!(*line, 3);
        assert!(refusal.to_string().contains("39 of its 40 bytes"), "{refusal}");
    }

    #[test]
    fn refuses_prices_and_times_that_cannot_be_and_keeps_the_rest() {
        let mut late = ticks()[0];
        late[..8].copy_from_slice(&i64::MAX.to_le_bytes());
        let tick = |close| record("2013-10-07T13:30", [0.0, 0.0, f32::NAN, close], [1, 0, 0]);
        let bad = [tick(f32::NAN), tick(f32::INFINITY), tick(1e30), tick(1e-30), late];
        let (sink, error) = decode(&file(&[&bad[..], &[tick(5.0)]].concat()), &Default::default());
        assert_eq!((error, sink.refusals.len(), sink.rows.len()), (None, bad.len(), 1));
        assert!(sink.refusals[4].1.to_string().starts_with("time: "));
    }

    #[test]
    fn refuses_other_files_by_name() {
        let good = file(&ticks());
        let error = |bytes: &[u8]| decode(bytes, &SierraOptions::default()).1.unwrap();
        assert!(error(b"").contains("not a Sierra Chart"));
        assert!(error(b"timestamp,price,volume\n").contains("not a Sierra Chart"));
        assert!(error(&good[..55]).contains("ends inside its header"));
        for at in [4, 8, 12] {
            let mut other = good.clone();
            other[at] += 1;
            assert!(error(&other).contains("version"), "byte {at}");
        }
        let options = SierraOptions { price_multiplier: Price::ZERO, bar_seconds: None };
        assert!(decode(&good, &options).1.unwrap().contains("price_multiplier"));
        let missing = read_sierra(
            Path::new("no/such.scid"),
            &SierraOptions::default(),
            &mut RecordedRows::default(),
        );
        assert!(matches!(missing, Err(ReadError::Io { source, .. })
            if source.kind() == io::ErrorKind::NotFound));
    }

    proptest! {
        #[test]
        fn prices_on_a_grid_are_exact_with_and_without_a_multiplier(
            ticks in prop::collection::vec(1i64..40_000, 1..50),
            (step, hundredfold) in prop::sample::select(&[
                (250_000_000, false), (250_000_000, true), (100_000_000, false), (100_000_000, true),
                (5_000_000, false),
            ][..]),
        ) {
            let expected: Vec<Price> = ticks.iter().map(|n| Price::from_units(n * step)).collect();
            let stored = |price: &Price| {
                (price.units() as f64 / if hundredfold { 1e7 } else { 1e9 }) as f32
            };
            let records: Vec<_> = expected
                .iter()
                .map(|p| record("2013-10-07T13:30", [0.0, 0.0, 0.0, stored(p)], [1, 1, 0]))
                .collect();
            let multiplier = if hundredfold { "0.01" } else { "1" };
            let options = SierraOptions { price_multiplier: price(multiplier), bar_seconds: None };
            let (sink, error) = decode(&file(&records), &options);
            prop_assert_eq!(error, None);
            let found: Vec<Price> = sink.rows.iter().map(|(_, _, row)| match row {
                Row::Trade(trade) => trade.price,
                Row::Bar(bar) => bar.close,
            }).collect();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn every_record_of_any_bytes_is_a_row_or_a_refusal(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            copies in 1usize..500,
        ) {
            // More than one chunk is read where there are many copies.
            let body = bytes.repeat(copies);
            let mut all = file(&[]);
            all.extend(&body);
            let options = SierraOptions { bar_seconds: NonZeroU32::MIN.into(), ..Default::default() };
            let (sink, error) = decode(&all, &options);
            prop_assert_eq!(error, None);
            prop_assert_eq!(sink.rows.len() + sink.refusals.len(), body.len().div_ceil(40));
            prop_assert_eq!(sink.advanced, all.len() as u64);
            _ = decode(&bytes, &options);
        }
    }
}
