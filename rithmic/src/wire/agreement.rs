//! The statement that the decoder by hand is prost: for tests and fuzzers, on any bytes.

use prost::Message as _;

use super::{BestBidOffer, Incoming, LastTrade, Name, WireError, decode, rti};

/// Decodes a message both ways. Returns whether both took it as a last trade or a quote.
///
/// # Panics
/// If they differ: in a value, in what is present, or in what is refused.
pub fn check(message: &[u8]) -> bool {
    let template = rti::MessageType::decode(message).map(|head| head.template_id);
    match (decode(message), template) {
        (Ok(Incoming::Trade(ours)), Ok(150)) => {
            let theirs = rti::LastTrade::decode(message);
            trade(&ours, &theirs.expect("a trade that prost refuses"));
            true
        }
        (Ok(Incoming::Quote(ours)), Ok(151)) => {
            let theirs = rti::BestBidOffer::decode(message);
            quote(&ours, &theirs.expect("a quote that prost refuses"));
            true
        }
        (Ok(Incoming::Other(envelope, whole)), Ok(template)) => {
            assert_eq!(envelope.template, template);
            assert!(whole == message && ![150, 151].contains(&template) && template > 0);
            // Their decoder comes back as well.
            drop(super::decode_message(template, message));
            false
        }
        (Err(error), Ok(template @ (150 | 151))) => {
            let refused = match template {
                150 => rti::LastTrade::decode(message).is_err(),
                _ => rti::BestBidOffer::decode(message).is_err(),
            };
            // The one thing that they take and we do not.
            let is_long = error == WireError::NameTooLong && message.len() > Name::LONGEST;
            assert!(refused || is_long, "{error}, and prost takes it");
            false
        }
        (Err(WireError::NoTemplate), Ok(template)) => {
            assert!(template <= 0, "template {template} was not seen");
            false
        }
        (Err(_), Err(_)) => false,
        (ours, theirs) => panic!("ours is {ours:?}, prost's {theirs:?}"),
    }
}

/// Compares each field listed, and floats by their bits.
macro_rules! same {
    ($ours:ident $theirs:ident; names $($name:ident)*; numbers $($number:ident)*; floats $($float:ident)*; unkept $($unkept:ident)*) => {
        $(assert_eq!($ours.$name().as_ref().map(Name::as_str), $theirs.$name.as_deref());)*
        $(assert_eq!($ours.$number(), $theirs.$number, stringify!($number));)*
        $(assert_eq!($ours.$float().map(f64::to_bits), $theirs.$float.map(f64::to_bits));)*
        $(assert_eq!($ours.$unkept().is_some(), $theirs.$unkept.is_some());)*
    };
}

fn trade(ours: &LastTrade, theirs: &rti::LastTrade) {
    same! { ours theirs;
        names symbol exchange;
        numbers presence_bits clear_bits is_snapshot trade_size aggressor volume ssboe usecs source_ssboe
            source_usecs source_nsecs jop_ssboe jop_nsecs;
        floats trade_price net_change percent_change vwap;
        unkept exchange_order_id aggressor_exchange_order_id trade_time
    }
}

fn quote(ours: &BestBidOffer, theirs: &rti::BestBidOffer) {
    same! { ours theirs;
        names symbol exchange;
        numbers presence_bits clear_bits is_snapshot bid_size bid_orders bid_implicit_size ask_size
            ask_orders ask_implicit_size ssboe usecs;
        floats bid_price ask_price lean_price;
        unkept bid_time ask_time
    }
}
