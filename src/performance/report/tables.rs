//! The report's tables.

use std::collections::BTreeMap;

use super::ReportedRun;
use super::decision_charts::words;
use super::format::{
    UNDEFINED, count, dollars, duration, nanoseconds, number, or_undefined, percent, tone,
};
use crate::page::escape;
use crate::performance::latency_summary::COLUMNS;
use crate::performance::trading_day::daily_closes;
use crate::performance::{DecisionSummary, Interval, LatencySummary, Statistics};

/// Returns a table of cells that are already HTML; the first column is of words, the others of
/// figures.
fn table(class: &str, header: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = header.iter().map(|cell| format!("<th>{cell}</th>")).collect();
    let body: String = rows
        .iter()
        .map(|row| {
            let cells: String =
                row.iter().map(|cell| format!("<td class=\"number\">{cell}</td>")).collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table class=\"{class}\"><thead><tr>{head}</tr></thead>\n\
         <tbody>\n{body}</tbody></table></div>"
    )
}

fn toned(value: f64) -> String {
    format!("<span class=\"{}\">{}</span>", tone(value), dollars(value))
}

/// Writes returns by calendar month of the trading day, one row a year; `None` without equity or
/// when the account was not above zero at a month's end.
pub(super) fn months(run: &ReportedRun) -> Option<String> {
    let mut month_ends: BTreeMap<(i16, i8), f64> = BTreeMap::new();
    for (day, equity) in daily_closes(run.summary.calendar, run.equity) {
        month_ends.insert((day.year(), day.month()), equity.as_f64());
    }
    let mut before = run.summary.initial_capital;
    let mut returns: BTreeMap<i16, [Option<f64>; 12]> = BTreeMap::new();
    for (&(year, month), &equity) in &month_ends {
        if before <= 0.0 || equity <= 0.0 {
            return None;
        }
        returns.entry(year).or_default()[month as usize - 1] = Some(equity / before - 1.0);
        before = equity;
    }
    let deepest = returns
        .values()
        .flatten()
        .flatten()
        .fold(0.0, |deepest: f64, value| deepest.max(value.abs()));
    let cell = |value: Option<f64>| match value {
        None => "<td></td>".to_owned(),
        Some(value) => {
            let color = if value >= 0.0 { "26,127,75" } else { "185,58,50" };
            let strength = if deepest > 0.0 { 0.55 * value.abs() / deepest } else { 0.0 };
            let text = number(value * 100.0, 2);
            format!("<td style=\"background:rgba({color},{strength:.3})\">{text}</td>")
        }
    };
    let rows: String = returns
        .iter()
        .rev()
        .map(|(year, months)| {
            let cells: String = months.iter().map(|&value| cell(value)).collect();
            let total: f64 = months.iter().flatten().map(|value| 1.0 + value).product();
            format!("<tr><th>{year}</th>{cells}{}</tr>\n", cell(Some(total - 1.0)))
        })
        .collect();
    let names =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let head: String = names.iter().map(|name| format!("<th>{name}</th>")).collect();
    (!returns.is_empty()).then(|| {
        format!(
            "<div class=\"scroll\"><table class=\"months\"><thead><tr><th>%</th>{head}\
             <th>Year</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>"
        )
    })
}

/// Writes trades by the reason of their exit.
pub(super) fn exit_reasons(run: &ReportedRun) -> String {
    let rows: Vec<Vec<String>> = run
        .summary
        .statistics
        .exit_reasons
        .iter()
        .map(|row| {
            let trades = row.trades as f64;
            vec![
                escape(&row.reason.replace('_', " ")),
                count(row.trades),
                percent(row.wins as f64 / trades),
                toned(row.net_pnl),
                toned(row.net_pnl / trades),
            ]
        })
        .collect();
    table("", &["Reason", "Trades", "Won", "Net P&amp;L", "Per trade"], &rows)
}

/// Writes the number of questions that each reason refused.
pub(super) fn refusals(summary: &DecisionSummary) -> String {
    let share = |number: u64| match summary.asked {
        0 => UNDEFINED.to_owned(),
        asked => percent(number as f64 / asked as f64),
    };
    let row = |name: String, number: u64| vec![name, count(number), share(number)];
    let mut rows = vec![row("entries decided".to_owned(), summary.executed)];
    let refused = summary.refused.iter();
    rows.extend(refused.map(|(reason, refused)| row(escape(&words(reason)), *refused)));
    table("", &["Outcome", "Questions", "Share"], &rows)
}

/// Writes the way from gross before slippage down to net.
pub(super) fn costs(run: &ReportedRun) -> String {
    let statistics = &run.summary.statistics;
    let (trades, contracts) = (statistics.trades as f64, statistics.contracts_traded as f64);
    let row = |name: &str, amount: f64| {
        vec![name.to_owned(), toned(amount), dollars(amount / trades), dollars(amount / contracts)]
    };
    let rows = [
        row("P&amp;L at traded prices", statistics.gross_pnl + statistics.slippage),
        row("Slippage", -statistics.slippage),
        row("Gross P&amp;L", statistics.gross_pnl),
        row("Commissions", -statistics.costs),
        row("Net P&amp;L", statistics.net_pnl),
    ];
    table("", &["", "Total", "Per trade", "Per contract and side"], &rows)
}

/// Writes percentiles of the processing time.
pub(super) fn processing_time(run: &ReportedRun) -> String {
    let rows: Vec<Vec<String>> = run
        .summary
        .processing_time
        .iter()
        .flat_map(|measured| &measured.percentiles)
        .map(|&(percentile, nanos)| vec![percentile_name(percentile), nanoseconds(nanos)])
        .collect();
    table("", &["Percentile", "Per tick"], &rows)
}

/// Writes percentiles of each span.
pub(super) fn latency(latency: &LatencySummary) -> String {
    let rows: Vec<Vec<String>> = latency.spans.iter().map(|span| span.cells().into()).collect();
    table("", &COLUMNS, &rows)
}

/// Returns `median`, `99.9%`, `largest`.
pub(super) fn percentile_name(percentile: f64) -> String {
    match percentile {
        0.0 => "smallest".to_owned(),
        50.0 => "median".to_owned(),
        100.0 => "largest".to_owned(),
        other => format!("{other}%"),
    }
}

/// Writes every statistic with its interval and its convention.
pub(super) fn statistics(run: &ReportedRun) -> String {
    let rows = [
        earnings(run),
        ratios_of_days(run),
        drawdowns(&run.summary.statistics),
        single_trades(&run.summary.statistics),
        activity(&run.summary.statistics),
    ];
    format!(
        "<div class=\"scroll\"><table><thead><tr><th>Figure</th><th>Value</th>\
         <th>{:.0}% interval</th><th class=\"words\">Convention</th></tr></thead>\n\
         <tbody>\n{}</tbody></table></div>",
        run.summary.confidence_intervals.level * 100.0,
        rows.concat()
    )
}

/// Writes a figure that has no interval.
fn plain_row(name: &str, value: String, convention: &str) -> String {
    row(name, value, "", convention)
}

fn row(name: &str, value: String, interval: &str, convention: &str) -> String {
    format!(
        "<tr><td>{name}</td><td class=\"number\">{value}</td><td class=\"number\">{interval}</td>\
         <td class=\"words\">{convention}</td></tr>\n"
    )
}

/// Returns an interval's limits, or the sign for none.
fn interval_cell(interval: Option<Interval>, text: &dyn Fn(f64) -> String) -> String {
    interval.map_or_else(|| UNDEFINED.to_owned(), |interval| limits(interval, text))
}

fn money(value: Option<f64>) -> String {
    or_undefined(value, dollars)
}

fn two_decimals(value: f64) -> String {
    number(value, 2)
}

fn plain(value: Option<f64>) -> String {
    or_undefined(value, two_decimals)
}

fn share(value: Option<f64>) -> String {
    or_undefined(value, percent)
}

fn earnings(run: &ReportedRun) -> String {
    let it = &run.summary.statistics;
    let intervals = &run.summary.confidence_intervals;
    [
        row(
            "Net P&amp;L",
            dollars(it.net_pnl),
            &interval_cell(intervals.net_pnl, &dollars),
            "Sum over trades after costs; the interval is for as many trades",
        ),
        row(
            "Expectancy",
            money(it.expectancy),
            &interval_cell(intervals.expectancy, &dollars),
            "Mean net P&amp;L of a trade",
        ),
        row(
            "Win rate",
            share(it.win_rate),
            &interval_cell(intervals.win_rate, &percent),
            "Trades with a net profit over all trades",
        ),
        row(
            "Profit factor",
            plain(it.profit_factor),
            &interval_cell(intervals.profit_factor, &two_decimals),
            "Net profits over net losses",
        ),
    ]
    .concat()
}

/// Writes the figures that rest on daily returns, each with its value or the reason why it has
/// none.
fn ratios_of_days(run: &ReportedRun) -> String {
    let it = &run.summary.statistics;
    let a_year = run.summary.calendar.sessions_a_year();
    let or_why = |name: &str, value: String| match it.undefined.get(name) {
        Some(why) => escape(why),
        None => value,
    };
    [
        row(
            "Sharpe",
            or_why("sharpe", plain(it.sharpe)),
            &interval_cell(run.summary.confidence_intervals.sharpe, &two_decimals),
            &format!(
                "Mean over standard deviation (n − 1) of daily returns, × √{a_year}, risk-free rate 0"
            ),
        ),
        plain_row(
            "Sortino",
            or_why("sortino", plain(it.sortino)),
            &format!(
                "Mean daily return over √(mean of squared losing returns), × √{a_year}, target 0"
            ),
        ),
        plain_row(
            "Calmar",
            or_why("calmar", plain(it.calmar)),
            "CAGR over the largest drawdown at days’ closes",
        ),
        plain_row(
            "CAGR",
            or_why("cagr", share(it.cagr)),
            &format!("Compound growth a year: (final ÷ initial equity)^({a_year} ÷ days) − 1"),
        ),
        plain_row(
            "Annual volatility",
            or_why("volatility", share(it.volatility)),
            &format!("Standard deviation (n − 1) of daily returns, × √{a_year}"),
        ),
    ]
    .concat()
}

fn drawdowns(it: &Statistics) -> String {
    let largest = format!("{} ({})", money(it.max_drawdown), share(it.max_drawdown_fraction));
    let largest_is = "Largest fall from the highest equity before, over all equity points; the \
                      largest percentage may belong to another fall";
    let longest = or_undefined(it.max_drawdown_seconds, duration);
    let longest_is = "From a highest point until it is reached again, or until the end";
    plain_row("Max drawdown", largest, largest_is)
        + &plain_row("Longest drawdown", longest, longest_is)
}

fn single_trades(it: &Statistics) -> String {
    let streak = it.longest_losing_streak.map_or_else(|| UNDEFINED.to_owned(), count);
    let bars_held = or_undefined(it.average_bars_held, |bars| number(bars, 1));
    [
        ("Average win", money(it.average_win), "Mean net P&amp;L of trades that won"),
        ("Average loss", money(it.average_loss), "Mean net P&amp;L of trades that lost"),
        ("Payoff", plain(it.payoff), "Average win over average loss"),
        ("Largest win", money(it.largest_win), "Net P&amp;L of the best trade"),
        ("Largest loss", money(it.largest_loss), "Net P&amp;L of the worst trade"),
        ("Longest losing streak", streak, "Trades in a row with a net loss"),
        ("Average bars held", bars_held, "Closed bars of the strategy’s timeframe"),
        (
            "Average MFE",
            money(it.average_mfe),
            "Maximum favourable excursion: largest open profit of a trade, before costs",
        ),
        (
            "Average MAE",
            money(it.average_mae),
            "Maximum adverse excursion: largest open loss of a trade, before costs",
        ),
    ]
    .map(|(name, value, convention)| plain_row(name, value, convention))
    .concat()
}

fn activity(it: &Statistics) -> String {
    let turnover_is = "Value of all contracts bought and sold over mean equity";
    [
        ("Exposure", share(it.exposure), "Open-market time with a position"),
        ("Contracts traded", count(it.contracts_traded), "Bought plus sold"),
        ("Turnover", plain(it.turnover), turnover_is),
    ]
    .map(|(name, value, convention)| plain_row(name, value, convention))
    .concat()
}

/// Returns `1.10 to 2.30`, or `above 1.10`.
pub(super) fn limits(interval: Interval, text: &dyn Fn(f64) -> String) -> String {
    match interval.upper {
        Some(upper) => format!("{} to {}", text(interval.lower), text(upper)),
        None => format!("above {}", text(interval.lower)),
    }
}

/// Returns the count; nothing for zero.
fn some_count(value: u64) -> String {
    if value == 0 { String::new() } else { count(value) }
}

/// Writes the facts of the run.
pub(super) fn facts(run: &ReportedRun) -> String {
    let it = run.summary;
    let list = |values: Vec<String>| values.join(", ");
    let mut rows: Vec<(String, String)> = [
        ("Program", format!("algospace-hft {}", it.version)),
        ("Mode", it.mode.clone()),
        ("Strategy", it.strategy.clone()),
        ("Seed", it.seed.to_string()),
        ("Input", it.input.clone()),
        ("Input SHA-256", it.input_sha256.clone()),
        ("Origin of the input", it.input_description.origin.clone()),
        ("Price adjustment", it.input_description.adjustment.clone()),
        (
            "Instrument",
            format!("{}, tick {}, ${} a point", it.instrument, it.tick_size, it.point_value),
        ),
        ("Contracts", it.contracts.join(", ")),
        ("First tick (UTC)", it.first_tick.clone().unwrap_or_default()),
        ("Last tick (UTC)", it.last_tick.clone().unwrap_or_default()),
        ("Ticks", count(it.ticks)),
        ("Ticks of warm-up before", some_count(it.warm_up_ticks)),
        ("First decision possible (UTC)", it.decides_from.clone().unwrap_or_default()),
        (
            "Bars",
            list(
                it.bars
                    .iter()
                    .map(|(minutes, bars)| match minutes {
                        1440 => format!("daily: {}", count(*bars)),
                        _ => format!("{minutes} min: {}", count(*bars)),
                    })
                    .collect(),
            ),
        ),
        ("Initial capital", dollars(it.initial_capital)),
        ("Replay took", or_undefined(it.elapsed_seconds, duration)),
        ("Ticks a second", or_undefined(it.ticks_per_second, |value| number(value, 0))),
        (
            "Counts",
            list(it.counters.iter().map(|(name, n)| format!("{name}: {}", count(*n))).collect()),
        ),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    rows.extend(it.input_description.facts.iter().map(|(n, v)| (n.clone(), v.clone())));
    let body: String = rows
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| {
            format!("<tr><td>{}</td><td>{}</td></tr>\n", escape(name), escape(value))
        })
        .collect();
    format!("<table class=\"facts\"><tbody>\n{body}</tbody></table>")
}
