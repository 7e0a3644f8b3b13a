//! Bytes of the gateway and messages: framing, the two decoders, and the encoder.
//!
//! A binary WebSocket message holds [messages behind their lengths](messages()). [`decode`] tells
//! last trades and quotes, which it reads itself without an allocation, from everything else, which
//! it leaves to [`decode_message`] or to a type of [`rti`]. Nothing here panics on any bytes.

pub mod agreement;
mod envelope;
mod error;
mod frame;
mod market_data;
mod messages;
mod reader;

pub use envelope::{Envelope, Verdict};
pub use error::WireError;
pub(crate) use frame::encode_in_place;
pub use frame::{LONGEST, Messages, body, encode, encode_body, messages};
pub use market_data::{BestBidOffer, LastTrade, Name, Nanoseconds, Unkept};
pub use messages::{Template, decode_message};
pub use prost;
pub use rithmic_rs::rti;

/// The field that holds a message's template number.
const TEMPLATE_FIELD: u32 = 154_467;
/// The field that a request gives and its answers repeat: `user_msg`.
const REQUEST_FIELD: u32 = 132_760;

/// A message of a gateway, as far as it is decoded without an allocation.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// A last trade.
    Trade(LastTrade),
    /// A change of the best bid and offer.
    Quote(BestBidOffer),
    /// Any other message: its common part, and all of it.
    Other(Envelope<'a>, &'a [u8]),
}

/// Decodes one message. Unknown template numbers and unknown fields are no errors.
///
/// # Errors
/// If it is not a message.
#[inline]
pub fn decode(message: &[u8]) -> Result<Incoming<'_>, WireError> {
    let envelope = Envelope::of(message)?;
    Ok(match envelope.template {
        150 => Incoming::Trade(LastTrade::decode(message)?),
        151 => Incoming::Quote(BestBidOffer::decode(message)?),
        _ => Incoming::Other(envelope, message),
    })
}
