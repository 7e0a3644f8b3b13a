//! Nothing that comes out of the stages depends on what has not happened yet.

#[allow(dead_code, reason = "every test file uses a part of it")]
mod assembly;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use algospace_hft::execution::{Bracket, Decision, LimitFill, OrderKind, Slippage, Target};
use algospace_hft::market::{Bar, Calendar, Money, Price, Tick, TickFlags, Timeframe, Timestamp};
use algospace_hft::performance::{EquityPoint, ExitReason, Trade};
use algospace_hft::pipeline::Sink;
use algospace_hft::strategy::Strategy;
use proptest::prelude::*;

use assembly::{By, Setup, TICK_SIZE, at, market, price};

/// Whatever leaves the stages, in order.
#[derive(Clone, Debug, PartialEq)]
enum Event {
    Bar(Bar),
    Trade(Trade),
    Equity(EquityPoint),
    Decision(Decision),
}

/// The events, and where each tick's begin.
#[derive(Clone, Default)]
struct Journal(Rc<RefCell<Vec<Event>>>);

impl Journal {
    fn push(&self, event: Event) {
        self.0.borrow_mut().push(event);
    }
    fn len(&self) -> usize {
        self.0.borrow().len()
    }
}

impl Sink for Journal {
    fn bar(&mut self, bar: &Bar) {
        self.push(Event::Bar(*bar));
    }
    fn trade(&mut self, trade: &Trade) {
        self.push(Event::Trade(*trade));
    }
    fn equity(&mut self, point: &EquityPoint) {
        self.push(Event::Equity(*point));
    }
}

/// Trades a lot, in every kind of order, by what the bar looks like alone.
fn restless(timeframe: Timeframe, journal: Journal) -> impl Strategy {
    let mut count = 0_u64;
    By(timeframe, move |bar: &Bar, _| {
        count += 1;
        let close = bar.close.ticks_from(Price::ZERO, TICK_SIZE);
        let mixed = (close.unsigned_abs() ^ bar.volume ^ count).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let target = match mixed >> 60 {
            0..6 => Target::Long,
            6..12 => Target::Short,
            12..14 => Target::Flat,
            _ => return None,
        };
        let sign = if target == Target::Long { 1 } else { -1 };
        let entry = match mixed >> 57 & 7 {
            0 => OrderKind::Limit { price: price(close - 2 * sign) },
            1 => OrderKind::Limit { price: price(close + 2 * sign) },
            2 => OrderKind::Stop { trigger: price(close + 3 * sign) },
            3 => OrderKind::StopLimit {
                trigger: price(close + 2 * sign),
                price: price(close + 3 * sign),
            },
            _ => OrderKind::Market,
        };
        let bracket = match mixed >> 55 & 3 {
            0 => Bracket::default(),
            1 => Bracket { stop_loss_ticks: 5, profit_target_ticks: 0 },
            _ => Bracket { stop_loss_ticks: 4, profit_target_ticks: 6 },
        };
        let quantity = 1 + (mixed >> 50 & 3) as u32;
        let decision = Decision { target, quantity, entry, bracket };
        journal.push(Event::Decision(decision));
        Some(decision)
    })
}

/// Runs the stages and returns all events and, for each tick, how many there were after it.
fn run(setup: &Setup, ticks: &[Tick]) -> (Vec<Event>, Vec<usize>) {
    let mut journal = Journal::default();
    let mut pipeline = setup.pipeline(restless(setup.stages.timeframes[0], journal.clone()));
    let mut after = Vec::new();
    for tick in ticks {
        pipeline.on_tick(tick, &mut journal);
        after.push(journal.len());
    }
    pipeline.finish(ExitReason::EndOfData, &mut journal);
    drop(pipeline);
    (journal.0.take(), after)
}

/// One step of a market: milliseconds since the last tick, ticks of price, contracts, and whether
/// it is a history bar.
type Step = (i64, i64, u32, bool);

prop_compose! {
    /// Bursts, quiet minutes, silences, breaks between sessions, and a week's end.
    fn any_step()(
        kind in 0..100,
        milliseconds in 0_i64..1_000,
        ticks in -3_i64..=3,
        size in 1_u32..6,
        is_bar in prop::bool::weighted(0.3),
    ) -> Step {
        let gap = match kind {
            0..25 => 0,
            25..60 => milliseconds,
            60..90 => 60 * milliseconds,
            90..97 => 15 * 60 * milliseconds,
            97..99 => 20 * 3_600 * milliseconds,
            _ => 60 * 3_600 * milliseconds,
        };
        (gap, ticks, size, is_bar)
    }
}

/// The market that the steps make, from a Thursday afternoon on. The contract changes with the
/// sessions where `rolls`, and a step may be a history bar of a minute where `has_bars`.
fn market_of(steps: &[Step], rolls: bool, has_bars: bool) -> Vec<Tick> {
    let mut time = at("2024-01-04T20:30:00Z");
    let mut last = 19_000;
    let mut ticks = Vec::new();
    let mut session = Calendar::CmeEquityIndex.session_at_or_after(time);
    let mut contract = 0;
    for &(gap, change, size, is_bar) in steps {
        time = time + gap * 1_000_000;
        last += change;
        if time >= session.close {
            session = Calendar::CmeEquityIndex.session_at_or_after(time);
            time = time.max(session.open);
            contract += u16::from(rolls);
        }
        let mut add = |time, ticks_of_price, flags| {
            let tick = Tick::new(time, price(ticks_of_price), size);
            ticks.push(tick.with_contract(contract).with_flags(flags));
        };
        if has_bars && is_bar {
            let start = (time + (Timestamp::MINUTE - 1)).floor_to(Timestamp::MINUTE);
            let end = start + (Timestamp::MINUTE - 1);
            if end < session.close {
                add(start, last, TickFlags::BAR_OPEN);
                add(start + Timestamp::MINUTE / 3, last + 4, TickFlags::BAR_EXTREME);
                add(start + Timestamp::MINUTE / 2, last - 5, TickFlags::BAR_EXTREME);
                add(end, last + 1, TickFlags::BAR_CLOSE);
                (last, time) = (last + 1, end);
                continue;
            }
        }
        let flags = if gap > 900_000 { TickFlags::AFTER_GAP } else { TickFlags::NONE };
        add(time, last, flags);
    }
    ticks
}

prop_compose! {
    /// Real costs and delays, all rules at work.
    fn any_setup()(
        latency in prop_oneof![Just(0), Just(2_000_000), Just(3_000_000_000_i64)],
        flatten in prop::bool::ANY,
        touch in prop::bool::ANY,
        fill_gaps in prop_oneof![Just(0), Just(Timestamp::HOUR)],
    ) -> Setup {
        let mut setup = Setup::free();
        setup.stages.timeframes = vec![Timeframe::MINUTE_1, Timeframe::MINUTES_5];
        setup.stages.fill_gaps_up_to = fill_gaps;
        setup.stages.flatten_before_close = flatten.then_some(10 * Timestamp::MINUTE);
        setup.exchange.order_latency = latency;
        setup.exchange.acknowledgement_latency = latency / 2;
        setup.exchange.commission_per_side = Money::from_nanos(2_250_000_000);
        setup.exchange.slippage =
            Slippage { ticks: 1, cross_spread: true, assumed_spread_ticks: 1 };
        setup.exchange.limit_fill = if touch { LimitFill::Touch } else { LimitFill::Through };
        setup.rules.max_position_size = 3;
        setup.rules.max_daily_drawdown = 0.02;
        setup.rules.max_orders_per_second = 2;
        setup
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// A history cut off after tick `k`, and one that goes on differently, give the same bars,
    /// decisions, trades and equity until then as the whole one.
    #[test]
    fn the_future_changes_nothing_of_the_past(
        steps in prop::collection::vec(any_step(), 1..400),
        others in prop::collection::vec(any_step(), 1..100),
        cut in any::<prop::sample::Index>(),
        setup in any_setup(),
        rolls in prop::bool::ANY,
        has_bars in prop::bool::ANY,
    ) {
        let whole = market_of(&steps, rolls, has_bars);
        let cut = cut.index(whole.len());
        let (events, after) = run(&setup, &whole);

        let (cut_events, cut_after) = run(&setup, &whole[..=cut]);
        prop_assert_eq!(&cut_after[..], &after[..=cut]);
        prop_assert_eq!(&cut_events[..after[cut]], &events[..after[cut]]);
        // What the end closes is of the end: no earlier than the last tick.
        let last = whole[cut].time;
        for event in &cut_events[after[cut]..] {
            match event {
                Event::Trade(trade) if trade.exit_reason == ExitReason::EndOfData => {
                    prop_assert!(trade.exit_time >= last);
                }
                Event::Equity(point) => prop_assert!(point.time >= last),
                _ => {}
            }
        }

        let mut other = whole[..=cut].to_vec();
        let turned = market_of(&others, rolls, has_bars);
        let shift = last - turned[0].time + 1;
        other.extend(turned.iter().map(|tick| {
            let mut later = *tick;
            later.time = tick.time + shift;
            later
        }));
        let (other_events, other_after) = run(&setup, &other);
        prop_assert_eq!(&other_after[..=cut], &after[..=cut]);
        prop_assert_eq!(&other_events[..after[cut]], &events[..after[cut]]);
    }

    #[test]
    fn a_second_replay_is_the_first_one_again(
        steps in prop::collection::vec(any_step(), 1..300),
        setup in any_setup(),
        has_bars in prop::bool::ANY,
    ) {
        let ticks = market_of(&steps, true, has_bars);
        prop_assert_eq!(run(&setup, &ticks), run(&setup, &ticks));
    }

    /// With an order on every bar: each fills on the first tick that comes after the one that caused
    /// it and no earlier than the latency allows, at that tick's price.
    #[test]
    fn an_order_fills_on_the_first_tick_that_it_can_reach(
        steps in prop::collection::vec(any_step(), 1..300),
        latency in prop_oneof![Just(0), Just(1), Just(2_000_000), Just(5_000_000_000_i64)],
    ) {
        let ticks = market_of(&steps, false, false);
        let mut setup = Setup::free();
        setup.exchange.order_latency = latency;
        let decisions = Rc::new(RefCell::new(Vec::new()));
        let now = Rc::new(Cell::new((0, Timestamp::MIN)));
        let strategy = {
            let (decisions, now) = (Rc::clone(&decisions), Rc::clone(&now));
            By(Timeframe::MINUTE_1, move |bar: &Bar, position| {
                // In and out in turn; what is under way is left alone.
                let mut decisions = decisions.borrow_mut();
                if decisions.len() as i64 % 2 != position {
                    return None;
                }
                let close = Calendar::CmeEquityIndex.session_at_or_after(bar.start).close;
                let (index, time) = now.get();
                // The last bar of a session closes at its end, before the tick that tells us so.
                let is_before_tick = time >= close;
                if position == 0 && (is_before_tick || time > close + -10 * Timestamp::MINUTE) {
                    return None;
                }
                decisions.push(if is_before_tick { (index, close) } else { (index + 1, time) });
                Some(if position == 0 { market(Target::Long, 1) } else { Decision::FLAT })
            })
        };
        let mut pipeline = setup.pipeline(strategy);
        let mut log = assembly::Log::default();
        for (index, tick) in ticks.iter().enumerate() {
            now.set((index, tick.time));
            pipeline.on_tick(tick, &mut log);
        }
        drop(pipeline);
        let decisions = decisions.borrow();
        for (trade, pair) in log.trades.iter().zip(decisions.chunks_exact(2)) {
            for (decided, filled, paid) in [
                (pair[0], trade.entry_time, trade.entry_price),
                (pair[1], trade.exit_time, trade.exit_price),
            ] {
                let (next, time) = decided;
                let first = ticks[next..].iter().find(|tick| tick.time >= time + latency).unwrap();
                prop_assert_eq!((filled, paid), (first.time, first.price));
            }
        }
    }
}
