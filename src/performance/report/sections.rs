//! The report's sections, from top to bottom.

use super::format::{
    count, dollars, duration, nanoseconds, number, or_undefined, percent, tone, whole_dollars,
};
use super::tables::limits;
use super::{ReportedRun, charts, decision_charts, tables};
use crate::page::escape;
use crate::performance::{DecisionSummary, Interval, Summary};

fn section(class: &str, title: &str, note: &str, body: &str) -> String {
    let note =
        if note.is_empty() { String::new() } else { format!("<p class=\"note\">{note}</p>\n") };
    format!("<section class=\"{class}\">\n<h2>{title}</h2>\n{note}{body}\n</section>")
}

fn columns(left: &str, right: &str) -> String {
    format!("<div class=\"columns\"><div>{left}</div><div>{right}</div></div>")
}

/// Returns the strategy and its input, in one line.
pub(super) fn title(summary: &Summary) -> String {
    let market = if summary.input_description.made_up { ", a synthetic market" } else { "" };
    format!("{}: {} of {}{market}", summary.strategy, summary.mode, summary.instrument)
}

/// Writes title and period.
pub(super) fn head(run: &ReportedRun) -> String {
    let summary = run.summary;
    let day = |time: &Option<String>| {
        time.as_deref().and_then(|text| text.split('T').next()).unwrap_or("–").to_owned()
    };
    let warm_up = match summary.warm_up_ticks {
        0 => String::new(),
        ticks => format!(" · {} more of warm-up before", count(ticks)),
    };
    format!(
        "<header>\n<h1>{}</h1>\n<p>{} to {} · {} trading days · {} ticks{warm_up} · times in \
         charts are of {}</p>\n</header>",
        escape(&title(summary)),
        escape(&day(&summary.first_tick)),
        escape(&day(&summary.last_tick)),
        count(summary.statistics.days),
        count(summary.ticks),
        summary.calendar.clock_name(),
    )
}

/// Writes the headline numbers.
pub(super) fn cards(run: &ReportedRun) -> String {
    let it = &run.summary.statistics;
    let intervals = &run.summary.confidence_intervals;
    let level = format!("{:.0}%", intervals.level * 100.0);
    let between = |interval: Option<Interval>, text: &dyn Fn(f64) -> String| match interval {
        Some(interval) => format!("{level}: {}", limits(interval, text)),
        None => "no interval".to_owned(),
    };
    let money =
        |value: f64| if value.abs() < 10_000.0 { dollars(value) } else { whole_dollars(value) };
    let two = |value: f64| number(value, 2);
    let card = |name: &str, class: &str, value: String, under: String| {
        format!(
            "<div class=\"card\"><div class=\"name\">{name}</div><div class=\"value {class}\">\
             {value}</div><div class=\"under\">{under}</div></div>\n"
        )
    };
    let plain = |value: Option<f64>| or_undefined(value, two);
    let of_days = || match it.undefined.get("confidence_intervals.sharpe") {
        Some(why) if it.sharpe.is_some() => format!("no interval: {why}"),
        _ => between(intervals.sharpe, &two),
    };
    let cards = [
        card(
            "Net P&amp;L",
            tone(it.net_pnl),
            money(it.net_pnl),
            between(intervals.net_pnl, &whole_dollars),
        ),
        card("Sharpe", "", plain(it.sharpe), of_days()),
        card(
            "Max drawdown",
            "",
            or_undefined(it.max_drawdown, money),
            format!(
                "{} · {}",
                or_undefined(it.max_drawdown_fraction, percent),
                or_undefined(it.max_drawdown_seconds, |s| format!("{} longest", duration(s)))
            ),
        ),
        card("Profit factor", "", plain(it.profit_factor), between(intervals.profit_factor, &two)),
        card(
            "Trades",
            "",
            count(it.trades),
            format!("{} of market time", or_undefined(it.exposure, percent)),
        ),
        card(
            "Win rate",
            "",
            or_undefined(it.win_rate, percent),
            between(intervals.win_rate, &|share| percent(share).replace('%', "")),
        ),
        card(
            "Expectancy per trade",
            it.expectancy.map_or("", tone),
            or_undefined(it.expectancy, dollars),
            between(intervals.expectancy, &whole_dollars),
        ),
    ];
    format!("<div class=\"cards\">\n{}</div>", cards.concat())
}

/// Writes the facts to know first.
pub(super) fn caveats(run: &ReportedRun) -> String {
    let list: String =
        run.summary.caveats.iter().map(|caveat| format!("<li>{}</li>\n", escape(caveat))).collect();
    if list.is_empty() {
        return section(
            "",
            "Caveats",
            "",
            "<p class=\"note\">No caveat is known for this run.</p>",
        );
    }
    section("caveats", "Read this first", "", &format!("<ul>\n{list}</ul>"))
}

/// Writes equity above, drawdown below.
pub(super) fn equity(run: &ReportedRun) -> String {
    let note = "Equity is marked at each close of the finest bars. The drawdown is the fall from the \
                highest equity before. Drag to zoom, double-click to see all.";
    match charts::equity(run) {
        Some(chart) => section("", "Equity and drawdown", note, &chart),
        None => section(
            "",
            "Equity and drawdown",
            "",
            "<p class=\"note\">There are no equity points.</p>",
        ),
    }
}

/// Writes entries and exits on the price.
pub(super) fn trades_on_price(run: &ReportedRun) -> String {
    match charts::trades_on_price(run) {
        Some((chart, note)) => section("", "Trades on price", &note, &chart),
        None => section("", "Trades on price", "", "<p class=\"note\">There are no trades.</p>"),
    }
}

/// Writes returns by month, and profit by hour of day.
pub(super) fn returns(run: &ReportedRun) -> String {
    let months = tables::months(run)
        .unwrap_or_else(|| "<p class=\"note\">Not defined for this run.</p>".to_owned());
    let hours = charts::hours(run).unwrap_or_default();
    let body = format!(
        "<h3>By month</h3><p class=\"note\">Change of equity from month end to month end, in \
         percent.</p>{months}{}{hours}",
        if hours.is_empty() {
            ""
        } else {
            "<h3 style=\"margin-top:16px\">By hour of entry</h3><p class=\"note\">Net P&amp;L of \
             the trades entered in each hour of the exchange’s clock.</p>"
        }
    );
    section("", "Returns by month and hour", "", &body)
}

/// Writes the outcomes of single trades.
pub(super) fn trade_outcomes(run: &ReportedRun) -> String {
    let Some((distribution, excursions)) = charts::distribution(run).zip(charts::excursions(run))
    else {
        return String::new();
    };
    let left = format!(
        "<h3>Net P&amp;L of a trade</h3><p class=\"note\">Number of trades by net P&amp;L.</p>{distribution}"
    );
    let right = format!(
        "<h3>Best and worst on the way</h3><p class=\"note\">Each trade’s largest open loss (MAE) \
         and largest open profit (MFE), before costs.</p>{excursions}"
    );
    section("", "Single trades", "", &columns(&left, &right))
}

/// Writes the reasons for exits, and costs.
pub(super) fn exits_and_costs(run: &ReportedRun) -> String {
    let Some(chart) = charts::exit_reasons(run) else {
        return String::new();
    };
    let left = format!("<h3>Trades by exit reason</h3>{chart}{}", tables::exit_reasons(run));
    let right = format!(
        "<h3>Costs and slippage</h3><p class=\"note\">Slippage is the distance of the fills from \
         the traded prices. It is inside the fill prices, hence inside gross P&amp;L.</p>{}",
        tables::costs(run)
    );
    section("", "Exits and costs", "", &columns(&left, &right))
}

/// Writes the agents' decisions; empty if no agents decided.
pub(super) fn decisions(run: &ReportedRun) -> String {
    let Some(summary) = &run.summary.decisions else {
        return String::new();
    };
    let decided_by = &summary.decided_by;
    let untrained = match decided_by.trained {
        true => "",
        false => " <strong>It is untrained: its outputs are noise.</strong>",
    };
    let note = format!(
        "By {} on the {} backend.{untrained} Of {} questions {} were answered with an entry, which the \
         desk may still have refused.",
        escape(&decided_by.model_set),
        escape(&decided_by.backend),
        count(summary.asked),
        count(summary.executed),
    );
    let charts = [
        (
            decision_charts::confidence(run, summary),
            "Confidence and uncertainty",
            "Confidence is the mean probability of the direction over all passes of all agents; from the \
             threshold on it is an opportunity. Aleatoric uncertainty remains with any number of \
             passes; epistemic uncertainty is the disagreement of the passes.",
        ),
        (
            decision_charts::votes(run),
            "Votes of each agent",
            "Its passes for long less those for short, as a share of all: +100% if every pass says long.",
        ),
        (
            decision_charts::regime(run),
            "Regime vector",
            "The regime engine’s description of the market, one row for each number. It changes on \
             30-minute closes.",
        ),
    ];
    let thinned = decision_charts::thinning_note(run);
    let mut body: String = charts
        .into_iter()
        .filter_map(|(chart, title, text)| {
            let chart = chart?;
            Some(format!("<h3>{title}</h3><p class=\"note\">{text}{thinned}</p>{chart}\n"))
        })
        .collect();
    let refusals = decision_charts::refusals(summary).map(|chart| {
        format!(
            "<h3>Refusals by reason</h3><p class=\"note\">A question can have several.</p>{chart}{}",
            tables::refusals(summary)
        )
    });
    let reliability = reliability(run, summary);
    body.push_str(&match (refusals, reliability) {
        (Some(left), Some(right)) => columns(&left, &right),
        (left, right) => left.or(right).unwrap_or_default(),
    });
    section("", "Decisions", &note, &body)
}

/// Writes confidence against outcomes, or the reason why it is not shown.
fn reliability(run: &ReportedRun, summary: &DecisionSummary) -> Option<String> {
    let title = "<h3>Does confidence predict outcomes?</h3>";
    let chart = summary.reliability.as_ref().zip(decision_charts::reliability(summary));
    let Some((figures, chart)) = chart else {
        let why = run.summary.statistics.undefined.get("decisions.reliability")?;
        return Some(format!("{title}<p class=\"note\">Not shown: {why}.</p>"));
    };
    Some(format!(
        "{title}<p class=\"note\">Trades in bins of equally many by the confidence of their \
         decision. Expected calibration error {}.</p>{chart}",
        number(figures.expected_calibration_error, 3)
    ))
}

/// Writes simulated and measured latency.
pub(super) fn latency(run: &ReportedRun) -> String {
    let simulated = match run.summary.simulated_latency.as_str() {
        "" => "not stated".to_owned(),
        text => escape(text.trim_end_matches('.')),
    };
    let machine = match run.summary.machine.as_str() {
        "" => "an unnamed machine".to_owned(),
        name => escape(name),
    };
    let mut body = format!("<p class=\"note\">Simulated: {simulated}.</p>");
    match [way_to_the_order(run), processing_time(run)].into_iter().flatten().collect::<String>() {
        none if none.is_empty() => {
            body.push_str("<p class=\"note\">Processing time was not measured.</p>");
        }
        measured => body.push_str(&format!(
            "<p class=\"note\">Measured on {machine}. What was measured has no influence on the \
             simulated result.</p>{measured}"
        )),
    }
    section("", "Latency", "", &body)
}

/// Writes the spans between tick and order, if they were measured.
fn way_to_the_order(run: &ReportedRun) -> Option<String> {
    let latency = run.summary.latency.as_ref()?;
    let notes = escape(&latency.notes().join(" "));
    let facts: String =
        latency.facts.iter().map(|fact| format!("<li>{}</li>\n", escape(fact))).collect();
    let facts = match facts.as_str() {
        "" => facts,
        some => format!("<ul class=\"note\">\n{some}</ul>"),
    };
    let figures = charts::latency_percentiles(latency)
        .map(|chart| format!("{}{chart}", tables::latency(latency)))
        .unwrap_or_default();
    Some(format!("<h3>From tick to order</h3><p class=\"note\">{notes}</p>{facts}{figures}\n"))
}

/// Writes the processing time of a tick, if it was measured.
fn processing_time(run: &ReportedRun) -> Option<String> {
    let (measured, chart) = run.summary.processing_time.as_ref().zip(charts::latency(run))?;
    Some(format!(
        "<h3 style=\"margin-top:16px\">One tick through all stages</h3><p class=\"note\">Averaged \
         over each of {} batches. Mean {}.</p>{}",
        count(measured.count),
        nanoseconds(measured.mean),
        columns(&chart, &tables::processing_time(run))
    ))
}

/// Writes all statistics.
pub(super) fn statistics(run: &ReportedRun) -> String {
    let intervals = &run.summary.confidence_intervals;
    let note = format!(
        "Daily figures use equity at the end of each trading session, from the first in which a \
         decision was possible; a year has {} of them. Intervals are from {} bootstrap resamples: \
         of single trades, and for the Sharpe ratio of blocks of days with mean length √days. They \
         assume that the future resembles this sample. – means undefined.",
        run.summary.calendar.sessions_a_year(),
        count(u64::from(intervals.resamples))
    );
    section("long", "Statistics", &note, &tables::statistics(run))
}

/// Writes the facts of the run.
pub(super) fn facts(run: &ReportedRun) -> String {
    let mut body = tables::facts(run);
    if !run.configuration.is_empty() {
        body.push_str(&format!(
            "\n<details><summary>Resolved configuration</summary><pre>{}</pre></details>",
            escape(run.configuration)
        ));
    }
    section("long", "Run", "", &body)
}
