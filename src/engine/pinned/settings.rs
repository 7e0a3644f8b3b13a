//! Settings of the runners: threads, their cores, and the pace of the ticks.

use std::fmt;
use std::time::Duration;

use super::ThreadLayout;
use crate::machine::Wait;
use crate::settings::{names, settings};

settings! {
    /// `pipeline`
    #[derive(Copy)]
    pub struct RunnerSettings {
        /// Runner of the stages. Both give the same results, bit for bit.
        pub runner: RunnerKind = RunnerKind::Inline;
        /// Journal of every event, decision, order and fill, `run.journal`; `null`: with the pinned
        /// runner only.
        pub journal: Option<bool> = None;
        /// Stages that have a thread of their own.
        pub layout: ThreadLayout = ThreadLayout::DecisionApart;
        /// Size of the ring.
        pub ring_slots: u32 = 8192, 64..=1_048_576, "slots, a power of two";
        /// Waiting of sequencer, stages, features and decision for work.
        pub wait: Wait = Wait::Adaptive;
        /// Cores of the threads.
        pub cores: CoreSettings;
        /// Lock on the program's memory, so that it is not swapped out (`mlockall`).
        pub lock_memory: bool = false;
        /// Priority of the sequencer's and the stages' threads under `SCHED_FIFO`; `null`: the
        /// system's ordinary scheduling.
        pub real_time_priority: Option<u8> = None, 1..=99;
        /// Pace of the ticks.
        pub pace: PaceSettings;
    }
}

names! {
    /// `pipeline.runner`. Both give the same results, bit for bit.
    pub enum RunnerKind {
        /// All stages on one thread, the fastest for a backtest.
        Inline = "inline",
        /// Stages on pinned threads around a ring: for paper and live trading, and to measure
        /// latency.
        Pinned = "pinned",
    }
}

settings! {
    /// `pipeline.cores`: each the place of a core among those that the process may use; `null`:
    /// planned at the start.
    #[derive(Copy, Eq)]
    pub struct CoreSettings {
        /// Core of the thread that puts all events into one order: its place among the cores that
        /// the process may use; `null`: planned at the start, as for the others.
        pub sequencer: Option<u32> = None, 0..=1023;
        /// Core of bars and orders, with all that has no thread of its own.
        pub stages: Option<u32> = None, 0..=1023;
        /// Core of features and matrices. No effect unless `layout` is `all_apart`.
        pub features: Option<u32> = None, 0..=1023;
        /// Core of the decision. No effect if `layout` is `fused`.
        pub decision: Option<u32> = None, 0..=1023;
        /// Core of the journal.
        pub journal: Option<u32> = None, 0..=1023;
        /// Core of results and times.
        pub metrics: Option<u32> = None, 0..=1023;
        /// Core of the links to the gateway. No effect in a backtest.
        pub links: Option<u32> = None, 0..=1023;
    }
}

settings! {
    /// `pipeline.pace`. No effect with the inline runner.
    #[derive(Copy)]
    pub struct PaceSettings {
        /// Schedule of the ticks with the pinned runner.
        pub mode: PaceMode = PaceMode::Unpaced;
        /// Speed, as a multiple of the recorded one. No effect unless `mode` is `recorded`.
        pub speed: f64 = 1.0, 0.001..=1_000_000.0;
    }
}

names! {
    /// `pipeline.pace.mode`
    pub enum PaceMode {
        /// As fast as they are taken.
        Unpaced = "unpaced",
        /// As they were recorded, times `speed`; a silence takes a second of the wall clock at
        /// most.
        Recorded = "recorded",
        /// In bursts of 40 ticks, evenly within one millisecond, every 20 milliseconds.
        Bursts = "bursts",
    }
}

impl PaceSettings {
    /// Longest wall-clock time between two ticks at recorded pace.
    pub const LONGEST_PAUSE: Duration = Duration::from_secs(1);
    /// Ticks in the millisecond of a burst.
    pub const BURST_TICKS: u32 = 40;
    /// Time from one burst's start to the next one's.
    pub const BURST_EVERY: Duration = Duration::from_millis(20);
}

impl fmt::Display for PaceSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            PaceMode::Unpaced => f.write_str("as fast as ticks are taken"),
            PaceMode::Recorded => write!(f, "recorded, {} times as fast", self.speed),
            PaceMode::Bursts => {
                let (ticks, every) = (PaceSettings::BURST_TICKS, PaceSettings::BURST_EVERY);
                write!(f, "bursts of {ticks} ticks, one every {} ms", every.as_millis())
            }
        }
    }
}
