//! The report's charts. Times are those of the exchange's clocks.

use plotly::common::{DashType, Fill, HoverInfo, Line, Marker, MarkerSymbol, Mode, Orientation};
use plotly::layout::{
    Axis, AxisType, HoverMode, Legend, RangeSelector, SelectorButton, SelectorStep, StepMode,
};
use plotly::{Bar, Plot, Scatter};

use super::ReportedRun;
use super::format::{count, dollars, nanoseconds, percent};
use super::tables::percentile_name;
use crate::execution::Trade;
use crate::latency::Span;
use crate::market::{Calendar, Money, Price, Side, Timestamp};
use crate::page::escape;
use crate::page::plot::{GREY, axis, draw, layout};
use crate::performance::LatencySummary;
use crate::performance::drawdown::drawdowns;
use crate::performance::trades_csv::{contract_symbol, side_name};
use crate::performance::trading_day::exchange_time;

pub(super) const BLUE: &str = "#1f5fa8";
pub(super) const GREEN: &str = "#1a7f4b";
const RED: &str = "#b93a32";
pub(super) const ORANGE: &str = "#c9791b";
/// One for each span of the latency.
const SPAN_COLORS: [&str; Span::ALL.len()] = [BLUE, ORANGE, GREEN, RED, "#7b4fa3", "#1f8f9a"];
/// Most points of the price line.
const MOST_PRICE_POINTS: usize = 20_000;

pub(super) fn time_axis() -> Axis {
    let button = |count, step, label| {
        SelectorButton::new().count(count).step(step).step_mode(StepMode::Backward).label(label)
    };
    let buttons = vec![
        button(1, SelectorStep::Day, "1 day"),
        button(7, SelectorStep::Day, "1 week"),
        button(1, SelectorStep::Month, "1 month"),
        button(1, SelectorStep::Year, "1 year"),
        SelectorButton::new().step(SelectorStep::All).label("all"),
    ];
    axis("").type_(AxisType::Date).range_selector(RangeSelector::new().buttons(buttons))
}

/// Draws equity above, drawdown below, on one time axis.
pub(super) fn equity(run: &ReportedRun) -> Option<String> {
    let capital = Money::from_f64(run.summary.initial_capital)?;
    let (first, last) = (run.equity.first()?, run.equity.last()?);
    let (mut times, mut levels, mut falls) = (Vec::new(), Vec::new(), Vec::new());
    for (place, (point, fall)) in run.equity.iter().zip(drawdowns(capital, run.equity)).enumerate()
    {
        // Inside a level stretch a point adds nothing to the line.
        let same_as = |other: Option<usize>| {
            other
                .and_then(|other| run.equity.get(other))
                .is_some_and(|it| it.equity == point.equity)
        };
        if same_as(place.checked_sub(1)) && same_as(Some(place + 1)) {
            continue;
        }
        times.push(run.clock(point.time));
        levels.push(cents(point.equity));
        falls.push(cents(-fall));
    }
    let ends = vec![run.clock(first.time), run.clock(last.time)];
    let mut plot = Plot::new();
    plot.add_trace(
        Scatter::new(ends, vec![cents(capital); 2])
            .name("Initial capital")
            .mode(Mode::Lines)
            .hover_info(HoverInfo::Skip)
            .line(Line::new().color(GREY).width(1.0).dash(DashType::Dot)),
    );
    plot.add_trace(
        Scatter::new(times.clone(), levels)
            .name("Equity")
            .mode(Mode::Lines)
            .hover_template("$%{y:,.2f}")
            .line(Line::new().color(BLUE).width(1.5)),
    );
    plot.add_trace(
        Scatter::new(times, falls)
            .name("Drawdown")
            .mode(Mode::Lines)
            .hover_template("$%{y:,.2f}")
            .fill(Fill::ToZeroY)
            .fill_color("rgba(185,58,50,0.18)")
            .line(Line::new().color(RED).width(1.0))
            .y_axis("y2"),
    );
    plot.set_layout(
        layout()
            .hover_mode(HoverMode::XUnified)
            .x_axis(time_axis().anchor("y2"))
            .y_axis(axis("Equity, $").domain(&[0.34, 1.0]).tick_format(",.0f"))
            .y_axis2(axis("Drawdown, $").domain(&[0.0, 0.26]).tick_format(",.0f")),
    );
    Some(draw("equity", "time", 480, &mut plot))
}

fn cents(amount: Money) -> f64 {
    (amount.as_f64() * 100.0).round() / 100.0
}

/// Returns the caption of the price line, which shows `shown` of `all` points.
fn price_note(has_many_trades: bool, shown: usize, all: usize) -> String {
    let mut note =
        "The price is that of the equity points. Triangles are entries (up: long, down: \
                    short), circles exits with a profit, crosses exits with a loss; hold the \
                    pointer over one for the trade."
            .to_owned();
    if has_many_trades {
        note.push_str(" Zoom in to tell trades apart.");
    }
    if shown < all {
        note.push_str(&format!(
            " The price line shows {} of {} points: the highest and the lowest of each stretch; all \
             trades are drawn.",
            count(shown as u64),
            count(all as u64)
        ));
    }
    note
}

/// Draws entries and exits on the price line, and a caption; `None` without trades.
pub(super) fn trades_on_price(run: &ReportedRun) -> Option<(String, String)> {
    if run.trades.is_empty() {
        return None;
    }
    let marks: Vec<(Timestamp, Price)> = run.equity.iter().map(|it| (it.time, it.mark)).collect();
    let shown = thinned(&marks, MOST_PRICE_POINTS);
    let many = run.trades.len() > 200;
    let note = price_note(many, shown.len(), marks.len());
    let mut plot = Plot::new();
    plot.add_trace(
        Scatter::new(
            shown.iter().map(|it| run.clock(it.0)).collect(),
            shown.iter().map(|it| it.1.as_f64()).collect(),
        )
        .name("Price")
        .mode(Mode::Lines)
        .hover_info(HoverInfo::Skip)
        .line(Line::new().color("#93a0ad").width(1.0)),
    );
    trade_lines(run, &mut plot);
    let size = if many { 6 } else { 9 };
    let mut markers = |name: &str, symbol, color, chosen: Vec<&Trade>, entry: bool| {
        let place = |trade: &Trade| match entry {
            true => (run.clock(trade.entry_time), trade.entry_price.as_f64()),
            false => (run.clock(trade.exit_time), trade.exit_price.as_f64()),
        };
        if chosen.is_empty() {
            return;
        }
        plot.add_trace(
            Scatter::new(
                chosen.iter().map(|trade| place(trade).0).collect(),
                chosen.iter().map(|trade| place(trade).1).collect(),
            )
            .name(name)
            .mode(Mode::Markers)
            .hover_text_array(chosen.iter().map(|trade| description(run, trade)).collect())
            .hover_info(HoverInfo::Text)
            .marker(Marker::new().symbol(symbol).color(color).size(size)),
        );
    };
    let of = |wanted: &dyn Fn(&Trade) -> bool| run.trades.iter().filter(|t| wanted(t)).collect();
    let won = |trade: &Trade| trade.net_pnl() > Money::ZERO;
    markers("Long entry", MarkerSymbol::TriangleUp, BLUE, of(&|t| t.side == Side::Buy), true);
    markers("Short entry", MarkerSymbol::TriangleDown, ORANGE, of(&|t| t.side == Side::Sell), true);
    markers("Exit with a profit", MarkerSymbol::CircleOpen, GREEN, of(&won), false);
    markers("Exit with a loss", MarkerSymbol::XThinOpen, RED, of(&|t| !won(t)), false);
    plot.set_layout(
        layout()
            .hover_mode(HoverMode::Closest)
            .x_axis(time_axis())
            .y_axis(axis("Price").tick_format(",~f")),
    );
    Some((draw("trades", "time", 520, &mut plot), note))
}

/// Draws a line from the entry to the exit of each trade, in the colour of its result.
fn trade_lines(run: &ReportedRun, plot: &mut Plot) {
    for (won, color) in [(true, GREEN), (false, RED)] {
        let chosen = || run.trades.iter().filter(|trade| won == (trade.net_pnl() > Money::ZERO));
        // An empty place between two trades keeps their lines apart.
        let times = chosen().flat_map(|trade| {
            [Some(run.clock(trade.entry_time)), Some(run.clock(trade.exit_time)), None]
        });
        let prices = chosen().flat_map(|trade| {
            [Some(trade.entry_price.as_f64()), Some(trade.exit_price.as_f64()), None]
        });
        plot.add_trace(
            Scatter::new(times.collect(), prices.collect())
                .mode(Mode::Lines)
                .show_legend(false)
                .hover_info(HoverInfo::Skip)
                .line(Line::new().color(color).width(1.0).dash(DashType::Dot)),
        );
    }
}

/// Returns at most `most` points, with the highest and the lowest of each stretch.
fn thinned(marks: &[(Timestamp, Price)], most: usize) -> Vec<(Timestamp, Price)> {
    if marks.len() <= most {
        return marks.to_vec();
    }
    let stretch = (2 * marks.len()).div_ceil(most);
    marks
        .chunks(stretch)
        .flat_map(|chunk| {
            let lowest = (0..chunk.len()).min_by_key(|&place| chunk[place].1).unwrap_or(0);
            let highest = (0..chunk.len()).max_by_key(|&place| chunk[place].1).unwrap_or(0);
            let mut both = vec![lowest.min(highest), lowest.max(highest)];
            both.dedup();
            both.into_iter().map(|place| chunk[place])
        })
        .collect()
}

/// Returns a trade in a few lines, in the charts' own markup.
fn description(run: &ReportedRun, trade: &Trade) -> String {
    let time =
        |time| exchange_time(run.summary.calendar, time).strftime("%Y-%m-%d %H:%M:%S").to_string();
    format!(
        "#{} {} {} {}<br>in {} at {}<br>out {} at {}<br>{}, net {}",
        trade.id,
        side_name(trade.side),
        trade.quantity,
        escape(&contract_symbol(&run.summary.contracts, trade.contract)),
        time(trade.entry_time),
        trade.entry_price,
        time(trade.exit_time),
        trade.exit_price,
        trade.exit_reason.name().replace('_', " "),
        dollars(trade.net_pnl().as_f64()),
    )
}

/// Returns bars coloured by the sign of their height.
fn signed_bars(x: Vec<String>, y: Vec<f64>, hover: Vec<String>) -> Box<Bar<String, f64>> {
    let colors = y.iter().map(|&value| if value >= 0.0 { GREEN } else { RED }).collect();
    Bar::new(x, y)
        .hover_text_array(hover)
        .hover_info(HoverInfo::Text)
        .marker(Marker::new().color_array(colors))
}

/// Draws net profit by hour of entry on the exchange's clocks.
pub(super) fn hours(run: &ReportedRun) -> Option<String> {
    if run.trades.is_empty() {
        return None;
    }
    let calendar = run.summary.calendar;
    // From the session's open on.
    let opens = if calendar == Calendar::AlwaysOpen { 0 } else { 17 };
    let hours: Vec<i8> = (0..24).map(|place| (opens + place) % 24).collect();
    let mut nets = Vec::new();
    let mut hover = Vec::new();
    for &hour in &hours {
        let entered: Vec<Money> = run
            .trades
            .iter()
            .filter(|trade| exchange_time(calendar, trade.entry_time).hour() == hour)
            .map(Trade::net_pnl)
            .collect();
        let net = cents(entered.iter().copied().sum());
        let won = entered.iter().filter(|&&net| net > Money::ZERO).count();
        let share = if entered.is_empty() {
            String::new()
        } else {
            format!(", {} won", percent(won as f64 / entered.len() as f64))
        };
        hover.push(format!(
            "{hour:02}:00: {} trades{share}<br>net {}",
            entered.len(),
            dollars(net)
        ));
        nets.push(net);
    }
    let names = hours.iter().map(|hour| format!("{hour:02}:00")).collect();
    let mut plot = Plot::new();
    plot.add_trace(signed_bars(names, nets, hover));
    plot.set_layout(
        layout()
            .x_axis(
                axis(&format!("Hour of entry, {}", calendar.clock_name()))
                    .type_(AxisType::Category),
            )
            .y_axis(axis("Net P&L, $").tick_format(",.0f")),
    );
    Some(draw("hours", "", 280, &mut plot))
}

/// Draws the number of trades by net profit.
pub(super) fn distribution(run: &ReportedRun) -> Option<String> {
    let nets: Vec<f64> = run.trades.iter().map(|trade| cents(trade.net_pnl())).collect();
    let lowest = nets.iter().copied().reduce(f64::min)?;
    let highest = nets.iter().copied().reduce(f64::max)?;
    let width = round_step((highest - lowest) / 30.0);
    // Steps are counted from zero, so that no bar holds both gains and losses.
    let step = |net: f64| (net / width).floor() as i64;
    let (first, last) = (step(lowest), step(highest));
    let mut trades = vec![0_u64; (last - first + 1) as usize];
    for &net in &nets {
        trades[(step(net) - first) as usize] += 1;
    }
    let start = |place: usize| (first + place as i64) as f64 * width;
    let places = 0..trades.len();
    let middles: Vec<f64> = places.clone().map(|place| start(place) + width / 2.0).collect();
    let colors = middles.iter().map(|&middle| if middle > 0.0 { GREEN } else { RED }).collect();
    let hover = places
        .map(|place| {
            let (from, to) = (dollars(start(place)), dollars(start(place) + width));
            format!("{from} to {to}<br>{} trades", count(trades[place]))
        })
        .collect();
    let mut plot = Plot::new();
    plot.add_trace(
        Bar::new(middles, trades)
            .width(width)
            .hover_text_array(hover)
            .hover_info(HoverInfo::Text)
            .marker(
                Marker::new().color_array(colors).line(Line::new().color("#ffffff").width(1.0)),
            ),
    );
    plot.set_layout(layout().x_axis(axis("Net P&L, $").tick_format(",.0f")).y_axis(axis("Trades")));
    Some(draw("distribution", "half", 320, &mut plot))
}

/// Returns the next of 1, 2, 5, 10, 20, 50, … from `step` up; at least a cent.
fn round_step(step: f64) -> f64 {
    let step = step.max(0.01);
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step).unwrap_or(10.0);
    factor * power
}

/// Draws each trade's largest open loss and profit.
pub(super) fn excursions(run: &ReportedRun) -> Option<String> {
    if run.trades.is_empty() {
        return None;
    }
    let mut plot = Plot::new();
    for (won, name, color, symbol) in
        [(true, "Won", GREEN, MarkerSymbol::CircleOpen), (false, "Lost", RED, MarkerSymbol::XThin)]
    {
        let chosen = || run.trades.iter().filter(|trade| won == (trade.net_pnl() > Money::ZERO));
        if chosen().next().is_none() {
            continue;
        }
        let marker = Marker::new().symbol(symbol).color(color).size(7);
        plot.add_trace(
            Scatter::new(
                chosen().map(|trade| cents(-trade.mae)).collect(),
                chosen().map(|trade| cents(trade.mfe)).collect(),
            )
            .name(name)
            .mode(Mode::Markers)
            .hover_text_array(chosen().map(|trade| description(run, trade)).collect())
            .hover_info(HoverInfo::Text)
            .marker(marker.line(Line::new().color(color).width(1.5))),
        );
    }
    plot.set_layout(
        layout()
            .hover_mode(HoverMode::Closest)
            .show_legend(true)
            .legend(Legend::new().orientation(Orientation::Horizontal).x(0.0).y(1.12))
            .x_axis(axis("Largest open loss (MAE), $").tick_format(",.0f"))
            .y_axis(axis("Largest open profit (MFE), $").tick_format(",.0f")),
    );
    Some(draw("excursions", "half", 320, &mut plot))
}

/// Draws net profit by the reason of the exit.
pub(super) fn exit_reasons(run: &ReportedRun) -> Option<String> {
    let rows = &run.summary.statistics.exit_reasons;
    if rows.is_empty() {
        return None;
    }
    let hover = rows
        .iter()
        .map(|row| format!("{} trades<br>net {}", count(row.trades), dollars(row.net_pnl)))
        .collect();
    let names = rows.iter().map(|row| escape(&row.reason.replace('_', " "))).collect();
    let nets = rows.iter().map(|row| row.net_pnl).collect();
    let mut plot = Plot::new();
    plot.add_trace(signed_bars(names, nets, hover));
    plot.set_layout(
        layout()
            .x_axis(axis("").type_(AxisType::Category))
            .y_axis(axis("Net P&L, $").tick_format(",.0f")),
    );
    Some(draw("exits", "half", 240, &mut plot))
}

/// Draws the processing time of a tick by percentile.
pub(super) fn latency(run: &ReportedRun) -> Option<String> {
    let measured = run.summary.processing_time.as_ref()?;
    let names = measured.percentiles.iter().map(|it| percentile_name(it.0)).collect::<Vec<_>>();
    let nanos: Vec<f64> = measured.percentiles.iter().map(|it| it.1).collect();
    let hover =
        names.iter().zip(&nanos).map(|(name, &n)| format!("{name}: {}", nanoseconds(n))).collect();
    let mut plot = Plot::new();
    plot.add_trace(
        Scatter::new(names, nanos)
            .mode(Mode::LinesMarkers)
            .hover_text_array(hover)
            .hover_info(HoverInfo::Text)
            .line(Line::new().color(BLUE)),
    );
    plot.set_layout(
        layout()
            .x_axis(axis("Percentile").type_(AxisType::Category))
            .y_axis(axis("Nanoseconds a tick").type_(AxisType::Log).dtick(1.0)),
    );
    Some(draw("latency", "half", 280, &mut plot))
}

/// Draws the percentile curve of each span: each step to the right leaves a tenth of the samples of
/// the step before.
pub(super) fn latency_percentiles(latency: &LatencySummary) -> Option<String> {
    let points = || latency.spans.iter().flat_map(|span| &span.curve);
    let slowest = points().map(|point| point.1).max()?;
    let fastest = points().map(|point| point.1).min()?;
    let rarest = points().map(|point| point.0).fold(0.0, f64::max);
    let mut plot = Plot::new();
    for (span, color) in latency.spans.iter().zip(SPAN_COLORS) {
        let hover = span.curve.iter().map(|&(fraction, nanos)| {
            format!(
                "{}<br>{}: {}",
                span.span.name(),
                percentile(fraction),
                nanoseconds(nanos as f64)
            )
        });
        plot.add_trace(
            Scatter::new(
                span.curve.iter().map(|point| rarity(point.0)).collect(),
                // A logarithm has no zero.
                span.curve.iter().map(|point| point.1.max(1)).collect(),
            )
            .name(span.span.name())
            .mode(Mode::LinesMarkers)
            .hover_text_array(hover.collect())
            .hover_info(HoverInfo::Text)
            .line(Line::new().color(color).width(1.5))
            .marker(Marker::new().color(color).size(3)),
        );
    }
    let percentiles = [0.0, 0.5, 0.9, 0.99, 0.999, 0.999_9, 0.999_99, 0.999_999, 0.999_999_9];
    // From one whole power of ten to another, so that at least two of them are marked.
    let lowest = fastest.max(1).ilog10();
    let highest = (slowest.max(2) - 1).ilog10() + 1;
    let powers: Vec<f64> = (lowest..=highest).map(|power| 10_f64.powi(power as i32)).collect();
    let texts = powers.iter().map(|&power| nanoseconds(power).replace(".00", "").replace(".0", ""));
    plot.set_layout(
        layout()
            .hover_mode(HoverMode::Closest)
            .show_legend(true)
            .legend(Legend::new().orientation(Orientation::Horizontal).x(0.0).y(1.12))
            .x_axis(
                axis("Percentile")
                    .type_(AxisType::Log)
                    .range(vec![0.0, rarity(rarest).max(2.0).log10() * 1.02])
                    .tick_values(percentiles.map(rarity).to_vec())
                    .tick_text(percentiles.map(percentile).to_vec()),
            )
            .y_axis(
                axis("")
                    .type_(AxisType::Log)
                    .range(vec![f64::from(lowest), f64::from(highest)])
                    .tick_text(texts.collect())
                    .tick_values(powers),
            ),
    );
    Some(draw("percentiles", "", 420, &mut plot))
}

/// Returns the number of samples of which one lies beyond this fraction (< 1) of them.
fn rarity(fraction: f64) -> f64 {
    1.0 / (1.0 - fraction)
}

/// Returns `50%`, `99.9%`, `99.95%`: as many decimals as tell the fraction (< 1) from all.
fn percentile(fraction: f64) -> String {
    let nines = (rarity(fraction) * 0.999).log10().ceil() as usize;
    format!("{:.*}%", nines.saturating_sub(2), fraction * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_price_line_keeps_every_extreme() {
        let marks: Vec<(Timestamp, Price)> = (0..1_000_i64)
            .map(|i| (Timestamp::from_nanos(i), Price::from_units(i * 7919 % 1009)))
            .collect();
        let shown = thinned(&marks, 100);
        assert!(shown.len() <= 100);
        assert!(shown.is_sorted_by_key(|it| it.0));
        assert!(shown.iter().all(|it| marks.contains(it)));
        let extremes = |points: &[(Timestamp, Price)]| {
            (points.iter().map(|it| it.1).min(), points.iter().map(|it| it.1).max())
        };
        assert_eq!(extremes(&shown), extremes(&marks));
        assert_eq!(thinned(&marks, 1_000), marks);
    }

    #[test]
    fn percentiles_show_their_nines() {
        for (fraction, text) in [
            (0.0, "0%"),
            (0.5, "50%"),
            (0.9, "90%"),
            (0.99, "99%"),
            (0.998_046_875, "99.8%"),
            (0.999, "99.9%"),
            (0.999_023_437_5, "99.90%"),
            (0.999_999_9, "99.99999%"),
        ] {
            assert_eq!(percentile(fraction), text);
        }
    }

    #[test]
    fn steps_are_round() {
        for (step, round) in [(0.0, 0.01), (3.0, 5.0), (12.0, 20.0), (100.0, 100.0), (51.0, 100.0)]
        {
            assert!((round_step(step) - round).abs() < 1e-9, "{step}");
        }
    }
}
