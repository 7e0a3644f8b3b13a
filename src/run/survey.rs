//! A survey of what a run would find in its history, without decisions.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::civil::Date;

use super::assembly::{Conditions, pipeline, trades_from};
use super::backtest::{Backtest, BacktestError};
use super::history::{History, Preparation};
use super::notes::data_notes;
use super::recording::{Keeping, Readiness, Recording, RunInput};
use super::runner::Runner;
use super::seat::ConfiguredStrategy;
use crate::config::Config;
use crate::engine::{Output, Sink, replay};
use crate::machine::Machine;
use crate::market::{Calendar, Session, Tick, Timestamp};
use crate::strategy::{Observer, Strategy};

/// A survey of what a run would see of its history: everything that it refuses is refused, and what
/// it would warn of is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Survey {
    /// The history's name, as the user would call it.
    pub name: String,
    /// Its file's description of its origin.
    pub origin: String,
    /// `true` if it was imported or generated for this, and would be by a run.
    pub is_prepared: bool,
    /// `true` if the market is a synthetic one.
    pub made_up: bool,
    /// Ticks that a run would trade on.
    pub ticks: u64,
    /// Ticks before the first trading day.
    pub warm_up_ticks: u64,
    /// Trade dates of the sessions that have ticks and are traded on, in order.
    pub sessions: Vec<Date>,
    /// Number of sessions with ticks before the first trading day.
    pub warm_up_sessions: usize,
    /// Gaps of whole sessions, in order.
    pub missing: Vec<Missing>,
    /// The contracts that are traded in, in order of their first tick there.
    pub contracts: Vec<ContractSpan>,
    /// Time of the first possible decision; `None` if that never comes.
    pub decides_from: Option<Timestamp>,
    /// Notes that a run would make on the data, a sentence each.
    pub notes: Vec<String>,
}

/// Sessions of which the history has no tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first.
    pub first: Date,
    /// The last.
    pub last: Date,
    /// Number of sessions.
    pub sessions: u64,
}

/// A contract, from its first to its last tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractSpan {
    /// Its symbol.
    pub symbol: String,
    /// Time of its first tick.
    pub first: Timestamp,
    /// Time of its last tick.
    pub last: Timestamp,
}

/// Opens, imports or generates the history as a run does, takes it through bars and features, and
/// returns what was found. All files that this needs lie in a folder of its own inside `working`,
/// which is removed at the end.
///
/// # Errors
/// As [`super::run_backtest`], except those that only decisions can cause.
pub fn survey(
    config: &Config,
    working: &Path,
    stop: &Arc<AtomicBool>,
    progress: &mut dyn FnMut(Backtest),
) -> Result<Survey, BacktestError> {
    Runner::plan(config, &Machine::read())?;
    let instrument = config.instrument()?;
    let seat = ConfiguredStrategy::new(config, &instrument)?;
    let (matrices, decided_by) = (seat.matrices(config), seat.decided_by(config));
    let strategy = seat.into_strategy();
    let (decides_on, warm_up) = (strategy.timeframe(), strategy.warm_up());
    drop(strategy);
    let on_preparation =
        &mut |Preparation { done, total }| progress(Backtest::Preparing(done, total));
    let history = History::open(config, &instrument, working, stop, on_preparation)?;
    let description = history.file.description();
    let (observer, conditions) = (Observer(decides_on), Conditions::simulated(config, &instrument));
    let mut stages = pipeline(config, &instrument, description, &matrices, observer, conditions)?;
    let trades_from = trades_from(config, &instrument);
    let mut results = Recording::new(&config.bars.timeframes, trades_from, decides_on, warm_up);
    let mut readiness = Readiness::new(stages.features());
    let mut sink = Surveying {
        sink: Keeping { results: &mut results, readiness: &mut readiness },
        trades_from,
        ready_from: None,
    };
    let ticks = history.ticks();
    let total = ticks.len() as u64;
    let run = replay(&mut stages, ticks, &mut sink, stop, &mut |done| {
        progress(Backtest::Replaying(done, total));
    });
    if run.interrupted {
        return Err(BacktestError::Stopped);
    }
    let ready_from = sink.ready_from;
    let (before, traded) = ticks.split_at(ticks.partition_point(|tick| tick.time < trades_from));
    let decides_from = match decided_by {
        Some(_) => ready_from,
        None => results.decides_from(),
    };
    let input = RunInput::of_ticks("check", &history, decided_by, ticks, trades_from);
    let notes = data_notes(config, &input, &stages, &results, &readiness, run.ticks);
    let sessions = sessions(instrument.calendar, ticks);
    let warm_up_sessions = sessions.partition_point(|session| session.open < trades_from);
    let symbol = |contract: u16| {
        let entry = description.contracts.get(usize::from(contract));
        entry.map(|entry| entry.symbol.clone()).unwrap_or_default()
    };
    Ok(Survey {
        origin: description.origin.clone(),
        is_prepared: history.is_prepared(),
        made_up: description.is_made_up(),
        ticks: traded.len() as u64,
        warm_up_ticks: before.len() as u64,
        missing: missing(instrument.calendar, &sessions),
        sessions: sessions[warm_up_sessions..].iter().map(|session| session.trade_date).collect(),
        warm_up_sessions,
        contracts: contracts(traded)
            .into_iter()
            .map(|(contract, first, last)| ContractSpan { symbol: symbol(contract), first, last })
            .collect(),
        decides_from,
        notes,
        name: history.name.clone(),
    })
}

/// Returns the sessions that have ticks, in order.
fn sessions(calendar: Calendar, ticks: &[Tick]) -> Vec<Session> {
    let mut sessions: Vec<Session> = Vec::new();
    let mut next = Session::NEVER;
    for tick in ticks {
        if tick.time >= next.close {
            next = calendar.session_at_or_after(tick.time);
        }
        if tick.time >= next.open && sessions.last() != Some(&next) {
            sessions.push(next);
        }
    }
    sessions
}

/// Returns the gaps where the calendar has sessions between two of `sessions`.
fn missing(calendar: Calendar, sessions: &[Session]) -> Vec<Missing> {
    let mut missing = Vec::new();
    for pair in sessions.windows(2) {
        let first = calendar.session_at_or_after(pair[0].close);
        let mut hole = Missing { first: first.trade_date, last: first.trade_date, sessions: 0 };
        let mut at = first;
        while at.open < pair[1].open {
            (hole.last, hole.sessions) = (at.trade_date, hole.sessions + 1);
            at = calendar.session_at_or_after(at.close);
        }
        if hole.sessions > 0 {
            missing.push(hole);
        }
    }
    missing
}

/// Returns each contract with the times of its first and last tick, in the order of first ticks.
fn contracts(ticks: &[Tick]) -> Vec<(u16, Timestamp, Timestamp)> {
    let mut spans: Vec<(u16, Timestamp, Timestamp)> = Vec::new();
    for tick in ticks {
        match spans.last_mut() {
            Some(span) if span.0 == tick.contract => span.2 = tick.time,
            _ => match spans.iter_mut().find(|span| span.0 == tick.contract) {
                Some(span) => span.2 = tick.time,
                None => spans.push((tick.contract, tick.time, tick.time)),
            },
        }
    }
    spans
}

/// A sink that looks for the first close at which every matrix is whole and a strategy may trade.
struct Surveying<K> {
    sink: K,
    trades_from: Timestamp,
    ready_from: Option<Timestamp>,
}

impl<K: Sink> Sink for Surveying<K> {
    fn output(&mut self, output: &Output<'_>) {
        if let Output::Features(stage) = output {
            let end = stage.engine().row().bar.end;
            if self.ready_from.is_none()
                && end > self.trades_from
                && stage.matrices().iter().all(|matrix| matrix.window().is_ok())
            {
                self.ready_from = Some(end);
            }
        }
        self.sink.output(output);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Price;

    #[test]
    fn sessions_that_the_calendar_has_and_the_ticks_have_not_are_missing() {
        let tick = |text: &str| Tick::new(text.parse().unwrap(), Price::ZERO, 1);
        // Thursday, Friday; then Wednesday and Thursday. Monday was Martin Luther King's day, a
        // shortened session.
        let ticks = [
            "2024-01-11T15:00:00Z",
            "2024-01-12T15:00:00Z",
            "2024-01-12T16:00:00Z",
            "2024-01-12T22:30:00Z",
            "2024-01-17T15:00:00Z",
            "2024-01-18T15:00:00Z",
        ]
        .map(tick);
        let found = sessions(Calendar::CmeEquityIndex, &ticks);
        let dates: Vec<String> = found.iter().map(|it| it.trade_date.to_string()).collect();
        assert_eq!(dates, ["2024-01-11", "2024-01-12", "2024-01-17", "2024-01-18"]);
        let date = |text: &str| text.parse::<Date>().unwrap();
        let hole = Missing { first: date("2024-01-15"), last: date("2024-01-16"), sessions: 2 };
        assert_eq!(missing(Calendar::CmeEquityIndex, &found), [hole]);
        assert_eq!(missing(Calendar::CmeEquityIndex, &found[..2]), []);
    }
}
