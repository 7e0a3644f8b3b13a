//! The team as it is asked: what decides, as a whole.

use std::sync::Arc;

use super::foreseen::Foreseen;
use super::risk::Wish;
use crate::inference::Backend;
use crate::matrix::MatrixKind;
use crate::strategy::{MOST_REGIME, Opportunity};

/// What decides: windows and a question in, a thought out.
///
/// [`ByGraphs`](super::ByGraphs) runs one graph after the other on any backend. The whole can as
/// well be one program of a device; so nothing of how it is made up is seen from here.
pub trait Team: Send {
    /// Shows the whole window of a matrix, oldest row first, whose newest row has this number.
    fn observe(&mut self, matrix: MatrixKind, newest: u64, window: &[f32]);

    /// Takes what its encoders give on a history to come. No thought depends on whether it was
    /// called.
    fn foresee(&mut self, _foreseen: Arc<Foreseen>) {}

    /// Does in advance the work for the question of this number that no later window changes. No
    /// thought depends on whether it was called.
    fn prepare(&mut self, _question: u64) {}

    /// Thinks about the windows that it was shown last, all of which are there. Its action may be
    /// left out on an opportunity that is not wanted.
    fn think(&mut self, asked: &Asked, is_wanted: &IsWanted<'_>) -> Thought;

    /// Returns the backend on whose thread it thinks soonest, if there is one.
    fn backend(&self) -> Option<Arc<dyn Backend>>;
}

/// Says whether an opportunity is one to act on.
pub type IsWanted<'a> = dyn Fn(&Opportunity) -> bool + Sync + 'a;

/// A question, and what the networks see beside the windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    /// Number of the question, which names the dropout masks.
    pub question: u64,
    /// See [`ACCOUNT`](super::model_set::ACCOUNT).
    pub account: [f32; 5],
    /// See [`VOLATILITY`](super::model_set::VOLATILITY).
    pub volatility: f32,
}

/// What comes of a question: parts are absent where a network failed, or gave NaN, or a part before
/// them is absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thought {
    /// The regime vector, and 0 beyond its width.
    pub regime: [f32; MOST_REGIME],
    /// Width of the regime vector; 0 if it is absent.
    pub regime_width: u8,
    /// The agents' vote.
    pub opportunity: Option<Opportunity>,
    /// What to do about it.
    pub action: Option<TeamAction>,
}

impl Thought {
    /// A thought without parts.
    pub const NONE: Thought =
        Thought { regime: [0.0; MOST_REGIME], regime_width: 0, opportunity: None, action: None };
}

/// What a team would do about an opportunity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TeamAction {
    /// The wish of the risk sub-system, which is sound.
    pub wish: Wish,
    /// The gate's probability, 0 to 1; anything else if it failed.
    pub execute: f32,
}
