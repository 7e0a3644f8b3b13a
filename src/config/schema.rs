//! Every key of the configuration file.
//!
//! The tables of `docs/configuration.md` are generated from here and from the rooms' own tables.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::civil::Date;

use super::Secret;
use super::source::WrittenKeys;
use crate::engine::pinned::ThreadLayout;
use crate::execution::{LimitFill, Slippage};
use crate::features::IndicatorSettings;
use crate::machine::Wait;
use crate::market::{Calendar, Money, Price, Timeframe};
use crate::matrix::MatricesSettings;
use crate::settings::{Fraction, names, settings};
use crate::source::import::{PricesBelowZero, Stamp};

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
        pub pipeline: PipelineSettings;
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

settings! {
    /// `bars`
    #[derive(Eq)]
    pub struct BarSettings {
        /// Which bars are built, in any order; `daily` is a trading session. They are held from the
        /// shortest to the longest.
        pub timeframes: Vec<Timeframe> = vec![Timeframe::MINUTES_5, Timeframe::MINUTES_30],
            "1 to 16 different divisors of 1440", "minutes, or `daily`";
        /// Longest silence inside a session that is filled with flat bars; 0 fills none.
        pub fill_gaps_up_to_minutes: u32 = 60, 0..=1440, "minutes";
    }
}

settings! {
    /// `strategy`
    #[derive(Copy, Eq)]
    pub struct StrategySettings {
        /// The strategy that decides.
        pub kind: StrategyKind = StrategyKind::Marl;
        /// Bars on whose close the rules decide. No effect under `marl`, where the model set says
        /// it; nor have the next three.
        pub timeframe: Timeframe = Timeframe::MINUTES_5, "one of `bars.timeframes`",
            "minutes, or `daily`";
        /// Size of an entry; at most `risk_management.max_position_size`.
        pub quantity: u32 = 1, 1..=10_000, "contracts";
        /// Distance of the stop from the entry.
        pub stop_loss_ticks: u32 = 16, 1..=100_000, "ticks";
        /// Distance of the target from the entry.
        pub profit_target_ticks: u32 = 32, 1..=100_000, "ticks";
        /// The rule strategy. No effect unless `kind` is `baseline`.
        pub baseline: BaselineSettings;
        /// Entries at random. No effect unless `kind` is `random_entries`.
        pub random_entries: RandomEntriesSettings;
    }
}

impl StrategySettings {
    /// Returns the timeframe on whose bars the chosen strategy decides; `None` for `marl`, where
    /// the model set says it.
    pub fn timeframe(&self) -> Option<Timeframe> {
        match self.kind {
            StrategyKind::Baseline | StrategyKind::RandomEntries => Some(self.timeframe),
            StrategyKind::Marl => None,
        }
    }
}

names! {
    /// `strategy.kind`
    pub enum StrategyKind {
        /// Two moving averages.
        Baseline = "baseline",
        /// Entries at random: what luck alone earns under the same costs.
        RandomEntries = "random_entries",
        /// The team of agents.
        Marl = "marl",
    }
}

settings! {
    /// `strategy.baseline`: long while the fast average is above the slow one, short while below.
    #[derive(Copy, Eq)]
    pub struct BaselineSettings {
        /// Length of the fast average; below `slow_period`.
        pub fast_period: u32 = 10, 1..=9999, "bars";
        /// Length of the slow average.
        pub slow_period: u32 = 30, 2..=10_000, "bars";
        /// No position while the averages are this near to each other.
        pub flat_band_ticks: u32 = 0, 0..=100_000, "ticks";
    }
}

settings! {
    /// `strategy.random_entries`
    #[derive(Copy, Eq)]
    pub struct RandomEntriesSettings {
        /// Entries for every hundred bars, on average.
        pub entries_per_hundred_bars: u32 = 5, 1..=100, "entries";
        /// Bars until the position is closed.
        pub hold_bars: u32 = 12, 1..=10_000, "bars";
    }
}

settings! {
    /// `execution`
    #[derive(Copy, Eq)]
    pub struct ExecutionSettings {
        /// Market time from the close of a bar until the decision on it counts.
        pub decision_latency_microseconds: u32 = 0, 0..=60_000_000, "microseconds";
        /// From the decision to the simulated exchange.
        pub order_latency_microseconds: u32 = 2000, 0..=60_000_000, "microseconds";
        /// From the simulated exchange back to us.
        pub acknowledgement_latency_microseconds: u32 = 2000, 0..=60_000_000, "microseconds";
        /// All fees for one contract bought or sold.
        pub commission_per_side: Money = Money::from_nanos(2_250_000_000),
            Money::ZERO..=Money::from_dollars(1000), "dollars";
        /// Losses of market and stop orders against the traded price.
        pub slippage: Slippage;
        /// Condition on which a resting limit order fills.
        pub limit_fill: LimitFill = LimitFill::Through;
        /// Positions are closed this long before the session's end.
        pub flatten_before_close_minutes: Option<u32> = Some(5), 1..=1380,
            "minutes, or null to hold overnight";
    }
}

settings! {
    /// `risk_management`
    #[derive(Copy)]
    pub struct RiskSettings {
        /// Most contracts held, long or short.
        pub max_position_size: u32 = 5, 1..=10_000, "contracts";
        /// Loss from the day's highest equity, as a fraction of it, at which trading stops for the
        /// day.
        pub max_daily_drawdown: f64 = 0.05, Fraction, "fraction";
        /// Most that a trade of the agents may lose at its stop, costs apart, as a fraction of
        /// equity. No effect unless `strategy.kind` is `marl`.
        pub max_risk_per_trade: f64 = 0.01, Fraction, "fraction";
        /// Most orders in any one second.
        pub max_orders_per_second: u32 = 10, 1..=500, "orders";
        /// Farthest that an order's price may be from the last trade.
        pub price_collar_ticks: u32 = 80, 1..=100_000, "ticks";
    }
}

settings! {
    /// `account`
    #[derive(Copy, Eq)]
    pub struct AccountSettings {
        /// Money at the start.
        pub initial_capital: Money = Money::from_dollars(100_000),
            Money::from_dollars(1)..=Money::from_dollars(1_000_000_000), "dollars";
    }
}

settings! {
    /// `marl_core`. No effect unless `strategy.kind` is `marl`.
    pub struct MarlCoreSettings {
        /// Folder of the model set, relative to the current directory; `null`: the set that is
        /// built into the program, which is untrained.
        pub model_set: Option<PathBuf> = None;
        /// The vote of repeated passes with dropout.
        pub mc_dropout: McDropoutSettings;
        /// Probability that the decision gate must give to an opportunity.
        pub gate_threshold: f64 = 0.5, 0.0..=1.0;
        /// Wall-clock time from the close of a bar to the decision on it, live and on paper; a
        /// decision that takes longer does nothing. No effect in a backtest, whose clock is the
        /// market's.
        pub decision_budget_milliseconds: u32 = 20, 1..=60_000, "milliseconds";
    }
}

settings! {
    /// `marl_core.mc_dropout`. No effect unless `strategy.kind` is `marl`.
    #[derive(Copy)]
    pub struct McDropoutSettings {
        /// Passes with dropout for one decision.
        pub iterations: u32 = 30, 1..=1000, "passes";
        /// No trade below this mean probability of its direction.
        pub confidence_threshold: f64 = 0.8, 0.0..=1.0;
        /// No trade above this epistemic uncertainty: what the passes disagree on. The most there
        /// can be is ln 3.
        pub maximum_epistemic: f64 = 0.3, 0.0..=1.1, "nats";
        /// No trade below this share of all passes' votes for the direction.
        pub minimum_agreement: f64 = 0.5, 0.0..=1.0;
    }
}

settings! {
    /// `inference`. No effect unless `strategy.kind` is `marl`.
    #[derive(Eq)]
    pub struct InferenceSettings {
        /// The backend of the networks. The outputs of two backends differ in the last digits.
        pub backend: InferenceBackend = InferenceBackend::Cpu;
        /// ONNX Runtime's library, 1.24 or later; `null`: `libonnxruntime.so`, sought where the
        /// system keeps libraries. No effect under `cpu`.
        pub library: Option<PathBuf> = None;
    }
}

names! {
    /// `inference.backend`
    pub enum InferenceBackend {
        /// The embedded backend.
        Cpu = "cpu",
        /// ONNX Runtime, from a library that you install.
        OnnxRuntime = "onnxruntime",
    }
}

settings! {
    /// `rde`: the regime detection engine. No effect unless `strategy.kind` is `marl`.
    #[derive(Copy, Eq)]
    pub struct RegimeSettings {
        /// Numbers that describe a regime; refused unless the model set has as many.
        pub latent_dim: u32 = 8, 1..=16, "numbers";
        /// Bars that the regime engine looks back on; refused unless the model set does.
        pub lookback_window: u32 = 100, 2..=100_000, "bars";
    }
}

settings! {
    /// `pipeline`
    #[derive(Copy)]
    pub struct PipelineSettings {
        /// Runner of the stages. Both give the same results, bit for bit.
        pub runner: Runner = Runner::Inline;
        /// Write every event, decision, order and fill to `run.journal`; `null`: with the pinned
        /// runner only.
        pub journal: Option<bool> = None;
        /// Stages that have a thread of their own.
        pub layout: ThreadLayout = ThreadLayout::DecisionApart;
        /// Size of the ring.
        pub ring_slots: u32 = 8192, 64..=1_048_576, "slots, a power of two";
        /// Waiting of sequencer, stages, features and decision for work.
        pub wait: Wait = Wait::Adaptive;
        /// Cores of the threads.
        pub cores: CoreSettings;
        /// Keep the program's memory from being swapped out (`mlockall`).
        pub lock_memory: bool = false;
        /// Priority of the sequencer's and the stages' threads under `SCHED_FIFO`; `null`: the
        /// system's ordinary scheduling.
        pub real_time_priority: Option<u8> = None, 1..=99;
        /// Pace of the ticks.
        pub pace: PaceSettings;
    }
}

names! {
    /// `pipeline.runner`. Both give the same results, bit for bit.
    pub enum Runner {
        /// All stages on one thread, the fastest for a backtest.
        Inline = "inline",
        /// Stages on pinned threads around a ring: for paper and live trading, and to measure
        /// latency.
        Pinned = "pinned",
    }
}

settings! {
    /// `pipeline.cores`: each the place of a core among those that the process may use; `null`:
    /// planned at the start.
    #[derive(Copy, Eq)]
    pub struct CoreSettings {
        /// Core of the thread that puts all events into one order: its place among the cores that
        /// the process may use; `null`: planned at the start, as for the others.
        pub sequencer: Option<u32> = None, 0..=1023;
        /// Core of bars and orders, with all that has no thread of its own.
        pub stages: Option<u32> = None, 0..=1023;
        /// Core of features and matrices. No effect unless `layout` is `all_apart`.
        pub features: Option<u32> = None, 0..=1023;
        /// Core of the decision. No effect if `layout` is `fused`.
        pub decision: Option<u32> = None, 0..=1023;
        /// Core of the journal.
        pub journal: Option<u32> = None, 0..=1023;
        /// Core of results and times.
        pub metrics: Option<u32> = None, 0..=1023;
    }
}

settings! {
    /// `pipeline.pace`. No effect with the inline runner.
    #[derive(Copy)]
    pub struct PaceSettings {
        /// Schedule of the ticks with the pinned runner.
        pub mode: PaceMode = PaceMode::Unpaced;
        /// Times faster than recorded. No effect unless `recorded`.
        pub speed: f64 = 1.0, 0.001..=1_000_000.0;
    }
}

impl PaceSettings {
    /// Longest wall-clock time between two ticks at recorded pace.
    pub const LONGEST_PAUSE: Duration = Duration::from_secs(1);
    /// Ticks in the millisecond of a burst.
    pub const BURST_TICKS: u32 = 40;
    /// Time from one burst's start to the next one's.
    pub const BURST_EVERY: Duration = Duration::from_millis(20);
}

impl fmt::Display for PaceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            PaceMode::Unpaced => f.write_str("as fast as ticks are taken"),
            PaceMode::Recorded => write!(f, "recorded, {} times as fast", self.speed),
            PaceMode::Bursts => {
                let (ticks, every) = (PaceSettings::BURST_TICKS, PaceSettings::BURST_EVERY);
                write!(f, "bursts of {ticks} ticks, one every {} ms", every.as_millis())
            }
        }
    }
}

names! {
    /// `pipeline.pace.mode`
    pub enum PaceMode {
        /// As fast as they are taken.
        Unpaced = "unpaced",
        /// As they were recorded, times `speed`; a silence takes a second of the wall clock at
        /// most.
        Recorded = "recorded",
        /// In bursts of 40 ticks, evenly within one millisecond, every 20 milliseconds.
        Bursts = "bursts",
    }
}

settings! {
    /// `performance`
    #[derive(Copy)]
    pub struct PerformanceSettings {
        /// Probability that a confidence interval covers.
        pub confidence_level: f64 = 0.95, 0.5..=0.999;
    }
}

settings! {
    /// `output`
    #[derive(Eq)]
    pub struct OutputSettings {
        /// Folder of the run's results, relative to the current directory: new, empty, or of an
        /// earlier run, which is replaced.
        pub directory: PathBuf = PathBuf::from("runs/latest"), "not empty";
    }
}
