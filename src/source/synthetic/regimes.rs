//! The hidden regimes: their times, and the way in which each moves the fair price.

use crate::market::{Session, Timestamp};
use crate::random::Random;

use super::fair_price::{COIN_HALF, Grid};
use super::settings::Settings;

/// The market's behaviour for some hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Regime {
    /// The fair price drifts up.
    TrendUp,
    /// The fair price drifts down.
    TrendDown,
    /// The fair price is drawn back to where the range began.
    Range,
    /// Twice the trades and about twice the volatility, without any drift.
    Volatile,
}

impl Regime {
    /// Returns the name as written to the file of regimes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TrendUp => "trend_up",
            Self::TrendDown => "trend_down",
            Self::Range => "range",
            Self::Volatile => "volatile",
        }
    }

    /// Returns the regime that follows, by the low bits of `word`.
    ///
    /// Embedded chain: trend → the other trend ¼, range ½, volatile ¼; range → each trend ⅜,
    /// volatile ¼; volatile → each trend ¼, range ½. In the long run 7 of 15 regimes are trends, 5
    /// ranges, 3 volatile.
    fn next(self, word: u32) -> Regime {
        let eighth = word & 7;
        match (self, eighth) {
            (Self::TrendUp, 0..2) => Self::TrendDown,
            (Self::TrendDown, 0..2) => Self::TrendUp,
            (Self::TrendUp | Self::TrendDown, 2..6) => Self::Range,
            (Self::Range, 0..3) | (Self::Volatile, 0..2) => Self::TrendUp,
            (Self::Range, 3..6) | (Self::Volatile, 2..4) => Self::TrendDown,
            (Self::Volatile, _) => Self::Range,
            (_, _) => Self::Volatile,
        }
    }

    /// Trades relative to a trend.
    const fn trades(self) -> f64 {
        match self {
            Self::TrendUp | Self::TrendDown => 1.0,
            Self::Range => 0.8,
            Self::Volatile => 2.0,
        }
    }
}

/// One regime from its start to the next one's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RegimeStretch {
    /// Its first instant.
    pub start: Timestamp,
    /// The regime.
    pub regime: Regime,
    /// Hours of trading that it lasted; for the last one, so far.
    pub hours: f64,
    /// The fair price's expected move in it, in ticks: the sum of every step's expectation given
    /// all that was before the step.
    pub drift_ticks: f64,
}

/// However far F is from the anchor, the coin keeps a quarter for the way that leads farther away.
const LARGEST_BIAS: i64 = COIN_HALF as i64 / 2;

/// Events in half an hour of average activity in a regular session: a thirteenth of three quarters
/// of 340,000, to the nearest thousand.
const EVENTS_PER_HALF_HOUR: f64 = 20_000.0;

/// The regimes of a market, in order of time.
#[derive(Debug)]
pub(super) struct RegimeProcess {
    random: Random,
    mean_hours: [f64; 3],
    mean_trades: f64,
    /// Bias of the coin in an upward trend.
    trend_bias: i32,
    /// Bias of the coin in a range for each unit of F below the anchor, in 1024ths.
    range_bias: i64,
    regime: Regime,
    /// F at the start of the regime, in its units.
    anchor: i64,
    change_at: Timestamp,
    /// Trading time left at the last session's close, in nanoseconds.
    left: i64,
}

impl RegimeProcess {
    pub(super) fn new(
        settings: &Settings,
        grid: &Grid,
        mut random: Random,
        fair_units: i64,
    ) -> RegimeProcess {
        let regime = Regime::Volatile.next(random.next_u32());
        let edge = &settings.market;
        let mean_hours = [edge.trend_hours, edge.range_hours, settings.volatile_hours];
        // Regimes in 15 × hours of each kind.
        let weights = [7.0 * mean_hours[0], 5.0 * mean_hours[1], 3.0 * mean_hours[2]];
        let kinds = [Regime::TrendUp, Regime::Range, Regime::Volatile];
        let trades: f64 = weights.iter().zip(kinds).map(|(w, kind)| w * kind.trades()).sum();
        let trend = edge.trend_ticks_per_half_hour / EVENTS_PER_HALF_HOUR;
        // An autoregression of rate k and variance v an event settles at a variance of v / 2k.
        let deviation = settings.range_deviation_ticks;
        let rate = grid.variance_per_event() / (2.0 * deviation * deviation);
        let range_bias = grid.bias_for(rate) / grid.units_per_tick as f64;
        let mut process = RegimeProcess {
            random,
            mean_hours,
            mean_trades: trades / weights.iter().sum::<f64>(),
            trend_bias: grid.bias_for(trend).round() as i32,
            range_bias: (1024.0 * range_bias).round() as i64,
            regime,
            anchor: fair_units,
            change_at: Timestamp::MIN,
            left: 0,
        };
        process.left = process.draw_duration();
        process
    }

    fn draw_duration(&mut self) -> i64 {
        let mean = match self.regime {
            Regime::TrendUp | Regime::TrendDown => self.mean_hours[0],
            Regime::Range => self.mean_hours[1],
            Regime::Volatile => self.mean_hours[2],
        };
        let hours = mean * (0.5 + 0.5 * self.random.exponential());
        // At least a nanosecond, so that time moves on.
        ((hours * Timestamp::HOUR as f64) as i64).max(1)
    }

    pub(super) fn regime(&self) -> Regime {
        self.regime
    }

    /// Trades now, relative to the average over all regimes.
    pub(super) fn activity(&self) -> f64 {
        self.regime.trades() / self.mean_trades
    }

    pub(super) fn open(&mut self, session: &Session) {
        self.change_at = session.open.saturating_add(self.left);
    }

    pub(super) fn close(&mut self, session: &Session) {
        self.left = self.change_at - session.close;
    }

    /// Moves a range with the fair price, which jumped by this number of units between sessions.
    pub(super) fn gap(&mut self, units: i64) {
        self.anchor += units;
    }

    /// Advances to the regime of `time`; `changed` is called with each new regime and its start.
    pub(super) fn advance(
        &mut self,
        time: Timestamp,
        fair_units: i64,
        mut changed: impl FnMut(Timestamp, Regime),
    ) {
        while time >= self.change_at {
            let word = self.random.next_u32();
            self.regime = self.regime.next(word);
            self.anchor = fair_units;
            changed(self.change_at, self.regime);
            self.change_at = self.change_at.saturating_add(self.draw_duration());
        }
    }

    /// Returns the units of F above the anchor.
    pub(super) fn above_anchor(&self, fair_units: i64) -> i64 {
        fair_units - self.anchor
    }

    /// Returns the coin's bias with F where it is.
    #[inline]
    pub(super) fn bias(&self, fair_units: i64) -> i32 {
        match self.regime {
            Regime::TrendUp => self.trend_bias,
            Regime::TrendDown => -self.trend_bias,
            Regime::Range => {
                let pull = -self.above_anchor(fair_units) * self.range_bias / 1024;
                pull.clamp(-LARGEST_BIAS, LARGEST_BIAS) as i32
            }
            Regime::Volatile => 0,
        }
    }
}
