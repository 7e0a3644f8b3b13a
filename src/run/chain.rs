//! A chain of journals: a run that continues after its process has ended.
//!
//! Each process of a paper or live run writes a file of its own, `run.0001.journal` and so on, and
//! replaces none. The header of a later file names the one before and how many of its records
//! count. So the events of the chain are those of one run, numbered from 0 on.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::journal_file::{JOURNAL_FILE, JournalHeader, RunJournalError};
use crate::engine::{Entry, Event, RunJournal};
use crate::journal::{End, Journal, JournalError, Records, Writer};
use crate::market::Timestamp;
use crate::whole_file;

/// The file that a journal continues.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Follows {
    /// Name of the file, in the same folder.
    pub file: String,
    /// Whole records of it that count: all that it had when it was continued.
    pub records: u64,
}

/// A journal and those that it continues.
#[derive(Debug)]
pub struct JournalChain {
    /// Files that another one continues, oldest first. They are opened when they are read, since a
    /// process may hold fewer files open than a chain has.
    earlier: Vec<Link>,
    last: Link,
    journal: Journal,
}

/// One file of a chain.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) path: PathBuf,
    /// Records that count; `None` for all, in the last file.
    pub(super) records: Option<u64>,
}

/// The entries of one file of a chain that count, in order.
#[derive(Debug)]
pub(super) struct Entries<'a> {
    link: &'a Link,
    records: Records,
    read: u64,
    /// The number of the next event.
    event: u64,
}

impl Entries<'_> {
    /// Returns the number of the event that comes next.
    pub(super) fn event(&self) -> u64 {
        self.event
    }

    /// Returns the file's end, once every record is read; `None` if it has more records than count.
    pub(super) fn end(&self) -> Result<Option<End>, RunJournalError> {
        Ok(self.records.end()?)
    }

    fn read(&mut self) -> Result<Option<Entry>, RunJournalError> {
        let path = || self.link.path.display().to_string();
        if Some(self.read) == self.link.records {
            return Ok(None);
        }
        let Some(record) = self.records.read()? else {
            // Its successor has continued more.
            let is_cut = self.link.records.is_some();
            return if is_cut { Err(RunJournalError::Chain { path: path() }) } else { Ok(None) };
        };
        self.read += 1;
        let Some(entry) = Entry::of(&record) else {
            let (kind, event) = (record.kind, record.sequence);
            return Err(RunJournalError::Record { path: path(), kind, event });
        };
        if let Entry::Event(event, _) = entry {
            if event != self.event {
                let expected = self.event;
                return Err(RunJournalError::Order { path: path(), event, expected });
            }
            self.event += 1;
        }
        Ok(Some(entry))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, RunJournalError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

impl JournalChain {
    /// Opens the chain that ends with the file at `path`; if that is a folder, with its newest.
    ///
    /// # Errors
    /// If a file is missing, or is no journal of a run.
    pub fn open(path: &Path) -> Result<JournalChain, RunJournalError> {
        let path = if path.is_dir() {
            let newest = newest_in(path)?;
            newest.map_or_else(|| path.join("run.journal"), |(_, path)| path)
        } else {
            path.to_owned()
        };
        let journal = Journal::open(&path)?;
        let mut follows = JournalHeader::read(&journal, &path)?.follows;
        let (last, mut earlier) = (Link { path, records: None }, Vec::new());
        while let Some(Follows { file, records }) = follows {
            let path = last.path.with_file_name("").join(&file);
            let is_known = |link: &Link| link.path == path;
            if is_known(&last)
                || earlier.iter().any(is_known)
                || Path::new(&file).file_name() != Some(file.as_ref())
            {
                return Err(RunJournalError::Chain { path: path.display().to_string() });
            }
            follows = JournalHeader::read(&Journal::open(&path)?, &path)?.follows;
            earlier.push(Link { path, records: Some(records) });
        }
        earlier.reverse();
        Ok(JournalChain { earlier, last, journal })
    }

    /// Returns the files, oldest first.
    pub(super) fn links(&self) -> impl Iterator<Item = &Link> {
        self.earlier.iter().chain([&self.last])
    }

    /// The last file.
    pub(super) fn last(&self) -> &Link {
        &self.last
    }

    /// Returns the entries of one of the files, whose events are numbered from `event` on.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub(super) fn entries<'a>(
        &'a self,
        link: &'a Link,
        event: u64,
    ) -> Result<Entries<'a>, RunJournalError> {
        let records = match link.records {
            None => self.journal.records(),
            Some(_) => Journal::open(&link.path)?.records(),
        };
        Ok(Entries { link, records, read: 0, event })
    }

    /// Returns the header of the last file.
    ///
    /// # Errors
    /// If it is not that of a run.
    pub fn header(&self) -> Result<JournalHeader, RunJournalError> {
        JournalHeader::read(&self.journal, &self.last.path)
    }

    /// Returns the SHA-256 of all files, one after the other.
    ///
    /// # Errors
    /// If a file cannot be read.
    pub(super) fn sha256(&self) -> Result<String, RunJournalError> {
        let mut hash = Sha256::new();
        for link in &self.earlier {
            Journal::open(&link.path)?.read_whole(|bytes| hash.update(bytes))?;
        }
        self.journal.read_whole(|bytes| hash.update(bytes))?;
        Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Returns the latest market time of an event in the last file; `None` if it has no event, or
    /// the run has ended.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn time(&self) -> Result<Option<Timestamp>, RunJournalError> {
        let (mut latest, mut records) = (None, self.journal.records());
        while let Some(record) = records.read()? {
            match Entry::of(&record) {
                Some(Entry::Event(_, Event::End(_))) => latest = None,
                Some(Entry::Event(_, event)) => latest = latest.max(event.time()),
                _ => {}
            }
        }
        Ok(latest)
    }

    /// Returns whether the last event is the end of the run.
    ///
    /// # Errors
    /// If the last file cannot be read.
    pub(super) fn has_ended(&self) -> Result<bool, RunJournalError> {
        let (mut has_ended, mut records) = (false, self.journal.records());
        while let Some(record) = records.read()? {
            if let Some(Entry::Event(_, event)) = Entry::of(&record) {
                has_ended = matches!(event, Event::End(_));
            }
        }
        Ok(has_ended)
    }

    /// Returns the events of the whole chain, in order, each with its number. Behind an error come
    /// no more: a file cannot be read, has fewer records than its successor continued, or its
    /// events are not those of a run.
    pub fn events(&self) -> impl Iterator<Item = Result<(u64, Event), RunJournalError>> {
        let (mut links, mut open, mut next) = (self.links(), None, 0);
        let mut read = move || -> Result<_, RunJournalError> {
            loop {
                let entries: &mut Entries<'_> = match &mut open {
                    Some(entries) => entries,
                    none => match links.next() {
                        Some(link) => none.insert(self.entries(link, next)?),
                        None => return Ok(None),
                    },
                };
                match entries.next().transpose()? {
                    Some(Entry::Event(number, event)) => return Ok(Some((number, event))),
                    Some(Entry::Action(..)) => {}
                    None => (next, open) = (entries.event(), None),
                }
            }
        };
        let mut has_failed = false;
        std::iter::from_fn(move || {
            let event = if has_failed { None } else { read().transpose() };
            has_failed = matches!(event, Some(Err(_)));
            event
        })
    }
}

/// Begins the next file of a run's chain in `directory`, where no file is replaced or changed. It
/// continues the newest file there, if any, unless that has the end of its run.
///
/// # Errors
/// If the newest file cannot be read, the new one cannot be created, or another process has created
/// it meanwhile.
pub fn begin_next(directory: &Path, header: &JournalHeader) -> Result<RunJournal, RunJournalError> {
    let (mut number, mut events, mut follows) = (1, 0, None);
    if let Some((newest, path)) = newest_in(directory)? {
        number = newest + 1;
        let (mut found, mut counted, mut has_ended) = (Journal::open(&path)?.records(), 0, false);
        let mut last = None;
        while let Some(record) = found.read()? {
            counted += 1;
            if let Some(Entry::Event(event, what)) = Entry::of(&record) {
                (last, has_ended) = (Some(event), matches!(what, Event::End(_)));
            }
        }
        if !has_ended {
            let before = || {
                let mut before = None;
                for event in JournalChain::open(&path)?.events() {
                    before = Some(event?.0);
                }
                Ok::<_, RunJournalError>(before)
            };
            let last = last.map_or_else(before, |event| Ok(Some(event)))?;
            events = last.map_or(0, |event| event + 1);
            follows = Some(Follows { file: name_of(newest), records: counted });
        }
    }
    let path = directory.join(name_of(number));
    let io = |source| JournalError::Io { path: path.clone(), action: "create", source };
    let header = JournalHeader { follows, ..header.clone() };
    let header = serde_json::to_vec_pretty(&header).expect("a header is plain text and numbers");
    let unfinished = whole_file::begin(&path, &JOURNAL_FILE).map_err(io)?;
    let file = unfinished.as_file().try_clone().map_err(io)?;
    let writer = Writer::begin(file, &path, &header)?;
    unfinished.persist_noclobber(&path).map_err(|error| io(error.error))?;
    Ok(RunJournal::new(writer).after(events))
}

fn name_of(number: u32) -> String {
    format!("run.{number:04}.journal")
}

/// Returns the chain's newest file in a folder, and its number.
fn newest_in(directory: &Path) -> Result<Option<(u32, PathBuf)>, JournalError> {
    let fail = |source| JournalError::Io { path: directory.to_owned(), action: "look for", source };
    let mut newest = None;
    for entry in std::fs::read_dir(directory).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let digits = name.strip_prefix("run.").and_then(|rest| rest.strip_suffix(".journal"));
        let number = digits.and_then(|digits| digits.parse::<u32>().ok());
        if let Some(number) = number.filter(|&number| name_of(number) == name) {
            newest = newest.max(Some((number, path)));
        }
    }
    Ok(newest)
}
