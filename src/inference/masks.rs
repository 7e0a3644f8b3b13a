//! Dropout masks by counter.

use crate::random::{PHILOX_KEY_STEPS, PHILOX_MULTIPLIERS, philox4x32_10};

/// Masks of two dropout layers for several agents and passes.
///
/// Whether a unit is dropped is a pure function of (seed, decision, agent, pass, unit): word `unit % 4` of the
/// Philox4x32-10 block whose key is the seed and whose counter is (decision, 65536 × agent + pass, unit / 4), the
/// 64-bit numbers low half first. The second layer's units are counted on from the first's. A unit is dropped if
/// its word is below `⌊p·2³²⌋`; one that stays counts `1/(1 − p)`.
#[derive(Clone, Debug)]
pub struct DropoutMasks {
    key: [u32; 2],
    /// Words below this are dropped.
    dropped_below: u32,
    /// What a unit that stays counts.
    kept: f32,
    agents: u32,
    passes: u32,
    widths: [usize; 2],
}

impl DropoutMasks {
    /// Masks by `seed` for `passes` passes (1 to 65,535) of each of `agents` agents over layers of `widths` units, each
    /// dropped with `probability` (0 ≤ p < 1).
    ///
    /// # Panics
    /// If a width is no multiple of four, or the probability or the passes are out of their range.
    pub fn new(
        seed: u64,
        agents: u32,
        passes: u32,
        widths: [usize; 2],
        probability: f64,
    ) -> DropoutMasks {
        assert!(widths.iter().all(|width| width % 4 == 0));
        assert!((0.0..1.0).contains(&probability) && (1..1 << 16).contains(&passes));
        DropoutMasks {
            key: [seed as u32, (seed >> 32) as u32],
            dropped_below: (probability * (1u64 << 32) as f64) as u32,
            kept: (1.0 / (1.0 - probability)) as f32,
            agents,
            passes,
            widths,
        }
    }

    /// Numbers of a layer's mask: agents × passes × width.
    pub fn size(&self, layer: usize) -> usize {
        self.agents as usize * self.passes as usize * self.widths[layer]
    }

    /// Fills the mask of a layer (0 or 1) for a decision: for each agent, for each pass, a number for each unit.
    ///
    /// # Panics
    /// If the mask is not of [`DropoutMasks::size`] numbers.
    pub fn fill(&self, decision: u64, layer: usize, mask: &mut [f32]) {
        assert_eq!(mask.len(), self.size(layer));
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2, as was just asked. `cargo bench --bench decision`, masks of a decision:
            // see perf/README.md.
            return unsafe { self.fill_by_avx2(decision, layer, mask) };
        }
        self.fill_rows(decision, layer, mask);
    }

    /// The same code, and so the same bits, in wider registers.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn fill_by_avx2(&self, decision: u64, layer: usize, mask: &mut [f32]) {
        self.fill_rows(decision, layer, mask);
    }

    #[inline(always)]
    fn fill_rows(&self, decision: u64, layer: usize, mask: &mut [f32]) {
        let start = if layer == 0 { 0 } else { (self.widths[0] / 4) as u32 };
        let mut rows = mask.chunks_exact_mut(self.widths[layer]);
        for agent in 0..self.agents {
            for (pass, row) in (0..self.passes).zip(&mut rows) {
                self.fill_row(decision, agent << 16 | pass, start, row);
            }
        }
    }

    /// Fills the mask of one layer of one pass, whose units begin at block `start`.
    #[inline(always)]
    fn fill_row(&self, decision: u64, pass: u32, start: u32, row: &mut [f32]) {
        let counter = [decision as u32, (decision >> 32) as u32, pass];
        let mut lanes = row.chunks_exact_mut(4 * LANES);
        let mut block = start;
        for units in &mut lanes {
            let words = philox_lanes(self.key, counter, block);
            for lane in 0..LANES {
                for (word, words) in words.iter().enumerate() {
                    let is_dropped = words[lane] < self.dropped_below;
                    units[4 * lane + word] = if is_dropped { 0.0 } else { self.kept };
                }
            }
            block += LANES as u32;
        }
        for units in lanes.into_remainder().chunks_exact_mut(4) {
            let words = philox4x32_10(self.key, [counter[0], counter[1], counter[2], block]);
            for (unit, word) in units.iter_mut().zip(words) {
                *unit = if word < self.dropped_below { 0.0 } else { self.kept };
            }
            block += 1;
        }
    }
}

/// Blocks that are made at once.
const LANES: usize = 8;

/// So many blocks of [`philox4x32_10`] side by side, whose counters end in `block`, `block + 1`, …; by word, then by
/// block.
#[inline(always)]
fn philox_lanes(key: [u32; 2], counter: [u32; 3], block: u32) -> [[u32; LANES]; 4] {
    let mut blocks = [0; LANES];
    for (lane, number) in blocks.iter_mut().enumerate() {
        *number = block + lane as u32;
    }
    let mut x = [[counter[0]; LANES], [counter[1]; LANES], [counter[2]; LANES], blocks];
    let [mut key_0, mut key_1] = key;
    for _ in 0..10 {
        let mut next = [[0; LANES]; 4];
        for lane in 0..LANES {
            let product_0 = u64::from(PHILOX_MULTIPLIERS[0]) * u64::from(x[0][lane]);
            let product_1 = u64::from(PHILOX_MULTIPLIERS[1]) * u64::from(x[2][lane]);
            next[0][lane] = (product_1 >> 32) as u32 ^ x[1][lane] ^ key_0;
            next[1][lane] = product_1 as u32;
            next[2][lane] = (product_0 >> 32) as u32 ^ x[3][lane] ^ key_1;
            next[3][lane] = product_0 as u32;
        }
        x = next;
        key_0 = key_0.wrapping_add(PHILOX_KEY_STEPS[0]);
        key_1 = key_1.wrapping_add(PHILOX_KEY_STEPS[1]);
    }
    x
}
