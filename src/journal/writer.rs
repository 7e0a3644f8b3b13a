//! Adding records.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};

use super::{
    FINISHED, FRAME, HEAD, JournalError, LONGEST, MAGIC, VERSION, head_check, record_check,
};

/// Bytes that are reserved at once at most: 700,000 ticks.
const WINDOW: usize = 32 << 20;

/// Bytes that are reserved at once at least. In between it is as much as the file holds, so that a
/// writer that is killed leaves no more behind its records than it has written.
const FIRST_WINDOW: u64 = 1 << 20;

/// Bytes that are written at once at the latest. The longest record fits in.
const BLOCK: usize = 1 << 17;

/// Bytes of the record that ends a journal. Every window keeps room for it, so that a full disk
/// cannot keep a journal from being ended.
const END_RECORD: usize = FRAME + 8;

/// Window borders are multiples of this.
const PAGE: u64 = 1 << 16;

/// A journal that is being written. Dropped without [`Writer::finish`] it is read as one whose
/// writer was killed.
///
/// Records go to the file in blocks. A process that is killed loses those since the last block or
/// [`Writer::flush`], 128 KiB at most. The file is written by system calls and not through a
/// mapping, so a file that somebody cuts, a disk that fills, and a device that fails are errors.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    /// Records that are not written yet.
    block: Vec<u8>,
    /// Place of the block in the file.
    at: u64,
    /// End of what is reserved in the file.
    reserved: u64,
    /// Bytes of the largest window.
    window_bytes: u64,
    records: u64,
}

impl Writer {
    /// Begins a journal with `header`, in a file that is made for it.
    ///
    /// # Errors
    /// If the file exists or cannot be made, or there is no room.
    pub fn create(path: &Path, header: &[u8]) -> Result<Writer, JournalError> {
        Self::with_window(path, header, WINDOW)
    }

    /// Creates a writer whose windows are of `window_bytes` at most, rounded up to hold the longest
    /// record.
    pub(super) fn with_window(
        path: &Path,
        header: &[u8],
        window_bytes: usize,
    ) -> Result<Writer, JournalError> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path).map_err(
            |source| JournalError::Io { path: path.to_owned(), action: "create", source },
        )?;
        Self::in_file(file, path, header, window_bytes).inspect_err(|_| {
            // A file that holds no record would only stand in the way of the next try.
            let _ = std::fs::remove_file(path);
        })
    }

    /// Begins a journal with `header` in an empty file, which goes by the name of `path`.
    ///
    /// # Errors
    /// If there is no room.
    pub(crate) fn begin(file: File, path: &Path, header: &[u8]) -> Result<Writer, JournalError> {
        Self::in_file(file, path, header, WINDOW)
    }

    fn in_file(
        mut file: File,
        path: &Path,
        header: &[u8],
        window_bytes: usize,
    ) -> Result<Writer, JournalError> {
        let length = u32::try_from(header.len()).map_err(|_| JournalError::HeaderTooLong {
            path: path.to_owned(),
            bytes: header.len(),
        })?;
        let mut head = Vec::with_capacity(HEAD + header.len() + 8);
        head.extend_from_slice(&MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&length.to_le_bytes());
        let check = head_check(&head, header);
        head.extend_from_slice(&check.to_le_bytes());
        head.extend_from_slice(header);
        head.resize(head.len().next_multiple_of(8), 0);
        let fail = |source| JournalError::Io { path: path.to_owned(), action: "begin", source };
        file.write_all(&head).map_err(fail)?;
        let least = 2 * PAGE as usize + (FRAME + LONGEST).next_multiple_of(8);
        let window_bytes = window_bytes.max(least).next_multiple_of(PAGE as usize) as u64;
        let (block, at) = (Vec::with_capacity(BLOCK), head.len() as u64);
        let path = path.to_owned();
        let mut writer = Writer { path, file, block, at, reserved: at, window_bytes, records: 0 };
        writer.next_window()?;
        Ok(writer)
    }

    /// Adds a record of `kind` (1 to 254). Sequences mean what the caller wants. Allocates nothing;
    /// asks the system for more once in a window, and writes once in a block.
    ///
    /// # Errors
    /// If there is no room, the block cannot be written, or the payload is longer than
    /// [`LONGEST`]. Nothing is added then.
    #[inline]
    pub fn append(&mut self, kind: u8, sequence: u64, payload: &[u8]) -> Result<(), JournalError> {
        debug_assert!(kind != 0 && kind != FINISHED);
        self.add(kind, sequence, payload, END_RECORD)
    }

    /// Hands every record to the system: the end of the process loses none of them then.
    ///
    /// # Errors
    /// If they cannot be written. They are kept, and written with the next block.
    pub fn flush(&mut self) -> Result<(), JournalError> {
        if self.block.is_empty() {
            return Ok(());
        }
        let written = self.file.write_all_at(&self.block, self.at);
        written.map_err(|source| self.failed("write", source))?;
        self.at += self.block.len() as u64;
        self.block.clear();
        Ok(())
    }

    /// Ends the journal: gives how many records it holds, all of them on the disk.
    ///
    /// # Errors
    /// If it cannot be written out, or somebody has cut the file.
    pub fn finish(mut self) -> Result<u64, JournalError> {
        let records = self.records;
        self.add(FINISHED, records, &records.to_le_bytes(), 0)?;
        self.check_length()?;
        self.flush()?;
        let done = self.file.set_len(self.at).and_then(|()| self.file.sync_all());
        done.map_err(|source| self.failed("finish", source))?;
        Ok(records)
    }

    fn failed(&self, action: &'static str, source: io::Error) -> JournalError {
        JournalError::Io { path: self.path.clone(), action, source }
    }

    /// Place of the next record.
    fn place(&self) -> u64 {
        self.at + self.block.len() as u64
    }

    #[inline]
    fn add(
        &mut self,
        kind: u8,
        sequence: u64,
        payload: &[u8],
        keep_free: usize,
    ) -> Result<(), JournalError> {
        if payload.len() > LONGEST {
            return Err(JournalError::TooLong { bytes: payload.len() });
        }
        let length = FRAME + payload.len().next_multiple_of(8);
        if self.place() + (length + keep_free) as u64 > self.reserved {
            self.next_window()?;
        }
        if self.block.len() + length > BLOCK {
            self.flush()?;
        }
        let word = payload.len() as u32 | u32::from(kind) << 24;
        let (place, start) = (self.place(), self.block.len());
        let block = &mut self.block;
        block.extend_from_slice(&word.to_le_bytes());
        block.extend_from_slice(&[0; 4]);
        block.extend_from_slice(&sequence.to_le_bytes());
        block.extend_from_slice(payload);
        block.resize(start + length, 0);
        let check = record_check(word, place, &block[start + 8..]);
        block[start + 4..start + 8].copy_from_slice(&check.to_le_bytes());
        self.records += 1;
        Ok(())
    }

    /// Reserves the window that begins with the next record.
    #[cold]
    fn next_window(&mut self) -> Result<(), JournalError> {
        if self.records > 0 {
            self.check_length()?;
        }
        let least = FIRST_WINDOW.min(self.window_bytes);
        let bytes = self.place().clamp(least, self.window_bytes);
        let end = (self.place() + bytes).next_multiple_of(PAGE);
        self.reserve(end).map_err(|source| JournalError::Full {
            path: self.path.clone(),
            records: self.records,
            bytes: self.place(),
            source,
        })?;
        self.reserved = end;
        Ok(())
    }

    /// Has the file system keep blocks up to `end`, so that a full disk is found here.
    fn reserve(&mut self, end: u64) -> io::Result<()> {
        let from = self.file.metadata()?.len();
        let more = end.saturating_sub(from);
        match retry_on_intr(|| fallocate(&self.file, FallocateFlags::empty(), from, more)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                // Blocks come with zeros that are written.
                self.file.seek(SeekFrom::Start(from))?;
                io::copy(&mut io::Read::take(io::repeat(0), more), &mut self.file).map(|_| ())
            }
            done => done.map_err(io::Error::from),
        }
    }

    /// Finds out whether somebody has cut the file.
    fn check_length(&self) -> Result<(), JournalError> {
        let length = self.file.metadata().map_err(|source| self.failed("look at", source))?.len();
        if length < self.reserved {
            let cut = io::Error::other("somebody has cut the file while it was written");
            return Err(self.failed("go on with", cut));
        }
        Ok(())
    }
}

impl Drop for Writer {
    /// Writes what can be written.
    fn drop(&mut self) {
        let _ = self.flush();
    }
}
