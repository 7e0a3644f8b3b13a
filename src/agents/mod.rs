//! The team of agents in the decision seat.
//!
//! On every close of the tactical matrix's bars, [`Agents`] decide in two stages. First each of
//! three agents votes, in many passes with dropout, on what its encoder made of its matrix; their
//! vote is an opportunity if it is confident enough, and if they and their passes agree. Then the
//! risk sub-system proposes size, stop and target, the rules cut it down, and the gate lets it pass
//! or not. What came of it all is a [`DecisionRecord`](crate::strategy::DecisionRecord). If an
//! input is missing, a network fails or an output is NaN, no order is sent.
//!
//! The networks are asked as a whole, as a [`Team`]; [`Agents`] know windows, thresholds and rules.
//! The networks come as a [`model_set::ModelSet`], which loads whole or is refused.

mod by_graphs;
mod foreseen;
pub mod model_set;
mod risk;
mod seat;
mod settings;
mod team;
mod vote;

pub use by_graphs::ByGraphs;
pub use foreseen::{Foreseen, foresee};
pub use risk::{RiskRules, Wish};
pub use seat::{AgentSettings, Agents};
pub(crate) use seat::{account_inputs, volatility_input};
pub use settings::{MarlCoreSettings, McDropoutSettings, RegimeSettings};
pub use team::{Asked, IsWanted, Team, TeamAction, Thought};
pub use vote::count_votes;

#[cfg(test)]
pub(crate) mod tests;
