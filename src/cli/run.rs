//! The main job: run what a configuration describes, and leave a report.

use std::path::Path;

use super::progress::Progress;
use super::{Failure, check, say, stop, tell};
use crate::config::Mode;
use crate::market::Timestamp;
use crate::performance::{
    LatencySummary, Maker, Summary, WallTimes, check_run_directory, hold_run_directory,
    render_report_again,
};
use crate::run::{Backtest, RunPlace, run_backtest_in};

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
    let (config, _instrument) = check::load_runnable(path)?;
    check::check_outputs(path, &config)?;
    let notes = config.notes();
    let directory = &config.output.directory;
    check_run_directory(directory).map_err(Failure::run)?;
    let held = hold_run_directory(directory).map_err(Failure::run)?;
    for path in held.swept() {
        tell(format!("removed {}, which a run that was killed had left", path.display()));
    }
    let started = Timestamp::now();
    let stop = stop::on_signal();
    let mut progress = Progress::new();
    let (show, log) = (&mut |now| progress.show_backtest(now), &|line: &str| tell(line));
    let record = match config.system.mode {
        #[cfg(feature = "live")]
        Mode::Paper => super::paper::run(&held, &config, &_instrument, &stop, json),
        _ => run_backtest_in(RunPlace::Run(&held), &config, &stop, show, log)
            .map_err(Failure::backtest),
    };
    progress.finish();
    let mut record = record?;
    record.data_notes.extend(notes);
    let times = WallTimes { started, finished: Timestamp::now() };
    let summary = held.write(Maker::Run, &record, times).map_err(Failure::run)?;
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

/// Prints the headline, for a terminal; the report has the rest.
pub(super) fn say_results(summary: &Summary) {
    let statistics = &summary.statistics;
    let money = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("${value:.2}"));
    let market = if summary.input_description.made_up { ", a synthetic market" } else { "" };
    say(format!("{} {} on {}{market}", summary.mode, summary.strategy, summary.input));
    let warm_up = match summary.warm_up_ticks {
        0 => String::new(),
        ticks => format!(" after {ticks} of warm-up"),
    };
    say(format!(
        "{} ticks{warm_up} at {} ticks/s, {} trades",
        summary.ticks,
        scaled(summary.ticks_per_second.unwrap_or(0.0)),
        statistics.trades
    ));
    say(format!(
        "net ${:.2} (gross ${:.2}, costs ${:.2}), max drawdown {}",
        statistics.net_pnl,
        statistics.gross_pnl,
        statistics.costs,
        money(statistics.max_drawdown)
    ));
    say(figures(summary));
    for caveat in &summary.caveats {
        say(format!("note: {caveat}"));
    }
    for line in summary.latency.iter().flat_map(LatencySummary::lines) {
        say(line);
    }
}

/// Returns the ratios, each with its value or the reason why it is undefined.
fn figures(summary: &Summary) -> String {
    let statistics = &summary.statistics;
    let plain = |value: f64| format!("{value:.2}");
    let percent = |value: f64| format!("{:.1} %", value * 100.0);
    let figure = |words: &str, name: &str, value: Option<f64>, text: &dyn Fn(f64) -> String| {
        let why = || statistics.undefined.get(name).map_or("", String::as_str);
        format!("{words} {}", value.map_or_else(|| format!("– ({})", why()), text))
    };
    let few = match statistics.undefined.get("confidence_intervals.sharpe") {
        Some(why) if statistics.sharpe.is_some() => format!(" (no interval: {why})"),
        _ => String::new(),
    };
    [
        figure("Sharpe", "sharpe", statistics.sharpe, &plain) + &few,
        figure("Sortino", "sortino", statistics.sortino, &plain),
        figure("win rate", "win_rate", statistics.win_rate, &percent),
        figure("profit factor", "profit_factor", statistics.profit_factor, &plain),
    ]
    .join(", ")
}

/// Returns three digits and a unit: `412`, `39.1 k`, `3.20 M`.
fn scaled(value: f64) -> String {
    // Each limit is where three digits would round up to 1,000.
    let (value, unit) = match value {
        v if v < 999.5 => return format!("{v:.0}"),
        v if v < 999.5e3 => (v / 1e3, "k"),
        v if v < 999.5e6 => (v / 1e6, "M"),
        v => (v / 1e9, "G"),
    };
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {unit}")
}

#[cfg(test)]
mod tests {
    use super::scaled;

    #[test]
    fn a_rate_has_three_digits_and_a_unit() {
        for (value, text) in [
            (0.0, "0"),
            (412.4, "412"),
            (999.4, "999"),
            (999.6, "1.00 k"),
            (39_133.6, "39.1 k"),
            (391_336.0, "391 k"),
            (999_499.0, "999 k"),
            (999_501.0, "1.00 M"),
            (34_560_000.0, "34.6 M"),
            (1.5e9, "1.50 G"),
        ] {
            assert_eq!(scaled(value), text);
        }
    }
}
