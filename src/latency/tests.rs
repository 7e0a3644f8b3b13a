use std::num::NonZeroU64;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};

use super::*;
use crate::market::Timestamp;

const OPEN: Load = Load::OpenLoop;
const CLOSED: Load = Load::ClosedLoop { expected_interval: None };

fn started() -> Timestamp {
    "2024-05-01T10:00:00.25Z".parse().unwrap()
}

fn sample(span: Span, nanoseconds: u64) -> Sample {
    Sample { span, nanoseconds }
}

fn recorded(load: Load, samples: impl IntoIterator<Item = Sample>) -> LatencyRecord {
    let mut recorder = Recorder::new(started(), load);
    samples.into_iter().for_each(|sample| recorder.record(sample));
    recorder.finish(Duration::from_secs(10), 0)
}

fn span(record: &LatencyRecord, span: Span) -> &SpanRecord {
    record.spans.iter().find(|it| it.span == span).unwrap()
}

/// An interval as the crate's own reader sees it: tag, start and length in seconds, samples.
type Interval = (String, f64, f64, Histogram<u64>);

fn intervals(log: &[u8]) -> Vec<Interval> {
    let mut deserializer = Deserializer::new();
    IntervalLogIterator::new(log)
        .filter_map(|entry| match entry.unwrap() {
            LogEntry::StartTime(time) | LogEntry::BaseTime(time) => {
                assert_eq!(time.as_nanos() as i64, started().nanos());
                None
            }
            LogEntry::Interval(interval) => {
                let bytes = STANDARD.decode(interval.encoded_histogram()).unwrap();
                Some((
                    interval.tag().unwrap().to_string(),
                    interval.start_timestamp().as_secs_f64(),
                    interval.duration().as_secs_f64(),
                    deserializer.deserialize(&mut bytes.as_slice()).unwrap(),
                ))
            }
        })
        .collect()
}

#[test]
fn a_sample_is_small_enough_for_a_queue() {
    assert!(size_of::<Sample>() <= 16);
}

#[test]
fn every_span_has_its_place_and_its_tag() {
    for (place, span) in Span::ALL.into_iter().enumerate() {
        assert_eq!(span as usize, place);
        assert_eq!(serde_json::to_value(span).unwrap(), span.tag());
        assert!(span.tag().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
    }
}

#[test]
fn the_intervals_of_the_log_add_up_to_the_whole_run() {
    let mut recorder = Recorder::new(started(), OPEN);
    let mut value = 1_u64;
    for second in 1..=5 {
        for place in 0..1_000 {
            value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            recorder.record(sample(Span::HandOver, value >> (28 + place % 30)));
            if second == 2 {
                recorder.record(sample(Span::BarToOrder, value >> 50));
            }
        }
        recorder.end_interval(Duration::from_millis(second * 1_500));
    }
    recorder.record(sample(Span::TickToOrder, 77));
    let record = recorder.finish(Duration::from_secs(8), 0);
    let read = intervals(&record.interval_log);
    let places: Vec<(&str, f64, f64)> = read.iter().map(|it| (it.0.as_str(), it.1, it.2)).collect();
    assert_eq!(
        places,
        [
            ("hand_over", 0.0, 1.5),
            ("hand_over", 1.5, 1.5),
            ("bar_to_order", 1.5, 1.5),
            ("hand_over", 3.0, 1.5),
            ("hand_over", 4.5, 1.5),
            ("hand_over", 6.0, 1.5),
            ("tick_to_order", 7.5, 0.5),
        ]
    );
    for SpanRecord { span, histogram, .. } in &record.spans {
        let mut sum = Histogram::new_with_bounds(1, LONGEST, 3).unwrap();
        for (tag, _, _, interval) in &read {
            if tag == span.tag() {
                sum.add(interval).unwrap();
            }
        }
        assert!(sum == *histogram, "{span:?}");
    }
    assert_eq!(span(&record, Span::HandOver).histogram.len(), 5_000);
    assert_eq!(span(&record, Span::BarToOrder).histogram.len(), 1_000);
}

#[test]
fn what_is_too_long_counts_as_the_longest_and_is_told_of() {
    let lengths = [0, 1, LONGEST, LONGEST + 1, u64::MAX];
    let record = recorded(OPEN, lengths.map(|length| sample(Span::TickToBar, length)));
    let SpanRecord { histogram, beyond, .. } = span(&record, Span::TickToBar);
    assert_eq!((histogram.len(), *beyond), (5, 2));
    assert_eq!((histogram.min(), histogram.count_at(LONGEST)), (0, 3));
    assert!(histogram.max().abs_diff(LONGEST) <= LONGEST / 1_000);
    // A correction must not go over the edge either.
    let load = Load::ClosedLoop { expected_interval: NonZeroU64::new(LONGEST / 4) };
    let record = recorded(load, [sample(Span::TickToBar, u64::MAX)]);
    assert_eq!(span(&record, Span::TickToBar).histogram.len(), 4);
}

#[test]
fn a_record_without_samples_has_a_log_without_intervals() {
    let record = recorded(OPEN, []);
    assert_eq!(record.spans.len(), Span::ALL.len());
    assert!(record.spans.iter().all(|it| it.histogram.is_empty() && it.beyond == 0));
    assert!(intervals(&record.interval_log).is_empty());
    assert!(record.interval_log.starts_with(b"#[Histogram log format version 1.3]\n"));
}

const MILLISECOND: u64 = 1_000_000;

/// Returns the time that a tick takes: one comes each millisecond for ten seconds and takes 0.1 ms,
/// and one of them two seconds.
fn service_time(tick: u64) -> u64 {
    if tick == 5_000 { 2_000 * MILLISECOND } else { MILLISECOND / 10 }
}

/// Returns the 99th percentile in milliseconds.
fn p99(load: Load, times: impl Iterator<Item = u64>) -> f64 {
    let record = recorded(load, times.map(|time| sample(Span::TickToBar, time)));
    let p99 = span(&record, Span::TickToBar).histogram.value_at_quantile(0.99);
    p99 as f64 / MILLISECOND as f64
}

#[test]
fn a_stall_shows_unless_the_load_waits_for_it() {
    let near = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 2e-3, "{found} ms instead of {expected} ms");
    };
    // Who sends the next when the last is done sees one slow tick in 10,000.
    near(p99(CLOSED, (0..10_000).map(service_time)), 0.1);
    // With those that were not sent meanwhile, 12,000: the slowest 120 waited for more than 1.88 s.
    let expected_interval = NonZeroU64::new(MILLISECOND);
    let corrected = Load::ClosedLoop { expected_interval };
    near(p99(corrected, (0..10_000).map(service_time)), 1_880.0);
    // Sent on time, 2,000 queue up and are worked off at ten times the speed: 1.91 s.
    let mut free_from = 0;
    let waits = (0..10_000).map(|tick| {
        let due = tick * MILLISECOND;
        free_from = due.max(free_from) + service_time(tick);
        free_from - due
    });
    near(p99(OPEN, waits), 1_910.0);
}

#[test]
fn only_spans_that_every_tick_has_are_corrected() {
    let load = Load::ClosedLoop { expected_interval: NonZeroU64::new(10) };
    let record = recorded(load, Span::ALL.map(|span| sample(span, 100)));
    let counts: Vec<u64> = record.spans.iter().map(|it| it.histogram.len()).collect();
    assert_eq!(counts, [10, 10, 1, 1, 1, 1]);
}
