//! Statistics against other programs' figures; `tests/oracles/performance_oracle.py` made them.

use crate::sample_run::empty_run;
use algospace_hft::execution::{EquityPoint, ExitReason, Trade};
use algospace_hft::market::{Calendar, Money, Price, Side, Timestamp};
use algospace_hft::performance::{RunRecord, Statistics, Summary};
use serde_json::Value;

fn money(value: &Value) -> Money {
    Money::from_f64(value.as_f64().unwrap()).unwrap()
}

fn price(value: &Value) -> Price {
    Price::from_f64(value.as_f64().unwrap()).unwrap()
}

#[test]
fn agree_with_empyrical_quantstats_and_pandas() {
    let fixture: Value =
        serde_json::from_str(include_str!("../fixtures/performance_oracle.json")).unwrap();
    let mut run = empty_run();
    run.initial_capital = money(&fixture["capital"]);
    run.point_value = money(&fixture["point_value"]);
    // The oracle's days are weekdays, one after the other; here each is a session.
    let mut session = run.calendar.session_at_or_after("2013-01-02T12:00:00Z".parse().unwrap());
    let mut next_close = || {
        let close = session.close;
        session = run.calendar.session_at_or_after(close);
        close
    };
    run.equity = fixture["equity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| EquityPoint {
            time: next_close(),
            cash: money(&point[1]),
            position: 0,
            mark: Price::ZERO,
            equity: money(&point[1]),
        })
        .collect();
    // Only the last point of a trading day counts for daily figures.
    let mut earlier = run.equity[0];
    earlier.time = earlier.time.saturating_add(-3 * Timestamp::HOUR);
    run.equity.insert(0, earlier);
    run.trades = fixture["trades"]
        .as_array()
        .unwrap()
        .iter()
        .zip(1..)
        .map(|(trade, id)| Trade {
            id,
            contract: 0,
            side: Side::Buy,
            quantity: trade["quantity"].as_u64().unwrap() as u32,
            entry_time: Timestamp::from_nanos(0),
            entry_price: price(&trade["entry"]),
            exit_time: Timestamp::from_nanos(1),
            exit_price: price(&trade["exit"]),
            exit_reason: ExitReason::Signal,
            gross_pnl: money(&trade["gross"]),
            costs: money(&trade["costs"]),
            mfe: Money::ZERO,
            mae: Money::ZERO,
            bars_held: 0,
            slippage: Money::ZERO,
        })
        .collect();
    // The fixture says nothing of how long the market was open.
    let undefined: Vec<String> = Statistics::of(&run).undefined.into_keys().collect();
    assert_eq!(undefined, ["exposure"]);
    let statistics = serde_json::to_value(Statistics::of(&run)).unwrap();
    let expected = fixture["expected"].as_object().unwrap();
    assert_eq!(expected.len(), 20);
    for (name, expected) in expected {
        let (found, expected) = (statistics[name].as_f64().unwrap(), expected.as_f64().unwrap());
        assert!((found / expected - 1.0).abs() < 1e-9, "{name}: {found}, not {expected}");
    }
}

#[test]
fn a_ruined_account_has_no_returns_and_a_steady_one_no_sharpe_ratio() {
    let account = |dollars: &[i64]| {
        let mut run = empty_run();
        let days = dollars.iter().zip(1..);
        run.equity = days
            .map(|(&dollars, day)| EquityPoint {
                // Noon of days from Monday on.
                time: Timestamp::from_nanos(
                    (day + 3) * 24 * Timestamp::HOUR + 12 * Timestamp::HOUR,
                ),
                cash: Money::from_dollars(dollars),
                position: 0,
                mark: Price::ZERO,
                equity: Money::from_dollars(dollars),
            })
            .collect();
        Statistics::of(&run)
    };
    let ruined = account(&[50_000, -1_000, 2_000]);
    assert_eq!((ruined.sharpe, ruined.cagr, ruined.volatility), (None, None, None));
    assert_eq!(ruined.max_drawdown, Some(101_000.0));
    assert_eq!(ruined.max_drawdown_fraction, Some(1.01));
    let steady = account(&[110_000, 121_000, 133_100]);
    assert_eq!((steady.sharpe, steady.sortino, steady.calmar), (None, None, None));
    assert_eq!((steady.days, steady.cagr), (3, None));
    assert_eq!(steady.undefined["cagr"], "too few days: 3 of the 126 that it takes");
    assert_eq!(steady.undefined["sharpe"], "the returns of all days are equal");
    let one_day = account(&[110_000]);
    assert_eq!((one_day.sharpe, one_day.cagr), (None, None));
}

/// An account that gains a thousandth a day, but loses one on every `loses`-th, from the given
/// first day on.
fn account_of(calendar: Calendar, days: i64, loses: i64, first_result: i64) -> RunRecord {
    let mut run = empty_run();
    run.calendar = calendar;
    let mut equity = 100_000.0;
    run.equity = (0..days)
        .map(|day| {
            let sign = if day % loses == loses - 1 { -1.0 } else { 1.0 };
            equity *= if day < first_result { 1.0 } else { 1.0 + 0.001 * sign };
            EquityPoint {
                // Noon of the exchange, day after day.
                time: Timestamp::from_nanos(
                    (20_000 + day) * 24 * Timestamp::HOUR + 18 * Timestamp::HOUR,
                ),
                cash: Money::from_f64(equity).unwrap(),
                position: 0,
                mark: Price::ZERO,
                equity: Money::from_f64(equity).unwrap(),
            }
        })
        .collect();
    run
}

#[test]
fn a_market_that_trades_every_day_has_a_year_of_365() {
    let run = account_of(Calendar::AlwaysOpen, 200, 5, 0);
    let (found, net) = (Statistics::of(&run), run.equity.last().unwrap().equity.as_f64() / 1e5);
    assert_eq!(found.days, 200);
    let cagr = net.powf(365.0 / 200.0) - 1.0;
    assert!((found.cagr.unwrap() / cagr - 1.0).abs() < 1e-9, "{found:?}");
    // 160 days of +0.001 and 40 of −0.001: mean 0.0006, deviation from 200 squares.
    let deviation = ((160.0 * 0.0004_f64.powi(2) + 40.0 * 0.0016_f64.powi(2)) / 199.0).sqrt();
    let sharpe = 0.0006 / deviation * 365_f64.sqrt();
    assert!((found.sharpe.unwrap() / sharpe - 1.0).abs() < 1e-6, "{found:?}");
    let sortino = 0.0006 / (40.0 * 0.001_f64.powi(2) / 200.0).sqrt() * 365_f64.sqrt();
    assert!((found.sortino.unwrap() / sortino - 1.0).abs() < 1e-6, "{found:?}");
}

#[test]
fn figures_that_the_days_cannot_carry_are_none_and_say_why() {
    let undefined =
        |days, loses| Statistics::of(&account_of(Calendar::AlwaysOpen, days, loses, 0)).undefined;
    let few = undefined(181, 2);
    for name in ["sortino", "calmar", "cagr"] {
        assert_eq!(few[name], "too few days: 181 of the 182 that it takes", "{name}");
    }
    assert!(!few.contains_key("sharpe") && !few.contains_key("volatility"));
    let enough = undefined(182, 2);
    assert!(["sortino", "calmar", "cagr"].iter().all(|name| !enough.contains_key(*name)));
    // Nine losing days in half a year.
    let rare = undefined(189, 21);
    assert_eq!(rare["sortino"], "too few losing days: 9 of the 10 that it takes");
    assert!(!rare.contains_key("calmar"));
}

/// The audit's case: one trade in 29 days gave a Sharpe ratio "between −6.90 and −3.74".
#[test]
fn one_day_with_a_result_has_no_interval_of_its_sharpe_ratio() {
    let with = |first_result| Summary::of(&account_of(Calendar::AlwaysOpen, 29, 50, first_result));
    let one = with(28);
    assert!(one.statistics.sharpe.is_some());
    assert_eq!(one.confidence_intervals.sharpe, None);
    let why = &one.statistics.undefined["confidence_intervals.sharpe"];
    assert_eq!(why, "too few days with a result: 1 of the 10 that it takes");
    assert_eq!(with(20).confidence_intervals.sharpe, None);
    assert!(with(19).confidence_intervals.sharpe.is_some());
}

/// Days on which the strategy could only watch are no days with a return of zero.
#[test]
fn days_count_from_the_first_on_which_something_could_be_decided() {
    let mut waiting = account_of(Calendar::AlwaysOpen, 40, 3, 10);
    let ready = waiting.equity[10].time;
    waiting.decides_from = Some(ready);
    let found = Statistics::of(&waiting);
    waiting.equity.drain(..10);
    let alone = Statistics::of(&waiting);
    assert_eq!((found.days, found.sharpe), (30, alone.sharpe));
    waiting.decides_from = None;
    let never = Statistics::of(&waiting);
    assert_eq!((never.days, never.sharpe), (0, None));
    assert_eq!(never.undefined["sharpe"], "no decision was possible on any day");
}
