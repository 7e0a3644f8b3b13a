use proptest::prelude::*;

use super::super::test_bars::{bars, bars_until_equal, shifted};
use super::*;

fn settings(min_gap_ticks: u32, max_age: u32, capacity: usize) -> FairValueGapSettings {
    FairValueGapSettings { min_gap_ticks, max_age, capacity }
}

fn flat(high: i64, low: i64, close: i64) -> TickBar {
    TickBar { open: close, high, low, close, volume: 1 }
}

/// Returns values in a form in which NaN equals NaN.
fn comparable(values: &FairValueGapValues) -> String {
    format!("{values:?}")
}

/// The definition, said again without the sorted zones: a list, looked through on every bar, and
/// each direction written out.
struct List {
    settings: FairValueGapSettings,
    bars: Vec<TickBar>,
    bull: Vec<ListedZone>,
    bear: Vec<ListedZone>,
    newest: Option<(usize, i64)>,
}

#[derive(Clone)]
struct ListedZone {
    top: i64,
    bottom: i64,
    formed: usize,
}

impl List {
    fn update(&mut self, bar: &TickBar) -> FairValueGapValues {
        let FairValueGapSettings { min_gap_ticks, max_age, capacity } = self.settings;
        let now = self.bars.len();
        self.bars.push(*bar);
        let alive = |formed: usize| max_age == 0 || now - formed <= max_age as usize;
        self.bull.retain(|zone| alive(zone.formed));
        self.bear.retain(|zone| alive(zone.formed));
        self.newest = self.newest.filter(|newest| alive(newest.0));
        let mut new = 0;
        if now >= 2 {
            let (previous, before) = (self.bars[now - 1], self.bars[now - 2]);
            let wide = |gap: i64| gap >= i64::from(min_gap_ticks);
            if wide(bar.low - before.high) && previous.close > before.high {
                new = 1;
                self.bull.push(ListedZone { top: bar.low, bottom: before.high, formed: now });
                self.newest = Some((now, bar.low - before.high));
            }
            if wide(before.low - bar.high) && previous.close < before.low {
                new = -1;
                self.bear.push(ListedZone { top: before.low, bottom: bar.high, formed: now });
                self.newest = Some((now, bar.high - before.low));
            }
        }
        for list in [&mut self.bull, &mut self.bear] {
            if list.len() > capacity {
                list.remove(0);
            }
        }
        let before = (self.bull.len(), self.bear.len());
        self.bull.retain(|zone| bar.close >= zone.bottom);
        self.bear.retain(|zone| bar.close <= zone.top);
        let filled = (before.0 - self.bull.len(), before.1 - self.bear.len());
        let bull = self.bull.iter().max_by_key(|zone| (zone.bottom, zone.formed));
        let bear = self.bear.iter().min_by_key(|zone| (zone.top, usize::MAX - zone.formed));
        let since = |zone: &ListedZone| self.bars[zone.formed + 1..].to_vec();
        let low = |zone: &ListedZone| since(zone).iter().map(|bar| bar.low).min();
        let high = |zone: &ListedZone| since(zone).iter().map(|bar| bar.high).max();
        let share = |depth: Option<i64>, zone: &ListedZone| {
            let width = (zone.top - zone.bottom) as f64;
            (depth.unwrap_or(0).max(0) as f64 / width).min(1.0)
        };
        FairValueGapValues {
            new,
            bull: side(bull, self.bull.len(), filled.0, now, |zone| {
                let reached = low(zone);
                let fill = share(reached.map(|low| zone.top - low), zone);
                (bar.close - zone.bottom, fill, reached.is_some_and(|low| low <= zone.top))
            }),
            bear: side(bear, self.bear.len(), filled.1, now, |zone| {
                let reached = high(zone);
                let fill = share(reached.map(|high| high - zone.bottom), zone);
                (zone.top - bar.close, fill, reached.is_some_and(|high| high >= zone.bottom))
            }),
            newest_size: self.newest.map_or(f64::NAN, |newest| newest.1 as f64),
            newest_age: self.newest.map_or(f64::NAN, |newest| (now - newest.0) as f64),
        }
    }
}

impl List {
    /// Returns the zones as [`FairValueGap::zones`] gives them.
    fn zones(&self) -> Vec<FairValueGapZone> {
        let zone = |bullish: bool, zone: &ListedZone| {
            let reaches = |bar: &TickBar| {
                if bullish { bar.low <= zone.top } else { bar.high >= zone.bottom }
            };
            FairValueGapZone {
                bullish,
                formed: zone.formed as u64,
                top: zone.top,
                bottom: zone.bottom,
                tapped: self.bars[zone.formed + 1..].iter().any(reaches),
            }
        };
        let bull = self.bull.iter().rev().map(|bull| zone(true, bull));
        bull.chain(self.bear.iter().rev().map(|bear| zone(false, bear))).collect()
    }
}

fn side(
    zone: Option<&ListedZone>,
    active: usize,
    filled: usize,
    now: usize,
    reached: impl Fn(&ListedZone) -> (i64, f64, bool),
) -> FairValueGapSide {
    let of = |value: &dyn Fn(&ListedZone) -> f64| zone.map_or(f64::NAN, value);
    FairValueGapSide {
        active: active as u16,
        filled: filled as u16,
        top: of(&|zone| zone.top as f64),
        bottom: of(&|zone| zone.bottom as f64),
        distance: of(&|zone| reached(zone).0 as f64),
        age: of(&|zone| (now - zone.formed) as f64),
        fill: of(&|zone| reached(zone).1),
        tapped: zone.is_some_and(|zone| reached(zone).2),
    }
}

#[test]
fn a_gap_is_confirmed_tapped_and_filled() {
    let mut indicator = FairValueGap::new(settings(1, 0, 8)).unwrap();
    assert_eq!(indicator.update(&flat(100, 90, 95)).new, 0);
    assert!(indicator.update(&flat(112, 98, 110)).bull.top.is_nan());
    assert!(!indicator.is_ready());
    let confirmed = indicator.update(&flat(118, 104, 115));
    assert!(indicator.is_ready());
    assert_eq!((confirmed.new, confirmed.bull.active), (1, 1));
    assert_eq!((confirmed.bull.top, confirmed.bull.bottom), (104.0, 100.0));
    assert_eq!((confirmed.bull.distance, confirmed.bull.age), (15.0, 0.0));
    assert_eq!((confirmed.newest_size, confirmed.newest_age), (4.0, 0.0));
    assert!(confirmed.bear.top.is_nan());
    let touched = indicator.update(&flat(116, 103, 110));
    assert_eq!((touched.bull.tapped, touched.bull.fill), (true, 0.25));
    // A wick through it and a close on its far edge do not fill it; a close beyond does.
    let pierced = indicator.update(&flat(112, 97, 100));
    assert_eq!((pierced.bull.fill, pierced.bull.active), (1.0, 1));
    let filled = indicator.update(&flat(101, 97, 99));
    assert_eq!((filled.bull.filled, filled.bull.active, filled.net_fills()), (1, 0, -1.0));
    assert!(filled.bull.distance.is_nan());
}

#[test]
fn touching_bars_are_no_gap_and_the_middle_must_close_beyond() {
    for (low, close, expected) in [(100, 110, 0), (101, 110, 1), (101, 100, 0), (101, 101, 1)] {
        let mut indicator = FairValueGap::new(FairValueGapSettings::default()).unwrap();
        indicator.update(&flat(100, 90, 95));
        indicator.update(&flat(112, 98, close));
        assert_eq!(indicator.update(&flat(118, low, 115)).new, expected, "{low} {close}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(500, 4000)))]

    /// Through updates, peeks, a restart and the list, on prices with many gaps.
    #[test]
    fn the_sorted_zones_are_the_list(
        bars in bars(1..200),
        min_gap_ticks in 1u32..4,
        max_age in prop_oneof![Just(0u32), 1u32..5, 5u32..60],
        capacity in prop_oneof![1usize..5, Just(512)],
        restart in 0usize..200,
    ) {
        let settings = settings(min_gap_ticks, max_age, capacity);
        let mut list =
            List { settings, bars: vec![], bull: vec![], bear: vec![], newest: None };
        let mut indicator = FairValueGap::new(settings).unwrap();
        for (index, bar) in bars.iter().enumerate() {
            if index == restart {
                let saved = serde_json::to_string(&indicator).unwrap();
                let restored: FairValueGap = serde_json::from_str(&saved).unwrap();
                prop_assert_eq!(&restored, &indicator);
                indicator = restored;
            }
            let before = indicator.clone();
            let peeked = indicator.peek(bar);
            prop_assert_eq!(&indicator, &before);
            let values = indicator.update(bar);
            prop_assert_eq!(comparable(&peeked), comparable(&values));
            prop_assert_eq!(comparable(&values), comparable(&list.update(bar)), "bar {}", index);
            let zones: Vec<FairValueGapZone> = indicator.zones().collect();
            prop_assert_eq!(zones, list.zones());
            if index < indicator.first_valid() {
                prop_assert_eq!((values.new, values.bull.active, values.bear.active), (0, 0, 0));
                prop_assert!(values.bull.top.is_nan() && values.bear.top.is_nan());
                prop_assert!(values.newest_size.is_nan());
            }
        }
    }

    /// A roll in mid-series moves prices, and nothing else.
    #[test]
    fn a_shift_moves_prices_exactly(
        bars in bars(1..120), at in 0usize..120, ticks in -5000i64..5000,
    ) {
        let mut plain = FairValueGap::new(settings(1, 20, 6)).unwrap();
        let mut rolled = plain.clone();
        for (index, bar) in bars.iter().enumerate() {
            if index == at {
                rolled.shift(ticks);
            }
            let moved = if index >= at { ticks } else { 0 };
            let mut expected = plain.update(bar);
            for price in [
                &mut expected.bull.top, &mut expected.bull.bottom,
                &mut expected.bear.top, &mut expected.bear.bottom,
            ] {
                *price += moved as f64;
            }
            prop_assert_eq!(
                comparable(&rolled.update(&shifted(bar, moved))), comparable(&expected),
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(250, 1000)))]

    #[test]
    fn one_that_begins_later_becomes_equal(
        bars in bars(80..160), late in 0usize..50, max_age in 1u32..25, capacity in 1usize..6,
    ) {
        let indicator = FairValueGap::new(settings(1, max_age, capacity)).unwrap();
        let after = bars_until_equal(indicator, late, &bars);
        prop_assert!(after.is_some_and(|after| after <= max_age as usize + 3), "{after:?}");
    }
}

#[test]
fn what_differs_in_anything_to_come_is_not_equal() {
    let gap = [flat(100, 90, 95), flat(112, 98, 110), flat(118, 104, 115)];
    let after = |settings, bars: &[TickBar]| {
        let mut indicator = FairValueGap::new(settings).unwrap();
        for bar in bars {
            indicator.update(bar);
        }
        indicator
    };
    let plain = after(settings(1, 9, 4), &gap);
    assert_eq!(plain, after(settings(1, 9, 4), &gap));
    assert_ne!(plain, after(settings(1, 9, 5), &gap));
    assert_ne!(plain, after(settings(1, 9, 4), &gap[..2]));
    // Another lower edge; the same zone, a bar older; the same zone, tapped.
    assert_ne!(plain, after(settings(1, 9, 4), &[flat(101, 90, 95), gap[1], gap[2]]));
    let [quiet, touch] = [flat(118, 105, 115), flat(118, 104, 115)];
    let older = [gap[0], gap[1], gap[2], quiet, quiet, quiet];
    assert_ne!(after(settings(1, 9, 4), &older), after(settings(1, 9, 4), &older[..5]));
    let tapped = [gap[0], gap[1], gap[2], touch, quiet, quiet];
    let untouched = [gap[0], gap[1], gap[2], quiet, quiet, quiet];
    assert_ne!(after(settings(1, 9, 4), &tapped), after(settings(1, 9, 4), &untouched));
}

/// A long run down, with the zones unlimited, meets the capacity and still allocates nothing new.
#[test]
fn room_never_grows() {
    let mut indicator = FairValueGap::new(settings(1, 0, 16)).unwrap();
    let room = (indicator.bull.room(), indicator.bear.room());
    for step in 0..1000 {
        let price = 100_000 - step * 20;
        indicator.update(&flat(price + 5, price - 5, price - 4));
    }
    assert_eq!(indicator.peek(&flat(0, -1, 0)).bear.active, 16);
    let saved = serde_json::to_string(&indicator).unwrap();
    let restored: FairValueGap = serde_json::from_str(&saved).unwrap();
    for indicator in [indicator, restored] {
        assert_eq!((indicator.bull.room(), indicator.bear.room()), room);
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    for (text, named) in [
        (r#"{"min_gap_ticks": 0}"#, "min_gap_ticks is 0; it must be from 1 to 10000"),
        (r#"{"capacity": 0}"#, "capacity is 0; it must be from 1 to 65535"),
        (r#"{"capacity": 65536}"#, "capacity is 65536; it must be from 1 to 65535"),
    ] {
        let settings: FairValueGapSettings = serde_json::from_str(text).unwrap();
        let error = FairValueGap::new(settings).unwrap_err().to_string();
        assert!(error.starts_with("fair_value_gap.") && error.contains(named), "{error}");
    }
    let error = serde_json::from_str::<FairValueGapSettings>(r#"{"max_agee": 1}"#).unwrap_err();
    assert!(error.to_string().contains("max_agee"), "{error}");
}
