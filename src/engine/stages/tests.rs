//! The stages together, over random ticks and random decisions.

use super::super::message::Output;
use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::*;
use crate::engine::message::{Action, DecisionTiming};
use crate::execution::{
    Account, Bracket, Decision, EquityPoint, ExecutionSettings, OrderKind, RiskSettings, Target,
    Trade, Venue,
};
use crate::features::IndicatorSettings;
use crate::market::{Calendar, Instrument, Money, Side, TickFlags, Timeframe, Timestamp};
use crate::matrix::MatricesSettings;

const TICK_SIZE: Price = Price::from_units(250_000_000);
const CAPITAL: Money = Money::from_dollars(10_000);
const MOST: u32 = 3;
const MIDDLE: i64 = 18_000;

fn price(ticks: i64) -> Price {
    Price::ZERO.offset_ticks(ticks, TICK_SIZE)
}

/// Decides by a script, one entry a bar.
#[derive(Clone, Debug)]
struct Script {
    decisions: Vec<Option<Decision>>,
    bars: usize,
}

impl crate::strategy::Strategy for Script {
    fn timeframe(&self) -> Timeframe {
        Timeframe::MINUTE_1
    }
    fn on_bar(&mut self, bar: &Bar, _: u64, _: &Account) -> Option<Decision> {
        self.bars += 1;
        let mut decision = self.decisions[self.bars % self.decisions.len()]?;
        // Scripted prices are offsets from the close.
        let from_close =
            |offset: &mut Price| *offset = Price::from_units(bar.close.units() + offset.units());
        match &mut decision.entry {
            OrderKind::Market => {}
            OrderKind::Limit { price } => from_close(price),
            OrderKind::Stop { trigger } => from_close(trigger),
            OrderKind::StopLimit { trigger, price } => {
                from_close(trigger);
                from_close(price);
            }
        }
        Some(decision)
    }
    fn restart(&mut self) {}
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Seen {
    bars: Vec<Bar>,
    trades: Vec<Trade>,
    equity: Vec<EquityPoint>,
    /// Bits of every feature row.
    features: Vec<Vec<u64>>,
}

impl Sink for Seen {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Bar(bar) => self.bars.push(*bar),
            Output::Action(Action::Trade(trade)) => self.trades.push(*trade),
            Output::Equity(point) => self.equity.push(*point),
            Output::Features(stage) => {
                let row = stage.engine().row();
                self.features.push(row.values.iter().map(|value| value.to_bits()).collect());
            }
            _ => {}
        }
    }
}

#[derive(Clone, Debug)]
struct Setup {
    decisions: Vec<Option<Decision>>,
    order_latency_microseconds: u32,
    acknowledgement_latency_microseconds: u32,
    flatten: bool,
    drawdown: f64,
    expiries: Vec<Timestamp>,
}

fn pipeline(setup: &Setup) -> Pipeline<Script> {
    let point_value = Money::from_dollars(50);
    let rules = RiskSettings {
        max_position_size: MOST,
        max_daily_drawdown: setup.drawdown,
        max_orders_per_second: 5,
        price_collar_ticks: 1_000,
        ..RiskSettings::default()
    };
    let exchange = SimulatedExchange::new(
        ExecutionSettings {
            order_latency_microseconds: setup.order_latency_microseconds,
            acknowledgement_latency_microseconds: setup.acknowledgement_latency_microseconds,
            commission_per_side: Money::from_dollars(2),
            ..ExecutionSettings::default()
        },
        TICK_SIZE,
        point_value,
    );
    let settings = PipelineSettings {
        calendar: Calendar::CmeEquityIndex,
        timeframes: vec![Timeframe::MINUTE_1, Timeframe::MINUTES_5],
        fill_gaps_up_to: Timestamp::HOUR,
        history_bar: 0,
        flatten_before_close: setup.flatten.then_some(5 * Timestamp::MINUTE),
        expiries: setup.expiries.clone(),
        prices_are_joined: false,
        decisions: DecisionTiming::After(0),
        trades_from: Timestamp::MIN,
    };
    let desk = Desk::new(CAPITAL, TICK_SIZE, point_value, rules);
    let script = Script { decisions: setup.decisions.clone(), bars: 0 };
    // A profile that is whole after three bars.
    let mut indicators = IndicatorSettings::default();
    indicators.low_volume_node.window = 3;
    indicators.low_volume_node.order = 1;
    indicators.low_volume_node.row_ticks = 1;
    indicators.timeframes.low_volume_node = Some(settings.timeframes.clone());
    indicators.timeframes.moving_statistics = Some(vec![Timeframe::MINUTE_1]);
    let features = FeatureStage::new(
        &indicators,
        &MatricesSettings::default(),
        &settings.timeframes,
        &Instrument::built_in("ES").unwrap(),
        true,
    );
    Pipeline::new(settings, features.unwrap(), script, desk, exchange)
}

fn any_decision() -> impl Strategy<Value = Option<Decision>> {
    let offset = || (-6i64..7).prop_map(price);
    let entry = prop_oneof![
        4 => Just(OrderKind::Market),
        1 => offset().prop_map(|price| OrderKind::Limit { price }),
        1 => offset().prop_map(|trigger| OrderKind::Stop { trigger }),
        1 => (offset(), offset()).prop_map(|(trigger, price)| OrderKind::StopLimit { trigger, price }),
    ];
    let target = prop_oneof![Just(Target::Long), Just(Target::Short), Just(Target::Flat)];
    let bracket = (0u32..8, 0u32..8).prop_map(|(stop_loss_ticks, profit_target_ticks)| Bracket {
        stop_loss_ticks,
        profit_target_ticks,
    });
    prop::option::weighted(
        0.6,
        (target, 1u32..MOST + 2, entry, bracket).prop_map(|(target, quantity, entry, bracket)| {
            Decision { target, quantity, entry, bracket }
        }),
    )
}

fn any_setup() -> impl Strategy<Value = Setup> {
    (
        prop::collection::vec(any_decision(), 1..12),
        0u32..90,
        0u32..90,
        any::<bool>(),
        prop_oneof![Just(0.9), Just(0.05), Just(0.01)],
        prop::option::weighted(0.3, 0i64..100_000),
    )
        .prop_map(|(decisions, order, back, flatten, drawdown, expiry)| Setup {
            decisions,
            order_latency_microseconds: order * 1_000_000,
            acknowledgement_latency_microseconds: back * 1_000_000,
            flatten,
            drawdown,
            expiries: expiry
                .map(|seconds| START + seconds * Timestamp::SECOND)
                .into_iter()
                .collect(),
        })
}

/// Tuesday 2024-01-09, 15:00 in Chicago: an hour before the session's close.
const START: Timestamp = Timestamp::from_nanos(1_704_834_000_000_000_000);

/// Ticks with silences of seconds, minutes and hours; every second session is another contract.
fn any_ticks() -> impl Strategy<Value = Vec<Tick>> {
    let gap = prop_oneof![
        20 => 0i64..20,
        4 => 20i64..200,
        1 => 200i64..4_000,
        1 => 10_000i64..60_000,
    ];
    prop::collection::vec((gap, -3i64..4, 1u32..4), 1..300).prop_map(|steps| {
        let (mut time, mut market) = (START, MIDDLE);
        let mut sessions = 0u16;
        let mut close = Timestamp::MIN;
        steps
            .into_iter()
            .map(|(gap, step, size)| {
                time = time + gap * Timestamp::SECOND;
                market += step;
                let session = Calendar::CmeEquityIndex.session_at_or_after(time);
                if session.close != close {
                    close = session.close;
                    sessions += 1;
                }
                Tick::new(time, price(market), size)
                    .with_aggressor((step > 0).then_some(Side::Buy))
                    .with_contract(sessions / 2)
            })
            .collect()
    })
}

/// The ticks of minute bars of one or more contracts, some minutes missing.
fn any_bar_ticks() -> impl Strategy<Value = Vec<Tick>> {
    let gap = prop_oneof![20 => 1i64..2, 2 => 2i64..90, 1 => 90i64..900];
    prop::collection::vec((gap, -3i64..4, 0i64..4, 0i64..4, -3i64..4, 1u32..4), 1..80).prop_map(
        |steps| {
            let (mut time, mut market) = (START, MIDDLE);
            let mut ticks = Vec::new();
            for (gap, gap_ticks, up, down, step, size) in steps {
                time = time + gap * Timestamp::MINUTE;
                let open = market + gap_ticks;
                market = open + step;
                let (high, low) = (open.max(market) + up, open.min(market) - down);
                let parts = [
                    (Timestamp::MINUTE / 4, open, TickFlags::BAR_OPEN),
                    (Timestamp::MINUTE / 2, high, TickFlags::BAR_EXTREME),
                    (Timestamp::MINUTE / 4 * 3, low, TickFlags::BAR_EXTREME),
                    (Timestamp::MINUTE - 1, market, TickFlags::BAR_CLOSE),
                ];
                for (after, at, flags) in parts {
                    ticks.push(Tick::new(time + after, price(at), size).with_flags(flags));
                }
            }
            ticks
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::sampling::runs(250, 1000)))]

    /// The fast lane for calm ticks changes nothing; the books balance; no order is
    /// waited for that is not there; the account is recorded in order of time.
    #[test]
    fn holds_over_random_ticks_and_decisions(setup in any_setup(), ticks in prop_oneof![any_ticks(), any_bar_ticks()]) {
        let (mut fast, mut slow) = (pipeline(&setup), pipeline(&setup));
        let (mut seen, mut seen_slowly) = (Seen::default(), Seen::default());
        for tick in &ticks {
            fast.on_tick(tick, &mut seen);
            slow.trading.forget_calm();
            slow.on_tick(tick, &mut seen_slowly);
            prop_assert!(fast.trading.venue().position().unsigned_abs() <= u64::from(MOST));
            let nothing_comes = fast.trading.venue().orders() == 0 && fast.trading.venue().next_report() == Timestamp::MAX;
            if nothing_comes {
                prop_assert_eq!(fast.trading.desk().ledger().position(), fast.trading.venue().position());
                if fast.trading.venue().position() == 0 {
                    prop_assert!(!fast.trading.desk().is_waiting(), "{:?}", fast.trading.desk());
                }
            }
        }
        fast.finish(ExitReason::EndOfData, &mut seen);
        slow.finish(ExitReason::EndOfData, &mut seen_slowly);
        prop_assert_eq!(&seen, &seen_slowly);
        prop_assert_eq!(fast.sessions(), slow.sessions());
        prop_assert_eq!(fast.trading.desk().ledger().position(), 0);
        let net: Money = seen.trades.iter().map(Trade::net_pnl).sum();
        prop_assert_eq!(fast.trading.desk().ledger().cash(), CAPITAL + net);
        if let Some(end) = seen.equity.last() {
            prop_assert_eq!(end.equity, CAPITAL + net);
            prop_assert!(seen.equity.is_sorted_by_key(|point| point.time));
        }
        for trade in &seen.trades {
            prop_assert!(trade.entry_time <= trade.exit_time);
        }
        for timeframe in [Timeframe::MINUTE_1, Timeframe::MINUTES_5] {
            let bars: Vec<_> = seen.bars.iter().filter(|bar| bar.timeframe == timeframe).collect();
            prop_assert!(bars.is_sorted_by(|a, b| a.end <= b.start));
        }
    }
}
