//! Figures and texts as a reader wants them.

/// The sign for a value that is not defined.
pub(super) const UNDEFINED: &str = "–";

/// Returns `12,345,678`.
pub(in crate::performance) fn count(value: u64) -> String {
    grouped(&value.to_string())
}

fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns `−1,234.50` with that number of decimals; never `−0.00`.
pub(super) fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return UNDEFINED.to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let sign = if value < 0.0 && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        "−"
    } else {
        ""
    };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", grouped(whole))
}

/// Returns `−$1,234.50`.
pub(in crate::performance) fn dollars(value: f64) -> String {
    let text = number(value, 2);
    match text.strip_prefix('−') {
        Some(digits) => format!("−${digits}"),
        None => format!("${text}"),
    }
}

/// Returns `−$1,235`.
pub(super) fn whole_dollars(value: f64) -> String {
    dollars(value.round()).replace(".00", "")
}

/// Returns `12.3%` of a fraction of 0.123.
pub(super) fn percent(fraction: f64) -> String {
    format!("{}%", number(fraction * 100.0, 1))
}

/// Returns the text of a value that may be undefined.
pub(super) fn or_undefined(value: Option<f64>, text: impl Fn(f64) -> String) -> String {
    value.map_or_else(|| UNDEFINED.to_owned(), text)
}

/// Returns `3.5 days`, `2.0 hours`, `5.2 s`.
pub(super) fn duration(seconds: f64) -> String {
    match seconds {
        s if s >= 172_800.0 => format!("{} days", number(s / 86_400.0, 1)),
        s if s >= 7_200.0 => format!("{} hours", number(s / 3_600.0, 1)),
        s if s >= 120.0 => format!("{} minutes", number(s / 60.0, 1)),
        s if s >= 1.0 => format!("{} s", number(s, 1)),
        s => format!("{} ms", number(s * 1_000.0, 1)),
    }
}

/// Returns `8.30 ns`, `12.5 µs`, `310 ms`: three significant digits, as many as the histograms
/// hold.
pub(in crate::performance) fn nanoseconds(nanos: f64) -> String {
    // Each limit is where three digits would round up to 1,000.
    let (value, unit) = match nanos {
        n if n < 999.5 => (n, "ns"),
        n if n < 999.5e3 => (n / 1e3, "µs"),
        n if n < 999.5e6 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{} {unit}", number(value, decimals))
}

/// Returns the style class of a gain or a loss.
pub(super) fn tone(value: f64) -> &'static str {
    if value > 0.0 {
        "gain"
    } else if value < 0.0 {
        "loss"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!(dollars(-1234.5), "−$1,234.50");
        assert_eq!(dollars(1_234_567.8), "$1,234,567.80");
        assert_eq!(dollars(-0.001), "$0.00");
        assert_eq!(whole_dollars(-1234.5), "−$1,235");
        assert_eq!(percent(0.1234), "12.3%");
        assert_eq!(number(f64::NAN, 2), UNDEFINED);
        assert_eq!(count(1_000), "1,000");
        assert_eq!(count(999), "999");
        assert_eq!(duration(90_000.0), "25.0 hours");
        assert_eq!(nanoseconds(8.3), "8.30 ns");
        assert_eq!(nanoseconds(999.4), "999 ns");
        assert_eq!(nanoseconds(999.6), "1.00 µs");
        assert_eq!(nanoseconds(1_250.0), "1.25 µs");
        assert_eq!(nanoseconds(12_345_678.0), "12.3 ms");
        assert_eq!(nanoseconds(6e10), "60.0 s");
    }
}
