//! The indicators of one timeframe.

use serde::{Deserialize, Serialize};

use super::definitions::Columns;
use super::row::FeatureRow;
use super::settings::{Chosen, IndicatorSettings};
use crate::indicators::{
    FairValueGap, Indicator, LowVolumeNode, MomentumIndex, MovingStatistics, NadarayaWatson,
    SettingOutOfRange, TickBar, TradedVolume,
};
use crate::market::Timestamp;

/// The indicators that are computed on bars of one timeframe, and where their values go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct TimeframeIndicators {
    /// The end of the last bar; `Timestamp::MIN` before the first.
    #[serde(with = "nanoseconds")]
    pub(super) last_end: Timestamp,
    /// Bars taken, counted until every column has had its first valid bar.
    bars: usize,
    /// The same since the series last began, which is at its first bar or after a hole.
    bars_on_end: usize,
    /// The first bar at which every column can have a value.
    warm: usize,
    statistics: Option<Placed<MovingStatistics>>,
    gaps: Option<Placed<FairValueGap>>,
    regression: Option<Placed<NadarayaWatson>>,
    momentum_index: Option<Placed<MomentumIndex>>,
    nodes: Option<Placed<LowVolumeNode>>,
}

/// An indicator and its first column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Placed<I> {
    indicator: I,
    first_column: usize,
    /// First valid bar of each column.
    first_valid: Vec<usize>,
}

impl<I: Columns> Placed<I> {
    /// Writes the values; `warming` is the bar's number while some column is not past its first
    /// valid bar.
    #[inline]
    fn write(&self, values: &I::Output, warming: Option<usize>, tick: f64, row: &mut FeatureRow) {
        let out = &mut row.values[self.first_column..self.first_column + I::COUNT];
        I::write(values, tick, out);
        if let Some(bar) = warming {
            for (value, &first) in out.iter_mut().zip(&self.first_valid) {
                if bar < first {
                    *value = f64::NAN;
                }
            }
        }
        row.mark(self.first_column, I::COUNT);
    }
}

impl TimeframeIndicators {
    /// Creates indicators without bars; their columns begin at `next_column`, which moves on.
    pub(super) fn new(
        settings: &IndicatorSettings,
        chosen: Chosen,
        next_column: &mut usize,
    ) -> Result<TimeframeIndicators, SettingOutOfRange> {
        let at = next_column;
        let IndicatorSettings {
            moving_statistics: windows,
            fair_value_gap: rule,
            nadaraya_watson: kernel,
            momentum_index: choice,
            low_volume_node: profile,
            ..
        } = settings;
        let statistics = place(chosen.moving_statistics, MovingStatistics::new, windows, at)?;
        let gaps = place(chosen.fair_value_gap, FairValueGap::new, rule, at)?;
        let regression = place(chosen.nadaraya_watson, NadarayaWatson::new, kernel, at)?;
        let momentum_index = place(chosen.momentum_index, MomentumIndex::new, choice, at)?;
        let nodes = place(chosen.low_volume_node, LowVolumeNode::new, profile, at)?;
        let warm = [
            warm(&statistics),
            warm(&gaps),
            warm(&regression),
            warm(&momentum_index),
            warm(&nodes),
        ];
        Ok(TimeframeIndicators {
            last_end: Timestamp::MIN,
            bars: 0,
            bars_on_end: 0,
            warm: warm.into_iter().fold(0, usize::max),
            statistics,
            gaps,
            regression,
            momentum_index,
            nodes,
        })
    }

    /// Returns the number of bars taken since the series last began, counted until every column has
    /// had its first valid bar since.
    pub(super) fn bars_on_end(&self) -> usize {
        self.bars_on_end
    }

    /// Tells that the next bar does not continue from the last one.
    pub(super) fn restart_after_gap(&mut self) {
        self.bars_on_end = 0;
    }

    pub(super) fn fair_value_gap(&self) -> Option<&FairValueGap> {
        self.gaps.as_ref().map(|placed| &placed.indicator)
    }

    pub(super) fn low_volume_node(&self) -> Option<&LowVolumeNode> {
        self.nodes.as_ref().map(|placed| &placed.indicator)
    }

    /// Takes a closed bar, with what traded at each of its prices where that is known, and writes
    /// the values. Returns whether such trades, if there are any, are the bar's.
    #[inline]
    pub(super) fn update(
        &mut self,
        bar: &TickBar,
        traded: Option<&TradedVolume>,
        tick: f64,
        row: &mut FeatureRow,
    ) -> bool {
        let warming = (self.bars <= self.warm).then_some(self.bars);
        self.bars += usize::from(warming.is_some());
        self.bars_on_end += usize::from(self.bars_on_end <= self.warm);
        update(&mut self.statistics, bar, warming, tick, row);
        update(&mut self.gaps, bar, warming, tick, row);
        update(&mut self.regression, bar, warming, tick, row);
        update(&mut self.momentum_index, bar, warming, tick, row);
        let Some(nodes) = &mut self.nodes else { return true };
        let with_trades = traded.map(|it| nodes.indicator.update_with_trades(bar, it));
        // Trades may be too far apart to be kept.
        let agree = !matches!(with_trades, Some(Err(_)));
        let values = match with_trades {
            Some(Ok(values)) => values,
            Some(Err(_)) | None => nodes.indicator.update(bar),
        };
        nodes.write(&values, warming, tick, row);
        agree
    }

    pub(super) fn shift(&mut self, ticks: i64) {
        shift(&mut self.statistics, ticks);
        shift(&mut self.gaps, ticks);
        shift(&mut self.regression, ticks);
        shift(&mut self.momentum_index, ticks);
        shift(&mut self.nodes, ticks);
    }
}

fn place<I: Columns>(
    chosen: bool,
    make: impl FnOnce(I::Settings) -> Result<I, SettingOutOfRange>,
    settings: &I::Settings,
    next_column: &mut usize,
) -> Result<Option<Placed<I>>, SettingOutOfRange> {
    if !chosen {
        return Ok(None);
    }
    let indicator = make(*settings)?;
    let first_valid: Vec<usize> =
        I::definitions(settings).iter().map(|definition| definition.first_valid).collect();
    let first_column = *next_column;
    *next_column += first_valid.len();
    Ok(Some(Placed { indicator, first_column, first_valid }))
}

#[inline]
fn update<I: Columns>(
    place: &mut Option<Placed<I>>,
    bar: &TickBar,
    warming: Option<usize>,
    tick: f64,
    row: &mut FeatureRow,
) {
    if let Some(placed) = place {
        let values = placed.indicator.update(bar);
        placed.write(&values, warming, tick, row);
    }
}

fn shift<I: Columns>(place: &mut Option<Placed<I>>, ticks: i64) {
    if let Some(placed) = place {
        placed.indicator.shift(ticks);
    }
}

/// Returns the first bar at which every column of an indicator can have a value.
fn warm<I>(place: &Option<Placed<I>>) -> usize {
    place.as_ref().and_then(|placed| placed.first_valid.iter().copied().max()).unwrap_or(0)
}

/// An instant as whole nanoseconds.
mod nanoseconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::market::Timestamp;

    pub(super) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        time.nanos().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        i64::deserialize(deserializer).map(Timestamp::from_nanos)
    }
}
