//! Stages from a configuration.

use crate::agents::model_set::ModelSetError;
use crate::config::{Config, Mode};
#[cfg(feature = "live")]
use crate::engine::Timers;
use crate::engine::{DecisionTiming, FeatureStage, FeatureStageError, Pipeline, PipelineSettings};
use crate::execution::{Desk, SimulatedExchange, Venue};
use crate::inference::InferenceError;
use crate::market::{Instrument, Timestamp};
use crate::matrix::MatricesSettings;
use crate::source::native::{Adjustment, TickFileDescription};
use crate::strategy::Strategy;

/// The reason why the stages cannot be assembled for a history.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// The history is of another instrument.
    #[error(
        "the history holds {found}, the configuration trades {expected}; set `instrument: {found}`"
    )]
    Instrument {
        /// The history's.
        found: String,
        /// The configuration's.
        expected: String,
    },
    /// The history was written with another tick size or point value.
    #[error(
        "the history was imported with tick size {tick_size} and point value {point_value}, which is not what the configuration says of {instrument}; import it again or correct `instruments`"
    )]
    Numbers {
        /// The instrument.
        instrument: String,
        /// The history's.
        tick_size: String,
        /// The history's.
        point_value: String,
    },
    /// A daily bar closes with its session, when nothing can be entered any more.
    #[error(
        "strategy.timeframe: a strategy cannot decide on daily bars: they close with the session, when nothing can be entered; choose a timeframe in minutes"
    )]
    DailyDecisions,
    /// The agents' model set cannot be used.
    #[error(transparent)]
    ModelSet(#[from] ModelSetError),
    /// The backend of the networks cannot be used.
    #[error(transparent)]
    Inference(#[from] InferenceError),
    /// The settings of indicators or matrices are invalid.
    #[error(transparent)]
    Features(#[from] FeatureStageError),
    /// An expiry in the history's header cannot be read.
    #[error("the history's contract {contract} has the expiry `{expiry}`, which is no instant")]
    Expiry {
        /// The contract.
        contract: String,
        /// The text found there.
        expiry: String,
    },
    /// A bar of the history is longer than one that is to be built.
    #[error(
        "the history is made of bars of {seconds} s; `bars.timeframes` cannot ask for bars of {minutes} min. Use history with shorter bars, or longer timeframes"
    )]
    TooCoarse {
        /// Length of a history bar.
        seconds: u32,
        /// Length of the bar that is asked for.
        minutes: u16,
    },
}

/// The conditions of a run that no strategy can choose: what tells a backtest from a live run.
#[derive(Clone, Debug)]
pub(crate) struct Conditions<V> {
    /// Destination of orders.
    venue: V,
    /// The time at which an answer of the strategy takes effect.
    decisions: DecisionTiming,
    /// End of the warm-up; `None` if the configuration says it.
    pub(super) trades_from: Option<Timestamp>,
}

impl Conditions<SimulatedExchange> {
    /// Returns the configured simulation, in which every latency is one of market time. Without a
    /// history it invents no fill.
    pub(crate) fn simulated(config: &Config, instrument: &Instrument) -> Self {
        let (tick_size, point_value) = (instrument.tick_size, instrument.point_value);
        let venue = SimulatedExchange::new(config.execution, tick_size, point_value);
        let is_backtest = config.system.mode == Mode::Backtest;
        let venue = if is_backtest { venue } else { venue.of_a_live_market() };
        let latency = config.execution.decision_latency();
        Conditions { venue, decisions: DecisionTiming::After(latency), trades_from: None }
    }

    /// Returns the same, with a warm-up that ends at `time`, if that is given.
    pub(super) fn trading_from(self, time: Option<Timestamp>) -> Self {
        Conditions { trades_from: time, ..self }
    }
}

/// Returns the settings of the stages for a history.
///
/// # Errors
/// If the configuration does not fit the history.
fn pipeline_settings(
    config: &Config,
    instrument: &Instrument,
    history: &TickFileDescription,
    decisions: DecisionTiming,
) -> Result<PipelineSettings, AssemblyError> {
    if history.instrument != instrument.symbol {
        let (found, expected) = (history.instrument.clone(), instrument.symbol.clone());
        return Err(AssemblyError::Instrument { found, expected });
    }
    if !history.has_numbers_of(instrument) {
        return Err(AssemblyError::Numbers {
            instrument: instrument.symbol.clone(),
            tick_size: history.tick_size.clone(),
            point_value: history.point_value.clone(),
        });
    }
    if let Some(seconds) = history.expanded_from_bars_of_seconds {
        let bars = config.bars.timeframes.iter().map(|timeframe| timeframe.minutes());
        // A finer bar, or one that does not consist of whole history bars, would be made up.
        if let Some(minutes) =
            bars.into_iter().find(|&m| !(u32::from(m) * 60).is_multiple_of(seconds))
        {
            return Err(AssemblyError::TooCoarse { seconds, minutes });
        }
    }
    let expiries = history
        .contracts
        .iter()
        .map(|contract| match &contract.expiry {
            None => Ok(Timestamp::MAX),
            Some(expiry) => expiry.parse().map_err(|_| AssemblyError::Expiry {
                contract: contract.symbol.clone(),
                expiry: expiry.clone(),
            }),
        })
        .collect::<Result<_, _>>()?;
    let before_close = config.execution.flatten_before_close_minutes;
    Ok(PipelineSettings {
        calendar: instrument.calendar,
        timeframes: config.bars.timeframes.clone(),
        fill_gaps_up_to: i64::from(config.bars.fill_gaps_up_to_minutes) * Timestamp::MINUTE,
        history_bar: history
            .expanded_from_bars_of_seconds
            .map_or(0, |seconds| i64::from(seconds) * Timestamp::SECOND),
        flatten_before_close: before_close.map(|minutes| i64::from(minutes) * Timestamp::MINUTE),
        expiries,
        prices_are_joined: history.adjustment == Adjustment::Back,
        decisions,
        trades_from: trades_from(config, instrument),
    })
}

/// Returns the timers of a run whose market comes while it goes.
///
/// # Errors
/// If the configuration does not fit `market`.
#[cfg(feature = "live")]
pub(crate) fn timers(
    config: &Config,
    instrument: &Instrument,
    market: &TickFileDescription,
) -> Result<Timers, AssemblyError> {
    const GRACE: i64 = 2 * Timestamp::SECOND;
    let settings = pipeline_settings(config, instrument, market, DecisionTiming::After(0))?;
    Ok(Timers::new(&settings, GRACE, Timestamp::SECOND))
}

/// Returns the time from which a run trades, after its warm-up; `Timestamp::MIN` without one.
pub(super) fn trades_from(config: &Config, instrument: &Instrument) -> Timestamp {
    match config.data_handler.backtest_settings.first_trading_day {
        Some(day) => instrument.calendar.session_on_or_after(day).open,
        None => Timestamp::MIN,
    }
}

/// Returns the indicators and matrices for a history.
///
/// # Errors
/// If their settings are invalid, which those of a loaded configuration without agents never are.
fn feature_stage(
    config: &Config,
    matrices: &MatricesSettings,
    instrument: &Instrument,
    history: &TickFileDescription,
) -> Result<FeatureStage, AssemblyError> {
    let ticks_are_trades = history.expanded_from_bars_of_seconds.is_none();
    let timeframes = &config.bars.timeframes;
    let indicators = &config.indicators;
    Ok(FeatureStage::new(indicators, matrices, timeframes, instrument, ticks_are_trades)?)
}

/// Returns all stages of a run.
///
/// # Errors
/// If the configuration does not fit the history.
pub(crate) fn pipeline<S: Strategy, V: Venue>(
    config: &Config,
    instrument: &Instrument,
    history: &TickFileDescription,
    matrices: &MatricesSettings,
    strategy: S,
    conditions: Conditions<V>,
) -> Result<Pipeline<S, V>, AssemblyError> {
    let Conditions { venue, decisions, trades_from } = conditions;
    let mut settings = pipeline_settings(config, instrument, history, decisions)?;
    settings.trades_from = trades_from.unwrap_or(settings.trades_from);
    let features = feature_stage(config, matrices, instrument, history)?;
    let (tick_size, point_value) = (instrument.tick_size, instrument.point_value);
    let desk =
        Desk::new(config.account.initial_capital, tick_size, point_value, config.risk_management);
    Ok(Pipeline::new(settings, features, strategy, desk, venue))
}
