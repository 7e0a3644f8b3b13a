//! The fast lane: one plain line of a trade file in a single pass.
//!
//! Eight bytes at a time are looked at as one integer. Whatever is out of the ordinary is left to
//! the general reader, so that this one may be short; a test holds the two against each other.

use super::clock::{Clock, LATEST};
use super::row::TradeRow;
use crate::market::{Price, Timestamp};

/// No plain line is longer, up to the end of its third column.
const WINDOW: usize = 80;

const POWERS: [u64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// `0` or `:` at the places of `HH:MM:SS`, first byte lowest.
const CLOCK_SHAPE: u64 = u64::from_le_bytes(*b"00:00:00");
/// What brings a byte to 0x80 when a digit's place holds more than 9, or a colon's more than 0.
const CLOCK_LIMIT: u64 = u64::from_le_bytes([0x76, 0x76, 0x7F, 0x76, 0x76, 0x7F, 0x76, 0x76]);

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;

/// Nanoseconds of a time as written.
enum Time {
    /// In the file's zone.
    Local(i64),
    /// Since 1970.
    Utc(i64),
}

/// Reads `time,price,size` with an ISO time of the clock's last date or an integer since 1970.
/// Gives the row and the length of the line with its end, or `None` if the line is not plain.
#[inline(always)]
pub(super) fn read(line: &[u8], delimiter: u8, clock: &mut Clock) -> Option<(TradeRow, usize)> {
    let window: &[u8; WINDOW] = line.first_chunk()?;
    let (time, at) = if window[4] == b'-' {
        iso(window, delimiter, clock)?
    } else {
        since_epoch(window, delimiter)?
    };
    let (digits, whole) = digits(window, at)?;
    if digits == 0 {
        return None;
    }
    let mut at = at + digits;
    let mut units = whole * Price::SCALE as u64;
    if *window.get(at)? == b'.' {
        let (digits, fraction) = self::digits(window, at + 1)?;
        units += fraction * POWERS[9 - digits];
        at += 1 + digits;
    }
    if *window.get(at)? != delimiter {
        return None;
    }
    let (digits, size) = self::digits(window, at + 1)?;
    if digits == 0 {
        return None;
    }
    at += 1 + digits;
    let end = match *window.get(at)? {
        b'\n' => at + 1,
        b'\r' if window.get(at + 1) == Some(&b'\n') => at + 2,
        byte if byte == delimiter => at + 1 + line[at..].iter().position(|&byte| byte == b'\n')?,
        _ => return None,
    };
    // Last, as the clock remembers the row.
    let time = match time {
        Time::Local(nanos) => clock.local(nanos)?,
        Time::Utc(nanos) => clock.utc(nanos),
    };
    let row = TradeRow {
        time,
        price: Price::from_units(units as i64),
        size: size as i64,
        aggressor: None,
        received: None,
        bid: None,
        ask: None,
    };
    Some((row, end))
}

/// A time on the clock's last date, up to the byte after the delimiter.
#[inline(always)]
fn iso(window: &[u8; WINDOW], delimiter: u8, clock: &Clock) -> Option<(Time, usize)> {
    if window[..10] != clock.date_text || !matches!(window[10], b' ' | b'T') {
        return None;
    }
    let text = eight(window, 11)? ^ CLOCK_SHAPE;
    if (text.wrapping_add(CLOCK_LIMIT) | text) & HIGH_BITS != 0 {
        return None;
    }
    let [h, hh, _, m, mm, _, s, ss] = text.to_le_bytes().map(i64::from);
    let (hour, minute, second) = (h * 10 + hh, m * 10 + mm, s * 10 + ss);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut nanos = ((hour * 60 + minute) * 60 + second) * Timestamp::SECOND + clock.midnight();
    let mut at = 19;
    if window[at] == b'.' {
        let (mut digits, mut fraction) = self::digits(window, at + 1)?;
        if digits == 8 && window[at + 9].is_ascii_digit() {
            fraction = fraction * 10 + u64::from(window[at + 9] - b'0');
            digits = 9;
        }
        if digits == 0 {
            return None;
        }
        nanos += (fraction * POWERS[9 - digits]) as i64;
        at += 1 + digits;
    }
    if window[at] == delimiter {
        return Some((Time::Local(nanos), at + 1));
    }
    at += match window[at] {
        b'Z' => 1,
        b'+' if window[at..at + 6] == *b"+00:00" => 6,
        _ => return None,
    };
    (window[at] == delimiter).then_some((Time::Utc(nanos), at + 1))
}

/// 10, 13, 16 or 19 digits, up to the byte after the delimiter.
#[inline(always)]
fn since_epoch(window: &[u8; WINDOW], delimiter: u8) -> Option<(Time, usize)> {
    let (8, high) = digits(window, 0)? else { return None };
    let (count, low) = digits(window, 8)?;
    let (unit, value, at) = match count {
        2 => (1_000_000_000, high * 100 + low, 10),
        5 => (1_000_000, high * 100_000 + low, 13),
        8 => {
            let (count, lowest) = digits(window, 16)?;
            match count {
                0 => (1_000, high * 100_000_000 + low, 16),
                3 => (1, (high * 100_000_000 + low) * 1_000 + lowest, 19),
                _ => return None,
            }
        }
        _ => return None,
    };
    let nanos = i64::try_from(value.checked_mul(unit)?).ok().filter(|&nanos| nanos <= LATEST)?;
    (window[at] == delimiter).then_some((Time::Utc(nanos), at + 1))
}

#[inline(always)]
fn eight(window: &[u8; WINDOW], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*window.get(at..)?.first_chunk()?))
}

/// How many of the next eight bytes are digits before the first that is not, and their value.
#[inline(always)]
fn digits(window: &[u8; WINDOW], at: usize) -> Option<(usize, u64)> {
    let text = eight(window, at)? ^ 0x3030_3030_3030_3030;
    // A byte above 9 reaches 0x80. A carry can only disturb the bytes after the first such byte.
    let others = (text.wrapping_add(0x7676_7676_7676_7676) | text) & HIGH_BITS;
    let count = others.trailing_zeros() as usize / 8;
    if count == 0 {
        return Some((0, 0));
    }
    // Digits to the top, zeros before them; then pairs, fours and eights are joined.
    let mut value = text << (64 - 8 * count);
    value = (value * 10 + (value >> 8)) & 0x00FF_00FF_00FF_00FF;
    value = (value * 100 + (value >> 16)) & 0x0000_FFFF_0000_FFFF;
    value = (value * 10_000 + (value >> 32)) & 0xFFFF_FFFF;
    Some((count, value))
}
