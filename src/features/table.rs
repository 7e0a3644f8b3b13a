//! Feature rows as a table.

use std::path::Path;

use super::{FeatureLayout, FeatureRow};
use crate::table::{Cell, Column, ColumnKind, TableError, TableWriter};

/// A table of feature rows that is being written: `instrument`, `timeframe_minutes`, `start_utc`,
/// `end_utc` (from when the row is known), `contract`, `flags` (as those of bars), `close`, and the
/// fields of the layout, empty where there is no value.
#[derive(Debug)]
pub struct FeatureTable<'a> {
    table: TableWriter,
    instrument: &'a str,
    contracts: &'a [String],
    fields: usize,
}

impl<'a> FeatureTable<'a> {
    /// Begins a table at `path`, a `.csv` or `.parquet`. `contracts` holds the contracts' symbols
    /// by [`crate::market::Bar::contract`], `facts` what a Parquet file tells of itself.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin(
        path: &Path,
        instrument: &'a str,
        contracts: &'a [String],
        layout: &FeatureLayout,
        facts: &[(String, String)],
    ) -> Result<FeatureTable<'a>, TableError> {
        let mut columns = vec![
            Column::new("instrument", ColumnKind::Text),
            Column::new("timeframe_minutes", ColumnKind::Integer),
            Column::new("start_utc", ColumnKind::Instant),
            Column::new("end_utc", ColumnKind::Instant),
            Column::new("contract", ColumnKind::Text),
            Column::new("flags", ColumnKind::Text),
            Column::new("close", ColumnKind::Price),
        ];
        let fields = layout.fields();
        columns.extend(fields.iter().map(|field| Column::new(&field.name, ColumnKind::Real)));
        let table = TableWriter::begin(path, columns, facts)?;
        Ok(FeatureTable { table, instrument, contracts, fields: fields.len() })
    }

    /// Appends a row.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, row: &FeatureRow) -> Result<(), TableError> {
        let bar = &row.bar;
        let contract = self.contracts.get(usize::from(bar.contract));
        let flags = bar.flags.to_string();
        let first = [
            Cell::Text(self.instrument),
            Cell::Integer(bar.timeframe.minutes().into()),
            Cell::Instant(bar.start),
            Cell::Instant(bar.end),
            contract.map_or(Cell::Empty, |symbol| Cell::Text(symbol)),
            Cell::Text(&flags),
            Cell::Price(bar.close),
        ];
        let values = row.values[..self.fields].iter().map(|&value| Cell::Real(value));
        self.table.write_row(first.into_iter().chain(values))
    }

    /// Puts the table in its place; returns its rows.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<u64, TableError> {
        self.table.finish()
    }
}
