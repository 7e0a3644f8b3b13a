//! `inspect`: what a stage makes of the history, as a table or a chart.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use jiff::civil::Date;

use super::arguments::Inspected;
use super::progress::Progress;
use super::{Failure, chart, check, say, stop};
use crate::bars::BarTable;
use crate::config::Config;
use crate::engine::{Output, Sink};
use crate::strategy::StrategyKind;

use crate::features::FeatureTable;
use crate::market::Timestamp;
use crate::matrix::MatrixTable;
use crate::performance::{RunRecord, TRADES_FILE, write_trades_file};
use crate::run::history::{History, HistoryError};
use crate::run::{Prepared, RunPlace, run_backtest_in};
use crate::strategy::DecisionTable;
use crate::table::{TableError, TableFormat};
use crate::whole_file::{self, FileKind, folder_of};

const NO_INDICATORS: &str =
    "no indicator is computed: `bars.timeframes` and `indicators.timeframes` have none in common";

const NO_MATRICES: &str = "there is no matrix: the default ones need bars of 5 and 30 minutes in `bars.timeframes`, and their features";

/// The refusal of a table that ends early: it would pass for a whole one.
pub(super) const STOPPED: &str = "stopped before the end; nothing was written";

pub(super) fn inspect(
    what: Inspected,
    config: &Path,
    output: &Path,
    day: Option<Date>,
) -> Result<(), Failure> {
    if day.is_some() && what != Inspected::Chart {
        return Err(Failure::usage("--day chooses what a chart shows; tables hold every day"));
    }
    check::keep_runs([output])?;
    let format = || TableFormat::of(output).map_err(Failure::usage);
    match what {
        Inspected::Bars | Inspected::Features | Inspected::Matrices => {
            table(what, config, output, format()?, &stop::on_signal())
        }
        Inspected::Trades if format()? == TableFormat::Parquet => {
            Err(Failure::usage(format!("{}: trades are written as .csv only", output.display())))
        }
        Inspected::Trades => trades(config, output, &stop::on_signal()),
        Inspected::Decisions => decisions(config, output, format()?, &stop::on_signal()),
        Inspected::Chart => chart::chart(config, output, day, &stop::on_signal()),
    }
}

/// The rows that the stages write, as a table.
enum InspectedTable<'a> {
    Bars(BarTable<'a>),
    Features(FeatureTable<'a>),
    Matrices(MatrixTable<'a>),
}

struct TableSink<'a> {
    rows: InspectedTable<'a>,
    /// Bars that end by then warm up those that are written.
    from: Timestamp,
    written: Result<(), TableError>,
}

impl Sink for TableSink<'_> {
    fn output(&mut self, output: &Output<'_>) {
        let end = match output {
            Output::Bar(bar) => bar.end,
            Output::Features(stage) => stage.engine().row().bar.end,
            _ => return,
        };
        if self.written.is_err() || end <= self.from {
            return;
        }
        self.written = match (&mut self.rows, output) {
            (InspectedTable::Bars(table), Output::Bar(bar)) => table.write(bar),
            (InspectedTable::Features(table), Output::Features(stage)) => {
                table.write(stage.engine().row())
            }
            (InspectedTable::Matrices(table), Output::Features(stage)) => {
                table.write(&stage.engine().row().bar, stage.matrices())
            }
            _ => Ok(()),
        };
    }
}

fn table(
    what: Inspected,
    config: &Path,
    output: &Path,
    format: TableFormat,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let path = config;
    let (config, instrument) = check::load(path)?;
    check::keep_inputs(path, &config, &[output.to_owned()])?;
    let mut progress = Progress::new();
    let mut prepared = Prepared::inspection(&config, folder_of(output), stop, &mut |now| {
        progress.show_backtest(now)
    })
    .map_err(Failure::backtest)?;
    let facts = match format {
        TableFormat::Csv => Vec::new(),
        TableFormat::Parquet => facts(&config, prepared.history()).map_err(Failure::run)?,
    };
    let (contracts, symbol) = (prepared.contracts(), &instrument.symbol);
    let stage = prepared.stages().features();
    let rows = match what {
        Inspected::Features if stage.engine().layout().fields().is_empty() => {
            return Err(Failure::usage(NO_INDICATORS));
        }
        Inspected::Matrices if stage.matrices().is_empty() => {
            return Err(Failure::usage(NO_MATRICES));
        }
        Inspected::Features => {
            FeatureTable::begin(output, symbol, &contracts, stage.engine().layout(), &facts)
                .map(InspectedTable::Features)
        }
        Inspected::Matrices => MatrixTable::begin(output, symbol, stage.matrices(), &facts)
            .map(InspectedTable::Matrices),
        _ => BarTable::begin(output, symbol, &contracts, &facts).map(InspectedTable::Bars),
    };
    let from = prepared.stages().trades_from();
    let mut sink = TableSink { rows: rows.map_err(Failure::run)?, from, written: Ok(()) };
    let run = prepared.replay(&mut sink, stop, &mut |now| progress.show_backtest(now));
    progress.finish();
    sink.written.map_err(Failure::run)?;
    if run.interrupted {
        return Err(Failure::run(format!("{}: {STOPPED}", output.display())));
    }
    let (written, rows) = match sink.rows {
        InspectedTable::Bars(table) => (table.finish(), "bars"),
        InspectedTable::Features(table) => (table.finish(), "rows"),
        InspectedTable::Matrices(table) => (table.finish(), "rows"),
    };
    say(format!("{}: {} {rows}", output.display(), written.map_err(Failure::run)?));
    let matrices = if what == Inspected::Matrices { config.matrix_notes() } else { Vec::new() };
    for note in prepared.notes().into_iter().chain(matrices) {
        say(format!("note: {note}"));
    }
    Ok(())
}

/// Returns the facts about a table's origin, as in a run's manifest.
fn facts(config: &Config, history: &History) -> Result<Vec<(String, String)>, HistoryError> {
    Ok(facts_of(config, &history.name, &history.sha256()?))
}

fn facts_of(config: &Config, input: &str, sha256: &str) -> Vec<(String, String)> {
    let facts = [
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("input", input.to_owned()),
        ("input_sha256", sha256.to_owned()),
        ("seed", config.system.seed.to_string()),
        ("configuration", config.to_resolved_yaml()),
    ];
    facts.map(|(name, fact)| (name.to_owned(), fact)).into()
}

fn trades(config: &Path, output: &Path, stop: &Arc<AtomicBool>) -> Result<(), Failure> {
    check_output(output, &TRADES_FILE)?;
    let (_, record) = whole_run(config, output, stop)?;
    write_trades_file(output, &record).map_err(Failure::run)?;
    say(format!("{}: {} trades", output.display(), record.trades.len()));
    Ok(())
}

/// Makes sure, before the work, that nothing else than a file of this kind would be replaced.
pub(super) fn check_output(output: &Path, kind: &FileKind) -> Result<(), Failure> {
    whole_file::check(output, kind)
        .map_err(|error| Failure::run(format!("{}: {error}", output.display())))
}

/// Runs a backtest that was not stopped, and that leaves nothing of its own.
fn whole_run(
    path: &Path,
    output: &Path,
    stop: &Arc<AtomicBool>,
) -> Result<(Config, RunRecord), Failure> {
    let (config, _) = check::load(path)?;
    check::keep_inputs(path, &config, &[output.to_owned()])?;
    let mut progress = Progress::new();
    let (place, show) =
        (RunPlace::Scratch(folder_of(output)), &mut |now| progress.show_backtest(now));
    let record = run_backtest_in(place, &config, stop, show, &|_| {}).map_err(Failure::backtest)?;
    progress.finish();
    if record.interrupted {
        return Err(Failure::run(format!("{}: {STOPPED}", output.display())));
    }
    Ok((config, record))
}

fn decisions(
    config: &Path,
    output: &Path,
    format: TableFormat,
    stop: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let (loaded, _) = check::load(config)?;
    if loaded.strategy.kind != StrategyKind::Marl {
        return Err(Failure::usage(
            "only the agents record their decisions; set `strategy.kind: marl`, or inspect trades",
        ));
    }
    // It would be refused after the run: a table that begins now, and ends without a row, leaves
    // nothing.
    DecisionTable::begin(output, &[]).map_err(Failure::run)?;
    let (config, record) = whole_run(config, output, stop)?;
    let facts = match format {
        TableFormat::Csv => Vec::new(),
        TableFormat::Parquet => facts_of(&config, &record.input, &record.input_sha256),
    };
    let mut table = DecisionTable::begin(output, &facts).map_err(Failure::run)?;
    for decision in &record.decisions {
        table.write(decision).map_err(Failure::run)?;
    }
    let written = table.finish().map_err(Failure::run)?;
    say(format!("{}: {written} decisions by {}", output.display(), record.strategy));
    Ok(())
}
