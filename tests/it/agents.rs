//! The agents in a whole run: the same decisions under every runner and on replay, and the user's
//! own settings on real days.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use algospace_hft::config::Config;
use algospace_hft::engine::{Action, Entry};
use algospace_hft::journal::Journal;
use algospace_hft::market::{Instrument, RollRule, Session, Timestamp};
use algospace_hft::performance::RunRecord;
use algospace_hft::run::{ReplayError, journal_path, replay_journal, run_backtest};
use algospace_hft::source::import::{ImportOptions, roll_choice, run as import};
use algospace_hft::source::native::{Adjustment, TickFile, TickFileWriter};
use algospace_hft::source::synthetic::{Settings, SyntheticMarket, SyntheticSettings, write_file};
use algospace_hft::strategy::{DecisionRecord, Reason};

use crate::shared_data::shared_data;

/// Thresholds so low that networks that have learned nothing trade.
const EAGER: &str = "marl_core: { mc_dropout: { iterations: 10, confidence_threshold: 0.34, minimum_agreement: 0.2 }, gate_threshold: 0.2 }";

fn run(yaml: &str) -> (Config, RunRecord) {
    let config = Config::parse(yaml, "test", &Default::default()).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let record = run_backtest(&config, &stop, &mut |_| {}, &|_| {}).unwrap();
    (config, record)
}

/// Returns the agents' record of every question, from a run's journal.
fn thoughts(config: &Config) -> Vec<DecisionRecord> {
    let journal = Journal::open(&journal_path(config)).unwrap();
    let thought = |entry| match entry {
        Some(Entry::Action(_, Action::Considered(record))) => Some(record),
        _ => None,
    };
    journal.records().map(|record| thought(Entry::of(&record))).filter_map(Result::unwrap).collect()
}

/// Inline, encodings are computed beforehand over threads; pinned, each when its row comes. The
/// decisions are the same bits, and a replay makes them again.
#[test]
fn every_runner_and_a_replay_decide_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let days = crate::sampling::runs(8, 12);
    let yaml = |name: &str, seed: u32, pipeline: &str| {
        format!(
            "system: {{ seed: {seed} }}
data_handler: {{ backtest_settings: {{ synthetic: {{ days: {days}, seed: 5, trades_per_day: 6000 }} }} }}
{EAGER}
pipeline: {{ journal: true, {pipeline} }}
output: {{ directory: {}/{name} }}
",
            folder.path().display()
        )
    };
    let (config, inline) = run(&yaml("inline", 1, "runner: inline"));
    let decided = thoughts(&config);
    let executed = decided.iter().filter(|record| record.reasons.is_empty()).count();
    assert!(executed > 10 && inline.trades.len() > 5, "{executed} of {}", decided.len());
    let replayed =
        replay_journal(&journal_path(&config), &AtomicBool::new(false), &mut |_, _| {}).unwrap();
    assert_eq!(replayed.difference, None);
    assert_eq!(replayed.record.trades, inline.trades);
    for layout in ["fused", "decision_apart", "all_apart"] {
        let pipeline = format!("runner: pinned, wait: yield, layout: {layout}");
        let (config, pinned) = run(&yaml(layout, 1, &pipeline));
        assert_eq!(pinned.trades, inline.trades, "{layout}");
        assert_eq!(pinned.counters, inline.counters, "{layout}");
        assert_eq!(thoughts(&config), decided, "{layout}");
        let replayed =
            replay_journal(&journal_path(&config), &AtomicBool::new(false), &mut |_, _| {})
                .unwrap();
        assert_eq!((replayed.difference, replayed.changed_answers), (None, 0), "{layout}");
    }
    // Another seed has other masks, and the same encoders.
    let (config, _) = run(&yaml("other", 2, "runner: inline"));
    let other = thoughts(&config);
    assert_eq!(other.len(), decided.len());
    let differ = |(a, b): (&DecisionRecord, &DecisionRecord)| a.opportunity != b.opportunity;
    let voted = decided.iter().filter(|record| record.opportunity.is_some()).count();
    assert_eq!(decided.iter().zip(&other).filter(|&pair| differ(pair)).count(), voted);
    for (one, two) in decided.iter().zip(&other) {
        assert_eq!(one.regime, two.regime);
    }
}

/// A journal is replayed with the networks of its run or not at all.
#[test]
fn a_replay_with_other_networks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    std::fs::create_dir(&models).unwrap();
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/models/untrained")).unwrap()
    {
        let path = file.unwrap().path();
        std::fs::copy(&path, models.join(path.file_name().unwrap())).unwrap();
    }
    let (config, _) = run(&format!(
        "data_handler: {{ backtest_settings: {{ synthetic: {{ days: 2, seed: 3, trades_per_day: 2000 }} }} }}
marl_core: {{ model_set: {} }}
pipeline: {{ journal: true }}
output: {{ directory: {}/run }}
",
        models.display(),
        folder.path().display()
    ));
    let replay = || replay_journal(&journal_path(&config), &AtomicBool::new(false), &mut |_, _| {});
    assert_eq!(replay().unwrap().difference, None);
    let manifest = std::fs::read_to_string(models.join("manifest.json")).unwrap();
    let other = manifest.replace("\"temperature\": 1.0", "\"temperature\": 2.0");
    assert_ne!(other, manifest);
    std::fs::write(models.join("manifest.json"), other).unwrap();
    let refused = replay().unwrap_err();
    assert!(matches!(refused, ReplayError::Models { .. }), "{refused}");
}

/// Decisions come on closed bars only: cutting the ticks' future changes none of those before.
#[test]
fn a_shorter_history_has_the_same_decisions_as_far_as_it_goes() {
    let folder = tempfile::tempdir().unwrap();
    let thoughts = |days: u32| {
        let (config, _) = run(&format!(
            "data_handler: {{ backtest_settings: {{ synthetic: {{ days: {days}, seed: 3, trades_per_day: 4000 }} }} }}
{EAGER}
pipeline: {{ journal: true }}
output: {{ directory: {}/{days} }}
",
            folder.path().display()
        ));
        thoughts(&config)
    };
    let (shorter, longer) = (thoughts(9), thoughts(11));
    // The last question is asked at the end of the data.
    let same = shorter.len() - 1;
    assert!(shorter[..same].iter().any(|record| record.reasons.is_empty()));
    assert_eq!(shorter[..same], longer[..same]);
}

/// A session is cut out of a history: in those after it, as many as the agents need at first,
/// nothing is decided.
#[test]
fn after_a_hole_agents_are_not_ready_before_their_matrices_are_whole_again() {
    let folder = tempfile::tempdir().unwrap();
    let [whole, cut] = ["whole.ticks", "cut.ticks"].map(|name| folder.path().join(name));
    let instrument = Instrument::built_in("ES").unwrap();
    let market = SyntheticSettings::new(SyntheticMarket::Martingale, 10, 1_500);
    write_file(Settings::new(market, 5), &whole, &AtomicBool::new(false), |_, _| {}).unwrap();
    let file = TickFile::open(&whole).unwrap();
    let mut sessions: Vec<Session> = Vec::new();
    for tick in file.ticks() {
        if sessions.last().is_none_or(|session| tick.time >= session.close) {
            sessions.push(instrument.calendar.session_at_or_after(tick.time));
        }
    }
    assert_eq!(sessions.len(), 10);
    let missing = sessions[7];
    let ticks = file.ticks().iter().copied();
    let kept: Vec<_> =
        ticks.filter(|tick| !(missing.open..missing.close).contains(&tick.time)).collect();
    let mut writer = TickFileWriter::create(&cut, file.description().clone()).unwrap();
    writer.extend(&kept).unwrap();
    writer.finish().unwrap();
    let (_, record) = run(&format!(
        "data_handler: {{ backtest_settings: {{ file_path: {} }} }}
marl_core: {{ mc_dropout: {{ iterations: 1 }} }}
output: {{ directory: {}/run }}
",
        cut.display(),
        folder.path().display()
    ));
    let is_ready = |record: &&DecisionRecord| !record.reasons.has(Reason::NotReady);
    let ready: Vec<_> = record.decisions.iter().filter(is_ready).map(|it| it.bar_end).collect();
    assert!(ready.len() > 200, "{} of {}", ready.len(), record.decisions.len());
    assert!(ready.iter().all(|&bar_end| bar_end <= sessions[6].close));
    let asked_last = record.decisions.last().unwrap().bar_end;
    assert!(asked_last > sessions[9].open);
    let told = record.data_notes.iter().any(|note| note.contains("began anew after it"));
    assert!(told, "{:?}", record.data_notes);
}

/// The settings that the project was asked for, but for where the history lies.
#[test]
fn the_users_settings_run_on_real_days() {
    let Some(minutes) = shared_data("lean/cme/minute/es") else { return };
    let folder = tempfile::tempdir().unwrap();
    let history = folder.path().join("es.ticks");
    let instrument = Instrument::built_in("ES").unwrap();
    let calendar = instrument.calendar;
    let mut options = ImportOptions::new("lean", vec![minutes], history.clone(), instrument);
    options.roll = Some(roll_choice(RollRule::Volume, Adjustment::None, calendar));
    import(&options, &mut |_| {}).unwrap();
    let (config, record) = run(&format!(
        "system: {{ mode: backtest }}
data_handler:
  live_settings: {{ provider: rithmic }}
  backtest_settings: {{ file_path: {} }}
marl_core: {{ mc_dropout: {{ iterations: 30, confidence_threshold: 0.8 }} }}
rde: {{ latent_dim: 8, lookback_window: 100 }}
risk_management: {{ max_position_size: 5, max_daily_drawdown: 0.05 }}
pipeline: {{ journal: true }}
output: {{ directory: {}/run }}
",
        history.display(),
        folder.path().display()
    ));
    let decided = thoughts(&config);
    // Days lie weeks apart but for a week from October 6 on, at whose end the matrices become
    // whole.
    let [from, to] = ["2013-10-14T12:00:00Z", "2013-10-15T12:00:00Z"].map(|at| at.parse().unwrap());
    let ready = decided.iter().filter(|record| !record.reasons.has(Reason::NotReady));
    let ready: Vec<Timestamp> = ready.map(|record| record.bar_end).collect();
    assert!(decided.len() > 2_000 && !ready.is_empty(), "{} questions", decided.len());
    assert!(ready.iter().all(|end| (from..to).contains(end)), "{ready:?}");
    assert_eq!(record.decides_from, Some(ready[0]));
    assert!(record.ticks > 10_000);
    // Cash and position add up after any trades.
    let last = record.equity.last().unwrap();
    let earned = record.trades.iter().map(|trade| trade.net_pnl()).sum();
    assert_eq!((last.position, last.equity), (0, record.initial_capital + earned));
}
