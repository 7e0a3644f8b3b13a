//! The plain loop that one would write by hand for the pipeline's task, and for nothing more: the
//! yardstick of its speed.

use std::hint::black_box;

use algospace_hft::market::{Tick, Timestamp};

/// 5- and 30-minute bars, a moving-average cross on 5-minute closes, positions and profit: no
/// brackets, no latency, no session calendar, no rules, no account. Returns trades and profit in
/// price units.
pub fn plain_loop(ticks: &[Tick]) -> (u64, i64) {
    #[derive(Default)]
    struct PlainBar {
        slot: i64,
        open: i64,
        high: i64,
        low: i64,
        close: i64,
        volume: u64,
    }
    let mut five = PlainBar::default();
    let mut thirty = PlainBar::default();
    let mut closes: Vec<i64> = Vec::with_capacity(1 << 20);
    let (mut position, mut entry, mut profit, mut trades, mut checksum) =
        (0i64, 0i64, 0i64, 0u64, 0i64);
    for tick in ticks {
        let (time, price) = (tick.time.nanos(), tick.price.units());
        let slot = time / (5 * Timestamp::MINUTE);
        if slot != five.slot {
            if five.slot != 0 {
                checksum =
                    checksum.wrapping_add(five.open ^ five.high ^ five.low ^ five.volume as i64);
                closes.push(five.close);
                if closes.len() >= 30 {
                    let sum = |n: usize| closes[closes.len() - n..].iter().sum::<i64>();
                    let wanted = (sum(10) * 3 - sum(30)).signum();
                    if wanted != position {
                        profit += position * (price - entry);
                        trades += u64::from(position != 0);
                        (position, entry) = (wanted, price);
                    }
                }
            }
            five = PlainBar { slot, open: price, high: price, low: price, close: price, volume: 0 };
            let slot = time / (30 * Timestamp::MINUTE);
            if slot != thirty.slot {
                checksum = checksum.wrapping_add(thirty.open ^ thirty.close);
                thirty = PlainBar {
                    slot,
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume: 0,
                };
            }
        }
        five.high = five.high.max(price);
        five.low = five.low.min(price);
        five.close = price;
        five.volume += u64::from(tick.size);
        thirty.high = thirty.high.max(price);
        thirty.low = thirty.low.min(price);
        thirty.close = price;
        thirty.volume += u64::from(tick.size);
    }
    black_box(checksum);
    black_box((trades, profit))
}
