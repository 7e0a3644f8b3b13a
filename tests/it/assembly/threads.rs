//! Settings of the pinned runner.

use std::path::Path;

use algospace_hft::engine::RunJournal;
use algospace_hft::engine::pinned::{PinnedSettings, ThreadLayout};
use algospace_hft::latency::Load;
use algospace_hft::machine::{Placed, Wait};
use algospace_hft::market::Instrument;
use algospace_hft::run::JournalHeader;
use algospace_hft::source::native::TickFileDescription;

/// All threads where the system puts them.
pub fn settings(
    layout: ThreadLayout,
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
        decision_budget: std::time::Duration::MAX,
    }
}

/// A journal that says nothing of its run.
pub fn begin_journal(path: &Path, layout: ThreadLayout) -> RunJournal {
    header(layout).begin(path).unwrap()
}

/// A header that says nothing of its run.
pub fn header(layout: ThreadLayout) -> JournalHeader {
    let instrument = Instrument::built_in("ES").unwrap();
    JournalHeader {
        version: String::new(),
        seed: 0,
        input: String::new(),
        description: TickFileDescription::new(&instrument, "a test"),
        notes: Vec::new(),
        configuration: String::new(),
        model_set: None,
        has_answers: layout != ThreadLayout::Fused,
        trades_from: None,
        follows: None,
    }
}
