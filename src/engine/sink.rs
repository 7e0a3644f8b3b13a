//! The way out of the stages.

use super::message::{Event, Output};

/// Takes the output of the stages. It stands outside of them, so it may allocate.
pub trait Sink {
    /// Takes an event before the stages do. Only the inline runner and the replay of a journal tell
    /// of events.
    fn event(&mut self, _event: &Event) {}
    /// Takes an output.
    fn output(&mut self, output: &Output<'_>);
}

/// A sink that drops everything.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullSink;

impl Sink for NullSink {
    fn output(&mut self, _: &Output<'_>) {}
}
