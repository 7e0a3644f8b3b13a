//! `summary.json`: the run's facts and figures.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bootstrap::FEWEST;
use super::caveats::caveats;
use super::decision_summary::{FEWEST_FORETOLD, outcomes};
use super::statistics::{daily_returns, too_few};
use super::{DecisionSummary, InputDescription, Intervals, LatencySummary, RunRecord, Statistics};
use crate::market::Calendar;

/// The run's facts and figures, as `summary.json` holds them. Money is in dollars, times are
/// ISO-8601 UTC. With `trades.csv`, `equity.csv` and `config.resolved.yaml` it is all that the
/// report shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Such as `backtest`.
    pub mode: String,
    /// The strategy's name.
    pub strategy: String,
    /// Path of the input as the user gave it.
    pub input: String,
    /// SHA-256 of the input file.
    pub input_sha256: String,
    /// The input's description of itself.
    pub input_description: InputDescription,
    /// Version of the program.
    pub version: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// `true` if the run was stopped before the input's end.
    pub interrupted: bool,
    /// The instrument's symbol.
    pub instrument: String,
    /// Its hours of trading, which define a day and the days in a year.
    pub calendar: Calendar,
    /// Smallest price step, as a decimal.
    pub tick_size: String,
    /// Dollars a point, as a decimal.
    pub point_value: String,
    /// Symbols of the contracts.
    pub contracts: Vec<String>,
    /// Ticks replayed, those of the warm-up apart.
    pub ticks: u64,
    /// Ticks before the first trading day, of which bars and features were made, but no decision.
    pub warm_up_ticks: u64,
    /// Time of the first possible decision.
    pub decides_from: Option<String>,
    /// Closed bars by minutes of their timeframe, those of the warm-up apart.
    pub bars: BTreeMap<u16, u64>,
    /// Time of the first tick.
    pub first_tick: Option<String>,
    /// Time of the last tick.
    pub last_tick: Option<String>,
    /// Money at the start.
    pub initial_capital: f64,
    /// Statistics, side by side with the facts.
    #[serde(flatten)]
    pub statistics: Statistics,
    /// Nanoseconds of open market with a position held.
    #[serde(default)]
    pub time_in_market_nanoseconds: u64,
    /// Nanoseconds of open market in all.
    #[serde(default)]
    pub open_market_nanoseconds: u64,
    /// Confidence intervals of some of the statistics.
    pub confidence_intervals: Intervals,
    /// The agents' decisions; `None` for other strategies.
    #[serde(default)]
    pub decisions: Option<DecisionSummary>,
    /// Counts of what happened.
    pub counters: Vec<(String, u64)>,
    /// Notes on the data.
    pub data_notes: Vec<String>,
    /// All that a reader must know before believing the figures, the gravest first; what is known
    /// of the data is among it.
    pub caveats: Vec<String>,
    /// The simulator's order latency and fill settings.
    pub simulated_latency: String,
    /// Seconds of wall time that the replay took.
    pub elapsed_seconds: Option<f64>,
    /// Ticks replayed in a second of wall time.
    pub ticks_per_second: Option<f64>,
    /// Processing time of a tick; `None` if it was not measured.
    pub processing_time: Option<ProcessingTime>,
    /// Times on the way from tick to order; `None` if they were not measured.
    pub latency: Option<LatencySummary>,
    /// The machine on which that was measured.
    pub machine: String,
}

/// Nanoseconds of processing a tick, averaged over batches.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProcessingTime {
    /// Batches measured.
    pub count: u64,
    /// Mean, nanoseconds.
    pub mean: f64,
    /// Percentile and the nanoseconds that it does not exceed, ascending; the last is the largest.
    pub percentiles: Vec<(f64, f64)>,
}

/// In a nanosecond.
pub(super) const PICOSECONDS: f64 = 1e3;
const PERCENTILES: [f64; 9] = [0.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 100.0];

impl Summary {
    /// Returns the summary of a run; computes its statistics and intervals.
    pub fn of(record: &RunRecord) -> Summary {
        let finite = |value: f64| Some(value).filter(|value| value.is_finite());
        let histogram = &record.processing_time;
        let processing_time = (!histogram.is_empty()).then(|| ProcessingTime {
            count: histogram.len(),
            mean: histogram.mean() / PICOSECONDS,
            percentiles: PERCENTILES
                .iter()
                .map(|&percentile| {
                    let picoseconds = histogram.value_at_percentile(percentile);
                    (percentile, picoseconds as f64 / PICOSECONDS)
                })
                .collect(),
        });
        let mut summary = Summary {
            mode: record.mode.clone(),
            strategy: record.strategy.clone(),
            input: record.input.clone(),
            input_sha256: record.input_sha256.clone(),
            input_description: record.input_description.clone(),
            version: record.version.clone(),
            seed: record.seed,
            interrupted: record.interrupted,
            instrument: record.instrument.clone(),
            calendar: record.calendar,
            tick_size: record.tick_size.to_string(),
            point_value: record.point_value.to_string(),
            contracts: record.contract_symbols.clone(),
            ticks: record.ticks,
            warm_up_ticks: record.warm_up_ticks,
            decides_from: record.decides_from.map(|time| time.to_string()),
            bars: record
                .bars
                .iter()
                .map(|&(timeframe, count)| (timeframe.minutes(), count))
                .collect(),
            first_tick: record.first_tick.map(|time| time.to_string()),
            last_tick: record.last_tick.map(|time| time.to_string()),
            initial_capital: record.initial_capital.as_f64(),
            statistics: Statistics::of(record),
            time_in_market_nanoseconds: record.time_in_market,
            open_market_nanoseconds: record.open_market_time,
            confidence_intervals: Intervals::of(record),
            decisions: DecisionSummary::of(record),
            counters: record.counters.clone(),
            data_notes: record.data_notes.clone(),
            caveats: Vec::new(),
            simulated_latency: record.simulated_latency.clone(),
            elapsed_seconds: finite(record.elapsed_seconds),
            ticks_per_second: finite(record.ticks_per_second),
            processing_time,
            latency: record.latency.as_ref().map(LatencySummary::of),
            machine: record.machine.clone(),
        };
        let missing = summary.why_missing(record);
        summary.statistics.undefined.extend(missing);
        summary.caveats = caveats(record, &summary);
        summary
    }

    /// Returns the values that are `None` beside the statistics, with their reasons.
    fn why_missing(&self, record: &RunRecord) -> Vec<(String, String)> {
        let trades = record.trades.len();
        let mut missing = Vec::new();
        let mut say = |name: &str, why: String| missing.push((name.to_owned(), why));
        let intervals = &self.confidence_intervals;
        if intervals.sharpe.is_none() {
            let with_result = daily_returns(record)
                .map(|returns| returns.iter().filter(|value| **value != 0.0).count());
            let why = match with_result {
                Some(days) if days < FEWEST => too_few("days with a result", days, FEWEST),
                _ => self.statistics.undefined.get("sharpe").cloned().unwrap_or_else(|| {
                    "the returns of all days are equal in every resample".to_owned()
                }),
            };
            say("confidence_intervals.sharpe", why);
        }
        for (name, interval) in [
            ("expectancy", intervals.expectancy),
            ("net_pnl", intervals.net_pnl),
            ("win_rate", intervals.win_rate),
            ("profit_factor", intervals.profit_factor),
        ] {
            let why = match trades < FEWEST {
                true => too_few("trades", trades, FEWEST),
                false => "there is no trade with a loss".to_owned(),
            };
            if interval.is_none() {
                say(&format!("confidence_intervals.{name}"), why);
            }
        }
        if self.decisions.as_ref().is_some_and(|decisions| decisions.reliability.is_none()) {
            let behind = outcomes(&record.decisions, &record.trades).len();
            say("decisions.reliability", too_few("trades of decisions", behind, FEWEST_FORETOLD));
        }
        missing
    }
}
