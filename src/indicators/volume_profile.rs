//! Volume at price over a rolling window of bars, in whole numbers.
//!
//! Volumes are in units of 2⁻²⁰ contracts. A bar of `volume` contracts over `m` ticks (its low to
//! its high, both included) puts `⌊volume × 2²⁰ / m⌋` on each of them, and one unit more on each of
//! its lowest `volume × 2²⁰ mod m` ticks: nothing is lost. Or its real trades are put where they
//! traded. What a bar put on each row is kept, and the same numbers are taken off when it leaves
//! the window.
//!
//! Rows are `row_ticks` wide and lie on a fixed grid: row `r` is the prices `r × row_ticks` up to
//! and without `(r + 1) × row_ticks` ticks, moved by what was shifted.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{TickBar, TradedVolume};

/// Units in one contract.
pub(super) const CONTRACT: u64 = 1 << 20;

/// Rows that the window may span. A bar that would stretch it further is left out.
const MAX_ROWS: u64 = 1 << 14;

/// Contracts in a bar, above which it is left out: even 65,535 such bars add up within 64 bits.
const MAX_BAR_VOLUME: u64 = (1 << 28) - 1;

/// Rows there is room for from the beginning.
const FIRST_ROOM: usize = 512;

/// The volume of a window's bars on the rows of the grid.
///
/// The rows lie side by side in one buffer at least twice as long as the range of the window was
/// when it was made; a window that wanders out at an end is moved to the middle. So it allocates
/// only when the range exceeds its record, and at most room for 2 × 2¹⁴ rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct VolumeProfile {
    /// Length of the window in bars.
    window: usize,
    row_ticks: i64,
    /// Start of row 0, in ticks.
    origin: i64,
    /// Oldest first.
    bars: VecDeque<BookedBar>,
    /// Volume that each of `bars` put on each of its rows, oldest first.
    booked: VecDeque<u64>,
    /// Volumes of the rows from `base` on; 0 outside `first..end`.
    buffer: Vec<u64>,
    base: i64,
    /// The lowest row with volume.
    first: i64,
    /// After the highest row with volume; equal to `first` if there is no volume.
    end: i64,
    total: u64,
    /// Bars of the window that were left out.
    left_out: usize,
}

/// A bar of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct BookedBar {
    first: i64,
    rows: i64,
    /// Too wide, or beyond any real volume: on no row.
    left_out: bool,
}

/// The distribution of a bar's volume over its prices.
#[derive(Clone, Copy)]
pub(super) enum Allocation<'a> {
    /// Evenly.
    Even {
        /// The bar's lowest price in ticks.
        low: i64,
        /// Prices it covers.
        ticks: u64,
        /// Units on each price.
        share: u64,
        /// Number of prices from the low up that get one more.
        remainder: u64,
    },
    /// At the prices at which it traded.
    Traded(&'a TradedVolume),
}

impl Allocation<'_> {
    pub(super) fn even(bar: &TickBar) -> Allocation<'static> {
        let ticks = bar.high.abs_diff(bar.low).saturating_add(1);
        let volume = bar.volume.min(MAX_BAR_VOLUME) * CONTRACT;
        let (share, remainder) = (volume / ticks, volume % ticks);
        Allocation::Even { low: bar.low, ticks, share, remainder }
    }

    /// Returns the units on the prices `first` up to and without `end`, in ticks.
    fn between(&self, first: i64, end: i64) -> u64 {
        match *self {
            Allocation::Even { low, ticks, share, remainder } => {
                let below = |price: i64| (price - low).clamp(0, ticks as i64) as u64;
                let (from, to) = (below(first), below(end));
                (to - from) * share + to.min(remainder) - from.min(remainder)
            }
            Allocation::Traded(volume) => volume.between(first, end) * CONTRACT,
        }
    }
}

/// Volumes from the lowest to the highest row with volume; `volume(i)` is that of row `first + i`.
pub(super) struct ProfileRows<F> {
    pub first: i64,
    pub count: usize,
    pub volume: F,
    pub total: u64,
}

impl<F: Fn(usize) -> u64> ProfileRows<F> {
    /// Returns the row with most volume, the lowest of equals, and its volume. `None` without
    /// volume.
    pub(super) fn point_of_control(&self) -> Option<(usize, u64)> {
        let mut found = None;
        let mut most = 0;
        for row in 0..self.count {
            let volume = (self.volume)(row);
            if volume > most {
                (found, most) = (Some(row), volume);
            }
        }
        found.map(|row| (row, most))
    }

    /// Returns the lowest and the highest row of the value area: from the point of control it grows
    /// by the larger of the two rows next to it, upwards if they are equal, until it holds `share`
    /// of all.
    pub(super) fn value_area(&self, point_of_control: usize, share: f64) -> (usize, usize) {
        let enough = share * self.total as f64;
        let (mut low, mut high) = (point_of_control, point_of_control);
        let mut held = (self.volume)(point_of_control);
        while (held as f64) < enough {
            let above = (high + 1 < self.count).then(|| (self.volume)(high + 1));
            let below = (low > 0).then(|| (self.volume)(low - 1));
            match (above, below) {
                (Some(above), below) if below.is_none_or(|below| above >= below) => {
                    high += 1;
                    held += above;
                }
                (_, Some(below)) => {
                    low -= 1;
                    held += below;
                }
                _ => break,
            }
        }
        (low, high)
    }
}

/// Compares the bars and the grid. All else follows from these, or is room.
impl PartialEq for VolumeProfile {
    fn eq(&self, other: &VolumeProfile) -> bool {
        // The same grid may be numbered from another row.
        let moved = self.origin - other.origin;
        let rows = moved / self.row_ticks;
        let same = |ours: &BookedBar, theirs: &BookedBar| {
            let first = if ours.rows == 0 { ours.first } else { ours.first + rows };
            BookedBar { first, ..*ours } == *theirs
        };
        self.window == other.window
            && self.row_ticks == other.row_ticks
            && moved % self.row_ticks == 0
            && self.bars.len() == other.bars.len()
            && self.bars.iter().zip(&other.bars).all(|(ours, theirs)| same(ours, theirs))
            && self.booked == other.booked
    }
}

impl VolumeProfile {
    pub(super) fn new(window: usize, row_ticks: i64) -> VolumeProfile {
        VolumeProfile {
            window,
            row_ticks,
            origin: 0,
            bars: VecDeque::with_capacity(window),
            booked: VecDeque::with_capacity(4 * window),
            buffer: vec![0; FIRST_ROOM],
            base: 0,
            first: 0,
            end: 0,
            total: 0,
            left_out: 0,
        }
    }

    /// Returns whether the window is full.
    pub(super) fn is_full(&self) -> bool {
        self.bars.len() == self.window
    }

    /// Returns the lower edge of a row, in ticks; equally the upper edge of the row below it.
    pub(super) fn lower_edge(&self, row: i64) -> i64 {
        row * self.row_ticks + self.origin
    }

    /// Moves the grid, and all that lies on it.
    pub(super) fn shift(&mut self, ticks: i64) {
        self.origin += ticks;
    }

    /// Returns the rows of the window's bars, or `None` if one of them was left out.
    pub(super) fn rows(&self) -> Option<ProfileRows<impl Fn(usize) -> u64 + '_>> {
        let start = (self.first - self.base) as usize;
        let rows = &self.buffer[start..start + (self.end - self.first) as usize];
        (self.left_out == 0).then_some(ProfileRows {
            first: self.first,
            count: rows.len(),
            volume: move |row: usize| rows[row],
            total: self.total,
        })
    }

    /// Returns [`VolumeProfile::rows`] as they would be after [`VolumeProfile::push`]. `None` also
    /// if the window would not be full.
    pub(super) fn rows_with<'a>(
        &'a self,
        bar: &TickBar,
        allocation: Allocation<'a>,
    ) -> Option<ProfileRows<impl Fn(usize) -> u64 + 'a>> {
        let leaving = self.bars.front().copied().filter(|_| self.is_full());
        let left_out = self.left_out - usize::from(leaving.is_some_and(|bar| bar.left_out));
        let leaves = move |row: i64| match leaving {
            Some(bar) if (0..bar.rows).contains(&(row - bar.first)) => {
                self.booked[(row - bar.first) as usize]
            }
            _ => 0,
        };
        let stays = move |row: i64| self.volume(row) - leaves(row);
        let (first, end) = trimmed(self.first, self.end, stays);
        let arriving = self.book(bar, first, end);
        if arriving.left_out || left_out > 0 || self.bars.len() + 1 < self.window {
            return None;
        }
        let arrives = move |row: i64| {
            if (0..arriving.rows).contains(&(row - arriving.first)) {
                allocation.between(self.lower_edge(row), self.lower_edge(row + 1))
            } else {
                0
            }
        };
        let (first, end) = joined((first, end), arriving);
        let volume = move |row: i64| stays(row) + arrives(row);
        let (first, end) = trimmed(first, end, volume);
        let volume = move |row: usize| volume(first + row as i64);
        let count = (end - first) as usize;
        Some(ProfileRows { first, count, volume, total: (0..count).map(volume).sum() })
    }

    /// Takes a bar; the oldest leaves if the window is full.
    pub(super) fn push(&mut self, bar: &TickBar, allocation: Allocation) {
        if self.is_full() {
            self.remove_oldest();
        }
        let booked = self.book(bar, self.first, self.end);
        self.bars.push_back(booked);
        self.left_out += usize::from(booked.left_out);
        if booked.rows == 0 {
            return;
        }
        let (first, end) = joined((self.first, self.end), booked);
        self.make_room(first, end);
        let start = (booked.first - self.base) as usize;
        let mut edge = self.lower_edge(booked.first);
        for volume in self.buffer.iter_mut().skip(start).take(booked.rows as usize) {
            let added = allocation.between(edge, edge + self.row_ticks);
            edge += self.row_ticks;
            *volume += added;
            self.total += added;
            self.booked.push_back(added);
        }
        (self.first, self.end) = trimmed(first, end, |row| self.volume(row));
    }

    fn remove_oldest(&mut self) {
        let Some(oldest) = self.bars.pop_front() else { return };
        self.left_out -= usize::from(oldest.left_out);
        if oldest.rows == 0 {
            return;
        }
        let start = (oldest.first - self.base) as usize;
        let rows = self.buffer.iter_mut().skip(start);
        for (volume, booked) in rows.zip(self.booked.drain(..oldest.rows as usize)) {
            *volume -= booked;
            self.total -= booked;
        }
        (self.first, self.end) = trimmed(self.first, self.end, |row| self.volume(row));
    }

    /// Returns a bar's place beside the volume on rows `first..end`.
    fn book(&self, bar: &TickBar, first: i64, end: i64) -> BookedBar {
        let row = |price: i64| (price - self.origin).div_euclid(self.row_ticks);
        let (low, high) = (row(bar.low), row(bar.high));
        let (lowest, highest) =
            if first < end { (low.min(first), high.max(end - 1)) } else { (low, high) };
        let left_out = highest.abs_diff(lowest) >= MAX_ROWS || bar.volume > MAX_BAR_VOLUME;
        if left_out || bar.volume == 0 {
            return BookedBar { first: 0, rows: 0, left_out };
        }
        BookedBar { first: low, rows: high - low + 1, left_out }
    }

    fn volume(&self, row: i64) -> u64 {
        usize::try_from(row - self.base).ok().and_then(|row| self.buffer.get(row)).map_or(0, |v| *v)
    }

    /// Moves the rows with volume within the buffer, or to a longer one, so that `first..end` fit
    /// too.
    fn make_room(&mut self, first: i64, end: i64) {
        let room = self.buffer.len() as i64;
        if self.base <= first && end <= self.base + room {
            return;
        }
        let start = (self.first - self.base) as usize;
        let rows = start..start + (self.end - self.first) as usize;
        if 2 * (end - first) > room {
            let longer = (2 * (end - first) as usize).next_power_of_two();
            self.buffer.resize(longer, 0);
        }
        let base = first - (self.buffer.len() as i64 - (end - first)) / 2;
        let moved = if rows.is_empty() { 0 } else { (self.first - base) as usize };
        let length = rows.len();
        self.buffer.copy_within(rows, moved);
        self.buffer[..moved].fill(0);
        self.buffer[moved + length..].fill(0);
        self.base = base;
    }
}

/// Returns the rows `first..end` and those of a bar.
fn joined((first, end): (i64, i64), bar: BookedBar) -> (i64, i64) {
    if bar.rows == 0 {
        (first, end)
    } else if first == end {
        (bar.first, bar.first + bar.rows)
    } else {
        (first.min(bar.first), end.max(bar.first + bar.rows))
    }
}

/// Returns `first..end` without the rows at both ends that have no volume.
fn trimmed(mut first: i64, mut end: i64, volume: impl Fn(i64) -> u64) -> (i64, i64) {
    while first < end && volume(first) == 0 {
        first += 1;
    }
    while first < end && volume(end - 1) == 0 {
        end -= 1;
    }
    (first, end)
}
