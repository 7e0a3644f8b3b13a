//! Low-volume nodes: prices that a rolling volume profile shows little trade at, between busier
//! ones.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use super::volume_profile::{Allocation, CONTRACT, ProfileRows, VolumeProfile};
use super::{Indicator, SettingOutOfRange, TickBar, TradedVolume};
use crate::settings::{Share, settings};

settings! {
    /// The profile, and what counts as a node.
    #[derive(Copy)]
    pub struct LowVolumeNodeSettings {
        /// Bars in the profile; 230 are five Globex sessions of thirty-minute bars.
        pub window: usize = 230, 1..=65_535, "bars";
        /// Height of a row; 4 ticks are one point of ES.
        pub row_ticks: u32 = 4, 1..=10_000, "ticks";
        /// A node has less volume than each of this many rows on either side.
        pub order: usize = 7, 1..=10_000, "rows";
        /// A node has more volume than this share of the busiest row's.
        pub min_ratio: f64 = 0.01, 0.0..1.0;
        /// Share of the volume in the value area.
        pub value_area: f64 = 0.70, Share;
    }
}

impl LowVolumeNodeSettings {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// Naming the first that is not.
    pub fn validate(&self) -> Result<(), SettingOutOfRange> {
        SettingOutOfRange::first("low_volume_node", self)
    }
}

/// A bar and trades that cannot be its own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{traded} contracts traded at {lowest} to {highest} ticks are no bar of {volume} contracts at \
     {low} to {high} ticks; take the bar without its trades"
)]
pub struct TradesDisagree {
    /// Contracts in the trades.
    pub traded: u64,
    /// The lowest trade in ticks.
    pub lowest: i64,
    /// The highest trade in ticks.
    pub highest: i64,
    /// Contracts in the bar.
    pub volume: u64,
    /// The bar's low in ticks.
    pub low: i64,
    /// The bar's high in ticks.
    pub high: i64,
}

/// Nodes of low volume, the point of control and the value area of the last `window` bars.
///
/// A bar's volume lies on its prices evenly ([`Indicator::update`]) or as it traded
/// ([`LowVolumeNode::update_with_trades`]); a window may hold both. The profile is kept in whole
/// units of 2⁻²⁰ contracts and its volume is that of its bars exactly, however many came and went:
/// on each of the bar's `m` prices `⌊volume × 2²⁰ / m⌋` units, and what is left of the division one
/// by one on its lowest prices.
///
/// A node is a row that has strictly less volume than each of the `order` rows above and below it,
/// as far as there are rows, and more than `min_ratio` of the busiest row's. The lowest and the
/// highest row with volume are not nodes. This is
/// `scipy.signal.argrelextrema(numpy.less, mode="clip")`.
///
/// **Rows** lie on a fixed grid, whole multiples of `row_ticks`. [`Indicator::shift`] moves the
/// grid too, so every value moves exactly, by any number of ticks; unless that is a multiple of
/// `row_ticks`, rows no longer start at multiples, and values differ a little from those of an
/// indicator that was started on the moved prices.
///
/// **Memory** is bounded: the window may span 16,384 rows. A bar that would stretch it further, or
/// of 2²⁸ contracts or more, is left out, and there are no values until it has left the window. An
/// update allocates only when the window spans more rows, or its bars touch more, than ever before.
///
/// Two are equal if they give the same values for all later bars: one that began later is equal to
/// the other after `window` bars, unless a bar was left out by one of them, or a shift by a part of
/// a row moved the grid of one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LowVolumeNode {
    settings: LowVolumeNodeSettings,
    profile: VolumeProfile,
}

/// Values of [`LowVolumeNode`] at a bar. Prices are in ticks. All are NaN before the window is
/// full, while nothing traded in it, and while it holds a bar that was left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowVolumeNodeValues {
    /// The node whose price is nearest to the close; of equally near ones the lower.
    pub nearest: VolumeNode,
    /// The nearest node whose price is above the close.
    pub above: VolumeNode,
    /// The nearest node whose price is below the close.
    pub below: VolumeNode,
    /// From the close to the nearest node, in ticks; negative if it is below.
    pub distance: f64,
    /// Nodes in the profile.
    pub count: u32,
    /// Centre of the row with most volume; of equals the lowest.
    pub point_of_control: f64,
    /// Upper edge of the value area.
    pub value_area_high: f64,
    /// Lower edge of the value area.
    pub value_area_low: f64,
}

/// A node of low volume; all NaN if absent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VolumeNode {
    /// Centre of its row, in ticks (half a tick off the grid if a row is an odd number of ticks).
    pub price: f64,
    /// Volume missing to the busiest row's, as a share of that: 0 < strength < 1.
    pub strength: f64,
    /// Depth of the valley: the lower of its two sides, each the most volume before a row with
    /// less than the node's, less the node's volume, as a share of the busiest row's: 0 <
    /// prominence < 1. This is `scipy.signal.peak_prominences` of the negated profile.
    pub prominence: f64,
}

impl VolumeNode {
    const NONE: VolumeNode =
        VolumeNode { price: f64::NAN, strength: f64::NAN, prominence: f64::NAN };
}

impl LowVolumeNodeValues {
    const NONE: LowVolumeNodeValues = LowVolumeNodeValues {
        nearest: VolumeNode::NONE,
        above: VolumeNode::NONE,
        below: VolumeNode::NONE,
        distance: f64::NAN,
        count: 0,
        point_of_control: f64::NAN,
        value_area_high: f64::NAN,
        value_area_low: f64::NAN,
    };
}

impl LowVolumeNode {
    /// Creates an indicator without bars.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn new(settings: LowVolumeNodeSettings) -> Result<LowVolumeNode, SettingOutOfRange> {
        settings.validate()?;
        let profile = VolumeProfile::new(settings.window, i64::from(settings.row_ticks));
        Ok(LowVolumeNode { settings, profile })
    }

    /// Does as [`Indicator::update`], with the bar's volume where it traded.
    ///
    /// # Errors
    /// If the trades are not all of the bar's, or lie outside it. Then nothing was taken.
    pub fn update_with_trades(
        &mut self,
        bar: &TickBar,
        trades: &TradedVolume,
    ) -> Result<LowVolumeNodeValues, TradesDisagree> {
        check(bar, trades)?;
        Ok(self.take(bar, Allocation::Traded(trades)))
    }

    /// Does as [`Indicator::peek`], with the bar's volume where it traded.
    ///
    /// # Errors
    /// If the trades are not all of the bar's, or lie outside it.
    pub fn peek_with_trades(
        &self,
        bar: &TickBar,
        trades: &TradedVolume,
    ) -> Result<LowVolumeNodeValues, TradesDisagree> {
        check(bar, trades)?;
        Ok(self.look(bar, Allocation::Traded(trades)))
    }

    /// Returns the profile from its lowest to its highest row with volume: each row's lower edge in
    /// ticks and its volume in contracts, exact. Empty while the window holds a bar that was left
    /// out.
    pub fn profile(&self) -> impl Iterator<Item = (i64, f64)> {
        self.profile.rows().into_iter().flat_map(move |rows| {
            let ProfileRows { first, count, volume, .. } = rows;
            (0..count).map(move |row| {
                let edge = self.profile.lower_edge(first + row as i64);
                (edge, volume(row) as f64 / CONTRACT as f64)
            })
        })
    }

    /// Returns all nodes, from the lowest up; none while values are undefined.
    pub fn nodes(&self) -> impl Iterator<Item = VolumeNode> {
        let rows = self.profile.rows().filter(|_| self.profile.is_full());
        rows.into_iter().flat_map(move |rows| {
            let most = rows.point_of_control().map_or(0, |(_, most)| most);
            let mut next = 1;
            std::iter::from_fn(move || {
                let row = self.next_trough(&rows, most, next)?;
                next = row + 1;
                Some(self.node(&rows, most, row))
            })
        })
    }

    fn take(&mut self, bar: &TickBar, allocation: Allocation) -> LowVolumeNodeValues {
        self.profile.push(bar, allocation);
        let rows = self.profile.rows().filter(|_| self.profile.is_full());
        rows.map_or(LowVolumeNodeValues::NONE, |rows| self.values(&rows, bar.close))
    }

    fn look(&self, bar: &TickBar, allocation: Allocation) -> LowVolumeNodeValues {
        let rows = self.profile.rows_with(bar, allocation);
        rows.map_or(LowVolumeNodeValues::NONE, |rows| self.values(&rows, bar.close))
    }

    fn values<F: Fn(usize) -> u64>(
        &self,
        rows: &ProfileRows<F>,
        close: i64,
    ) -> LowVolumeNodeValues {
        let Some((busiest, most)) = rows.point_of_control() else {
            return LowVolumeNodeValues::NONE;
        };
        let centre = |row: usize| self.centre(rows, row);
        let (mut above, mut at, mut below, mut count) = (None, None, None, 0);
        let mut next = 1;
        while let Some(row) = self.next_trough(rows, most, next) {
            count += 1;
            match centre(row).cmp(&(2 * close)) {
                std::cmp::Ordering::Less => below = Some(row),
                std::cmp::Ordering::Equal => at = Some(row),
                std::cmp::Ordering::Greater => above = above.or(Some(row)),
            }
            next = row + 1;
        }
        let nearest = at.or_else(|| match (below, above) {
            (Some(low), Some(high)) if 2 * close - centre(low) > centre(high) - 2 * close => above,
            (None, _) => above,
            _ => below,
        });
        let node =
            |row: Option<usize>| row.map_or(VolumeNode::NONE, |row| self.node(rows, most, row));
        let edge = |row: usize| self.profile.lower_edge(rows.first + row as i64);
        let (above_node, below_node) = (node(above), node(below));
        let (low, high) = rows.value_area(busiest, self.settings.value_area);
        LowVolumeNodeValues {
            nearest: if nearest == at {
                node(at)
            } else if nearest == above {
                above_node
            } else {
                below_node
            },
            above: above_node,
            below: below_node,
            distance: nearest.map_or(f64::NAN, |row| (centre(row) - 2 * close) as f64 / 2.0),
            count,
            point_of_control: centre(busiest) as f64 / 2.0,
            value_area_high: edge(high + 1) as f64,
            value_area_low: edge(low) as f64,
        }
    }

    /// Returns twice the centre of a row, in ticks, so that it is whole and distances are exact.
    fn centre<F>(&self, rows: &ProfileRows<F>, row: usize) -> i64 {
        let row = rows.first + row as i64;
        self.profile.lower_edge(row) + self.profile.lower_edge(row + 1)
    }

    fn node<F: Fn(usize) -> u64>(
        &self,
        rows: &ProfileRows<F>,
        most: u64,
        row: usize,
    ) -> VolumeNode {
        VolumeNode {
            price: self.centre(rows, row) as f64 / 2.0,
            strength: 1.0 - (rows.volume)(row) as f64 / most as f64,
            prominence: depth(rows, row) as f64 / most as f64,
        }
    }

    /// Returns the first node at or after `row`; `most` is the busiest row's volume.
    fn next_trough<F: Fn(usize) -> u64>(
        &self,
        rows: &ProfileRows<F>,
        most: u64,
        mut row: usize,
    ) -> Option<usize> {
        let LowVolumeNodeSettings { order, min_ratio, .. } = self.settings;
        let threshold = (min_ratio * most as f64) as u64;
        let volume = &rows.volume;
        while row + 1 < rows.count {
            let own = volume(row);
            let last = (row + order).min(rows.count - 1);
            if let Some(lower) = (row + 1..=last).find(|&other| volume(other) <= own) {
                // The rows between have more than this one, which is within their reach: none is a
                // node.
                row = lower;
                continue;
            }
            let is_trough = (row.saturating_sub(order)..row).rev().all(|other| volume(other) > own);
            if is_trough && own > threshold {
                return Some(row);
            }
            // So have the rows up to `last`.
            row = last + 1;
        }
        None
    }
}

fn check(bar: &TickBar, trades: &TradedVolume) -> Result<(), TradesDisagree> {
    let (lowest, highest) = trades.range().unwrap_or((bar.low, bar.high));
    if trades.total() == bar.volume && lowest >= bar.low && highest <= bar.high {
        return Ok(());
    }
    let TickBar { high, low, volume, .. } = *bar;
    Err(TradesDisagree { traded: trades.total(), lowest, highest, volume, low, high })
}

/// Returns the volume that must be added to `row` until it is a valley no longer.
fn depth<F: Fn(usize) -> u64>(rows: &ProfileRows<F>, row: usize) -> u64 {
    let own = (rows.volume)(row);
    let below = side(rows, own, (0..row).rev(), u64::MAX);
    side(rows, own, row + 1..rows.count, below) - own
}

/// Returns the most volume on one side of a row before there is less than its `own`; `enough` if it
/// is more.
fn side<F: Fn(usize) -> u64>(
    rows: &ProfileRows<F>,
    own: u64,
    others: impl Iterator<Item = usize>,
    enough: u64,
) -> u64 {
    let mut highest = own;
    for other in others {
        let volume = (rows.volume)(other);
        if volume < own || highest >= enough {
            break;
        }
        highest = highest.max(volume);
    }
    highest.min(enough)
}

impl Indicator for LowVolumeNode {
    type Output = LowVolumeNodeValues;

    fn update(&mut self, bar: &TickBar) -> LowVolumeNodeValues {
        self.take(bar, Allocation::even(bar))
    }

    fn peek(&self, bar: &TickBar) -> LowVolumeNodeValues {
        self.look(bar, Allocation::even(bar))
    }

    /// Returns `window` − 1. Values may be NaN at a later bar too: where the profile has no node.
    fn first_valid(&self) -> usize {
        self.settings.window - 1
    }

    fn is_ready(&self) -> bool {
        self.profile.is_full()
    }

    fn shift(&mut self, ticks: i64) {
        self.profile.shift(ticks);
    }
}
