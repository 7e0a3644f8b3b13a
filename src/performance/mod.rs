//! Trade statistics and the report.
//!
//! A finished run is a [`RunRecord`]. [`write_run_directory`] computes its [`Statistics`] and
//! leaves a directory of files for people and scripts, with `report.html` among them;
//! [`render_report_again`] rebuilds `report.html` from the other files alone, and [`stitch_runs`]
//! one run of several.

mod bootstrap;
mod calibration;
mod caveats;
mod csv_row;
mod decision_summary;
mod decisions_csv;
mod drawdown;
mod equity_csv;
mod latency_file;
mod latency_summary;
mod report;
mod run_directory;
mod run_record;
mod settings;
mod statistics;
mod stitch;
mod summary;
mod trades_csv;
mod trading_day;

pub use bootstrap::{BOOTSTRAP_RESAMPLES, Interval, Intervals};
pub use calibration::{Reliability, ReliabilityBin};
pub use caveats::{MADE_UP_MARKET, NOTHING_TO_DECIDE};
pub use decision_summary::DecisionSummary;
pub use latency_summary::{LatencySummary, SpanSummary};
pub use run_directory::{
    HeldDirectory, JOURNAL, Maker, RUN_FILES, RunDirectoryError, WallTimes, belongs_to_a_run,
    check_run_directory, hold_run_directory, render_report_again, write_run_directory,
    write_trades_file,
};
pub use run_record::{DecidedBy, InputDescription, RunRecord};
pub use settings::{OutputSettings, PerformanceSettings};
pub use statistics::{ExitReasonStatistics, Statistics};
pub use stitch::{StitchError, stitch_runs};
pub use summary::{ProcessingTime, Summary};
pub(crate) use trades_csv::TRADES_FILE;
