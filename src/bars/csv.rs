//! `bars.csv`.

use std::io;
use std::path::Path;

use crate::market::Bar;
use crate::whole_file;

/// Writes the bars that `make` emits to `path`, which appears when it is whole. Columns:
/// `instrument,timeframe_minutes,start_utc,open,high,low,close,volume,ticks,flags,contract`; a daily bar
/// has 1440 minutes. `contracts` holds the contracts' symbols by [`Bar::contract`]. Returns how many bars
/// there were.
///
/// # Errors
/// If the file cannot be written, or `make` fails; what stood there is kept.
pub fn write_bars(
    path: &Path,
    instrument: &str,
    contracts: &[String],
    make: impl FnOnce(&mut dyn FnMut(&Bar)) -> io::Result<()>,
) -> io::Result<u64> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let file = whole_file::begin(path).map_err(named)?;
    let mut csv = csv::Writer::from_writer(io::BufWriter::with_capacity(1 << 20, file));
    let mut result = csv.write_record([
        "instrument",
        "timeframe_minutes",
        "start_utc",
        "open",
        "high",
        "low",
        "close",
        "volume",
        "ticks",
        "flags",
        "contract",
    ]);
    let mut count = 0;
    let made = make(&mut |bar| {
        if result.is_err() {
            return;
        }
        count += 1;
        result = csv.write_record([
            instrument,
            &bar.timeframe.minutes().to_string(),
            &bar.start.to_string(),
            &bar.open.to_string(),
            &bar.high.to_string(),
            &bar.low.to_string(),
            &bar.close.to_string(),
            &bar.volume.to_string(),
            &bar.ticks.to_string(),
            &bar.flags.to_string(),
            contracts.get(usize::from(bar.contract)).map_or("", String::as_str),
        ]);
    });
    result.map_err(io::Error::from).and(made).map_err(named)?;
    let buffer = csv.into_inner().map_err(|error| named(io::Error::other(error.to_string())))?;
    let file = buffer.into_inner().map_err(|error| named(error.into_error()))?;
    whole_file::put_in_place(file, path).map_err(named)?;
    Ok(count)
}
