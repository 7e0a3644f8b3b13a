//! The user's settings.
//!
//! One YAML file, described key by key in `docs/configuration.md`. [`Config::load`] reads it, puts
//! environment variables in (`${NAME}`, `${NAME:-default}`, `${NAME:?message}`), and refuses
//! unknown keys, wrong types and impossible values with file, line, column and remedy. Everything
//! that the file leaves out has a documented default.

mod error;
mod load;
mod notes;
mod removed;
mod schema;
mod secret;
mod source;
mod validate;
mod variables;

pub use error::{ConfigError, Problem};
pub use load::{parse_document, process_variables};
pub use schema::*;
pub use secret::Secret;

use crate::engine::pinned::RunnerKind;
use crate::market::{Instrument, InstrumentError};

impl Config {
    /// The instrument to trade: one of [`Config::instruments`] or a built-in one.
    ///
    /// # Errors
    /// If there is none of that symbol. Never for a loaded configuration.
    pub fn instrument(&self) -> Result<Instrument, InstrumentError> {
        match self.instruments.iter().find(|entry| entry.symbol == self.instrument) {
            Some(entry) => entry.to_instrument(),
            None => Instrument::built_in(&self.instrument),
        }
    }

    /// Returns whether a run keeps a journal. Paper and live trading always do.
    pub fn keeps_journal(&self) -> bool {
        let is_pinned =
            self.system.mode != Mode::Backtest || self.pipeline.runner == RunnerKind::Pinned;
        self.pipeline.journal.unwrap_or(is_pinned)
    }

    /// The synthetic market's seed: its own, or that of the system.
    pub fn synthetic_seed(&self) -> u64 {
        let synthetic = &self.data_handler.backtest_settings.synthetic;
        synthetic.as_ref().and_then(|market| market.seed).unwrap_or(self.system.seed)
    }
}

impl InstrumentSettings {
    /// The instrument that this describes.
    ///
    /// # Errors
    /// If there can be no such instrument.
    pub fn to_instrument(&self) -> Result<Instrument, InstrumentError> {
        Instrument::new(
            &self.symbol,
            &self.description,
            self.tick_size,
            self.point_value,
            self.calendar,
        )
    }
}
