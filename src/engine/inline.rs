//! The inline runner: all stages in one thread, as fast as the history can be read.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::message::{Event, Output};
use super::run_journal::RunJournal;
use super::sink::Sink;
use super::stages::Pipeline;
use crate::execution::{ExitReason, Venue};
use crate::journal::JournalError;
use crate::latency::LatencyRecord;
use crate::market::Tick;
use crate::strategy::Strategy;

/// Ticks between two looks at the clock, the stop flag and the progress bar: 10 µs of work.
const BATCH: usize = 4096;

/// The longest time of a tick in the histogram, in picoseconds: one second.
const SLOWEST: u64 = 1_000_000_000_000;

/// Duration and size of a replay.
#[derive(Clone, Debug)]
pub struct Replay {
    /// Ticks replayed.
    pub ticks: u64,
    /// Wall time of the replay.
    pub elapsed: Duration,
    /// Picoseconds of processing a tick, averaged over batches of 4,096 ticks.
    pub picoseconds_per_tick: Histogram<u64>,
    /// `true` if it was stopped before the last tick.
    pub interrupted: bool,
    /// Latency between threads, where there were several.
    pub latency: Option<LatencyRecord>,
}

/// Takes `ticks` through the stages, in order, until they end or `stop` is set; then closes bars
/// and the position. `progress` is told the number of finished ticks from time to time.
///
/// The clock is read between batches and influences no result: the same ticks give the same trades,
/// bit for bit.
pub fn replay<S: Strategy, V: Venue>(
    pipeline: &mut Pipeline<S, V>,
    ticks: &[Tick],
    sink: &mut impl Sink,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64),
) -> Replay {
    let mut histogram = no_times();
    let mut done = 0;
    let start = Instant::now();
    let mut batch_start = start;
    for batch in ticks.chunks(BATCH) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        for tick in batch {
            sink.event(&Event::Tick(*tick));
            pipeline.on_tick(tick, sink);
        }
        let now = Instant::now();
        let picoseconds = (now - batch_start).as_nanos() as u64 * 1_000 / batch.len() as u64;
        histogram.saturating_record(picoseconds);
        batch_start = now;
        done += batch.len() as u64;
        if done % (256 * BATCH as u64) == 0 {
            progress(done);
        }
    }
    let interrupted = done < ticks.len() as u64;
    let reason = if interrupted { ExitReason::Shutdown } else { ExitReason::EndOfData };
    sink.event(&Event::End(reason));
    pipeline.finish(reason, sink);
    let elapsed = start.elapsed();
    progress(done);
    Replay { ticks: done, elapsed, picoseconds_per_tick: histogram, interrupted, latency: None }
}

/// Takes ticks through the stages as [`replay`] does, and writes a journal if one is given.
///
/// # Errors
/// If the journal cannot be written. The run is then stopped.
pub(crate) fn run_inline<S: Strategy, V: Venue>(
    mut stages: Pipeline<S, V>,
    ticks: &[Tick],
    mut sink: impl Sink,
    journal: Option<RunJournal>,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64),
) -> Result<(Pipeline<S, V>, Replay), JournalError> {
    let Some(journal) = journal else {
        let run = replay(&mut stages, ticks, &mut sink, stop, progress);
        return Ok((stages, run));
    };
    let mut sink = Journaled { sink, journal, events: 0, written: Ok(()), stop };
    let run = replay(&mut stages, ticks, &mut sink, stop, progress);
    sink.written?;
    sink.journal.finish()?;
    Ok((stages, run))
}

/// Writes events and actions to a journal in front of another sink. A failure stops the run.
struct Journaled<'a, K> {
    sink: K,
    journal: RunJournal,
    /// Events so far. An action belongs to the last of them.
    events: u64,
    written: Result<(), JournalError>,
    stop: &'a AtomicBool,
}

impl<K> Journaled<'_, K> {
    fn write(&mut self, write: impl FnOnce(&mut RunJournal) -> Result<(), JournalError>) {
        if self.written.is_ok() {
            self.written = write(&mut self.journal);
            if self.written.is_err() {
                self.stop.store(true, Ordering::Relaxed);
            }
        }
    }
}

impl<K: Sink> Sink for Journaled<'_, K> {
    fn event(&mut self, event: &Event) {
        let number = self.events;
        self.events += 1;
        self.write(|journal| journal.event(number, event));
        self.sink.event(event);
    }

    fn output(&mut self, output: &Output<'_>) {
        if let Output::Action(action) = output {
            let event = self.events - 1;
            self.write(|journal| journal.action(event, action));
        }
        self.sink.output(output);
    }
}

/// Returns an empty histogram of picoseconds.
pub(crate) fn no_times() -> Histogram<u64> {
    Histogram::new_with_bounds(1, SLOWEST, 3).expect("the bounds are far enough apart")
}
