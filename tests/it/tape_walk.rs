//! The program's trades against those of an independent walk of the tape, on a pinned sample.
//! `tests/oracles/tape_walk.py --pin` made the fixture; `.ci/full` walks some hundred other runs.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use serde::Deserialize;

#[derive(Deserialize)]
struct Walked {
    seed: u64,
    config: serde_json::Value,
    history: String,
    /// By column of `trades.csv`.
    trades: Vec<BTreeMap<String, String>>,
}

#[test]
fn trades_are_those_of_an_independent_walk_of_the_tape() {
    let fixture = include_str!("../fixtures/tape_walk.json");
    let runs: Vec<Walked> = serde_json::from_str(fixture).unwrap();
    assert!(runs.iter().map(|run| run.trades.len()).sum::<usize>() >= 50);
    for Walked { seed, config, history, trades: expected } in runs {
        let folder = tempfile::tempdir().unwrap();
        // JSON is YAML.
        fs::write(folder.path().join("c.yaml"), config.to_string()).unwrap();
        fs::write(folder.path().join("t.csv"), history).unwrap();
        let ran = Command::new(env!("CARGO_BIN_EXE_algospace-hft"))
            .current_dir(folder.path())
            .args(["--config", "c.yaml"])
            .output()
            .unwrap();
        assert!(ran.status.success(), "{seed}: {}", String::from_utf8_lossy(&ran.stderr));
        let mut table = csv::Reader::from_path(folder.path().join("run/trades.csv")).unwrap();
        let trades: Vec<BTreeMap<String, String>> =
            table.deserialize().map(Result::unwrap).collect();
        assert_eq!(trades.len(), expected.len(), "seed {seed}");
        for (number, (trade, expected)) in trades.iter().zip(&expected).enumerate() {
            for (column, text) in expected {
                assert_eq!(&trade[column], text, "seed {seed}, trade {}, {column}", number + 1);
            }
        }
    }
}
