//! What the targets that decode rows share.

use std::convert::Infallible;

use algospace_hft::source::import::{Refusal, Row, RowSink};

/// Takes every row and checks that the decoder keeps its side of the agreement.
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

    fn begin(&mut self, input: &str, contract: Option<&str>) -> Result<bool, Infallible> {
        assert!(!input.is_empty());
        assert_ne!(contract, Some(""));
        self.begun = true;
        // Only an archive starts its lines again, with another member.
        if input.ends_with(".csv") {
            self.line = 0;
        }
        Ok(true)
    }

    fn row(&mut self, line: u64, _row: Row) -> Result<(), Infallible> {
        self.next(line);
        Ok(())
    }

    fn refuse(&mut self, line: u64, _refusal: Refusal, text: &str) -> Result<(), Infallible> {
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
