//! A market to learn in: the engine's own stages over a history, with the decisions made outside of
//! it.
//!
//! What agents see depends on bars alone and not on what they do, so a [`Market`] takes the history
//! through the feature stage once and keeps every matrix's rows. An [`Episode`] then takes some of
//! its sessions through sessions, bars, orders and the account, exactly as a backtest does, and
//! stops at each question; a [`VectorEnvironment`] is many of them side by side. Same market, same
//! sessions, same answers: same trades, bit for bit, as a backtest's.

mod episode;
mod market;
mod outcome;
mod vector;

pub use episode::{Episode, EpisodeQuestion};
pub use market::{Close, Market, MarketError, MatrixRows, SessionSpan};
pub use outcome::{CloseOutcomes, EntryOutcome, entry_outcome, entry_outcomes};
pub use vector::{
    ACCOUNT_WIDTH, EndedTrade, EpisodeAction, EpisodeSettings, EpisodeStep, VectorEnvironment,
    VectorEnvironmentError,
};

#[cfg(test)]
mod tests;
