//! The seam between what is known of a market and its first live trade.

use std::time::Duration;

use algospace_hft_rithmic::feed::End;

use crate::market::{Gap, Timestamp};

/// The seam, while history is asked for what lies in it.
#[derive(Debug)]
pub(super) struct Seam {
    /// The time for which history is waited for, once the first trade has come.
    pub(super) patience: Duration,
    /// `true` if nothing was known before it: without trades from history it is no gap then.
    pub(super) is_cold: bool,
    /// `true` once history was asked.
    pub(super) is_asked: bool,
    /// `true` if the market's link was lost meanwhile.
    pub(super) is_lost: bool,
    /// The end of history's answer.
    pub(super) end: Option<End>,
}

impl Seam {
    /// Returns in one line what history was asked, what came of it and what is missing.
    pub(super) fn told(&self, gap: &Gap, trades: usize, stretches: &[Gap]) -> String {
        let ended = match &self.end {
            _ if !self.is_asked => "it was not asked".to_owned(),
            _ if self.is_lost => "the link to the market was lost before its answer".to_owned(),
            None => "it did not answer".to_owned(),
            Some(End::Whole) => "that is all it has".to_owned(),
            Some(End::Empty) => "it has nothing of this contract and time".to_owned(),
            Some(End::Refused(code, text)) => format!("it refused: {text} (code {code})"),
            Some(End::Late) => format!("its {} s were over", self.patience.as_secs()),
            Some(End::Cut) => "it has more than is kept".to_owned(),
        };
        let lossy: Vec<&Gap> = stretches.iter().filter(|gap| !gap.is_recovered()).collect();
        let missing = match lossy[..] {
            [] => "nothing is missing".to_owned(),
            [only] => format!("trades are missing {}", span(only.from, only.to)),
            [first, ..] => format!(
                "trades are missing in {} stretches, the first {}",
                lossy.len(),
                span(first.from, first.to)
            ),
        };
        let asked = span(gap.from, gap.to);
        format!("warm-up: of history {asked} {trades} trades came: {ended}; {missing}")
    }
}

fn span(from: Timestamp, to: Timestamp) -> String {
    format!("from {} to {}", second(from), second(to))
}

/// Returns a time to the second.
pub(super) fn second(time: Timestamp) -> String {
    let text = time.to_string();
    text.split_once('.').map_or_else(|| text.clone(), |(seconds, _)| format!("{seconds}Z"))
}
