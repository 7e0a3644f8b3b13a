//! The files that a run leaves.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::sample_run::{HOSTILE, empty_run, run_of_agents, sample_run, wall_times};
use algospace_hft::latency::{Load, Recorder};
use algospace_hft::market::Money;
use algospace_hft::performance::{
    RUN_FILES, RunRecord, Summary, render_report_again, write_run_directory,
};
use serde_json::Value;

fn write(directory: &Path, run: &RunRecord) -> Summary {
    write_run_directory(directory, run, wall_times()).unwrap()
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap()
}

fn files(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// The page without the charts' library, which is not ours.
fn own_part(page: &str) -> &str {
    &page[page.rfind("</head>").unwrap()..]
}

#[test]
fn two_runs_leave_the_same_bytes_and_nothing_unfinished() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("runs/one"), folder.path().join("runs/two"));
    write(&one, &sample_run(10));
    write(&two, &sample_run(10));
    write(&two, &sample_run(10));
    let names = [
        "config.resolved.yaml",
        "equity.csv",
        "latency.bar_to_features.hgrm",
        "latency.bar_to_order.hgrm",
        "latency.hand_over.hgrm",
        "latency.hgrm",
        "latency.hlog",
        "latency.tick_to_bar.hgrm",
        "latency.tick_to_order.hgrm",
        "manifest.json",
        "report.html",
        "summary.json",
        "trades.csv",
    ];
    assert_eq!(files(&two), names);
    for name in names {
        assert!(read(&one, name) == read(&two, name), "{name} differs");
    }
}

#[test]
fn no_latency_of_an_earlier_run_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = sample_run(10);
    write(folder.path(), &run);
    let measured = files(folder.path());
    // Code that guards a file against a run must know every name that it may replace or remove.
    assert!(measured.iter().all(|name| RUN_FILES.contains(&name.as_str())), "{measured:?}");
    run.latency = None;
    write(folder.path(), &run);
    let left = files(folder.path());
    let latency: Vec<_> = left.iter().filter(|name| name.starts_with("latency")).collect();
    assert_eq!(latency, ["latency.hgrm"]);
    assert_eq!(measured.len() - left.len(), 6);
    assert!(!own_part(&read(folder.path(), "report.html")).contains("tick in → bar"));
}

#[test]
fn the_measured_latency_is_in_the_files_and_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let run = sample_run(10);
    let summary = write(folder.path(), &run);
    let json: Value = serde_json::from_str(&read(folder.path(), "summary.json")).unwrap();
    let spans = json["latency"]["spans"].as_array().unwrap();
    assert_eq!(json["latency"]["dropped"], 12);
    assert_eq!(spans.len(), 5);
    let page = read(folder.path(), "report.html");
    let page = own_part(&page);
    for span in spans {
        let tag = span["span"].as_str().unwrap();
        let record = run.latency.as_ref().unwrap().spans.iter().find(|it| it.span.tag() == tag);
        let record = record.unwrap();
        assert_eq!(span["count"], record.histogram.len());
        assert_eq!(span["p99.9"], record.histogram.value_at_quantile(0.999));
        assert!(page.contains(record.span.name()), "{tag}");
        // The file's last row is the longest sample, in nanoseconds, and the count of all.
        let text = read(folder.path(), &format!("latency.{tag}.hgrm"));
        let last = text.lines().rfind(|line| !line.starts_with('#')).unwrap();
        let words: Vec<f64> = last.split_whitespace().map(|word| word.parse().unwrap()).collect();
        assert_eq!(words, [span["max"].as_f64().unwrap(), 1.0, span["count"].as_f64().unwrap()]);
    }
    assert_eq!(read(folder.path(), "latency.hlog").matches("\nTag=").count(), 4 * 5);
    for words in ["no core is isolated", "recorder was full: 12.", "Paced load", "Example CPU"] {
        assert!(page.contains(words), "{words}");
    }
    let lines = summary.latency.unwrap().lines();
    assert_eq!(lines[1..6].iter().filter(|line| line.contains(" in → ")).count(), 3);
}

#[test]
fn a_run_that_cannot_be_written_whole_leaves_no_manifest_of_an_earlier_one() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &sample_run(10));
    // A folder in the place of the report: the files before it are replaced, the folder is not.
    fs::remove_file(folder.path().join("report.html")).unwrap();
    fs::create_dir_all(folder.path().join("report.html/inside")).unwrap();
    assert!(write_run_directory(folder.path(), &sample_run(20), wall_times()).is_err());
    assert!(!folder.path().join("manifest.json").exists());
}

#[test]
fn a_report_rendered_from_the_directory_alone_is_the_first_one_byte_for_byte() {
    let mut hostile = sample_run(30);
    hostile.instrument = HOSTILE.to_owned();
    hostile.contract_symbols = vec![HOSTILE.to_owned()];
    hostile.strategy = HOSTILE.to_owned();
    hostile.configuration = HOSTILE.to_owned();
    hostile.interrupted = true;
    let mut without_samples = empty_run();
    let recorder = Recorder::new(wall_times().started, Load::OpenLoop);
    without_samples.latency = Some(recorder.finish(Duration::from_secs(1), 0));
    for run in [sample_run(30), run_of_agents(30), hostile, empty_run(), without_samples] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), &run);
        let first = read(folder.path(), "report.html");
        fs::remove_file(folder.path().join("report.html")).unwrap();
        let path = render_report_again(folder.path()).unwrap();
        assert_eq!(path, folder.path().join("report.html"));
        assert!(read(folder.path(), "report.html") == first);
        assert!(!own_part(&first).contains("<b>x</b>"), "a text was not escaped");
        let no_sample =
            run.latency.is_some_and(|it| it.spans.iter().all(|it| it.histogram.is_empty()));
        assert_eq!(first.contains("There are no samples."), no_sample);
    }
}

#[test]
fn the_summary_has_what_scripts_look_for() {
    let folder = tempfile::tempdir().unwrap();
    let run = sample_run(20);
    write(folder.path(), &run);
    let summary: Value = serde_json::from_str(&read(folder.path(), "summary.json")).unwrap();
    for key in [
        "ticks",
        "trades",
        "net_pnl",
        "sharpe",
        "max_drawdown",
        "win_rate",
        "profit_factor",
        "ticks_per_second",
        "seed",
    ] {
        assert!(summary[key].is_number(), "{key}: {}", summary[key]);
    }
    for key in ["mode", "input", "version", "input_sha256"] {
        assert!(summary[key].is_string(), "{key}");
    }
    assert_eq!(summary["bars"]["5"], 276 * 20);
    assert_eq!(summary["bars"]["1440"], 20);
    assert_eq!(summary["days"], 20);
    // What the account gained is what the trades earned.
    let last = run.equity.last().unwrap().equity - run.initial_capital;
    assert_eq!(summary["net_pnl"], last.as_f64());
    for key in ["expectancy", "net_pnl", "win_rate", "profit_factor", "sharpe"] {
        let interval = &summary["confidence_intervals"][key];
        let (lower, upper) = (interval["lower"].as_f64().unwrap(), interval["upper"].as_f64());
        let value = summary[key].as_f64().unwrap();
        assert!(lower < value && value < upper.unwrap(), "{key}: {value} {interval}");
    }
    let manifest: Value = serde_json::from_str(&read(folder.path(), "manifest.json")).unwrap();
    assert_eq!(manifest["started"], "2024-05-01T10:00:00.000000000Z");
    assert_eq!(manifest["seed"], 42);
}

#[test]
fn what_is_not_defined_is_null_and_never_a_number_that_means_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut flat = sample_run(1);
    flat.trades.clear();
    for point in &mut flat.equity {
        (point.cash, point.equity, point.position) =
            (flat.initial_capital, flat.initial_capital, 0);
    }
    for run in [empty_run(), flat] {
        write(folder.path(), &run);
        let text = read(folder.path(), "summary.json");
        let summary: Value = serde_json::from_str(&text).unwrap();
        for key in ["sharpe", "sortino", "calmar", "win_rate", "profit_factor", "expectancy"] {
            assert!(summary[key].is_null(), "{key}");
        }
        assert_eq!(summary["trades"], 0);
        assert_eq!(summary["max_drawdown"].is_null(), run.equity.is_empty());
        let page = read(folder.path(), "report.html");
        for nonsense in ["NaN", "inf,", "-0.0,", "-0.0\n", "-0.0]"] {
            assert!(!own_part(&page).contains(nonsense), "{nonsense}");
            assert!(!text.contains(nonsense), "{nonsense}");
        }
        assert!(page.contains("There are no trades"));
    }
}

#[test]
fn the_report_puts_its_caveats_into_words() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = sample_run(10);
    run.interrupted = true;
    run.input_description.adjustment = "back".to_owned();
    for trade in &mut run.trades {
        (trade.costs, trade.slippage) = Default::default();
    }
    run.equity[7].equity = Money::from_dollars(-1);
    write(folder.path(), &run);
    let page = read(folder.path(), "report.html");
    for words in [
        "was stopped early",
        "3 bars of 5 minutes are incomplete.",
        "moved to join",
        "No commission",
        "without slippage",
        "Only 10 trading days",
        "fell to zero or below",
        // The costs that were taken away above are still missing from the account.
        "disagree",
    ] {
        assert!(own_part(&page).contains(words), "{words}");
    }
}

/// Decisions of agents are counted, with a warning if they are untrained, and goes when others
/// decide.
#[test]
fn decisions_of_agents_are_counted_told_and_taken_away() {
    let folder = tempfile::tempdir().unwrap();
    let run = run_of_agents(10);
    write(folder.path(), &run);
    let page = read(folder.path(), "report.html");
    for words in
        ["<h2>Decisions</h2>", "model set is untrained", "Refusals by reason", "predict outcomes"]
    {
        assert!(own_part(&page).contains(words), "{words}");
    }
    let summary: Value = serde_json::from_str(&read(folder.path(), "summary.json")).unwrap();
    let decisions = &summary["decisions"];
    let (asked, entries) = (run.decisions.len(), run.trades.len());
    assert_eq!((&decisions["asked"], &decisions["executed"]), (&asked.into(), &entries.into()));
    let early = run.trades.iter().filter(|trade| trade.entry_time <= run.equity[99].time).count();
    let (unready, unsure) = (100 - early, asked - 100 - (entries - early));
    let refused = serde_json::json!([["not_ready", unready], ["confidence", unsure]]);
    assert_eq!(decisions["refused"], refused);
    // Every trade is behind a decision, and those that won are counted.
    let bins = decisions["reliability"]["bins"].as_array().unwrap();
    let won = run.trades.iter().filter(|trade| trade.net_pnl() > Money::ZERO).count();
    let of_bin = |bin: &Value| {
        let count = bin["count"].as_f64().unwrap();
        [count, count * bin["frequency"].as_f64().unwrap()]
    };
    let counted = bins.iter().map(of_bin).fold([0.0, 0.0], |a, b| [a[0] + b[0], a[1] + b[1]]);
    assert_eq!(counted.map(f64::round), [entries as f64, won as f64]);

    write(folder.path(), &sample_run(10));
    assert!(!files(folder.path()).contains(&"decisions.csv".to_owned()));
    let page = read(folder.path(), "report.html");
    assert!(!own_part(&page).contains("<h2>Decisions</h2>"));
    render_report_again(folder.path()).unwrap();
}

/// No trade because of a threshold that no vote reached is told with both numbers.
#[test]
fn agents_that_were_never_sure_enough_are_told_by_how_much() {
    let mut run = run_of_agents(10);
    run.trades.clear();
    let summary = Summary::of(&run);
    let highest = summary.decisions.as_ref().unwrap().highest_confidence.unwrap();
    let votes = run.decisions.iter().filter_map(|it| it.opportunity.as_ref());
    assert!(votes.clone().all(|vote| f64::from(vote.confidence) <= highest));
    let told = |run: &RunRecord, words: &str| {
        Summary::of(run).caveats.iter().filter(|caveat| caveat.contains(words)).count()
    };
    let too_high = "never reached the threshold: their highest confidence was";
    assert_eq!(told(&run, too_high), usize::from(highest < 0.8));
    run.decided_by.as_mut().unwrap().confidence_threshold = 1.1;
    assert_eq!(told(&run, &format!("{too_high} {highest:.3}")), 1);
    assert_eq!(told(&run, "model set is untrained"), 1);
    // A trained set speaks for itself.
    run.decided_by.as_mut().unwrap().trained = true;
    assert_eq!(told(&run, &format!("describes itself: “knows {HOSTILE}”")), 1);
    assert_eq!(told(&run, "untrained"), 0);
}

/// One trade does not show whether confidence predicts outcomes.
#[test]
fn confidence_is_not_judged_by_a_few_trades() {
    let mut run = run_of_agents(20);
    assert!(run.trades.len() >= 50 && Summary::of(&run).decisions.unwrap().reliability.is_some());
    run.trades.truncate(49);
    let summary = Summary::of(&run);
    assert_eq!(summary.decisions.unwrap().reliability, None);
    let why = &summary.statistics.undefined["decisions.reliability"];
    assert_eq!(why, "too few trades of decisions: 49 of the 50 that it takes");

    // Trades behind which there is no decision do not count.
    let mut run = run_of_agents(20);
    run.decisions.clear();
    let why = &Summary::of(&run).statistics.undefined["decisions.reliability"];
    assert_eq!(why, "too few trades of decisions: 0 of the 50 that it takes");
}

/// After a ruin there are no returns: that is the reason of all that rests on them, and nothing is
/// extrapolated from them.
#[test]
fn what_a_ruined_account_has_not_is_said_for_its_own_reason() {
    let mut run = sample_run(20);
    let extrapolates = |summary: &Summary| {
        let few = summary.caveats.iter().find(|it| it.contains("less than half a year")).unwrap();
        few.contains("Sharpe")
    };
    assert!(extrapolates(&Summary::of(&run)));
    run.equity.last_mut().unwrap().equity = Money::from_dollars(-1);
    let ruined = Summary::of(&run);
    assert!(!extrapolates(&ruined));
    let undefined = &ruined.statistics.undefined;
    for name in ["sharpe", "confidence_intervals.sharpe"] {
        assert_eq!(undefined[name], "the account was at or below zero at a day's close", "{name}");
    }
}

/// A note that asks doubts the data, and comes before how little there is of it; a file's name asks
/// nothing.
#[test]
fn a_question_mark_in_a_file_s_name_makes_no_doubt_of_a_fact() {
    let mut run = sample_run(10);
    let notes = ["3 rows were refused (the first: es?.csv:7).", "Is `tick_size` right?"];
    run.data_notes = notes.map(str::to_owned).into();
    let caveats = Summary::of(&run).caveats;
    let place = |words: &str| caveats.iter().position(|it| it.contains(words)).unwrap();
    assert!(place("tick_size") < place("Only 10 trading days"));
    assert!(place("Only 10 trading days") < place("es?.csv"));
}

#[test]
fn the_report_asks_nothing_of_any_network() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &sample_run(5));
    let page = read(folder.path(), "report.html");
    assert!(page.contains("Content-Security-Policy\" content=\"default-src 'none';"));
    for request in ["<script src", "<link", "<img", "<iframe", "@import", "url("] {
        assert!(!own_part(&page).contains(request), "{request}");
    }
    assert!(!own_part(&page).contains("http"));
}

#[test]
fn a_damaged_directory_is_refused_by_name_and_the_old_report_stays() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &run_of_agents(5));
    let report = read(folder.path(), "report.html");
    let refusal = || render_report_again(folder.path()).unwrap_err().to_string();
    for (name, from, to, hint) in [
        ("summary.json", "\"seed\": 42", "\"seed\": -1", "line"),
        ("trades.csv", "session_close", "whim", "line"),
        ("equity.csv", "Z,", "Z,x", "line 2: cash `x"),
        ("decisions.csv", "not_ready", "tired", "line 2: reasons `tired`"),
        ("decisions.csv", ",long,0", ",long,x0", "confidence `x0"),
    ] {
        let good = read(folder.path(), name);
        fs::write(folder.path().join(name), good.replacen(from, to, 1)).unwrap();
        let message = refusal();
        assert!(message.contains(name) && message.contains(hint), "{message}");
        fs::remove_file(folder.path().join(name)).unwrap();
        assert!(refusal().contains(name));
        fs::write(folder.path().join(name), good).unwrap();
    }
    assert!(read(folder.path(), "report.html") == report);
    render_report_again(folder.path()).unwrap();
}
