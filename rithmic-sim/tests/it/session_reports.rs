//! The reports of sessions, as a paper run of the program leaves them while it continues.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use crate::killed::{program, stop};
use crate::simulator::{RULE, Simulator, market, yaml};

/// Returns the rows of a run's trades without their numbers, which each report counts for itself.
fn trades(folder: &Path) -> Vec<String> {
    let table = fs::read_to_string(folder.join("trades.csv")).unwrap();
    table.lines().skip(1).map(|row| row.split_once(',').unwrap().1.to_owned()).collect()
}

#[test]
fn each_session_that_is_over_has_its_part_of_the_run_in_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let [live, configuration] = ["live", "paper.yaml"].map(|name| folder.path().join(name));
    let file = market(folder.path(), 3, 1_000);
    let simulator = Simulator::start(&file);
    fs::write(&configuration, yaml("paper", &simulator.url, RULE, &live)).unwrap();
    let mut child = program(&configuration).stderr(Stdio::piped()).spawn().unwrap();
    // It tells of two reports, for the third session is not over, and then waits for more.
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told: Vec<String> = lines.filter(|line| line.starts_with("report of ")).take(2).collect();
    assert!(stop(child));
    let days = ["2024-01-02", "2024-01-03"];
    let mut of_sessions = Vec::new();
    for (day, line) in days.iter().zip(&told) {
        let report = live.join(day).join("report.html");
        assert_eq!(*line, format!("report of {day}: {}", report.display()));
        assert!(report.is_file());
        let trades = trades(&live.join(day));
        assert!(trades.len() > 5 && trades.iter().all(|trade| trade.contains(day)), "{trades:?}");
        of_sessions.extend(trades);
    }
    assert!(trades(&live).starts_with(&of_sessions));
    assert!(!live.join("2024-01-04").exists());
}
