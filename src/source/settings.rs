//! The history of a backtest.

use std::path::PathBuf;

use jiff::civil::Date;

use super::import::{PricesBelowZero, Roll, Stamp};
use super::synthetic::SyntheticSettings;
use crate::settings::settings;

settings! {
    /// `data_handler.backtest_settings`
    ///
    /// A backtest needs exactly one of `file_path` and `synthetic`.
    pub struct BacktestSettings {
        /// The history: a native tick file, or one that an import preset reads. Relative to the
        /// current directory.
        pub file_path: Option<PathBuf> = None, "a file";
        /// A synthetic market instead of a file.
        pub synthetic: Option<SyntheticSettings>;
        /// Import preset of the file; `null`: told from the file. A native file that does not hold
        /// it is refused.
        pub format: Option<String> = None, "an import preset";
        /// Time zone of the file's times, such as `America/Chicago`; `null`: the preset's.
        pub time_zone: Option<String> = None, "an IANA time zone";
        /// Contents of the columns of a text file, such as `date,time,price,-,size`, as
        /// `import --columns` takes it; `null`: what the preset or the header says.
        pub columns: Option<String> = None, "names";
        /// Separator of the columns of a text file; `null`: the preset's.
        pub delimiter: Option<String> = None, "one character, or `tab`";
        /// End of its interval that a bar of a text file is labelled with; `null`: the preset's.
        pub stamp: Option<Stamp> = None;
        /// Length of the file's bars; `null`: the preset's, or told from the first bars.
        pub bar_seconds: Option<u32> = None, 1..=31 * 86_400, "seconds";
        /// Treatment of a row with a price of zero or below.
        pub prices_below_zero: PricesBelowZero = PricesBelowZero::RefuseRow;
        /// Contract of the file's ticks, such as `ESZ3`; `null`: told from the file.
        pub contract: Option<String> = None, "a contract";
        /// Rule by which the series moves to the next contract; `null`: the file holds one contract
        /// or is joined already.
        pub roll: Option<Roll> = None;
        /// The first trading day: the session that closes on this date, such as `2024-01-15`, or
        /// the next one. What the history has before it warms indicators and matrices up, and
        /// nothing is decided; `null`: the history's first.
        pub first_trading_day: Option<Date> = None, "years 1970 to 2199";
        /// The last trading day: the session that closes on this date, or the one before. What the
        /// history has after it is not replayed; `null`: the history's last.
        pub last_trading_day: Option<Date> = None, "years 1970 to 2199, not before the first";
    }
}
