//! Settings of the stages.

use super::message::DecisionTiming;
use crate::market::{Calendar, Timeframe, Timestamp};

/// Settings of the stages.
#[derive(Clone, Debug)]
pub struct PipelineSettings {
    /// Hours of trading.
    pub calendar: Calendar,
    /// Bars to build; the strategy's timeframe is among them.
    pub timeframes: Vec<Timeframe>,
    /// Longest stretch without trades that is filled with flat bars, in nanoseconds.
    pub fill_gaps_up_to: i64,
    /// Nanoseconds in a bar of the history that the ticks are made from; 0 for trades.
    pub history_bar: i64,
    /// Positions are closed this number of nanoseconds before the session's end; `None` holds them
    /// over it.
    pub flatten_before_close: Option<i64>,
    /// Expiry of each contract of the series, by `Tick::contract`; `Timestamp::MAX` if unknown.
    pub expiries: Vec<Timestamp>,
    /// `true` if the contracts' prices were joined, so that a new contract continues where the old
    /// one ended.
    pub prices_are_joined: bool,
    /// Time at which an answer of the strategy takes effect.
    pub decisions: DecisionTiming,
    /// End of the warm-up, which builds bars and features but ignores decisions and records no
    /// equity. `Timestamp::MIN` without one.
    pub trades_from: Timestamp,
}

impl PipelineSettings {
    /// Returns the most questions that can be open at one instant: one tick can close every bar of
    /// a gap, and each answer waits for its time.
    pub(super) fn most_open_questions(&self, decides_on: Timeframe) -> usize {
        let bar = i64::from(decides_on.minutes()) * Timestamp::MINUTE;
        let latency = match self.decisions {
            DecisionTiming::After(latency) => latency,
            DecisionTiming::OnArrival => 0,
        };
        2 * (self.fill_gaps_up_to.max(latency) / bar.max(Timestamp::MINUTE)) as usize + 16
    }
}
