use jiff::civil::date;
use serde_json::Value;

use super::{ChartBar, ChartError, ChartGap, ChartInput, SlowPoint, render, write_chart};
use crate::market::{Calendar, Timeframe, Timestamp};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Returns the axis's value of an instant whose Chicago clock shows this.
fn place(chicago: &str) -> Value {
    let shown: jiff::civil::DateTime = chicago.parse().unwrap();
    shown.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_millisecond().into()
}

fn bar(start: &str, open: f64, close: f64) -> ChartBar {
    let start = time(start);
    let (high, low) = (open.max(close) + 0.5, open.min(close) - 0.25);
    ChartBar { start, end: start + 5 * Timestamp::MINUTE, open, high, low, close, volume: 70 }
}

fn point(known: &str, estimate: f64) -> SlowPoint {
    SlowPoint {
        known: time(known),
        estimate,
        fast_estimate: estimate + 1.0,
        nearest_node: 1700.5,
        nodes: vec![1690.5, 1700.5],
        point_of_control: 1702.0,
        value_area_high: f64::NAN,
        value_area_low: f64::NAN,
        vote: 3.0,
        vote_average: f64::NAN,
        vote_upper: f64::NAN,
        vote_lower: f64::NAN,
        crossing: 0,
    }
}

/// Returns ten minutes before the close of a session (16:15 in Chicago then) and ten after the next
/// open.
fn two_sessions() -> ChartInput {
    ChartInput {
        instrument: "ES".to_owned(),
        contract: "ESZ13".to_owned(),
        day: date(2013, 10, 9),
        time_zone: Calendar::CmeEquityIndex.time_zone(),
        fast: Timeframe::MINUTES_5,
        slow: Timeframe::MINUTES_30,
        bars: vec![
            bar("2013-10-08T21:05:00Z", 1700.0, 1701.0),
            bar("2013-10-08T21:10:00Z", 1701.0, 1700.25),
            bar("2013-10-08T22:00:00Z", 1702.0, 1702.0),
            bar("2013-10-08T22:05:00Z", 1702.0, 1704.75),
        ],
        gaps: Vec::new(),
        slow_points: Vec::new(),
        notes: Vec::new(),
    }
}

/// Returns the data that the page gives to the library that draws.
fn plot(input: &ChartInput) -> Value {
    let html = render(input).unwrap();
    let start = html.find("Plotly.newPlot(\"chart-session\", ").unwrap();
    let json = &html[start + "Plotly.newPlot(\"chart-session\", ".len()..];
    serde_json::Deserializer::from_str(json).into_iter().next().unwrap().unwrap()
}

fn traces<'a>(plot: &'a Value, name: &str) -> Vec<&'a Value> {
    plot["data"].as_array().unwrap().iter().filter(|trace| trace["name"] == name).collect()
}

#[test]
fn a_candle_stands_in_the_middle_of_its_interval_on_the_exchanges_clock() {
    let plot = plot(&two_sessions());
    let candles = traces(&plot, "Candles")[0];
    let middles = [
        "2013-10-08T16:07:30",
        "2013-10-08T16:12:30",
        "2013-10-08T17:02:30",
        "2013-10-08T17:07:30",
    ];
    assert_eq!(candles["x"], Value::from(middles.map(place).to_vec()));
    assert_eq!(candles["open"], serde_json::json!([1700.0, 1701.0, 1702.0, 1702.0]));
    assert_eq!(candles["close"], serde_json::json!([1701.0, 1700.25, 1702.0, 1704.75]));
    assert_eq!(candles["high"][3], 1705.25);
    assert_eq!(candles["low"][1], 1700.0);
    assert_eq!(traces(&plot, "Volume")[0]["y"], serde_json::json!([70, 70, 70, 70]));
    let axis = &plot["layout"]["xaxis"];
    assert_eq!(axis["title"]["text"], "America/Chicago (CDT, UTC-05)");
    // The break between the sessions takes no room.
    let breaks = serde_json::json!([{ "bounds": ["2013-10-08 16:15:00", "2013-10-08 17:00:00"] }]);
    assert_eq!(axis["rangebreaks"], breaks);
}

#[test]
fn a_gap_is_a_box_from_where_it_was_confirmed_to_where_it_ended() {
    let gap = |bullish, from: &str, until: Option<&str>| ChartGap {
        bullish,
        from: time(from),
        until: until.map(time),
        top: 1703.0,
        bottom: 1701.5,
    };
    let mut input = two_sessions();
    input.gaps = vec![
        gap(true, "2013-10-08T21:10:00Z", Some("2013-10-08T22:05:00Z")),
        gap(true, "2013-10-07T15:00:00Z", None),
        gap(false, "2013-10-08T22:05:00Z", None),
        // Gone before the first bar, and not yet there at the last.
        gap(true, "2013-10-07T15:00:00Z", Some("2013-10-08T21:05:00Z")),
        gap(false, "2013-10-08T22:10:00Z", None),
    ];
    let plot = plot(&input);
    let boxes = |name| -> Vec<[Value; 4]> {
        let edges = |trace: &&Value| {
            assert_eq!(trace["fill"], "toself");
            let corners = |axis: &str| trace[axis].as_array().unwrap().clone();
            let (x, y) = (corners("x"), corners("y"));
            // A closed rectangle.
            assert_eq!((&x[0], &x[1], &y[0], &y[2]), (&x[3], &x[2], &y[1], &y[3]));
            assert_eq!((&x[0], &y[0]), (&x[4], &y[4]));
            [x[0].clone(), x[1].clone(), y[0].clone(), y[2].clone()]
        };
        traces(&plot, name).iter().map(edges).collect()
    };
    let prices = [1701.5.into(), 1703.0.into()];
    let expected = |from, until| {
        let [bottom, top] = prices.clone();
        [place(from), place(until), bottom, top]
    };
    assert_eq!(
        boxes("Bullish fair value gap"),
        [
            expected("2013-10-08T16:10:00", "2013-10-08T17:05:00"),
            expected("2013-10-08T16:05:00", "2013-10-08T17:10:00"),
        ]
    );
    assert_eq!(
        boxes("Bearish fair value gap"),
        [expected("2013-10-08T17:05:00", "2013-10-08T17:10:00")]
    );
    // One entry of each in the legend.
    let shown = |trace: &&Value| trace["showlegend"] == true;
    assert_eq!(traces(&plot, "Bullish fair value gap").iter().filter(|it| shown(it)).count(), 1);
}

#[test]
fn slow_values_stand_where_they_became_known_and_levels_hold_until_the_next() {
    let mut input = two_sessions();
    let mut crossing = point("2013-10-08T22:05:00Z", 1698.5);
    crossing.crossing = -1;
    crossing.nodes = Vec::new();
    crossing.nearest_node = f64::NAN;
    let mut before = point("2013-10-08T20:45:00Z", 1700.5);
    before.crossing = 1;
    input.slow_points = vec![before, crossing];
    let plot = plot(&input);
    let known = [place("2013-10-08T16:05:00"), place("2013-10-08T17:05:00")];
    let estimate = traces(&plot, "Nadaraya-Watson")[0];
    assert_eq!(estimate["x"], Value::from(known.to_vec()));
    assert_eq!(estimate["y"], serde_json::json!([1700.5, 1698.5]));
    assert_eq!(traces(&plot, "Nadaraya-Watson, faster")[0]["y"][1], 1699.5);
    let [from, until] = known.clone();
    let nodes = traces(&plot, "Low-volume nodes")[0];
    let line = [from.clone(), until.clone(), Value::Null];
    assert_eq!(nodes["x"], Value::from([line.clone(), line].concat()));
    assert_eq!(nodes["y"], serde_json::json!([1690.5, 1690.5, null, 1700.5, 1700.5, null]));
    let nearest = traces(&plot, "Nearest low-volume node")[0];
    assert_eq!(nearest["y"], serde_json::json!([1700.5, 1700.5, null]));
    let control = traces(&plot, "Point of control")[0];
    let end = place("2013-10-08T17:10:00");
    assert_eq!(
        control["x"],
        Value::from(vec![from, until.clone(), Value::Null, until, end, Value::Null])
    );
    let vote = traces(&plot, "Vote")[0];
    assert_eq!((&vote["y"], &vote["yaxis"]), (&serde_json::json!([3.0, 3.0]), &"y2".into()));
    // The crossing before the first bar is not on this chart.
    assert_eq!(traces(&plot, "Crossing down")[0]["x"], Value::from(vec![known[1].clone()]));
    // What has no value is not in the legend either.
    for name in ["Crossing up", "Value area", "Vote’s average", "Upper band of the vote"] {
        assert!(traces(&plot, name).is_empty(), "{name}");
    }
    // The axis shows candles and estimate, not the node far below.
    let range = plot["layout"]["yaxis"]["range"].as_array().unwrap();
    let (low, high) = (range[0].as_f64().unwrap(), range[1].as_f64().unwrap());
    assert!(1698.0 < low && low < 1698.5 && 1705.25 < high && high < 1706.0, "{low} {high}");
}

#[test]
fn text_from_the_history_stays_text() {
    let mut input = two_sessions();
    let hostile = "</script><script>alert('x')</script>";
    input.contract = hostile.to_owned();
    input.notes = vec![hostile.to_owned()];
    let html = render(&input).unwrap();
    assert!(!html.contains("alert('x')"));
    assert_eq!(html.matches("&lt;/script&gt;&lt;script&gt;alert(&#39;x&#39;)").count(), 3);
}

#[test]
fn without_a_bar_there_is_no_chart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("chart.html");
    let mut input = two_sessions();
    input.bars.clear();
    assert!(matches!(write_chart(&path, &input), Err(ChartError::NoBars { .. })));
    assert!(!path.exists());
    write_chart(&path, &two_sessions()).unwrap();
    assert!(path.exists());
}
