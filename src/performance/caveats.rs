//! Caveats: facts to know before believing the figures, the one list that summary, report and
//! terminal show.

use super::report::format::{count, dollars};
use super::{DecisionSummary, RunRecord, Summary};
use crate::market::Money;

/// The caveat for a synthetic market.
pub const MADE_UP_MARKET: &str =
    "The market is synthetic: no result here says anything about a real one.";

/// The caveat where the strategy never saw enough.
pub const NOTHING_TO_DECIDE: &str = "No decision was possible: the history, or each part of it between gaps and contract changes, \
     is too short for what the strategy must see first.";

/// The number of trades below which a handful of them decides the outcome.
const FEW_TRADES: u64 = 100;

/// Returns the caveats of a run, a sentence or two each, the gravest first: what makes the figures
/// wrong, or may, then what they are not about, then how little carries them, then what is known of
/// data and settings. `summary` is the run's own, but for the caveats.
pub(super) fn caveats(record: &RunRecord, summary: &Summary) -> Vec<String> {
    let mut list = wrong(record, summary);
    // A note that ends with a question doubts the data; elsewhere in it a file's name may have a
    // question mark.
    let (doubts, facts): (Vec<_>, Vec<_>) =
        summary.data_notes.iter().cloned().partition(|note| note.ends_with('?'));
    list.extend(doubts);
    list.extend(elsewhere(summary));
    list.extend(thin(record, summary));
    list.extend(facts);
    list.extend(costless(summary));
    let mut told: Vec<String> = Vec::with_capacity(list.len());
    for caveat in list {
        if !told.contains(&caveat) {
            told.push(caveat);
        }
    }
    told
}

/// Returns what makes the figures wrong.
fn wrong(record: &RunRecord, summary: &Summary) -> Vec<String> {
    let mut list = Vec::new();
    if summary.interrupted {
        list.push("The run was stopped early: it covers only a part of the input.".to_owned());
    }
    if let Some(final_equity) = summary.statistics.final_equity {
        let gap = final_equity - summary.initial_capital - summary.statistics.net_pnl;
        if gap.abs() > 0.005 {
            list.push(format!(
                "The equity curve and the trades disagree by {}: one of them is wrong.",
                dollars(gap)
            ));
        }
    }
    if record.equity.iter().any(|point| point.equity <= Money::ZERO) {
        list.push(
            "The account fell to zero or below: a broker would have closed it there, so the rest \
             of the run could not have happened."
                .to_owned(),
        );
    }
    list
}

/// Returns what the figures do not describe: a real market, or what the networks were made for.
fn elsewhere(summary: &Summary) -> Vec<String> {
    let mut list = Vec::new();
    if summary.input_description.made_up {
        list.push(MADE_UP_MARKET.to_owned());
    }
    if let Some(decisions) = &summary.decisions {
        if !decisions.decided_by.trained {
            list.push(
                "The agents’ model set is untrained: its outputs are noise, and these figures say \
                 nothing about trained agents. Name a trained set in `marl_core.model_set`."
                    .to_owned(),
            );
        } else if !decisions.decided_by.description.is_empty() {
            list.push(format!(
                "The agents’ model set describes itself: “{}”",
                decisions.decided_by.description
            ));
        }
    }
    if summary.input_description.adjustment == "back" {
        list.push(
            "Prices of earlier contracts were moved to join later ones: they are not the prices \
             that traded, and turnover, which depends on prices, is wrong."
                .to_owned(),
        );
    }
    list
}

/// Returns caveats about figures that rest on few observations.
fn thin(record: &RunRecord, summary: &Summary) -> Vec<String> {
    let statistics = &summary.statistics;
    let mut list = Vec::new();
    if record.decides_from.is_none() && !record.equity.is_empty() {
        list.push(NOTHING_TO_DECIDE.to_owned());
    }
    if statistics.trades == 0 {
        list.push("There are no trades: most figures are undefined.".to_owned());
        list.extend(summary.decisions.as_ref().and_then(unsure));
        return list;
    }
    let intervals = &summary.confidence_intervals;
    match intervals.expectancy {
        Some(interval) if interval.lower <= 0.0 && interval.upper.is_some_and(|it| it >= 0.0) => {
            list.push(format!(
                "The {:.0}% interval of the expectancy, {} to {} per trade, includes zero: these \
                 trades do not distinguish skill from luck.",
                intervals.level * 100.0,
                dollars(interval.lower),
                dollars(interval.upper.unwrap_or(f64::NAN)),
            ));
        }
        Some(_) => {}
        None => list.push("There are too few trades for a confidence interval.".to_owned()),
    }
    if statistics.trades < FEW_TRADES {
        let trades = match statistics.trades {
            1 => "Only 1 trade".to_owned(),
            more => format!("Only {} trades", count(more)),
        };
        list.push(format!("{trades}: intervals are wide, and a few trades decide the outcome."));
    }
    let half_a_year = u64::from(record.calendar.sessions_a_year() / 2);
    if statistics.days < half_a_year {
        let days = match statistics.days {
            1 => "Only 1 trading day".to_owned(),
            more => format!("Only {} trading days", count(more)),
        };
        let extrapolated = match statistics.sharpe {
            Some(_) => ", and Sharpe and volatility are extrapolated",
            None => "",
        };
        list.push(format!(
            "{days} on which a decision was possible, less than half a year: Sortino, Calmar and \
             CAGR are not computed{extrapolated}."
        ));
    }
    list
}

/// Returns the caveat that the threshold was out of reach, if it was.
fn unsure(decisions: &DecisionSummary) -> Option<String> {
    let (highest, needed) =
        (decisions.highest_confidence?, decisions.decided_by.confidence_threshold);
    (highest < needed).then(|| {
        format!(
            "The agents never reached the threshold: their highest confidence was {highest:.3}, \
             and `marl_core.mc_dropout.confidence_threshold` is {needed}."
        )
    })
}

/// Returns the costs that only a real account would have paid.
fn costless(summary: &Summary) -> Vec<String> {
    let statistics = &summary.statistics;
    let mut list = Vec::new();
    if statistics.trades > 0 && statistics.costs == 0.0 {
        list.push("No commission was charged: a real account earns less.".to_owned());
    }
    if statistics.trades > 0 && statistics.slippage == 0.0 {
        list.push(
            "Every fill was at a traded price, without slippage: a real account earns less."
                .to_owned(),
        );
    }
    list
}
