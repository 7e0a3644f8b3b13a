//! Everything the matrices say of a timeframe's bars by themselves.

use serde::{Deserialize, Serialize};

use super::autocorrelation::Autocorrelation;
use super::average_true_range::AverageTrueRange;
use super::heiken_ashi::{HeikenAshi, HeikenAshiCandle};
use super::log_return::LogReturn;
use super::momentum::{Momentum, MomentumValues};
use super::volatility::{RealisedVolatility, VolatilityValues};
use super::volume_balance::VolumeBalance;
use super::volume_statistics::{VolumeStatistics, VolumeValues};
use super::{Indicator, TickBar};
use crate::market::Price;

/// Windows in bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MovingStatisticsLengths {
    /// Of the average true range.
    pub average_true_range: usize,
    /// Of momentum and acceleration.
    pub momentum: usize,
    /// Of realised volatility.
    pub volatility: usize,
    /// Of the volatility of volatility.
    pub volatility_of_volatility: usize,
    /// Of return autocorrelation.
    pub autocorrelation: usize,
    /// Of volume's ratio, z-score, skewness and balance.
    pub volume: usize,
}

impl Default for MovingStatisticsLengths {
    /// 14, 5, 30, 30, 20, 20.
    fn default() -> MovingStatisticsLengths {
        MovingStatisticsLengths {
            average_true_range: 14,
            momentum: 5,
            volatility: 30,
            volatility_of_volatility: 30,
            autocorrelation: 20,
            volume: 20,
        }
    }
}

/// The statistics of one timeframe's bars that need nothing but those bars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovingStatistics {
    heiken_ashi: HeikenAshi,
    average_true_range: AverageTrueRange,
    log_return: LogReturn,
    volatility: RealisedVolatility,
    autocorrelation: Autocorrelation,
    momentum: Momentum,
    volume: VolumeStatistics,
    balance: VolumeBalance,
}

/// The values of one bar; NaN while there is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MovingStatisticsValues {
    /// The Heiken Ashi candle.
    pub heiken_ashi: HeikenAshiCandle,
    /// Average true range in points.
    pub average_true_range: f64,
    /// (High - low) / average true range.
    pub range_ratio: f64,
    /// Heiken Ashi (close - open) / average true range.
    pub heiken_ashi_body_ratio: f64,
    /// ln(close / close before).
    pub log_return: f64,
    /// Volatility of log returns, per bar.
    pub volatility: VolatilityValues,
    /// Autocorrelation of log returns at lag one.
    pub autocorrelation: f64,
    /// Momentum and acceleration in points.
    pub momentum: MomentumValues,
    /// Volume among that of the bars before.
    pub volume: VolumeValues,
    /// Volume of rising against falling bars, -1 to 1.
    pub volume_balance: f64,
}

impl MovingStatisticsValues {
    /// With what is divided by the average true range; `range` in points.
    fn with_ratios(mut self, range: f64) -> MovingStatisticsValues {
        if self.average_true_range > 0.0 {
            let body = self.heiken_ashi.close - self.heiken_ashi.open;
            self.range_ratio = range / self.average_true_range;
            self.heiken_ashi_body_ratio = body / self.average_true_range;
        }
        self
    }
}

impl MovingStatistics {
    /// Statistics over these windows, for an instrument of that tick size.
    ///
    /// # Panics
    /// If a window is shorter than its statistic needs (3 bars always suffice).
    pub fn new(lengths: MovingStatisticsLengths, tick_size: Price) -> MovingStatistics {
        MovingStatistics {
            heiken_ashi: HeikenAshi::new(tick_size),
            average_true_range: AverageTrueRange::new(lengths.average_true_range, tick_size),
            log_return: LogReturn::new(),
            volatility: RealisedVolatility::new(
                lengths.volatility,
                lengths.volatility_of_volatility,
            ),
            autocorrelation: Autocorrelation::new(lengths.autocorrelation),
            momentum: Momentum::new(lengths.momentum, tick_size),
            volume: VolumeStatistics::new(lengths.volume),
            balance: VolumeBalance::new(lengths.volume),
        }
    }
}

impl Indicator for MovingStatistics {
    type Output = MovingStatisticsValues;

    fn update(&mut self, bar: &TickBar) -> MovingStatisticsValues {
        let log_return = self.log_return.update(bar);
        MovingStatisticsValues {
            heiken_ashi: self.heiken_ashi.update(bar),
            average_true_range: self.average_true_range.update(bar),
            range_ratio: f64::NAN,
            heiken_ashi_body_ratio: f64::NAN,
            log_return,
            volatility: self.volatility.update(log_return),
            autocorrelation: self.autocorrelation.update(log_return),
            momentum: self.momentum.update(bar),
            volume: self.volume.update(bar),
            volume_balance: self.balance.update(bar),
        }
        .with_ratios(self.average_true_range.points_of(bar.high - bar.low))
    }

    fn peek(&self, bar: &TickBar) -> MovingStatisticsValues {
        let log_return = self.log_return.peek(bar);
        MovingStatisticsValues {
            heiken_ashi: self.heiken_ashi.peek(bar),
            average_true_range: self.average_true_range.peek(bar),
            range_ratio: f64::NAN,
            heiken_ashi_body_ratio: f64::NAN,
            log_return,
            volatility: self.volatility.peek(log_return),
            autocorrelation: self.autocorrelation.peek(log_return),
            momentum: self.momentum.peek(bar),
            volume: self.volume.peek(bar),
            volume_balance: self.balance.peek(bar),
        }
        .with_ratios(self.average_true_range.points_of(bar.high - bar.low))
    }

    fn first_valid(&self) -> usize {
        let returns = self.volatility.first_valid().max(self.autocorrelation.first_valid());
        [
            self.average_true_range.first_valid(),
            self.log_return.first_valid() + returns,
            self.momentum.first_valid(),
            self.volume.first_valid(),
            self.balance.first_valid(),
        ]
        .into_iter()
        .fold(0, usize::max)
    }

    fn is_ready(&self) -> bool {
        self.heiken_ashi.is_ready()
            && self.average_true_range.is_ready()
            && self.log_return.is_ready()
            && self.volatility.is_ready()
            && self.autocorrelation.is_ready()
            && self.momentum.is_ready()
            && self.volume.is_ready()
            && self.balance.is_ready()
    }

    fn shift(&mut self, ticks: i64) {
        self.heiken_ashi.shift(ticks);
        self.average_true_range.shift(ticks);
        self.log_return.shift(ticks);
        self.momentum.shift(ticks);
        self.balance.shift(ticks);
    }
}
