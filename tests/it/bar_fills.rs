//! The effect of a history of bars on positions, orders and the account: nothing that depends on
//! which of high and low came first, and nothing that no path through the bar could have done.

use algospace_hft::execution::{Bracket, Decision, ExitReason, Slippage, Target, Trade};
use algospace_hft::market::{Bar, Money, Tick, TickFlags, Timeframe, Timestamp};
use algospace_hft::strategy::Strategy;
use proptest::prelude::*;
use proptest::strategy::Strategy as _;

use crate::assembly::{By, CAPITAL, Run, Setup, at, market, price};

const OPEN: &str = "2024-01-09T19:00:00Z";
const MIDDLE: i64 = 19_000;
const BRACKET: Bracket = Bracket { stop_loss_ticks: 8, profit_target_ticks: 8 };

/// Open, high, low, close, in ticks from [`MIDDLE`].
type Prices = [i64; 4];

/// The ticks of bars of half an hour, as an import makes them.
fn ticks_of(bars: &[Prices]) -> Vec<Tick> {
    let length = 30 * Timestamp::MINUTE;
    let tick =
        |time, ticks: i64, flags| Tick::new(time, price(MIDDLE + ticks), 1_000).with_flags(flags);
    let starts = (0..).map(|index| at(OPEN) + index * length);
    let bars = starts.zip(bars);
    bars.flat_map(|(start, &[open, high, low, close])| {
        [
            tick(start + length / 4, open, TickFlags::BAR_OPEN),
            tick(start + length / 2, high, TickFlags::BAR_EXTREME),
            tick(start + length / 4 * 3, low, TickFlags::BAR_EXTREME),
            tick(start + (length - 1), close, TickFlags::BAR_CLOSE),
        ]
    })
    .collect()
}

/// The same bars upside down.
fn mirrored(bars: &[Prices]) -> Vec<Prices> {
    bars.iter().map(|&[open, high, low, close]| [-open, -low, -high, -close]).collect()
}

fn setup() -> Setup {
    let mut setup = Setup::free();
    setup.stages.timeframes = vec![Timeframe::MINUTES_30];
    setup.exchange.order_latency_microseconds = 2_000;
    setup.exchange.acknowledgement_latency_microseconds = 2_000;
    setup
}

/// Enters with a bracket after the first bar.
fn enter_once(target: Target, quantity: u32) -> impl Strategy {
    let mut bars = 0;
    By(Timeframe::MINUTES_30, move |_: &Bar, _| {
        bars += 1;
        (bars == 1).then_some(Decision { bracket: BRACKET, ..market(target, quantity) })
    })
}

/// Runs the bars long and their mirror image short, and returns the one after having compared the
/// two.
fn both_ways(setup: &Setup, bars: &[Prices], quantity: u32) -> Run {
    let long = setup.run(enter_once(Target::Long, quantity), &ticks_of(bars));
    let short = setup.run(enter_once(Target::Short, quantity), &ticks_of(&mirrored(bars)));
    let facts = |trade: &Trade| {
        let money = (trade.gross_pnl, trade.costs, trade.slippage, trade.mfe, trade.mae);
        (trade.quantity, trade.exit_reason, money)
    };
    let all = |run: &Run| run.log.trades.iter().map(facts).collect::<Vec<_>>();
    assert_eq!(all(&long), all(&short), "{bars:?}");
    let curve = |run: &Run| run.log.equity.iter().map(|p| (p.time, p.equity)).collect::<Vec<_>>();
    assert_eq!(curve(&long), curve(&short), "{bars:?}");
    long
}

fn dollars(amount: f64) -> Money {
    Money::from_f64(amount).unwrap()
}

/// The closing order comes inside the bar, before or after the ticks of its high and low.
#[test]
fn an_exit_that_the_bar_has_reached_cannot_be_cancelled() {
    // The session ends with the sixth bar. Bought at 0; target and stop are 8 ticks away.
    let calm = [0, 0, 0, 0];
    for (last, gross, reason) in [
        ([1, 80, -2, 72], 100.0, ExitReason::ProfitTarget),
        ([1, 2, -80, -72], -100.0, ExitReason::StopLoss),
        ([1, 80, -80, 72], -100.0, ExitReason::StopLoss),
        ([1, 4, -4, 3], 37.5, ExitReason::SessionClose),
    ] {
        for minutes in [1, 5, 10, 20, 22] {
            let mut setup = setup();
            setup.stages.flatten_before_close = Some(minutes * Timestamp::MINUTE);
            let run = both_ways(&setup, &[calm, calm, calm, calm, calm, last], 1);
            let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
            assert_eq!((trade.gross_pnl, trade.exit_reason), (dollars(gross), reason), "{minutes}");
        }
    }
}

/// Far beyond the exit: neither the trade's extremes, nor the day's lock, nor the account see it.
#[test]
fn a_position_is_marked_no_further_than_its_exit() {
    let mut setup = setup();
    setup.rules.max_daily_drawdown = 0.01;
    let calm = [0, 0, 0, 0];
    let after = [0, 4, -4, 0];
    for (bar, mfe, mae, reason) in [
        ([0, 1, -200, 0], 0.0, -100.0, ExitReason::StopLoss),
        ([0, 200, -1, 0], 100.0, -12.5, ExitReason::ProfitTarget),
        // Its stop before its target, and so before its best price.
        ([0, 200, -200, 0], 0.0, -100.0, ExitReason::StopLoss),
        ([0, 6, -200, 0], 0.0, -100.0, ExitReason::StopLoss),
        // Held through the bar.
        ([0, 6, -7, 0], 75.0, -87.5, ExitReason::EndOfData),
        // The target of a market that trades at it, but not through it, is as far as it goes.
        ([0, 8, -7, 0], 100.0, -87.5, ExitReason::EndOfData),
    ] {
        let run = both_ways(&setup, &[calm, calm, bar, after, after], 1);
        let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
        let seen = (trade.mfe, trade.mae, trade.exit_reason);
        assert_eq!(seen, (dollars(mfe), dollars(mae), reason), "{bar:?}");
        assert_eq!(run.count("refused: max_daily_drawdown"), 0, "{bar:?}");
        for point in &run.log.equity {
            let open = point.equity - CAPITAL;
            assert!(open >= dollars(-100.0) && open <= dollars(100.0), "{bar:?}: {point:?}");
        }
    }
}

/// A limit of 1 % is 80 ticks of one contract. With a stop farther away the day is locked inside
/// the bar.
#[test]
fn the_day_is_locked_by_a_price_that_the_position_has_seen() {
    let mut setup = setup();
    setup.rules.max_daily_drawdown = 0.01;
    let far = Bracket { stop_loss_ticks: 300, profit_target_ticks: 300 };
    let enter = |target| {
        let mut bars = 0;
        By(Timeframe::MINUTES_30, move |_: &Bar, _| {
            bars += 1;
            (bars == 1).then_some(Decision { bracket: far, ..market(target, 1) })
        })
    };
    let calm = [0, 0, 0, 0];
    for (bar, gross) in [
        // The bar has passed the limit on its way to any close, and its best price came
        // later.
        ([0, 200, -90, -20], -80.0),
        ([0, 200, -90, 150], -80.0),
        ([0, 400, -90, 350], -80.0),
        // Nothing can be sold inside the bar, so at its close.
        ([0, 10, -120, -110], -110.0),
        // Its open is beyond the limit.
        ([-85, 10, -120, -20], -85.0),
        ([-85, 400, -120, 350], -85.0),
    ] {
        let bars = [calm, calm, bar, [bar[3]; 4]];
        for (target, bars) in [(Target::Long, bars.to_vec()), (Target::Short, mirrored(&bars))] {
            let run = setup.run(enter(target), &ticks_of(&bars));
            let [trade] = &run.log.trades[..] else { panic!("{:?}", run.log.trades) };
            assert_eq!(trade.exit_reason, ExitReason::DailyDrawdown);
            assert_eq!(trade.gross_pnl, dollars(gross * 12.5), "{target:?} {bar:?}");
        }
    }
}

/// The same prices as trades and as bars: a stop costs the same.
#[test]
fn a_stop_inside_a_bar_pays_the_spread_as_one_among_trades_does() {
    for (cross_spread, ticks, cost) in [(false, 0, 0), (true, 0, 2), (true, 3, 5), (false, 3, 3)] {
        let mut setup = setup();
        setup.exchange.slippage = Slippage { ticks, cross_spread, assumed_spread_ticks: 2 };
        // The stop stands eight ticks under the entry, which has cost something too.
        let stop = cost - 8;
        let bars = [[0; 4], [0; 4], [0, 0, stop, stop], [0; 4]];
        let run = both_ways(&setup, &bars, 1);
        let trades = ticks_of(&bars).into_iter().map(|tick| tick.with_flags(TickFlags::NONE));
        let trades: Vec<_> = trades.collect();
        let of_trades = setup.run(enter_once(Target::Long, 1), &trades);
        let ([by_bars], [by_trades]) = (&run.log.trades[..], &of_trades.log.trades[..]) else {
            panic!("{:?} {:?}", run.log.trades, of_trades.log.trades)
        };
        assert_eq!(by_bars.exit_reason, ExitReason::StopLoss);
        assert_eq!(by_bars.gross_pnl, dollars(-12.5 * (8 + cost) as f64));
        assert_eq!(
            (by_bars.gross_pnl, by_bars.slippage, by_bars.exit_price),
            (by_trades.gross_pnl, by_trades.slippage, by_trades.exit_price)
        );
    }
}

fn any_bars() -> impl proptest::strategy::Strategy<Value = Vec<Prices>> {
    let step = (-6i64..7, 0i64..14, 0i64..14, -4i64..5);
    prop::collection::vec(step, 3..30).prop_map(|steps| {
        let mut close = 0;
        let of_step = |(gap, up, down, body): (i64, i64, i64, i64)| {
            let open = close + gap / 3;
            close = open + body;
            [open, open.max(close) + up, open.min(close) - down, close]
        };
        std::iter::once([0; 4]).chain(steps.into_iter().map(of_step)).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(60, 400)))]

    /// Long and short, a bar is the same upside down; and a trade stays within its exits.
    #[test]
    fn bars_are_the_same_upside_down(
        bars in any_bars(),
        quantity in 1u32..5,
        drawdown in prop_oneof![Just(1.0), Just(0.01), Just(0.003)],
        flatten in prop::option::of(1i64..29),
        spread in any::<bool>(),
    ) {
        let mut setup = setup();
        setup.rules.max_daily_drawdown = drawdown;
        setup.stages.flatten_before_close = flatten.map(|minutes| minutes * Timestamp::MINUTE);
        setup.exchange.slippage.cross_spread = spread;
        let run = both_ways(&setup, &bars, quantity);
        for trade in &run.log.trades {
            let most = dollars(12.5 * f64::from(BRACKET.profit_target_ticks * trade.quantity));
            // A gap over the session's break fills beyond the stop, and within the target.
            prop_assert!(trade.mfe <= most && trade.gross_pnl <= most, "{trade:?}");
        }
    }
}
