//! The momentum index against PyneCore, against a plain reading of its definition, and what must
//! hold of it on any market.
//!
//! `tests/oracles/mlmi_oracle.py` made the fixture.

use crate::momentum_index_reference::Reference;
use algospace_hft::bars::BarBuilder;
use algospace_hft::indicators::{
    Indicator, MomentumIndex, MomentumIndexSettings, MomentumIndexValues, Source, TickBar,
};
use algospace_hft::market::{Instrument, RollRule, Timeframe, Timestamp};
use algospace_hft::random::Random;
use algospace_hft::source::import::{ImportOptions, roll_choice, run};
use algospace_hft::source::native::{Adjustment, TickFile};
use proptest::prelude::*;
use serde_json::Value;

use crate::shared_data::shared_data;

fn index(source: Source, neighbours: usize, capacity: usize) -> MomentumIndex {
    let settings = MomentumIndexSettings { source, neighbours, capacity, ..Default::default() };
    MomentumIndex::new(settings).unwrap()
}

/// A walk in ticks, narrow enough that prices often repeat.
fn walk(seed: u64, bars: usize) -> Vec<TickBar> {
    let mut random = Random::new(seed, 0);
    let mut close = 20_000_i64;
    (0..bars)
        .map(|_| {
            let open = close;
            close += i64::from(random.below(13)) - 6;
            let high = open.max(close) + i64::from(random.below(4));
            let low = open.min(close) - i64::from(random.below(4));
            TickBar { open, high, low, close, volume: 100 }
        })
        .collect()
}

/// Values as bits, so that NaN equals NaN and 0 is not -0.
fn bits(values: MomentumIndexValues) -> ([u64; 8], i8, usize) {
    let v = values;
    let floats = [
        v.vote,
        v.vote_normalized,
        v.vote_average,
        v.forward,
        v.forward_normalized,
        v.upper,
        v.lower,
        v.radius,
    ];
    (floats.map(f64::to_bits), v.crossing, v.crossings)
}

fn assert_near(ours: f64, theirs: Option<f64>, tolerance: f64, what: &str) {
    match theirs {
        Some(theirs) => {
            assert!((ours - theirs).abs() <= tolerance, "{what}: {ours}, not {theirs}");
        }
        None => assert!(ours.is_nan(), "{what}: {ours}, not undefined"),
    }
}

#[test]
fn agrees_with_pynecore() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/mlmi_oracle.json");
    let oracle: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let bars: Vec<(i64, i64, i64, i64, u64)> =
        serde_json::from_value(oracle["bars"].clone()).unwrap();
    let neighbours = oracle["neighbours"].as_u64().unwrap() as usize;
    let fields: Vec<&str> =
        oracle["fields"].as_array().unwrap().iter().map(|field| field.as_str().unwrap()).collect();
    for (name, source) in [("close", Source::Close), ("ohlc4", Source::Ohlc4)] {
        let mut index = index(source, neighbours, 4096);
        let ours: Vec<MomentumIndexValues> = bars
            .iter()
            .map(|&(open, high, low, close, volume)| {
                index.update(&TickBar { open, high, low, close, volume })
            })
            .collect();
        let rows: Vec<Vec<Option<f64>>> = serde_json::from_value(oracle[name].clone()).unwrap();
        // Every crossing is in the fixture, so that we must have no other.
        let crossings = ours.iter().filter(|values| values.crossing != 0).count();
        assert!(crossings > 200);
        assert_eq!(crossings, rows.iter().filter(|row| row[1] != Some(0.0)).count());
        assert!(rows.iter().filter(|row| row[fields.len() - 2].is_some()).count() > 100);
        for row in rows {
            let bar = row[0].unwrap() as usize;
            let values = ours[bar];
            for (&field, &theirs) in fields.iter().zip(&row).skip(1) {
                let (ours, tolerance) = match field {
                    "crossing" => (f64::from(values.crossing), 0.0),
                    "crossings" => (values.crossings as f64, 0.0),
                    "vote" => (values.vote, 0.0),
                    "forward" => (values.forward, 0.0),
                    "vote_average" => (values.vote_average, 1e-9),
                    "upper" => (values.upper, 0.0),
                    "lower" => (values.lower, 0.0),
                    "radius" => (values.radius, 1e-9),
                    other => panic!("the fixture has a field {other}"),
                };
                assert_near(ours, theirs, tolerance, &format!("{name}, bar {bar}, {field}"));
            }
        }
    }
}

/// Holds an index against the plain reading of the definition; the number of crossings seen.
fn compare_with_reference(bars: &[TickBar], neighbours: usize, capacity: usize) -> usize {
    let mut index = index(Source::Ohlc4, neighbours, capacity);
    let mut reference = Reference::new(neighbours, 20, capacity);
    let mut crossings = 0;
    for (at, bar) in bars.iter().enumerate() {
        let ours = index.update(bar);
        let plain = reference.update(bar.ohlc4_quarters());
        let number = |value: Option<i64>| value.map(|value| value as f64);
        let voters = plain.crossings.min(neighbours) as f64;
        let share = |value: Option<i64>| number(value).filter(|_| voters > 0.0).map(|v| v / voters);
        let defined = |value: f64| Some(value).filter(|value| !value.is_nan());
        assert_eq!((ours.crossing, ours.crossings), (plain.crossing, plain.crossings), "bar {at}");
        for (what, ours, plain, tolerance) in [
            ("vote", ours.vote, number(plain.vote), 0.0),
            ("vote_normalized", ours.vote_normalized, share(plain.vote), 1e-15),
            ("vote_average", ours.vote_average, defined(plain.average), 1e-9),
            ("forward", ours.forward, number(plain.forward), 0.0),
            ("forward_normalized", ours.forward_normalized, share(plain.forward), 1e-15),
            ("upper", ours.upper, number(plain.band.map(|band| band.0)), 0.0),
            ("lower", ours.lower, number(plain.band.map(|band| band.1)), 0.0),
            ("radius", ours.radius, defined(plain.radius), 1e-9),
        ] {
            assert_near(ours, plain, tolerance, &format!("bar {at}, {what}"));
        }
        assert_eq!(index.is_ready(), plain.crossings >= neighbours);
        crossings += usize::from(ours.crossing != 0);
    }
    crossings
}

#[test]
fn is_what_its_definition_says_also_when_the_store_overflows() {
    let bars = walk(7, 4000);
    assert!(compare_with_reference(&bars, 200, 2048) > 220);
    assert!(compare_with_reference(&bars, 20, 60) > 220);
    assert!(compare_with_reference(&bars[..600], 1, 1) > 20);
}

#[test]
fn is_what_its_definition_says_on_real_es_minutes() {
    let Some(folder) = shared_data("lean/cme/minute/es") else { return };
    let output = tempfile::tempdir().unwrap();
    let path = output.path().join("es.ticks");
    let es = Instrument::built_in("ES").unwrap();
    let mut options = ImportOptions::new("lean", vec![folder], path.clone(), es.clone());
    options.roll = Some(roll_choice(RollRule::Volume, Adjustment::None, es.calendar));
    run(&options, &mut |_| {}).unwrap();
    let file = TickFile::open(&path).unwrap();
    let timeframes = [Timeframe::MINUTE_1, Timeframe::MINUTES_5, Timeframe::MINUTES_30];
    let mut builder = BarBuilder::new(&timeframes, es.calendar, Timestamp::HOUR);
    let mut bars = Vec::new();
    for tick in file.ticks() {
        builder.on_tick(tick, &mut |bar| bars.push(*bar));
    }
    builder.finish(&mut |bar| bars.push(*bar));
    let tick_bars = |timeframe: Timeframe| -> Vec<TickBar> {
        let bars = bars.iter().filter(|bar| bar.timeframe == timeframe);
        bars.map(|bar| TickBar::new(bar, es.tick_size).unwrap()).collect()
    };
    let [minutes, fives, thirties] = timeframes.map(tick_bars);
    let seen = [
        compare_with_reference(&thirties, 200, 2048),
        compare_with_reference(&fives, 200, 2048),
        compare_with_reference(&minutes[..8000], 200, 400),
    ];
    eprintln!("{} + {} + 8000 bars, crossings {seen:?}", thirties.len(), fives.len());
    assert!(seen[1] > 200 && seen[2] > 400, "too few crossings to tell: {seen:?}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let good = MomentumIndexSettings::default();
    for (settings, named) in [
        (MomentumIndexSettings { neighbours: 0, ..good }, "neighbours is 0; it must be from 1 to"),
        (
            MomentumIndexSettings { trend_length: 0, ..good },
            "trend_length is 0; it must be from 1 to",
        ),
        (
            MomentumIndexSettings { capacity: 199, ..good },
            "capacity is 199; it must be from 200 (neighbours) to 1048576",
        ),
        (MomentumIndexSettings { capacity: 1 << 21, ..good }, "capacity is 2097152"),
    ] {
        let error = MomentumIndex::new(settings).unwrap_err().to_string();
        assert!(error.starts_with("momentum_index.") && error.contains(named), "{error}");
    }
    let text = r#"{"neighbors": 5}"#;
    let error = serde_json::from_str::<MomentumIndexSettings>(text).unwrap_err().to_string();
    assert!(error.contains("neighbors"), "{error}");
}

/// Values are undefined before the documented bars, and defined from them on.
#[test]
fn values_begin_at_the_documented_bars() {
    let mut index = index(Source::Ohlc4, 200, 2048);
    for (at, bar) in walk(3, 2100).iter().enumerate() {
        let values = index.update(bar);
        assert_eq!(values.vote.is_nan(), at < 39);
        assert_eq!(values.forward.is_nan(), at < 39);
        assert_eq!(values.radius.is_nan(), at < 39);
        assert_eq!(values.vote_average.is_nan(), at < 58);
        assert_eq!(values.upper.is_nan(), at < 1999);
        assert_eq!(values.lower.is_nan(), at < 1999);
        assert_eq!(values.vote_normalized.is_nan(), values.crossings == 0);
        assert!(at >= 20 || values.crossing == 0);
        assert!(at >= 39 || values.crossings == 0);
        assert_eq!(values.upper.is_nan(), at < index.first_valid());
    }
}

/// While all vote, the forward vote is the vote without the first label, which no crossing before
/// could wait for; a next label that was used before its crossing would show, and so would a
/// missing one.
#[test]
fn a_next_label_counts_from_its_crossing_on_and_not_before() {
    let mut index = index(Source::Ohlc4, 500, 2048);
    let (mut first_label, mut crossings) = (None, 0);
    for bar in walk(11, 4000) {
        let values = index.update(&bar);
        if values.crossings == 1 && first_label.is_none() {
            first_label = Some(values.vote);
        }
        if let Some(first_label) = first_label {
            assert_eq!(values.forward, values.vote - first_label);
            crossings = values.crossings;
        }
    }
    assert!((200..500).contains(&crossings));
}

/// At any bar, values are those of a series that ends there, or continues otherwise.
#[test]
fn what_comes_later_changes_nothing_before() {
    let series = |bars: &[TickBar]| {
        let mut index = index(Source::Ohlc4, 20, 60);
        bars.iter().map(|bar| bits(index.update(bar))).collect::<Vec<_>>()
    };
    let bars = walk(5, 2500);
    let whole = series(&bars);
    for end in [1, 20, 39, 40, 500, 2100] {
        assert_eq!(series(&bars[..end]), whole[..end]);
        let otherwise: Vec<TickBar> =
            bars[..end].iter().chain(bars[end..].iter().rev()).copied().collect();
        assert_eq!(series(&otherwise)[..end], whole[..end]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Peeks at other bars between, a restart from the saved state and a series elsewhere in price
    /// change nothing at all, and what comes after a bar does not change it.
    #[test]
    fn neither_peeks_nor_a_restart_nor_a_shift_change_a_bit(
        seed in 0..1_000_000_u64,
        neighbours in 1..40_usize,
        more in 0..40_usize,
        close in any::<bool>(),
        restart_at in 0..900_usize,
        shift_at in 0..900_usize,
        offset in -30_000..30_000_i64,
    ) {
        let source = if close { Source::Close } else { Source::Ohlc4 };
        let bars = walk(seed, 900);
        let other_future = walk(seed + 1, 900);
        let moved = |bar: &TickBar, by: i64| TickBar {
            open: bar.open + by,
            high: bar.high + by,
            low: bar.low + by,
            close: bar.close + by,
            volume: bar.volume,
        };
        let mut plain = index(source, neighbours, neighbours + more);
        let (mut peeked, mut restarted) = (plain.clone(), plain.clone());
        let (mut elsewhere, mut rolled) = (plain.clone(), plain.clone());
        for (at, bar) in bars.iter().enumerate() {
            for other in [&other_future[at], &bars[(at + 1) % bars.len()]] {
                peeked.peek(other);
            }
            let before = bits(peeked.peek(bar));
            let expected = bits(plain.update(bar));
            prop_assert_eq!(before, expected);
            prop_assert_eq!(bits(peeked.update(bar)), expected);

            if at == restart_at {
                let saved = serde_json::to_string(&restarted).unwrap();
                restarted = serde_json::from_str(&saved).unwrap();
            }
            prop_assert_eq!(bits(restarted.update(bar)), expected);

            prop_assert_eq!(bits(elsewhere.update(&moved(bar, offset))), expected);
            if at == shift_at {
                rolled.shift(offset);
            }
            let by = if at < shift_at { 0 } else { offset };
            prop_assert_eq!(bits(rolled.update(&moved(bar, by))), expected);
        }
        let saved = |index: &MomentumIndex| serde_json::to_string(index).unwrap();
        prop_assert_eq!(saved(&restarted), saved(&plain));
        prop_assert_eq!(saved(&peeked), saved(&plain));
        prop_assert_eq!(saved(&rolled), saved(&elsewhere));
    }
}
