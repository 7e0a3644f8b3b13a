//! The stages wired together: [`Pipeline`] takes a tick through all of them, [`replay`] is the inline
//! runner, and [`run_backtest`] goes from a configuration to everything a run leaves.

mod assembly;
mod backtest;
mod feature_stage;
mod inline;
mod stages;

pub use assembly::{AssemblyError, check_fit};
pub use backtest::{Backtest, BacktestError, Prepared, run_backtest};
pub use feature_stage::{FeatureCounts, FeatureStage, FeatureStageError};
pub use inline::{Replay, replay};
pub use stages::{Pipeline, PipelineSettings, Sink};
