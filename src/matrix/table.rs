//! Matrices as a table.

use std::path::Path;

use super::FeatureMatrix;
use crate::market::Bar;
use crate::table::{Cell, Column, ColumnKind, TableError, TableWriter};

/// A table of the rows that enter the matrices, scaled: `instrument`, `matrix`,
/// `timeframe_minutes`, `start_utc`, `end_utc` (from when the row is known), `ready` (1 when the
/// window that ends with this row can be handed out), and the columns of every matrix,
/// `MATRIX.FEATURE` or `MATRIX.FEATURE/PER` (`#2` behind it for the second of that name), empty on
/// rows of another. The window of a matrix is its last N rows.
#[derive(Debug)]
pub struct MatrixTable<'a> {
    table: TableWriter,
    instrument: &'a str,
    widths: Vec<usize>,
}

impl<'a> MatrixTable<'a> {
    /// Begins a table at `path`, a `.csv` or `.parquet`. `facts` is what a Parquet file tells of
    /// itself.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin(
        path: &Path,
        instrument: &'a str,
        matrices: &[FeatureMatrix],
        facts: &[(String, String)],
    ) -> Result<MatrixTable<'a>, TableError> {
        let mut columns = vec![
            Column::new("instrument", ColumnKind::Text),
            Column::new("matrix", ColumnKind::Text),
            Column::new("timeframe_minutes", ColumnKind::Integer),
            Column::new("start_utc", ColumnKind::Instant),
            Column::new("end_utc", ColumnKind::Instant),
            Column::new("ready", ColumnKind::Integer),
        ];
        for matrix in matrices {
            for column in &matrix.settings().columns {
                let name = format!("{}.{}", matrix.name(), column.name());
                let alike = |it: &&Column| it.name.split('#').next() == Some(&name);
                // The same feature in two scales.
                let name = match columns.iter().filter(alike).count() {
                    0 => name,
                    before => format!("{name}#{}", before + 1),
                };
                columns.push(Column::new(name, ColumnKind::Real));
            }
        }
        let widths = matrices.iter().map(|matrix| matrix.settings().columns.len()).collect();
        Ok(MatrixTable { table: TableWriter::begin(path, columns, facts)?, instrument, widths })
    }

    /// Appends the newest row of those of `matrices` that stand on the bar's timeframe.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, bar: &Bar, matrices: &[FeatureMatrix]) -> Result<(), TableError> {
        for (place, matrix) in matrices.iter().enumerate() {
            if matrix.settings().timeframe != bar.timeframe {
                continue;
            }
            let first = [
                Cell::Text(self.instrument),
                Cell::Text(matrix.name()),
                Cell::Integer(bar.timeframe.minutes().into()),
                Cell::Instant(bar.start),
                Cell::Instant(bar.end),
                Cell::Integer(matrix.window().is_ok().into()),
            ];
            let before = self.widths[..place].iter().sum();
            let after = self.widths[place + 1..].iter().sum();
            let row = matrix.newest_row().iter().map(|&cell| Cell::Real(cell.into()));
            let cells = std::iter::repeat_n(Cell::Empty, before)
                .chain(row)
                .chain(std::iter::repeat_n(Cell::Empty, after));
            self.table.write_row(first.into_iter().chain(cells))?;
        }
        Ok(())
    }

    /// Puts the table in its place; returns its rows.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<u64, TableError> {
        self.table.finish()
    }
}
