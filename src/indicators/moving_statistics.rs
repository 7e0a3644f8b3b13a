//! Everything the matrices say of a timeframe's bars by themselves.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::autocorrelation::Autocorrelation;
use super::average_true_range::AverageTrueRange;
use super::heiken_ashi::{HeikenAshi, HeikenAshiCandle};
use super::log_return::LogReturn;
use super::momentum::{Momentum, MomentumValues};
use super::relative_strength::RelativeStrengthIndex;
use super::volatility::{RealisedVolatility, VolatilityValues};
use super::volume_balance::VolumeBalance;
use super::volume_statistics::{VolumeStatistics, VolumeValues};
use super::weighted_average::ExactWeightedAverage;
use super::{Indicator, SettingOutOfRange, TickBar};
use crate::settings::settings;

/// Range of every length: long enough for skewness, short enough that exact sums fit.
const LENGTHS: RangeInclusive<usize> = 3..=1000;

settings! {
    /// Windows of the moving statistics.
    #[derive(Copy, Eq)]
    pub struct MovingStatisticsLengths {
        /// Wilder's length of the average true range.
        pub average_true_range: usize = 14, LENGTHS, "bars";
        /// Wilder's length of the relative strength index.
        pub relative_strength: usize = 14, LENGTHS, "bars";
        /// Window of the linearly weighted average.
        pub weighted_average: usize = 20, LENGTHS, "bars";
        /// Distance back to which momentum and acceleration look.
        pub momentum: usize = 5, LENGTHS, "bars";
        /// Window of realised volatility.
        pub volatility: usize = 30, LENGTHS, "bars";
        /// Window over realised volatility.
        pub volatility_of_volatility: usize = 30, LENGTHS, "bars";
        /// Window of return autocorrelation.
        pub autocorrelation: usize = 20, LENGTHS, "bars";
        /// Window of volume's ratio, z-score, skewness and balance.
        pub volume: usize = 20, LENGTHS, "bars";
    }
}

impl MovingStatisticsLengths {
    /// Checks that every length is in its range.
    ///
    /// # Errors
    /// Naming the first that is not.
    pub fn validate(&self) -> Result<(), SettingOutOfRange> {
        SettingOutOfRange::first("moving_statistics", self)
    }
}

/// The statistics of one timeframe's bars that need nothing but those bars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MovingStatistics {
    heiken_ashi: HeikenAshi,
    average_true_range: AverageTrueRange,
    relative_strength: RelativeStrengthIndex,
    weighted_average: ExactWeightedAverage,
    log_return: LogReturn,
    volatility: RealisedVolatility,
    autocorrelation: Autocorrelation,
    momentum: Momentum,
    volume: VolumeStatistics,
    balance: VolumeBalance,
}

/// The values of one bar; NaN while undefined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MovingStatisticsValues {
    /// The Heiken Ashi candle, in ticks.
    pub heiken_ashi: HeikenAshiCandle,
    /// Average true range in ticks.
    pub average_true_range: f64,
    /// High - low in ticks.
    pub range: f64,
    /// Relative strength index of the close, 0 to 100.
    pub relative_strength: f64,
    /// Weighted average of the close in ticks, exact.
    pub weighted_average: f64,
    /// ln(close / close before).
    pub log_return: f64,
    /// Volatility of log returns, per bar.
    pub volatility: VolatilityValues,
    /// Autocorrelation of log returns at lag one.
    pub autocorrelation: f64,
    /// Momentum and acceleration in ticks.
    pub momentum: MomentumValues,
    /// Volume among that of the bars before.
    pub volume: VolumeValues,
    /// Volume of rising against falling bars, -1 to 1.
    pub volume_balance: f64,
}

impl MovingStatistics {
    /// Creates statistics over these windows.
    ///
    /// # Errors
    /// If a length is out of its range.
    pub fn new(lengths: MovingStatisticsLengths) -> Result<MovingStatistics, SettingOutOfRange> {
        lengths.validate()?;
        Ok(MovingStatistics {
            heiken_ashi: HeikenAshi::new(),
            average_true_range: AverageTrueRange::new(lengths.average_true_range),
            relative_strength: RelativeStrengthIndex::new(lengths.relative_strength),
            weighted_average: ExactWeightedAverage::new(lengths.weighted_average),
            log_return: LogReturn::new(),
            volatility: RealisedVolatility::new(
                lengths.volatility,
                lengths.volatility_of_volatility,
            ),
            autocorrelation: Autocorrelation::new(lengths.autocorrelation),
            momentum: Momentum::new(lengths.momentum),
            volume: VolumeStatistics::new(lengths.volume),
            balance: VolumeBalance::new(lengths.volume),
        })
    }
}

impl Indicator for MovingStatistics {
    type Output = MovingStatisticsValues;

    fn update(&mut self, bar: &TickBar) -> MovingStatisticsValues {
        let log_return = self.log_return.update(bar);
        MovingStatisticsValues {
            heiken_ashi: self.heiken_ashi.update(bar),
            average_true_range: self.average_true_range.update(bar),
            range: (bar.high - bar.low) as f64,
            relative_strength: self.relative_strength.update(bar.close),
            weighted_average: self.weighted_average.update(bar.close),
            log_return,
            volatility: self.volatility.update(log_return),
            autocorrelation: self.autocorrelation.update(log_return),
            momentum: self.momentum.update(bar),
            volume: self.volume.update(bar),
            volume_balance: self.balance.update(bar),
        }
    }

    fn peek(&self, bar: &TickBar) -> MovingStatisticsValues {
        let log_return = self.log_return.peek(bar);
        MovingStatisticsValues {
            heiken_ashi: self.heiken_ashi.peek(bar),
            average_true_range: self.average_true_range.peek(bar),
            range: (bar.high - bar.low) as f64,
            relative_strength: self.relative_strength.peek(bar.close),
            weighted_average: self.weighted_average.peek(bar.close),
            log_return,
            volatility: self.volatility.peek(log_return),
            autocorrelation: self.autocorrelation.peek(log_return),
            momentum: self.momentum.peek(bar),
            volume: self.volume.peek(bar),
            volume_balance: self.balance.peek(bar),
        }
    }

    fn first_valid(&self) -> usize {
        let returns = self.volatility.first_valid().max(self.autocorrelation.first_valid());
        [
            self.average_true_range.first_valid(),
            self.relative_strength.first_valid(),
            self.weighted_average.first_valid(),
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
            && self.relative_strength.is_ready()
            && self.weighted_average.is_ready()
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
        self.relative_strength.shift(ticks);
        self.weighted_average.shift(ticks);
        self.log_return.shift(ticks);
        self.momentum.shift(ticks);
        self.balance.shift(ticks);
    }
}
