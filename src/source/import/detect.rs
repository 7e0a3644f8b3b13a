//! The kind of history in a file, by its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::databento::{DATABENTO_MAGIC, ZSTANDARD_MAGIC};
use super::input::{self, InputText};
use super::lean::{self, ZIP_MAGIC};
use super::parquet_text::PARQUET_MAGIC;
use super::preset::Preset;
use super::preset::preset_names;
use super::row::{Row, RowRefusal, RowSink};
use super::sierra::SIERRA_MAGIC;
use super::text::{TextFormat, TextReader};
use crate::source::native;

/// The content of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// A native tick file, to be used as it is.
    Native,
    /// A history in the format of that name, to be imported.
    Format(&'static str),
}

/// A file whose contents cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// It cannot be read.
    #[error("{path}: cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// It may be several things, or nothing that is known.
    #[error("{path}: {reason}; say what it is with `data_handler.backtest_settings.format` (one of {known}), or convert it with `algospace-hft import --format PRESET --input {path} --output FILE.ticks`", known = preset_names())]
    Unclear {
        /// The file.
        path: PathBuf,
        /// Cause.
        reason: String,
    },
}

/// Bytes that are looked at.
const HEAD: u64 = 64 * 1024;
/// Rows that must all be readable.
const ROWS: u64 = 20;

/// Tells native files, Databento (`databento`), Sierra Chart (`sierra`) and LEAN (`lean`) files by
/// their first bytes, and plain `tick-csv` and `bar-csv` text by its first rows.
///
/// # Errors
/// If the file cannot be read, or is not clearly one of these.
pub fn detect(path: &Path) -> Result<Detected, DetectError> {
    let io = |source| DetectError::Io { path: path.to_owned(), source };
    let unclear = |reason: String| DetectError::Unclear { path: path.to_owned(), reason };
    let mut head = Vec::new();
    let take = |text: &mut dyn Read, head: &mut Vec<u8>| text.take(HEAD).read_to_end(head);
    take(&mut File::open(path).map_err(io)?, &mut head).map_err(io)?;
    match input::open_text(File::open(path).map_err(io)?) {
        // LEAN's archives are named by what is in them.
        Ok(InputText::Archive(_, names)) if names.iter().all(|name| lean::is_member(name)) => {}
        Ok(InputText::Archive(mut archive, names)) => {
            let mut member =
                archive.by_name(&names[0]).map_err(|error| io(io::Error::other(error)))?;
            head.clear();
            take(&mut member, &mut head).map_err(io)?;
        }
        Ok(InputText::Stream(mut text)) => {
            let mut unpacked = Vec::new();
            match take(&mut *text, &mut unpacked) {
                Ok(_) => head = unpacked,
                Err(source) if head.starts_with(&[0x1F, 0x8B]) => return Err(io(source)),
                // The magic alone says enough.
                Err(_) => {}
            }
        }
        Ok(InputText::Table(mut table)) => {
            head.clear();
            take(&mut table, &mut head).map_err(io)?;
        }
        Err(source) if head.starts_with(&PARQUET_MAGIC) => return Err(io(source)),
        Err(_) => {}
    }
    for (magic, detected) in [
        (&native::MAGIC[..], Detected::Native),
        (&DATABENTO_MAGIC, Detected::Format("databento")),
        // Databento's files are packed with Zstandard.
        (&ZSTANDARD_MAGIC, Detected::Format("databento")),
        (&SIERRA_MAGIC, Detected::Format("sierra")),
        (&ZIP_MAGIC, Detected::Format("lean")),
    ] {
        if head.starts_with(magic) {
            return Ok(detected);
        }
    }
    if let Some(foreign) = foreign(&head) {
        return Err(unclear(foreign));
    }
    // The last line may be cut.
    if head.len() as u64 == HEAD
        && let Some(end) = head.iter().rposition(|&byte| byte == b'\n')
    {
        head.truncate(end + 1);
    }
    let mut reasons = Vec::new();
    for name in ["tick-csv", "bar-csv"] {
        let preset = Preset::by_name(name).expect("a preset");
        let format = TextFormat { bar_length: Some(0), ..preset.format() };
        let mut rows = Rows::default();
        let mut reader = TextReader::new(&format);
        // It stops early once it has seen enough.
        let _ = reader.read(&head, &mut rows);
        match rows.refused {
            None if rows.good > 0 && name == "bar-csv" && !reader.is_named() => {
                reasons.push(
                    "bars without a header: their times may be UTC (`bar-csv`) or New York's (`firstrate`)"
                        .to_owned(),
                );
            }
            None if rows.good > 0 => return Ok(Detected::Format(name)),
            None => {}
            Some(refused) => reasons.push(format!("as `{name}`, {refused}")),
        }
    }
    if reasons.is_empty() {
        reasons.push("the file has no rows".to_owned());
    }
    Err(unclear(reasons.join("; ")))
}

/// Files that are no text and are not read, by their first bytes: what they are, and what to do.
const FOREIGN: &[(&[u8], &str)] = &[
    (&PARQUET_MAGIC, "Parquet inside a packed file; unpack it first"),
    (
        b"ARROW1",
        "Arrow or Feather; convert it to CSV first, such as with pandas: `read_feather`, then `to_csv`",
    ),
    (b"\x89HDF", "HDF5; convert it to CSV first, such as with pandas: `read_hdf`, then `to_csv`"),
    (
        b"SQLite format 3",
        "an SQLite database; write the table to CSV first, such as with `sqlite3 -csv`",
    ),
    (b"\xD0\xCF\x11\xE0", "an Excel workbook; save the sheet as CSV"),
    (b"7z\xBC\xAF\x27\x1C", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"BZh", "packed with bzip2; unpack it first"),
    (b"\xFD7zXZ", "packed with xz; unpack it first"),
    (&DATABENTO_MAGIC, "Databento's DBN; read it with `--format databento`"),
    (&SIERRA_MAGIC, "Sierra Chart's intraday data; read it with `--format sierra`"),
    (&native::MAGIC, "a native tick file, which needs no import"),
];

/// Returns the name of a known binary format that begins so.
pub(super) fn foreign(head: &[u8]) -> Option<String> {
    let found = FOREIGN.iter().find(|(magic, _)| head.starts_with(magic))?;
    Some(format!("the file is {}", found.1))
}

#[derive(Default)]
struct Rows {
    good: u64,
    refused: Option<String>,
}

/// Enough has been seen.
struct Enough;

impl RowSink for Rows {
    type Error = Enough;

    fn begin(&mut self, _: &str) -> Result<(), Enough> {
        Ok(())
    }

    fn row(&mut self, _: u64, _: Row) -> Result<(), Enough> {
        self.good += 1;
        if self.good < ROWS { Ok(()) } else { Err(Enough) }
    }

    fn refuse(&mut self, line: u64, refusal: RowRefusal, text: &str) -> Result<(), Enough> {
        self.refused = Some(format!("line {line} `{text}`: {refusal}"));
        Err(Enough)
    }

    fn advance(&mut self, _: u64) -> Result<(), Self::Error> {
        Ok(())
    }
}
