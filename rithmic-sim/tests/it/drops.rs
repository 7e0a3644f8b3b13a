//! Sessions whose connections are cut at random: each bar is that of the whole file, or flagged.

use std::sync::atomic::AtomicBool;

use algospace_hft::engine::Event;
use algospace_hft::market::{GapPhase, Timestamp};
use algospace_hft::random::Random;
use algospace_hft::run::replay_journal;
use algospace_hft::source::native::TickFile;
use algospace_hft_rithmic::link::Plant;
use rithmic_sim::script::{Action, Fault, Quirks, Script, When};

use crate::sampling::runs;
use crate::simulator::{
    RULE, Simulator, Until, bars, config, equal_or_flagged, events, market, ticks, watch, whole,
};

/// Runs a session whose ticker link is dropped or broken at random places, before a history that
/// has what was lost, or nothing. Returns the number of bars that are flagged.
fn dropped(seed: u64, history_empty: bool) -> usize {
    let drops = runs(3, 20);
    let folder = tempfile::tempdir().unwrap();
    let live = folder.path().join("live");
    let path = market(folder.path(), 2, 4_000);
    let file = TickFile::open(&path).unwrap();
    let mut random = Random::new(seed, 0);
    let fault = |_| {
        let ticks = u64::from(random.below(file.ticks().len() as u32 - 500));
        let action = if random.below(2) == 0 { Action::Drop } else { Action::Reset };
        Fault { when: When::Ticks(ticks), plant: Some(Plant::Ticker), action }
    };
    let faults = (0..drops).map(fault).collect();
    let quirks = Quirks { history_empty, ..Quirks::default() };
    let simulator = Simulator::with(&path, |settings| {
        // Slower than it could be: history answers before the next drop, if it does at all.
        (settings.absence, settings.speed) = (Some(40), 100_000.0);
        settings.script = Script { quirks, faults, ..Script::default() };
    });
    let config = config("paper", &simulator.url, RULE, &live);
    let watch = watch(&config);
    let end = file.ticks().last().unwrap().time.saturating_add(-10 * Timestamp::MINUTE);
    let mut until = Until::new(end, &watch);
    until.run(&config).unwrap();

    let events = events(&live);
    let is_gap = |event: &&Event| matches!(event, Event::Gap(it) if it.phase == GapPhase::Opened);
    let gaps = events.iter().filter(is_gap).count();
    let (equal, flagged) = equal_or_flagged(&until.bars, &events, &bars(&config, &whole(&file)));
    let taken = ticks(&events).len();
    println!(
        "{drops} drops, {gaps} gaps, {taken} of {} ticks; bars: {equal} whole, {flagged} flagged",
        file.ticks().len()
    );
    assert!(gaps > 0 && equal > 100);
    let replayed = replay_journal(&live, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
    assert_eq!((replayed.difference, replayed.is_whole), (None, true));
    flagged
}

#[test]
fn a_session_with_drops_has_right_bars_or_flagged_ones() {
    dropped(1, false);
}

#[test]
fn without_history_bars_of_drops_are_flagged() {
    assert!(dropped(2, true) > 0);
}
