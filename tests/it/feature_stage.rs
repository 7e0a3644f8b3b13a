//! Features through the stages, against indicators fed by hand.

use algospace_hft::engine::{Output, Sink};
use algospace_hft::execution::ExitReason;
use algospace_hft::indicators::{
    Indicator, LowVolumeNode, LowVolumeNodeSettings, TickBar, TradedVolume,
};
use algospace_hft::market::{Bar, Calendar, Price, Tick, Timeframe, Timestamp};
use proptest::prelude::*;

use crate::assembly::random::{any_step, market_of};
use crate::assembly::{By, Setup, TICK_SIZE, at, price};

/// Named features of every row, with its bar.
struct Features {
    names: &'static [&'static str],
    rows: Vec<(Bar, Vec<f64>)>,
}

impl Sink for Features {
    fn output(&mut self, output: &Output<'_>) {
        let Output::Features(stage) = output else { return };
        let engine = stage.engine();
        let value = |name: &&str| {
            let column = engine.layout().column(&format!("{name}_1m"));
            engine.row().values[column.unwrap()]
        };
        self.rows.push((engine.row().bar, self.names.iter().map(value).collect()));
    }
}

fn features_of(ticks: &[Tick], names: &'static [&'static str]) -> Vec<(Bar, Vec<f64>)> {
    let setup = Setup::free();
    let mut pipeline = setup.pipeline(By(Timeframe::MINUTE_1, |_: &Bar, _| None));
    let mut sink = Features { names, rows: Vec::new() };
    for tick in ticks {
        pipeline.on_tick(tick, &mut sink);
    }
    pipeline.finish(ExitReason::EndOfData, &mut sink);
    assert_eq!(pipeline.features().counts(), Default::default());
    sink.rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The profile of each bar is that of an indicator that is given the bar with its trades, and
    /// moved when the contract changes.
    #[test]
    fn the_profile_is_that_of_the_bars_own_trades(
        steps in prop::collection::vec(any_step(), 1..400),
        rolls in any::<bool>(),
    ) {
        let ticks = market_of(&steps, rolls, false);
        // As in `assembly::features_of`.
        let settings = LowVolumeNodeSettings { window: 4, order: 1, row_ticks: 1, ..Default::default() };
        let mut alone = LowVolumeNode::new(settings).unwrap();
        let mut contract = ticks[0].contract;
        for (bar, row) in features_of(&ticks, &["poc", "vah", "val", "lvn_n"]) {
            if bar.contract != contract {
                contract = bar.contract;
                let first = ticks.iter().position(|tick| tick.contract == contract).unwrap();
                alone.shift(ticks[first].price.ticks_from(ticks[first - 1].price, TICK_SIZE));
            }
            let mut trades = TradedVolume::default();
            let inside = |tick: &&Tick| (bar.start..bar.end).contains(&tick.time);
            for tick in ticks.iter().filter(inside) {
                trades.add(tick.price.ticks_from(Price::ZERO, TICK_SIZE), tick.size);
            }
            let tick_bar = TickBar::new(&bar, TICK_SIZE).unwrap();
            let values = alone.update_with_trades(&tick_bar, &trades).unwrap();
            let points = TICK_SIZE.as_f64();
            let expected = [
                values.point_of_control * points,
                values.value_area_high * points,
                values.value_area_low * points,
                if values.point_of_control.is_nan() { f64::NAN } else { f64::from(values.count) },
            ];
            let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(bits(&row), bits(&expected), "{:?} at {}", row, bar.start);
        }
    }
}

/// A market that stands still in two contracts moves in neither, though the series jumps between
/// them, in the middle of a bar and after a silence.
#[test]
fn a_contract_change_within_a_session_is_no_move() {
    let open = at("2024-01-04T15:00:00Z");
    let mut ticks = Vec::new();
    for second in (0..5_400).filter(|second| !(2_900..3_310).contains(second)) {
        let contract = u16::from(second > 1_234) + u16::from(second > 3_000);
        let tick = Tick::new(
            open + second * Timestamp::SECOND,
            price(16_000 + 200 * i64::from(contract)),
            1,
        );
        ticks.push(tick.with_contract(contract));
    }
    assert!(Calendar::CmeEquityIndex.session_at(open).is_some());
    let names = &["log_return", "volatility", "momentum", "atr", "range", "fvg_new"];
    let rows = features_of(&ticks, names);
    assert!(rows.len() > 80);
    for (bar, row) in rows {
        assert!(row.iter().all(|value| value.is_nan() || *value == 0.0), "{} {row:?}", bar.start);
    }
}

/// The windows of the matrix at each close, where it is whole.
struct Windows(Vec<(Timestamp, Option<Vec<f32>>)>);

impl Sink for Windows {
    fn output(&mut self, output: &Output<'_>) {
        let Output::Features(stage) = output else { return };
        let window = stage.matrices()[0].window().ok().map(<[f32]>::to_vec);
        self.0.push((stage.engine().row().bar.end, window));
    }
}

/// Twenty minutes of a session on a line of its own.
fn session(open: &str, first_price: i64, slope: i64) -> Vec<Tick> {
    let minute = |minute: i64| {
        let shift = first_price + slope * minute + minute % 3;
        Tick::new(at(open) + minute * Timestamp::MINUTE + Timestamp::SECOND, price(shift), 2)
    };
    (0..20).map(minute).collect()
}

/// Two histories that differ in nothing but what lies before a hole have the same windows after it,
/// and none of them before as many bars have passed as at the history's start. Over a mere night
/// windows go on.
#[test]
fn no_window_mixes_both_sides_of_a_hole() {
    let windows = |before: Vec<Tick>, after: &str| {
        let mut pipeline = Setup::free().pipeline(By(Timeframe::MINUTE_1, |_: &Bar, _| None));
        let mut sink = Windows(Vec::new());
        for tick in before.into_iter().chain(session(after, 16_100, -2)) {
            pipeline.on_tick(&tick, &mut sink);
        }
        pipeline.finish(ExitReason::EndOfData, &mut sink);
        let first = sink.0.iter().position(|&(end, _)| end > at(after)).unwrap();
        let after = sink.0.split_off(first);
        assert_eq!((sink.0.len(), after.len()), (20, 20));
        // Four bars until every column has a value, of which the matrix takes two rows.
        let is_whole: Vec<bool> = sink.0.iter().map(|(_, window)| window.is_some()).collect();
        assert_eq!(is_whole, [[false; 4].as_slice(), &[true; 16]].concat());
        after
    };
    let monday = "2024-01-08T15:00:00Z";
    let [one, other] = [session(monday, 16_000, 3), session(monday, 15_500, -1)];
    let (tuesday, wednesday) = ("2024-01-09T15:00:00Z", "2024-01-10T15:00:00Z");
    let [with_one, with_other] = [one.clone(), other].map(|before| windows(before, wednesday));
    for ((end, with_one), (_, with_other)) in with_one.iter().zip(&with_other) {
        let bars = (*end - at(wednesday)) / Timestamp::MINUTE;
        assert_eq!((with_one.is_some(), with_other.is_some()), (bars > 4, bars > 4), "{end}");
        let (Some(with_one), Some(with_other)) = (with_one, with_other) else { continue };
        for (ours, theirs) in with_one.chunks(3).zip(with_other.chunks(3)) {
            // The second column is scaled by all values before it, which is no window.
            assert_eq!((ours[0], ours[2]), (theirs[0], theirs[2]), "{end}");
        }
    }
    assert!(windows(one, tuesday).iter().all(|(_, window)| window.is_some()));
}
