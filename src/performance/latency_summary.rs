//! The summary of the measured latency.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::report::format::{count, nanoseconds};
use crate::latency::{LONGEST, LatencyRecord, Load, Span, SpanRecord};

/// Points of a percentile curve for each halving of the distance to 100 %: with 10⁸ samples, which
/// halve 27 times, some 110 points.
const POINTS_A_HALVING: u32 = 4;

/// The summary of the measured latency.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// The offered load.
    pub load: Load,
    /// Samples that were thrown away because the queue to the recorder was full.
    pub dropped: u64,
    /// Facts about the machine and the load, each in a few words.
    pub facts: Vec<String>,
    /// Spans that have samples, along the way.
    pub spans: Vec<SpanSummary>,
}

/// The distribution of one span. Times are nanoseconds, right to three significant digits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpanSummary {
    /// Between which stamps.
    pub span: Span,
    /// Samples (≥ 1).
    pub count: u64,
    /// The shortest.
    pub min: u64,
    /// The median: half of the samples are no longer than this.
    pub p50: u64,
    /// 90 % of the samples are no longer than this.
    pub p90: u64,
    /// 99 %.
    pub p99: u64,
    /// 99.9 %.
    #[serde(rename = "p99.9")]
    pub p99_9: u64,
    /// 99.99 %; with fewer than 10,000 samples, the longest.
    #[serde(rename = "p99.99")]
    pub p99_99: u64,
    /// The longest.
    pub max: u64,
    /// Samples longer than [`LONGEST`], which count as that.
    pub beyond: u64,
    /// Points of the percentile curve, ascending: a fraction of the samples (0 ≤ it < 1) and the
    /// nanoseconds that it does not exceed. The last point is the longest sample.
    pub curve: Vec<(f64, u64)>,
}

/// Headings of [`SpanSummary::cells`].
pub(super) const COLUMNS: [&str; 9] =
    ["Span", "Count", "Min", "p50", "p90", "p99", "p99.9", "p99.99", "Max"];

impl LatencySummary {
    /// Returns the summary of a record.
    pub(super) fn of(record: &LatencyRecord) -> LatencySummary {
        let measured = record.spans.iter().filter(|it| !it.histogram.is_empty());
        LatencySummary {
            load: record.load,
            dropped: record.dropped,
            facts: record.facts.clone(),
            spans: measured.map(SpanSummary::of).collect(),
        }
    }

    /// Returns notes on the figures, in sentences: the offered load, and what
    /// is missing.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = vec![self.load.description()];
        if self.spans.is_empty() {
            notes.push("There are no samples.".to_owned());
        }
        if self.dropped > 0 {
            notes.push(format!(
                "Samples missing, because the queue to the recorder was full: {}.",
                count(self.dropped)
            ));
        }
        let beyond: u64 = self.spans.iter().map(|it| it.beyond).sum();
        if beyond > 0 {
            let longest = LONGEST / 1_000_000_000;
            notes.push(format!(
                "Samples longer than {longest} s, which count as that: {}.",
                count(beyond)
            ));
        }
        notes
    }

    /// Returns the table and its notes, for a terminal: lines of equal columns, then the notes.
    pub fn lines(&self) -> Vec<String> {
        let header = COLUMNS.map(str::to_owned);
        let rows: Vec<_> =
            std::iter::once(header).chain(self.spans.iter().map(SpanSummary::cells)).collect();
        let widths: Vec<usize> = (0..COLUMNS.len())
            .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
            .collect();
        let line = |[name, figures @ ..]: &[String; COLUMNS.len()]| {
            let figures = figures.iter().zip(&widths[1..]);
            let figures = figures.map(|(figure, width)| format!("  {figure:>width$}"));
            format!("{name:<0$}{1}", widths[0], figures.collect::<String>())
        };
        let table = rows.iter().map(line).filter(|_| !self.spans.is_empty());
        table.chain(self.notes()).collect()
    }
}

impl SpanSummary {
    fn of(SpanRecord { span, histogram, beyond }: &SpanRecord) -> SpanSummary {
        SpanSummary {
            span: *span,
            count: histogram.len(),
            min: histogram.min(),
            p50: histogram.value_at_quantile(0.5),
            p90: histogram.value_at_quantile(0.9),
            p99: histogram.value_at_quantile(0.99),
            p99_9: histogram.value_at_quantile(0.999),
            p99_99: histogram.value_at_quantile(0.9999),
            max: histogram.max(),
            beyond: *beyond,
            curve: curve(histogram),
        }
    }

    /// Returns the figures under [`COLUMNS`], as a reader wants them.
    pub(super) fn cells(&self) -> [String; COLUMNS.len()] {
        let time = |nanos: u64| nanoseconds(nanos as f64);
        [
            self.span.name().to_owned(),
            count(self.count),
            time(self.min),
            time(self.p50),
            time(self.p90),
            time(self.p99),
            time(self.p99_9),
            time(self.p99_99),
            time(self.max),
        ]
    }
}

/// Returns the curve percentile by percentile, ever finer towards the longest sample, without 100
/// %, which a scale of 1 ÷ (1 − it) cannot show.
fn curve(histogram: &Histogram<u64>) -> Vec<(f64, u64)> {
    histogram
        .iter_quantiles(POINTS_A_HALVING)
        .map(|step| (step.quantile_iterated_to(), step.value_iterated_to()))
        .filter(|&(quantile, _)| quantile < 1.0)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::latency::{Recorder, Sample};
    use crate::market::Timestamp;

    fn summary(span: Span, times: &[u64], dropped: u64) -> LatencySummary {
        let mut recorder = Recorder::new(Timestamp::from_nanos(0), Load::OpenLoop);
        for &nanoseconds in times {
            recorder.record(Sample { span, nanoseconds });
        }
        LatencySummary::of(&recorder.finish(Duration::from_secs(1), dropped))
    }

    /// Returns the smallest of the sorted times that `of_10_000` of 10,000 do not exceed.
    fn by_rank(sorted: &[u64], of_10_000: usize) -> u64 {
        sorted[(sorted.len() * of_10_000).div_ceil(10_000).max(1) - 1]
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_times(
            logarithms in prop::collection::vec(0.0..24.8_f64, 1..3_000),
        ) {
            let mut times: Vec<u64> = logarithms.iter().map(|it| it.exp() as u64).collect();
            let summary = summary(Span::TickToBar, &times, 0);
            times.sort_unstable();
            let [it] = summary.spans.as_slice() else { panic!("one span has samples") };
            prop_assert_eq!((it.span, it.count), (Span::TickToBar, times.len() as u64));
            for (found, expected) in [
                (it.min, times[0]),
                (it.p50, by_rank(&times, 5_000)),
                (it.p90, by_rank(&times, 9_000)),
                (it.p99, by_rank(&times, 9_900)),
                (it.p99_9, by_rank(&times, 9_990)),
                (it.p99_99, by_rank(&times, 9_999)),
                (it.max, times[times.len() - 1]),
            ] {
                prop_assert!(found.abs_diff(expected) <= expected / 1_000, "{} {}", found, expected);
            }
            // The curve: each fraction of the samples is within its time, and fewer are within
            // less.
            prop_assert!(it.curve.is_sorted() && it.curve.len() <= 60, "{}", it.curve.len());
            prop_assert_eq!((it.curve[0].0, it.curve[it.curve.len() - 1].1), (0.0, it.max));
            for &(fraction, nanos) in &it.curve {
                let share = |limit: u64| {
                    times.partition_point(|&time| time <= limit) as f64 / times.len() as f64
                };
                prop_assert!(share(nanos) >= fraction && share(nanos - nanos / 500 - 1) <= fraction);
            }
        }
    }

    #[test]
    fn the_terminal_gets_columns_and_what_is_missing() {
        let mut times = vec![95; 12_345];
        times.push(1_234_567);
        times.push(u64::MAX);
        let lines = summary(Span::TickToOrder, &times, 1_001).lines();
        assert_eq!(
            lines,
            [
                "Span                  Count      Min      p50      p90      p99    p99.9   p99.99     Max",
                "tick in → order out  12,347  95.0 ns  95.0 ns  95.0 ns  95.0 ns  95.0 ns  1.23 ms  60.0 s",
                &Load::OpenLoop.description(),
                "Samples missing, because the queue to the recorder was full: 1,001.",
                "Samples longer than 60 s, which count as that: 1.",
            ]
        );
    }

    #[test]
    fn nothing_measured_is_said_in_words() {
        let summary = summary(Span::HandOver, &[], 0);
        assert!(summary.spans.is_empty());
        let lines = summary.lines();
        assert_eq!(lines, [Load::OpenLoop.description(), "There are no samples.".to_owned()]);
    }
}
