//! One run of several that follow each other in time, such as the tests of a walk-forward.
//!
//! Each run began with an account of its own. In the whole, equity continues where the run before
//! ended: capital + profit so far + the run's own profit.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::run_directory::{FinishedRun, lock};
use super::{DecidedBy, InputDescription, RunDirectoryError, RunRecord, Summary};
use crate::execution::{EquityPoint, Trade};
use crate::market::{Money, Price, Timeframe, Timestamp};

/// The runs cannot be stitched into one.
#[derive(Debug, thiserror::Error)]
pub enum StitchError {
    /// One of them cannot be read.
    #[error(transparent)]
    Run(#[from] RunDirectoryError),
    /// There are too few runs.
    #[error("give two runs or more: the output directories of backtests that follow each other")]
    TooFew,
    /// A run has no account from which the next could continue.
    #[error("{}: equity.csv has no point: the run traded on no day, leave it out", path.display())]
    Empty {
        /// The run's directory.
        path: PathBuf,
    },
    /// Two runs differ in something of which the whole has one.
    #[error(
        "{}: {what} is {this}, and in {} it is {other}; stitch runs that differ in their days alone",
        path.display(), before.display()
    )]
    Differs {
        /// The run's directory.
        path: PathBuf,
        /// The directory of the first run.
        before: PathBuf,
        /// The difference.
        what: String,
        /// Value in this run.
        this: String,
        /// Value in the other run.
        other: String,
    },
    /// Two runs hold the same days.
    #[error(
        "{}: begins at {begins}, before {} ends at {ended}; stitch runs whose days do not overlap: `first_trading_day` and `last_trading_day` bound a run",
        path.display(), before.display()
    )]
    Overlap {
        /// The run's directory.
        path: PathBuf,
        /// The run before it.
        before: PathBuf,
        /// The first point of its equity.
        begins: Timestamp,
        /// The last point of the one before.
        ended: Timestamp,
    },
    /// More money than can be counted.
    #[error(
        "{}: with this run the account has been beyond 9.22 billion dollars, which is as much as it can count; stitch fewer runs, or trade fewer contracts",
        path.display()
    )]
    OutOfRange {
        /// The run's directory.
        path: PathBuf,
    },
    /// The configuration of one is damaged.
    #[error("{}: config.resolved.yaml cannot be read; run the backtest again", path.display())]
    Configuration {
        /// The run's directory.
        path: PathBuf,
    },
    /// A summary has something that no run writes.
    #[error("{}: summary.json: {what} `{text}` cannot be read; run the backtest again", path.display())]
    Unreadable {
        /// The run's directory.
        path: PathBuf,
        /// The amount that is out of range.
        what: &'static str,
        /// The text that stands there.
        text: String,
    },
}

/// Makes one run of those in `directories`, in the order of their days, given in any order.
///
/// # Errors
/// If a run is at work in one, one cannot be read or is not whole, they differ in more than their
/// days, their days overlap, or money does not hold the account of the whole.
pub fn stitch_runs(directories: &[PathBuf]) -> Result<RunRecord, StitchError> {
    let mut parts = directories.iter().map(StitchedRun::read).collect::<Result<Vec<_>, _>>()?;
    parts.sort_by_key(|part| part.begins);
    let [first, others @ ..] = &parts[..] else { return Err(StitchError::TooFew) };
    if others.is_empty() {
        return Err(StitchError::TooFew);
    }
    others.iter().try_for_each(|part| part.fits(first))?;
    for pair in parts.windows(2) {
        if pair[1].begins <= pair[0].ended {
            return Err(StitchError::Overlap {
                path: pair[1].path.to_owned(),
                before: pair[0].path.to_owned(),
                begins: pair[1].begins,
                ended: pair[0].ended,
            });
        }
    }
    whole(&parts)
}

/// Sections of the configuration, and keys of some, that say nothing of how a run trades: days and
/// histories, networks (a walk-forward has others for every part), folders, threads, seeds and the
/// report.
const MAY_DIFFER: [(&str, Option<&str>); 7] = [
    ("data_handler", None),
    ("marl_core", Some("model_set")),
    ("output", None),
    ("pipeline", None),
    ("inference", None),
    ("performance", None),
    ("system", Some("seed")),
];

/// Returns the first key in which two configurations differ, with both values.
fn difference(this: &Value, other: &Value) -> Option<(String, String, String)> {
    let (Value::Object(these), Value::Object(others)) = (this, other) else {
        return (this != other).then(|| (String::new(), this.to_string(), other.to_string()));
    };
    let keys = these.keys().chain(others.keys().filter(|&key| !these.contains_key(key)));
    keys.into_iter().find_map(|key| {
        let value = |of: &Map<String, Value>| of.get(key).cloned().unwrap_or_default();
        let (below, this, other) = difference(&value(these), &value(others))?;
        let key = if below.is_empty() { key.clone() } else { format!("{key}.{below}") };
        Some((key, this, other))
    })
}

/// A run to be stitched.
struct StitchedRun<'a> {
    path: &'a Path,
    run: FinishedRun,
    /// The first and the last point of its equity.
    begins: Timestamp,
    ended: Timestamp,
}

impl StitchedRun<'_> {
    fn read(path: &PathBuf) -> Result<StitchedRun<'_>, StitchError> {
        let _lock = lock(path, File::try_lock_shared)?;
        let run = FinishedRun::read(path)?;
        match (run.equity.first(), run.equity.last()) {
            (Some(first), Some(last)) => {
                let (begins, ended) = (first.time, last.time);
                Ok(StitchedRun { path, run, begins, ended })
            }
            _ => Err(StitchError::Empty { path: path.clone() }),
        }
    }

    /// Checks that this part and `first` can belong to one whole.
    fn fits(&self, first: &StitchedRun) -> Result<(), StitchError> {
        let facts = |summary: &Summary| {
            [
                ("the mode", summary.mode.clone()),
                ("the instrument", summary.instrument.clone()),
                ("the calendar", summary.calendar.to_string()),
                ("the tick size", summary.tick_size.clone()),
                ("the value of a point", summary.point_value.clone()),
                ("the initial capital", summary.initial_capital.to_string()),
                ("the simulated latency", summary.simulated_latency.clone()),
            ]
        };
        let pairs = facts(&self.run.summary).into_iter().zip(facts(&first.run.summary));
        for ((what, this), (_, other)) in pairs {
            if this != other {
                let (path, before) = (self.path.to_owned(), first.path.to_owned());
                let what = what.to_owned();
                return Err(StitchError::Differs { path, before, what, this, other });
            }
        }
        let (this, other) = (self.trading_rules()?, first.trading_rules()?);
        match difference(&this, &other) {
            None => Ok(()),
            Some((key, this, other)) => Err(StitchError::Differs {
                path: self.path.to_owned(),
                before: first.path.to_owned(),
                what: format!("config.resolved.yaml: {key}"),
                this,
                other,
            }),
        }
    }

    /// Returns the run's configuration, less what may differ.
    fn trading_rules(&self) -> Result<Value, StitchError> {
        let mut rules: Value = serde_saphyr::from_str(&self.run.configuration)
            .map_err(|_| StitchError::Configuration { path: self.path.to_owned() })?;
        for (section, key) in MAY_DIFFER {
            let Some(section) = rules.get_mut(section).and_then(Value::as_object_mut) else {
                continue;
            };
            match key {
                Some(key) => drop(section.remove(key)),
                None => section.clear(),
            }
        }
        Ok(rules)
    }

    fn parse<T>(
        &self,
        what: &'static str,
        text: &str,
        parsed: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, StitchError> {
        parsed(text).ok_or_else(|| StitchError::Unreadable {
            path: self.path.to_owned(),
            what,
            text: text.to_owned(),
        })
    }
}

/// Returns the number of bars of each timeframe, over all runs.
fn bars(parts: &[StitchedRun]) -> Result<Vec<(Timeframe, u64)>, StitchError> {
    let mut bars = BTreeMap::new();
    for part in parts {
        for (&minutes, &count) in &part.run.summary.bars {
            let timeframe = |_: &str| Timeframe::from_minutes(minutes.into()).ok();
            *bars.entry(part.parse("bars", &minutes.to_string(), timeframe)?).or_default() += count;
        }
    }
    Ok(bars.into_iter().collect())
}

/// Returns the facts that hold for every input; the runs' own reports have the others.
fn common_facts(parts: &[StitchedRun]) -> BTreeMap<String, String> {
    let facts = |part: &StitchedRun| part.run.summary.input_description.facts.clone();
    let mut common = facts(&parts[0]);
    for part in parts {
        let its = facts(part);
        common.retain(|key, value| its.get(key) == Some(value));
    }
    common
}

fn whole(parts: &[StitchedRun]) -> Result<RunRecord, StitchError> {
    let (first, last) = (&parts[0], &parts[parts.len() - 1]);
    let summaries = || parts.iter().map(|part| &part.run.summary);
    let of_first = &first.run.summary;
    let money = |text: &str| text.parse::<Price>().ok().map(|it| Money::from_nanos(it.units()));
    let capital = of_first.initial_capital;
    let capital = first.parse("initial_capital", &capital.to_string(), money)?;
    let time = |part: &StitchedRun, text: &Option<String>| {
        let text = text.as_deref();
        text.map(|text| part.parse("a tick's time", text, |it| it.parse().ok())).transpose()
    };
    let (contract_symbols, trades) = trades(parts);
    let seconds: f64 = summaries().filter_map(|it| it.elapsed_seconds).sum();
    let ticks = summaries().map(|it| it.ticks).sum();
    let intervals = &of_first.confidence_intervals;
    Ok(RunRecord {
        mode: of_first.mode.clone(),
        strategy: listed(summaries().map(|it| it.strategy.as_str())),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        input: listed(summaries().map(|it| it.input.as_str())),
        input_sha256: hash(parts),
        input_description: InputDescription {
            origin: listed(summaries().map(|it| it.input_description.origin.as_str())),
            made_up: summaries().any(|it| it.input_description.made_up),
            facts: common_facts(parts),
            ..of_first.input_description.clone()
        },
        instrument: of_first.instrument.clone(),
        calendar: of_first.calendar,
        tick_size: first.parse("tick_size", &of_first.tick_size, |text| text.parse().ok())?,
        point_value: first.parse("point_value", &of_first.point_value, money)?,
        contract_symbols,
        ticks,
        warm_up_ticks: summaries().map(|it| it.warm_up_ticks).sum(),
        decides_from: parts
            .iter()
            .find_map(|part| time(part, &part.run.summary.decides_from).transpose())
            .transpose()?,
        bars: bars(parts)?,
        first_tick: time(first, &of_first.first_tick)?,
        last_tick: time(last, &last.run.summary.last_tick)?,
        initial_capital: capital,
        seed: of_first.seed,
        trades,
        equity: equity(parts, capital)?,
        decided_by: decided_by(parts),
        decisions: parts.iter().flat_map(|part| part.run.decisions.iter().copied()).collect(),
        time_in_market: summaries().map(|it| it.time_in_market_nanoseconds).sum(),
        open_market_time: summaries().map(|it| it.open_market_nanoseconds).sum(),
        counters: counters(parts),
        data_notes: notes(parts),
        simulated_latency: of_first.simulated_latency.clone(),
        configuration: first.run.configuration.clone(),
        elapsed_seconds: seconds,
        ticks_per_second: if seconds > 0.0 { ticks as f64 / seconds } else { 0.0 },
        confidence_level: intervals.level,
        bootstrap_resamples: intervals.resamples,
        processing_time: Histogram::new(3).expect("3 digits are within 0 to 5"),
        latency: None,
        machine: listed(summaries().map(|it| it.machine.as_str())),
        interrupted: summaries().any(|it| it.interrupted),
    })
}

/// Returns the symbols of all contracts, and the trades with their places among them.
fn trades(parts: &[StitchedRun]) -> (Vec<String>, Vec<Trade>) {
    let mut symbols: Vec<String> = Vec::new();
    let mut trades = Vec::new();
    for part in parts {
        let of_part = &part.run.summary.contracts;
        for symbol in of_part {
            if !symbols.contains(symbol) {
                symbols.push(symbol.clone());
            }
        }
        for trade in &part.run.trades {
            let symbol = of_part.get(usize::from(trade.contract));
            let place = symbol.and_then(|of| symbols.iter().position(|symbol| symbol == of));
            let contract = place.map_or(trade.contract, |place| place as u16);
            trades.push(Trade { id: trades.len() as u32 + 1, contract, ..*trade });
        }
    }
    (symbols, trades)
}

/// Returns one account: each run's profit on top of those before.
fn equity(parts: &[StitchedRun], capital: Money) -> Result<Vec<EquityPoint>, StitchError> {
    let mut so_far = 0;
    let mut equity = Vec::new();
    for part in parts {
        let whole = |amount: Money| {
            let nanos = i64::try_from(i128::from(amount.nanos()) + so_far);
            let out_of_range = |_| StitchError::OutOfRange { path: part.path.to_owned() };
            nanos.map(Money::from_nanos).map_err(out_of_range)
        };
        for point in &part.run.equity {
            let (cash, equity_then) = (whole(point.cash)?, whole(point.equity)?);
            equity.push(EquityPoint { cash, equity: equity_then, ..*point });
        }
        let profit =
            |last: &EquityPoint| i128::from(last.equity.nanos()) - i128::from(capital.nanos());
        so_far = equity.last().map_or(so_far, profit);
    }
    Ok(equity)
}

/// Returns counts of the same name added up, in the order in which they come first.
fn counters(parts: &[StitchedRun]) -> Vec<(String, u64)> {
    let mut counters: Vec<(String, u64)> = Vec::new();
    for (name, count) in parts.iter().flat_map(|part| &part.run.summary.counters) {
        match counters.iter_mut().find(|counter| counter.0 == *name) {
            Some(counter) => counter.1 += count,
            None => counters.push((name.clone(), *count)),
        }
    }
    counters
}

/// Returns notes on how the whole was made, and the notes of its runs.
fn notes(parts: &[StitchedRun]) -> Vec<String> {
    let days: Vec<_> = parts
        .iter()
        .map(|part| format!("{} to {}: {}", part.begins, part.ended, part.path.display()))
        .collect();
    let mut notes = vec![format!(
        "{} runs, one after the other, each begun flat and with a new account; equity goes on from the one before, and the configuration is that of the first. {}.",
        parts.len(),
        days.join("; ")
    )];
    for (part, note) in
        parts.iter().flat_map(|part| part.run.summary.data_notes.iter().map(move |it| (part, it)))
    {
        let is_common = parts.iter().all(|part| part.run.summary.data_notes.contains(note));
        let note = match is_common {
            true => note.clone(),
            false => format!("{}: {note}", part.path.display()),
        };
        if !notes.contains(&note) {
            notes.push(note);
        }
    }
    notes
}

/// Returns the networks of all, trained if all are.
fn decided_by(parts: &[StitchedRun]) -> Option<DecidedBy> {
    let all: Option<Vec<_>> = parts
        .iter()
        .map(|part| part.run.summary.decisions.as_ref().map(|of| &of.decided_by))
        .collect();
    let all = all?;
    Some(DecidedBy {
        model_set: listed(all.iter().map(|of| of.model_set.as_str())),
        trained: all.iter().all(|of| of.trained),
        description: listed(all.iter().map(|of| of.description.as_str())),
        ..(*all.first()?).clone()
    })
}

/// Returns the hash of the one input, or a hash of all hashes.
fn hash(parts: &[StitchedRun]) -> String {
    let hashes: Vec<_> = parts.iter().map(|part| part.run.summary.input_sha256.as_str()).collect();
    if hashes.iter().all(|hash| *hash == hashes[0]) {
        return hashes[0].to_owned();
    }
    Sha256::digest(hashes.concat()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns every different text once.
fn listed<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut different: Vec<&str> = Vec::new();
    for text in texts {
        if !different.contains(&text) {
            different.push(text);
        }
    }
    different.join("; ")
}
