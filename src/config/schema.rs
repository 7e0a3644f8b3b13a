//! Every key of the configuration file.
//!
//! The tables of `docs/configuration.md` are generated from here and from the rooms' own tables.

use std::path::PathBuf;

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
use crate::source::BacktestSettings;
use crate::source::import::Roll;
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
    /// Login name, password, gateway and system are kept out of every print-out; an empty one
    /// counts as absent.
    #[derive(Eq)]
    pub struct LiveSettings {
        /// Vendor of the feed.
        pub provider: Provider = Provider::Rithmic;
        /// Login name.
        pub user: Option<Secret> = None;
        /// Password, from a variable; not beside `password_file`.
        pub password: Option<Secret> = None;
        /// File with the password alone, on one line. It is refused unless its owner alone may read
        /// it (`chmod 600`).
        pub password_file: Option<PathBuf> = None, "a file of mode 0600";
        /// Address of the gateway, such as `wss://host:port`; `ws://`, which encrypts nothing, only
        /// on this machine.
        pub gateway: Option<Secret> = None;
        /// Name of the system to log in to.
        pub system_name: Option<Secret> = None;
        /// Certificates that the gateway's is verified by, such as those that `rithmic-sim` prints;
        /// `null`: those that the machine trusts.
        pub certificate_authority: Option<PathBuf> = None, "a PEM file";
        /// Name of the program in the login, with the prefix that Rithmic gave you for it.
        pub application_name: String = "algospace-hft".to_owned(), "not empty";
        /// Version of the program in the login; `null`: its own.
        pub application_version: Option<String> = None;
        /// Contract to trade, such as `ESZ6`; `null`: the front month.
        pub contract: Option<String> = None, "a contract of `instrument`";
        /// The day on which a run without a `contract` moves to the next one, if it is flat.
        pub roll: Roll = Roll::Volume;
        /// Native tick file that warms indicators and matrices up before the first entry; `null`:
        /// what the gateway and earlier sessions have.
        pub warm_up: Option<PathBuf> = None, "a native tick file";
        /// Time for which a start waits for the gateway's history, of what was traded since the
        /// last tick that is known; 0: it is not asked, and that is a gap.
        pub history_patience_seconds: u32 = 120, 0..=3600, "seconds";
        /// Least time from one login to the next. Rithmic has one for each plant.
        pub login_spacing_milliseconds: u32 = 500, 0..=60_000, "milliseconds";
        /// Silence of trades or quotes in an open session after which nothing is entered, and the
        /// program subscribes again, and then connects again.
        pub stale_after_seconds: u32 = 60, 1..=600, "seconds";
        /// `true` for a simulator that plays the market at another pace than time passes, as
        /// `rithmic-sim --speed 60` does: then the clock is not doubted.
        pub simulated_pace: bool = false;
    }
}

names! {
    /// `data_handler.live_settings.provider`
    pub enum Provider {
        /// Rithmic.
        Rithmic = "rithmic",
    }
}
