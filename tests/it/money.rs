//! Amounts that are too large for a run's money, from the configuration to `trades.csv`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Buys after the averages have crossed on the way up, and holds to the end.
fn configuration(point_value: u32, tick_size: &str, quantity: u32) -> String {
    format!(
        "{{instrument: NIY, instruments: [{{symbol: NIY, tick_size: {tick_size}, point_value: {point_value}, calendar: cme_equity_index}}],
data_handler: {{backtest_settings: {{file_path: t.csv, format: tick-csv}}}},
bars: {{timeframes: [1]}}, performance: {{bootstrap_resamples: 100}},
indicators: {{timeframes: {{moving_statistics: [], fair_value_gap: [], momentum_index: [], nadaraya_watson: [], low_volume_node: []}}}},
strategy: {{kind: baseline, baseline: {{timeframe: 1, fast_period: 1, slow_period: 2, quantity: {quantity}, stop_loss_ticks: 90000, profit_target_ticks: 90000}}}},
execution: {{slippage: {{cross_spread: false}}, commission_per_side: 0, flatten_before_close_minutes: null}},
account: {{initial_capital: 1000000000}},
risk_management: {{max_daily_drawdown: 1.0, max_position_size: 10000}},
output: {{directory: run}}}}"
    )
}

fn run(folder: &Path, configuration: &str, prices: &[&str]) -> Output {
    // The first price stands for two bars: the averages begin equal.
    let rows = prices[..1].iter().chain(prices).enumerate();
    let rows = rows.map(|(minute, price)| format!("2024-01-09 15:{minute:02}:01,{price},20000\n"));
    let history = format!("timestamp,price,volume\n{}", rows.collect::<String>());
    fs::write(folder.join("t.csv"), history).unwrap();
    fs::write(folder.join("c.yaml"), configuration).unwrap();
    Command::new(env!("CARGO_BIN_EXE_algospace-hft"))
        .current_dir(folder)
        .args(["--config", "c.yaml"])
        .output()
        .unwrap()
}

/// Contracts worth 9.75 billion dollars, 14.5 (a yen bond), and 10.
#[test]
fn positions_worth_more_than_nine_billion_dollars_are_booked_exactly() {
    for (point_value, tick_size, quantity, prices, gross) in [
        (500, "5", 500, ["39000", "39005", "39010", "39015", "39020", "39025"], "2500000"),
        (
            1_000_000,
            "0.01",
            100,
            ["145", "145.01", "145.02", "145.03", "145.04", "145.05"],
            "2000000",
        ),
        (
            1_000,
            "0.25",
            10_000,
            ["1003", "1003.25", "1003.5", "1003.75", "1004", "1004.25"],
            "5000000",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let ran = run(folder.path(), &configuration(point_value, tick_size, quantity), &prices);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let mut table = csv::Reader::from_path(folder.path().join("run/trades.csv")).unwrap();
        let trades: Vec<BTreeMap<String, String>> =
            table.deserialize().map(Result::unwrap).collect();
        let [trade] = &trades[..] else { panic!("{trades:?}") };
        let columns = ["entry_price", "exit_price", "gross_pnl", "net_pnl", "mfe", "mae"];
        let seen = columns.map(|column| trade[column].as_str());
        assert_eq!(seen, [prices[3], prices[5], gross, gross, gross, "0"]);
    }
}

/// Ten points of ten thousand such contracts are a hundred billion dollars.
#[test]
fn an_account_that_money_cannot_count_is_refused() {
    for last in ["155", "135"] {
        let folder = tempfile::tempdir().unwrap();
        let prices = ["145", "145.01", "145.02", "145.03", "145.04", last];
        let ran = run(folder.path(), &configuration(1_000_000, "0.01", 10_000), &prices);
        let message = String::from_utf8_lossy(&ran.stderr);
        assert!(!ran.status.success() && message.contains("9.22 billion"), "{message}");
        assert!(!folder.path().join("run/trades.csv").exists());
    }
}
