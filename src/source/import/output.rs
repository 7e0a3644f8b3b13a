//! Ticks to disk on a thread of its own, while the next ones are read.

use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::thread::{self, JoinHandle};

use crate::market::{Price, Tick, Timestamp};
use crate::source::native::{TickFileDescription, TickFileError, TickFileWriter};

/// Ticks handed over at once: 256 KiB of them.
const BLOCK: usize = 8192;
/// Blocks on their way.
const BLOCKS: usize = 4;

/// A tick file being written. Nothing appears under its name before its writer is finished.
pub(super) struct TickOutput {
    block: Vec<Tick>,
    first: Option<Timestamp>,
    last: Timestamp,
    lowest: Price,
    highest: Price,
    full: Option<SyncSender<Vec<Tick>>>,
    empty: Receiver<Vec<Tick>>,
    thread: Option<JoinHandle<Result<TickFileWriter, TickFileError>>>,
}

impl TickOutput {
    pub(super) fn create(
        path: &Path,
        description: TickFileDescription,
    ) -> Result<TickOutput, TickFileError> {
        let mut writer = TickFileWriter::create(path, description)?;
        let (full, to_write) = sync_channel::<Vec<Tick>>(BLOCKS);
        let (written, empty) = channel();
        for _ in 0..BLOCKS {
            written.send(Vec::with_capacity(BLOCK)).expect("the receiver is still here");
        }
        let thread = thread::spawn(move || {
            for mut block in to_write {
                writer.extend(&block)?;
                block.clear();
                // Nobody takes it back once all ticks are handed over.
                let _ = written.send(block);
            }
            Ok(writer)
        });
        let block = Vec::with_capacity(BLOCK);
        let (full, thread) = (Some(full), Some(thread));
        Ok(TickOutput {
            block,
            first: None,
            last: Timestamp::MIN,
            lowest: Price::from_units(i64::MAX),
            highest: Price::from_units(i64::MIN),
            full,
            empty,
            thread,
        })
    }

    #[inline]
    pub(super) fn push(&mut self, tick: Tick) -> Result<(), TickFileError> {
        self.lowest = self.lowest.min(tick.price);
        self.highest = self.highest.max(tick.price);
        self.block.push(tick);
        if self.block.len() == BLOCK { self.hand_over() } else { Ok(()) }
    }

    #[cold]
    fn hand_over(&mut self) -> Result<(), TickFileError> {
        if let (Some(first), Some(last)) = (self.block.first(), self.block.last()) {
            self.first.get_or_insert(first.time);
            self.last = last.time;
        }
        // The other ends are gone only if the thread has failed; then it says why.
        match self.empty.recv() {
            Ok(empty) => {
                let block = std::mem::replace(&mut self.block, empty);
                let full = self.full.as_ref().expect("open until it is finished");
                if full.send(block).is_ok() {
                    return Ok(());
                }
            }
            Err(_) => self.block.clear(),
        }
        self.join().map(drop)
    }

    /// Hands over the rest and gives the writer back, with the times of the first and the last tick
    /// and the lowest and the highest price.
    pub(super) fn into_writer(
        mut self,
    ) -> Result<(TickFileWriter, [Timestamp; 2], [Price; 2]), TickFileError> {
        if !self.block.is_empty() {
            self.hand_over()?;
        }
        let writer = self.join()?;
        let times = [self.first.unwrap_or(Timestamp::MIN), self.last];
        Ok((writer, times, [self.lowest, self.highest]))
    }

    fn join(&mut self) -> Result<TickFileWriter, TickFileError> {
        self.full = None;
        let thread = self.thread.take().expect("joined once");
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl Drop for TickOutput {
    /// Waits, so that the unfinished file is gone when this is.
    fn drop(&mut self) {
        self.full = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
