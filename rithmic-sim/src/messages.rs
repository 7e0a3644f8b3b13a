//! Messages of a gateway.

use algospace_hft::market::{Price, Side, Tick, Timestamp};
use algospace_hft_rithmic::wire::{encode, encode_body, rti};

use crate::market::State;
use crate::script::Garbage;

/// The exchange under which all contracts are found.
pub(crate) const EXCHANGE: &str = "CME";
/// Presence bits of a trade: its price and the volume.
const TRADE_BITS: u32 = PRICE_BIT | 8;
const PRICE_BIT: u32 = 1;
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

/// Returns the frame of a last trade. The gateway's clock is ahead by `skew` nanoseconds.
pub(crate) fn trade(
    symbol: &str,
    tick: &Tick,
    volume: u64,
    skew: i64,
    is_snapshot: bool,
) -> Vec<u8> {
    let (ssboe, usecs) = stamp(tick.receive_time().unwrap_or(tick.time).saturating_add(skew));
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

/// Returns the frame of a statistic: a last trade without a price.
pub(crate) fn statistic(symbol: &str, time: Timestamp, volume: u64) -> Vec<u8> {
    let (ssboe, usecs) = stamp(time);
    let message = message!(LastTrade {
        symbol: Some(symbol.to_owned()),
        exchange: Some(EXCHANGE.to_owned()),
        presence_bits: Some(TRADE_BITS & !PRICE_BIT),
        volume: Some(volume),
        ssboe: Some(ssboe),
        usecs: Some(usecs),
    });
    encode(&message, None)
}

/// Returns the answer to a request that is refused, of the template that follows the request's.
pub(crate) fn refusal(template: i32, user_msg: Vec<String>, code: &str, text: &str) -> Vec<u8> {
    use algospace_hft_rithmic::wire::prost::Message;
    // The fields of an answer that a refusal has are the same in every template.
    let answer = message!(ResponseHeartbeat {
        template_id: template + 1,
        user_msg,
        rp_code: vec![code.to_owned(), text.to_owned()],
    });
    encode_body(&answer.encode_to_vec(), None)
}

/// Returns a frame that nobody understands.
pub(crate) fn garbage(kind: Garbage) -> Vec<u8> {
    match kind {
        Garbage::Truncated => {
            let mut frame = refusal(18, Vec::new(), "0", "");
            frame.truncate(frame.len() - 3);
            frame
        }
        Garbage::Giant => [&3_000_000_000_u32.to_be_bytes()[..], b"three gigabytes"].concat(),
        Garbage::UnknownTemplate | Garbage::Text => refusal(357, Vec::new(), "0", ""),
    }
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

/// Returns the frames of a contract's last trade and quotes, as the answer to a subscription. The
/// gateway's clock is ahead by `skew` nanoseconds.
pub(crate) fn snapshot(
    symbol: &str,
    state: State,
    ticks: &[Tick],
    bits: u32,
    skew: i64,
) -> Vec<Vec<u8>> {
    use rti::request_market_data_update::UpdateBits::{Bbo, LastTrade};
    let Some(tick) = state.last.map(|place| ticks[place]) else { return Vec::new() };
    let trade =
        (bits & LastTrade as u32 != 0).then(|| trade(symbol, &tick, state.volume, skew, true));
    let time = tick.time.saturating_add(skew);
    let quote = (bits & Bbo as u32 != 0).then(|| quote(symbol, state.quotes, time, true));
    trade.into_iter().chain(quote.flatten()).collect()
}
