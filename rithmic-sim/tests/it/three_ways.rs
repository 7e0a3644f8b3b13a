//! The same session three ways: a backtest of the file, inline and pinned, a paper session over the
//! simulator, and the replay of its journal. They decide and fill the same.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use algospace_hft::config::Config;
use algospace_hft::engine::Action;
use algospace_hft::engine::pinned::RunnerKind;
use algospace_hft::market::{Instrument, Timestamp};
use algospace_hft::run::{journal_path, replay_journal, run_backtest};
use algospace_hft::source::import::{ImportOptions, run as import};
use algospace_hft::source::native::{TickFile, TickFileWriter};

use crate::sampling::runs;
use crate::simulator::{
    RULE, Simulator, Until, actions, bars, config, events, market, ticks, watch, whole as all,
};

/// Thresholds so low that networks that have learned nothing trade.
const AGENTS: &str = "strategy: { kind: marl }
marl_core: { mc_dropout: { iterations: 2, confidence_threshold: 0.34, minimum_agreement: 0.2 }, gate_threshold: 0.2 }";

/// Latencies of seconds, so that what happens late does so behind other ticks.
const LATE: &str = "execution: { decision_latency_microseconds: 3000000, order_latency_microseconds: 2000000, acknowledgement_latency_microseconds: 5000000 }";

/// Returns actions without the agents' records of their questions, and those records. A record
/// comes with its answer, which is at once where a strategy is called, and behind the orders of
/// its bar where it is written to.
fn apart(actions: &[Action]) -> (Vec<Action>, Vec<Action>) {
    actions.iter().partition(|action| !matches!(action, Action::Considered(_)))
}

/// Fails with the first difference if `all` does not begin with `seen`.
fn assert_begins(all: &[Action], seen: &[Action]) {
    for (number, seen) in seen.iter().enumerate() {
        assert_eq!(Some(seen), all.get(number), "action {number}");
    }
}

fn backtest(config: &Config) -> Vec<Action> {
    run_backtest(config, &Arc::new(AtomicBool::new(false)), &mut |_| {}, &|_| {}).unwrap();
    actions(&journal_path(config))
}

/// Runs a file both inline and over the simulator, and `all_ways` pinned and from the journal too.
/// Compares them up to the last ten minutes. Returns the number of decisions that took effect, and
/// that of trades.
fn compare(folder: &Path, file: &Path, rule: &str, all_ways: bool) -> (usize, usize) {
    let whole = TickFile::open(file).unwrap();
    let path = file.to_str().unwrap();
    let inline = backtest(&config("backtest", path, rule, &folder.join("inline")));
    if all_ways {
        let mut pinned = config("backtest", path, rule, &folder.join("pinned"));
        pinned.pipeline.runner = RunnerKind::Pinned;
        assert_eq!(apart(&backtest(&pinned)), apart(&inline));
    }

    let live = folder.join("live");
    let simulator = Simulator::start(file);
    let config = config("paper", &simulator.url, rule, &live);
    let watch = watch(&config);
    // What is told behind the last of these bars closes it.
    let end = whole.ticks().last().unwrap().time.saturating_add(-10 * Timestamp::MINUTE);
    let mut until = Until::new(end, &watch);
    until.run(&config).unwrap();

    let taken = ticks(&events(&live));
    assert_eq!(taken, whole.ticks()[..taken.len()]);
    assert!(bars(&config, &all(&whole)).starts_with(&until.bars));
    let (expected, thoughts) = apart(&inline);
    let (seen, thought) = apart(&until.actions);
    assert_begins(&expected, &seen);
    assert_begins(&thoughts, &thought);

    if all_ways {
        let replayed = replay_journal(&live, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
        assert_eq!((replayed.difference, replayed.changed_answers), (None, 0));
        assert!(replayed.is_whole);
    }
    let count = |is: fn(&Action) -> bool| seen.iter().filter(|action| is(action)).count();
    (
        count(|it| matches!(it, Action::Decision { in_time: true, .. })),
        count(|it| matches!(it, Action::Trade(_))),
    )
}

#[test]
fn a_rule_decides_and_fills_the_same() {
    for rule in [RULE.to_owned(), format!("{RULE}\n{LATE}")] {
        let folder = tempfile::tempdir().unwrap();
        let file = market(folder.path(), 2, 2_000);
        let (decisions, trades) = compare(folder.path(), &file, &rule, true);
        assert!(decisions > 200 && trades > 20, "{decisions} decisions, {trades} trades");
    }
}

/// The networks are evaluated under the other runner, and on replay, in the engine's own tests.
#[test]
fn agents_decide_and_fill_the_same() {
    let folder = tempfile::tempdir().unwrap();
    // The first six days fill the matrices.
    let days = runs(7, 9);
    let file = market(folder.path(), days, 1_500);
    let (decisions, trades) = compare(folder.path(), &file, AGENTS, days > 7);
    assert!(decisions > 5 && trades > 2, "{decisions} decisions, {trades} trades");
}

/// Trades of ES from the evening of Labor Day 2013 on, at whose prices nobody quotes.
#[test]
fn a_rule_decides_and_fills_the_same_on_real_trades() {
    let trades = "../../shared/data/es_5m/ES_trades_20130901_20130903_mlfinpy.csv.gz";
    let trades = Path::new(env!("CARGO_MANIFEST_DIR")).join(trades);
    if !trades.exists() {
        eprintln!("skipped: the shared market data is not here ({})", trades.display());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let [all, file] = ["all.ticks", "some.ticks"].map(|name| folder.path().join(name));
    let es = Instrument::built_in("ES").unwrap();
    import(&ImportOptions::new("tick-csv", vec![trades], all.clone(), es), &mut |_| {}).unwrap();
    let all = TickFile::open(&all).unwrap();
    let from: Timestamp = "2013-09-02T22:00:00Z".parse().unwrap();
    let session = all.ticks().iter().filter(|tick| tick.time >= from);
    let session: Vec<_> = session.copied().take(runs(15_000, 200_000) as usize).collect();
    let mut writer = TickFileWriter::create(&file, all.description().clone()).unwrap();
    writer.extend(&session).unwrap();
    writer.finish().unwrap();
    let (decisions, trades) = compare(folder.path(), &file, &format!("{RULE}\n{LATE}"), true);
    assert!(decisions > 50 && trades > 10, "{decisions} decisions, {trades} trades");
}
