//! The best bid and offer, merged from partial updates.

use super::Contract;
use crate::wire::BestBidOffer;

/// A price and the contracts at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// The price in ticks.
    pub ticks: i64,
    /// Contracts.
    pub size: u32,
}

/// The best bid and offer of one contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopOfBook {
    /// The best bid, if there is one.
    pub bid: Option<Side>,
    /// The best offer, if there is one.
    pub ask: Option<Side>,
    /// Prices that were not taken: not finite, or between two ticks.
    pub invalid: u64,
}

impl TopOfBook {
    const BID: u32 = 1;
    const ASK: u32 = 2;

    /// Merges an update: each side that its bits name, and no other. A side that is cleared, or
    /// whose price is absent or has no contracts, is gone.
    #[inline]
    pub fn on_quote(&mut self, quote: &BestBidOffer, contract: &Contract) {
        let cleared = quote.clear_bits().unwrap_or(0);
        // Without bits, what is there counts.
        let named = quote.presence_bits().unwrap_or_else(|| {
            u32::from(quote.bid_price().is_some()) * Self::BID
                + u32::from(quote.ask_price().is_some()) * Self::ASK
        });
        let mut side = |bit, price: Option<f64>, size: Option<i32>, side: &mut Option<Side>| {
            if cleared & bit != 0 {
                *side = None;
            } else if named & bit != 0 {
                let ticks = price.and_then(|price| contract.ticks(price));
                self.invalid += u64::from(ticks.is_none() && price.is_some_and(|p| p != -1.0));
                let size = size.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0);
                *side = ticks.zip(size).map(|(ticks, size)| Side { ticks, size });
            }
        };
        side(Self::BID, quote.bid_price(), quote.bid_size(), &mut self.bid);
        side(Self::ASK, quote.ask_price(), quote.ask_size(), &mut self.ask);
    }

    /// Returns true if the bid is at the offer or above it: nothing to act by.
    pub fn is_crossed(&self) -> bool {
        matches!((self.bid, self.ask), (Some(bid), Some(ask)) if bid.ticks >= ask.ticks)
    }

    /// Returns true if both sides are there and apart.
    pub fn is_usable(&self) -> bool {
        self.bid.is_some() && self.ask.is_some() && !self.is_crossed()
    }
}
