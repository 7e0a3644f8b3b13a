//! The schema of what the networks see: the part of the contract that is features.

use serde::{Deserialize, Serialize};

use crate::features::IndicatorSettings;
use crate::matrix::{MatricesSettings, MatrixKind, MatrixSettings};

/// The version of everything that the networks are told besides the matrices.
pub const VERSION: u32 = 1;

/// The account as the networks see it, each cut to ±3.
pub const ACCOUNT: [&str; 5] = [
    "day_profit/allowed",
    "day_drawdown/allowed",
    "streak/5",
    "position/most",
    "open_profit/allowed",
];

/// The range of the market as they see it.
pub const VOLATILITY: [&str; 1] = ["ln(average_true_range/8 ticks)"];

/// The opportunity as the risk sub-system and the gate see it.
pub const OPPORTUNITY: [&str; 4] = ["direction", "confidence", "epistemic", "agreement"];

/// The proposal as the gate sees it.
pub const PROPOSAL: [&str; 3] = ["size", "stop", "reward"];

/// The schema of what the networks of a set see.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureSchema {
    /// Version of what is not a matrix.
    pub version: u32,
    /// The matrices.
    pub matrices: Matrices,
    /// Settings of the indicators that the matrices are made of; which bars each is computed on
    /// follows from the matrices and is left as by default.
    pub indicators: IndicatorSettings,
    /// See [`ACCOUNT`].
    pub account: Vec<String>,
    /// See [`VOLATILITY`].
    pub volatility: Vec<String>,
    /// See [`OPPORTUNITY`].
    pub opportunity: Vec<String>,
    /// See [`PROPOSAL`].
    pub proposal: Vec<String>,
}

/// The four matrices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matrices {
    /// The structure agent's.
    pub structure: MatrixSettings,
    /// The tactical agent's.
    pub tactical: MatrixSettings,
    /// The regime engine's.
    pub regime: MatrixSettings,
    /// The volume profile's row.
    pub context: MatrixSettings,
}

impl Matrices {
    /// One of them.
    pub fn of(&self, kind: MatrixKind) -> &MatrixSettings {
        match kind {
            MatrixKind::Structure => &self.structure,
            MatrixKind::Tactical => &self.tactical,
            MatrixKind::Regime => &self.regime,
            MatrixKind::Context => &self.context,
        }
    }
}

/// The first difference between a set's schema and the engine's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the set was made for {what} {set}, the configuration has {engine}")]
pub struct SchemaDifference {
    /// Name of the part that differs.
    pub what: String,
    /// The set's.
    pub set: String,
    /// The engine's.
    pub engine: String,
}

impl FeatureSchema {
    /// Returns the schema of what this engine shows its networks.
    pub fn of(indicators: &IndicatorSettings, matrices: &MatricesSettings) -> FeatureSchema {
        let matrix = |kind| {
            matrices.given(kind).cloned().unwrap_or_else(|| MatrixSettings::default_of(kind))
        };
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        let mut indicators = indicators.clone();
        indicators.timeframes = Default::default();
        FeatureSchema {
            version: VERSION,
            matrices: Matrices {
                structure: matrix(MatrixKind::Structure),
                tactical: matrix(MatrixKind::Tactical),
                regime: matrix(MatrixKind::Regime),
                context: matrix(MatrixKind::Context),
            },
            indicators,
            account: names(&ACCOUNT),
            volatility: names(&VOLATILITY),
            opportunity: names(&OPPORTUNITY),
            proposal: names(&PROPOSAL),
        }
    }

    /// The first difference to the engine's schema, if there is one.
    pub fn difference(&self, engine: &FeatureSchema) -> Option<SchemaDifference> {
        let mut pairs: Vec<(String, String, String)> =
            vec![("version".to_owned(), self.version.to_string(), engine.version.to_string())];
        for kind in MatrixKind::ALL {
            let (set, engine) = (self.matrices.of(kind), engine.matrices.of(kind));
            let name = format!("`matrices.{}`", kind.name());
            pairs.push((
                format!("{name}.timeframe"),
                set.timeframe.to_string(),
                engine.timeframe.to_string(),
            ));
            pairs.push((format!("{name}.rows"), set.rows.to_string(), engine.rows.to_string()));
            pairs.push((format!("{name}.columns"), json(&set.columns), json(&engine.columns)));
        }
        pairs.push(("`indicators`".to_owned(), json(&self.indicators), json(&engine.indicators)));
        for (name, set, engine) in [
            ("account inputs", &self.account, &engine.account),
            ("volatility inputs", &self.volatility, &engine.volatility),
            ("opportunity inputs", &self.opportunity, &engine.opportunity),
            ("proposal inputs", &self.proposal, &engine.proposal),
        ] {
            pairs.push((name.to_owned(), json(set), json(engine)));
        }
        let (what, set, engine) = pairs.into_iter().find(|(_, set, engine)| set != engine)?;
        Some(SchemaDifference { what, set, engine })
    }
}

/// A setting as it is written in the manifest.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("settings are plain text and numbers")
}
