//! Bars as a table.

use std::io;
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

/// Writes the bars that `make` emits to `path`, a `.csv` or `.parquet`, which appears when it is whole.
/// Columns: `instrument,timeframe_minutes,start_utc,open,high,low,close,volume,ticks,flags,contract`; a
/// daily bar has 1440 minutes. `contracts` holds the contracts' symbols by [`Bar::contract`], `facts`
/// what a Parquet file tells of itself. Returns how many bars there were.
///
/// # Errors
/// If the file cannot be written, or `make` fails; what stood there is kept.
pub fn write_bars(
    path: &Path,
    instrument: &str,
    contracts: &[String],
    facts: &[(String, String)],
    make: impl FnOnce(&mut dyn FnMut(&Bar)) -> io::Result<()>,
) -> Result<u64, TableError> {
    let columns = COLUMNS.map(|(name, kind)| Column::new(name, kind));
    let mut table = TableWriter::begin(path, columns.into(), facts)?;
    let mut written = Ok(());
    let made = make(&mut |bar| {
        if written.is_err() {
            return;
        }
        let flags = bar.flags.to_string();
        written = table.write_row([
            Cell::Text(instrument),
            Cell::Integer(bar.timeframe.minutes().into()),
            Cell::Instant(bar.start),
            Cell::Price(bar.open),
            Cell::Price(bar.high),
            Cell::Price(bar.low),
            Cell::Price(bar.close),
            Cell::Integer(bar.volume as i64),
            Cell::Integer(bar.ticks.into()),
            Cell::Text(&flags),
            contracts.get(usize::from(bar.contract)).map_or(Cell::Empty, |it| Cell::Text(it)),
        ]);
    });
    written?;
    made.map_err(|source| TableError::Write { path: path.to_owned(), source })?;
    table.finish()
}
