//! Opens `report.html` in a headless browser and looks whether the charts are really drawn.

use crate::browser::{chart, opened};
use crate::sample_run::{HOSTILE, empty_run, run_of_agents, wall_times};
use algospace_hft::performance::write_run_directory;

#[test]
fn every_chart_is_drawn() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run_of_agents(40);
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
        ("confidence", "class=\"js-line\"", 4),
        ("confidence", "class=\"point\"", trades),
        ("votes", "class=\"js-line\"", 3),
        ("regime", "class=\"hm\"", 1),
        ("refusals", "class=\"point\"", 2),
        ("reliability", "class=\"point\"", 15),
        ("latency", "class=\"point\"", 9),
        ("percentiles", "class=\"js-line\"", 5),
        ("percentiles", "class=\"point\"", 100),
    ] {
        let inside = chart(&page, name);
        assert!(inside.contains("class=\"main-svg\""), "{name} is not drawn");
        let found = inside.matches(mark).count();
        assert!(found >= least, "{name}: {found} of {least} {mark}");
    }
    let drawn = page.matches("<div id=\"chart-").count();
    assert_eq!(drawn, 13, "a chart is not looked at here");
}

#[test]
fn a_run_without_trades_opens_too() {
    let folder = tempfile::tempdir().unwrap();
    write_run_directory(folder.path(), &empty_run(), wall_times()).unwrap();
    let Some(page) = opened(&folder.path().join("report.html")) else {
        return;
    };
    assert!(page.contains("There are no equity points."));
    assert!(!page.contains("id=\"chart-"));
}
