//! The encoders' outputs on a history, computed before the run that decides on it.
//!
//! Encodings depend on bars alone, and not on the account, so a backtest computes them beforehand
//! and on several threads: [`foresee`] takes the history once with nobody in the decision seat but
//! a strategy that hands every whole window to workers. Several windows are encoded at once where
//! the backend gives the same bits as for each alone, as live.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::by_graphs::ENCODED;
use super::model_set::{GraphKind, ModelSet, ModelSetError};
use crate::execution::{Account, Decision};
use crate::inference::{Backend, Graph};
use crate::market::{Bar, Timeframe, Timestamp};
use crate::matrix::{MatrixKind, Window};
use crate::strategy::{Observation, Strategy};

/// Windows that a worker takes at once: a multiple of those that share a load of a weight.
const CHUNK: usize = 40;

/// Chunks that wait for each worker at most: a few megabytes.
const WAITING: usize = 64;

/// Encodings of the structure, tactical and regime matrices, by number of their row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreseen {
    encodings: [Encodings; 3],
}

/// Encodings of one matrix, row by row from the first whole window on; NaN where absent.
#[derive(Clone, Debug, Default, PartialEq)]
struct Encodings {
    first: u64,
    width: usize,
    numbers: Vec<f32>,
}

impl Foreseen {
    /// Returns the encoder's output for a matrix after the row of this number; `None` if it failed
    /// or the window was not whole.
    ///
    /// # Panics
    /// For the context, which has no encoder.
    pub fn encoding(&self, matrix: MatrixKind, row: u64) -> Option<&[f32]> {
        let Encodings { first, width, numbers } = &self.encodings[matrix as usize];
        let start = row.checked_sub(*first)? as usize * width;
        let numbers = numbers.get(start..start + width)?;
        numbers.iter().all(|number| number.is_finite()).then_some(numbers)
    }
}

impl Encodings {
    fn put(&mut self, row: u64, encoding: &[f32]) {
        if self.numbers.is_empty() {
            (self.first, self.width) = (row, encoding.len());
        }
        // Chunks come in any order.
        if row < self.first {
            let missing = (self.first - row) as usize * self.width;
            self.numbers.splice(..0, std::iter::repeat_n(f32::NAN, missing));
            self.first = row;
        }
        let start = (row - self.first) as usize * self.width;
        if self.numbers.len() < start + self.width {
            self.numbers.resize(start + self.width, f32::NAN);
        }
        self.numbers[start..start + self.width].copy_from_slice(encoding);
    }
}

/// Windows of one matrix.
struct Chunk {
    matrix: MatrixKind,
    rows: Vec<u64>,
    windows: Vec<f32>,
}

impl Chunk {
    fn new(matrix: MatrixKind) -> Chunk {
        Chunk { matrix, rows: Vec::with_capacity(CHUNK), windows: Vec::new() }
    }

    /// Drops all windows but the last.
    fn keep_last(&mut self) {
        if let Some(before) = self.rows.len().checked_sub(1) {
            let width = self.windows.len() / self.rows.len();
            self.windows.drain(..before * width);
            self.rows.drain(..before);
        }
    }
}

/// Sits in the decision seat, decides nothing, and hands windows to the workers.
struct Watcher {
    timeframe: Timeframe,
    windows: [(Window, u64, Chunk); 3],
    /// Nothing is asked on bars that end by then, so only the last windows of before are seen by
    /// anybody.
    warm_until: Timestamp,
    workers: Workers,
}

/// The workers, which take chunks in turn.
struct Workers {
    all: Vec<SyncSender<Chunk>>,
    next: usize,
}

impl Workers {
    /// Hands a chunk over, and leaves an empty one.
    fn send(&mut self, chunk: &mut Chunk) {
        let full = std::mem::replace(chunk, Chunk::new(chunk.matrix));
        // A worker that is gone has failed, which it tells.
        let _ = self.all[self.next].send(full);
        self.next = (self.next + 1) % self.all.len();
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.windows.iter_mut().for_each(|(_, _, chunk)| self.workers.send(chunk));
    }
}

impl Strategy for Watcher {
    fn timeframe(&self) -> Timeframe {
        self.timeframe
    }

    fn observes(&self) -> bool {
        true
    }

    fn observe(&mut self, observation: &Observation) {
        for (window, newest, chunk) in &mut self.windows {
            let Some(row) = observation.row(chunk.matrix) else { continue };
            if row.number != *newest + 1 {
                window.restart_after_gap();
            }
            *newest = row.number;
            window.push_with(row.is_warm, |cells| cells.copy_from_slice(row.cells));
            let Ok(whole) = window.window() else { continue };
            chunk.rows.push(row.number);
            chunk.windows.extend_from_slice(whole);
            if chunk.rows.len() == CHUNK {
                self.workers.send(chunk);
            }
        }
    }

    fn on_bar(&mut self, bar: &Bar, _: u64, _: &Account) -> Option<Decision> {
        if bar.end <= self.warm_until {
            self.windows.iter_mut().for_each(|(_, _, chunk)| chunk.keep_last());
        }
        None
    }

    fn restart(&mut self) {}
}

/// Encodes every whole window of a history on `threads` threads (≥ 1), but for those that nobody is
/// asked on because they end by `warm_until` and others follow before. `walk` takes the history
/// through the stages with the given strategy in the decision seat, and drops it. The encoders run
/// on backends of the kind of `backend`.
///
/// # Errors
/// If the backend does not take a graph of the set. A window whose encoding fails is left out.
pub fn foresee<T>(
    set: &ModelSet,
    backend: &dyn Backend,
    threads: usize,
    warm_until: Timestamp,
    walk: impl FnOnce(Box<dyn Strategy + Send>) -> T,
) -> Result<(Foreseen, T), ModelSetError> {
    let matrices = &set.manifest().feature_schema.matrices;
    let windows = ENCODED.map(|matrix| {
        let settings = matrices.of(matrix);
        (Window::new(settings.rows, settings.columns.len()), 0, Chunk::new(matrix))
    });
    let timeframe = matrices.tactical.timeframe;
    let encoders =
        (0..threads.max(1)).map(|_| Encoders::load(set, backend)).collect::<Result<Vec<_>, _>>()?;
    thread::scope(|scope| {
        let work = |mut encoders: Encoders| {
            let (sender, chunks) = sync_channel(WAITING);
            (sender, scope.spawn(move || encoders.serve(&chunks)))
        };
        let (all, threads): (Vec<_>, Vec<_>) = encoders.into_iter().map(work).unzip();
        let workers = Workers { all, next: 0 };
        let watcher = Watcher { timeframe, windows, warm_until, workers };
        let walked = walk(Box::new(watcher));
        let mut foreseen = Foreseen::default();
        for thread in threads {
            let done = thread.join().expect("encoding does not panic");
            for (matrix, row, encoding) in done {
                foreseen.encodings[matrix as usize].put(row, &encoding);
            }
        }
        Ok((foreseen, walked))
    })
}

/// The encoders of one worker.
struct Encoders {
    backend: Box<dyn Backend>,
    encoders: [Encoder; 3],
}

/// An encoder, and the same for whole chunks where the backend has one.
struct Encoder {
    one: Box<dyn Graph>,
    many: Option<Box<dyn Graph>>,
}

impl Encoder {
    /// Encodes windows; calls `done` with each one's place and encoding, unless it fails.
    fn encode(&mut self, count: usize, windows: &[f32], mut done: impl FnMut(usize, &[f32])) {
        if let (Some(many), CHUNK) = (&mut self.many, count) {
            many.input(0).copy_from_slice(windows);
            if many.run().is_ok() {
                let encodings = many.output(0);
                let each = encodings.chunks(encodings.len() / CHUNK);
                each.enumerate().for_each(|(place, encoding)| done(place, encoding));
                return;
            }
        }
        for (place, window) in windows.chunks(windows.len() / count).enumerate() {
            self.one.input(0).copy_from_slice(window);
            if self.one.run().is_ok() {
                done(place, self.one.output(0));
            }
        }
    }
}

impl Encoders {
    fn load(set: &ModelSet, backend: &dyn Backend) -> Result<Encoders, ModelSetError> {
        let backend = backend.another();
        let encoder = |kind| {
            let one = set.graph(kind, backend.as_ref(), 1)?;
            Ok(Encoder { one, many: set.graph_of_many(kind, backend.as_ref(), CHUNK)? })
        };
        let encoders = [
            encoder(GraphKind::Structure)?,
            encoder(GraphKind::Tactical)?,
            encoder(GraphKind::Regime)?,
        ];
        Ok(Encoders { backend, encoders })
    }

    /// Encodes chunks until there are no more.
    fn serve(&mut self, chunks: &Receiver<Chunk>) -> Vec<(MatrixKind, u64, Vec<f32>)> {
        let mut done = Vec::new();
        for Chunk { matrix, rows, windows } in chunks {
            if rows.is_empty() {
                continue;
            }
            let encoder = &mut self.encoders[matrix as usize];
            self.backend.together(&mut || {
                encoder.encode(rows.len(), &windows, |place, encoding| {
                    done.push((matrix, rows[place], encoding.to_vec()));
                });
            });
        }
        done
    }
}
