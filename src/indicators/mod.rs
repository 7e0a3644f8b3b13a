//! Indicators, computed incrementally at bar close: exact, causal, without allocation.
//!
//! Every indicator is a small struct that takes [`TickBar`]s, bars that were checked once and hold
//! prices as whole ticks. "No value" is NaN in a smooth field, never zero.

mod fair_value_gap;
mod low_volume_node;
#[cfg(test)]
mod test_bars;
mod tick_bar;
mod traded_volume;
mod volume_profile;

pub use fair_value_gap::{
    FairValueGap, FairValueGapSettings, FairValueGapSide, FairValueGapValues,
};
pub use low_volume_node::{
    LowVolumeNode, LowVolumeNodeSettings, LowVolumeNodeSettingsError, LowVolumeNodeValues,
    TradesDisagree, VolumeNode,
};
pub use tick_bar::{MalformedBar, TickBar};
pub use traded_volume::TradedVolume;

/// What all indicators have in common.
///
/// Bars are counted from 0. Values of bar `t` depend on bars up to `t` only.
pub trait Indicator {
    /// All values of one bar.
    type Output: Copy;

    /// Takes a closed bar and returns its values.
    fn update(&mut self, bar: &TickBar) -> Self::Output;

    /// The values that [`Indicator::update`] would return for `bar`, without taking it.
    fn peek(&self, bar: &TickBar) -> Self::Output;

    /// The first bar at which the formula is defined for every output (0 = the first bar).
    fn first_valid(&self) -> usize;

    /// Whether enough bars were taken that the beginning of the data no longer shows.
    fn is_ready(&self) -> bool;

    /// Moves every stored price by `ticks`, for a series that goes on in another contract.
    fn shift(&mut self, ticks: i64);
}
