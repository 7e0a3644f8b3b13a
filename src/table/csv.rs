//! A table as CSV.

use std::io::{self, Write};

use tempfile::NamedTempFile;

use super::{Cell, Column};

pub(super) struct CsvFile {
    csv: csv::Writer<NamedTempFile>,
    /// The text of a cell, kept for its memory.
    text: Vec<u8>,
}

impl CsvFile {
    /// Begins with the line of the columns' names.
    pub(super) fn new(file: NamedTempFile, columns: &[Column]) -> io::Result<CsvFile> {
        let mut csv = csv::WriterBuilder::new().buffer_capacity(1 << 20).from_writer(file);
        csv.write_record(columns.iter().map(|column| &column.name))?;
        Ok(CsvFile { csv, text: Vec::new() })
    }

    pub(super) fn write_row<'a>(
        &mut self,
        row: impl Iterator<Item = (&'a Column, Cell<'a>)>,
    ) -> io::Result<()> {
        for (_, cell) in row {
            self.text.clear();
            match cell {
                Cell::Empty => {}
                Cell::Text(text) => self.text.extend_from_slice(text.as_bytes()),
                Cell::Instant(instant) => write!(self.text, "{instant}")?,
                Cell::Integer(integer) => write!(self.text, "{integer}")?,
                Cell::Real(real) if real.is_nan() => {}
                Cell::Real(real) => {
                    let mut buffer = zmij::Buffer::new();
                    let text = buffer.format(real);
                    self.text.extend_from_slice(text.strip_suffix(".0").unwrap_or(text).as_bytes());
                }
                Cell::Price(price) => write!(self.text, "{price}")?,
            }
            self.csv.write_field(&self.text)?;
        }
        // The end of the line.
        Ok(self.csv.write_record(None::<&[u8]>)?)
    }

    pub(super) fn finish(self) -> io::Result<NamedTempFile> {
        self.csv.into_inner().map_err(|error| error.into_error())
    }
}
