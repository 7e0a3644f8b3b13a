//! The programs of `examples/` run, and do what they show.

// Each program has the stages of `examples/es` for itself.
#![allow(clippy::duplicate_mod)]

use algospace_hft::execution::ExitReason;
use algospace_hft::market::Side;

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
const HALF_HOURS: u64 = 46;

#[test]
fn a_day_has_a_row_for_each_half_hour() {
    assert_eq!(features_of_a_day::run().unwrap() as u64, HALF_HOURS);
}

#[test]
fn a_strategy_of_ones_own_buys_and_leaves_by_its_bracket() {
    let trades = own_strategy::run().unwrap();
    assert!(trades.iter().all(|trade| trade.side == Side::Buy && trade.quantity == 1));
    let by_bracket = [ExitReason::StopLoss, ExitReason::ProfitTarget];
    assert!(trades.iter().any(|trade| by_bracket.contains(&trade.exit_reason)));
}

#[test]
fn three_days_of_ticks_make_their_bars_and_rows() {
    let (replay, counts) = replay_ticks::run(None).unwrap();
    assert!(replay.ticks > 10_000 && !replay.interrupted);
    // A row for each bar, of which every half hour has several.
    assert!(counts.bars > 3 * HALF_HOURS && counts.rows > 0 && counts.rows <= counts.bars);
}
