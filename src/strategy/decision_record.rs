//! Everything that the agents thought of one question.

use serde::{Deserialize, Serialize};

use crate::execution::Target;
use crate::market::{Money, Timestamp};

/// The agents, in the order of every array here.
pub const AGENTS: [&str; 3] = ["structure", "tactical", "regime"];

/// The classes that an agent votes for, in the order of every array here.
pub const CLASSES: [&str; 3] = ["short", "stand_aside", "long"];

/// Most numbers of a regime vector.
pub const MOST_REGIME: usize = 16;

/// One decision: what went into it, what came of it, and why. Every number is finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionRecord {
    /// Number of the question, 1, 2, 3, …
    pub question: u64,
    /// End of the bar on whose close it was asked.
    pub bar_end: Timestamp,
    /// Contracts held then; positive long.
    pub position: i64,
    /// The regime engine's description of the market; the first `regime_width` numbers count.
    pub regime: [f32; MOST_REGIME],
    /// Numbers of the regime vector; 0 while absent.
    pub regime_width: u8,
    /// Outcome of the agents' vote; `None` if there was no vote or it failed.
    pub opportunity: Option<Opportunity>,
    /// The risk sub-system's proposal; `None` if it was not asked or failed.
    pub proposal: Option<RiskProposal>,
    /// Probability that the gate gives to executing, 0 to 1; `None` if it was not asked or failed.
    pub execute: Option<f32>,
    /// Reasons why nothing was decided; empty if an entry was.
    pub reasons: Reasons,
}

impl DecisionRecord {
    /// Nothing was thought.
    pub const EMPTY: DecisionRecord = DecisionRecord {
        question: 0,
        bar_end: Timestamp::MIN,
        position: 0,
        regime: [0.0; MOST_REGIME],
        regime_width: 0,
        opportunity: None,
        proposal: None,
        execute: None,
        reasons: Reasons::NONE,
    };

    /// Returns whether an entry was decided. The desk may refuse it still.
    pub fn is_executed(&self) -> bool {
        self.reasons.is_empty() && self.execute.is_some()
    }
}

/// Stage one: what the passes of all agents say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opportunity {
    /// The side with the larger mean probability, never flat; long where both are equal.
    pub direction: Target,
    /// Mean probability of each class over passes and agents.
    pub probabilities: [f32; 3],
    /// Mean probability of each class over passes, for each agent.
    pub agents: [[f32; 3]; 3],
    /// Votes of each agent for each class: the likeliest class of each pass.
    pub votes: [[u16; 3]; 3],
    /// Mean probability of the direction, after calibration, 0 to 1.
    pub confidence: f32,
    /// Mean entropy of a pass, in nats, 0 to ln 3: what no further pass can settle.
    pub aleatoric: f32,
    /// Mutual information between class and pass, in nats, 0 to ln 3: what the passes disagree on.
    pub epistemic: f32,
    /// Share of all votes that the direction has, 0 to 1.
    pub agreement: f32,
}

/// The risk sub-system's proposal, after the rule constraints.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RiskProposal {
    /// The network's output: share of the most contracts, 0 to 1.
    pub size: f32,
    /// The network's output: stop distance in average true ranges, 0.5 to 3.
    pub stop: f32,
    /// The network's output: reward for one unit of risk, 1 to 5.
    pub reward: f32,
    /// Contracts (0 if the rules leave none).
    pub contracts: u32,
    /// Distance of the stop from the entry, in ticks (≥ 1).
    pub stop_ticks: u32,
    /// Distance of the target from the entry, in ticks (≥ `stop_ticks`).
    pub target_ticks: u32,
    /// Loss if the stop fills at its price, without costs.
    pub risk: Money,
    /// The same as a share of equity.
    pub risk_share: f32,
    /// `true` if the stop was moved to a strong low-volume node.
    pub stop_at_node: bool,
}

/// The reason why nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// A matrix is not whole yet.
    NotReady,
    /// A network failed, or gave a number that is NaN or out of its range.
    Fault,
    /// Confidence below `marl_core.mc_dropout.confidence_threshold`.
    Confidence,
    /// Epistemic uncertainty above `marl_core.mc_dropout.maximum_epistemic`.
    Epistemic,
    /// Agreement below `marl_core.mc_dropout.minimum_agreement`.
    Agreement,
    /// The position, or an entry on its way, has that direction already.
    Held,
    /// There is no average true range to measure the stop by.
    NoRange,
    /// The rules leave no contract: one would risk more than `risk_management.max_risk_per_trade`,
    /// or than the day's drawdown limit leaves.
    Risk,
    /// The gate's probability is below `marl_core.gate_threshold`.
    Gate,
}

impl Reason {
    /// Every reason, in a fixed order.
    pub const ALL: [Reason; 9] = [
        Reason::NotReady,
        Reason::Fault,
        Reason::Confidence,
        Reason::Epistemic,
        Reason::Agreement,
        Reason::Held,
        Reason::NoRange,
        Reason::Risk,
        Reason::Gate,
    ];

    /// As written to tables and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Reason::NotReady => "not_ready",
            Reason::Fault => "fault",
            Reason::Confidence => "confidence",
            Reason::Epistemic => "epistemic_uncertainty",
            Reason::Agreement => "agreement",
            Reason::Held => "held_already",
            Reason::NoRange => "no_true_range",
            Reason::Risk => "risk",
            Reason::Gate => "gate",
        }
    }
}

/// A set of [`Reason`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reasons(u16);

impl Reasons {
    /// None.
    pub const NONE: Reasons = Reasons(0);

    /// Adds a reason.
    pub fn add(&mut self, reason: Reason) {
        self.0 |= 1 << reason as u16;
    }

    /// Returns whether it is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns whether it holds a reason.
    pub fn has(self, reason: Reason) -> bool {
        self.0 >> reason as u16 & 1 == 1
    }

    /// Its reasons, in their fixed order.
    pub fn iter(self) -> impl Iterator<Item = Reason> {
        Reason::ALL.into_iter().filter(move |&reason| self.has(reason))
    }
}
