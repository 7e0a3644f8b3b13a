//! The user's tick file that warms a paper session up.

use crate::config::Config;
use crate::market::Instrument;
use crate::source::native::{TickFile, TickFileError};

/// The reason that a file cannot warm the stages up.
#[derive(Debug, thiserror::Error)]
pub enum WarmUpError {
    /// It is not a whole native tick file.
    #[error("data_handler.live_settings.warm_up: {0}")]
    File(#[from] TickFileError),
    /// It is of another instrument.
    #[error(
        "data_handler.live_settings.warm_up: {path} holds {found}, the configuration trades {expected}; import a history of {expected}"
    )]
    Instrument {
        /// The file.
        path: String,
        /// Its instrument.
        found: String,
        /// The configuration's.
        expected: String,
    },
    /// It was written with another tick size or point value.
    #[error(
        "data_handler.live_settings.warm_up: {path} has another tick size or point value than {instrument}; import it again"
    )]
    Numbers {
        /// The file.
        path: String,
        /// The configuration's instrument.
        instrument: String,
    },
}

/// Opens the file of `warm_up`; `None` if the configuration names none.
///
/// # Errors
/// If it cannot be read, or the market's ticks cannot continue it.
pub fn open_warm_up(
    config: &Config,
    instrument: &Instrument,
) -> Result<Option<TickFile>, WarmUpError> {
    let Some(path) = &config.data_handler.live_settings.warm_up else { return Ok(None) };
    let file = TickFile::open(path)?;
    let description = file.description();
    let path = path.display().to_string();
    if description.instrument != instrument.symbol {
        let (found, expected) = (description.instrument.clone(), instrument.symbol.clone());
        return Err(WarmUpError::Instrument { path, found, expected });
    }
    if !description.has_numbers_of(instrument) {
        return Err(WarmUpError::Numbers { path, instrument: instrument.symbol.clone() });
    }
    Ok(Some(file))
}
