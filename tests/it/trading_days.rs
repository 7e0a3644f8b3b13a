//! The first and the last trading day: what comes before warms up, what comes after is not
//! replayed, and neither changes anything in between.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use algospace_hft::config::Config;
use algospace_hft::execution::Trade;
use algospace_hft::market::{Instrument, Price, Tick, Timestamp};
use algospace_hft::performance::{RunRecord, Statistics};
use algospace_hft::run::{BacktestError, journal_path, replay_journal, run_backtest, survey};
use algospace_hft::source::native::{ContractEntry, TickFileDescription, TickFileWriter};

const DECIDE_READILY: &str =
    "{ mc_dropout: { confidence_threshold: 0.3, minimum_agreement: 0 }, gate_threshold: 0 }";

/// `days` is a part of a flow mapping.
fn run(
    folder: &Path,
    days: &str,
    strategy: &str,
    runner: &str,
) -> Result<RunRecord, BacktestError> {
    let yaml = format!(
        "data_handler: {{ backtest_settings: {{
  synthetic: {{ days: 12, seed: 5, trades_per_day: 6000 }}, {days} }} }}
strategy: {{ kind: {strategy} }}
marl_core: {DECIDE_READILY}
pipeline: {{ runner: {runner} }}
output: {{ directory: {} }}
",
        folder.join("run").display()
    );
    let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
    run_backtest(&config, &Arc::new(AtomicBool::new(false)), &mut |_| {}, &|_| {})
}

/// The session that closed on January 9 opened the evening before, at 17:00 in Chicago.
fn opening_of_january_9() -> Timestamp {
    "2024-01-08T23:00:00Z".parse().unwrap()
}

/// The trades without their numbers.
fn unnumbered(trades: &[Trade]) -> Vec<Trade> {
    trades.iter().map(|trade| Trade { id: 0, ..*trade }).collect()
}

#[test]
fn days_before_and_after_change_nothing_in_between() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(folder.path(), "", "baseline", "inline").unwrap();
    let opens = opening_of_january_9();
    let before = whole.trades.iter().filter(|trade| trade.entry_time < opens).count();
    assert!(before > 5 && whole.trades.len() - before > 5, "{before} of {}", whole.trades.len());
    for runner in ["inline", "pinned"] {
        let later =
            run(folder.path(), "first_trading_day: 2024-01-09", "baseline", runner).unwrap();
        assert!(unnumbered(&later.trades) == unnumbered(&whole.trades[before..]));
        assert_eq!(later.trades[0].id, 1);
        let first = later.equity.first().unwrap();
        assert!(first.time > opens && first.position == 0);
        assert_eq!(first.equity, whole.equity[0].equity, "it begins with all of its capital");

        let earlier =
            run(folder.path(), "last_trading_day: 2024-01-08", "baseline", runner).unwrap();
        assert!(earlier.trades == whole.trades[..before]);
        assert!(earlier.last_tick.unwrap() < opens);
        // What is counted is of the window; what was read before it is told apart.
        assert_eq!(
            (later.ticks + later.warm_up_ticks, later.last_tick),
            (whole.ticks, whole.last_tick)
        );
        assert_eq!((earlier.ticks, earlier.warm_up_ticks), (later.warm_up_ticks, 0));
        assert!(later.first_tick.unwrap() >= opens && later.first_tick > earlier.last_tick);
        for ((bars, of_later), of_earlier) in whole.bars.iter().zip(&later.bars).zip(&earlier.bars)
        {
            // The last session of a run ends with its last tick, and without the flat bars up to
            // its close.
            assert!(bars.1 - of_later.1 - of_earlier.1 < 4, "{}", bars.0);
        }
        let sessions = |of: &RunRecord| of.counters.iter().find(|it| it.0 == "sessions").unwrap().1;
        assert_eq!(sessions(&whole), sessions(&later) + sessions(&earlier));

        // Both together are the whole, and so are the times that were open; a run ends with its
        // last tick, minutes before its last session does.
        assert_eq!(later.time_in_market + earlier.time_in_market, whole.time_in_market);
        let open = later.open_market_time + earlier.open_market_time;
        assert!(open <= whole.open_market_time);
        assert!(whole.open_market_time - open < 15 * Timestamp::MINUTE.unsigned_abs());
        assert!(Statistics::of(&later).exposure > Some(0.0));
    }
}

#[test]
fn what_agents_think_during_the_warm_up_is_no_decision() {
    let folder = tempfile::tempdir().unwrap();
    let whole = run(folder.path(), "", "marl", "inline").unwrap();
    let days = "first_trading_day: 2024-01-11, last_trading_day: 2024-01-12";
    for runner in ["inline", "pinned"] {
        let some = run(folder.path(), days, "marl", runner).unwrap();
        let opens = "2024-01-10T23:00:00Z".parse().unwrap();
        let after = "2024-01-12T23:00:00Z".parse().unwrap();
        let asked = |record: &RunRecord| -> Vec<(u64, Timestamp)> {
            let all = record.decisions.iter().map(|it| (it.question, it.bar_end));
            all.filter(|&(_, end)| end > opens && end < after).collect()
        };
        assert!(asked(&some).len() > 500, "{}", asked(&some).len());
        // The last bars of the last session close with nobody there.
        assert!(asked(&whole).starts_with(&asked(&some)));
        assert!(asked(&whole).len() - asked(&some).len() < 4);
        assert_eq!(some.decisions.len(), asked(&some).len());
        let count = |name: &str| some.counters.iter().find(|it| it.0 == name).unwrap().1;
        assert_eq!(count("agents asked"), some.decisions.len() as u64);
        assert!(count("agents decided") > 0);
        assert!(some.trades.iter().all(|it| it.entry_time > opens && it.entry_time < after));
        assert!(!some.trades.is_empty());
    }
}

/// Before the first day nothing is thought of, and what is thought in it is what would be thought
/// anyway.
#[test]
fn agents_that_only_watched_the_warm_up_think_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let run = |days: &str| {
        let yaml = format!(
            "data_handler: {{ backtest_settings: {{
  synthetic: {{ days: 9, seed: 5, trades_per_day: 1000 }}, {days} }} }}
marl_core: {{ mc_dropout: {{ iterations: 2, confidence_threshold: 1.0 }} }}
output: {{ directory: {} }}
",
            folder.path().join("run").display()
        );
        let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
        run_backtest(&config, &Arc::new(AtomicBool::new(false)), &mut |_| {}, &|_| {}).unwrap()
    };
    let (whole, later) = (run(""), run("first_trading_day: 2024-01-11"));
    let opens: Timestamp = "2024-01-10T23:00:00Z".parse().unwrap();
    let place = whole.decisions.partition_point(|it| it.bar_end <= opens);
    let asked = whole.decisions.len() - place;
    assert!(place > 1_000 && asked > 200, "{place} and {asked}");
    assert!(whole.trades.is_empty());
    assert!(later.decisions == whole.decisions[place..]);
    let first = later.decisions.iter().find(|it| it.opportunity.is_some()).unwrap();
    assert_eq!(later.decides_from, Some(first.bar_end));
}

/// Returns the time at which a rule that needs 50 bars of five minutes could first decide, where
/// each day of January has 40 in this contract; every runner, `check` and the journal's replay
/// agree.
fn a_rule_decides_from(days: &[(u32, u16)]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("es.ticks");
    let mut description = TickFileDescription::new(&Instrument::built_in("ES").unwrap(), "a test");
    description.contracts = ["ESH4", "ESM4", "ESU4"]
        .map(|symbol| ContractEntry {
            symbol: symbol.to_owned(),
            expiry: None,
            price_offset: "0".to_owned(),
        })
        .into();
    let mut writer = TickFileWriter::create(&path, description).unwrap();
    for &(day, contract) in days {
        let morning: Timestamp = format!("2024-01-{day:02}T15:00:00Z").parse().unwrap();
        let ticks: Vec<_> = (0..40)
            .map(|bar| {
                let time = morning + (5 * bar + 1) * Timestamp::MINUTE;
                let price = Price::from_units((18_800 + bar % 9) * 250_000_000);
                Tick::new(time, price, 1).with_contract(contract)
            })
            .collect();
        writer.extend(&ticks).unwrap();
    }
    writer.finish().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let decides_from = ["inline", "pinned"].map(|runner| {
        let yaml = format!(
            "data_handler: {{ backtest_settings: {{ file_path: {} }} }}
bars: {{ fill_gaps_up_to_minutes: 0 }}
strategy: {{ kind: baseline, baseline: {{ slow_period: 50 }} }}
pipeline: {{ runner: {runner}, journal: true }}
output: {{ directory: {}/{runner} }}
",
            path.display(),
            folder.path().display()
        );
        let config = Config::parse(&yaml, "test", &Default::default()).unwrap();
        let record = run_backtest(&config, &stop, &mut |_| {}, &|_| {}).unwrap();
        let surveyed = survey(&config, folder.path(), &stop, &mut |_| {}).unwrap();
        assert_eq!(surveyed.decides_from, record.decides_from, "{runner}");
        let replayed = replay_journal(&journal_path(&config), &stop, &mut |_, _| {}).unwrap();
        assert_eq!(replayed.record.decides_from, record.decides_from, "{runner}");
        record.decides_from
    });
    assert_eq!(decides_from[0], decides_from[1]);
    decides_from[0].map(|time| time.to_string())
}

/// The 51st bar without a break is the first on which the averages can cross.
#[test]
fn a_rule_counts_its_bars_anew_after_every_hole_and_roll() {
    let bar_11_of = |day: u32| Some(format!("2024-01-{day:02}T15:55:00.000000000Z"));
    assert_eq!(a_rule_decides_from(&[(9, 0), (10, 0), (11, 0)]), bar_11_of(10));
    // Sessions are missing after every one, or only after the first.
    assert_eq!(a_rule_decides_from(&[(9, 0), (11, 0), (17, 0)]), None);
    assert_eq!(a_rule_decides_from(&[(9, 0), (11, 0), (12, 0)]), bar_11_of(12));
    // Every day has a contract of its own, or only the first.
    assert_eq!(a_rule_decides_from(&[(9, 0), (10, 1), (11, 2)]), None);
    assert_eq!(a_rule_decides_from(&[(9, 0), (10, 1), (11, 1)]), bar_11_of(11));
}

#[test]
fn days_without_history_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (key, day) in [("first_trading_day", "2024-03-01"), ("last_trading_day", "2024-01-01")] {
        let days = format!("{key}: {day}");
        let refused = run(folder.path(), &days, "baseline", "inline").unwrap_err().to_string();
        let path = format!("data_handler.backtest_settings.{key}");
        assert!(refused.contains(&path) && refused.contains(day), "{refused}");
    }
}

#[test]
fn a_last_day_before_the_first_is_refused() {
    let yaml = "data_handler: { backtest_settings: { synthetic: {},
  first_trading_day: 2024-02-01, last_trading_day: 2024-01-31 } }
";
    let refused = Config::parse(yaml, "test", &Default::default()).unwrap_err().to_string();
    assert!(refused.contains("`data_handler.backtest_settings.last_trading_day`"), "{refused}");
    assert!(refused.contains("before `first_trading_day`"), "{refused}");
}
