//! Times between stamps, on their way to the metrics thread.

use std::time::Duration;

use quanta::Clock;

use super::queue::Outlet;
use crate::latency::{Sample, Span};

/// A taker of samples. A sample is given up if the metrics thread cannot keep up: no event waits
/// for a figure about itself.
pub(super) struct Stopwatch {
    clock: Clock,
    samples: Outlet<Sample>,
}

impl Stopwatch {
    pub(super) fn new(clock: Clock, samples: Outlet<Sample>) -> Stopwatch {
        Stopwatch { clock, samples }
    }

    /// Returns the number of samples given up.
    pub(super) fn lost(&self) -> u64 {
        self.samples.dropped
    }

    /// Returns the present time in the clock's raw unit.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        self.clock.raw()
    }

    /// Returns the time from a stamp until now.
    pub(super) fn since(&self, stamp: u64) -> Duration {
        self.clock.delta(stamp, self.clock.raw().max(stamp))
    }

    /// Takes the time from a stamp until now.
    #[inline]
    pub(super) fn record_since(&mut self, span: Span, stamp: u64) {
        self.record(span, stamp, self.clock.raw());
    }

    /// Takes the time between two stamps. Stamps of two cores may differ by the difference of their
    /// counters; a negative time counts as 0.
    #[inline]
    pub(super) fn record(&mut self, span: Span, from: u64, to: u64) {
        let nanoseconds = self.clock.delta_as_nanos(from, to.max(from));
        self.samples.offer(Sample { span, nanoseconds });
    }
}
