//! The agents' decisions in figures.

use serde::{Deserialize, Serialize};

use super::{DecidedBy, RunRecord};
use crate::execution::Target;
use crate::execution::Trade;
use crate::market::{Money, Side};
use crate::performance::Reliability;
use crate::strategy::{DecisionRecord, Reason};

/// The fewest trades that can show whether confidence predicts outcomes.
pub(super) const FEWEST_FORETOLD: usize = 50;

/// The agents' decisions in figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DecisionSummary {
    /// The networks that decided.
    #[serde(flatten)]
    pub decided_by: DecidedBy,
    /// Questions.
    pub asked: u64,
    /// Those at which an entry was decided. The desk may refuse it, or have one of the same side on
    /// its way.
    pub executed: u64,
    /// The highest confidence of any vote, 0 to 1; `None` without votes.
    #[serde(default)]
    pub highest_confidence: Option<f64>,
    /// Those that each reason refused, of the reasons that refused any; one question can have
    /// several.
    pub refused: Vec<(String, u64)>,
    /// Confidence compared with whether the trade that followed earned more than it cost; `None`
    /// with fewer than fifty trades.
    pub reliability: Option<Reliability>,
}

impl DecisionSummary {
    /// Returns the figures of a run; `None` if no agents decided.
    pub fn of(record: &RunRecord) -> Option<DecisionSummary> {
        let decisions = &record.decisions;
        let refused = Reason::ALL.into_iter().map(|reason| {
            let refused = decisions.iter().filter(|decision| decision.reasons.has(reason));
            (reason.name().to_owned(), refused.count() as u64)
        });
        Some(DecisionSummary {
            decided_by: record.decided_by.clone()?,
            asked: decisions.len() as u64,
            executed: decisions.iter().filter(|decision| decision.is_executed()).count() as u64,
            highest_confidence: decisions
                .iter()
                .filter_map(|decision| Some(f64::from(decision.opportunity?.confidence)))
                .reduce(f64::max),
            refused: refused.filter(|&(_, count)| count > 0).collect(),
            reliability: Some(outcomes(decisions, &record.trades))
                .filter(|outcomes| outcomes.len() >= FEWEST_FORETOLD)
                .and_then(|outcomes| Reliability::of(&outcomes)),
        })
    }
}

/// Returns the confidence of the decision behind each trade, and whether the trade's net profit was
/// above zero. Behind a trade is the last decision of its side before its entry.
pub(super) fn outcomes(decisions: &[DecisionRecord], trades: &[Trade]) -> Vec<(f64, bool)> {
    let executed: Vec<_> = decisions
        .iter()
        .filter(|decision| decision.is_executed())
        .filter_map(|decision| Some((decision.bar_end, decision.opportunity?)))
        .collect();
    let behind = |trade: &Trade| {
        let before = executed.partition_point(|&(bar_end, _)| bar_end <= trade.entry_time);
        let side = if trade.side == Side::Buy { Target::Long } else { Target::Short };
        let vote = executed[..before].iter().rev().map(|(_, vote)| vote);
        let vote = vote.into_iter().find(|vote| vote.direction == side)?;
        Some((f64::from(vote.confidence), trade.net_pnl() > Money::ZERO))
    };
    trades.iter().filter_map(behind).collect()
}
