//! The columns and rows of a matrix: part of the contract of the model that sees it.

use super::Scale;
use crate::market::Timeframe;
use crate::settings::{Value, record, settings};

/// The matrices, in the order in which they are named everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatrixKind {
    /// The structure agent's.
    Structure,
    /// The tactical agent's.
    Tactical,
    /// The regime engine's.
    Regime,
    /// The volume profile's row for all agents.
    Context,
}

impl MatrixKind {
    /// Every matrix, in order.
    pub const ALL: [MatrixKind; 4] =
        [MatrixKind::Structure, MatrixKind::Tactical, MatrixKind::Regime, MatrixKind::Context];

    /// Returns its key in `matrices`.
    pub const fn name(self) -> &'static str {
        match self {
            MatrixKind::Structure => "structure",
            MatrixKind::Tactical => "tactical",
            MatrixKind::Regime => "regime",
            MatrixKind::Context => "context",
        }
    }
}

/// A matrix: its bars, its rows, and its columns. It travels with the model that was trained on it.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixSettings {
    /// The bars at whose close a row is added.
    pub timeframe: Timeframe,
    /// Rows in the window, 1 to 1,000.
    pub rows: usize,
    /// Its columns, in order, 1 to 64.
    pub columns: Vec<ColumnSettings>,
}

/// One column of a matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct ColumnSettings {
    /// A column of the feature row, such as `nw_dev_30m`.
    pub feature: String,
    /// A feature that it is divided by, such as `atr_30m`; where that is zero there is no value.
    pub per: Option<String>,
    /// Scale of the result.
    pub scale: Scale,
}

impl ColumnSettings {
    /// Returns `FEATURE`, or `FEATURE/PER`.
    pub fn name(&self) -> String {
        match &self.per {
            None => self.feature.clone(),
            Some(per) => format!("{}/{per}", self.feature),
        }
    }
}

settings! {
    /// The matrices of the agents; `None` stands for the default one, if its features are computed.
    pub struct MatricesSettings {
        /// The structure agent's; `null`: 48×8 on 30 minutes.
        pub structure: Option<MatrixSettings> = None, "as above";
        /// The tactical agent's; `null`: 60×7 on 5 minutes.
        pub tactical: Option<MatrixSettings> = None, "as above";
        /// The regime engine's; `null`: 100×12 on 30 minutes.
        pub regime: Option<MatrixSettings> = None, "as above";
        /// The volume profile, for all agents; `null`: 1×5 on 30 minutes.
        pub context: Option<MatrixSettings> = None, "as above";
    }
}

record!(MatrixSettings { timeframe: "required", rows: "required", columns: "required" });
record!(ColumnSettings { feature: "required", per: "left out", scale: "required" });

impl Value for MatrixSettings {
    fn kind() -> String {
        "matrix".to_owned()
    }
}

fn fixed(feature: &str, per: Option<&str>, divisor: f64) -> ColumnSettings {
    let scale = Scale::Fixed { divisor };
    ColumnSettings { feature: feature.to_owned(), per: per.map(str::to_owned), scale }
}

fn weighted(feature: &str, half_life: f64) -> ColumnSettings {
    let scale = Scale::Weighted { half_life };
    ColumnSettings { feature: feature.to_owned(), per: None, scale }
}

impl MatrixSettings {
    /// Returns the matrix that stands where none is given.
    pub fn default_of(kind: MatrixKind) -> MatrixSettings {
        match kind {
            MatrixKind::Structure => MatrixSettings::structure(),
            MatrixKind::Tactical => MatrixSettings::tactical(),
            MatrixKind::Regime => MatrixSettings::regime(),
            MatrixKind::Context => MatrixSettings::context(),
        }
    }

    /// Returns the matrix of the price's place in the market's structure: 48 bars of 30 minutes, a
    /// day of ES.
    pub fn structure() -> MatrixSettings {
        const ATR: Option<&str> = Some("atr_30m");
        MatrixSettings {
            timeframe: Timeframe::MINUTES_30,
            rows: 48,
            columns: vec![
                fixed("mlmi_norm_30m", None, 0.2),
                fixed("mlmi_fwd_norm_30m", None, 0.2),
                fixed("nw_dev_30m", ATR, 1.0),
                fixed("nw_slope_30m", ATR, 0.2),
                fixed("lvn_dist_30m", ATR, 8.0),
                fixed("lvn_strength_30m", None, 0.5),
                fixed("session_sin", None, 1.0),
                fixed("session_cos", None, 1.0),
            ],
        }
    }

    /// Returns the matrix of the latest prices: 60 bars of 5 minutes.
    pub fn tactical() -> MatrixSettings {
        const ATR: Option<&str> = Some("atr_5m");
        MatrixSettings {
            timeframe: Timeframe::MINUTES_5,
            rows: 60,
            columns: vec![
                fixed("fvg_bull_dist_5m", ATR, 2.0),
                fixed("fvg_bear_dist_5m", ATR, 2.0),
                fixed("fvg_newest_decay_5m", None, 0.5),
                fixed("fvg_net_fills_5m", None, 1.0),
                fixed("fvg_newest_size_5m", ATR, 0.5),
                fixed("momentum_5m", ATR, 2.0),
                fixed("log_volume_ratio_5m", None, 1.0),
            ],
        }
    }

    /// Returns the matrix of the market's past days: 100 bars of 30 minutes, two days of ES. What
    /// has no natural size is measured by its own past, of which a week (230 bars) weighs half.
    pub fn regime() -> MatrixSettings {
        const ATR: Option<&str> = Some("atr_30m");
        const WEEK: f64 = 230.0;
        MatrixSettings {
            timeframe: Timeframe::MINUTES_30,
            rows: 100,
            columns: vec![
                weighted("log_return_30m", WEEK),
                weighted("volatility_30m", WEEK),
                weighted("volatility_of_volatility_30m", WEEK),
                fixed("range_30m", ATR, 1.0),
                fixed("ha_body_30m", ATR, 0.5),
                fixed("acceleration_30m", ATR, 2.0),
                fixed("autocorrelation_30m", None, 0.3),
                fixed("volume_z_30m", None, 1.0),
                fixed("volume_skew_30m", None, 1.5),
                fixed("volume_balance_30m", None, 0.5),
                fixed("nw_slope_30m", ATR, 0.2),
                fixed("mlmi_norm_30m", None, 0.2),
            ],
        }
    }

    /// Returns the matrix of the price's place in the volume profile: the last close of 30 minutes.
    pub fn context() -> MatrixSettings {
        MatrixSettings {
            timeframe: Timeframe::MINUTES_30,
            rows: 1,
            columns: vec![
                fixed("lvn_dist_30m", Some("atr_30m"), 8.0),
                fixed("lvn_strength_30m", None, 0.5),
                fixed("lvn_prom_30m", None, 0.5),
                fixed("lvn_above_strength_30m", None, 0.5),
                fixed("lvn_below_strength_30m", None, 0.5),
            ],
        }
    }
}

impl MatricesSettings {
    /// Returns a matrix as given.
    pub fn given(&self, kind: MatrixKind) -> Option<&MatrixSettings> {
        match kind {
            MatrixKind::Structure => self.structure.as_ref(),
            MatrixKind::Tactical => self.tactical.as_ref(),
            MatrixKind::Regime => self.regime.as_ref(),
            MatrixKind::Context => self.context.as_ref(),
        }
    }
}
