//! Written times into instants.

use jiff::civil::{Date, Time};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::text::{TextSummary, TimePattern};
use crate::market::Timestamp;

/// The end of 2249. A timestamp holds twelve years more; they leave room to compute.
pub(super) const LATEST: i64 = 8_835_955_199_999_999_999;
const QUARTER: i64 = 15 * Timestamp::MINUTE;

/// Reads the times of one file, in the file's order.
///
/// A local time in an hour that the clocks go through twice is taken as its first occurrence,
/// unless that is before the row before it; then as the second. Where the newest row comes first it
/// is taken as the second, unless that is after the row before it; then as the first. One in an
/// hour that the clocks leave out is no time at all.
pub(super) struct Clock {
    pattern: TimePattern,
    zone: TimeZone,
    /// Local times in `[from, until)` are `offset` nanoseconds ahead of UTC.
    from: i64,
    until: i64,
    offset: i64,
    /// The last date read: year, month, day.
    date: (i64, i64, i64),
    last_date: LastDate,
    last: i64,
    /// `true` if ten digits are a date and an hour, not seconds since 1970: the file's first such
    /// time decides.
    ten_digits_are_a_date: Option<bool>,
    summary: TextSummary,
}

/// A date as it was written: other dates of the file are written alike, so that equal text is an
/// equal date.
pub(super) struct LastDate {
    /// Its bytes, the first one lowest.
    pub text: u128,
    /// Returns the bits of this number of bytes.
    pub mask: u128,
    /// Bytes.
    pub length: usize,
    /// `true` if all of them are digits.
    pub is_digits: bool,
    /// Local nanoseconds of its midnight.
    pub midnight: i64,
}

impl Clock {
    pub(super) fn new(pattern: TimePattern, zone: TimeZone) -> Clock {
        let (from, until) = if zone == TimeZone::UTC { (i64::MIN, i64::MAX) } else { (0, 0) };
        Clock {
            pattern,
            zone,
            from,
            until,
            offset: 0,
            date: (0, 0, 0),
            last_date: LastDate { text: 1, mask: 0, length: 0, is_digits: false, midnight: 0 },
            last: i64::MIN,
            ten_digits_are_a_date: None,
            summary: TextSummary::default(),
        }
    }

    pub(super) fn summary(&self) -> TextSummary {
        self.summary.clone()
    }

    /// Returns the last date as it was written.
    #[inline]
    pub(super) fn last_date(&self) -> &LastDate {
        &self.last_date
    }

    /// Takes an instant that needs no zone.
    #[inline]
    pub(super) fn utc(&mut self, instant: i64) -> Timestamp {
        self.last = instant;
        Timestamp::from_nanos(instant)
    }

    /// Returns the instant of a local time, in nanoseconds as if it were UTC; `None` where the
    /// clocks leave it out.
    #[inline]
    pub(super) fn local(&mut self, local: i64) -> Option<Timestamp> {
        let instant = if self.from <= local && local < self.until {
            local - self.offset
        } else {
            self.look_up(local)?
        };
        Some(self.utc(instant))
    }

    #[cold]
    fn look_up(&mut self, local: i64) -> Option<i64> {
        let ahead = |offset: Offset| i64::from(offset.seconds()) * Timestamp::SECOND;
        let start = local - local.rem_euclid(QUARTER);
        let [first, last, this] =
            [start, start + QUARTER - 1, local].map(|local| self.offset_at(local));
        if let (
            Some(AmbiguousOffset::Unambiguous { offset }),
            Some(AmbiguousOffset::Unambiguous { offset: other }),
        ) = (first, last)
            && offset == other
        {
            (self.from, self.until, self.offset) = (start, start + QUARTER, ahead(offset));
        }
        match this? {
            AmbiguousOffset::Unambiguous { offset } => Some(local - ahead(offset)),
            AmbiguousOffset::Gap { .. } => None,
            AmbiguousOffset::Fold { before, after } => {
                self.summary.rows_in_repeated_hour += 1;
                let [first, second] = [before, after].map(|offset| local - ahead(offset));
                // The quarter of the rows before is later: the newest row comes first.
                let goes_back = self.from < self.until && local < self.from;
                Some(match goes_back {
                    false if first < self.last => second,
                    true if second <= self.last => second,
                    _ => first,
                })
            }
        }
    }

    fn offset_at(&self, local: i64) -> Option<AmbiguousOffset> {
        let civil = jiff::Timestamp::from_nanosecond(i128::from(local)).ok()?;
        Some(self.zone.to_ambiguous_timestamp(Offset::UTC.to_datetime(civil)).offset())
    }

    /// Reads a time; `clock` is the time of day where it stands in a column of its own.
    ///
    /// The error is the reason, for people.
    pub(super) fn read(&mut self, text: &[u8], clock: Option<&[u8]>) -> Result<Timestamp, String> {
        let whole = text;
        let mut rest = text;
        match self.pattern {
            TimePattern::MillisecondsSince(midnight) => {
                let (digits, value) = number(&mut rest);
                return match value {
                    // Ten digits of milliseconds are four months, more than any file's day.
                    Some(value) if rest.is_empty() && digits <= 10 => {
                        Ok(self.utc(midnight.nanos() + value * 1_000_000))
                    }
                    _ => Err(unlike(whole, "a number of milliseconds")),
                };
            }
            TimePattern::Iso if clock.is_none() => {
                let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                if digits > 8 && !self.is_date_and_time(text, digits) {
                    return self.since_epoch(text, digits);
                }
            }
            _ => {}
        }
        let midnight = self.date(&mut rest, whole)?;
        let is_glued = clock.is_none() && rest.first().is_some_and(u8::is_ascii_digit);
        if let Some(clock) = clock {
            if !rest.is_empty() {
                return Err(unlike(
                    whole,
                    "a date alone, the time having a column of its own; is a number cut in two by its decimal or thousands separator?",
                ));
            }
            rest = clock;
        } else if !rest.is_empty() {
            let gap = rest.iter().take_while(|&&byte| byte == b' ').count();
            let is_compact = whole.len() - rest.len() == 8;
            rest = match rest {
                [b'T' | b't', rest @ ..] => rest,
                [b'-', rest @ ..] if is_compact => rest,
                _ if gap > 0 => &rest[gap..],
                [byte, ..] if is_compact && byte.is_ascii_digit() => rest,
                _ => return Err(unlike(whole, self.expected())),
            };
        }
        let of_day = match rest {
            // A date alone is its midnight.
            [] if clock.is_none() => 0,
            _ => self.time_of_day(&mut rest, clock.unwrap_or(whole), is_glued)?,
        };
        let local = midnight + of_day;
        if self.pattern == TimePattern::Iso
            && let Some(offset) = utc_offset(&mut rest)
            && rest.is_empty()
        {
            return Ok(self.utc(local - offset));
        }
        if !rest.is_empty() {
            return Err(format!("{} is left over after the time", quoted(rest)));
        }
        self.local(local).ok_or_else(|| {
            self.summary.rows_in_skipped_hour += 1;
            let zone = self.zone.iana_name().unwrap_or("the given zone");
            format!("{} does not exist in {zone}: the clocks left that hour out", quoted(whole))
        })
    }

    fn expected(&self) -> &'static str {
        match self.pattern {
            TimePattern::Iso => {
                "a time such as 2013-10-07 13:30:00.250, nor seconds, milli-, micro- or nanoseconds since 1970"
            }
            TimePattern::DayFirst => "a time such as 25/12/2013 9:30:00, day first",
            TimePattern::MonthFirst => "a time such as 12/25/2013 9:30:00, month first",
            TimePattern::MillisecondsSince(_) => "a number of milliseconds",
        }
    }

    /// Returns whether leading digits are a date and a time of day in one, such as `201310071330`.
    ///
    /// Taken for a time since 1970, such a number would lie in 1976 or after 2249, where there is
    /// no history; ten digits lie in 2030 to 2041, so they must be a possible date and hour.
    fn is_date_and_time(&mut self, text: &[u8], digits: usize) -> bool {
        let value = |from: usize, to: usize| number(&mut &text[from..to]).1.unwrap_or(0);
        if !(1900..=2249).contains(&value(0, 4)) {
            return false;
        }
        match digits {
            12 | 14 | 15 | 17 | 18 | 20 | 23 => true,
            10 => *self.ten_digits_are_a_date.get_or_insert_with(|| {
                (1..=12).contains(&value(4, 6))
                    && (1..=31).contains(&value(6, 8))
                    && value(8, 10) <= 23
            }),
            _ => false,
        }
    }

    fn since_epoch(&mut self, text: &[u8], digits: usize) -> Result<Timestamp, String> {
        let unit: i64 = match digits {
            9..=11 => 1_000_000_000,
            12..=14 => 1_000_000,
            15..=17 => 1_000,
            18 | 19 => 1,
            _ => return Err(unlike(text, self.expected())),
        };
        let mut rest = text;
        let value = number(&mut rest).1.and_then(|value| value.checked_mul(unit));
        let fraction = match rest {
            [b'.', after @ ..] if unit == Timestamp::SECOND => {
                rest = after;
                decimals(&mut rest)
            }
            _ => Some(0),
        };
        match (value, fraction) {
            (Some(value), Some(fraction)) if rest.is_empty() => {
                value.checked_add(fraction).filter(|&nanos| nanos <= LATEST)
            }
            _ => None,
        }
        .map(|nanos| self.utc(nanos))
        .ok_or_else(|| unlike(text, self.expected()))
    }

    fn date(&mut self, rest: &mut &[u8], whole: &[u8]) -> Result<i64, String> {
        let wrong = || unlike(whole, self.expected());
        let (year, month, day);
        if let Some((date, after)) = rest.split_first_chunk::<8>()
            && let (8, Some(value)) = number(&mut &date[..])
        {
            *rest = after;
            (year, month, day) = (value / 10_000, value / 100 % 100, value % 100);
        } else {
            let mut parts = [(0, 0); 3];
            let mut separator = None;
            for (index, part) in parts.iter_mut().enumerate() {
                if index > 0 {
                    let (&byte, after) = rest.split_first().ok_or_else(wrong)?;
                    let fits =
                        matches!(byte, b'-' | b'/' | b'.') && separator.is_none_or(|s| s == byte);
                    if !fits {
                        return Err(wrong());
                    }
                    separator = Some(byte);
                    *rest = after;
                }
                let (digits, value) = number(rest);
                *part = (digits, value.filter(|_| (1..=4).contains(&digits)).ok_or_else(wrong)?);
            }
            let four_digits_at = parts.iter().position(|part| part.0 == 4);
            let others_fit = parts.iter().filter(|part| part.0 <= 2).count() == 2;
            let [a, b, c] = parts.map(|part| part.1);
            (year, month, day) = match (self.pattern, four_digits_at, others_fit) {
                (TimePattern::Iso, Some(0), true) => (a, b, c),
                (TimePattern::DayFirst, Some(2), true) => (c, b, a),
                (TimePattern::MonthFirst, Some(2), true) => (c, a, b),
                (TimePattern::Iso, _, _)
                    if separator != Some(b'-') || four_digits_at == Some(2) =>
                {
                    return Err(format!(
                        "{} may have the day first or the month first; say which with the preset `bar-csv-day-first` or `bar-csv-month-first` (for trades `tick-csv-day-first` or `tick-csv-month-first`)",
                        quoted(whole)
                    ));
                }
                _ => return Err(wrong()),
            };
        }
        if self.date != (year, month, day) {
            let no_such = || format!("{} is not a day of the calendar", quoted(whole));
            // A timestamp holds 1677 to 2262; the rest leaves room to compute.
            if !(1700..=2249).contains(&year) {
                return Err(no_such());
            }
            let date = Date::new(year as i16, month as i8, day as i8).map_err(|_| no_such())?;
            let midnight = Offset::UTC.to_timestamp(date.to_datetime(Time::midnight()));
            let seconds = midnight.map_err(|_| no_such())?.as_second();
            self.last_date.midnight = seconds * Timestamp::SECOND;
            self.date = (year, month, day);
        }
        let length = whole.len() - rest.len();
        let mut text = [0; 16];
        text[..length].copy_from_slice(&whole[..length]);
        self.last_date.text = u128::from_le_bytes(text);
        self.last_date.mask = u128::MAX >> (128 - 8 * length);
        self.last_date.length = length;
        self.last_date.is_digits = whole[..length].iter().all(u8::is_ascii_digit);
        Ok(self.last_date.midnight)
    }

    /// Returns the nanoseconds since midnight. `is_glued`: the time stands right behind the digits
    /// of a date, and may then be an hour alone.
    fn time_of_day(&self, rest: &mut &[u8], whole: &[u8], is_glued: bool) -> Result<i64, String> {
        let wrong = || unlike(whole, self.expected());
        let (hour, minute, second);
        let mut nanos = 0;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if is_glued || digits > 2 {
            let pair = |at: usize| number(&mut &rest[at..at + 2]).1.unwrap_or(0);
            (hour, minute, second) = match digits {
                2 => (pair(0), 0, 0),
                4 => (pair(0), pair(2), 0),
                6.. => (pair(0), pair(2), pair(4)),
                _ => return Err(wrong()),
            };
            *rest = &rest[digits.min(6)..];
            if matches!(rest, [b' ' | b'.', next, ..] if next.is_ascii_digit()) && digits == 6 {
                *rest = &rest[1..];
            }
            if rest.first().is_some_and(u8::is_ascii_digit) {
                nanos = decimals(rest).ok_or_else(wrong)?;
            }
        } else {
            hour = two_digits(rest).ok_or_else(wrong)?;
            minute = after_colon(rest).ok_or_else(wrong)?;
            second = match rest {
                [b':', ..] => after_colon(rest).ok_or_else(wrong)?,
                _ => 0,
            };
            if let [b'.', decimals @ ..] = rest {
                *rest = decimals;
                nanos = self::decimals(rest).ok_or_else(wrong)?;
            }
        }
        if hour > 23 || minute > 59 || second > 59 {
            return Err(format!("{} is not a time of day", quoted(whole)));
        }
        Ok(((hour * 60 + minute) * 60 + second) * Timestamp::SECOND + nanos)
    }
}

fn after_colon(rest: &mut &[u8]) -> Option<i64> {
    *rest = rest.strip_prefix(b":")?;
    two_digits(rest)
}

/// Takes one or two digits.
fn two_digits(rest: &mut &[u8]) -> Option<i64> {
    let (digits, value) = number(rest);
    value.filter(|_| digits <= 2)
}

/// Takes leading digits: their number, and their value if there are some and not too many.
fn number(rest: &mut &[u8]) -> (usize, Option<i64>) {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = rest[..digits]
        .iter()
        .try_fold(0i64, |value, byte| value.checked_mul(10)?.checked_add(i64::from(byte - b'0')));
    *rest = &rest[digits..];
    (digits, value.filter(|_| digits > 0))
}

/// Takes digits as the decimals of a second, in nanoseconds; `None` if there are no digits or they
/// are finer than that.
fn decimals(rest: &mut &[u8]) -> Option<i64> {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (text, after) = rest.split_at(digits);
    let mut unit = Timestamp::SECOND;
    let mut nanos = 0;
    for byte in text {
        unit /= 10;
        if unit == 0 && *byte != b'0' {
            return None;
        }
        nanos += i64::from(byte - b'0') * unit;
    }
    *rest = after;
    (digits > 0).then_some(nanos)
}

/// Takes `Z`, `+HH`, `+HHMM` or `+HH:MM`, after spaces if any, as nanoseconds ahead of UTC.
fn utc_offset(rest: &mut &[u8]) -> Option<i64> {
    let mut text = rest.trim_ascii_start();
    let (&sign, after) = text.split_first()?;
    text = after;
    let sign = match sign {
        b'Z' | b'z' => {
            *rest = text;
            return Some(0);
        }
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (digits, value) = number(&mut text);
    let value = value?;
    let (hours, minutes) = match (digits, text) {
        (4, _) => (value / 100, value % 100),
        (2, [b':', ..]) => {
            text = &text[1..];
            let (digits, minutes) = number(&mut text);
            (value, minutes.filter(|_| digits == 2)?)
        }
        (2, _) => (value, 0),
        _ => return None,
    };
    if hours > 18 || minutes > 59 {
        return None;
    }
    *rest = text;
    Some(sign * (hours * 60 + minutes) * Timestamp::MINUTE)
}

fn unlike(text: &[u8], expected: &str) -> String {
    format!("{} is not {expected}", quoted(text))
}

/// Returns a text as it stands, cut to what a message can bear.
pub(super) fn quoted(text: &[u8]) -> String {
    format!("`{}`", String::from_utf8_lossy(&text[..text.len().min(80)]))
}
