//! The distribution of the stages over threads.

use crate::machine::Role;
use crate::settings::names;

names! {
    /// Stages that have a thread of their own.
    pub enum ThreadLayout {
        /// None: bars, features, decision and orders share one. The fastest while the decision is
        /// cheap.
        Fused = "fused",
        /// The decision: a slow one delays no order and no stop.
        DecisionApart = "decision_apart",
        /// Features and matrices, and the decision.
        AllApart = "all_apart",
    }
}

impl ThreadLayout {
    /// Returns the threads of this layout.
    pub fn roles(self, with_journal: bool) -> Vec<Role> {
        let mut roles = vec![Role::Sequencer, Role::Stages];
        match self {
            ThreadLayout::Fused => {}
            ThreadLayout::DecisionApart => roles.push(Role::Decision),
            ThreadLayout::AllApart => roles.extend([Role::Features, Role::Decision]),
        }
        roles.extend(with_journal.then_some(Role::Journal));
        roles.push(Role::Metrics);
        roles
    }
}
