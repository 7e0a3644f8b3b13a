//! The pinned runner: the same stages on threads of their own around one ring of preallocated
//! slots.
//!
//! ```text
//! feed, timers, broker ──▶ sequencer ══ ring ══╦═▶ stages: bars, orders ──▶ features ──▶ seat
//!                              ▲               ╚═▶ journal ◀── actions ──┘                │
//!                              └─────────────────────── answers ──────────────────────────┘
//!                                         metrics ◀── results and times ── stages, features
//! ```
//!
//! The sequencer puts everything that comes from outside into one order; the stages' thread is the
//! only one that acts on it. Features and the decision seat run on its thread or on their own
//! ([`ThreadLayout`]). Every result is that of the inline runner, bit for bit.
//!
//! What waits for what, and why nothing waits in a circle: the sequencer waits for room in the
//! ring, and in a simulation for an answer, and takes in everything that is sent to it meanwhile;
//! the stages wait for room in their queues; journal and metrics wait for nothing but their files.

mod downstream;
mod failure;
mod feed;
mod journal_thread;
mod layout;
mod metrics_thread;
mod outlets;
mod queue;
pub mod ring;
mod sequencer;
mod settings;
mod stages_thread;
mod stopwatch;
mod threads;
mod wiring;

use std::sync::atomic::AtomicBool;
use std::thread;

use quanta::Clock;

pub use failure::ThreadFailure;
pub use feed::{Feed, Pace, Paced, Polled, Recorded};
pub use layout::ThreadLayout;
pub use ring::Full;
pub use settings::{CoreSettings, PaceMode, PaceSettings, RunnerKind, RunnerSettings};
pub use wiring::{PinnedRun, PinnedSettings, Waits, Wiring};

use super::feature_stage::FeatureStage;
use super::sink::Sink;
use super::stages::Pipeline;
use crate::execution::Venue;
use crate::strategy::Strategy;
use failure::Failures;
use threads::Threads;

/// Takes everything from the feed through the stages. `stop` ends the run in order. `progress` is
/// told the number of ticks.
///
/// # Errors
/// If a thread cannot be started or fails. The other threads have then ended in order: every
/// published event is in the journal, and the results have been told of every action.
pub fn run<S, V, F, K, N>(
    pipeline: Pipeline<S, V>,
    wiring: Wiring<'_, F, K, N>,
    settings: &PinnedSettings,
    stop: &AtomicBool,
    progress: &mut dyn FnMut(u64),
) -> Result<PinnedRun<S, V>, ThreadFailure>
where
    S: Strategy + Send,
    V: Venue + Send,
    F: Feed,
    K: Sink + Send,
    N: FnMut(&FeatureStage) + Send,
{
    let failures = Failures::default();
    let (log, clock) = (wiring.log, Clock::new());
    let ended = thread::scope(|scope| {
        let threads = Threads { scope, settings, failures: &failures, stop, log, clock };
        threads.run(pipeline, wiring, progress)
    });
    match failures.into_first() {
        None => ended,
        Some(failure) => Err(failure),
    }
}
