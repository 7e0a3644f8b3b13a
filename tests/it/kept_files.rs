//! What the program must not destroy: files of others, devices, its own inputs, runs that are whole.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use tempfile::TempDir;

/// What a command printed and its exit status.
struct Ran {
    status: i32,
    output: String,
    error: String,
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_algospace-hft"));
    command.current_dir(folder);
    command
}

fn run(folder: &Path, line: &str) -> Ran {
    let Output { status, stdout, stderr } = program(folder).args(line.split(' ')).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: status.code().unwrap_or(-1), output: text(stdout), error: text(stderr) }
}

fn run_well(folder: &Path, line: &str) -> String {
    let ran = run(folder, line);
    assert_eq!(ran.status, 0, "{line}: {}", ran.error);
    ran.output
}

/// Runs a command that must be refused, and returns its message.
fn refusal(folder: &Path, line: &str) -> String {
    let ran = run(folder, line);
    assert!(ran.status == 1 || ran.status == 2, "{line}: {}: {}", ran.status, ran.output);
    assert!(ran.error.starts_with("error: ") || ran.error.contains("\nerror: "), "{}", ran.error);
    ran.error
}

/// Three days of a market: `es.ticks`, the same as `es.csv` with two rows that no import takes, and
/// `backtest.yaml`, which runs the text.
fn folder_with_market() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    run_well(
        at,
        "synth --market martingale --days 3 --seed 5 --trades-per-day 2000 --output es.ticks",
    );
    let history = algospace_hft::source::native::TickFile::open(&at.join("es.ticks")).unwrap();
    let mut text = "timestamp,price,volume\n".to_owned();
    for (number, tick) in history.ticks().iter().enumerate() {
        text += &format!("{},{},{}\n", tick.time, tick.price, tick.size);
        if number % 3000 == 1000 {
            text += "nothing,of,this\n";
        }
    }
    fs::write(at.join("es.csv"), text).unwrap();
    fs::write(at.join("backtest.yaml"), backtest("es.csv", "out", "")).unwrap();
    folder
}

fn backtest(history: &str, directory: &str, others: &str) -> String {
    format!(
        "data_handler: {{ backtest_settings: {{ file_path: {history} }} }}
strategy: {{ kind: baseline }}
performance: {{ bootstrap_resamples: 100 }}
output: {{ directory: {directory} }}
{others}
"
    )
}

/// What every file below a folder holds, by name.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                all.push((path.display().to_string(), fs::read(path).unwrap()));
            }
        }
    }
    all.sort();
    all
}

const IMPORT: &str = "import --format tick-csv --input es.csv";

#[test]
fn an_output_replaces_nothing_but_a_file_of_its_own_kind() {
    let folder = folder_with_market();
    let at = folder.path();
    mknodat(CWD, at.join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    fs::create_dir(at.join("folder")).unwrap();
    symlink("nowhere", at.join("broken")).unwrap();
    let synth = "synth --market regimes --days 1 --trades-per-day 500 --output";
    for (line, ending) in [
        (format!("{IMPORT} --output"), ""),
        (format!("{IMPORT} --output new.ticks --rejects"), ""),
        (synth.to_owned(), ""),
        // The regimes go beside the ticks.
        (synth.to_owned(), ".regimes.csv"),
        ("inspect bars --config backtest.yaml --output".to_owned(), ".csv"),
        ("inspect bars --config backtest.yaml --output".to_owned(), ".parquet"),
        ("inspect matrices --config backtest.yaml --output".to_owned(), ".csv"),
        ("inspect trades --config backtest.yaml --output".to_owned(), ".csv"),
        ("inspect chart --config backtest.yaml --output".to_owned(), ".html"),
    ] {
        let name = match ending {
            ".regimes.csv" => "x",
            ending => &format!("x{ending}"),
        };
        let target = match ending {
            ".regimes.csv" => at.join("x.regimes.csv"),
            _ => at.join(name),
        };
        let line = format!("{line} {name}");
        fs::write(&target, "my own notes\n").unwrap();
        let before = contents(at);
        let message = refusal(at, &line);
        assert!(message.contains("of this program"), "{line}: {message}");
        assert!(contents(at) == before, "{line} changed something");
        fs::remove_file(&target).unwrap();
        for (other, what) in [("pipe", "a pipe"), ("folder", "a folder"), ("broken", "a link")] {
            symlink(other, &target).unwrap();
            let message = refusal(at, &line);
            assert!(message.contains(what), "{line}: {message}");
            fs::remove_file(&target).unwrap();
        }
        assert!(
            contents(at)
                == before
                    .into_iter()
                    .filter(|it| it.0 != target.display().to_string())
                    .collect::<Vec<_>>()
        );
    }
    assert!(fs::metadata(at.join("pipe")).unwrap().file_type().is_fifo());
}

#[test]
fn outputs_of_before_are_replaced_and_links_are_followed() {
    let folder = folder_with_market();
    let at = folder.path();
    fs::create_dir(at.join("inside")).unwrap();
    for (line, name) in [
        (format!("{IMPORT} --output"), "t"),
        (format!("{IMPORT} --output new.ticks --rejects"), "r"),
        ("inspect bars --config backtest.yaml --output".to_owned(), "b.csv"),
        ("inspect bars --config backtest.yaml --output".to_owned(), "b.parquet"),
        ("inspect trades --config backtest.yaml --output".to_owned(), "d.csv"),
        ("inspect chart --config backtest.yaml --output".to_owned(), "c.html"),
    ] {
        run_well(at, &format!("{line} inside/{name}"));
        let first = fs::read(at.join("inside").join(name)).unwrap();
        symlink(Path::new("inside").join(name), at.join(name)).unwrap();
        run_well(at, &format!("{line} {name}"));
        assert!(fs::symlink_metadata(at.join(name)).unwrap().is_symlink(), "{line}");
        assert!(fs::read(at.join("inside").join(name)).unwrap() == first, "{line}");
    }
}

#[test]
fn a_device_is_written_through_and_stays_a_device() {
    let folder = folder_with_market();
    let at = folder.path();
    // A link, so that a program that replaces it does no harm to the machine.
    symlink("/dev/null", at.join("null")).unwrap();
    let imported = run_well(at, &format!("{IMPORT} --output a.ticks --rejects null"));
    assert!(imported.contains("a.ticks"), "{imported}");
    assert!(fs::metadata(at.join("null")).unwrap().file_type().is_char_device());
    // A node of its own where that is allowed.
    if mknodat(
        CWD,
        at.join("node"),
        FileType::CharacterDevice,
        Mode::RUSR | Mode::WUSR,
        makedev(1, 3),
    )
    .is_ok()
    {
        run_well(at, &format!("{IMPORT} --output a.ticks --rejects node"));
        assert!(fs::symlink_metadata(at.join("node")).unwrap().file_type().is_char_device());
    }
    let message = refusal(at, &format!("{IMPORT} --output a.ticks --rejects /dev/full"));
    assert!(message.contains("No space"), "{message}");
}

#[test]
fn two_spellings_of_one_file_are_one_file() {
    let folder = folder_with_market();
    let at = folder.path();
    fs::create_dir(at.join("folder")).unwrap();
    symlink(".", at.join("here")).unwrap();
    let absolute = at.join("e.ticks").display().to_string();
    for other in ["./e.ticks", "folder/../e.ticks", "here/e.ticks", &absolute] {
        // Nothing is there yet.
        let message = refusal(at, &format!("{IMPORT} --output e.ticks --rejects {other}"));
        assert!(message.contains("both the output and the file of refused rows"), "{message}");
        assert!(!at.join("e.ticks").exists());
    }
    run_well(at, &format!("{IMPORT} --output e.ticks"));
    let ticks = fs::read(at.join("e.ticks")).unwrap();
    fs::hard_link(at.join("e.ticks"), at.join("hard")).unwrap();
    refusal(at, &format!("{IMPORT} --output e.ticks --rejects hard"));
    assert!(fs::read(at.join("e.ticks")).unwrap() == ticks);
    // The same for inputs: counted once, never replaced.
    fs::hard_link(at.join("es.csv"), at.join("twin.csv")).unwrap();
    let message = refusal(at, &format!("{IMPORT} twin.csv --output e.ticks"));
    assert!(message.contains("given twice"), "{message}");
    let message = refusal(at, &format!("{IMPORT} --output here/twin.csv"));
    assert!(message.contains("both input and output"), "{message}");
}
