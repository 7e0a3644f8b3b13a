//! The book of an import: what was found in which row.

use std::io::BufWriter;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::importer::ImportError;
use super::report::{Count, EXAMPLES, Effect, Example, Finding};
use crate::whole_file::{self, FileKind};

/// The first line of a file of refused rows.
const HEADER: &str = "input,line,reason,text\n";

/// The files that the file of refused rows may replace.
pub(crate) const REJECTS_FILE: FileKind = FileKind {
    what: "a file of refused rows",
    is_ours: &|file| whole_file::begins_with(file, HEADER.as_bytes()),
};

/// The place of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RowPlace {
    line: u64,
    input: u32,
}

impl RowPlace {
    /// Returns the input, by its place among all; rows of one come before those of the next.
    pub(super) fn input(self) -> u32 {
        self.input
    }
}

pub(super) struct ImportLedger {
    inputs: Vec<String>,
    pub(super) rows: u64,
    pub(super) imported: u64,
    pub(super) counts: [Count; Finding::ALL.len()],
    pub(super) first_refused: Option<Example>,
    /// Rows and refused rows before the current input, and its first refused row.
    rows_before: u64,
    refused_before: u64,
    first_refused_here: Option<Example>,
    rejects_path: PathBuf,
    rejects: Option<csv::Writer<BufWriter<NamedTempFile>>>,
}

impl ImportLedger {
    pub(super) fn new(rejects_path: PathBuf) -> ImportLedger {
        ImportLedger {
            inputs: Vec::new(),
            rows: 0,
            imported: 0,
            counts: Default::default(),
            first_refused: None,
            rows_before: 0,
            refused_before: 0,
            first_refused_here: None,
            rejects_path,
            rejects: None,
        }
    }

    /// Begins an input: the rows that follow are of it.
    pub(super) fn begin(&mut self, input: &str) {
        self.inputs.push(input.to_owned());
        self.rows_before = self.rows;
        self.refused_before = self.total(Effect::Refused);
        self.first_refused_here = None;
    }

    /// Returns the current input.
    pub(super) fn input(&self) -> &str {
        self.inputs.last().map_or("", String::as_str)
    }

    /// Returns the place of a line of the current input.
    #[inline]
    pub(super) fn place(&self, line: u64) -> RowPlace {
        RowPlace { line, input: self.inputs.len() as u32 }
    }

    pub(super) fn total(&self, effect: Effect) -> u64 {
        let of_effect = Finding::ALL.iter().filter(|finding| finding.effect() == effect);
        of_effect.map(|&finding| self.counts[finding as usize].rows).sum()
    }

    /// Counts a finding that refuses nothing.
    #[inline]
    pub(super) fn note(
        &mut self,
        finding: Finding,
        place: RowPlace,
        reason: impl FnOnce() -> String,
    ) {
        let count = &mut self.counts[finding as usize];
        count.rows += 1;
        if count.examples.len() < EXAMPLES {
            let example = self.example(place, reason(), String::new());
            self.counts[finding as usize].examples.push(example);
        }
    }

    /// Counts rows that the joined series did not show.
    pub(super) fn leave_out(&mut self, rows: u64) {
        self.imported -= rows;
        self.counts[Finding::OtherContract as usize].rows += rows;
    }

    /// Counts a refused row and writes it down.
    pub(super) fn refuse(
        &mut self,
        finding: Finding,
        place: RowPlace,
        reason: String,
        text: &str,
    ) -> Result<(), ImportError> {
        let example = self.example(place, reason, text.to_owned());
        self.write(&example).map_err(|reason| self.cannot_write(reason))?;
        self.first_refused.get_or_insert_with(|| example.clone());
        self.first_refused_here.get_or_insert_with(|| example.clone());
        let count = &mut self.counts[finding as usize];
        count.rows += 1;
        if count.examples.len() < EXAMPLES {
            count.examples.push(example);
        }
        Ok(())
    }

    /// Returns the first refused row of the current input, if it has that number of rows and all
    /// are refused.
    pub(super) fn only_refused(&self, rows: u64) -> Option<Example> {
        let refused = self.total(Effect::Refused) - self.refused_before;
        let all = refused == rows && self.rows - self.rows_before == rows;
        self.first_refused_here.clone().filter(|_| all)
    }

    /// Puts the refused rows into their place; without any, what an earlier import left there goes.
    pub(super) fn keep_rejects(&mut self) -> Result<Option<PathBuf>, ImportError> {
        let Some(rejects) = self.rejects.take() else {
            // Only what an import wrote is ours to remove.
            if whole_file::is_there(&self.rejects_path, &REJECTS_FILE) {
                std::fs::remove_file(&self.rejects_path)
                    .map_err(|error| self.cannot_write(error.to_string()))?;
            }
            return Ok(None);
        };
        rejects
            .into_inner()
            .map_err(|error| error.to_string())
            .and_then(|buffer| buffer.into_inner().map_err(|error| error.to_string()))
            .and_then(|file| {
                whole_file::put_in_place(file, &self.rejects_path, &REJECTS_FILE)
                    .map_err(|error| error.to_string())
            })
            .map_err(|reason| self.cannot_write(reason))?;
        Ok(Some(self.rejects_path.clone()))
    }

    pub(super) fn example(&self, place: RowPlace, reason: String, text: String) -> Example {
        let input = (place.input as usize).checked_sub(1).and_then(|index| self.inputs.get(index));
        Example { input: input.cloned().unwrap_or_default(), line: place.line, reason, text }
    }

    fn write(&mut self, example: &Example) -> Result<(), String> {
        let rejects = match &mut self.rejects {
            Some(rejects) => rejects,
            None => {
                let file = whole_file::begin(&self.rejects_path, &REJECTS_FILE);
                let file = BufWriter::new(file.map_err(|error| error.to_string())?);
                let mut writer = csv::Writer::from_writer(file);
                writer
                    .write_record(HEADER.trim_end().split(','))
                    .map_err(|error| error.to_string())?;
                self.rejects.insert(writer)
            }
        };
        let Example { input, line, reason, text } = example;
        rejects
            .write_record([input, &line.to_string(), reason, text])
            .map_err(|error| error.to_string())
    }

    fn cannot_write(&self, reason: String) -> ImportError {
        ImportError::Rejects { path: self.rejects_path.clone(), reason }
    }
}
