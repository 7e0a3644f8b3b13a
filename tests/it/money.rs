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
bars: {{timeframes: [1]}},
indicators: {{timeframes: {{moving_statistics: [], fair_value_gap: [], momentum_index: [], nadaraya_watson: [], low_volume_node: []}}}},
strategy: {{kind: baseline, timeframe: 1, quantity: {quantity}, stop_loss_ticks: 90000, profit_target_ticks: 90000, baseline: {{fast_period: 1, slow_period: 2}}}},
execution: {{slippage: {{cross_spread: false}}, commission_per_side: 0, flatten_before_close_minutes: null}},
account: {{initial_capital: 1000000000}},
risk_management: {{max_daily_drawdown: 1.0, max_position_size: 10000}},
output: {{directory: run}}}}"
    )
}

fn run(folder: &Path, configuration: &str, prices: &[&str]) -> Output {
    run_on("2024-01-09", folder, configuration, prices)
}

fn run_on(day: &str, folder: &Path, configuration: &str, prices: &[&str]) -> Output {
    // The first price stands for two bars: the averages begin equal.
    let rows = prices[..1].iter().chain(prices).enumerate();
    let rows = rows.map(|(minute, price)| format!("{day} 15:{minute:02}:01,{price},20000\n"));
    let history = format!("timestamp,price,volume\n{}", rows.collect::<String>());
    fs::write(folder.join("t.csv"), history).unwrap();
    fs::write(folder.join("c.yaml"), configuration).unwrap();
    program(folder, &["--config", "c.yaml"])
}

fn program(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_algospace-hft"))
        .current_dir(folder)
        .args(arguments)
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

/// Ten points of ten thousand such contracts are a hundred billion dollars. The journal of such a
/// run is whole, and its replay is refused as the run was.
#[test]
fn an_account_that_money_cannot_count_is_refused() {
    for last in ["155", "135"] {
        let folder = tempfile::tempdir().unwrap();
        let prices = ["145", "145.01", "145.02", "145.03", "145.04", last];
        let configuration = configuration(1_000_000, "0.01", 10_000)
            .replace("output:", "pipeline: {journal: true}, output:");
        let refused = |ran: Output, status: i32, directory: &str| {
            let message = String::from_utf8_lossy(&ran.stderr);
            assert_eq!(ran.status.code(), Some(status), "{message}");
            assert!(message.contains("9.22 billion"), "{message}");
            assert!(!folder.path().join(directory).join("equity.csv").exists());
        };
        refused(run(folder.path(), &configuration, &prices), 2, "run");
        let replay = ["replay", "run/run.journal", "--verify", "--output", "again"];
        refused(program(folder.path(), &replay), 1, "again");
    }
}

/// Six billion dollars a day on top of one: each day can be counted, two of the same sign cannot.
#[test]
fn runs_that_money_cannot_count_together_are_not_stitched() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let days = [
        ("2024-01-08", "gain", "145.63"),
        ("2024-01-09", "second_gain", "145.63"),
        ("2024-01-10", "loss", "144.43"),
        ("2024-01-11", "second_loss", "144.43"),
    ];
    for (day, name, last) in days {
        fs::create_dir(at.join(name)).unwrap();
        let prices = ["145", "145.01", "145.02", "145.03", "145.04", last];
        let configuration = configuration(1_000_000, "0.01", 10_000);
        let ran = run_on(day, &at.join(name), &configuration, &prices);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
    let stitched = |first: &str, second: &str, output: &str| {
        program(
            at,
            &["stitch", &format!("{first}/run"), &format!("{second}/run"), "--output", output],
        )
    };
    for (first, second) in [("gain", "second_gain"), ("loss", "second_loss")] {
        let ran = stitched(first, second, "refused");
        let message = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(2), "{message}");
        assert!(message.contains(&format!("{second}/run: ")), "{message}");
        assert!(message.contains("9.22 billion"), "{message}");
        assert!(!at.join("refused/equity.csv").exists());
    }
    let ran = stitched("gain", "loss", "both");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let equity = fs::read_to_string(at.join("both/equity.csv")).unwrap();
    let last = equity.lines().last().unwrap();
    assert!(last.contains(",1000000000,0,1000000000,"), "{last}");
}
