//! A paper session whose process is killed at any point: after each kill its journals replay
//! exactly, and the next process continues the session.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use algospace_hft::engine::Event;
use algospace_hft::journal::Journal;
use algospace_hft::random::Random;
use algospace_hft::run::replay_journal;
use algospace_hft::source::native::TickFile;
use rustix::process::{Pid, Signal, kill_process};

use crate::sampling::runs;
use crate::simulator::{
    RULE, Simulator, bars, config, equal_or_flagged, events, market, ticks, whole, yaml,
};

/// The variable with the path of the configuration that a process of its own runs.
const CONFIGURATION: &str = "CONFIGURATION_OF_A_PROCESS";

/// The time after which a test gives up: longer than any process takes.
const LONGEST: Duration = Duration::from_secs(120);

/// The program itself: this test binary, started again.
#[test]
#[ignore = "it is the program that other tests start"]
fn the_program() -> ExitCode {
    let Some(path) = std::env::var_os(CONFIGURATION) else { return ExitCode::SUCCESS };
    algospace_hft::cli::main(["algospace-hft".into(), "--config".into(), path])
}

/// Returns the command that runs a configuration.
pub fn program(configuration: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "killed::the_program", "--ignored", "--nocapture"]);
    command.env(CONFIGURATION, configuration).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// Asks a process to end, and waits until it has done so. Returns whether it ended in order.
pub fn stop(mut child: Child) -> bool {
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    child.wait().unwrap().success()
}

/// Waits until a journal has something at byte `place` or behind it.
fn await_byte(child: &mut Child, journal: &Path, place: u64, told: &Path) {
    let (mut file, began) = (None, Instant::now());
    while began.elapsed() < LONGEST {
        file = file.or_else(|| File::open(journal).ok());
        // No record has that many zeros in a row; the file may still be shorter.
        let mut bytes = [0; 64];
        let read = file.as_ref().map_or(0, |file| file.read_at(&mut bytes, place).unwrap());
        if bytes[..read].iter().any(|&byte| byte != 0) {
            return;
        }
        if let Some(status) = child.try_wait().unwrap() {
            panic!("it ended by itself, {status}: {}", fs::read_to_string(told).unwrap());
        }
        std::thread::yield_now();
    }
    let _ = child.kill();
    panic!("{}: byte {place} was not written", journal.display());
}

#[test]
fn a_session_that_is_killed_at_any_point_continues_and_its_chain_replays() {
    let kills = runs(3, 100);
    let folder = tempfile::tempdir().unwrap();
    let [live, configuration, told] =
        ["live", "paper.yaml", "told"].map(|name| folder.path().join(name));
    // It lasts for as long as all processes need to start and to come to their ends.
    let file = market(folder.path(), kills.div_ceil(10), 40_000);
    let simulator = Simulator::with(&file, |settings| {
        (settings.absence, settings.speed) = (Some(3), 4_000.0);
    });
    fs::write(&configuration, yaml("paper", &simulator.url, RULE, &live)).unwrap();
    let mut random = Random::new(1, 0);
    let (mut header, mut before) = (0, Vec::new());
    for life in 1..=kills + 1 {
        // The first is killed at its start, and every eighth.
        let place = if life % 8 == 1 { 0 } else { header + random.below(30_000) };
        let journal = live.join(format!("run.{life:04}.journal"));
        let stderr = File::create(&told).unwrap();
        let mut child = program(&configuration).stderr(stderr).spawn().unwrap();
        await_byte(&mut child, &journal, place.into(), &told);
        if life <= kills {
            child.kill().unwrap();
            assert!(!child.wait().unwrap().success());
        } else {
            assert!(stop(child), "{}", fs::read_to_string(&told).unwrap());
        }
        header = Journal::open(&journal).unwrap().header().len() as u32;
        let replayed = replay_journal(&live, &AtomicBool::new(false), &mut |_, _| {}).unwrap();
        assert_eq!((replayed.difference, replayed.changed_answers), (None, 0), "life {life}");
        let events = events(&live);
        assert!(events.starts_with(&before), "life {life} has not all that was before");
        before = events;
    }
    assert!(matches!(before.last(), Some(Event::End(_))));

    let file = TickFile::open(&file).unwrap();
    // Each tick is one of the file, in order, once.
    let mut all = file.ticks().iter();
    let taken = ticks(&before);
    assert!(taken.iter().all(|tick| all.any(|other| other == tick)));
    let config = config("paper", &simulator.url, RULE, &live);
    let (equal, flagged) =
        equal_or_flagged(&bars(&config, &before), &before, &bars(&config, &whole(&file)));
    println!("{kills} kills: {} ticks; bars: {equal} whole, {flagged} flagged", taken.len());
    assert!(flagged > 0 && taken.len() > 100 * kills as usize);
}
