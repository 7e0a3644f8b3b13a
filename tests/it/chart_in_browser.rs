//! Draws a session of a generated market and opens the chart in a headless browser.

use std::path::Path;
use std::process::Command;

use crate::browser::{chart, opened};

fn run(folder: &Path, line: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_algospace-hft"));
    let output = command.current_dir(folder).args(line.split(' ')).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn candles_gaps_lines_and_nodes_of_a_session_are_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let market = "{ market: regimes, days: 9, seed: 3, trades_per_day: 20000 }";
    let config = format!(
        "data_handler: {{ backtest_settings: {{ synthetic: {market} }} }}\nbars: {{ timeframes: [5, 30] }}\n"
    );
    std::fs::write(folder.join("market.yaml"), config).unwrap();
    run(folder, "inspect chart --config market.yaml --output chart.html");
    let Some(page) = opened(&folder.join("chart.html")) else { return };
    let session = chart(&page, "session");
    assert!(session.contains("class=\"main-svg\""), "nothing is drawn");
    // 17:00 to 16:00 are 23 hours of twelve candles and twelve volumes; a candle is a box.
    for (what, mark, least, most) in [
        ("candles", "class=\"box\"", 276, 276),
        ("volumes", "class=\"point\"", 276, 400),
        ("gaps", "class=\"js-fill\"", 5, 200),
        ("lines", "class=\"js-line\"", 10, 2000),
    ] {
        let found = session.matches(mark).count();
        assert!((least..=most).contains(&found), "{what}: {found}, not {least} to {most}");
    }
    for entry in ["Candles", "Nadaraya-Watson", "Low-volume nodes", "Point of control", "Vote"] {
        assert!(session.contains(&format!("{entry}</text>")), "no {entry} in the legend");
    }
}
