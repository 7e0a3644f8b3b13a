//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use jiff::civil::Date;

use crate::market::Price;
use crate::source::import::{
    IdenticalTrades, ImplausiblePrices, LateRows, Layout, OffTickPrices, PricesBelowZero, Roll,
    Stamp, delimiter,
};
use crate::source::synthetic::{SyntheticMarket, SyntheticSettings};

/// Trades CME index futures and replays history through the same code
///
/// `algospace-hft --config config/backtest.yaml` runs a backtest and writes a report; the commands
/// below prepare and inspect its data. `check --config config/paper.yaml` says what paper trading
/// lacks; docs/live.md is its guide. Exit status: 0 done, 1 the run failed, 2 bad usage or bad
/// configuration, 3 (`replay --verify`) no difference, but not everything could be compared, 130
/// ended by a second signal.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(super) struct Arguments {
    /// Run what this configuration file describes (its `system.mode`: backtest, paper or live)
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Print results as JSON, for scripts; in paper trading also the status, a line a second
    #[arg(long, global = true)]
    pub(super) json: bool,

    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Validate a configuration and its history, or its login for paper trading; change nothing,
    /// connect to nobody
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Turn any history into a native tick file
    Import(ImportArguments),
    /// Generate a synthetic market as a native tick file
    Synth(SynthArguments),
    /// Write the output of a stage over the history to a table, or draw it
    Inspect {
        /// Output to write
        what: Inspected,
        /// The configuration file: its history, bars and strategy
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The file to write: .csv or .parquet; trades only .csv, a chart .html
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        /// The session to draw, by the date on which it closes [default: the last whole one]
        #[arg(long, value_name = "DATE")]
        day: Option<Date>,
    },
    /// Run a journal again, event by event, and compare each action with the recorded one
    Replay {
        /// The journal: run.journal in a run's output directory, or a directory with a chain of
        /// journals
        journal: PathBuf,
        /// Fail unless every decision, order, fill and trade is the same: exit status 1 if one is
        /// not, 3 if the journal does not hold the whole run or the replay was stopped
        #[arg(long)]
        verify: bool,
        /// Write the run's files to this directory: the same trades.csv and equity.csv
        #[arg(long, value_name = "DIR")]
        output: Option<PathBuf>,
    },
    /// Make one run of several that follow each other in time, such as a walk-forward's tests: one
    /// equity curve, one report
    Stitch {
        /// The runs' output directories, in any order; their days must not overlap
        #[arg(required = true, num_args = 2.., value_name = "RUN_DIR")]
        run_dirs: Vec<PathBuf>,
        /// The directory to write: report.html, summary.json, trades.csv, equity.csv and so on
        #[arg(long, value_name = "DIR")]
        output: PathBuf,
    },
    /// Rebuild report.html of a finished run from the other files of its directory
    Report {
        /// The run's output directory
        run_dir: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Inspected {
    /// Every closed bar of every configured timeframe
    Bars,
    /// Every feature at the close of every bar; docs/features.md describes them
    Features,
    /// Every row that enters a matrix, scaled; docs/features.md describes the matrices
    Matrices,
    /// Every round trip, as in a run's trades.csv
    Trades,
    /// Every decision of the agents with its votes, proposal and reasons; docs/decisions.md
    /// describes the columns
    Decisions,
    /// A session's 5-minute bars with its indicators
    Chart,
}

#[derive(Debug, Args)]
#[command(after_long_help = IMPORT_EXAMPLES)]
pub(super) struct ImportArguments {
    /// Layout of the input; `--list` shows all of them
    #[arg(long, value_name = "PRESET", required_unless_present = "list")]
    pub(super) format: Option<String>,
    /// Files, or folders whose files are read in order of their names
    #[arg(long, value_name = "PATH", num_args = 1.., required_unless_present = "list")]
    pub(super) input: Vec<PathBuf>,
    /// The native tick file to write
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    pub(super) output: Option<PathBuf>,
    /// List the presets and stop
    #[arg(long)]
    pub(super) list: bool,
    /// The instrument's symbol, built in or from --config
    #[arg(long, default_value = "ES")]
    pub(super) instrument: String,
    /// A configuration with instruments of your own
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Take only this contract, such as ESZ3
    #[arg(long)]
    pub(super) contract: Option<String>,
    /// Join several contracts: when to move to the next one
    #[arg(long, value_enum)]
    pub(super) roll: Option<Roll>,
    /// Adjustment of the prices of joined contracts
    #[arg(long, value_enum, default_value_t = Adjust::None, requires = "roll")]
    pub(super) adjust: Adjust,
    /// IANA zone of times without an offset, such as America/Chicago [default: the preset's]
    #[arg(long, value_name = "ZONE")]
    pub(super) time_zone: Option<String>,
    /// Seconds in a bar [default: the preset's, or found from the first bars]
    #[arg(long, value_name = "SECONDS")]
    pub(super) bar_seconds: Option<u32>,
    /// Contents of a text file's columns, such as date,time,price,-,size; `-` is not read, `...`
    /// at the end lets more follow [default: the preset's, or the header's]
    #[arg(long, value_name = "NAMES")]
    pub(super) columns: Option<Layout>,
    /// Separator of a text file's columns: one character, or `tab` [default: the preset's]
    #[arg(long, value_name = "CHARACTER", value_parser = delimiter)]
    pub(super) delimiter: Option<u8>,
    /// The end of its interval with which a bar of a text file is labelled [default: the preset's]
    #[arg(long, value_enum)]
    pub(super) stamp: Option<Stamp>,
    /// Factor from stored prices to prices, for Sierra Chart files (some hold prices × 100: 0.01)
    #[arg(long, value_name = "FACTOR", default_value = "1")]
    pub(super) price_multiplier: Price,
    /// Treatment of a row whose time is before the last row's
    #[arg(long, value_enum, default_value_t)]
    pub(super) late_rows: LateRows,
    /// Treatment of a price that is not a whole number of ticks
    #[arg(long, value_enum, default_value_t)]
    pub(super) off_tick: OffTickPrices,
    /// Treatment of a price of zero or below
    #[arg(long, value_enum, default_value_t)]
    pub(super) prices_below_zero: PricesBelowZero,
    /// Treatment of a trade that equals the one before in every field
    #[arg(long, value_enum, default_value_t)]
    pub(super) identical_trades: IdenticalTrades,
    /// Treatment of a row whose prices contradict those before and after it
    #[arg(long, value_enum, default_value_t)]
    pub(super) implausible_prices: ImplausiblePrices,
    /// Fail if more than this part of all rows (0 to 0.5) is refused; 0 takes a whole file or none
    #[arg(long, value_name = "FRACTION", default_value_t = 0.5)]
    pub(super) max_refused: f64,
    /// File for refused rows [default: OUTPUT.rejects.csv]
    #[arg(long, value_name = "FILE")]
    pub(super) rejects: Option<PathBuf>,
}

const IMPORT_EXAMPLES: &str = "Examples:
  algospace-hft import --format tick-csv --input ticks.csv --output es.ticks
  algospace-hft import --format bar-csv-day-first --time-zone Asia/Jerusalem \\
      --input data/ES_historical.csv --output es.ticks
  algospace-hft import --format lean --input data/cme/minute/es --roll volume --output es.ticks
  algospace-hft import --format databento --input es.dbn.zst --contract ESH4 --output esh4.ticks";

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Adjust {
    /// Prices as traded
    None,
    /// Earlier contracts moved by the gaps of the later rolls ("Panama")
    Back,
}

#[derive(Debug, Args)]
pub(super) struct SynthArguments {
    /// The market: `martingale` has no edge, `regimes` has a planted one
    #[arg(long, value_enum)]
    pub(super) market: SyntheticMarket,
    /// Trading days
    #[arg(long, default_value_t = SyntheticSettings::default().days)]
    pub(super) days: u32,
    /// Seed; the same seed gives the same ticks
    #[arg(long, default_value_t = 42)]
    pub(super) seed: u64,
    /// Trades of an average day
    #[arg(long, default_value_t = SyntheticSettings::default().trades_per_day)]
    pub(super) trades_per_day: u32,
    /// Strength of the edge of `regimes`: ticks that a trend drifts in half an hour of a regular
    /// session
    #[arg(long, default_value_t = SyntheticSettings::default().trend_ticks_per_half_hour)]
    pub(super) trend_ticks_per_half_hour: f64,
    /// Mean length of a trend of `regimes` in hours of trading: the time in which to detect it
    #[arg(long, default_value_t = SyntheticSettings::default().trend_hours)]
    pub(super) trend_hours: f64,
    /// Mean length of a range of `regimes` in hours of trading
    #[arg(long, default_value_t = SyntheticSettings::default().range_hours)]
    pub(super) range_hours: f64,
    /// The native tick file to write
    #[arg(long, value_name = "FILE")]
    pub(super) output: PathBuf,
}
