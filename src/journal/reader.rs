//! Reading a journal.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{
    FINISHED, FRAME, HEAD, JournalError, LONGEST, MAGIC, VERSION, head_check, record_check,
};

/// Bytes that are read at once. The longest record fits in.
const BLOCK: usize = 1 << 18;

/// A journal that is open for reading.
///
/// The file is read by system calls and not through a mapping. A file that somebody cuts while it
/// is read ends where it was cut, and a device that fails is an error.
#[derive(Debug)]
pub struct Journal {
    source: Arc<Source>,
    header: Vec<u8>,
}

/// A file of which the first `length` bytes are read.
#[derive(Debug)]
struct Source {
    path: PathBuf,
    file: File,
    /// Its bytes when it was opened. What a writer adds later is left out.
    length: u64,
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

impl Source {
    fn failed(&self, source: io::Error) -> JournalError {
        JournalError::Io { path: self.path.clone(), action: "read", source }
    }

    /// Reads what the file has from byte `at` on. Returns the number of bytes that are read: fewer
    /// than there is room for only where the file ends.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<usize, JournalError> {
        let left = usize::try_from(self.length.saturating_sub(at)).unwrap_or(usize::MAX);
        let room = into.len().min(left);
        let mut done = 0;
        while done < room {
            match self.file.read_at(&mut into[done..room], at + done as u64) {
                Ok(0) => break,
                Ok(bytes) => done += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(done)
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
        let length = file.metadata().map_err(fail)?.len();
        let source = Source { path: path.to_owned(), file, length };
        let none = |reason| JournalError::NoJournal { path: path.to_owned(), reason };
        let mut head = [0; HEAD];
        if source.read(0, &mut head)? < HEAD {
            return Err(none("the file is shorter than a journal's first bytes"));
        }
        if head[..8] != MAGIC {
            return Err(none("the file is no journal"));
        }
        if number(&head[8..12]) != u64::from(VERSION) {
            return Err(none("the journal's format is of another version of the program"));
        }
        let bytes = number(&head[12..16]);
        if length < HEAD as u64 + bytes {
            return Err(none("the journal is cut in its header"));
        }
        let mut header = vec![0; bytes as usize];
        if source.read(HEAD as u64, &mut header)? < header.len() {
            return Err(none("the journal is cut in its header"));
        }
        if head_check(&head[..16], &header) != number(&head[16..24]) {
            return Err(none("the journal's header is damaged"));
        }
        Ok(Journal { source: Arc::new(source), header })
    }

    /// Returns the header that its writer gave it.
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// Gives every byte of the file to `take`, block by block.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read_whole(&self, mut take: impl FnMut(&[u8])) -> Result<(), JournalError> {
        let (mut block, mut at) = (vec![0; BLOCK], 0);
        loop {
            let bytes = self.source.read(at, &mut block)?;
            if bytes == 0 {
                return Ok(());
            }
            take(&block[..bytes]);
            at += bytes as u64;
        }
    }

    /// Returns every whole record, in the order of writing.
    pub fn records(&self) -> Records {
        Records {
            source: Arc::clone(&self.source),
            block: vec![0; BLOCK].into_boxed_slice(),
            from: (HEAD + self.header.len()).next_multiple_of(8) as u64,
            next: 0,
            held: 0,
            records: 0,
            is_over: false,
            is_finished: false,
        }
    }
}

/// The records of a [`Journal`].
#[derive(Debug)]
pub struct Records {
    source: Arc<Source>,
    /// Bytes of the file. The first one is that at `from`; `held` of them are read.
    block: Box<[u8]>,
    from: u64,
    held: usize,
    /// Place of the next record in the block.
    next: usize,
    records: u64,
    /// `true` once every whole record is read.
    is_over: bool,
    /// `true` if the record behind them ends the file.
    is_finished: bool,
}

impl Records {
    /// Returns the next whole record; `None` behind the last one.
    ///
    /// # Errors
    /// If the file cannot be read.
    #[inline]
    pub fn read(&mut self) -> Result<Option<Record<'_>>, JournalError> {
        let Some(length) = self.whole_record()? else { return Ok(None) };
        let start = self.next;
        self.next += length;
        self.records += 1;
        Ok(Some(record(&self.block[start..start + length])))
    }

    /// Returns what `of` gives for each of the records that are left.
    pub fn map<T>(
        mut self,
        mut of: impl FnMut(Record<'_>) -> T,
    ) -> impl Iterator<Item = Result<T, JournalError>> {
        std::iter::from_fn(move || self.read().map(|record| record.map(&mut of)).transpose())
    }

    /// Returns the journal's end, once every record is read. Of a file that was not ended, it reads
    /// what is behind the last whole record.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn end(&self) -> Result<Option<End>, JournalError> {
        self.is_over.then(|| self.find_end()).transpose()
    }

    fn find_end(&self) -> Result<End, JournalError> {
        let (records, at) = (self.records, self.place());
        if self.is_finished {
            return Ok(End::Finished { records });
        }
        let (mut block, mut from, mut left_out) = (vec![0; BLOCK], at, 0);
        loop {
            let bytes = self.source.read(from, &mut block)?;
            if let Some(last) = block[..bytes].iter().rposition(|&byte| byte != 0) {
                left_out = from - at + last as u64 + 1;
            }
            from += bytes as u64;
            if bytes == 0 {
                break;
            }
        }
        Ok(match left_out {
            0 => End::Open { records, at },
            _ => End::Damaged { records, at, left_out },
        })
    }

    /// Returns the place of the next record in the file.
    fn place(&self) -> u64 {
        self.from + self.next as u64
    }

    /// Returns the length in bytes of the next record, which is in the block then; `None` if every
    /// whole record is read.
    #[inline]
    fn whole_record(&mut self) -> Result<Option<usize>, JournalError> {
        if self.is_over {
            return Ok(None);
        }
        let place = self.place();
        let head = self.ahead(FRAME)?;
        let length = head.first_chunk::<4>().map_or(0, |word| {
            let word = u32::from_le_bytes(*word);
            let payload = (word & 0x00ff_ffff) as usize;
            let is_possible = word >> 24 != 0 && payload <= LONGEST;
            if is_possible { FRAME + payload.next_multiple_of(8) } else { 0 }
        });
        let whole = self.ahead(length)?.get(..length);
        if !whole.is_some_and(|bytes| is_whole(bytes, place)) {
            self.is_over = true;
            return Ok(None);
        }
        let Record { kind, sequence, payload } = record(&self.block[self.next..][..length]);
        if kind == FINISHED {
            // It ends the file, and counts the records before it.
            self.is_finished = place + length as u64 == self.source.length
                && payload == self.records.to_le_bytes()
                && sequence == self.records;
            self.is_over = true;
            return Ok(None);
        }
        Ok(Some(length))
    }

    /// Returns the bytes of the file from the next record on: this number or more, or all that the
    /// file has.
    #[inline]
    fn ahead(&mut self, bytes: usize) -> Result<&[u8], JournalError> {
        if self.held - self.next < bytes {
            self.refill()?;
        }
        Ok(&self.block[self.next..self.held])
    }

    /// Reads as much as fits behind what is not used yet.
    #[cold]
    fn refill(&mut self) -> Result<(), JournalError> {
        self.block.copy_within(self.next..self.held, 0);
        self.from += self.next as u64;
        self.held -= self.next;
        self.next = 0;
        let end = self.from + self.held as u64;
        self.held += self.source.read(end, &mut self.block[self.held..])?;
        Ok(())
    }
}

/// Returns whether the bytes of a record, which begins at byte `place` of the file, are those that
/// were written.
#[inline]
fn is_whole(bytes: &[u8], place: u64) -> bool {
    let [word, check] = [0, 4].map(|at| bytes.get(at..at + 4).map_or(0, number) as u32);
    bytes.len() >= FRAME && record_check(word, place, &bytes[8..]) == check
}

/// Returns the record of these bytes.
#[inline]
fn record(bytes: &[u8]) -> Record<'_> {
    let word = number(&bytes[..4]) as u32;
    let length = (word & 0x00ff_ffff) as usize;
    Record {
        kind: (word >> 24) as u8,
        sequence: number(&bytes[8..16]),
        payload: &bytes[FRAME..FRAME + length],
    }
}

/// Reads a little-endian number of up to eight bytes.
#[inline]
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
