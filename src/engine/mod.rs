//! The stages wired together: [`Pipeline`] takes a tick through all of them, [`replay()`] runs them in one thread,
//! and [`pinned`] on several.

mod decision;
mod event;
mod feature_stage;
mod inline;
mod output;
pub mod pinned;
mod run_journal;
mod sink;
mod stages;
mod trading;

pub use decision::{Answer, Break, DecisionTiming, Downstream, Question};
pub use event::{Event, Quote};
pub use feature_stage::{FeatureCounts, FeatureStage, FeatureStageError};
pub(crate) use inline::no_times;
pub use inline::{Replay, replay};
pub use output::{Action, Output};
pub(crate) use run_journal::read_header;
pub use run_journal::{Entry, JournalHeader, RunJournal, RunJournalError};
pub use sink::Sink;
pub(crate) use stages::Deciding;
pub use stages::Pipeline;
pub use trading::{PipelineSettings, TradingStage};
