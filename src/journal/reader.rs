//! Reading a journal.

use std::fmt;
use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use super::{
    FINISHED, FRAME, HEAD, JournalError, LONGEST, MAGIC, VERSION, head_check, record_check,
};

/// A journal that is open for reading.
#[derive(Debug)]
pub struct Journal {
    map: Mmap,
    /// Bytes of the header.
    header: usize,
}

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its kind, 1 to 254.
    pub kind: u8,
    /// The sequence that its writer gave it.
    pub sequence: u64,
    /// Its content.
    pub payload: &'a [u8],
}

/// The end of a journal, behind its last whole record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As its writer ended it.
    Finished {
        /// Whole records.
        records: u64,
    },
    /// With its last record, without being ended: the writer was killed, or is at work.
    Open {
        /// Whole records.
        records: u64,
        /// End of the last of them.
        at: u64,
    },
    /// With bytes that are no whole record, or not the one that was written: everything from here
    /// on is left out.
    Damaged {
        /// Whole records before it.
        records: u64,
        /// Start of the damage.
        at: u64,
        /// Bytes from there on that are left out, without the zeros at the end.
        left_out: u64,
    },
}

impl End {
    /// Returns the number of whole records before the end.
    pub fn records(self) -> u64 {
        let (End::Finished { records } | End::Open { records, .. } | End::Damaged { records, .. }) =
            self;
        records
    }

    /// Returns whether its writer ended it, so that it holds everything.
    pub fn is_finished(self) -> bool {
        matches!(self, End::Finished { .. })
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Finished { records } => write!(f, "whole: {records} records"),
            End::Open { records, at } => write!(
                f,
                "not ended: its writer was killed or is still at work, or the file was cut; all {records} records up to byte {at} are whole"
            ),
            End::Damaged { records, at, left_out } => write!(
                f,
                "cut or damaged at byte {at}: the {records} records before it are whole, {left_out} bytes from there on are left out"
            ),
        }
    }
}

impl Journal {
    /// Opens a journal. Its records are checked as they are read.
    ///
    /// # Errors
    /// If the file cannot be read, or does not begin with a journal's whole header.
    pub fn open(path: &Path) -> Result<Journal, JournalError> {
        let fail = |source| JournalError::Io { path: path.to_owned(), action: "read", source };
        let file = File::open(path).map_err(fail)?;
        // SAFETY: The map is only read. A writer that is at work only adds to the file; a process
        // that cuts it meanwhile ends ours by a signal. Journals are larger than memory: they are
        // not read whole.
        let map = unsafe { Mmap::map(&file) }.map_err(fail)?;
        let none = |reason| JournalError::NoJournal { path: path.to_owned(), reason };
        let head =
            map.get(..HEAD).ok_or(none("the file is shorter than a journal's first bytes"))?;
        if head[..8] != MAGIC {
            return Err(none("the file is no journal"));
        }
        if number(&head[8..12]) != u64::from(VERSION) {
            return Err(none("the journal's format is of another version of the program"));
        }
        let length = number(&head[12..16]) as usize;
        let header =
            map.get(HEAD..HEAD + length).ok_or(none("the journal is cut in its header"))?;
        if head_check(&head[..16], header) != number(&head[16..24]) {
            return Err(none("the journal's header is damaged"));
        }
        Ok(Journal { map, header: length })
    }

    /// Returns the header that its writer gave it.
    pub fn header(&self) -> &[u8] {
        &self.map[HEAD..HEAD + self.header]
    }

    /// Returns the whole file.
    pub fn bytes(&self) -> &[u8] {
        &self.map
    }

    /// Returns every whole record, in the order of writing.
    pub fn records(&self) -> Records<'_> {
        let at = (HEAD + self.header).next_multiple_of(8);
        Records { bytes: &self.map, at, records: 0, is_over: false, is_finished: false }
    }
}

/// The records of a [`Journal`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    records: u64,
    /// `true` once every whole record is read.
    is_over: bool,
    /// `true` if the record behind them ends the file.
    is_finished: bool,
}

impl Records<'_> {
    /// Returns the journal's end, once every record is read. Of a file that was not ended, it reads
    /// what is behind the last whole record: up to a window of reserved bytes.
    pub fn end(&self) -> Option<End> {
        self.is_over.then(|| self.find_end())
    }

    fn find_end(&self) -> End {
        const BLANK: [u8; 4096] = [0; 4096];
        let (records, at) = (self.records, self.at as u64);
        if self.is_finished {
            return End::Finished { records };
        }
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        while let Some(before) = rest.strip_suffix(&BLANK) {
            rest = before;
        }
        match rest.iter().rposition(|&byte| byte != 0) {
            None => End::Open { records, at },
            Some(last) => End::Damaged { records, at, left_out: last as u64 + 1 },
        }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    fn next(&mut self) -> Option<Record<'a>> {
        if self.is_over {
            return None;
        }
        let Some((record, length)) = whole_record(self.bytes, self.at) else {
            self.is_over = true;
            return None;
        };
        if record.kind == FINISHED {
            // It ends the file, and counts the records before it.
            self.is_finished = self.at + length == self.bytes.len()
                && record.payload == self.records.to_le_bytes()
                && record.sequence == self.records;
            self.is_over = true;
            return None;
        }
        self.at += length;
        self.records += 1;
        Some(record)
    }
}

/// Returns the record at byte `place` of a file and its length in bytes; `None` if it is invalid,
/// or not whole.
fn whole_record(file: &[u8], place: usize) -> Option<(Record<'_>, usize)> {
    let bytes = file.get(place..)?;
    let word = number(bytes.get(..4)?) as u32;
    let (kind, length) = ((word >> 24) as u8, (word & 0x00ff_ffff) as usize);
    if kind == 0 || length > LONGEST {
        return None;
    }
    let whole = bytes.get(..FRAME + length.next_multiple_of(8))?;
    let check = number(&whole[4..8]) as u32;
    let record =
        Record { kind, sequence: number(&whole[8..16]), payload: &whole[FRAME..FRAME + length] };
    (record_check(word, place as u64, &whole[8..]) == check).then_some((record, whole.len()))
}

/// Reads a little-endian number of up to eight bytes.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
