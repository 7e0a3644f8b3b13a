//! The drawing of one session, collected from the features of all bars.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::chart::{ChartBar, ChartGap, SlowPoint};
use crate::engine::{Output, Sink};

use crate::features::FeatureEngine;
use crate::market::{Bar, BarFlags, Calendar, Instrument, Session, Timeframe, Timestamp};

/// Of the candles and the fair value gaps.
pub(super) const FAST: Timeframe = Timeframe::MINUTES_5;
/// Of the other indicators.
pub(super) const SLOW: Timeframe = Timeframe::MINUTES_30;

/// Sessions that a refusal names.
const MOST_LISTED: usize = 20;

/// Watches the features of all bars, and keeps what is to be drawn of one session.
pub(super) struct Sessions {
    /// The session to draw; the last whole one if absent.
    day: Option<Date>,
    calendar: Calendar,
    points_in_a_tick: f64,
    columns: ChartColumns,
    slow_bars: usize,
    /// The gaps that are active, by the bar that confirmed them.
    active: BTreeMap<u64, ChartGap>,
    /// The sessions seen whose bars are all taken.
    days: Vec<Date>,
    /// The session that is being taken.
    current: Option<Drawing>,
    kept: Option<Drawing>,
    last_slow_point: Option<SlowPoint>,
}

/// Columns of the feature row, and when the last of them can have a value.
struct ChartColumns {
    estimate: usize,
    fast_estimate: usize,
    nearest_node: usize,
    point_of_control: usize,
    value_area_high: usize,
    value_area_low: usize,
    vote: usize,
    vote_average: usize,
    vote_upper: usize,
    vote_lower: usize,
    crossing: usize,
    first_profile: usize,
    first_bands: usize,
}

impl ChartColumns {
    fn of(engine: &FeatureEngine) -> ChartColumns {
        let layout = engine.layout();
        let column = |name: &str| {
            let name = format!("{name}_{SLOW}");
            layout.column(&name).expect("every indicator is on its default bars")
        };
        let (profile, bands) = (column("poc"), column("mlmi_upper"));
        ChartColumns {
            estimate: column("nw_yhat"),
            fast_estimate: column("nw_yhat2"),
            nearest_node: column("lvn_price"),
            point_of_control: profile,
            value_area_high: column("vah"),
            value_area_low: column("val"),
            vote: column("mlmi"),
            vote_average: column("mlmi_ma"),
            vote_upper: bands,
            vote_lower: column("mlmi_lower"),
            crossing: column("mlmi_cross"),
            first_profile: layout.fields()[profile].first_valid,
            first_bands: layout.fields()[bands].first_valid,
        }
    }
}

/// The content of a session's chart.
pub(super) struct Drawing {
    pub(super) session: Session,
    /// Of its last bar.
    pub(super) contract: u16,
    pub(super) bars: Vec<ChartBar>,
    pub(super) gaps: Vec<ChartGap>,
    pub(super) slow_points: Vec<SlowPoint>,
    pub(super) notes: Vec<String>,
    /// `true` if a bar is known to lack data.
    lacks_data: bool,
}

impl Drawing {
    /// Returns whether the history has all of the session.
    fn is_whole(&self) -> bool {
        let ends = (self.bars.first().map(|bar| bar.start), self.bars.last().map(|bar| bar.end));
        !self.lacks_data && ends == (Some(self.session.open), Some(self.session.close))
    }
}

impl Sink for Sessions {
    fn output(&mut self, output: &Output<'_>) {
        let Output::Features(stage) = output else { return };
        let engine = stage.engine();
        let bar = engine.row().bar;
        if self.current.as_ref().is_none_or(|current| bar.start >= current.session.close) {
            self.end_session();
            self.current = Some(self.session_of(&bar));
        }
        if bar.timeframe == FAST {
            self.take_fast(&bar, engine);
        } else {
            self.take_slow(bar.end, engine);
        }
    }
}

impl Sessions {
    /// Creates a watcher that has seen nothing.
    pub(super) fn new(
        day: Option<Date>,
        instrument: &Instrument,
        engine: &FeatureEngine,
    ) -> Sessions {
        Sessions {
            day,
            calendar: instrument.calendar,
            points_in_a_tick: instrument.tick_size.as_f64(),
            columns: ChartColumns::of(engine),
            slow_bars: 0,
            active: BTreeMap::new(),
            days: Vec::new(),
            current: None,
            kept: None,
            last_slow_point: None,
        }
    }

    fn take_fast(&mut self, bar: &Bar, engine: &FeatureEngine) {
        let points = |ticks: i64| ticks as f64 * self.points_in_a_tick;
        let mut before = std::mem::take(&mut self.active);
        for zone in engine.fair_value_gap(FAST).expect("they are computed").zones() {
            let from = before.remove(&zone.formed).map_or(bar.end, |gap| gap.from);
            // The edges again: they move when the series continues in another contract.
            let gap = ChartGap {
                bullish: zone.bullish,
                from,
                until: None,
                top: points(zone.top),
                bottom: points(zone.bottom),
            };
            self.active.insert(zone.formed, gap);
        }
        let current = self.current.as_mut().expect("its session was begun");
        // What is left was filled or dropped with this bar.
        current
            .gaps
            .extend(before.into_values().map(|gap| ChartGap { until: Some(bar.end), ..gap }));
        current.bars.push(bar.into());
        current.contract = bar.contract;
        current.lacks_data |= bar.flags.any(BarFlags::INCOMPLETE);
    }

    fn take_slow(&mut self, known: Timestamp, engine: &FeatureEngine) {
        let value = |column: usize| engine.row().values[column];
        let nodes = engine.low_volume_node(SLOW).expect("they are computed").nodes();
        let columns = &self.columns;
        let point = SlowPoint {
            known,
            estimate: value(columns.estimate),
            fast_estimate: value(columns.fast_estimate),
            nearest_node: value(columns.nearest_node),
            nodes: nodes.map(|node| node.price * self.points_in_a_tick).collect(),
            point_of_control: value(columns.point_of_control),
            value_area_high: value(columns.value_area_high),
            value_area_low: value(columns.value_area_low),
            vote: value(columns.vote),
            vote_average: value(columns.vote_average),
            vote_upper: value(columns.vote_upper),
            vote_lower: value(columns.vote_lower),
            // No value, NaN, becomes no crossing.
            crossing: value(columns.crossing) as i8,
        };
        self.slow_bars += 1;
        let current = self.current.as_mut().expect("its session was begun");
        self.last_slow_point = Some(point.clone());
        current.slow_points.push(point);
    }

    /// Returns the session that begins with that bar.
    fn session_of(&self, bar: &Bar) -> Drawing {
        Drawing {
            session: self.calendar.session_at_or_after(bar.start),
            contract: bar.contract,
            bars: Vec::new(),
            gaps: Vec::new(),
            // What was known last still holds when the session opens.
            slow_points: self.last_slow_point.clone().into_iter().collect(),
            notes: Vec::new(),
            lacks_data: false,
        }
    }

    /// Keeps the session that was taken, if it is one to draw.
    fn end_session(&mut self) {
        let Some(mut ended) = self.current.take() else { return };
        self.days.push(ended.session.trade_date);
        let is_wanted = match self.day {
            Some(day) => ended.session.trade_date == day,
            None => ended.is_whole(),
        };
        if !is_wanted {
            return;
        }
        ended.gaps.extend(self.active.values());
        if !ended.is_whole() {
            ended.notes.push("The history lacks a part of this session.".to_owned());
        }
        for (what, needed) in [
            ("low-volume nodes and the value area need", self.columns.first_profile + 1),
            ("bands of the momentum index need", self.columns.first_bands + 1),
        ] {
            if self.slow_bars < needed {
                ended.notes.push(format!(
                    "The {what} {needed} bars of {} minutes; the history up to here has {}.",
                    SLOW.minutes(),
                    self.slow_bars
                ));
            }
        }
        if self.slow_bars > self.columns.first_profile
            && ended.slow_points.iter().all(|point| point.nodes.is_empty())
        {
            ended
                .notes
                .push("The volume profile has no low-volume node in this session.".to_owned());
        }
        self.kept = Some(ended);
    }

    /// Returns the session to draw.
    ///
    /// # Errors
    /// If the history does not have it; says which it has.
    pub(super) fn finish(mut self) -> Result<Drawing, String> {
        self.end_session();
        if let Some(kept) = self.kept {
            return Ok(kept);
        }
        let (Some(first), Some(last)) = (self.days.first(), self.days.last()) else {
            return Err("the history has no session to draw".to_owned());
        };
        let count = self.days.len();
        let all = match count {
            1 => format!("it has one session, {first}"),
            _ => format!("it has {count} sessions, from {first} to {last}"),
        };
        let Some(day) = self.day else {
            return Err(format!("the history has no whole session; {all}: choose one with --day"));
        };
        let mut nearest = self.days.clone();
        nearest.sort_by_key(|other| day.duration_until(*other).abs());
        nearest.truncate(MOST_LISTED);
        nearest.sort();
        let nearest: Vec<String> = nearest.iter().map(Date::to_string).collect();
        let those = if count > MOST_LISTED { "; the nearest are" } else { ":" };
        Err(format!("the history has no session of {day}; {all}{those} {}", nearest.join(", ")))
    }
}
