//! The stages wired together: [`Pipeline`] takes a tick through all of them, [`replay()`] runs them
//! in one thread, and [`pinned`] on several. The engine knows no configuration and no file:
//! [`run`](crate::run) builds it from the one and keeps what it makes in the other.

mod books;
mod calm;
mod downstream;
mod feature_stage;
mod inline;
mod message;
pub mod pinned;
mod run_journal;
mod session_clock;
mod settings;
mod sink;
mod stages;
mod timers;
mod trading;
mod warm_up;
mod warm_up_gauge;

pub use downstream::Downstream;
pub use feature_stage::{Break, FeatureCounts, FeatureStage, FeatureStageError};
pub use inline::{Replay, replay};
pub(crate) use inline::{no_times, run_inline};
pub use message::{Action, Answer, DecisionTiming, Entries, Event, Output, Question, Quote};
pub use run_journal::{Entry, RunJournal};
pub use settings::PipelineSettings;
pub use sink::{NullSink, Sink};
pub use stages::Pipeline;
pub use timers::Timers;
pub use trading::TradingStage;
pub use warm_up::warm;
pub use warm_up_gauge::WarmUpGauge;
