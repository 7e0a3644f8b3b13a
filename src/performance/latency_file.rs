//! `.hgrm` files: the percentile distribution in HdrHistogram's text format, which its plotter
//! reads (`outputPercentileDistribution` of the Java original, five steps a halving).

use std::io::{self, Write};

use hdrhistogram::Histogram;

/// Writes the distribution in nanoseconds; `in_a_nanosecond` is the number of the histogram's units
/// in one.
pub(super) fn write_percentiles(
    mut writer: impl Write,
    histogram: &Histogram<u64>,
    in_a_nanosecond: f64,
) -> io::Result<()> {
    let digits = usize::from(histogram.sigfig());
    let scaled = |value: f64| value / in_a_nanosecond;
    writeln!(
        writer,
        "{:>12} {:>14} {:>10} {:>14}\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    )?;
    let mut total = 0;
    for step in histogram.iter_quantiles(5) {
        total += step.count_since_last_iteration();
        let (value, quantile) = (step.value_iterated_to(), step.quantile_iterated_to());
        write!(writer, "{:12.digits$} {quantile:14.12} {total:10}", scaled(value as f64))?;
        if quantile < 1.0 {
            write!(writer, " {:14.2}", 1.0 / (1.0 - quantile))?;
        }
        writeln!(writer)?;
    }
    // The Java original counts sub-buckets as the power of two that holds twice the values of that
    // number of significant digits.
    let sub_buckets = (2 * 10_u64.pow(u32::from(histogram.sigfig()))).next_power_of_two();
    writeln!(
        writer,
        "#[Mean    = {:12.digits$}, StdDeviation   = {:12.digits$}]",
        scaled(histogram.mean()),
        scaled(histogram.stdev())
    )?;
    writeln!(
        writer,
        "#[Max     = {:12.digits$}, Total count    = {:12}]",
        scaled(histogram.max() as f64),
        histogram.len()
    )?;
    writeln!(writer, "#[Buckets = {:12}, SubBuckets     = {sub_buckets:12}]", histogram.buckets())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::performance::summary::PICOSECONDS;

    #[test]
    fn has_the_layout_that_plotters_of_hgrm_files_read() {
        let mut histogram = Histogram::new(4).unwrap();
        // 1 to 1000 ns; four significant digits hold every one of them apart.
        for value in 1..=1000 {
            histogram.record(value * 1000).unwrap();
        }
        let mut bytes = Vec::new();
        write_percentiles(&mut bytes, &histogram, PICOSECONDS).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "       Value     Percentile TotalCount 1/(1-Percentile)");
        assert_eq!(lines[1], "");
        assert_eq!(lines[2], "      1.0000 0.000000000000          1           1.00");
        let rows: Vec<Vec<f64>> = lines
            .iter()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|word| word.parse().unwrap()).collect())
            .collect();
        // 1, 2, …, 1000: the value at a quantile is its place.
        for row in &rows {
            assert!((row[0] - (row[1] * 1000.0).max(1.0)).abs() <= 1.1, "{row:?}");
            assert!((row[0] - row[2]).abs() <= 0.1, "{row:?}");
        }
        assert_eq!(rows.last().unwrap().len(), 3);
        assert!(text.contains("#[Mean    =     500.5"), "{text}");
        assert!(text.contains("StdDeviation   =     288.6"), "{text}");
        assert!(text.contains("Total count    =         1000]"), "{text}");
        assert!(text.ends_with("SubBuckets     =        32768]\n"), "{text}");
    }
}
