//! Random bars for properties.

use std::fmt::Debug;
use std::ops::Range;

use proptest::prelude::*;

use super::{Indicator, TickBar};

/// Returns series of bars that walk in small steps, with many gaps and ties.
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

/// Returns the bar, `ticks` higher.
pub(super) fn shifted(bar: &TickBar, ticks: i64) -> TickBar {
    TickBar {
        open: bar.open + ticks,
        high: bar.high + ticks,
        low: bar.low + ticks,
        close: bar.close + ticks,
        volume: bar.volume,
    }
}

/// Returns the number of bars after which an indicator that begins at bar `late` has become equal
/// to one that took every bar. Fails if they were equal and then not, or then gave other values or
/// peeks.
pub(super) fn bars_until_equal<I>(mut whole: I, late: usize, bars: &[TickBar]) -> Option<usize>
where
    I: Indicator<Output: Debug> + Clone + PartialEq + Debug,
{
    let mut begun = whole.clone();
    for bar in &bars[..late] {
        whole.update(bar);
    }
    let mut equal_after = None;
    for (taken, bar) in bars[late..].iter().enumerate() {
        if equal_after.is_some() {
            assert_eq!(begun, whole, "equal once, and then not");
        } else if begun == whole {
            equal_after = Some(taken);
        }
        let peeks = [begun.peek(bar), whole.peek(bar)].map(|values| format!("{values:?}"));
        let values = [begun.update(bar), whole.update(bar)].map(|values| format!("{values:?}"));
        if equal_after.is_some() {
            assert_eq!(peeks[0], peeks[1]);
            assert_eq!(values[0], values[1]);
        }
    }
    equal_after
}
