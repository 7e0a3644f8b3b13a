//! The newest values of a series.

use serde::{Deserialize, Serialize};

/// The newest values, as many as its length; zeros stand before the first value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SlidingWindow<T> {
    /// A ring.
    values: Vec<T>,
    /// Place of the oldest value, which the next one takes.
    next: usize,
    filled: usize,
}

impl<T: Copy + Default> SlidingWindow<T> {
    /// Creates an empty window for `length` values.
    pub(super) fn new(length: usize) -> SlidingWindow<T> {
        SlidingWindow { values: vec![T::default(); length], next: 0, filled: 0 }
    }

    /// Returns the number of values that it holds when full.
    #[inline]
    pub(super) fn length(&self) -> usize {
        self.values.len()
    }

    /// Returns the number of values pushed since the window was empty, at most its length.
    #[inline]
    pub(super) fn filled(&self) -> usize {
        self.filled
    }

    /// Returns whether as many values were pushed as the window holds.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.filled == self.values.len()
    }

    /// Returns the value that leaves next, zero while not full; of a window without length, zero.
    #[inline]
    pub(super) fn oldest(&self) -> T {
        self.values.get(self.next).copied().unwrap_or_default()
    }

    /// Takes the newest value and gives back the one that leaves: zero while not full.
    #[inline]
    pub(super) fn push(&mut self, value: T) -> T {
        let Some(place) = self.values.get_mut(self.next) else {
            return value;
        };
        let leaving = std::mem::replace(place, value);
        self.next = if self.next + 1 == self.values.len() { 0 } else { self.next + 1 };
        self.filled += usize::from(self.filled < self.values.len());
        leaving
    }

    /// Forgets every value.
    pub(super) fn clear(&mut self) {
        self.values.fill(T::default());
        (self.next, self.filled) = (0, 0);
    }

    /// Changes every value pushed so far.
    pub(super) fn change_each(&mut self, change: impl FnMut(&mut T)) {
        // Until the window is full, values stand from the start.
        self.values[..self.filled].iter_mut().for_each(change);
    }

    /// Returns all values, oldest first.
    fn in_order(&self) -> impl Iterator<Item = &T> {
        let (newer, older) = self.values.split_at(self.next);
        older.iter().chain(newer)
    }
}

/// Windows that hold the same values, wherever each began its ring.
impl<T: Copy + Default + PartialEq> PartialEq for SlidingWindow<T> {
    fn eq(&self, other: &SlidingWindow<T>) -> bool {
        self.length() == other.length()
            && self.filled == other.filled
            && self.in_order().eq(other.in_order())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn holds_the_newest_values_in_order(length in 0usize..9, pushed in prop::collection::vec(1i64..99, 0..40)) {
            let mut window = SlidingWindow::new(length);
            let mut all = vec![0; length];
            for &value in &pushed {
                all.push(value);
                prop_assert_eq!(window.oldest(), if length == 0 { 0 } else { all[all.len() - 1 - length] });
                prop_assert_eq!(window.push(value), all[all.len() - 1 - length]);
                prop_assert!(window.in_order().eq(&all[all.len() - length..]));
            }
            prop_assert_eq!(window.filled(), pushed.len().min(length));
            window.change_each(|value| *value += 100);
            let changed = window.in_order().filter(|&&value| value > 100).count();
            prop_assert_eq!(changed, window.filled());
        }

        #[test]
        fn windows_are_equal_when_their_values_are(
            length in 1usize..5,
            one in prop::collection::vec(0i64..2, 0..12),
            other in prop::collection::vec(0i64..2, 0..12),
        ) {
            let of = |values: &[i64]| {
                let mut window = SlidingWindow::new(length);
                values.iter().for_each(|value| _ = window.push(*value));
                window
            };
            let newest = |values: &[i64]| values[values.len().saturating_sub(length)..].to_vec();
            prop_assert_eq!(of(&one) == of(&other), newest(&one) == newest(&other));
            let mut cleared = of(&one);
            cleared.clear();
            prop_assert_eq!(cleared, of(&[]));
        }
    }
}
