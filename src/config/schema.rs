//! Every key of the configuration file.
//!
//! The tables of `docs/configuration.md` are generated from here and from the rooms' own tables.

use std::path::PathBuf;

use jiff::civil::Date;

use super::Secret;
use super::source::WrittenKeys;
use crate::agents::{MarlCoreSettings, RegimeSettings};
use crate::bars::BarSettings;
use crate::engine::pinned::RunnerSettings;
use crate::execution::{AccountSettings, ExecutionSettings, RiskSettings};
use crate::features::IndicatorSettings;
use crate::inference::InferenceSettings;
use crate::market::{Calendar, Money, Price};
use crate::matrix::MatricesSettings;
use crate::performance::{OutputSettings, PerformanceSettings};
use crate::settings::{names, settings};
use crate::source::import::{PricesBelowZero, Stamp};
use crate::strategy::StrategySettings;

settings! {
    /// The whole configuration. Every section may be left out.
    pub struct Config {
        /// Mode and seed.
        pub system: SystemSettings;
        /// Symbol of the instrument to trade. Built in are ES, MES, NQ, MNQ, YM, MYM, RTY, M2K, GC
        /// and 6E.
        pub instrument: String = "ES".to_owned(), "a built-in symbol or one of `instruments`";
        /// Instruments of the user's own, beside the built-in ones.
        pub instruments: Vec<InstrumentSettings>;
        /// Sources of ticks.
        pub data_handler: DataHandlerSettings;
        /// Bars that are built.
        pub bars: BarSettings;
        /// Indicators, and the bars that each is computed on.
        pub indicators: IndicatorSettings;
        /// Windows of features for the agents.
        pub matrices: MatricesSettings;
        /// The strategy.
        pub strategy: StrategySettings;
        /// Fills and costs of orders.
        pub execution: ExecutionSettings;
        /// Limits that no decision can pass.
        pub risk_management: RiskSettings;
        /// The account.
        pub account: AccountSettings;
        /// The agents' core. No effect unless `strategy.kind` is `marl`.
        pub marl_core: MarlCoreSettings;
        /// The regime engine. No effect unless `strategy.kind` is `marl`.
        pub rde: RegimeSettings;
        /// The backend of the networks. No effect unless `strategy.kind` is `marl`.
        pub inference: InferenceSettings;
        /// Runner, threads and pace of the stages.
        pub pipeline: RunnerSettings;
        /// Statistics of the report.
        pub performance: PerformanceSettings;
        /// Place of a run's results.
        pub output: OutputSettings;
    }
    beside
    /// Keys that the file had, for [`Config::notes`].
    pub(super) written: WrittenKeys;
}

settings! {
    /// `system`
    #[derive(Copy, Eq)]
    pub struct SystemSettings {
        /// Mode of the program.
        pub mode: Mode = Mode::Backtest;
        /// Seed of every random draw.
        pub seed: u64 = 42, 0..=u64::MAX;
    }
}

names! {
    /// `system.mode`
    pub enum Mode {
        /// Replay history with simulated fills.
        Backtest = "backtest",
        /// Live data with simulated fills.
        Paper = "paper",
        /// Live data and real orders.
        Live = "live",
    }
}

settings! {
    /// One entry of `instruments`: a futures product that is not built in.
    #[derive(Eq)]
    pub struct InstrumentSettings {
        /// Its name in `instrument`; not a built-in symbol.
        pub symbol: String = else "required", "1 to 7 upper-case letters or digits";
        /// Description for people.
        pub description: String = else "empty", "any";
        /// The smallest price step.
        pub tick_size: Price = else "required", "above 0", "points";
        /// Money for one contract when the price moves one point.
        pub point_value: Money = else "required", "above 0", "dollars";
        /// Its trading hours.
        pub calendar: Calendar = else "required";
    }
}

settings! {
    /// `data_handler`
    pub struct DataHandlerSettings {
        /// The live feed. No effect in a backtest.
        pub live_settings: LiveSettings;
        /// The history. No effect in paper and live trading.
        pub backtest_settings: BacktestSettings;
    }
}

settings! {
    /// `data_handler.live_settings`
    ///
    /// The four texts are kept out of every print-out; an empty one counts as absent.
    #[derive(Eq)]
    pub struct LiveSettings {
        /// Vendor of the feed.
        pub provider: Provider = Provider::Rithmic;
        /// Login name.
        pub user: Option<Secret> = None;
        /// Password.
        pub password: Option<Secret> = None;
        /// Address of the gateway, such as `wss://host:port`.
        pub gateway: Option<Secret> = None;
        /// Name of the system to log in to.
        pub system_name: Option<Secret> = None;
    }
}

names! {
    /// `data_handler.live_settings.provider`
    pub enum Provider {
        /// Rithmic.
        Rithmic = "rithmic",
    }
}

settings! {
    /// `data_handler.backtest_settings`
    ///
    /// A backtest needs exactly one of `file_path` and `synthetic`.
    pub struct BacktestSettings {
        /// The history: a native tick file, or one that an import preset reads. Relative to the
        /// current directory.
        pub file_path: Option<PathBuf> = None, "a file";
        /// A made-up market instead of a file.
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
        pub roll: Option<RollSetting> = None;
        /// The first trading day: the session that closes on this date, such as `2024-01-15`, or
        /// the next one. What the history has before it warms indicators and matrices up, and
        /// nothing is decided; `null`: the history's first.
        pub first_trading_day: Option<Date> = None, "years 1970 to 2199";
        /// The last trading day: the session that closes on this date, or the one before. What the
        /// history has after it is not replayed; `null`: the history's last.
        pub last_trading_day: Option<Date> = None, "years 1970 to 2199, not before the first";
    }
}

settings! {
    /// `data_handler.backtest_settings.synthetic`
    #[derive(Copy)]
    pub struct SyntheticSettings {
        /// The market.
        pub market: SyntheticMarket = SyntheticMarket::Regimes;
        /// Length.
        pub days: u32 = 20, 1..=10_000, "trading days";
        /// Seed of this market; `null`: `system.seed`.
        pub seed: Option<u64> = None, 0..=u64::MAX;
        /// Trades on an average day.
        pub trades_per_day: u32 = 340_000, 1..=10_000_000, "trades";
        /// Drift of a trend of `regimes` in half an hour of a regular session: the strength of the
        /// planted edge.
        pub trend_ticks_per_half_hour: f64 = 12.0, 0.0..=100.0, "ticks";
        /// Mean length of a trend of `regimes` in hours of trading: how long there is to find it.
        pub trend_hours: f64 = 3.0, 0.01..=10_000.0, "hours";
        /// Mean length of a range of `regimes` in hours of trading.
        pub range_hours: f64 = 3.0, 0.01..=10_000.0, "hours";
    }
}

names! {
    /// `data_handler.backtest_settings.synthetic.market`
    pub enum SyntheticMarket {
        /// A fair game: no strategy can profit before costs.
        Martingale = "martingale",
        /// Trends, ranges and shocks by turns.
        Regimes = "regimes",
    }
}

names! {
    /// `data_handler.backtest_settings.roll`
    pub enum RollSetting {
        /// On the customary day.
        Calendar = "calendar",
        /// As soon as the next contract trades more.
        Volume = "volume",
    }
}
