//! The file of a run's journal: its header, its creation, and its faults.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::backtest::BacktestError;
use super::chain::Follows;
use super::history::History;
use super::runner::Runner;
use crate::config::Config;
use crate::engine::RunJournal;
use crate::journal::{Journal, JournalError, MAGIC, Writer};
use crate::market::{TickFault, Timestamp};
use crate::performance::{HeldDirectory, JOURNAL};
use crate::source::native::{DescriptionFault, TickFileDescription};
use crate::whole_file::{self, FileKind};

/// The files that a journal may replace.
pub(super) const JOURNAL_FILE: FileKind =
    FileKind { what: "a journal", is_ours: &|file| whole_file::begins_with(file, &MAGIC) };

/// Returns the path of a run's journal.
pub fn journal_path(config: &Config) -> PathBuf {
    config.output.directory.join(JOURNAL)
}

/// The facts of a run that its replay needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalHeader {
    /// Version of the program.
    pub version: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// Path of the input as the user gave it.
    pub input: String,
    /// The input's description of itself.
    pub description: TickFileDescription,
    /// Notes on the input.
    pub notes: Vec<String>,
    /// The resolved configuration, without secrets.
    pub configuration: String,
    /// SHA-256 of the manifest of the agents' model set, if they decide.
    #[serde(default)]
    pub model_set: Option<String>,
    /// `true` if the strategy's answers are among the events. If not, the strategy was called in
    /// order, and a replay calls it again.
    pub has_answers: bool,
    /// End of the warm-up whose ticks are the first events; absent if the configuration says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trades_from: Option<Timestamp>,
    /// The journal that this one continues, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<Follows>,
}

impl JournalHeader {
    /// Begins a journal. It replaces a journal of that name, and a folder that is missing is
    /// created.
    ///
    /// # Errors
    /// If the file cannot be created, or something else than a journal has its name.
    pub fn begin(&self, path: &Path) -> Result<RunJournal, JournalError> {
        // The creation that follows reports a failure here.
        let _ = path.parent().map(std::fs::create_dir_all);
        self.begin_after(path, || Ok(()))
    }

    /// Begins a journal that gets its name once there is room for it and `ready` is done.
    ///
    /// # Errors
    /// As [`JournalHeader::begin`], and those of `ready`. A journal that has the name keeps it
    /// then.
    fn begin_after<E: From<JournalError>>(
        &self,
        path: &Path,
        ready: impl FnOnce() -> Result<(), E>,
    ) -> Result<RunJournal, E> {
        let io = |source| JournalError::Io { path: path.to_owned(), action: "create", source };
        let header = serde_json::to_vec_pretty(self).expect("a header is plain text and numbers");
        let unfinished = whole_file::begin(path, &JOURNAL_FILE).map_err(io)?;
        let file = unfinished.as_file().try_clone().map_err(io)?;
        let writer = Writer::begin(file, path, &header)?;
        ready()?;
        whole_file::put_in_place(unfinished, path, &JOURNAL_FILE).map_err(io)?;
        Ok(RunJournal::new(writer))
    }

    /// Reads the header of a run's journal.
    ///
    /// # Errors
    /// If it is not the header of a run.
    pub(super) fn read(journal: &Journal, path: &Path) -> Result<JournalHeader, RunJournalError> {
        serde_json::from_slice(journal.header())
            .map_err(|source| RunJournalError::Header { path: path.display().to_string(), source })
    }
}

/// Begins the run's journal in the directory that is held for it, which becomes the new run's once
/// there is room.
pub(super) fn begin_journal(
    held: &HeldDirectory,
    config: &Config,
    history: &History,
    model_set: Option<String>,
    runner: &Runner,
) -> Result<RunJournal, BacktestError> {
    let header = JournalHeader {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: config.system.seed,
        input: history.name.clone(),
        description: history.file.description().clone(),
        notes: history.notes.clone(),
        configuration: config.to_resolved_yaml(),
        model_set,
        has_answers: runner.has_answers(),
        trades_from: None,
        follows: None,
    };
    header.begin_after(&held.path().join(JOURNAL), || held.begin().map_err(BacktestError::from))
}

/// The reason why a file is not the journal of a run.
#[derive(Debug, thiserror::Error)]
pub enum RunJournalError {
    /// The file is not a journal with a whole header.
    #[error(transparent)]
    File(#[from] JournalError),
    /// The header is not of this version.
    #[error(
        "{path}: the header is not that of a run's journal: {source}; it was written by another version"
    )]
    Header {
        /// The file.
        path: String,
        /// Fault that was found.
        source: serde_json::Error,
    },
    /// The events are not numbered one after the other.
    #[error(
        "{path}: event {event} stands where event {expected} should: records are missing, or it is not the journal of a run"
    )]
    Order {
        /// The file.
        path: String,
        /// The number of an event.
        event: u64,
        /// The number that was due.
        expected: u64,
    },
    /// The files of a chain do not fit together.
    #[error(
        "{path}: the journal that continues it does not fit to it: files of the chain are missing, cut or mixed up"
    )]
    Chain {
        /// The earlier file.
        path: String,
    },
    /// A record has no meaning.
    #[error(
        "{path}: a record of kind {kind} at event {event} has no meaning in this version; replay it with the version that wrote it"
    )]
    Record {
        /// The file.
        path: String,
        /// Its kind.
        kind: u8,
        /// Its event.
        event: u64,
    },
    /// The header describes an impossible input.
    #[error("{path}: the header tells of {fault}. No run writes such a journal")]
    Input {
        /// The file.
        path: String,
        /// The fault.
        fault: DescriptionFault,
    },
    /// The checksum fits, but no run takes such a tick.
    #[error("{path}: the tick of event {event} cannot be: {fault}. No run writes such a journal")]
    Tick {
        /// The file.
        path: String,
        /// Its event.
        event: u64,
        /// Fault that was found.
        fault: TickFault,
    },
    /// Something other than a tick is at an impossible instant.
    #[error(
        "{path}: event {event} is at {time}, which is not between 1970 and 2199. No run writes such a journal"
    )]
    Time {
        /// The file.
        path: String,
        /// Its event.
        event: u64,
        /// The time that it states.
        time: Timestamp,
    },
}
