//! The decoder by hand is prost, on frames that are good, damaged, put together at random, or
//! noise. `WIRE_FRAMES` sets their number (default 100,000).

use algospace_hft_rithmic::wire::prost::Message as _;
use algospace_hft_rithmic::wire::{agreement, rti};

use crate::fuzz_frame::rithmic_frame;
use crate::random::Random;

/// Fields of both messages, and of all: numbers that the decoders know.
const NUMBERS: [u64; 40] = [
    110_100,
    110_101,
    149_138,
    154_571,
    110_121,
    100_006,
    100_178,
    112_003,
    149_238,
    154_641,
    100_011,
    100_056,
    100_032,
    101_379,
    100_379,
    150_100,
    150_101,
    150_400,
    150_401,
    150_404,
    150_600,
    150_604,
    100_022,
    100_030,
    154_403,
    154_867,
    100_266,
    100_025,
    100_031,
    154_404,
    154_868,
    100_267,
    154_909,
    132_760,
    132_764,
    132_766,
    154_467,
    154_467,
    1,
    536_870_911,
];

#[test]
fn the_decoder_by_hand_is_prost() {
    let frames = std::env::var("WIRE_FRAMES").map_or(100_000, |text| text.parse().unwrap());
    let mut random = Random(20_240_104);
    let (mut taken, mut refused) = (0_u64, 0_u64);
    for _ in 0..frames {
        let frame = frame(&mut random);
        let read = std::panic::catch_unwind(|| agreement::check(&frame));
        match read {
            Ok(true) => taken += 1,
            Ok(false) => refused += 1,
            Err(_) => panic!("this message: {frame:02x?}"),
        }
    }
    // A generator of rubbish alone would show nothing, nor one of good frames alone.
    assert!(taken > frames / 3 && refused > frames / 10, "{taken} taken, {refused} not");
}

#[test]
fn the_fuzz_target_comes_back_from_frames() {
    let mut random = Random(7);
    for _ in 0..2_000 {
        let message = frame(&mut random);
        let mut framed = (message.len() as u32).to_be_bytes().to_vec();
        framed.extend(message);
        if random.once_in(4) {
            damage(&mut framed, &mut random);
        }
        rithmic_frame(&framed);
    }
}

fn frame(random: &mut Random) -> Vec<u8> {
    let mut frame = match random.below(8) {
        0..3 => trade(random).encode_to_vec(),
        3..6 => quote(random).encode_to_vec(),
        6 => fields(random),
        _ => (0..random.below(60)).map(|_| random.next() as u8).collect(),
    };
    if random.once_in(4) {
        damage(&mut frame, random);
    }
    frame
}

/// A value in most cases.
fn maybe<T>(random: &mut Random, value: impl FnOnce(&mut Random) -> T) -> Option<T> {
    (!random.once_in(4)).then(|| value(random))
}

fn integer(random: &mut Random) -> Option<i32> {
    maybe(random, |random| match random.below(3) {
        0 => random.next() as i32,
        1 => -1,
        _ => random.below(1_000) as i32,
    })
}

fn float(random: &mut Random) -> Option<f64> {
    maybe(random, |random| match random.below(4) {
        0 => f64::from_bits(random.next()),
        1 => -1.0,
        2 => f64::NAN,
        _ => random.below(40_000) as f64 * 0.25,
    })
}

fn text(random: &mut Random) -> Option<String> {
    maybe(random, |random| match random.below(30) {
        0 => "a symbol far longer than any that there is".to_owned(),
        1 => String::new(),
        2 => "ÄÖ€𝄞".to_owned(),
        _ => "ESZ6".to_owned(),
    })
}

fn bits(random: &mut Random) -> Option<u32> {
    maybe(random, |random| random.below(64) as u32)
}

fn trade(random: &mut Random) -> rti::LastTrade {
    let mut trade = rti::LastTrade::default();
    trade.template_id = 150;
    trade.symbol = text(random);
    trade.exchange = text(random);
    trade.presence_bits = bits(random);
    trade.clear_bits = bits(random);
    trade.is_snapshot = maybe(random, |random| random.once_in(2));
    trade.trade_price = float(random);
    trade.trade_size = integer(random);
    trade.aggressor = integer(random);
    trade.exchange_order_id = text(random);
    trade.aggressor_exchange_order_id = text(random);
    trade.net_change = float(random);
    trade.percent_change = float(random);
    trade.volume = maybe(random, Random::next);
    trade.vwap = float(random);
    trade.trade_time = text(random);
    trade.ssboe = integer(random);
    trade.usecs = integer(random);
    trade.source_ssboe = integer(random);
    trade.source_usecs = integer(random);
    trade.source_nsecs = integer(random);
    trade.jop_ssboe = integer(random);
    trade.jop_nsecs = integer(random);
    trade
}

fn quote(random: &mut Random) -> rti::BestBidOffer {
    let mut quote = rti::BestBidOffer::default();
    quote.template_id = 151;
    quote.symbol = text(random);
    quote.exchange = text(random);
    quote.presence_bits = bits(random);
    quote.clear_bits = bits(random);
    quote.is_snapshot = maybe(random, |random| random.once_in(2));
    quote.bid_price = float(random);
    quote.bid_size = integer(random);
    quote.bid_orders = integer(random);
    quote.bid_implicit_size = integer(random);
    quote.bid_time = text(random);
    quote.ask_price = float(random);
    quote.ask_size = integer(random);
    quote.ask_orders = integer(random);
    quote.ask_implicit_size = integer(random);
    quote.ask_time = text(random);
    quote.lean_price = float(random);
    quote.ssboe = integer(random);
    quote.usecs = integer(random);
    quote
}

/// Fields of any number and kind, in any order and number, groups in groups among them.
fn fields(random: &mut Random) -> Vec<u8> {
    let mut message = Vec::new();
    for _ in 0..random.below(12) {
        let number = if random.once_in(8) { random.next() >> 35 } else { random.one(&NUMBERS) };
        field(&mut message, number, random);
    }
    let template = random.one(&[150, 150, 151, 151, 11, 358, 0, 1 << 40 | 150]);
    varint(&mut message, 154_467 << 3);
    varint(&mut message, template);
    message
}

fn field(message: &mut Vec<u8>, number: u64, random: &mut Random) {
    // The right kind in half of all cases.
    let likely = match number {
        110_100 | 110_101 | 149_238 | 154_641 | 100_379 | 100_266 | 100_267 => 2,
        100_006 | 100_011 | 100_056 | 101_379 | 100_022 | 100_025 | 154_909 => 1,
        _ => 0,
    };
    let kind = if random.once_in(2) { likely } else { random.below(7) };
    varint(message, number << 3 | kind);
    match kind {
        0 => {
            let value = random.next() >> random.below(64);
            varint(message, value);
        }
        1 => message.extend(random.next().to_le_bytes()),
        2 => {
            let length = random.below(6);
            varint(message, length);
            message.extend((0..length).map(|_| (random.next() & 0x9f) as u8));
        }
        3 => {
            // Now and then more groups in groups than any decoder follows.
            let depth = if random.once_in(8) { 95 + random.below(10) } else { random.below(4) };
            for _ in 0..depth {
                varint(message, 7 << 3 | 3);
            }
            if random.once_in(2) {
                varint(message, 9 << 3);
                varint(message, 1);
            }
            for _ in 0..depth {
                varint(message, 7 << 3 | 4);
            }
            varint(message, number << 3 | 4);
        }
        5 => message.extend((random.next() as u32).to_le_bytes()),
        _ => {}
    }
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

fn damage(frame: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let place = random.below(frame.len() as u64 + 1) as usize;
        match random.below(4) {
            0 => frame.truncate(place),
            1 => frame.insert(place, random.next() as u8),
            2 if place < frame.len() => drop(frame.remove(place)),
            _ if place < frame.len() => frame[place] ^= 1 << random.below(8),
            _ => frame.push(0x80),
        }
    }
}
