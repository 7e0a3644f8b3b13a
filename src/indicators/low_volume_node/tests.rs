use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::test_bars::{bars, bars_until_equal, shifted};
use super::*;

fn settings(window: usize, row_ticks: u32, order: usize) -> LowVolumeNodeSettings {
    LowVolumeNodeSettings { window, row_ticks, order, ..LowVolumeNodeSettings::default() }
}

fn indicator(window: usize, row_ticks: u32, order: usize) -> LowVolumeNode {
    LowVolumeNode::new(settings(window, row_ticks, order)).unwrap()
}

/// Returns values in a form in which NaN equals NaN.
fn comparable(values: &LowVolumeNodeValues) -> String {
    format!("{values:?}")
}

/// Returns a profile in which row `i`, of one tick, has `volumes[i]` contracts, and the close.
fn of_rows(volumes: &[u64], close: i64) -> LowVolumeNodeValues {
    let mut indicator = indicator(volumes.len(), 1, 2);
    let mut last = None;
    for (price, &volume) in (0..).zip(volumes) {
        let bar = TickBar { open: price, high: price, low: price, close: price, volume };
        last = Some(if price as usize + 1 < volumes.len() {
            indicator.update(&bar)
        } else {
            // The close may be anywhere for what is asked here.
            indicator.update(&TickBar { close, ..bar })
        });
    }
    last.unwrap()
}

/// Trades that make `bar`, all its volume on a few of its prices.
fn trades_of(bar: &TickBar, seed: u64) -> TradedVolume {
    let mut trades = TradedVolume::default();
    let mut left = bar.volume;
    for step in 0.. {
        if left == 0 {
            break;
        }
        let size = left.min(1 + (seed + step) % 700);
        let range = (bar.high - bar.low + 1) as u64;
        trades.add(bar.low + ((seed + step * step) % range) as i64, size as u32);
        left -= size;
    }
    trades
}

#[test]
fn nodes_of_a_profile_made_by_hand() {
    //                     0  1  2  3  4   5  6  7  8  9
    let values = of_rows(&[5, 9, 3, 8, 20, 7, 9, 6, 8, 2], 5);
    // Row 2 is less than rows 0, 1, 3, 4. Row 5 is not less than row 7, nor row 7 than row 9.
    assert_eq!(values.count, 1);
    assert_eq!((values.nearest.price, values.below.price, values.distance), (2.5, 2.5, -2.5));
    assert!(values.above.price.is_nan());
    assert_eq!(values.nearest.strength, 1.0 - 3.0 / 20.0);
    assert_eq!(values.nearest.prominence, (9.0 - 3.0) / 20.0);
    assert_eq!(values.point_of_control, 4.5);
    // 77 contracts, 53.9 wanted: 20, then 28, 35 (8 and 7), 44, 50, 58 (9, 6, 8; before it 3
    // below).
    assert_eq!((values.value_area_low, values.value_area_high), (3.0, 9.0));
}

#[test]
fn a_row_as_low_as_another_in_reach_is_no_node() {
    assert_eq!(of_rows(&[9, 8, 2, 2, 8, 9], 0).count, 0);
    assert_eq!(of_rows(&[9, 2, 8, 2, 9], 0).count, 0);
    assert_eq!(of_rows(&[9, 2, 8, 8, 2, 9], 0).count, 2);
}

#[test]
fn equally_near_the_lower_node_is_the_nearest() {
    let volumes = [9, 8, 2, 8, 9, 8, 2, 8, 9];
    let values = of_rows(&volumes, 4);
    assert_eq!((values.below.price, values.above.price, values.count), (2.5, 6.5, 2));
    assert_eq!(values.nearest.price, 2.5, "1.5 and 2.5 away");
    let mut wide = indicator(1, 2, 1);
    // Rows of two ticks have their centres on ticks: 1, 3, 5, 7, 9.
    let mut trades = TradedVolume::default();
    for (price, size) in [(0, 9), (2, 2), (4, 9), (6, 2), (8, 9)] {
        trades.add(price, size);
    }
    for (close, nearest, below, above) in
        [(5, 3.0, 3.0, 7.0), (6, 7.0, 3.0, 7.0), (3, 3.0, f64::NAN, 7.0), (8, 7.0, 7.0, f64::NAN)]
    {
        let bar = TickBar { open: 0, high: 8, low: 0, close, volume: 31 };
        let values = wide.update_with_trades(&bar, &trades).unwrap();
        assert_eq!(values.nearest.price, nearest, "close {close}");
        assert_eq!(values.below.price.to_bits(), below.to_bits(), "close {close}");
        assert_eq!(values.above.price.to_bits(), above.to_bits(), "close {close}");
        assert_eq!(values.distance, nearest - close as f64);
    }
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let good = LowVolumeNodeSettings::default();
    let out = |window, row_ticks, order| LowVolumeNodeSettings { window, row_ticks, order, ..good };
    let shares = |min_ratio, value_area| LowVolumeNodeSettings { min_ratio, value_area, ..good };
    for (settings, named) in [
        (out(0, 4, 7), "window is 0; it must be from 1 to 65535 bars"),
        (out(65_536, 4, 7), "window is 65536"),
        (out(230, 0, 7), "row_ticks is 0; it must be from 1 to 10000 ticks"),
        (out(230, 4, 0), "order is 0; it must be from 1 to 10000 rows"),
        (shares(-0.1, 0.7), "min_ratio is -0.1; it must be at least 0 and below 1"),
        (shares(1.0, 0.7), "min_ratio is 1"),
        (shares(f64::NAN, 0.7), "min_ratio is NaN"),
        (shares(0.0, 0.0), "value_area is 0; it must be above 0 and at most 1"),
        (shares(0.0, 1.1), "value_area is 1.1"),
        (shares(0.0, f64::NAN), "value_area is NaN"),
    ] {
        let error = LowVolumeNode::new(settings).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }
    let error = serde_json::from_str::<LowVolumeNodeSettings>(r#"{"rows": 1}"#).unwrap_err();
    assert!(error.to_string().contains("rows"), "{error}");
    let kept: LowVolumeNodeSettings = serde_json::from_str(r#"{"order": 3}"#).unwrap();
    assert_eq!(kept, LowVolumeNodeSettings { order: 3, ..good });
}

#[test]
fn trades_that_are_not_the_bars_are_refused_and_nothing_is_taken() {
    let bar = TickBar { open: 10, high: 20, low: 10, close: 15, volume: 5 };
    let mut one = indicator(1, 1, 1);
    let before = one.clone();
    for (price, size) in [(15, 4), (21, 5), (9, 5)] {
        let mut trades = TradedVolume::default();
        trades.add(price, size);
        let error = one.update_with_trades(&bar, &trades).unwrap_err();
        assert_eq!(one.peek_with_trades(&bar, &trades).unwrap_err(), error);
        assert_eq!(error.traded, u64::from(size));
        assert_eq!(one, before);
    }
}

/// A freak price leaves the window without a value as long as it is in it, and without memory.
#[test]
fn a_bar_far_out_is_left_out() {
    let bar = |price: i64, volume| TickBar {
        open: price,
        high: price + 40,
        low: price,
        close: price + 20,
        volume,
    };
    for freak in [bar(1 << 40, 5), bar(-(1 << 40), 5), bar(16_000, 1 << 28)] {
        let mut with = indicator(3, 4, 1);
        for _ in 0..3 {
            assert!(with.update(&freak).point_of_control.is_nan() || freak.volume == 5);
        }
        for price in [16_000, 16_010, 16_004] {
            with.update(&bar(price, 700));
        }
        // Those of a window that was never elsewhere.
        let mut plain = indicator(3, 4, 1);
        for price in [16_000, 16_010, 16_004] {
            plain.update(&bar(price, 700));
        }
        if freak.volume == 5 {
            // The window went far away and back: the bars that came in between were left out.
            with.update(&bar(16_004, 700));
            for price in [16_000, 16_010, 16_004] {
                with.update(&bar(price, 700));
            }
        }
        assert!(with.profile().eq(plain.profile()));
        assert!(with.peek(&freak).point_of_control.is_nan());
        assert!(with.update(&freak).point_of_control.is_nan());
        assert_eq!(with.profile().count(), 0);
        for price in [16_020, 16_010] {
            assert!(with.update(&bar(price, 700)).point_of_control.is_nan());
            plain.update(&bar(price, 700));
        }
        let (back, expected) = (with.update(&bar(16_002, 9)), plain.update(&bar(16_002, 9)));
        assert_eq!(comparable(&back), comparable(&expected));
        assert_eq!(with.profile().map(|row| row.1).sum::<f64>(), 700.0 + 700.0 + 9.0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(250, 1500)))]

    /// For any number of bars on any path, the profile is that of the window's bars,
    /// to the last unit; peek is the update that follows; a restart goes unseen.
    #[test]
    fn the_profile_is_its_bars(
        bars in bars(1..120),
        jump in prop_oneof![Just(0i64), -9000i64..9000],
        window in 1usize..40,
        row_ticks in 1u32..9,
        order in 1usize..5,
        traded in any::<bool>(),
        restart in 0usize..120,
    ) {
        let mut indicator = indicator(window, row_ticks, order);
        let bars: Vec<TickBar> = bars
            .iter()
            .enumerate()
            .map(|(index, bar)| shifted(bar, if index * 2 > bars.len() { jump } else { 0 }))
            .collect();
        for (index, bar) in bars.iter().enumerate() {
            if index == restart {
                let saved = serde_json::to_string(&indicator).unwrap();
                let restored: LowVolumeNode = serde_json::from_str(&saved).unwrap();
                prop_assert_eq!(&restored, &indicator);
                indicator = restored;
            }
            let before = indicator.clone();
            let by_trades = traded && index % 3 > 0;
            let trades = trades_of(bar, index as u64);
            let (peeked, values) = if by_trades {
                let peeked = indicator.peek_with_trades(bar, &trades).unwrap();
                prop_assert_eq!(&indicator, &before);
                (peeked, indicator.update_with_trades(bar, &trades).unwrap())
            } else {
                let peeked = indicator.peek(bar);
                prop_assert_eq!(&indicator, &before);
                (peeked, indicator.update(bar))
            };
            prop_assert_eq!(comparable(&peeked), comparable(&values), "bar {}", index);
            let nodes: Vec<VolumeNode> = indicator.nodes().collect();
            prop_assert_eq!(nodes.len(), values.count as usize);
            let rising = nodes.windows(2).all(|pair| pair[0].price < pair[1].price);
            prop_assert!(rising);
            for (node, beside) in [
                (values.below, nodes.iter().rfind(|node| node.price < bar.close as f64)),
                (values.above, nodes.iter().find(|node| node.price > bar.close as f64)),
            ] {
                let beside = beside.unwrap_or(&VolumeNode::NONE);
                prop_assert_eq!(format!("{node:?}"), format!("{beside:?}"));
            }

            let start = (index + 1).saturating_sub(window);
            let mut expected: BTreeMap<i64, u64> = BTreeMap::new();
            for (number, bar) in (start..).zip(&bars[start..=index]) {
                let ticks = (bar.high - bar.low + 1) as u64;
                for price in bar.low..=bar.high {
                    let units = if traded && number % 3 > 0 {
                        trades_of(bar, number as u64).between(price, price + 1) * CONTRACT
                    } else {
                        let place = (price - bar.low) as u64;
                        let units = bar.volume * CONTRACT;
                        units / ticks + u64::from(place < units % ticks)
                    };
                    let edge = price - price.rem_euclid(i64::from(row_ticks));
                    *expected.entry(edge).or_default() += units;
                }
            }
            let units = |row: (i64, f64)| (row.0, (row.1 * CONTRACT as f64) as u64);
            let profile: Vec<(i64, u64)> = indicator.profile().map(units).collect();
            let held: BTreeMap<i64, u64> =
                profile.iter().copied().filter(|row| row.1 > 0).collect();
            expected.retain(|_, units| *units > 0);
            prop_assert_eq!(&held, &expected);
            let volume: u64 = bars[start..=index].iter().map(|bar| bar.volume).sum();
            prop_assert_eq!(profile.iter().map(|row| row.1).sum::<u64>(), volume * CONTRACT);
            let full = index + 1 >= window;
            prop_assert_eq!(indicator.is_ready(), full);
            prop_assert_eq!(values.point_of_control.is_nan(), !full || volume == 0);
            if index < indicator.first_valid() {
                prop_assert_eq!(
                    comparable(&values), comparable(&LowVolumeNodeValues::NONE),
                );
            }
        }
    }

    /// Also if the other had wandered off, so that it has more room, and was rolled by whole rows.
    #[test]
    fn one_that_begins_later_becomes_equal(
        bars in bars(40..100), late in 0usize..40, window in 1usize..30, row_ticks in 1u32..6,
        rolled in -50i64..50, away in prop_oneof![Just(0i64), -9000i64..9000],
    ) {
        let mut indicator = indicator(window, row_ticks, 2);
        let mut bars = bars;
        for bar in &mut bars[..late] {
            *bar = shifted(bar, away);
        }
        let rows = rolled * i64::from(row_ticks);
        let moved: Vec<TickBar> = bars.iter().map(|bar| shifted(bar, -rows)).collect();
        let mut whole = indicator.clone();
        for bar in &moved[..late] {
            whole.update(bar);
        }
        whole.shift(rows);
        for (taken, bar) in bars[late..].iter().enumerate() {
            if taken >= window {
                prop_assert_eq!(&indicator, &whole);
            }
            let values = (indicator.update(bar), whole.update(bar));
            if taken >= window {
                prop_assert_eq!(comparable(&values.0), comparable(&values.1));
            }
        }
    }

    #[test]
    fn equal_once_is_equal_ever(
        bars in bars(40..100), late in 0usize..40, window in 1usize..30, row_ticks in 1u32..6,
    ) {
        let after = bars_until_equal(indicator(window, row_ticks, 2), late, &bars);
        prop_assert!(after.is_none_or(|after| after <= window), "{after:?}");
        prop_assert_eq!(after.is_some(), bars.len() - late > window || late == 0);
    }

    /// A roll in mid-series moves prices exactly, by any number of ticks, and nothing else.
    #[test]
    fn a_shift_moves_prices_exactly(
        bars in bars(1..100), at in 0usize..100, ticks in -5000i64..5000,
        window in 1usize..20, row_ticks in 1u32..6,
    ) {
        let mut plain = indicator(window, row_ticks, 1);
        let mut rolled = plain.clone();
        for (index, bar) in bars.iter().enumerate() {
            if index == at {
                rolled.shift(ticks);
            }
            let moved = if index >= at { ticks } else { 0 };
            let expected = moved_by(plain.update(bar), moved);
            let values = rolled.update(&shifted(bar, moved));
            prop_assert_eq!(comparable(&values), comparable(&expected));
        }
    }

    /// Started on the moved prices, values are moved too if the move is whole rows.
    #[test]
    fn whole_rows_move_everything(
        bars in bars(1..100), rows in -1000i64..1000, window in 1usize..20, row_ticks in 1u32..6,
    ) {
        let mut plain = indicator(window, row_ticks, 1);
        let mut moved = plain.clone();
        let ticks = rows * i64::from(row_ticks);
        for bar in &bars {
            let expected = moved_by(plain.update(bar), ticks);
            let values = moved.update(&shifted(bar, ticks));
            prop_assert_eq!(comparable(&values), comparable(&expected));
        }
    }
}

fn moved_by(mut values: LowVolumeNodeValues, ticks: i64) -> LowVolumeNodeValues {
    for price in [
        &mut values.nearest.price,
        &mut values.above.price,
        &mut values.below.price,
        &mut values.point_of_control,
        &mut values.value_area_high,
        &mut values.value_area_low,
    ] {
        *price += ticks as f64;
    }
    values
}
