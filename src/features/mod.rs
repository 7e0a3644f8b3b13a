//! The feature row: every indicator's values at the close of a bar, in one fixed block.
//!
//! [`FeatureEngine`] takes closed bars of all timeframes and writes a [`FeatureRow`] at each close.
//! [`FeatureLayout`] tells which column means what; `docs/features.md` lists the default one.
//! [`in_chunks`] computes the same from millions of bars on many cores.

mod batch;
mod definitions;
mod engine;
mod field;
mod layout;
mod row;
mod settings;
mod table;
mod timeframe;

pub use batch::in_chunks;
pub use engine::{FeatureEngine, FeatureState, ForeignState};
pub use field::{Field, Unit};
pub use layout::{FeatureLayout, TooManyFeatures};
pub use row::{FeatureRow, MOST_FIELDS};
pub use settings::{IndicatorSettings, IndicatorTimeframes};
pub use table::FeatureTable;

use crate::indicators::SettingOutOfRange;

/// Settings that make no features.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SettingsError {
    /// Too many columns.
    #[error(transparent)]
    TooMany(#[from] TooManyFeatures),
    /// An indicator cannot be such.
    #[error(transparent)]
    OutOfRange(#[from] SettingOutOfRange),
}
