//! ES with its usual costs and rules, put together by hand, and a market to try it on.

use std::error::Error;

use algospace_hft::engine::{DecisionTiming, FeatureStage, Pipeline, PipelineSettings};
use algospace_hft::execution::{Desk, ExecutionSettings, RiskSettings, SimulatedExchange};
use algospace_hft::features::IndicatorSettings;
use algospace_hft::market::{Instrument, Money, Tick, Timeframe, Timestamp};
use algospace_hft::matrix::MatricesSettings;
use algospace_hft::source::synthetic::{Generator, Settings, SyntheticMarket, SyntheticSettings};
use algospace_hft::strategy::Strategy;

/// Returns the stages from tick to trade, with `strategy` to decide.
pub fn pipeline<S: Strategy>(strategy: S) -> Result<Pipeline<S>, Box<dyn Error>> {
    let instrument = Instrument::built_in("ES")?;
    let settings = PipelineSettings {
        calendar: instrument.calendar,
        timeframes: vec![Timeframe::MINUTES_5, Timeframe::MINUTES_30],
        fill_gaps_up_to: Timestamp::HOUR,
        history_bar: 0,
        flatten_before_close: Some(5 * Timestamp::MINUTE),
        expiries: Vec::new(),
        prices_are_joined: false,
        decisions: DecisionTiming::After(0),
        trades_from: Timestamp::MIN,
    };
    let (indicators, matrices) = (IndicatorSettings::default(), MatricesSettings::default());
    let timeframes = &settings.timeframes;
    let features = FeatureStage::new(&indicators, &matrices, timeframes, &instrument, true)?;
    let rules = RiskSettings::default();
    let Instrument { tick_size, point_value, .. } = instrument;
    let desk = Desk::new(Money::from_dollars(100_000), tick_size, point_value, rules);
    let exchange = SimulatedExchange::new(ExecutionSettings::default(), tick_size, point_value);
    Ok(Pipeline::new(settings, features, strategy, desk, exchange))
}

/// Returns the ticks of three days of a market without an edge.
pub fn ticks() -> Result<Vec<Tick>, Box<dyn Error>> {
    let market = SyntheticSettings::new(SyntheticMarket::Martingale, 3, 20_000);
    let settings = Settings::new(market, 7);
    let mut generator = Generator::new(settings)?;
    let (mut ticks, mut session) = (Vec::new(), Vec::new());
    while generator.next_session(&mut session).is_some() {
        ticks.append(&mut session);
    }
    Ok(ticks)
}
