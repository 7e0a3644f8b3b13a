//! What traded at each price of a bar.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Contracts traded at each price while a bar is open.
///
/// It holds one number for each tick between the lowest and the highest trade, so its memory is bounded
/// by the widest bar and not by the number of trades, and after [`TradedVolume::clear`] it is used
/// again without allocating.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradedVolume {
    /// The lowest price in ticks; meaningless while there is no trade.
    lowest: i64,
    sizes: VecDeque<u64>,
    total: u64,
}

impl TradedVolume {
    /// The widest range of prices it holds, in ticks.
    pub const MAX_TICKS: u64 = 1 << 20;

    /// Counts a trade of `size` contracts at `price` ticks.
    ///
    /// A trade that would stretch the range beyond [`TradedVolume::MAX_TICKS`] is left out; the total
    /// then shows that it is missing.
    pub fn add(&mut self, price: i64, size: u32) {
        if self.sizes.is_empty() {
            self.lowest = price;
        }
        let highest = self.lowest + self.sizes.len() as i64 - 1;
        let range = price.max(highest).abs_diff(price.min(self.lowest));
        if range >= Self::MAX_TICKS {
            return;
        }
        for _ in price..self.lowest {
            self.sizes.push_front(0);
        }
        self.lowest = self.lowest.min(price);
        let index = (price - self.lowest) as usize;
        if index >= self.sizes.len() {
            self.sizes.resize(index + 1, 0);
        }
        self.sizes[index] += u64::from(size);
        self.total += u64::from(size);
    }

    /// Forgets all trades: the next bar begins.
    pub fn clear(&mut self) {
        self.sizes.clear();
        self.total = 0;
    }

    /// Contracts in all trades.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The lowest and the highest price in ticks, or `None` without trades.
    pub fn range(&self) -> Option<(i64, i64)> {
        (!self.sizes.is_empty()).then(|| (self.lowest, self.lowest + self.sizes.len() as i64 - 1))
    }

    /// Contracts traded at `first` ≤ price < `end`, in ticks.
    pub fn between(&self, first: i64, end: i64) -> u64 {
        let index = |price: i64| (price - self.lowest).clamp(0, self.sizes.len() as i64) as usize;
        self.sizes.range(index(first)..index(end).max(index(first))).sum()
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
    }

    #[test]
    fn a_wild_price_is_left_out() {
        let mut volume = TradedVolume::default();
        volume.add(16_000, 3);
        volume.add(i64::MAX / 2, 5);
        volume.add(16_001, 1);
        assert_eq!((volume.total(), volume.range()), (4, Some((16_000, 16_001))));
    }
}
