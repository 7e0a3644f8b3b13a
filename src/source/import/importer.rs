//! One import: from files in any known layout to one native tick file.

use std::collections::HashSet;
use std::fmt;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::databento::read_databento;
use super::input;
use super::intake::Intake;
use super::join::{ContractStream, JoinError, JoinPlan};
use super::layout::Layout;
use super::lean::{LeanOptions, read_lean};
use super::ledger::REJECTS_FILE;
use super::placement::{DAY, Dated};
use super::policy::Policies;
use super::preset::{Preset, preset_names};
use super::read_error::ReadError;
use super::report::{Example, ImportReport};
use super::row::RowSink;
use super::sierra::{SierraOptions, read_sierra};
use super::text::{Header, Stamp, TextFormat, TextSummary};
use crate::market::{Calendar, Instrument, Price, Timestamp, time_zone};
use crate::source::native::TickFileError;
use crate::whole_file::{self, Identity};

/// Chooses the contract that is shown at each time, of several.
pub type RollChoice = Box<dyn Fn(&[ContractStream]) -> Result<JoinPlan, String>>;

/// The input of an import, and its options.
pub struct ImportOptions {
    /// The layout of the input: the name of a preset.
    pub format: String,
    /// Files, or folders whose files of the format's usual endings are read in order of their
    /// names.
    pub inputs: Vec<PathBuf>,
    /// The native file to write; what stands there is kept until the new one is whole.
    pub output: PathBuf,
    /// The instrument.
    pub instrument: Instrument,
    /// The one contract to take where the input tells contracts apart; otherwise the name that the
    /// output gives to it.
    pub contract: Option<String>,
    /// The rule that makes one series of several contracts.
    pub roll: Option<RollChoice>,
    /// IANA name of the zone of times without an offset; `None`: the preset's.
    pub time_zone: Option<String>,
    /// Seconds in a bar; `None`: the preset's, or else what the steps between the first bars tell.
    pub bar_seconds: Option<u32>,
    /// Contents of a text file's columns, with a header or without; `None`: what the preset or the
    /// header says.
    pub columns: Option<Layout>,
    /// Between two columns of a text file; `None`: the preset's.
    pub delimiter: Option<u8>,
    /// The end of its interval with which a bar of a text file is labelled; `None`: the preset's.
    pub stamp: Option<Stamp>,
    /// Stored prices × this = prices, for Sierra Chart files, some of which hold prices × 100.
    pub price_multiplier: Price,
    /// The treatment of irregular rows.
    pub policies: Policies,
    /// Ends the import when it is set; nothing is written then.
    pub stop: Arc<AtomicBool>,
    /// File for refused rows; `None`: the output's name with `.rejects.csv` after it.
    pub rejects: Option<PathBuf>,
}

impl fmt::Debug for ImportOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImportOptions")
            .field("format", &self.format)
            .field("inputs", &self.inputs)
            .field("output", &self.output)
            .field("instrument", &self.instrument)
            .finish_non_exhaustive()
    }
}

impl ImportOptions {
    /// Creates an import with the documented defaults.
    pub fn new(
        format: &str,
        inputs: Vec<PathBuf>,
        output: PathBuf,
        instrument: Instrument,
    ) -> ImportOptions {
        ImportOptions {
            format: format.to_owned(),
            inputs,
            output,
            instrument,
            contract: None,
            roll: None,
            time_zone: None,
            bar_seconds: None,
            columns: None,
            delimiter: None,
            stamp: None,
            price_multiplier: Price::from_units(Price::SCALE),
            policies: Policies::default(),
            stop: Arc::default(),
            rejects: None,
        }
    }

    pub(super) fn rejects_path(&self) -> PathBuf {
        self.rejects.clone().unwrap_or_else(|| {
            let mut name = self.output.clone().into_os_string();
            name.push(".rejects.csv");
            PathBuf::from(name)
        })
    }
}

/// The progress of an import. It starts again from 0 where everything must be read a second time,
/// to sort it or to tell contracts apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImportProgress {
    /// Bytes of the input files that were read.
    pub bytes_read: u64,
    /// Bytes of all input files.
    pub bytes_total: u64,
    /// Rows that were read.
    pub rows: u64,
}

/// The reason why nothing was imported. What stood at the output before is still there.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No layout of that name.
    #[error("there is no format `{name}`; there are: {known}")]
    Format {
        /// Value that was asked for.
        name: String,
        /// Values that exist.
        known: String,
    },
    /// The user stopped it.
    #[error("stopped; nothing was written")]
    Stopped,
    /// The ticks and the refused rows would go to one file.
    #[error("{path}: both the output and the file of refused rows; choose another `--rejects`")]
    OutputIsRejects {
        /// The file.
        path: PathBuf,
    },
    /// One file is given twice: every trade would count double.
    #[error("{path}: given twice as an input; give it once")]
    Twice {
        /// The file.
        path: PathBuf,
    },
    /// A source is not what its format says.
    #[error("{0}")]
    Source(String),
    /// No time zone of that name.
    #[error("there is no time zone `{0}`; give an IANA name such as America/Chicago")]
    TimeZone(String),
    /// The vendor's times are in a zone that the user of its program has chosen.
    #[error(
        "the times of `{format}` are in {setting}; say which with `--time-zone`, such as America/Chicago (CME's), America/New_York or UTC"
    )]
    ZoneNeeded {
        /// The format.
        format: &'static str,
        /// The setting that decides.
        setting: &'static str,
    },
    /// The user of the vendor's program has chosen how bars are labelled.
    #[error(
        "bars of `{format}` are labelled with their start or their end, as the export was told; say which with `--stamp start` or `--stamp end`"
    )]
    StampNeeded {
        /// The format.
        format: &'static str,
    },
    /// An invalid bar length.
    #[error(
        "bars of {nanos} ns: a bar must be of whole seconds, from 1 second to 31 days; give its length (`--bar-seconds`) if it was guessed wrong"
    )]
    BarLength {
        /// The length.
        nanos: i64,
    },
    /// No input at all.
    #[error("no input file was given")]
    NoInput,
    /// A file or folder cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Input {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// A folder has no file that could be meant.
    #[error("{path}: no file ending in {endings} in this folder")]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
        /// The usual endings.
        endings: String,
    },
    /// The output would replace an input.
    #[error("{path} is both input and output; choose another output")]
    OutputIsInput {
        /// The file.
        path: PathBuf,
    },
    /// Too many rows are refused: the input must have another layout, or be of another
    /// instrument.
    #[error("{input}: this does not look like `{format}` of {instrument}: {refused} of the first {rows} rows are refused; line {line}: {reason}: `{text}`; expected {expected}{hint}", input = first.input, line = first.line, reason = first.reason, text = first.text)]
    WrongFormat {
        /// The format that was asked for.
        format: String,
        /// The instrument that was asked for.
        instrument: String,
        /// Rows refused.
        refused: u64,
        /// Rows read.
        rows: u64,
        /// The first refused row.
        first: Box<Example>,
        /// The format's columns and a line of it.
        expected: String,
        /// A guess at the cause.
        hint: String,
    },
    /// More rows are refused than allowed.
    #[error("{refused} of {rows} rows ({percent:.2} %) are refused, {limit:.2} % are allowed; look at {rejects}, then mend the input or allow more (`--max-refused {remedy}`); the first: {input}:{line}: {reason}", percent = 100.0 * *refused as f64 / *rows as f64, input = first.input, line = first.line, reason = first.reason)]
    TooManyRefused {
        /// Rows refused.
        refused: u64,
        /// Rows read.
        rows: u64,
        /// Percent allowed.
        limit: f64,
        /// A fraction that would let them pass.
        remedy: f64,
        /// The file of refused rows.
        rejects: PathBuf,
        /// The first refused row.
        first: Box<Example>,
    },
    /// There is nothing to write.
    #[error("nothing to import: of {rows} rows, {dropped} are dropped and {refused} refused")]
    Nothing {
        /// Rows read.
        rows: u64,
        /// Rows dropped.
        dropped: u64,
        /// Rows refused.
        refused: u64,
    },
    /// A row goes back in time, and the policy is to refuse that.
    #[error(
        "{input}:{line}: {time} is before {last}, the time of a row before it; `--late-rows sort` puts such rows into their place"
    )]
    Late {
        /// The file.
        input: String,
        /// The line.
        line: u64,
        /// The row's time.
        time: Timestamp,
        /// The latest time before it.
        last: Timestamp,
    },
    /// Trades and bars, or bars of two lengths.
    #[error("{input}:{line}: {what}; import them into files of their own")]
    Mixed {
        /// The file.
        input: String,
        /// The line.
        line: u64,
        /// The kinds that are mixed.
        what: &'static str,
    },
    /// Bars are not as long as was said or found.
    #[error(
        "{input}:{line}: bars are taken to be of {length} s, and from here on they are {step} s apart; if all of them are of {step} s, say so (`--bar-seconds {step}`), otherwise import bars of each length into a file of their own"
    )]
    OtherLength {
        /// The file.
        input: String,
        /// The first bar of another length.
        line: u64,
        /// Seconds that were said or found.
        length: i64,
        /// Seconds between the bars.
        step: i64,
    },
    /// Most bars fit no product bar.
    #[error("{misplaced} of {rows} bars fit no product bar of {calendar}; the first: {input}:{line}: {reason}; is the time zone (`--time-zone`) right?", input = first.input, line = first.line, reason = first.reason)]
    Misplaced {
        /// Bars that have no place.
        misplaced: u64,
        /// Rows read.
        rows: u64,
        /// The calendar of the sessions.
        calendar: Calendar,
        /// The first of them.
        first: Box<Example>,
    },
    /// A daily bar of a day on which nothing opens and closes.
    #[error(
        "{input}:{line}: a daily bar of {date}, a {weekday}, which is no trade date of {calendar}: these are days of a clock, not sessions, and each holds parts of two sessions; import hours or finer bars", weekday = date.strftime("%A")
    )]
    Weekend {
        /// The file.
        input: String,
        /// The line.
        line: u64,
        /// The date.
        date: Date,
        /// The calendar of the sessions.
        calendar: Calendar,
    },
    /// Several contracts and no choice between them.
    #[error("the input holds {} contracts: {list}; choose one (`--contract`) or how to join them (`--roll calendar` or `--roll volume`); in a configuration `contract` or `roll` of `data_handler.backtest_settings`", contracts.len(), list = contracts.iter().map(|(symbol, rows)| format!("{symbol} ({rows} rows)")).collect::<Vec<_>>().join(", "))]
    SeveralContracts {
        /// Each contract and its rows.
        contracts: Vec<(String, u64)>,
    },
    /// Numbers of several instruments, and no names.
    #[error(
        "{input}: rows of instrument {first} and of instrument {second}, and no column that names the contract: they would become one series; give a file with such a column (Databento: download with symbols), or one instrument a file, each with its contract in the file's name"
    )]
    SeveralInstruments {
        /// The file.
        input: String,
        /// The number of the rows before.
        first: u32,
        /// The number that another row has.
        second: u32,
    },
    /// Some files' names tell their contracts, and another's does not.
    #[error("{input}: its name tells no contract, and those of other files tell several ({}); leave it out, or name it as the others, such as `{}.csv`", named.join(", "), named[0])]
    UnnamedContract {
        /// The file.
        input: String,
        /// Two contracts that other files are named after.
        named: [String; 2],
    },
    /// The names found are not those of contracts.
    #[error(
        "{input}: more than {most} contracts: is the column of their names one of contracts? Say what the columns hold (`--columns`)"
    )]
    TooManyContracts {
        /// The file.
        input: String,
        /// As many as there may be.
        most: usize,
    },
    /// The chosen contract is not in the input.
    #[error("contract {wanted} is not in the input, which holds {}", seen.join(", "))]
    NoSuchContract {
        /// Value that was asked for.
        wanted: String,
        /// Values that exist.
        seen: Vec<String>,
    },
    /// The choice means several contracts of the input.
    #[error("contract {wanted} means {} of the input: write the year in full", seen.join(" or "))]
    AmbiguousContract {
        /// Value that was asked for.
        wanted: String,
        /// The contracts that it may mean.
        seen: Vec<String>,
    },
    /// The input names another instrument.
    #[error(
        "the input holds `{name}`, which is {product}, and the instrument is {instrument}: prices, tick and point value would be wrong; choose what it holds (`--instrument {product}`, or `instrument: {product}` in the configuration; one that is not built in is described under `instruments`), or mend the name if that is wrong"
    )]
    OtherProduct {
        /// The product, as the exchange calls it.
        product: String,
        /// A name of it in the input.
        name: String,
        /// The instrument that was asked for.
        instrument: String,
    },
    /// A roll was asked for where no contracts are known.
    #[error(
        "`--roll` can have no effect: the input holds {}, which {}; leave `--roll` (`roll` in the configuration) out, or give a history that tells its contracts apart, by a column, by the files' names or by the format", names.join(" and "), if names.len() == 1 { "is no contract whose month is known" } else { "are not all contracts whose months are known" }
    )]
    NothingToRoll {
        /// Names in the input.
        names: Vec<String>,
    },
    /// A setting that the format does not know.
    #[error("`{setting}` can have no effect: {why}; leave it out")]
    NoEffect {
        /// The setting, as on the command line.
        setting: &'static str,
        /// The reason why it has none.
        why: &'static str,
    },
    /// The contracts cannot be joined.
    #[error("the contracts cannot be joined: {0}")]
    Roll(String),
    /// The plan cannot be followed.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The native file cannot be written.
    #[error(transparent)]
    Output(#[from] TickFileError),
    /// The file of refused rows cannot be written.
    #[error("{path}: cannot write refused rows: {reason}")]
    Rejects {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        reason: String,
    },
}

/// The reason why a decoder stops.
#[derive(Debug)]
pub(super) enum Stop {
    /// Rows are out of order or of several contracts: everything must be read again and collected.
    Collect,
    /// The import has failed.
    Error(Box<ImportError>),
}

impl<E: Into<ImportError>> From<E> for Stop {
    #[cold]
    fn from(error: E) -> Stop {
        Stop::Error(Box::new(error.into()))
    }
}

/// The format of the input.
enum Format {
    Text(TextFormat),
    Databento,
    Sierra(SierraOptions),
    Lean(LeanOptions),
}

/// Refuses a setting that the format has no use for.
fn check_effect(options: &ImportOptions) -> Result<(), ImportError> {
    let is_scaled = options.price_multiplier.units() != Price::SCALE;
    let zone = (options.time_zone.is_some(), "--time-zone", "the times of the format are UTC");
    let length = (
        options.bar_seconds.is_some(),
        "--bar-seconds",
        "the format says itself how long its bars are",
    );
    let scale = (is_scaled, "--price-multiplier", "only files of Sierra Chart hold scaled prices");
    let useless = match options.format.as_str() {
        "databento" | "dbn" => vec![zone, length, scale],
        "sierra" | "scid" => vec![zone],
        "lean" => vec![length, scale],
        _ => vec![scale],
    };
    match useless.into_iter().find(|(is_given, ..)| *is_given) {
        Some((_, setting, why)) => Err(ImportError::NoEffect { setting, why }),
        None => Ok(()),
    }
}

impl Format {
    fn new(options: &ImportOptions) -> Result<Format, ImportError> {
        check_effect(options)?;
        let zone = match &options.time_zone {
            Some(name) => {
                let zone = time_zone(name).ok_or_else(|| ImportError::TimeZone(name.clone()))?;
                Some(zone)
            }
            None => None,
        };
        let Some(preset) = Preset::by_name(&options.format) else {
            let given = [
                ("--columns", options.columns.is_some()),
                ("--delimiter", options.delimiter.is_some()),
                ("--stamp", options.stamp.is_some()),
            ];
            if let Some((setting, _)) = given.into_iter().find(|(_, is_given)| *is_given)
                && preset_names().split(", ").any(|name| name == options.format)
            {
                return Err(ImportError::NoEffect {
                    setting,
                    why: "the format is not text, and says itself what it holds",
                });
            }
            return match options.format.as_str() {
                "databento" | "dbn" => Ok(Format::Databento),
                "sierra" | "scid" => Ok(Format::Sierra(SierraOptions {
                    price_multiplier: options.price_multiplier,
                    bar_seconds: options.bar_seconds.and_then(NonZeroU32::new),
                })),
                "lean" => {
                    Ok(Format::Lean(LeanOptions { time_zone: zone.unwrap_or(TimeZone::UTC) }))
                }
                other => Err(ImportError::Format { name: other.to_owned(), known: preset_names() }),
            };
        };
        let mut text = preset.format();
        match (zone, preset.zone_depends_on()) {
            (Some(zone), _) => text.zone = zone,
            (None, Some(setting)) => {
                return Err(ImportError::ZoneNeeded { format: preset.name, setting });
            }
            (None, None) => {}
        }
        if let Some(layout) = &options.columns {
            text.layouts = vec![layout.clone()];
            text.header = Header::Skip;
        }
        text.delimiter = options.delimiter.or(text.delimiter);
        if preset.stamp_depends() && options.stamp.is_none() {
            return Err(ImportError::StampNeeded { format: preset.name });
        }
        text.stamp = options.stamp.unwrap_or(text.stamp);
        if let Some(seconds) = options.bar_seconds {
            text.bar_length = Some(i64::from(seconds) * Timestamp::SECOND);
        }
        Ok(Format::Text(text))
    }

    /// Returns the endings by which a folder's files are chosen.
    fn endings(&self) -> &'static [&'static str] {
        match self {
            Format::Text(_) => {
                &[".csv", ".txt", ".csv.gz", ".txt.gz", ".csv.zst", ".txt.zst", ".zip", ".parquet"]
            }
            Format::Databento => &[".dbn", ".dbn.zst"],
            Format::Sierra(_) => &[".scid"],
            Format::Lean(_) => &["_trade.zip"],
        }
    }

    /// Returns the way in which daily bars are dated.
    fn dated(&self) -> Option<Dated> {
        match self {
            Format::Text(text) => Some(Dated {
                zone: text.zone.clone(),
                shift: if text.stamp == Stamp::End { DAY } else { 0 },
            }),
            // Databento cuts days at midnight of UTC.
            Format::Databento => None,
            Format::Sierra(_) => Some(Dated { zone: TimeZone::UTC, shift: 0 }),
            Format::Lean(options) => Some(Dated { zone: options.time_zone.clone(), shift: 0 }),
        }
    }

    fn read(&mut self, path: &Path, intake: &mut Intake) -> Result<TextSummary, Stop> {
        intake.dated = self.dated();
        intake.says_length = matches!(self, Format::Databento | Format::Lean(_));
        let read = match self {
            Format::Text(text) => {
                intake.begin(&path.display().to_string())?;
                return input::read_text_file(path, text, intake);
            }
            Format::Databento => read_databento(path, intake),
            Format::Sierra(options) => read_sierra(path, options, intake),
            Format::Lean(options) => read_lean(path, options, intake),
        };
        // Binary sources have no local times, so none that the clocks repeat or skip.
        match read {
            Ok(()) => Ok(TextSummary::default()),
            Err(ReadError::Sink(stop)) => Err(stop),
            Err(ReadError::Io { path, source }) => Err(ImportError::Input { path, source }.into()),
            Err(ReadError::Sierra { path, source }) => Err(source_error(&path, &source).into()),
            Err(ReadError::Lean { path, source }) => Err(source_error(&path, &source).into()),
            Err(ReadError::Databento { path, source }) => Err(source_error(&path, &source).into()),
        }
    }

    /// Returns a guess at the fault of a line that cannot be read.
    fn hint(&self, line: &str) -> String {
        match self {
            Format::Text(text) => text_hint(text, line),
            Format::Databento | Format::Sierra(_) | Format::Lean(_) => String::new(),
        }
    }
}

fn source_error(path: &Path, error: &dyn std::error::Error) -> ImportError {
    ImportError::Source(format!("{}: {error}", path.display()))
}

/// Imports a history. The output appears when it is whole.
///
/// One contract whose rows are in order of time goes straight to disk. Otherwise everything is read
/// once more and kept in memory, 48 bytes a trade, to be sorted.
///
/// # Errors
/// Why nothing was written; a file that stood at the output before is kept. Refused rows are
/// written all the same where they are the reason.
pub fn run(
    options: &ImportOptions,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ImportReport, ImportError> {
    let format = Format::new(options)?;
    let inputs = input::list(&options.inputs, format.endings())?;
    if inputs.is_empty() {
        return Err(ImportError::NoInput);
    }
    let rejects = options.rejects_path();
    // A file by another name, or with a second one, is the same file.
    let outputs = [&options.output, &rejects].map(|path| Identity::of(path));
    let (mut bytes_total, mut seen) = (0, HashSet::new());
    for path in &inputs {
        let io = |source| ImportError::Input { path: path.clone(), source };
        bytes_total += std::fs::metadata(path).map_err(io)?.len();
        let identity = Identity::of(path);
        if outputs.contains(&identity) {
            return Err(ImportError::OutputIsInput { path: path.clone() });
        }
        if !seen.insert(identity) {
            return Err(ImportError::Twice { path: path.clone() });
        }
    }
    if Identity::is_same(&rejects, &options.output) {
        return Err(ImportError::OutputIsRejects { path: rejects });
    }
    whole_file::check(&rejects, &REJECTS_FILE)
        .map_err(|error| ImportError::Rejects { path: rejects, reason: error.to_string() })?;
    for collect in [false, true] {
        match attempt(options, &inputs, bytes_total, collect, progress) {
            Ok(report) => return Ok(report),
            Err(Stop::Error(error)) => return Err(*error),
            Err(Stop::Collect) => {}
        }
    }
    unreachable!("rows that are collected may be in any order")
}

fn attempt(
    options: &ImportOptions,
    inputs: &[PathBuf],
    bytes_total: u64,
    collect: bool,
    progress: &mut dyn FnMut(ImportProgress),
) -> Result<ImportReport, Stop> {
    let mut format = Format::new(options)?;
    let mut intake = Intake::new(options, inputs, bytes_total, collect, progress)?;
    let mut summary = TextSummary::default();
    let mut result = Ok(());
    for path in inputs {
        match format.read(path, &mut intake) {
            Ok(seen) => summary += seen,
            Err(stop) => {
                result = Err(stop);
                break;
            }
        }
    }
    let report = result.and_then(|()| intake.finish(inputs, summary));
    match report {
        Err(Stop::Error(error)) => Err(Stop::Error(Box::new(explain(*error, options, &format)))),
        other => other,
    }
}

/// Adds what was expected, which the intake does not know.
fn explain(mut error: ImportError, options: &ImportOptions, format: &Format) -> ImportError {
    if let ImportError::WrongFormat { first, expected, hint, .. } = &mut error {
        if let Some(preset) = Preset::by_name(&options.format) {
            *expected = format!("{}, such as `{}`", preset.columns, preset.example);
        }
        *hint = format.hint(&first.text);
    }
    error
}

fn text_hint(format: &TextFormat, line: &str) -> String {
    let fits = |delimiter: char| {
        let count = line.split(delimiter).count();
        format.layouts.iter().any(|layout| layout.fits(count))
    };
    let Some(own) = format.delimiter.map(char::from).filter(|&own| !fits(own)) else {
        return String::new();
    };
    let found = [(',', "`,`"), (';', "`;`"), ('\t', "tab"), ('|', "`|`")]
        .into_iter()
        .find(|&(delimiter, _)| fits(delimiter));
    match found {
        Some((_, name)) => format!(
            "; the line would fit with {name} between its columns instead of `{own}`: choose another format or give it with `--delimiter`"
        ),
        None => String::new(),
    }
}
