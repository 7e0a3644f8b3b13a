//! The main job: run what a configuration describes, and leave a report.

use std::path::Path;

use super::progress::Progress;
use super::{Failure, check, say, stop, tell};
use crate::config::Mode;
use crate::market::Timestamp;
use crate::performance::{
    LatencySummary, RUN_FILES, Summary, WallTimes, check_run_directory, hold_run_directory,
    remove_journal, render_report_again, write_run_directory,
};
use crate::pipeline::{Backtest, journal_path, run_backtest};

impl Progress {
    pub(super) fn show_backtest(&mut self, now: Backtest) {
        match now {
            Backtest::Preparing(done, total) => self.show("preparing", done, total),
            Backtest::Foreseeing(done, total) => self.show("encoding", done, total),
            Backtest::Replaying(done, total) => self.show("replaying", done, total),
        }
    }
}

pub(super) fn run(path: &Path, json: bool) -> Result<(), Failure> {
    let (config, _) = check::load(path)?;
    if config.system.mode != Mode::Backtest {
        return Err(Failure::usage(format!(
            "{}: system.mode: only `backtest` can be run in this version; paper and live trading are not available yet",
            path.display()
        )));
    }
    let directory = &config.output.directory;
    let files = RUN_FILES.iter().map(|name| directory.join(name));
    let files: Vec<_> = files.chain([journal_path(&config)]).collect();
    check::keep_history(&config, &files)?;
    let notes = config.notes();
    for note in &notes {
        tell(format!("note: {note}"));
    }
    let directory = &config.output.directory;
    check_run_directory(directory).map_err(Failure::run)?;
    let _held = hold_run_directory(directory).map_err(Failure::run)?;
    let started = Timestamp::now();
    let stop = stop::on_signal();
    let mut progress = Progress::new();
    let record = run_backtest(&config, &stop, &mut |now| progress.show_backtest(now), &|line| {
        tell(line);
    });
    progress.finish();
    let mut record = record.map_err(Failure::backtest)?;
    record.data_notes.extend(notes);
    let times = WallTimes { started, finished: Timestamp::now() };
    let summary = write_run_directory(directory, &record, times).map_err(Failure::run)?;
    if !config.keeps_journal() {
        remove_journal(directory).map_err(Failure::run)?;
    }
    if json {
        say(serde_json::to_string(&summary).map_err(Failure::run)?);
    } else {
        say_results(&summary);
        say(config.output.directory.join("report.html").display());
    }
    Ok(())
}

pub(super) fn report(directory: &Path) -> Result<(), Failure> {
    let path = render_report_again(directory).map_err(Failure::run)?;
    say(path.display());
    Ok(())
}

/// The headline, for a terminal; the report has the rest.
pub(super) fn say_results(summary: &Summary) {
    let statistics = &summary.statistics;
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
    let percent = |value: Option<f64>| {
        value.map_or("–".to_owned(), |value| format!("{:.1} %", value * 100.0))
    };
    say(format!("{} {} on {}", summary.mode, summary.strategy, summary.input));
    say(format!(
        "{} ticks at {:.0} M ticks/s, {} trades",
        summary.ticks,
        summary.ticks_per_second.unwrap_or(0.0) / 1e6,
        statistics.trades
    ));
    say(format!(
        "net ${:.2} (gross ${:.2}, costs ${:.2}), max drawdown ${}",
        statistics.net_pnl,
        statistics.gross_pnl,
        statistics.costs,
        number(statistics.max_drawdown)
    ));
    say(format!(
        "Sharpe {}, Sortino {}, win rate {}, profit factor {}",
        number(statistics.sharpe),
        number(statistics.sortino),
        percent(statistics.win_rate),
        number(statistics.profit_factor)
    ));
    for note in &summary.data_notes {
        say(format!("note: {note}"));
    }
    if summary.interrupted {
        say("the run was stopped early: results cover what was replayed");
    }
    for line in summary.latency.iter().flat_map(LatencySummary::lines) {
        say(line);
    }
}
