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
use rten_simd::{Isa, SimdOp, SimdUnaryOp};
use rten_vecmath::{Sigmoid, Tanh};

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

    /// Takes states, one for each window, through `rows` rows of every window.
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
        scratch.gates.resize(most * GATES * self.hidden, 0.0);
        let states = hidden.chunks_mut(most * self.hidden);
        let cells = cell.chunks_mut(most * self.hidden);
        for ((windows, hidden), cell) in windows.chunks(most * window).zip(states).zip(cells) {
            let gates = &mut scratch.gates;
            Run { lstm: self, rows, windows, hidden, cell, gates }.dispatch();
        }
    }
}

/// Up to [`GROUPS`] × [`TOGETHER`] windows.
struct Run<'a> {
    lstm: &'a Lstm,
    rows: usize,
    windows: &'a [f32],
    hidden: &'a mut [f32],
    cell: &'a mut [f32],
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
        let Run { lstm, rows, windows, hidden, cell, gates } = self;
        let (units, window) = (lstm.hidden, rows * lstm.columns);
        let width = GATES * units;
        let panels = width / (V * isa.f32().len());
        let grouped = hidden.len() / (TOGETHER * units) * TOGETHER;
        for row in 0..rows {
            for panel in 0..panels {
                for first in (0..grouped).step_by(TOGETHER) {
                    let input = &windows[first * window + row * lstm.columns..];
                    let hidden = &hidden[first * units..];
                    let gates = &mut gates[first * width..];
                    sum_gates::<I, TOGETHER, V>(isa, lstm, panel, (input, window), hidden, gates);
                }
            }
            for one in 0..grouped {
                let (hidden, cell) = (&mut hidden[one * units..], &mut cell[one * units..]);
                step(isa, units, &gates[one * width..][..width], hidden, cell);
            }
        }
        let states = hidden.chunks_exact_mut(units).zip(cell.chunks_exact_mut(units));
        for (window, (hidden, cell)) in windows.chunks_exact(window).zip(states).skip(grouped) {
            for row in window.chunks_exact(lstm.columns) {
                for panel in 0..panels {
                    sum_gates::<I, 1, V>(isa, lstm, panel, (row, 0), hidden, gates);
                }
                step(isa, units, &gates[..width], hidden, cell);
            }
        }
    }
}

/// Sums what the gates of a panel of `V` vectors get, in each of `N` windows, from its row and its
/// hidden state. Rows are `stride` apart.
#[inline(always)]
fn sum_gates<I: Isa, const N: usize, const V: usize>(
    isa: I,
    lstm: &Lstm,
    panel: usize,
    (rows, stride): (&[f32], usize),
    hidden: &[f32],
    gates: &mut [f32],
) {
    let ops = isa.f32();
    let (columns, units, width) = (lstm.columns, lstm.hidden, V * ops.len());
    let (mut rows_of, mut states_of): ([&[f32]; N], [&[f32]; N]) = ([&[]; N], [&[]; N]);
    for one in 0..N {
        rows_of[one] = &rows[one * stride..];
        states_of[one] = &hidden[one * units..];
    }
    let weights = &lstm.input.numbers()[panel * columns * width..][..columns * width];
    let inputs = add_products::<I, N, V>(isa, rows_of, weights);
    let weights = &lstm.recurrent.numbers()[panel * units * width..][..units * width];
    let states = add_products::<I, N, V>(isa, states_of, weights);
    for v in 0..V {
        let place = panel * width + v * ops.len();
        let bias = ops.load(&lstm.input_bias[place..]);
        let recurrent_bias = ops.load(&lstm.recurrent_bias[place..]);
        for one in 0..N {
            let sum = ops.add(ops.add(inputs[one][v], bias), states[one][v]);
            let sum = ops.add(sum, recurrent_bias);
            ops.store(sum, &mut gates[one * GATES * units + place..]);
        }
    }
}

/// Computes what the gates make of a state of `units` numbers.
#[inline(always)]
fn step<I: Isa>(isa: I, units: usize, gates: &[f32], hidden: &mut [f32], cell: &mut [f32]) {
    let ops = isa.f32();
    for unit in (0..units).step_by(ops.len()) {
        // No closures here: what they call would not be compiled for the machine at hand.
        let input = Sigmoid::apply(isa, ops.load(&gates[unit..]));
        let output = Sigmoid::apply(isa, ops.load(&gates[units + unit..]));
        let forget = Sigmoid::apply(isa, ops.load(&gates[2 * units + unit..]));
        let candidate = Tanh::apply(isa, ops.load(&gates[3 * units + unit..]));
        let kept = ops.mul(forget, ops.load(&cell[unit..]));
        let next = ops.add(kept, ops.mul(input, candidate));
        ops.store(next, &mut cell[unit..]);
        ops.store(ops.mul(output, Tanh::apply(isa, next)), &mut hidden[unit..]);
    }
}
