//! Softmax and entropy of many passes.
//!
//! Exponential and logarithm are libm's, step for step (FreeBSD's `e_exp.c` and `e_log.c`), over
//! several passes side by side: the operations of each lane are those of the scalar functions, so
//! that the bits are theirs on every machine.

#![allow(
    clippy::needless_range_loop,
    clippy::excessive_precision,
    reason = "closures would not be compiled for the vectors at hand; the constants are libm's"
)]

use rten_simd::{Isa, SimdOp};

/// Classes of a pass.
pub const CLASSES: usize = 3;

/// Passes that are computed side by side.
const LANES: usize = 8;

type Lanes = [f64; LANES];

/// Sums over passes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Votes {
    /// Of the probabilities, by class.
    pub probabilities: [f64; CLASSES],
    /// Passes of which the class has the largest logit, the first of equal ones.
    pub votes: [u16; CLASSES],
}

/// Counts passes, whose logits stand by pass and class, after division by the temperature: adds
/// probabilities and votes to `votes`, and each pass's entropy in nats to `entropies`, one pass
/// after the other. Logits are finite.
pub fn count(logits: &[f32], temperature: f64, votes: &mut Votes, entropies: &mut f64) {
    Count { logits, temperature, votes, entropies }.dispatch();
}

struct Count<'a> {
    logits: &'a [f32],
    temperature: f64,
    votes: &'a mut Votes,
    entropies: &'a mut f64,
}

impl SimdOp for Count<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, _: I) {
        let Count { logits, temperature, votes, entropies } = self;
        for logits in logits.chunks(LANES * CLASSES) {
            let passes = logits.len() / CLASSES;
            let mut scaled = [[0.0; LANES]; CLASSES];
            for pass in 0..passes {
                for class in 0..CLASSES {
                    scaled[class][pass] = f64::from(logits[pass * CLASSES + class]);
                }
                votes.votes[likeliest(&logits[pass * CLASSES..])] += 1;
            }
            let (probabilities, entropy) = softmax(scaled, temperature);
            for pass in 0..passes {
                for class in 0..CLASSES {
                    votes.probabilities[class] += probabilities[class][pass];
                }
                *entropies += entropy[pass];
            }
        }
    }
}

/// Returns the class with the largest logit, the first of equal ones.
#[inline(always)]
fn likeliest(logits: &[f32]) -> usize {
    let second = usize::from(logits[1] > logits[0]);
    let third = logits[2] > logits[0] && logits[2] > logits[1];
    if third { 2 } else { second }
}

/// Returns probabilities and their entropies.
#[inline(always)]
fn softmax(mut scaled: [Lanes; CLASSES], temperature: f64) -> ([Lanes; CLASSES], Lanes) {
    let mut are_usual = true;
    for lane in 0..LANES {
        for class in 0..CLASSES {
            scaled[class][lane] /= temperature;
        }
        let [a, b, c] = [0, 1, 2].map(|class| scaled[class][lane]);
        let largest = if a > b { a } else { b };
        let largest = if c > largest { c } else { largest };
        for class in 0..CLASSES {
            scaled[class][lane] -= largest;
            // Not so if the number is not one.
            are_usual &= scaled[class][lane] >= LEAST;
        }
    }
    let mut powers = scaled;
    for class in 0..CLASSES {
        powers[class] =
            if are_usual { exponentials(scaled[class]) } else { scaled[class].map(libm::exp) };
    }
    for lane in 0..LANES {
        let sum = powers[0][lane] + powers[1][lane] + powers[2][lane];
        for class in 0..CLASSES {
            powers[class][lane] /= sum;
        }
    }
    let mut entropy = [0.0; LANES];
    for class in 0..CLASSES {
        let logarithm =
            if are_usual { logarithms(powers[class]) } else { powers[class].map(libm::log) };
        for lane in 0..LANES {
            let p = powers[class][lane];
            entropy[lane] += if p > 0.0 { -p * logarithm[lane] } else { 0.0 };
        }
    }
    (powers, entropy)
}

/// The least number whose exponential [`exponentials`] gives: its power of two is normal.
const LEAST: f64 = -700.0;

/// A float whose unit in the last place is 1: a small whole number added to it stands in its last
/// bits.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// Returns the exponentials of numbers from [`LEAST`] to 0.
#[inline(always)]
fn exponentials(numbers: Lanes) -> Lanes {
    const LN2_HIGH: f64 = 6.931_471_803_691_238_164_90e-01;
    const LN2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;
    const P: [f64; 5] = [
        1.666_666_666_666_660_190_37e-01,
        -2.777_777_777_701_559_338_42e-03,
        6.613_756_321_437_934_361_17e-05,
        -1.653_390_220_546_525_153_90e-06,
        4.138_136_797_057_238_460_39e-08,
    ];
    let mut powers = [0.0; LANES];
    for lane in 0..LANES {
        let x = numbers[lane];
        let high = (x.to_bits() & !(1 << 63)) >> 32;
        let k = (std::f64::consts::LOG2_E * x - 0.5).trunc();
        let k = if high >= 0x3ff0_a2b2 { k } else { -1.0 };
        let k = if high > 0x3fd6_2e42 { k } else { 0.0 };
        let hi = x - k * LN2_HIGH;
        let lo = k * LN2_LOW;
        let r = hi - lo;
        let square = r * r;
        let series = P[0] + square * (P[1] + square * (P[2] + square * (P[3] + square * P[4])));
        let c = r - square * series;
        let y = 1.0 + (r * c / (2.0 - c) - lo + hi);
        let power = f64::from_bits(((k + WHOLE).to_bits().wrapping_add(1023)) << 52);
        powers[lane] = if high > 0x3e30_0000 { y * power } else { 1.0 + x };
    }
    powers
}

/// Returns the natural logarithms of numbers that are positive, finite and normal.
#[inline(always)]
fn logarithms(numbers: Lanes) -> Lanes {
    const LN2_HIGH: f64 = 6.931_471_803_691_238_164_90e-01;
    const LN2_LOW: f64 = 1.908_214_929_270_587_700_02e-10;
    const L: [f64; 7] = [
        6.666_666_666_666_735_130e-01,
        3.999_999_999_940_941_908e-01,
        2.857_142_874_366_239_149e-01,
        2.222_219_843_214_978_396e-01,
        1.818_357_216_161_805_012e-01,
        1.531_383_769_920_937_332e-01,
        1.479_819_860_511_658_591e-01,
    ];
    let mut logarithms = [0.0; LANES];
    for lane in 0..LANES {
        let bits = numbers[lane].to_bits();
        let high = (bits >> 32) + (0x3ff0_0000 - 0x3fe6_a09e);
        let exponent = (high >> 20).wrapping_sub(0x3ff);
        let k = f64::from_bits(WHOLE.to_bits().wrapping_add(exponent)) - WHOLE;
        let high = (high & 0x000f_ffff) + 0x3fe6_a09e;
        let x = f64::from_bits(high << 32 | bits & 0xffff_ffff);
        let f = x - 1.0;
        let half_square = 0.5 * f * f;
        let s = f / (2.0 + f);
        let z = s * s;
        let w = z * z;
        let even = w * (L[1] + w * (L[3] + w * L[5]));
        let odd = z * (L[0] + w * (L[2] + w * (L[4] + w * L[6])));
        let r = odd + even;
        logarithms[lane] = s * (half_square + r) + k * LN2_LOW - half_square + f + k * LN2_HIGH;
    }
    logarithms
}
