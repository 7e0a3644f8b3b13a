//! Files that the program must not destroy: those of others, devices, its own inputs, runs that are
//! whole.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

use algospace_hft::engine::{Entry, Event};
use algospace_hft::journal::{Journal, Record, Writer};
use algospace_hft::performance::hold_run_directory;
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};
use tempfile::TempDir;

/// The output and exit status of a command.
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
output: {{ directory: {directory} }}
{others}
"
    )
}

/// Returns the content of every file below a folder, by name.
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

#[test]
fn inspect_leaves_a_run_as_it_is_and_makes_no_directory() {
    let folder = folder_with_market();
    let at = folder.path();
    let pinned = backtest("es.csv", "out", "pipeline: { runner: pinned, layout: fused }");
    fs::write(at.join("backtest.yaml"), &pinned).unwrap();
    fs::write(at.join("nowhere.yaml"), pinned.replace("directory: out", "directory: none"))
        .unwrap();
    run_well(at, "--config backtest.yaml");
    assert!(at.join("out/run.journal").exists() && at.join("out/rejects.csv").exists());
    let before = contents(&at.join("out"));
    let inspected = ["bars a.csv", "matrices b.parquet", "trades c.csv", "chart d.html"];
    // Also while a run is at work there.
    let _held = hold_run_directory(&at.join("out")).unwrap();
    for line in inspected {
        let (what, output) = line.split_once(' ').unwrap();
        for config in ["backtest", "nowhere"] {
            run_well(at, &format!("inspect {what} --config {config}.yaml --output {output}"));
        }
    }
    assert!(contents(&at.join("out")) == before);
    assert!(!at.join("none").exists());
    // Nothing of the preparation is left either.
    let left =
        fs::read_dir(at).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with('.')).count(), 0);
}

#[test]
fn refused_rows_of_others_stay_and_a_history_is_never_an_output() {
    let folder = folder_with_market();
    let at = folder.path();
    run_well(at, "--config backtest.yaml");
    let rejects = fs::read(at.join("out/rejects.csv")).unwrap();
    assert!(rejects.starts_with(b"input,line,reason,text\n"));

    // The history is where a run would put its refused rows.
    for name in ["rejects.csv", "trades.csv", "run.journal"] {
        let history = format!("own/{name}");
        fs::create_dir_all(at.join("own")).unwrap();
        fs::copy(at.join("es.csv"), at.join(&history)).unwrap();
        let config =
            backtest(&history, "own", "").replace("file_path", "format: tick-csv, file_path");
        fs::write(at.join("own.yaml"), config).unwrap();
        let message = refusal(at, "--config own.yaml");
        assert!(message.contains("both the history and an output"), "{message}");
        run_well(at, "inspect bars --config own.yaml --output bars.csv");
        assert!(fs::read(at.join(&history)).unwrap() == fs::read(at.join("es.csv")).unwrap());
        fs::remove_dir_all(at.join("own")).unwrap();
    }

    // What cannot run leaves the run before it as it was.
    let before = contents(&at.join("out"));
    fs::write(at.join("damaged.ticks"), &fs::read(at.join("es.ticks")).unwrap()[..5000]).unwrap();
    fs::write(at.join("other.csv"), "a,b\n1,2\n".repeat(300)).unwrap();
    for config in [
        backtest("damaged.ticks", "out", ""),
        backtest("missing.csv", "out", ""),
        backtest("other.csv", "out", "").replace("file_path", "format: tick-csv, file_path"),
        backtest("es.csv", "out", "pipeline: { runner: pinned, cores: { stages: 4000 } }"),
        backtest("es.csv", "out", "marl_core: { model_set: none }").replace("baseline", "marl"),
    ] {
        fs::write(at.join("bad.yaml"), &config).unwrap();
        refusal(at, "--config bad.yaml");
        assert!(contents(&at.join("out")) == before, "{config}");
    }

    // A file of that name that no import wrote.
    fs::write(at.join("out/rejects.csv"), "mine\n").unwrap();
    let before = contents(&at.join("out"));
    fs::write(at.join("journal.yaml"), backtest("es.csv", "out", "pipeline: { journal: true }"))
        .unwrap();
    for line in ["--config backtest.yaml", "--config journal.yaml"] {
        let message = refusal(at, line);
        let is_told = message.contains("rejects.csv") && message.contains("of this program");
        assert!(is_told, "{message}");
        assert!(contents(&at.join("out")) == before, "{line}");
    }
    // It is not in the way of a run that refuses no row.
    fs::write(at.join("clean.yaml"), backtest("es.ticks", "out", "")).unwrap();
    run_well(at, "--config clean.yaml");
    assert_eq!(fs::read(at.join("out/rejects.csv")).unwrap(), b"mine\n");
    fs::remove_file(at.join("out/rejects.csv")).unwrap();
    run_well(at, "--config backtest.yaml");
    assert!(fs::read(at.join("out/rejects.csv")).unwrap() == rejects);
    run_well(at, "--config clean.yaml");
    assert!(!at.join("out/rejects.csv").exists(), "those of the run before are left");
}

#[test]
fn a_run_goes_into_no_folder_that_is_not_a_runs() {
    let folder = folder_with_market();
    let at = folder.path();
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/untrained");
    for name in ["set", "mine", "deep/inside"] {
        fs::create_dir_all(at.join(name)).unwrap();
    }
    for entry in fs::read_dir(models).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, at.join("set").join(path.file_name().unwrap())).unwrap();
    }
    for name in ["trades.csv", "summary.json", "manifest.json", "run.journal", "notes.txt"] {
        fs::write(at.join("mine").join(name), "{}\n").unwrap();
    }
    fs::write(at.join("deep/notes.txt"), "x").unwrap();
    // Named like what a killed run leaves, and somebody's own.
    fs::create_dir_all(at.join("kept/.algospace-history-backup")).unwrap();
    fs::write(at.join("kept/.algospace-history-backup/es_2019.csv"), "x").unwrap();
    let before = contents(at);
    for directory in ["set", "mine", ".", "..", "deep", "kept", "/"] {
        fs::write(at.join("backtest.yaml"), backtest("es.csv", directory, "")).unwrap();
        let before = contents(at);
        for line in ["check --config backtest.yaml", "--config backtest.yaml"] {
            let message = refusal(at, line);
            assert!(message.contains("not a run's") || directory == "/", "{message}");
        }
        assert!(contents(at) == before, "{directory}");
    }
    assert_eq!(contents(at).len(), before.len());
    // An empty folder, a new one, and one with a run in it are.
    for directory in ["deep/inside", "deep/new/er", "deep/inside"] {
        fs::write(at.join("backtest.yaml"), backtest("es.csv", directory, "")).unwrap();
        run_well(at, "check --config backtest.yaml");
        run_well(at, "--config backtest.yaml");
    }

    // A link in it leads to a file of somebody else.
    fs::write(at.join("mine.csv"), "mine").unwrap();
    for name in ["trades.csv", ".algospace-run"] {
        let _ = fs::remove_file(at.join("deep/inside").join(name));
        symlink("../../mine.csv", at.join("deep/inside").join(name)).unwrap();
        let message = refusal(at, "--config backtest.yaml");
        assert!(message.contains(name) && message.contains("is a link"), "{message}");
        fs::remove_file(at.join("deep/inside").join(name)).unwrap();
    }
    assert_eq!(fs::read_to_string(at.join("mine.csv")).unwrap(), "mine");

    // The configuration, where a run puts its own.
    let own = backtest("es.csv", "deep/inside", "# with my comments\n");
    fs::write(at.join("deep/inside/config.resolved.yaml"), &own).unwrap();
    let message = refusal(at, "--config deep/inside/../inside/config.resolved.yaml");
    assert!(message.contains("both the configuration and an output"), "{message}");
    assert_eq!(fs::read_to_string(at.join("deep/inside/config.resolved.yaml")).unwrap(), own);
}

#[test]
fn results_made_of_runs_replace_no_journal() {
    let folder = folder_with_market();
    let at = folder.path();
    for directory in ["one", "two"] {
        let config = backtest("es.ticks", directory, "pipeline: { journal: true }");
        fs::write(at.join("backtest.yaml"), config).unwrap();
        run_well(at, "--config backtest.yaml");
    }
    let before = contents(at);
    for line in [
        "replay one/run.journal --output two",
        "replay one/run.journal --output ./one",
        "stitch one two --output two",
        "stitch one one/../two --output ./one/",
    ] {
        refusal(at, line);
        assert!(contents(at) == before, "{line}");
    }
    for _ in 0..2 {
        run_well(at, "replay one/run.journal --verify --output again");
    }
    let message = refusal(at, "replay two/run.journal --output .");
    assert!(message.contains("not a run's"), "{message}");

    // Nor a run that kept no journal, nor each other's results.
    fs::write(at.join("backtest.yaml"), backtest("es.ticks", "plain", "")).unwrap();
    run_well(at, "--config backtest.yaml");
    let manifest = |directory: &str| at.join(directory).join("manifest.json");
    let maker = |directory: &str| {
        let text = fs::read(manifest(directory)).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["maker"].clone()
    };
    assert_eq!((maker("plain"), maker("again")), ("run".into(), "replay".into()));
    let before = contents(at);
    let message = refusal(at, "replay one/run.journal --output plain");
    assert!(message.contains("holds the results of a run"), "{message}");
    for (output, of) in [("plain", "a run"), ("again", "`replay`")] {
        let message = refusal(at, &format!("stitch one two --output {output}"));
        assert!(message.contains(&format!("holds the results of {of}")), "{message}");
    }
    assert!(contents(at) == before);
    let replayed = fs::read_to_string(manifest("again")).unwrap();
    let line = "  \"maker\": \"replay\",\n";
    assert!(replayed.contains(line));
    fs::write(manifest("again"), replayed.replace(line, "")).unwrap();
    let message = refusal(at, "replay one/run.journal --output again");
    assert!(message.contains("of an earlier version"), "{message}");
    // Those of its own pass, up to these runs, which are of the same days.
    fs::write(manifest("again"), replayed.replace(line, "  \"maker\": \"stitch\",\n")).unwrap();
    let message = refusal(at, "stitch one two --output again");
    assert!(message.contains("do not overlap"), "{message}");
}

#[test]
fn no_other_command_replaces_a_file_of_a_finished_run() {
    let folder = folder_with_market();
    let at = folder.path();
    run_well(at, "--config backtest.yaml");
    symlink("out/rejects.csv", at.join("link")).unwrap();
    let before = contents(&at.join("out"));
    for line in [
        "inspect trades --config backtest.yaml --output out/trades.csv".to_owned(),
        "inspect chart --config backtest.yaml --output ./out/report.html".to_owned(),
        format!("{IMPORT} --output new.ticks --rejects link"),
        // Without a refused row, those of an earlier import would go.
        "import --format tick-csv --input out/equity.csv --output new.ticks --rejects out/rejects.csv".to_owned(),
    ] {
        let message = refusal(at, &line);
        assert!(message.contains("a file of the run"), "{message}");
        assert!(contents(&at.join("out")) == before, "{line}");
    }
    // The names of files that the run has not, and all names while the next one is at work.
    let refuse = |name: &str| {
        let before = contents(at);
        let line = format!("inspect bars --config backtest.yaml --output out/{name}");
        let message = refusal(at, &line);
        assert!(message.contains("a file of the run"), "{message}");
        assert!(contents(at) == before, "{line}");
    };
    assert!(!at.join("out/decisions.csv").exists());
    refuse("decisions.csv");
    let held = hold_run_directory(&at.join("out")).unwrap();
    held.begin().unwrap();
    assert!(!at.join("out/manifest.json").exists() && !at.join("out/rejects.csv").exists());
    ["trades.csv", "rejects.csv", "decisions.csv"].into_iter().for_each(refuse);
    drop(held);
    // Beside them there is room.
    run_well(at, "inspect trades --config backtest.yaml --output out/mine.csv");
    assert_eq!(
        fs::read(at.join("out/mine.csv")).unwrap(),
        fs::read(at.join("out/trades.csv")).unwrap()
    );
}

/// The files of a directory that a run holds, and has begun to write into, when it is ended by
/// force.
#[test]
fn a_directory_says_that_it_is_whole_only_while_it_holds_one_whole_run() {
    let folder = folder_with_market();
    let at = folder.path();
    run_well(at, "--config backtest.yaml");
    let manifest = at.join("out/manifest.json");
    let held = hold_run_directory(&at.join("out")).unwrap();
    let message = refusal(at, "report out");
    assert!(message.contains("another run writes into it"), "{message}");
    assert!(manifest.exists(), "nothing of the new run is there yet");
    held.begin().unwrap();
    assert!(!manifest.exists() && at.join("out/trades.csv").exists());
    drop(held);
    let message = refusal(at, "report out");
    assert!(message.contains("no manifest.json"), "{message}");
    let message = refusal(at, "stitch out out --output both");
    assert!(message.contains("no manifest.json"), "{message}");
    // The next run may have it, and what was left unfinished goes.
    fs::create_dir(at.join("out/.algospace-history-a1B2c3")).unwrap();
    fs::write(at.join("out/.algospace-history-a1B2c3/history.ticks"), "x").unwrap();
    fs::write(at.join("out/.algospace-unfinished-a1B2c3"), "x").unwrap();
    let ran = run(at, "--config backtest.yaml");
    assert_eq!(ran.status, 0, "{}", ran.error);
    for name in [".algospace-history-a1B2c3", ".algospace-unfinished-a1B2c3"] {
        assert!(ran.error.contains(&format!("removed out/{name}")), "{}", ran.error);
    }
    run_well(at, "report out");
    let left = fs::read_dir(at.join("out")).unwrap();
    let left: Vec<_> = left.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert!(!left.iter().any(|name| name.starts_with('.')), "{left:?}");
}

#[test]
fn a_run_without_room_for_its_journal_takes_nothing_from_the_one_before() {
    let folder = folder_with_market();
    let at = folder.path();
    // The second has rows that its import refuses, which have a place in the run's folder too.
    for history in ["es.ticks", "es.csv"] {
        let config = backtest(history, "out", "pipeline: { journal: true }");
        fs::write(at.join("backtest.yaml"), config).unwrap();
        run_well(at, "--config backtest.yaml");
        assert_eq!(at.join("out/rejects.csv").exists(), history == "es.csv");
        let before = contents(&at.join("out"));
        // Room for the results, and not for the first MiB of a journal.
        let script = "trap '' XFSZ && ulimit -f 1024 && exec \"$0\" \"$@\"";
        let ran = Command::new("sh")
            .args(["-c", script, env!("CARGO_BIN_EXE_algospace-hft"), "--config", "backtest.yaml"])
            .current_dir(at)
            .output()
            .unwrap();
        let error = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{error}");
        assert!(error.contains("no room for the journal"), "{error}");
        assert!(contents(&at.join("out")) == before, "{history}");
    }
}

#[test]
fn a_report_is_made_of_what_its_run_left_and_of_nothing_else() {
    let folder = folder_with_market();
    let at = folder.path();
    run_well(at, "--config backtest.yaml");
    let other = backtest("es.csv", "other", "account: { initial_capital: 50000 }");
    fs::write(at.join("other.yaml"), other).unwrap();
    run_well(at, "--config other.yaml");
    let out = at.join("out");
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let trades = fs::read_to_string(out.join("trades.csv")).unwrap();
    assert_eq!(manifest["files"]["trades.csv"]["rows"], trades.lines().count() - 1);
    assert!(trades.lines().count() > 5, "there is little to cut");

    let good = contents(&out);
    let half = |name: &str| {
        let text = fs::read_to_string(out.join(name)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        lines[..lines.len() / 2].join("\n") + "\n"
    };
    let of_other = |name: &str| fs::read_to_string(at.join("other").join(name)).unwrap();
    let edited = |name: &str| fs::read_to_string(out.join(name)).unwrap() + "\n";
    for (name, content) in [
        ("trades.csv", half("trades.csv")),
        ("equity.csv", half("equity.csv")),
        ("equity.csv", of_other("equity.csv")),
        ("summary.json", of_other("summary.json")),
        ("summary.json", edited("summary.json")),
        ("config.resolved.yaml", of_other("config.resolved.yaml")),
        ("latency.hgrm", edited("latency.hgrm")),
        ("rejects.csv", half("rejects.csv")),
    ] {
        let kept = fs::read(out.join(name)).unwrap();
        fs::write(out.join(name), content).unwrap();
        for line in ["report out", "stitch out other --output both"] {
            let message = refusal(at, line);
            assert!(message.contains(name) && message.contains("SHA-256"), "{line}: {message}");
        }
        fs::write(out.join(name), kept).unwrap();
    }
    fs::rename(out.join("latency.hgrm"), at.join("latency.hgrm")).unwrap();
    assert!(refusal(at, "report out").contains("latency.hgrm: cannot read"));
    fs::rename(at.join("latency.hgrm"), out.join("latency.hgrm")).unwrap();
    // A link to another file is not followed.
    fs::rename(out.join("trades.csv"), at.join("elsewhere.csv")).unwrap();
    symlink("../elsewhere.csv", out.join("trades.csv")).unwrap();
    assert!(refusal(at, "report out").contains("no regular file"));
    fs::rename(at.join("elsewhere.csv"), out.join("trades.csv")).unwrap();
    // A manifest of a version that vouched for nothing.
    let text = fs::read(out.join("manifest.json")).unwrap();
    let mut old = manifest.clone();
    old.as_object_mut().unwrap().remove("files");
    fs::write(out.join("manifest.json"), old.to_string()).unwrap();
    assert!(refusal(at, "report out").contains("earlier version"));
    fs::write(out.join("manifest.json"), text).unwrap();

    run_well(at, "report out");
    assert!(contents(&out) == good);
}

/// Kind, sequence and content of a record.
type Owned = (u8, u64, Vec<u8>);

/// A journal of these records, and the end that a writer gives it.
fn journal(path: &Path, header: &[u8], records: &[Owned], is_ended: bool) {
    let _ = fs::remove_file(path);
    let mut writer = Writer::create(path, header).unwrap();
    for (kind, sequence, payload) in records {
        writer.append(*kind, *sequence, payload).unwrap();
    }
    if is_ended {
        writer.finish().unwrap();
    }
}

#[test]
fn what_could_not_be_compared_is_not_verified() {
    let folder = folder_with_market();
    let at = folder.path();
    let config = backtest("es.ticks", "out", "pipeline: { journal: true }");
    fs::write(at.join("backtest.yaml"), config).unwrap();
    run_well(at, "--config backtest.yaml");
    let whole = Journal::open(&at.join("out/run.journal")).unwrap();
    let header = whole.header();
    let owned = |record: Record<'_>| (record.kind, record.sequence, record.payload.to_vec());
    let records: Vec<Owned> = whole.records().map(owned).collect::<Result<_, _>>().unwrap();
    let entry = |(kind, sequence, payload): &Owned| {
        Entry::of(&Record { kind: *kind, sequence: *sequence, payload })
    };
    let is_end = |record: &Owned| matches!(entry(record), Some(Entry::Event(_, Event::End(_))));
    let is_action = |record: &Owned| matches!(entry(record), Some(Entry::Action(..)));
    assert!(records.iter().any(is_action) && records.iter().any(is_end));
    let path = at.join("x.journal");
    let verify = || run(at, "replay x.journal --verify");

    journal(&path, header, &records, true);
    let ran = verify();
    assert_eq!(ran.status, 0, "{}", ran.error);
    // Nothing but the header, a part, all but the end of the run: with and without the writer's
    // end.
    let behind_end = records.iter().position(is_end).unwrap();
    let parts = [&[][..], &records[..records.len() / 2], &records[..behind_end]];
    for (part, is_ended) in parts.into_iter().flat_map(|part| [(part, false), (part, true)]) {
        journal(&path, header, part, is_ended);
        let ran = verify();
        assert_eq!(ran.status, 3, "{} records: {}{}", part.len(), ran.output, ran.error);
        assert!(ran.error.contains("does not hold the whole run"), "{}", ran.error);
        assert!(ran.output.contains("as far as it was compared"), "{}", ran.output);
        let ran = run(at, "replay x.journal");
        assert_eq!(ran.status, 0);
        assert!(ran.error.contains("warning: "), "{}", ran.error);
    }
    // Events without what was done about them.
    let events: Vec<_> = records.iter().filter(|record| !is_action(record)).cloned().collect();
    journal(&path, header, &events, true);
    assert_eq!(verify().status, 1);
    journal(&path, header, &events, false);
    assert_eq!(verify().status, 3);
    // One flipped bit in the first records.
    let mut bytes = fs::read(at.join("out/run.journal")).unwrap();
    bytes[header.len() + 200] ^= 1;
    fs::write(&path, bytes).unwrap();
    let ran = verify();
    assert_eq!(ran.status, 3, "{}", ran.error);
    assert!(ran.output.contains("cut or damaged"), "{}", ran.output);
    // A record is missing, or its number is another's.
    let missing: Vec<_> = [&records[..100], &records[101..]].concat();
    let mut renamed = records.clone();
    renamed[50].1 = u64::MAX;
    for records in [missing, renamed] {
        journal(&path, header, &records, true);
        let ran = verify();
        assert_eq!(ran.status, 1, "{}", ran.output);
        assert!(ran.error.contains("stands where event"), "{}", ran.error);
    }
}

#[test]
fn output_that_did_not_arrive_is_a_failure() {
    let folder = folder_with_market();
    let at = folder.path();
    run_well(at, "--config backtest.yaml");
    fs::write(at.join("journal.yaml"), backtest("es.ticks", "kept", "pipeline: { journal: true }"))
        .unwrap();
    run_well(at, "--config journal.yaml");
    for line in [
        "--config backtest.yaml",
        "--config backtest.yaml --json",
        "check --config backtest.yaml",
        "import --list",
        "import --format tick-csv --input es.csv --output new.ticks --json",
        "synth --market martingale --days 1 --trades-per-day 100 --output s.ticks",
        "inspect bars --config backtest.yaml --output bars.csv",
        "replay kept/run.journal --verify",
        "report out",
        "--help",
        "--version",
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran = program(at).args(line.split(' ')).stdout(full).output().unwrap();
        let error = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(1), "{line}: {error}");
        assert!(error.contains("No space left"), "{line}: {error}");
        // A reader that has seen enough is not an error.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran = program(at).args(line.split(' ')).stdout(writer).output().unwrap();
        assert_eq!(ran.status.code(), Some(0), "{line}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[test]
fn switches_that_a_format_has_no_use_for_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "databento --time-zone Asia/Tokyo",
        "databento --bar-seconds 60",
        "dbn --price-multiplier 0.01",
        "scid --time-zone Asia/Tokyo",
        "lean --bar-seconds 60",
        "lean --price-multiplier 0.01",
        "tick-csv --price-multiplier 0.01",
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let line = format!("import --format {line} --input none --output x.ticks");
        let message = refusal(folder.path(), &line);
        let expected = format!("`{}` can have no effect", words[1]);
        assert!(message.contains(&expected), "{line}: {message}");
    }
    // Those that it has are not.
    for line in ["lean --time-zone Asia/Tokyo", "scid --bar-seconds 60 --price-multiplier 0.01"] {
        let line = format!("import --format {line} --input none --output x.ticks");
        assert!(refusal(folder.path(), &line).contains("none: "), "{line}");
    }
}

#[test]
fn settings_that_a_native_file_has_fixed_are_refused_or_told() {
    let folder = folder_with_market();
    let at = folder.path();
    fs::rename(at.join("es.csv"), at.join("a.csv")).unwrap();
    run_well(at, "import --format tick-csv --input a.csv --contract ESH4 --output esh4.ticks");
    let with = |settings: &str| {
        let config = backtest("esh4.ticks", "out", "")
            .replace("esh4.ticks", &format!("esh4.ticks, {settings}"));
        fs::write(at.join("backtest.yaml"), config).unwrap();
    };
    for contract in ["NQH4", "ESZ4", "ESH5", "ESH14", "ES"] {
        with(&format!("contract: {contract}"));
        let message = refusal(at, "--config backtest.yaml");
        assert!(
            message.contains("holds ESH") && message.contains(&format!("not {contract};")),
            "{message}"
        );
    }
    for contract in ["ESH4", "ESH24", "ESH2024"] {
        with(&format!("contract: {contract}"));
        assert!(!run_well(at, "--config backtest.yaml").contains("has no effect"));
    }
    for (name, value) in [("time_zone", "Asia/Tokyo"), ("roll", "volume")] {
        with(&format!("{name}: {value}"));
        let said = run_well(at, "--config backtest.yaml");
        assert!(said.contains(&format!("{name}` has no effect")), "{said}");
        let summary = fs::read_to_string(at.join("out/summary.json")).unwrap();
        assert!(summary.contains(&format!("{name}` has no effect")));
    }
}
