//! Paper sessions over the simulator: what they leave, what they show, and how they end.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use algospace_hft::engine::Event;
use algospace_hft::live::Watch;
use algospace_hft::market::Timestamp;
use algospace_hft::performance::RunRecord;
use algospace_hft::run::replay_journal;
use algospace_hft::source::native::TickFile;

use crate::simulator::{
    RULE, SECRETS, Simulator, Until, actions, config, events, market, ticks, watch,
};

/// Returns the files of a folder that hold a secret.
fn files_with_secrets(folder: &Path) -> Vec<PathBuf> {
    let files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 6, "{files:?}");
    let is_told = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        SECRETS
            .iter()
            .any(|secret| bytes.windows(secret.len()).any(|part| part == secret.as_bytes()))
    };
    files.into_iter().filter(is_told).collect()
}

/// Checks that the status is that of the record: money by the fills, counts by the outputs.
fn check_status(watch: &Watch, record: &RunRecord, contract: &str) {
    let status = watch.status();
    assert_eq!(status.contract, contract);
    assert!(status.time.is_some());
    assert_eq!(status.links[0].plant, "ticker");
    let filled = status.counters.iter().find(|(name, _)| name == "fills").unwrap();
    assert!(record.counters.contains(filled), "{filled:?} {:?}", record.counters);
    let last = record.equity.last().unwrap();
    assert_eq!(status.account.position, i64::from(last.position));
    if last.position == 0 {
        assert_eq!(status.account.equity, last.equity);
    }
}

#[test]
fn a_session_leaves_no_secret_and_its_last_status_is_its_record() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let file = market(folder.path(), 1, 2_000);
    let last = TickFile::open(&file).unwrap().ticks().last().unwrap().time;
    let simulator = Simulator::start(&file);
    let config = config("paper", &simulator.url, RULE, &live);
    let watch = watch(&config);
    let mut until = Until::new(last.saturating_add(-Timestamp::HOUR), &watch);
    let record = until.run(&config).unwrap();
    assert_eq!(files_with_secrets(&live), [""; 0].map(PathBuf::from));
    check_status(&watch, &record, &simulator.contract);
    assert_eq!(record.mode, "paper");
    assert_eq!(ticks(&events(&live)).len() as u64, record.ticks);
    assert!(actions(&live.join("run.0001.journal")).starts_with(&until.actions));
}

#[test]
fn a_refused_login_ends_the_start_and_leaves_no_journal() {
    let folder = tempfile::tempdir().unwrap();
    let file = market(folder.path(), 1, 2_000);
    let simulator = Simulator::with(&file, |settings| settings.password = "another".to_owned());
    let config = config("paper", &simulator.url, RULE, &folder.path().join("live"));
    let error = Until::new(Timestamp::MAX, &watch(&config)).run(&config);
    let message = error.unwrap_err().to_string();
    assert!(message.contains("refused the login: permission denied"), "{message}");
    assert!(!folder.path().join("live/run.0001.journal").exists());
}

/// The seam is a gap, and the chain is one run.
#[test]
fn a_session_that_was_cut_goes_on_and_its_chain_replays() {
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let file = market(folder.path(), 2, 2_000);
    let whole = TickFile::open(&file).unwrap();
    // As fast as it can be, the market would be over before the session is.
    let simulator = Simulator::with(&file, |settings| {
        (settings.absence, settings.speed) = (Some(40), 100_000.0);
    });
    let mut config = config("paper", &simulator.url, RULE, &live);
    config.data_handler.live_settings.contract = Some(simulator.contract.clone());
    let until = |place: usize| {
        let watch = watch(&config);
        Until::new(whole.ticks()[place].time, &watch).run(&config).unwrap()
    };
    until(whole.ticks().len() / 3);
    let first = live.join("run.0001.journal");
    let bytes = std::fs::read(&first).unwrap();
    std::fs::write(&first, &bytes[..bytes.len() * 3 / 4]).unwrap();
    let before = ticks(&events(&live)).last().unwrap().time;
    let record = until(whole.ticks().len() - 40);

    assert!(live.join("run.0002.journal").exists());
    let events = events(&live);
    // At this pace links may be given up for their silence: that is another gap.
    let is_seam = |event: &Event| matches!(event, Event::Gap(gap) if gap.from == before);
    assert!(events.iter().any(is_seam));
    // An answer has the time of its question.
    let is_of_market = |event: &&Event| !matches!(event, Event::Answer(_));
    let times: Vec<_> = events.iter().filter(is_of_market).filter_map(Event::time).collect();
    assert!(times.is_sorted());
    let replayed = replay_journal(&live, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
    assert_eq!(replayed.difference, None);
    assert!(replayed.same_actions > 0);
    assert_eq!(replayed.record.trades, record.trades);
}
