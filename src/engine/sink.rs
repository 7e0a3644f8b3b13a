//! The way out of the stages.

use super::message::{Event, Output};
use crate::latency::Recorder;

/// A receiver of the stages' output. It is outside of them, so it may allocate.
pub trait Sink {
    /// Takes an event before the stages do. Only the inline runner and the replay of a journal call
    /// this.
    fn event(&mut self, _event: &Event) {}
    /// Takes an output.
    fn output(&mut self, output: &Output<'_>);
    /// Takes the times of a pinned run so far, about once a second.
    fn times(&mut self, _times: &Recorder) {}
}

/// A sink that drops everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullSink;

impl Sink for NullSink {
    fn output(&mut self, _: &Output<'_>) {}
}
