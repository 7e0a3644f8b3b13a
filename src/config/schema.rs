//! Every key of the configuration file, its unit, range and default.
//!
//! The same is told to users in `docs/configuration.md`; the ranges are enforced in `validate.rs`.

use std::fmt;
use std::path::PathBuf;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::Secret;
use super::source::WrittenKeys;
use super::value;
use crate::engine::pinned::ThreadLayout;
use crate::features::IndicatorSettings;
use crate::machine::Wait;
use crate::market::{Calendar, Money, Price, Timeframe};
use crate::matrix::MatricesSettings;

/// The whole configuration. Every section may be left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the program does.
    pub system: SystemSettings,
    /// Symbol of the instrument to trade: a built-in one or one of `instruments`. Default `ES`.
    pub instrument: String,
    /// Instruments of the user's own, beside the built-in ones. Default none.
    pub instruments: Vec<InstrumentSettings>,
    /// Where ticks come from.
    pub data_handler: DataHandlerSettings,
    /// Which bars are built.
    pub bars: BarSettings,
    /// Which indicators are computed, on which bars.
    pub indicators: IndicatorSettings,
    /// What the agents see of them.
    pub matrices: MatricesSettings,
    /// Who decides.
    pub strategy: StrategySettings,
    /// How orders are filled and what they cost.
    pub execution: ExecutionSettings,
    /// Limits that no decision can pass.
    pub risk_management: RiskSettings,
    /// The account.
    pub account: AccountSettings,
    /// The agents' core. No effect unless `strategy.kind` is `marl`.
    pub marl_core: MarlCoreSettings,
    /// The regime engine. No effect unless `strategy.kind` is `marl`.
    pub rde: RegimeSettings,
    /// What runs the networks. No effect unless `strategy.kind` is `marl`.
    pub inference: InferenceSettings,
    /// How the stages run.
    pub pipeline: PipelineSettings,
    /// Statistics of the report.
    pub performance: PerformanceSettings,
    /// Where a run's results go.
    pub output: OutputSettings,
    /// Which keys the file had, for [`Config::notes`].
    #[serde(skip)]
    pub(super) written: WrittenKeys,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            system: SystemSettings::default(),
            instrument: "ES".to_owned(),
            instruments: Vec::new(),
            data_handler: DataHandlerSettings::default(),
            bars: BarSettings::default(),
            indicators: IndicatorSettings::default(),
            matrices: MatricesSettings::default(),
            strategy: StrategySettings::default(),
            execution: ExecutionSettings::default(),
            risk_management: RiskSettings::default(),
            account: AccountSettings::default(),
            marl_core: MarlCoreSettings::default(),
            rde: RegimeSettings::default(),
            inference: InferenceSettings::default(),
            pipeline: PipelineSettings::default(),
            performance: PerformanceSettings::default(),
            output: OutputSettings::default(),
            written: WrittenKeys::default(),
        }
    }
}

/// `system`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SystemSettings {
    /// What to do. Default `backtest`.
    pub mode: Mode,
    /// Seed of every random draw. Any whole number from 0 to 2⁶⁴ − 1. Default 42.
    pub seed: u64,
}

impl Default for SystemSettings {
    fn default() -> SystemSettings {
        SystemSettings { mode: Mode::Backtest, seed: 42 }
    }
}

/// `system.mode`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Replay history with simulated fills.
    #[default]
    Backtest,
    /// Live data with simulated fills.
    Paper,
    /// Live data and real orders.
    Live,
}

/// One entry of `instruments`: a futures product that is not built in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstrumentSettings {
    /// 1 to 7 upper-case letters or digits; not a built-in symbol. Required.
    pub symbol: String,
    /// What it is, for people. Default empty.
    #[serde(default)]
    pub description: String,
    /// The smallest price step, in points, above 0, at most 9 decimals. Required.
    #[serde(with = "value::price")]
    pub tick_size: Price,
    /// Dollars for one contract when the price moves one point, above 0. Required.
    #[serde(with = "value::money")]
    pub point_value: Money,
    /// When it trades: `cme_equity_index`, `comex_metals`, `cme_fx` or `always_open`. Required.
    #[serde(with = "value::calendar")]
    pub calendar: Calendar,
}

/// `data_handler`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataHandlerSettings {
    /// The live feed. No effect in a backtest.
    pub live_settings: LiveSettings,
    /// The history. No effect in paper and live trading.
    pub backtest_settings: BacktestSettings,
}

/// `data_handler.live_settings`
///
/// The four texts are kept out of every print-out; an empty one counts as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LiveSettings {
    /// Whose feed. Default `rithmic`, the only one.
    pub provider: Provider,
    /// Login name. Default absent.
    #[serde(deserialize_with = "value::optional_text")]
    pub user: Option<Secret>,
    /// Password. Default absent.
    #[serde(deserialize_with = "value::optional_text")]
    pub password: Option<Secret>,
    /// Address of the gateway, such as `wss://host:port`. Default absent.
    #[serde(deserialize_with = "value::optional_text")]
    pub gateway: Option<Secret>,
    /// Name of the system to log in to. Default absent.
    #[serde(deserialize_with = "value::optional_text")]
    pub system_name: Option<Secret>,
}

/// `data_handler.live_settings.provider`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Provider {
    /// Rithmic R|Protocol.
    #[default]
    Rithmic,
}

/// `data_handler.backtest_settings`
///
/// A backtest needs exactly one of `file_path` and `synthetic`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BacktestSettings {
    /// The history, relative to the current directory. Default absent.
    #[serde(deserialize_with = "value::optional_text")]
    pub file_path: Option<PathBuf>,
    /// A made-up market instead of a file. Default absent.
    pub synthetic: Option<SyntheticSettings>,
    /// Import preset of the file. Default absent: told from the file itself.
    #[serde(deserialize_with = "value::optional_text")]
    pub format: Option<String>,
    /// IANA time zone of the file's times, such as `America/Chicago`. Default absent: the preset's.
    #[serde(deserialize_with = "value::optional_text")]
    pub time_zone: Option<String>,
    /// What the columns of a text file hold, such as `date,time,price,-,size`, as `import --columns` takes it. Default absent:
    /// what the preset or the header says.
    #[serde(deserialize_with = "value::optional_text")]
    pub columns: Option<String>,
    /// What stands between the columns of a text file: one character, or `tab`. Default absent: the preset's.
    #[serde(deserialize_with = "value::optional_text")]
    pub delimiter: Option<String>,
    /// Which end of its interval a bar of a text file is labelled with. Default absent: the preset's.
    pub stamp: Option<BarStamp>,
    /// Seconds in a bar, 1 to 2,678,400. Default absent: the preset's, or told from the first bars.
    pub bar_seconds: Option<u32>,
    /// What becomes of a row with a price of zero or below. Default `refuse_row`.
    pub prices_below_zero: BelowZero,
    /// Contract of the file's ticks, such as `ESZ3`. Default absent: told from the file.
    #[serde(deserialize_with = "value::optional_text")]
    pub contract: Option<String>,
    /// When the series moves to the next contract. Default absent: the file holds one contract or
    /// is joined already.
    pub roll: Option<RollSetting>,
    /// The first trading day: the session that closes on this date, or the next one. What the history has before it warms
    /// indicators and matrices up and nothing is decided. Default absent: the history's first.
    pub first_trading_day: Option<Date>,
    /// The last trading day: the session that closes on this date, or the one before. What the history has after it is not
    /// replayed. Default absent: the history's last.
    pub last_trading_day: Option<Date>,
}

/// `data_handler.backtest_settings.stamp`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BarStamp {
    /// A bar is labelled with its first instant.
    Start,
    /// A bar is labelled with the first instant after it.
    End,
}

/// `data_handler.backtest_settings.prices_below_zero`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BelowZero {
    /// The row is refused.
    #[default]
    RefuseRow,
    /// A price like any other.
    Keep,
}

/// `data_handler.backtest_settings.synthetic`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SyntheticSettings {
    /// Which market. Default `regimes`.
    pub market: SyntheticMarket,
    /// Trading days, 1 to 10,000. Default 20.
    pub days: u32,
    /// Seed of this market. Default absent: `system.seed`; see [`Config::synthetic_seed`].
    pub seed: Option<u64>,
    /// Trades on an average day, 1 to 10,000,000. Default 340,000, as ES has.
    pub trades_per_day: u32,
    /// How strong the edge of `regimes` is: ticks that a trend drifts in half an hour of a regular session, 0 to 100.
    /// Default 12. No effect on `martingale`.
    pub trend_ticks_per_half_hour: f64,
    /// Mean length of a trend of `regimes` in hours of trading, 0.01 to 10,000: how long there is to find it out. Default 3.
    /// No effect on `martingale`.
    pub trend_hours: f64,
    /// Likewise of a range.
    pub range_hours: f64,
}

impl Default for SyntheticSettings {
    fn default() -> SyntheticSettings {
        SyntheticSettings {
            market: SyntheticMarket::Regimes,
            days: 20,
            seed: None,
            trades_per_day: 340_000,
            trend_ticks_per_half_hour: 12.0,
            trend_hours: 3.0,
            range_hours: 3.0,
        }
    }
}

/// `data_handler.backtest_settings.synthetic.market`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SyntheticMarket {
    /// A fair game: no strategy can profit before costs.
    Martingale,
    /// Trends, ranges and shocks by turns.
    #[default]
    Regimes,
}

/// `data_handler.backtest_settings.roll`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollSetting {
    /// On the customary day.
    Calendar,
    /// When the next contract trades more.
    Volume,
}

/// `bars`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BarSettings {
    /// Minutes that divide a day, or `daily`: 1 to 16 different ones, of which the strategy's must be
    /// one. Written in any order, held from the shortest to the longest. Default 5 and 30.
    pub timeframes: Vec<Timeframe>,
    /// Longest silence inside a session that is filled with flat bars, in minutes, 0 (never) to
    /// 1,440. Default 60.
    pub fill_gaps_up_to_minutes: u32,
}

impl Default for BarSettings {
    fn default() -> BarSettings {
        BarSettings {
            timeframes: vec![Timeframe::MINUTES_5, Timeframe::MINUTES_30],
            fill_gaps_up_to_minutes: 60,
        }
    }
}

/// `strategy`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StrategySettings {
    /// Who decides. Default `marl`.
    pub kind: StrategyKind,
    /// The rule strategy. No effect unless `kind` is `baseline`.
    pub baseline: BaselineSettings,
    /// Entries at random. No effect unless `kind` is `random_entries`.
    pub random_entries: RandomEntriesSettings,
}

impl StrategySettings {
    /// Timeframe on whose bars the chosen strategy decides; `None` for `marl`, where the model set says it.
    pub fn timeframe(&self) -> Option<Timeframe> {
        match self.kind {
            StrategyKind::Baseline => Some(self.baseline.timeframe),
            StrategyKind::RandomEntries => Some(self.random_entries.timeframe),
            StrategyKind::Marl => None,
        }
    }
}

/// `strategy.kind`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StrategyKind {
    /// Two moving averages.
    Baseline,
    /// Entries at random: what luck alone earns under the same costs.
    RandomEntries,
    /// The team of agents.
    #[default]
    Marl,
}

/// `strategy.baseline`: long while the fast average is above the slow one, short while it is below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BaselineSettings {
    /// Bars on whose close it decides: one of `bars.timeframes`. Default 5.
    pub timeframe: Timeframe,
    /// Bars in the fast average, 1 to 9,999, below `slow_period`. Default 10.
    pub fast_period: u32,
    /// Bars in the slow average, 2 to 10,000. Default 30.
    pub slow_period: u32,
    /// Contracts an entry, 1 to 10,000, at most `risk_management.max_position_size`. Default 1.
    pub quantity: u32,
    /// Distance of the stop from the entry in ticks, 1 to 100,000. Default 16.
    pub stop_loss_ticks: u32,
    /// Distance of the target from the entry in ticks, 1 to 100,000. Default 32.
    pub profit_target_ticks: u32,
    /// No position while the averages are this near to each other, in ticks, 0 to 100,000.
    /// Default 0.
    pub flat_band_ticks: u32,
}

impl Default for BaselineSettings {
    fn default() -> BaselineSettings {
        BaselineSettings {
            timeframe: Timeframe::MINUTES_5,
            fast_period: 10,
            slow_period: 30,
            quantity: 1,
            stop_loss_ticks: 16,
            profit_target_ticks: 32,
            flat_band_ticks: 0,
        }
    }
}

/// `strategy.random_entries`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomEntriesSettings {
    /// Bars on whose close it decides: one of `bars.timeframes`. Default 5.
    pub timeframe: Timeframe,
    /// Entries for every hundred bars on average, 1 to 100. Default 5.
    pub entries_per_hundred_bars: u32,
    /// Contracts an entry, 1 to 10,000, at most `risk_management.max_position_size`. Default 1.
    pub quantity: u32,
    /// Bars until the position is closed, 1 to 10,000. Default 12.
    pub hold_bars: u32,
    /// Distance of the stop from the entry in ticks, 1 to 100,000. Default 16.
    pub stop_loss_ticks: u32,
    /// Distance of the target from the entry in ticks, 1 to 100,000. Default 32.
    pub profit_target_ticks: u32,
}

impl Default for RandomEntriesSettings {
    fn default() -> RandomEntriesSettings {
        RandomEntriesSettings {
            timeframe: Timeframe::MINUTES_5,
            entries_per_hundred_bars: 5,
            quantity: 1,
            hold_bars: 12,
            stop_loss_ticks: 16,
            profit_target_ticks: 32,
        }
    }
}

/// `execution`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExecutionSettings {
    /// From the close of a bar to the decision on it, in microseconds of market time, 0 to
    /// 60,000,000: what the decision seat is given to think. Default 0.
    pub decision_latency_microseconds: u32,
    /// From the decision to the simulated exchange, in microseconds, 0 to 60,000,000. Default 2,000.
    pub order_latency_microseconds: u32,
    /// From the simulated exchange back to us, in microseconds, 0 to 60,000,000. Default 2,000.
    pub acknowledgement_latency_microseconds: u32,
    /// All fees for one contract bought or sold, in dollars, 0 to 1,000. Default 2.25.
    #[serde(with = "value::money")]
    pub commission_per_side: Money,
    /// What market and stop orders lose against the traded price.
    pub slippage: SlippageSettings,
    /// When a resting limit order fills. Default `through`.
    pub limit_fill: LimitFill,
    /// Positions are closed this many minutes before the session's end, 1 to 1,380. Default 5;
    /// `null` holds them overnight.
    pub flatten_before_close_minutes: Option<u32>,
}

impl Default for ExecutionSettings {
    fn default() -> ExecutionSettings {
        ExecutionSettings {
            decision_latency_microseconds: 0,
            order_latency_microseconds: 2000,
            acknowledgement_latency_microseconds: 2000,
            commission_per_side: Money::from_nanos(2_250_000_000),
            slippage: SlippageSettings::default(),
            limit_fill: LimitFill::Through,
            flatten_before_close_minutes: Some(5),
        }
    }
}

/// `execution.slippage`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SlippageSettings {
    /// Ticks lost on every market or stop fill, 0 to 1,000. Default 0.
    pub ticks: u32,
    /// Whether such a fill also pays the spread. Default true.
    pub cross_spread: bool,
    /// The spread in ticks where the history has no quotes, 1 to 1,000. Default 1. No effect unless
    /// `cross_spread`.
    pub assumed_spread_ticks: u32,
}

impl Default for SlippageSettings {
    fn default() -> SlippageSettings {
        SlippageSettings { ticks: 0, cross_spread: true, assumed_spread_ticks: 1 }
    }
}

/// `execution.limit_fill`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitFill {
    /// When the market trades through its price: the queue before it is assumed long.
    #[default]
    Through,
    /// When the market trades at its price: the queue before it is assumed empty.
    Touch,
}

/// `risk_management`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RiskSettings {
    /// Most contracts held, long or short, 1 to 10,000. Default 5.
    pub max_position_size: u32,
    /// Loss from the day's highest equity at which trading stops for the day, as a fraction of that
    /// equity, above 0 to 1. Default 0.05.
    pub max_daily_drawdown: f64,
    /// Most that a trade of the agents may lose at its stop, costs apart, as a fraction of equity, above 0 to 1.
    /// Default 0.01. No effect unless `strategy.kind` is `marl`.
    pub max_risk_per_trade: f64,
    /// Most orders in any one second, 1 to 500. Default 10.
    pub max_orders_per_second: u32,
    /// Farthest that an order's price may be from the last trade, in ticks, 1 to 100,000. Default 80.
    pub price_collar_ticks: u32,
}

impl Default for RiskSettings {
    fn default() -> RiskSettings {
        RiskSettings {
            max_position_size: 5,
            max_daily_drawdown: 0.05,
            max_risk_per_trade: 0.01,
            max_orders_per_second: 10,
            price_collar_ticks: 80,
        }
    }
}

/// `account`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AccountSettings {
    /// Money at the start, in dollars, 1 to 1,000,000,000. Default 100,000.
    #[serde(with = "value::money")]
    pub initial_capital: Money,
}

impl Default for AccountSettings {
    fn default() -> AccountSettings {
        AccountSettings { initial_capital: Money::from_dollars(100_000) }
    }
}

/// `marl_core`. No effect unless `strategy.kind` is `marl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MarlCoreSettings {
    /// Folder of the model set, relative to the current directory. Default absent: the set that is built into the
    /// program.
    #[serde(deserialize_with = "value::optional_text")]
    pub model_set: Option<PathBuf>,
    /// The vote of repeated passes with dropout.
    pub mc_dropout: McDropoutSettings,
    /// Probability that the decision gate must give to an opportunity, 0 to 1. Default 0.5.
    pub gate_threshold: f64,
    /// From the close of a bar to the decision on it, in milliseconds of the wall clock, 1 to 60,000; a decision that
    /// takes longer does nothing. No effect in a backtest, whose clock is the market's. Default 20.
    pub decision_budget_milliseconds: u32,
}

impl Default for MarlCoreSettings {
    fn default() -> MarlCoreSettings {
        MarlCoreSettings {
            model_set: None,
            mc_dropout: McDropoutSettings::default(),
            gate_threshold: 0.5,
            decision_budget_milliseconds: 20,
        }
    }
}

/// `marl_core.mc_dropout`. No effect unless `strategy.kind` is `marl`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct McDropoutSettings {
    /// Passes for one decision, 1 to 1,000. Default 30.
    pub iterations: u32,
    /// Share of certainty below which there is no trade, 0 to 1. Default 0.8.
    pub confidence_threshold: f64,
    /// Epistemic uncertainty (what the passes disagree on) above which there is no trade, in nats, 0 to 1.1; the most
    /// there can be is ln 3. Default 0.3.
    pub maximum_epistemic: f64,
    /// Share of all passes' votes for the direction below which there is no trade, 0 to 1. Default 0.5.
    pub minimum_agreement: f64,
}

impl Default for McDropoutSettings {
    fn default() -> McDropoutSettings {
        McDropoutSettings {
            iterations: 30,
            confidence_threshold: 0.8,
            maximum_epistemic: 0.3,
            minimum_agreement: 0.5,
        }
    }
}

/// `inference`. No effect unless `strategy.kind` is `marl`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InferenceSettings {
    /// What runs the networks. Default `cpu`.
    pub backend: InferenceBackend,
    /// The backend's library; default absent: sought by its name where the system keeps libraries. No effect under
    /// `cpu`, which needs none.
    #[serde(deserialize_with = "value::optional_text")]
    pub library: Option<PathBuf>,
}

/// `inference.backend`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InferenceBackend {
    /// The embedded one.
    #[default]
    Cpu,
    /// ONNX Runtime, from a library that the user installs.
    OnnxRuntime,
}

/// `rde`: the regime detection engine. No effect unless `strategy.kind` is `marl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RegimeSettings {
    /// Numbers that describe a regime, 1 to 1,024. Default 8.
    pub latent_dim: u32,
    /// Bars that it looks back on, 2 to 100,000. Default 100.
    pub lookback_window: u32,
}

impl Default for RegimeSettings {
    fn default() -> RegimeSettings {
        RegimeSettings { latent_dim: 8, lookback_window: 100 }
    }
}

/// `pipeline`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PipelineSettings {
    /// Who calls the stages. Default `inline`.
    pub runner: Runner,
    /// Whether every event, decision, order and fill is written to `run.journal` in the run's folder.
    /// Default absent: with the pinned runner only.
    pub journal: Option<bool>,
    /// Which stages have a thread of their own. Default `decision_apart`.
    pub layout: ThreadLayout,
    /// Slots of the ring, a power of two from 64 to 1,048,576. Default 8,192.
    pub ring_slots: u32,
    /// Messages that each queue beside the ring holds, 64 to 1,048,576. Default 8,192.
    pub queue_slots: u32,
    /// How sequencer, stages, features and decision wait for work. Default `adaptive`.
    pub wait: Wait,
    /// How journal and metrics wait for work. Default `sleep`.
    pub background_wait: Wait,
    /// Which core each thread runs on.
    pub cores: CoreSettings,
    /// Keeps the program's memory from being swapped out (`mlockall`). Default false.
    pub lock_memory: bool,
    /// Priority of the sequencer's and the stages' threads under `SCHED_FIFO`, 1 to 99. Default absent: the
    /// system's ordinary scheduling.
    pub real_time_priority: Option<u8>,
    /// How fast ticks are replayed.
    pub pace: PaceSettings,
    /// Without a pace, the times of one tick of so many are taken, 1 to 1,000,000. Default 64.
    pub latency_sample_every: u32,
}

impl Default for PipelineSettings {
    fn default() -> PipelineSettings {
        PipelineSettings {
            runner: Runner::Inline,
            journal: None,
            layout: ThreadLayout::DecisionApart,
            ring_slots: 8192,
            queue_slots: 8192,
            wait: Wait::Adaptive,
            background_wait: Wait::Sleep,
            cores: CoreSettings::default(),
            lock_memory: false,
            real_time_priority: None,
            pace: PaceSettings::default(),
            latency_sample_every: 64,
        }
    }
}

/// `pipeline.runner`. Both give the same results, bit for bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Runner {
    /// All stages on one thread: the fastest for a backtest.
    #[default]
    Inline,
    /// Stages on pinned threads around a ring: for paper and live trading, and to measure latency.
    Pinned,
}

/// `pipeline.cores`: each the place of a core among those that this process may use, 0 to 1,023. Default absent:
/// placed by the plan that is made at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CoreSettings {
    /// The thread that puts all events into one order.
    pub sequencer: Option<u32>,
    /// Bars and orders, with whatever has no thread of its own.
    pub stages: Option<u32>,
    /// Features and matrices. No effect unless `layout` is `all_apart`.
    pub features: Option<u32>,
    /// The decision seat. No effect if `layout` is `fused`.
    pub decision: Option<u32>,
    /// The journal.
    pub journal: Option<u32>,
    /// Results and times.
    pub metrics: Option<u32>,
}

/// `pipeline.pace`. No effect with the inline runner.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PaceSettings {
    /// When each tick is due. Default `unpaced`.
    pub mode: PaceMode,
    /// So many times faster than recorded, 0.001 to 1,000,000. Default 1. No effect unless `recorded`.
    pub speed: f64,
    /// Longest time between two ticks, in seconds of the wall clock, 0.001 to 86,400. Default 1. No effect
    /// unless `recorded`.
    pub longest_pause_seconds: f64,
    /// Ticks in the millisecond of a burst, 1 to 1,000. Default 40. No effect unless `bursts`.
    pub burst_ticks: u32,
    /// From one burst's start to the next one's, in milliseconds, 2 to 60,000. Default 20. No effect unless
    /// `bursts`.
    pub burst_every_milliseconds: u32,
}

impl fmt::Display for PaceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            PaceMode::Unpaced => f.write_str("as fast as ticks are taken"),
            PaceMode::Recorded => write!(f, "recorded, {} times as fast", self.speed),
            PaceMode::Bursts => {
                let (ticks, every) = (self.burst_ticks, self.burst_every_milliseconds);
                write!(f, "bursts of {ticks} ticks, one every {every} ms")
            }
        }
    }
}

impl Default for PaceSettings {
    fn default() -> PaceSettings {
        PaceSettings {
            mode: PaceMode::Unpaced,
            speed: 1.0,
            longest_pause_seconds: 1.0,
            burst_ticks: 40,
            burst_every_milliseconds: 20,
        }
    }
}

/// `pipeline.pace.mode`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaceMode {
    /// As fast as they are taken.
    #[default]
    Unpaced,
    /// As they were recorded, times `speed`.
    Recorded,
    /// In bursts, evenly within one millisecond.
    Bursts,
}

/// `performance`
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerformanceSettings {
    /// Resamples behind each confidence interval, 100 to 1,000,000. Default 2,000.
    pub bootstrap_resamples: u32,
    /// Probability that an interval covers, 0.5 to 0.999. Default 0.95.
    pub confidence_level: f64,
}

impl Default for PerformanceSettings {
    fn default() -> PerformanceSettings {
        PerformanceSettings { bootstrap_resamples: 2000, confidence_level: 0.95 }
    }
}

/// `output`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutputSettings {
    /// Folder of the run's results, relative to the current directory. Default `runs/latest`.
    pub directory: PathBuf,
}

impl Default for OutputSettings {
    fn default() -> OutputSettings {
        OutputSettings { directory: PathBuf::from("runs/latest") }
    }
}
