//! The program as it is typed: what it prints, what it leaves, and its exit status.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use algospace_hft::source::native::TickFile;
use parquet::file::reader::{FileReader, SerializedFileReader};
use tempfile::TempDir;

/// The configuration that the project was asked for, word for word.
const USERS_OWN: &str = r#"system:
  mode: "backtest"            # or "live"
data_handler:
  live_settings: { provider: "rithmic" }
  backtest_settings: { file_path: "data/ES_historical.csv" }
marl_core:
  mc_dropout: { iterations: 30, confidence_threshold: 0.8 }
rde: { latent_dim: 8, lookback_window: 100 }
risk_management: { max_position_size: 5, max_daily_drawdown: 0.05 }
"#;

/// A backtest of `es.ticks`.
const BACKTEST: &str = r#"
data_handler: { backtest_settings: { file_path: es.ticks } }
strategy: { kind: baseline }
"#;

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_algospace-hft"));
    command.current_dir(folder);
    command
}

/// The output and exit status of a command.
struct Ran {
    status: i32,
    output: String,
    error: String,
}

fn run(folder: &Path, line: &str) -> Ran {
    let Output { status, stdout, stderr } = program(folder).args(line.split(' ')).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: status.code().unwrap(), output: text(stdout), error: text(stderr) }
}

/// Runs a command that has to work and returns what it printed.
fn run_well(folder: &Path, line: &str) -> String {
    let ran = run(folder, line);
    assert_eq!(ran.status, 0, "{line}: {}", ran.error);
    ran.output
}

/// Runs a command that has to fail with that status, and returns its message.
fn run_badly(folder: &Path, line: &str, status: i32) -> String {
    let ran = run(folder, line);
    assert_eq!(ran.status, status, "{line}: {}\n{}", ran.output, ran.error);
    assert!(!ran.error.is_empty(), "{line} says nothing");
    ran.error
}

/// A folder with `backtest.yaml` and three days of a market in `es.ticks`.
fn folder_with_market() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("backtest.yaml"), BACKTEST).unwrap();
    let synth =
        "synth --market martingale --days 3 --seed 5 --trades-per-day 5000 --output es.ticks";
    run_well(folder.path(), synth);
    folder
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn summary(folder: &Path, name: &str) -> serde_json::Value {
    serde_json::from_str(&read(folder, name)).unwrap()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn the_users_own_file_without_its_history_says_how_to_get_one() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("own.yaml"), USERS_OWN).unwrap();
    let message = run_badly(folder.path(), "--config own.yaml", 1);
    assert!(message.contains("data/ES_historical.csv: there is no such file"), "{message}");
    assert!(message.contains("algospace-hft import --format"), "{message}");
    assert_eq!(names(folder.path()), BTreeSet::from(["own.yaml".to_owned()]), "it left something");
    run_badly(folder.path(), "check --config own.yaml", 2);
}

#[test]
fn the_users_own_file_runs_unchanged_once_its_history_is_there() {
    let folder = folder_with_market();
    let folder = folder.path();
    fs::write(folder.join("own.yaml"), USERS_OWN).unwrap();
    fs::create_dir(folder.join("data")).unwrap();
    let mut text = "timestamp,price,volume\n".to_owned();
    for tick in TickFile::open(&folder.join("es.ticks")).unwrap().ticks() {
        writeln!(text, "{},{},{}", tick.time, tick.price, tick.size).unwrap();
    }
    fs::write(folder.join("data/ES_historical.csv"), text).unwrap();
    let printed = run_well(folder, "--config own.yaml");
    assert!(printed.contains("runs/latest/report.html"), "{printed}");
    let direct = read(folder, "runs/latest/trades.csv");
    // The built-in set is untrained, and its confidence below the user's threshold.
    assert_eq!(direct.lines().count(), 1);

    // The same history, imported first.
    run_well(
        folder,
        "import --format tick-csv --input data/ES_historical.csv --output imported.ticks",
    );
    let imported = USERS_OWN.replace("data/ES_historical.csv", "imported.ticks");
    fs::write(folder.join("imported.yaml"), imported).unwrap();
    run_well(folder, "--config imported.yaml");
    assert_eq!(read(folder, "runs/latest/trades.csv"), direct);
}

#[test]
fn two_runs_leave_the_same_trades_and_equity_byte_for_byte() {
    let folder = folder_with_market();
    let folder = folder.path();
    for name in ["first", "second"] {
        let config = format!("{BACKTEST}output: {{ directory: out/{name} }}\n");
        fs::write(folder.join("backtest.yaml"), config).unwrap();
        run_well(folder, "--config backtest.yaml");
    }
    for table in ["trades.csv", "equity.csv"] {
        let [first, second] =
            ["first", "second"].map(|run| read(folder, &format!("out/{run}/{table}")));
        assert_eq!(first, second, "{table}");
        assert!(first.lines().count() > 10, "{table} is as good as empty");
    }
    let expected = [
        "config.resolved.yaml",
        "equity.csv",
        "latency.hgrm",
        "manifest.json",
        "report.html",
        "summary.json",
        "trades.csv",
    ];
    assert_eq!(names(&folder.join("out/first")), expected.map(str::to_owned).into());
    let summary = summary(folder, "out/first/summary.json");
    let ticks = TickFile::open(&folder.join("es.ticks")).unwrap().ticks().len();
    assert_eq!(summary["ticks"], ticks);
    assert_eq!(summary["interrupted"], false);
    let trades = read(folder, "out/first/trades.csv").lines().count() - 1;
    assert_eq!(summary["trades"], trades);

    // Another market, other trades.
    run_well(
        folder,
        "synth --market martingale --days 3 --seed 6 --trades-per-day 5000 --output es.ticks",
    );
    run_well(folder, "--config backtest.yaml");
    assert_ne!(read(folder, "out/first/trades.csv"), read(folder, "out/second/trades.csv"));
}

#[test]
fn check_tells_good_from_bad() {
    let folder = folder_with_market();
    let folder = folder.path();
    let before = names(folder);
    let printed = run_well(folder, "check --config backtest.yaml");
    assert!(printed.contains("backtest.yaml: ok"), "{printed}");
    assert!(printed.contains("es.ticks: native"), "{printed}");
    assert_eq!(names(folder), before, "check changed something");

    fs::write(folder.join("bad.yaml"), "system:\n  moode: backtest\n").unwrap();
    let message = run_badly(folder, "check --config bad.yaml", 2);
    assert!(message.contains("bad.yaml:2:3") && message.contains("moode"), "{message}");
    let message = run_badly(folder, "check --config absent.yaml", 2);
    assert!(message.contains("absent.yaml"), "{message}");
    run_badly(folder, "--config bad.yaml", 2);
}

/// `check` refuses what a run refuses, in the same words, and tells what is asked before a run.
#[test]
fn check_refuses_what_a_run_refuses_and_tells_what_it_would_see() {
    let folder = folder_with_market();
    let folder = folder.path();
    // A password is needed live, but nothing can be run live.
    let live = "system: { mode: live }\ndata_handler: { live_settings: { password: '${NO_SUCH_PASSWORD:?}' } }\n";
    fs::write(folder.join("live.yaml"), live).unwrap();
    let window = |key: &str| {
        let at = "file_path: es.ticks";
        let changed = BACKTEST.replace(at, &format!("{at}, {key}"));
        assert_ne!(changed, BACKTEST);
        fs::write(folder.join("window.yaml"), changed).unwrap();
    };
    // Which cores there are is known before the history, which is not there.
    for (name, file_path, cores) in [
        ("core", "absent.csv", "{ stages: 1023 }"),
        ("spin", "absent.csv", "{ sequencer: 0, stages: 0 }"),
        ("cores", "es.ticks", "{ stages: 1023 }"),
    ] {
        let runner = format!("pipeline: {{ runner: pinned, wait: busy_spin, cores: {cores} }}\n");
        let config = BACKTEST.replace("es.ticks", file_path) + &runner;
        fs::write(folder.join(format!("{name}.yaml")), config).unwrap();
    }
    for (key, file, words) in [
        ("", "live.yaml", "`live` sends orders to a broker, which this version does not do"),
        ("", "core.yaml", "pipeline.cores: `stages` asks for core 1023"),
        ("", "cores.yaml", "pipeline.cores: `stages` asks for core 1023"),
        ("", "spin.yaml", "`sequencer` and `stages` both spin on core 0"),
        ("first_trading_day: 2031-01-01", "window.yaml", "give an earlier day"),
        ("last_trading_day: 2001-01-01", "window.yaml", "give a later day"),
    ] {
        if !key.is_empty() {
            window(key);
        }
        let checked = run_badly(folder, &format!("check --config {file}"), 2);
        let ran = run(folder, &format!("--config {file}"));
        assert!(ran.status != 0 && checked == ran.error, "{checked} and {}", ran.error);
        assert!(checked.contains(words) && !checked.contains("PASSWORD"), "{checked}");
    }
    window("first_trading_day: 2024-01-03");
    // A table shows the days that are asked for, as they are in a table of all.
    run_well(folder, "inspect features --config backtest.yaml --output all.csv");
    let printed = run_well(folder, "inspect features --config window.yaml --output some.csv");
    let (all, some) = (read(folder, "all.csv"), read(folder, "some.csv"));
    let rows = some.split_once('\n').unwrap().1;
    assert!(all.ends_with(rows) && rows.len() > all.len() / 2 && rows.len() < all.len());
    assert!(rows.starts_with("ES,5,2024-01-02T23:00"), "{}", &rows[..40]);
    assert!(printed.contains("Before the first trading day lie "), "{printed}");
    let before = names(folder);
    let told = run_well(folder, "check --config window.yaml");
    for words in [
        "2024-01-03 to 2024-01-04: ",
        " in 2 sessions, after ",
        " ticks of warm-up in 1 session",
        "contracts: ES (2024-01-02T23:00",
        "first decision: 2024-01-02T23:",
        "The market is synthetic",
    ] {
        assert!(told.contains(words), "{words} is not in\n{told}");
    }
    let json = run_well(folder, "check --config window.yaml --json");
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["history"]["sessions"], &json["history"]["made_up"]),
        (&2.into(), &true.into())
    );
    assert_eq!(names(folder), before, "check left something");
}

/// `check` of paper trading connects to nobody and says what is absent; no secret is shown.
#[cfg(feature = "live")]
#[test]
fn check_of_paper_trading_says_what_is_absent_and_shows_no_secret() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder_with_market();
    let folder = folder.path();
    let write = |keys: &str| {
        let text = format!(
            "system: {{ mode: paper }}\ndata_handler: {{ live_settings: {{ {keys} }} }}\n\
             strategy: {{ kind: baseline }}\noutput: {{ directory: runs/paper }}\n"
        );
        fs::write(folder.join("paper.yaml"), text).unwrap();
    };
    let password = folder.join("password");
    fs::write(&password, "hunter2\n").unwrap();
    let mode = |mode| fs::set_permissions(&password, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o640);
    let login = "user: somebody, system_name: Secret System, password_file: password";
    let gateway = "gateway: 'ws://127.0.0.1:59999'";
    for (keys, words) in [
        ("", "user, password, gateway and system_name are absent"),
        (login, "live_settings: gateway is absent"),
        (&format!("{login}, {gateway}"), "password_file: password: others may read it (mode 0640)"),
    ] {
        write(keys);
        let told = run_badly(folder, "check --config paper.yaml", 2);
        assert!(told.contains(words), "{told}");
        assert!(!["somebody", "hunter2", "Secret", "59999"].iter().any(|it| told.contains(it)));
    }
    mode(0o600);
    write(&format!("{login}, {gateway}, warm_up: backtest.yaml"));
    assert!(run_badly(folder, "check --config paper.yaml", 2).contains("live_settings.warm_up: "));
    write(&format!("{login}, {gateway}, warm_up: es.ticks, contract: ESZ6"));
    let before = names(folder);
    let told = run_well(folder, "check --config paper.yaml");
    for words in [
        "paper.yaml: ok; nothing was connected to",
        "login: user, system and the password from password are there",
        "gateway: on this machine, without TLS",
        "contract: ESZ6",
        "warm-up: es.ticks: ",
        "results: runs/paper",
    ] {
        assert!(told.contains(words), "{words} is not in\n{told}");
    }
    let json = run_well(folder, "check --config paper.yaml --json");
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert!(value["warm_up"]["ticks"].as_u64().is_some_and(|ticks| ticks > 1000), "{json}");
    let shown = told + &json;
    assert!(!["somebody", "hunter2", "Secret", "59999"].iter().any(|it| shown.contains(it)));
    assert_eq!(names(folder), before, "check left something");
}

/// A market is synthetic if its file says so, however the configuration comes by it; report,
/// terminal and summary have one list of caveats.
#[test]
fn what_is_known_of_a_run_is_told_everywhere() {
    let folder = folder_with_market();
    let folder = folder.path();
    let printed = run_well(folder, "--config backtest.yaml");
    let summary = summary(folder, "runs/latest/summary.json");
    let page = read(folder, "runs/latest/report.html");
    assert_eq!(summary["input_description"]["made_up"], true);
    assert!(printed.lines().next().unwrap().ends_with(", a synthetic market"), "{printed}");
    assert!(page.contains("of ES, a synthetic market</h1>"));
    let caveats: Vec<_> = summary["caveats"].as_array().unwrap().iter().collect();
    assert_eq!(
        caveats[0],
        "The market is synthetic: no result here says anything about a real one."
    );
    let few = caveats.iter().filter(|it| it.as_str().unwrap().starts_with("Only 3 trading days"));
    assert_eq!(few.count(), 1, "{caveats:?}");
    for caveat in &caveats {
        let caveat = caveat.as_str().unwrap();
        assert!(printed.contains(&format!("note: {caveat}\n")), "{caveat}");
        // The page escapes some signs.
        assert!(page.contains(caveat.split(['&', '<', '`', '\'']).next().unwrap()), "{caveat}");
    }
    assert_eq!(printed.matches("note: ").count(), caveats.len());
    // A rule looks at no matrices.
    assert!(!printed.contains("Matrix "), "{printed}");
    for name in ["sortino", "calmar", "cagr"] {
        let why = summary["undefined"][name].as_str().unwrap();
        assert!(summary[name].is_null() && why.starts_with("too few days: 3 of the 126"), "{why}");
    }
    assert!(page.contains("too few days: 3 of the 126 that it takes"));
    assert!(printed.contains("Sortino – (too few days: 3 of the 126 that it takes)"), "{printed}");
    assert!(printed.contains(" (no interval: too few days with a result: "), "{printed}");
}

#[test]
fn inspect_writes_bars_and_the_trades_of_the_run() {
    let folder = folder_with_market();
    let folder = folder.path();
    run_well(folder, "--config backtest.yaml");
    run_well(folder, "inspect trades --config backtest.yaml --output trades.csv");
    assert_eq!(read(folder, "trades.csv"), read(folder, "runs/latest/trades.csv"));

    run_well(folder, "inspect bars --config backtest.yaml --output bars.csv");
    let bars = read(folder, "bars.csv");
    let columns = "instrument,timeframe_minutes,start_utc,open,high,low,close,volume,ticks,flags";
    assert!(bars.starts_with(columns), "{}", bars.lines().next().unwrap());
    let summary = summary(folder, "runs/latest/summary.json");
    for minutes in ["5", "30"] {
        let of_timeframe = format!("ES,{minutes},");
        let count = bars.lines().filter(|line| line.starts_with(&of_timeframe)).count();
        assert!(count > 100);
        assert_eq!(summary["bars"][minutes], count);
    }

    run_well(folder, "inspect bars --config backtest.yaml --output bars.parquet");
    let parquet = fs::File::open(folder.join("bars.parquet")).unwrap();
    let parquet = SerializedFileReader::new(parquet).unwrap();
    let about = parquet.metadata().file_metadata();
    assert_eq!(about.num_rows() as usize, bars.lines().count() - 1);
    let names: Vec<_> = about.schema().get_fields().iter().map(|field| field.name()).collect();
    assert_eq!(names.join(","), bars.lines().next().unwrap());
    let facts = about.key_value_metadata().unwrap().iter();
    let facts: BTreeMap<_, _> =
        facts.map(|fact| (fact.key.as_str(), fact.value.as_deref().unwrap())).collect();
    assert_eq!(facts["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(facts["input_sha256"], summary["input_sha256"]);
    assert_eq!(facts["seed"], summary["seed"].to_string());

    let message = run_badly(folder, "inspect bars --config backtest.yaml --output bars.xlsx", 2);
    assert!(message.contains(".csv or .parquet"), "{message}");
    run_badly(folder, "inspect trades --config backtest.yaml --output trades.parquet", 2);
}

/// The program that drew the bars reads them back, from either kind of file, and so does a run.
#[test]
fn a_parquet_table_is_read_as_the_same_table_in_csv() {
    let directory = folder_with_market();
    let folder = directory.path();
    fs::write(folder.join("five.yaml"), format!("{BACKTEST}bars: {{ timeframes: [5] }}\n"))
        .unwrap();
    for file in ["bars.csv", "bars.parquet"] {
        run_well(folder, &format!("inspect bars --config five.yaml --output {file}"));
        let import = format!("import --format bar-csv --input {file} --output {file}.ticks");
        let printed = run_well(folder, &import);
        assert!(printed.contains("timeframe_minutes"), "{printed}");
    }
    let ticks = |name: &str| TickFile::open(&folder.join(name)).unwrap().ticks().to_vec();
    let (csv, parquet) = (ticks("bars.csv.ticks"), ticks("bars.parquet.ticks"));
    assert!(csv.len() > 1000);
    assert_eq!(csv, parquet);
    let own = BACKTEST.replace("es.ticks", "bars.parquet");
    fs::write(folder.join("own.yaml"), own).unwrap();
    let printed = run_well(folder, "check --config own.yaml");
    assert!(printed.contains("bars.parquet"), "{printed}");
}

/// The configuration says what a preset leaves open, and a file that is imported already has
/// no use for it.
#[test]
fn a_run_reads_a_file_whose_layout_its_configuration_says() {
    let directory = folder_with_market();
    let folder = directory.path();
    let mut bars = String::new();
    for minute in 0..400 {
        let (hour, minute) = (10 + (minute + 1) / 60, (minute + 1) % 60);
        writeln!(bars, "ES;1;20131007;{hour:02}{minute:02}00;x;-0.25;0.5;-0.5;0;1200").unwrap();
    }
    fs::write(folder.join("es.txt"), bars).unwrap();
    let settings = "format: metastock, time_zone: America/Chicago, delimiter: ';', stamp: end, \
        bar_seconds: 60, columns: 'contract,-,date,time,-,open,high,low,close,volume'";
    let configure = |name: &str, file: &str, settings: &str| {
        let history = format!("{{ file_path: {file}, {settings} }}");
        let text = BACKTEST.replace("{ file_path: es.ticks }", &history);
        fs::write(folder.join(name), text).unwrap();
    };
    configure("a.yaml", "es.txt", &format!("{settings}, prices_below_zero: keep"));
    run_well(folder, "inspect bars --config a.yaml --output bars.csv");
    let bars = read(folder, "bars.csv");
    let first = bars.lines().nth(1).unwrap();
    assert!(first.contains(",2013-10-07T15:00:00"), "{first}");
    assert!(first.contains(",-0.25,0.5,-0.5,0,6000,"), "{first}");

    configure("b.yaml", "es.txt", settings);
    let message = run_badly(folder, "check --config b.yaml", 2);
    assert!(message.contains("is not above 0"), "{message}");
    configure("c.yaml", "es.txt", "format: metastock");
    let message = run_badly(folder, "check --config c.yaml", 2);
    assert!(message.contains("`time_zone` of `data_handler.backtest_settings`"), "{message}");
    for (setting, why) in [
        ("delimiter: word", "`data_handler.backtest_settings.delimiter`: give one character"),
        ("columns: 'time,prise'", "`data_handler.backtest_settings.columns`: columns `time,prise`"),
    ] {
        configure("d.yaml", "es.txt", &format!("format: tick-csv, {setting}"));
        let message = run_badly(folder, "check --config d.yaml", 2);
        assert!(message.contains(why), "{message}");
    }
    configure("e.yaml", "es.ticks", "stamp: end, bar_seconds: 60, columns: 'time,price,size'");
    let printed = run_well(folder, "check --config e.yaml");
    for key in ["stamp", "bar_seconds", "columns"] {
        let note = format!("`data_handler.backtest_settings.{key}` has no effect");
        assert!(printed.contains(&note), "{printed}");
    }
}

/// The headers are those of the documentation, in its order, and a matrix has as many rows as its
/// bars.
#[test]
fn inspect_writes_the_features_and_matrices_that_are_documented() {
    let directory = folder_with_market();
    let folder = directory.path();
    run_well(folder, "inspect features --config backtest.yaml --output features.csv");
    let documentation = include_str!("../../docs/features.md");
    let cell = |line: &'static str| line.split('`').nth(1);
    let (fields, matrices) = documentation
        .split_once("<!-- generated -->\n")
        .and_then(|(_, tables)| tables.split_once("\n### "))
        .unwrap();
    let mut expected = vec![
        "instrument",
        "timeframe_minutes",
        "start_utc",
        "end_utc",
        "contract",
        "flags",
        "close",
    ];
    expected.extend(fields.lines().filter_map(cell));
    let table = read(folder, "features.csv");
    let (header, rows) = table.split_once('\n').unwrap();
    assert_eq!(header.split(',').collect::<Vec<_>>(), expected);
    let slow = rows.lines().filter(|row| row.starts_with("ES,30,")).count();
    assert!(slow > 0 && rows.lines().all(|row| row.split(',').count() == expected.len()));

    run_well(folder, "inspect matrices --config backtest.yaml --output matrices.csv");
    let table = read(folder, "matrices.csv");
    let header: Vec<_> = table.lines().next().unwrap().split(',').collect();
    let columns = matrices.lines().filter_map(cell).count();
    assert_eq!(header.len(), 6 + columns);
    assert_eq!(header[6 + 2], "structure.nw_dev_30m/atr_30m");
    assert_eq!(table.lines().filter(|row| row.starts_with("ES,structure,30,")).count(), slow);

    let own = format!("{BACKTEST}indicators: {{ timeframes: {{ momentum_index: [] }} }}\n");
    fs::write(folder.join("own.yaml"), &own).unwrap();
    let printed = run_well(folder, "inspect matrices --config own.yaml --output matrices.parquet");
    assert!(printed.contains("matrices.structure.columns[0]: there is no feature `mlmi_norm_30m`"));
    let wrong = "matrices: { regime: { timeframe: 5, rows: 2, columns: [{ feature: wma_5m, scale: { fixed: { divisor: 1 } } }] } }";
    fs::write(folder.join("wrong.yaml"), format!("{BACKTEST}{wrong}\n")).unwrap();
    let message = run_badly(folder, "inspect matrices --config wrong.yaml --output m.csv", 2);
    assert!(message.contains("`wma_5m` is a price"), "{message}");
    assert!(!folder.join("m.csv").exists());
}

#[test]
fn inspect_draws_the_last_whole_session_or_the_one_that_is_asked_for() {
    let folder = folder_with_market();
    let folder = folder.path();
    let printed = run_well(folder, "inspect chart --config backtest.yaml --output last.html");
    let day = printed.trim().rsplit(' ').next().unwrap().to_owned();
    let command = format!("inspect chart --config backtest.yaml --output chosen.html --day {day}");
    run_well(folder, &command);
    assert!(read(folder, "last.html") == read(folder, "chosen.html"));

    let message = run_badly(folder, &command.replace(&day, "1999-12-31"), 2);
    assert!(message.contains("no session of 1999-12-31; it has 3 sessions"), "{message}");
    assert!(message.contains(&day), "{message}");
    run_badly(folder, &command.replace("chosen.html", "chosen.csv"), 2);
    run_badly(folder, &command.replace("inspect chart", "inspect bars"), 2);
}

#[test]
fn report_makes_the_same_page_again() {
    let folder = folder_with_market();
    let folder = folder.path();
    run_well(folder, "--config backtest.yaml");
    let page = fs::read(folder.join("runs/latest/report.html")).unwrap();
    fs::write(folder.join("runs/latest/report.html"), "gone").unwrap();
    run_well(folder, "report runs/latest");
    assert!(page == fs::read(folder.join("runs/latest/report.html")).unwrap());
    let message = run_badly(folder, "report nowhere", 1);
    assert!(message.contains("nowhere"), "{message}");
}

#[test]
fn what_is_not_understood_is_bad_usage() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        "--config x.yaml --fast",
        "fly",
        "check",
        "synth --market bull --output x.ticks",
        "synth --market regimes --days 0 --output x.ticks",
        "import --format tick-csv",
    ] {
        run_badly(folder.path(), line, 2);
    }
    let nothing = program(folder.path()).output().unwrap();
    assert_eq!(nothing.status.code(), Some(2));
    assert!(String::from_utf8(nothing.stderr).unwrap().contains("--help"));
    assert_eq!(names(folder.path()), BTreeSet::new());

    assert!(run_well(folder.path(), "--help").contains("Exit status"));
    let version = format!("algospace-hft {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run_well(folder.path(), "--version"), version);
    let presets = run_well(folder.path(), "import --list");
    assert!(presets.contains("tick-csv") && presets.contains("databento"), "{presets}");
}

#[test]
fn a_damaged_history_is_refused() {
    let folder = folder_with_market();
    let folder = folder.path();
    let path = folder.join("es.ticks");
    let good = fs::read(&path).unwrap();

    let mut damaged = good.clone();
    damaged[10_000] ^= 1;
    fs::write(&path, &damaged).unwrap();
    let message = run_badly(folder, "--config backtest.yaml", 1);
    assert!(message.contains("es.ticks: corrupted"), "{message}");
    run_badly(folder, "check --config backtest.yaml", 2);

    fs::write(&path, &good[..good.len() - 7]).unwrap();
    let message = run_badly(folder, "--config backtest.yaml", 1);
    assert!(message.contains("es.ticks: truncated"), "{message}");

    assert!(!folder.join("runs").exists());
}

#[test]
fn an_output_directory_that_cannot_be_is_refused_before_the_work() {
    let folder = folder_with_market();
    let folder = folder.path();
    fs::write(folder.join("taken"), "a file, not a directory").unwrap();
    let config = format!("{BACKTEST}output: {{ directory: taken/out }}\n");
    fs::write(folder.join("backtest.yaml"), config).unwrap();
    // The history is never looked at.
    fs::remove_file(folder.join("es.ticks")).unwrap();
    let message = run_badly(folder, "--config backtest.yaml", 1);
    assert!(message.contains("taken"), "{message}");
    assert!(!message.contains("es.ticks"), "{message}");
    assert_eq!(read(folder, "taken"), "a file, not a directory");
}

/// Starts a command, whose messages can be read as they come.
#[cfg(unix)]
fn start(folder: &Path, line: &str) -> (Child, impl Iterator<Item = String>) {
    let mut command = program(folder);
    command.args(line.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let messages = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    (child, messages)
}

#[cfg(unix)]
fn send(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

/// Interrupts a command on a market of 300 days while that is being generated, which leaves a
/// second or more before there would be nothing left to stop. (That a replay stops in its midst is
/// tested beside the rules.)
#[cfg(unix)]
fn interrupt(folder: &Path, line: &str) -> Ran {
    let config = "data_handler: { backtest_settings: { synthetic: { market: martingale, days: 300, \
                  trades_per_day: 1000 } } }\n";
    fs::write(folder.join("long.yaml"), config).unwrap();
    let (child, mut messages) = start(folder, line);
    assert!(messages.any(|line| line.starts_with("preparing: ")), "no progress was shown");
    send("INT", &child);
    assert!(messages.any(|line| line.starts_with("stopping")), "the signal was not taken");
    let error = messages.collect::<Vec<_>>().join("\n");
    let output = child.wait_with_output().unwrap();
    let status = output.status.code().unwrap();
    Ran { status, output: String::from_utf8(output.stdout).unwrap(), error }
}

#[cfg(unix)]
#[test]
fn what_is_interrupted_in_its_preparation_ends_at_once_and_leaves_nothing() {
    let tables = ["inspect bars", "inspect trades"]
        .map(|inspect| format!("{inspect} --config long.yaml --output table.csv"));
    for line in tables.iter().map(String::as_str).chain(["--config long.yaml"]) {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        // A table of trades; anything else would be refused.
        let before =
            "id,instrument,side,quantity,entry_utc,entry_price,exit_utc,exit_price,exit_reason\n";
        fs::write(folder.join("table.csv"), before).unwrap();
        let ran = interrupt(folder, line);
        assert_eq!(ran.status, 1, "{}", ran.output);
        assert!(ran.error.contains("stopped; nothing was written"), "{}", ran.error);
        assert_eq!(read(folder, "table.csv"), before);
        // The generated history is gone with the run, and the directory if it was made for it.
        let left = folder.join("runs/latest");
        assert!(!left.exists() || names(&left).is_empty());
    }
}

/// A backtest of `es.ticks` on pinned threads, into `directory`.
fn pinned(folder: &Path, directory: &str, pipeline: &str) -> String {
    let name = format!("{directory}.yaml");
    let config = format!(
        "{BACKTEST}pipeline: {{ runner: pinned, {pipeline} }}\noutput: {{ directory: {directory} }}\n"
    );
    fs::write(folder.join(&name), config).unwrap();
    format!("--config {name}")
}

#[test]
fn a_pinned_run_leaves_what_an_inline_one_does_and_its_journal_replays() {
    let folder = folder_with_market();
    let folder = folder.path();
    run_well(folder, "--config backtest.yaml");
    let tables = ["trades.csv", "equity.csv"];
    let inline = tables.map(|name| read(&folder.join("runs/latest"), name));
    assert!(inline[0].lines().count() > 10, "there is little to compare");
    for layout in ["fused", "decision_apart", "all_apart"] {
        let line = pinned(folder, layout, &format!("layout: {layout}, ring_slots: 64"));
        run_well(folder, &line);
        let left = folder.join(layout);
        assert_eq!(tables.map(|name| read(&left, name)), inline, "{layout}");
        assert!(read(&left, "report.html").contains("Latency"), "{layout}");
        assert!(read(&left, "latency.tick_to_bar.hgrm").contains("Percentile"), "{layout}");
        let journal = format!("{layout}/run.journal");
        let said = run_well(folder, &format!("replay {journal} --verify --output {layout}.again"));
        assert!(said.contains("the same as the run"), "{said}");
        assert_eq!(tables.map(|name| read(&folder.join(format!("{layout}.again")), name)), inline);
    }
}

#[test]
fn a_cut_journal_replays_up_to_its_last_whole_record_and_says_so() {
    let folder = folder_with_market();
    let folder = folder.path();
    run_well(folder, &pinned(folder, "whole", "layout: decision_apart"));
    let bytes = fs::read(folder.join("whole/run.journal")).unwrap();
    let whole = read(folder, "whole/trades.csv");
    // Within a record: they are multiples of eight bytes long.
    for cut in [bytes.len() / 3 / 8 * 8 + 3, bytes.len() - 1] {
        fs::write(folder.join("cut.journal"), &bytes[..cut]).unwrap();
        let ran = run(folder, "replay cut.journal --verify --output cut");
        assert_eq!(ran.status, 3, "{}", ran.error);
        let said = ran.output;
        assert!(said.contains("journal: ") && said.contains("the same as the run"), "{said}");
        assert!(said.contains("cut or damaged"), "{said}");
        let trades = read(folder, "cut/trades.csv");
        // All but what the early end closes.
        let kept = trades.lines().count() - 2;
        assert!(kept > 3 && whole.lines().zip(trades.lines()).take(kept).all(|(a, b)| a == b));
    }
    let mut damaged = bytes.clone();
    damaged[bytes.len() / 2] ^= 1;
    fs::write(folder.join("damaged.journal"), &damaged).unwrap();
    assert!(run_well(folder, "replay damaged.journal").contains("damaged"));
    for (name, content) in [
        ("empty.journal", &[][..]),
        ("text.journal", b"time,price\n"),
        ("head.journal", &bytes[..40]),
    ] {
        fs::write(folder.join(name), content).unwrap();
        let error = run_badly(folder, &format!("replay {name} --verify"), 1);
        assert!(error.contains(name), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_pinned_run_that_is_interrupted_closes_its_position_and_ends_well() {
    let folder = folder_with_market();
    let folder = folder.path();
    // At this pace it would take half a minute.
    let pace = "pace: { mode: recorded, speed: 8000 }";
    let interrupt = |layout: &str, signal: &str| {
        let line = pinned(folder, layout, &format!("layout: {layout}, {pace}"));
        let (mut child, mut messages) = start(folder, &line);
        assert!(messages.any(|line| line.starts_with("replaying: ")), "no progress was shown");
        let refused = run_badly(folder, &line, 1);
        assert!(refused.contains("another run writes into it"), "{refused}");
        send(signal, &child);
        let error = messages.collect::<Vec<_>>().join("\n");
        let status = child.wait().unwrap();
        assert_eq!(status.code(), Some(0), "{layout}: {error}");
        assert_eq!(summary(&folder.join(layout), "summary.json")["interrupted"], true);
        let said = run_well(folder, &format!("replay {layout}/run.journal --verify"));
        assert!(said.contains("the same as the run"), "{said}");
    };
    // They mostly wait.
    std::thread::scope(|scope| {
        for (layout, signal) in [("fused", "INT"), ("decision_apart", "TERM"), ("all_apart", "INT")]
        {
            scope.spawn(move || interrupt(layout, signal));
        }
    });
}

#[test]
fn decisions_of_the_agents_are_inspected_and_the_model_set_is_checked() {
    let folder = folder_with_market();
    let folder = folder.path();
    let agents = BACKTEST.replace("kind: baseline", "kind: marl");
    fs::write(folder.join("agents.yaml"), &agents).unwrap();
    let printed = run_well(folder, "check --config agents.yaml");
    assert!(
        printed.contains("UNTRAINED") && printed.contains("core.onnx: structure [1, 64]"),
        "{printed}"
    );
    let json: serde_json::Value =
        serde_json::from_str(&run_well(folder, "check --config agents.yaml --json")).unwrap();
    assert_eq!(json["model_set"]["trained"], false);

    let printed = run_well(folder, "inspect decisions --config agents.yaml --output decisions.csv");
    assert!(printed.contains("UNTRAINED"), "{printed}");
    let table = read(folder, "decisions.csv");
    let (header, rows) = table.split_once('\n').unwrap();
    assert!(
        header.starts_with("question,bar_end_utc,position,decided,reasons,direction,confidence")
    );
    assert!(rows.lines().count() > 100);
    run_well(folder, "inspect decisions --config agents.yaml --output decisions.parquet");
    // A run leaves the same table, and its report is drawn from it.
    run_well(folder, "--config agents.yaml");
    let latest = folder.join("runs/latest");
    assert!(read(&latest, "decisions.csv") == table);
    let report = read(&latest, "report.html");
    run_well(folder, "report runs/latest");
    assert!(read(&latest, "report.html") == report);

    fs::write(folder.join("rule.yaml"), BACKTEST).unwrap();
    let message = run_badly(folder, "inspect decisions --config rule.yaml --output no.csv", 2);
    assert!(message.contains("strategy.kind: marl"), "{message}");
    // What a set cannot honour, and a set that is not there, are refused by name.
    for (line, expected) in [
        ("inference: { backend: onnxruntime, library: nowhere.so }", "nowhere.so"),
        ("rde: { latent_dim: 16 }", "`rde.latent_dim: 16`"),
        ("rde: { lookback_window: 50 }", "`rde.lookback_window: 50`"),
        ("marl_core: { model_set: nowhere }", "nowhere: there is no such folder"),
        ("indicators: { nadaraya_watson: { bandwidth: 9.0 } }", "`indicators`"),
    ] {
        fs::write(folder.join("wrong.yaml"), format!("{agents}{line}\n")).unwrap();
        for command in ["check --config wrong.yaml", "--config wrong.yaml"] {
            let ran = run(folder, command);
            assert!(ran.status != 0 && ran.error.contains(expected), "{command}: {}", ran.error);
        }
    }
}
