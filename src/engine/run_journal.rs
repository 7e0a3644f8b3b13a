//! A run's journal: every event in its order, and everything that was done about it.
//!
//! Events make the run: replayed in their order they give the same actions, bit for bit. Actions are there to be
//! compared, and to be read.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::event::Event;
use super::output::Action;
use crate::journal::{Journal, JournalError, MAGIC, Record, Writer};
use crate::market::{Tick, TickFault, Timestamp};
use crate::source::native::{DescriptionFault, TickFileDescription};
use crate::whole_file::{self, Kind};

/// Bytes of the largest record: more than twice what an action takes.
const LARGEST: usize = 512;

/// What may be replaced by a journal.
const JOURNAL_FILE: Kind =
    Kind { what: "a journal", is_ours: &|file| whole_file::begins_with(file, &MAGIC) };

/// What a run must have been to be replayed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalHeader {
    /// Version of the program.
    pub version: String,
    /// Seed of every random draw.
    pub seed: u64,
    /// Path of the input as the user gave it.
    pub input: String,
    /// What the input says of itself.
    pub description: TickFileDescription,
    /// What a reader must know of the input.
    pub notes: Vec<String>,
    /// The resolved configuration, without secrets.
    pub configuration: String,
    /// SHA-256 of the manifest of the agents' model set, if they decide.
    #[serde(default)]
    pub model_set: Option<String>,
    /// Whether the decision seat's answers are among the events; if not, it was called, and is called again.
    pub has_answers: bool,
}

/// A journal that is being written.
pub struct RunJournal {
    writer: Writer,
    buffer: [u8; LARGEST],
}

impl RunJournal {
    /// Begins a journal. A journal of that name goes, and a folder that is missing is made.
    ///
    /// # Errors
    /// If the file cannot be made, or something else than a journal has its name.
    pub fn begin(path: &Path, header: &JournalHeader) -> Result<RunJournal, JournalError> {
        // What cannot be done here is told by the creation that follows.
        let _ = path.parent().map(std::fs::create_dir_all);
        Self::begin_after(path, header, || Ok(()))
    }

    /// Begins a journal that gets its name once there is room for it and `ready` is done.
    ///
    /// # Errors
    /// As [`RunJournal::begin`], and what `ready` fails with. A journal that has the name keeps it then.
    pub(crate) fn begin_after<E: From<JournalError>>(
        path: &Path,
        header: &JournalHeader,
        ready: impl FnOnce() -> Result<(), E>,
    ) -> Result<RunJournal, E> {
        let io = |source| JournalError::Io { path: path.to_owned(), action: "create", source };
        let header = serde_json::to_vec_pretty(header).expect("a header is plain text and numbers");
        let unfinished = whole_file::begin(path, &JOURNAL_FILE).map_err(io)?;
        let file = unfinished.as_file().try_clone().map_err(io)?;
        let writer = Writer::begin(file, path, &header)?;
        ready()?;
        whole_file::put_in_place(unfinished, path, &JOURNAL_FILE).map_err(io)?;
        Ok(RunJournal { writer, buffer: [0; LARGEST] })
    }

    /// Writes the event that has this number in the total order.
    ///
    /// # Errors
    /// If there is no room for it.
    #[inline]
    pub fn event(&mut self, number: u64, event: &Event) -> Result<(), JournalError> {
        match event {
            Event::Tick(tick) => self.writer.append(kind::TICK, number, bytemuck::bytes_of(tick)),
            Event::Quote(quote) => self.append(kind::QUOTE, number, quote),
            Event::Report(report) => self.append(kind::REPORT, number, report),
            Event::Timer(now) => self.append(kind::TIMER, number, now),
            Event::Answer(answer) => self.append(kind::ANSWER, number, answer),
            Event::End(reason) => self.append(kind::END, number, reason),
        }
    }

    /// Writes what was done at the event of this number.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn action(&mut self, event: u64, action: &Action) -> Result<(), JournalError> {
        self.append(kind::ACTION, event, action)
    }

    /// Ends the journal: everything is on the disk after this.
    ///
    /// # Errors
    /// If it cannot be written out.
    pub fn finish(self) -> Result<(), JournalError> {
        self.writer.finish().map(|_| ())
    }

    fn append(
        &mut self,
        kind: u8,
        number: u64,
        value: &impl Serialize,
    ) -> Result<(), JournalError> {
        let payload = postcard::to_slice(value, &mut self.buffer)
            .expect("events and actions are small and of plain fields");
        self.writer.append(kind, number, payload)
    }
}

/// What each record's kind byte says. They are never given another meaning.
mod kind {
    pub(super) const TICK: u8 = 1;
    pub(super) const QUOTE: u8 = 2;
    pub(super) const REPORT: u8 = 3;
    pub(super) const TIMER: u8 = 4;
    pub(super) const ANSWER: u8 = 5;
    pub(super) const END: u8 = 6;
    pub(super) const ACTION: u8 = 16;
}

/// One record of a run's journal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry {
    /// It happened, as the event of this number.
    Event(u64, Event),
    /// This was done at the event of this number.
    Action(u64, Action),
}

/// A journal that does not hold what a run writes.
#[derive(Debug, thiserror::Error)]
pub enum RunJournalError {
    /// The file is no whole journal up to its header.
    #[error(transparent)]
    File(#[from] JournalError),
    /// The header is not what this version writes.
    #[error(
        "{path}: the header is not that of a run's journal: {source}; it was written by another version"
    )]
    Header {
        /// The file.
        path: String,
        /// What is wrong.
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
    /// The header tells of an input that cannot be.
    #[error("{path}: the header tells of {fault}. No run writes such a journal")]
    Input {
        /// The file.
        path: String,
        /// What cannot be.
        fault: DescriptionFault,
    },
    /// The checksum fits, but no run takes such a tick.
    #[error("{path}: the tick of event {event} cannot be: {fault}. No run writes such a journal")]
    Tick {
        /// The file.
        path: String,
        /// Its event.
        event: u64,
        /// What is wrong.
        fault: TickFault,
    },
    /// Something other than a tick is at an instant that cannot be.
    #[error(
        "{path}: event {event} is at {time}, which is not between 1970 and 2199. No run writes such a journal"
    )]
    Time {
        /// The file.
        path: String,
        /// Its event.
        event: u64,
        /// When it is said to be.
        time: Timestamp,
    },
}

impl Entry {
    /// What a record says; `None` if it has no meaning in this version.
    pub fn of(record: &Record<'_>) -> Option<Entry> {
        fn read<T: DeserializeOwned>(payload: &[u8]) -> Option<T> {
            let (value, rest) = postcard::take_from_bytes(payload).ok()?;
            rest.is_empty().then_some(value)
        }
        let payload = record.payload;
        let event = match record.kind {
            kind::TICK => Event::Tick(bytemuck::try_pod_read_unaligned::<Tick>(payload).ok()?),
            kind::QUOTE => Event::Quote(read(payload)?),
            kind::REPORT => Event::Report(read(payload)?),
            kind::TIMER => Event::Timer(read(payload)?),
            kind::ANSWER => Event::Answer(read(payload)?),
            kind::END => Event::End(read(payload)?),
            kind::ACTION => return Some(Entry::Action(record.sequence, read(payload)?)),
            _ => return None,
        };
        Some(Entry::Event(record.sequence, event))
    }
}

/// The header of a run's journal.
///
/// # Errors
/// If it is none.
pub(crate) fn read_header(
    journal: &Journal,
    path: &Path,
) -> Result<JournalHeader, RunJournalError> {
    serde_json::from_slice(journal.header())
        .map_err(|source| RunJournalError::Header { path: path.display().to_string(), source })
}
