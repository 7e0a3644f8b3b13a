//! The core behind its first dropout mask: two layers over every pass of every agent.
//!
//! What an agent's first layer gives is the same in all of its passes, and about half of it is 0,
//! which adds nothing to any sum: such units are left out. The sums that remain run in the order of
//! the units, by fused multiply-adds where the machine has them, so that the results are the bits
//! of rten's.

// Loops over places instead of iterators: the closures of iterators are not compiled for the
// vectors of the machine at hand, and call each operation as a function.
#![allow(clippy::needless_range_loop, reason = "see above")]

use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use crate::product::{DEPTH, Packed, accumulate};

/// Passes whose logits are summed side by side: enough that no sum waits for its last term.
const SUMS: usize = 10;

/// Weights of the two layers.
#[derive(Debug)]
pub struct Passes {
    /// Widths of the layers, and classes.
    widths: [usize; 3],
    /// Packed: panels of units of the second layer, each by unit of the first.
    second: Packed,
    second_bias: Vec<f32>,
    /// By unit of the second layer, then by class, padded to a vector.
    logits: Vec<f32>,
    logits_bias: Vec<f32>,
}

/// Buffers that a run needs besides its inputs.
#[derive(Debug, Default)]
pub struct Scratch {
    active: Vec<usize>,
    /// The first layer's units in each pass of an agent, masked.
    first: Vec<f32>,
    /// The second layer's.
    second: Vec<f32>,
}

impl Passes {
    /// Most lanes of a vector.
    const LANES: usize = 16;

    /// Layers by ONNX's tensors: `second` [first, second], `logits` [second, classes], and their
    /// biases; `None` where the sizes do not suit the kernel.
    pub fn new(
        widths: [usize; 3],
        second: &[f32],
        second_bias: &[f32],
        logits: &[f32],
        logits_bias: &[f32],
    ) -> Option<Passes> {
        let [from, to, classes] = widths;
        let fits = (1..=DEPTH).contains(&from)
            && (1..=DEPTH).contains(&to)
            && from.is_multiple_of(Self::LANES)
            && to.is_multiple_of(4 * Self::LANES)
            && (1..=4).contains(&classes)
            && second.len() == from * to
            && second_bias.len() == to
            && logits.len() == to * classes
            && logits_bias.len() == classes;
        let padded = |row: &[f32]| -> Vec<f32> {
            row.iter().copied().chain(std::iter::repeat(0.0)).take(Self::LANES).collect()
        };
        fits.then(|| Passes {
            widths,
            second: Packed::new(second, [to, 1], from, to),
            second_bias: second_bias.to_vec(),
            logits: logits.chunks_exact(classes).flat_map(padded).collect(),
            logits_bias: padded(logits_bias),
        })
    }

    /// Widths of the two layers, and classes.
    pub fn widths(&self) -> [usize; 3] {
        self.widths
    }

    /// Logits by agent, pass and class, from each agent's first layer and the masks by agent, pass
    /// and unit.
    ///
    /// # Panics
    /// If the slices are not of one number of agents and passes.
    pub fn run(
        &self,
        hidden: &[f32],
        masks: [&[f32]; 2],
        logits: &mut [f32],
        scratch: &mut Scratch,
    ) {
        let [from, to, classes] = self.widths;
        let agents = hidden.len() / from;
        let passes = logits.len() / (agents * classes);
        assert_eq!(masks[0].len(), agents * passes * from);
        assert_eq!(masks[1].len(), agents * passes * to);
        scratch.first.resize(passes * from, 0.0);
        scratch.second.resize(passes * to, 0.0);
        let by_agent = masks[0].chunks_exact(passes * from).zip(masks[1].chunks_exact(passes * to));
        let agents = hidden.chunks_exact(from).zip(by_agent);
        for ((hidden, masks), logits) in agents.zip(logits.chunks_exact_mut(passes * classes)) {
            Run { layers: self, hidden, masks, logits, scratch }.dispatch();
        }
    }
}

/// One agent's passes.
struct Run<'a> {
    layers: &'a Passes,
    hidden: &'a [f32],
    masks: (&'a [f32], &'a [f32]),
    logits: &'a mut [f32],
    scratch: &'a mut Scratch,
}

impl SimdOp for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Run { layers, hidden, masks, logits, scratch } = self;
        let Scratch { active, first, second } = scratch;
        let [from, to, classes] = layers.widths;
        let ops = isa.f32();
        active.clear();
        active.extend((0..from).filter(|&unit| hidden[unit] != 0.0));
        let lanes = ops.len();
        for (units, mask) in first.chunks_exact_mut(from).zip(masks.0.chunks_exact(from)) {
            let vectors = hidden.chunks_exact(lanes).zip(mask.chunks_exact(lanes));
            for (units, (hidden, mask)) in units.chunks_exact_mut(lanes).zip(vectors) {
                ops.store(ops.mul(ops.load(hidden), ops.load(mask)), units);
            }
        }
        let layer = Layer { layers, active };
        // As many sums at once as there are registers for.
        if ops.len() == Passes::LANES {
            layer.apply_all::<I, 5, 4>(isa, first, masks.1, second);
        } else {
            layer.apply_all::<I, 6, 2>(isa, first, masks.1, second);
        }
        let mut passes =
            second.chunks_exact(SUMS * to).zip(logits.chunks_exact_mut(SUMS * classes));
        for (units, logits) in &mut passes {
            layers.logits_of::<I, SUMS>(isa, units, logits);
        }
        let done = second.len() / (SUMS * to) * SUMS;
        let rest = second[done * to..].chunks_exact(to);
        for (units, logits) in rest.zip(logits[done * classes..].chunks_exact_mut(classes)) {
            layers.logits_of::<I, 1>(isa, units, logits);
        }
    }
}

/// The second layer, of the units that are not 0.
struct Layer<'a> {
    layers: &'a Passes,
    active: &'a [usize],
}

impl Layer<'_> {
    /// The second layer in all passes, masked: `N` passes and `V` vectors at a time. A panel of
    /// weights serves all passes before the next, so that it remains in the nearest cache.
    #[inline(always)]
    fn apply_all<I: Isa, const N: usize, const V: usize>(
        &self,
        isa: I,
        units: &[f32],
        mask: &[f32],
        out: &mut [f32],
    ) {
        let [from, to, _] = self.layers.widths;
        let width = V * isa.f32().len();
        let (passes, whole) = (units.len() / from, units.len() / (N * from) * N);
        for (panel, weights) in self.layers.second.numbers().chunks_exact(from * width).enumerate()
        {
            let first = panel * width;
            for pass in (0..whole).step_by(N) {
                let (units, place) = (&units[pass * from..], pass * to + first);
                self.apply::<I, N, V>(
                    isa,
                    weights,
                    units,
                    (&mask[place..], &mut out[place..]),
                    first,
                );
            }
            for pass in whole..passes {
                let (units, place) = (&units[pass * from..], pass * to + first);
                self.apply::<I, 1, V>(
                    isa,
                    weights,
                    units,
                    (&mask[place..], &mut out[place..]),
                    first,
                );
            }
        }
    }

    /// A panel of the second layer in `N` passes, `V` vectors, masked.
    #[inline(always)]
    fn apply<I: Isa, const N: usize, const V: usize>(
        &self,
        isa: I,
        weights: &[f32],
        units: &[f32],
        (mask, out): (&[f32], &mut [f32]),
        first: usize,
    ) {
        let ops = isa.f32();
        let [from, to, _] = self.layers.widths;
        let width = V * ops.len();
        let mut rows: [&[f32]; N] = [&[]; N];
        for pass in 0..N {
            rows[pass] = &units[pass * from..][..from];
        }
        let mut sums = [[ops.zero(); V]; N];
        for &unit in self.active {
            let weights = &weights[unit * width..][..width];
            accumulate(isa, weights, |pass| rows[pass][unit], &mut sums);
        }
        for pass in 0..N {
            for v in 0..V {
                let bias = ops.load(&self.layers.second_bias[first + v * ops.len()..]);
                let sum = ops.max(ops.add(sums[pass][v], bias), ops.zero());
                let place = pass * to + v * ops.len();
                ops.store(ops.mul(sum, ops.load(&mask[place..])), &mut out[place..]);
            }
        }
    }
}

impl Passes {
    /// Logits of `N` passes by their second layers; a vector holds the classes.
    #[inline(always)]
    fn logits_of<I: Isa, const N: usize>(&self, isa: I, units: &[f32], logits: &mut [f32]) {
        let ops = isa.f32();
        let [_, to, classes] = self.widths;
        let mut rows: [&[f32]; N] = [&[]; N];
        for pass in 0..N {
            rows[pass] = &units[pass * to..][..to];
        }
        let mut sums = [[ops.zero()]; N];
        for (weights, unit) in self.logits.chunks_exact(Self::LANES).zip(0..to) {
            accumulate(isa, weights, |pass| rows[pass][unit], &mut sums);
        }
        let bias = ops.load(&self.logits_bias);
        for pass in 0..N {
            let mut all = [0.0; Self::LANES];
            ops.store(ops.add(sums[pass][0], bias), &mut all);
            logits[pass * classes..][..classes].copy_from_slice(&all[..classes]);
        }
    }
}
