//! rten's functions of networks, with its bits.
//!
//! Its exponential takes every number; numbers of a network are small, and for those the same bits
//! take half of the operations. Sums over a row run through the places of a vector in their order,
//! one addition after the other: several rows side by side keep the machine busy meanwhile.

// Loops over places instead of iterators: the closures of iterators are not compiled for the
// vectors of the machine at hand, and call each operation as a function.
#![allow(clippy::needless_range_loop, reason = "see above")]

use rten_simd::ops::{BitOps, FloatOps, IntOps, MaskOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp, SimdUnaryOp};
use rten_vecmath::{Normalize, NormalizeOptions, Sigmoid, Softmax, Sum, SumSquareSub, Tanh};

/// The largest number, up to its sign, whose power [`exp_near`] returns: one whose power, and that
/// of whose negative, is a normal number.
const NEAR: f32 = 80.0;

/// Returns e to the power of numbers as a factor from 0.7 to 1.42 and a power of two, which is the
/// lowest bits of an integer.
#[inline(always)]
fn exp_in_parts<I: Isa>(isa: I, x: I::F32) -> (I::F32, I::I32) {
    let ops = isa.f32();
    let shift = ops.splat(12582912.0);
    let shifted = ops.mul_add(x, ops.splat(std::f32::consts::LOG2_E), shift);
    let whole = ops.sub(shifted, shift);
    let rest = ops.mul_add(whole, ops.splat(-6.931_457_5e-1), x);
    let rest = ops.mul_add(whole, ops.splat(-1.428_606_8e-6), rest);
    let mut sum = ops.splat(1.378_059_4e-3);
    for factor in [8.373_124_5e-3, 4.166_953_6e-2, 1.666_647_2e-1, 4.999_998_5e-1, 1.0, 1.0] {
        sum = ops.mul_add(sum, rest, ops.splat(factor));
    }
    (sum, shifted.reinterpret_cast())
}

/// Returns e to the power of numbers between -[`NEAR`] and [`NEAR`].
#[inline(always)]
fn exp_near<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let ints = isa.i32();
    let (factor, power) = exp_in_parts(isa, x);
    ints.add(factor.reinterpret_cast(), ints.shift_left::<23>(power)).reinterpret_cast()
}

/// Returns e to the power of numbers that are not above 0, as rten's softmax has it: 0 for those
/// whose power is hardly a normal number.
#[inline(always)]
fn exp_negative<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let (ops, ints) = (isa.f32(), isa.i32());
    let (factor, power) = exp_in_parts(isa, x);
    let power = ints.shift_left::<23>(ints.add(power, ints.splat(127)));
    let lowest = ops.splat(-126.5 * std::f32::consts::LN_2 + 0.01);
    ops.select(ops.zero(), ops.mul(factor, power.reinterpret_cast()), ops.lt(x, lowest))
}

/// Returns whether all numbers lie between -`bound` and `bound`.
#[inline(always)]
fn are_within<I: Isa>(isa: I, x: I::F32, bound: f32) -> bool {
    let ops = isa.f32();
    isa.m32().all(ops.le(ops.abs(x), ops.splat(bound)))
}

/// Returns the logistic function of three vectors.
#[inline(always)]
pub(crate) fn sigmoid<I: Isa>(isa: I, x: [I::F32; 3]) -> [I::F32; 3] {
    let ops = isa.f32();
    let largest = ops.max(ops.max(ops.abs(x[0]), ops.abs(x[1])), ops.abs(x[2]));
    // A NaN may be lost in a maximum, and is not lost in a sum.
    let sum = ops.add(ops.add(x[0], x[1]), x[2]);
    let near = ops.le(largest, ops.splat(NEAR));
    if isa.m32().all(isa.m32().and(near, ops.eq(sum, sum))) {
        let mut out = x;
        for one in 0..3 {
            out[one] = ops.reciprocal(ops.add(ops.one(), exp_near(isa, ops.neg(x[one]))));
        }
        return out;
    }
    let mut out = x;
    for one in 0..3 {
        out[one] = Sigmoid::apply(isa, x[one]);
    }
    out
}

/// Returns the hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<I: Isa>(isa: I, x: I::F32) -> I::F32 {
    let ops = isa.f32();
    if !are_within(isa, x, NEAR / 2.0) {
        return Tanh::apply(isa, x);
    }
    let size = ops.abs(x);
    let square = ops.mul(x, x);
    let mut small = ops.splat(1.549_792_8e-2);
    for factor in [-5.211_976_5e-2, 0.133_106_7, -0.333_323_6, 0.999_999_94] {
        small = ops.mul_add(small, square, ops.splat(factor));
    }
    let small = ops.mul(small, size);
    let power = exp_near(isa, ops.mul(size, ops.splat(2.0)));
    let medium = ops.div(ops.sub(power, ops.one()), ops.add(power, ops.one()));
    let out = ops.select(ops.one(), medium, ops.ge(size, ops.splat(9.02)));
    let out = ops.select(small, out, ops.le(size, ops.splat(0.55)));
    let out = ops.select(size, out, ops.le(size, ops.splat(0.0004)));
    ops.select(ops.neg(out), out, ops.le(x, ops.zero()))
}

/// Softmax of every row, in place.
#[derive(Debug)]
pub struct Softmaxes<'a> {
    /// The rows.
    pub rows: &'a mut [f32],
    /// Numbers of a row.
    pub width: usize,
}

/// Most numbers of a vector.
const LANES: usize = 16;

/// Rows that are computed side by side.
const ROWS: usize = 4;

impl SimdOp for Softmaxes<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Softmaxes { rows, width } = self;
        let mut several = rows.chunks_exact_mut(ROWS * width);
        for rows in &mut several {
            softmaxes(isa, rows, width);
        }
        for row in several.into_remainder().chunks_exact_mut(width) {
            Softmax::new_mut(row).eval(isa);
        }
    }
}

/// Softmax of [`ROWS`] rows.
#[inline(always)]
fn softmaxes<I: Isa>(isa: I, rows: &mut [f32], width: usize) {
    let ops = isa.f32();
    let (lanes, whole) = (ops.len(), width / ops.len() * ops.len());
    let mut vectors = [[0.0; LANES]; ROWS];
    for (row, vector) in rows.chunks_exact(width).zip(&mut vectors) {
        let mut largest = ops.splat(f32::MIN);
        for numbers in row[..whole].chunks_exact(lanes) {
            largest = ops.max(largest, ops.load(numbers));
        }
        let (rest, mask) = ops.load_pad(&row[whole..]);
        largest = ops.max(largest, ops.select(rest, largest, mask));
        ops.store(largest, vector);
    }
    let mut largest = [f32::MIN; ROWS];
    for lane in 0..lanes {
        for row in 0..ROWS {
            let number = vectors[row][lane];
            largest[row] = if number > largest[row] { number } else { largest[row] };
        }
    }
    for (row, numbers) in rows.chunks_exact_mut(width).enumerate() {
        let largest = ops.splat(largest[row]);
        let (numbers, rest) = numbers.split_at_mut(whole);
        let mut sum = ops.zero();
        for numbers in numbers.chunks_exact_mut(lanes) {
            let power = exp_negative(isa, ops.sub(ops.load(numbers), largest));
            sum = ops.add(sum, power);
            ops.store(power, numbers);
        }
        let (numbers, mask) = ops.load_pad(rest);
        let power = exp_negative(isa, ops.sub(numbers, largest));
        ops.store(power, &mut vectors[row]);
        rest.copy_from_slice(&vectors[row][..rest.len()]);
        ops.store(ops.select(ops.add(sum, power), sum, mask), &mut vectors[row]);
    }
    let sums = sums(&vectors, lanes);
    for (row, numbers) in rows.chunks_exact_mut(width).enumerate() {
        let factor = 1.0 / sums[row];
        for number in numbers {
            *number *= factor;
        }
    }
}

/// Sums the first `lanes` numbers of each row's vector, one addition after the other.
#[inline(always)]
fn sums(vectors: &[[f32; LANES]; ROWS], lanes: usize) -> [f32; ROWS] {
    let mut sums = [-0.0; ROWS];
    for lane in 0..lanes {
        for row in 0..ROWS {
            sums[row] += vectors[row][lane];
        }
    }
    sums
}

/// Shifts and scales every row to mean 0 and variance 1, and then by weights and biases, in place.
#[derive(Debug)]
pub struct Normalises<'a> {
    /// The rows, each as wide as the weights.
    pub rows: &'a mut [f32],
    /// A factor for each column.
    pub weights: &'a [f32],
    /// A summand for each column.
    pub biases: &'a [f32],
    /// A summand of the variance.
    pub epsilon: f32,
}

impl SimdOp for Normalises<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Normalises { rows, weights, biases, epsilon } = self;
        let width = weights.len();
        let together =
            if width.is_multiple_of(4 * isa.f32().len()) { ROWS * width } else { rows.len() + 1 };
        let mut several = rows.chunks_exact_mut(together);
        for rows in &mut several {
            normalises(isa, rows, (weights, biases), epsilon);
        }
        for row in several.into_remainder().chunks_exact_mut(width) {
            normalise_row(isa, row, (weights, biases), epsilon);
        }
    }
}

/// Normalises a row.
#[inline(always)]
fn normalise_row<I: Isa>(
    isa: I,
    row: &mut [f32],
    (weights, biases): (&[f32], &[f32]),
    epsilon: f32,
) {
    let mean = Sum::new(row).eval(isa) / row.len() as f32;
    let variance = SumSquareSub::new(row, mean).eval(isa) / row.len() as f32;
    let options = NormalizeOptions {
        pre_scale_bias: mean,
        scale: 1.0 / (variance + epsilon).sqrt(),
        element_scale: Some(weights),
        bias: 0.0,
        element_bias: Some(biases),
    };
    Normalize::new_mut(row, options).eval(isa);
}

/// Normalises [`ROWS`] rows of a multiple of four vectors.
#[inline(always)]
fn normalises<I: Isa>(isa: I, rows: &mut [f32], (weights, biases): (&[f32], &[f32]), epsilon: f32) {
    let ops = isa.f32();
    let (lanes, width) = (ops.len(), weights.len());
    let mut vectors = [[0.0; LANES]; ROWS];
    for (numbers, vector) in rows.chunks_exact(width).zip(&mut vectors) {
        let mut four = [ops.zero(); 4];
        for numbers in numbers.chunks_exact(4 * lanes) {
            for one in 0..4 {
                four[one] = ops.add(four[one], ops.load(&numbers[one * lanes..]));
            }
        }
        ops.store(ops.add(ops.add(ops.add(four[0], four[1]), four[2]), four[3]), vector);
    }
    let means = sums(&vectors, lanes).map(|sum| sum / width as f32);
    for (row, (numbers, vector)) in rows.chunks_exact(width).zip(&mut vectors).enumerate() {
        let mean = ops.splat(means[row]);
        let mut four = [ops.zero(); 4];
        for numbers in numbers.chunks_exact(4 * lanes) {
            for one in 0..4 {
                let distance = ops.sub(ops.load(&numbers[one * lanes..]), mean);
                four[one] = ops.mul_add(distance, distance, four[one]);
            }
        }
        ops.store(ops.add(ops.add(ops.add(four[0], four[1]), four[2]), four[3]), vector);
    }
    let variances = sums(&vectors, lanes).map(|sum| sum / width as f32);
    for (row, numbers) in rows.chunks_exact_mut(width).enumerate() {
        let (mean, scale) =
            (ops.splat(means[row]), ops.splat(1.0 / (variances[row] + epsilon).sqrt()));
        let by_column = weights.chunks_exact(lanes).zip(biases.chunks_exact(lanes));
        for (numbers, (weights, biases)) in numbers.chunks_exact_mut(lanes).zip(by_column) {
            let distance = ops.sub(ops.load(numbers), mean);
            let (scale, bias) =
                (ops.mul(ops.load(weights), scale), ops.add(ops.load(biases), ops.zero()));
            ops.store(ops.mul_add(distance, scale, bias), numbers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers of all sizes, some NaN and infinite, by a linear congruential generator.
    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 32) as u32
        };
        let number = |_| match next() % 64 {
            0 => f32::from_bits(next()),
            1 => 0.0,
            2 => -0.0,
            3 => f32::NEG_INFINITY,
            4..16 => (next() as f32 / 2f32.powi(31) - 1.0) * 120.0,
            16..32 => (next() as f32 / 2f32.powi(31) - 1.0) * 1e-3,
            _ => (next() as f32 / 2f32.powi(31) - 1.0) * 4.0,
        };
        (0..count).map(number).collect()
    }

    #[track_caller]
    fn assert_same(ours: &[f32], theirs: &[f32]) {
        for (place, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            let is_same = ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan();
            assert!(is_same, "{ours} instead of {theirs} at {place}");
        }
    }

    /// Every vector by our functions or by rten's.
    struct Functions<'a>(&'a mut [f32], bool);

    impl SimdOp for Functions<'_> {
        type Output = ();

        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) {
            let (ops, lanes) = (isa.f32(), isa.f32().len());
            for vectors in self.0.chunks_exact_mut(4 * lanes) {
                let mut four = [ops.zero(); 4];
                for one in 0..4 {
                    four[one] = ops.load(&vectors[one * lanes..]);
                }
                let [a, b, c, d] = four;
                let ([a, b, c], d) = if self.1 {
                    (sigmoid(isa, [a, b, c]), tanh(isa, d))
                } else {
                    ([a, b, c].map(|x| Sigmoid::apply(isa, x)), Tanh::apply(isa, d))
                };
                for (one, vector) in [a, b, c, d].into_iter().enumerate() {
                    ops.store(vector, &mut vectors[one * lanes..]);
                }
            }
        }
    }

    #[test]
    fn sigmoid_and_tanh_are_those_of_rten() {
        // Vectors of near numbers alone come behind those of all sizes.
        let mut ours = numbers(1 << 16, 1);
        ours.extend(
            numbers(1 << 18, 2).iter().map(|x| x.clamp(-79.0, 79.0)).filter(|x| !x.is_nan()),
        );
        ours.truncate(ours.len() / 64 * 64);
        let mut theirs = ours.clone();
        Functions(&mut ours, true).dispatch();
        Functions(&mut theirs, false).dispatch();
        assert_same(&ours, &theirs);
    }

    /// Every row by rten's functions.
    struct Theirs<'a>(&'a mut [f32], usize, Option<(&'a [f32], &'a [f32])>);

    impl SimdOp for Theirs<'_> {
        type Output = ();

        #[inline(always)]
        fn eval<I: Isa>(self, isa: I) {
            for row in self.0.chunks_exact_mut(self.1) {
                match self.2 {
                    None => _ = Softmax::new_mut(row).eval(isa),
                    Some((weights, biases)) => normalise_row(isa, row, (weights, biases), 1e-5),
                }
            }
        }
    }

    #[test]
    fn softmax_and_normalisation_are_those_of_rten() {
        for width in (1..70).chain([100, 128]) {
            let mut ours = numbers(width * 13, width as u64);
            let mut theirs = ours.clone();
            Softmaxes { rows: &mut ours, width }.dispatch();
            Theirs(&mut theirs, width, None).dispatch();
            assert_same(&ours, &theirs);

            let mut ours = numbers(width * 13, width as u64);
            let mut theirs = ours.clone();
            let (weights, biases) = (numbers(width, 3), numbers(width, 4));
            Normalises { rows: &mut ours, weights: &weights, biases: &biases, epsilon: 1e-5 }
                .dispatch();
            Theirs(&mut theirs, width, Some((&weights, &biases))).dispatch();
            assert_same(&ours, &theirs);
        }
    }
}
