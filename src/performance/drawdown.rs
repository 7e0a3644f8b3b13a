//! Drawdowns: depth and length of equity below its highest point.

use crate::execution::EquityPoint;
use crate::market::Money;

/// The largest falls of an account. Before the first point it stands at the initial capital.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Drawdown {
    /// Largest fall from the highest point before (≥ 0).
    pub amount: Money,
    /// Largest fall as a fraction of the highest point before.
    pub fraction: f64,
    /// Nanoseconds of the longest time from a highest point until it is reached again, or until the
    /// last point.
    pub longest: i64,
}

impl Drawdown {
    /// Returns the largest falls; `None` without points.
    pub(super) fn of(capital: Money, equity: &[EquityPoint]) -> Option<Drawdown> {
        let first = equity.first()?;
        let mut peak = capital;
        let mut peak_time = first.time;
        let mut worst = Drawdown { amount: Money::ZERO, fraction: 0.0, longest: 0 };
        let mut below = false;
        for point in equity {
            if below {
                worst.longest = worst.longest.max(point.time - peak_time);
            }
            if point.equity >= peak {
                peak = point.equity;
                peak_time = point.time;
                below = false;
                continue;
            }
            below = true;
            worst.longest = worst.longest.max(point.time - peak_time);
            let fall = peak - point.equity;
            worst.amount = worst.amount.max(fall);
            if peak > Money::ZERO {
                worst.fraction = worst.fraction.max(fall.as_f64() / peak.as_f64());
            }
        }
        Some(worst)
    }
}

/// Returns the fall from the highest equity before, at each point, as a positive amount.
pub(super) fn drawdowns(capital: Money, equity: &[EquityPoint]) -> impl Iterator<Item = Money> {
    equity.iter().scan(capital, |peak, point| {
        *peak = (*peak).max(point.equity);
        Some(*peak - point.equity)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Price, Timestamp};

    fn points(equities: &[(i64, i64)]) -> Vec<EquityPoint> {
        equities
            .iter()
            .map(|&(second, dollars)| EquityPoint {
                time: Timestamp::from_nanos(second * Timestamp::SECOND),
                cash: Money::from_dollars(dollars),
                position: 0,
                mark: Price::ZERO,
                equity: Money::from_dollars(dollars),
            })
            .collect()
    }

    #[test]
    fn is_that_of_an_example_worked_by_hand() {
        // Capital 100. Peaks: 100, 120 (at 2 s), 125 (at 9 s).
        // Falls: 100→90 is 10 (10 %), 120→105 is 15 (12.5 %), 125→109 is 16 (12.8 %).
        // Times: 120 of 2 s is reached again at 8 s (6 s); 125 of 9 s never, to 12 s (3 s).
        let equity = points(&[
            (0, 90),
            (1, 100),
            (2, 120),
            (3, 110),
            (5, 105),
            (8, 120),
            (9, 125),
            (11, 109),
            (12, 118),
        ]);
        let capital = Money::from_dollars(100);
        let drawdown = Drawdown::of(capital, &equity).unwrap();
        assert_eq!(drawdown.amount, Money::from_dollars(16));
        assert!((drawdown.fraction - 0.128).abs() < 1e-12);
        assert_eq!(drawdown.longest, 6 * Timestamp::SECOND);
        let each: Vec<i64> =
            drawdowns(capital, &equity).map(|fall| fall.nanos() / Money::SCALE).collect();
        assert_eq!(each, [10, 0, 0, 10, 15, 0, 0, 16, 7]);
    }

    #[test]
    fn of_an_account_that_only_rises_is_zero_and_of_none_at_all_unknown() {
        let rising = Drawdown::of(Money::from_dollars(1), &points(&[(0, 1), (1, 2), (2, 2)]));
        let nothing = Drawdown { amount: Money::ZERO, fraction: 0.0, longest: 0 };
        assert_eq!(rising, Some(nothing));
        assert_eq!(Drawdown::of(Money::from_dollars(1), &[]), None);
    }
}
