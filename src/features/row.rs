//! The feature row.

use std::f64::consts::TAU;

use crate::market::{Bar, Session, Timestamp};

/// Most columns that a row can have.
pub const MOST_FIELDS: usize = 256;

/// All features at the close of a bar: one fixed block that is written over at every close.
///
/// What belongs to bars of another timeframe is held from their last close; the field `age_…` of
/// that timeframe says for how long. [`super::FeatureLayout`] has the meaning of each column.
#[derive(Clone, Copy, Debug)]
pub struct FeatureRow {
    /// The bar that closed. The row is known from the bar's end on.
    pub bar: Bar,
    /// The features; NaN where there is no value. Columns beyond the layout's are NaN.
    pub values: [f64; MOST_FIELDS],
    /// Bit `i % 64` of word `i / 64` is set if `values[i]` is a value.
    pub valid: [u64; MOST_FIELDS / 64],
}

impl FeatureRow {
    /// Returns the price at which the bar closed, in points.
    pub fn price(&self) -> f64 {
        self.bar.close.as_f64()
    }

    /// Returns the value of a column, if it has one.
    #[inline]
    pub fn value(&self, column: usize) -> Option<f64> {
        (self.valid[column / 64] >> (column % 64) & 1 == 1).then(|| self.values[column])
    }

    /// Takes note of which of `count` columns (at most 64) from `first` on have a value.
    #[inline]
    pub(super) fn mark(&mut self, first: usize, count: usize) {
        let mut bits = 0u64;
        for (place, value) in self.values[first..first + count].iter().enumerate() {
            bits |= u64::from(!value.is_nan()) << place;
        }
        // The columns may lie across two words.
        let shift = first % 64;
        let mask = u128::from(u64::MAX >> (64 - count)) << shift;
        let bits = u128::from(bits) << shift;
        for (word, place) in [(first / 64, 0), (first / 64 + 1, 64)] {
            if let Some(word) = self.valid.get_mut(word) {
                *word = *word & !((mask >> place) as u64) | (bits >> place) as u64;
            }
        }
    }
}

/// Sine and cosine of the time since the session's open, once around in a day, by the minute.
#[derive(Clone, Debug)]
pub(super) struct TimeOfSession(Box<[(f64, f64)]>);

const MINUTES_IN_A_DAY: usize = 1440;

impl TimeOfSession {
    pub(super) fn new() -> TimeOfSession {
        let angle = |minute: usize| TAU * minute as f64 / MINUTES_IN_A_DAY as f64;
        TimeOfSession((0..MINUTES_IN_A_DAY).map(|minute| libm::sincos(angle(minute))).collect())
    }

    #[inline]
    pub(super) fn at(&self, session: &Session, time: Timestamp) -> (f64, f64) {
        let minutes = (time - session.open) / Timestamp::MINUTE;
        self.0[minutes as usize % MINUTES_IN_A_DAY]
    }
}
