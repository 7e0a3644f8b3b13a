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
use crate::journal::{Journal, JournalError, Record, Writer};
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
    /// Oldest first; at least one.
    links: Vec<Link>,
}

/// One file of a chain.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) path: PathBuf,
    pub(super) journal: Journal,
    /// Records that count; `None` for all, in the last file.
    pub(super) records: Option<u64>,
}

impl Link {
    /// Returns the records that count.
    fn records(&self) -> impl Iterator<Item = Record<'_>> {
        self.journal.records().take(self.records.map_or(usize::MAX, |records| records as usize))
    }
}

impl JournalChain {
    /// Opens the chain that ends with the file at `path`; if that is a folder, with its newest.
    ///
    /// # Errors
    /// If a file is missing, is no journal of a run, or has fewer records than its successor
    /// continued.
    pub fn open(path: &Path) -> Result<JournalChain, RunJournalError> {
        let mut next = if path.is_dir() {
            let newest = newest_in(path)?;
            newest.map_or_else(|| path.join("run.journal"), |(_, path)| path)
        } else {
            path.to_owned()
        };
        let (mut links, mut records) = (Vec::new(), None);
        loop {
            let journal = Journal::open(&next)?;
            let header = JournalHeader::read(&journal, &next)?;
            let link = Link { path: next, journal, records };
            let folder = link.path.with_file_name("");
            links.push(link);
            let Some(Follows { file, records: counted }) = header.follows else { break };
            next = folder.join(&file);
            records = Some(counted);
            let is_earlier = links.iter().all(|link| link.path != next);
            if !is_earlier || Path::new(&file).file_name() != Some(file.as_ref()) {
                return Err(RunJournalError::Chain { path: next.display().to_string() });
            }
        }
        links.reverse();
        Ok(JournalChain { links })
    }

    /// The files, oldest first.
    pub(super) fn links(&self) -> &[Link] {
        &self.links
    }

    /// The last file.
    pub(super) fn last(&self) -> &Link {
        self.links.last().expect("a chain has a file")
    }

    /// Returns the header of the last file.
    ///
    /// # Errors
    /// If it is not that of a run.
    pub fn header(&self) -> Result<JournalHeader, RunJournalError> {
        JournalHeader::read(&self.last().journal, &self.last().path)
    }

    /// Returns the SHA-256 of all files, one after the other.
    pub(super) fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        self.links.iter().for_each(|link| hash.update(link.journal.bytes()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the latest market time of an event in the last file; `None` if it has no event, or
    /// the run has ended.
    pub fn time(&self) -> Option<Timestamp> {
        let mut latest = None;
        for record in self.last().records() {
            match Entry::of(&record) {
                Some(Entry::Event(_, Event::End(_))) => latest = None,
                Some(Entry::Event(_, event)) => latest = latest.max(event.time()),
                _ => {}
            }
        }
        latest
    }

    /// Returns the events of the whole chain, in order, each with its number.
    pub fn events(&self) -> impl Iterator<Item = (u64, Event)> {
        self.links.iter().flat_map(Link::records).filter_map(|record| match Entry::of(&record) {
            Some(Entry::Event(number, event)) => Some((number, event)),
            _ => None,
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
        let (journal, mut records, mut has_ended) = (Journal::open(&path)?, 0, false);
        let mut last = None;
        for record in journal.records() {
            records += 1;
            if let Some(Entry::Event(event, what)) = Entry::of(&record) {
                (last, has_ended) = (Some(event), matches!(what, Event::End(_)));
            }
        }
        if !has_ended {
            let before = || {
                let chain = JournalChain::open(&path)?;
                Ok::<_, RunJournalError>(chain.events().last().map_or(0, |(event, _)| event + 1))
            };
            events = last.map_or_else(before, |event| Ok(event + 1))?;
            follows = Some(Follows { file: name_of(newest), records });
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
