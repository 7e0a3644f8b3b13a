//! Settings of the pinned runner.

use algospace_hft::latency::Load;
use algospace_hft::machine::{Placed, Wait};
use algospace_hft::pipeline::pinned::{Layout, PinnedSettings};

/// All threads where the system puts them.
pub fn settings(
    layout: Layout,
    ring_slots: usize,
    queue_slots: usize,
    wait: Wait,
) -> PinnedSettings {
    let roles = layout.roles(true).into_iter();
    PinnedSettings {
        layout,
        ring_slots,
        queue_slots,
        threads: roles.map(|role| Placed { role, core: None, wait }).collect(),
        shared: Vec::new(),
        real_time_priority: None,
        sample_every: 3,
        load: Load::ClosedLoop { expected_interval: None },
    }
}
