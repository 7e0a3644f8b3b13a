//! The stages wired together: [`Pipeline`] takes a tick through all of them, [`replay()`] is the inline
//! runner, and [`run_backtest`] goes from a configuration to everything a run leaves.

mod assembly;
mod backtest;
mod decision;
mod event;
mod feature_stage;
mod inline;
mod journal;
mod output;
pub mod pinned;
mod replay;
mod runner;
mod seat;
mod sink;
mod stages;
mod survey;
mod trading;

pub use assembly::AssemblyError;
pub(crate) use assembly::pipeline;
pub use backtest::{Backtest, BacktestError, Place, Prepared, run_backtest, run_backtest_in};
pub use decision::{Answer, Break, DecisionTiming, Downstream, Question};
pub use event::{Event, Quote};
pub use feature_stage::{FeatureCounts, FeatureStage, FeatureStageError};
pub use inline::{Replay, replay};
pub use journal::{Entry, JournalHeader, RunJournal, RunJournalError};
pub use output::{Action, Output};
pub use replay::{Difference, ReplayError, Replayed, replay_journal};
pub use runner::journal_path;
pub(crate) use seat::risk_rules;
pub use seat::{open_backend, open_model_set};
pub use sink::Sink;
pub use stages::Pipeline;
pub use survey::{ContractSpan, Missing, Survey, survey};
pub use trading::{PipelineSettings, TradingStage};
