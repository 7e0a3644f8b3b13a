//! The greatest and the least of the last values.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// The greatest and the least value of the last `window` bars, in amortised constant time.
///
/// Each side keeps only the values that may still become the extreme: of two, the older one only if
/// it is more extreme. The extreme stands in front.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "SavedRange")]
pub(super) struct RollingRange {
    window: u64,
    bars: u64,
    /// Bar and value, values falling.
    greatest: VecDeque<(u64, i64)>,
    /// Bar and value, values rising.
    least: VecDeque<(u64, i64)>,
}

#[derive(Deserialize)]
struct SavedRange {
    window: u64,
    bars: u64,
    greatest: VecDeque<(u64, i64)>,
    least: VecDeque<(u64, i64)>,
}

impl From<SavedRange> for RollingRange {
    fn from(SavedRange { window, bars, greatest, least }: SavedRange) -> RollingRange {
        let mut range = RollingRange { bars, ..RollingRange::new(window) };
        range.greatest.extend(greatest);
        range.least.extend(least);
        range
    }
}

/// Compares what they will return: bars count by their age, and how many there were
/// only until the window is full.
impl PartialEq for RollingRange {
    fn eq(&self, other: &RollingRange) -> bool {
        fn aged(
            range: &RollingRange,
            side: &VecDeque<(u64, i64)>,
        ) -> impl Iterator<Item = (u64, i64)> {
            side.iter().map(|&(bar, value)| (range.bars - bar, value))
        }
        self.window == other.window
            && self.bars.min(self.window) == other.bars.min(other.window)
            && aged(self, &self.greatest).eq(aged(other, &other.greatest))
            && aged(self, &self.least).eq(aged(other, &other.least))
    }
}

impl RollingRange {
    pub(super) fn new(window: u64) -> RollingRange {
        let side = || VecDeque::with_capacity(window as usize);
        RollingRange { window, bars: 0, greatest: side(), least: side() }
    }

    /// Takes a bar's value, or a bar without one. Greatest and least once there were `window` bars.
    pub(super) fn update(&mut self, value: Option<i64>) -> Option<(i64, i64)> {
        let result = self.peek(value);
        let (bar, first) = (self.bars, self.first_bar());
        for (side, greater) in [(&mut self.greatest, true), (&mut self.least, false)] {
            while side.front().is_some_and(|front| front.0 < first) {
                side.pop_front();
            }
            let Some(value) = value else { continue };
            let passed =
                |back: &(u64, i64)| if greater { back.1 <= value } else { back.1 >= value };
            while side.back().is_some_and(passed) {
                side.pop_back();
            }
            side.push_back((bar, value));
        }
        self.bars += 1;
        result
    }

    /// Returns what [`RollingRange::update`] would return, and changes nothing.
    pub(super) fn peek(&self, value: Option<i64>) -> Option<(i64, i64)> {
        if self.bars + 1 < self.window {
            return None;
        }
        let first = self.first_bar();
        let in_window = |side: &VecDeque<(u64, i64)>| {
            side.iter().find(|entry| entry.0 >= first).map(|entry| entry.1)
        };
        let greatest = in_window(&self.greatest).into_iter().chain(value).max()?;
        let least = in_window(&self.least).into_iter().chain(value).min()?;
        Some((greatest, least))
    }

    /// Returns the first bar of the window that ends with the next bar.
    fn first_bar(&self) -> u64 {
        (self.bars + 1).saturating_sub(self.window)
    }
}
