//! Random numbers by counter: Philox4x32-10.
//!
//! A generator of this kind has no state that must be run through: word number `n` of stream `s` of
//! seed `k` is a pure function of (`k`, `s`, `n`), so that any draw can be made again alone, in any
//! order, on the CPU or on a GPU.
//!
//! Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3", SC '11 (the Random123 paper).
//!
//! Every result here is bit-identical on every machine: integers, and floats made only with the
//! operations that IEEE 754 defines exactly (+, −, ×, ÷); no logarithm of the platform's library.

pub use algospace_hft_kernels::philox::philox4x32_10;

/// One stream of random numbers, read in order or from any position.
///
/// Word `n` of the stream is word `n % 4` of the Philox block whose key is the seed and whose
/// counter is (`n / 4`, stream), each as two 32-bit halves, low half first.
///
/// ```
/// use algospace_hft::random::Random;
///
/// let (mut one, mut same) = (Random::new(7, 0), Random::new(7, 0));
/// assert!((0..100).all(|_| one.below(6) == same.below(6)));
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    seed: u64,
    stream: u64,
    next_block: u64,
    block: [u32; 4],
    used: usize,
}

impl Random {
    /// Creates the stream from its first word.
    pub const fn new(seed: u64, stream: u64) -> Random {
        Random { seed, stream, next_block: 0, block: [0; 4], used: 4 }
    }

    /// Creates the stream from word number `position`. It gives what [`Random::new`] gives after
    /// that many words.
    pub fn at(seed: u64, stream: u64, position: u64) -> Random {
        let mut random = Random::new(seed, stream);
        random.next_block = position / 4;
        let skipped = (position % 4) as usize;
        if skipped != 0 {
            random.refill();
            random.used = skipped;
        }
        random
    }

    /// Returns the number of the next word: the count of words drawn since the stream's start.
    pub const fn position(&self) -> u64 {
        self.next_block * 4 - (4 - self.used) as u64
    }

    fn refill(&mut self) {
        let halves = |value: u64| (value as u32, (value >> 32) as u32);
        let (key_low, key_high) = halves(self.seed);
        let (block_low, block_high) = halves(self.next_block);
        let (stream_low, stream_high) = halves(self.stream);
        self.block =
            philox4x32_10([key_low, key_high], [block_low, block_high, stream_low, stream_high]);
        self.next_block += 1;
        self.used = 0;
    }

    /// Returns 32 random bits: one word.
    #[inline]
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.refill();
        }
        let word = self.block[self.used];
        self.used += 1;
        word
    }

    /// Returns 64 random bits: two words, the low half first.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        let low = u64::from(self.next_u32());
        low | u64::from(self.next_u32()) << 32
    }

    /// Returns a float in [0, 1), a whole multiple of 2⁻⁵³: two words.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Returns a whole number in `0..bound` (`bound` > 0), each exactly as likely as any other: one
    /// word, and rarely more.
    ///
    /// Source: D. Lemire, "Fast random integer generation in an interval", ACM TOMACS 29 (2019).
    #[inline]
    pub fn below(&mut self, bound: u32) -> u32 {
        debug_assert!(bound > 0, "no whole number lies in 0..0");
        let mut product = u64::from(self.next_u32()) * u64::from(bound);
        if (product as u32) < bound {
            let rejected = bound.wrapping_neg() % bound;
            while (product as u32) < rejected {
                product = u64::from(self.next_u32()) * u64::from(bound);
            }
        }
        (product >> 32) as u32
    }

    /// Returns a float from the exponential distribution of mean 1, at most 53 ln 2 ≈ 36.7: two
    /// words.
    #[inline]
    pub fn exponential(&mut self) -> f64 {
        // 1 − U in (0, 1], so that the logarithm is finite.
        let unit = ((self.next_u64() >> 11) + 1) as f64 * (1.0 / (1u64 << 53) as f64);
        -natural_logarithm(unit)
    }
}

/// Returns ln `x` for a normal `x` > 0, within 4e-16 relative or 2e-16 absolute, with exact
/// operations only.
///
/// x = m 2ᵉ with m in [√½, √2), and ln m = 2 artanh((m − 1)/(m + 1)) as its power series.
#[inline]
fn natural_logarithm(x: f64) -> f64 {
    const SQUARE_ROOT_HALF_BITS: u64 = std::f64::consts::FRAC_1_SQRT_2.to_bits();
    let offset = x.to_bits().wrapping_sub(SQUARE_ROOT_HALF_BITS) as i64;
    let exponent = offset >> 52;
    let m = f64::from_bits(x.to_bits().wrapping_sub((exponent << 52) as u64));
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut series = 0.0;
    for divisor in [21.0, 19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        series = series * square + 1.0 / divisor;
    }
    let ln_m = 2.0 * s + 2.0 * s * square * series;
    exponent as f64 * std::f64::consts::LN_2 + ln_m
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn gives_the_known_answers_of_random123() {
        // The file `kat_vectors` of Random123 (philox4x32 10).
        let ones = u32::MAX;
        assert_eq!(
            philox4x32_10([0; 2], [0; 4]),
            [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
        );
        assert_eq!(
            philox4x32_10([ones; 2], [ones; 4]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32_10(
                [0xa409_3822, 0x299f_31d0],
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344]
            ),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, stream| Random::new(seed, stream).next_u64();
        let mut values: Vec<u64> = [(1, 0), (1, 1), (2, 0), (1 << 32, 0), (1, 1 << 32), (0, 1)]
            .map(|(seed, stream)| first(seed, stream))
            .to_vec();
        values.sort_unstable();
        values.dedup();
        assert_eq!(values.len(), 6);
    }

    #[test]
    fn whole_numbers_below_a_bound_are_equally_likely() {
        // Chi-square with 9 degrees of freedom: above 27.9 once in a thousand seeds.
        let mut random = Random::new(7, 0);
        let mut counts = [0u32; 10];
        for _ in 0..100_000 {
            counts[random.below(10) as usize] += 1;
        }
        let chi: f64 = counts.iter().map(|&n| (f64::from(n) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi < 27.9, "chi-square {chi}: {counts:?}");
        // A bound just above 2³¹ is where a plain multiply-and-shift would favour every other
        // number.
        let bound = (1 << 31) + 1;
        let odd = (0..20_000).filter(|_| random.below(bound) % 2 == 1).count();
        assert!((9_700..10_300).contains(&odd), "{odd} of 20000 odd");
    }

    #[test]
    fn units_and_exponentials_have_their_moments() {
        let mut random = Random::new(11, 3);
        let n = 200_000;
        let mut unit_sum = 0.0;
        let (mut sum, mut squares, mut above_3) = (0.0, 0.0, 0u32);
        for _ in 0..n {
            let unit = random.unit();
            assert!((0.0..1.0).contains(&unit));
            unit_sum += unit;
            let value = random.exponential();
            assert!((0.0..37.0).contains(&value));
            sum += value;
            squares += value * value;
            above_3 += u32::from(value > 3.0);
        }
        let n = f64::from(n);
        // Bands of five standard errors.
        assert!((unit_sum / n - 0.5).abs() < 5.0 * 0.289 / n.sqrt());
        assert!((sum / n - 1.0).abs() < 5.0 / n.sqrt());
        assert!((squares / n - 2.0).abs() < 5.0 * 4.47 / n.sqrt());
        let tail = (-3f64).exp();
        assert!((f64::from(above_3) / n - tail).abs() < 5.0 * (tail / n).sqrt());
    }

    proptest! {
        #[test]
        fn any_draw_can_be_made_again_alone(seed: u64, stream: u64, position in 0u64..5_000) {
            let mut from_start = Random::new(seed, stream);
            for _ in 0..position {
                from_start.next_u32();
            }
            prop_assert_eq!(from_start.position(), position);
            let mut alone = Random::at(seed, stream, position);
            prop_assert_eq!(alone.position(), position);
            for _ in 0..9 {
                prop_assert_eq!(alone.next_u32(), from_start.next_u32());
            }
        }

        #[test]
        fn logarithm_agrees_with_the_standard_library(mantissa in 1u64..=(1 << 53), shift in 0i32..53) {
            let x = mantissa as f64 / (1u64 << 53) as f64 / 2f64.powi(shift);
            let expected = x.ln();
            let error = (natural_logarithm(x) - expected).abs();
            prop_assert!(error <= 4e-16 + 4e-16 * expected.abs(), "{} {} {}", x, expected, error);
        }
    }
}
