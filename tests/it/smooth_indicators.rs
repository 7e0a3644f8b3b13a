//! Indicators against other libraries, and what must hold of each on any market.
//!
//! `tests/oracles/smooth_oracle.py` made the fixture.

use std::collections::BTreeMap;
use std::fmt::Debug;

use algospace_hft::indicators::{
    Autocorrelation, AverageTrueRange, ExactWeightedAverage, HeikenAshi, Indicator, LogReturn,
    Momentum, MovingStatistics, MovingStatisticsLengths, NadarayaWatson, NadarayaWatsonSettings,
    RealisedVolatility, RelativeStrengthIndex, Source, TickBar, VolumeBalance, VolumeStatistics,
    WeightedAverage,
};
use algospace_hft::market::Price;
use algospace_hft::random::Random;
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Points in a tick of the fixture, whose prices are in points.
const TICK: f64 = 0.25;

#[derive(serde::Deserialize)]
struct Oracle {
    tick_size: String,
    bars: Vec<(i64, i64, i64, i64, u64)>,
    columns: BTreeMap<String, Vec<Option<f64>>>,
}

impl Oracle {
    fn read() -> Oracle {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/smooth_oracle.json");
        let oracle: Oracle = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(oracle.tick_size.parse::<Price>().unwrap().as_f64(), TICK);
        oracle
    }

    fn bars(&self) -> impl Iterator<Item = TickBar> {
        self.bars.iter().map(|&(open, high, low, close, volume)| TickBar {
            open,
            high,
            low,
            close,
            volume,
        })
    }

    /// Holds a column against our values: defined at the same bars, and within `tolerance`.
    fn check(&self, name: &str, tolerance: f64, ours: impl Iterator<Item = f64>) {
        let theirs = &self.columns[name];
        assert!(theirs.iter().flatten().count() > 300, "{name} is hardly there");
        let ours: Vec<f64> = ours.collect();
        assert_eq!(ours.len(), theirs.len());
        for (bar, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
            match theirs {
                Some(theirs) => assert!(
                    (ours - theirs).abs() <= tolerance,
                    "{name}, bar {bar}: {ours}, not {theirs}"
                ),
                None => assert!(ours.is_nan(), "{name}, bar {bar}: {ours}, not undefined"),
            }
        }
    }

    /// Holds one output of an indicator against a column.
    fn check_output<I: Indicator>(
        &self,
        name: &str,
        tolerance: f64,
        mut indicator: I,
        output: impl Fn(I::Output) -> f64,
    ) {
        self.check(name, tolerance, self.bars().map(|bar| output(indicator.update(&bar))));
    }
}

fn nadaraya_watson(source: Source) -> NadarayaWatson {
    let settings = NadarayaWatsonSettings { source, ..NadarayaWatsonSettings::default() };
    NadarayaWatson::new(settings).unwrap()
}

#[test]
fn heiken_ashi_is_that_of_ta_lib_to_the_last_bit() {
    let (oracle, new) = (Oracle::read(), || HeikenAshi::new());
    oracle.check_output("heiken_ashi_open", 0.0, new(), |candle| candle.open * TICK);
    oracle.check_output("heiken_ashi_high", 0.0, new(), |candle| candle.high * TICK);
    oracle.check_output("heiken_ashi_low", 0.0, new(), |candle| candle.low * TICK);
    oracle.check_output("heiken_ashi_close", 0.0, new(), |candle| candle.close * TICK);
    for candle in oracle.bars().scan(new(), |state, bar| Some(state.update(&bar))) {
        let order = candle.close.partial_cmp(&candle.open).unwrap() as i8;
        assert_eq!(candle.direction, order);
    }
}

#[test]
fn strength_and_averages_are_those_of_ta_lib_and_tradingview() {
    let oracle = Oracle::read();
    let closes = || oracle.bars().map(|bar| bar.close);
    let quarters = || oracle.bars().map(|bar| Source::Ohlc4.quarter_ticks(&bar));

    let mut index = RelativeStrengthIndex::new(14);
    oracle.check("rsi_14_close", 1e-9, closes().map(|close| index.update(close)));
    let mut index = RelativeStrengthIndex::new(20);
    oracle.check("rsi_20_ohlc4", 1e-9, quarters().map(|price| index.update(price)));

    let mut average = ExactWeightedAverage::new(20);
    oracle.check("wma_20_close", 1e-9, closes().map(|close| average.update(close) * TICK));
    let mut average = ExactWeightedAverage::new(5);
    oracle.check("wma_5_ohlc4", 1e-9, quarters().map(|price| average.update(price) * TICK / 4.0));

    let (mut index, mut average) = (RelativeStrengthIndex::new(20), WeightedAverage::new(20));
    let averages = quarters().map(|price| match index.update(price) {
        strength if strength.is_nan() => strength,
        strength => average.update(strength),
    });
    oracle.check("wma_20_of_rsi", 1e-9, averages);

    let range = AverageTrueRange::new(14);
    oracle.check_output("average_true_range", 1e-9, range, |ticks| ticks * TICK);
}

#[test]
fn kernel_regression_is_that_of_numpy_and_tradingview() {
    let (oracle, new) = (Oracle::read(), || nadaraya_watson(Source::Ohlc4));
    oracle.check_output("estimate", 1e-9, new(), |values| values.estimate * TICK);
    oracle.check_output("fast_estimate", 1e-9, new(), |values| values.fast_estimate * TICK);
    oracle.check_output("slope", 1e-9, new(), |values| values.slope * TICK);
    oracle.check_output("deviation", 1e-9, new(), |values| values.deviation * TICK);
    oracle.check_output("turn", 0.0, new(), |values| f64::from(values.turn));
    oracle.check_output("cross", 0.0, new(), |values| f64::from(values.cross));

    let settings = NadarayaWatsonSettings {
        bandwidth: 15.0,
        relative_weight: 2.0,
        taps: 50,
        source: Source::Close,
        ..NadarayaWatsonSettings::default()
    };
    let wide = NadarayaWatson::new(settings).unwrap();
    oracle.check_output("estimate_of_close", 1e-9, wide, |values| values.estimate * TICK);
}

#[test]
fn moving_statistics_are_those_of_pandas_scipy_and_statsmodels() {
    let oracle = Oracle::read();
    let new = || MovingStatistics::new(MovingStatisticsLengths::default()).unwrap();
    oracle.check_output("log_return", 1e-15, new(), |values| values.log_return);
    oracle.check_output("realised_volatility", 1e-15, new(), |values| values.volatility.realised);
    oracle.check_output("volatility_of_volatility", 1e-15, new(), |values| {
        values.volatility.of_volatility
    });
    oracle.check_output("autocorrelation", 1e-9, new(), |values| values.autocorrelation);
    oracle.check_output("momentum", 0.0, new(), |values| values.momentum.momentum * TICK);
    oracle.check_output("acceleration", 0.0, new(), |values| values.momentum.acceleration * TICK);
    oracle.check_output("volume_ratio", 1e-9, new(), |values| values.volume.ratio);
    oracle.check_output("log_volume_ratio", 1e-9, new(), |values| values.volume.log_ratio);
    oracle.check_output("volume_z_score", 1e-9, new(), |values| values.volume.z_score);
    oracle.check_output("volume_skewness", 1e-9, new(), |values| values.volume.skewness);
    oracle.check_output("volume_balance", 1e-9, new(), |values| values.volume_balance);
    oracle
        .check_output("average_true_range", 1e-9, new(), |values| values.average_true_range * TICK);
    oracle.check_output("rsi_14_close", 1e-9, new(), |values| values.relative_strength);
    oracle.check_output("wma_20_close", 1e-9, new(), |values| values.weighted_average * TICK);

    let mut statistics = new();
    let mut all_defined = None;
    for (at, bar) in oracle.bars().enumerate() {
        let values = statistics.update(&bar);
        assert_eq!(values.range, (bar.high - bar.low) as f64);
        if all_defined.is_none() && !format!("{values:?}").contains("NaN") {
            all_defined = Some(at);
        }
    }
    assert_eq!(all_defined, Some(new().first_valid()));
}

#[test]
fn once_ready_the_beginning_no_longer_shows() {
    fn difference<I: Indicator>(new: fn() -> I, output: fn(I::Output) -> f64) -> f64 {
        let (mut early, mut late) = (new(), new());
        let mut worst: f64 = 0.0;
        let mut compared = 0;
        for (at, bar) in Oracle::read().bars().enumerate() {
            let expected = output(early.update(&bar));
            if at >= 100 {
                let value = output(late.update(&bar));
                if late.is_ready() {
                    worst = worst.max((value - expected).abs());
                    compared += 1;
                }
            }
        }
        assert!(compared > 50);
        worst
    }
    assert!(difference(HeikenAshi::new, |candle| candle.open) < 4e-8);
    assert!(difference(|| AverageTrueRange::new(14), |ticks| ticks) < 4e-5);
    assert_eq!(difference(|| nadaraya_watson(Source::Close), |values| values.deviation), 0.0);
}

#[test]
fn settings_that_make_no_kernel_are_refused() {
    let good = NadarayaWatsonSettings::default();
    for (settings, expected) in [
        (
            NadarayaWatsonSettings { bandwidth: 0.0, ..good },
            "nadaraya_watson.bandwidth is 0; it must be above 0",
        ),
        (
            NadarayaWatsonSettings { relative_weight: f64::NAN, ..good },
            "nadaraya_watson.relative_weight is NaN; it must be above 0",
        ),
        (
            NadarayaWatsonSettings { taps: 1, ..good },
            "nadaraya_watson.taps is 1; it must be from 2 to 512 bars",
        ),
        (
            NadarayaWatsonSettings { lag: 8.0, ..good },
            "nadaraya_watson.lag is 8; it must be from 0 to below the bandwidth",
        ),
    ] {
        assert_eq!(NadarayaWatson::new(settings).unwrap_err().to_string(), expected);
    }
}

#[test]
fn lengths_out_of_range_are_refused_by_name() {
    let good = MovingStatisticsLengths::default();
    for (lengths, expected) in [
        (
            MovingStatisticsLengths { volume: 2, ..good },
            "moving_statistics.volume is 2; it must be from 3 to 1000 bars",
        ),
        (
            MovingStatisticsLengths { relative_strength: 1001, ..good },
            "moving_statistics.relative_strength is 1001; it must be from 3 to 1000 bars",
        ),
    ] {
        assert_eq!(MovingStatistics::new(lengths).unwrap_err().to_string(), expected);
    }
    for length in [3, 1000] {
        let lengths = MovingStatisticsLengths {
            average_true_range: length,
            relative_strength: length,
            weighted_average: length,
            momentum: length,
            volatility: length,
            volatility_of_volatility: length,
            autocorrelation: length,
            volume: length,
        };
        assert!(MovingStatistics::new(lengths).is_ok());
    }
}

/// Up to 160 bars whose moves, ranges and volumes are arbitrary, standing still among them.
fn bars(first_close: std::ops::Range<i64>) -> impl Strategy<Value = Vec<TickBar>> {
    let bar = (-9i64..9, 0i64..12, 0i64..12, 0i64..13, prop_oneof![Just(0), 0u64..50_000]);
    let still = Just((0, 0, 0, 0, 0));
    let bars = prop::collection::vec(prop_oneof![6 => bar, 1 => still], 1..160);
    (first_close, bars).prop_map(|(mut last, bars)| {
        let to_bar = |(gap, up, down, close, volume): (i64, i64, i64, i64, u64)| {
            let open = last + gap;
            let (high, low) = (open + up, open - down);
            last = (low + close).min(high);
            TickBar { open, high, low, close: last, volume }
        };
        bars.into_iter().map(to_bar).collect()
    })
}

/// ES between 4,250 and 8,000 points: prices whose floats all have the same spacing, before and
/// after a move of at most 400 ticks.
const ES: std::ops::Range<i64> = 20_000..29_000;

/// The text of a value, which tells every float from every other and NaN from none.
fn text(value: &impl Debug) -> String {
    format!("{value:?}")
}

fn moved(bar: &TickBar, by: i64) -> TickBar {
    TickBar {
        open: bar.open + by,
        high: bar.high + by,
        low: bar.low + by,
        close: bar.close + by,
        ..*bar
    }
}

/// A look ahead changes nothing, tells what follows, and a state that was written out and read back
/// continues as if nothing had happened.
fn looks_ahead_and_restarts<I>(new: I, bars: &[TickBar], restart: usize)
where
    I: Indicator<Output: Debug> + Clone + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let (mut looked, mut restarted, mut plain) = (new.clone(), new.clone(), new);
    for (at, bar) in bars.iter().enumerate() {
        if at == restart {
            let saved = serde_json::to_string(&restarted).unwrap();
            let loaded: I = serde_json::from_str(&saved).unwrap();
            assert_eq!(loaded, restarted);
            restarted = loaded;
        }
        looked.peek(&moved(bar, 77));
        let peeked = text(&looked.peek(bar));
        let expected = text(&plain.update(bar));
        assert_eq!(peeked, expected, "bar {at}");
        assert_eq!(text(&looked.update(bar)), expected, "bar {at}");
        assert_eq!(text(&restarted.update(bar)), expected, "bar {at} after a restart");
        assert_eq!(looked, plain);
    }
}

/// Outputs of a run over `bars`, and of one that continues `by` ticks higher from bar `roll`; the
/// first with its prices moved by as much.
fn over_a_roll<I: Indicator>(
    new: impl Fn() -> I,
    bars: &[TickBar],
    roll: usize,
    by: i64,
    move_prices: impl Fn(I::Output, f64) -> I::Output,
) -> Vec<(I::Output, I::Output)> {
    let (mut plain, mut rolled) = (new(), new());
    let outputs = bars.iter().enumerate().map(|(at, bar)| {
        if at == roll {
            rolled.shift(by);
        }
        if at < roll {
            (plain.update(bar), rolled.update(bar))
        } else {
            (move_prices(plain.update(bar), by as f64), rolled.update(&moved(bar, by)))
        }
    });
    outputs.collect()
}

fn assert_same<T: Debug>(pairs: Vec<(T, T)>) {
    for (at, (expected, rolled)) in pairs.iter().enumerate() {
        assert_eq!(text(expected), text(rolled), "bar {at}");
    }
}

/// An indicator that begins `start` inputs after another is equal to it after `window` more, and
/// continues with the same bits.
fn forgets_its_beginning<T, S: Clone + Debug + PartialEq, V: Debug>(
    new: S,
    inputs: &[T],
    start: usize,
    window: usize,
    update: impl Fn(&mut S, &T) -> V,
) {
    let (mut early, mut late) = (new.clone(), new);
    for (at, input) in inputs.iter().enumerate() {
        let expected = text(&update(&mut early, input));
        if at < start {
            continue;
        }
        let value = text(&update(&mut late, input));
        if at >= start + window {
            assert_eq!(value, expected, "input {at}");
        }
        if at + 1 >= start + window {
            assert_eq!(late, early, "after input {at}");
        }
    }
}

/// Bars of a market that moves like the E-mini S&P 500 in five minutes.
fn walk(count: usize) -> Vec<TickBar> {
    let mut random = Random::new(11, 0);
    let mut below = |bound: i64| (random.next_u64() % bound as u64) as i64;
    let mut last = 24_000;
    let bar = |_| {
        let open = last + below(5) - 2;
        let (high, low) = (open + below(20), open - below(20));
        last = (low + below(high - low + 1) + i64::from(open < 24_000)).min(high);
        TickBar { open, high, low, close: last, volume: below(9_000) as u64 }
    };
    (0..count).map(bar).collect()
}

/// An indicator that never forgets by definition does so by rounding: a start counts for less and
/// less, until it counts for nothing. It could fail where a market hardly moves, but none of these
/// thousands of starts does.
#[test]
fn recursions_forget_where_they_began() {
    let bars = walk(4_000);
    fn of_all_starts<S: Clone + Debug + PartialEq, V: Debug>(
        bars: &[TickBar],
        new: &S,
        window: usize,
        update: impl Fn(&mut S, &TickBar) -> V,
    ) {
        let mut early = new.clone();
        for (at, bar) in bars[..bars.len() - window].iter().enumerate() {
            update(&mut early, bar);
            if at % 3 == 0 {
                let (mut early, mut late) = (early.clone(), new.clone());
                for bar in &bars[at + 1..][..window] {
                    update(&mut early, bar);
                    update(&mut late, bar);
                }
                assert_eq!(late, early, "from bar {at}");
            }
        }
    }
    of_all_starts(&bars, &HeikenAshi::new(), 64, HeikenAshi::update);
    for length in [3, 5, 14, 20] {
        let window = 52 * length;
        of_all_starts(&bars, &AverageTrueRange::new(length), window, AverageTrueRange::update);
        of_all_starts(&bars, &RelativeStrengthIndex::new(length), window, |index, bar| {
            index.update(bar.close)
        });
    }
    let all = MovingStatistics::new(MovingStatisticsLengths::default()).unwrap();
    let start = bars.len() - 52 * 14 - 200;
    forgets_its_beginning(all, &bars, start, 52 * 14, MovingStatistics::update);
}

proptest! {
    #[test]
    fn windows_forget_what_left_them(
        bars in bars(ES),
        values in prop::collection::vec(prop_oneof![9 => -0.1f64..0.1, 1 => Just(f64::NAN)], 1..120),
        start in 0usize..90,
    ) {
        let settings = NadarayaWatsonSettings::default();
        let estimate = NadarayaWatson::new(settings).unwrap();
        forgets_its_beginning(estimate, &bars, start, settings.taps + 2, NadarayaWatson::update);
        forgets_its_beginning(LogReturn::new(), &bars, start, 1, LogReturn::update);
        forgets_its_beginning(Momentum::new(5), &bars, start, 10, Momentum::update);
        forgets_its_beginning(VolumeStatistics::new(20), &bars, start, 19, VolumeStatistics::update);
        forgets_its_beginning(VolumeBalance::new(20), &bars, start, 20, VolumeBalance::update);
        forgets_its_beginning(ExactWeightedAverage::new(20), &bars, start, 20, |average, bar| {
            average.update(bar.close)
        });
        forgets_its_beginning(WeightedAverage::new(20), &bars, start, 20, |average, bar| {
            average.update(bar.volume as f64 / 500.0)
        });
        forgets_its_beginning(RealisedVolatility::new(5, 4), &values, start, 7, |volatility, value| {
            volatility.update(*value)
        });
        forgets_its_beginning(Autocorrelation::new(5), &values, start, 4, |correlation, value| {
            correlation.update(*value)
        });
    }

    #[test]
    fn peek_and_restart_give_the_update_that_follows(
        bars in bars(-100..30_000),
        restart in 0usize..160,
        closes in any::<bool>(),
    ) {
        let source = if closes { Source::Close } else { Source::Ohlc4 };
        let short = NadarayaWatsonSettings { taps: 3, source, ..NadarayaWatsonSettings::default() };
        looks_ahead_and_restarts(HeikenAshi::new(), &bars, restart);
        looks_ahead_and_restarts(AverageTrueRange::new(14), &bars, restart);
        looks_ahead_and_restarts(nadaraya_watson(source), &bars, restart);
        looks_ahead_and_restarts(NadarayaWatson::new(short).unwrap(), &bars, restart);
        looks_ahead_and_restarts(LogReturn::new(), &bars, restart);
        looks_ahead_and_restarts(Momentum::new(5), &bars, restart);
        looks_ahead_and_restarts(VolumeStatistics::new(20), &bars, restart);
        looks_ahead_and_restarts(VolumeBalance::new(20), &bars, restart);
        let all = MovingStatistics::new(MovingStatisticsLengths::default()).unwrap();
        looks_ahead_and_restarts(all, &bars, restart);
    }

    #[test]
    fn peek_and_restart_give_the_update_that_follows_for_numbers(
        values in prop::collection::vec(-500i64..500, 1..90),
        restart in 0usize..90,
    ) {
        let mut strength = RelativeStrengthIndex::new(14);
        let mut exact = ExactWeightedAverage::new(20);
        let mut float = WeightedAverage::new(20);
        let mut volatility = RealisedVolatility::new(9, 9);
        let mut autocorrelation = Autocorrelation::new(9);
        for (at, &value) in values.iter().enumerate() {
            let number = if value % 50 == 0 { f64::NAN } else { value as f64 / 700.0 };
            let finite = value as f64 / 7.0;
            let peeked = text(&(
                strength.peek(value),
                exact.peek(value),
                float.peek(finite),
                volatility.peek(number),
                autocorrelation.peek(number),
            ));
            if at == restart {
                let state = (&strength, &exact, &float, &volatility, &autocorrelation);
                let saved = serde_json::to_string(&state).unwrap();
                (strength, exact, float, volatility, autocorrelation) =
                    serde_json::from_str(&saved).unwrap();
            }
            let updated = (
                strength.update(value),
                exact.update(value),
                float.update(finite),
                volatility.update(number),
                autocorrelation.update(number),
            );
            prop_assert_eq!(peeked, text(&updated));
        }
    }

    /// Bit for bit, within prices of one float spacing: only what is a price moves.
    #[test]
    fn a_roll_moves_prices_and_nothing_else(
        bars in bars(ES),
        roll in 0usize..160,
        by in -400i64..400,
    ) {
        assert_same(over_a_roll(HeikenAshi::new, &bars, roll, by, |mut candle, by| {
            candle.open += by;
            candle.high += by;
            candle.low += by;
            candle.close += by;
            candle
        }));
        assert_same(over_a_roll(
            || nadaraya_watson(Source::Ohlc4), &bars, roll, by, |mut values, by| {
                values.estimate += by;
                values.fast_estimate += by;
                values
            },
        ));
    }

    /// Bit for bit, at any price.
    #[test]
    fn a_roll_leaves_what_depends_on_differences(
        bars in bars(-100..30_000),
        roll in 0usize..160,
        by in -40_000i64..40_000,
    ) {
        assert_same(over_a_roll(
            || AverageTrueRange::new(14), &bars, roll, by, |ticks, _| ticks,
        ));
        assert_same(over_a_roll(|| Momentum::new(5), &bars, roll, by, |values, _| values));
        assert_same(over_a_roll(|| VolumeStatistics::new(20), &bars, roll, by, |values, _| values));
        assert_same(over_a_roll(|| VolumeBalance::new(20), &bars, roll, by, |value, _| value));
        let estimates =
            over_a_roll(|| nadaraya_watson(Source::Close), &bars, roll, by, |values, _| values);
        for (plain, rolled) in estimates {
            let same = |values: &algospace_hft::indicators::NadarayaWatsonValues| {
                text(&(values.slope, values.deviation, values.turn, values.cross))
            };
            prop_assert_eq!(same(&plain), same(&rolled));
        }
        let mut strengths = (RelativeStrengthIndex::new(5), RelativeStrengthIndex::new(5));
        for (at, bar) in bars.iter().enumerate() {
            if at == roll {
                strengths.1.shift(by);
            }
            let rolled = bar.close + if at >= roll { by } else { 0 };
            let (plain, rolled) = (strengths.0.update(bar.close), strengths.1.update(rolled));
            prop_assert_eq!(plain.to_bits(), rolled.to_bits());
        }
    }

    /// A return over the roll is the new contract's, and the statistics go on from it.
    #[test]
    fn returns_over_a_roll_are_those_of_the_new_contract(
        bars in bars(ES),
        roll in 1usize..160,
        by in -400i64..400,
    ) {
        let new = || MovingStatistics::new(MovingStatisticsLengths::default()).unwrap();
        let outputs = over_a_roll(new, &bars, roll, by, |values, _| values);
        for (at, (plain, rolled)) in outputs.iter().enumerate().skip(roll) {
            let now = (bars[at].close + by) as f64;
            let before = (bars[at - 1].close + by) as f64;
            prop_assert!((rolled.log_return - (now / before).ln()).abs() < 1e-15);
            let same = |values: &algospace_hft::indicators::MovingStatisticsValues| text(&(
                values.average_true_range,
                values.range,
                values.relative_strength,
                values.momentum,
                values.volume,
                values.volume_balance,
            ));
            prop_assert_eq!(same(plain), same(rolled));
        }
    }

    /// Bounded values stay in their bounds, and nothing is infinite.
    #[test]
    fn values_stay_in_their_ranges(bars in bars(-100..30_000)) {
        let mut statistics = MovingStatistics::new(MovingStatisticsLengths::default()).unwrap();
        let mut strength = RelativeStrengthIndex::new(5);
        for bar in &bars {
            let values = statistics.update(bar);
            let index = strength.update(bar.close);
            prop_assert!(!text(&values).contains("inf"), "{values:?}");
            for (value, low, high) in [
                (index, 0.0, 100.0),
                (values.autocorrelation, -1.0, 1.0),
                (values.volume.ratio, 0.0, 20.0),
                (values.volume_balance, -1.0, 1.0),
                (values.volatility.realised, 0.0, f64::MAX),
            ] {
                prop_assert!(value.is_nan() || (low..=high).contains(&value), "{value}");
            }
            let candle = values.heiken_ashi;
            prop_assert!(candle.low <= candle.open && candle.open <= candle.high);
            prop_assert!(candle.low <= candle.close && candle.close <= candle.high);
        }
    }
}
