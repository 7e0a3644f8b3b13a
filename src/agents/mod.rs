//! The team of agents in the decision seat.

mod decision_record;

pub use decision_record::{
    AGENTS, CLASSES, DecisionRecord, MOST_REGIME, Opportunity, Reason, Reasons, RiskProposal,
};
