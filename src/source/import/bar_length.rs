//! How long the bars of a file are, where nobody says so.

use std::collections::BTreeMap;

use super::row::{Refusal, Row, RowSink};
use super::text::{TextFormat, TextReader};

/// Bars that are looked at.
const BARS: usize = 1_000;

/// The most frequent step between the first bars, the shorter of two that are as frequent; `None`
/// for trades, and where fewer than two bars can be read.
pub(super) fn infer(text: &[u8], format: &TextFormat) -> Option<i64> {
    // Any length does: only the distances matter.
    let format = TextFormat { bar_length: Some(0), ..format.clone() };
    let mut starts = Starts(Vec::new());
    // It stops early once it has seen enough.
    let _ = TextReader::new(&format).read(text, &mut starts);
    let mut steps = BTreeMap::new();
    for pair in starts.0.windows(2) {
        // Some exports have the newest bar first.
        *steps.entry(pair[1].abs_diff(pair[0])).or_insert(0u32) += 1;
    }
    steps.remove(&0);
    let most = steps.values().copied().max()?;
    let (&step, _) = steps.iter().find(|(_, count)| **count == most)?;
    i64::try_from(step).ok()
}

struct Starts(Vec<i64>);

/// Enough has been seen.
struct Enough;

impl RowSink for Starts {
    type Error = Enough;

    fn begin(&mut self, _: &str) -> Result<(), Enough> {
        Ok(())
    }

    fn row(&mut self, _: u64, row: Row) -> Result<(), Enough> {
        match row {
            Row::Bar(bar) if self.0.len() < BARS => {
                self.0.push(bar.start.nanos());
                Ok(())
            }
            _ => Err(Enough),
        }
    }

    fn refuse(&mut self, line: u64, _: Refusal, _: &str) -> Result<(), Enough> {
        if line > 2 * BARS as u64 { Err(Enough) } else { Ok(()) }
    }

    fn advance(&mut self, _: u64) -> Result<(), Self::Error> {
        Ok(())
    }
}
