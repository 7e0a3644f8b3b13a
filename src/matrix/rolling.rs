//! The window itself, and the one that scales its rows.

use super::normaliser::Normaliser;

/// A window of the last N rows of F numbers.
///
/// Rows are kept twice, N apart, in a ring of 2N rows: wherever the newest row is, the last N
/// rows are one contiguous block. A row costs two small copies and no allocation.
#[derive(Clone, Debug)]
pub struct Window {
    rows: usize,
    width: usize,
    ring: Box<[f32]>,
    /// Place of the next row, 0 to N − 1.
    next: usize,
    /// Number of newest rows, up to N, without a break, that had every value that was due.
    whole: usize,
}

/// The reason why a window cannot be handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the matrix holds {whole} of {rows} rows in which every feature is past its first valid bar"
)]
pub struct NotReady {
    /// Rows that are good.
    pub whole: usize,
    /// Rows that it takes.
    pub rows: usize,
}

impl Window {
    /// Creates an empty window of `rows` rows (≥ 1) of `width` numbers (≥ 1).
    ///
    /// # Panics
    /// If there are no rows or no columns.
    pub fn new(rows: usize, width: usize) -> Window {
        assert!(rows > 0 && width > 0);
        Window { rows, width, ring: vec![0.0; 2 * rows * width].into(), next: 0, whole: 0 }
    }

    /// Returns the numbers of rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.width)
    }

    /// Adds a row, which `write` fills in. `is_warm` says whether every feature is past its first
    /// valid bar: a feature may still have no value then, as the nearest gap has none where there
    /// is no gap.
    #[inline]
    pub fn push_with(&mut self, is_warm: bool, write: impl FnOnce(&mut [f32])) {
        let (first, second) = self.ring.split_at_mut(self.rows * self.width);
        let row = &mut first[self.next * self.width..][..self.width];
        write(row);
        second[self.next * self.width..][..self.width].copy_from_slice(row);
        self.next = (self.next + 1) % self.rows;
        self.whole = if is_warm { (self.whole + 1).min(self.rows) } else { 0 };
    }

    /// Forgets that its rows are whole: a row is missing between the newest and the next.
    pub fn restart_after_gap(&mut self) {
        self.whole = 0;
    }

    /// Returns the last N rows, oldest first, row by row: N×F numbers.
    ///
    /// # Errors
    /// If fewer than N rows in a row were warm: never a short or zero-filled window.
    #[inline]
    pub fn window(&self) -> Result<&[f32], NotReady> {
        if self.whole < self.rows {
            return Err(NotReady { whole: self.whole, rows: self.rows });
        }
        Ok(&self.ring[self.next * self.width..][..self.rows * self.width])
    }

    /// Returns the row that was added last; zeros before the first.
    pub fn newest_row(&self) -> &[f32] {
        &self.ring[(self.next + self.rows - 1) * self.width..][..self.width]
    }
}

/// A window of the last N rows of F scaled features.
#[derive(Clone, Debug)]
pub struct RollingMatrix {
    columns: Box<[Normaliser]>,
    window: Window,
}

impl RollingMatrix {
    /// Creates an empty window of `rows` rows (≥ 1) with a column for each normaliser (≥ 1).
    ///
    /// # Panics
    /// If there are no rows or no columns.
    pub fn new(rows: usize, columns: Vec<Normaliser>) -> RollingMatrix {
        RollingMatrix { window: Window::new(rows, columns.len()), columns: columns.into() }
    }

    /// Returns the numbers of rows and columns.
    pub fn shape(&self) -> (usize, usize) {
        self.window.shape()
    }

    /// Adds a row of features in their own units; NaN is "no value". `is_warm` is that of
    /// [`Window::push_with`].
    ///
    /// # Panics
    /// If the row does not have a value for each column.
    #[inline]
    pub fn push(&mut self, features: &[f64], is_warm: bool) {
        let RollingMatrix { columns, window } = self;
        assert_eq!(features.len(), columns.len());
        window.push_with(is_warm, |row| {
            for ((cell, column), &feature) in row.iter_mut().zip(columns).zip(features) {
                *cell = column.update(feature);
            }
        });
    }

    /// Does as [`Window::restart_after_gap`]; the scales stay as they are.
    pub fn restart_after_gap(&mut self) {
        self.window.restart_after_gap();
    }

    /// Returns the last N rows, oldest first, row by row: N×F numbers within ±3.
    ///
    /// # Errors
    /// If fewer than N rows in a row were warm: never a short or zero-filled window.
    #[inline]
    pub fn window(&self) -> Result<&[f32], NotReady> {
        self.window.window()
    }

    /// Returns the row that was added last; zeros before the first.
    pub fn newest_row(&self) -> &[f32] {
        self.window.newest_row()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::Scale;
    use proptest::prelude::*;

    proptest! {
        /// The window is the last rows, scaled one by one, in any state of the ring.
        #[test]
        fn the_window_is_the_last_rows_in_order(
            rows in 1usize..7,
            features in prop::collection::vec((prop::array::uniform3(-9.0f64..9.0), prop::bool::weighted(0.95)), 1..60),
        ) {
            let scales =
                [Scale::Fixed { divisor: 2.0 }, Scale::Weighted { half_life: 5.0 }, Scale::Fixed { divisor: 9.0 }];
            let mut columns = scales.map(|scale| Normaliser::new(scale).unwrap());
            let mut matrix = RollingMatrix::new(rows, columns.to_vec());
            let mut history: Vec<[f32; 3]> = Vec::new();
            let mut warm = 0;
            for (row, is_warm) in features {
                matrix.push(&row, is_warm);
                let mut scaled = [0.0; 3];
                for (at, column) in columns.iter_mut().enumerate() {
                    scaled[at] = column.update(row[at]);
                }
                prop_assert_eq!(matrix.newest_row(), &scaled);
                history.push(scaled);
                warm = if is_warm { warm + 1 } else { 0 };
                if warm >= rows {
                    let expected: Vec<f32> = history[history.len() - rows..].concat();
                    prop_assert_eq!(matrix.window().unwrap(), &expected[..]);
                } else {
                    prop_assert_eq!(matrix.window(), Err(NotReady { whole: warm, rows }));
                }
            }
        }
    }
}
