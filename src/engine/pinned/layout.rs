//! How the stages are spread over threads.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::Role;

/// Stages that have a thread of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThreadLayout {
    /// None: bars, features, decision and orders share one. The fastest while the decision is cheap.
    Fused,
    /// The decision seat: a slow decision delays no order and no stop.
    #[default]
    DecisionApart,
    /// Features and matrices, and the decision seat.
    AllApart,
}

impl fmt::Display for ThreadLayout {
    /// Its name in the configuration.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ThreadLayout::Fused => "fused",
            ThreadLayout::DecisionApart => "decision_apart",
            ThreadLayout::AllApart => "all_apart",
        })
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
