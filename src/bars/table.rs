//! Bars as a table.

use std::path::Path;

use crate::market::Bar;
use crate::table::{Cell, Column, ColumnKind, TableError, TableWriter};

const COLUMNS: [(&str, ColumnKind); 11] = [
    ("instrument", ColumnKind::Text),
    ("timeframe_minutes", ColumnKind::Integer),
    ("start_utc", ColumnKind::Instant),
    ("open", ColumnKind::Price),
    ("high", ColumnKind::Price),
    ("low", ColumnKind::Price),
    ("close", ColumnKind::Price),
    ("volume", ColumnKind::Integer),
    ("ticks", ColumnKind::Integer),
    ("flags", ColumnKind::Text),
    ("contract", ColumnKind::Text),
];

/// A table of bars that is being written. Columns:
/// `instrument,timeframe_minutes,start_utc,open,high,low,close,volume,ticks,flags,contract`; a
/// daily bar has 1440 minutes.
#[derive(Debug)]
pub struct BarTable<'a> {
    table: TableWriter,
    instrument: &'a str,
    contracts: &'a [String],
}

impl<'a> BarTable<'a> {
    /// Begins a table at `path`, a `.csv` or `.parquet`. `contracts` holds the contracts' symbols
    /// by [`Bar::contract`], `facts` what a Parquet file tells of itself.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn begin(
        path: &Path,
        instrument: &'a str,
        contracts: &'a [String],
        facts: &[(String, String)],
    ) -> Result<BarTable<'a>, TableError> {
        let columns = COLUMNS.map(|(name, kind)| Column::new(name, kind));
        let table = TableWriter::begin(path, columns.into(), facts)?;
        Ok(BarTable { table, instrument, contracts })
    }

    /// Appends a bar.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, bar: &Bar) -> Result<(), TableError> {
        let flags = bar.flags.to_string();
        let contract = self.contracts.get(usize::from(bar.contract));
        self.table.write_row([
            Cell::Text(self.instrument),
            Cell::Integer(bar.timeframe.minutes().into()),
            Cell::Instant(bar.start),
            Cell::Price(bar.open),
            Cell::Price(bar.high),
            Cell::Price(bar.low),
            Cell::Price(bar.close),
            Cell::Integer(bar.volume as i64),
            Cell::Integer(bar.ticks.into()),
            Cell::Text(&flags),
            contract.map_or(Cell::Empty, |symbol| Cell::Text(symbol)),
        ])
    }

    /// Puts the table in its place; returns its rows.
    ///
    /// # Errors
    /// If it cannot be written; what stood there is kept.
    pub fn finish(self) -> Result<u64, TableError> {
        self.table.finish()
    }
}
