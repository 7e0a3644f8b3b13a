//! The order in which collected rows happened, and what several inputs have in common.

use std::collections::{BTreeMap, HashMap};

use super::ledger::{ImportLedger, RowPlace};
use super::report::Finding;
use crate::market::{Tick, Timestamp};

/// Sorts rows by time; those of one time stay in the order of their source, earlier inputs first.
///
/// An input whose times mostly go back has the newest row first: its rows are turned round, so that
/// rows of one time are too.
pub(super) fn sort<T>(rows: &mut [(T, RowPlace)], time: impl Fn(&T) -> Timestamp) {
    for of_input in rows.chunk_by_mut(|one, next| one.1.input() == next.1.input()) {
        let (mut back, mut forth) = (0u64, 0u64);
        for pair in of_input.windows(2) {
            let (one, next) = (time(&pair[0].0), time(&pair[1].0));
            back += u64::from(next < one);
            forth += u64::from(next > one);
        }
        if back > forth {
            of_input.reverse();
        }
    }
    rows.sort_by_key(|(row, _)| time(row));
}

/// Drops and counts the trades that an earlier input has too, where inputs overlap in time by more
/// than one instant. `rows` are sorted.
///
/// Two trades of one input can be the same in every field and are two trades. So the n-th of such
/// in an input is dropped where an input before it, which overlaps with it, has n of them or more.
pub(super) fn drop_repeated(rows: &mut Vec<(Tick, RowPlace)>, ledger: &mut ImportLedger) {
    let mut spans: BTreeMap<u32, (Timestamp, Timestamp)> = BTreeMap::new();
    for (tick, place) in &*rows {
        let span = spans.entry(place.input()).or_insert((tick.time, tick.time));
        span.1 = tick.time;
    }
    let overlap = |one: u32, other: u32| {
        let ((first, last), (other_first, other_last)) = (spans[&one], spans[&other]);
        first.max(other_first) < last.min(other_last)
    };
    let mut in_time: Vec<(Timestamp, Timestamp)> = spans.values().copied().collect();
    in_time.sort_unstable();
    if in_time.windows(2).all(|pair| pair[0].1 <= pair[1].0) {
        return;
    }
    // Of the current instant: how often each input so far has a trade.
    let mut seen: HashMap<[u8; size_of::<Tick>()], Vec<(u32, u32)>> = HashMap::new();
    let mut instant = Timestamp::MIN;
    rows.retain(|(tick, place)| {
        if tick.time != instant {
            instant = tick.time;
            seen.clear();
        }
        let bytes = bytemuck::bytes_of(tick).try_into().expect("a tick's bytes");
        let counts = seen.entry(bytes).or_default();
        if counts.last().is_none_or(|&(input, _)| input != place.input()) {
            counts.push((place.input(), 0));
        }
        let (&mut (input, ref mut count), before) =
            counts.split_last_mut().expect("this input was added");
        *count += 1;
        let is_repeated = before.iter().any(|&(other, n)| n >= *count && overlap(other, input));
        if is_repeated {
            let reason = || format!("{} at {} is in an input before it", tick.price, tick.time);
            ledger.note(Finding::RepeatedTrade, *place, reason);
        }
        !is_repeated
    });
}
