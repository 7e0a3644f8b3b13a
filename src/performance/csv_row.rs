//! Rows of the run directory's tables: reading with file, line and column in every refusal.

use std::fmt::Display;
use std::path::Path;

use super::RunDirectoryError;
use crate::market::{Money, Price};

/// A row of a table that has a header.
pub(super) struct CsvRow<'a> {
    path: &'a Path,
    line: u64,
    columns: &'a [&'a str],
    record: csv::StringRecord,
}

impl CsvRow<'_> {
    /// Returns a refusal of this row.
    pub(super) fn refuse(&self, problem: String) -> RunDirectoryError {
        RunDirectoryError::Row { path: self.path.to_owned(), line: self.line, problem }
    }

    /// Returns a column's text.
    pub(super) fn text(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|&name| name == column);
        place.and_then(|place| self.record.get(place)).expect("the header was checked")
    }

    /// Returns a column's value as `read` understands it.
    pub(super) fn value<T, E: Display>(
        &self,
        column: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Result<T, RunDirectoryError> {
        let text = self.text(column);
        read(text).map_err(|error| self.refuse(format!("{column} `{text}`: {error}")))
    }

    /// Returns a column of a type that reads itself.
    pub(super) fn parse<T: std::str::FromStr<Err: Display>>(
        &self,
        column: &str,
    ) -> Result<T, RunDirectoryError> {
        self.value(column, str::parse)
    }

    /// Returns a column of exact dollars.
    pub(super) fn money(&self, column: &str) -> Result<Money, RunDirectoryError> {
        // Prices and money have the same unit, 1e-9, hence the same decimal form.
        self.parse::<Price>(column).map(|amount| Money::from_nanos(amount.units()))
    }
}

/// Reads the table that stands at `path`, whose first columns must be `columns`, and gives each row
/// to `take`.
pub(super) fn read_table<T>(
    path: &Path,
    bytes: &[u8],
    columns: &[&str],
    mut take: impl FnMut(&CsvRow) -> Result<T, RunDirectoryError>,
) -> Result<Vec<T>, RunDirectoryError> {
    let mut reader = csv::Reader::from_reader(bytes);
    let refuse = |line, problem| RunDirectoryError::Row { path: path.to_owned(), line, problem };
    let malformed = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        refuse(line, error.to_string())
    };
    let header = reader.headers().map_err(malformed)?;
    if !header.iter().take(columns.len()).eq(columns.iter().copied()) {
        let problem = format!("the columns must be `{}`", columns.join(","));
        return Err(refuse(1, problem));
    }
    let mut values = Vec::new();
    for record in reader.records() {
        let record = record.map_err(malformed)?;
        let line = record.position().map_or(0, csv::Position::line);
        values.push(take(&CsvRow { path, line, columns, record })?);
    }
    Ok(values)
}
