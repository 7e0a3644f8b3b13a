//! Adding records.

use std::fs::{File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use memmap2::{Advice, MmapMut, MmapOptions};
use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::{Errno, retry_on_intr};

use super::{
    FINISHED, FRAME, HEAD, JournalError, LONGEST, MAGIC, VERSION, head_check, record_check,
};

/// Bytes that are reserved and mapped at once: 700,000 ticks.
const WINDOW: usize = 32 << 20;

/// Bytes of the record that ends a journal. Every window keeps room for it, so that a full disk
/// cannot keep a journal from being ended.
const END_RECORD: usize = FRAME + 8;

/// Window borders are multiples of this, which every page size in use divides.
const PAGE: u64 = 1 << 16;

/// A journal that is being written. Dropped without [`Writer::finish`] it is read as one whose
/// writer was killed.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    file: File,
    map: MmapMut,
    /// Start of the mapped window in the file.
    window: u64,
    /// Place of the next record in the window.
    at: usize,
    window_bytes: usize,
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

    /// Creates a writer whose windows are of `window_bytes`, rounded up to hold the longest record.
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
        let fail =
            |action| move |source| JournalError::Io { path: path.to_owned(), action, source };
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
        file.write_all(&head).map_err(fail("begin"))?;
        let least = 2 * PAGE as usize + (FRAME + LONGEST).next_multiple_of(8);
        let window_bytes = window_bytes.max(least).next_multiple_of(PAGE as usize);
        // A window of nothing, whose first record asks for a real one.
        let map = MmapMut::map_anon(1).map_err(fail("map"))?;
        let (window, at) = (head.len() as u64, 0);
        let path = path.to_owned();
        let mut writer = Writer { path, file, map, window, at, window_bytes, records: 0 };
        writer.next_window()?;
        Ok(writer)
    }

    /// Adds a record of `kind` (1 to 254). Sequences mean what the caller wants. Allocates nothing;
    /// asks the system for more once in a window.
    ///
    /// # Errors
    /// If there is no room, or the payload is longer than [`LONGEST`]. Nothing is added then.
    #[inline]
    pub fn append(&mut self, kind: u8, sequence: u64, payload: &[u8]) -> Result<(), JournalError> {
        debug_assert!(kind != 0 && kind != FINISHED);
        self.add(kind, sequence, payload, END_RECORD)
    }

    /// Ends the journal: gives how many records it holds, all of them on the disk.
    ///
    /// # Errors
    /// If it cannot be written out.
    pub fn finish(mut self) -> Result<u64, JournalError> {
        let records = self.records;
        self.add(FINISHED, records, &records.to_le_bytes(), 0)?;
        let length = self.window + self.at as u64;
        let Writer { path, file, map, .. } = self;
        let done = map.flush().and_then(|()| {
            drop(map);
            file.set_len(length)?;
            file.sync_all()
        });
        done.map_err(|source| JournalError::Io { path, action: "finish", source })?;
        Ok(records)
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
        if self.at + length + keep_free > self.map.len() {
            self.next_window()?;
        }
        let word = payload.len() as u32 | u32::from(kind) << 24;
        let place = self.window + self.at as u64;
        let record = &mut self.map[self.at..self.at + length];
        record[8..16].copy_from_slice(&sequence.to_le_bytes());
        record[FRAME..FRAME + payload.len()].copy_from_slice(payload);
        // The padding is zeros already, as everything ahead of the last record.
        let check = record_check(word, place, &record[8..]);
        record[4..8].copy_from_slice(&check.to_le_bytes());
        record[..4].copy_from_slice(&word.to_le_bytes());
        self.at += length;
        self.records += 1;
        Ok(())
    }

    /// Reserves and maps the window that begins with the page of the next record.
    #[cold]
    fn next_window(&mut self) -> Result<(), JournalError> {
        let position = self.window + self.at as u64;
        let (window, length) = (position / PAGE * PAGE, self.window_bytes as u64);
        self.reserve(window, length)
            .and_then(|()| {
                // SAFETY: The file was made by this writer, and only this writer changes it; a
                // mapped page whose block is reserved can be written. Somebody else who cuts the
                // file while it is written makes the process end by a signal, which the journal
                // survives like any other end. The map is there so that each record is safe from
                // the end of the process as soon as it is added, without a system call each, and in
                // benches/journal.rs an append took 33 ns where `write` in batches of 64 took 57.
                let map = unsafe {
                    MmapOptions::new().offset(window).len(self.window_bytes).map_mut(&self.file)
                };
                self.map = map?;
                // So that appending meets no page fault; where it cannot be done it is slower, and
                // no worse.
                let _ = self.map.advise(Advice::PopulateWrite);
                (self.window, self.at) = (window, (position - window) as usize);
                Ok(())
            })
            .map_err(|source| JournalError::Full {
                path: self.path.clone(),
                records: self.records,
                bytes: position,
                source,
            })
    }

    /// Has the file system keep blocks for `length` bytes from `from` on, so that a write into the
    /// map cannot fail.
    fn reserve(&mut self, from: u64, length: u64) -> io::Result<()> {
        let end = self.file.metadata()?.len();
        let more = (from + length).saturating_sub(end);
        match retry_on_intr(|| fallocate(&self.file, FallocateFlags::empty(), end, more)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {
                // Blocks come with zeros that are written.
                self.file.seek(SeekFrom::Start(end))?;
                io::copy(&mut io::Read::take(io::repeat(0), more), &mut self.file).map(|_| ())
            }
            done => done.map_err(io::Error::from),
        }
    }
}
