//! The oracle: one contract's earnings for a trader who sees the hidden regimes.

use crate::market::{Instrument, Money};

use super::fair_price::{DRIFT_SCALE, Grid};
use super::regimes::Regime;

/// The oracle's cost of a contract bought or sold: half a tick of ES and a commission of $2.25. It
/// enters the reported profit only, not the ticks.
pub(super) const ORACLE_COST_PER_SIDE: Money = Money::from_nanos(8_500_000_000);

/// The profit of an oracle that trades one contract and knows at every moment the regime, the fair
/// price and the range's anchor, but no draw that is still to come.
///
/// It is long in an upward trend, short in a downward one, flat in a volatile stretch. It enters a
/// range flat and turns towards the anchor (long below it, short above) whenever the fair price is
/// half of the range's standard deviation or more away from it. It holds through session breaks and
/// is closed at the last print. It fills at the print after its decision and pays $8.50 for each
/// contract bought or sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleResult {
    /// Contracts bought and sold.
    pub sides: u64,
    /// `sides` × the cost of one.
    pub costs: Money,
    /// Expected profit after costs: the sum, over every step of the fair price, of the oracle's
    /// position times the step's expectation given all that was before it, less the costs. It knows
    /// the path's regimes but is free of the luck of its coins; this is what is reported as the
    /// best attainable profit.
    pub expected_net: Money,
    /// Profit of its trades at the prints, after costs: `expected_net` plus luck of mean 0.
    pub realized_net: Money,
}

/// Keeps the oracle's books, trade by trade.
#[derive(Clone, Debug)]
pub(super) struct Oracle {
    band_units: i64,
    target: i64,
    position: i64,
    last_print: i64,
    /// In units of F / [`DRIFT_SCALE`].
    expected: i128,
    realized_ticks: i64,
    sides: u64,
}

impl Oracle {
    pub(super) fn new(range_deviation_ticks: f64, grid: &Grid) -> Oracle {
        let band = 0.5 * range_deviation_ticks * grid.units_per_tick as f64;
        Oracle {
            band_units: band.ceil() as i64,
            target: 0,
            position: 0,
            last_print: 0,
            expected: 0,
            realized_ticks: 0,
            sides: 0,
        }
    }

    pub(super) fn regime_begins(&mut self, regime: Regime) {
        self.target = match regime {
            Regime::TrendUp => 1,
            Regime::TrendDown => -1,
            Regime::Range | Regime::Volatile => 0,
        };
    }

    /// Takes a position in a range, with F this number of units above the anchor.
    #[inline]
    pub(super) fn in_range(&mut self, above_anchor: i64) {
        if above_anchor.abs() >= self.band_units {
            self.target = -above_anchor.signum();
        }
    }

    /// Takes a trade printed at `print` ticks, after F moved with the expectation `drift`. What the
    /// oracle wanted before the trade fills at it.
    #[inline]
    pub(super) fn trade(&mut self, print: i64, drift: i64) {
        if self.position != 0 {
            self.expected += i128::from(self.position * drift);
            self.realized_ticks += self.position * (print - self.last_print);
        }
        self.last_print = print;
        self.sides += self.target.abs_diff(self.position);
        self.position = self.target;
    }

    /// Returns the result if the position is closed at the last print.
    pub(super) fn result(
        &self,
        instrument: &Instrument,
        grid: &Grid,
        cost_per_side: Money,
    ) -> OracleResult {
        let sides = self.sides + self.position.unsigned_abs();
        let costs = cost_per_side * sides as i64;
        let tick_value = instrument.tick_value();
        let units_a_tick = grid.units_per_tick as i128 * i128::from(DRIFT_SCALE);
        let expected = self.expected * i128::from(tick_value.nanos()) / units_a_tick;
        OracleResult {
            sides,
            costs,
            expected_net: Money::from_nanos(expected as i64) - costs,
            realized_net: tick_value * self.realized_ticks - costs,
        }
    }
}
