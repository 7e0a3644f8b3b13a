//! A headless browser.

use std::path::Path;
use std::process::{Command, Stdio};

/// The page as it stands after its scripts have run; `None` without a browser.
pub fn opened(page: &Path) -> Option<String> {
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
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    // What the page itself has to complain of: errors of scripts, requests that its policy refuses.
    let complaints: Vec<&str> = log.lines().filter(|line| line.contains(":CONSOLE")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// Returns what the browser made inside the element of a chart.
pub fn chart<'a>(page: &'a str, name: &str) -> &'a str {
    let id = format!("<div id=\"chart-{name}\"");
    let inside = page.split_once(&id).unwrap_or_else(|| panic!("no chart {name}")).1;
    // The script that drew it follows its element.
    inside.split_once("<script").unwrap().0
}
