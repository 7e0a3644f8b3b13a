//! `.hlog`: histograms by interval, in HdrHistogram's text format, which its
//! `HistogramLogProcessor` and plotters read.

use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::Span;
use crate::market::Timestamp;

/// The file's bytes so far.
pub(super) struct IntervalLog {
    bytes: Vec<u8>,
    serializer: V2DeflateSerializer,
}

impl IntervalLog {
    /// Creates a log whose times count from `started`.
    pub(super) fn new(started: Timestamp) -> IntervalLog {
        let since_epoch = u64::try_from(started.nanos()).unwrap_or(0);
        let started = SystemTime::UNIX_EPOCH + Duration::from_nanos(since_epoch);
        let mut log = IntervalLog { bytes: Vec::new(), serializer: V2DeflateSerializer::new() };
        IntervalLogWriterBuilder::new()
            // The crate leaves the version out.
            .add_comment("[Histogram log format version 1.3]")
            .add_comment("[Values are nanoseconds]")
            .with_start_time(started)
            .with_base_time(started)
            .begin_log_with(&mut log.bytes, &mut log.serializer)
            .expect("writing to memory cannot fail");
        log
    }

    /// Adds the samples of one span between two offsets from the log's start.
    pub(super) fn add(
        &mut self,
        span: Span,
        (from, to): (Duration, Duration),
        samples: &Histogram<u64>,
    ) {
        // Without a header it writes nothing of its own, and so continues the same log.
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.bytes, &mut self.serializer)
            .and_then(|mut writer| {
                let length = to.saturating_sub(from);
                writer
                    .write_histogram(samples, from, length, Tag::new(span.tag()))
                    .map_err(std::io::Error::other)
            })
            .expect("writing a histogram of known size to memory cannot fail");
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}
