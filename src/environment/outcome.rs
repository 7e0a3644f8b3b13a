//! Outcomes of entries, each judged alone.

use std::ops::Range;
use std::sync::Arc;

use super::episode::Episode;
use super::market::Market;
use super::vector::{EpisodeAction, decide};
use crate::agents::Wish;
use crate::execution::Decision;
use crate::market::Money;

/// The outcome of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryOutcome {
    /// After costs; zero if it was not filled.
    pub net_pnl: Money,
    /// Before costs.
    pub gross_pnl: Money,
    /// Closed bars of the decisions' timeframe while it was open.
    pub bars_held: u32,
}

/// Returns the outcome if this decision is the answer to the question that `episode` stands at, and
/// nothing is decided afterwards until it is closed by its bracket, by the session's end or by the
/// episode's. The episode itself does not move.
///
/// # Panics
/// If no question is open, or a position is held.
pub fn entry_outcome(episode: &Episode, decision: &Decision) -> EntryOutcome {
    let mut fork = episode.clone();
    assert_eq!(fork.desk().ledger().position(), 0, "an entry is judged from a flat position");
    fork.take_trades().for_each(drop);
    fork.answer(Some(*decision));
    loop {
        let asked = fork.next_question();
        if let Some(trade) = fork.take_trades().next() {
            let (net_pnl, gross_pnl) = (trade.net_pnl(), trade.gross_pnl);
            return EntryOutcome { net_pnl, gross_pnl, bars_held: trade.bars_held };
        }
        match asked {
            Some(asked) if asked.account.entering.is_some() || asked.account.position != 0 => {
                fork.answer(None);
            }
            // It was never filled.
            _ => break,
        }
    }
    EntryOutcome { net_pnl: Money::ZERO, gross_pnl: Money::ZERO, bars_held: 0 }
}

/// The outcomes of each entry at one close, from a flat position with the initial capital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CloseOutcomes {
    /// Place in [`Market::closes`].
    pub close: usize,
    /// Of an entry short and of one long; `None` where the rules leave no contract.
    pub entries: [Option<EntryOutcome>; 2],
}

/// Returns the outcomes of entries at every close of some sessions at which something may be
/// decided, each judged alone as by [`entry_outcome`], within its session; `wish_at` says what the
/// risk sub-system wishes at a close. They look ahead: labels to learn from, and nothing to decide
/// by.
///
/// # Panics
/// If the market does not have the sessions.
pub fn entry_outcomes(
    market: &Arc<Market>,
    sessions: Range<usize>,
    wish_at: impl Fn(usize) -> Wish,
) -> Vec<CloseOutcomes> {
    let mut outcomes = Vec::new();
    for session in sessions {
        let mut episode = Episode::new(Arc::clone(market), session..session + 1);
        while let Some(asked) = episode.next_question() {
            if let Some(close) = asked.close.filter(|&close| market.closes()[close].is_ready) {
                let wish = wish_at(close);
                let entries = [-1, 1].map(|direction| {
                    let decision = decide(market, &asked, &EpisodeAction { direction, wish })?;
                    Some(entry_outcome(&episode, &decision))
                });
                outcomes.push(CloseOutcomes { close, entries });
            }
            episode.answer(None);
        }
    }
    outcomes
}
