//! A table as Parquet.

use std::fs::File;
use std::io;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{ColumnPath, Type};
use tempfile::NamedTempFile;

use super::{Cell, Column, ColumnKind};
use crate::market::Price;

/// Rows that are kept in memory before they are written: 72 MB of a hundred columns.
const GROUP_ROWS: usize = 1 << 16;
/// Digits of a price; more do not fit in 64 bits.
const PRICE_DIGITS: i32 = 18;
const PRICE_DECIMALS: i32 = 9;
const PRICE_LIMIT: u64 = 10_u64.pow(PRICE_DIGITS as u32);

/// The maker that our files name.
const CREATED_BY: &str = concat!("algospace-hft version ", env!("CARGO_PKG_VERSION"));

/// Returns whether a file is a Parquet file that any version of the program made.
pub(super) fn is_ours(file: &mut File) -> bool {
    let reader =
        file.try_clone().and_then(|file| SerializedFileReader::new(file).map_err(io_error));
    reader.is_ok_and(|reader| {
        let maker = reader.metadata().file_metadata().created_by().unwrap_or_default();
        maker.split(' ').next() == CREATED_BY.split(' ').next()
    })
}

pub(super) struct ParquetFile {
    writer: SerializedFileWriter<NamedTempFile>,
    /// The group of rows that is being filled, by column.
    group: Vec<ColumnBuffer>,
    rows: usize,
}

/// Cells of a column.
struct ColumnBuffer {
    /// Of each cell, 1 if it has a value, else 0.
    levels: Vec<i16>,
    values: Values,
}

/// The values of those cells that have one.
enum Values {
    /// Texts, by the end of each in the bytes of all.
    Text {
        bytes: Vec<u8>,
        ends: Vec<usize>,
    },
    /// Integers, instants in nanoseconds, prices in 1e-9.
    Integers(Vec<i64>),
    Reals(Vec<f64>),
}

impl ParquetFile {
    pub(super) fn new(
        file: NamedTempFile,
        columns: &[Column],
        facts: &[(String, String)],
    ) -> io::Result<ParquetFile> {
        let fields = columns.iter().map(field).collect::<Result<_, _>>().map_err(io_error)?;
        let schema = Type::group_type_builder("table").with_fields(fields).build();
        let facts = facts.iter().map(|(name, fact)| KeyValue::new(name.clone(), fact.clone()));
        let mut properties = WriterProperties::builder()
            .set_created_by(CREATED_BY.to_owned())
            .set_compression(Compression::ZSTD(Default::default()))
            // Numbers hardly repeat; looking for repetitions would cost more than writing them.
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(facts.collect()));
        for column in columns.iter().filter(|column| column.kind == ColumnKind::Text) {
            let path = ColumnPath::new(vec![column.name.clone()]);
            properties = properties.set_column_dictionary_enabled(path, true);
        }
        let (schema, properties) = (schema.map_err(io_error)?, properties.build());
        let writer = SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
            .map_err(io_error)?;
        let group = columns.iter().map(|column| ColumnBuffer::new(column.kind)).collect();
        Ok(ParquetFile { writer, group, rows: 0 })
    }

    pub(super) fn write_row<'a>(
        &mut self,
        row: impl Iterator<Item = (&'a Column, Cell<'a>)>,
    ) -> io::Result<()> {
        for ((column, cell), buffer) in row.zip(&mut self.group) {
            if let Cell::Price(price) = cell
                && price.units().unsigned_abs() >= PRICE_LIMIT
            {
                return Err(too_large(column, price));
            }
            buffer.push(cell);
        }
        self.rows += 1;
        if self.rows == GROUP_ROWS { self.write_group() } else { Ok(()) }
    }

    pub(super) fn finish(mut self) -> io::Result<NamedTempFile> {
        if self.rows > 0 {
            self.write_group()?;
        }
        self.writer.into_inner().map_err(io_error)
    }

    fn write_group(&mut self) -> io::Result<()> {
        let mut group = self.writer.next_row_group().map_err(io_error)?;
        for buffer in &mut self.group {
            let next = group.next_column().map_err(io_error)?;
            let mut column = next.expect("the schema has a column for each buffer");
            let levels = Some(&buffer.levels[..]);
            match &mut buffer.values {
                Values::Text { bytes, ends } => {
                    let all = ByteArray::from(std::mem::take(bytes));
                    let mut start = 0;
                    let text = |end| {
                        let text = all.slice(start, end - start);
                        start = end;
                        text
                    };
                    let texts: Vec<ByteArray> = ends.drain(..).map(text).collect();
                    column.typed::<ByteArrayType>().write_batch(&texts, levels, None)
                }
                Values::Integers(values) => {
                    let written = column.typed::<Int64Type>().write_batch(values, levels, None);
                    values.clear();
                    written
                }
                Values::Reals(values) => {
                    let written = column.typed::<DoubleType>().write_batch(values, levels, None);
                    values.clear();
                    written
                }
            }
            .map_err(io_error)?;
            buffer.levels.clear();
            column.close().map_err(io_error)?;
        }
        self.rows = 0;
        group.close().map(drop).map_err(io_error)
    }
}

impl ColumnBuffer {
    fn new(kind: ColumnKind) -> ColumnBuffer {
        let values = match kind {
            ColumnKind::Text => Values::Text { bytes: Vec::new(), ends: Vec::new() },
            ColumnKind::Instant | ColumnKind::Integer | ColumnKind::Price => {
                Values::Integers(Vec::new())
            }
            ColumnKind::Real => Values::Reals(Vec::new()),
        };
        ColumnBuffer { levels: Vec::new(), values }
    }

    fn push(&mut self, cell: Cell) {
        match (&mut self.values, cell) {
            (Values::Reals(values), Cell::Real(real)) if !real.is_nan() => values.push(real),
            (Values::Integers(values), Cell::Integer(integer)) => values.push(integer),
            (Values::Integers(values), Cell::Instant(instant)) => values.push(instant.nanos()),
            (Values::Integers(values), Cell::Price(price)) => values.push(price.units()),
            (Values::Text { bytes, ends }, Cell::Text(text)) => {
                bytes.extend_from_slice(text.as_bytes());
                ends.push(bytes.len());
            }
            _ => return self.levels.push(0),
        }
        self.levels.push(1);
    }
}

fn field(column: &Column) -> Result<Arc<Type>, ParquetError> {
    let (physical, logical) = match column.kind {
        ColumnKind::Text => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnKind::Instant => {
            (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::NANOS)))
        }
        ColumnKind::Integer => (PhysicalType::INT64, None),
        ColumnKind::Real => (PhysicalType::DOUBLE, None),
        ColumnKind::Price => {
            (PhysicalType::INT64, Some(LogicalType::decimal(PRICE_DECIMALS, PRICE_DIGITS)))
        }
    };
    let mut field = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    if column.kind == ColumnKind::Price {
        field = field.with_precision(PRICE_DIGITS).with_scale(PRICE_DECIMALS);
    }
    field.build().map(Arc::new)
}

fn too_large(column: &Column, price: Price) -> io::Error {
    io::Error::other(format!(
        "column `{}` holds the price {price}; a Parquet table holds prices below 10⁹, write .csv",
        column.name
    ))
}

fn io_error(error: ParquetError) -> io::Error {
    io::Error::other(error)
}
