//! The reason why a source cannot be read as a whole.

use std::io;
use std::path::{Path, PathBuf};

use super::databento::DatabentoError;
use super::lean::LeanError;
use super::sierra::SierraError;

/// The error that ends the reading of a source. `E` is the error of the sink that takes the rows;
/// the rows before the error have been handed to it.
#[derive(Debug, thiserror::Error)]
pub enum ReadError<E> {
    /// The operating system refused.
    #[error("{path}: cannot be read: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// Not a Sierra Chart file that this program reads.
    #[error("{path}: {source}")]
    Sierra {
        /// The file.
        path: PathBuf,
        /// Fault that was found.
        source: SierraError,
    },
    /// Not a LEAN archive that this program reads.
    #[error("{path}: {source}")]
    Lean {
        /// The file.
        path: PathBuf,
        /// Fault that was found.
        source: LeanError,
    },
    /// Not a Databento file that this program reads.
    #[error("{path}: {source}")]
    Databento {
        /// The file.
        path: PathBuf,
        /// Fault that was found.
        source: DatabentoError,
    },
    /// The sink wants no more.
    #[error(transparent)]
    Sink(E),
}

impl<E> ReadError<E> {
    pub(super) fn io(path: &Path, source: io::Error) -> ReadError<E> {
        ReadError::Io { path: path.to_owned(), source }
    }
}
