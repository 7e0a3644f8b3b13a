//! The strategy, from a configuration.

use std::path::Path;
use std::sync::Arc;

use super::assembly::{AssemblyError, Conditions, pipeline, trades_from};
use super::recording::Stages;
use crate::agents::model_set::{FeatureSchema, ModelSet, ModelSetError, ModelSetProblem};
use crate::agents::{AgentSettings, Agents, Foreseen, RiskRules};
use crate::config::Config;
use crate::execution::Venue;
use crate::inference::{Backend, Cpu, InferenceBackend, InferenceError};
use crate::market::Instrument;
use crate::matrix::{MatricesSettings, MatrixKind};
use crate::performance::DecidedBy;
use crate::source::native::TickFileDescription;
use crate::strategy::{MovingAverageCross, RandomEntries, Strategy, StrategyKind};

/// The strategy, as configured.
pub(super) enum ConfiguredStrategy {
    /// A rule, or dice.
    Rule(Box<dyn Strategy + Send>),
    /// The agents, and the set that their networks are of.
    Agents(Box<Agents>, Box<ModelSet>),
}

impl ConfiguredStrategy {
    /// The configured one. A model set is loaded and run on its golden cases.
    ///
    /// # Errors
    /// If it is to decide on daily bars, or the model set cannot be used.
    pub(super) fn new(
        config: &Config,
        instrument: &Instrument,
    ) -> Result<ConfiguredStrategy, AssemblyError> {
        let strategy: Box<dyn Strategy + Send> = match config.strategy.kind {
            StrategyKind::RandomEntries => {
                Box::new(RandomEntries::new(config.strategy, config.system.seed))
            }
            StrategyKind::Baseline => {
                Box::new(MovingAverageCross::new(config.strategy, instrument.tick_size))
            }
            StrategyKind::Marl => {
                let (agents, set) = agents(config, instrument)?;
                return Ok(ConfiguredStrategy::Agents(Box::new(agents), Box::new(set)));
            }
        };
        if strategy.timeframe().is_daily() {
            return Err(AssemblyError::DailyDecisions);
        }
        Ok(ConfiguredStrategy::Rule(strategy))
    }

    /// The model set, if there is one.
    pub(super) fn model_set(&self) -> Option<&ModelSet> {
        match self {
            ConfiguredStrategy::Rule(_) => None,
            ConfiguredStrategy::Agents(_, set) => Some(set),
        }
    }

    /// The agents' networks and what runs them, if there are any.
    pub(super) fn networks(&self) -> Option<(&ModelSet, Arc<dyn Backend>)> {
        match self {
            ConfiguredStrategy::Rule(_) => None,
            ConfiguredStrategy::Agents(agents, set) => Some((set, agents.backend()?)),
        }
    }

    /// The networks that will decide, if there are any, for the run's record.
    pub(super) fn decided_by(&self, config: &Config) -> Option<DecidedBy> {
        let (set, backend) = self.networks()?;
        Some(DecidedBy {
            model_set: set.label(),
            trained: set.manifest().trained,
            description: set.manifest().description.clone(),
            backend: backend.name().to_owned(),
            confidence_threshold: config.marl_core.mc_dropout.confidence_threshold,
        })
    }

    /// The matrices: as configured, or else those that the networks were made for.
    pub(super) fn matrices(&self, config: &Config) -> MatricesSettings {
        match self.model_set() {
            None => config.matrices.clone(),
            Some(set) => matrices_of(set, config),
        }
    }

    /// Lets agents look up what their encoders give on the history to come.
    pub(super) fn foresee(&mut self, foreseen: Foreseen) {
        if let ConfiguredStrategy::Agents(agents, _) = self {
            agents.foresee(Arc::new(foreseen));
        }
    }

    /// Returns the stages of a run in which it decides.
    ///
    /// # Errors
    /// If the configuration does not fit the history.
    pub(super) fn into_stages<V: Venue>(
        self,
        config: &Config,
        instrument: &Instrument,
        history: &TickFileDescription,
        conditions: Conditions<V>,
    ) -> Result<Stages<V>, AssemblyError> {
        let matrices = self.matrices(config);
        let mut strategy = self.into_strategy();
        conditions.trades_from.into_iter().for_each(|time| strategy.watch_until(time));
        pipeline(config, instrument, history, &matrices, strategy, conditions)
    }

    /// The strategy alone.
    pub(super) fn into_strategy(self) -> Box<dyn Strategy + Send> {
        match self {
            ConfiguredStrategy::Rule(strategy) => strategy,
            ConfiguredStrategy::Agents(agents, _) => agents,
        }
    }
}

/// The configured backend.
///
/// # Errors
/// If its library cannot be used.
pub fn open_backend(config: &Config) -> Result<Arc<dyn Backend>, InferenceError> {
    match config.inference.backend {
        InferenceBackend::Cpu => Ok(Arc::new(Cpu::new())),
        InferenceBackend::OnnxRuntime => {
            let library = config.inference.library.as_deref();
            let library = library.unwrap_or(Path::new("libonnxruntime.so"));
            Ok(Arc::new(crate::inference::OnnxRuntime::new(library)?))
        }
    }
}

/// The configured model set, checked up to its golden cases.
///
/// # Errors
/// If it cannot be used, or cannot honour the configuration.
pub fn open_model_set(config: &Config) -> Result<ModelSet, ModelSetError> {
    let set = match &config.marl_core.model_set {
        None => ModelSet::built_in()?,
        Some(folder) => ModelSet::read(folder)?,
    };
    let engine = FeatureSchema::of(&config.indicators, &matrices_of(&set, config));
    if let Some(difference) = set.manifest().feature_schema.difference(&engine) {
        return Err(set.refuse(ModelSetProblem::Schema(difference)));
    }
    let regime = &set.manifest().feature_schema.matrices.regime;
    for (key, wanted, made_for) in [
        ("rde.latent_dim", config.rde.latent_dim, set.regime_width()),
        ("rde.lookback_window", config.rde.lookback_window, regime.rows),
    ] {
        if wanted as usize != made_for {
            let (value, made_for) = (wanted.to_string(), made_for.to_string());
            return Err(set.refuse(ModelSetProblem::Setting { key, value, made_for }));
        }
    }
    Ok(set)
}

/// The set's matrices, but for those that the configuration gives.
fn matrices_of(set: &ModelSet, config: &Config) -> MatricesSettings {
    let matrices = &set.manifest().feature_schema.matrices;
    let matrix = |kind: MatrixKind| {
        Some(config.matrices.given(kind).unwrap_or_else(|| matrices.of(kind)).clone())
    };
    MatricesSettings {
        structure: matrix(MatrixKind::Structure),
        tactical: matrix(MatrixKind::Tactical),
        regime: matrix(MatrixKind::Regime),
        context: matrix(MatrixKind::Context),
    }
}

/// The agents as configured, and their set.
fn agents(config: &Config, instrument: &Instrument) -> Result<(Agents, ModelSet), AssemblyError> {
    let set = open_model_set(config)?;
    let backend = open_backend(config)?;
    set.verify(backend.as_ref())?;
    let core = &config.marl_core;
    let settings = AgentSettings {
        passes: core.mc_dropout.iterations,
        seed: config.system.seed,
        confidence_threshold: core.mc_dropout.confidence_threshold as f32,
        maximum_epistemic: core.mc_dropout.maximum_epistemic as f32,
        minimum_agreement: core.mc_dropout.minimum_agreement as f32,
        gate_threshold: core.gate_threshold as f32,
        rules: RiskRules::new(config.risk_management, instrument),
    };
    let mut agents = Agents::new(&set, backend, settings)?;
    agents.watch_until(trades_from(config, instrument));
    Ok((agents, set))
}
