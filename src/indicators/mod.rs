//! Indicators, computed incrementally at bar close: exact, causal, without allocation.
//!
//! Every indicator is a small struct that takes [`TickBar`]s, bars that were checked once and hold
//! prices as whole ticks. Outputs that are prices, or differences of prices, are in ticks too. "No
//! value" is NaN in a smooth field, never zero.
//!
//! Two indicators are equal when they give the same values for all later bars.

mod autocorrelation;
mod average_true_range;
mod fair_value_gap;
mod fixed_point;
mod heiken_ashi;
mod log_return;
mod low_volume_node;
mod momentum;
mod momentum_index;
mod moving_statistics;
mod nadaraya_watson;
mod relative_strength;
mod setting_out_of_range;
mod sliding_window;
mod source;
#[cfg(test)]
mod test_bars;
mod tick_bar;
mod traded_volume;
mod volatility;
mod volume_balance;
mod volume_profile;
mod volume_statistics;
mod weighted_average;
mod wilder_average;

pub use autocorrelation::Autocorrelation;
pub use average_true_range::AverageTrueRange;
pub use fair_value_gap::{
    FairValueGap, FairValueGapSettings, FairValueGapSide, FairValueGapValues, FairValueGapZone,
};
pub use heiken_ashi::{HeikenAshi, HeikenAshiCandle};
pub use log_return::LogReturn;
pub use low_volume_node::{
    LowVolumeNode, LowVolumeNodeSettings, LowVolumeNodeValues, TradesDisagree, VolumeNode,
};
pub use momentum::{Momentum, MomentumValues};
pub use momentum_index::{MomentumIndex, MomentumIndexSettings, MomentumIndexValues};
pub use moving_statistics::{MovingStatistics, MovingStatisticsLengths, MovingStatisticsValues};
pub use nadaraya_watson::{NadarayaWatson, NadarayaWatsonSettings, NadarayaWatsonValues};
pub use relative_strength::RelativeStrengthIndex;
pub use setting_out_of_range::SettingOutOfRange;
pub use source::Source;
pub use tick_bar::{MalformedBar, TickBar};
pub use traded_volume::TradedVolume;
pub use volatility::{RealisedVolatility, VolatilityValues};
pub use volume_balance::VolumeBalance;
pub use volume_statistics::{VolumeStatistics, VolumeValues};
pub use weighted_average::{ExactWeightedAverage, WeightedAverage};

/// The interface of every indicator.
///
/// Bars are counted from 0. Values of bar `t` depend on bars up to `t` only.
pub trait Indicator {
    /// All values of one bar.
    type Output: Copy;

    /// Takes a closed bar and returns its values.
    fn update(&mut self, bar: &TickBar) -> Self::Output;

    /// Returns the values that [`Indicator::update`] would return for `bar`, without taking it.
    fn peek(&self, bar: &TickBar) -> Self::Output;

    /// Returns the first bar at which the formula is defined for every output (0 = the first bar).
    fn first_valid(&self) -> usize;

    /// Returns whether enough bars were taken that the beginning of the data no longer shows.
    fn is_ready(&self) -> bool;

    /// Moves every stored price by `ticks`, for a series that continues in another contract.
    fn shift(&mut self, ticks: i64);
}
