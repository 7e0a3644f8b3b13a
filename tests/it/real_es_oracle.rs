//! Indicators on real ES bars against what other libraries make of the same bars.
//!
//! `tests/oracles/real_es_oracle.py` made the fixture, which holds no price: samples relative to
//! the close, and events as bar numbers that are negative where the event points down. Skipped
//! where the shared data is absent.

use std::collections::{BTreeMap, BTreeSet};

use algospace_hft::bars::BarBuilder;
use algospace_hft::indicators::{
    AverageTrueRange, ExactWeightedAverage, FairValueGap, FairValueGapSettings, HeikenAshi,
    Indicator, LowVolumeNode, LowVolumeNodeSettings, MomentumIndex, MomentumIndexSettings,
    NadarayaWatson, NadarayaWatsonSettings, RelativeStrengthIndex, Source, TickBar, VolumeNode,
};
use algospace_hft::market::{Instrument, Timeframe};
use algospace_hft::source::import::{ImplausiblePrices, ImportOptions, run};
use algospace_hft::source::native::TickFile;
use sha2::{Digest, Sha256};

use crate::shared_data::shared_data;

/// Of every smooth value.
const TOLERANCE: f64 = 1e-9;

#[derive(serde::Deserialize)]
struct Oracle {
    contract: String,
    fields: Vec<String>,
    neighbours: usize,
    momentum_index_fields: Vec<String>,
    low_volume_nodes: LowVolumeNodeSettings,
    /// By their minutes.
    timeframes: BTreeMap<u32, Expected>,
}

/// Values of other libraries for the bars of one timeframe. Prices are in ticks.
#[derive(serde::Deserialize)]
struct Expected {
    bars: usize,
    sha256: String,
    candles_up_and_down: [usize; 2],
    turns: Vec<i64>,
    crosses: Vec<i64>,
    samples: Vec<Sample>,
    gaps: Vec<Gap>,
    windows: Vec<Window>,
    momentum_index: ExpectedMomentumIndex,
}

#[derive(serde::Deserialize)]
struct ExpectedMomentumIndex {
    crossings: Vec<i64>,
    sum_of_votes: i64,
    sum_of_forward_votes: i64,
    samples: Vec<Sample>,
}

/// A bar, and a value for each of the fields.
type Sample = Vec<Option<f64>>;

/// Bar at which it is known, direction, top and bottom less that bar's close, bar that first
/// touches it.
type Gap = (usize, i64, i64, i64, Option<usize>);

/// Price less the close, strength and prominence.
type Node = Option<[f64; 3]>;

/// Last bar; the nearest node, the one above, the one below; number of nodes; the point of control
/// and the value area's upper and lower edge, less the last bar's close.
type Window = (usize, Node, Node, Node, u32, f64, f64, f64);

/// The bars of one contract, by the minutes in them; `None` where the data is absent.
fn real_bars(contract: &str, minutes: &[u32]) -> Option<BTreeMap<u32, Vec<TickBar>>> {
    let folder = shared_data("lean/cme/minute/es")?;
    let output = tempfile::tempdir().unwrap();
    let path = output.path().join("es.ticks");
    let es = Instrument::built_in("ES").unwrap();
    let mut options = ImportOptions::new("lean", vec![folder], path.clone(), es.clone());
    options.contract = Some(contract.to_owned());
    // The oracles know nothing of implausible prices either.
    options.policies.implausible_prices = ImplausiblePrices::Keep;
    run(&options, &mut |_| {}).unwrap();

    let timeframes: Vec<Timeframe> =
        minutes.iter().map(|&minutes| Timeframe::from_minutes(minutes).unwrap()).collect();
    // The oracles know nothing of minutes without trades.
    let mut builder = BarBuilder::new(&timeframes, es.calendar, 0);
    let mut bars: BTreeMap<u32, Vec<TickBar>> = BTreeMap::new();
    let mut keep = |bar: &algospace_hft::market::Bar| {
        let of_timeframe = bars.entry(u32::from(bar.timeframe.minutes())).or_default();
        of_timeframe.push(TickBar::new(bar, es.tick_size).unwrap());
    };
    for tick in TickFile::open(&path).unwrap().ticks() {
        builder.on_tick(tick, &mut keep);
    }
    builder.finish(&mut keep);
    Some(bars)
}

fn hash(bars: &[TickBar]) -> String {
    let mut hash = Sha256::new();
    for TickBar { open, high, low, close, volume } in bars {
        hash.update(format!("{open} {high} {low} {close} {volume}\n"));
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn assert_near(ours: f64, theirs: Option<f64>, tolerance: f64, what: &str) {
    match theirs {
        Some(theirs) => {
            assert!((ours - theirs).abs() <= tolerance, "{what}: {ours}, not {theirs}");
        }
        None => assert!(ours.is_nan(), "{what}: {ours}, not undefined"),
    }
}

/// Bar numbers with the sign of the event.
fn events(signs: impl Iterator<Item = i8>) -> Vec<i64> {
    (0..).zip(signs).filter(|event| event.1 != 0).map(|(at, sign)| at * i64::from(sign)).collect()
}

fn check_price_indicators(name: &str, bars: &[TickBar], fields: &[String], expected: &Expected) {
    let mut heiken_ashi = HeikenAshi::new();
    let mut kernel = NadarayaWatson::new(NadarayaWatsonSettings::default()).unwrap();
    let mut range = AverageTrueRange::new(14);
    let mut strengths = [14, 20].map(RelativeStrengthIndex::new);
    let mut averages = [20, 5].map(ExactWeightedAverage::new);
    let (mut turns, mut crosses, mut up_and_down) = (Vec::new(), Vec::new(), [0, 0]);
    let mut samples = expected.samples.iter().peekable();
    for (at, bar) in bars.iter().enumerate() {
        let candle = heiken_ashi.update(bar);
        let estimates = kernel.update(bar);
        let range = range.update(bar);
        let ohlc4 = bar.ohlc4_quarters();
        let rsi = [strengths[0].update(bar.close), strengths[1].update(ohlc4)];
        let wma = [averages[0].update(bar.close), averages[1].update(ohlc4) / 4.0];

        up_and_down[0] += usize::from(candle.direction > 0);
        up_and_down[1] += usize::from(candle.direction < 0);
        turns.push(estimates.turn);
        crosses.push(estimates.cross);

        let Some(sample) = samples.next_if(|sample| sample[0] == Some(at as f64)) else { continue };
        let close = bar.close as f64;
        for (field, &theirs) in fields.iter().zip(&sample[1..]) {
            let ours = match field.as_str() {
                "heiken_ashi_open" => candle.open - close,
                "heiken_ashi_high" => candle.high - close,
                "heiken_ashi_low" => candle.low - close,
                "heiken_ashi_close" => candle.close - close,
                "wma_20_close" => wma[0] - close,
                "wma_5_ohlc4" => wma[1] - close,
                "estimate" => estimates.estimate - close,
                "fast_estimate" => estimates.fast_estimate - close,
                "slope" => estimates.slope,
                "deviation" => estimates.deviation,
                "average_true_range" => range,
                "rsi_14_close" => rsi[0],
                "rsi_20_ohlc4" => rsi[1],
                other => panic!("the fixture has a field {other}"),
            };
            assert_near(ours, theirs, TOLERANCE, &format!("{name}, bar {at}, {field}"));
        }
    }
    assert!(samples.next().is_none());
    assert_eq!(up_and_down, expected.candles_up_and_down, "{name}: candles up and down");
    assert_eq!(events(turns.into_iter()), expected.turns, "{name}: turns of the estimate");
    assert_eq!(events(crosses.into_iter()), expected.crosses, "{name}: crosses of the estimates");
}

/// smartmoneyconcepts wants the middle bar to point the gap's way, we want it to close beyond the
/// gap's far edge; where both hold, the gaps and the bars that first touch them are the same.
fn check_gaps(name: &str, bars: &[TickBar], expected: &[Gap]) {
    let theirs: BTreeMap<usize, &Gap> = expected.iter().map(|gap| (gap.0, gap)).collect();
    let settings = FairValueGapSettings { max_age: 0, ..Default::default() };
    let mut indicator = FairValueGap::new(settings).unwrap();
    let (mut both, mut nearest, mut tapped) = (0, BTreeSet::new(), BTreeSet::new());
    for (at, bar) in bars.iter().enumerate() {
        let values = indicator.update(bar);
        let close_beyond = |gap: &Gap| {
            let (middle, close) = (bars[at - 1].close, bar.close);
            if gap.1 == 1 { middle > close + gap.3 } else { middle < close + gap.2 }
        };
        let theirs_now = theirs.get(&at);
        match theirs_now {
            Some(gap) if close_beyond(gap) => {
                assert_eq!(i64::from(values.new), gap.1, "{name}, bar {at}");
                assert_eq!(
                    values.newest_size,
                    ((gap.2 - gap.3) * gap.1) as f64,
                    "{name}, bar {at}"
                );
                both += 1;
            }
            _ => {
                let middle = bars[at.saturating_sub(1)];
                let pointing = (middle.close - middle.open).signum();
                let ours_alone = i64::from(values.new) != pointing && theirs_now.is_none();
                assert!(values.new == 0 || ours_alone, "{name}, bar {at}: a gap of ours alone");
            }
        }
        for (side, direction) in [(values.bull, 1), (values.bear, -1)] {
            assert!(
                usize::from(side.active) < settings.capacity,
                "{name}: a zone may have been dropped"
            );
            if side.active == 0 {
                continue;
            }
            let formed = at - side.age as usize;
            let Some(&&(_, pointing, top, bottom, touched)) = theirs.get(&formed) else { continue };
            let close = bars[formed].close;
            let zone = (direction, side.top, side.bottom);
            let expected = (pointing, (close + top) as f64, (close + bottom) as f64);
            assert_eq!(zone, expected, "{name}, bar {at}: the zone of bar {formed}");
            let is_touched = touched.is_some_and(|touched| touched <= at);
            assert_eq!(side.tapped, is_touched, "{name}, bar {at}: the zone of bar {formed}");
            nearest.insert(formed);
            if side.tapped {
                tapped.insert(formed);
            }
        }
    }
    eprintln!(
        "{name}: {} gaps of theirs, {both} of both, {} seen as the nearest, {} of them touched",
        expected.len(),
        nearest.len(),
        tapped.len()
    );
    assert!(both * 10 > expected.len() * 9 && nearest.len() * 2 > both && !tapped.is_empty());
}

fn check_nodes(name: &str, bars: &[TickBar], settings: LowVolumeNodeSettings, expected: &[Window]) {
    let mut indicator = LowVolumeNode::new(settings).unwrap();
    let mut windows = expected.iter().peekable();
    for (at, bar) in bars.iter().enumerate() {
        let values = indicator.update(bar);
        let Some(window) = windows.next_if(|window| window.0 == at) else { continue };
        let close = bar.close as f64;
        let check = |ours: VolumeNode, theirs: Node, what: &str| {
            let what = format!("{name}, bar {at}, node {what}");
            let theirs = theirs.map_or([None; 3], |node| node.map(Some));
            assert_near(ours.price - close, theirs[0], 0.0, &what);
            assert_near(ours.strength, theirs[1], TOLERANCE, &what);
            assert_near(ours.prominence, theirs[2], TOLERANCE, &what);
        };
        check(values.nearest, window.1, "nearest");
        check(values.above, window.2, "above");
        check(values.below, window.3, "below");
        assert_eq!(values.count, window.4, "{name}, bar {at}: nodes");
        let area = [values.point_of_control, values.value_area_high, values.value_area_low];
        let expected = [window.5, window.6, window.7];
        assert_eq!(area.map(|price| price - close), expected, "{name}, bar {at}: value area");
    }
    assert!(windows.next().is_none());
}

fn check_momentum_index(
    name: &str,
    bars: &[TickBar],
    neighbours: usize,
    fields: &[String],
    expected: &ExpectedMomentumIndex,
) {
    // The oracle never forgets a crossing.
    let settings = MomentumIndexSettings {
        source: Source::Ohlc4,
        neighbours,
        capacity: bars.len(),
        ..Default::default()
    };
    let mut index = MomentumIndex::new(settings).unwrap();
    let mut samples = expected.samples.iter().peekable();
    let (mut crossings, mut votes, mut forward_votes) = (Vec::new(), 0.0, 0.0);
    for (at, bar) in bars.iter().enumerate() {
        let values = index.update(bar);
        crossings.push(values.crossing);
        if !values.vote.is_nan() {
            votes += values.vote;
            forward_votes += values.forward;
        }
        let Some(sample) = samples.next_if(|sample| sample[0] == Some(at as f64)) else { continue };
        for (field, &theirs) in fields.iter().zip(&sample[1..]) {
            let (ours, tolerance) = match field.as_str() {
                "crossings" => (values.crossings as f64, 0.0),
                "vote" => (values.vote, 0.0),
                "forward" => (values.forward, 0.0),
                "vote_average" => (values.vote_average, TOLERANCE),
                "upper" => (values.upper, 0.0),
                "lower" => (values.lower, 0.0),
                "radius" => (values.radius, TOLERANCE),
                other => panic!("the fixture has a field {other}"),
            };
            assert_near(ours, theirs, tolerance, &format!("{name}, bar {at}, {field}"));
        }
    }
    assert!(samples.next().is_none());
    assert_eq!(events(crossings.into_iter()), expected.crossings, "{name}: crossings");
    let sums = (expected.sum_of_votes as f64, expected.sum_of_forward_votes as f64);
    assert_eq!((votes, forward_votes), sums, "{name}: sums of the votes of all bars");
}

#[test]
fn indicators_of_real_es_bars_are_those_of_other_libraries() {
    let oracle: Oracle =
        serde_json::from_str(include_str!("../fixtures/real_es_oracle.json")).unwrap();
    let minutes: Vec<u32> = oracle.timeframes.keys().copied().collect();
    let Some(bars) = real_bars(&oracle.contract, &minutes) else { return };
    for (minutes, expected) in &oracle.timeframes {
        let bars = &bars[minutes];
        assert_eq!(
            (bars.len(), hash(bars)),
            (expected.bars, expected.sha256.clone()),
            "these are not the bars of {minutes} min that the oracles saw: either the shared data is \
             another (make the fixture anew with tests/oracles/real_es_oracle.py), or its import or \
             its bars have changed (tests/real_history.rs tells)"
        );
        let name = format!("bars of {minutes} min");
        check_price_indicators(&name, bars, &oracle.fields, expected);
        check_gaps(&name, bars, &expected.gaps);
        check_nodes(&name, bars, oracle.low_volume_nodes, &expected.windows);
        let momentum_index = &expected.momentum_index;
        let fields = &oracle.momentum_index_fields;
        check_momentum_index(&name, bars, oracle.neighbours, fields, momentum_index);
    }
}
