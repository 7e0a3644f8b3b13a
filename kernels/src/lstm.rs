//! A one-layer LSTM whose arithmetic does not depend on how it is cut up.
//!
//! Every product of a matrix and a vector is a sum in the order of the vector's numbers, by fused
//! multiply-adds where the machine has them; lanes hold different sums. So the results are the same
//! bits for one window or several at once, for a window in one piece or in two, and those of rten
//! on a whole window.

// Loops over places instead of iterators: the closures of iterators are not compiled for the
// vectors of the machine at hand, and call each operation as a function.
#![allow(clippy::needless_range_loop, reason = "see above")]

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use crate::functions::{sigmoid, tanh};
use crate::product::{DEPTH, Packed, add_products};

/// Gates of a cell: input, output, forget, cell.
const GATES: usize = 4;

/// Windows that share each load of a weight: one more, and sums leave their registers.
const TOGETHER: usize = 5;

/// Groups of windows that share each panel of weights: as many as leave it in the nearest cache.
const GROUPS: usize = 2;

/// Weights of an LSTM, packed: panels of gates and units, each by number of the input or hidden
/// unit.
#[derive(Debug)]
pub struct Lstm {
    columns: usize,
    hidden: usize,
    input: Packed,
    recurrent: Packed,
    input_bias: Vec<f32>,
    recurrent_bias: Vec<f32>,
}

/// Buffers that a run needs besides the state.
#[derive(Debug, Default)]
pub struct Scratch {
    inputs: Vec<f32>,
    gates: Vec<f32>,
}

impl Lstm {
    /// An LSTM of ONNX's tensors: `W` [1, 4 × hidden, columns], `R` [1, 4 × hidden, hidden], `B`
    /// [1, 8 × hidden];
    /// `None` where the sizes do not suit the kernel.
    pub fn new(columns: usize, hidden: usize, w: &[f32], r: &[f32], b: &[f32]) -> Option<Lstm> {
        let width = GATES * hidden;
        let fits = (1..=DEPTH).contains(&columns)
            && (1..=DEPTH).contains(&hidden)
            && hidden.is_multiple_of(32)
            && w.len() == width * columns
            && r.len() == width * hidden
            && b.len() == 2 * width;
        let (input_bias, recurrent_bias) = if fits { b.split_at(width) } else { return None };
        Some(Lstm {
            columns,
            hidden,
            input: Packed::new(w, [1, columns], columns, width),
            recurrent: Packed::new(r, [1, hidden], hidden, width),
            input_bias: input_bias.to_vec(),
            recurrent_bias: recurrent_bias.to_vec(),
        })
    }

    /// Numbers of a state's hidden or cell part.
    pub fn hidden(&self) -> usize {
        self.hidden
    }

    /// Numbers of a row.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Takes states, one for each window, through `rows` rows of every window. Windows that each
    /// begin with the second row of the one before share what the gates get from a row.
    ///
    /// # Panics
    /// If the windows and states are not of one number.
    pub fn run(
        &self,
        rows: usize,
        windows: &[f32],
        hidden: &mut [f32],
        cell: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let window = rows * self.columns;
        assert_eq!(windows.len() * self.hidden, hidden.len() * window);
        assert_eq!(hidden.len(), cell.len());
        let most = GROUPS * TOGETHER;
        let Scratch { inputs, gates } = scratch;
        inputs.resize((rows + most - 1) * GATES * self.hidden, 0.0);
        gates.resize(most * GATES * self.hidden, 0.0);
        let mut first = 0;
        while first * window < windows.len() {
            let rest = &windows[first * window..];
            let slid = self.slid(window, rest).min(most);
            let windows = &rest[..slid * window];
            let states = first * self.hidden..(first + slid) * self.hidden;
            let (hidden, cell) = (&mut hidden[states.clone()], &mut cell[states]);
            Run { lstm: self, rows, windows, hidden, cell, inputs, gates }.dispatch();
            first += slid;
        }
    }

    /// Returns how many windows each begin with the second row of the one before.
    fn slid(&self, window: usize, windows: &[f32]) -> usize {
        let bits: &[u32] = bytemuck::cast_slice(windows);
        let next = bits.chunks_exact(window).skip(1);
        let follows =
            |(one, next): &(&[u32], &[u32])| one[self.columns..] == next[..window - self.columns];
        1 + bits.chunks_exact(window).zip(next).take_while(follows).count()
    }
}

/// Up to [`GROUPS`] × [`TOGETHER`] windows, each of which begins with the second row of the one
/// before.
struct Run<'a> {
    lstm: &'a Lstm,
    rows: usize,
    windows: &'a [f32],
    hidden: &'a mut [f32],
    cell: &'a mut [f32],
    inputs: &'a mut [f32],
    gates: &'a mut [f32],
}

impl SimdOp for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        // As many sums at once as there are registers for.
        if isa.f32().len() == 16 {
            self.run::<I, 4>(isa);
        } else {
            self.run::<I, 2>(isa);
        }
    }
}

impl Run<'_> {
    /// All rows, with panels of `V` vectors.
    #[inline(always)]
    fn run<I: Isa, const V: usize>(self, isa: I) {
        let Run { lstm, rows, windows, hidden, cell, inputs, gates } = self;
        let (units, width) = (lstm.hidden, GATES * lstm.hidden);
        let (count, panels) = (hidden.len() / units, width / (V * isa.f32().len()));
        let grouped = count / TOGETHER * TOGETHER;
        // What comes after the first window is the last row of each other.
        let row_of = |row: usize| {
            let place = if row < rows { row } else { (row - rows + 2) * rows - 1 };
            &windows[place * lstm.columns..][..lstm.columns]
        };
        let all = rows + count - 1;
        let in_groups = all / TOGETHER * TOGETHER;
        for panel in 0..panels {
            for row in (0..in_groups).step_by(TOGETHER) {
                let of = &mut inputs[row * width..];
                sum_inputs::<I, TOGETHER, V>(isa, lstm, panel, |one| row_of(row + one), of);
            }
            for row in in_groups..all {
                let of = &mut inputs[row * width..];
                sum_inputs::<I, 1, V>(isa, lstm, panel, |_| row_of(row), of);
            }
        }
        for row in 0..rows {
            for panel in 0..panels {
                for first in (0..grouped).step_by(TOGETHER) {
                    let inputs = &inputs[(row + first) * width..];
                    let hidden = &hidden[first * units..];
                    let gates = &mut gates[first * width..];
                    sum_gates::<I, TOGETHER, V>(isa, lstm, panel, inputs, hidden, gates);
                }
                for first in grouped..count {
                    let inputs = &inputs[(row + first) * width..];
                    let hidden = &hidden[first * units..];
                    let gates = &mut gates[first * width..];
                    sum_gates::<I, 1, V>(isa, lstm, panel, inputs, hidden, gates);
                }
            }
            for one in 0..count {
                let (hidden, cell) = (&mut hidden[one * units..], &mut cell[one * units..]);
                step(isa, units, &gates[one * width..][..width], hidden, cell);
            }
        }
    }
}

/// Sums what the gates of a panel of `V` vectors get from each of `N` rows.
#[inline(always)]
fn sum_inputs<'a, I: Isa, const N: usize, const V: usize>(
    isa: I,
    lstm: &Lstm,
    panel: usize,
    row: impl Fn(usize) -> &'a [f32],
    inputs: &mut [f32],
) {
    let ops = isa.f32();
    let (columns, width) = (lstm.columns, V * ops.len());
    let mut rows: [&[f32]; N] = [&[]; N];
    for one in 0..N {
        rows[one] = row(one);
    }
    let weights = &lstm.input.numbers()[panel * columns * width..][..columns * width];
    let sums = add_products::<I, N, V>(isa, rows, weights);
    for v in 0..V {
        let place = panel * width + v * ops.len();
        let bias = ops.load(&lstm.input_bias[place..]);
        for one in 0..N {
            let place = one * GATES * lstm.hidden + place;
            ops.store(ops.add(sums[one][v], bias), &mut inputs[place..]);
        }
    }
}

/// Sums what the gates of a panel of `V` vectors get, in each of `N` windows, from its row and its
/// hidden state.
#[inline(always)]
fn sum_gates<I: Isa, const N: usize, const V: usize>(
    isa: I,
    lstm: &Lstm,
    panel: usize,
    inputs: &[f32],
    hidden: &[f32],
    gates: &mut [f32],
) {
    let ops = isa.f32();
    let (units, width) = (lstm.hidden, V * ops.len());
    let mut states: [&[f32]; N] = [&[]; N];
    for one in 0..N {
        states[one] = &hidden[one * units..];
    }
    let weights = &lstm.recurrent.numbers()[panel * units * width..][..units * width];
    let sums = add_products::<I, N, V>(isa, states, weights);
    for v in 0..V {
        let place = panel * width + v * ops.len();
        let bias = ops.load(&lstm.recurrent_bias[place..]);
        for one in 0..N {
            let place = one * GATES * units + place;
            let sum = ops.add(ops.load(&inputs[place..]), sums[one][v]);
            ops.store(ops.add(sum, bias), &mut gates[place..]);
        }
    }
}

/// Computes what the gates make of a state of `units` numbers.
#[inline(always)]
fn step<I: Isa>(isa: I, units: usize, gates: &[f32], hidden: &mut [f32], cell: &mut [f32]) {
    let ops = isa.f32();
    for unit in (0..units).step_by(ops.len()) {
        // No closures here: what they call would not be compiled for the machine at hand.
        let gate = [
            ops.load(&gates[unit..]),
            ops.load(&gates[units + unit..]),
            ops.load(&gates[2 * units + unit..]),
        ];
        let [input, output, forget] = sigmoid(isa, gate);
        let candidate = tanh(isa, ops.load(&gates[3 * units + unit..]));
        let kept = ops.mul(forget, ops.load(&cell[unit..]));
        let next = ops.add(kept, ops.mul(input, candidate));
        ops.store(next, &mut cell[unit..]);
        ops.store(ops.mul(output, tanh(isa, next)), &mut hidden[unit..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows that share rows give the bits of each window alone.
    #[test]
    fn windows_that_slide_are_windows_alone() {
        let (rows, columns, units) = (9, 7, 32);
        let mut state = 5u64;
        let mut numbers = |count: usize| -> Vec<f32> {
            let next = |_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 40) as f32 / 2f32.powi(23) - 1.0
            };
            (0..count).map(next).collect()
        };
        let width = GATES * units;
        let (w, r, b) = (numbers(width * columns), numbers(width * units), numbers(2 * width));
        let lstm = Lstm::new(columns, units, &w, &r, &b).expect("sizes that suit");
        let history = numbers(60 * columns);
        // A hole in the history after 17 windows.
        let starts: Vec<usize> = (0..17).chain(30..44).collect();
        let window = |&start: &usize| &history[start * columns..][..rows * columns];
        let windows: Vec<f32> = starts.iter().flat_map(window).copied().collect();
        let mut scratch = Scratch::default();
        let mut together = [vec![0.0; starts.len() * units], vec![0.0; starts.len() * units]];
        let [hidden, cell] = &mut together;
        lstm.run(rows, &windows, hidden, cell, &mut scratch);
        for (place, start) in starts.iter().enumerate() {
            let mut alone = [vec![0.0; units], vec![0.0; units]];
            let [hidden, cell] = &mut alone;
            // One row at a time, so that no row is shared.
            for row in window(start).chunks_exact(columns) {
                lstm.run(1, row, hidden, cell, &mut scratch);
            }
            for part in 0..2 {
                assert_eq!(together[part][place * units..][..units], alone[part], "{start}");
            }
        }
    }
}
