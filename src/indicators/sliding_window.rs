//! The newest values of a series, in one contiguous slice.

use serde::{Deserialize, Serialize};

/// The newest `length` values, oldest first; zeros stand before the first value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SlidingWindow<T> {
    // Every value is written twice, `length` places apart, so that the window never wraps.
    mirrored: Vec<T>,
    length: usize,
    next: usize,
    filled: usize,
}

impl<T: Copy + Default> SlidingWindow<T> {
    /// An empty window for `length` values.
    pub fn new(length: usize) -> SlidingWindow<T> {
        SlidingWindow { mirrored: vec![T::default(); 2 * length], length, next: 0, filled: 0 }
    }

    /// How many values it holds when it is full.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The values, oldest first.
    #[inline]
    pub fn values(&self) -> &[T] {
        &self.mirrored[self.next..self.next + self.length]
    }

    /// How many values were pushed since the window was empty, at most its length.
    #[inline]
    pub fn filled(&self) -> usize {
        self.filled
    }

    /// Whether as many values were pushed as the window holds.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.filled == self.length
    }

    /// Takes the newest value and gives back the one that leaves: zero while not full.
    #[inline]
    pub fn push(&mut self, value: T) -> T {
        if self.length == 0 {
            return value;
        }
        let leaving = self.mirrored[self.next];
        self.mirrored[self.next] = value;
        self.mirrored[self.next + self.length] = value;
        self.next = if self.next + 1 == self.length { 0 } else { self.next + 1 };
        self.filled += usize::from(self.filled < self.length);
        leaving
    }

    /// Forgets every value.
    pub fn clear(&mut self) {
        *self = SlidingWindow::new(self.length);
    }

    /// Changes every value pushed so far.
    pub fn change_each(&mut self, mut change: impl FnMut(&mut T)) {
        // Until the window is full for the first time, values stand from the start of each half.
        for half in self.mirrored.chunks_mut(self.length.max(1)) {
            half[..self.filled].iter_mut().for_each(&mut change);
        }
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
                prop_assert_eq!(window.push(value), all[all.len() - 1 - length]);
                prop_assert_eq!(window.values(), &all[all.len() - length..]);
            }
            prop_assert_eq!(window.filled(), pushed.len().min(length));
            window.change_each(|value| *value += 100);
            let changed = window.values().iter().filter(|&&value| value > 100).count();
            prop_assert_eq!(changed, window.filled());
        }
    }
}
