//! The records of a run's journal: every event in its order, and every action.
//!
//! Events make the run: replayed in their order they give the same actions, bit for bit. Actions
//! are there for comparison and for readers.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::message::{Action, Event};
use crate::journal::{JournalError, Record, Writer};
use crate::market::Tick;

/// Size of the largest record in bytes, more than twice that of an action.
const LARGEST: usize = 512;

/// The journal of a run at work.
#[derive(Debug)]
pub struct RunJournal {
    writer: Writer,
    buffer: [u8; LARGEST],
    /// Events in the files before this one.
    before: u64,
}

impl RunJournal {
    /// Creates a journal that writes its records with `writer`.
    pub fn new(writer: Writer) -> RunJournal {
        RunJournal { writer, buffer: [0; LARGEST], before: 0 }
    }

    /// Continues files that hold this number of events, which are counted in the written numbers.
    pub fn after(self, events: u64) -> RunJournal {
        RunJournal { before: events, ..self }
    }

    /// Writes the event with this number in the total order.
    ///
    /// # Errors
    /// If there is no room for it.
    #[inline]
    pub fn event(&mut self, number: u64, event: &Event) -> Result<(), JournalError> {
        let number = self.before + number;
        match event {
            Event::Tick(tick) => self.writer.append(kind::TICK, number, bytemuck::bytes_of(tick)),
            Event::Quote(quote) => self.append(kind::QUOTE, number, quote),
            Event::Report(report) => self.append(kind::REPORT, number, report),
            Event::Timer(now) => self.append(kind::TIMER, number, now),
            Event::Gap(gap) => self.append(kind::GAP, number, gap),
            Event::Entries(entries) => self.append(kind::ENTRIES, number, entries),
            Event::Answer(answer) => self.append(kind::ANSWER, number, answer),
            Event::End(reason) => self.append(kind::END, number, reason),
        }
    }

    /// Writes an action at the event with this number.
    ///
    /// # Errors
    /// If there is no room for it.
    pub fn action(&mut self, event: u64, action: &Action) -> Result<(), JournalError> {
        self.append(kind::ACTION, self.before + event, action)
    }

    /// Hands everything to the system: the end of the process loses none of it then.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        self.writer.flush()
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

/// The kind bytes of records. A byte never gets another meaning.
mod kind {
    pub(super) const TICK: u8 = 1;
    pub(super) const QUOTE: u8 = 2;
    pub(super) const REPORT: u8 = 3;
    pub(super) const TIMER: u8 = 4;
    pub(super) const ANSWER: u8 = 5;
    pub(super) const END: u8 = 6;
    pub(super) const GAP: u8 = 7;
    pub(super) const ENTRIES: u8 = 8;
    pub(super) const ACTION: u8 = 16;
}

/// One record of a run's journal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Entry {
    /// The event with this number.
    Event(u64, Event),
    /// An action at the event with this number.
    Action(u64, Action),
}

impl Entry {
    /// Returns the meaning of a record; `None` if this version does not know it.
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
            kind::GAP => Event::Gap(read(payload)?),
            kind::ENTRIES => Event::Entries(read(payload)?),
            kind::ANSWER => Event::Answer(read(payload)?),
            kind::END => Event::End(read(payload)?),
            kind::ACTION => return Some(Entry::Action(record.sequence, read(payload)?)),
            _ => return None,
        };
        Some(Entry::Event(record.sequence, event))
    }
}
