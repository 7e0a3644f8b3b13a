//! A sink for tests: it keeps all that a decoder hands to it.

use std::convert::Infallible;
use std::path::PathBuf;

use super::row::{Label, Row, RowRefusal, RowSink};

#[derive(Default)]
pub(super) struct RecordedRows {
    /// Input of every `begin` and contract of every `select`.
    pub inputs: Vec<(String, Option<String>)>,
    /// Contract, line and row.
    pub rows: Vec<(String, u64, Row)>,
    pub refusals: Vec<(u64, RowRefusal, String)>,
    pub advanced: u64,
    /// Contract that the importer does not want.
    pub unwanted: Option<&'static str>,
}

impl RecordedRows {
    /// Returns the contracts traded: the sizes of trades and the volumes of bars.
    pub(super) fn volume(&self) -> i64 {
        self.rows.iter().map(|(_, _, row)| volume(row)).sum()
    }

    pub(super) fn contracts(&self) -> Vec<&str> {
        let mut contracts: Vec<_> = self.inputs.iter().filter_map(|i| i.1.as_deref()).collect();
        contracts.sort_unstable();
        contracts.dedup();
        contracts
    }
}

pub(super) fn volume(row: &Row) -> i64 {
    match row {
        Row::Trade(trade) => trade.size,
        Row::Bar(bar) => bar.volume,
    }
}

impl RowSink for RecordedRows {
    type Error = Infallible;

    fn begin(&mut self, input: &str) -> Result<(), Infallible> {
        self.inputs.push((input.to_owned(), None));
        Ok(())
    }

    fn select(&mut self, label: Label<'_>) -> Result<bool, Infallible> {
        let (input, before) = self.inputs.last_mut().expect("`begin` comes first");
        let contract = Some(label.name.to_owned());
        if before.is_none() {
            *before = contract;
        } else {
            let input = input.clone();
            self.inputs.push((input, contract));
        }
        Ok(Some(label.name) != self.unwanted)
    }

    fn row(&mut self, line: u64, row: Row) -> Result<(), Infallible> {
        let (_, contract) = self.inputs.last().expect("`begin` comes first");
        assert!(contract.is_none() || contract.as_deref() != self.unwanted);
        self.rows.push((contract.clone().unwrap_or_default(), line, row));
        Ok(())
    }

    fn refuse(&mut self, line: u64, refusal: RowRefusal, text: &str) -> Result<(), Infallible> {
        assert!(!self.inputs.is_empty(), "`begin` comes first");
        self.refusals.push((line, refusal, text.to_owned()));
        Ok(())
    }

    fn advance(&mut self, bytes: u64) -> Result<(), Self::Error> {
        self.advanced += bytes;
        Ok(())
    }
}

/// Returns a file or folder of the shared test data, or `None`, with a word about it, where that is
/// absent.
pub(super) fn shared_data(path: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(path);
    if !path.exists() {
        eprintln!("skipped: {} is absent", path.display());
        return None;
    }
    Some(path)
}
