//! Past trades from the history plant, as the account takes them.

use super::{Aggressor, Contract, Gap, Trade};
use crate::wire::rti;

/// Returns the request (template 206) for the trades of a gap: each as a bar of one trade, oldest
/// first, from the second before its beginning to its end.
pub fn trades_of_gap(symbol: &str, exchange: &str, gap: &Gap) -> rti::RequestTickBarReplay {
    use rti::request_tick_bar_replay::{BarSubType, BarType, Direction, TimeOrder};
    let second = |time: i64| i32::try_from(time.div_euclid(1_000_000_000)).unwrap_or(i32::MAX);
    let mut request = rti::RequestTickBarReplay::default();
    request.symbol = Some(symbol.to_owned());
    request.exchange = Some(exchange.to_owned());
    request.bar_type = Some(BarType::TickBar.into());
    request.bar_sub_type = Some(BarSubType::Regular.into());
    request.bar_type_specifier = Some("1".to_owned());
    request.start_index = Some(second(gap.from).saturating_sub(1));
    request.finish_index = Some(second(gap.to.unwrap_or(gap.from)).saturating_add(1));
    request.direction = Some(Direction::First.into());
    request.time_order = Some(TimeOrder::Forwards.into());
    request
}

/// Returns the trade of one part of the answer (template 207); `None` if it is not one trade with a
/// price, a size and a time that are valid. The last part has none.
pub fn trade(part: &rti::ResponseTickBarReplay, contract: &Contract) -> Option<Trade> {
    let ticks = contract.ticks(part.close_price?)?;
    let size = part.volume.and_then(|size| u32::try_from(size).ok()).filter(|size| *size > 0)?;
    let (seconds, micros) = (part.data_bar_ssboe.last()?, part.data_bar_usecs.last().unwrap_or(&0));
    let valid = *seconds >= 0 && (0..1_000_000).contains(micros);
    let time = i64::from(*seconds) * 1_000_000_000 + i64::from(*micros) * 1_000;
    let side = |volume: Option<u64>| volume == Some(u64::from(size));
    valid.then_some(Trade {
        time,
        gateway_time: time,
        ticks,
        size,
        volume: None,
        // A trade on the offer was the buyer's.
        aggressor: match (side(part.ask_volume), side(part.bid_volume)) {
            (true, false) => Aggressor::Buyer,
            (false, true) => Aggressor::Seller,
            _ => Aggressor::Unknown,
        },
        is_snapshot: false,
    })
}
