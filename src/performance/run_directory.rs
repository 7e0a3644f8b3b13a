//! The directory that a run leaves.
//!
//! | file | what |
//! | --- | --- |
//! | `report.html` | the report, one file that opens offline |
//! | `summary.json` | facts and figures: [`Summary`] |
//! | `trades.csv` | one line a round trip |
//! | `equity.csv` | one line a point of the equity curve |
//! | `decisions.csv` | one line a question to the agents, if they decided: see `docs/decisions.md` |
//! | `latency.hgrm` | processing time of a tick, nanoseconds, HdrHistogram's percentile text |
//! | `latency.SPAN.hgrm` | the same of each span from tick to order that has samples, by [`Span::tag`] |
//! | `latency.hlog` | those spans by interval, HdrHistogram's interval log, a tag a span |
//! | `config.resolved.yaml` | the configuration with every default filled in |
//! | `run.journal` | every event and action, if the run keeps them; see [`crate::journal`] |
//! | `manifest.json` | version, input, its hash, seed, and when the run was; written last |
//!
//! The spans' files are only there if the run measured them; those of an earlier run are taken away.
//! Each file appears under its name only when it is whole.

use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use tempfile::NamedTempFile;

use super::decisions_csv::{read_decisions, write_decisions};
use super::equity_csv::{read_equity, write_equity};
use super::latency_file::write_percentiles;
use super::report::{Run, render};
use super::summary::PICOSECONDS;
use super::trades_csv::{TRADES_FILE, read_trades, write_trades};
use super::{EquityPoint, RunRecord, Summary, Trade};
use crate::agents::DecisionRecord;
use crate::latency::Span;
use crate::market::Timestamp;
use crate::whole_file::{self, Kind};

/// The files of a run's directory: every name that a run may write or take away.
pub const RUN_FILES: [&str; 15] = [
    REPORT,
    SUMMARY,
    TRADES,
    EQUITY,
    DECISIONS,
    LATENCY,
    INTERVALS,
    span_file(Span::HandOver),
    span_file(Span::TickToBar),
    span_file(Span::BarToFeatures),
    span_file(Span::BarToDecision),
    span_file(Span::BarToOrder),
    span_file(Span::TickToOrder),
    CONFIGURATION,
    MANIFEST,
];

const REPORT: &str = "report.html";
const SUMMARY: &str = "summary.json";
const TRADES: &str = "trades.csv";
const EQUITY: &str = "equity.csv";
const DECISIONS: &str = "decisions.csv";
const LATENCY: &str = "latency.hgrm";
const INTERVALS: &str = "latency.hlog";
const CONFIGURATION: &str = "config.resolved.yaml";
const MANIFEST: &str = "manifest.json";

/// The file of a run's events and actions, which the pipeline writes while it runs.
pub const JOURNAL: &str = "run.journal";

const fn span_file(span: Span) -> &'static str {
    match span {
        Span::HandOver => "latency.hand_over.hgrm",
        Span::TickToBar => "latency.tick_to_bar.hgrm",
        Span::BarToFeatures => "latency.bar_to_features.hgrm",
        Span::BarToDecision => "latency.bar_to_decision.hgrm",
        Span::BarToOrder => "latency.bar_to_order.hgrm",
        Span::TickToOrder => "latency.tick_to_order.hgrm",
    }
}

/// A run directory that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum RunDirectoryError {
    /// The operating system refused.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Another run writes into it.
    #[error(
        "{path}: another run writes into it; wait for its end, or give another `output.directory` or --output"
    )]
    Held {
        /// The directory.
        path: PathBuf,
    },
    /// `summary.json` is not what a run writes.
    #[error("{path}: {source}; it was changed or is of another version, run the backtest again")]
    Summary {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_json::Error,
    },
    /// A line of a table is not what a run writes.
    #[error("{path}, line {line}: {problem}; undo the change or run the backtest again")]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },
}

/// When a run was, by the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTimes {
    /// When it started.
    pub started: Timestamp,
    /// When it finished.
    pub finished: Timestamp,
}

#[derive(Serialize)]
struct Manifest<'a> {
    version: &'a str,
    mode: &'a str,
    input: &'a str,
    input_sha256: &'a str,
    seed: u64,
    started: String,
    finished: String,
}

/// Makes sure, before a long run, that its directory can be made and written to. Leaves no trace.
///
/// # Errors
/// If the directory, or the nearest one above it that exists, cannot be written to.
pub fn check_run_directory(directory: &Path) -> Result<(), RunDirectoryError> {
    let existing = directory.ancestors().find(|ancestor| ancestor.exists());
    tempfile::tempfile_in(existing.unwrap_or(Path::new("."))).map(|_| ()).map_err(|source| {
        RunDirectoryError::Io { path: directory.to_owned(), action: "write into", source }
    })
}

/// A run directory that no other run writes into. Dropped, it takes away the directories that were made for it and
/// in which nothing was left.
#[derive(Debug)]
pub struct HeldDirectory {
    _lock: File,
    /// The innermost first.
    made: Vec<PathBuf>,
}

impl Drop for HeldDirectory {
    fn drop(&mut self) {
        // One that is not empty stays.
        self.made.iter().take_while(|directory| fs::remove_dir(directory).is_ok()).for_each(drop);
    }
}

/// Makes `directory` if need be and holds it.
///
/// # Errors
/// If it cannot be made, or another run holds it.
pub fn hold_run_directory(directory: &Path) -> Result<HeldDirectory, RunDirectoryError> {
    let path = || directory.to_owned();
    let fail = |action| move |source| RunDirectoryError::Io { path: path(), action, source };
    let missing = directory.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists());
    let made = missing.map(Path::to_owned).collect();
    fs::create_dir_all(directory).map_err(fail("make the directory"))?;
    let lock = File::open(directory).map_err(fail("open"))?;
    match lock.try_lock() {
        Err(TryLockError::WouldBlock) => Err(RunDirectoryError::Held { path: path() }),
        // A file system without locks holds nothing.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(HeldDirectory { _lock: lock, made }),
    }
}

/// Takes away the journal of an earlier run, whose results are no longer those in `directory`.
///
/// # Errors
/// If it is there and cannot be removed.
pub fn remove_journal(directory: &Path) -> Result<(), RunDirectoryError> {
    remove(directory, JOURNAL)
}

/// Writes everything that a run leaves into `directory`, which is made if need be; files of an
/// earlier run in it are replaced, its manifest first taken away. Gives the summary back.
///
/// # Errors
/// If the directory cannot be made or a file not be written; the files written before are kept.
pub fn write_run_directory(
    directory: &Path,
    record: &RunRecord,
    times: WallTimes,
) -> Result<Summary, RunDirectoryError> {
    fs::create_dir_all(directory).map_err(|source| RunDirectoryError::Io {
        path: directory.to_owned(),
        action: "make the directory",
        source,
    })?;
    // A directory with a manifest is whole; from here until its own is written, this one is not.
    remove(directory, MANIFEST)?;
    // This run may have nothing to replace them with.
    remove(directory, INTERVALS)?;
    remove(directory, DECISIONS)?;
    Span::ALL.into_iter().try_for_each(|span| remove(directory, span_file(span)))?;
    let summary = Summary::of(record);
    replace(directory, TRADES, |writer| {
        write_trades(writer, &record.instrument, &record.contract_symbols, &record.trades)
            .map_err(io::Error::from)
    })?;
    replace(directory, EQUITY, |writer| {
        write_equity(writer, record.initial_capital, &record.equity).map_err(io::Error::from)
    })?;
    if summary.decisions.is_some() {
        write_decisions(&directory.join(DECISIONS), &record.decisions)?;
    }
    replace(directory, LATENCY, |writer| {
        write_percentiles(writer, &record.processing_time, PICOSECONDS)
    })?;
    if let Some(latency) = &record.latency {
        for it in latency.spans.iter().filter(|it| !it.histogram.is_empty()) {
            replace(directory, span_file(it.span), |writer| {
                write_percentiles(writer, &it.histogram, 1.0)
            })?;
        }
        replace(directory, INTERVALS, |writer| writer.write_all(&latency.interval_log))?;
    }
    replace(directory, CONFIGURATION, |writer| writer.write_all(record.configuration.as_bytes()))?;
    replace(directory, SUMMARY, |writer| write_json(writer, &summary))?;
    let run = Run {
        summary: &summary,
        trades: &record.trades,
        equity: &record.equity,
        decisions: &record.decisions,
        configuration: &record.configuration,
    };
    replace(directory, REPORT, |writer| writer.write_all(render(&run).as_bytes()))?;
    let manifest = Manifest {
        version: &record.version,
        mode: &record.mode,
        input: &record.input,
        input_sha256: &record.input_sha256,
        seed: record.seed,
        started: times.started.to_string(),
        finished: times.finished.to_string(),
    };
    replace(directory, MANIFEST, |writer| write_json(writer, &manifest))?;
    Ok(summary)
}

/// Writes the trades of a run to a file of their own, with the columns of `trades.csv`.
///
/// # Errors
/// If the file cannot be written; what stood there is kept.
pub fn write_trades_file(path: &Path, record: &RunRecord) -> Result<(), RunDirectoryError> {
    put_file(path, &TRADES_FILE, |writer| {
        write_trades(writer, &record.instrument, &record.contract_symbols, &record.trades)
            .map_err(io::Error::from)
    })
}

/// Makes `report.html` of a run directory anew from its other files, byte for byte as the run made
/// it if they are unchanged. Gives its path back.
///
/// # Errors
/// If a file is missing, cannot be read, or is not what a run writes; the old report is kept.
pub fn render_report_again(directory: &Path) -> Result<PathBuf, RunDirectoryError> {
    let FinishedRun { summary, trades, equity, decisions, configuration } =
        FinishedRun::read(directory)?;
    let run = Run {
        summary: &summary,
        trades: &trades,
        equity: &equity,
        decisions: &decisions,
        configuration: &configuration,
    };
    replace(directory, REPORT, |writer| writer.write_all(render(&run).as_bytes()))?;
    Ok(directory.join(REPORT))
}

/// What can be read back of a run: all that its report shows.
pub(super) struct FinishedRun {
    pub summary: Summary,
    pub trades: Vec<Trade>,
    pub equity: Vec<EquityPoint>,
    pub decisions: Vec<DecisionRecord>,
    pub configuration: String,
}

impl FinishedRun {
    /// Reads a run's directory.
    ///
    /// # Errors
    /// If a file is missing, cannot be read, or is not what a run writes.
    pub fn read(directory: &Path) -> Result<FinishedRun, RunDirectoryError> {
        let read = |name: &str| {
            let path = directory.join(name);
            match fs::read_to_string(&path) {
                Ok(text) => Ok((path, text)),
                Err(source) => Err(RunDirectoryError::Io { path, action: "read", source }),
            }
        };
        let (path, text) = read(SUMMARY)?;
        let summary: Summary = serde_json::from_str(&text)
            .map_err(|source| RunDirectoryError::Summary { path, source })?;
        let trades = read_trades(&directory.join(TRADES), &summary.contracts)?;
        let equity = read_equity(&directory.join(EQUITY))?;
        let (_, configuration) = read(CONFIGURATION)?;
        let decisions = match summary.decisions {
            Some(_) => read_decisions(&directory.join(DECISIONS))?,
            None => Vec::new(),
        };
        Ok(FinishedRun { summary, trades, equity, decisions, configuration })
    }
}

fn write_json(writer: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *writer, value)?;
    writer.write_all(b"\n")
}

/// Takes a file away, if it is there.
fn remove(directory: &Path, name: &str) -> Result<(), RunDirectoryError> {
    match fs::remove_file(directory.join(name)) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            let path = directory.join(name);
            Err(RunDirectoryError::Io { path, action: "replace", source })
        }
        _ => Ok(()),
    }
}

/// Fills a temporary file of a run directory and renames it to its name.
fn replace(
    directory: &Path,
    name: &str,
    write: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> io::Result<()>,
) -> Result<(), RunDirectoryError> {
    put_file(&directory.join(name), &Kind::IN_OUR_FOLDER, write)
}

fn put_file(
    path: &Path,
    kind: &Kind,
    write: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> io::Result<()>,
) -> Result<(), RunDirectoryError> {
    let fill = || -> io::Result<()> {
        let mut file = whole_file::begin(path, kind)?;
        let mut writer = BufWriter::new(&mut file);
        write(&mut writer)?;
        writer.flush()?;
        drop(writer);
        whole_file::put_in_place(file, path, kind)
    };
    fill().map_err(|source| {
        let path = path.to_owned();
        RunDirectoryError::Io { path, action: "write", source }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_span_has_its_file_among_those_of_a_run() {
        for span in Span::ALL {
            assert_eq!(span_file(span), format!("latency.{}.hgrm", span.tag()));
            assert!(RUN_FILES.contains(&span_file(span)));
        }
    }
}
