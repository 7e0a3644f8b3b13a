//! The fuzz targets: a function each, which must come back from any bytes without
//! a panic.
//!
//! The fuzzer finds bytes that reach new code (`cargo fuzz run TARGET`); the tests here feed random
//! ones, so that a change that breaks a target is seen without it.

mod config;
mod databento;
mod import_file;
mod journal;
mod lean;
mod lean_rows;
mod model_set;
mod native_file;
mod price;
mod received_ticks;
#[cfg(feature = "rithmic")]
mod rithmic_frame;
#[cfg(feature = "rithmic")]
mod rithmic_history;
mod sierra;
mod text_import;

pub use config::config;
pub use databento::databento;
pub use import_file::import_file;
pub use journal::journal;
pub use lean::lean;
pub use lean_rows::lean_rows;
pub use model_set::model_set;
pub use native_file::native_file;
pub use price::price;
pub use received_ticks::received_ticks;
#[cfg(feature = "rithmic")]
pub use rithmic_frame::rithmic_frame;
#[cfg(feature = "rithmic")]
pub use rithmic_history::rithmic_history;
pub use sierra::sierra;
pub use text_import::text_import;

use std::convert::Infallible;

use algospace_hft::source::import::{Label, Row, RowRefusal, RowSink};

/// Takes every row and checks that the decoder keeps its side of the agreement.
#[derive(Debug)]
pub struct CheckingSink {
    input_bytes: u64,
    advanced: u64,
    begun: bool,
    line: u64,
}

impl CheckingSink {
    /// For an input of that many bytes.
    pub fn new(input_bytes: usize) -> CheckingSink {
        CheckingSink { input_bytes: input_bytes as u64, advanced: 0, begun: false, line: 0 }
    }

    fn next(&mut self, line: u64) {
        assert!(self.begun, "a row before `begin`");
        assert!(line > self.line, "line {line} after line {}", self.line);
        self.line = line;
    }
}

impl RowSink for CheckingSink {
    type Error = Infallible;

    fn begin(&mut self, input: &str) -> Result<(), Infallible> {
        assert!(!input.is_empty());
        self.begun = true;
        // Only an archive starts its lines again, with another member.
        if input.ends_with(".csv") {
            self.line = 0;
        }
        Ok(())
    }

    fn select(&mut self, label: Label<'_>) -> Result<bool, Infallible> {
        assert!(!label.name.is_empty());
        Ok(true)
    }

    fn row(&mut self, line: u64, _row: Row) -> Result<(), Infallible> {
        self.next(line);
        Ok(())
    }

    fn refuse(&mut self, line: u64, _refusal: RowRefusal, text: &str) -> Result<(), Infallible> {
        assert!(text.len() < 8192, "a text of {} bytes", text.len());
        self.next(line);
        Ok(())
    }

    fn advance(&mut self, bytes: u64) -> Result<(), Self::Error> {
        self.advanced += bytes;
        assert!(self.advanced <= self.input_bytes, "more bytes than there are");
        Ok(())
    }
}

/// Takes any bytes and comes back.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("config", config),
    ("databento", databento),
    ("import_file", import_file),
    ("journal", journal),
    ("lean", lean),
    ("lean_rows", lean_rows),
    ("model_set", model_set),
    ("native_file", native_file),
    ("price", price),
    ("received_ticks", received_ticks),
    #[cfg(feature = "rithmic")]
    ("rithmic_frame", rithmic_frame),
    #[cfg(feature = "rithmic")]
    ("rithmic_history", rithmic_history),
    ("sierra", sierra),
    ("text_import", text_import),
];

#[cfg(test)]
mod tests;
