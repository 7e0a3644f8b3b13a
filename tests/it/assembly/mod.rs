//! The stages put together by hand, a sink that keeps everything, and a strategy from a closure.

pub mod random;
pub mod threads;

use algospace_hft::engine::{
    Action, DecisionTiming, FeatureStage, Output, Pipeline, PipelineSettings, Sink,
};
use algospace_hft::execution::{
    Account, Bracket, Decision, Desk, EquityPoint, ExecutionSettings, ExitReason, OrderKind,
    RiskSettings, SimulatedExchange, Slippage, Target, Trade, Venue,
};
use algospace_hft::features::{IndicatorSettings, IndicatorTimeframes};
use algospace_hft::indicators::{
    LowVolumeNodeSettings, MovingStatisticsLengths, NadarayaWatsonSettings,
};
use algospace_hft::market::{Bar, Calendar, Instrument, Money, Price, Tick, Timeframe, Timestamp};
use algospace_hft::matrix::{ColumnSettings, MatricesSettings, MatrixSettings, Scale};
use algospace_hft::strategy::Strategy;

/// ES.
pub const TICK_SIZE: Price = Price::from_units(250_000_000);
pub const POINT_VALUE: Money = Money::from_dollars(50);
pub const CAPITAL: Money = Money::from_dollars(100_000);

/// A price in ticks of a quarter point.
pub fn price(ticks: i64) -> Price {
    Price::ZERO.offset_ticks(ticks, TICK_SIZE)
}

pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Everything that a run is made of, but for the strategy.
#[derive(Clone, Debug)]
pub struct Setup {
    pub stages: PipelineSettings,
    pub exchange: ExecutionSettings,
    pub rules: RiskSettings,
}

impl Setup {
    /// Minute bars of ES, no costs, no latency, positions held over the session's end, and rules
    /// that never bind.
    pub fn free() -> Setup {
        Setup {
            stages: PipelineSettings {
                calendar: Calendar::CmeEquityIndex,
                timeframes: vec![Timeframe::MINUTE_1],
                fill_gaps_up_to: Timestamp::HOUR,
                history_bar: 0,
                flatten_before_close: None,
                expiries: Vec::new(),
                prices_are_joined: false,
                decisions: DecisionTiming::After(0),
                trades_from: Timestamp::MIN,
            },
            exchange: ExecutionSettings {
                order_latency_microseconds: 0,
                acknowledgement_latency_microseconds: 0,
                commission_per_side: Money::ZERO,
                slippage: Slippage { ticks: 0, cross_spread: false, assumed_spread_ticks: 1 },
                ..ExecutionSettings::default()
            },
            rules: RiskSettings {
                max_position_size: 10_000,
                max_daily_drawdown: 1.0,
                max_orders_per_second: 500,
                price_collar_ticks: 100_000,
                ..RiskSettings::default()
            },
        }
    }

    /// The strategy is boxed, so that the pipeline is compiled once for all tests.
    pub fn pipeline<'s>(
        &self,
        strategy: impl Strategy + Send + 's,
    ) -> Pipeline<Box<dyn Strategy + Send + 's>> {
        let exchange = SimulatedExchange::new(self.exchange, TICK_SIZE, POINT_VALUE);
        self.pipeline_before(exchange, strategy)
    }

    /// As [`Setup::pipeline`], before another venue.
    pub fn pipeline_before<'s, V: Venue>(
        &self,
        venue: V,
        strategy: impl Strategy + Send + 's,
    ) -> Pipeline<Box<dyn Strategy + Send + 's>, V> {
        let strategy: Box<dyn Strategy + Send + 's> = Box::new(strategy);
        let desk = Desk::new(CAPITAL, TICK_SIZE, POINT_VALUE, self.rules);
        let features = features_of(&self.stages.timeframes);
        Pipeline::new(self.stages.clone(), features, strategy, desk, venue)
    }

    /// The whole run, to the end of the data.
    pub fn run(&self, strategy: impl Strategy + Send, ticks: &[Tick]) -> Run {
        let mut pipeline = self.pipeline(strategy);
        let mut log = Log::default();
        for tick in ticks {
            pipeline.on_tick(tick, &mut log);
        }
        pipeline.finish(ExitReason::EndOfData, &mut log);
        Run { log, counters: pipeline.desk().counters() }
    }
}

/// The results of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub log: Log,
    counters: Vec<(String, u64)>,
}

impl Run {
    pub fn count(&self, name: &str) -> u64 {
        self.counters.iter().find(|counter| counter.0 == name).expect("a counter of that name").1
    }
}

/// Every indicator on the finest bars, with windows so short that values come soon.
pub fn features_of(timeframes: &[Timeframe]) -> FeatureStage {
    let finest = timeframes.iter().min().copied().into_iter().collect::<Vec<_>>();
    let indicators = IndicatorSettings {
        timeframes: IndicatorTimeframes {
            moving_statistics: Some(finest.clone()),
            fair_value_gap: Some(timeframes.to_vec()),
            momentum_index: Some(finest.clone()),
            nadaraya_watson: Some(finest.clone()),
            low_volume_node: Some(finest.clone()),
        },
        moving_statistics: MovingStatisticsLengths {
            average_true_range: 3,
            relative_strength: 3,
            weighted_average: 3,
            momentum: 3,
            volatility: 3,
            volatility_of_volatility: 3,
            autocorrelation: 3,
            volume: 3,
        },
        nadaraya_watson: NadarayaWatsonSettings { taps: 4, ..Default::default() },
        low_volume_node: LowVolumeNodeSettings {
            window: 4,
            order: 1,
            row_ticks: 1,
            ..Default::default()
        },
        ..IndicatorSettings::default()
    };
    let column = |feature: &str, scale| ColumnSettings {
        feature: format!("{feature}_{}", finest[0]),
        per: None,
        scale,
    };
    let matrix = MatrixSettings {
        timeframe: finest[0],
        rows: 2,
        columns: vec![
            column("momentum", Scale::Fixed { divisor: 1.0 }),
            column("volume_ratio", Scale::Weighted { half_life: 5.0 }),
            column("lvn_dist", Scale::Fixed { divisor: 1.0 }),
        ],
    };
    let matrices = MatricesSettings { structure: Some(matrix), ..MatricesSettings::default() };
    let instrument = Instrument::built_in("ES").unwrap();
    FeatureStage::new(&indicators, &matrices, timeframes, &instrument, true).unwrap()
}

/// Keeps everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Log {
    pub bars: Vec<Bar>,
    pub trades: Vec<Trade>,
    pub equity: Vec<EquityPoint>,
}

impl Sink for Log {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Bar(bar) => self.bars.push(*bar),
            Output::Action(Action::Trade(trade)) => self.trades.push(*trade),
            Output::Equity(point) => self.equity.push(*point),
            _ => {}
        }
    }
}

/// Decides by a closure of the bar and the position.
pub struct By<F>(pub Timeframe, pub F);

impl<F: FnMut(&Bar, i64) -> Option<Decision>> Strategy for By<F> {
    fn timeframe(&self) -> Timeframe {
        self.0
    }
    fn on_bar(&mut self, bar: &Bar, _: u64, account: &Account) -> Option<Decision> {
        (self.1)(bar, account.position)
    }
    fn restart(&mut self) {}
}

/// To hold `quantity` contracts, entered at the market without exits.
pub fn market(target: Target, quantity: u32) -> Decision {
    Decision { target, quantity, entry: OrderKind::Market, bracket: Bracket::default() }
}
