//! Tables: rows of typed cells, as CSV or Parquet by the ending of the file's name.

mod csv;
mod parquet;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::market::{Price, Timestamp};
use crate::whole_file::{self, FileKind};

/// The format of a table's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableFormat {
    /// Text, a line a row, for people and spreadsheets.
    Csv,
    /// Typed columns, for programs that analyse.
    Parquet,
}

impl TableFormat {
    /// Returns the format that the ending of a file's name stands for.
    ///
    /// # Errors
    /// If it is neither `.csv` nor `.parquet`.
    pub fn of(path: &Path) -> Result<TableFormat, TableError> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some("csv") => Ok(TableFormat::Csv),
            Some("parquet") => Ok(TableFormat::Parquet),
            _ => Err(TableError::Ending { path: path.to_owned() }),
        }
    }
}

/// The type of a column's cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text; UTF-8 in Parquet.
    Text,
    /// An instant: ISO-8601 UTC with nanoseconds in CSV, a UTC timestamp in nanoseconds in Parquet.
    Instant,
    /// A whole number of 64 bits.
    Integer,
    /// A 64-bit float: in CSV the shortest decimal that reads back as the same bits. NaN is no
    /// value.
    Real,
    /// An exact price: its shortest decimal in CSV, a decimal of 18 digits, 9 of them after the
    /// point, in Parquet, which holds prices below 10⁹ points.
    Price,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, in the first line of a CSV file. No two columns of a table share one.
    pub name: String,
    /// Type of its cells.
    pub kind: ColumnKind,
}

impl Column {
    /// Creates a column of that name.
    pub fn new(name: impl Into<String>, kind: ColumnKind) -> Column {
        Column { name: name.into(), kind }
    }
}

/// One cell of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// No value, in a column of any kind: nothing at all in CSV, null in Parquet.
    Empty,
    /// Of a [`ColumnKind::Text`] column. In CSV an empty text is the same as no value.
    Text(&'a str),
    /// Of a [`ColumnKind::Instant`] column.
    Instant(Timestamp),
    /// Of a [`ColumnKind::Integer`] column.
    Integer(i64),
    /// Of a [`ColumnKind::Real`] column; NaN is the same as [`Cell::Empty`].
    Real(f64),
    /// Of a [`ColumnKind::Price`] column.
    Price(Price),
}

impl Cell<'_> {
    fn fits(&self, kind: ColumnKind) -> bool {
        match self {
            Cell::Empty => true,
            Cell::Text(_) => kind == ColumnKind::Text,
            Cell::Instant(_) => kind == ColumnKind::Instant,
            Cell::Integer(_) => kind == ColumnKind::Integer,
            Cell::Real(_) => kind == ColumnKind::Real,
            Cell::Price(_) => kind == ColumnKind::Price,
        }
    }
}

/// A table that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The file's name ends in neither format.
    #[error("{path}: a table is written as .csv or .parquet; let the name end in one of them")]
    Ending {
        /// The file.
        path: PathBuf,
    },
    /// Writing failed, or what makes the rows did.
    #[error("{path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// A table that is being written. The file appears under its name with [`TableWriter::finish`],
/// whole, or never: not if anything failed, and not if the writer is dropped.
pub struct TableWriter {
    path: PathBuf,
    format: TableFormat,
    columns: Vec<Column>,
    rows: u64,
    /// Gone once a row has failed.
    file: Option<File>,
}

impl fmt::Debug for TableWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TableWriter")
            .field("path", &self.path)
            .field("format", &self.format)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

enum File {
    Csv(csv::CsvFile),
    Parquet(parquet::ParquetFile),
}

impl TableWriter {
    /// Begins a table with these columns, in the format of [`TableFormat::of`] the path. `facts`
    /// are what a reader should know of the whole table, by name: metadata of a Parquet file; a CSV
    /// file has no place for them.
    ///
    /// # Errors
    /// If the ending is not known, something else than a table of this kind stands at `path`, or
    /// the folder cannot be written to.
    pub fn begin(
        path: &Path,
        columns: Vec<Column>,
        facts: &[(String, String)],
    ) -> Result<TableWriter, TableError> {
        let format = TableFormat::of(path)?;
        let begin = || {
            let file = with_kind(format, &columns, |kind| whole_file::begin(path, kind))?;
            Ok(match format {
                TableFormat::Csv => File::Csv(csv::CsvFile::new(file, &columns)?),
                TableFormat::Parquet => {
                    File::Parquet(parquet::ParquetFile::new(file, &columns, facts)?)
                }
            })
        };
        let file = begin().map_err(|source| failed(path, source))?;
        Ok(TableWriter { path: path.to_owned(), format, columns, rows: 0, file: Some(file) })
    }

    /// Appends a row. After an error the table is lost, and every further call fails.
    ///
    /// # Errors
    /// If the disk is full, or a price is too large for Parquet.
    ///
    /// # Panics
    /// If there are not as many cells as columns, or one is not of its column's kind.
    pub fn write_row<'a>(
        &mut self,
        cells: impl IntoIterator<Item = Cell<'a>>,
    ) -> Result<(), TableError> {
        let (mut cells, mut columns) = (cells.into_iter(), self.columns.iter());
        let row = std::iter::from_fn(|| match (cells.next(), columns.next()) {
            (Some(cell), Some(column)) => {
                let Column { name, kind } = column;
                assert!(cell.fits(*kind), "column `{name}` takes {kind:?}, not {cell:?}");
                Some((column, cell))
            }
            (None, None) => None,
            _ => panic!("a row needs a cell for each of the {} columns", self.columns.len()),
        });
        let written = match &mut self.file {
            Some(File::Csv(file)) => file.write_row(row),
            Some(File::Parquet(file)) => file.write_row(row),
            None => Err(io::Error::other("an earlier row could not be written")),
        };
        if let Err(source) = written {
            self.file = None;
            return Err(failed(&self.path, source));
        }
        self.rows += 1;
        Ok(())
    }

    /// Puts the whole file in its place and returns how many rows it has. A table of this kind that
    /// stood there before is replaced.
    ///
    /// # Errors
    /// If an earlier row failed, something else stands there by now, the disk is full, or the name
    /// cannot be given.
    pub fn finish(self) -> Result<u64, TableError> {
        let finished = match self.file {
            Some(File::Csv(file)) => file.finish(),
            Some(File::Parquet(file)) => file.finish(),
            None => Err(io::Error::other("a row could not be written")),
        };
        finished
            .and_then(|file| {
                with_kind(self.format, &self.columns, |kind| {
                    whole_file::put_in_place(file, &self.path, kind)
                })
            })
            .map_err(|source| failed(&self.path, source))?;
        Ok(self.rows)
    }
}

/// Calls `use_it` with the files that a table of these columns may replace: one whose first columns
/// are the same. The others depend on the configuration.
fn with_kind<T>(format: TableFormat, columns: &[Column], use_it: impl FnOnce(&FileKind) -> T) -> T {
    let names: Vec<&str> = columns.iter().take(4).map(|column| column.name.as_str()).collect();
    let header = names.join(",");
    let is_ours: &dyn Fn(&mut fs::File) -> bool = match format {
        TableFormat::Csv => &|file| whole_file::begins_with(file, header.as_bytes()),
        TableFormat::Parquet => &parquet::is_ours,
    };
    use_it(&FileKind { what: "a table of this kind", is_ours })
}

fn failed(path: &Path, source: io::Error) -> TableError {
    TableError::Write { path: path.to_owned(), source }
}
