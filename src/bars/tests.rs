use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{BarBuilder, resample};
use crate::market::{
    Bar, BarFlags, Calendar, Gap, GapPhase, Price, Tick, TickFlags, Timeframe, Timestamp,
};

const CALENDARS: [Calendar; 2] = [Calendar::AlwaysOpen, Calendar::CmeEquityIndex];
const HOUR_GAP: i64 = Timestamp::HOUR;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn tick(at: &str, price: i64, size: u32) -> Tick {
    Tick::new(time(at), Price::from_units(price), size)
}

fn timeframes(minutes: &[u32]) -> Vec<Timeframe> {
    minutes.iter().map(|&m| Timeframe::from_minutes(m).unwrap()).collect()
}

fn build(ticks: &[Tick], minutes: &[u32], calendar: Calendar, fill: i64) -> (Vec<Bar>, BarBuilder) {
    let mut builder = BarBuilder::new(&timeframes(minutes), calendar, fill);
    let mut bars = Vec::new();
    for tick in ticks {
        builder.on_tick(tick, &mut |bar| bars.push(*bar));
    }
    builder.finish(&mut |bar| bars.push(*bar));
    (bars, builder)
}

fn of(bars: &[Bar], minutes: u16) -> Vec<Bar> {
    bars.iter().filter(|bar| bar.timeframe.minutes() == minutes).copied().collect()
}

/// Start, open, high, low, close, volume, ticks of every interval with ticks, by sorting ticks into
/// boxes: nothing of the builder is used.
type Row = (i64, i64, i64, i64, i64, u64, u32);

fn boxes(ticks: &[Tick], minutes: u16) -> Vec<Row> {
    let mut rows: BTreeMap<i64, Row> = BTreeMap::new();
    for tick in ticks {
        let start = tick.time.floor_to(i64::from(minutes) * Timestamp::MINUTE).nanos();
        let price = tick.price.units();
        let row = rows.entry(start).or_insert((start, price, price, price, price, 0, 0));
        row.2 = row.2.max(price);
        row.3 = row.3.min(price);
        row.4 = price;
        row.5 += u64::from(tick.size);
        row.6 += 1;
    }
    rows.into_values().collect()
}

fn rows(bars: &[Bar]) -> Vec<Row> {
    bars.iter()
        .filter(|bar| bar.ticks > 0)
        .map(|bar| {
            let units = Price::units;
            let (open, high, low) = (units(bar.open), units(bar.high), units(bar.low));
            (bar.start.nanos(), open, high, low, units(bar.close), bar.volume, bar.ticks)
        })
        .collect()
}

/// Returns ticks of one winter week: Monday 2024-01-08 to Friday, with gaps of all sizes.
fn random_ticks() -> impl Strategy<Value = Vec<Tick>> {
    let gap = prop_oneof![
        4 => Just(0i64),
        20 => 0..Timestamp::SECOND,
        10 => 0..Timestamp::MINUTE,
        3 => 0..20 * Timestamp::MINUTE,
        1 => 0..9 * Timestamp::HOUR,
    ];
    prop::collection::vec((gap, -50i64..50, 1u32..9), 1..300).prop_map(|steps| {
        let mut now = time("2024-01-08T00:00:00Z");
        steps
            .into_iter()
            .map(|(gap, price, size)| {
                now = now + gap;
                Tick::new(now, Price::from_units(price), size)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn bars_are_the_ticks_sorted_into_boxes(ticks in random_ticks(), at in 0usize..2) {
        let calendar = CALENDARS[at];
        let (bars, builder) = build(&ticks, &[1, 5, 15, 30, 60, 1440], calendar, HOUR_GAP);
        let inside: Vec<Tick> =
            ticks.iter().filter(|t| calendar.session_at(t.time).is_some()).copied().collect();
        prop_assert_eq!(builder.counts().outside_session, (ticks.len() - inside.len()) as u64);
        for minutes in [1, 5, 15, 30, 60] {
            prop_assert_eq!(rows(&of(&bars, minutes)), boxes(&inside, minutes), "{} min", minutes);
        }
        let daily = of(&bars, 1440);
        let volume = |bars: &[Bar]| bars.iter().map(|bar| bar.volume).sum::<u64>();
        prop_assert_eq!(volume(&daily), inside.iter().map(|t| u64::from(t.size)).sum::<u64>());
        for bar in &daily {
            let session = calendar.session_at(bar.start).unwrap();
            prop_assert_eq!((bar.start, bar.end), (session.open, session.close));
        }
    }

    #[test]
    fn resampled_bars_are_the_bars_of_the_ticks(ticks in random_ticks(), at in 0usize..2) {
        let calendar = CALENDARS[at];
        let (bars, _) = build(&ticks, &[1, 5, 30, 60, 1440], calendar, HOUR_GAP);
        for minutes in [5, 30, 60, 1440] {
            let timeframe = Timeframe::from_minutes(u32::from(minutes)).unwrap();
            let strip = |mut bars: Vec<Bar>| {
                // Only the builder knows that the data ended.
                if let Some(last) = bars.last_mut() {
                    last.flags = last.flags.without(BarFlags::INCOMPLETE);
                }
                bars
            };
            prop_assert_eq!(
                strip(resample(&of(&bars, 1), timeframe, calendar)),
                strip(of(&bars, minutes))
            );
        }
    }

    #[test]
    fn a_set_of_timeframes_gives_the_bars_of_each_alone(ticks in random_ticks()) {
        let (together, _) = build(&ticks, &[10, 15, 1440], Calendar::CmeEquityIndex, HOUR_GAP);
        for minutes in [10, 15] {
            let (alone, _) = build(&ticks, &[minutes], Calendar::CmeEquityIndex, HOUR_GAP);
            // Bars that were filled, and flags of missing data, may be finer together than alone.
            prop_assert_eq!(rows(&of(&together, minutes as u16)), rows(&alone));
        }
    }

    #[test]
    fn no_bar_changes_when_the_future_is_cut_off(ticks in random_ticks(), keep in 1usize..300) {
        let keep = keep.min(ticks.len());
        let calendar = Calendar::CmeEquityIndex;
        let closed_by = |ticks: &[Tick]| {
            let mut builder = BarBuilder::new(&timeframes(&[5, 30]), calendar, HOUR_GAP);
            let mut bars = Vec::new();
            for tick in &ticks[..keep] {
                builder.on_tick(tick, &mut |bar| bars.push(*bar));
            }
            bars
        };
        prop_assert_eq!(closed_by(&ticks[..keep]), closed_by(&ticks));
    }
}

#[test]
fn fills_a_short_gap_and_leaves_a_long_one_open() {
    let ticks = [
        tick("2024-01-08T15:01:00Z", 100, 1),
        tick("2024-01-08T15:16:00Z", 110, 1),
        tick("2024-01-08T17:31:00Z", 120, 1),
    ];
    let (bars, _) = build(&ticks, &[5, 30], Calendar::CmeEquityIndex, HOUR_GAP);
    let seen: Vec<_> = bars
        .iter()
        .map(|bar| {
            (
                bar.timeframe.minutes(),
                bar.start.to_string()[11..16].to_owned(),
                bar.close.units(),
                bar.flags.to_string(),
            )
        })
        .collect();
    let row = |minutes, start: &str, close, flags: &str| {
        (minutes, start.to_owned(), close, flags.to_owned())
    };
    assert_eq!(
        seen,
        [
            // The data begins inside the session.
            row(5, "15:00", 100, "incomplete"),
            row(5, "15:05", 100, "filled"),
            row(5, "15:10", 100, "filled"),
            // Over two hours without a trade in the middle of the day are missing data.
            row(5, "15:15", 110, "incomplete"),
            row(30, "15:00", 110, "incomplete"),
            // The data ends here.
            row(5, "17:30", 120, "incomplete"),
            row(30, "17:30", 120, "incomplete"),
        ]
    );
}

#[test]
fn never_fills_a_halt_or_a_break() {
    // 2013: halt 15:15-15:30 and close 16:15 in Chicago, which is 20:15-20:30 and 21:15 UTC in
    // summer.
    let ticks = [
        tick("2013-10-08T20:14:59Z", 100, 1),
        tick("2013-10-08T20:30:00Z", 101, 1),
        tick("2013-10-08T21:04:00Z", 102, 1),
        tick("2013-10-08T22:00:00Z", 103, 1),
    ];
    let (bars, _) = build(&ticks, &[5], Calendar::CmeEquityIndex, HOUR_GAP);
    let starts: Vec<_> = bars.iter().map(|bar| bar.start.to_string()[11..16].to_owned()).collect();
    assert_eq!(
        starts,
        [
            "20:10", "20:30", "20:35", "20:40", "20:45", "20:50", "20:55", "21:00", "21:05",
            "21:10", "22:00"
        ]
    );
    let filled = bars.iter().filter(|bar| bar.flags.any(BarFlags::FILLED)).count();
    assert_eq!(filled, 7);
}

#[test]
fn closes_at_the_session_end_without_a_tick() {
    let mut builder = BarBuilder::new(&timeframes(&[5, 60]), Calendar::CmeEquityIndex, HOUR_GAP);
    let mut bars = Vec::new();
    builder.on_tick(&tick("2024-01-08T21:58:00Z", 100, 1), &mut |bar| bars.push(*bar));
    builder.on_session_end(time("2024-01-08T21:59:59Z"), &mut |bar| bars.push(*bar));
    assert_eq!(bars.len(), 0);
    builder.on_session_end(time("2024-01-08T22:00:00Z"), &mut |bar| bars.push(*bar));
    assert_eq!(bars.len(), 2);
    builder.on_session_end(time("2024-01-08T22:00:00Z"), &mut |bar| bars.push(*bar));
    builder.finish(&mut |bar| bars.push(*bar));
    assert_eq!(bars.len(), 2);
}

#[test]
fn the_close_of_a_history_bar_closes_the_bars_that_end_with_it() {
    let mut builder = BarBuilder::new(&timeframes(&[5]), Calendar::AlwaysOpen, HOUR_GAP);
    let mut bars = Vec::new();
    let close = tick("2024-01-08T00:04:59.999999999Z", 7, 1).with_flags(TickFlags::BAR_CLOSE);
    builder
        .on_tick(&tick("2024-01-08T00:00:15Z", 5, 1).with_flags(TickFlags::BAR_OPEN), &mut |bar| {
            bars.push(*bar)
        });
    assert!(bars.is_empty());
    builder.on_tick(&close, &mut |bar| bars.push(*bar));
    assert_eq!(bars.len(), 1);
    assert_eq!((bars[0].close.units(), bars[0].flags), (7, BarFlags::FROM_BARS));
}

#[test]
fn a_late_tick_counts_in_its_bar_while_that_is_open() {
    let ticks = [
        tick("2024-01-08T00:05:00Z", 100, 1),
        tick("2024-01-08T00:06:00Z", 101, 1),
        tick("2024-01-08T00:05:30Z", 99, 4),
        tick("2024-01-08T00:04:59Z", 1, 1),
    ];
    let (bars, builder) = build(&ticks, &[5], Calendar::AlwaysOpen, HOUR_GAP);
    let bar = bars[0];
    assert_eq!((bar.open.units(), bar.low.units(), bar.close.units()), (100, 99, 101));
    assert_eq!((bar.volume, bar.ticks, builder.counts().late), (6, 3, 1));
}

/// Four-hour bars, the first tick of each an hour after its start, and one bar that is missing.
#[test]
fn a_history_bar_is_no_silence_and_a_missing_one_is() {
    let bar = |start: &str| {
        let start = time(start);
        let at = |offset: i64, flags| {
            let mut tick = tick("2024-01-08T00:00:00Z", 9, 1);
            tick.time = start + offset;
            tick.with_flags(flags)
        };
        [
            at(Timestamp::HOUR, TickFlags::BAR_OPEN),
            at(4 * Timestamp::HOUR - 1, TickFlags::BAR_CLOSE),
        ]
    };
    let flags = |starts: &[&str], length: i64| -> Vec<String> {
        let mut builder = BarBuilder::new(&timeframes(&[240]), Calendar::AlwaysOpen, HOUR_GAP)
            .with_history_bars_of(length);
        let mut bars = Vec::new();
        for tick in starts.iter().flat_map(|start| bar(start)) {
            builder.on_tick(&tick, &mut |bar| bars.push(bar.flags.to_string()));
        }
        bars
    };
    let all = ["2024-01-08T00:00:00Z", "2024-01-08T04:00:00Z", "2024-01-08T08:00:00Z"];
    assert_eq!(flags(&all, 4 * Timestamp::HOUR), ["from_bars"; 3]);
    let missing = [all[0], all[2]];
    let incomplete = "incomplete|from_bars";
    assert_eq!(flags(&missing, 4 * Timestamp::HOUR), ["from_bars", incomplete]);
    // Of trades an hour and a nanosecond apart nothing else is known.
    assert_eq!(flags(&all, 0)[1..], [incomplete; 2]);
}

/// A feed that lost ticks, as it is told to the builder.
#[derive(Clone, Copy, Debug)]
enum Fed {
    Tick(Tick),
    Gap(Gap),
}

/// Takes `drops` out of `ticks`: the index of the first tick, the number of ticks, and whether all
/// (0), none (1), every second one (2), or those of every second minute (3) are recovered. Returns
/// what the feed delivers, and the gaps, or their stretches.
fn with_drops(ticks: &[Tick], drops: &[(usize, usize, u8)]) -> (Vec<Fed>, Vec<Gap>) {
    let (mut fed, mut gaps, mut next) = (Vec::new(), Vec::new(), 0);
    for &(first, count, kind) in drops {
        // A gap lies between two ticks that were delivered.
        let first = first.max(next + 1);
        let behind = first + count;
        if behind >= ticks.len() {
            break;
        }
        fed.extend(ticks[next..first].iter().copied().map(Fed::Tick));
        let lost = &ticks[first..behind];
        let volume = |ticks: &[Tick]| ticks.iter().map(|tick| u64::from(tick.size)).sum();
        let opened = Gap {
            contract: 0,
            from: ticks[first - 1].time,
            to: ticks[behind].time,
            missing: Some(volume(lost)),
            recovered: 0,
            phase: GapPhase::Opened,
        };
        fed.push(Fed::Gap(opened));
        for (number, (from, to)) in (0..).zip(stretches(&opened, kind)) {
            let kept = |index: usize| match kind {
                0 | 1 => kind == 0,
                2 => index % 2 == 1,
                _ => number % 2 == 1,
            };
            let inside = |tick: &Tick| (from..=to).contains(&tick.time);
            let lost: Vec<Tick> = lost.iter().copied().filter(inside).collect();
            let recovered = lost.iter().enumerate().filter(|(index, _)| kept(*index));
            let recovered: Vec<Tick> = recovered.map(|(_, tick)| *tick).collect();
            let (missing, recovered_volume) = (Some(volume(&lost)), volume(&recovered));
            let phase = GapPhase::Closed;
            let gap = Gap { from, to, missing, recovered: recovered_volume, phase, ..opened };
            fed.push(Fed::Gap(gap));
            let late = recovered.iter().map(|tick| tick.with_flags(TickFlags::BACKFILLED));
            fed.extend(late.map(Fed::Tick));
            gaps.push(gap);
        }
        next = behind;
    }
    fed.extend(ticks[next..].iter().copied().map(Fed::Tick));
    (fed, gaps)
}

/// Returns the whole gap as its only stretch, or of a gap of kind 3 each minute.
fn stretches(gap: &Gap, kind: u8) -> Vec<(Timestamp, Timestamp)> {
    let (mut stretches, mut from) = (Vec::new(), gap.from);
    let mut end = from.floor_to(Timestamp::MINUTE) + Timestamp::MINUTE;
    while kind == 3 && end <= gap.to {
        stretches.push((from, end + -1));
        (from, end) = (end, end + Timestamp::MINUTE);
    }
    stretches.push((from, gap.to));
    stretches
}

fn build_fed(fed: &[Fed], minutes: &[u32], calendar: Calendar) -> Vec<Bar> {
    let mut builder = BarBuilder::new(&timeframes(minutes), calendar, HOUR_GAP);
    let mut bars = Vec::new();
    for fed in fed {
        match fed {
            Fed::Tick(tick) => _ = builder.on_tick(tick, &mut |bar| bars.push(*bar)),
            Fed::Gap(gap) => builder.on_gap(gap),
        }
    }
    builder.finish(&mut |bar| bars.push(*bar));
    bars
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// A bar is that of the whole file, or it overlaps a gap that was not recovered and says so.
    #[test]
    fn no_bar_over_a_gap_is_wrong_without_saying_so(
        steps in prop::collection::vec((0_i64..200_000, -3_i64..4, 1_u32..9), 200..600),
        mut drops in prop::collection::vec((0_usize..600, 1_usize..30, 0_u8..4), 20),
        calendar in prop::sample::select(&CALENDARS[..]),
    ) {
        let (mut now, mut price) = (time("2024-01-04T21:00:00Z"), 100_000);
        let mut ticks = Vec::new();
        for (wait, step, size) in steps {
            now = now + wait * 1_000_000;
            price += step;
            let outside = calendar.session_at_or_after(now).open > now;
            if !outside {
                ticks.push(Tick::new(now, Price::from_units(price), size));
            }
        }
        drops.sort_unstable();
        let minutes = [1, 5, 15, 60, 1440];
        let (whole, _) = build(&ticks, &minutes, calendar, HOUR_GAP);
        let (fed, gaps) = with_drops(&ticks, &drops);
        let bars = build_fed(&fed, &minutes, calendar);
        let overlaps = |bar: &Bar| {
            let lossy = gaps.iter().filter(|gap| !gap.is_recovered());
            lossy.clone().any(|gap| bar.start <= gap.to && gap.from < bar.end)
        };
        for bar in &bars {
            if bar.flags.any(BarFlags::GAP) {
                prop_assert!(bar.flags.any(BarFlags::INCOMPLETE) && overlaps(bar), "{:?}", bar);
            } else {
                prop_assert!(whole.contains(bar), "{:?}", bar);
            }
        }
        // Nobody knows the price of a silence behind a trade that is missing.
        let in_doubt = |bar: &Bar| {
            let before = ticks[..ticks.partition_point(|tick| tick.time < bar.start)].last();
            let lossy = || gaps.iter().filter(|gap| !gap.is_recovered());
            let is_lost = |tick: &Tick| lossy().any(|gap| (gap.from..=gap.to).contains(&tick.time));
            bar.flags.any(BarFlags::FILLED) && before.is_some_and(is_lost)
        };
        let sound = |bar: &&Bar| !overlaps(bar) && !in_doubt(bar);
        let expected: Vec<&Bar> = whole.iter().filter(sound).collect();
        let kept: Vec<&Bar> = bars.iter().filter(sound).collect();
        prop_assert_eq!(kept, expected);
    }
}

/// The session ends before anything is known of the gap: nothing is filled, and every bar says so.
#[test]
fn a_gap_that_is_still_open_at_the_sessions_end_flags_its_bars() {
    let mut builder = BarBuilder::new(&timeframes(&[5, 60]), Calendar::CmeEquityIndex, HOUR_GAP);
    let mut bars = Vec::new();
    builder.on_tick(&tick("2024-01-04T21:40:00Z", 7, 1), &mut |bar| bars.push(*bar));
    let at = time("2024-01-04T21:41:00Z");
    let phase = GapPhase::Opened;
    builder.on_gap(&Gap { contract: 0, from: at, to: at, missing: None, recovered: 0, phase });
    builder.on_session_end(time("2024-01-04T22:00:00Z"), &mut |bar| bars.push(*bar));
    let seen: Vec<_> = bars.iter().map(|bar| (bar.timeframe.minutes(), bar.flags)).collect();
    let both = BarFlags::INCOMPLETE.with(BarFlags::GAP);
    assert_eq!(seen, [(5, both), (60, both)]);
}
