//! Messages of a gateway.

use algospace_hft::market::{Price, Side, Tick, Timestamp};
use algospace_hft_rithmic::wire::{encode, rti};

use crate::market::State;

/// The exchange under which all contracts are found.
pub(crate) const EXCHANGE: &str = "CME";
/// Presence bits of a trade: its price and the volume.
const TRADE_BITS: u32 = 1 | 8;
const BID: u32 = 1;
const OFFER: u32 = 2;

/// Creates a message and sets fields of it, which other crates cannot do in one expression.
macro_rules! message {
    ($name:ident { $($field:ident $(: $value:expr)?),* $(,)? }) => {{
        #[allow(unused_mut, reason = "a message may have no field to set")]
        let mut message = ::algospace_hft_rithmic::wire::rti::$name::default();
        $(message.$field = $crate::messages::value!($field $(: $value)?);)*
        message
    }};
}
pub(crate) use message;

macro_rules! value {
    ($field:ident) => {
        $field
    };
    ($field:ident: $value:expr) => {
        $value
    };
}
pub(crate) use value;

/// Returns the code of success.
pub(crate) fn good() -> Vec<String> {
    codes(&["0"])
}

pub(crate) fn codes(codes: &[&str]) -> Vec<String> {
    codes.iter().map(|&code| code.to_owned()).collect()
}

/// Returns seconds since 1970 and the microseconds behind them.
pub(crate) fn stamp(time: Timestamp) -> (i32, i32) {
    let nanos = time.nanos();
    let micros = nanos.rem_euclid(1_000_000_000) / 1_000;
    (nanos.div_euclid(1_000_000_000) as i32, micros as i32)
}

/// Returns the frame of a last trade.
pub(crate) fn trade(symbol: &str, tick: &Tick, volume: u64, is_snapshot: bool) -> Vec<u8> {
    let (ssboe, usecs) = stamp(tick.receive_time().unwrap_or(tick.time));
    let nanos = tick.time.nanos();
    let (source_ssboe, source_usecs) = stamp(tick.time);
    let message = message!(LastTrade {
        symbol: Some(symbol.to_owned()),
        exchange: Some(EXCHANGE.to_owned()),
        presence_bits: Some(TRADE_BITS),
        is_snapshot: is_snapshot.then_some(true),
        trade_price: Some(tick.price.as_f64()),
        trade_size: Some(tick.size as i32),
        aggressor: tick.aggressor().map(|side| if side == Side::Buy { 1 } else { 2 }),
        volume: Some(volume),
        ssboe: Some(ssboe),
        usecs: Some(usecs),
        source_ssboe: Some(source_ssboe),
        source_usecs: Some(source_usecs),
        source_nsecs: Some(nanos.rem_euclid(1_000_000_000) as i32),
    });
    encode(&message, None)
}

/// Returns the frame of the sides of the best bid and offer that are given; `None` without any.
pub(crate) fn quote(
    symbol: &str,
    [bid, offer]: [Option<Price>; 2],
    time: Timestamp,
    is_snapshot: bool,
) -> Option<Vec<u8>> {
    if bid.is_none() && offer.is_none() {
        return None;
    }
    let (ssboe, usecs) = stamp(time);
    let bit = |side: Option<Price>, bit| side.map_or(0, |_| bit);
    let message = message!(BestBidOffer {
        symbol: Some(symbol.to_owned()),
        exchange: Some(EXCHANGE.to_owned()),
        presence_bits: Some(bit(bid, BID) | bit(offer, OFFER)),
        is_snapshot: is_snapshot.then_some(true),
        bid_price: bid.map(Price::as_f64),
        bid_size: bid.map(|_| 1),
        bid_orders: bid.map(|_| 1),
        ask_price: offer.map(Price::as_f64),
        ask_size: offer.map(|_| 1),
        ask_orders: offer.map(|_| 1),
        ssboe: Some(ssboe),
        usecs: Some(usecs),
    });
    Some(encode(&message, None))
}

/// Returns the frames of a contract's last trade and quotes, as the answer to a subscription.
pub(crate) fn snapshot(symbol: &str, state: State, ticks: &[Tick], bits: u32) -> Vec<Vec<u8>> {
    use rti::request_market_data_update::UpdateBits::{Bbo, LastTrade};
    let Some(tick) = state.last.map(|place| ticks[place]) else { return Vec::new() };
    let trade = (bits & LastTrade as u32 != 0).then(|| trade(symbol, &tick, state.volume, true));
    let quote = (bits & Bbo as u32 != 0).then(|| quote(symbol, state.quotes, tick.time, true));
    trade.into_iter().chain(quote.flatten()).collect()
}
