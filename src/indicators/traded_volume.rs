//! The volume traded at each price of a bar.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Contracts traded at each price while a bar is open.
///
/// It holds one number for each tick of a range around the trades, so its memory is bounded by the
/// widest bar and not by the number of trades, and after [`TradedVolume::clear`] it is used again
/// without allocating.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(into = "SavedTrades", try_from = "SavedTrades")]
pub struct TradedVolume {
    /// Contracts at each price from `base` on, in ticks. Which of them traded is looked for when it
    /// is asked: once a bar, where a trade comes thousands of times.
    sizes: Vec<u64>,
    base: i64,
}

/// Compares the trades; room makes no difference.
impl PartialEq for TradedVolume {
    fn eq(&self, other: &TradedVolume) -> bool {
        self.range() == other.range() && self.used() == other.used()
    }
}

impl Eq for TradedVolume {}

/// [`TradedVolume`] at rest.
#[derive(Serialize, Deserialize)]
struct SavedTrades {
    lowest: i64,
    sizes: Vec<u64>,
}

impl From<TradedVolume> for SavedTrades {
    fn from(trades: TradedVolume) -> SavedTrades {
        let lowest = trades.range().map_or(0, |range| range.0);
        SavedTrades { lowest, sizes: trades.used().to_vec() }
    }
}

/// A saved state that no trades can have left.
#[derive(Debug, thiserror::Error)]
#[error(
    "the saved trades begin at {lowest} ticks and span {ticks}, where at most {} are possible; replay \
     the bar's ticks instead",
    TradedVolume::MAX_TICKS
)]
struct Damaged {
    lowest: i64,
    ticks: usize,
}

impl TryFrom<SavedTrades> for TradedVolume {
    type Error = Damaged;

    fn try_from(saved: SavedTrades) -> Result<TradedVolume, Damaged> {
        let SavedTrades { lowest, sizes } = saved;
        let ticks = sizes.len();
        if ticks == 0 {
            return Ok(TradedVolume::default());
        }
        match lowest.checked_add(ticks as i64 - 1) {
            Some(_) if ticks as u64 <= TradedVolume::MAX_TICKS => {
                Ok(TradedVolume { sizes, base: lowest })
            }
            _ => Err(Damaged { lowest, ticks }),
        }
    }
}

impl TradedVolume {
    /// The widest range of prices it holds, in ticks.
    pub const MAX_TICKS: u64 = 1 << 20;

    /// Counts a trade of `size` contracts (≥ 1) at `price` ticks.
    ///
    /// A trade that would stretch the range beyond [`TradedVolume::MAX_TICKS`] is left out; the
    /// total then shows that it is missing.
    #[inline]
    pub fn add(&mut self, price: i64, size: u32) {
        self.add_contracts(price, u64::from(size));
    }

    #[inline]
    fn add_contracts(&mut self, price: i64, size: u64) {
        // A price below the base is, as an unsigned number, beyond any length.
        let place = price.wrapping_sub(self.base) as usize;
        if let Some(traded) = self.sizes.get_mut(place) {
            *traded += size;
        } else if self.make_room(price) {
            self.add_contracts(price, size);
        }
    }

    /// Moves the trades within the room, or to more of it, so that `price` has a place beside them.
    /// False if they would be too far apart.
    #[cold]
    #[inline(never)]
    fn make_room(&mut self, price: i64) -> bool {
        let (lowest, highest) = self.range().unwrap_or((price, price));
        let (first, last) = (lowest.min(price), highest.max(price));
        let ticks = last.abs_diff(first).saturating_add(1);
        if ticks > Self::MAX_TICKS {
            return false;
        }
        let used = self.used_places();
        // There is never more room than the widest range, so what is left out does not depend on
        // it.
        let room = (2 * ticks).next_power_of_two().clamp(256, Self::MAX_TICKS) as usize;
        if room > self.sizes.len() {
            self.sizes.resize(room, 0);
        }
        let spare = self.sizes.len() as u64 - ticks;
        let base =
            first.saturating_sub_unsigned(spare / 2).min(i64::MAX - (self.sizes.len() as i64 - 1));
        if used.is_empty() {
            self.base = base;
            return true;
        }
        let moved = (lowest - base) as usize;
        let length = used.len();
        self.sizes.copy_within(used, moved);
        self.sizes[..moved].fill(0);
        self.sizes[moved + length..].fill(0);
        self.base = base;
        true
    }

    /// Counts all trades of `other`.
    pub fn add_all(&mut self, other: &TradedVolume) {
        for place in other.used_places() {
            self.add_contracts(other.base + place as i64, other.sizes[place]);
        }
    }

    /// Forgets all trades: the next bar begins.
    pub fn clear(&mut self) {
        let used = self.used_places();
        self.sizes[used].fill(0);
    }

    /// Returns the contracts in all trades.
    pub fn total(&self) -> u64 {
        self.used().iter().sum()
    }

    /// Returns the lowest and the highest price in ticks, or `None` without trades.
    pub fn range(&self) -> Option<(i64, i64)> {
        let used = self.used_places();
        (!used.is_empty()).then(|| (self.base + used.start as i64, self.base + used.end as i64 - 1))
    }

    /// Returns the contracts traded at `first` ≤ price < `end`, in ticks.
    pub fn between(&self, first: i64, end: i64) -> u64 {
        let most = self.sizes.len() as i64;
        let place = |price: i64| price.saturating_sub(self.base).clamp(0, most) as usize;
        self.sizes[place(first)..place(end).max(place(first))].iter().sum()
    }

    /// Returns the contracts at each price from the lowest to the highest trade.
    fn used(&self) -> &[u64] {
        &self.sizes[self.used_places()]
    }

    fn used_places(&self) -> Range<usize> {
        let traded = |size: &u64| *size != 0;
        let Some(first) = self.sizes.iter().position(traded) else { return 0..0 };
        let last = self.sizes.iter().rposition(traded).unwrap_or(first);
        first..last + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn counts_what_a_plain_sum_counts(
            trades in prop::collection::vec((-50i64..50, 1u32..100), 0..80),
            first in -60i64..60, length in -5i64..60,
        ) {
            let mut volume = TradedVolume::default();
            volume.add(1_000_000, 7);
            volume.clear();
            for (price, size) in &trades {
                volume.add(*price, *size);
            }
            let sum = |from: i64, to: i64| -> u64 {
                trades.iter().filter(|t| (from..to).contains(&t.0)).map(|t| u64::from(t.1)).sum()
            };
            prop_assert_eq!(volume.total(), sum(-50, 50));
            prop_assert_eq!(volume.between(first, first + length), sum(first, first + length));
            let lowest = trades.iter().map(|trade| trade.0).min();
            let highest = trades.iter().map(|trade| trade.0).max();
            prop_assert_eq!(volume.range(), lowest.zip(highest));
        }

        /// Through many bars that wander, so that the room moves and grows, and through a restart.
        #[test]
        fn a_wandering_bar_is_that_of_fresh_trades(
            bars in prop::collection::vec(
                (-3000i64..3000, prop::collection::vec((-400i64..400, 0u32..9), 0..30)), 1..8,
            ),
        ) {
            let mut used = TradedVolume::default();
            for (middle, trades) in bars {
                used.clear();
                let mut fresh = TradedVolume::default();
                for (offset, size) in &trades {
                    used.add(middle + offset, *size);
                    fresh.add(middle + offset, *size);
                }
                let mut copied = TradedVolume::default();
                copied.add_all(&fresh);
                prop_assert_eq!(&copied, &fresh);
                let saved = serde_json::to_string(&used).unwrap();
                let restored: TradedVolume = serde_json::from_str(&saved).unwrap();
                prop_assert_eq!(&used, &fresh);
                prop_assert_eq!(&restored, &fresh);
                for price in middle - 400..middle + 400 {
                    let own = trades.iter().filter(|trade| middle + trade.0 == price);
                    let sum: u64 = own.map(|trade| u64::from(trade.1)).sum();
                    prop_assert_eq!(used.between(price, price + 1), sum);
                    prop_assert_eq!(restored.between(price, price + 1), sum);
                }
            }
        }
    }

    #[test]
    fn a_wild_price_is_left_out() {
        let mut volume = TradedVolume::default();
        volume.add(16_000, 3);
        volume.add(i64::MAX / 2, 5);
        volume.add(16_001, 1);
        assert_eq!((volume.total(), volume.range()), (4, Some((16_000, 16_001))));
        // The limit is the same however much room there is, and at the ends of the numbers.
        let most = TradedVolume::MAX_TICKS as i64;
        for start in [16_000, i64::MIN, i64::MAX - 2 * most] {
            volume.clear();
            volume.add(start + most - 1, 1);
            volume.add(start, 1);
            volume.add(start + most, 1);
            assert_eq!((volume.total(), volume.range()), (2, Some((start, start + most - 1))));
        }
        volume.clear();
        volume.add(i64::MAX - 1, 6);
        assert_eq!((volume.total(), volume.between(0, i64::MAX)), (6, 6));
    }

    #[test]
    fn a_damaged_state_is_refused() {
        for saved in [
            r#"{"lowest":9223372036854775807,"sizes":[1,2]}"#.to_owned(),
            format!(
                r#"{{"lowest":0,"sizes":{:?}}}"#,
                vec![0; TradedVolume::MAX_TICKS as usize + 1]
            ),
        ] {
            let error = serde_json::from_str::<TradedVolume>(&saved).unwrap_err().to_string();
            assert!(error.contains("the saved trades begin at"), "{error}");
        }
    }
}
