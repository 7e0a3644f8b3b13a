//! One trade, as a fixed 32-byte record.

use bytemuck::{Pod, Zeroable};
use serde::{Deserialize, Serialize};

use super::{Price, Timestamp};

/// The side of an order, or the side that took liquidity in a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Bought, or to buy.
    Buy,
    /// Sold, or to sell.
    Sell,
}

impl Side {
    /// Returns +1 for a buy, −1 for a sell.
    #[inline]
    pub const fn sign(self) -> i64 {
        match self {
            Side::Buy => 1,
            Side::Sell => -1,
        }
    }

    /// Returns the other side.
    #[inline]
    pub const fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// Returns `buy` or `sell`.
    pub const fn name(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }
}

/// Facts about a tick, as bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(transparent)]
pub struct TickFlags(pub u8);

impl TickFlags {
    /// A plain trade.
    pub const NONE: TickFlags = TickFlags(0);
    /// Made from the open of a history bar, not a trade that was seen.
    pub const BAR_OPEN: TickFlags = TickFlags(1);
    /// Made from the high or the low of a history bar: its place in time is unknown.
    pub const BAR_EXTREME: TickFlags = TickFlags(2);
    /// Made from the close of a history bar; the source bar is complete with it.
    pub const BAR_CLOSE: TickFlags = TickFlags(4);
    /// The source says that data is missing between the tick before and this one.
    pub const AFTER_GAP: TickFlags = TickFlags(8);
    /// Recovered from history after a gap of the live feed: too old to act on.
    pub const BACKFILLED: TickFlags = TickFlags(16);
    /// All that have a meaning.
    pub const ALL: TickFlags = TickFlags(31);

    /// Any of the three that stand for a history bar.
    pub const OF_BAR: TickFlags = TickFlags(1 | 2 | 4);

    /// Returns whether any bit of `other` is set.
    #[inline]
    pub const fn any(self, other: TickFlags) -> bool {
        self.0 & other.0 != 0
    }

    /// Returns these flags and those of `other`.
    #[inline]
    pub const fn with(self, other: TickFlags) -> TickFlags {
        TickFlags(self.0 | other.0)
    }
}

/// One trade: 32 bytes, plain old data, two to a cache line. The layout is that of the native tick
/// file, little-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Tick {
    /// Time of the trade at the exchange.
    pub time: Timestamp,
    /// Price; always a whole number of the instrument's ticks.
    pub price: Price,
    /// Contracts traded (≥ 1).
    pub size: u32,
    receive_delay: i32,
    bid_offset: i16,
    ask_offset: i16,
    /// The contract, as an index into the contract table of the tick file (0 when there is one).
    pub contract: u16,
    pub(super) aggressor: u8,
    /// Facts about this tick.
    pub flags: TickFlags,
}

const _: () = assert!(size_of::<Tick>() == 32);

const UNKNOWN_DELAY: i32 = i32::MIN;
const UNKNOWN_QUOTE: i16 = i16::MIN;
/// The source names a quote that a tick cannot hold.
const UNUSABLE_QUOTE: i16 = i16::MIN + 1;

/// A tick's quote for one side of the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quoted {
    /// A price.
    At(Price),
    /// Nothing.
    Absent,
    /// Something that cannot have been a quote when this trade was made.
    Impossible,
}

impl Tick {
    /// Creates a trade whose aggressor, receive time and quotes are not known.
    #[inline]
    pub const fn new(time: Timestamp, price: Price, size: u32) -> Tick {
        Tick {
            time,
            price,
            size,
            receive_delay: UNKNOWN_DELAY,
            bid_offset: UNKNOWN_QUOTE,
            ask_offset: UNKNOWN_QUOTE,
            contract: 0,
            aggressor: 0,
            flags: TickFlags::NONE,
        }
    }

    /// Returns this tick with the side that took liquidity.
    #[inline]
    pub const fn with_aggressor(mut self, side: Option<Side>) -> Tick {
        self.aggressor = match side {
            None => 0,
            Some(Side::Buy) => 1,
            Some(Side::Sell) => 2,
        };
        self
    }

    /// Returns this tick with the time at which it was received. A delay beyond ±2.147 s is held as
    /// that.
    #[inline]
    pub const fn with_receive_time(mut self, received: Timestamp) -> Tick {
        let delay = received.nanos().saturating_sub(self.time.nanos());
        self.receive_delay = if delay > i32::MAX as i64 {
            i32::MAX
        } else if delay <= i32::MIN as i64 {
            i32::MIN + 1
        } else {
            delay as i32
        };
        self
    }

    /// Returns this tick with the best bid and ask that stood with the trade. Of a quote that is
    /// farther than 32,766 ticks from the trade, or off the tick grid, it holds only that there was
    /// one.
    pub fn with_quotes(mut self, bid: Option<Price>, ask: Option<Price>, tick_size: Price) -> Tick {
        self.bid_offset = quote_offset(bid, self.price, tick_size);
        self.ask_offset = quote_offset(ask, self.price, tick_size);
        self
    }

    /// Returns this tick with these flags.
    #[inline]
    pub const fn with_flags(mut self, flags: TickFlags) -> Tick {
        self.flags = flags;
        self
    }

    /// Returns this tick as one of the contract with that index.
    #[inline]
    pub const fn with_contract(mut self, contract: u16) -> Tick {
        self.contract = contract;
        self
    }

    /// Returns the side that took liquidity, where the source tells.
    #[inline]
    pub const fn aggressor(&self) -> Option<Side> {
        match self.aggressor {
            1 => Some(Side::Buy),
            2 => Some(Side::Sell),
            _ => None,
        }
    }

    /// Returns the time of receipt, where the source tells it.
    #[inline]
    pub fn receive_time(&self) -> Option<Timestamp> {
        (self.receive_delay != UNKNOWN_DELAY).then(|| self.time + i64::from(self.receive_delay))
    }

    /// Returns the best bid with the trade, where the source tells.
    #[inline]
    pub fn bid(&self, tick_size: Price) -> Option<Price> {
        (self.bid_offset > UNUSABLE_QUOTE)
            .then(|| self.price.offset_ticks(i64::from(self.bid_offset), tick_size))
    }

    /// Returns the best ask with the trade, where the source tells.
    #[inline]
    pub fn ask(&self, tick_size: Price) -> Option<Price> {
        (self.ask_offset > UNUSABLE_QUOTE)
            .then(|| self.price.offset_ticks(i64::from(self.ask_offset), tick_size))
    }

    /// Returns the quote that an order on `side` that takes liquidity meets: the ask for a buy, the
    /// bid for a sell.
    ///
    /// A quote is impossible that is off the tick grid, at zero or below it while the trade is
    /// above, farther from the trade than a tenth of its price and a hundred ticks (a stub for
    /// none), on the wrong side of the trade, or not below the ask (above the bid) that comes with
    /// it.
    pub fn quote_for(&self, side: Side, tick_size: Price) -> Quoted {
        let (found, other, raw) = match side {
            Side::Buy => (self.ask(tick_size), self.bid(tick_size), self.ask_offset),
            Side::Sell => (self.bid(tick_size), self.ask(tick_size), self.bid_offset),
        };
        let farthest = (self.price.units().unsigned_abs() / 10)
            .max(tick_size.units().unsigned_abs().saturating_mul(100));
        let is_price = |quote: &Price| {
            (*quote > Price::ZERO || self.price <= Price::ZERO)
                && quote.units().abs_diff(self.price.units()) <= farthest
        };
        let beyond = |quote: Price, level: Price| (quote.units() - level.units()) * side.sign();
        match found {
            None if raw == UNKNOWN_QUOTE => Quoted::Absent,
            Some(quote)
                if is_price(&quote)
                    && beyond(quote, self.price) >= 0
                    && other.filter(is_price).is_none_or(|other| beyond(quote, other) > 0) =>
            {
                Quoted::At(quote)
            }
            _ => Quoted::Impossible,
        }
    }
}

fn quote_offset(quote: Option<Price>, trade: Price, tick_size: Price) -> i16 {
    let Some(quote) = quote else { return UNKNOWN_QUOTE };
    let Some(distance) = quote.units().checked_sub(trade.units()) else { return UNUSABLE_QUOTE };
    // Most quotes are at the trade or a tick from it, and a division costs more than all the rest.
    if distance == 0 || distance == tick_size.units() || -distance == tick_size.units() {
        return distance.signum() as i16;
    }
    if distance % tick_size.units() != 0 {
        return UNUSABLE_QUOTE;
    }
    let ticks = i16::try_from(distance / tick_size.units()).unwrap_or(UNUSABLE_QUOTE);
    ticks.max(UNUSABLE_QUOTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_quotes_and_receive_time_beside_the_trade() {
        let tick_size: Price = "0.25".parse().unwrap();
        let price: Price = "4500.25".parse().unwrap();
        let tick = Tick::new(Timestamp::from_nanos(1_000), price, 3);
        assert_eq!((tick.bid(tick_size), tick.ask(tick_size)), (None, None));
        assert_eq!((tick.receive_time(), tick.aggressor()), (None, None));

        let bid: Price = "4500".parse().unwrap();
        let tick = tick
            .with_quotes(Some(bid), Some(price), tick_size)
            .with_receive_time(Timestamp::from_nanos(900))
            .with_aggressor(Some(Side::Sell));
        assert_eq!((tick.bid(tick_size), tick.ask(tick_size)), (Some(bid), Some(price)));
        assert_eq!(tick.receive_time(), Some(Timestamp::from_nanos(900)));
        assert_eq!(tick.aggressor(), Some(Side::Sell));
    }

    #[test]
    fn leaves_out_a_quote_that_cannot_be_a_quote() {
        let tick_size: Price = "0.25".parse().unwrap();
        let tick = Tick::new(Timestamp::default(), Price::ZERO, 1).with_quotes(
            Some("0.1".parse().unwrap()),
            Some(Price::MAX),
            tick_size,
        );
        assert_eq!((tick.bid(tick_size), tick.ask(tick_size)), (None, None));
        for side in [Side::Buy, Side::Sell] {
            assert_eq!(tick.quote_for(side, tick_size), Quoted::Impossible);
        }
    }

    #[test]
    fn believes_a_quote_that_can_have_stood_with_the_trade() {
        let tick_size: Price = "0.25".parse().unwrap();
        let (no, at) = (Quoted::Impossible, |text: &str| Quoted::At(text.parse().unwrap()));
        // Trade, bid, ask; what a buy and a sell find.
        for (trade, bid, ask, buy, sell) in [
            ("100", "99.75", "100", at("100"), at("99.75")),
            ("100", "", "", Quoted::Absent, Quoted::Absent),
            ("100", "", "101", at("101"), Quoted::Absent),
            ("100", "0", "0", no, no),
            // Zero stands for none, and leaves the other side as it is.
            ("100", "99.75", "0", no, at("99.75")),
            // Crossed, and locked.
            ("100", "100.25", "99.75", no, no),
            ("100", "100.5", "100.25", no, no),
            ("100", "100", "100", no, no),
            // The market has moved away from the trade.
            ("100", "99", "99.75", no, at("99")),
            ("100", "100.25", "100.5", at("100.5"), no),
            ("100", "99.9", "100.1", no, no),
            ("100", "99.75", "9000", no, at("99.75")),
            // Stubs.
            ("4700", "0.25", "9999", no, no),
            ("4700", "4230", "5170", at("5170"), at("4230")),
            ("4700", "4229.75", "4700.25", at("4700.25"), no),
            ("100", "75", "125.25", no, at("75")),
            ("-0.25", "-0.5", "0", at("0"), at("-0.5")),
        ] {
            let price = |text: &str| text.parse::<Price>().ok();
            let tick = Tick::new(Timestamp::default(), price(trade).unwrap(), 1);
            let tick = tick.with_quotes(price(bid), price(ask), tick_size);
            let seen = [Side::Buy, Side::Sell].map(|side| tick.quote_for(side, tick_size));
            assert_eq!(seen, [buy, sell], "{trade} {bid} {ask}");
        }
    }
}
