//! The fast lane: one plain line in a single pass, by the columns of its layout.
//!
//! Eight bytes at a time are looked at as one integer. Every unusual line is left to
//! the general reader, so that this one may be short; a test holds the two against each other.

use super::clock::{Clock, LATEST};
use super::layout::{Column, Layout};
use super::text::Values;
use crate::market::{Price, Side, Timestamp};

/// No plain line is longer.
const WINDOW: usize = 256;

type Window = [u8; WINDOW];

const POWERS: [u64; 10] =
    [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

/// `0` or `:` at the places of `HH:MM:SS`, first byte lowest.
const CLOCK_SHAPE: u64 = u64::from_le_bytes(*b"00:00:00");
/// Added to a byte, brings it to 0x80 if a digit's place holds more than 9, or a colon's more than
/// 0.
const CLOCK_LIMIT: u64 = u64::from_le_bytes([0x76, 0x76, 0x7F, 0x76, 0x76, 0x7F, 0x76, 0x76]);
/// The bytes of `HH:MM`.
const FIVE_BYTES: u64 = 0xFF_FFFF_FFFF;

const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const LOW_BITS: u64 = 0x0101_0101_0101_0101;

/// Ten digits from here to [`DATES_END`] may be a date and an hour, which the general reader tells.
const DATES_BEGIN: u64 = 1_900_000_000;
const DATES_END: u64 = 2_250_000_000;

/// The reader of a file's lines.
pub(super) struct Lane {
    columns: Vec<Column>,
    /// The last price of each column.
    last_prices: Vec<LastPrice>,
    /// `true` if more columns may follow.
    more: bool,
    delimiter: u8,
    line_end: u8,
    /// `true` if times may be since 1970, or have an offset.
    is_iso: bool,
    /// `true` if prices without a point are in units of 1e-9.
    nano_prices: bool,
    /// `true` if its rows are bars.
    pub(super) is_bar: bool,
}

/// A price as it was written last in a column, where most prices repeat.
#[derive(Clone, Copy)]
struct LastPrice {
    /// Its bytes and the one after it, the lowest first, as far as `mask` goes.
    text: u128,
    mask: u128,
    length: usize,
    price: Price,
}

impl LastPrice {
    /// Equals no text.
    const NEVER: LastPrice = LastPrice { text: 1, mask: 0, length: 0, price: Price::ZERO };
}

/// Nanoseconds of a time as written.
#[derive(Clone, Copy)]
enum Time {
    /// In the file's zone.
    Local(i64),
    /// Since 1970.
    Utc(i64),
}

impl Lane {
    pub(super) fn new(
        layout: &Layout,
        delimiter: u8,
        line_end: u8,
        is_iso: bool,
        nano_prices: bool,
    ) -> Lane {
        let &Layout { ref columns, more } = layout;
        let (columns, is_bar) = (columns.clone(), layout.is_bar());
        let last_prices = vec![LastPrice::NEVER; columns.len()];
        Lane { columns, last_prices, more, delimiter, line_end, is_iso, nano_prices, is_bar }
    }

    /// Reads the line at the start of `text`. Gives what it says and its length with its end, or
    /// `None` if it is not plain.
    #[inline(always)]
    pub(super) fn read(&mut self, text: &[u8], clock: &mut Clock) -> Option<(Values, usize)> {
        let window: &Window = text.first_chunk()?;
        if matches!(window[0], b'#' | b' ') {
            return None;
        }
        let mut values = Values::default();
        let mut time = Time::Local(0);
        let mut at = 0;
        for index in 0..self.columns.len() {
            let column = self.columns[index];
            if index > 0 {
                if *window.get(at)? != self.delimiter {
                    return None;
                }
                at += 1;
                // Some exports put a space behind the delimiter.
                at += usize::from(*window.get(at)? == b' ');
            }
            at = match column {
                Column::Time => {
                    let (read, at) = self.time(window, at, clock)?;
                    time = read;
                    at
                }
                Column::Date => {
                    let (midnight, at) = date(window, at, clock)?;
                    time = Time::Local(nanos(time) + midnight);
                    at
                }
                Column::Clock => {
                    let (of_day, at) = time_of_day(window, at)?;
                    time = Time::Local(nanos(time) + of_day);
                    at
                }
                Column::Price | Column::Close => self.price(window, at, index, &mut values.last)?,
                Column::Open => self.price(window, at, index, &mut values.open)?,
                Column::High => self.price(window, at, index, &mut values.high)?,
                Column::Low => self.price(window, at, index, &mut values.low)?,
                Column::Bid => self.quote(window, at, index, &mut values.bid)?,
                Column::Ask => self.quote(window, at, index, &mut values.ask)?,
                Column::Volume | Column::Up | Column::Down => {
                    let (count, at) = whole_number(window, at)?;
                    values.volume += count;
                    at
                }
                Column::Side => {
                    let (side, at) = side(window, at)?;
                    values.side = side;
                    at
                }
                Column::Contract => {
                    let end = self.skip(window, at)?;
                    values.contract = Some((at, end));
                    end
                }
                Column::InstrumentId => {
                    let (count, at) = whole_number(window, at)?;
                    values.instrument = u32::try_from(count).ok();
                    at
                }
                // The general reader passes over what is not a trade.
                Column::Action if window.get(at)? | 0x20 == b't' => at + 1,
                Column::Action => return None,
                Column::Unread => self.skip(window, at)?,
            };
        }
        if self.more && *window.get(at)? == self.delimiter {
            at = self.skip_line(window, at)?;
        }
        let end = match *window.get(at)? {
            byte if byte == self.line_end => at + 1,
            b'\r' if *window.get(at + 1)? == self.line_end => at + 2,
            _ => return None,
        };
        // Last, as the clock remembers the row.
        values.time = match time {
            Time::Local(nanos) => clock.local(nanos)?,
            Time::Utc(nanos) => clock.utc(nanos),
        };
        Some((values, end))
    }

    /// Reads a time on the clock's last date or since 1970.
    #[inline(always)]
    fn time(&self, window: &Window, at: usize, clock: &Clock) -> Option<(Time, usize)> {
        let Some((midnight, at)) = date(window, at, clock) else {
            return self.is_iso.then(|| since_epoch(window, at))?;
        };
        let at = match *window.get(at)? {
            b' ' | b'T' => at + 1,
            // Twelve or fourteen digits, which are no time since 1970.
            b'0'..=b'9'
                if clock.last_date().is_digits && matches!(digits(window, at)?.0, 4 | 6) =>
            {
                at
            }
            _ => return None,
        };
        let (of_day, at) = time_of_day(window, at)?;
        let nanos = midnight + of_day;
        Some(match *window.get(at)? {
            b'Z' if self.is_iso => (Time::Utc(nanos), at + 1),
            b'+' if self.is_iso && *window.get(at..at + 6)? == *b"+00:00" => {
                (Time::Utc(nanos), at + 6)
            }
            _ => (Time::Local(nanos), at),
        })
    }

    /// Reads the price at `at` in the column of that index.
    #[inline(always)]
    fn price(
        &mut self,
        window: &Window,
        at: usize,
        index: usize,
        price: &mut Price,
    ) -> Option<usize> {
        let text = u128::from_le_bytes(*window.get(at..)?.first_chunk()?);
        let last = &mut self.last_prices[index];
        if text & last.mask == last.text {
            *price = last.price;
            return Some(at + last.length);
        }
        let end = self.new_price(window, at, price)?;
        let length = end - at;
        if length < size_of::<u128>() {
            let mask = u128::MAX >> (8 * (size_of::<u128>() - 1 - length));
            self.last_prices[index] = LastPrice { text: text & mask, mask, length, price: *price };
        }
        Some(end)
    }

    #[inline(always)]
    fn new_price(&self, window: &Window, at: usize, price: &mut Price) -> Option<usize> {
        let is_negative = *window.get(at)? == b'-';
        let at = at + usize::from(is_negative);
        let (count, whole) = digits(window, at)?;
        if count == 0 {
            return None;
        }
        let mut at = at + count;
        let mut units = whole * Price::SCALE as u64;
        if *window.get(at)? == b'.' {
            let (decimals, count) = decimals(window, at + 1)?;
            units += decimals;
            at += 1 + count;
        } else if self.nano_prices {
            let (more, low) = digits(window, at)?;
            // Another eight digits may follow: the general reader's.
            if more == 8 {
                return None;
            }
            units = whole * POWERS[more] + low;
            at += more;
        }
        let units = units as i64;
        *price = Price::from_units(if is_negative { -units } else { units });
        Some(at)
    }

    /// Reads a price, or nothing.
    #[inline(always)]
    fn quote(
        &mut self,
        window: &Window,
        at: usize,
        index: usize,
        quote: &mut Option<Price>,
    ) -> Option<usize> {
        if self.is_end(*window.get(at)?) {
            return Some(at);
        }
        let mut price = Price::ZERO;
        let at = self.price(window, at, index, &mut price)?;
        *quote = Some(price);
        Some(at)
    }

    /// Returns whether a column ends before this byte.
    #[inline(always)]
    fn is_end(&self, byte: u8) -> bool {
        byte == self.delimiter || byte == self.line_end || byte == b'\r'
    }

    /// Skips to the end of a column that is not read.
    #[inline(always)]
    fn skip(&self, window: &Window, at: usize) -> Option<usize> {
        find(window, at, |text| {
            marks(text, self.delimiter) | marks(text, self.line_end) | marks(text, b'\r')
        })
    }

    /// Skips to the end of a line whose other columns are not read.
    #[inline(always)]
    fn skip_line(&self, window: &Window, at: usize) -> Option<usize> {
        let end = find(window, at, |text| marks(text, self.line_end))?;
        Some(end - usize::from(window[end - 1] == b'\r'))
    }
}

/// Finds the first byte from `at` that is marked.
#[inline(always)]
fn find(window: &Window, mut at: usize, marked: impl Fn(u64) -> u64) -> Option<usize> {
    loop {
        let marks = marked(eight(window, at)?);
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
}

/// Marks each byte that is this one. Only the lowest mark is true: a borrow can mark bytes above
/// it.
#[inline(always)]
fn marks(text: u64, byte: u8) -> u64 {
    let zero = text ^ (LOW_BITS * u64::from(byte));
    zero.wrapping_sub(LOW_BITS) & !zero & HIGH_BITS
}

/// Returns the nanoseconds of a date or of a time of day, to which the other is added.
#[inline(always)]
fn nanos(time: Time) -> i64 {
    match time {
        Time::Local(nanos) | Time::Utc(nanos) => nanos,
    }
}

/// Reads midnight of the clock's last date, if that is what stands here.
#[inline(always)]
fn date(window: &Window, at: usize, clock: &Clock) -> Option<(i64, usize)> {
    let text = u128::from_le_bytes(*window.get(at..)?.first_chunk()?);
    let date = clock.last_date();
    (text & date.mask == date.text).then_some((date.midnight, at + date.length))
}

/// Reads `HH:MM[:SS]`, `H:MM[:SS]`, `HHMM` or `HHMMSS`, with decimals of a second.
#[inline(always)]
fn time_of_day(window: &Window, mut at: usize) -> Option<(i64, usize)> {
    let mut text = eight(window, at)?;
    let mut has_seconds = true;
    let [hour, minute, second];
    if text >> 16 & 0xFF == u64::from(b':') || text >> 8 & 0xFF == u64::from(b':') {
        let mut length = 8;
        if text >> 16 & 0xFF != u64::from(b':') {
            text = text << 8 | u64::from(b'0');
            length = 7;
        }
        let mut clock = text ^ CLOCK_SHAPE;
        if clock & 0xFF << 40 != 0 {
            // No colon behind the minutes.
            clock &= FIVE_BYTES;
            length -= 3;
            has_seconds = false;
        }
        if (clock.wrapping_add(CLOCK_LIMIT) | clock) & HIGH_BITS != 0 {
            return None;
        }
        let [h, hh, _, m, mm, _, s, ss] = clock.to_le_bytes().map(i64::from);
        [hour, minute, second] = [h * 10 + hh, m * 10 + mm, s * 10 + ss];
        at += length;
    } else {
        let (count, value) = digits(window, at)?;
        let value = value as i64;
        [hour, minute, second] = match count {
            6 => [value / 10_000, value / 100 % 100, value % 100],
            4 => [value / 100, value % 100, 0],
            _ => return None,
        };
        has_seconds = count == 6;
        at += count;
        if has_seconds && window[at] == b' ' && window[at + 1].is_ascii_digit() {
            let (decimals, count) = decimals(window, at + 1)?;
            let of_day = ((hour * 60 + minute) * 60 + second) * Timestamp::SECOND;
            return is_time(hour, minute, second)
                .then_some((of_day + decimals as i64, at + 1 + count));
        }
    }
    if !is_time(hour, minute, second) {
        return None;
    }
    let mut nanos = ((hour * 60 + minute) * 60 + second) * Timestamp::SECOND;
    if *window.get(at)? == b'.' {
        let (decimals, count) = decimals(window, at + 1)?;
        if count == 0 || !has_seconds {
            return None;
        }
        nanos += decimals as i64;
        at += 1 + count;
    }
    Some((nanos, at))
}

#[inline(always)]
fn is_time(hour: i64, minute: i64, second: i64) -> bool {
    hour <= 23 && minute <= 59 && second <= 59
}

/// Reads 10, 13, 16 or 19 digits; ten may have decimals.
#[inline(always)]
fn since_epoch(window: &Window, at: usize) -> Option<(Time, usize)> {
    let (8, high) = digits(window, at)? else { return None };
    let (count, low) = digits(window, at + 8)?;
    let (unit, value, mut end) = match count {
        2 => (1_000_000_000, high * 100 + low, at + 10),
        5 => (1_000_000, high * 100_000 + low, at + 13),
        8 => {
            let (count, lowest) = digits(window, at + 16)?;
            match count {
                0 => (1_000, high * 100_000_000 + low, at + 16),
                3 => (1, (high * 100_000_000 + low) * 1_000 + lowest, at + 19),
                _ => return None,
            }
        }
        _ => return None,
    };
    let mut fraction = 0;
    if count == 2 {
        if (DATES_BEGIN..DATES_END).contains(&value) {
            return None;
        }
        if *window.get(end)? == b'.' {
            let (decimals, count) = decimals(window, end + 1)?;
            if count == 0 {
                return None;
            }
            fraction = decimals as i64;
            end += 1 + count;
        }
    }
    let nanos = i64::try_from(value.checked_mul(unit)?).ok()?.checked_add(fraction)?;
    (nanos <= LATEST).then_some((Time::Utc(nanos), end))
}

/// Reads a number of at most eight digits, with decimals of zeros if any.
#[inline(always)]
fn whole_number(window: &Window, at: usize) -> Option<(i64, usize)> {
    let (count, value) = digits(window, at)?;
    let mut at = at + count;
    if count == 0 {
        return None;
    }
    if *window.get(at)? == b'.' {
        let (decimals, count) = decimals(window, at + 1)?;
        if decimals != 0 {
            return None;
        }
        at += 1 + count;
    }
    Some((value as i64, at))
}

/// Reads the side that took liquidity, in a letter or a word.
#[inline(always)]
fn side(window: &Window, at: usize) -> Option<(Option<Side>, usize)> {
    /// By the lower five bits of a letter, so that no branch has to guess which it is.
    const SIDES: [Option<Side>; 32] = {
        let mut sides = [None; 32];
        sides[b'b' as usize & 31] = Some(Side::Buy);
        sides[b's' as usize & 31] = Some(Side::Sell);
        sides[b'a' as usize & 31] = Some(Side::Sell);
        sides
    };
    let text: [u8; 4] = *window.get(at..)?.first_chunk()?;
    let letter = text[0] | 0x20;
    let is_side = (letter == b'b') | (letter == b's') | (letter == b'a') | (letter == b'n');
    if is_side && !text[1].is_ascii_alphabetic() {
        return Some((SIDES[usize::from(letter & 31)], at + 1));
    }
    Some(match text.map(|byte| byte | 0x20) {
        [b'b', b'u', b'y', _] => (Some(Side::Buy), at + 3),
        [b's', b'e', b'l', b'l'] => (Some(Side::Sell), at + 4),
        [b'n', b'o', b'n', b'e'] => (None, at + 4),
        [b'b', ..] => (Some(Side::Buy), at + 1),
        [b's' | b'a', ..] => (Some(Side::Sell), at + 1),
        [b'n', ..] => (None, at + 1),
        // Empty, or none of these, which the byte behind the column tells.
        _ => (None, at),
    })
}

#[inline(always)]
fn eight(window: &Window, at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*window.get(at..)?.first_chunk()?))
}

/// Reads up to nine digits as decimals, in units of 1e-9, and how many.
#[inline(always)]
fn decimals(window: &Window, at: usize) -> Option<(u64, usize)> {
    let (mut count, mut value) = digits(window, at)?;
    if count == 8 {
        let next = window.get(at + 8)?.wrapping_sub(b'0');
        if next < 10 {
            (count, value) = (9, value * 10 + u64::from(next));
        }
    }
    Some((value * POWERS[9 - count], count))
}

/// Returns the number of digits at the start of the next eight bytes, and their value.
#[inline(always)]
fn digits(window: &Window, at: usize) -> Option<(usize, u64)> {
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
