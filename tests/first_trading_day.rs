//! A history that begins before the first trading day: what comes before warms up, and changes nothing after.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use algospace_hft::config::Config;
use algospace_hft::performance::RunRecord;
use algospace_hft::pipeline::{BacktestError, run_backtest};

fn run(folder: &Path, first: &str, runner: &str) -> Result<RunRecord, BacktestError> {
    let yaml = format!(
        "data_handler: {{ backtest_settings: {{
  synthetic: {{ days: 12, seed: 5, trades_per_day: 6000 }}, first_trading_day: {first} }} }}
strategy: {{ kind: baseline }}
performance: {{ bootstrap_resamples: 100 }}
pipeline: {{ runner: {runner} }}
output: {{ directory: {}/{first}-{runner} }}
",
        folder.display()
    );
    let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
    run_backtest(&config, &Arc::new(AtomicBool::new(false)), &mut |_| {}, &|_| {})
}

#[test]
fn from_its_first_day_on_a_run_trades_as_one_that_began_earlier() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(folder.path(), "null", "inline").unwrap();
    // Session closed on January 9: it opened the evening before, at 17:00 in Chicago.
    let opens = "2024-01-08T23:00:00Z".parse().unwrap();
    let before = whole.trades.iter().filter(|trade| trade.entry_time < opens).count();
    assert!(before > 5 && whole.trades.len() - before > 5, "{before} of {}", whole.trades.len());
    for runner in ["inline", "pinned"] {
        let later = run(folder.path(), "2024-01-09", runner).unwrap();
        let mut trades = whole.trades[before..].to_vec();
        trades.iter_mut().zip(1..).for_each(|(trade, id)| trade.id = id);
        assert!(later.trades == trades, "{} trades, and {}", later.trades.len(), trades.len());
        let first = later.equity.first().unwrap();
        assert!(first.time > opens && first.position == 0);
        assert_eq!(first.equity, whole.equity[0].equity, "it begins with all of its capital");
    }
}

#[test]
fn a_day_after_the_history_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), "2024-03-01", "inline").unwrap_err().to_string();
    assert!(refused.contains("data_handler.backtest_settings.first_trading_day"), "{refused}");
    assert!(refused.contains("2024-03-01"), "{refused}");
}
