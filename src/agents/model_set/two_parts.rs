//! An encoder in two parts: what it makes of the rows that are known before a close, and the last
//! step.

use crate::inference::{Graph, InferenceError};

/// Two graphs as one: a whole window goes in, and [`Graph::prepare`] takes the rows that are known.
pub(super) struct TwoParts {
    /// `known` → `hidden`, `cell`
    prefix: Box<dyn Graph>,
    /// `row`, `hidden`, `cell` → `embedding`
    step: Box<dyn Graph>,
    /// All windows, one after the other.
    matrix: Vec<f32>,
    /// Numbers of one window.
    window: usize,
    /// Numbers of its known rows.
    known: usize,
    /// `true` if the step has what the prefix makes of what is in its input.
    is_prepared: bool,
}

impl TwoParts {
    /// An encoder of windows of `window` numbers, of which the last `row` are the newest row.
    pub(super) fn new(
        prefix: Box<dyn Graph>,
        step: Box<dyn Graph>,
        (windows, window, row): (usize, usize, usize),
    ) -> TwoParts {
        let matrix = vec![0.0; windows * window];
        TwoParts { prefix, step, matrix, window, known: window - row, is_prepared: false }
    }
}

/// Copies the same part of every window; says whether it was there already, bit for bit.
fn copy<'a>(windows: impl Iterator<Item = &'a [f32]>, input: &mut [f32]) -> bool {
    let mut is_same = true;
    let mut rest = input;
    for part in windows {
        let (place, after) = rest.split_at_mut(part.len());
        is_same &= part.iter().zip(&*place).all(|(new, old)| new.to_bits() == old.to_bits());
        place.copy_from_slice(part);
        rest = after;
    }
    is_same
}

/// Runs the prefix, unless it has run on the same numbers.
fn know<'a>(
    prefix: &mut dyn Graph,
    step: &mut dyn Graph,
    is_prepared: &mut bool,
    windows: impl Iterator<Item = &'a [f32]>,
) -> Result<(), InferenceError> {
    let is_same = copy(windows, prefix.input(0));
    if *is_prepared && is_same {
        return Ok(());
    }
    *is_prepared = false;
    prefix.run()?;
    for part in [0, 1] {
        step.input(1 + part).copy_from_slice(prefix.output(part));
    }
    *is_prepared = true;
    Ok(())
}

impl Graph for TwoParts {
    fn input(&mut self, index: usize) -> &mut [f32] {
        assert_eq!(index, 0, "an encoder sees one matrix");
        &mut self.matrix
    }

    fn prepare(&mut self, beginning: &[f32]) -> Result<(), InferenceError> {
        let TwoParts { prefix, step, is_prepared, .. } = self;
        know(prefix.as_mut(), step.as_mut(), is_prepared, std::iter::once(beginning))
    }

    fn run(&mut self) -> Result<(), InferenceError> {
        let TwoParts { prefix, step, matrix, window, known, is_prepared } = self;
        let windows = || matrix.chunks_exact(*window);
        let first = windows().map(|window| &window[..*known]);
        know(prefix.as_mut(), step.as_mut(), is_prepared, first)?;
        copy(windows().map(|window| &window[*known..]), step.input(0));
        step.run()
    }

    fn output(&self, index: usize) -> &[f32] {
        self.step.output(index)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Adds up its inputs into each of its outputs, and counts how often.
    struct Sum {
        inputs: Vec<Vec<f32>>,
        outputs: Vec<Vec<f32>>,
        runs: Arc<AtomicU32>,
    }

    impl Graph for Sum {
        fn input(&mut self, index: usize) -> &mut [f32] {
            &mut self.inputs[index]
        }
        fn run(&mut self) -> Result<(), InferenceError> {
            let sum = self.inputs.iter().flatten().sum();
            self.outputs.iter_mut().for_each(|output| output.fill(sum));
            self.runs.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        fn output(&self, index: usize) -> &[f32] {
            &self.outputs[index]
        }
    }

    #[test]
    fn known_rows_are_run_once_and_again_only_where_others_come() {
        let runs = [0, 1].map(|_| Arc::new(AtomicU32::new(0)));
        let graph = |part: usize, inputs: &[usize], outputs: &[usize]| -> Box<dyn Graph> {
            let zeros = |sizes: &[usize]| sizes.iter().map(|&size| vec![0.0; size]).collect();
            let runs = Arc::clone(&runs[part]);
            Box::new(Sum { inputs: zeros(inputs), outputs: zeros(outputs), runs })
        };
        let (prefix, step) = (graph(0, &[4], &[1, 1]), graph(1, &[2, 1, 1], &[1]));
        let mut whole = TwoParts::new(prefix, step, (1, 6, 2));
        let mut give = |prepared: &[f32], window: [f32; 6]| {
            if !prepared.is_empty() {
                whole.prepare(prepared).unwrap();
            }
            whole.input(0).copy_from_slice(&window);
            whole.run().unwrap();
            (whole.output(0)[0], runs.each_ref().map(|runs| runs.load(Ordering::Relaxed)))
        };
        let window = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(give(&[], window), (31.0, [1, 1]));
        assert_eq!(give(&window[..4], window), (31.0, [1, 2]), "the same rows");
        assert_eq!(give(&[0.0; 4], [0.0, 0.0, 0.0, 0.0, 5.0, 6.0]), (11.0, [2, 3]));
        assert_eq!(give(&[7.0; 4], window), (31.0, [4, 4]), "other rows than were foreseen");
        assert_eq!(give(&[], [-0.0; 6]), (0.0, [5, 5]));
        assert_eq!(give(&[0.0; 4], [0.0; 6]), (0.0, [6, 6]), "other bits");
    }
}
