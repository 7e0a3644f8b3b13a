//! The latency from tick to order, measured where it runs.
//!
//! The pinned pipeline takes time stamps at each hand-over and sends the time between two of them
//! as a [`Sample`] of a [`Span`] through a queue. A [`Recorder`], off the hot path, counts them in
//! histograms; what it has in the end is a [`LatencyRecord`], which [`crate::performance`] turns
//! into files and a report. [`Load`] says from when on each time counts.

mod interval_log;
mod load;
mod recorder;
mod span;

pub use load::Load;
pub use recorder::{LONGEST, LatencyRecord, Recorder, Sample, SpanRecord};
pub use span::Span;

#[cfg(test)]
mod tests;
