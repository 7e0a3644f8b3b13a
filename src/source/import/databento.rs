//! Databento's DBN files, `.dbn` and `.dbn.zst`, through Databento's own decoder.
//!
//! | schema | rows |
//! | --- | --- |
//! | `trades` | every trade |
//! | `mbp-1`, `tbbo` | records with action `T`, with the best bid and ask that stood before the trade |
//! | `mbo` | records with action `T`; `F`, the resting side of the same trade, is passed over |
//! | `ohlcv-1s`, `-1m`, `-1h`, `-1d` | every bar, labelled with its start |

use std::borrow::Cow;
use std::ffi::c_char;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use dbn::decode::DynReader;
use dbn::decode::dbn::fsm::{DbnFsm, ProcessResult};
use dbn::{
    MboMsg, Mbp1Msg, OhlcvMsg, RecordHeader, Schema, SymbolIndex, TradeMsg, TsSymbolMap,
    UNDEF_PRICE, UNDEF_TIMESTAMP, VersionUpgradePolicy, rtype,
};

use super::read_error::ReadError;
use super::row::{BarRow, Label, Row, RowRefusal, RowSink, TradeRow};
use crate::market::{Price, Side, Timestamp};

/// First bytes of a DBN file that is not compressed.
pub const DATABENTO_MAGIC: [u8; 3] = *b"DBN";
/// First bytes of a Zstandard file, such as a `.dbn.zst`.
pub const ZSTANDARD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Magic, version, length of the metadata.
const PRELUDE_BYTES: usize = 8;
/// Newest version of the format that is read.
const NEWEST_VERSION: u8 = 3;
/// The symbols of every instrument of CME for ten years take less.
const LARGEST_METADATA: u32 = 1 << 28;

/// The reason why a DBN file cannot be read as a whole.
#[derive(Debug, thiserror::Error)]
pub enum DatabentoError {
    /// Neither DBN nor DBN in Zstandard.
    #[error("not a Databento DBN file; give a .dbn or .dbn.zst file, or choose another format")]
    Foreign,
    /// Databento's older format.
    #[error(
        "a legacy .dbz file, which this program does not read; convert it with Databento's own program: `dbn FILE.dbz --dbn --output FILE.dbn`"
    )]
    Legacy,
    /// A newer version of DBN.
    #[error(
        "DBN version {0}, this program reads versions 1 to {NEWEST_VERSION}; convert the file with Databento's own program or download it in an earlier version"
    )]
    Version(u8),
    /// A schema without trades or bars.
    #[error(
        "schema `{0}` has no trades or bars that this program takes; download one of trades, tbbo, mbp-1, mbo, ohlcv-1s, ohlcv-1m, ohlcv-1h, ohlcv-1d"
    )]
    Schema(Schema),
    /// The bytes end inside the metadata or a record.
    #[error("truncated after {records} whole records; download it again")]
    Truncated {
        /// Records before the end.
        records: u64,
    },
    /// Bytes that are not what Databento writes.
    #[error("damaged after {records} whole records ({reason}); download it again")]
    Damaged {
        /// Records before the damage.
        records: u64,
        /// The decoder's error.
        reason: String,
    },
}

/// Reads the trades or bars of a DBN file, compressed or not, of version 1 to 3, into `sink`.
///
/// Lines count records. [`RowSink::select`] is called whenever the contract changes, so more than
/// once for a contract where several trade at the same time, and with the instrument's number where
/// the symbol is that of a series, such as `ES.c.0`. A contract is named by its symbol on the
/// record's day as the file tells it, or `id-` and its number where the file does not. Spreads (a
/// `-` or a blank in the symbol) are passed over, and so are records without trades or bars. A file
/// without a schema, as a live session records it, is read for the first kind of record in it that
/// has trades or bars, and records of another such kind, which would count the same trades again,
/// are refused.
///
/// # Errors
/// If the file cannot be read, is not DBN, is of a schema that has no trades or bars, is truncated
/// or damaged, or the sink says so.
pub fn read_databento<S: RowSink>(path: &Path, sink: &mut S) -> Result<(), ReadError<S::Error>> {
    let file = File::open(path).map_err(|source| ReadError::io(path, source))?;
    decode_databento(file, path, sink)
}

/// Reads as [`read_databento`], from any bytes; `path` names them.
///
/// # Errors
/// As [`read_databento`].
pub fn decode_databento<R: Read, S: RowSink>(
    bytes: R,
    path: &Path,
    sink: &mut S,
) -> Result<(), ReadError<S::Error>> {
    let fail = |cause: Cause| cause.at(path);
    let mut input = DbnInput::open(bytes).map_err(fail)?;
    // The state machine is driven here, not by dbn's reader, which takes a truncated file for a
    // whole one and cannot bear reads shorter than the metadata. Records stay as they are: those
    // with rows are the same in every version, and dbn panics where it upgrades a damaged one.
    let mut fsm = DbnFsm::builder()
        .upgrade_policy(VersionUpgradePolicy::AsIs)
        .build()
        .expect("the policy fits every version");
    fsm.write_all(&input.prelude().map_err(fail)?);

    let mut kind = None;
    let mut symbols = TsSymbolMap::new();
    sink.begin(&path.display().to_string()).map_err(ReadError::Sink)?;
    let mut contract = (0, String::new());
    let mut wanted = false;
    let mut line = 0;
    loop {
        // A length of an odd number of 4-byte words would put the next record where dbn must not
        // read its 8-byte fields.
        if fsm.has_decoded_metadata() && fsm.data().first().is_some_and(|words| words % 2 == 1) {
            let reason = "a record of an odd length".to_owned();
            return Err(fail(Cause::Format(DatabentoError::Damaged { records: line, reason })));
        }
        match fsm.process() {
            ProcessResult::ReadMore(_) => {
                let length = input.read(fsm.space(), line).map_err(fail)?;
                fsm.fill(length);
                sink.advance(input.advanced()).map_err(ReadError::Sink)?;
                if length == 0 {
                    let whole = fsm.has_decoded_metadata() && fsm.data().is_empty();
                    return if whole { Ok(()) } else { Err(fail(Cause::truncated(line))) };
                }
            }
            ProcessResult::Err(error) => return Err(fail(Cause::damaged(line, &error))),
            ProcessResult::Metadata(metadata) => {
                kind = metadata
                    .schema
                    .map(|schema| record_type(schema).ok_or(DatabentoError::Schema(schema)))
                    .transpose()
                    .map_err(|error| fail(Cause::Format(error)))?;
                symbols = metadata.symbol_map().map_err(|error| fail(Cause::damaged(0, &error)))?;
            }
            ProcessResult::Record(()) => {
                let Some(record) = fsm.last_record() else { continue };
                let header = record.header();
                let damaged = |error| fail(Cause::damaged(line, &error));
                let decoded = match header.rtype {
                    rtype::MBP_0 => DbnTrade::from_trade(record.try_get().map_err(damaged)?).row(),
                    rtype::MBP_1 => DbnTrade::from_quote(record.try_get().map_err(damaged)?).row(),
                    rtype::MBO => DbnTrade::from_order(record.try_get().map_err(damaged)?).row(),
                    rtype::OHLCV_1S => bar(record.try_get().map_err(damaged)?, Timestamp::SECOND),
                    rtype::OHLCV_1M => bar(record.try_get().map_err(damaged)?, Timestamp::MINUTE),
                    rtype::OHLCV_1H => bar(record.try_get().map_err(damaged)?, Timestamp::HOUR),
                    rtype::OHLCV_1D => {
                        bar(record.try_get().map_err(damaged)?, 24 * Timestamp::HOUR)
                    }
                    _ => {
                        symbols.on_record(record).map_err(damaged)?;
                        Ok(None)
                    }
                };
                line += 1;
                let row = match decoded {
                    Ok(None) => continue,
                    Ok(Some(_)) if *kind.get_or_insert(header.rtype) != header.rtype => {
                        Err(refuse("rtype", "the file holds rows of another kind".to_owned()))
                    }
                    Ok(Some(row)) => Ok(row),
                    Err(refusal) => Err(refusal),
                };
                // A record without the time that mappings go by still has that of the exchange.
                let known = symbols
                    .get_for_rec(&record)
                    .or_else(|| symbols.get_for_ts(header.ts_event, header.instrument_id));
                let symbol = match known {
                    Some(symbol) if symbol.contains(['-', ' ']) => continue,
                    Some(symbol) => Cow::Borrowed(symbol.as_str()),
                    None => Cow::Owned(format!("id-{}", header.instrument_id)),
                };
                let number = header.instrument_id;
                // One symbol may stand for one instrument after the other.
                // A record whose time is refused tells no contract's decade.
                let at = time("ts_event", header.ts_event).ok();
                let at = at.filter(|at| at.is_in_market_years());
                if let Some(at) = at
                    && (contract.0 != number || contract.1 != symbol)
                {
                    contract = (number, symbol.into_owned());
                    // A number beside an id or a contract's symbol says nothing more.
                    let is_joined = contract.1.contains('.');
                    let number = is_joined.then_some(number);
                    wanted = sink
                        .select(Label { name: &contract.1, number, at })
                        .map_err(ReadError::Sink)?;
                }
                match row {
                    _ if !wanted && at.is_some() => Ok(()),
                    Ok(row) => sink.row(line, row),
                    Err(refusal) => sink.refuse(line, refusal, &text(header)),
                }
                .map_err(ReadError::Sink)?;
            }
        }
    }
}

/// Returns the type of record that holds the rows of a schema.
fn record_type(schema: Schema) -> Option<u8> {
    Some(match schema {
        Schema::Trades => rtype::MBP_0,
        Schema::Mbp1 | Schema::Tbbo => rtype::MBP_1,
        Schema::Mbo => rtype::MBO,
        Schema::Ohlcv1S => rtype::OHLCV_1S,
        Schema::Ohlcv1M => rtype::OHLCV_1M,
        Schema::Ohlcv1H => rtype::OHLCV_1H,
        Schema::Ohlcv1D => rtype::OHLCV_1D,
        _ => return None,
    })
}

/// The fields that all records of trades share.
struct DbnTrade<'a> {
    header: &'a RecordHeader,
    received: u64,
    action: c_char,
    side: c_char,
    price: i64,
    size: u32,
    bid: i64,
    ask: i64,
}

impl<'a> DbnTrade<'a> {
    fn from_trade(record: &'a TradeMsg) -> DbnTrade<'a> {
        DbnTrade {
            header: &record.hd,
            received: record.ts_recv,
            action: record.action,
            side: record.side,
            price: record.price,
            size: record.size,
            bid: UNDEF_PRICE,
            ask: UNDEF_PRICE,
        }
    }

    fn from_quote(record: &'a Mbp1Msg) -> DbnTrade<'a> {
        let [level] = &record.levels;
        DbnTrade {
            header: &record.hd,
            received: record.ts_recv,
            action: record.action,
            side: record.side,
            price: record.price,
            size: record.size,
            bid: level.bid_px,
            ask: level.ask_px,
        }
    }

    fn from_order(record: &'a MboMsg) -> DbnTrade<'a> {
        DbnTrade {
            header: &record.hd,
            received: record.ts_recv,
            action: record.action,
            side: record.side,
            price: record.price,
            size: record.size,
            bid: UNDEF_PRICE,
            ask: UNDEF_PRICE,
        }
    }

    /// Returns the row; `None` if the record tells of something else than a trade.
    fn row(&self) -> Result<Option<Row>, RowRefusal> {
        if self.action as u8 != b'T' {
            return Ok(None);
        }
        let aggressor = match self.side as u8 {
            b'A' => Some(Side::Sell),
            b'B' => Some(Side::Buy),
            b'N' => None,
            other => return Err(refuse("side", format!("byte {other} is none of A, B and N"))),
        };
        Ok(Some(Row::Trade(TradeRow {
            time: time("ts_event", self.header.ts_event)?,
            price: price("price", self.price)?,
            size: i64::from(self.size),
            aggressor,
            received: time("ts_recv", self.received).ok(),
            bid: price("bid_px", self.bid).ok(),
            ask: price("ask_px", self.ask).ok(),
        })))
    }
}

fn bar(record: &OhlcvMsg, duration: i64) -> Result<Option<Row>, RowRefusal> {
    Ok(Some(Row::Bar(BarRow {
        start: time("ts_event", record.hd.ts_event)?,
        duration,
        open: price("open", record.open)?,
        high: price("high", record.high)?,
        low: price("low", record.low)?,
        close: price("close", record.close)?,
        volume: i64::try_from(record.volume)
            .map_err(|_| refuse("volume", format!("{} is no volume", record.volume)))?,
    })))
}

fn refuse(field: &'static str, reason: String) -> RowRefusal {
    RowRefusal::Field { field, reason }
}

fn price(field: &'static str, units: i64) -> Result<Price, RowRefusal> {
    if units == UNDEF_PRICE {
        return Err(refuse(field, "the file gives none".to_owned()));
    }
    Ok(Price::from_units(units))
}

fn time(field: &'static str, nanos: u64) -> Result<Timestamp, RowRefusal> {
    match i64::try_from(nanos) {
        Ok(nanos) => Ok(Timestamp::from_nanos(nanos)),
        Err(_) if nanos == UNDEF_TIMESTAMP => Err(refuse(field, "the file gives none".to_owned())),
        Err(_) => Err(refuse(field, format!("{nanos} ns since 1970 is after 2262"))),
    }
}

fn text(header: &RecordHeader) -> String {
    format!(
        "record type {}, instrument {}, ts_event {}",
        header.rtype, header.instrument_id, header.ts_event
    )
}

/// The bytes of a file, unpacked.
struct DbnInput<R: Read> {
    reader: DynReader<'static, BufReader<Counted<R>>>,
    advanced: u64,
}

impl<R: Read> DbnInput<R> {
    fn open(bytes: R) -> Result<DbnInput<R>, Cause> {
        let mut buffered = BufReader::with_capacity(1 << 16, Counted { bytes, count: 0 });
        let first = buffered.fill_buf().map_err(Cause::Io)?;
        // A legacy file starts with a Zstandard frame to be skipped, which holds its metadata.
        if first.get(8..11) == Some(b"DBZ") {
            return Err(Cause::Format(DatabentoError::Legacy));
        }
        let reader =
            DynReader::inferred_with_buffer(buffered).map_err(|error| Cause::damaged(0, &error))?;
        Ok(DbnInput { reader, advanced: 0 })
    }

    /// Reads and checks what stands before the metadata, whose length decides how much memory is
    /// taken for it.
    fn prelude(&mut self) -> Result<[u8; PRELUDE_BYTES], Cause> {
        let mut prelude = [0; PRELUDE_BYTES];
        let mut filled = 0;
        while filled < PRELUDE_BYTES {
            let length = self.read(&mut prelude[filled..], 0)?;
            filled += length;
            if length == 0 {
                break;
            }
        }
        let [d, b, n, version, length @ ..] = prelude;
        let length = u32::from_le_bytes(length);
        if [d, b, n] != DATABENTO_MAGIC {
            Err(Cause::Format(DatabentoError::Foreign))
        } else if filled < PRELUDE_BYTES {
            Err(Cause::truncated(0))
        } else if !(1..=NEWEST_VERSION).contains(&version) {
            Err(Cause::Format(DatabentoError::Version(version)))
        } else if length > LARGEST_METADATA {
            let reason = format!("{length} bytes of metadata");
            Err(Cause::Format(DatabentoError::Damaged { records: 0, reason }))
        } else {
            Ok(prelude)
        }
    }

    fn read(&mut self, space: &mut [u8], records: u64) -> Result<usize, Cause> {
        self.reader.read(space).map_err(|error| {
            if error.raw_os_error().is_some() {
                Cause::Io(error)
            } else if error.kind() == io::ErrorKind::UnexpectedEof {
                Cause::truncated(records)
            } else {
                Cause::damaged(records, &error)
            }
        })
    }

    /// Returns the bytes of the file that were read since the last call.
    fn advanced(&mut self) -> u64 {
        let count = self.reader.get_ref().get_ref().count;
        let step = count - self.advanced;
        self.advanced = count;
        step
    }
}

/// Counts the bytes that pass.
struct Counted<R> {
    bytes: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let length = self.bytes.read(space)?;
        self.count += length as u64;
        Ok(length)
    }
}

/// A [`ReadError`] that still lacks the path.
enum Cause {
    Io(io::Error),
    Format(DatabentoError),
}

impl Cause {
    fn truncated(records: u64) -> Cause {
        Cause::Format(DatabentoError::Truncated { records })
    }

    fn damaged(records: u64, error: &dyn std::error::Error) -> Cause {
        let reason = error.to_string();
        Cause::Format(DatabentoError::Damaged { records, reason })
    }

    fn at<E>(self, path: &Path) -> ReadError<E> {
        let path = path.to_owned();
        match self {
            Cause::Io(source) => ReadError::Io { path, source },
            Cause::Format(source) => ReadError::Databento { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use dbn::encode::{DbnEncoder, DynWriter, EncodeRecord};
    use dbn::{
        Compression, HasRType, MappingInterval, Metadata, SType, SymbolMapping, SymbolMappingMsg,
    };
    use proptest::prelude::*;

    use super::super::recorded::{RecordedRows, shared_data};
    use super::*;

    /// 2024-01-02T14:30:00Z.
    const TIME: u64 = 1_704_205_800_000_000_000;
    const DAY: u64 = 86_400_000_000_000;

    /// Returns a file of one day in which instrument 1 is ESH4 and 2 is a spread.
    fn metadata(schema: Option<Schema>) -> Metadata {
        let mut metadata = Metadata::builder()
            .dataset("GLBX.MDP3")
            .schema(schema)
            .start(TIME)
            .end((TIME + DAY).try_into().ok())
            .stype_in(Some(SType::RawSymbol))
            .stype_out(SType::InstrumentId)
            .build();
        let (start_date, end_date) = (metadata.start().date(), metadata.end().unwrap().date());
        metadata.mappings = [("ESH4", "1"), ("ESH4-ESM4", "2")]
            .map(|(raw_symbol, id)| SymbolMapping {
                raw_symbol: raw_symbol.to_owned(),
                intervals: vec![MappingInterval { start_date, end_date, symbol: id.to_owned() }],
            })
            .to_vec();
        metadata
    }

    fn header<R: HasRType>(rtype: u8, instrument: u32) -> RecordHeader {
        RecordHeader::new::<R>(rtype, 1, instrument, TIME)
    }

    fn trade(instrument: u32) -> TradeMsg {
        TradeMsg {
            hd: header::<TradeMsg>(rtype::MBP_0, instrument),
            price: 4_800_250_000_000,
            size: 3,
            action: b'T' as c_char,
            side: b'B' as c_char,
            ts_recv: TIME + 1_000,
            ..TradeMsg::default()
        }
    }

    fn order(action: u8) -> MboMsg {
        MboMsg {
            hd: header::<MboMsg>(rtype::MBO, 1),
            price: 4_800_250_000_000,
            size: 3,
            action: action as c_char,
            side: b'A' as c_char,
            ..MboMsg::default()
        }
    }

    fn trades_file() -> Vec<u8> {
        let mut encoder = DbnEncoder::new(Vec::new(), &metadata(Some(Schema::Trades))).unwrap();
        for instrument in [1, 2, 3, 1] {
            encoder.encode_record(&trade(instrument)).unwrap();
        }
        encoder.get_ref().clone()
    }

    fn compressed(bytes: &[u8]) -> Vec<u8> {
        let mut packed = Vec::new();
        let mut writer = DynWriter::new(&mut packed, Compression::Zstd).unwrap();
        writer.write_all(bytes).unwrap();
        writer.finish().unwrap();
        drop(writer);
        packed
    }

    fn decode(bytes: &[u8]) -> (RecordedRows, Option<String>) {
        let mut sink = RecordedRows::default();
        let error = decode_databento(bytes, Path::new("a.dbn"), &mut sink).err();
        (sink, error.map(|error| error.to_string()))
    }

    fn lines(sink: &RecordedRows) -> Vec<(&str, u64)> {
        sink.rows.iter().map(|(contract, line, _)| (contract.as_str(), *line)).collect()
    }

    #[test]
    fn names_contracts_and_passes_over_spreads_and_contracts_that_are_not_wanted() {
        let bytes = trades_file();
        for bytes in [compressed(&bytes), bytes] {
            let (sink, error) = decode(&bytes);
            assert_eq!(error, None);
            assert_eq!(lines(&sink), [("ESH4", 1), ("id-3", 3), ("ESH4", 4)]);
            assert_eq!(sink.advanced, bytes.len() as u64);
            let mut sink = RecordedRows { unwanted: Some("ESH4"), ..RecordedRows::default() };
            decode_databento(&bytes[..], Path::new("a.dbn"), &mut sink).unwrap();
            assert_eq!(lines(&sink), [("id-3", 3)]);
        }
    }

    #[test]
    fn a_live_recording_names_its_contracts_on_the_way_and_is_read_for_one_kind_of_record() {
        let mut encoder = DbnEncoder::new(Vec::new(), &metadata(None)).unwrap();
        let mapping = SymbolMappingMsg::new(
            3,
            TIME,
            SType::RawSymbol,
            "ESM4",
            SType::RawSymbol,
            "ESM4",
            UNDEF_TIMESTAMP,
            UNDEF_TIMESTAMP,
        );
        encoder.encode_record(&mapping.unwrap()).unwrap();
        encoder.encode_record(&trade(3)).unwrap();
        encoder.encode_record(&order(b'T')).unwrap();
        let (sink, error) = decode(encoder.get_ref());
        assert_eq!(error, None);
        assert_eq!(lines(&sink), [("ESM4", 2)]);
        assert_eq!(sink.refusals.len(), 1);
        assert!(sink.refusals[0].1.to_string().contains("another kind"));
    }

    #[test]
    fn takes_the_aggressor_of_an_order_trade_and_neither_the_resting_side_nor_orders() {
        let mut encoder = DbnEncoder::new(Vec::new(), &metadata(Some(Schema::Mbo))).unwrap();
        for action in *b"ATFCMRN" {
            encoder.encode_record(&order(action)).unwrap();
        }
        let (sink, error) = decode(encoder.get_ref());
        assert_eq!((error, lines(&sink)), (None, vec![("ESH4", 2)]));
        let Row::Trade(trade) = sink.rows[0].2 else { panic!() };
        assert_eq!((trade.aggressor, trade.received), (Some(Side::Sell), None));
    }

    #[test]
    fn refuses_records_that_cannot_be_trades_or_bars_and_keeps_the_rest() {
        let mut encoder = DbnEncoder::new(Vec::new(), &metadata(Some(Schema::Trades))).unwrap();
        let good = trade(1);
        let mut late = good.clone();
        late.hd.ts_event = i64::MAX as u64 + 1;
        let mut timeless = good.clone();
        timeless.hd.ts_event = UNDEF_TIMESTAMP;
        for record in [
            TradeMsg { price: UNDEF_PRICE, ..good.clone() },
            TradeMsg { side: b'X' as c_char, ..good.clone() },
            late,
            timeless,
            good,
        ] {
            encoder.encode_record(&record).unwrap();
        }
        let bar = OhlcvMsg {
            hd: header::<OhlcvMsg>(rtype::OHLCV_1M, 1),
            open: 1,
            high: 1,
            low: 1,
            close: 1,
            volume: u64::MAX,
        };
        encoder.encode_record(&bar).unwrap();
        let (sink, error) = decode(encoder.get_ref());
        assert_eq!((error, lines(&sink)), (None, vec![("ESH4", 5)]));
        let fields: Vec<_> = sink
            .refusals
            .iter()
            .map(|(line, refusal, text)| {
                assert!(text.contains("instrument 1"), "{text}");
                (*line, refusal.to_string().split(':').next().unwrap().to_owned())
            })
            .collect();
        let expected = [(1, "price"), (2, "side"), (3, "ts_event"), (4, "ts_event"), (6, "volume")];
        assert_eq!(fields, expected.map(|(line, field)| (line, field.to_owned())));
    }

    #[test]
    fn passes_over_a_damaged_record_that_would_have_no_row() {
        // Found by fuzzing: dbn panics where it upgrades such a record from version 1.
        let mut old = metadata(None);
        old.version = 1;
        old.symbol_cstr_len = dbn::v1::SYMBOL_CSTR_LEN;
        let mut encoder = DbnEncoder::new(Vec::new(), &old).unwrap();
        encoder.encode_record(&order(b'A')).unwrap();
        encoder.encode_record(&trade(1)).unwrap();
        let mut bytes = encoder.get_ref().clone();
        let first = bytes.len() - size_of::<TradeMsg>() - size_of::<MboMsg>();
        bytes[first + 1] = rtype::STATISTICS;
        let (sink, error) = decode(&bytes);
        assert_eq!((error, lines(&sink)), (None, vec![("ESH4", 2)]));
    }

    #[test]
    fn refuses_other_files_by_name() {
        let error = |bytes: &[u8]| decode(bytes).1.unwrap();
        assert!(error(b"").contains("not a Databento"));
        assert!(error(b"timestamp,price,volume\n").contains("not a Databento"));
        assert!(error(&compressed(b"timestamp,price,volume\n")).contains("not a Databento"));
        assert!(error(b"DBN\x03").contains("truncated after 0"));
        let good = trades_file();
        for version in [0, 4, 255] {
            let mut other = good.clone();
            other[3] = version;
            assert!(error(&other).contains(&format!("DBN version {version}")));
        }
        let mut greedy = good.clone();
        greedy[4..8].fill(0xff);
        assert!(error(&greedy).contains("4294967295 bytes of metadata"));
        let mut odd = good.clone();
        odd[good.len() - 4 * size_of::<TradeMsg>()] += 1;
        assert!(error(&odd).contains("damaged after 0 whole records (a record of an odd length)"));
        let mut torn = compressed(&good);
        let middle = torn.len() / 2;
        torn[middle] ^= 0xff;
        assert!(error(&torn).contains("damaged"));
    }

    #[test]
    fn says_after_which_record_a_file_is_cut_off() {
        let good = trades_file();
        let records = good.len() - 4 * size_of::<TradeMsg>();
        for cut in 0..good.len() {
            let (sink, error) = decode(&good[..cut]);
            let whole = cut.saturating_sub(records) / size_of::<TradeMsg>();
            assert_eq!(sink.rows.len(), [0, 1, 1, 2][whole]);
            match cut {
                0..3 => assert!(error.unwrap().contains("not a Databento")),
                _ if cut >= records && (cut - records).is_multiple_of(size_of::<TradeMsg>()) => {
                    assert_eq!(error, None);
                }
                _ => {
                    let error = error.unwrap();
                    assert!(error.contains(&format!("truncated after {whole} whole")), "{error}");
                }
            }
        }
        let packed = compressed(&good);
        for cut in ZSTANDARD_MAGIC.len()..packed.len() {
            assert!(decode(&packed[..cut]).1.unwrap().contains("truncated"), "{cut}");
        }
    }

    #[test]
    fn bytes_may_come_one_at_a_time() {
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
                let length = space.len().min(1);
                self.0.read(&mut space[..length])
            }
        }
        let mut sink = RecordedRows::default();
        decode_databento(Slow(&trades_file()), Path::new("a.dbn"), &mut sink).unwrap();
        assert_eq!(sink.rows.len(), 3);
    }

    proptest! {
        #[test]
        fn damaged_files_end_in_an_error_or_in_rows_never_in_a_panic(
            cut in 0usize..2_000,
            changes in prop::collection::vec((0usize..2_000, any::<u8>()), 0..8),
            packed in any::<bool>(),
        ) {
            let mut bytes = trades_file();
            let whole = bytes.len();
            for (at, value) in changes {
                bytes[at % whole] = value;
            }
            bytes.truncate(cut + 8);
            let bytes = if packed { compressed(&bytes) } else { bytes };
            let (sink, _) = decode(&bytes);
            prop_assert!(sink.advanced <= bytes.len() as u64);
        }

        #[test]
        fn any_bytes_are_refused_in_order(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(&bytes).1.is_some());
            let after_magic = [&b"DBN\x03"[..], &bytes].concat();
            prop_assert!(decode(&after_magic).1.is_some());
        }
    }

    fn read(path: &Path) -> RecordedRows {
        let mut sink = RecordedRows::default();
        read_databento(path, &mut sink).unwrap();
        assert_eq!(sink.refusals, []);
        assert_eq!(sink.advanced, fs::metadata(path).unwrap().len());
        sink
    }

    #[test]
    fn an_hour_of_real_orders_has_the_trades_that_its_description_tells() {
        let Some(path) = shared_data("databento_es/databento/esh4-glbx-mdp3-20231225.mbo.dbn.zst")
        else {
            return;
        };
        let sink = read(&path);
        assert_eq!((sink.rows.len(), sink.volume()), (2_973, 9_892));
        assert_eq!(sink.contracts(), ["ESH4"]);
        let trades: Vec<TradeRow> = trades(&sink);
        let prices = || trades.iter().map(|trade| trade.price);
        assert_eq!(prices().min(), "4800.25".parse().ok());
        assert_eq!(prices().max(), "4811.75".parse().ok());
        assert!(trades.iter().all(|trade| trade.received.unwrap() >= trade.time));
    }

    fn trades(sink: &RecordedRows) -> Vec<TradeRow> {
        sink.rows
            .iter()
            .map(|(_, _, row)| match row {
                Row::Trade(trade) => *trade,
                Row::Bar(bar) => panic!("{bar:?}"),
            })
            .collect()
    }

    #[test]
    fn real_trades_add_up_to_real_bars_and_meet_the_quote_that_stood() {
        let Some(root) = shared_data("databento_es/databento/historical_bars_catalog/databento")
        else {
            return;
        };
        let trades =
            trades(&read(&root.join("futures_mbp-1_2024-07-01T23-58_2024-07-02T00-02.dbn.zst")));
        let bars = read(&root.join("futures_ohlcv-1m_2024-07-01T23-40_2024-07-02T00-10.dbn.zst"));
        assert_eq!(bars.contracts(), ["ESU4", "NQU4"]);
        let mut compared = 0;
        for (contract, _, row) in &bars.rows {
            let Row::Bar(bar) = row else { panic!("{row:?}") };
            let inside: Vec<_> = trades
                .iter()
                .filter(|trade| (bar.start..bar.start + bar.duration).contains(&trade.time))
                .collect();
            if contract != "ESU4" || inside.is_empty() {
                continue;
            }
            compared += 1;
            assert_eq!(bar.open, inside.first().unwrap().price);
            assert_eq!(bar.close, inside.last().unwrap().price);
            assert_eq!(Some(bar.high), inside.iter().map(|trade| trade.price).max());
            assert_eq!(Some(bar.low), inside.iter().map(|trade| trade.price).min());
            assert_eq!(bar.volume, inside.iter().map(|trade| trade.size).sum::<i64>());
        }
        assert_eq!(compared, 4);
        for trade in trades {
            match trade.aggressor {
                Some(Side::Buy) => assert!(Some(trade.price) >= trade.ask, "{trade:?}"),
                Some(Side::Sell) => assert!(Some(trade.price) <= trade.bid, "{trade:?}"),
                None => {}
            }
        }
    }

    #[test]
    fn databentos_own_files_of_every_version_give_the_same_rows() {
        let Some(root) = shared_data("dbn_vectors") else { return };
        let mut names: Vec<String> = fs::read_dir(&root)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.contains(".dbn") || name.ends_with(".dbz"))
            .collect();
        names.sort();
        for name in names {
            let path = root.join(&name);
            let schema = name.split('.').nth(1).unwrap();
            let mut sink = RecordedRows::default();
            let result = read_databento(&path, &mut sink);
            let read =
                ["trades", "tbbo", "mbp-1", "mbo", "ohlcv-1s", "ohlcv-1m", "ohlcv-1h", "ohlcv-1d"];
            let message = match result {
                Ok(()) => {
                    assert!(read.contains(&schema), "{name}");
                    let first = root.join(format!("test_data.{schema}.v1.dbn.zst"));
                    let mut expected = RecordedRows::default();
                    read_databento(&first, &mut expected).unwrap();
                    assert_eq!(sink.rows, expected.rows, "{name}");
                    assert_eq!(
                        (&sink.refusals, sink.rows.len()),
                        (
                            &vec![],
                            match schema {
                                // The first records are orders and quotes; the day has no bar.
                                "mbo" | "mbp-1" | "ohlcv-1d" => 0,
                                _ => 2,
                            }
                        )
                    );
                    continue;
                }
                Err(error) => error.to_string(),
            };
            let part = if name.ends_with(".dbz") {
                "legacy .dbz".to_owned()
            } else if name.contains(".frag") {
                "not a Databento DBN file".to_owned()
            } else {
                assert!(!read.contains(&schema), "{message}");
                format!("schema `{schema}` has no trades")
            };
            assert!(message.contains(&part), "{message}");
        }
        // As in the tests of Databento's C++ client.
        let mut sink = RecordedRows::default();
        read_databento(&root.join("test_data.trades.v3.dbn.zst"), &mut sink).unwrap();
        let expected = TradeRow {
            time: Timestamp::from_nanos(1_609_160_400_098_821_953),
            price: "3720.25".parse().unwrap(),
            size: 5,
            aggressor: Some(Side::Sell),
            received: Some(Timestamp::from_nanos(1_609_160_400_099_150_057)),
            bid: None,
            ask: None,
        };
        assert_eq!(sink.rows[0], ("ESH1".to_owned(), 1, Row::Trade(expected)));
    }
}
