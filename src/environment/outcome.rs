//! What an entry comes to, whatever else could have been done.

use super::episode::Episode;
use crate::execution::Decision;
use crate::market::Money;

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryOutcome {
    /// After costs; zero if it was not filled.
    pub net_pnl: Money,
    /// Before costs.
    pub gross_pnl: Money,
    /// Closed bars of the decisions' timeframe while it was open.
    pub bars_held: u32,
}

/// What it comes to if this decision is the answer to the question that `episode` stands at, and nothing is decided
/// afterwards until it is closed by its bracket, by the session's end or by the episode's. The episode itself does not move.
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
