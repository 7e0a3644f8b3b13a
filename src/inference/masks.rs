//! Dropout masks by counter.

use algospace_hft_kernels::masks::Mask;

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
        let DropoutMasks { key, dropped_below, kept, passes, .. } = *self;
        let width = self.widths[layer];
        Mask { key, dropped_below, kept, decision, passes, start, width, units: mask }.fill();
    }
}
