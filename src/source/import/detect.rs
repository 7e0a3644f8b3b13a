//! What kind of history a file holds, by its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::databento::{DATABENTO_MAGIC, ZSTANDARD_MAGIC};
use super::lean::ZIP_MAGIC;
use super::preset::Preset;
use super::row::{Refusal, Row, RowSink};
use super::sierra::SIERRA_MAGIC;
use super::text::{TextFormat, TextReader};
use super::{input, preset::preset_names};
use crate::source::native;

/// What a file holds.
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
        /// What the system said.
        source: io::Error,
    },
    /// It may be several things, or nothing that is known.
    #[error("{path}: {reason}; say what it is with `data_handler.backtest_settings.format` (one of {known}), or convert it with `algospace-hft import --format PRESET --input {path} --output FILE.ticks`", known = preset_names())]
    Unclear {
        /// The file.
        path: PathBuf,
        /// Why.
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
    let file = File::open(path).map_err(io)?;
    let mut head = Vec::new();
    if input::is_gzip(path) {
        MultiGzDecoder::new(file).take(HEAD).read_to_end(&mut head).map_err(io)?;
    } else {
        file.take(HEAD).read_to_end(&mut head).map_err(io)?;
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

    fn refuse(&mut self, line: u64, refusal: Refusal, text: &str) -> Result<(), Enough> {
        self.refused = Some(format!("line {line} `{text}`: {refusal}"));
        Err(Enough)
    }

    fn advance(&mut self, _: u64) -> Result<(), Self::Error> {
        Ok(())
    }
}
