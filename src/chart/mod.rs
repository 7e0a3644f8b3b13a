//! A chart of a stretch of bars with what the indicators made of them: one HTML file that opens
//! offline.
//!
//! A candle covers its whole interval. Everything else stands where it became known, the close of
//! its bar, so the chart shows at each instant what a strategy could have seen then.

mod draw;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::market::{Bar, Timeframe, Timestamp};
use crate::page::{PAGE, escape, page};
use crate::whole_file;

/// The content of a chart. Prices are in points; NaN is no value.
#[derive(Clone, Debug)]
pub struct ChartInput {
    /// Symbol of the product, such as `ES`.
    pub instrument: String,
    /// Symbol of the contract; empty if it is not known.
    pub contract: String,
    /// The day, for the title.
    pub day: Date,
    /// The zone whose clock is shown.
    pub time_zone: TimeZone,
    /// Length of `bars`.
    pub fast: Timeframe,
    /// Length of the bars that `slow_points` come from.
    pub slow: Timeframe,
    /// The candles, in order, at least one. Time that none of them covers takes no room.
    pub bars: Vec<ChartBar>,
    /// Fair value gaps; what lies outside the bars is cut off.
    pub gaps: Vec<ChartGap>,
    /// Values of the slow indicators, in order of time. The first may be of before the bars: it
    /// holds until the second.
    pub slow_points: Vec<SlowPoint>,
    /// Notes for the reader, a sentence each.
    pub notes: Vec<String>,
}

/// A candle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartBar {
    /// Its start.
    pub start: Timestamp,
    /// Its end.
    pub end: Timestamp,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Contracts traded.
    pub volume: u64,
}

impl From<&Bar> for ChartBar {
    fn from(bar: &Bar) -> ChartBar {
        ChartBar {
            start: bar.start,
            end: bar.end,
            open: bar.open.as_f64(),
            high: bar.high.as_f64(),
            low: bar.low.as_f64(),
            close: bar.close.as_f64(),
            volume: bar.volume,
        }
    }
}

/// A fair value gap.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChartGap {
    /// Below the price; else bearish, above it.
    pub bullish: bool,
    /// Time at which it was confirmed.
    pub from: Timestamp,
    /// Time at which it was filled or dropped; `None` if it was still open at the end.
    pub until: Option<Timestamp>,
    /// Upper edge.
    pub top: f64,
    /// Lower edge.
    pub bottom: f64,
}

/// The slow indicators' values of one bar.
#[derive(Clone, Debug, PartialEq)]
pub struct SlowPoint {
    /// Time at which they became known.
    pub known: Timestamp,
    /// The Nadaraya-Watson estimate.
    pub estimate: f64,
    /// The faster Nadaraya-Watson estimate.
    pub fast_estimate: f64,
    /// The low-volume node nearest to the close.
    pub nearest_node: f64,
    /// All low-volume nodes.
    pub nodes: Vec<f64>,
    /// The point of control.
    pub point_of_control: f64,
    /// Upper edge of the value area.
    pub value_area_high: f64,
    /// Lower edge of the value area.
    pub value_area_low: f64,
    /// The momentum index's vote.
    pub vote: f64,
    /// The average of the vote.
    pub vote_average: f64,
    /// The upper band of the vote.
    pub vote_upper: f64,
    /// The lower band of the vote.
    pub vote_lower: f64,
    /// +1 where the momentum index's fast average crosses over the slow one, −1 under, else 0.
    pub crossing: i8,
}

/// A chart that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// There is nothing to draw.
    #[error("{path}: there is no bar to draw; choose a stretch of time with trades")]
    NoBars {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be written.
    #[error("{path}: cannot write: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

/// Draws the chart into `path`, an HTML file of 5 MB, most of it the script that draws. It appears
/// when it is whole.
///
/// # Errors
/// If there is no bar, or the file cannot be written; what stood there is kept.
pub fn write_chart(path: &Path, input: &ChartInput) -> Result<(), ChartError> {
    let html = render(input).ok_or_else(|| ChartError::NoBars { path: path.to_owned() })?;
    let write = || -> io::Result<()> {
        let mut file = whole_file::begin(path, &PAGE)?;
        file.write_all(html.as_bytes())?;
        whole_file::put_in_place(file, path, &PAGE)
    };
    write().map_err(|source| ChartError::Write { path: path.to_owned(), source })
}

/// Renders the page; `None` without bars.
fn render(input: &ChartInput) -> Option<String> {
    let (first, last) = (input.bars.first()?, input.bars.last()?);
    let contract = match input.contract.as_str() {
        contract if contract.is_empty() || contract == input.instrument => String::new(),
        contract => format!(" ({contract})"),
    };
    let day = input.day.strftime("%A, %-d %B %Y");
    let bars = |timeframe: Timeframe| match timeframe.is_daily() {
        true => "daily bars".to_owned(),
        false => format!("{}-minute bars", timeframe.minutes()),
    };
    let title = format!("{}{contract}, {day}, {}", input.instrument, bars(input.fast));
    let mut notes = String::new();
    for note in &input.notes {
        notes.push_str(&format!("<p class=\"note\">{}</p>\n", escape(note)));
    }
    let chart = draw::chart(input, first.start, last.end);
    let body = format!(
        "<h1>{}</h1>\n<p>Times are those of {}. Candles are {}; lines, nodes and the momentum index \
         come from {} and stand where they became known, at their bar’s close.</p>\n\
         {notes}{chart}\n",
        escape(&title),
        escape(&draw::zone_name(&input.time_zone, first.start)),
        bars(input.fast),
        bars(input.slow),
    );
    Some(page(&title, include_str!("style.css"), &body, include_str!("follow.js")))
}
