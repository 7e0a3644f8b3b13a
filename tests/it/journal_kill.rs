//! Killed at any point of a pinned replay, a run's journal is a prefix of what the whole run
//! writes, and it replays.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::thread;

use algospace_hft::engine::{Entry, Event};
use algospace_hft::journal::{End, Journal, Record};
use algospace_hft::random::Random;
use algospace_hft::run::replay_journal;

const LAYOUTS: [&str; 3] = ["fused", "decision_apart", "all_apart"];
const PACES: [&str; 2] = ["unpaced", "recorded, speed: 1000000"];
/// More than any record takes.
const RECORD: u64 = 600;

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_algospace-hft"));
    command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Writes the configuration of a run and gives the command that begins it, and where its journal
/// will be.
fn backtest(folder: &Path, name: &str, layout: &str, pace: &str) -> (Command, PathBuf) {
    let configuration = format!(
        "data_handler: {{ backtest_settings: {{ file_path: es.ticks }} }}
strategy: {{ kind: random_entries, random_entries: {{ entries_per_hundred_bars: 60, hold_bars: 3 }} }}
execution: {{ decision_latency_microseconds: 60000000 }}
pipeline: {{ runner: pinned, layout: {layout}, wait: sleep, pace: {{ mode: {pace} }} }}
output: {{ directory: {name} }}
"
    );
    fs::write(folder.join(format!("{name}.yaml")), configuration).unwrap();
    let mut command = program(folder);
    command.args(["--config", &format!("{name}.yaml")]);
    (command, folder.join(name).join("run.journal"))
}

/// Waits until something is written at byte `place` of a child's journal or behind it, then kills
/// it; gives false if it ended before.
fn kill_at(child: &mut Child, journal: &Path, place: u64) -> bool {
    let mut file = None;
    loop {
        if file.is_none() {
            file = File::open(journal).ok();
        }
        // No record has that many zeros in a row; the file may still be shorter.
        let mut bytes = [0; 64];
        let read = file.as_ref().map_or(0, |file| file.read_at(&mut bytes, place).unwrap());
        if bytes[..read].iter().any(|&byte| byte != 0) {
            child.kill().unwrap();
            return !child.wait().unwrap().success();
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        thread::yield_now();
    }
}

fn is_action(record: &Record<'_>) -> bool {
    matches!(Entry::of(record), Some(Entry::Action(..)))
}

/// Asserts that the records of `part` that are actions, or those that are not, are the first of
/// those of `whole`.
fn assert_is_prefix(part: &Journal, whole: &Journal, actions: bool, what: &str) -> u64 {
    // Bit for bit: kind, sequence and payload.
    let of = |journal: &Journal| {
        let kept = move |record: Record<'_>| {
            let Record { kind, sequence, payload } = record;
            (is_action(&record) == actions).then(|| (kind, sequence, payload.to_vec()))
        };
        journal.records().map(kept).filter_map(|record| record.unwrap())
    };
    let (mut all, mut count) = (of(whole), 0);
    for record in of(part) {
        assert_eq!(Some(record), all.next(), "{what}: record {count}, actions: {actions}");
        count += 1;
    }
    count
}

/// The bytes of a journal's file.
fn length(journal: &Journal) -> u32 {
    let mut length = 0;
    journal.read_whole(|bytes| length += bytes.len() as u32).unwrap();
    length
}

fn end(journal: &Journal) -> End {
    let mut records = journal.records();
    while records.read().unwrap().is_some() {}
    records.end().unwrap().unwrap()
}

#[test]
fn a_run_that_is_killed_leaves_a_journal_that_is_a_prefix_of_the_whole_one_and_replays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let synth =
        "synth --market martingale --days 1 --seed 11 --trades-per-day 30000 --output es.ticks";
    assert!(program(folder).args(synth.split(' ')).status().unwrap().success());

    let wholes: Vec<Journal> = LAYOUTS
        .iter()
        .map(|layout| {
            let (mut command, path) =
                backtest(folder, &format!("whole_{layout}"), layout, PACES[0]);
            assert!(command.status().unwrap().success());
            let journal = Journal::open(&path).unwrap();
            assert!(matches!(end(&journal), End::Finished { .. }));
            journal
        })
        .collect();

    // In every layout as many, half of them of a paced run.
    let kills = crate::sampling::runs(6, 100);
    let (mut killed, mut survived, mut torn, mut events, mut actions) = (0, 0, 0, 0, 0);
    for seed in 0.. {
        if killed == kills {
            break;
        }
        let (layout, pace) = (seed as usize % LAYOUTS.len(), seed as usize / 3 % PACES.len());
        let whole = &wholes[layout];
        let place = u64::from(Random::new(seed, 0).below(length(whole)));
        let what = format!("seed {seed}, {}, {}, byte {place}", LAYOUTS[layout], PACES[pace]);
        let name = format!("killed_{seed}");
        let (mut command, path) = backtest(folder, &name, LAYOUTS[layout], PACES[pace]);
        let is_killed = kill_at(&mut command.spawn().unwrap(), &path, place);
        let journal = Journal::open(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
        let of_events = assert_is_prefix(&journal, whole, false, &what);
        let of_actions = assert_is_prefix(&journal, whole, true, &what);
        let end = end(&journal);
        if matches!(end, End::Finished { .. }) {
            // It was faster than the kill: then it is whole.
            assert_eq!(end.records(), self::end(whole).records(), "{what}");
            survived += 1;
            assert!(survived < kills + 30, "most runs end before they are killed");
        } else {
            assert!(is_killed, "{what}: it ended by itself, and its journal is not ended");
            killed += 1;
            events += of_events;
            actions += of_actions;
            // Nothing whole is behind the end, and everything that was seen before the kill is
            // before it.
            let at = match end {
                End::Open { at, .. } => at,
                End::Damaged { at, left_out, .. } => {
                    torn += 1;
                    assert!(left_out < RECORD, "{what}: {left_out} bytes are left out");
                    at
                }
                End::Finished { .. } => unreachable!("it was not ended"),
            };
            assert!(at + RECORD > place, "{what}: only {at} bytes were recovered");
        }

        let replayed = replay_journal(&path, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
        assert_eq!(replayed.difference, None, "{what}");
        assert_eq!((replayed.end, replayed.changed_answers), (end, 0), "{what}");
        if seed % 10 == 0 {
            let journal = format!("{name}/run.journal");
            let status = program(folder).args(["replay", &journal, "--verify"]).status().unwrap();
            // Nothing differs, but not everything was compared.
            let expected = if end.is_finished() { 0 } else { 3 };
            assert_eq!(status.code(), Some(expected), "{what}: replay --verify says {status}");
        }
        drop(journal);
        fs::remove_dir_all(folder.join(&name)).unwrap();
    }
    println!(
        "{killed} kills ({torn} within a record), {survived} runs that were faster; recovered {events} events and {actions} actions"
    );
    assert!(events > 0 && actions > 0);
}

#[test]
fn a_journal_that_was_cut_behind_its_last_event_lacks_no_action() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let synth =
        "synth --market martingale --days 1 --seed 11 --trades-per-day 3000 --output es.ticks";
    assert!(program(folder).args(synth.split(' ')).status().unwrap().success());
    // A position is open at the end and closed there.
    let configuration = "data_handler: { backtest_settings: { file_path: es.ticks } }
strategy: { kind: random_entries, stop_loss_ticks: 4000, profit_target_ticks: 4000, random_entries: { entries_per_hundred_bars: 100, hold_bars: 1000 } }
execution: { flatten_before_close_minutes: null }
pipeline: { runner: inline, journal: true }
output: { directory: whole }
";
    fs::write(folder.join("run.yaml"), configuration).unwrap();
    assert!(program(folder).args(["--config", "run.yaml"]).status().unwrap().success());

    let path = folder.join("whole/run.journal");
    let (whole, bytes) = (Journal::open(&path).unwrap(), fs::read(&path).unwrap());
    let mut behind_the_last_event = 0;
    let mut length = whole.header().len().next_multiple_of(8) + 24;
    let path = folder.join("cut.journal");
    let mut records = whole.records();
    while let Some(record) = records.read().unwrap() {
        length += 16 + record.payload.len().next_multiple_of(8);
        let is_last = matches!(Entry::of(&record), Some(Entry::Event(_, Event::End(_))));
        if is_last || behind_the_last_event > 0 {
            behind_the_last_event += 1;
            fs::write(&path, &bytes[..length]).unwrap();
            let replayed = replay_journal(&path, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
            assert_eq!(replayed.difference, None, "cut at byte {length}");
            assert!(matches!(replayed.end, End::Open { .. }), "{}", replayed.end);
        }
    }
    assert!(behind_the_last_event > 1, "nothing was done at the last event");
}
