//! Samples into histograms.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::interval_log::IntervalLog;
use super::{Load, Span};
use crate::market::Timestamp;

/// Nanoseconds of the longest time that is told apart: one minute. What is longer counts as this.
pub const LONGEST: u64 = 60_000_000_000;

/// Significant decimal digits of a histogram's values: a value is right to 0.1 %, and exact below
/// 2,048 ns.
const DIGITS: u8 = 3;

/// One measured time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Between which stamps.
    pub span: Span,
    /// Nanoseconds between them.
    pub nanoseconds: u64,
}

/// Counts samples by span, for the whole run and by interval.
pub struct Recorder {
    load: Load,
    /// In the order of [`Span::ALL`].
    spans: [SpanRecorder; Span::ALL.len()],
    log: IntervalLog,
    /// Start of the interval, from the start of the log.
    interval_start: Duration,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("load", &self.load).finish_non_exhaustive()
    }
}

/// A span's samples: those of the interval in `interval`, those of the intervals before in
/// `record`.
struct SpanRecorder {
    record: SpanRecord,
    interval: Histogram<u64>,
}

/// All samples of a span.
#[derive(Clone, Debug)]
pub struct SpanRecord {
    /// Between which stamps.
    pub span: Span,
    /// Nanoseconds; of three significant digits, up to [`LONGEST`]. May be empty.
    pub histogram: Histogram<u64>,
    /// Samples longer than [`LONGEST`]; the histogram holds them as that.
    pub beyond: u64,
}

/// The latency measured in a run.
#[derive(Clone, Debug)]
pub struct LatencyRecord {
    /// The offered load.
    pub load: Load,
    /// In the order of [`Span::ALL`], those without samples too.
    pub spans: Vec<SpanRecord>,
    /// Samples that were thrown away because the queue to the recorder was full.
    pub dropped: u64,
    /// The intervals as an `.hlog` file, one tag a span; intervals without samples are left out.
    pub interval_log: Vec<u8>,
    /// Facts about the machine and the load, each in a few words: isolated cores,
    /// clock source, which thread ran on which core, how the load was paced. The code that ran the
    /// pipeline fills it.
    pub facts: Vec<String>,
}

impl Recorder {
    /// Creates a recorder without samples, its first interval open. `started` is the time of the
    /// wall clock now, and stands in the interval log. Takes 2.7 MB, and no more while samples
    /// come.
    pub fn new(started: Timestamp, load: Load) -> Recorder {
        let spans = Span::ALL.map(|span| SpanRecorder {
            record: SpanRecord { span, histogram: histogram(), beyond: 0 },
            interval: histogram(),
        });
        Recorder { load, spans, log: IntervalLog::new(started), interval_start: Duration::ZERO }
    }

    /// Counts a sample. Allocates nothing.
    #[inline]
    pub fn record(&mut self, sample: Sample) {
        let SpanRecorder { record, interval } = &mut self.spans[sample.span as usize];
        let nanoseconds = sample.nanoseconds.min(LONGEST);
        record.beyond += u64::from(sample.nanoseconds > LONGEST);
        match self.load {
            Load::ClosedLoop { expected_interval: Some(expected) }
                if sample.span.is_of_every_tick() =>
            {
                interval.record_correct(nanoseconds, expected.get())
            }
            _ => interval.record(nanoseconds),
        }
        .expect("the value is within the histogram's bounds");
    }

    /// Ends the interval `at` this long after the start, and begins the next one. Grows the
    /// interval log by one line for each span that had samples.
    pub fn end_interval(&mut self, at: Duration) {
        for SpanRecorder { record, interval } in &mut self.spans {
            if !interval.is_empty() {
                self.log.add(record.span, (self.interval_start, at), interval);
                record.histogram.add(&*interval).expect("both have the same bounds");
                interval.reset();
            }
        }
        self.interval_start = at;
    }

    /// Returns the median and the 99th percentile of a span's samples, those of the open interval
    /// apart; `None` without a sample.
    pub fn quantiles(&self, span: Span) -> Option<(Duration, Duration)> {
        let histogram = &self.spans[span as usize].record.histogram;
        let at = |quantile| Duration::from_nanos(histogram.value_at_quantile(quantile));
        (!histogram.is_empty()).then(|| (at(0.5), at(0.99)))
    }

    /// Ends the last interval `at` this long after the start. `dropped` is how many samples never
    /// came because the queue was full.
    pub fn finish(mut self, at: Duration, dropped: u64) -> LatencyRecord {
        self.end_interval(at);
        LatencyRecord {
            load: self.load,
            spans: self.spans.into_iter().map(|span| span.record).collect(),
            dropped,
            interval_log: self.log.into_bytes(),
            facts: Vec::new(),
        }
    }
}

/// Creates an empty histogram that never grows.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, DIGITS).expect("the bounds are far enough apart")
}
