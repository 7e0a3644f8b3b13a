//! Statistics against other programs' figures; `tests/oracles/performance_oracle.py` made them.

use crate::sample_run::empty_run;
use algospace_hft::market::{Money, Price, Side, Timestamp};
use algospace_hft::performance::{EquityPoint, ExitReason, Statistics, Trade};
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
    run.equity = fixture["equity"]
        .as_array()
        .unwrap()
        .iter()
        .map(|point| EquityPoint {
            time: point[0].as_str().unwrap().parse().unwrap(),
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
                time: Timestamp::from_nanos(day * 24 * Timestamp::HOUR),
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
    assert_eq!(steady.days, 3);
    assert!(steady.cagr.unwrap() > 1.0);
    let one_day = account(&[110_000]);
    assert_eq!((one_day.sharpe, one_day.cagr), (None, None));
}
