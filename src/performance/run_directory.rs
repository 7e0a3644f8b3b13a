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
//! | `rejects.csv` | rows of the history that its import refused, if there are any |
//! | `run.journal` | every event and action, if the run keeps them; see [`crate::journal`] |
//! | `manifest.json` | version, input, its hash, seed, when the run was, and SHA-256 and rows of the other files; written last |
//!
//! The spans' files are only there if the run measured them; those of an earlier run are taken
//! away. Each file appears under its name only when it is whole.
//!
//! A directory with a manifest holds one whole run. The first thing that a new run does to it is to
//! take the manifest away, and to leave a mark, `.algospace-run`, until it has written its own. A
//! directory that is not empty and has neither is not a run's, and nothing is written into it.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use super::decisions_csv::{read_decisions, write_decisions};
use super::equity_csv::{read_equity, write_equity};
use super::latency_file::write_percentiles;
use super::report::{ReportedRun, render};
use super::summary::PICOSECONDS;
use super::trades_csv::{TRADES_FILE, read_trades, write_trades};
use super::{RunRecord, Summary};
use crate::execution::{EquityPoint, Trade};
use crate::latency::Span;
use crate::market::Timestamp;
use crate::source::import::REJECTS_FILE;
use crate::strategy::DecisionRecord;
use crate::whole_file::{self, FileKind};

/// The files of a run's directory: every name that a run may write or take away.
pub const RUN_FILES: [&str; 17] = [
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
    REJECTS,
    JOURNAL,
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
const REJECTS: &str = "rejects.csv";

/// The mark of a run's directory that has no manifest.
const MARK: &str = ".algospace-run";

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
        /// Attempted action.
        action: &'static str,
        /// Cause.
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
    /// It holds files that no run wrote.
    #[error(
        "{path}: the folder is not empty, and what is in it is not a run's; give `output.directory` or --output a folder of its own"
    )]
    NotOurs {
        /// The directory.
        path: PathBuf,
    },
    /// A file of the run would be written elsewhere.
    #[error("{path}: is a link, and a run writes into its own folder only; remove it")]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// It holds results that the command may not replace.
    #[error(
        "{path}: holds the results of {}, which `{command}` does not replace; give --output another directory",
        made_by(*maker)
    )]
    HoldsOther {
        /// The directory.
        path: PathBuf,
        /// The command that made them. `None` if their manifest does not say, as those of earlier
        /// versions.
        maker: Option<Maker>,
        /// The command that would replace them.
        command: Maker,
    },
    /// It holds a journal, from which a run can be made again, and which cannot be made again.
    #[error(
        "{path}: holds the journal of a run, which would be lost; give --output another directory"
    )]
    HoldsJournal {
        /// The directory.
        path: PathBuf,
    },
    /// Without a manifest, its files may be of several runs or incomplete.
    #[error(
        "{path}: there is no manifest.json, so the run did not end here, or is of an earlier version; run the backtest again"
    )]
    NoManifest {
        /// The directory.
        path: PathBuf,
    },
    /// A file is not the one that the run left.
    #[error(
        "{path}: this is not the file that the run left: {problem}; undo the change or run the backtest again"
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The difference.
        problem: String,
    },
    /// `summary.json` or `manifest.json` is not what a run writes.
    #[error("{path}: {source}; it was changed or is of another version, run the backtest again")]
    Json {
        /// The file.
        path: PathBuf,
        /// Fault that was found, with line and column.
        source: serde_json::Error,
    },
    /// A line of a table is not what a run writes.
    #[error("{path}, line {line}: {problem}; undo the change or run the backtest again")]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// Fault that was found.
        problem: String,
    },
}

/// The command whose results a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Maker {
    /// The main job, a backtest.
    Run,
    /// `replay --output`.
    Replay,
    /// `stitch --output`.
    Stitch,
}

impl std::fmt::Display for Maker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Maker::Run => "run",
            Maker::Replay => "replay",
            Maker::Stitch => "stitch",
        })
    }
}

fn made_by(maker: Option<Maker>) -> String {
    match maker {
        Some(Maker::Run) => "a run".to_owned(),
        Some(maker) => format!("`{maker}`"),
        None => "an earlier version".to_owned(),
    }
}

/// Start and end of a run, by the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallTimes {
    /// Its start.
    pub started: Timestamp,
    /// Its end.
    pub finished: Timestamp,
}

/// `manifest.json`.
#[derive(Serialize, Deserialize)]
struct RunManifest {
    version: String,
    /// Manifests of earlier versions do not say.
    #[serde(default)]
    maker: Option<Maker>,
    mode: String,
    input: String,
    input_sha256: String,
    seed: u64,
    started: String,
    finished: String,
    /// The other files by name, but for the journal, whose records have checksums of their own.
    /// Manifests of earlier versions have none.
    #[serde(default)]
    files: BTreeMap<String, FileFacts>,
}

/// Facts that a file of a run must match.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct FileFacts {
    sha256: String,
    /// Lines below the header, of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rows: Option<usize>,
}

impl RunManifest {
    fn read(directory: &Path) -> Result<RunManifest, RunDirectoryError> {
        let path = directory.join(MANIFEST);
        if let Err(error) = fs::symlink_metadata(&path)
            && error.kind() == io::ErrorKind::NotFound
            && directory.is_dir()
        {
            return Err(RunDirectoryError::NoManifest { path: directory.to_owned() });
        }
        let bytes = read(directory, MANIFEST)?;
        serde_json::from_slice(&bytes).map_err(|source| RunDirectoryError::Json { path, source })
    }

    /// Writes it, behind everything that it vouches for.
    fn write(&self, directory: &Path) -> Result<(), RunDirectoryError> {
        let sync = || {
            whole_file::sync_folder(directory).map_err(|source| {
                let path = directory.to_owned();
                RunDirectoryError::Io { path, action: "sync", source }
            })
        };
        sync()?;
        replace(directory, MANIFEST, |writer| write_json(writer, self))?;
        sync()
    }

    /// Makes sure that a file is the one that the run left.
    fn vouch(&self, directory: &Path, name: &str, bytes: &[u8]) -> Result<(), RunDirectoryError> {
        if self.files.is_empty() {
            return Err(RunDirectoryError::NoManifest { path: directory.to_owned() });
        }
        let problem = match self.files.get(name) {
            None => "manifest.json does not know it".to_owned(),
            Some(facts) if facts.sha256 == sha256(bytes) => return Ok(()),
            Some(FileFacts { rows: Some(rows), .. }) => {
                format!("its SHA-256 is not the one in manifest.json, where it has {rows} rows")
            }
            Some(_) => "its SHA-256 is not the one in manifest.json".to_owned(),
        };
        Err(RunDirectoryError::Changed { path: directory.join(name), problem })
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads a file of a run. Links are not followed: a directory that came from elsewhere may have
/// some to other files.
fn read(directory: &Path, name: &str) -> Result<Vec<u8>, RunDirectoryError> {
    let path = directory.join(name);
    let bytes = fs::symlink_metadata(&path).and_then(|found| match found.is_file() {
        true => fs::read(&path),
        false => Err(io::Error::other("it is no regular file")),
    });
    bytes.map_err(|source| RunDirectoryError::Io { path, action: "read", source })
}

/// Makes sure, before a long run, that its directory can be made and written to, and is no one
/// else's. Leaves no trace.
///
/// # Errors
/// If the directory, or the nearest one above it that exists, cannot be written to, or it holds
/// what no run wrote.
pub fn check_run_directory(directory: &Path) -> Result<(), RunDirectoryError> {
    let existing = directory.ancestors().find(|ancestor| ancestor.exists());
    tempfile::tempfile_in(existing.unwrap_or(Path::new("."))).map(drop).map_err(|source| {
        RunDirectoryError::Io { path: directory.to_owned(), action: "write into", source }
    })?;
    if directory.exists() { check_owner(directory) } else { Ok(()) }
}

/// Makes sure that a directory is empty, or a run's, and that no name in it leads elsewhere.
fn check_owner(directory: &Path) -> Result<(), RunDirectoryError> {
    let fail = |source| {
        let path = directory.to_owned();
        RunDirectoryError::Io { path, action: "read", source }
    };
    for name in RUN_FILES.iter().chain([&MARK]) {
        let path = directory.join(name);
        if fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink()) {
            return Err(RunDirectoryError::Link { path });
        }
    }
    if directory.join(MARK).exists() || RunManifest::read(directory).is_ok() {
        return Ok(());
    }
    for entry in fs::read_dir(directory).map_err(fail)? {
        if !whole_file::is_unfinished(&entry.map_err(fail)?.path()) {
            return Err(RunDirectoryError::NotOurs { path: directory.to_owned() });
        }
    }
    Ok(())
}

/// A run directory that no other run writes into. Dropped, it takes away the directories that were
/// made for it and in which nothing was left.
#[derive(Debug)]
pub struct HeldDirectory {
    path: PathBuf,
    _lock: File,
    /// The innermost first.
    made: Vec<PathBuf>,
    /// `true` if it is the new run's by now.
    is_begun: AtomicBool,
    swept: Vec<PathBuf>,
}

impl Drop for HeldDirectory {
    fn drop(&mut self) {
        // One in which nothing is left needs no mark.
        let is_left =
            |entry: io::Result<fs::DirEntry>| entry.is_ok_and(|entry| entry.file_name() != MARK);
        if !fs::read_dir(&self.path).is_ok_and(|mut entries| entries.any(is_left)) {
            let _ = fs::remove_file(self.path.join(MARK));
        }
        // One that is not empty stays.
        self.made.iter().take_while(|directory| fs::remove_dir(directory).is_ok()).for_each(drop);
    }
}

/// Makes `directory` if need be and holds it. What killed runs left unfinished in it goes.
///
/// # Errors
/// If it cannot be made, another run holds it, or it holds what no run wrote.
pub fn hold_run_directory(directory: &Path) -> Result<HeldDirectory, RunDirectoryError> {
    let path = directory.to_owned();
    let missing = directory.ancestors().take_while(|it| !it.as_os_str().is_empty() && !it.exists());
    let made = missing.map(Path::to_owned).collect();
    fs::create_dir_all(directory).map_err(|source| {
        let path = directory.to_owned();
        RunDirectoryError::Io { path, action: "make the directory", source }
    })?;
    let lock = lock(directory, File::try_lock)?;
    let (is_begun, swept) = (AtomicBool::new(false), Vec::new());
    let mut held = HeldDirectory { path, _lock: lock, made, is_begun, swept };
    check_owner(directory)?;
    held.swept = whole_file::sweep(directory);
    Ok(held)
}

/// Keeps runs out of a directory that is there, for as long as the file is open.
pub(super) fn lock(
    directory: &Path,
    how: impl FnOnce(&File) -> Result<(), TryLockError>,
) -> Result<File, RunDirectoryError> {
    let path = || directory.to_owned();
    let lock = File::open(directory).map_err(|source| RunDirectoryError::Io {
        path: path(),
        action: "open",
        source,
    })?;
    match how(&lock) {
        Err(TryLockError::WouldBlock) => Err(RunDirectoryError::Held { path: path() }),
        // A file system without locks holds nothing.
        Ok(()) | Err(TryLockError::Error(_)) => Ok(lock),
    }
}

impl HeldDirectory {
    /// Returns its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the unfinished files that killed runs had left in it and that were removed.
    pub fn swept(&self) -> &[PathBuf] {
        &self.swept
    }

    /// Makes it the new run's, before the first byte of that is written: the manifest of an earlier
    /// run goes, and then what this run may have nothing to replace with. Does nothing after the
    /// first call.
    ///
    /// # Errors
    /// If a file cannot be removed.
    pub fn begin(&self) -> Result<(), RunDirectoryError> {
        if self.is_begun.load(Ordering::Relaxed) {
            return Ok(());
        }
        let fail = |action| {
            move |source| RunDirectoryError::Io { path: self.path.clone(), action, source }
        };
        let text = "A run of algospace-hft writes into this folder, or did until it was ended. The next one may use it.\n";
        fs::write(self.path.join(MARK), text).map_err(fail("write into"))?;
        self.remove(MANIFEST)?;
        whole_file::sync_folder(&self.path).map_err(fail("sync"))?;
        if whole_file::is_there(&self.path.join(REJECTS), &REJECTS_FILE) {
            self.remove(REJECTS)?;
        }
        [JOURNAL, INTERVALS, DECISIONS].into_iter().try_for_each(|name| self.remove(name))?;
        Span::ALL.into_iter().try_for_each(|span| self.remove(span_file(span)))?;
        self.is_begun.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Makes sure that `command`, which makes results of runs' files, replaces no run: neither a
    /// journal, which it never needs, nor whole results that are not its own.
    ///
    /// # Errors
    /// If there are such, or a manifest that cannot be read.
    pub fn keep_runs(&self, command: Maker) -> Result<(), RunDirectoryError> {
        let path = || self.path.clone();
        if fs::symlink_metadata(self.path.join(JOURNAL)).is_ok() {
            return Err(RunDirectoryError::HoldsJournal { path: path() });
        }
        match RunManifest::read(&self.path) {
            Ok(RunManifest { maker, .. }) if maker != Some(command) => {
                Err(RunDirectoryError::HoldsOther { path: path(), maker, command })
            }
            Ok(_) | Err(RunDirectoryError::NoManifest { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Makes sure that rows that an import refused may be put here.
    ///
    /// # Errors
    /// If something else than such rows is in their place.
    pub fn check_rejects(&self) -> Result<(), RunDirectoryError> {
        let path = self.path.join(REJECTS);
        whole_file::check(&path, &REJECTS_FILE).map_err(|source| RunDirectoryError::Io {
            path,
            action: "write",
            source,
        })
    }

    /// Moves the rows that an import refused here, from a file on the same disk.
    ///
    /// # Errors
    /// If something else than such rows is in their place, or it cannot be done.
    pub fn keep_rejects(&self, rejects: &Path) -> Result<(), RunDirectoryError> {
        self.check_rejects()?;
        self.begin()?;
        let path = self.path.join(REJECTS);
        fs::rename(rejects, &path).map_err(|source| RunDirectoryError::Io {
            path,
            action: "write",
            source,
        })
    }

    /// Writes everything that a run leaves, its manifest last, which names `maker`. Gives the
    /// summary back.
    ///
    /// # Errors
    /// If a file cannot be written; the files written before are kept.
    pub fn write(
        &self,
        maker: Maker,
        record: &RunRecord,
        times: WallTimes,
    ) -> Result<Summary, RunDirectoryError> {
        self.begin()?;
        let directory = &*self.path;
        let summary = Summary::of(record);
        let mut files = Files { directory, facts: BTreeMap::new() };
        files.put(TRADES, Some(record.trades.len()), |writer| {
            write_trades(writer, &record.instrument, &record.contract_symbols, &record.trades)
                .map_err(io::Error::from)
        })?;
        files.put(EQUITY, Some(record.equity.len()), |writer| {
            write_equity(writer, record.initial_capital, &record.equity).map_err(io::Error::from)
        })?;
        if summary.decisions.is_some() {
            write_decisions(&directory.join(DECISIONS), &record.decisions)?;
            files.keep(DECISIONS, Some(record.decisions.len()))?;
        }
        files.put(LATENCY, None, |writer| {
            write_percentiles(writer, &record.processing_time, PICOSECONDS)
        })?;
        if let Some(latency) = &record.latency {
            for it in latency.spans.iter().filter(|it| !it.histogram.is_empty()) {
                files.put(span_file(it.span), None, |writer| {
                    write_percentiles(writer, &it.histogram, 1.0)
                })?;
            }
            files.put(INTERVALS, None, |writer| writer.write_all(&latency.interval_log))?;
        }
        if whole_file::is_there(&directory.join(REJECTS), &REJECTS_FILE) {
            files.keep(REJECTS, None)?;
        }
        files
            .put(CONFIGURATION, None, |writer| writer.write_all(record.configuration.as_bytes()))?;
        files.put(SUMMARY, None, |writer| write_json(writer, &summary))?;
        let run = ReportedRun {
            summary: &summary,
            trades: &record.trades,
            equity: &record.equity,
            decisions: &record.decisions,
            configuration: &record.configuration,
        };
        files.put(REPORT, None, |writer| writer.write_all(render(&run).as_bytes()))?;
        let manifest = RunManifest {
            version: record.version.clone(),
            maker: Some(maker),
            mode: record.mode.clone(),
            input: record.input.clone(),
            input_sha256: record.input_sha256.clone(),
            seed: record.seed,
            started: times.started.to_string(),
            finished: times.finished.to_string(),
            files: files.facts,
        };
        manifest.write(directory)?;
        self.remove(MARK)?;
        Ok(summary)
    }

    /// Takes a file away, if it is there.
    fn remove(&self, name: &str) -> Result<(), RunDirectoryError> {
        let path = self.path.join(name);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(RunDirectoryError::Io { path, action: "replace", source })
            }
            _ => Ok(()),
        }
    }
}

/// The files of a run, as they are written.
struct Files<'a> {
    directory: &'a Path,
    facts: BTreeMap<String, FileFacts>,
}

impl Files<'_> {
    /// Writes a file with this number of rows.
    fn put(
        &mut self,
        name: &str,
        rows: Option<usize>,
        write: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> io::Result<()>,
    ) -> Result<(), RunDirectoryError> {
        replace(self.directory, name, write)?;
        self.keep(name, rows)
    }

    /// Takes a file with this number of rows into the manifest.
    fn keep(&mut self, name: &str, rows: Option<usize>) -> Result<(), RunDirectoryError> {
        let sha256 = sha256(&read(self.directory, name)?);
        self.facts.insert(name.to_owned(), FileFacts { sha256, rows });
        Ok(())
    }
}

/// Holds `directory`, which is made if need be, and writes everything that a backtest leaves into
/// it: [`HeldDirectory::write`].
///
/// # Errors
/// If the directory cannot be held, or a file not be written; the files written before are kept.
pub fn write_run_directory(
    directory: &Path,
    record: &RunRecord,
    times: WallTimes,
) -> Result<Summary, RunDirectoryError> {
    hold_run_directory(directory)?.write(Maker::Run, record, times)
}

/// Returns whether a path names one of the files of a run in its folder, there or not yet: a run
/// that has begun has no manifest, and writes most of its files at its end.
pub fn belongs_to_a_run(path: &Path) -> bool {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = whole_file::folder_of(&real);
    let is_a_runs =
        RUN_FILES.iter().chain([&MARK]).any(|&name| real.file_name() == Some(name.as_ref()));
    is_a_runs && (folder.join(MARK).exists() || RunManifest::read(folder).is_ok())
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

/// Rebuilds `report.html` of a run directory from its other files, byte for byte as the run made
/// it if the version is the same. Gives its path back.
///
/// # Errors
/// If a run is at work in it, a file is missing, cannot be read, or is not the one that the run
/// left; the old report is kept.
pub fn render_report_again(directory: &Path) -> Result<PathBuf, RunDirectoryError> {
    let _lock = lock(directory, File::try_lock)?;
    let FinishedRun { summary, trades, equity, decisions, configuration, mut manifest } =
        FinishedRun::read(directory)?;
    let run = ReportedRun {
        summary: &summary,
        trades: &trades,
        equity: &equity,
        decisions: &decisions,
        configuration: &configuration,
    };
    let page = render(&run);
    replace(directory, REPORT, |writer| writer.write_all(page.as_bytes()))?;
    // Another version's report is another one.
    let facts = FileFacts { sha256: sha256(page.as_bytes()), rows: None };
    if manifest.files.insert(REPORT.to_owned(), facts.clone()) != Some(facts) {
        manifest.write(directory)?;
    }
    Ok(directory.join(REPORT))
}

/// The part of a run that can be read back: all that its report shows.
pub(super) struct FinishedRun {
    pub summary: Summary,
    pub trades: Vec<Trade>,
    pub equity: Vec<EquityPoint>,
    pub decisions: Vec<DecisionRecord>,
    pub configuration: String,
    manifest: RunManifest,
}

impl FinishedRun {
    /// Reads a run's directory.
    ///
    /// # Errors
    /// If there is no manifest, or a file is missing, cannot be read, or is not the one that the
    /// run left.
    pub(super) fn read(directory: &Path) -> Result<FinishedRun, RunDirectoryError> {
        let manifest = RunManifest::read(directory)?;
        let path = |name| directory.join(name);
        let summary_text = read(directory, SUMMARY)?;
        let summary: Summary = serde_json::from_slice(&summary_text)
            .map_err(|source| RunDirectoryError::Json { path: path(SUMMARY), source })?;
        let trades_text = read(directory, TRADES)?;
        let trades = read_trades(&path(TRADES), &trades_text, &summary.contracts)?;
        let equity_text = read(directory, EQUITY)?;
        let equity = read_equity(&path(EQUITY), &equity_text)?;
        let configuration = read(directory, CONFIGURATION)?;
        let mut files = vec![
            (SUMMARY, &summary_text),
            (TRADES, &trades_text),
            (EQUITY, &equity_text),
            (CONFIGURATION, &configuration),
        ];
        let (mut decisions, decisions_text);
        decisions = Vec::new();
        if summary.decisions.is_some() {
            decisions_text = read(directory, DECISIONS)?;
            decisions = read_decisions(&path(DECISIONS), &decisions_text)?;
            files.push((DECISIONS, &decisions_text));
        }
        // Last, so that a line that cannot be read is told by its number.
        files.iter().try_for_each(|(name, bytes)| manifest.vouch(directory, name, bytes))?;
        // The rest is not shown, and the report is rebuilt.
        let is_left =
            |name: &&String| *name != REPORT && !files.iter().any(|file| file.0 == **name);
        for name in manifest.files.keys().filter(is_left) {
            manifest.vouch(directory, name, &read(directory, name)?)?;
        }
        let configuration = String::from_utf8_lossy(&configuration).into_owned();
        Ok(FinishedRun { summary, trades, equity, decisions, configuration, manifest })
    }
}

fn write_json(writer: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *writer, value)?;
    writer.write_all(b"\n")
}

/// Fills a temporary file of a run directory and renames it to its name.
fn replace(
    directory: &Path,
    name: &str,
    write: impl FnOnce(&mut BufWriter<&mut NamedTempFile>) -> io::Result<()>,
) -> Result<(), RunDirectoryError> {
    put_file(&directory.join(name), &FileKind::IN_OUR_FOLDER, write)
}

fn put_file(
    path: &Path,
    kind: &FileKind,
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
