//! Dropout masks by counter.

use rten_simd::{Isa, SimdOp};

use crate::random::{philox4x32_10, philox4x32_10_side_by_side};

/// Masks of two dropout layers for several agents and passes.
///
/// Whether a unit is dropped is a pure function of (seed, decision, agent, pass, unit): word `unit
/// % 4` of the Philox4x32-10 block whose key is the seed and whose counter is (decision, 65536 ×
/// agent + pass, unit / 4), the 64-bit numbers low half first. The second layer's units are counted
/// on from the first's. A unit is dropped if its word is below `⌊p·2³²⌋`; one that stays counts
/// `1/(1 − p)`.
#[derive(Clone, Debug)]
pub struct DropoutMasks {
    key: [u32; 2],
    /// Words below this are dropped.
    dropped_below: u32,
    /// Factor of a unit that stays.
    kept: f32,
    agents: u32,
    passes: u32,
    widths: [usize; 2],
}

impl DropoutMasks {
    /// Masks by `seed` for `passes` passes (1 to 65,535) of each of `agents` agents over layers of
    /// `widths` units, each dropped with `probability` (0 ≤ p < 1).
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

    /// Fills the mask of a layer (0 or 1) for a decision: for each agent, for each pass, a number
    /// for each unit.
    ///
    /// # Panics
    /// If the mask is not of [`DropoutMasks::size`] numbers.
    pub fn fill(&self, decision: u64, layer: usize, mask: &mut [f32]) {
        assert_eq!(mask.len(), self.size(layer));
        let start = if layer == 0 { 0 } else { (self.widths[0] / 4) as u32 };
        let mut rows = mask.chunks_exact_mut(self.widths[layer]);
        for agent in 0..self.agents {
            for (pass, row) in (0..self.passes).zip(&mut rows) {
                self.fill_row(decision, agent << 16 | pass, start, row);
            }
        }
    }

    /// Fills the mask of one layer of one pass, whose units begin at block `start`.
    fn fill_row(&self, decision: u64, pass: u32, start: u32, row: &mut [f32]) {
        let counter = [decision as u32, (decision >> 32) as u32, pass];
        let many = row.len() / (4 * LANES) * LANES;
        let (side_by_side, rest) = row.split_at_mut(4 * many);
        SideBySide { masks: self, counter, start, row: side_by_side }.dispatch();
        for (block, units) in (start + many as u32..).zip(rest.chunks_exact_mut(4)) {
            let words = philox4x32_10(self.key, [counter[0], counter[1], counter[2], block]);
            for (unit, word) in units.iter_mut().zip(words) {
                *unit = unit_of(word, self.dropped_below, self.kept);
            }
        }
    }
}

#[inline(always)]
fn unit_of(word: u32, dropped_below: u32, kept: f32) -> f32 {
    if word < dropped_below { 0.0 } else { kept }
}

/// Blocks that are computed side by side.
const LANES: usize = 16;

/// Units of a row, [`LANES`] blocks at a time.
struct SideBySide<'a> {
    masks: &'a DropoutMasks,
    counter: [u32; 3],
    start: u32,
    row: &'a mut [f32],
}

impl SimdOp for SideBySide<'_> {
    type Output = ();

    /// Plain loops over arrays: dispatched, so that they are compiled for the vectors of the
    /// machine at hand.
    #[inline(always)]
    #[allow(
        clippy::needless_range_loop,
        reason = "closures would not be compiled for those vectors"
    )]
    fn eval<I: Isa>(self, _: I) {
        let SideBySide { masks, counter, start, row } = self;
        // By value: behind a reference they are gathered for each lane.
        let DropoutMasks { key, dropped_below, kept, .. } = *masks;
        for (blocks, units) in row.chunks_exact_mut(4 * LANES).enumerate() {
            let first = start + (blocks * LANES) as u32;
            let words = philox4x32_10_side_by_side::<LANES>(key, counter, first);
            for lane in 0..LANES {
                for word in 0..4 {
                    let word_of = words[word][lane];
                    units[4 * lane + word] = unit_of(word_of, dropped_below, kept);
                }
            }
        }
    }
}
