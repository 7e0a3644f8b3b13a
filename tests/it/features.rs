//! The feature row: every field against its documentation, over generated markets and through
//! chunks, restarts, rolls and bad bars.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use algospace_hft::bars::{BarBuilder, resample};
use algospace_hft::engine::FeatureStage;
use algospace_hft::features::{
    FeatureEngine, FeatureLayout, Field, IndicatorSettings, Unit, in_chunks,
};
use algospace_hft::indicators::{MalformedBar, MomentumIndexSettings};
use algospace_hft::market::{Bar, BarFlags, Calendar, Instrument, Price, Timeframe, Timestamp};
use algospace_hft::matrix::{
    CLIP, FeatureMatrix, MatricesSettings, MatrixKind, MatrixSettings, Scale,
};
use algospace_hft::random::Random;
use algospace_hft::source::synthetic::{Generator, Settings, SyntheticMarket, SyntheticSettings};
use proptest::prelude::*;

const TICK_SIZE: Price = Price::from_units(250_000_000);
const TIMEFRAMES: [Timeframe; 2] = [Timeframe::MINUTES_5, Timeframe::MINUTES_30];

fn es() -> Instrument {
    Instrument::built_in("ES").unwrap()
}

/// Five-minute bars of a market that trends and rests by turns, and their thirty-minute bars, in
/// the order in which they close.
fn market(seed: u64, sessions: usize) -> Vec<Bar> {
    let mut random = Random::new(seed, 0);
    let calendar = Calendar::CmeEquityIndex;
    let mut fast = Vec::new();
    let mut close = 16_000_i64;
    let mut from: Timestamp = "2024-01-08T00:00:00Z".parse().unwrap();
    for _ in 0..sessions {
        let session = calendar.session_at_or_after(from);
        let drift = i64::from(random.below(5)) - 2;
        let busy = 1 + i64::from(random.below(12));
        let mut start = session.open;
        while start < session.close {
            let mut step = |most: i64| i64::from(random.below(2 * most as u32 + 1)) - most;
            let open = close + step(2);
            close = open + step(busy) + drift;
            let high = open.max(close) + step(busy).max(0);
            let low = open.min(close) - step(busy).max(0);
            let price = |ticks| Price::ZERO.offset_ticks(ticks, TICK_SIZE);
            fast.push(Bar {
                start,
                end: start + 5 * Timestamp::MINUTE,
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: u64::from(random.below(500 * busy as u32)),
                ticks: 1,
                timeframe: Timeframe::MINUTES_5,
                contract: 0,
                flags: BarFlags::NONE,
            });
            start = start + 5 * Timestamp::MINUTE;
        }
        from = session.close;
    }
    let mut bars = resample(&fast, Timeframe::MINUTES_30, calendar);
    bars.extend(fast);
    bars.sort_by_key(|bar| (bar.end, bar.timeframe));
    bars
}

fn engine(settings: &IndicatorSettings) -> FeatureEngine {
    FeatureEngine::new(settings, &TIMEFRAMES, &es()).unwrap()
}

/// All features of a row, as bits.
fn bits(engine: &FeatureEngine) -> Vec<u64> {
    let count = engine.layout().fields().len();
    engine.row().values[..count].iter().map(|value| value.to_bits()).collect()
}

fn step(engine: &mut FeatureEngine, bar: &Bar) -> Vec<u64> {
    engine.update(bar, None).unwrap().unwrap();
    bits(engine)
}

/// A small memory, so that chunks forget within a test.
fn forgetful() -> IndicatorSettings {
    IndicatorSettings {
        momentum_index: MomentumIndexSettings { capacity: 20, neighbours: 8, ..Default::default() },
        ..IndicatorSettings::default()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    /// One by one, in chunks, and restarted from a saved state: the same bits in every field.
    #[test]
    fn streaming_is_batch_is_restart(
        seed in any::<u64>(),
        threads in 2usize..6,
        overlap in 0usize..3_000,
        cut in any::<prop::sample::Index>(),
    ) {
        let bars = market(seed, 14);
        let fresh = engine(&forgetful());
        let mut streaming = fresh.clone();
        let rows: Vec<_> = bars.iter().map(|bar| step(&mut streaming, bar)).collect();

        let threads = NonZeroUsize::new(threads).unwrap();
        let chunked =
            in_chunks(&fresh, bars.len(), overlap, threads, |engine, at| step(engine, &bars[at]));
        prop_assert!(chunked == rows, "chunks differ");

        let cut = cut.index(bars.len());
        let mut before = fresh.clone();
        bars[..cut].iter().for_each(|bar| { step(&mut before, bar); });
        let saved = serde_json::to_string(&before.save()).unwrap();
        let mut after = fresh.clone();
        after.restore(serde_json::from_str(&saved).unwrap()).unwrap();
        prop_assert!(after == before);
        for (bar, row) in bars[cut..].iter().zip(&rows[cut..]) {
            prop_assert!(step(&mut after, bar) == *row, "the restarted engine differs at {}", bar.end);
        }
        prop_assert!(after == streaming);
        // Back in time, as a training environment goes.
        after.restore(serde_json::from_str(&saved).unwrap()).unwrap();
        for (bar, row) in bars[cut..].iter().zip(&rows[cut..]).take(50) {
            prop_assert!(step(&mut after, bar) == *row, "a rewound engine differs at {}", bar.end);
        }
    }

    /// A market that is higher by a constant has the same features, but for prices, which are
    /// higher by it, and for logarithms of prices. An engine that is shifted when the market jumps
    /// to another contract continues as if it had been there all along.
    #[test]
    fn a_higher_market_looks_the_same(seed in any::<u64>(), rows in 1i64..200, cut in any::<prop::sample::Index>()) {
        // Whole rows of the volume profile, whose grid is fixed.
        let ticks = 4 * rows;
        let bars = market(seed, 9);
        let higher: Vec<Bar> = bars.iter().map(|bar| {
            let up = |price: Price| price.offset_ticks(ticks, TICK_SIZE);
            Bar { open: up(bar.open), high: up(bar.high), low: up(bar.low), close: up(bar.close), ..*bar }
        }).collect();
        let cut = cut.index(bars.len());
        let [mut low, mut high, mut rolled] = [(); 3].map(|()| engine(&forgetful()));
        let points = ticks as f64 * TICK_SIZE.as_f64();
        for (at, (bar, higher)) in bars.iter().zip(&higher).enumerate() {
            if at == cut {
                rolled.shift(ticks);
            }
            step(&mut low, bar);
            step(&mut high, higher);
            step(&mut rolled, if at < cut { bar } else { higher });
            for (column, field) in low.layout().fields().iter().enumerate() {
                let [low, high, rolled] = [&low, &high, &rolled].map(|engine| engine.row().values[column]);
                if looks_at_levels(field) {
                    continue;
                }
                // The Heiken Ashi open is rounded at the level of prices, hence its body too.
                if field.unit == Unit::Price || field.name.starts_with("ha_body") {
                    let points = if field.unit == Unit::Price { points } else { 0.0 };
                    let close = |a: f64, b: f64| (a - b).abs() < 1e-8 || a.is_nan() && b.is_nan();
                    prop_assert!(close(low + points, high), "{} {low} {high}", field.name);
                    prop_assert!(at < cut || close(high, rolled), "{} {high} {rolled}", field.name);
                } else {
                    prop_assert_eq!(low.to_bits(), high.to_bits(), "{}", field.name);
                    prop_assert_eq!(low.to_bits(), rolled.to_bits(), "{} after the roll", field.name);
                }
            }
        }
    }
}

/// Logarithms of ratios of prices depend on how high prices are.
fn looks_at_levels(field: &Field) -> bool {
    ["log_return", "volatility", "autocorrelation"].iter().any(|name| field.name.starts_with(name))
}

/// No field has a value before its documented first bar; every field has values after it, more than
/// one, and none is a zero that stands for no value.
#[test]
fn every_field_begins_where_its_documentation_says() {
    let bars = market(7, 60);
    let mut engine = engine(&IndicatorSettings::default());
    let fields = engine.layout().fields().to_vec();
    let mut seen: Vec<Vec<u64>> = vec![Vec::new(); fields.len()];
    let mut first: Vec<Option<usize>> = vec![None; fields.len()];
    let mut taken = [0_usize; 2];
    for bar in &bars {
        step(&mut engine, bar);
        let place = usize::from(bar.timeframe == TIMEFRAMES[1]);
        for (column, field) in fields.iter().enumerate() {
            let value = engine.row().values[column];
            let row = engine.row();
            assert_eq!(row.value(column).is_some(), !value.is_nan(), "{}", field.name);
            if value.is_nan() {
                continue;
            }
            if field.timeframe.is_none_or(|timeframe| timeframe == bar.timeframe) {
                first[column].get_or_insert(taken[place]);
            }
            if seen[column].len() < 3 && !seen[column].contains(&value.to_bits()) {
                seen[column].push(value.to_bits());
            }
        }
        taken[place] += 1;
    }
    for ((field, first), seen) in fields.iter().zip(first).zip(seen) {
        let first = first.unwrap_or_else(|| panic!("{} never has a value", field.name));
        // A nearest zone, node or label may be a while coming.
        let late = ["fvg_", "lvn_", "mlmi_norm", "mlmi_fwd_norm"];
        let exact = !late.iter().any(|name| field.name.starts_with(name));
        assert!(first >= field.first_valid, "{} at {first}", field.name);
        assert!(!exact || first == field.first_valid, "{} at {first}", field.name);
        // The market's age is always new on its own bars and the fill of the nearest zone rarely
        // changes.
        let moves = !field.name.starts_with("age_5m");
        assert!(!moves || seen.len() > 1, "{} is always the same", field.name);
    }
}

/// Thirty-minute values are held on five-minute rows, and its age says for how long.
#[test]
fn slow_features_are_held_with_their_age() {
    let bars = market(3, 6);
    let mut engine = engine(&IndicatorSettings::default());
    let age = engine.layout().column("age_30m").unwrap();
    let estimate = engine.layout().column("nw_yhat_30m").unwrap();
    let mut last: Option<(Timestamp, u64)> = None;
    for bar in &bars {
        step(&mut engine, bar);
        let row = engine.row();
        if bar.timeframe == TIMEFRAMES[1] {
            assert_eq!(row.value(age), Some(0.0));
            last = Some((bar.end, row.values[estimate].to_bits()));
        } else if let Some((closed, held)) = last {
            let minutes = (bar.end - closed) as f64 / 60e9;
            assert_eq!(row.value(age), Some(minutes));
            assert_eq!(row.values[estimate].to_bits(), held);
        } else {
            assert_eq!(row.value(age), None);
        }
    }
}

#[test]
fn a_malformed_bar_is_refused_and_changes_nothing() {
    let bars = market(5, 5);
    let mut engine = engine(&IndicatorSettings::default());
    bars.iter().for_each(|bar| {
        step(&mut engine, bar);
    });
    let before = engine.clone();
    let good = bars[bars.len() - 1];
    let half_tick = Price::from_units(125_000_000);
    for (bad, order) in [
        (Bar { high: good.low.offset_ticks(-1, TICK_SIZE), ..good }, true),
        (Bar { low: good.high.offset_ticks(1, TICK_SIZE), ..good }, true),
        (Bar { open: half_tick, low: half_tick, ..good }, false),
    ] {
        let refused = engine.update(&bad, None).unwrap_err();
        assert_eq!(matches!(refused, MalformedBar::Order { .. }), order, "{refused}");
        assert!(engine == before, "{refused}");
    }
}

#[test]
fn a_foreign_state_is_refused() {
    let bars = market(5, 2);
    let mut here = engine(&IndicatorSettings::default());
    bars.iter().for_each(|bar| {
        step(&mut here, bar);
    });
    let before = here.clone();
    let other = FeatureEngine::new(&IndicatorSettings::default(), &TIMEFRAMES[..1], &es()).unwrap();
    assert!(here.restore(other.save()).is_err());
    for symbol in ["GC", "NQ"] {
        let instrument = Instrument::built_in(symbol).unwrap();
        let other = FeatureEngine::new(&IndicatorSettings::default(), &TIMEFRAMES, &instrument);
        assert!(here.restore(other.unwrap().save()).is_err(), "{symbol}");
    }
    let mut longer = IndicatorSettings::default();
    longer.moving_statistics.average_true_range = 100;
    assert!(here.restore(engine(&longer).save()).is_err());
    assert!(here == before);
}

/// State that every chunk forgets is computed once, but for the overlap; state that none forgets is
/// computed again from the true state.
#[test]
fn chunks_are_accepted_when_they_agree_and_computed_again_when_not() {
    let values: Vec<u64> = (0..10_000).map(|at| at * at % 97).collect();
    let threads = NonZeroUsize::new(4).unwrap();
    let steps = AtomicUsize::new(0);
    let last_three = in_chunks(&[0_u64; 3], values.len(), 3, threads, |window, at| {
        steps.fetch_add(1, Ordering::Relaxed);
        *window = [window[1], window[2], values[at]];
        window.iter().sum::<u64>()
    });
    assert_eq!(steps.into_inner(), values.len() + 3 * 3);
    for (at, sum) in last_three.iter().enumerate() {
        assert_eq!(*sum, values[at.saturating_sub(2)..=at].iter().sum::<u64>());
    }
    let running = in_chunks(&0_u64, values.len(), 3, threads, |sum, at| {
        *sum += values[at];
        *sum
    });
    for (at, sum) in running.iter().enumerate().step_by(501) {
        assert_eq!(*sum, values[..=at].iter().sum::<u64>());
    }
}

/// After the overlap a fresh engine is the true one, so no chunk is computed twice.
#[test]
fn engines_forget_within_the_overlap() {
    let bars = market(9, 50);
    let threads = NonZeroUsize::new(2).unwrap();
    for (timeframe, settings, overlap) in [
        (TIMEFRAMES[0], IndicatorSettings::default(), 3_000),
        // 20 crossings, 2,000 votes after the first, and averages in between.
        (TIMEFRAMES[1], forgetful(), 2_100),
    ] {
        let bars: Vec<Bar> =
            bars.iter().filter(|bar| bar.timeframe == timeframe).copied().collect();
        let bars: Vec<Bar> = bars.iter().cycle().take(2 * bars.len().max(4_000)).copied().collect();
        let steps = AtomicUsize::new(0);
        in_chunks(&engine(&settings), bars.len(), overlap, threads, |engine, at| {
            steps.fetch_add(1, Ordering::Relaxed);
            step(engine, &bars[at]);
        });
        assert_eq!(steps.into_inner(), bars.len() + overlap, "{timeframe}");
    }
}

/// The default matrices: their shapes, when they are ready, that they move on their own bars' close
/// only, and that every column is alive.
#[test]
fn matrices_are_ready_when_every_row_is_warm_and_move_on_their_own_bars() {
    let bars = market(11, 30);
    let layout = FeatureLayout::new(&IndicatorSettings::default(), &TIMEFRAMES).unwrap();
    for (kind, settings, shape, warm) in [
        // The profile's 230th bar is the first whole row.
        (MatrixKind::Structure, MatrixSettings::structure(), (48, 8), 229),
        (MatrixKind::Tactical, MatrixSettings::tactical(), (60, 7), 19),
        // Volatility of volatility: 30 returns, then 30 volatilities.
        (MatrixKind::Regime, MatrixSettings::regime(), (100, 12), 59),
        (MatrixKind::Context, MatrixSettings::context(), (1, 5), 229),
    ] {
        let name = kind.name();
        let mut matrix = FeatureMatrix::new(kind, &settings, &layout).unwrap();
        assert_eq!((settings.rows, settings.columns.len()), shape);
        let mut fresh =
            FeatureEngine::new(&IndicatorSettings::default(), &TIMEFRAMES, &es()).unwrap();
        let (mut rows, mut history) = (0, Vec::<Vec<f64>>::new());
        let mut last: Vec<f32> = Vec::new();
        let mut different = vec![std::collections::BTreeSet::new(); shape.1];
        for bar in &bars {
            step(&mut fresh, bar);
            let mine = bar.timeframe == settings.timeframe;
            assert_eq!(matrix.update(&fresh), mine);
            rows += usize::from(mine);
            assert_eq!(matrix.window().is_ok(), rows >= warm + shape.0, "{name} after {rows} rows");
            if mine {
                history.push(by_hand(&settings, &fresh));
            }
            let Ok(window) = matrix.window() else { continue };
            assert_eq!(window.len(), shape.0 * shape.1);
            assert!(mine || window == last, "{name} moved on a bar of {}", bar.timeframe);
            last = window.to_vec();
            for (cell, seen) in last.iter().rev().zip(different.iter_mut().rev()) {
                seen.insert(cell.to_bits());
            }
            // Fixed scales, by their definition, oldest row first.
            for (row, features) in window.chunks(shape.1).zip(&history[history.len() - shape.0..]) {
                for ((cell, column), value) in row.iter().zip(&settings.columns).zip(features) {
                    assert!(cell.abs() <= CLIP as f32);
                    if let Scale::Fixed { divisor } = column.scale {
                        let scaled = (value / divisor).clamp(-CLIP, CLIP);
                        let expected = if scaled.is_nan() { 0.0 } else { scaled as f32 };
                        assert_eq!(*cell, expected, "{name} {}", column.feature);
                    }
                }
            }
        }
        for (column, seen) in settings.columns.iter().zip(different) {
            assert!(seen.len() > 1, "{name}: {} stands still", column.feature);
        }
    }
}

/// A matrix's features in their own units.
fn by_hand(settings: &MatrixSettings, engine: &FeatureEngine) -> Vec<f64> {
    let value = |name: &str| engine.row().values[engine.layout().column(name).unwrap()];
    settings
        .columns
        .iter()
        .map(|column| match &column.per {
            None => value(&column.feature),
            Some(per) => value(&column.feature) / value(per),
        })
        .collect()
}

/// `docs/features.md` holds the table of the default layout and of the default matrices, as they
/// are.
#[test]
fn the_documentation_is_the_table() {
    let layout = FeatureLayout::new(&IndicatorSettings::default(), &TIMEFRAMES).unwrap();
    let mut tables = String::from(
        "| field | unit | range | first valid bar | meaning |\n| --- | --- | --- | --- | --- |\n",
    );
    for Field { name, unit, range, first_valid, meaning, .. } in layout.fields() {
        tables += &format!("| `{name}` | {unit} | {range} | {first_valid} | {meaning} |\n");
    }
    for kind in MatrixKind::ALL {
        let name = kind.name();
        let settings = MatrixSettings::default_of(kind);
        let MatrixSettings { timeframe, rows, columns } = settings;
        tables += &format!(
            "\n### {name}: {rows}×{}, on the close of {timeframe} bars\n\n| column | feature | per | scale |\n| --- | --- | --- | --- |\n",
            columns.len()
        );
        for (at, column) in columns.iter().enumerate() {
            let per = column.per.as_ref().map_or(String::new(), |per| format!("`{per}`"));
            let scale = match column.scale {
                Scale::Fixed { divisor } => format!("fixed, {divisor}"),
                Scale::Weighted { half_life } => format!("weighted, half-life {half_life} bars"),
            };
            tables += &format!("| {at} | `{}` | {per} | {scale} |\n", column.feature);
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/features.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (head, rest) = text.split_once("<!-- generated -->\n").expect("a place for the tables");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, format!("{head}<!-- generated -->\n{tables}")).unwrap();
    } else {
        assert!(
            rest == tables,
            "docs/features.md is out of date: run UPDATE_DOCS=1 cargo test --test it features::"
        );
    }
}

/// The profile that the stage keeps from a market's ticks is the sum of the trades of its bars, on
/// each of several timeframes.
#[test]
fn the_profile_is_made_of_the_trades() {
    let mut settings = IndicatorSettings::default();
    settings.low_volume_node.window = 3;
    let timeframes = [Timeframe::MINUTES_5, Timeframe::MINUTES_30, Timeframe::HOUR];
    settings.timeframes.low_volume_node = Some(timeframes.to_vec());
    let none = MatricesSettings::default();
    let mut stage = FeatureStage::new(&settings, &none, &timeframes, &es(), true).unwrap();
    let calendar = Calendar::CmeEquityIndex;
    let mut builder = BarBuilder::new(&timeframes, calendar, 60 * Timestamp::MINUTE);
    let market = SyntheticSettings::new(SyntheticMarket::Regimes, 2, 4_000);
    let mut generator = Generator::new(Settings::new(market, 5)).unwrap();
    let (mut ticks, mut session_ticks) = (Vec::new(), Vec::new());
    while generator.next_session(&mut session_ticks).is_some() {
        ticks.append(&mut session_ticks);
    }
    let mut bars: Vec<Bar> = Vec::new();
    for tick in &ticks {
        let closed = bars.len();
        let taken = builder.on_tick(tick, &mut |bar| {
            bars.push(*bar);
            stage.on_bar(bar).unwrap();
        });
        assert!(taken);
        if bars.len() > closed {
            for timeframe in timeframes {
                let mut last = bars.iter().rev().filter(|bar| bar.timeframe == timeframe).take(3);
                let mut expected = std::collections::BTreeMap::new();
                for bar in &mut last {
                    let from = ticks.partition_point(|tick| tick.time < bar.start);
                    let to = ticks.partition_point(|tick| tick.time < bar.end);
                    for tick in &ticks[from..to] {
                        let row = tick.price.ticks_from(Price::ZERO, TICK_SIZE).div_euclid(4) * 4;
                        *expected.entry(row).or_insert(0.0) += f64::from(tick.size);
                    }
                }
                let profile = stage.engine().low_volume_node(timeframe).unwrap().profile();
                let profile = profile.filter(|(_, contracts)| *contracts > 0.0);
                assert!(profile.eq(expected), "{timeframe} at {}", tick.time);
            }
        }
        stage.on_trade(tick);
    }
    assert!(bars.len() > 500);
}
