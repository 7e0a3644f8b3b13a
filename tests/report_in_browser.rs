//! Opens `report.html` in a headless browser and looks whether the charts are really drawn.

mod sample_run;

use std::path::Path;
use std::process::{Command, Stdio};

use algospace_hft::performance::write_run_directory;
use sample_run::{HOSTILE, empty_run, sample_run, wall_times};

/// The page as it stands after its scripts have run; `None` without a browser.
fn opened(report: &Path) -> Option<String> {
    let browser = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(|name| {
        let version = Command::new(name).arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    });
    let Some(browser) = browser else {
        eprintln!("skipped: no chromium, chromium-browser or google-chrome on PATH");
        return None;
    };
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .args(["--enable-logging=stderr", "--window-size=1280,2000"])
        .args(["--virtual-time-budget=20000", "--dump-dom"])
        .arg(format!("file://{}", report.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    // What the page itself has to complain of: errors of scripts, requests that its policy refuses.
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// What the browser made inside the element of a chart.
fn chart<'a>(page: &'a str, name: &str) -> &'a str {
    let id = format!("<div id=\"chart-{name}\"");
    let inside = page.split_once(&id).unwrap_or_else(|| panic!("no chart {name}")).1;
    // The script that drew it follows its element.
    inside.split_once("<script").unwrap().0
}

#[test]
fn every_chart_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = sample_run(40);
    run.contract_symbols = vec![HOSTILE.to_owned()];
    write_run_directory(folder.path(), &run, wall_times()).unwrap();
    let Some(page) = opened(&folder.path().join("report.html")) else {
        return;
    };
    // What each chart must hold, so that an empty frame does not pass.
    let trades = run.trades.len();
    let won = run.trades.iter().filter(|trade| trade.net_pnl().nanos() > 0).count();
    for (name, mark, least) in [
        ("equity", "class=\"js-line\"", 3),
        ("trades", "class=\"point\"", 2 * trades),
        ("hours", "class=\"point\"", 20),
        ("distribution", "class=\"point\"", 10),
        ("exits", "class=\"point\"", 4),
        ("excursions", "class=\"point\"", won),
        ("latency", "class=\"point\"", 9),
    ] {
        let inside = chart(&page, name);
        assert!(inside.contains("class=\"main-svg\""), "{name} is not drawn");
        let found = inside.matches(mark).count();
        assert!(found >= least, "{name}: {found} of {least} {mark}");
    }
    let drawn = page.matches("<div id=\"chart-").count();
    assert_eq!(drawn, 7, "a chart is not looked at here");
}

#[test]
fn a_run_without_trades_opens_too() {
    let folder = tempfile::tempdir().unwrap();
    write_run_directory(folder.path(), &empty_run(), wall_times()).unwrap();
    let Some(page) = opened(&folder.path().join("report.html")) else {
        return;
    };
    assert!(page.contains("There is no equity point."));
    assert!(!page.contains("id=\"chart-"));
}
