//! A history bar into ticks.
//!
//! A bar of `[start, start + D)` becomes four ticks:
//!
//! | tick | time | flag |
//! | --- | --- | --- |
//! | open | start + D/4 | [`TickFlags::BAR_OPEN`] |
//! | high | start + D/2 | [`TickFlags::BAR_EXTREME`] |
//! | low | start + 3D/4 | [`TickFlags::BAR_EXTREME`] |
//! | close | start + D − 1 ns | [`TickFlags::BAR_CLOSE`] |
//!
//! always in this order, for every bar, so that the order tells nothing about the future.
//! `[start, start + D)` is the part of the bar that lies in its session, and a halt inside it
//! counts for nothing, so that no tick lies where nothing can trade. That is honest because of who
//! looks at which tick: decisions are taken at the closes of bars, on the close tick; market orders
//! fill on open and close ticks only; resting orders see the extremes, and the simulator itself
//! assumes the stop before the target.
//!
//! The sizes add up to the bar's volume, as equal as whole numbers can be, the earlier ticks taking
//! the rest. A bar of fewer than four contracts gets the ticks that it needs: its open, its close,
//! and an extreme where that is neither; a bar of one contract gets one tick with both flags, at
//! its end. A size beyond `u32` is split into several ticks of one time and price; still only the
//! bar's first tick carries the open's flag and only its last one the close's.

use super::row::BarRow;
use crate::market::{Price, Tick, TickFlags, Timestamp};

/// A bar that no trades can have made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImpossibleBar {
    /// The high is below another price, or the low above one.
    #[error(
        "open {open}, high {high}, low {low}, close {close}: the high must be the highest and the low the lowest"
    )]
    Prices {
        /// First price.
        open: Price,
        /// Highest price.
        high: Price,
        /// Lowest price.
        low: Price,
        /// Last price.
        close: Price,
    },
    /// The bar has more prices than contracts that traded.
    #[error("a volume of {volume} cannot have made the {trades} trades that these prices need")]
    Volume {
        /// The bar's volume.
        volume: i64,
        /// The least number of trades that make its open, high, low and close.
        trades: i64,
    },
}

/// Checks that trades can have made this bar; its volume must be above 0.
///
/// # Errors
/// What is wrong with it.
pub fn check_bar(bar: &BarRow) -> Result<(), ImpossibleBar> {
    let BarRow { open, high, low, close, volume, .. } = *bar;
    if high < open.max(close) || low > open.min(close) {
        return Err(ImpossibleBar::Prices { open, high, low, close });
    }
    let trades = least_trades(bar);
    if volume < trades { Err(ImpossibleBar::Volume { volume, trades }) } else { Ok(()) }
}

fn least_trades(bar: &BarRow) -> i64 {
    if bar.volume == 1 && bar.low == bar.high {
        return 1;
    }
    let inside = |price| price == bar.open || price == bar.close;
    2 + i64::from(!inside(bar.high)) + i64::from(!inside(bar.low))
}

/// Hands the ticks of a bar to `emit`, in order. [`check_bar`] must have found nothing. A `halt`
/// lies inside the bar, with trading before and after it.
pub fn expand_bar(bar: &BarRow, halt: Option<(Timestamp, Timestamp)>, mut emit: impl FnMut(Tick)) {
    let halted = halt.map_or(0, |(from, to)| to - from);
    let at = |quarters: i64| {
        let time = bar.start + (bar.duration - halted) / 4 * quarters;
        if halt.is_some_and(|(from, _)| time >= from) { time + halted } else { time }
    };
    let end = bar.start + (bar.duration - 1);
    let inside = |price| price == bar.open || price == bar.close;
    let all = bar.volume >= 4;
    let parts: [(bool, Timestamp, Price); 4] = [
        (bar.volume > 1, at(1), bar.open),
        (all || !inside(bar.high), at(2), bar.high),
        (all || !inside(bar.low), at(3), bar.low),
        (true, end, bar.close),
    ];
    let count = parts.iter().filter(|part| part.0).count() as i64;
    let (share, rest) = (bar.volume / count, bar.volume % count);
    let mut left = bar.volume;
    let mut first = true;
    for (index, &(_, time, price)) in parts.iter().filter(|part| part.0).enumerate() {
        let mut size = share + i64::from((index as i64) < rest);
        while size > 0 {
            let piece = size.min(i64::from(u32::MAX));
            size -= piece;
            left -= piece;
            let mut flags = TickFlags::NONE;
            if first {
                flags = flags.with(TickFlags::BAR_OPEN);
            }
            if left == 0 {
                flags = flags.with(TickFlags::BAR_CLOSE);
            }
            if flags == TickFlags::NONE {
                flags = TickFlags::BAR_EXTREME;
            }
            first = false;
            emit(Tick::new(time, price, piece as u32).with_flags(flags));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bar(prices: [i64; 4], volume: i64) -> BarRow {
        let [open, high, low, close] =
            prices.map(|ticks| Price::from_units(ticks * Price::SCALE / 4));
        let duration = Timestamp::MINUTE;
        BarRow { start: Timestamp::default(), duration, open, high, low, close, volume }
    }

    fn ticks(bar: &BarRow) -> Vec<Tick> {
        let mut ticks = Vec::new();
        expand_bar(bar, None, |tick| ticks.push(tick));
        ticks
    }

    #[test]
    fn the_four_ticks_stand_at_the_quarters_and_the_last_nanosecond() {
        let seen: Vec<_> = ticks(&bar([5, 8, 2, 6], 11))
            .iter()
            .map(|tick| (tick.time.nanos(), tick.price.to_string(), tick.size, tick.flags))
            .collect();
        assert_eq!(
            seen,
            [
                (15_000_000_000, "1.25".to_owned(), 3, TickFlags::BAR_OPEN),
                (30_000_000_000, "2".to_owned(), 3, TickFlags::BAR_EXTREME),
                (45_000_000_000, "0.5".to_owned(), 3, TickFlags::BAR_EXTREME),
                (59_999_999_999, "1.5".to_owned(), 2, TickFlags::BAR_CLOSE),
            ]
        );
        let single = ticks(&bar([5, 5, 5, 5], 1));
        assert_eq!(single.len(), 1);
        assert_eq!(single[0].flags, TickFlags::BAR_OPEN.with(TickFlags::BAR_CLOSE));
        assert_eq!(single[0].time.nanos(), 59_999_999_999);
    }

    #[test]
    fn no_tick_lies_in_a_halt() {
        let minute = |minutes| Timestamp::from_nanos(minutes * Timestamp::MINUTE);
        let hour = BarRow { duration: Timestamp::HOUR, ..bar([5, 8, 2, 6], 11) };
        let mut minutes = Vec::new();
        // 45 minutes of trading around a quarter of an hour.
        expand_bar(&hour, Some((minute(15), minute(30))), |tick| {
            minutes.push(tick.time.nanos() as f64 / Timestamp::MINUTE as f64);
        });
        assert_eq!(minutes[..3], [11.25, 37.5, 48.75]);
        assert!(minutes[3] > 59.99);
    }

    #[test]
    fn refuses_bars_that_no_trades_can_have_made() {
        let problem = |prices, volume| check_bar(&bar(prices, volume)).unwrap_err().to_string();
        assert!(problem([5, 4, 2, 3], 9).contains("the high must be the highest"));
        assert!(problem([5, 6, 4, 3], 9).contains("the low the lowest"));
        assert!(problem([5, 6, 5, 6], 1).contains("volume of 1 cannot have made the 2 trades"));
        assert!(problem([5, 6, 5, 5], 2).contains("the 3 trades"));
        assert!(problem([5, 6, 4, 5], 3).contains("the 4 trades"));
    }

    proptest! {
        /// The aggregate is taken by its definition: first, highest, lowest, last, sum.
        #[test]
        fn a_bar_of_the_ticks_is_the_bar_again(
            prices in prop::array::uniform4(1i64..6),
            volume in prop_oneof![1i64..9, 1i64..5_000, 1i64..40_000_000_000],
        ) {
            let high = *prices.iter().max().unwrap();
            let low = *prices.iter().min().unwrap();
            let bar = bar([prices[0], high, low, prices[3]], volume);
            if check_bar(&bar).is_err() {
                // Only where the prices need more trades than there were contracts.
                prop_assert!(volume < 4);
                return Ok(());
            }
            let ticks = ticks(&bar);
            prop_assert_eq!(ticks[0].price, bar.open);
            prop_assert_eq!(ticks.iter().map(|tick| tick.price).max(), Some(bar.high));
            prop_assert_eq!(ticks.iter().map(|tick| tick.price).min(), Some(bar.low));
            prop_assert_eq!(ticks[ticks.len() - 1].price, bar.close);
            prop_assert_eq!(ticks.iter().map(|tick| i64::from(tick.size)).sum::<i64>(), volume);
            prop_assert!(ticks.iter().all(|tick| tick.size >= 1));
            prop_assert!(ticks.is_sorted_by_key(|tick| tick.time));
            let inside = bar.start..bar.start + bar.duration;
            prop_assert!(ticks.iter().all(|tick| inside.contains(&tick.time)));
            for (index, tick) in ticks.iter().enumerate() {
                prop_assert_eq!(tick.flags.any(TickFlags::BAR_OPEN), index == 0);
                prop_assert_eq!(tick.flags.any(TickFlags::BAR_CLOSE), index + 1 == ticks.len());
            }
        }
    }
}
