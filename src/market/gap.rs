//! A stretch of the feed that is known to lack trades.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// State of our knowledge of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum GapPhase {
    /// Trades are missing; how many of them can be recovered is not known yet.
    Opened,
    /// The figures are final. The ticks that were recovered follow, flagged
    /// [`BACKFILLED`](super::TickFlags::BACKFILLED), and behind them the ticks after the gap. Where
    /// only some of its minutes lack trades, it closes in stretches, one behind the other: each has
    /// its own figures and ticks.
    Closed,
}

/// Trades that the feed did not deliver, from one instant to another, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Contract, as in [`Tick::contract`](super::Tick::contract).
    pub contract: u16,
    /// Time of the last tick before the gap, or the beginning of the stretch.
    pub from: Timestamp,
    /// Time after which no trade is missing: that of the first tick after the gap, or the end of
    /// the stretch. As long as the gap is open, the time at which it was noticed.
    pub to: Timestamp,
    /// Contracts traded in it; `None` if unknown.
    pub missing: Option<u64>,
    /// Those of them that were recovered: 0 as long as the gap is open.
    pub recovered: u64,
    /// State of our knowledge.
    pub phase: GapPhase,
}

impl Gap {
    /// Returns whether every trade is known to be recovered.
    pub fn is_recovered(&self) -> bool {
        self.phase == GapPhase::Closed
            && self.missing.is_some_and(|missing| self.recovered == missing)
    }
}
