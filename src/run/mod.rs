//! From a configuration to everything that a run leaves: [`run_backtest`] takes a history through
//! the [`engine`](crate::engine), [`replay_journal`] takes a run's journal through it, and
//! [`survey()`] shows what a run would find.

mod assembly;
mod backtest;
mod chain;
#[cfg(feature = "live")]
mod fed;
pub mod history;
mod journal_file;
mod notes;
#[cfg(feature = "live")]
mod past;
mod recording;
mod replay;
mod runner;
mod seat;
mod survey;

pub use assembly::AssemblyError;
#[cfg(feature = "live")]
pub(crate) use assembly::timers;
pub(crate) use assembly::{Conditions, pipeline};
pub use backtest::{Backtest, BacktestError, Prepared, RunPlace, run_backtest, run_backtest_in};
pub use chain::{Follows, JournalChain, begin_next};
#[cfg(feature = "live")]
pub(crate) use fed::{Fed, Threads, run_fed, unfinished};
pub use journal_file::{JournalHeader, RunJournalError, journal_path};
#[cfg(feature = "live")]
pub(crate) use past::{LastTick, Past};
pub use replay::{Difference, ReplayError, Replayed, replay_journal, replay_session};
pub use seat::{open_backend, open_model_set};
pub use survey::{ContractSpan, Missing, Survey, survey};
