//! The stretches in which a gap closes: minutes that are whole, and minutes that lack trades.

use std::collections::BTreeMap;

use crate::market::{Gap, Tick, Timestamp};

/// A stretch of minutes that are alike.
struct Stretch {
    to: Timestamp,
    /// Contracts that it lacks; `None` if unknown.
    lost: Option<u64>,
}

/// Returns the stretches of a gap that closes, in order, each with the number of `recovered` ticks
/// up to its end. `lost` has the contracts that each minute lacks, by its beginning in nanoseconds;
/// of a minute that it does not name that is unknown, unless `is_open` says that nothing was traded
/// then. Without a minute in `lost` the gap is one stretch.
pub(super) fn stretches(
    gap: &Gap,
    lost: &BTreeMap<i64, u64>,
    recovered: &[Tick],
    is_open: impl Fn(Timestamp) -> bool,
) -> Vec<(Gap, usize)> {
    if gap.is_recovered() || lost.is_empty() {
        return vec![(*gap, recovered.len())];
    }
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut minute = gap.from.floor_to(Timestamp::MINUTE);
    while minute <= gap.to {
        let named = lost.get(&minute.nanos()).copied();
        let lost = named.or_else(|| (!is_open(minute)).then_some(0));
        let next = minute.saturating_add(Timestamp::MINUTE);
        let to = next.saturating_add(-1).min(gap.to);
        match stretches.last_mut() {
            Some(last) if (last.lost == Some(0)) == (lost == Some(0)) => {
                last.to = to;
                last.lost = last.lost.zip(lost).map(|(one, other)| one + other);
            }
            _ => stretches.push(Stretch { to, lost }),
        }
        minute = next;
    }
    let (mut from, mut taken) = (gap.from, 0);
    let mut gaps: Vec<(Gap, usize)> = Vec::new();
    for Stretch { to, lost } in stretches {
        let before = taken;
        taken = recovered.partition_point(|tick| tick.time <= to);
        let came = recovered[before..taken].iter().map(|tick| u64::from(tick.size)).sum();
        let missing = lost.map(|lost| lost + came);
        gaps.push((Gap { from, to, missing, recovered: came, ..*gap }, taken));
        from = to.saturating_add(1);
    }
    measure_the_only_unknown(gap, &mut gaps);
    gaps
}

/// Gives the only stretch whose size is unknown what the others leave of the gap.
fn measure_the_only_unknown(gap: &Gap, gaps: &mut [(Gap, usize)]) {
    let known: u64 = gaps.iter().filter_map(|(gap, _)| gap.missing).sum();
    let mut unknown = gaps.iter_mut().filter(|(gap, _)| gap.missing.is_none());
    if let (Some((only, _)), None) = (unknown.next(), unknown.next()) {
        let rest = gap.missing.and_then(|all| all.checked_sub(known));
        only.missing = rest.filter(|rest| *rest > only.recovered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{GapPhase, Price};

    fn at(text: &str) -> Timestamp {
        format!("2024-01-03T15:{text}Z").parse().unwrap()
    }

    fn tick(text: &str, size: u32) -> Tick {
        Tick::new(at(text), Price::from_units(Price::SCALE), size)
    }

    /// Returns the stretches of a gap with `missing` contracts, each as beginning, end, missing,
    /// recovered and ticks.
    fn shown(missing: Option<u64>, lost: &[(&str, u64)]) -> Vec<String> {
        let recovered = [tick("00:30", 2), tick("01:10", 3), tick("03:20", 1)];
        let gap = Gap {
            contract: 0,
            from: at("00:20"),
            to: at("03:40"),
            missing,
            recovered: 6,
            phase: GapPhase::Closed,
        };
        let lost = lost.iter().map(|(minute, lost)| (at(minute).nanos(), *lost)).collect();
        let is_open = |time| time != at("02:00");
        let text = |time: Timestamp| time.to_string()[14..19].to_owned();
        let stretches = stretches(&gap, &lost, &recovered, is_open);
        let show = |(gap, ticks): &(Gap, usize)| {
            let (from, to) = (text(gap.from), text(gap.to));
            format!("{from} {to} {:?} {} {ticks}", gap.missing, gap.recovered)
        };
        stretches.iter().map(show).collect()
    }

    #[test]
    fn minutes_that_are_alike_are_one_stretch_and_its_figures_are_its_own() {
        let whole = ["00:20 03:40 Some(9) 6 3"];
        assert_eq!(shown(Some(9), &[]), whole);
        let lost = [("00:00", 0), ("01:00", 2), ("03:00", 1)];
        let expected = [
            "00:20 00:59 Some(2) 2 1",
            "01:00 01:59 Some(5) 3 2",
            "02:00 02:59 Some(0) 0 2",
            "03:00 03:40 Some(2) 1 3",
        ];
        assert_eq!(shown(Some(9), &lost), expected);
        // What is not named is unknown, but for its total.
        let expected = ["00:20 01:59 Some(8) 5 2", "02:00 03:40 Some(1) 1 3"];
        assert_eq!(shown(Some(9), &[("03:00", 0)]), expected);
        assert_eq!(shown(None, &[("03:00", 0)])[0], "00:20 01:59 None 5 2");
        assert_eq!(shown(Some(9), &[("02:00", 0)])[2], "03:00 03:40 None 1 3");
        assert_eq!(shown(Some(6), &[("01:00", 0)]).len(), 1, "it is recovered");
    }
}
