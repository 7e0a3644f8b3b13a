//! The inputs and results of a pinned run.

use std::fmt;
use std::time::Duration;

use super::layout::ThreadLayout;
use super::ring::Full;

use crate::engine::run_journal::RunJournal;
use crate::engine::stages::Pipeline;
use crate::execution::SimulatedExchange;
use crate::latency::{LatencyRecord, Load};
use crate::machine::{Core, Placed, Role};

/// The settings of a pinned run.
#[derive(Clone, Debug)]
pub struct PinnedSettings {
    /// Distribution of the stages over threads.
    pub layout: ThreadLayout,
    /// Slots of the ring, a power of two (≥ 2).
    pub ring_slots: usize,
    /// Messages that each queue beside it holds (≥ 1).
    pub queue_slots: usize,
    /// Place of each thread and its way of waiting: one for each of [`ThreadLayout::roles`].
    pub threads: Vec<Placed>,
    /// Cores for threads without one of their own; empty if the system chooses.
    pub shared: Vec<Core>,
    /// Priority of the sequencer's and the stages' threads under `SCHED_FIFO`; `None` leaves it to
    /// the system.
    pub real_time_priority: Option<u8>,
    /// The times of one of this many events are taken (≥ 1), and those of every event of a paced
    /// feed.
    pub sample_every: u32,
    /// The way in which the feed offers its events.
    pub load: Load,
    /// The longest time from a bar's close to the answer, after which the answer is discarded. Only
    /// for a strategy on a thread of its own whose answers count from their arrival.
    pub decision_budget: Duration,
}

impl PinnedSettings {
    /// Returns the place of a role's thread and its way of waiting.
    pub(super) fn placed(&self, role: Role) -> Placed {
        let placed = self.threads.iter().find(|placed| placed.role == role);
        *placed.expect("every role of the layout has its place")
    }
}

/// The inputs and outlets of a run.
pub struct Wiring<'a, F, K, N> {
    /// Source of events.
    pub feed: F,
    /// Receiver of the stages' output except features, on the metrics' thread.
    pub results: &'a mut K,
    /// Receiver of features and matrices, on the thread that computes them.
    pub on_features: &'a mut N,
    /// Journal of every event and action.
    pub journal: Option<RunJournal>,
    /// Receiver of the outcome of each request to the system, when the threads start.
    pub log: &'a (dyn Fn(&str) + Sync),
}

impl<F, K, N> fmt::Debug for Wiring<'_, F, K, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wiring").finish_non_exhaustive()
    }
}

/// The results of a pinned run.
pub struct PinnedRun<S, V = SimulatedExchange> {
    /// The stages after the last event.
    pub pipeline: Pipeline<S, V>,
    /// Ticks published.
    pub ticks: u64,
    /// Wall time from the first event to the end.
    pub elapsed: Duration,
    /// `true` if it was stopped before the feed ended.
    pub interrupted: bool,
    /// Latency between the stages.
    pub latency: LatencyRecord,
    /// Waits of threads for each other.
    pub waits: Waits,
}

impl<S, V> fmt::Debug for PinnedRun<S, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PinnedRun")
            .field("ticks", &self.ticks)
            .field("elapsed", &self.elapsed)
            .field("interrupted", &self.interrupted)
            .field("waits", &self.waits)
            .finish_non_exhaustive()
    }
}

/// Counts and times of waits of a thread for another, and counts of what was given up instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// The sequencer, for room in the ring.
    pub ring: Full,
    /// The sequencer, for the decision seat's answers.
    pub answers: Full,
    /// The stages, for room to the metrics' thread.
    pub results: Full,
    /// The stages, for room to the journal.
    pub journal: Full,
    /// The stages, for room to the features' thread.
    pub features: Full,
    /// Features, for room to the decision seat.
    pub decision: Full,
    /// Questions that were not asked because the strategy was behind; only where answers count from
    /// their arrival.
    pub unasked: u64,
    /// Quotes that gave way to newer ones because the ring was full; likewise.
    pub replaced_quotes: u64,
}
