//! `inspect`: what a stage makes of the history, as a table.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::arguments::Inspected;
use super::progress::Progress;
use super::{Failure, check, say, stop};
use crate::bars::{BarBuilder, write_bars};
use crate::config::Config;
use crate::market::{Bar, Timestamp};
use crate::performance::write_trades_file;
use crate::pipeline::{pipeline_settings, run_backtest};
use crate::source::history::{History, HistoryError, Preparation};
use crate::table::TableFormat;

/// A table that ends early would pass for a whole one.
const STOPPED: &str = "stopped before the end; nothing was written";

pub(super) fn inspect(what: Inspected, config: &Path, output: &Path) -> Result<(), Failure> {
    let format = TableFormat::of(output).map_err(Failure::usage)?;
    let stop = stop::on_signal();
    match (what, format) {
        (Inspected::Bars, _) => bars(config, output, format, &stop),
        (Inspected::Trades, TableFormat::Csv) => trades(config, output, &stop),
        (Inspected::Trades, TableFormat::Parquet) => {
            Err(Failure::usage(format!("{}: trades are written as .csv only", output.display())))
        }
    }
}

fn bars(
    config: &Path,
    output: &Path,
    format: TableFormat,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let (config, instrument) = check::load(config)?;
    check::keep_history(&config, &[output.to_owned()])?;
    let mut progress = Progress::new();
    let history = History::open(&config, &instrument, stop, &mut |Preparation { done, total }| {
        progress.show("preparing", done, total);
    })
    .map_err(Failure::run)?;
    let settings = pipeline_settings(&config, &instrument, history.file.description())
        .map_err(Failure::usage)?;
    let ticks = history.file.ticks();
    let mut builder =
        BarBuilder::new(&settings.timeframes, settings.calendar, settings.fill_gaps_up_to);
    let contracts: Vec<_> =
        history.file.description().contracts.iter().map(|c| c.symbol.clone()).collect();
    let facts = match format {
        TableFormat::Csv => Vec::new(),
        TableFormat::Parquet => facts(&config, &history).map_err(Failure::run)?,
    };
    let written = write_bars(output, &instrument.symbol, &contracts, &facts, |emit| {
        let emit = &mut |bar: &Bar| emit(bar);
        let mut session_close = Timestamp::MIN;
        for (index, tick) in ticks.iter().enumerate() {
            if tick.time >= session_close {
                builder.on_session_end(tick.time, emit);
            }
            builder.on_tick(tick, emit);
            session_close = builder.session().close;
            if index % 1_000_000 == 0 {
                progress.show("bars", index as u64, ticks.len() as u64);
                if stop.load(Ordering::Relaxed) {
                    return Err(std::io::Error::other(STOPPED));
                }
            }
        }
        builder.finish(emit);
        Ok(())
    })
    .map_err(Failure::run)?;
    progress.finish();
    say(format!("{}: {written} bars", output.display()));
    let counts = builder.counts();
    if counts.outside_session > 0 {
        say(format!(
            "{} ticks lie outside every session and were left out",
            counts.outside_session
        ));
    }
    Ok(())
}

/// What a table is made of, as in a run's manifest.
fn facts(config: &Config, history: &History) -> Result<Vec<(String, String)>, HistoryError> {
    let facts = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("input", history.name.clone()),
        ("input_sha256", history.sha256()?),
        ("seed", config.system.seed.to_string()),
        ("configuration", config.to_resolved_yaml()),
    ];
    Ok(facts.map(|(name, fact)| (name.to_owned(), fact)).into())
}

fn trades(config: &Path, output: &Path, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    let (config, _) = check::load(config)?;
    check::keep_history(&config, &[output.to_owned()])?;
    let mut progress = Progress::new();
    let record = run_backtest(&config, stop, &mut |now| progress.show_backtest(now))
        .map_err(Failure::run)?;
    progress.finish();
    if record.interrupted {
        return Err(Failure::run(format!("{}: {STOPPED}", output.display())));
    }
    write_trades_file(output, &record).map_err(Failure::run)?;
    say(format!("{}: {} trades", output.display(), record.trades.len()));
    Ok(())
}
