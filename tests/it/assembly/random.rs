//! Random markets, a strategy that trades them a lot, and random settings to do it under.

use algospace_hft::execution::{Bracket, Decision, LimitFill, OrderKind, Slippage, Target};
use algospace_hft::market::{Bar, Calendar, Money, Price, Tick, TickFlags, Timeframe, Timestamp};
use algospace_hft::strategy::Strategy;
use proptest::prelude::*;

use super::{By, Setup, TICK_SIZE, at, price};

/// Trades a lot, in every kind of order, by what the bar looks like alone.
pub fn restless(
    timeframe: Timeframe,
    mut decided: impl FnMut(Decision) + Send,
) -> impl Strategy + Send {
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
        decided(decision);
        Some(decision)
    })
}

/// One step of a market: milliseconds since the last tick, ticks of price, contracts, and whether
/// it is a history bar.
pub type Step = (i64, i64, u32, bool);

prop_compose! {
    /// Bursts, quiet minutes, silences, breaks between sessions, and a week's end.
    pub fn any_step()(
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
pub fn market_of(steps: &[Step], rolls: bool, has_bars: bool) -> Vec<Tick> {
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
    pub fn any_setup()(
        latency in prop_oneof![Just(0), Just(2_000), Just(3_000_000_u32)],
        flatten in prop::bool::ANY,
        touch in prop::bool::ANY,
        fill_gaps in prop_oneof![Just(0), Just(Timestamp::HOUR)],
    ) -> Setup {
        let mut setup = Setup::free();
        setup.stages.timeframes = vec![Timeframe::MINUTE_1, Timeframe::MINUTES_5];
        setup.stages.fill_gaps_up_to = fill_gaps;
        setup.stages.flatten_before_close = flatten.then_some(10 * Timestamp::MINUTE);
        setup.exchange.order_latency_microseconds = latency;
        setup.exchange.acknowledgement_latency_microseconds = latency / 2;
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
