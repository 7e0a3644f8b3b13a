//! What a reader must know before believing the figures.

use super::Run;
use super::format::{count, dollars};
use crate::market::Money;

/// Below this, a handful of trades decides the outcome.
const FEW_TRADES: u64 = 100;
/// Below this, yearly figures are extrapolated from days.
const FEW_DAYS: u64 = 126;

/// The caveats, a sentence or two each, the gravest first; plain text.
pub(super) fn caveats(run: &Run) -> Vec<String> {
    let summary = run.summary;
    let statistics = &summary.statistics;
    let mut list = Vec::new();
    if summary.interrupted {
        list.push("The run was interrupted: it covers only a part of the input.".to_owned());
    }
    if let Some(final_equity) = statistics.final_equity {
        let gap = final_equity - summary.initial_capital - statistics.net_pnl;
        if gap.abs() > 0.005 {
            list.push(format!(
                "The equity curve and the trades disagree by {}: one of them is wrong.",
                dollars(gap)
            ));
        }
    }
    if run.equity.iter().any(|point| point.equity <= Money::ZERO) {
        list.push(
            "The account fell to zero or below: a broker would have closed it there, and what \
             follows could not have happened."
                .to_owned(),
        );
    }
    if let Some(decisions) = &summary.decisions
        && !decisions.decided_by.trained
    {
        list.push(
            "The agents' model set is untrained: what they say is noise, and these figures say \
             nothing of what trained agents would do."
                .to_owned(),
        );
    }
    if let Some(seconds) = summary.input_description.expanded_from_bars_of_seconds {
        list.push(format!(
            "The ticks were made from history bars of {seconds} seconds, not from trades. When a \
             bar reaches both a stop and a target, which came first is a guess."
        ));
    }
    list.extend(summary.data_notes.iter().cloned());
    if summary.input_description.adjustment == "back" {
        list.push(
            "Prices of earlier contracts were moved to join later ones: they are not the prices \
             that traded, and turnover, which rests on prices, is off."
                .to_owned(),
        );
    }
    if statistics.trades == 0 {
        list.push("There is no trade: most figures are not defined.".to_owned());
        return list;
    }
    if statistics.costs == 0.0 {
        list.push("No commission was charged: a real account earns less.".to_owned());
    }
    if statistics.slippage == 0.0 {
        list.push(
            "Every fill was at a traded price, without slippage: a real account earns less."
                .to_owned(),
        );
    }
    let intervals = &summary.confidence_intervals;
    match intervals.expectancy {
        Some(interval) if interval.lower <= 0.0 && interval.upper.is_some_and(|it| it >= 0.0) => {
            list.push(format!(
                "The {:.0}% interval of the expectancy, {} to {} per trade, includes zero: these \
                 trades do not tell skill from luck.",
                intervals.level * 100.0,
                dollars(interval.lower),
                dollars(interval.upper.unwrap_or(f64::NAN)),
            ));
        }
        Some(_) => {}
        None => list.push("There are too few trades for a confidence interval.".to_owned()),
    }
    if statistics.trades < FEW_TRADES {
        list.push(format!(
            "Only {} trades: intervals are wide, and a few trades decide the outcome.",
            count(statistics.trades)
        ));
    }
    if statistics.days < FEW_DAYS {
        list.push(format!(
            "Only {} trading days: Sharpe, Sortino, Calmar, CAGR and volatility are \
             extrapolated from less than half a year.",
            count(statistics.days)
        ));
    }
    list
}
