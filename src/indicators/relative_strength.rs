//! The relative strength index.

use serde::{Deserialize, Serialize};

use super::wilder_average::WilderAverage;

/// Wilder's relative strength index of a series of whole numbers, 0 to 100.
///
/// With U and D Wilder's averages of rises and falls over `length` changes it is 100 U / (U + D),
/// which is 100 - 100 / (1 + U / D); 100 where nothing falls, also where nothing moves at all, as
/// TradingView has it.
///
/// It takes any unit (ticks, quarter ticks), since the index depends only on the ratio of changes.
/// The first value comes with the `length`-th change, at bar `length`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RelativeStrengthIndex {
    /// None before the first value.
    last: Option<i64>,
    rises: WilderAverage,
    falls: WilderAverage,
}

/// An average below this stands for no movement: what is left of moves long past.
const NO_MOVEMENT: f64 = 1e-10;

impl RelativeStrengthIndex {
    /// Creates the index over `length` changes.
    ///
    /// # Panics
    /// If `length` is zero.
    pub fn new(length: usize) -> RelativeStrengthIndex {
        let average = WilderAverage::new(length);
        RelativeStrengthIndex { last: None, rises: average, falls: average }
    }

    /// Takes the next value and returns the index, NaN before
    /// [`RelativeStrengthIndex::first_valid`].
    #[inline]
    pub fn update(&mut self, value: i64) -> f64 {
        if let Some(last) = self.last {
            let change = (value - last) as f64;
            self.rises.update(if change > 0.0 { change } else { 0.0 });
            self.falls.update(if change < 0.0 { -change } else { 0.0 });
        }
        self.last = Some(value);
        self.index()
    }

    /// Returns what [`RelativeStrengthIndex::update`] would return, and changes nothing.
    #[inline]
    pub fn peek(&self, value: i64) -> f64 {
        let mut next = *self;
        next.update(value)
    }

    /// Returns the first value, counted from 0, at which there is an index: `length`.
    pub fn first_valid(&self) -> usize {
        self.rises.length()
    }

    /// Returns whether the mean of the first changes counts for less than a millionth.
    pub fn is_ready(&self) -> bool {
        self.rises.is_settled()
    }

    /// Moves the value that the next one is compared with, in the unit of the values.
    pub fn shift(&mut self, by: i64) {
        self.last = self.last.map(|last| last + by);
    }

    #[inline]
    fn index(&self) -> f64 {
        let (Some(rises), Some(falls)) = (self.rises.value(), self.falls.value()) else {
            return f64::NAN;
        };
        if falls <= NO_MOVEMENT {
            100.0
        } else if rises <= NO_MOVEMENT {
            0.0
        } else {
            100.0 * rises / (rises + falls)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_changes_by_hand() {
        let mut index = RelativeStrengthIndex::new(2);
        assert!(index.update(10).is_nan());
        assert!(index.update(14).is_nan());
        // U = (4 + 0) / 2 = 2, D = (0 + 1) / 2 = 0.5
        assert_eq!(index.update(13), 80.0);
        // U = (3 + 2) / 2 = 2.5, D = 0.25
        assert!((index.update(16) - 100.0 * 2.5 / 2.75).abs() < 1e-13);
    }

    #[test]
    fn what_only_rises_or_stands_still_is_100_and_what_only_falls_0() {
        for (step, expected) in [(1, 100.0), (0, 100.0), (-1, 0.0)] {
            let mut index = RelativeStrengthIndex::new(5);
            let last = (0..50).map(|bar| index.update(1000 + step * bar)).last();
            assert_eq!(last, Some(expected));
        }
    }

    #[test]
    fn a_market_that_stops_ends_at_100() {
        let mut index = RelativeStrengthIndex::new(5);
        for bar in 0..50 {
            index.update(if bar % 2 == 0 { 100 } else { 90 });
        }
        let last = (0..500).map(|_| index.update(90)).last();
        assert_eq!(last, Some(100.0));
    }
}
