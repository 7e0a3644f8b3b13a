//! The rules that no decision can override, and the ends that no position outlives, through all the
//! stages on markets made by hand.

use std::sync::atomic::{AtomicBool, Ordering};

use algospace_hft::engine::{DecisionTiming, Output, Sink, replay};
use algospace_hft::execution::{Bracket, Decision, ExitReason, OrderKind, Slippage, Target, Trade};
use algospace_hft::market::{Bar, Calendar, Money, Tick, Timeframe, Timestamp};
use algospace_hft::strategy::{RandomEntries, RandomEntriesSettings, Strategy, StrategySettings};
use proptest::prelude::*;

use crate::assembly::random::{any_setup, any_step, market_of, restless};
use crate::assembly::{By, CAPITAL, Log, Setup, at, market, price};

/// A Wednesday's session closes at 22:00 UTC, the next one opens at 23:00.
const OPEN: &str = "2024-01-02T23:00:00Z";
const NEXT_OPEN: &str = "2024-01-03T23:00:00Z";
const MINUTES_PER_SESSION: i64 = 23 * 60;

/// A trade every ten seconds from `start` on, at these prices in ticks.
fn trades_from(start: &str, prices: impl IntoIterator<Item = i64>) -> Vec<Tick> {
    let start = at(start);
    let times = (0..).map(|index| start + index * 10 * Timestamp::SECOND);
    times.zip(prices).map(|(time, ticks)| Tick::new(time, price(ticks), 10)).collect()
}

/// `minutes` of trades at one price.
fn flat(minutes: i64, ticks: i64) -> impl Iterator<Item = i64> {
    (0..minutes * 6).map(move |_| ticks)
}

/// Wants to be long with that many contracts whenever it is flat.
fn always_long(quantity: u32, bracket: Bracket) -> impl Strategy {
    By(Timeframe::MINUTE_1, move |_: &Bar, position| {
        let decision = Decision { bracket, ..market(Target::Long, quantity) };
        (position == 0).then_some(decision)
    })
}

const NO_BRACKET: Bracket = Bracket { stop_loss_ticks: 0, profit_target_ticks: 0 };

fn dollars(amount: f64) -> Money {
    Money::from_f64(amount).unwrap()
}

#[test]
fn the_daily_drawdown_closes_the_position_and_ends_the_day() {
    let mut setup = Setup::free();
    setup.rules.max_daily_drawdown = 0.01;
    // Bought at 19,000; forty ticks up makes a high of $100,500, of which 1 % is 80.4 ticks.
    let rise = (1..=40).map(|up| 19_000 + up);
    let fall = (1..=300).map(|down| 19_040 - down);
    let day = flat(5, 19_000).chain(rise).chain(fall).chain(flat(60, 18_740));
    let mut ticks = trades_from(OPEN, day);
    ticks.extend(trades_from(NEXT_OPEN, flat(5, 18_740)));
    let run = setup.run(always_long(1, NO_BRACKET), &ticks);
    let [halted, next] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    // The 81st tick down is beyond the limit; the order it causes fills on the 82nd.
    assert_eq!(halted.exit_reason, ExitReason::DailyDrawdown);
    assert_eq!((halted.entry_price, halted.exit_price), (price(19_000), price(19_040 - 82)));
    // The next session counts from its own start.
    assert_eq!(next.exit_reason, ExitReason::EndOfData);
    assert_eq!(next.entry_time, at(NEXT_OPEN) + (Timestamp::MINUTE + 10 * Timestamp::SECOND));
    let minutes_left = (at(NEXT_OPEN) - halted.exit_time) / Timestamp::MINUTE - 60;
    let refused = run.count("refused: max_daily_drawdown");
    assert!((60..=minutes_left as u64).contains(&refused), "{refused}");
}

#[test]
fn losses_of_several_trades_add_up_to_the_daily_drawdown() {
    let mut setup = Setup::free();
    setup.rules.max_daily_drawdown = 0.001;
    setup.exchange.commission_per_side = dollars(20.0);
    // Each round trip costs $40 and nothing else: the third makes it $120 of an allowed $100.
    let mut in_and_out = 0;
    let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
        in_and_out += 1;
        Some(if in_and_out % 2 == 1 { market(Target::Short, 1) } else { Decision::FLAT })
    });
    let run = setup.run(strategy, &trades_from(OPEN, flat(60, 19_000)));
    let exits: Vec<_> = run.log.trades.iter().map(|trade| trade.exit_reason).collect();
    // $100 is reached by the entry of the third.
    assert_eq!(exits, [ExitReason::Signal, ExitReason::Signal, ExitReason::DailyDrawdown]);
    assert_eq!(run.log.equity.last().unwrap().equity, CAPITAL - dollars(120.0));
}

/// The entry alone costs more than the day allows; the market comes back a little before anything
/// is done about it.
#[test]
fn a_fill_that_takes_the_account_to_the_day_s_limit_is_closed_at_the_next_trade() {
    let mut setup = Setup::free();
    // Allowed are $40. The entry costs $25 and $30; a tick is worth $12.50.
    setup.rules.max_daily_drawdown = 0.0004;
    setup.exchange.commission_per_side = dollars(30.0);
    setup.exchange.slippage = Slippage { ticks: 2, cross_spread: false, assumed_spread_ticks: 1 };
    for (side, up, is_closed) in [
        (Target::Long, 0, true),
        (Target::Long, 1, true),
        (Target::Long, 2, false),
        (Target::Short, -1, true),
        (Target::Short, -2, false),
    ] {
        let prices = flat(1, 19_000).chain([19_000; 2]).chain([19_000 + up; 60]);
        let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, position| {
            (position == 0).then_some(market(side, 1))
        });
        let run = setup.run(strategy, &trades_from(OPEN, prices));
        let [trade] = &run.log.trades[..] else { panic!("{up}: {:?}", run.log.trades) };
        let expected = if is_closed { ExitReason::DailyDrawdown } else { ExitReason::EndOfData };
        assert_eq!(trade.exit_reason, expected, "{side:?} {up}");
        if is_closed {
            // Looked at on the trade after the fill; the order fills on the one after that.
            assert_eq!(trade.exit_time, trade.entry_time + 20 * Timestamp::SECOND);
            assert!(run.count("refused: max_daily_drawdown") > 0);
        }
    }
}

/// The stop's fill is known before the next trade, and so is a decision due.
#[test]
fn nothing_enters_while_the_account_is_under_the_day_s_limit() {
    let mut setup = Setup::free();
    setup.rules.max_daily_drawdown = 0.005;
    setup.stages.decisions = DecisionTiming::After(Timestamp::SECOND);
    setup.exchange.acknowledgement_latency_microseconds = 500_000;
    let bracket = Bracket { stop_loss_ticks: 10, profit_target_ticks: 0 };
    let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
        Some(Decision { bracket, ..market(Target::Long, 1) })
    });
    setup.exchange.commission_per_side = dollars(40.0);
    // The gap of 35 ticks closes a bar. It costs $437.50, and its fills $80, of the $500 that are
    // allowed.
    let prices = flat(2, 19_000).chain([18_965; 30]);
    let run = setup.run(strategy, &trades_from(OPEN, prices));
    let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    assert_eq!((trade.exit_reason, trade.exit_price), (ExitReason::StopLoss, price(18_965)));
    assert_eq!(run.count("orders"), 1);
    assert_eq!(run.count("refused: max_daily_drawdown"), 5);
}

#[test]
fn no_more_contracts_than_allowed() {
    let mut setup = Setup::free();
    setup.rules.max_position_size = 3;
    let ticks = trades_from(OPEN, flat(10, 19_000));
    let run = setup.run(always_long(3, NO_BRACKET), &ticks);
    assert_eq!(run.log.trades[0].quantity, 3);
    let run = setup.run(always_long(4, NO_BRACKET), &ticks);
    assert_eq!((run.log.trades.len(), run.count("refused: max_position_size")), (0, 9));
    assert_eq!(run.count("orders"), 0);
}

#[test]
fn no_more_orders_in_a_second_than_allowed() {
    let mut setup = Setup::free();
    setup.rules.max_orders_per_second = 1;
    // Half an hour of silence: its thirty bars close on one tick, and each wants to turn around.
    let mut ticks = trades_from(OPEN, [19_000]);
    ticks.extend(trades_from("2024-01-02T23:30:00Z", flat(2, 19_000)));
    let mut bars = 0;
    let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
        bars += 1;
        Some(market(if bars % 2 == 1 { Target::Long } else { Target::Short }, 1))
    });
    let run = setup.run(strategy, &ticks);
    // One entry is sent. The next bar cancels it, which is always allowed, and its own entry is
    // refused, and so is that of every later bar; the last bar's, a minute later, is not.
    assert_eq!(run.count("refused: max_orders_per_second"), 29);
    assert_eq!(run.log.trades.len(), 1);
    assert_eq!(run.log.trades[0].entry_time, at("2024-01-02T23:31:10Z"));
}

#[test]
fn no_price_farther_from_the_market_than_allowed() {
    let mut setup = Setup::free();
    setup.rules.price_collar_ticks = 4;
    let ticks = trades_from(OPEN, flat(3, 19_000));
    let refused = |entry| {
        let decision = Decision { entry, ..market(Target::Long, 1) };
        let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| Some(decision));
        let run = setup.run(strategy, &ticks);
        (run.count("refused: price_collar"), run.count("orders"))
    };
    for (ticks, expected) in [(4, (0, 1)), (-4, (0, 1)), (5, (2, 0)), (-5, (2, 0))] {
        let (price, trigger) = (price(19_000 + ticks), price(19_000 + ticks));
        assert_eq!(refused(OrderKind::Limit { price }), expected, "limit {ticks} ticks away");
        assert_eq!(refused(OrderKind::Stop { trigger }), expected, "stop {ticks} ticks away");
        let trigger = crate::assembly::price(19_000);
        assert_eq!(refused(OrderKind::StopLimit { trigger, price }), expected, "{ticks}");
    }
}

#[test]
fn positions_are_closed_before_the_session_ends() {
    let mut setup = Setup::free();
    setup.stages.flatten_before_close = Some(5 * Timestamp::MINUTE);
    setup.exchange.order_latency_microseconds = 15_000_000;
    let ticks = trades_from(OPEN, flat(MINUTES_PER_SESSION, 19_000));
    let run = setup.run(always_long(2, NO_BRACKET), &ticks);
    let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    assert_eq!(trade.exit_reason, ExitReason::SessionClose);
    // The order leaves at 21:55:00 and is at the exchange 15 seconds later.
    assert_eq!(trade.exit_time, at("2024-01-03T21:55:20Z"));
    assert!(run.count("refused: session_closing") > 0);
}

#[test]
fn a_close_that_no_trade_answers_fills_on_the_next_session_s_first() {
    let mut setup = Setup::free();
    setup.stages.flatten_before_close = Some(5 * Timestamp::MINUTE);
    let mut ticks = trades_from(OPEN, flat(MINUTES_PER_SESSION - 10, 19_000));
    ticks.extend(trades_from(NEXT_OPEN, [18_990]));
    let run = setup.run(always_long(1, NO_BRACKET), &ticks);
    let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    assert_eq!(trade.exit_reason, ExitReason::SessionClose);
    assert_eq!((trade.exit_time, trade.exit_price), (at(NEXT_OPEN), price(18_990)));
}

#[test]
fn a_position_held_overnight_keeps_its_stop_which_a_gap_fills_at_the_open() {
    let setup = Setup::free();
    let bracket = Bracket { stop_loss_ticks: 10, profit_target_ticks: 100 };
    let mut ticks = trades_from(OPEN, flat(MINUTES_PER_SESSION, 19_000));
    ticks.extend(trades_from(NEXT_OPEN, [18_960, 18_950, 18_940]));
    let run = setup.run(always_long(1, bracket), &ticks);
    let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    assert_eq!(trade.exit_reason, ExitReason::StopLoss);
    assert_eq!((trade.exit_time, trade.exit_price), (at(NEXT_OPEN), price(18_960)));
    // Thirty ticks beyond the stop.
    assert_eq!(trade.slippage, dollars(30.0 * 12.5));
    let break_of_the_day = run.log.equity.iter().find(|p| p.time == at("2024-01-03T22:00:00Z"));
    assert_eq!(break_of_the_day.unwrap().position, 1);
}

#[test]
fn an_entry_that_waits_does_not_outlive_its_session() {
    let setup = Setup::free();
    let entry = OrderKind::Limit { price: price(18_990) };
    let mut sent = false;
    let strategy = By(Timeframe::MINUTE_1, move |_: &Bar, _| {
        let first = !std::mem::replace(&mut sent, true);
        first.then_some(Decision { entry, ..market(Target::Long, 1) })
    });
    let mut ticks = trades_from(OPEN, flat(MINUTES_PER_SESSION, 19_000));
    ticks.extend(trades_from(NEXT_OPEN, flat(2, 18_900)));
    let run = setup.run(strategy, &ticks);
    assert_eq!((run.log.trades.len(), run.count("orders"), run.count("cancelled")), (0, 1, 1));
}

#[test]
fn a_contract_that_the_series_leaves_is_closed_at_its_own_last_price() {
    let setup = Setup::free();
    let mut ticks = trades_from(OPEN, flat(60, 19_000).chain([19_007]));
    let next = trades_from(NEXT_OPEN, flat(3, 19_300));
    ticks.extend(next.iter().map(|tick| tick.with_contract(1)));
    let run = setup.run(always_long(1, NO_BRACKET), &ticks);
    let [old, new] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    assert_eq!((old.exit_reason, old.contract), (ExitReason::ContractRoll, 0));
    assert_eq!((old.exit_price, old.exit_time), (price(19_007), at(NEXT_OPEN)));
    assert_eq!(old.gross_pnl, dollars(7.0 * 12.5));
    assert_eq!((new.contract, new.entry_price), (1, price(19_300)));
}

/// The gap between two contracts is nobody's profit, wherever in the session it stands.
#[test]
fn a_contract_that_is_left_in_mid_session_is_closed_at_its_own_last_price_too() {
    let mut ticks = trades_from(OPEN, flat(60, 19_000).chain(flat(60, 19_200)));
    for tick in &mut ticks[60 * 6..] {
        *tick = tick.with_contract(1);
    }
    let run = Setup::free().run(always_long(1, NO_BRACKET), &ticks);
    let [old, new] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    assert_eq!((old.exit_reason, old.exit_price), (ExitReason::ContractRoll, price(19_000)));
    assert_eq!((new.contract, new.entry_price, new.gross_pnl), (1, price(19_200), dollars(0.0)));
}

/// The stop fills unseen just before the session's end, so a close is sent for nothing and is lost
/// with the contract. It must not pass for one under way when the next position is to be closed.
#[test]
fn a_close_that_is_lost_with_its_contract_is_not_waited_for() {
    let mut setup = Setup::free();
    setup.exchange.order_latency_microseconds = 2_000_000;
    setup.exchange.acknowledgement_latency_microseconds = 3_000_000;
    let mut ticks = trades_from(OPEN, flat(MINUTES_PER_SESSION, 19_000));
    ticks.extend(trades_from("2024-01-03T21:59:58Z", [18_980]));
    for (contract, open) in [(1, NEXT_OPEN), (1, "2024-01-04T23:00:00Z")] {
        let session = trades_from(open, flat(10, 19_000));
        ticks.extend(session.iter().map(|tick| tick.with_contract(contract)));
    }
    let bracket = Bracket { stop_loss_ticks: 10, profit_target_ticks: 0 };
    let strategy = By(Timeframe::MINUTE_1, move |bar: &Bar, position| {
        let last_of_first_session = bar.end == at("2024-01-03T22:00:00Z");
        if last_of_first_session || bar.start >= at("2024-01-04T23:03:00Z") {
            return Some(Decision::FLAT);
        }
        (position == 0).then_some(Decision { bracket, ..market(Target::Long, 1) })
    });
    let run = setup.run(strategy, &ticks);
    let exits: Vec<_> = run.log.trades.iter().map(|trade| trade.exit_reason).collect();
    assert_eq!(exits, [ExitReason::StopLoss, ExitReason::Signal]);
}

#[test]
fn an_expired_contract_is_settled_and_not_entered_again() {
    let mut setup = Setup::free();
    setup.exchange.slippage = Slippage { ticks: 3, cross_spread: false, assumed_spread_ticks: 1 };
    let expiry = at("2024-01-03T14:30:00Z");
    setup.stages.expiries = vec![expiry];
    let ticks = trades_from(OPEN, flat(MINUTES_PER_SESSION, 19_000));
    let run = setup.run(always_long(1, NO_BRACKET), &ticks);
    let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    assert_eq!((trade.exit_reason, trade.exit_time), (ExitReason::Expiry, expiry));
    // Bought at the market; settled, which is no trade and costs no slippage.
    assert_eq!((trade.entry_price, trade.exit_price), (price(19_003), price(19_000)));
    assert!(run.count("refused: contract_expired") > 400);
}

/// Prints inside a halt, of which the first comes before anything else: the run is as if they were
/// not there.
#[test]
fn prints_inside_a_halt_build_no_bar_and_fill_nothing() {
    for timeframe in [Timeframe::MINUTE_1, Timeframe::MINUTES_30] {
        let mut setup = Setup::free();
        setup.stages.timeframes = vec![timeframe];
        let bracket = Bracket { stop_loss_ticks: 10, profit_target_ticks: 10 };
        let strategy = || {
            By(timeframe, move |_: &Bar, position| {
                let decision = Decision { bracket, ..market(Target::Long, 1) };
                (position == 0).then_some(decision)
            })
        };
        // ES halts from 20:15 to 20:30.
        let before = trades_from("2013-10-08T19:00:00Z", flat(75, 19_000));
        let after = trades_from("2013-10-08T20:30:00Z", flat(40, 19_000));
        let halted = trades_from("2013-10-08T20:15:00Z", (0..90).map(|index| 19_000 - index * 5));
        let whole = setup.run(strategy(), &[&before[..], &after].concat());
        for begins_in_halt in [false, true] {
            let mut pipeline = setup.pipeline(strategy());
            let mut log = Log::default();
            let early = trades_from("2013-10-07T20:20:00Z", [18_000, 18_500]);
            let early = if begins_in_halt { &early[..] } else { &[] };
            let ticks = [early, &before, &halted, &after].concat();
            for tick in &ticks {
                pipeline.on_tick(tick, &mut log);
            }
            pipeline.finish(ExitReason::EndOfData, &mut log);
            assert_eq!(log, whole.log);
            assert_eq!(pipeline.tick_counts().in_halt, (halted.len() + early.len()) as u64);
        }
        assert_eq!(whole.log.trades.len(), 1);
    }
}

#[test]
fn the_end_of_the_data_closes_what_is_open() {
    let mut setup = Setup::free();
    setup.exchange.commission_per_side = dollars(2.25);
    let ticks = trades_from(OPEN, flat(10, 19_000).chain([18_999]));
    let run = setup.run(always_long(1, NO_BRACKET), &ticks);
    let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
    assert_eq!(trade.exit_reason, ExitReason::EndOfData);
    assert_eq!((trade.exit_price, trade.exit_time), (price(18_999), ticks.last().unwrap().time));
    let last = run.log.equity.last().unwrap();
    assert_eq!((last.position, last.equity), (0, CAPITAL - dollars(12.5 + 4.5)));
}

/// Asks for a stop after a number of trades.
struct StopAfter<'a> {
    log: Log,
    trades: usize,
    stop: &'a AtomicBool,
}

impl Sink for StopAfter<'_> {
    fn output(&mut self, output: &Output<'_>) {
        self.log.output(output);
        if self.log.trades.len() >= self.trades {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

#[test]
fn a_run_that_is_stopped_closes_its_position_and_keeps_what_it_has() {
    let setup = Setup::free();
    let prices = (0..60_000_i64).map(|index| 19_000 + (index / 7 % 40 - 20).abs());
    let start = at(OPEN);
    let times = (0..).map(|index| start + index * Timestamp::SECOND);
    let ticks: Vec<_> =
        times.zip(prices).map(|(time, ticks)| Tick::new(time, price(ticks), 10)).collect();
    let strategy = || {
        let settings = StrategySettings {
            timeframe: Timeframe::MINUTE_1,
            stop_loss_ticks: 0,
            profit_target_ticks: 0,
            random_entries: RandomEntriesSettings { entries_per_hundred_bars: 100, hold_bars: 20 },
            ..StrategySettings::default()
        };
        RandomEntries::new(settings, 1)
    };
    let whole = setup.run(strategy(), &ticks);
    let stop = AtomicBool::new(false);
    let mut sink = StopAfter { log: Log::default(), trades: 7, stop: &stop };
    let mut pipeline = setup.pipeline(strategy());
    let run = replay(&mut pipeline, &ticks, &mut sink, &stop, &mut |_| {});
    assert!(run.interrupted && run.ticks < ticks.len() as u64);
    assert_eq!(pipeline.desk().ledger().position(), 0);
    let trades = &sink.log.trades;
    let (last, before) = trades.split_last().unwrap();
    assert_eq!(last.exit_reason, ExitReason::Shutdown);
    assert_eq!(last.exit_time, ticks[run.ticks as usize - 1].time);
    assert!(before.len() >= 7);
    assert_eq!(before, &whole.log.trades[..before.len()]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(250, 1000)))]

    #[test]
    fn the_rules_hold_on_any_market(
        steps in prop::collection::vec(any_step(), 1..400),
        setup in any_setup(),
        rolls in prop::bool::ANY,
        has_bars in prop::bool::ANY,
    ) {
        let ticks = market_of(&steps, rolls, has_bars);
        let mut pipeline = setup.pipeline(restless(setup.stages.timeframes[0], |_| ()));
        let mut log = Log::default();
        for tick in &ticks {
            pipeline.on_tick(tick, &mut log);
            let position = pipeline.desk().ledger().position();
            prop_assert!(position.unsigned_abs() <= u64::from(setup.rules.max_position_size));
        }
        pipeline.finish(ExitReason::EndOfData, &mut log);

        // Nothing is left open, and the account is the sum of its trades.
        let ledger = pipeline.desk().ledger();
        prop_assert_eq!(ledger.position(), 0);
        let net: Money = log.trades.iter().map(Trade::net_pnl).sum();
        prop_assert_eq!(ledger.cash(), CAPITAL + net);
        prop_assert_eq!(log.equity.last().unwrap().equity, ledger.cash());

        let session_of = |time| Calendar::CmeEquityIndex.session_at_or_after(time);
        for (index, trade) in log.trades.iter().enumerate() {
            let session = session_of(trade.exit_time);
            // A close that found no trade before the break fills in the next session, which is a
            // day of its own.
            if trade.exit_reason == ExitReason::DailyDrawdown && trade.entry_time >= session.open {
                let next = log.trades[index + 1..].first();
                prop_assert!(next.is_none_or(|next| next.entry_time >= session.close));
            }
            if rolls && trade.entry_time < session.open {
                let reasons = [ExitReason::ContractRoll, ExitReason::MissingData];
                prop_assert!(reasons.contains(&trade.exit_reason));
            }
        }
        let closes_in_time = log.trades.windows(2).all(|pair| pair[0].exit_time <= pair[1].entry_time);
        prop_assert!(closes_in_time, "two trades overlap");
    }
}
