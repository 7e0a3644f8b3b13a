//! The indicators over all bars, and what is to be drawn of one session.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::chart::{ChartBar, ChartGap, SlowPoint};
use crate::indicators::{
    FairValueGap, FairValueGapSettings, Indicator, LowVolumeNode, LowVolumeNodeSettings,
    MalformedBar, MomentumIndex, MomentumIndexSettings, NadarayaWatson, NadarayaWatsonSettings,
    TickBar,
};
use crate::market::{Bar, BarFlags, Calendar, Price, Session, Timeframe};

/// Of the candles and the fair value gaps.
pub(super) const FAST: Timeframe = Timeframe::MINUTES_5;
/// Of the other indicators.
pub(super) const SLOW: Timeframe = Timeframe::MINUTES_30;

/// Sessions that a refusal names.
const MOST_LISTED: usize = 20;

/// Runs the indicators over bars, and keeps what is to be drawn of one session.
pub(super) struct Sessions {
    /// The session to draw; the last whole one if it is none.
    day: Option<Date>,
    calendar: Calendar,
    tick_size: Price,
    gaps: FairValueGap,
    estimate: NadarayaWatson,
    momentum: MomentumIndex,
    nodes: LowVolumeNode,
    fast_bars: u64,
    slow_bars: usize,
    /// The gaps that are active, with the bar that confirmed each.
    active: Vec<(u64, ChartGap)>,
    /// The sessions seen whose bars are all taken.
    days: Vec<Date>,
    /// The session that is being taken.
    current: Option<Drawing>,
    kept: Option<Drawing>,
    last_slow_point: Option<SlowPoint>,
}

/// What a chart shows of a session.
pub(super) struct Drawing {
    pub(super) session: Session,
    /// Of its last bar.
    pub(super) contract: u16,
    pub(super) bars: Vec<ChartBar>,
    pub(super) gaps: Vec<ChartGap>,
    pub(super) slow_points: Vec<SlowPoint>,
    pub(super) notes: Vec<String>,
    /// Whether a bar is known to lack data.
    lacks_data: bool,
}

impl Drawing {
    /// Whether the history has all of the session.
    fn is_whole(&self) -> bool {
        let ends = (self.bars.first().map(|bar| bar.start), self.bars.last().map(|bar| bar.end));
        !self.lacks_data && ends == (Some(self.session.open), Some(self.session.close))
    }
}

impl Sessions {
    /// Nothing taken yet.
    pub(super) fn new(day: Option<Date>, calendar: Calendar, tick_size: Price) -> Sessions {
        let good = "the defaults are good";
        Sessions {
            day,
            calendar,
            tick_size,
            gaps: FairValueGap::new(FairValueGapSettings::default()).expect(good),
            estimate: NadarayaWatson::new(NadarayaWatsonSettings::default()).expect(good),
            momentum: MomentumIndex::new(MomentumIndexSettings::default()).expect(good),
            nodes: LowVolumeNode::new(LowVolumeNodeSettings::default()).expect(good),
            fast_bars: 0,
            slow_bars: 0,
            active: Vec::new(),
            days: Vec::new(),
            current: None,
            kept: None,
            last_slow_point: None,
        }
    }

    /// Takes a bar of either timeframe.
    ///
    /// # Errors
    /// If no market can have made it.
    pub(super) fn take(&mut self, bar: &Bar) -> Result<(), MalformedBar> {
        let ticks = TickBar::new(bar, self.tick_size)?;
        if self.current.as_ref().is_none_or(|current| bar.start >= current.session.close) {
            self.end_session();
            self.current = Some(self.session_of(bar));
        }
        if bar.timeframe == FAST {
            self.take_fast(bar, &ticks);
        } else {
            self.take_slow(bar, &ticks);
        }
        Ok(())
    }

    fn take_fast(&mut self, bar: &Bar, ticks: &TickBar) {
        let values = self.gaps.update(ticks);
        let current = self.current.as_mut().expect("its session was begun");
        if values.new != 0 {
            let newest = self.gaps.zones().find(|zone| zone.formed == self.fast_bars);
            let zone = newest.expect("the gap that was confirmed is active");
            let gap = ChartGap {
                bullish: zone.bullish,
                from: bar.end,
                until: None,
                top: points(zone.top as f64, self.tick_size),
                bottom: points(zone.bottom as f64, self.tick_size),
            };
            self.active.push((zone.formed, gap));
        }
        if self.active.len() > usize::from(values.bull.active + values.bear.active) {
            let formed: BTreeSet<u64> = self.gaps.zones().map(|zone| zone.formed).collect();
            let gone = self.active.extract_if(.., |(bar, _)| !formed.contains(bar));
            current.gaps.extend(gone.map(|(_, gap)| ChartGap { until: Some(bar.end), ..gap }));
        }
        self.fast_bars += 1;
        current.bars.push(bar.into());
        current.contract = bar.contract;
        current.lacks_data |= bar.flags.any(BarFlags::INCOMPLETE);
    }

    fn take_slow(&mut self, bar: &Bar, ticks: &TickBar) {
        let estimate = self.estimate.update(ticks);
        let momentum = self.momentum.update(ticks);
        let nodes = self.nodes.update(ticks);
        let points = |ticks| points(ticks, self.tick_size);
        let point = SlowPoint {
            known: bar.end,
            estimate: points(estimate.estimate),
            fast_estimate: points(estimate.fast_estimate),
            nearest_node: points(nodes.nearest.price),
            nodes: self.nodes.nodes().map(|node| points(node.price)).collect(),
            point_of_control: points(nodes.point_of_control),
            value_area_high: points(nodes.value_area_high),
            value_area_low: points(nodes.value_area_low),
            vote: momentum.vote,
            vote_average: momentum.vote_average,
            vote_upper: momentum.upper,
            vote_lower: momentum.lower,
            crossing: momentum.crossing,
        };
        self.slow_bars += 1;
        let current = self.current.as_mut().expect("its session was begun");
        self.last_slow_point = Some(point.clone());
        current.slow_points.push(point);
    }

    /// The session that begins with that bar.
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
        ended.gaps.extend(self.active.iter().map(|(_, gap)| *gap));
        if !ended.is_whole() {
            ended.notes.push("The history lacks a part of this session.".to_owned());
        }
        for (what, needed) in [
            ("low-volume nodes and the value area need", self.nodes.first_valid() + 1),
            ("bands of the momentum index need", self.momentum.first_valid() + 1),
        ] {
            if self.slow_bars < needed {
                ended.notes.push(format!(
                    "The {what} {needed} bars of {} minutes; the history up to here has {}.",
                    SLOW.minutes(),
                    self.slow_bars
                ));
            }
        }
        if self.nodes.is_ready() && ended.slow_points.iter().all(|point| point.nodes.is_empty()) {
            ended
                .notes
                .push("The volume profile has no low-volume node in this session.".to_owned());
        }
        self.kept = Some(ended);
    }

    /// The session to draw.
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
        let all = format!("it has {count} sessions, from {first} to {last}");
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

fn points(ticks: f64, tick_size: Price) -> f64 {
    ticks * tick_size.as_f64()
}
