//! The history that a backtest replays: a native tick file, a file of another format, or a
//! synthetic market.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::market::{Calendar, Instrument, Naming, Session, Tick, TickFlags, Timestamp};
use crate::source::BacktestSettings;
use crate::source::import::{
    self, DelimiterError, DetectError, Detected, Example, Finding, ImportError, ImportOptions,
    ImportReport, LayoutError, PricesBelowZero, delimiter, roll_choice,
};
use crate::source::native::{Adjustment, TickFile, TickFileError};
use crate::source::synthetic::{self, Settings, SyntheticError, SyntheticSettings};
use crate::whole_file::WorkingFolder;

/// A history, ready to be replayed.
#[derive(Debug)]
pub struct History {
    /// Its file; [`History::ticks`] are those to replay.
    pub file: TickFile,
    /// Number of ticks to replay.
    end: usize,
    /// Its name, as the user would call it.
    pub name: String,
    /// The imported files, in order; empty for a native or a generated history.
    pub imported_from: Vec<PathBuf>,
    /// Notes on it for readers of the results, a sentence each.
    pub notes: Vec<String>,
    /// File of the rows that the import refused, which exists as long as this value; `None` if it
    /// took all.
    pub rejects: Option<PathBuf>,
    /// Folder of an imported or generated history.
    folder: Option<WorkingFolder>,
}

/// Progress of the preparation of a history, in units of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Done so far.
    pub done: u64,
    /// In all.
    pub total: u64,
}

/// The reason why there is no history.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The configuration names no history.
    #[error(
        "no history to replay: set `data_handler.backtest_settings.file_path`, or `synthetic` for a synthetic market"
    )]
    None,
    /// The file does not exist.
    #[error(
        "{path}: there is no such file; set `data_handler.backtest_settings.file_path` to your history. Any history becomes a native tick file with `algospace-hft import --format PRESET --input YOUR_FILE --output FILE.ticks`, and a synthetic market with `algospace-hft synth --market regimes --days 20 --seed 7 --output FILE.ticks`"
    )]
    Missing {
        /// Value that was given.
        path: PathBuf,
    },
    /// Nothing is left to trade.
    #[error(
        "{name} begins at {first}, after the session of `data_handler.backtest_settings.last_trading_day`, {day}; give a later day, or an earlier history"
    )]
    BeginsAfter {
        /// The history.
        name: String,
        /// Its first tick.
        first: Timestamp,
        /// Value that was given.
        day: Date,
    },
    /// Nothing is left to trade.
    #[error(
        "{name} ends at {last}, before the session of `data_handler.backtest_settings.first_trading_day`, {day}; give an earlier day, or a longer history"
    )]
    EndsBefore {
        /// The history.
        name: String,
        /// Its last tick.
        last: Timestamp,
        /// Value that was given.
        day: Date,
    },
    /// A history bar would mix two product bars.
    #[error(
        "{name}: the history bar whose ticks are from {from} to {to} does not lie in one product bar of its session, which is open from {open} to {close}: import it again from its source, which refuses such bars or gives them their place"
    )]
    BarInTwo {
        /// The history.
        name: String,
        /// The bar's first tick.
        from: Timestamp,
        /// Its last one.
        to: Timestamp,
        /// The session of the first.
        open: Timestamp,
        /// Its end.
        close: Timestamp,
    },
    /// The configuration names another contract than the native file holds.
    #[error(
        "{path}: holds {held}, not {wanted}; leave `data_handler.backtest_settings.contract` out, or import {wanted} into a file of its own"
    )]
    OtherContract {
        /// The history.
        path: PathBuf,
        /// Its content.
        held: String,
        /// Value that was given.
        wanted: String,
    },
    /// The columns are invalid.
    #[error("`data_handler.backtest_settings.columns`: {0}")]
    Columns(#[from] LayoutError),
    /// The delimiter of columns is not one character.
    #[error("`data_handler.backtest_settings.delimiter`: {0}")]
    Delimiter(#[from] DelimiterError),
    /// The file cannot be read.
    #[error("{path}: cannot read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// There is no room for a working copy.
    #[error("{path}: cannot make a folder for the prepared history: {source}")]
    Folder {
        /// Path of the file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The kind of the file cannot be detected.
    #[error(transparent)]
    Detect(#[from] DetectError),
    /// The native file is not whole.
    #[error(transparent)]
    Native(#[from] TickFileError),
    /// The import failed.
    #[error("{0}{hint}", hint = switch_hint(.0))]
    Import(#[from] Box<ImportError>),
    /// The synthetic market cannot be made.
    #[error(transparent)]
    Synthetic(#[from] SyntheticError),
}

impl History {
    /// Opens the history that the configuration names. A file that is not native is imported, and a
    /// synthetic market generated, into a folder inside `working` that is removed with the history.
    /// Nothing else is written.
    ///
    /// # Errors
    /// If the configuration names no history, it cannot be used, or `stop` is set while it is being
    /// prepared.
    pub fn open(
        config: &Config,
        instrument: &Instrument,
        working: &Path,
        stop: &Arc<AtomicBool>,
        progress: &mut dyn FnMut(Preparation),
    ) -> Result<History, HistoryError> {
        let settings = &config.data_handler.backtest_settings;
        let mut history = match (&settings.file_path, settings.synthetic) {
            (Some(path), _) => {
                if !path.exists() {
                    return Err(HistoryError::Missing { path: path.clone() });
                }
                Self::open_file(path, settings, instrument, working, stop, progress)
            }
            (None, Some(synthetic)) => Self::generate(
                synthetic,
                config.synthetic_seed(),
                instrument,
                working,
                stop,
                progress,
            ),
            (None, None) => Err(HistoryError::None),
        }?;
        if let (Some(day), Some(first)) = (settings.last_trading_day, history.ticks().first()) {
            let after = day.tomorrow().expect("a checked year is far from jiff's last one");
            let opens = instrument.calendar.session_on_or_after(after).open;
            let end = history.ticks().partition_point(|tick| tick.time < opens);
            if end == 0 {
                let (name, first) = (history.name.clone(), first.time);
                return Err(HistoryError::BeginsAfter { name, first, day });
            }
            history.end = end;
        }
        if let (Some(day), Some(last)) = (settings.first_trading_day, history.ticks().last())
            && last.time < instrument.calendar.session_on_or_after(day).open
        {
            let (name, last) = (history.name.clone(), last.time);
            return Err(HistoryError::EndsBefore { name, last, day });
        }
        Ok(history)
    }

    /// Returns the ticks to replay: those up to the end of the last trading day.
    pub fn ticks(&self) -> &[Tick] {
        &self.file.ticks()[..self.end]
    }

    /// Returns whether the history was imported or generated for this run, and is not the
    /// configuration's own file.
    pub fn is_prepared(&self) -> bool {
        self.folder.is_some()
    }

    /// Returns the SHA-256, in hexadecimal, that identifies the user's input. For imported files it
    /// is computed over one after the other, which takes time; for a native file or a generated
    /// market it is [`TickFile::sha256`], which is known at once.
    ///
    /// # Errors
    /// If a file can no longer be read.
    pub fn sha256(&self) -> Result<String, HistoryError> {
        if self.imported_from.is_empty() {
            return Ok(self.file.sha256().to_owned());
        }
        let mut hash = Sha256::new();
        for path in &self.imported_from {
            let io = |source| HistoryError::Read { path: path.clone(), source };
            let mut file = std::fs::File::open(path).map_err(io)?;
            std::io::copy(&mut file, &mut HashWriter(&mut hash)).map_err(io)?;
        }
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn whole(
        file: TickFile,
        name: String,
        imported_from: Vec<PathBuf>,
        notes: Vec<String>,
        folder: Option<WorkingFolder>,
    ) -> History {
        let end = file.ticks().len();
        History { file, end, name, imported_from, notes, rejects: None, folder }
    }

    fn open_file(
        path: &Path,
        settings: &BacktestSettings,
        instrument: &Instrument,
        working: &Path,
        stop: &Arc<AtomicBool>,
        progress: &mut dyn FnMut(Preparation),
    ) -> Result<History, HistoryError> {
        let format = match &settings.format {
            Some(format) => format.clone(),
            None => match import::detect(path)? {
                Detected::Format(format) => format.to_owned(),
                Detected::Native => {
                    let file = TickFile::open(path)?;
                    check_bars(&file, &path.display().to_string(), instrument.calendar)?;
                    let fixed = check_fixed(settings, path, &file)?;
                    let notes = expansion_note(&file).into_iter().chain(fixed).collect();
                    let name = path.display().to_string();
                    return Ok(History::whole(file, name, Vec::new(), notes, None));
                }
            },
        };
        let folder = working_folder(working)?;
        let native = folder.join("history.ticks");
        let inputs = vec![path.to_owned()];
        let mut options = ImportOptions::new(&format, inputs, native.clone(), instrument.clone());
        options.stop = Arc::clone(stop);
        options.contract.clone_from(&settings.contract);
        options.time_zone.clone_from(&settings.time_zone);
        options.columns = settings.columns.as_deref().map(str::parse).transpose()?;
        options.delimiter = settings.delimiter.as_deref().map(delimiter).transpose()?;
        options.stamp = settings.stamp;
        options.bar_seconds = settings.bar_seconds;
        options.policies.prices_below_zero = settings.prices_below_zero;
        options.roll = settings.roll.map(|roll| {
            roll_choice(roll.rule(instrument.calendar), Adjustment::None, instrument.calendar)
        });
        options.rejects = Some(folder.join("rejects.csv"));
        let report = import::run(&options, &mut |now| {
            progress(Preparation { done: now.bytes_read, total: now.bytes_total });
        })
        .map_err(Box::new)?;
        let file = open_prepared(&native)?;
        let notes = expansion_note(&file).into_iter().chain(import_notes(&report)).collect();
        let name = path.display().to_string();
        let (imported_from, rejects) = (report.inputs, report.rejects);
        let history = History::whole(file, name, imported_from, notes, Some(folder));
        Ok(History { rejects, ..history })
    }

    fn generate(
        synthetic: SyntheticSettings,
        seed: u64,
        instrument: &Instrument,
        working: &Path,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(Preparation),
    ) -> Result<History, HistoryError> {
        let folder = working_folder(working)?;
        let native = folder.join("synthetic.ticks");
        let mut settings = Settings::new(synthetic, seed);
        settings.instrument = instrument.clone();
        settings.write_regimes = false;
        settings.first_price = settings.first_price.round_to_tick(instrument.tick_size);
        let name =
            format!("synthetic {} market, {} days, seed {seed}", synthetic.market, synthetic.days);
        synthetic::write_file(settings, &native, stop, |done, total| {
            progress(Preparation { done: u64::from(done), total: u64::from(total) });
        })?;
        let file = open_prepared(&native)?;
        Ok(History::whole(file, name, Vec::new(), Vec::new(), Some(folder)))
    }
}

/// Checks that every history bar of a file lies in one session and in one product bar. `import`
/// ensures this. Files of earlier versions and of other programs may hold other bars, whose close a
/// product bar would show before it is known.
///
/// # Errors
/// If a bar lies in two: the first of them.
pub fn check_bars(file: &TickFile, name: &str, calendar: Calendar) -> Result<(), HistoryError> {
    let Some(seconds) = file.description().expanded_from_bars_of_seconds else { return Ok(()) };
    let length = i64::from(seconds) * Timestamp::SECOND;
    let mut session = Session::NEVER;
    let mut opened = None;
    for tick in file.ticks() {
        if tick.flags.any(TickFlags::BAR_OPEN) {
            opened = Some(tick.time);
        }
        if !tick.flags.any(TickFlags::BAR_CLOSE) {
            continue;
        }
        let Some(opened) = opened.take() else { continue };
        if opened < session.open || opened >= session.close {
            session = calendar.session_at_or_after(opened);
        }
        let Session { open, close, .. } = session;
        let bar_of = |time: Timestamp| (time - open).div_euclid(length);
        let is_outside = tick.time < open;
        let is_whole = opened >= open && tick.time < close && bar_of(opened) == bar_of(tick.time);
        if !is_outside && !is_whole {
            let name = name.to_owned();
            return Err(HistoryError::BarInTwo { name, from: opened, to: tick.time, open, close });
        }
    }
    Ok(())
}

/// Lets [`std::io::copy`] feed a hash.
struct HashWriter<'a>(&'a mut Sha256);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn expansion_note(file: &TickFile) -> Option<String> {
    let seconds = file.description().expanded_from_bars_of_seconds?;
    Some(format!(
        "The history is bars of {seconds} s, not trades: each became four ticks (open, high, low, close, always in this order). Market orders fill on opens and closes only; where one bar reaches both stop and target, the stop counts."
    ))
}

/// Returns a sentence on everything that an import found.
fn import_notes(report: &ImportReport) -> Vec<String> {
    let mut notes = Vec::new();
    for finding in Finding::ALL {
        let count = report.count(finding);
        if count.rows > 0 {
            let first = match count.examples.first() {
                Some(Example { input, line, .. }) => format!(" (the first: {input}:{line})"),
                None => String::new(),
            };
            let (rows, words) = (count.rows, finding.words());
            notes.push(format!("Import: {rows} of {} rows: {words}{first}.", report.rows));
        }
    }
    notes.extend(report.tick_warning().map(|warning| format!("Import: {warning}")));
    notes
}

/// Returns notes on the settings that an import has fixed in a native file, and that change nothing
/// here.
///
/// # Errors
/// If the file does not hold the contract.
fn check_fixed(
    settings: &BacktestSettings,
    path: &Path,
    file: &TickFile,
) -> Result<Vec<String>, HistoryError> {
    let contracts = &file.description().contracts;
    let mut without_effect = Vec::new();
    if let Some(wanted) = &settings.contract {
        let symbols: Vec<&str> = contracts.iter().map(|contract| &*contract.symbol).collect();
        let at = file.ticks().first().map_or(Timestamp::MIN, |tick| tick.time);
        let instrument = &file.description().instrument;
        if !symbols.iter().any(|symbol| may_mean(wanted, symbol, instrument, at)) {
            let (path, held) = (path.to_owned(), symbols.join(", "));
            return Err(HistoryError::OtherContract { path, held, wanted: wanted.clone() });
        }
        if symbols.len() > 1 {
            without_effect.push("contract");
        }
    }
    let given = [
        ("roll", settings.roll.is_some()),
        ("time_zone", settings.time_zone.is_some()),
        ("columns", settings.columns.is_some()),
        ("delimiter", settings.delimiter.is_some()),
        ("stamp", settings.stamp.is_some()),
        ("bar_seconds", settings.bar_seconds.is_some()),
        ("prices_below_zero", settings.prices_below_zero != PricesBelowZero::RefuseRow),
    ];
    without_effect.extend(given.iter().filter(|(_, is_given)| *is_given).map(|(name, _)| *name));
    let note = |name: &str| {
        format!(
            "`data_handler.backtest_settings.{name}` has no effect: {} is a native tick file, in which its import has fixed it.",
            path.display()
        )
    };
    Ok(without_effect.into_iter().map(note).collect())
}

/// Returns the settings that an import's message calls by its switches.
fn switch_hint(error: &ImportError) -> &'static str {
    let text = error.to_string();
    if text.contains("`--") && !text.contains("configuration") {
        " (in a configuration, `--time-zone` is `time_zone` of `data_handler.backtest_settings`, and likewise the others; what it has no key for, `algospace-hft import` takes)"
    } else {
        ""
    }
}

/// Returns whether a name may mean a native file's contract, with any digits of the year in either.
fn may_mean(wanted: &str, held: &str, instrument: &str, at: Timestamp) -> bool {
    match (Naming::of_symbol(wanted), Naming::of_symbol(held)) {
        (Naming::Contract(wanted), Naming::Contract(held)) => {
            let contract = held.resolve(instrument, at);
            wanted.root() == held.root() && contract.is_some_and(|it| wanted.may_mean(&it))
        }
        _ => wanted.eq_ignore_ascii_case(held),
    }
}

/// Opens a history that was just made and removes its name: even if the program is killed, no
/// gigabytes are left.
fn open_prepared(native: &Path) -> Result<TickFile, TickFileError> {
    let file = TickFile::open(native)?;
    let _ = std::fs::remove_file(native);
    Ok(file)
}

fn working_folder(working: &Path) -> Result<WorkingFolder, HistoryError> {
    WorkingFolder::inside(working)
        .map_err(|source| HistoryError::Folder { path: working.to_owned(), source })
}
