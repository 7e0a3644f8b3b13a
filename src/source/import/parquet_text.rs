//! A Parquet file as delimited text, so that every preset reads it as it reads text.
//!
//! The first line holds the columns' names, and each row becomes one line, so that row 1 is line 2.
//! Typed instants become ISO times: with `Z` where the file says that they are UTC, without an
//! offset otherwise. An absent value and a NaN are an empty field.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as PhysicalType};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::ColumnDescriptor;

use crate::market::Timestamp;

/// The first bytes of a Parquet file.
pub(super) const PARQUET_MAGIC: [u8; 4] = *b"PAR1";
/// Between two columns.
pub(super) const DELIMITER: u8 = b',';
/// Rows that are made into text at a time.
const BATCH: usize = 4096;

/// Reads a Parquet file as text.
pub(super) struct ParquetText {
    reader: SerializedFileReader<File>,
    columns: Vec<(Kind, i16)>,
    /// The row group after the one being read.
    next_group: usize,
    group: Vec<ColumnReader>,
    /// Rows of the group that have not been read.
    left: usize,
    text: Vec<u8>,
    at: usize,
    /// Rows that were read, for those who show how far the file is.
    rows_read: Rc<Cell<u64>>,
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Written as they are.
    Plain,
    /// Integers without a sign.
    Unsigned,
    /// Instants in units of this number of nanoseconds; of UTC, or of a clock that the file does
    /// not name.
    Instant { unit: i64, is_utc: bool },
    /// Days since 1970.
    Date,
    /// Times of day in units of this number of nanoseconds.
    TimeOfDay { unit: i64 },
    /// Integers with this number of decimals.
    Decimal { scale: usize },
}

/// The fields of one column, one after the other.
#[derive(Default)]
struct Fields {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl ParquetText {
    /// Opens a file.
    ///
    /// # Errors
    /// If the file is damaged, or a column holds lists.
    pub(super) fn new(file: File) -> io::Result<ParquetText> {
        contain(|| ParquetText::open(file))
    }

    fn open(file: File) -> io::Result<ParquetText> {
        let reader = SerializedFileReader::new(file).map_err(damaged)?;
        let schema = reader.metadata().file_metadata().schema_descr_ptr();
        let mut columns = Vec::new();
        let mut text = Vec::new();
        for column in schema.columns() {
            if column.max_rep_level() > 0 {
                let name = column.path().string();
                return Err(io::Error::other(format!(
                    "column `{name}` holds lists; leave it out of the Parquet file"
                )));
            }
            columns.push((Kind::of(column), column.max_def_level()));
            // A first line that begins with a letter is a header.
            let name = column.name().trim_start_matches(|first: char| !first.is_alphanumeric());
            let begins_with_letter = name.starts_with(|first: char| first.is_ascii_alphabetic());
            push_text(&mut text, if begins_with_letter { "" } else { "column " }.as_bytes());
            push_text(&mut text, name.as_bytes());
            text.push(DELIMITER);
        }
        if columns.is_empty() {
            return Err(io::Error::other("the Parquet file has no columns"));
        }
        end_line(&mut text, 0);
        Ok(ParquetText {
            reader,
            columns,
            next_group: 0,
            group: Vec::new(),
            left: 0,
            text,
            at: 0,
            rows_read: Rc::default(),
        })
    }

    /// Returns whether a column holds typed instants, which are ISO times in the text.
    pub(super) fn has_instants(&self) -> bool {
        self.columns.iter().any(|(kind, _)| matches!(kind, Kind::Instant { .. } | Kind::Date))
    }

    /// Returns the number of rows, and a count of rows read that the reader keeps current.
    pub(super) fn progress(&self) -> (u64, Rc<Cell<u64>>) {
        let rows = self.reader.metadata().file_metadata().num_rows();
        (u64::try_from(rows).unwrap_or(0), Rc::clone(&self.rows_read))
    }

    /// Makes the next rows into text; afterwards there is no text only if there are no rows.
    fn advance(&mut self) -> io::Result<()> {
        self.text.clear();
        self.at = 0;
        while self.left == 0 {
            if self.next_group == self.reader.num_row_groups() {
                return Ok(());
            }
            let group = self.reader.get_row_group(self.next_group).map_err(damaged)?;
            let columns = 0..self.columns.len();
            self.group = columns
                .map(|index| group.get_column_reader(index))
                .collect::<Result<_, _>>()
                .map_err(damaged)?;
            let rows = group.metadata().num_rows();
            self.left = usize::try_from(rows).map_err(io::Error::other)?;
            self.next_group += 1;
        }
        let rows = self.left.min(BATCH);
        let columns = self.group.iter_mut().zip(&self.columns);
        let fields: Vec<Fields> = columns
            .map(|(reader, &(kind, level))| kind.read(reader, rows, level))
            .collect::<io::Result<_>>()?;
        for row in 0..rows {
            let start = self.text.len();
            for column in &fields {
                self.text.extend_from_slice(column.get(row));
                self.text.push(DELIMITER);
            }
            end_line(&mut self.text, start);
        }
        self.left -= rows;
        self.rows_read.set(self.rows_read.get() + rows as u64);
        Ok(())
    }
}

impl Read for ParquetText {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at == self.text.len() {
            contain(|| self.advance())?;
        }
        let count = buffer.len().min(self.text.len() - self.at);
        buffer[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

/// Puts a line's end in the place of its last delimiter.
fn end_line(text: &mut [u8], start: usize) {
    if let Some(last) = text.last_mut() {
        *last = b'\n';
    }
    // No row is a comment.
    if let Some(first @ b'#') = text.get_mut(start) {
        *first = b' ';
    }
}

/// Writes text without what would end a field or a line.
fn push_text(text: &mut Vec<u8>, bytes: &[u8]) {
    text.extend(bytes.iter().map(|&byte| match byte {
        DELIMITER | b'"' | 0..b' ' => b' ',
        byte => byte,
    }));
}

/// Turns a panic of the crate, which some damaged files cause, into an error.
fn contain<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    // After an error nothing is read any more, so no half-made state is seen.
    panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(io::Error::other("Parquet: the file is damaged: its parts contradict each other"))
    })
}

fn damaged(error: ParquetError) -> io::Error {
    io::Error::other(match error {
        ParquetError::General(what) if what.contains("Disabled feature") => {
            let codec = what.rsplit(' ').next().unwrap_or_default();
            format!(
                "Parquet packed by {codec}, which is not read here; write it with Snappy, Zstandard or gzip"
            )
        }
        ParquetError::NYI(what) | ParquetError::General(what) => format!("Parquet: {what}"),
        error => error.to_string(),
    })
}

impl Fields {
    fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }
}

impl Kind {
    fn of(column: &ColumnDescriptor) -> Kind {
        let nanos = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1_000_000,
            TimeUnit::MICROS => 1_000,
            TimeUnit::NANOS => 1,
        };
        let decimal = |scale: i32| usize::try_from(scale).map(|scale| Kind::Decimal { scale });
        match column.logical_type_ref() {
            Some(LogicalType::Timestamp(time)) => {
                return Kind::Instant {
                    unit: nanos(&time.unit),
                    is_utc: time.is_adjusted_to_u_t_c,
                };
            }
            Some(LogicalType::Time(time)) => return Kind::TimeOfDay { unit: nanos(&time.unit) },
            Some(LogicalType::Date) => return Kind::Date,
            Some(LogicalType::Decimal(decimals)) => {
                return decimal(decimals.scale).unwrap_or(Kind::Plain);
            }
            Some(LogicalType::Integer(integer)) if !integer.is_signed => return Kind::Unsigned,
            _ => {}
        }
        match column.converted_type() {
            ConvertedType::TIMESTAMP_MILLIS => Kind::Instant { unit: 1_000_000, is_utc: true },
            ConvertedType::TIMESTAMP_MICROS => Kind::Instant { unit: 1_000, is_utc: true },
            ConvertedType::TIME_MILLIS => Kind::TimeOfDay { unit: 1_000_000 },
            ConvertedType::TIME_MICROS => Kind::TimeOfDay { unit: 1_000 },
            ConvertedType::DATE => Kind::Date,
            ConvertedType::DECIMAL => decimal(column.type_scale()).unwrap_or(Kind::Plain),
            ConvertedType::UINT_32 | ConvertedType::UINT_64 => Kind::Unsigned,
            // Instants of old writers, by the type alone.
            _ if column.physical_type() == PhysicalType::INT96 => {
                Kind::Instant { unit: 1, is_utc: true }
            }
            _ => Kind::Plain,
        }
    }

    /// Reads `rows` fields of a column; `level` is the definition level of a value that is there.
    fn read(self, reader: &mut ColumnReader, rows: usize, level: i16) -> io::Result<Fields> {
        match reader {
            ColumnReader::BoolColumnReader(reader) => read(reader, rows, level, |value, text| {
                push_text(text, if *value { b"true" } else { b"false" });
            }),
            ColumnReader::Int32ColumnReader(reader) => read(reader, rows, level, |&value, text| {
                let value =
                    if self == Kind::Unsigned { i64::from(value as u32) } else { value.into() };
                self.push_integer(text, value);
            }),
            ColumnReader::Int64ColumnReader(reader) => {
                read(reader, rows, level, |&value, text| self.push_integer(text, value))
            }
            ColumnReader::Int96ColumnReader(reader) => {
                read(reader, rows, level, |value, text| self.push_integer(text, value.to_nanos()))
            }
            ColumnReader::FloatColumnReader(reader) => read(reader, rows, level, |value, text| {
                if !value.is_nan() {
                    push(text, value);
                }
            }),
            ColumnReader::DoubleColumnReader(reader) => read(reader, rows, level, |value, text| {
                if !value.is_nan() {
                    push(text, value);
                }
            }),
            ColumnReader::ByteArrayColumnReader(reader) => {
                read(reader, rows, level, |value, text| self.push_bytes(text, value.data()))
            }
            ColumnReader::FixedLenByteArrayColumnReader(reader) => {
                read(reader, rows, level, |value, text| self.push_bytes(text, value.data()))
            }
        }
    }

    fn push_integer(self, text: &mut Vec<u8>, value: i64) {
        match self {
            Kind::Plain => push(text, value),
            Kind::Unsigned => push(text, value as u64),
            Kind::Decimal { scale } => push_decimal(text, value.into(), scale),
            Kind::Instant { unit, is_utc } => match value.checked_mul(unit) {
                Some(nanos) => {
                    push(text, Timestamp::from_nanos(nanos));
                    if !is_utc && text.last() == Some(&b'Z') {
                        text.pop();
                    }
                }
                None => push(text, format_args!("{value} is out of range")),
            },
            Kind::Date => {
                let midnight = value.checked_mul(24 * Timestamp::HOUR).map(Timestamp::from_nanos);
                match midnight.map(|midnight| midnight.to_string()) {
                    Some(time) if time.len() >= 10 => push_text(text, &time.as_bytes()[..10]),
                    _ => push(text, format_args!("{value} is out of range")),
                }
            }
            Kind::TimeOfDay { unit } => {
                let day = 24 * Timestamp::HOUR;
                match value.checked_mul(unit).filter(|nanos| (0..day).contains(nanos)) {
                    Some(nanos) => {
                        let (seconds, nanos) =
                            (nanos / Timestamp::SECOND, nanos % Timestamp::SECOND);
                        let (minutes, second) = (seconds / 60, seconds % 60);
                        let (hour, minute) = (minutes / 60, minutes % 60);
                        push(text, format_args!("{hour:02}:{minute:02}:{second:02}.{nanos:09}"));
                    }
                    None => push(text, format_args!("{value} is out of range")),
                }
            }
        }
    }

    fn push_bytes(self, text: &mut Vec<u8>, bytes: &[u8]) {
        match self {
            // Two's complement, the highest byte first.
            Kind::Decimal { scale } if (1..=16).contains(&bytes.len()) => {
                let is_negative = bytes[0] & 0x80 != 0;
                let mut all = [if is_negative { 0xFF } else { 0 }; 16];
                all[16 - bytes.len()..].copy_from_slice(bytes);
                push_decimal(text, i128::from_be_bytes(all), scale);
            }
            _ => push_text(text, bytes),
        }
    }
}

fn push(text: &mut Vec<u8>, value: impl std::fmt::Display) {
    write!(text, "{value}").expect("memory takes whatever is written");
}

/// Writes `value` × 10^−`scale`, without zeros at its end.
fn push_decimal(text: &mut Vec<u8>, value: i128, scale: usize) {
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, decimals) = digits.split_at(digits.len() - scale);
    let decimals = decimals.trim_end_matches('0');
    let sign = if value < 0 { "-" } else { "" };
    let point = if decimals.is_empty() { "" } else { "." };
    push(text, format_args!("{sign}{whole}{point}{decimals}"));
}

/// Reads `rows` fields of a column, and writes those that are there.
fn read<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    level: i16,
    write: impl Fn(&T::T, &mut Vec<u8>),
) -> io::Result<Fields> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let mut count = 0;
    let ends_early = || io::Error::other("Parquet: a column ends before its group of rows");
    while count < rows {
        let read = reader.read_records(rows - count, Some(&mut levels), None, &mut values);
        let (records, ..) = read.map_err(damaged)?;
        if records == 0 {
            return Err(ends_early());
        }
        count += records;
    }
    let mut values = values.iter();
    let mut fields = Fields::default();
    for row in 0..rows {
        if level == 0 || levels.get(row) == Some(&level) {
            write(values.next().ok_or_else(ends_early)?, &mut fields.bytes);
        }
        fields.ends.push(fields.bytes.len());
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::{
        BoolType, ByteArray, ByteArrayType, DoubleType, FixedLenByteArray, FixedLenByteArrayType,
        FloatType, Int32Type, Int64Type, Int96, Int96Type,
    };
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;
    use proptest::prelude::*;

    use super::*;

    const SCHEMA: &str = "message table {
        required int64 ts (TIMESTAMP(NANOS, true));
        optional int64 local (TIMESTAMP(MICROS, false));
        required int64 old (TIMESTAMP_MILLIS);
        required int96 older;
        required int32 day (DATE);
        required int64 clock (TIME(NANOS, false));
        optional double price;
        required float half;
        required int64 money (DECIMAL(18, 9));
        required fixed_len_byte_array(16) more (DECIMAL(38, 2));
        required int32 size (INTEGER(32, false));
        optional byte_array symbol (STRING);
        required boolean __flag;
    }";

    fn write(schema: &str, codec: Compression) -> SerializedFileWriter<File> {
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let properties = WriterProperties::builder().set_compression(codec).build();
        let file = tempfile::tempfile().unwrap();
        SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap()
    }

    fn table(codec: Compression, groups: usize) -> File {
        let mut writer = write(SCHEMA, codec);
        for _ in 0..groups {
            let mut group = writer.next_row_group().unwrap();
            macro_rules! column {
                ($kind:ty, $values:expr, $levels:expr) => {{
                    let mut column = group.next_column().unwrap().unwrap();
                    column.typed::<$kind>().write_batch($values, $levels, None).unwrap();
                    column.close().unwrap();
                }};
            }
            column!(Int64Type, &[1_381_152_600_250_000_001, -1], None);
            column!(Int64Type, &[1_381_152_600_250_000], Some(&[1, 0]));
            column!(Int64Type, &[1_381_152_600_250, i64::MAX], None);
            let mut noon = Int96::new();
            // Half a second after noon of the day that Julian day 2,456,573 begins at midnight of.
            let nanos = (12 * 3_600_000 + 500) * 1_000_000_i64;
            noon.set_data(nanos as u32, (nanos >> 32) as u32, 2_456_573);
            column!(Int96Type, &[noon, noon], None);
            column!(Int32Type, &[15_985, -1], None);
            column!(Int64Type, &[49_530_000_000_007, -5], None);
            column!(DoubleType, &[f64::NAN], Some(&[0, 1]));
            column!(FloatType, &[1_684.25, 1e-7], None);
            column!(Int64Type, &[1_684_250_000_000, -5], None);
            let wide = |value: i128| FixedLenByteArray::from(value.to_be_bytes().to_vec());
            column!(FixedLenByteArrayType, &[wide(-168_425), wide(300)], None);
            column!(Int32Type, &[7, -1], None);
            let words = ["#ES\n\"Z3\",", "ESZ3"].map(ByteArray::from);
            column!(ByteArrayType, &words, Some(&[1, 1]));
            column!(BoolType, &[true, false], None);
            group.close().unwrap();
        }
        writer.finish().unwrap();
        writer.inner().try_clone().unwrap()
    }

    fn text(file: File) -> io::Result<String> {
        let mut text = String::new();
        ParquetText::new(file)?.read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn every_type_is_written_as_text_has_it() {
        let rows = "2013-10-07T13:30:00.250000001Z,2013-10-07T13:30:00.250000000,\
            2013-10-07T13:30:00.250000000Z,2013-10-07T12:00:00.500000000Z,2013-10-07,\
            13:45:30.000000007,,1684.25,1684.25,-1684.25,7, ES  Z3  ,true\n\
            1969-12-31T23:59:59.999999999Z,,9223372036854775807 is out of range,\
            2013-10-07T12:00:00.500000000Z,1969-12-31,-5 is out of range,,0.0000001,\
            -0.000000005,3,4294967295,ESZ3,false\n"
            // A field that begins so is no comment; only a line may not.
            .replace(" ES  Z3  ", "#ES  Z3  ");
        let header = "ts,local,old,older,day,clock,price,half,money,more,size,symbol,flag\n";
        for codec in [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::ZSTD(Default::default()),
            Compression::GZIP(Default::default()),
        ] {
            assert_eq!(text(table(codec, 1)).unwrap(), format!("{header}{rows}"), "{codec}");
        }
        assert_eq!(
            text(table(Compression::SNAPPY, 3)).unwrap(),
            format!("{header}{rows}{rows}{rows}")
        );
    }

    #[test]
    fn a_line_is_neither_a_comment_nor_without_a_header() {
        let mut writer = write(
            "message table { required byte_array ___0 (STRING); }",
            Compression::UNCOMPRESSED,
        );
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let words = ["#1"].map(ByteArray::from);
        column.typed::<ByteArrayType>().write_batch(&words, None, None).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.finish().unwrap();
        let file = writer.inner().try_clone().unwrap();
        assert_eq!(text(file).unwrap(), "column 0\n 1\n");
    }

    #[test]
    fn lists_and_damage_are_refused() {
        let lists = "message table { repeated double prices; }";
        let mut writer = write(lists, Compression::UNCOMPRESSED);
        writer.finish().unwrap();
        let error = text(writer.inner().try_clone().unwrap()).unwrap_err().to_string();
        assert!(error.contains("column `prices` holds lists"), "{error}");
        let file = table(Compression::SNAPPY, 1);
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        assert!(text(file).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn no_damaged_byte_ends_the_program(places in prop::collection::vec((0.0..1.0, any::<u8>()), 1..6)) {
            use std::io::Seek as _;
            let mut file = table(Compression::SNAPPY, 1);
            let mut bytes = Vec::new();
            file.rewind().unwrap();
            file.read_to_end(&mut bytes).unwrap();
            for (place, byte) in places {
                let at = (place * bytes.len() as f64) as usize;
                bytes[at] = byte;
            }
            file.rewind().unwrap();
            file.write_all(&bytes).unwrap();
            let _ = text(file);
        }
    }
}
