//! `report.html`: one file that opens offline, with interactive charts.
//!
//! It is a pure function of a run's summary, trades, equity, decisions and configuration, so a run
//! directory can always be rendered again.

mod charts;
mod decision_charts;
pub(super) mod format;
mod sections;
mod tables;

use super::Summary;
use super::trading_day::exchange_time;
use crate::execution::{EquityPoint, Trade};
use crate::market::Timestamp;
use crate::page::{page, plot};
use crate::strategy::DecisionRecord;

/// The content of the report.
pub(super) struct ReportedRun<'a> {
    /// Facts and figures.
    pub summary: &'a Summary,
    /// Round trips in order of exit.
    pub trades: &'a [Trade],
    /// The account in order of time.
    pub equity: &'a [EquityPoint],
    /// The agents' records, in order.
    pub decisions: &'a [DecisionRecord],
    /// The resolved configuration; may be empty.
    pub configuration: &'a str,
}

impl ReportedRun<'_> {
    /// Returns the time on the exchange's clocks, as milliseconds since 1970: the charts know no
    /// zone but UTC.
    fn clock(&self, time: Timestamp) -> i64 {
        plot::clock(exchange_time(self.summary.calendar, time))
    }
}

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");

/// Renders the report as one HTML file.
pub(super) fn render(run: &ReportedRun) -> String {
    let summary = run.summary;
    let title = sections::title(summary);
    let body: String = [
        sections::head(run),
        sections::cards(run),
        sections::caveats(run),
        sections::equity(run),
        sections::trades_on_price(run),
        sections::returns(run),
        sections::trade_outcomes(run),
        sections::exits_and_costs(run),
        sections::decisions(run),
        sections::latency(run),
        sections::statistics(run),
        sections::facts(run),
    ]
    .iter()
    .flat_map(|section| [section.as_str(), "\n"])
    .collect();
    page(&title, STYLE, &body, SCRIPT)
}
