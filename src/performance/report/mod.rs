//! `report.html`: one file that opens offline, with interactive charts.
//!
//! It is a pure function of a run's summary, trades, equity and configuration, so a run directory
//! can always be rendered again.

mod caveats;
mod charts;
mod format;
mod sections;
mod tables;

use super::{EquityPoint, Summary, Trade};
use format::escape;

/// What the report shows.
pub(super) struct Run<'a> {
    /// Facts and figures.
    pub summary: &'a Summary,
    /// Round trips in order of exit.
    pub trades: &'a [Trade],
    /// The account in order of time.
    pub equity: &'a [EquityPoint],
    /// The resolved configuration; may be empty.
    pub configuration: &'a str,
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// The browser itself refuses every request to a network, whatever the scripts would try.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                      img-src data: blob:";

/// The report as one HTML file.
pub(super) fn render(run: &Run) -> String {
    let summary = run.summary;
    let title = format!("{} {} of {}", summary.strategy, summary.mode, summary.instrument);
    let title = escape(&title);
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n"
    );
    page.push_str(&chart_library());
    page.push_str("\n</head>\n<body>\n<main>\n");
    for section in [
        sections::head(run),
        sections::cards(run),
        sections::caveats(run),
        sections::equity(run),
        sections::trades_on_price(run),
        sections::returns(run),
        sections::trade_outcomes(run),
        sections::exits_and_costs(run),
        sections::latency(run),
        sections::statistics(run),
        sections::facts(run),
    ] {
        page.push_str(&section);
        page.push('\n');
    }
    page.push_str("</main>\n<script>\n");
    page.push_str(SCRIPT);
    page.push_str("</script>\n</body>\n</html>\n");
    page
}

/// The script of the charts. The crate offers it together with a typesetter of formulas, which the
/// report does not need: the first of its two scripts is taken.
fn chart_library() -> String {
    const END: &str = "</script>";
    let mut scripts = plotly::Plot::offline_js_sources();
    if let Some(at) = scripts.find(END) {
        scripts.truncate(at + END.len());
    }
    scripts
}
