//! The charts of what the agents decided.

use plotly::common::{
    ColorScalePalette, DashType, HoverInfo, Line, Marker, MarkerSymbol, Mode, Orientation,
};
use plotly::layout::HoverMode;
use plotly::{Bar, HeatMap, Plot, Scatter};

use super::ReportedRun;
use super::charts::{BLUE, GREEN, ORANGE, time_axis};
use super::format::{count, percent};
use crate::page::escape;
use crate::page::plot::{GREY, axis, draw, layout};
use crate::performance::DecisionSummary;
use crate::strategy::{AGENTS, DecisionRecord, Opportunity};

/// Most points of a line.
const MOST_POINTS: usize = 5_000;

/// One for each agent.
const AGENT_COLORS: [&str; AGENTS.len()] = [BLUE, ORANGE, GREEN];

/// Returns the decisions with a vote that are drawn, and N if these are every N-th.
fn voted<'a>(run: &ReportedRun<'a>) -> (Vec<(&'a DecisionRecord, &'a Opportunity)>, usize) {
    let voted = run.decisions.iter().filter_map(|it| Some((it, it.opportunity.as_ref()?)));
    let all: Vec<_> = voted.collect();
    let step = all.len().div_ceil(MOST_POINTS).max(1);
    (all.into_iter().step_by(step).collect(), step)
}

/// Returns what the charts leave out, as a sentence; empty if they show every vote.
pub(super) fn thinning_note(run: &ReportedRun) -> String {
    match voted(run).1 {
        1 => String::new(),
        step => format!(" One vote in {step} is drawn; entries are all drawn."),
    }
}

/// Draws confidence with its threshold and the entries above, uncertainty below; `None` without a
/// vote.
pub(super) fn confidence(run: &ReportedRun, summary: &DecisionSummary) -> Option<String> {
    let (votes, _) = voted(run);
    let (first, last) = (votes.first()?.0, votes.last()?.0);
    let times: Vec<i64> = votes.iter().map(|(record, _)| run.clock(record.bar_end)).collect();
    let of = |read: fn(&Opportunity) -> f32| -> Vec<f64> {
        votes.iter().map(|(_, vote)| rounded(read(vote))).collect()
    };
    let mut plot = Plot::new();
    plot.add_trace(
        Scatter::new(times.clone(), of(|vote| vote.confidence))
            .name("Confidence")
            .mode(Mode::Lines)
            .line(Line::new().color(BLUE).width(1.0)),
    );
    let threshold = summary.decided_by.confidence_threshold;
    plot.add_trace(
        Scatter::new(vec![run.clock(first.bar_end), run.clock(last.bar_end)], vec![threshold; 2])
            .name("Threshold")
            .mode(Mode::Lines)
            .hover_info(HoverInfo::Skip)
            .line(Line::new().color(GREY).dash(DashType::Dash)),
    );
    let entries = || {
        let executed = run.decisions.iter().filter(|record| record.is_executed());
        executed.filter_map(|record| Some((run.clock(record.bar_end), record.opportunity?)))
    };
    if entries().next().is_some() {
        plot.add_trace(
            Scatter::new(
                entries().map(|(time, _)| time).collect(),
                entries().map(|(_, vote)| rounded(vote.confidence)).collect(),
            )
            .name("Entry")
            .mode(Mode::Markers)
            .marker(Marker::new().symbol(MarkerSymbol::Circle).color(GREEN).size(6)),
        );
    }
    for (name, color, values) in [
        ("Aleatoric uncertainty", ORANGE, of(|vote| vote.aleatoric)),
        ("Epistemic uncertainty", "#7b4fa3", of(|vote| vote.epistemic)),
    ] {
        plot.add_trace(
            Scatter::new(times.clone(), values)
                .name(name)
                .mode(Mode::Lines)
                .y_axis("y2")
                .line(Line::new().color(color).width(1.0)),
        );
    }
    plot.set_layout(
        layout()
            .hover_mode(HoverMode::XUnified)
            .x_axis(time_axis().anchor("y2"))
            .y_axis(axis("Confidence").domain(&[0.42, 1.0]).range(vec![0.0, 1.0]))
            .y_axis2(axis("Uncertainty, nats").domain(&[0.0, 0.36])),
    );
    Some(draw("confidence", "time", 480, &mut plot))
}

/// Draws, for each agent, its passes for long less those for short, as a share of all.
pub(super) fn votes(run: &ReportedRun) -> Option<String> {
    let (votes, _) = voted(run);
    votes.first()?;
    let times: Vec<i64> = votes.iter().map(|(record, _)| run.clock(record.bar_end)).collect();
    let mut plot = Plot::new();
    for (agent, color) in (0..AGENTS.len()).zip(AGENT_COLORS) {
        let net = votes.iter().map(|(_, vote)| {
            let [short, aside, long] = vote.votes[agent].map(f64::from);
            ((long - short) / (short + aside + long).max(1.0) * 1e4).round() / 1e4
        });
        plot.add_trace(
            Scatter::new(times.clone(), net.collect())
                .name(AGENTS[agent])
                .mode(Mode::Lines)
                .line(Line::new().color(color).width(1.0)),
        );
    }
    plot.set_layout(
        layout()
            .hover_mode(HoverMode::XUnified)
            .x_axis(time_axis())
            .y_axis(axis("Net votes for long").range(vec![-1.05, 1.05]).tick_format("+.0%")),
    );
    Some(draw("votes", "time", 340, &mut plot))
}

/// Draws the regime vector over time, one row for each of its numbers.
pub(super) fn regime(run: &ReportedRun) -> Option<String> {
    let (votes, _) = voted(run);
    let width = usize::from(votes.first()?.0.regime_width);
    let times: Vec<i64> = votes.iter().map(|(record, _)| run.clock(record.bar_end)).collect();
    let numbers: Vec<String> = (1..=width).map(|number| format!("{number} ")).collect();
    let rows = (0..width)
        .map(|at| votes.iter().map(|(record, _)| rounded(record.regime[at])).collect::<Vec<f64>>())
        .collect();
    let mut plot = Plot::new();
    plot.add_trace(
        HeatMap::new(times, numbers, rows)
            .zmid(0.0)
            .color_scale(plotly::common::ColorScale::Palette(ColorScalePalette::RdBu))
            .hover_template("%{x}<br>number %{y}: %{z:.3f}<extra></extra>"),
    );
    plot.set_layout(layout().x_axis(time_axis()).y_axis(axis("Number of the regime vector")));
    Some(draw("regime", "time", 300, &mut plot))
}

/// Draws the number of questions that each reason refused.
pub(super) fn refusals(summary: &DecisionSummary) -> Option<String> {
    if summary.refused.is_empty() {
        return None;
    }
    let rows = || summary.refused.iter().rev();
    let hover = rows().map(|(reason, refused)| {
        let share = percent(*refused as f64 / summary.asked as f64);
        format!("{}: {} of questions, {share}", escape(&words(reason)), count(*refused))
    });
    let mut plot = Plot::new();
    plot.add_trace(
        Bar::new(
            rows().map(|(_, refused)| *refused).collect(),
            rows().map(|(reason, _)| words(reason)).collect(),
        )
        .orientation(Orientation::Horizontal)
        .hover_text_array(hover.collect())
        .hover_info(HoverInfo::Text)
        .marker(Marker::new().color(BLUE)),
    );
    plot.set_layout(layout().x_axis(axis("Questions")).y_axis(axis("")));
    Some(draw("refusals", "half", 300, &mut plot))
}

/// Draws confidence against outcome, beside what perfect calibration would be.
pub(super) fn reliability(summary: &DecisionSummary) -> Option<String> {
    let bins = &summary.reliability.as_ref()?.bins;
    let hover = bins.iter().map(|bin| {
        let (confidence, won) = (percent(bin.confidence), percent(bin.frequency));
        format!("confidence {confidence}<br>{won} of {} trades won", count(bin.count))
    });
    let mut plot = Plot::new();
    plot.add_trace(
        Scatter::new(vec![0.0, 1.0], vec![0.0, 1.0])
            .name("Perfect")
            .mode(Mode::Lines)
            .hover_info(HoverInfo::Skip)
            .line(Line::new().color(GREY).dash(DashType::Dash)),
    );
    plot.add_trace(
        Scatter::new(
            bins.iter().map(|bin| bin.confidence).collect(),
            bins.iter().map(|bin| bin.frequency).collect(),
        )
        .name("Trades")
        .mode(Mode::LinesMarkers)
        .hover_text_array(hover.collect())
        .hover_info(HoverInfo::Text)
        .line(Line::new().color(BLUE)),
    );
    plot.set_layout(
        layout()
            .hover_mode(HoverMode::Closest)
            .x_axis(axis("Confidence").range(vec![0.0, 1.0]))
            .y_axis(axis("Share of trades won").range(vec![0.0, 1.0])),
    );
    Some(draw("reliability", "half", 300, &mut plot))
}

/// Returns a reason's name in words.
pub(super) fn words(reason: &str) -> String {
    reason.replace('_', " ")
}

/// Rounds to the digits that a chart shows.
fn rounded(number: f32) -> f64 {
    (f64::from(number) * 1e4).round() / 1e4
}
