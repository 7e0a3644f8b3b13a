use std::fs;
use std::path::Path;

use ::parquet::column::reader::{ColumnReader, get_typed_column_reader};
use ::parquet::data_type::{ByteArrayType, DataType, DoubleType, Int64Type};
use ::parquet::file::reader::{FileReader, SerializedFileReader};
use proptest::prelude::*;

use super::{Cell, Column, ColumnKind, TableError, TableWriter};
use crate::market::{Price, Timestamp};

/// A cell that owns its text; texts are never empty, so that CSV can tell them from no value.
#[derive(Clone, Debug)]
enum Value {
    Empty,
    Text(String),
    Instant(i64),
    Integer(i64),
    Real(f64),
    Price(i64),
}

/// Bit for bit, but every NaN is no value.
impl PartialEq for Value {
    fn eq(&self, other: &Value) -> bool {
        match (self, other) {
            (Value::Empty, Value::Empty) => true,
            (Value::Text(a), Value::Text(b)) => a == b,
            (Value::Instant(a), Value::Instant(b)) => a == b,
            (Value::Integer(a), Value::Integer(b)) => a == b,
            (Value::Real(a), Value::Real(b)) => a.to_bits() == b.to_bits(),
            (Value::Price(a), Value::Price(b)) => a == b,
            (Value::Real(nan), Value::Empty) | (Value::Empty, Value::Real(nan)) => nan.is_nan(),
            _ => false,
        }
    }
}

impl Value {
    fn cell(&self) -> Cell<'_> {
        match self {
            Value::Empty => Cell::Empty,
            Value::Text(text) => Cell::Text(text),
            Value::Instant(nanos) => Cell::Instant(Timestamp::from_nanos(*nanos)),
            Value::Integer(integer) => Cell::Integer(*integer),
            Value::Real(real) => Cell::Real(*real),
            Value::Price(units) => Cell::Price(Price::from_units(*units)),
        }
    }
}

const KINDS: [ColumnKind; 5] = [
    ColumnKind::Text,
    ColumnKind::Instant,
    ColumnKind::Integer,
    ColumnKind::Real,
    ColumnKind::Price,
];

fn columns(kinds: &[ColumnKind]) -> Vec<Column> {
    kinds.iter().enumerate().map(|(i, &kind)| Column::new(format!("column {i}"), kind)).collect()
}

fn any_value(kind: ColumnKind) -> BoxedStrategy<Value> {
    let value = match kind {
        ColumnKind::Text => "[a-z,\"\n|é ]{1,8}".prop_map(Value::Text).boxed(),
        ColumnKind::Instant => any::<i64>().prop_map(Value::Instant).boxed(),
        ColumnKind::Integer => any::<i64>().prop_map(Value::Integer).boxed(),
        ColumnKind::Real => prop_oneof![
            any::<f64>(),
            // Any bits at all: subnormals, infinities, every NaN.
            any::<u64>().prop_map(f64::from_bits),
            (-1000..1000_i32).prop_map(|quarters| f64::from(quarters) / 4.0),
            Just(-0.0),
        ]
        .prop_map(Value::Real)
        .boxed(),
        ColumnKind::Price => (-10_i64.pow(18) + 1..10_i64.pow(18)).prop_map(Value::Price).boxed(),
    };
    prop_oneof![4 => value, 1 => Just(Value::Empty)].boxed()
}

fn any_table() -> impl Strategy<Value = (Vec<ColumnKind>, Vec<Vec<Value>>)> {
    prop::collection::vec(prop::sample::select(&KINDS[..]), 1..8).prop_flat_map(|kinds| {
        let row: Vec<_> = kinds.iter().map(|&kind| any_value(kind)).collect();
        (Just(kinds), prop::collection::vec(row, 0..20))
    })
}

fn write(path: &Path, kinds: &[ColumnKind], rows: &[Vec<Value>]) -> Result<u64, TableError> {
    let facts = [("seed".to_owned(), "42".to_owned())];
    let mut table = TableWriter::begin(path, columns(kinds), &facts)?;
    for row in rows {
        table.write_row(row.iter().map(Value::cell))?;
    }
    table.finish()
}

fn read_csv(path: &Path, kinds: &[ColumnKind]) -> Vec<Vec<Value>> {
    let mut reader = ::csv::Reader::from_path(path).unwrap();
    let names: Vec<String> = columns(kinds).into_iter().map(|column| column.name).collect();
    assert_eq!(reader.headers().unwrap(), names);
    let value = |(text, kind): (&str, &ColumnKind)| match kind {
        _ if text.is_empty() => Value::Empty,
        ColumnKind::Text => Value::Text(text.to_owned()),
        ColumnKind::Instant => Value::Instant(text.parse::<Timestamp>().unwrap().nanos()),
        ColumnKind::Integer => Value::Integer(text.parse().unwrap()),
        ColumnKind::Real => Value::Real(text.parse().unwrap()),
        ColumnKind::Price => Value::Price(text.parse::<Price>().unwrap().units()),
    };
    let row = |row: ::csv::StringRecord| row.iter().zip(kinds).map(value).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

/// Returns the values of a column chunk, `None` where absent.
fn chunk<T: DataType>(reader: ColumnReader) -> Vec<Option<T::T>> {
    let mut reader = get_typed_column_reader::<T>(reader);
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let most = 1 << 20;
    reader.read_records(most, Some(&mut levels), None, &mut values).unwrap();
    let mut values = values.into_iter();
    levels.iter().map(|&level| (level == 1).then(|| values.next().unwrap())).collect()
}

fn read_parquet(path: &Path, kinds: &[ColumnKind]) -> Vec<Vec<Value>> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let facts = reader.metadata().file_metadata().key_value_metadata().unwrap();
    assert_eq!((facts[0].key.as_str(), facts[0].value.as_deref()), ("seed", Some("42")));
    let mut rows = Vec::new();
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).unwrap();
        let first = rows.len();
        rows.resize(first + group.metadata().num_rows() as usize, Vec::new());
        for (place, kind) in kinds.iter().enumerate() {
            let reader = group.get_column_reader(place).unwrap();
            let integers = |value: fn(i64) -> Value, reader| -> Vec<Option<Value>> {
                chunk::<Int64Type>(reader).into_iter().map(|cell| cell.map(value)).collect()
            };
            let values = match kind {
                ColumnKind::Text => {
                    let text = |cell: ::parquet::data_type::ByteArray| {
                        Value::Text(cell.as_utf8().unwrap().to_owned())
                    };
                    chunk::<ByteArrayType>(reader).into_iter().map(|cell| cell.map(text)).collect()
                }
                ColumnKind::Instant => integers(Value::Instant, reader),
                ColumnKind::Integer => integers(Value::Integer, reader),
                ColumnKind::Price => integers(Value::Price, reader),
                ColumnKind::Real => {
                    let cells = chunk::<DoubleType>(reader).into_iter();
                    cells.map(|cell| cell.map(Value::Real)).collect()
                }
            };
            assert_eq!(first + values.len(), rows.len());
            for (row, value) in rows[first..].iter_mut().zip(values) {
                row.push(value.unwrap_or(Value::Empty));
            }
        }
    }
    rows
}

proptest! {
    #[test]
    fn both_formats_hold_what_was_written_bit_for_bit((kinds, rows) in any_table()) {
        let folder = tempfile::tempdir().unwrap();
        let [csv, parquet] = ["t.csv", "t.parquet"].map(|name| folder.path().join(name));
        for path in [&csv, &parquet] {
            prop_assert_eq!(write(path, &kinds, &rows).unwrap(), rows.len() as u64);
        }
        prop_assert_eq!(&read_csv(&csv, &kinds), &rows);
        prop_assert_eq!(&read_parquet(&parquet, &kinds), &rows);
    }
}

#[test]
fn more_rows_than_a_group_holds_are_all_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let kinds = [ColumnKind::Text, ColumnKind::Real];
    let rows: Vec<_> = (0..150_000_i32)
        .map(|i| match i % 3 {
            0 => vec![Value::Empty, Value::Real(f64::from(i) / 7.0)],
            _ => vec![Value::Text((i / 100).to_string()), Value::Empty],
        })
        .collect();
    assert_eq!(write(&path, &kinds, &rows).unwrap(), 150_000);
    assert!(read_parquet(&path, &kinds) == rows);
}

#[test]
fn a_real_is_its_shortest_decimal() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    let reals = [0.1, 4512.25, 3.0, -2.0, 1.0 / 3.0, f64::NAN, 1e300, 5e-324];
    let row: Vec<_> = reals.map(Value::Real).into();
    write(&path, &[ColumnKind::Real; 8], &[row]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().nth(1), Some("0.1,4512.25,3,-2,0.3333333333333333,,1e+300,5e-324"));
}

#[test]
fn an_unfinished_table_never_appears_and_leaves_nothing() {
    for name in ["t.csv", "t.parquet"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        let begin = || TableWriter::begin(&path, columns(&[ColumnKind::Integer]), &[]);
        begin().unwrap().finish().unwrap();
        let before = fs::read(&path).unwrap();
        let mut table = begin().unwrap();
        for integer in 0..100_000 {
            table.write_row([Cell::Integer(integer)]).unwrap();
        }
        drop(table);
        assert_eq!(fs::read(&path).unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_table_with_a_row_that_failed_cannot_be_finished() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let mut table = TableWriter::begin(&path, columns(&[ColumnKind::Price]), &[]).unwrap();
    table.write_row([Cell::Price(Price::from_units(1))]).unwrap();
    let error = table.write_row([Cell::Price(Price::MAX)]).unwrap_err().to_string();
    assert!(error.contains("column 0") && error.contains("9223372036.854775807"), "{error}");
    table.write_row([Cell::Empty]).unwrap_err();
    table.finish().unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn another_ending_is_refused_with_the_two_that_are_known() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["t.xlsx", "t", "csv", "t.csv.gz"] {
        let error = TableWriter::begin(&folder.path().join(name), Vec::new(), &[]).err().unwrap();
        assert!(matches!(error, TableError::Ending { .. }));
        let message = error.to_string();
        assert!(message.contains(".csv or .parquet") && message.contains(name), "{message}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_row_that_is_not_of_its_table_is_a_broken_invariant() {
    let folder = tempfile::tempdir().unwrap();
    let rows: [&[Cell]; 3] = [&[], &[Cell::Integer(1)], &[Cell::Text("a"), Cell::Text("b")]];
    for name in ["t.csv", "t.parquet"] {
        for row in rows {
            let path = folder.path().join(name);
            let mut table = TableWriter::begin(&path, columns(&[ColumnKind::Text]), &[]).unwrap();
            let write = std::panic::AssertUnwindSafe(|| table.write_row(row.iter().copied()));
            std::panic::catch_unwind(write).unwrap_err();
        }
    }
}
