//! Every feature of every indicator: the one table from which row, header and documentation come.

use super::field::{FieldDefinition, Unit};
use crate::indicators::{
    FairValueGap, FairValueGapSettings, Indicator, LowVolumeNode, LowVolumeNodeSettings,
    LowVolumeNodeValues, MomentumIndex, MomentumIndexSettings, MovingStatistics,
    MovingStatisticsLengths, NadarayaWatson, NadarayaWatsonSettings,
};

/// An indicator whose values are columns of the feature row.
pub(super) trait Columns: Indicator {
    /// The indicator's settings.
    type Settings: Copy;
    /// Number of columns.
    const COUNT: usize;
    /// Returns the columns, in order.
    fn definitions(settings: &Self::Settings) -> Vec<FieldDefinition>;
    /// Writes one bar's values, in points where the indicator has ticks. `out` holds
    /// [`Columns::COUNT`] numbers.
    fn write(values: &Self::Output, tick_size: f64, out: &mut [f64]);
}

/// A column a line: name, unit, range, first valid bar, value, meaning.
macro_rules! columns {
    ($indicator:ty, |$settings:ident: $Settings:ty, $values:ident| {
        $($name:literal, $unit:ident, $range:literal, $first_valid:expr, $value:expr, $meaning:literal;)+
    }) => {
        impl Columns for $indicator {
            type Settings = $Settings;
            const COUNT: usize = [$($name),+].len();

            #[allow(unused_variables, reason = "first valid bars of some do not depend on settings")]
            fn definitions($settings: &$Settings) -> Vec<FieldDefinition> {
                vec![$(FieldDefinition {
                    name: $name,
                    unit: Unit::$unit,
                    range: $range,
                    first_valid: $first_valid,
                    meaning: $meaning,
                }),+]
            }

            #[inline]
            fn write($values: &Self::Output, tick_size: f64, out: &mut [f64]) {
                let written = [$(f64::from($value) * Unit::$unit.factor(tick_size)),+];
                out.copy_from_slice(&written);
            }
        }
    };
}

columns! { MovingStatistics, |settings: MovingStatisticsLengths, values| {
    "atr", Points, "≥ 0", settings.average_true_range - 1, values.average_true_range,
        "average true range, Wilder's";
    "range", Points, "≥ 0", 0, values.range, "high − low";
    "rsi", StrengthPoints, "0 to 100", settings.relative_strength, values.relative_strength,
        "relative strength index of the close, Wilder's";
    "wma", Price, "any", settings.weighted_average - 1, values.weighted_average,
        "linearly weighted average of the close";
    "ha_open", Price, "any", 0, values.heiken_ashi.open, "Heiken Ashi open";
    "ha_high", Price, "any", 0, values.heiken_ashi.high, "Heiken Ashi high";
    "ha_low", Price, "any", 0, values.heiken_ashi.low, "Heiken Ashi low";
    "ha_close", Price, "any", 0, values.heiken_ashi.close, "Heiken Ashi close: the mean of open, high, low and close";
    "ha_body", Points, "any", 0, values.heiken_ashi.close - values.heiken_ashi.open,
        "Heiken Ashi close − open";
    "ha_direction", Direction, "−1, 0, 1", 0, values.heiken_ashi.direction, "sign of the Heiken Ashi body";
    "log_return", Logarithm, "any", 1, values.log_return, "ln(close / close before)";
    "volatility", Logarithm, "≥ 0", settings.volatility, values.volatility.realised,
        "realised volatility a bar: root mean square of log returns, their mean taken as zero";
    "volatility_of_volatility", Logarithm, "≥ 0", settings.volatility + settings.volatility_of_volatility - 1,
        values.volatility.of_volatility, "sample deviation of `volatility`";
    "autocorrelation", Number, "−1 to 1", settings.autocorrelation, values.autocorrelation,
        "autocorrelation of log returns at lag one; none where all are equal";
    "momentum", Points, "any", settings.momentum, values.momentum.momentum, "close − close some bars before";
    "acceleration", Points, "any", 2 * settings.momentum, values.momentum.acceleration,
        "`momentum` − that of as many bars before";
    "volume_ratio", Number, "≥ 0", settings.volume - 1, values.volume.ratio, "volume over its mean";
    "log_volume_ratio", Logarithm, "any", settings.volume - 1, values.volume.log_ratio,
        "ln(`volume_ratio`); none without volume";
    "volume_z", Number, "any", settings.volume - 1, values.volume.z_score,
        "volume less its mean, in sample deviations; none where all are equal";
    "volume_skew", Number, "any", settings.volume - 1, values.volume.skewness,
        "adjusted Fisher-Pearson skewness of volume; none where all are equal";
    "volume_balance", Number, "−1 to 1", settings.volume, values.volume_balance,
        "volume of bars that closed above the bar before less that of those that closed below, over all volume";
} }

columns! { FairValueGap, |settings: FairValueGapSettings, values| {
    "fvg_new", Direction, "−1, 0, 1", 2, values.new, "a gap confirmed with this bar: 1 bullish, −1 bearish";
    "fvg_bull_n", Count, "≥ 0", 2, values.bull.active, "open bullish zones";
    "fvg_bull_filled", Count, "≥ 0", 2, values.bull.filled, "bullish zones filled with this bar";
    "fvg_bull_top", Price, "any", 2, values.bull.top, "upper edge of the nearest bullish zone";
    "fvg_bull_bottom", Price, "any", 2, values.bull.bottom, "its lower edge";
    "fvg_bull_dist", Points, "≥ 0", 2, values.bull.distance, "close − its lower edge";
    "fvg_bull_age", Bars, "0 to `max_age`", 2, values.bull.age, "bars since it was confirmed";
    "fvg_bull_fill", Number, "0 to 1", 2, values.bull.fill, "how deep prices have come into it since";
    "fvg_bear_n", Count, "≥ 0", 2, values.bear.active, "open bearish zones";
    "fvg_bear_filled", Count, "≥ 0", 2, values.bear.filled, "bearish zones filled with this bar";
    "fvg_bear_top", Price, "any", 2, values.bear.top, "upper edge of the nearest bearish zone";
    "fvg_bear_bottom", Price, "any", 2, values.bear.bottom, "its lower edge";
    "fvg_bear_dist", Points, "≥ 0", 2, values.bear.distance, "its upper edge − close";
    "fvg_bear_age", Bars, "0 to `max_age`", 2, values.bear.age, "bars since it was confirmed";
    "fvg_bear_fill", Number, "0 to 1", 2, values.bear.fill, "how deep prices have come into it since";
    "fvg_newest_size", Points, "any", 2, values.newest_size,
        "width of the gap confirmed last, negative if bearish, even if its zone is gone";
    "fvg_newest_age", Bars, "0 to `max_age`", 2, values.newest_age, "bars since it was confirmed";
    "fvg_newest_decay", Number, "0 to 1", 2, half_lives_of_an_hour(values.newest_age),
        "2^(−`fvg_newest_age` / 12)";
    "fvg_net_fills", Number, "−1 to 1", 2, values.net_fills(),
        "bearish less bullish zones filled with this bar, over both; 0 without any";
} }

columns! { MomentumIndex, |settings: MomentumIndexSettings, values| {
    "mlmi", Votes, "−`neighbours` to `neighbours`, more by ties", settings.first_vote(), values.vote,
        "machine learning momentum index: labels of the crossings most like the present, summed";
    "mlmi_norm", Number, "−1 to 1, more by ties", settings.first_vote(), values.vote_normalized, "`mlmi` over the voters";
    "mlmi_ma", Votes, "as `mlmi`", settings.first_vote_average(), values.vote_average, "20-bar weighted average of `mlmi`";
    "mlmi_fwd", Votes, "as `mlmi`", settings.first_vote(), values.forward,
        "the same crossings, labelled by what came after each, as far as it is known";
    "mlmi_fwd_norm", Number, "−1 to 1, more by ties", settings.first_vote(), values.forward_normalized,
        "`mlmi_fwd` over the voters";
    "mlmi_upper", Votes, "as `mlmi`", MomentumIndexSettings::FIRST_BAND, values.upper, "greatest `mlmi` of 2,000 bars";
    "mlmi_lower", Votes, "as `mlmi`", MomentumIndexSettings::FIRST_BAND, values.lower, "least `mlmi` of 2,000 bars";
    "mlmi_cross", Direction, "−1, 0, 1", MomentumIndexSettings::FIRST_CROSSING, values.crossing, "the fast average crosses over (1) or under (−1) the slow";
    "mlmi_n", Count, "0 to `capacity`", settings.first_vote(), values.crossings as f64, "crossings remembered";
    "mlmi_radius", StrengthPoints, "≥ 0", settings.first_vote(), values.radius,
        "distance of the farthest voter: how new the present is";
} }

columns! { NadarayaWatson, |settings: NadarayaWatsonSettings, values| {
    "nw_yhat", Price, "any", settings.taps - 1, values.estimate, "Nadaraya-Watson estimate of the price";
    "nw_yhat2", Price, "any", settings.taps - 1, values.fast_estimate, "the same with the faster kernel";
    "nw_slope", PointsPerBar, "any", settings.taps, values.slope, "`nw_yhat` − that of the bar before";
    "nw_dev", Points, "any", settings.taps - 1, values.deviation, "the price less `nw_yhat`";
    "nw_turn", Direction, "−1, 0, 1", settings.taps + 1, values.turn, "the slope turned up (1) or down (−1)";
    "nw_cross", Direction, "−1, 0, 1", settings.taps, values.cross, "`nw_yhat2` crossed over (1) or under (−1) `nw_yhat`";
} }

columns! { LowVolumeNode, |settings: LowVolumeNodeSettings, values| {
    "lvn_price", Price, "any", window(settings), values.nearest.price, "low-volume node nearest to the close";
    "lvn_dist", Points, "any", window(settings), values.distance, "`lvn_price` − close";
    "lvn_strength", Number, "0 to 1", window(settings), values.nearest.strength,
        "how much less volume it has than the busiest row, as a share of that";
    "lvn_prom", Number, "0 to 1", window(settings), values.nearest.prominence,
        "depth of its valley, as a share of the busiest row";
    "lvn_above", Price, "any", window(settings), values.above.price, "the nearest node above the close";
    "lvn_above_strength", Number, "0 to 1", window(settings), values.above.strength, "its strength";
    "lvn_below", Price, "any", window(settings), values.below.price, "the nearest node below the close";
    "lvn_below_strength", Number, "0 to 1", window(settings), values.below.strength, "its strength";
    "lvn_n", Count, "≥ 0", window(settings), node_count(values), "nodes in the profile";
    "poc", Price, "any", window(settings), values.point_of_control, "point of control: centre of the busiest row";
    "vah", Price, "any", window(settings), values.value_area_high, "upper edge of the value area";
    "val", Price, "any", window(settings), values.value_area_low, "lower edge of the value area";
} }

/// Returns the first bar with a whole window.
fn window(settings: &LowVolumeNodeSettings) -> usize {
    settings.window - 1
}

/// Returns the number of nodes; NaN while there is no profile to have nodes.
fn node_count(values: &LowVolumeNodeValues) -> f64 {
    if values.point_of_control.is_nan() { f64::NAN } else { f64::from(values.count) }
}

/// Returns 2^(−age / 12): an hour of five-minute bars halves it. NaN stays NaN.
fn half_lives_of_an_hour(age: f64) -> f64 {
    // The `libm` crate gives the same bits on every machine.
    libm::exp2(-age / 12.0)
}
