//! From the gateway's values to a trade, or the reason that it is not one.

use crate::wire::{LastTrade, Nanoseconds};

/// The facts of a contract that its prices are read by.
#[derive(Clone, Copy, Debug)]
pub struct Contract {
    /// The least change of its price, above zero.
    pub tick_size: f64,
    /// The meaning of the exchange's nanoseconds.
    pub nanoseconds: Nanoseconds,
}

impl Contract {
    /// Returns a price in ticks; `None` if it is absent (which gateways write as -1), not finite,
    /// out of range, or between two ticks.
    pub fn ticks(&self, price: f64) -> Option<i64> {
        let ticks = (price / self.tick_size).round();
        let valid = price.is_finite() && price != -1.0 && ticks.abs() < 1e9;
        // Far less than a tick, far more than the error of a double.
        let valid = valid && (price / self.tick_size - ticks).abs() < 1e-6;
        valid.then_some(ticks as i64)
    }

    /// Returns the price of a trade in ticks; `None` at zero or below as well. Nobody could use
    /// that trade, and the next one's volume then tells that it is missing.
    pub(super) fn traded_ticks(&self, price: f64) -> Option<i64> {
        self.ticks(price).filter(|ticks| *ticks > 0)
    }
}

/// The side that took the other's price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggressor {
    /// It is not told.
    #[default]
    Unknown,
    /// The buyer.
    Buyer,
    /// The seller.
    Seller,
}

/// A trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The exchange's time, or the gateway's where it is absent, in nanoseconds since 1970.
    pub time: i64,
    /// The gateway's time, or the exchange's where it is absent.
    pub gateway_time: i64,
    /// The price in ticks.
    pub ticks: i64,
    /// Contracts, above zero.
    pub size: u32,
    /// Contracts of the session up to and with this trade, if it is told: at most
    /// [`LARGEST_VOLUME`](Trade::LARGEST_VOLUME).
    pub volume: Option<u64>,
    /// The side that took the other's price.
    pub aggressor: Aggressor,
    /// True if it repeats an earlier trade, as the answer to a subscription.
    pub is_snapshot: bool,
    /// The best bid when it was received, in ticks; `None` if unknown.
    pub bid: Option<i64>,
    /// The best offer when it was received, in ticks; `None` if unknown.
    pub ask: Option<i64>,
}

/// The reason that a last trade is not a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// It has no price: statistics.
    NoPrice,
    /// Its price is zero or below, not finite, out of range, or between two ticks.
    Price,
    /// It has no size, or none above zero.
    Size,
    /// It has no valid time.
    Time,
    /// Its volume is above [`Trade::LARGEST_VOLUME`].
    Volume,
}

impl Unusable {
    /// The number of kinds.
    pub const KINDS: usize = 5;
}

impl Trade {
    /// The largest volume of a session that is believed. No market comes near it, and sums with it
    /// do not overflow.
    pub const LARGEST_VOLUME: u64 = 1 << 40;
    /// The presence bit of a price.
    const PRICE: u32 = 1;
    /// The presence bit of the cumulative volume.
    const VOLUME: u32 = 8;

    /// Returns the trade of a message, without quotes.
    ///
    /// # Errors
    /// If the message is no trade. If contracts were traded all the same, the next trade's volume
    /// says so.
    pub fn of(message: &LastTrade, contract: &Contract) -> Result<Trade, Unusable> {
        let cleared = message.clear_bits().unwrap_or(0);
        let present = message.presence_bits().unwrap_or(u32::MAX) & !cleared;
        let price = message.trade_price().filter(|_| present & Self::PRICE != 0);
        let price = price.ok_or(Unusable::NoPrice)?;
        let ticks = contract.traded_ticks(price).ok_or(Unusable::Price)?;
        let size = message.trade_size().and_then(|size| u32::try_from(size).ok());
        let size = size.filter(|size| *size > 0).ok_or(Unusable::Size)?;
        let (exchange, gateway) =
            (message.exchange_time(contract.nanoseconds), message.gateway_time());
        let volume = message.volume().filter(|_| present & Self::VOLUME != 0);
        if volume > Some(Self::LARGEST_VOLUME) {
            return Err(Unusable::Volume);
        }
        Ok(Trade {
            time: exchange.or(gateway).ok_or(Unusable::Time)?,
            gateway_time: gateway.or(exchange).ok_or(Unusable::Time)?,
            ticks,
            size,
            volume,
            aggressor: match message.aggressor() {
                Some(1) => Aggressor::Buyer,
                Some(2) => Aggressor::Seller,
                _ => Aggressor::Unknown,
            },
            is_snapshot: message.is_snapshot() == Some(true),
            bid: None,
            ask: None,
        })
    }
}
