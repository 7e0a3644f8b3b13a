//! The whole pipeline, put together by hand as a backtest with the default costs and rules has it,
//! for the benches that measure it.

use algospace_hft::engine::{
    Action, DecisionTiming, FeatureStage, Output, Pipeline, PipelineSettings, Sink,
};
use algospace_hft::execution::{
    Desk, ExecutionSettings, ExitReason, RiskSettings, SimulatedExchange,
};
use algospace_hft::features::IndicatorSettings;
use algospace_hft::market::{Calendar, Instrument, Money, Tick, Timeframe, Timestamp};
use algospace_hft::matrix::MatricesSettings;
use algospace_hft::strategy::{MovingAverageCross, StrategySettings};

/// 5 and 30 minutes.
pub fn timeframes() -> Vec<Timeframe> {
    vec![Timeframe::MINUTES_5, Timeframe::MINUTES_30]
}

/// The stages, having seen nothing.
pub fn pipeline(indicators: &IndicatorSettings) -> Pipeline<MovingAverageCross> {
    let settings = PipelineSettings {
        calendar: Calendar::CmeEquityIndex,
        timeframes: timeframes(),
        fill_gaps_up_to: Timestamp::HOUR,
        history_bar: 0,
        flatten_before_close: Some(5 * Timestamp::MINUTE),
        expiries: Vec::new(),
        prices_are_joined: false,
        decisions: DecisionTiming::After(0),
        trades_from: Timestamp::MIN,
    };
    let instrument = instrument();
    let features = FeatureStage::new(
        indicators,
        &MatricesSettings::default(),
        &settings.timeframes,
        &instrument,
        true,
    );
    let strategy = MovingAverageCross::new(StrategySettings::default(), instrument.tick_size);
    let features = features.expect("the defaults are good");
    Pipeline::new(settings, features, strategy, desk(), exchange())
}

/// Our side of the line.
pub fn desk() -> Desk {
    let rules = RiskSettings::default();
    let Instrument { tick_size, point_value, .. } = instrument();
    Desk::new(Money::from_dollars(100_000), tick_size, point_value, rules)
}

/// The other side of the line.
pub fn exchange() -> SimulatedExchange {
    let Instrument { tick_size, point_value, .. } = instrument();
    SimulatedExchange::new(ExecutionSettings::default(), tick_size, point_value)
}

fn instrument() -> Instrument {
    Instrument::built_in("ES").expect("it is built in")
}

/// Counts what comes.
#[derive(Debug, Default)]
pub struct Counts {
    pub bars: u64,
    pub trades: u64,
    pub points: u64,
    pub net: Money,
}

impl Sink for Counts {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Bar(_) => self.bars += 1,
            Output::Action(Action::Trade(trade)) => {
                self.trades += 1;
                self.net += trade.net_pnl();
            }
            Output::Equity(_) => self.points += 1,
            _ => {}
        }
    }
}

/// Takes all `ticks` through a new pipeline.
pub fn run(ticks: &[Tick], indicators: &IndicatorSettings) -> Counts {
    let mut pipeline = pipeline(indicators);
    let mut counts = Counts::default();
    for tick in ticks {
        pipeline.on_tick(tick, &mut counts);
    }
    pipeline.finish(ExitReason::EndOfData, &mut counts);
    counts
}
