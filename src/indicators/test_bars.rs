//! Random bars for properties.

use std::ops::Range;

use proptest::prelude::*;

use super::TickBar;

/// Series of bars that walk in small steps, with many gaps and ties.
pub(super) fn bars(length: Range<usize>) -> impl Strategy<Value = Vec<TickBar>> {
    let bar = (-7i64..8, 0i64..4, 0i64..4, -4i64..5, prop_oneof![Just(0u64), 1u64..4000]);
    prop::collection::vec(bar, length).prop_map(|moves| {
        let mut price = 4000;
        moves
            .into_iter()
            .map(|(gap, up, down, body, volume)| {
                let open = price + gap;
                let close = open + body;
                price = close;
                TickBar {
                    open,
                    high: open.max(close) + up,
                    low: open.min(close) - down,
                    close,
                    volume,
                }
            })
            .collect()
    })
}

/// The bar, `ticks` higher.
pub(super) fn shifted(bar: &TickBar, ticks: i64) -> TickBar {
    TickBar {
        open: bar.open + ticks,
        high: bar.high + ticks,
        low: bar.low + ticks,
        close: bar.close + ticks,
        volume: bar.volume,
    }
}
