//! `inspect`: what a stage makes of the history, as a table or a chart.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::civil::Date;

use super::arguments::Inspected;
use super::progress::Progress;
use super::{Failure, chart, check, say, stop};
use crate::bars::{BarBuilder, TickCounts, write_bars};
use crate::config::Config;
use crate::features::FeatureTable;
use crate::market::{Bar, Timestamp};
use crate::matrix::MatrixTable;
use crate::performance::{EquityPoint, Trade, write_trades_file};
use crate::pipeline::{
    FeatureStage, PipelineSettings, Prepared, Sink, pipeline_settings, run_backtest,
};
use crate::source::history::{History, HistoryError, Preparation};
use crate::table::{TableError, TableFormat};

const NO_INDICATORS: &str =
    "no indicator is computed: `bars.timeframes` and `indicators.timeframes` have none in common";

const NO_MATRICES: &str = "there is no matrix: the default ones need bars of 5 and 30 minutes in `bars.timeframes`, and their features";

/// A table that ends early would pass for a whole one.
const STOPPED: &str = "stopped before the end; nothing was written";

pub(super) fn inspect(
    what: Inspected,
    config: &Path,
    output: &Path,
    day: Option<Date>,
) -> Result<(), Failure> {
    if day.is_some() && what != Inspected::Chart {
        return Err(Failure::usage("--day chooses what a chart shows; tables hold every day"));
    }
    let format = || TableFormat::of(output).map_err(Failure::usage);
    match what {
        Inspected::Bars => bars(config, output, format()?, &stop::on_signal()),
        Inspected::Features | Inspected::Matrices => {
            features(what, config, output, format()?, &stop::on_signal())
        }
        Inspected::Trades if format()? == TableFormat::Parquet => {
            Err(Failure::usage(format!("{}: trades are written as .csv only", output.display())))
        }
        Inspected::Trades => trades(config, output, &stop::on_signal()),
        Inspected::Chart => chart::chart(config, output, day, &stop::on_signal()),
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
    let contracts: Vec<_> =
        history.file.description().contracts.iter().map(|c| c.symbol.clone()).collect();
    let facts = match format {
        TableFormat::Csv => Vec::new(),
        TableFormat::Parquet => facts(&config, &history).map_err(Failure::run)?,
    };
    let mut counts = TickCounts::default();
    let written = write_bars(output, &instrument.symbol, &contracts, &facts, |emit| {
        counts = each_bar(&history, &settings, &mut progress, stop, |bar| emit(bar))?;
        Ok(())
    })
    .map_err(Failure::run)?;
    progress.finish();
    say(format!("{}: {written} bars", output.display()));
    if counts.outside_session > 0 {
        say(format!(
            "{} ticks lie outside every session and were left out",
            counts.outside_session
        ));
    }
    Ok(())
}

/// Builds the bars of the whole history and gives each to `take`.
pub(super) fn each_bar(
    history: &History,
    settings: &PipelineSettings,
    progress: &mut Progress,
    stop: &AtomicBool,
    mut take: impl FnMut(&Bar),
) -> io::Result<TickCounts> {
    let ticks = history.file.ticks();
    let mut builder =
        BarBuilder::new(&settings.timeframes, settings.calendar, settings.fill_gaps_up_to);
    let mut session_close = Timestamp::MIN;
    for (index, tick) in ticks.iter().enumerate() {
        if tick.time >= session_close {
            builder.on_session_end(tick.time, &mut take);
        }
        builder.on_tick(tick, &mut take);
        session_close = builder.session().close;
        if index % 1_000_000 == 0 {
            progress.show("bars", index as u64, ticks.len() as u64);
            if stop.load(Ordering::Relaxed) {
                return Err(io::Error::other(STOPPED));
            }
        }
    }
    builder.finish(&mut take);
    Ok(builder.counts())
}

/// What the feature stage writes, as a table.
enum Rows<'a> {
    Features(FeatureTable<'a>),
    Matrices(MatrixTable<'a>),
}

struct TableSink<'a> {
    rows: Rows<'a>,
    written: Result<(), TableError>,
}

impl Sink for TableSink<'_> {
    fn bar(&mut self, _: &Bar) {}
    fn trade(&mut self, _: &Trade) {}
    fn equity(&mut self, _: &EquityPoint) {}
    fn features(&mut self, stage: &FeatureStage) {
        if self.written.is_err() {
            return;
        }
        let row = stage.engine().row();
        self.written = match &mut self.rows {
            Rows::Features(table) => table.write(row),
            Rows::Matrices(table) => table.write(&row.bar, stage.matrices()),
        };
    }
}

fn features(
    what: Inspected,
    config: &Path,
    output: &Path,
    format: TableFormat,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let (config, instrument) = check::load(config)?;
    check::keep_history(&config, &[output.to_owned()])?;
    let mut progress = Progress::new();
    let mut prepared = Prepared::new(&config, stop, &mut |now| progress.show_backtest(now))
        .map_err(Failure::run)?;
    let facts = match format {
        TableFormat::Csv => Vec::new(),
        TableFormat::Parquet => facts(&config, prepared.history()).map_err(Failure::run)?,
    };
    let contracts = &prepared.history().file.description().contracts;
    let contracts: Vec<_> = contracts.iter().map(|contract| contract.symbol.clone()).collect();
    let (stage, symbol) = (prepared.features(), &instrument.symbol);
    let rows = if what == Inspected::Features {
        let layout = stage.engine().layout();
        if layout.fields().is_empty() {
            return Err(Failure::usage(NO_INDICATORS));
        }
        FeatureTable::begin(output, symbol, &contracts, layout, &facts).map(Rows::Features)
    } else {
        if stage.matrices().is_empty() {
            return Err(Failure::usage(NO_MATRICES));
        }
        MatrixTable::begin(output, symbol, stage.matrices(), &facts).map(Rows::Matrices)
    };
    let mut sink = TableSink { rows: rows.map_err(Failure::run)?, written: Ok(()) };
    let run = prepared.replay(&mut sink, stop, &mut |now| progress.show_backtest(now));
    progress.finish();
    sink.written.map_err(Failure::run)?;
    if run.interrupted {
        return Err(Failure::run(format!("{}: {STOPPED}", output.display())));
    }
    let written = match sink.rows {
        Rows::Features(table) => table.finish(),
        Rows::Matrices(table) => table.finish(),
    };
    say(format!("{}: {} rows", output.display(), written.map_err(Failure::run)?));
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
