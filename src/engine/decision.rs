//! The way to the decision seat and back: questions, answers, and when an answer counts.

use serde::{Deserialize, Serialize};

use super::sink::Sink;
use crate::execution::{Account, Decision};
use crate::market::{Bar, Price, Tick, Timestamp};
use crate::strategy::DecisionRecord;

/// The decision seat is asked what to do, at the close of a bar of its timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// 1, 2, 3, … in the order of asking.
    pub number: u64,
    /// Market time at which the bar was seen to be closed.
    pub asked: Timestamp,
    /// Counts sessions and contracts, so that an answer for an earlier one is known.
    pub stretch: u32,
}

/// What the decision seat says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// To what.
    pub question: Question,
    /// What to do; `None` leaves things as they are.
    pub decision: Option<Decision>,
    /// Whether the seat took longer than its budget: whatever it would have done is not done. Only where
    /// answers count from their arrival.
    pub is_overdue: bool,
}

/// When an answer takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DecisionTiming {
    /// So many nanoseconds (≥ 0) of market time after the question, however long it took: in every
    /// simulation, so that no result depends on the machine.
    After(i64),
    /// When it arrives: live.
    OnArrival,
}

impl DecisionTiming {
    /// When an answer to a question of this instant takes effect; `None` if that is when it arrives.
    pub fn due(self, asked: Timestamp) -> Option<Timestamp> {
        match self {
            DecisionTiming::After(latency) => Some(asked.saturating_add(latency)),
            DecisionTiming::OnArrival => None,
        }
    }
}

/// Why a series does not go on from its last bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It moves to another contract, at whose prices what is remembered goes on.
    Contract,
    /// Whole sessions are missing, and nobody knows what happened in them.
    MissingSessions,
}

/// What stands behind the bars: features and the decision seat themselves, or the queue that leads to
/// them.
pub trait Downstream {
    /// A trade that the open bar took.
    fn on_trade(&mut self, tick: &Tick);
    /// A bar closed.
    fn on_bar(&mut self, bar: &Bar, sink: &mut impl Sink);
    /// A decision is asked for at the close of `bar`, after every bar that closes with it.
    fn on_question(&mut self, bar: &Bar, question: &Question, account: &Account);
    /// An answer that is there already, where the decision seat is called and not written to.
    fn take_answer(&mut self) -> Option<Answer> {
        None
    }
    /// What the decision seat thought of the question of this number, if it says so; once.
    fn take_record(&mut self, _question: u64) -> Option<DecisionRecord> {
        None
    }
    /// The series goes on at `new` in another contract, where the old one ended at `old`.
    fn on_contract_change(&mut self, old: Price, new: Price);
    /// The series does not go on from the last bar.
    fn on_restart(&mut self, why: Break);
}
