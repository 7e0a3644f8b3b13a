//! The exchange's rules one by one, then over random order flow.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::execution::ExitReason;
use crate::market::{Money, Price, Side, Tick, TickFlags, Timestamp};

const TICK_SIZE: Price = Price::from_units(250_000_000);
const POINT_VALUE: Money = Money::from_dollars(50);

fn settings() -> ExecutionSettings {
    ExecutionSettings {
        order_latency_microseconds: 10,
        acknowledgement_latency_microseconds: 5,
        commission_per_side: Money::from_dollars(2),
        slippage: Slippage { ticks: 0, cross_spread: false, assumed_spread_ticks: 1 },
        ..ExecutionSettings::default()
    }
}

fn exchange_of(settings: ExecutionSettings) -> SimulatedExchange {
    SimulatedExchange::new(settings, TICK_SIZE, POINT_VALUE)
}

fn at(microseconds: i64) -> Timestamp {
    Timestamp::from_nanos(1_000 * microseconds)
}

/// A price in ticks of a quarter point.
fn price(ticks: i64) -> Price {
    Price::ZERO.offset_ticks(ticks, TICK_SIZE)
}

fn tick(time: i64, ticks: i64, size: u32) -> Tick {
    Tick::new(at(time), price(ticks), size)
}

const NO_BRACKET: Bracket = Bracket { stop_loss_ticks: 0, profit_target_ticks: 0 };

fn order(id: u64, side: Side, quantity: u32, kind: OrderKind) -> Order {
    Order {
        id: OrderId(id),
        contract: 0,
        side,
        quantity,
        kind,
        purpose: Purpose::Entry(NO_BRACKET),
    }
}

fn bracketed(id: u64, side: Side, quantity: u32, stop: u32, target: u32) -> Order {
    let bracket = Bracket { stop_loss_ticks: stop, profit_target_ticks: target };
    let purpose = Purpose::Entry(bracket);
    Order { purpose, ..order(id, side, quantity, OrderKind::Market) }
}

/// Shows the ticks to the exchange and returns what it filled: order, quantity, price in ticks.
fn fills(exchange: &mut SimulatedExchange, ticks: &[Tick]) -> Vec<(u64, u32, i64)> {
    for tick in ticks {
        exchange.on_tick(tick);
    }
    drain(exchange)
        .into_iter()
        .filter_map(|report| match report.kind {
            ReportKind::Filled(fill) => {
                let ticks = fill.price.ticks_from(Price::ZERO, TICK_SIZE);
                Some((fill.order.0, fill.quantity, ticks))
            }
            _ => None,
        })
        .collect()
}

fn drain(exchange: &mut SimulatedExchange) -> Vec<Report> {
    std::iter::from_fn(|| exchange.take_report(Timestamp::MAX)).collect()
}

fn exchange_with(orders: &[Order]) -> SimulatedExchange {
    let mut exchange = exchange_of(settings());
    for &order in orders {
        exchange.send(OrderMessage::Submit(order), at(0));
    }
    exchange
}

fn close(id: u64, side: Side, quantity: u32) -> OrderMessage {
    let (id, reason) = (OrderId(id), ExitReason::Signal);
    OrderMessage::ClosePosition(ClosePosition { id, contract: 0, side, quantity, reason })
}

const BUY: Side = Side::Buy;
const SELL: Side = Side::Sell;
const STOP_OF_1: u64 = OrderId(1).stop_loss().0;
const TARGET_OF_1: u64 = OrderId(1).profit_target().0;

#[test]
fn an_order_fills_only_after_it_has_arrived_and_we_know_later_still() {
    let mut exchange = exchange_with(&[order(1, BUY, 1, OrderKind::Market)]);
    exchange.on_tick(&tick(9, 100, 5));
    assert_eq!(exchange.position(), 0);
    exchange.on_tick(&tick(10, 101, 5));
    assert_eq!(exchange.position(), 1);
    assert_eq!(exchange.take_report(at(14)), None);
    assert!(matches!(exchange.take_report(at(15)).unwrap().kind, ReportKind::Accepted(_)));
    let Some(Report { kind: ReportKind::Filled(fill), .. }) = exchange.take_report(at(15)) else {
        panic!("no fill")
    };
    assert_eq!((fill.price, fill.time), (price(101), at(10)));
    assert_eq!(fill.commission, Money::from_dollars(2));
}

#[test]
fn fills_are_bounded_by_what_traded() {
    let mut exchange =
        exchange_with(&[order(1, BUY, 5, OrderKind::Market), order(2, BUY, 2, OrderKind::Market)]);
    let ticks = [tick(10, 100, 3), tick(11, 101, 3), tick(12, 102, 9)];
    assert_eq!(fills(&mut exchange, &ticks), [(1, 3, 100), (1, 2, 101), (2, 1, 101), (2, 1, 102)]);
}

#[test]
fn a_broker_sees_and_changes_what_the_exchange_holds() {
    let mut exchange = exchange_with(&[bracketed(1, BUY, 2, 4, 4)]);
    exchange.on_tick(&tick(10, 100, 9));
    let stop = |trigger| OrderKind::Stop { trigger: price(trigger) };
    let target = |limit| OrderKind::Limit { price: price(limit) };
    let held = |exchange: &SimulatedExchange| {
        exchange.working().map(|(order, left)| (order.id.0, order.kind, left)).collect::<Vec<_>>()
    };
    assert_eq!(held(&exchange), [(STOP_OF_1, stop(96), 2), (TARGET_OF_1, target(104), 2)]);
    assert!(exchange.modify(OrderId(STOP_OF_1), stop(90), 1));
    assert!(!exchange.modify(OrderId(STOP_OF_1), target(90), 1), "another kind");
    assert!(!exchange.modify(OrderId(7), stop(90), 1), "an absent order");
    assert_eq!(held(&exchange)[0], (STOP_OF_1, stop(90), 1));
    exchange.receive_now(OrderMessage::Cancel(OrderId(TARGET_OF_1)), at(11));
    assert_eq!(held(&exchange).len(), 1);
    // A trade at its new price wakes the stop, and none before.
    let above = Price::from_units(price(90).units() + 1);
    assert_eq!(exchange.calm(), (Timestamp::MAX, above, Price::MAX));
}

/// A sale of all that is held leaves the stop, which then sells what is not there.
#[test]
fn an_exit_opens_a_position_where_the_exchange_knows_no_exits() {
    let ticks = [tick(10, 100, 9), tick(20, 100, 9), tick(30, 95, 9)];
    for (may_open, expected) in [(false, 0), (true, -2)] {
        let mut exchange = exchange_with(&[bracketed(1, BUY, 2, 4, 0)]);
        if may_open {
            exchange.let_exits_open();
        }
        exchange.on_tick(&ticks[0]);
        let sale = order(2, SELL, 2, OrderKind::Market);
        exchange.receive_now(OrderMessage::Submit(sale), at(15));
        exchange.on_tick(&ticks[1]);
        assert_eq!((exchange.position(), exchange.orders()), (0, 1));
        exchange.on_tick(&ticks[2]);
        assert_eq!((exchange.position(), exchange.orders()), (expected, 0));
    }
}

#[test]
fn a_gap_through_a_stop_fills_at_the_next_traded_price() {
    let stop = |id, side, trigger| order(id, side, 1, OrderKind::Stop { trigger: price(trigger) });
    let mut exchange = exchange_with(&[stop(1, SELL, 95), stop(2, BUY, 105)]);
    let ticks = [tick(10, 100, 1), tick(11, 96, 1), tick(12, 90, 1), tick(13, 111, 1)];
    assert_eq!(fills(&mut exchange, &ticks), [(1, 1, 90), (2, 1, 111)]);
}

#[test]
fn a_limit_takes_liquidity_when_marketable_and_waits_for_a_trade_through_when_not() {
    let limit = |id, side, at| order(id, side, 1, OrderKind::Limit { price: price(at) });
    let mut exchange = exchange_with(&[limit(1, BUY, 103), limit(2, BUY, 99), limit(3, SELL, 104)]);
    let ticks =
        [tick(10, 100, 9), tick(11, 99, 9), tick(12, 98, 9), tick(13, 104, 9), tick(14, 105, 9)];
    assert_eq!(fills(&mut exchange, &ticks), [(1, 1, 100), (2, 1, 99), (3, 1, 104)]);
    let mut touch = exchange_of(ExecutionSettings { limit_fill: LimitFill::Touch, ..settings() });
    touch.send(OrderMessage::Submit(limit(1, BUY, 99)), at(0));
    assert_eq!(fills(&mut touch, &ticks[..2]), [(1, 1, 99)]);
}

#[test]
fn a_stop_limit_does_not_fill_beyond_its_limit() {
    let kind = OrderKind::StopLimit { trigger: price(105), price: price(106) };
    let mut exchange = exchange_with(&[order(1, BUY, 1, kind)]);
    // The gap to 110 triggers it but is too dear; it rests at 106 and fills on a trade through.
    let ticks = [tick(10, 100, 1), tick(11, 110, 1), tick(12, 106, 1), tick(13, 105, 1)];
    assert_eq!(fills(&mut exchange, &ticks[..3]), []);
    assert_eq!(fills(&mut exchange, &ticks[3..]), [(1, 1, 106)]);
}

#[test]
fn market_orders_pay_the_spread_and_slippage() {
    let mut exchange = exchange_of(ExecutionSettings {
        slippage: Slippage { ticks: 1, cross_spread: true, assumed_spread_ticks: 2 },
        ..settings()
    });
    let buy = |id| order(id, BUY, 1, OrderKind::Market);
    for id in 1..=4 {
        exchange.send(OrderMessage::Submit(buy(id)), at(id as i64 * 10));
    }
    let quoted = tick(20, 100, 1).with_quotes(Some(price(100)), Some(price(103)), TICK_SIZE);
    let bought = tick(30, 100, 1).with_aggressor(Some(BUY));
    let sold = tick(40, 100, 1).with_aggressor(Some(SELL));
    let unknown = tick(50, 100, 1);
    let expected = [(1, 1, 104), (2, 1, 101), (3, 1, 103), (4, 1, 103)];
    assert_eq!(fills(&mut exchange, &[quoted, bought, sold, unknown]), expected);
}

/// Quotes at zero, crossed, off the grid or on the wrong side of the trade count as absent, and are
/// counted.
#[test]
fn an_order_that_meets_impossible_quotes_pays_the_assumed_spread() {
    let off_grid = Price::from_units(price(101).units() + 1);
    for (bid, ask, bought, sold, impossible) in [
        (price(99), price(103), 103, 99, 0),
        (Price::ZERO, Price::ZERO, 102, 98, 2),
        (price(102), price(98), 102, 98, 2),
        (price(103), price(102), 102, 98, 2),
        (price(98), price(99), 102, 98, 1),
        (price(99), off_grid, 102, 99, 1),
    ] {
        let mut exchange = exchange_of(ExecutionSettings {
            slippage: Slippage { ticks: 0, cross_spread: true, assumed_spread_ticks: 2 },
            ..settings()
        });
        for (id, side) in [(1, BUY), (2, SELL)] {
            exchange.send(OrderMessage::Submit(order(id, side, 1, OrderKind::Market)), at(0));
        }
        let tick = tick(20, 100, 9).with_quotes(Some(bid), Some(ask), TICK_SIZE);
        let seen = fills(&mut exchange, &[tick]);
        assert_eq!(seen, [(1, 1, bought), (2, 1, sold)], "{bid} {ask}");
        assert_eq!(exchange.impossible_quotes(), impossible, "{bid} {ask}");
    }
}

#[test]
fn the_two_exits_of_a_bracket_cancel_each_other() {
    for (last, exit) in [(96, (STOP_OF_1, 2, 96)), (109, (TARGET_OF_1, 2, 108))] {
        let mut exchange = exchange_with(&[bracketed(1, BUY, 2, 4, 8)]);
        let ticks = [
            tick(10, 100, 9),
            tick(11, 108, 9),
            tick(12, last, 9),
            tick(13, 50, 9),
            tick(14, 150, 9),
        ];
        assert_eq!(fills(&mut exchange, &ticks), [(1, 2, 100), exit]);
        assert_eq!((exchange.position(), exchange.orders()), (0, 0));
    }
}

#[test]
fn a_bracket_is_as_large_as_what_was_filled_of_its_entry() {
    let mut exchange = exchange_with(&[bracketed(1, SELL, 5, 4, 8)]);
    let ticks = [tick(10, 100, 2), tick(11, 100, 1), tick(12, 91, 2), tick(13, 104, 9)];
    // 91 trades through the target at 92: two of the three are out, and what is left of the entry
    // with them; the stop holds the last one.
    let expected = [(1, 2, 100), (1, 1, 100), (TARGET_OF_1, 1, 92)];
    let mut seen = fills(&mut exchange, &ticks[..3]);
    // On tick 12 the rest of the entry comes first and takes the volume.
    assert_eq!(seen.remove(2), (1, 2, 91));
    assert_eq!(seen, expected[..2]);
    assert_eq!(fills(&mut exchange, &ticks[3..]), [(STOP_OF_1, 5, 104)]);
    assert_eq!((exchange.position(), exchange.orders()), (0, 0));
}

#[test]
fn a_triggered_stop_also_ends_what_is_left_of_its_entry() {
    let mut entry = bracketed(1, BUY, 5, 4, 8);
    entry.kind = OrderKind::Limit { price: price(100) };
    let mut exchange = exchange_with(&[entry]);
    let ticks =
        [tick(10, 101, 9), tick(11, 99, 2), tick(12, 96, 1), tick(13, 95, 9), tick(14, 90, 9)];
    // Entry at 100 on a trade through; stop at 96.
    let seen = fills(&mut exchange, &ticks);
    assert_eq!(seen, [(1, 2, 100), (STOP_OF_1, 1, 96), (STOP_OF_1, 1, 95)]);
    assert_eq!((exchange.position(), exchange.orders()), (0, 0));
}

/// The four ticks of a history bar.
fn history_bar(start: i64, open: i64, high: i64, low: i64, close: i64) -> [Tick; 4] {
    [
        tick(start, open, 9).with_flags(TickFlags::BAR_OPEN),
        tick(start + 1, high, 9).with_flags(TickFlags::BAR_EXTREME),
        tick(start + 2, low, 9).with_flags(TickFlags::BAR_EXTREME),
        tick(start + 3, close, 9).with_flags(TickFlags::BAR_CLOSE),
    ]
}

#[test]
fn in_a_history_bar_the_stop_comes_before_the_target_whichever_side_we_are_on() {
    for (side, exit) in [(BUY, (STOP_OF_1, 1, 96)), (SELL, (STOP_OF_1, 1, 104))] {
        let mut exchange = exchange_with(&[bracketed(1, side, 1, 4, 4)]);
        let entry = tick(10, 100, 9).with_flags(TickFlags::BAR_CLOSE);
        let both = history_bar(20, 100, 110, 90, 100);
        assert_eq!(fills(&mut exchange, &[&[entry][..], &both].concat()), [(1, 1, 100), exit]);
    }
}

#[test]
fn in_a_history_bar_a_target_alone_fills_at_its_end_and_a_gap_fills_at_the_open() {
    let entry = tick(10, 100, 9).with_flags(TickFlags::BAR_CLOSE);
    let mut exchange = exchange_with(&[bracketed(1, BUY, 1, 4, 4)]);
    let bar = history_bar(20, 101, 110, 99, 100);
    assert_eq!(fills(&mut exchange, &[entry, bar[0], bar[1], bar[2]]), [(1, 1, 100)]);
    assert_eq!(fills(&mut exchange, &bar[3..]), [(TARGET_OF_1, 1, 104)]);
    let mut exchange = exchange_with(&[bracketed(1, BUY, 1, 4, 4)]);
    let gap = history_bar(20, 80, 110, 70, 100);
    assert_eq!(
        fills(&mut exchange, &[&[entry][..], &gap].concat()),
        [(1, 1, 100), (STOP_OF_1, 1, 80)]
    );
}

#[test]
fn in_a_history_bar_market_orders_fill_at_open_or_close_only() {
    let mut exchange = exchange_of(settings());
    let bar = history_bar(20, 100, 110, 90, 105);
    exchange.on_tick(&bar[0]);
    exchange.send(OrderMessage::Submit(order(1, BUY, 1, OrderKind::Market)), at(10));
    assert_eq!(fills(&mut exchange, &bar[1..]), [(1, 1, 105)]);
}

/// Turns over with a stop entry: the close goes first at any price that the bar passes.
#[test]
fn in_a_history_bar_an_entry_does_not_overtake_the_close_before_it() {
    let mut exchange = exchange_with(&[order(1, SELL, 2, OrderKind::Market)]);
    assert_eq!(fills(&mut exchange, &[tick(10, 100, 9)]), [(1, 2, 100)]);
    let mut bar = history_bar(30, 100, 110, 90, 104);
    // Too thin for the close.
    bar[0].size = 1;
    exchange.send(close(2, BUY, 2), at(15));
    exchange.send(
        OrderMessage::Submit(order(3, BUY, 3, OrderKind::Stop { trigger: price(105) })),
        at(15),
    );
    assert_eq!(fills(&mut exchange, &bar), [(2, 1, 100), (2, 1, 104), (3, 3, 104)]);
    assert_eq!(exchange.position(), 3);
}

/// Nobody knows what of the bar came after it; so it meets the close.
#[test]
fn what_arrives_inside_a_history_bar_is_at_the_market_from_its_close_on() {
    let bar = history_bar(20, 100, 110, 90, 104);
    for (kind, expected) in [
        (OrderKind::Market, Some(104)),
        (OrderKind::Stop { trigger: price(105) }, None),
        (OrderKind::Stop { trigger: price(104) }, Some(104)),
        (OrderKind::Limit { price: price(95) }, None),
        (OrderKind::Limit { price: price(106) }, Some(104)),
    ] {
        for sent in [11, 12] {
            let mut exchange = exchange_of(settings());
            exchange.on_tick(&bar[0]);
            exchange.send(OrderMessage::Submit(order(1, BUY, 1, kind)), at(sent));
            let seen = fills(&mut exchange, &bar[1..]);
            assert_eq!(seen.first().map(|fill| fill.2), expected, "{kind:?} sent at {sent}");
        }
    }
}

/// The order trades at prices that the bar has traded: the close's, and its limit's where the bar
/// has passed it since. Which of high and low came first changes nothing, and the mirrored order
/// fills at the mirrored price.
#[test]
fn in_a_history_bar_an_order_that_takes_liquidity_within_its_limit_fills_at_the_close() {
    let limit = |at| OrderKind::Limit { price: price(at) };
    let stop_limit =
        |trigger, at| OrderKind::StopLimit { trigger: price(trigger), price: price(at) };
    // A bar above the limit, in which nothing fills but what the bar before has left over.
    let above = [107, 109, 106, 108];
    let close_of_2 = [1, 9, 9, 2];
    for (kind, bar, sizes, expected) in [
        // Triggered inside the bar.
        (stop_limit(100, 102), [98, 101, 95, 98], [9; 4], &[(5, 98)][..]),
        (stop_limit(100, 102), [98, 104, 95, 102], [9; 4], &[(5, 102)]),
        (stop_limit(100, 102), [98, 104, 95, 103], [9; 4], &[]),
        // Triggered at the open: too thin, and beyond the limit.
        (stop_limit(100, 105), [100, 102, 97, 101], [1, 9, 9, 9], &[(1, 100), (4, 101)]),
        (stop_limit(100, 102), [103, 104, 101, 103], [9; 4], &[(5, 102)]),
        // Marketable at an open that is too thin.
        (limit(105), [100, 101, 97, 98], [1, 9, 9, 9], &[(1, 100), (4, 98)]),
        (limit(105), [100, 108, 99, 107], [1, 9, 9, 9], &[(1, 100), (4, 105)]),
        (limit(105), [100, 101, 99, 101], close_of_2, &[(1, 100), (2, 101)]),
        (limit(105), [100, 108, 99, 107], close_of_2, &[(1, 100), (2, 105)]),
    ] {
        for (is_mirrored, low_first) in [(false, false), (false, true), (true, false), (true, true)]
        {
            let mirror = |ticks: i64| if is_mirrored { 200 - ticks } else { ticks };
            let of = |level: Price| price(mirror(level.ticks_from(Price::ZERO, TICK_SIZE)));
            let kind = match kind {
                OrderKind::StopLimit { trigger, price } => {
                    OrderKind::StopLimit { trigger: of(trigger), price: of(price) }
                }
                OrderKind::Limit { price } => OrderKind::Limit { price: of(price) },
                other => other,
            };
            let mut exchange =
                exchange_with(&[order(1, if is_mirrored { SELL } else { BUY }, 5, kind)]);
            let mut ticks = Vec::new();
            for (start, [open, high, low, close], sizes) in [(20, bar, sizes), (30, above, [9; 4])]
            {
                let (first, second) = if low_first { (low, high) } else { (high, low) };
                let [open, first, second, close] = [open, first, second, close].map(mirror);
                let mut played = history_bar(start, open, first, second, close);
                for (part, size) in played.iter_mut().zip(sizes) {
                    part.size = size;
                }
                ticks.extend(played);
            }
            let expected: Vec<_> =
                expected.iter().map(|&(quantity, at)| (1, quantity, mirror(at))).collect();
            let which = format!("{kind:?} {bar:?} {low_first}");
            assert_eq!(fills(&mut exchange, &ticks), expected, "{which}");
        }
    }
}

/// The entry's second half fills at 110, two ticks above the target: it is worth 110, and the
/// resting half is worth its limit.
#[test]
fn what_is_added_to_a_target_beyond_it_fills_at_the_market() {
    let bought = |last: &[Tick]| {
        let mut exchange = exchange_with(&[bracketed(1, BUY, 2, 40, 8)]);
        let ticks = [&[tick(10, 100, 1), tick(11, 110, 1)], last].concat();
        fills(&mut exchange, &ticks)
    };
    let entered = [(1, 1, 100), (1, 1, 110)];
    let of_target = |quantity, price| (TARGET_OF_1, quantity, price);
    let seen = bought(&[tick(12, 111, 9)]);
    assert_eq!(seen, [&entered[..], &[of_target(1, 108), of_target(1, 111)]].concat());
    // The market is back below it: all of it rests.
    let seen = bought(&[tick(12, 107, 9), tick(13, 111, 9)]);
    assert_eq!(seen, [&entered[..], &[of_target(2, 108)]].concat());
    // Thin: what takes liquidity does so for as long as there is some.
    let seen = bought(&[tick(12, 111, 1), tick(13, 109, 9)]);
    assert_eq!(seen, [&entered[..], &[of_target(1, 108), of_target(1, 109)]].concat());
    // The other way round, and with the spread.
    let mut exchange = exchange_of(ExecutionSettings {
        slippage: Slippage { ticks: 0, cross_spread: true, assumed_spread_ticks: 1 },
        ..settings()
    });
    exchange.send(OrderMessage::Submit(bracketed(1, SELL, 2, 40, 8)), at(0));
    let ticks = [tick(10, 100, 1), tick(11, 88, 1), tick(12, 87, 9)];
    let expected = [(1, 1, 99), (1, 1, 87), of_target(1, 91), of_target(1, 88)];
    assert_eq!(fills(&mut exchange, &ticks), expected);
}

#[test]
fn an_entry_inside_a_history_bar_faces_the_whole_bar() {
    let mut entry = bracketed(1, SELL, 1, 4, 4);
    entry.kind = OrderKind::Stop { trigger: price(95) };
    let mut exchange = exchange_with(&[entry]);
    exchange.on_tick(&tick(15, 97, 9));
    // High 99 before low 94, as far as the ticks go. The order inside the bar is unknown, so the
    // stop at 99 counts, and the target at 91, which the low of 90 passes, does not.
    let seen = fills(&mut exchange, &history_bar(20, 97, 99, 90, 92));
    assert_eq!(seen, [(1, 1, 95), (STOP_OF_1, 1, 99)]);
}

#[test]
fn what_a_history_bar_was_too_thin_for_waits_until_the_limit_is_reached_again() {
    let mut exchange = exchange_with(&[bracketed(1, BUY, 5, 0, 4)]);
    let entry = tick(10, 100, 9).with_flags(TickFlags::BAR_CLOSE);
    let mut reaches = history_bar(20, 100, 110, 99, 100);
    for part in &mut reaches {
        part.size = 2;
    }
    let falls = history_bar(30, 90, 91, 85, 88);
    let again = history_bar(40, 90, 105, 85, 88);
    let ticks = [&[entry][..], &reaches, &falls].concat();
    assert_eq!(fills(&mut exchange, &ticks), [(1, 5, 100), (TARGET_OF_1, 2, 104)]);
    assert_eq!(fills(&mut exchange, &again), [(TARGET_OF_1, 3, 104)]);
}

#[test]
fn entries_end_with_the_session_and_exits_stay() {
    let limit = |id, at| order(id, BUY, 1, OrderKind::Limit { price: price(at) });
    let mut exchange = exchange_with(&[bracketed(1, BUY, 1, 4, 0), limit(2, 90)]);
    assert_eq!(fills(&mut exchange, &[tick(10, 100, 1)]), [(1, 1, 100)]);
    exchange.send(OrderMessage::Submit(limit(3, 91)), at(15));
    exchange.on_session_end(at(16));
    assert_eq!(fills(&mut exchange, &[tick(1_000, 80, 9)]), [(STOP_OF_1, 1, 80)]);
}

#[test]
fn closing_the_position_cancels_what_works_and_leaves_later_orders_alone() {
    let mut exchange = exchange_with(&[bracketed(1, BUY, 3, 4, 4)]);
    exchange.send(close(2, SELL, 3), at(5));
    exchange.send(OrderMessage::Submit(order(3, SELL, 2, OrderKind::Market)), at(5));
    let ticks = [tick(10, 100, 9), tick(15, 101, 1), tick(16, 102, 9)];
    assert_eq!(fills(&mut exchange, &ticks), [(1, 3, 100), (2, 1, 101), (2, 2, 102), (3, 2, 102)]);
    assert_eq!((exchange.position(), exchange.orders()), (-2, 0));
}

#[test]
fn an_entry_that_is_refused_while_the_old_position_closes_can_be_sent_again() {
    let rules = RiskSettings {
        max_position_size: 5,
        max_daily_drawdown: 1.0,
        max_orders_per_second: 9,
        price_collar_ticks: 9,
        ..RiskSettings::default()
    };
    let mut desk = Desk::new(Money::from_dollars(100_000), TICK_SIZE, POINT_VALUE, rules);
    let mut exchange = exchange_of(settings());
    desk.on_session_open();
    let decision = |target| Decision { target, quantity: 1, ..Decision::FLAT };
    desk.on_decision(&decision(Target::Long), at(0), &mut exchange);
    let hear = |desk: &mut Desk, exchange: &mut SimulatedExchange, time| {
        exchange.on_tick(&tick(time, 100, 9));
        for report in drain(exchange) {
            desk.on_report(&report, at(time), exchange);
        }
    };
    hear(&mut desk, &mut exchange, 10);
    desk.on_decision(&decision(Target::Short), at(20), &mut exchange);
    // The close fills, and the entry is sent.
    hear(&mut desk, &mut exchange, 30);
    assert_eq!((exchange.position(), exchange.orders()), (0, 1));
    let kind = ReportKind::Rejected(OrderId(3), RejectReason::TooManyOrders);
    desk.on_report(&Report { arrives: at(31), kind }, at(31), &mut exchange);
    desk.on_decision(&decision(Target::Short), at(40), &mut exchange);
    assert_eq!(exchange.orders(), 2);
}

/// A stop has sold two of the five contracts that the desk knows of, and a third contract of an
/// entry has filled.
#[test]
fn a_close_takes_no_more_than_its_quantity_and_ends_when_nothing_is_held() {
    for (held, quantity, filled) in [(3, 5, 3), (5, 3, 3)] {
        let mut exchange = exchange_with(&[order(1, BUY, held, OrderKind::Market)]);
        exchange.on_tick(&tick(10, 100, 9));
        drain(&mut exchange);
        exchange.send(close(2, SELL, quantity), at(15));
        exchange.on_tick(&tick(30, 101, 9));
        let kinds: Vec<_> = drain(&mut exchange).iter().map(|report| report.kind).collect();
        let [ReportKind::Accepted(_), ReportKind::Filled(fill), rest @ ..] = &kinds[..] else {
            panic!("{kinds:?}")
        };
        assert_eq!((fill.quantity, exchange.position()), (filled, i64::from(held - filled)));
        let gone = [ReportKind::Cancelled(OrderId(2))];
        assert_eq!(rest, if quantity > held { &gone[..] } else { &[] });
        assert_eq!(exchange.orders(), 0);
    }
}

fn any_kind() -> impl Strategy<Value = OrderKind> {
    let any_price = || (80i64..120).prop_map(price);
    prop_oneof![
        Just(OrderKind::Market),
        any_price().prop_map(|price| OrderKind::Limit { price }),
        any_price().prop_map(|trigger| OrderKind::Stop { trigger }),
        (any_price(), any_price())
            .prop_map(|(trigger, price)| OrderKind::StopLimit { trigger, price }),
    ]
}

const TARGET_BIT: u64 = OrderId(0).profit_target().0;

fn is_limit(kind: OrderKind) -> bool {
    matches!(kind, OrderKind::Limit { .. } | OrderKind::StopLimit { .. })
}

#[derive(Clone, Debug)]
enum Action {
    Submit(Side, u32, OrderKind, Bracket),
    Cancel(u64),
    Close,
    SessionEnd,
}

fn any_action() -> impl Strategy<Value = Action> {
    let bracket = (0u32..6, 0u32..6).prop_map(|(stop_loss_ticks, profit_target_ticks)| Bracket {
        stop_loss_ticks,
        profit_target_ticks,
    });
    prop_oneof![
        8 => (any::<bool>(), 1u32..6, any_kind(), bracket)
            .prop_map(|(buy, quantity, kind, bracket)| Action::Submit(if buy { BUY } else { SELL }, quantity, kind, bracket)),
        1 => (1u64..40).prop_map(Action::Cancel),
        1 => Just(Action::Close),
        1 => Just(Action::SessionEnd),
    ]
}

const CAPITAL: Money = Money::from_dollars(1_000_000);

/// A flow of orders and its outcome, counted apart from the ledger.
struct Flow {
    ledger: Ledger,
    /// Ticks that slippage may take from a fill.
    slip: i64,
    sent: Vec<Order>,
    filled: BTreeMap<OrderId, u32>,
    ended: BTreeMap<OrderId, u32>,
    /// Traded prices. The one at index `id` is the first that the order `id` can meet.
    market: Vec<i64>,
    held: i64,
    cash: i128,
}

impl Flow {
    fn new(slip: i64) -> Flow {
        Flow {
            ledger: Ledger::new(CAPITAL, POINT_VALUE),
            slip,
            sent: Vec::new(),
            filled: BTreeMap::new(),
            ended: BTreeMap::new(),
            market: vec![100],
            held: 0,
            cash: 0,
        }
    }

    /// Takes the reports after a tick of `size` contracts.
    fn take_reports(
        &mut self,
        exchange: &mut SimulatedExchange,
        size: u32,
    ) -> Result<(), TestCaseError> {
        let mut left = size;
        for report in drain(exchange) {
            match report.kind {
                ReportKind::Filled(fill) => {
                    prop_assert!(fill.quantity <= left, "more than traded");
                    left -= fill.quantity;
                    self.fill(&fill)?;
                }
                ReportKind::Cancelled(id) | ReportKind::Rejected(id, _) => {
                    *self.ended.entry(id).or_default() += 1;
                }
                ReportKind::Accepted(_) | ReportKind::CancelRejected(_) => {}
            }
        }
        Ok(())
    }

    /// Checks a fill against its order and the market, and books it.
    fn fill(&mut self, fill: &Fill) -> Result<(), TestCaseError> {
        // A limit order fills within what traded since it was sent; any other at the last trade, or
        // as far beyond as slippage goes.
        let ticks = fill.price.ticks_from(Price::ZERO, TICK_SIZE);
        let order = self.sent.iter().find(|order| order.id == fill.order);
        let is_limit = fill.order.0 & TARGET_BIT != 0 || order.is_some_and(|it| is_limit(it.kind));
        let last = self.market.len() - 1;
        let first = if is_limit { fill.order.entry().0 as usize - 1 } else { last };
        let traded = &self.market[first..];
        prop_assert!(ticks >= traded.iter().min().unwrap() - self.slip);
        prop_assert!(ticks <= traded.iter().max().unwrap() + self.slip);
        if let Some(Order { quantity, kind, side, .. }) = order {
            let total = self.filled.entry(fill.order).or_default();
            *total += fill.quantity;
            prop_assert!(*total <= *quantity, "filled twice");
            if let OrderKind::Limit { price } | OrderKind::StopLimit { price, .. } = kind {
                prop_assert!((fill.price.units() - price.units()) * side.sign() <= 0);
            }
        }
        let bought = fill.side.sign() * i64::from(fill.quantity);
        self.held += bought;
        self.cash -= i128::from(fill.price.units()) * i128::from(bought) * 50;
        self.cash -= i128::from(fill.commission.nanos());
        self.ledger.on_fill(fill, price(self.market[last]));
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(250, 1000)))]

    /// Over random order flow: nothing is lost, filled twice, filled beyond what traded, or filled
    /// outside the traded range; and cash, position and costs make equity to the integer.
    #[test]
    fn random_order_flow_is_conserved(
        flow in prop::collection::vec(
            (prop::option::weighted(0.3, any_action()), 0i64..20, -4i64..5, 1u32..5), 1..120),
        touch in any::<bool>(),
        slip in 0u32..2,
    ) {
        let mut exchange = exchange_of(ExecutionSettings {
            limit_fill: if touch { LimitFill::Touch } else { LimitFill::Through },
            slippage: Slippage { ticks: slip, ..settings().slippage },
            ..settings()
        });
        let mut flowing = Flow::new(i64::from(slip));
        let (mut now, mut market) = (100i64, 100i64);
        for (id, (action, gap, step, size)) in flow.into_iter().enumerate() {
            let id = id as u64 + 1;
            match action {
                Some(Action::Submit(side, quantity, kind, bracket)) => {
                    let purpose = Purpose::Entry(bracket);
                    let order = Order { id: OrderId(id), contract: 0, side, quantity, kind, purpose };
                    flowing.sent.push(order);
                    exchange.send(OrderMessage::Submit(order), at(now));
                }
                Some(Action::Cancel(other)) => exchange.send(OrderMessage::Cancel(OrderId(other)), at(now)),
                Some(Action::Close) => {
                    let side = if flowing.held > 0 { SELL } else { BUY };
                    exchange.send(close(id, side, flowing.held.unsigned_abs() as u32), at(now));
                }
                Some(Action::SessionEnd) => exchange.on_session_end(at(now)),
                None => {}
            }
            (now, market) = (now + gap, (market + step).clamp(85, 115));
            flowing.market.push(market);
            exchange.on_tick(&tick(now, market, size));
            flowing.take_reports(&mut exchange, size)?;
            prop_assert_eq!(exchange.position(), flowing.held);
            let equity = i128::from(CAPITAL.nanos()) + flowing.cash
                + i128::from(price(market).units()) * i128::from(flowing.held) * 50;
            prop_assert_eq!(i128::from(flowing.ledger.equity(price(market)).nanos()), equity);
        }
        // Flush: every order is filled or gone, exactly one of the two.
        exchange.on_session_end(at(now));
        flowing.take_reports(&mut exchange, 0)?;
        for order in &flowing.sent {
            let is_filled = flowing.filled.get(&order.id) == Some(&order.quantity);
            let times_ended = flowing.ended.get(&order.id).copied().unwrap_or(0);
            prop_assert_eq!(times_ended, u32::from(!is_filled), "{:?}", order);
        }
    }

    /// A tick that the exchange calls calm changes nothing.
    #[test]
    fn calm_ticks_change_nothing(
        orders in prop::collection::vec((any_kind(), any::<bool>()), 0..5),
        market in 80i64..120,
        next in 80i64..120,
    ) {
        let mut exchange = exchange_of(settings());
        for (id, (kind, buy)) in orders.into_iter().enumerate() {
            exchange.send(OrderMessage::Submit(order(id as u64 + 1, if buy { BUY } else { SELL }, 1, kind)), at(0));
        }
        exchange.on_tick(&tick(10, market, 99));
        drain(&mut exchange);
        let (until, from, to) = exchange.calm();
        let calm = tick(11, next, 99);
        prop_assert_eq!(until, Timestamp::MAX);
        exchange.on_tick(&calm);
        let changed = !drain(&mut exchange).is_empty();
        // The other way round is allowed: a look in vain costs time only.
        prop_assert!(!changed || calm.price < from || calm.price > to);
    }
}
