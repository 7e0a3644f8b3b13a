//! The traces and the axes.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use plotly::common::{
    Anchor, DashType, Direction, Fill, HoverInfo, HoverOn, Line, LineShape, Marker, MarkerSymbol,
    Mode, Orientation,
};
use plotly::layout::{
    Axis, AxisType, HoverMode, Legend, Margin, RangeBreak, RangeSlider, SpikeMode, SpikeSnap,
};
use plotly::{Bar, Candlestick, Plot, Scatter};

use super::{ChartBar, ChartGap, ChartInput, SlowPoint};
use crate::market::Timestamp;
use crate::page::plot::{GREY, axis, clock, draw, layout};

// Colours that the colour-blind can tell apart too: M. Okabe and K. Ito, "Color Universal Design".
const BLUE: &str = "#0072b2";
const SKY: &str = "#56b4e9";
const GREEN: &str = "#009e73";
const ORANGE: &str = "#e69f00";
const VERMILION: &str = "#d55e00";
const PURPLE: &str = "#cc79a7";
const INK: &str = "#39434d";

/// A stretch of time on the chart.
struct Frame<'a> {
    zone: &'a TimeZone,
    from: Timestamp,
    until: Timestamp,
}

impl Frame<'_> {
    fn shown(&self, time: Timestamp) -> DateTime {
        self.zone.to_datetime(instant(time))
    }

    /// Returns the place of an instant on the axis; what lies outside is moved to the edge.
    fn place(&self, time: Timestamp) -> i64 {
        clock(self.shown(time.clamp(self.from, self.until)))
    }

    /// Shows a time such as `09:35`.
    fn time(&self, time: Timestamp) -> String {
        self.shown(time).strftime("%H:%M").to_string()
    }

    /// Shows a time such as `11 Oct 09:35`.
    fn day_and_time(&self, time: Timestamp) -> String {
        self.shown(time).strftime("%-d %b %H:%M").to_string()
    }

    /// Returns the middle of a candle.
    fn middle(&self, bar: &ChartBar) -> i64 {
        (self.place(bar.start) + self.place(bar.end)) / 2
    }
}

fn instant(time: Timestamp) -> jiff::Timestamp {
    jiff::Timestamp::from_nanosecond(i128::from(time.nanos()))
        .expect("every market time lies in the calendar's range")
}

/// Returns a zone as it is at that time: `America/Chicago (CST, UTC-06)`.
pub(super) fn zone_name(zone: &TimeZone, time: Timestamp) -> String {
    let name = zone.iana_name().unwrap_or("UTC");
    if zone == &TimeZone::UTC {
        return name.to_owned();
    }
    let now = zone.to_offset_info(instant(time));
    format!("{name} ({}, UTC{})", now.abbreviation(), now.offset())
}

/// Draws the chart of `[from, until)` as part of a page.
pub(super) fn chart(input: &ChartInput, from: Timestamp, until: Timestamp) -> String {
    let frame = Frame { zone: &input.time_zone, from, until };
    let mut plot = Plot::new();
    gaps(&mut plot, &frame, &input.gaps);
    candles(&mut plot, &frame, &input.bars);
    levels(&mut plot, &frame, &input.slow_points);
    estimates(&mut plot, &frame, &input.slow_points);
    momentum(&mut plot, &frame, &input.slow_points);
    volume(&mut plot, &frame, &input.bars);
    let prices = axis("Points").domain(&[0.42, 1.0]).range(price_range(input)).tick_format(",~f");
    plot.set_layout(
        layout()
            .margin(Margin::new().left(72).right(16).top(92).bottom(48))
            .legend(
                Legend::new()
                    .orientation(Orientation::Horizontal)
                    .x(0.0)
                    .y(1.01)
                    .y_anchor(Anchor::Bottom),
            )
            .hover_mode(HoverMode::Closest)
            .x_axis(time_axis(&frame, &input.bars))
            .y_axis(prices)
            .y_axis2(axis("Momentum index").domain(&[0.19, 0.39]))
            .y_axis3(axis("Volume").domain(&[0.0, 0.16]).tick_format("~s")),
    );
    draw("session", "", 900, &mut plot)
}

fn time_axis(frame: &Frame, bars: &[ChartBar]) -> Axis {
    let text = |time| frame.shown(time).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let breaks = bars
        .windows(2)
        .filter(|pair| pair[0].end < pair[1].start)
        .map(|pair| RangeBreak::new().bounds(text(pair[0].end), text(pair[1].start)))
        .collect();
    axis(&zone_name(frame.zone, frame.from))
        .type_(AxisType::Date)
        .anchor("y3")
        .range(vec![Some(frame.place(frame.from)), Some(frame.place(frame.until))])
        .range_breaks(breaks)
        .range_slider(RangeSlider::new().visible(false))
        .hover_format("%H:%M")
        .show_spikes(true)
        .spike_mode(SpikeMode::Across)
        .spike_snap(SpikeSnap::Cursor)
        .spike_dash(DashType::Dot)
        .spike_thickness(1)
        .spike_color(GREY)
}

/// Returns the range of the price axis: the candles and the estimate, not a level from days ago.
fn price_range(input: &ChartInput) -> Vec<Option<f64>> {
    let candles = input.bars.iter().flat_map(|bar| [bar.low, bar.high]);
    let estimates = input.slow_points.iter().map(|point| point.estimate);
    let (low, high) = candles
        .chain(estimates)
        .filter(|price| price.is_finite())
        .fold((f64::MAX, f64::MIN), |(low, high), price| (low.min(price), high.max(price)));
    let room = (high - low) * 0.05;
    vec![Some(low - room), Some(high + room)]
}

fn candles(plot: &mut Plot, frame: &Frame, bars: &[ChartBar]) {
    let column = |value: fn(&ChartBar) -> f64| bars.iter().map(value).collect();
    let hover = bars.iter().map(|bar| {
        format!(
            "{}–{}<br>open {}<br>high {}<br>low {}<br>close {}<br>volume {}",
            frame.day_and_time(bar.start),
            frame.time(bar.end),
            bar.open,
            bar.high,
            bar.low,
            bar.close,
            bar.volume
        )
    });
    let rising = Direction::Increasing { line: Line::new().color(BLUE).width(1.0) };
    let falling = Direction::Decreasing { line: Line::new().color(VERMILION).width(1.0) };
    let trace = Candlestick::new(
        bars.iter().map(|bar| frame.middle(bar)).collect(),
        column(|bar| bar.open),
        column(|bar| bar.high),
        column(|bar| bar.low),
        column(|bar| bar.close),
    );
    plot.add_trace(Box::new(
        trace
            .name("Candles")
            .hover_text_array(hover.collect())
            .hover_info(HoverInfo::Text)
            .increasing(rising)
            .decreasing(falling),
    ));
}

fn volume(plot: &mut Plot, frame: &Frame, bars: &[ChartBar]) {
    let color = |bar: &ChartBar| if bar.close >= bar.open { BLUE } else { VERMILION };
    plot.add_trace(
        Bar::new(
            bars.iter().map(|bar| frame.middle(bar)).collect(),
            bars.iter().map(|bar| bar.volume).collect(),
        )
        .name("Volume")
        .show_legend(false)
        .hover_template("%{y:,} contracts<extra></extra>")
        .opacity(0.6)
        .marker(Marker::new().color_array(bars.iter().map(color).collect()))
        .y_axis("y3"),
    );
}

fn gaps(plot: &mut Plot, frame: &Frame, gaps: &[ChartGap]) {
    for (bullish, name, color, fill) in [
        (true, "Bullish fair value gap", SKY, "rgba(86,180,233,0.22)"),
        (false, "Bearish fair value gap", ORANGE, "rgba(230,159,0,0.22)"),
    ] {
        let inside = |gap: &&ChartGap| {
            gap.from < frame.until && gap.until.is_none_or(|until| until > frame.from)
        };
        let chosen = gaps.iter().filter(|gap| gap.bullish == bullish).filter(inside);
        for (place, gap) in chosen.enumerate() {
            let (left, right) =
                (frame.place(gap.from), frame.place(gap.until.unwrap_or(frame.until)));
            let end = match gap.until {
                Some(until) => format!("until {}", frame.day_and_time(until)),
                None => "open".to_owned(),
            };
            plot.add_trace(
                Scatter::new(
                    vec![left, right, right, left, left],
                    vec![gap.bottom, gap.bottom, gap.top, gap.top, gap.bottom],
                )
                .name(name)
                .legend_group(name)
                .show_legend(place == 0)
                .mode(Mode::Lines)
                .line(Line::new().color(color).width(1.0))
                .fill(Fill::ToSelf)
                .fill_color(fill)
                .hover_on(HoverOn::Fills)
                .text(format!(
                    "{name} {} to {}<br>from {}, {end}",
                    gap.bottom,
                    gap.top,
                    frame.day_and_time(gap.from)
                ))
                .hover_info(HoverInfo::Text),
            );
        }
    }
}

/// Draws a line through the slow points that have the value; `None` if none has.
fn line(
    frame: &Frame,
    points: &[SlowPoint],
    name: &str,
    value: fn(&SlowPoint) -> f64,
) -> Option<Box<Scatter<i64, f64>>> {
    let values: Vec<f64> = points.iter().map(value).collect();
    let hover = points
        .iter()
        .zip(&values)
        .map(|(point, value)| {
            format!("{name}<br>{value:.2}, known {}", frame.day_and_time(point.known))
        })
        .collect();
    values.iter().any(|value| value.is_finite()).then(|| {
        Scatter::new(points.iter().map(|point| frame.place(point.known)).collect(), values)
            .name(name)
            .mode(Mode::Lines)
            .hover_text_array(hover)
            .hover_info(HoverInfo::Text)
    })
}

fn estimates(plot: &mut Plot, frame: &Frame, points: &[SlowPoint]) {
    let slow = line(frame, points, "Nadaraya-Watson", |point| point.estimate);
    if let Some(trace) = slow {
        plot.add_trace(
            trace
                .mode(Mode::LinesMarkers)
                .line(Line::new().color(GREEN).width(2.5))
                .marker(Marker::new().color(GREEN).size(5)),
        );
    }
    let fast = line(frame, points, "Nadaraya-Watson, faster", |point| point.fast_estimate);
    if let Some(trace) = fast {
        plot.add_trace(trace.line(Line::new().color(GREEN).width(1.2).dash(DashType::Dot)));
    }
}

/// Draws prices that hold until the next slow point.
fn levels(plot: &mut Plot, frame: &Frame, points: &[SlowPoint]) {
    type Prices = fn(&SlowPoint) -> Vec<f64>;
    let levels: [(&str, Prices, Line); 4] = [
        (
            "Value area",
            |point| vec![point.value_area_low, point.value_area_high],
            Line::new().color(GREY).width(1.0).dash(DashType::Dash),
        ),
        (
            "Point of control",
            |point| vec![point.point_of_control],
            Line::new().color(INK).width(1.0),
        ),
        ("Low-volume nodes", |point| point.nodes.clone(), Line::new().color(PURPLE).width(1.0)),
        (
            "Nearest low-volume node",
            |point| vec![point.nearest_node],
            Line::new().color(PURPLE).width(3.0),
        ),
    ];
    for (name, prices, style) in levels {
        if let Some(trace) = segments(frame, points, name, prices) {
            plot.add_trace(trace.line(style));
        }
    }
}

/// Returns a short level line for each point and each of its prices; `None` without points.
fn segments(
    frame: &Frame,
    points: &[SlowPoint],
    name: &str,
    prices: fn(&SlowPoint) -> Vec<f64>,
) -> Option<Box<Scatter<Option<i64>, Option<f64>>>> {
    let (mut x, mut y, mut hover) = (Vec::new(), Vec::new(), Vec::new());
    for (place, point) in points.iter().enumerate() {
        let until = points.get(place + 1).map_or(frame.until, |next| next.known);
        for price in prices(point).into_iter().filter(|price| price.is_finite()) {
            x.extend([Some(frame.place(point.known)), Some(frame.place(until)), None]);
            y.extend([Some(price), Some(price), None]);
            let known = frame.day_and_time(point.known);
            let text = format!("{name} at {price}<br>known {known}");
            hover.extend([text.clone(), text, String::new()]);
        }
    }
    (!x.is_empty()).then(|| {
        Scatter::new(x, y)
            .name(name)
            .mode(Mode::Lines)
            .hover_text_array(hover)
            .hover_info(HoverInfo::Text)
    })
}

fn momentum(plot: &mut Plot, frame: &Frame, points: &[SlowPoint]) {
    type Series = (&'static str, fn(&SlowPoint) -> f64, Line);
    let band = || Line::new().color(GREY).width(1.0).dash(DashType::Dash);
    let series: [Series; 4] = [
        ("Upper band of the vote", |point| point.vote_upper, band()),
        ("Lower band of the vote", |point| point.vote_lower, band()),
        ("Vote", |point| point.vote, Line::new().color(BLUE).width(2.0)),
        ("Vote’s average", |point| point.vote_average, Line::new().color(ORANGE).width(1.5)),
    ];
    for (name, value, style) in series {
        if let Some(trace) = line(frame, points, name, value) {
            // A value holds until the next.
            plot.add_trace(trace.line(style.shape(LineShape::Hv)).y_axis("y2"));
        }
    }
    for (direction, name, symbol, color) in [
        (1, "Crossing up", MarkerSymbol::TriangleUp, BLUE),
        (-1, "Crossing down", MarkerSymbol::TriangleDown, VERMILION),
    ] {
        let is_shown = |point: &&SlowPoint| point.known >= frame.from;
        let crossings: Vec<&SlowPoint> =
            points.iter().filter(is_shown).filter(|point| point.crossing == direction).collect();
        if crossings.is_empty() {
            continue;
        }
        let height = |point: &&SlowPoint| if point.vote.is_nan() { 0.0 } else { point.vote };
        let hover = |point: &&SlowPoint| {
            format!("{name} of the averages<br>known {}", frame.day_and_time(point.known))
        };
        plot.add_trace(
            Scatter::new(
                crossings.iter().map(|point| frame.place(point.known)).collect(),
                crossings.iter().map(height).collect(),
            )
            .name(name)
            .mode(Mode::Markers)
            .hover_text_array(crossings.iter().map(hover).collect())
            .hover_info(HoverInfo::Text)
            .marker(Marker::new().symbol(symbol).color(color).size(10))
            .y_axis("y2"),
        );
    }
}
