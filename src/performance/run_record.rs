//! Everything that a finished run leaves.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::execution::{EquityPoint, Trade};
use crate::latency::LatencyRecord;
use crate::market::{Calendar, Money, Price, Timeframe, Timestamp};
use crate::strategy::DecisionRecord;

/// The input's description of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct InputDescription {
    /// Origin of the ticks, for people: format, files, seed.
    pub origin: String,
    /// `true` if the market is a synthetic one, by what the input itself says.
    #[serde(default)]
    pub made_up: bool,
    /// Set if the ticks were made from history bars of this many seconds, not from trades.
    pub expanded_from_bars_of_seconds: Option<u32>,
    /// Method by which prices of several contracts were joined: `none` or `back`.
    pub adjustment: String,
    /// Free facts by name, such as a synthetic market's best attainable profit.
    pub facts: BTreeMap<String, String>,
}

/// The networks that decided, and what they had to reach.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct DecidedBy {
    /// The model set's name, where it is, its hash and whether it is trained, for people.
    pub model_set: String,
    /// `true` if it is trained.
    pub trained: bool,
    /// Its description of itself, such as the markets that it has seen.
    #[serde(default)]
    pub description: String,
    /// Backend that ran the networks, such as `cpu`.
    pub backend: String,
    /// Confidence from which a vote was an opportunity, 0 to 1.
    pub confidence_threshold: f64,
}

/// Everything that a finished run leaves. The code that runs the pipeline fills it;
/// [`super::write_run_directory`] turns it into files.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Such as `backtest`.
    pub mode: String,
    /// The strategy's name, with its parameters where they matter to a reader.
    pub strategy: String,
    /// Version of the program.
    pub version: String,
    /// Path of the input as the user gave it.
    pub input: String,
    /// SHA-256 of the input file, 64 lower-case hexadecimal digits.
    pub input_sha256: String,
    /// The input's description of itself.
    pub input_description: InputDescription,
    /// The instrument's symbol, such as `ES`.
    pub instrument: String,
    /// Its hours of trading, which define a day and the days in a year.
    pub calendar: Calendar,
    /// Smallest price step.
    pub tick_size: Price,
    /// Money for one contract when the price moves one point.
    pub point_value: Money,
    /// Symbols of the contracts; [`Trade::contract`] is an index into these.
    pub contract_symbols: Vec<String>,
    /// Ticks replayed, those of the warm-up apart.
    pub ticks: u64,
    /// Ticks before the first trading day, of which bars and features were made, but no decision.
    pub warm_up_ticks: u64,
    /// Time of the first possible decision: the first close at which the strategy had seen all
    /// that it must. `None` if that never was.
    pub decides_from: Option<Timestamp>,
    /// Closed bars of each timeframe, in order of timeframe, those of the warm-up apart.
    pub bars: Vec<(Timeframe, u64)>,
    /// Time of the first tick after the warm-up, if there was one.
    pub first_tick: Option<Timestamp>,
    /// Time of the last tick, if there was one.
    pub last_tick: Option<Timestamp>,
    /// Money at the start (> 0).
    pub initial_capital: Money,
    /// Seed of every random draw of the run.
    pub seed: u64,
    /// Round trips in order of exit.
    pub trades: Vec<Trade>,
    /// The account in order of time.
    pub equity: Vec<EquityPoint>,
    /// The networks that decided; `None` for other strategies.
    pub decided_by: Option<DecidedBy>,
    /// The agents' record of every question, in order; empty for other strategies.
    pub decisions: Vec<DecisionRecord>,
    /// Nanoseconds of open market with a position held.
    pub time_in_market: u64,
    /// Nanoseconds of open market in all, from the first tick to the last.
    pub open_market_time: u64,
    /// Counts of what happened (orders sent, fills, orders refused by reason), in the order in
    /// which they shall be shown.
    pub counters: Vec<(String, u64)>,
    /// Notes on the data, a sentence each: `3 bars are incomplete`. They are
    /// shown at the top of the report.
    pub data_notes: Vec<String>,
    /// The simulator's order latency and fill settings, for people.
    pub simulated_latency: String,
    /// The resolved configuration as YAML, without secrets; empty if absent.
    pub configuration: String,
    /// Seconds of wall time that the replay took.
    pub elapsed_seconds: f64,
    /// Ticks replayed in a second of wall time.
    pub ticks_per_second: f64,
    /// Confidence level of the intervals (0 to 1, exclusive).
    pub confidence_level: f64,
    /// Number of resamples of trades and of days for them (≥ 1).
    pub bootstrap_resamples: u32,
    /// Picoseconds of processing a tick, averaged over batches.
    pub processing_time: Histogram<u64>,
    /// Times on the way from tick to order, if the run measured them: that of the pinned pipeline
    /// does.
    pub latency: Option<LatencyRecord>,
    /// The machine on which all that was measured, such as its processor's name.
    pub machine: String,
    /// `true` if the run was stopped before the input's end.
    pub interrupted: bool,
}

impl RunRecord {
    /// Returns the rest of the run after an earlier part of the same run: its trades, its equity
    /// from the money that the part ended with, and the differences of its counts. Notes on the
    /// data, the first tick and the first decision are those of the whole.
    pub fn since(mut self, part: &RunRecord) -> RunRecord {
        self.initial_capital =
            part.equity.last().map_or(part.initial_capital, |point| point.equity);
        self.trades = self.trades.split_off(part.trades.len());
        self.equity = self.equity.split_off(part.equity.len());
        self.decisions = self.decisions.split_off(part.decisions.len());
        self.ticks -= part.ticks;
        self.time_in_market -= part.time_in_market;
        self.open_market_time -= part.open_market_time;
        for ((_, count), (_, before)) in self.bars.iter_mut().zip(&part.bars) {
            *count -= before;
        }
        for (name, count) in &mut self.counters {
            let before = part.counters.iter().find(|(other, _)| other == name);
            *count -= before.map_or(0, |(_, before)| *before);
        }
        self
    }
}
