//! Philox4x32-10, random numbers by counter.
//!
//! Source: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3", SC '11 (the Random123 paper).

pub(crate) const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
pub(crate) const KEY_STEPS: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Returns one block of Philox4x32-10: four random words for a key and a counter.
#[inline]
pub fn philox4x32_10(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    let [mut key_0, mut key_1] = key;
    let mut x = counter;
    for _ in 0..10 {
        let product_0 = MULTIPLIERS[0] * u64::from(x[0]);
        let product_1 = MULTIPLIERS[1] * u64::from(x[2]);
        x = [
            (product_1 >> 32) as u32 ^ x[1] ^ key_0,
            product_1 as u32,
            (product_0 >> 32) as u32 ^ x[3] ^ key_1,
            product_0 as u32,
        ];
        key_0 = key_0.wrapping_add(KEY_STEPS[0]);
        key_1 = key_1.wrapping_add(KEY_STEPS[1]);
    }
    x
}

/// Returns the blocks of `N` counters that differ in their last word, which counts on from `last`:
/// by word, then by counter. Inlined, so that it is compiled for the vectors that the caller has.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "closures would not be compiled for those vectors")]
pub fn philox4x32_10_side_by_side<const N: usize>(
    key: [u32; 2],
    counter: [u32; 3],
    last: u32,
) -> [[u32; N]; 4] {
    // Every lane as wide as a product, so that nothing moves between lanes.
    let mut x = [[0; N]; 4];
    for lane in 0..N {
        for word in 0..3 {
            x[word][lane] = u64::from(counter[word]);
        }
        x[3][lane] = u64::from(last.wrapping_add(lane as u32));
    }
    let [mut key_0, mut key_1] = key;
    for _ in 0..10 {
        for lane in 0..N {
            // Only the low halves count; what is above them costs nothing to leave.
            let product_0 = MULTIPLIERS[0] * (x[0][lane] & 0xFFFF_FFFF);
            let product_1 = MULTIPLIERS[1] * (x[2][lane] & 0xFFFF_FFFF);
            x[0][lane] = (product_1 >> 32) ^ x[1][lane] ^ u64::from(key_0);
            x[1][lane] = product_1;
            x[2][lane] = (product_0 >> 32) ^ x[3][lane] ^ u64::from(key_1);
            x[3][lane] = product_0;
        }
        key_0 = key_0.wrapping_add(KEY_STEPS[0]);
        key_1 = key_1.wrapping_add(KEY_STEPS[1]);
    }
    let mut words = [[0; N]; 4];
    for word in 0..4 {
        for lane in 0..N {
            words[word][lane] = x[word][lane] as u32;
        }
    }
    words
}
