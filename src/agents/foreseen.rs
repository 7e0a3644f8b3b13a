//! What the encoders give on a history, computed before the run that decides on it.
//!
//! Encodings depend on bars alone, and not on the account, so that a backtest can compute them beforehand and on
//! several threads. Each is computed exactly as live, one matrix at a time: the results are the same bits.

use crate::matrix::MatrixKind;

/// Encodings of the structure, tactical and regime matrices, by number of their row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Foreseen {
    encodings: [Encodings; 3],
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Encodings {
    /// Number of the first row that has one.
    first: u64,
    width: usize,
    numbers: Vec<f32>,
}

impl Foreseen {
    /// What the encoder of a matrix gives after the row of this number; `None` if it failed or its matrix was not
    /// whole.
    pub fn encoding(&self, matrix: MatrixKind, row: u64) -> Option<&[f32]> {
        let Encodings { first, width, numbers } = &self.encodings[matrix as usize];
        let start = row.checked_sub(*first)? as usize * width;
        let numbers = numbers.get(start..start + width)?;
        numbers.iter().all(|number| number.is_finite()).then_some(numbers)
    }
}
