//! Fair value gaps and low-volume nodes against other programs' figures
//! (`tests/oracles/zones_oracle.py` made them), and on real history against the definitions,
//! computed here from scratch for every bar.

use std::collections::{BTreeMap, BTreeSet};

use algospace_hft::bars::BarBuilder;
use algospace_hft::indicators::{
    FairValueGap, FairValueGapSettings, FairValueGapSide, Indicator, LowVolumeNode,
    LowVolumeNodeSettings, LowVolumeNodeValues, TickBar, TradedVolume, VolumeNode,
};
use algospace_hft::market::{Bar, Instrument, Price, RollRule, Timeframe, Timestamp};
use algospace_hft::source::import::{ImportOptions, roll_choice, run};
use algospace_hft::source::native::{Adjustment, TickFile};
use serde_json::Value;

use crate::shared_data::shared_data;

fn fixture() -> (Value, Vec<TickBar>) {
    let fixture: Value =
        serde_json::from_str(include_str!("../fixtures/zones_oracle.json")).unwrap();
    let bars = fixture["bars"].as_array().unwrap().iter().map(|row| {
        let price = |column: usize| row[column].as_i64().unwrap();
        let volume = row[4].as_u64().unwrap();
        TickBar { open: price(0), high: price(1), low: price(2), close: price(3), volume }
    });
    let bars = bars.collect();
    (fixture, bars)
}

#[test]
fn gaps_are_those_of_smartmoneyconcepts_where_both_rules_hold() {
    let (fixture, bars) = fixture();
    struct Gap {
        direction: i64,
        top: i64,
        bottom: i64,
        touched: Option<u64>,
    }
    let gaps: BTreeMap<usize, Gap> = fixture["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let number = |column: usize| row[column].as_i64().unwrap();
            let (direction, top, bottom) = (number(1), number(2), number(3));
            (number(0) as usize, Gap { direction, top, bottom, touched: row[4].as_u64() })
        })
        .collect();
    let settings = FairValueGapSettings { max_age: 0, ..Default::default() };
    let mut indicator = FairValueGap::new(settings).unwrap();
    let (mut both, mut ours_only, mut theirs_only, mut taps) = (0, 0, 0, BTreeSet::new());
    for (index, bar) in bars.iter().enumerate() {
        let values = indicator.update(bar);
        let middle = index.checked_sub(1).map(|index| bars[index]);
        let pointing = middle.map_or(0, |middle| (middle.close - middle.open).signum());
        match (values.new, gaps.get(&index)) {
            (0, None) => {}
            (0, Some(gap)) => {
                // Theirs alone: the middle bar does not close beyond the gap's far edge.
                let close = middle.unwrap().close;
                assert!(if gap.direction == 1 { close <= gap.bottom } else { close >= gap.top });
                theirs_only += 1;
            }
            (new, None) => {
                // Ours alone: the middle bar does not point the gap's way.
                assert_ne!(pointing, i64::from(new), "bar {index}");
                ours_only += 1;
            }
            (new, Some(gap)) => {
                assert_eq!((i64::from(new), pointing), (gap.direction, gap.direction));
                assert_eq!(values.newest_size, ((gap.top - gap.bottom) * gap.direction) as f64);
                both += 1;
            }
        }
        for (side, direction) in [(values.bull, 1), (values.bear, -1)] {
            if side.active == 0 {
                continue;
            }
            let Some(gap) = gaps.get(&(index - side.age as usize)) else { continue };
            assert_eq!(gap.direction, direction);
            assert_eq!((side.top, side.bottom), (gap.top as f64, gap.bottom as f64));
            let touched = gap.touched.is_some_and(|touched| touched <= index as u64);
            assert_eq!(side.tapped, touched, "bar {index}");
            if side.tapped {
                taps.insert(index - side.age as usize);
            }
        }
    }
    assert!(both > 700 && ours_only > 0 && theirs_only > 0, "{both} {ours_only} {theirs_only}");
    assert!(taps.len() > 500, "{}", taps.len());
}

#[test]
fn nodes_and_value_area_are_those_of_scipy_and_numpy() {
    let (fixture, bars) = fixture();
    let settings: LowVolumeNodeSettings =
        serde_json::from_value(fixture["settings"].clone()).unwrap();
    assert_eq!(settings, LowVolumeNodeSettings::default());
    let mut indicator = LowVolumeNode::new(settings).unwrap();
    let mut windows = fixture["windows"].as_array().unwrap().iter().peekable();
    for (index, bar) in bars.iter().enumerate() {
        let values = indicator.update(bar);
        assert_eq!(values.point_of_control.is_nan(), index < indicator.first_valid());
        let Some(row) = windows.next_if(|row| row[0] == index) else { continue };
        for (ours, theirs) in
            [(values.nearest, &row[1]), (values.above, &row[2]), (values.below, &row[3])]
        {
            if theirs.is_null() {
                assert!(ours.price.is_nan() && ours.strength.is_nan() && ours.prominence.is_nan());
            } else {
                let theirs: [f64; 3] = serde_json::from_value(theirs.clone()).unwrap();
                assert_eq!([ours.price, ours.strength, ours.prominence], theirs, "bar {index}");
            }
        }
        if !values.nearest.price.is_nan() {
            assert_eq!(values.distance, values.nearest.price - bar.close as f64);
        }
        assert_eq!(Some(u64::from(values.count)), row[4].as_u64());
        let area = [values.point_of_control, values.value_area_high, values.value_area_low];
        assert_eq!(area.map(Some), [5, 6, 7].map(|column| row[column].as_f64()), "bar {index}");
    }
    assert!(windows.next().is_none());
}

/// At any bar, values are those of a series that ends there, or continues otherwise.
#[test]
fn what_comes_later_changes_nothing_before() {
    let (_, bars) = fixture();
    let series = |bars: &[TickBar]| {
        let mut gaps = FairValueGap::new(FairValueGapSettings::default()).unwrap();
        let settings = LowVolumeNodeSettings { window: 46, ..Default::default() };
        let mut nodes = LowVolumeNode::new(settings).unwrap();
        let values =
            bars.iter().map(|bar| format!("{:?} {:?}", gaps.update(bar), nodes.update(bar)));
        values.collect::<Vec<_>>()
    };
    let bars = &bars[..600];
    let whole = series(bars);
    for end in [1, 2, 3, 45, 46, 47, 100, 333, 599] {
        assert_eq!(series(&bars[..end]), whole[..end]);
        let otherwise: Vec<TickBar> =
            bars[..end].iter().chain(bars[end..].iter().rev()).copied().collect();
        assert_eq!(series(&otherwise)[..end], whole[..end]);
    }
}

// --- Real history

fn tick_file(options: ImportOptions) -> TickFile {
    run(&options, &mut |_| {}).unwrap();
    TickFile::open(&options.output).unwrap()
}

/// The bars of one length, and in front of each the trades since the one before.
fn bars_and_trades(file: &TickFile, minutes: u32) -> Vec<(TickBar, Vec<(i64, u32)>)> {
    let instrument = Instrument::built_in(&file.description().instrument).unwrap();
    let timeframe = Timeframe::from_minutes(minutes).unwrap();
    let mut builder = BarBuilder::new(&[timeframe], instrument.calendar, Timestamp::HOUR);
    let (mut all, mut trades) = (Vec::new(), Vec::new());
    for tick in file.ticks() {
        let mut closed: Vec<Bar> = Vec::new();
        builder.on_tick(tick, &mut |bar| closed.push(*bar));
        let price = tick.price.ticks_from(Price::ZERO, instrument.tick_size);
        // A history bar's closing tick closes its bar and belongs to it.
        let last = closed.last().is_some_and(|bar| bar.end <= tick.time);
        if !last {
            trades.push((price, tick.size));
        }
        for bar in closed {
            let bar = TickBar::new(&bar, instrument.tick_size).unwrap();
            all.push((bar, std::mem::take(&mut trades)));
        }
        if last {
            trades.push((price, tick.size));
        }
    }
    all
}

/// Values of the bull side by looking at every earlier bar; of the bear side on negated prices.
fn naive_side(bars: &[TickBar], max_age: usize) -> FairValueGapSide {
    let now = bars.len() - 1;
    let close = bars[now].close;
    let confirmed =
        |t: usize| bars[t].low > bars[t - 2].high && bars[t - 1].close > bars[t - 2].high;
    let fell_below =
        |t: usize, until: usize| bars[t..=until].iter().any(|bar| bar.close < bars[t - 2].high);
    let oldest = now.saturating_sub(max_age).max(2);
    let gaps: Vec<usize> = (oldest..=now).filter(|&t| confirmed(t)).collect();
    let active: Vec<usize> = gaps.iter().copied().filter(|&t| !fell_below(t, now)).collect();
    let filled =
        gaps.iter().filter(|&&t| fell_below(t, now) && (t == now || !fell_below(t, now - 1)));
    let nearest = active.iter().copied().max_by_key(|&t| (bars[t - 2].high, t));
    let of = |value: &dyn Fn(usize) -> f64| nearest.map_or(f64::NAN, value);
    let lowest = |t: usize| bars[t + 1..].iter().map(|bar| bar.low).min().unwrap_or(i64::MAX);
    FairValueGapSide {
        active: active.len() as u16,
        filled: filled.count() as u16,
        top: of(&|t| bars[t].low as f64),
        bottom: of(&|t| bars[t - 2].high as f64),
        distance: of(&|t| (close - bars[t - 2].high) as f64),
        age: of(&|t| (now - t) as f64),
        fill: of(&|t| {
            let (top, bottom) = (bars[t].low, bars[t - 2].high);
            (top - lowest(t).clamp(bottom, top)) as f64 / (top - bottom) as f64
        }),
        tapped: nearest.is_some_and(|t| lowest(t) <= bars[t].low),
    }
}

fn upside_down(bar: &TickBar) -> TickBar {
    TickBar {
        open: -bar.open,
        high: -bar.low,
        low: -bar.high,
        close: -bar.close,
        volume: bar.volume,
    }
}

/// Values of a profile given by price, in units: rows sorted into a map, every row held against
/// every other one in reach.
fn naive_nodes(
    prices: &BTreeMap<i64, u64>,
    close: i64,
    settings: &LowVolumeNodeSettings,
) -> LowVolumeNodeValues {
    let height = i64::from(settings.row_ticks);
    let order = settings.order as i64;
    let mut rows: BTreeMap<i64, u64> = BTreeMap::new();
    for (price, units) in prices.iter().filter(|row| *row.1 > 0) {
        *rows.entry(price.div_euclid(height)).or_default() += units;
    }
    let first = *rows.first_key_value().unwrap().0;
    let last = *rows.last_key_value().unwrap().0;
    let volume = |row: i64| rows.get(&row).copied().unwrap_or(0);
    let centre = |row: i64| (row as f64 + 0.5) * height as f64;
    let most = *rows.values().max().unwrap();
    let busiest = (first..=last).find(|&row| volume(row) == most).unwrap();
    let nodes: Vec<i64> = (first + 1..last)
        .filter(|&row| {
            let reach = (row - order).max(first)..=(row + order).min(last);
            volume(row) as f64 > settings.min_ratio * most as f64
                && reach.into_iter().all(|other| other == row || volume(other) > volume(row))
        })
        .collect();
    let side = |row: i64, step: i64| {
        let (mut highest, mut other) = (0, row);
        while (first..=last).contains(&other) && volume(other) >= volume(row) {
            highest = highest.max(volume(other));
            other += step;
        }
        highest
    };
    let node = |row: Option<i64>| match row {
        Some(row) => VolumeNode {
            price: centre(row),
            strength: 1.0 - volume(row) as f64 / most as f64,
            prominence: (side(row, 1).min(side(row, -1)) - volume(row)) as f64 / most as f64,
        },
        None => VolumeNode { price: f64::NAN, strength: f64::NAN, prominence: f64::NAN },
    };
    let distance = |row: i64| centre(row) - close as f64;
    let nearest = nodes
        .iter()
        .copied()
        .min_by(|&a, &b| distance(a).abs().partial_cmp(&distance(b).abs()).unwrap());
    let total: u64 = rows.values().sum();
    let (mut low, mut high) = (busiest, busiest);
    while ((low..=high).map(volume).sum::<u64>() as f64) < settings.value_area * total as f64 {
        if high < last && (low == first || volume(high + 1) >= volume(low - 1)) {
            high += 1;
        } else {
            low -= 1;
        }
    }
    LowVolumeNodeValues {
        nearest: node(nearest),
        above: node(nodes.iter().copied().find(|&row| distance(row) > 0.0)),
        below: node(nodes.iter().copied().rev().find(|&row| distance(row) < 0.0)),
        distance: nearest.map_or(f64::NAN, distance),
        count: nodes.len() as u32,
        point_of_control: centre(busiest),
        value_area_high: ((high + 1) * height) as f64,
        value_area_low: (low * height) as f64,
    }
}

/// Returns what a bar puts on each price if its trades are not known.
fn spread(bar: &TickBar) -> impl Iterator<Item = (i64, u64)> {
    let (ticks, units) = ((bar.high - bar.low + 1) as u64, bar.volume << 20);
    let low = bar.low;
    (0..ticks).map(move |tick| (low + tick as i64, units / ticks + u64::from(tick < units % ticks)))
}

#[test]
fn fourteen_days_of_es_minutes_against_the_definitions() {
    let Some(folder) = shared_data("lean/cme/minute/es") else { return };
    let output = tempfile::tempdir().unwrap();
    let instrument = Instrument::built_in("ES").unwrap();
    let calendar = instrument.calendar;
    let path = output.path().join("es.ticks");
    let mut options = ImportOptions::new("lean", vec![folder], path, instrument);
    options.roll = Some(roll_choice(RollRule::Volume, Adjustment::None, calendar));
    let file = tick_file(options);

    for minutes in [5, 30] {
        let bars: Vec<TickBar> =
            bars_and_trades(&file, minutes).into_iter().map(|row| row.0).collect();
        let reversed: Vec<TickBar> = bars.iter().map(upside_down).collect();
        let mut indicator = FairValueGap::new(FairValueGapSettings::default()).unwrap();
        let mut gaps = 0;
        for (index, bar) in bars.iter().enumerate() {
            let values = indicator.update(bar);
            gaps += usize::from(values.new != 0);
            if index < 2 {
                continue;
            }
            let bull = naive_side(&bars[..=index], 276);
            let bear = naive_side(&reversed[..=index], 276);
            let bear = FairValueGapSide { top: -bear.bottom, bottom: -bear.top, ..bear };
            // NaN prints without a sign.
            let expected = format!("{bull:?} {bear:?}");
            assert_eq!(format!("{:?} {:?}", values.bull, values.bear), expected, "bar {index}");
        }
        assert!(gaps * 20 > bars.len(), "{gaps} gaps in {} bars of {minutes} min", bars.len());
    }

    let bars: Vec<TickBar> = bars_and_trades(&file, 30).into_iter().map(|row| row.0).collect();
    // Rows of one point, and of one tick, where volumes tie more often.
    for (window, row_ticks) in [(230, 4), (46, 1)] {
        let settings = LowVolumeNodeSettings { window, row_ticks, ..Default::default() };
        let mut indicator = LowVolumeNode::new(settings).unwrap();
        let (mut compared, mut nodes) = (0, 0);
        for (index, bar) in bars.iter().enumerate() {
            let values = indicator.update(bar);
            if index < indicator.first_valid() {
                continue;
            }
            let mut prices: BTreeMap<i64, u64> = BTreeMap::new();
            for (price, units) in
                bars[index - indicator.first_valid()..=index].iter().flat_map(spread)
            {
                *prices.entry(price).or_default() += units;
            }
            let expected = naive_nodes(&prices, bar.close, &settings);
            assert_eq!(format!("{values:?}"), format!("{expected:?}"), "bar {index}");
            compared += 1;
            nodes += values.count;
        }
        assert!(compared > 300 && nodes > 100, "{compared} bars, {nodes} nodes");
    }
}

#[test]
fn real_gold_trades_lie_where_they_traded() {
    let Some(folder) = shared_data("lean/comex/tick/gc") else { return };
    let output = tempfile::tempdir().unwrap();
    let instrument = Instrument::built_in("GC").unwrap();
    let path = output.path().join("gc.ticks");
    let mut options = ImportOptions::new("lean", vec![folder], path, instrument);
    options.contract = Some("GCZ13".to_owned());
    let bars = bars_and_trades(&tick_file(options), 30);

    let settings =
        LowVolumeNodeSettings { window: 23, row_ticks: 5, order: 3, ..Default::default() };
    let mut indicator = LowVolumeNode::new(settings).unwrap();
    let mut open_bar = TradedVolume::default();
    let mut nodes = 0;
    for (index, (bar, trades)) in bars.iter().enumerate() {
        open_bar.clear();
        for &(price, size) in trades {
            open_bar.add(price, size);
        }
        let values = indicator.update_with_trades(bar, &open_bar).unwrap();
        if index < indicator.first_valid() {
            continue;
        }
        let mut prices: BTreeMap<i64, u64> = BTreeMap::new();
        for (_, trades) in &bars[index - indicator.first_valid()..=index] {
            for &(price, size) in trades {
                *prices.entry(price).or_default() += u64::from(size) << 20;
            }
        }
        let expected = naive_nodes(&prices, bar.close, &settings);
        assert_eq!(format!("{values:?}"), format!("{expected:?}"), "bar {index}");
        nodes += values.count;
    }
    assert!(bars.len() > 80 && nodes > 50, "{} bars, {nodes} nodes", bars.len());
}
