//! Observations: the features that a strategy receives. It may run on another thread, so it gets
//! rows and keeps the windows itself.

use crate::matrix::MatrixKind;

/// Most numbers that the matrices' rows of one close can have together, for a seat to be told of
/// them.
pub const MOST_CELLS: usize = 128;

/// The rows that matrices went on by at one close, and the levels that orders are measured by.
#[derive(Clone, Copy, Debug)]
pub struct Observation {
    rows: [Place; MatrixKind::ALL.len()],
    cells: [f32; MOST_CELLS],
    used: usize,
    /// Levels of the row, beside the matrices.
    pub levels: Levels,
}

/// The place of a row among the cells.
#[derive(Clone, Copy, Debug)]
struct Place {
    number: u64,
    is_warm: bool,
    start: u16,
    width: u16,
}

/// A row that a matrix went on by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ObservedRow<'a> {
    /// 1, 2, 3, … in the order of the matrix's rows: where a number is missing, a row is.
    pub number: u64,
    /// `true` if every feature is past its first valid bar.
    pub is_warm: bool,
    /// Its scaled features.
    pub cells: &'a [f32],
}

/// Distances and prices in their own units; NaN where absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levels {
    /// Average true range of the tactical matrix's bars, in points.
    pub average_true_range: f64,
    /// The nearest low-volume node above the last close of the context's bars, in points, and its
    /// strength.
    pub above: (f64, f64),
    /// The nearest one below.
    pub below: (f64, f64),
}

impl Levels {
    /// None of them.
    pub const NONE: Levels = Levels {
        average_true_range: f64::NAN,
        above: (f64::NAN, f64::NAN),
        below: (f64::NAN, f64::NAN),
    };
}

impl Observation {
    /// Nothing.
    pub const EMPTY: Observation = Observation {
        rows: [Place { number: 0, is_warm: false, start: 0, width: 0 }; MatrixKind::ALL.len()],
        cells: [0.0; MOST_CELLS],
        used: 0,
        levels: Levels::NONE,
    };

    /// Adds the row of a matrix, which has the given number (≥ 1).
    ///
    /// # Panics
    /// If the matrix was added before, or the rows are more than [`MOST_CELLS`] together.
    pub fn add(&mut self, matrix: MatrixKind, number: u64, is_warm: bool, cells: &[f32]) {
        let place = &mut self.rows[matrix as usize];
        assert!(place.number == 0 && number > 0);
        *place = Place { number, is_warm, start: self.used as u16, width: cells.len() as u16 };
        self.cells[self.used..][..cells.len()].copy_from_slice(cells);
        self.used += cells.len();
    }

    /// The row of a matrix, if it went on.
    pub fn row(&self, matrix: MatrixKind) -> Option<ObservedRow<'_>> {
        let Place { number, is_warm, start, width } = self.rows[matrix as usize];
        let cells = &self.cells[usize::from(start)..][..usize::from(width)];
        (number > 0).then_some(ObservedRow { number, is_warm, cells })
    }
}
