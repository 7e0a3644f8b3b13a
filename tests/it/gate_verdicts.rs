//! The regression gate's verdicts: what fails it, what passes, and how far the bound reaches.

#[path = "../../benches/gate/baseline.rs"]
#[allow(dead_code, reason = "the bench prints what is not asked for here")]
mod baseline;

use baseline::{Baseline, Bound, Key, Verdict};

fn key() -> Key {
    Key {
        compiler: "rustc 1.95.0 (59807616e 2026-04-14)".to_owned(),
        target: "x86_64-linux".to_owned(),
        profile: "bench".to_owned(),
    }
}

fn baseline() -> Baseline {
    let rows = [("calm tick, whole pipeline", 52.003), ("row of features", 16_997.304)];
    Baseline { key: key(), rows: rows.map(|(name, count)| (name.to_owned(), count)).into() }
}

#[test]
fn a_written_baseline_is_read_back() {
    assert_eq!(baseline().to_string().parse(), Ok(baseline()));
}

#[test]
fn the_committed_baseline_can_be_read() {
    let committed: Baseline = include_str!("../../perf/baseline.txt").parse().unwrap();
    assert!(committed.rows.len() >= 9);
    assert!(committed.rows.iter().all(|&(_, instructions)| instructions > 1.0));
}

#[test]
fn a_damaged_baseline_is_refused() {
    let text = baseline().to_string();
    assert!(text.replace("52.003", "fifty-two").parse::<Baseline>().is_err());
    assert!(text.replace("target:", "").parse::<Baseline>().is_err());
}

#[test]
fn more_than_one_percent_worse_fails_and_as_much_better_passes() {
    let baseline = baseline();
    let verdict = |now| baseline.verdict("calm tick, whole pipeline", now, Bound::Same);
    assert_eq!(verdict(52.003), Verdict::Same);
    assert_eq!(verdict(52.003 * 1.009), Verdict::Same);
    assert_eq!(verdict(52.003 * 1.011), Verdict::Regressed);
    assert_eq!(verdict(52.003 * 0.989), Verdict::Improved);
    assert!(Verdict::Regressed.fails());
    assert!(!Verdict::Same.fails() && !Verdict::Improved.fails());
}

#[test]
fn a_row_that_nothing_guards_fails() {
    let verdict = baseline().verdict("a new row", 1.0, Bound::Same);
    assert_eq!(verdict, Verdict::Unknown);
    assert!(verdict.fails());
}

#[test]
fn another_build_widens_the_bound_and_another_target_compares_nothing() {
    let baseline = baseline();
    let with = |change: fn(&mut Key)| {
        let mut key = key();
        change(&mut key);
        baseline.bound(&key)
    };
    assert_eq!(with(|_| {}), Bound::Same);
    assert_eq!(with(|key| key.profile.push_str(" lto=off")), Bound::OtherBuild);
    assert_eq!(with(|key| key.compiler = "rustc 1.96.0".to_owned()), Bound::OtherBuild);
    assert_eq!(with(|key| key.target = "aarch64-linux".to_owned()), Bound::OtherTarget);

    let row = "row of features";
    let verdict = |factor, bound| baseline.verdict(row, 16_997.304 * factor, bound);
    assert_eq!(verdict(1.09, Bound::OtherBuild), Verdict::Same);
    assert_eq!(verdict(1.11, Bound::OtherBuild), Verdict::Regressed);
    assert_eq!(verdict(9.0, Bound::OtherTarget), Verdict::NotCompared);
}
