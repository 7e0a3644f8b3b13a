//! The programs of `examples/` do what their comments promise.

// Each program has the stages of `examples/es` for itself.
#![allow(clippy::duplicate_mod)]

use std::collections::BTreeMap;

use algospace_hft::execution::ExitReason;
use algospace_hft::market::{Instrument, Price, Side, Timestamp};
use algospace_hft::source::native::{TickFileDescription, TickFileWriter};

#[path = "../../examples/features_of_a_day.rs"]
#[expect(dead_code, reason = "its `main` is the program's")]
mod features_of_a_day;
#[path = "../../examples/own_strategy.rs"]
#[expect(dead_code, reason = "its `main` is the program's")]
mod own_strategy;
#[path = "../../examples/replay_ticks.rs"]
#[expect(dead_code, reason = "its `main` is the program's")]
mod replay_ticks;

/// Half hours of a session: 17:00 to 16:00 of the next day, without a halt.
const HALF_HOURS: usize = 46;
/// ES.
const TICK_SIZE: Price = Price::from_units(250_000_000);

#[test]
fn a_day_has_a_row_for_each_half_hour() {
    let rows = features_of_a_day::run().unwrap();
    assert_eq!(rows.len(), HALF_HOURS);
    for pair in rows.windows(2) {
        assert_eq!(pair[1].known_at - pair[0].known_at, Timestamp::HOUR / 2);
        let [log_return, _, _] = pair[1].values;
        let by_closes = (pair[1].close.as_f64() / pair[0].close.as_f64()).ln();
        assert!((log_return.unwrap() - by_closes).abs() < 1e-12);
    }
    // The first bar has no close before it, and an average true range takes 14 bars.
    assert_eq!(rows[0].values[0], None);
    let without = rows.iter().take_while(|row| row.values[2].is_none()).count();
    assert_eq!(without, 13);
    assert!(rows[without..].iter().all(|row| row.values[2].unwrap() > 0.0));
}

#[test]
fn a_strategy_of_ones_own_buys_the_fall_and_leaves_by_its_bracket() {
    // First and last price of each five minutes.
    let mut bars: BTreeMap<i64, (Price, Price)> = BTreeMap::new();
    let ticks = own_strategy::es::ticks().unwrap();
    for tick in &ticks {
        let end = tick.time.floor_to(5 * Timestamp::MINUTE) + 5 * Timestamp::MINUTE;
        bars.entry(end.nanos()).or_insert((tick.price, tick.price)).1 = tick.price;
    }
    let trades = own_strategy::run().unwrap();
    assert!(trades.is_sorted_by(|one, next| one.exit_time <= next.entry_time));
    for trade in &trades {
        assert!(trade.side == Side::Buy && trade.quantity == 1);
        // The order takes 2 ms to the exchange and fills on the next tick, so the bar had closed by
        // the tick before.
        let order = trade.entry_time.saturating_add(-2_000_000);
        let known = ticks[ticks.partition_point(|tick| tick.time <= order) - 1].time;
        let before: Vec<_> = bars.range(..=known.nanos()).rev().take(3).collect();
        assert!(before.iter().all(|(_, (open, close))| close < open), "{trade:?}: {before:?}");
        let ticks = trade.exit_price.ticks_from(trade.entry_price, TICK_SIZE);
        match trade.exit_reason {
            ExitReason::StopLoss => assert!(ticks <= -12, "{trade:?}"),
            ExitReason::ProfitTarget => assert!(ticks >= 16, "{trade:?}"),
            _ => {}
        }
    }
    for reason in [ExitReason::StopLoss, ExitReason::ProfitTarget] {
        assert!(trades.iter().any(|trade| trade.exit_reason == reason), "none left by {reason:?}");
    }
}

#[test]
fn ticks_of_a_file_and_of_memory_make_the_same_bars_and_rows() {
    let (replay, counts) = replay_ticks::run(None).unwrap();
    assert!(!replay.interrupted);
    // Of each half hour of three days six bars of five minutes and one of thirty, each with a row.
    let bars = 3 * HALF_HOURS as u64 * (6 + 1);
    assert_eq!((counts.bars, counts.rows), (bars, bars));

    let ticks = replay_ticks::es::ticks().unwrap();
    assert_eq!(replay.ticks, ticks.len() as u64);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("es.ticks");
    let description = TickFileDescription::new(&Instrument::built_in("ES").unwrap(), "an example");
    let mut file = TickFileWriter::create(&path, description).unwrap();
    file.extend(&ticks).unwrap();
    file.finish().unwrap();
    let (of_file, counts) = replay_ticks::run(Some(&path)).unwrap();
    assert_eq!((of_file.ticks, counts.bars, counts.rows), (replay.ticks, bars, bars));
}
