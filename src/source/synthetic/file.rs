//! Writes a synthetic market as a native tick file.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::market::Timestamp;
use crate::source::native::{MADE_UP, TickFileDescription, TickFileWriter};
use crate::whole_file::{self, FileKind};

use super::generator::Generator;
use super::oracle::{ORACLE_COST_PER_SIDE, OracleResult};
use super::regimes::RegimeStretch;
use super::settings::{Settings, SyntheticError};

const REGIMES_HEADER: &str = "start_utc,regime,drift_ticks_per_hour,hours\n";

/// The files that a file of regimes may replace.
const REGIMES_FILE: FileKind = FileKind {
    what: "a file of regimes",
    is_ours: &|file| whole_file::begins_with(file, REGIMES_HEADER.as_bytes()),
};

/// The summary of a written file.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntheticSummary {
    /// Ticks.
    pub ticks: u64,
    /// Sessions.
    pub sessions: u32,
    /// Open of the first session.
    pub start: Timestamp,
    /// Close of the last session.
    pub end: Timestamp,
    /// The oracle's profit, where the market has an edge.
    pub oracle: Option<OracleResult>,
    /// Path of the hidden regimes, if they were written.
    pub regimes_path: Option<PathBuf>,
}

/// Returns the path to which [`write_file`] writes the regimes of a tick file:
/// `<path>.regimes.csv`.
pub fn regimes_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".regimes.csv");
    PathBuf::from(name)
}

/// Writes the market as a native tick file, with the settings and the oracle's profit among its
/// facts, and the regimes beside it if they are asked for. `progress` is told the sessions made and
/// all of them, after each session. Holds one session in memory.
///
/// The file of regimes has the columns `start_utc,regime,drift_ticks_per_hour,hours`: the drift is
/// the expected one of that stretch, an hour of trading.
///
/// # Errors
/// If a setting is invalid, a file cannot be written, or `stop` is set; what stood at `path` is
/// kept then.
pub fn write_file(
    settings: Settings,
    path: &Path,
    stop: &AtomicBool,
    mut progress: impl FnMut(u32, u32),
) -> Result<SyntheticSummary, SyntheticError> {
    let mut generator = Generator::new(settings.clone())?;
    let wants_regimes = settings.write_regimes && settings.has_regimes();
    let regimes_path = wants_regimes.then(|| regimes_path(path));
    let regimes = |path: &Path| {
        let path = path.to_owned();
        |source| SyntheticError::Regimes { path, source }
    };
    if let Some(path) = &regimes_path {
        whole_file::check(path, &REGIMES_FILE).map_err(regimes(path))?;
    }
    let mut writer = TickFileWriter::create(path, describe(&settings))?;
    let mut ticks = Vec::new();
    let mut span: Option<(Timestamp, Timestamp)> = None;
    let mut made = 0;
    while let Some(session) = generator.next_session(&mut ticks) {
        writer.extend(&ticks)?;
        span = Some((span.map_or(session.open, |(start, _)| start), session.close));
        made += 1;
        progress(made, settings.market.days);
        if stop.load(Ordering::Relaxed) {
            return Err(SyntheticError::Stopped);
        }
    }
    let (start, end) = span.expect("settings ask for a session at least");
    let oracle = generator.oracle();
    let stretches = generator.regimes();
    let facts = &mut writer.description_mut().facts;
    let best = oracle.map_or("0".to_owned(), |result| result.expected_net.to_string());
    facts.insert("best_attainable_pnl_dollars_per_contract".to_owned(), best);
    if let Some(result) = oracle {
        let realized = result.realized_net.to_string();
        facts.insert("oracle_realized_pnl_dollars_per_contract".to_owned(), realized);
        facts.insert("oracle_costs_dollars_per_contract".to_owned(), result.costs.to_string());
        facts.insert("oracle_sides".to_owned(), result.sides.to_string());
        facts.insert("regime_changes".to_owned(), (stretches.len() - 1).to_string());
    }
    if let Some(path) = &regimes_path {
        write_regimes(path, &stretches).map_err(regimes(path))?;
    }
    let ticks = writer.finish()?;
    Ok(SyntheticSummary { ticks, sessions: made, start, end, oracle, regimes_path })
}

fn describe(settings: &Settings) -> TickFileDescription {
    let market = settings.market.market.name();
    let origin = format!("{MADE_UP}{market} market of seed {}", settings.seed);
    let mut description = TickFileDescription::new(&settings.instrument, &origin);
    let mut fact = |name: &str, value: String| {
        description.facts.insert(name.to_owned(), value);
    };
    fact("market", market.to_owned());
    fact("seed", settings.seed.to_string());
    fact("days", settings.market.days.to_string());
    fact("first_trade_date", settings.first_trade_date.to_string());
    fact("first_price", settings.first_price.to_string());
    fact("trades_per_day", settings.market.trades_per_day.to_string());
    fact("bid_ask_bounce", settings.bid_ask_bounce.to_string());
    if settings.has_regimes() {
        let edge = &settings.market;
        fact("trend_hours", edge.trend_hours.to_string());
        fact("range_hours", edge.range_hours.to_string());
        fact("volatile_hours", settings.volatile_hours.to_string());
        fact("trend_ticks_per_half_hour", edge.trend_ticks_per_half_hour.to_string());
        fact("range_deviation_ticks", settings.range_deviation_ticks.to_string());
        fact("oracle_cost_per_side_dollars", ORACLE_COST_PER_SIDE.to_string());
    }
    description
}

fn write_regimes(path: &Path, stretches: &[RegimeStretch]) -> io::Result<()> {
    let mut file = whole_file::begin(path, &REGIMES_FILE)?;
    let mut text = String::from(REGIMES_HEADER);
    for stretch in stretches {
        let RegimeStretch { start, regime, hours, drift_ticks } = stretch;
        let drift = if *hours > 0.0 { drift_ticks / hours } else { 0.0 };
        text.push_str(&format!("{start},{},{drift:.6},{hours:.6}\n", regime.name()));
    }
    file.write_all(text.as_bytes())?;
    whole_file::put_in_place(file, path, &REGIMES_FILE)
}
