//! Last trades and best bids and offers, decoded by hand into plain data.
//!
//! The decoder takes what prost takes and refuses what prost refuses; `agreement.rs` says so and
//! tests and a fuzzer hold it. It allocates nothing.

use std::fmt;

use super::WireError;
use super::reader::{Kind, Reader};

/// A symbol or an exchange: a short text in place.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    length: u8,
    bytes: [u8; Name::LONGEST],
}

impl Name {
    /// The most bytes of a name.
    pub const LONGEST: usize = 23;

    /// Returns the name of that text; `None` if it is too long.
    pub fn new(text: &str) -> Option<Name> {
        let mut bytes = [0; Name::LONGEST];
        bytes.get_mut(..text.len())?.copy_from_slice(text.as_bytes());
        Some(Name { length: text.len() as u8, bytes })
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..usize::from(self.length)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// A text that is checked and not kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unkept;

/// A value that a field can have.
trait Value: Sized {
    fn read(reader: &mut Reader<'_>, kind: Kind) -> Result<Self, WireError>;
}

fn expect(kind: Kind, expected: Kind) -> Result<(), WireError> {
    if kind == expected { Ok(()) } else { Err(WireError::WireType) }
}

macro_rules! varint_values {
    ($($type:ty: $value:ident => $cast:expr;)*) => {
        $(impl Value for $type {
            #[inline]
            fn read(reader: &mut Reader<'_>, kind: Kind) -> Result<$type, WireError> {
                expect(kind, Kind::Varint)?;
                let $value = reader.varint()?;
                Ok($cast)
            }
        })*
    };
}

// As protobuf cuts integers that are too long.
varint_values! {
    bool: value => value != 0;
    i32: value => value as i32;
    u32: value => value as u32;
    u64: value => value;
}

impl Value for f64 {
    #[inline]
    fn read(reader: &mut Reader<'_>, kind: Kind) -> Result<f64, WireError> {
        expect(kind, Kind::Fixed64)?;
        reader.fixed64().map(f64::from_bits)
    }
}

impl Value for Name {
    #[inline]
    fn read(reader: &mut Reader<'_>, kind: Kind) -> Result<Name, WireError> {
        expect(kind, Kind::Bytes)?;
        Name::new(reader.text()?).ok_or(WireError::NameTooLong)
    }
}

impl Value for Unkept {
    #[inline]
    fn read(reader: &mut Reader<'_>, kind: Kind) -> Result<Unkept, WireError> {
        expect(kind, Kind::Bytes)?;
        reader.text().map(|_| Unkept)
    }
}

/// Defines a message: a row a field, with its place among the presence bits and its number.
macro_rules! message {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $bit:literal $field:ident: $type:ty = $number:literal;)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        pub struct $name {
            present: u32,
            $($field: $type,)*
        }

        impl $name {
            /// Decodes a message of this kind.
            #[inline]
            pub(super) fn decode(message: &[u8]) -> Result<$name, WireError> {
                let (mut decoded, mut reader) = ($name::default(), Reader::new(message));
                while let Some((number, kind)) = reader.field()? {
                    match number {
                        $($number => {
                            decoded.$field = <$type>::read(&mut reader, kind)?;
                            decoded.present |= 1 << $bit;
                        })*
                        super::TEMPLATE_FIELD => drop(i32::read(&mut reader, kind)?),
                        _ => reader.skip(number, kind)?,
                    }
                }
                Ok(decoded)
            }

            $($(#[$doc])*
            #[inline]
            pub const fn $field(&self) -> Option<$type> {
                if self.present & 1 << $bit == 0 { None } else { Some(self.$field) }
            })*
        }
    };
}

message! {
    /// A last trade (template 150) as the gateway sent it: a field that is absent there is `None`.
    ///
    /// Times are seconds since 1970 and a part of a second: the gateway's own (`ssboe`), the
    /// exchange's (`source_ssboe`), and when the gateway received it (`jop_ssboe`).
    LastTrade {
        /// The contract, `ESZ6`.
        0 symbol: Name = 110_100;
        /// The exchange, `CME`.
        1 exchange: Name = 110_101;
        /// Which values this message changes: 1 last trade, 2 net change, 4 percentage, 8 volume,
        /// 16 average price.
        2 presence_bits: u32 = 149_138;
        /// Which values this message takes back, by the same bits.
        3 clear_bits: u32 = 154_571;
        /// True if it repeats an earlier trade, as the answer to a subscription.
        4 is_snapshot: bool = 110_121;
        /// The price; absent in statistics.
        5 trade_price: f64 = 100_006;
        /// Contracts.
        6 trade_size: i32 = 100_178;
        /// The side that took the other's price: 1 the buyer, 2 the seller.
        7 aggressor: i32 = 112_003;
        /// The exchange's number of the resting order, unkept.
        8 exchange_order_id: Unkept = 149_238;
        /// The exchange's number of the order that came, unkept.
        9 aggressor_exchange_order_id: Unkept = 154_641;
        /// The price less the last settlement.
        10 net_change: f64 = 100_011;
        /// The same in percent.
        11 percent_change: f64 = 100_056;
        /// Contracts of the session up to and with this trade.
        12 volume: u64 = 100_032;
        /// The session's average price by volume.
        13 vwap: f64 = 101_379;
        /// The time as text, unkept.
        14 trade_time: Unkept = 100_379;
        /// Seconds of the gateway's time.
        15 ssboe: i32 = 150_100;
        /// Its microseconds.
        16 usecs: i32 = 150_101;
        /// Seconds of the exchange's time.
        17 source_ssboe: i32 = 150_400;
        /// Its microseconds.
        18 source_usecs: i32 = 150_401;
        /// Its nanoseconds: the whole fraction or what the microseconds lack, which is unverified.
        19 source_nsecs: i32 = 150_404;
        /// Seconds of the time of receipt at the gateway.
        20 jop_ssboe: i32 = 150_600;
        /// Its nanoseconds.
        21 jop_nsecs: i32 = 150_604;
    }
}

message! {
    /// A change of the best bid and offer (template 151) as the gateway sent it: a field that is
    /// absent there is `None`. It may hold one side alone ([`TopOfBook`](crate::feed::TopOfBook)
    /// merges them) and has the gateway's time only.
    BestBidOffer {
        /// The contract, `ESZ6`.
        0 symbol: Name = 110_100;
        /// The exchange, `CME`.
        1 exchange: Name = 110_101;
        /// Which values this message changes: 1 bid, 2 offer, 4 lean price.
        2 presence_bits: u32 = 149_138;
        /// Which values this message takes back, by the same bits.
        3 clear_bits: u32 = 154_571;
        /// True if it is the answer to a subscription.
        4 is_snapshot: bool = 110_121;
        /// The best bid.
        5 bid_price: f64 = 100_022;
        /// Contracts at it.
        6 bid_size: i32 = 100_030;
        /// Orders at it.
        7 bid_orders: i32 = 154_403;
        /// Contracts at it that follow from spreads.
        8 bid_implicit_size: i32 = 154_867;
        /// Its time as text, unkept.
        9 bid_time: Unkept = 100_266;
        /// The best offer.
        10 ask_price: f64 = 100_025;
        /// Contracts at it.
        11 ask_size: i32 = 100_031;
        /// Orders at it.
        12 ask_orders: i32 = 154_404;
        /// Contracts at it that follow from spreads.
        13 ask_implicit_size: i32 = 154_868;
        /// Its time as text, unkept.
        14 ask_time: Unkept = 100_267;
        /// The mean of both prices, weighted by the sizes.
        15 lean_price: f64 = 154_909;
        /// Seconds of the gateway's time.
        16 ssboe: i32 = 150_100;
        /// Its microseconds.
        17 usecs: i32 = 150_101;
    }
}

/// The meaning of the field `source_nsecs`, which no real message has shown yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Nanoseconds {
    /// The whole fraction of the second.
    #[default]
    Whole,
    /// The part to be added to the microseconds.
    BesideMicroseconds,
}

impl LastTrade {
    /// The gateway's time in nanoseconds since 1970.
    pub fn gateway_time(&self) -> Option<i64> {
        time(self.ssboe()?, self.usecs().unwrap_or(0), 0)
    }

    /// The exchange's time in nanoseconds since 1970.
    pub fn exchange_time(&self, meaning: Nanoseconds) -> Option<i64> {
        let (seconds, micros) = (self.source_ssboe()?, self.source_usecs().unwrap_or(0));
        match (meaning, self.source_nsecs()) {
            (Nanoseconds::Whole, Some(nanos)) => time(seconds, 0, nanos),
            (_, nanos) => time(seconds, micros, nanos.unwrap_or(0)),
        }
    }
}

impl BestBidOffer {
    /// The gateway's time in nanoseconds since 1970.
    pub fn gateway_time(&self) -> Option<i64> {
        time(self.ssboe()?, self.usecs().unwrap_or(0), 0)
    }
}

/// Returns a time in nanoseconds; `None` if a part is out of its range, or the time before 1970.
fn time(seconds: i32, micros: i32, nanos: i32) -> Option<i64> {
    let valid = seconds >= 0 && (0..1_000_000).contains(&micros);
    let valid = valid && (0..1_000_000_000).contains(&nanos);
    valid.then(|| i64::from(seconds) * 1_000_000_000 + i64::from(micros) * 1_000 + i64::from(nanos))
}
