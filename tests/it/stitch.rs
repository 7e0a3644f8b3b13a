//! Runs that follow each other in time as one: a run over all their days is what they must come to.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use algospace_hft::config::Config;
use algospace_hft::market::Timestamp;
use algospace_hft::performance::{
    RunRecord, Statistics, WallTimes, stitch_runs, write_run_directory,
};
use algospace_hft::run::run_backtest;

/// Runs a rule, or the agents of the set that is built in, from day to day, and leaves a directory.
fn run(folder: &Path, name: &str, days: &str, others: &str) -> (RunRecord, PathBuf) {
    let directory = folder.join(name);
    let yaml = format!(
        "data_handler: {{ backtest_settings: {{
  synthetic: {{ days: 14, seed: 5, trades_per_day: 20000 }}, {days} }} }}
output: {{ directory: {} }}
{others}
",
        directory.display()
    );
    let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let record = run_backtest(&config, &stop, &mut |_| {}, &|_| {}).unwrap();
    let times = WallTimes { started: Timestamp::MIN, finished: Timestamp::MIN };
    write_run_directory(&directory, &record, times).unwrap();
    (record, directory)
}

const RULE: &str = "strategy: { kind: baseline }";
const AGENTS: &str = "marl_core: { gate_threshold: 0, mc_dropout: { confidence_threshold: 0.3, minimum_agreement: 0 } }";

#[test]
fn the_parts_of_a_run_are_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (whole, _) = run(at, "whole", "", RULE);
    let (_, first) = run(at, "1", "last_trading_day: 2024-01-05", RULE);
    let (_, second) =
        run(at, "2", "first_trading_day: 2024-01-08, last_trading_day: 2024-01-11", RULE);
    let (_, third) = run(at, "3", "first_trading_day: 2024-01-12", RULE);
    // Given in any order.
    let stitched = stitch_runs(&[third.clone(), first.clone(), second.clone()]).unwrap();

    assert!(whole.trades.len() > 20, "{}", whole.trades.len());
    assert!(stitched.trades == whole.trades);
    assert_eq!(stitched.input_sha256, whole.input_sha256);
    assert_eq!(stitched.time_in_market, whole.time_in_market);
    assert_eq!(stitched.initial_capital, whole.initial_capital);
    // Every point of the one curve is on the other, but for the minutes at the end of the parts'
    // last sessions.
    let missing: Vec<_> =
        whole.equity.iter().filter(|point| !stitched.equity.contains(point)).collect();
    assert!(missing.len() < 12, "{}", missing.len());
    let (all, parts) = (Statistics::of(&whole), Statistics::of(&stitched));
    assert_eq!((parts.days, parts.net_pnl), (all.days, all.net_pnl));
    assert_eq!((parts.final_equity, parts.sharpe), (all.final_equity, all.sharpe));
    assert_eq!(parts.max_drawdown, all.max_drawdown);
    assert!((parts.exposure.unwrap() - all.exposure.unwrap()).abs() < 1e-3);
    // Cash and profit add up.
    let net: f64 = stitched.trades.iter().map(|trade| trade.net_pnl().as_f64()).sum();
    let end = stitched.equity.last().unwrap().equity.as_f64();
    assert!((end - stitched.initial_capital.as_f64() - net).abs() < 1e-6);

    let note = &stitched.data_notes[0];
    assert!(note.starts_with("3 runs, one after the other"), "{note}");
    // What all say is said once, and what one says with its name.
    let notes = &stitched.data_notes[1..];
    assert!(notes.contains(&whole.data_notes[0]), "{notes:?}");
    let of_first = format!("{}: ", first.display());
    assert!(notes.iter().any(|note| note.starts_with(&of_first)), "{notes:?}");
    // What was written of it can be stitched in turn.
    let pair = stitch_runs(&[first, second]).unwrap();
    let times = WallTimes { started: Timestamp::MIN, finished: Timestamp::MIN };
    write_run_directory(&at.join("pair"), &pair, times).unwrap();
    let again = stitch_runs(&[at.join("pair"), third]).unwrap();
    assert!(again.trades == stitched.trades && again.equity == stitched.equity);
}

#[test]
fn decisions_of_agents_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let days = [
        "first_trading_day: 2024-01-11, last_trading_day: 2024-01-12",
        "first_trading_day: 2024-01-16",
    ];
    let (one, first) = run(at, "1", days[0], AGENTS);
    let (other, second) = run(at, "2", days[1], AGENTS);
    let stitched = stitch_runs(&[first, second]).unwrap();
    assert!(!one.decisions.is_empty() && !other.decisions.is_empty());
    assert_eq!(stitched.decisions.len(), one.decisions.len() + other.decisions.len());
    assert_eq!(stitched.decided_by, one.decided_by);
    let asked = |run: &RunRecord| run.counters.iter().find(|it| it.0 == "agents asked").unwrap().1;
    assert_eq!(asked(&stitched), asked(&one) + asked(&other));
}

#[test]
fn what_is_no_one_run_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (_, first) = run(at, "1", "last_trading_day: 2024-01-08", RULE);
    let (_, second) = run(at, "2", "first_trading_day: 2024-01-08", RULE);
    let richer = format!("{RULE}\naccount: {{ initial_capital: 200000 }}");
    let (_, third) = run(at, "3", "first_trading_day: 2024-01-09", &richer);
    let refused = |runs: &[&PathBuf]| {
        let runs: Vec<_> = runs.iter().map(|&run| run.clone()).collect();
        stitch_runs(&runs).unwrap_err().to_string()
    };
    let overlap = refused(&[&first, &second]);
    assert!(
        overlap.contains("do not overlap") && overlap.contains("last_trading_day"),
        "{overlap}"
    );
    let differs = refused(&[&first, &third]);
    assert!(differs.contains("the initial capital is 200000"), "{differs}");
    let cheaper = format!("{RULE}\nexecution: {{ commission_per_side: 0 }}");
    let (_, fourth) = run(at, "4", "first_trading_day: 2024-01-09", &cheaper);
    let differs = refused(&[&first, &fourth]);
    assert!(differs.contains("execution.commission_per_side is \"0\""), "{differs}");
    assert!(differs.contains("it is \"2.25\""), "{differs}");
    std::fs::write(fourth.join("config.resolved.yaml"), "execution: [\n").unwrap();
    let damaged = refused(&[&first, &fourth]);
    assert!(damaged.contains("4/config.resolved.yaml: this is not the file"), "{damaged}");
    assert!(refused(&[&first]).contains("two runs or more"));
    assert!(refused(&[&first, &at.join("none")]).contains("none: cannot open"));
    std::fs::write(third.join("equity.csv"), "utc,cash\n").unwrap();
    assert!(refused(&[&first, &third]).contains("equity.csv, line 1"));
}
