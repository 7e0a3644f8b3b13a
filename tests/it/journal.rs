//! Journals whose writer aborts or runs out of room.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use algospace_hft::journal::{End, Journal, JournalError, Writer};

/// The variable with a child's path; tests without it are not children.
const CHILD: &str = "JOURNAL_OF_THE_CHILD";
/// Bytes that a process with little room can write to a file, in the shell's blocks of 512: one
/// window and a part. Where a shell's blocks are larger, there is more room, and more is written.
const BLOCKS: u32 = (40 << 20) / 512;

fn payload(number: u64) -> [u8; 32] {
    std::array::from_fn(|place| (number as u8).wrapping_mul(31).wrapping_add(place as u8) | 1)
}

/// Runs the ignored test `name` of this module as a process of its own, with little room for files
/// if so wanted.
fn child(name: &str, journal: &Path, with_little_room: bool) -> Output {
    let program = std::env::current_exe().unwrap();
    let name = format!("journal::{name}");
    let arguments = ["--exact", &name, "--ignored", "--nocapture"];
    let mut command = if with_little_room { little_room(&program) } else { Command::new(program) };
    command.args(arguments).env(CHILD, journal).output().unwrap()
}

/// A command that the system refuses to let a file grow, with an error instead of the signal that
/// would end it.
fn little_room(program: &Path) -> Command {
    let mut command = Command::new("sh");
    let script = format!("trap '' XFSZ && ulimit -f {BLOCKS} && exec \"$0\" \"$@\"");
    command.args(["-c", &script]).arg(program);
    command
}

fn journal_of_the_child() -> PathBuf {
    std::env::var_os(CHILD).expect("only a test starts this").into()
}

/// Checks that a journal holds the payloads of the numbers from 0 on; gives how many and its end.
fn read(path: &Path) -> (u64, End) {
    let journal = Journal::open(path).unwrap();
    assert_eq!(journal.header(), b"of a child");
    let mut records = journal.records();
    let mut count = 0;
    while let Some(record) = records.read().unwrap() {
        assert_eq!((record.kind, record.sequence, record.payload), (1, count, &payload(count)[..]));
        count += 1;
    }
    (count, records.end().unwrap().unwrap())
}

const BEFORE_THE_ABORT: u64 = 1_000_000;

#[test]
#[ignore = "a process that another test starts"]
fn a_child_that_aborts() {
    let mut writer = Writer::create(&journal_of_the_child(), b"of a child").unwrap();
    for number in 0..BEFORE_THE_ABORT {
        writer.append(1, number, &payload(number)).unwrap();
    }
    writer.flush().unwrap();
    std::process::abort();
}

#[test]
fn an_abort_loses_nothing_that_was_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let ended = child("a_child_that_aborts", &path, false);
    assert!(ended.status.code().is_none(), "it was not ended by a signal: {:?}", ended.status);
    let (count, end) = read(&path);
    assert_eq!(count, BEFORE_THE_ABORT);
    assert!(matches!(end, End::Open { records: BEFORE_THE_ABORT, .. }), "{end}");
}

#[test]
#[ignore = "a process that another test starts"]
fn a_child_with_little_room() {
    let path = journal_of_the_child();
    let mut writer = Writer::create(&path, b"of a child").unwrap();
    let mut number = 0;
    let error = loop {
        if let Err(error) = writer.append(1, number, &payload(number)) {
            break error;
        }
        number += 1;
    };
    let JournalError::Full { records, .. } = &error else { panic!("{error}") };
    assert_eq!(*records, number);
    // It stays so, and harms nothing.
    assert!(matches!(writer.append(1, number, &payload(number)), Err(JournalError::Full { .. })));
    writer.flush().unwrap();
    println!("records {number}\nerror {error}");
}

#[test]
fn without_room_an_append_is_an_error_and_what_was_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.journal");
    let Output { status, stdout, stderr } = child("a_child_with_little_room", &path, true);
    let output = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{status}: {output}{}", String::from_utf8_lossy(&stderr));
    let told = |what| {
        let line = output.lines().find_map(|line| line.strip_prefix(what));
        line.unwrap_or_else(|| panic!("no line of {what} in {output}"))
    };
    let error = told("error ");
    assert!(error.contains(path.to_str().unwrap()), "{error}");
    assert!(error.contains("Free space") && error.contains("`pipeline.journal: false`"), "{error}");
    let (count, end) = read(&path);
    assert_eq!(count.to_string(), told("records "));
    // More than a window, and none of it torn.
    assert!(count > 600_000 && matches!(end, End::Open { .. }), "{count}: {end}");
}

#[test]
fn a_pinned_run_without_room_for_its_journal_ends_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = Path::new(env!("CARGO_BIN_EXE_algospace-hft"));
    let synth =
        "synth --market martingale --days 3 --seed 5 --trades-per-day 500000 --output es.ticks";
    let mut command = Command::new(program);
    command.current_dir(folder).args(synth.split(' ')).stdout(Stdio::null()).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
    for layout in ["fused", "decision_apart", "all_apart"] {
        let configuration = format!(
            "data_handler: {{ backtest_settings: {{ file_path: es.ticks }} }}
pipeline: {{ runner: pinned, layout: {layout} }}
output: {{ directory: {layout} }}
"
        );
        fs::write(folder.join("run.yaml"), configuration).unwrap();
        let mut command = little_room(program);
        let ran = command.current_dir(folder).args(["--config", "run.yaml"]).output().unwrap();
        let error = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{layout}: {error}");
        assert!(error.contains("run.journal: no room for the journal after"), "{error}");
        assert!(error.contains("the journal thread failed at event"), "{error}");
        let journal = Journal::open(&folder.join(layout).join("run.journal")).unwrap();
        let mut records = journal.records();
        while records.read().unwrap().is_some() {}
        let end = records.end().unwrap().unwrap();
        assert!(matches!(end, End::Open { records, .. } if records > 600_000), "{end}");
        assert!(!folder.join(layout).join("summary.json").exists(), "{layout}: there are results");
    }
}
