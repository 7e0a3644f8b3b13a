//! The feed of one contract in virtual time: scenarios F1, F2, F5, F8 to F11, F14 and F16.

use std::collections::{BTreeMap, BTreeSet};

use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::feed::{
    Accounts, AccountsSettings, Aggressor, Contract, Feed, Freshness, FreshnessSettings, Gap, Kind,
    Minute, Origin, Phase, Session, Short, Side, Symptom, TopOfBook, Trade, Unusable,
};
use algospace_hft_rithmic::wire::{
    BestBidOffer, Incoming, LastTrade, Nanoseconds, decode, encode, rti,
};

use crate::random::Random;

const SECOND: i64 = 1_000_000_000;
const DAWN: i64 = 1_700_000_000 * SECOND;
const ES: Contract = Contract { tick_size: 0.25, nanoseconds: Nanoseconds::Whole };

fn at(seconds: f64) -> Monotonic {
    Monotonic((seconds * 1e9) as u64)
}

/// A trade at that second of the day.
fn trade(second: f64, ticks: i64, size: u32, volume: u64) -> Trade {
    let time = DAWN + (second * 1e9) as i64;
    Trade {
        time,
        gateway_time: time,
        ticks,
        size,
        volume: Some(volume),
        aggressor: Aggressor::Unknown,
        is_snapshot: false,
        bid: None,
        ask: None,
    }
}

/// An account that has told a trade, which brought the volume to 100.
fn accounts() -> Accounts {
    let mut accounts = Accounts::new(AccountsSettings::default());
    let mut out = Vec::new();
    accounts.on_trade(trade(1.0, 10, 3, 100), at(1.0), &mut out);
    assert_eq!(out, [Feed::Trade(trade(1.0, 10, 3, 100), Origin::Live)]);
    accounts
}

fn gaps(out: &[Feed]) -> Vec<Gap> {
    let gap = |feed: &Feed| if let Feed::Gap(gap) = feed { Some(*gap) } else { None };
    out.iter().filter_map(gap).collect()
}

/// Returns what was told, as price and origin, with gaps as their phase.
fn told(out: &[Feed]) -> Vec<String> {
    let shown = |feed: &Feed| match feed {
        Feed::Trade(trade, Origin::Live) => Some(format!("{}x{}", trade.ticks, trade.size)),
        Feed::Trade(trade, Origin::Recovered) => Some(format!("+{}x{}", trade.ticks, trade.size)),
        Feed::Gap(gap) => Some(format!("{:?}", gap.phase)),
        Feed::Wanted(_) | Feed::Short(_) => None,
    };
    out.iter().filter_map(shown).collect()
}

#[test]
fn f1_a_drop_of_a_second_is_filled_from_history_before_the_next_trade() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_lost(at(1.1), &mut out);
    assert_eq!((told(&out), gaps(&out)[0].missing), (vec!["Opened".to_owned()], None));
    accounts.on_live(at(2.3), &mut out);
    let next = trade(2.5, 14, 2, 109);
    accounts.on_trade(next, at(2.5), &mut out);
    let Some(Feed::Wanted(wanted)) = out.last() else { panic!("{out:?}") };
    assert_eq!((wanted.missing, wanted.from, wanted.to), (Some(7), DAWN + SECOND, Some(next.time)));
    accounts.on_trade(trade(2.6, 15, 1, 110), at(2.6), &mut out);
    assert_eq!(told(&out), ["Opened"], "live trades are held");
    // History repeats what is known on both sides, of equal times too.
    let history = [
        trade(0.5, 9, 4, 0),
        trade(1.0, 10, 3, 0),
        trade(1.0, 11, 1, 0),
        trade(1.7, 12, 4, 0),
        trade(2.5, 13, 2, 0),
        trade(2.5, 14, 2, 0),
        trade(2.6, 15, 1, 0),
    ];
    accounts.on_history(&history, at(2.7), &mut out);
    let expected = ["Opened", "+11x1", "+12x4", "+13x2", "Closed", "14x2", "15x1"];
    assert_eq!(told(&out), expected);
    assert!(gaps(&out)[1].is_recovered() && accounts.gap().is_none());
}

#[test]
fn f1_a_drop_that_cost_nothing_is_told_so() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_lost(at(1.1), &mut out);
    accounts.on_lost(at(1.2), &mut out);
    accounts.on_live(at(1.5), &mut out);
    accounts.on_trade(trade(2.0, 11, 2, 102), at(2.0), &mut out);
    assert_eq!(told(&out), ["Opened", "Closed", "11x2"]);
    assert_eq!((gaps(&out)[1].missing, gaps(&out)[1].is_recovered()), (Some(0), true));
    // The repeated trade of a subscription says the same without being one.
    accounts.on_lost(at(3.0), &mut out);
    accounts.on_live(at(3.1), &mut out);
    let repeated = Trade { is_snapshot: true, ..trade(2.0, 11, 2, 102) };
    out.clear();
    accounts.on_trade(repeated, at(3.2), &mut out);
    assert_eq!((told(&out), gaps(&out)[0].missing), (vec!["Closed".to_owned()], Some(0)));
}

#[test]
fn f2_history_that_lacks_trades_leaves_the_gap_unrecovered() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_trade(trade(3.0, 14, 2, 109), at(3.0), &mut out);
    let history = [trade(1.0, 10, 3, 0), trade(1.7, 12, 4, 0), trade(3.0, 14, 2, 0)];
    accounts.on_history(&history, at(3.1), &mut out);
    accounts.on_time(at(4.9), &mut out);
    assert_eq!(told(&out), ["Opened"], "there is time for a better answer");
    accounts.on_time(at(5.0), &mut out);
    assert_eq!(told(&out), ["Opened", "+12x4", "Closed", "14x2"]);
    let closed = gaps(&out)[1];
    assert_eq!((closed.missing, closed.recovered, closed.is_recovered()), (Some(7), 4, false));
    // The account continues behind it.
    out.clear();
    accounts.on_trade(trade(5.1, 15, 1, 110), at(5.1), &mut out);
    assert_eq!(told(&out), ["15x1"]);
}

#[test]
fn f2_a_gap_ends_when_history_has_no_more_to_say() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_lost(at(1.1), &mut out);
    accounts.on_history_over(at(1.2), &mut out);
    assert_eq!(told(&out), ["Opened"], "its size is not known yet");
    accounts.on_live(at(1.3), &mut out);
    accounts.on_trade(trade(3.0, 14, 2, 109), at(3.0), &mut out);
    accounts.on_history(&[trade(1.7, 12, 4, 0)], at(3.1), &mut out);
    accounts.on_history_over(at(3.1), &mut out);
    assert_eq!(told(&out), ["Opened", "+12x4", "Closed", "14x2"]);
    assert!(!gaps(&out)[1].is_recovered());
}

#[test]
fn history_with_more_than_is_missing_is_not_used() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_trade(trade(3.0, 14, 2, 109), at(3.0), &mut out);
    accounts.on_history(&[trade(1.5, 12, 4, 0), trade(1.6, 12, 4, 0)], at(3.1), &mut out);
    accounts.on_time(at(5.0), &mut out);
    assert_eq!(told(&out), ["Opened", "Closed", "14x2"]);
    assert!(!gaps(&out)[1].is_recovered() && accounts.counts().refused_history == 1);
}

#[test]
fn f8_a_jump_of_the_volume_is_a_gap_of_that_many_contracts() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_trade(trade(2.0, 11, 1, 108), at(2.0), &mut out);
    let [Feed::Gap(opened), Feed::Wanted(wanted)] = &out[..] else { panic!("{out:?}") };
    assert_eq!((opened.missing, opened.phase, wanted.missing), (Some(7), Phase::Opened, Some(7)));
    accounts.on_time(accounts.due(), &mut out);
    assert_eq!(told(&out), ["Opened", "Closed", "11x1"]);
    assert_eq!((gaps(&out)[1].missing, gaps(&out)[1].recovered), (Some(7), 0));
}

#[test]
fn f11_repeated_frames_count_once_and_late_ones_find_their_place() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    let frames = [
        trade(2.0, 11, 2, 102),
        trade(2.0, 11, 2, 102),
        trade(2.3, 14, 1, 108), // overtakes two
        trade(2.3, 14, 1, 108),
        trade(2.2, 13, 4, 107),
        trade(2.2, 13, 4, 107),
        trade(2.1, 12, 1, 103),
        trade(2.4, 15, 2, 110),
    ];
    for frame in frames {
        accounts.on_trade(frame, at(2.5), &mut out);
    }
    let expected = ["11x2", "Opened", "+12x1", "+13x4", "Closed", "14x1", "15x2"];
    assert_eq!(told(&out), expected);
    let counts = accounts.counts();
    assert_eq!((counts.late, counts.repeated), (2, 3));
}

#[test]
fn a_session_begins_its_volume_again() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_session(DAWN + 9_000 * SECOND);
    accounts.on_trade(trade(9_000.0, 20, 2, 2), at(9_000.0), &mut out);
    accounts.on_trade(trade(9_001.0, 21, 1, 3), at(9_001.0), &mut out);
    assert_eq!(told(&out), ["20x2", "21x1"]);
    // Its beginning is missing.
    out.clear();
    accounts.on_session(DAWN + 18_000 * SECOND);
    accounts.on_trade(trade(18_000.0, 30, 1, 2), at(18_000.0), &mut out);
    assert_eq!(gaps(&out)[0].missing, Some(1));
    // Untold it is a contradiction, which nobody may take for a whole bar.
    let (mut accounts, mut out) = (self::accounts(), Vec::new());
    accounts.on_trade(trade(9_000.0, 20, 2, 2), at(9_000.0), &mut out);
    accounts.on_trade(trade(9_001.0, 21, 1, 3), at(9_001.0), &mut out);
    assert_eq!(told(&out), ["Opened", "Closed", "20x2", "21x1"]);
    assert!(!gaps(&out)[1].is_recovered() && accounts.counts().contradictory == 1);
}

#[test]
fn a_session_that_begins_in_a_gap_has_volumes_of_its_own() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_trade(trade(3.0, 14, 2, 109), at(3.0), &mut out);
    accounts.on_trade(trade(3.1, 15, 1, 110), at(3.1), &mut out);
    accounts.on_session_end(DAWN + 6_000 * SECOND, at(3.2), &mut out);
    accounts.on_session(DAWN + 9_000 * SECOND);
    // None of these is a trade that is held already, or one that the gap lacks.
    for (ticks, size, volume) in [(20, 103, 103), (21, 6, 109), (22, 1, 110)] {
        accounts.on_trade(trade(9_000.0, ticks, size, volume), at(3.3), &mut out);
    }
    // The next ends before the first is judged.
    accounts.on_session_end(DAWN + 12_000 * SECOND, at(3.4), &mut out);
    let minute = |second: i64, volume| Minute { start: DAWN + second * SECOND, volume };
    accounts.on_time(accounts.due(), &mut out);
    accounts.on_minutes(&[minute(0, 110)]);
    accounts.on_history_over(at(5.1), &mut out);
    accounts.on_minutes(&[minute(9_000, 110)]);
    accounts.on_history_over(at(5.2), &mut out);
    assert_eq!(told(&out), ["Opened", "Closed", "14x2", "15x1", "20x103", "21x6", "22x1"]);
    let counts = accounts.counts();
    assert!(accounts.gap().is_none() && (counts.repeated, counts.contradictory) == (0, 0));
}

#[test]
fn trades_that_are_missing_at_a_sessions_end_are_told_by_its_minutes() {
    let end = |minutes: &[u64], history: &[Trade]| {
        let (mut accounts, mut out) = (accounts(), Vec::new());
        accounts.on_session_end(DAWN + 160 * SECOND, at(182.0), &mut out);
        assert!(matches!(out[..], [Feed::Wanted(_)]), "nothing is told yet");
        let minute = |(place, volume): (usize, &u64)| Minute {
            start: DAWN - 20 * SECOND + place as i64 * MINUTE,
            volume: *volume,
        };
        accounts.on_minutes(&minutes.iter().enumerate().map(minute).collect::<Vec<_>>());
        accounts.on_history(history, at(182.1), &mut out);
        accounts.on_history_over(at(182.1), &mut out);
        let short = out.iter().filter_map(|feed| match feed {
            Feed::Short(short) => Some(short.missing),
            _ => None,
        });
        let short: Vec<u64> = short.collect();
        // The next session begins with its own volume.
        accounts.on_session(DAWN + 9_000 * SECOND);
        accounts.on_trade(trade(9_000.0, 20, 2, 2), at(9_000.0), &mut out);
        (told(&out), short, gaps(&out).last().map(|gap| gap.missing))
    };
    let known = trade(1.0, 10, 3, 0);
    let late = [trade(50.0, 11, 4, 0), trade(130.0, 12, 1, 0)];
    let next = "20x2".to_owned();
    assert_eq!(end(&[100], &[known]), (vec![next.clone()], vec![], None));
    let all = ["Opened", "+11x4", "+12x1", "Closed", "20x2"].map(str::to_owned).to_vec();
    assert_eq!(end(&[100, 4, 1], &[known, late[0], late[1]]), (all, vec![], Some(Some(5))));
    let part = ["Opened", "+11x4", "Closed", "20x2"].map(str::to_owned).to_vec();
    assert_eq!(end(&[100, 4, 1], &[known, late[0]]).2, Some(Some(5)));
    assert_eq!(end(&[100, 4, 1], &[known, late[0]]).0, part);
    let none = ["Opened", "Closed", "20x2"].map(str::to_owned).to_vec();
    // History has more trades than its minutes have contracts, or less than was told, or nothing.
    assert_eq!(end(&[100, 4], &late), (none.clone(), vec![0, 4, 0], Some(Some(4))));
    assert_eq!(end(&[99], &[]), (none.clone(), vec![], Some(None)));
    assert_eq!(end(&[], &[]), (none, vec![], Some(None)));
}

#[test]
fn a_session_that_ends_soon_after_a_drop_is_judged_by_its_minutes() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_lost(at(170.0), &mut out);
    accounts.on_live(at(175.0), &mut out);
    accounts.on_session_end(DAWN + 160 * SECOND, at(182.0), &mut out);
    // The link is lost again before history has answered.
    accounts.on_lost(at(182.1), &mut out);
    accounts.on_time(at(900.0), &mut out);
    assert_eq!(told(&out), ["Opened"]);
    accounts.on_live(at(900.0), &mut out);
    accounts.on_minutes(&[Minute { start: DAWN - 20 * SECOND, volume: 100 }]);
    accounts.on_history_over(at(900.1), &mut out);
    assert_eq!(
        (told(&out), gaps(&out)[1].missing),
        (vec!["Opened".into(), "Closed".into()], Some(0))
    );
    // The answer to a subscription knows it as well.
    accounts.on_lost(at(1_000.0), &mut out);
    accounts.on_live(at(1_001.0), &mut out);
    let repeated = Trade { is_snapshot: true, ..trade(2.0, 11, 2, 102) };
    accounts.on_trade(repeated, at(1_001.1), &mut out);
    accounts.on_history_over(at(1_001.2), &mut out);
    assert_eq!(gaps(&out)[3].missing, Some(2));
}

#[test]
fn the_gaps_of_the_next_contract_have_numbers_of_their_own() {
    let (first, mut next) = (self::accounts(), self::accounts());
    let mut out = Vec::new();
    let mut first = first;
    first.on_trade(trade(2.0, 11, 1, 108), at(2.0), &mut out);
    next.number_on_from(&first);
    next.on_trade(trade(2.0, 11, 1, 108), at(2.0), &mut out);
    assert_eq!(gaps(&out).iter().map(|gap| gap.number).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn f16_no_history_and_no_first_trade_close_the_gap_unrecovered() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    accounts.on_lost(at(2.0), &mut out);
    assert_eq!(accounts.due(), Monotonic::NEVER, "while the link is gone, nobody knows");
    accounts.on_live(at(9.0), &mut out);
    accounts.on_time(at(19.0), &mut out);
    assert_eq!((told(&out), gaps(&out)[1].missing), (vec!["Opened".into(), "Closed".into()], None));
    assert!(!gaps(&out)[1].is_recovered());
    // An empty history, as that of an expired contract.
    accounts.on_trade(trade(20.0, 14, 2, 109), at(20.0), &mut out);
    accounts.on_history(&[], at(20.1), &mut out);
    assert!(accounts.gap().is_some());
    accounts.on_time(at(22.0), &mut out);
    assert!(!gaps(&out)[3].is_recovered());
}

#[test]
fn too_many_held_trades_end_a_gap() {
    let mut accounts = Accounts::new(AccountsSettings { held: 3, ..Default::default() });
    let mut out = Vec::new();
    accounts.on_trade(trade(1.0, 10, 1, 100), at(1.0), &mut out);
    for number in 0..6 {
        accounts.on_trade(trade(2.0, 20 + number, 1, 106 + number as u64), at(2.0), &mut out);
    }
    let expected = ["10x1", "Opened", "Closed", "20x1", "21x1", "22x1", "23x1", "24x1", "25x1"];
    assert_eq!(
        (told(&out), accounts.counts().overflowed),
        (expected.map(str::to_owned).to_vec(), 1)
    );
}

/// A minute's first, highest, lowest and last price, and its volume.
type Bar = (i64, i64, i64, i64, u64);

fn bars(trades: &[Trade]) -> BTreeMap<i64, Bar> {
    let mut bars = BTreeMap::new();
    for trade in trades {
        let price = trade.ticks;
        let bar = bars.entry(minute(trade.time)).or_insert((price, price, price, price, 0));
        *bar = (bar.0, bar.1.max(price), bar.2.min(price), price, bar.4 + u64::from(trade.size));
    }
    bars
}

const MINUTE: i64 = 60 * SECOND;

fn minute(time: i64) -> i64 {
    time.div_euclid(MINUTE)
}

/// An hour of trades, many of the same microsecond.
fn session(random: &mut Random) -> Vec<Trade> {
    let (mut second, mut price, mut volume) = (0.0, 10_000, 0);
    let mut trades = Vec::new();
    while second < 3_600.0 {
        second += if random.once_in(3) { 0.0 } else { random.below(1_500) as f64 / 1_000.0 };
        price += random.below(3) as i64 - 1;
        let size = 1 + random.below(5) as u32;
        volume += u64::from(size);
        trades.push(trade(second, price, size, volume));
    }
    trades
}

#[test]
fn of_20_random_drops_no_bar_is_wrong_and_unflagged() {
    let (mut recovered, mut flagged_bars, mut judged_minutes) = (0, 0, 0);
    for seed in 0..40 {
        let mut random = Random(seed);
        let truth = session(&mut random);
        let whole = bars(&truth);
        let lossy = seed % 2 == 1;
        let mut accounts = Accounts::new(AccountsSettings::default());
        let mut out = Vec::new();
        let drops: BTreeSet<usize> =
            (0..20).map(|_| random.below(truth.len() as u64 - 80) as usize + 20).collect();
        let (mut gone_until, mut scanned) = (0, 0);
        for (place, trade) in truth.iter().enumerate() {
            let now = Monotonic((trade.time - DAWN) as u64);
            accounts.on_time(now, &mut out);
            if drops.contains(&place) {
                gone_until = place + 1 + random.below(40) as usize;
                if random.once_in(2) {
                    accounts.on_lost(now, &mut out);
                }
            }
            if place == gone_until {
                accounts.on_live(now, &mut out);
            }
            if place >= gone_until {
                accounts.on_trade(*trade, now, &mut out);
                if random.once_in(50) {
                    accounts.on_trade(*trade, now, &mut out);
                }
            }
            // History answers at once.
            let wanted = out[scanned..].iter().any(|feed| matches!(feed, Feed::Wanted(_)));
            scanned = out.len();
            if wanted && accounts.gap().is_some() {
                let lost = |random: &mut Random| lossy && random.once_in(50);
                let history: Vec<Trade> =
                    truth[..=place].iter().filter(|_| !lost(&mut random)).copied().collect();
                accounts.on_minutes(&minutes_before(&whole, trade.time));
                accounts.on_history(&history, now, &mut out);
            }
        }
        accounts.on_time(Monotonic::NEVER, &mut out);
        let mut flagged = BTreeSet::new();
        for gap in gaps(&out).iter().filter(|gap| gap.phase == Phase::Closed) {
            if gap.is_recovered() {
                recovered += 1;
            } else {
                flagged.extend(minute(gap.from)..=minute(gap.to.unwrap_or(i64::MAX / 2)));
            }
        }
        let trades = out.iter().filter_map(|feed| match feed {
            Feed::Trade(trade, _) => Some(*trade),
            _ => None,
        });
        let seen = bars(&trades.collect::<Vec<_>>());
        for (minute, bar) in &whole {
            let right = seen.get(minute) == Some(bar);
            assert!(right || flagged.contains(minute), "seed {seed}: {bar:?}, {seen:?}");
        }
        assert!(lossy || flagged.is_empty(), "seed {seed}: whole history recovers everything");
        flagged_bars += flagged.len();
        judged_minutes += judged(&out, &whole, &seen);
    }
    assert!(recovered > 500 && flagged_bars > 50, "{recovered} recovered, {flagged_bars} flagged");
    assert!(judged_minutes > flagged_bars / 2, "{judged_minutes} of {flagged_bars} judged");
}

/// Returns the minutes that are over at that time.
fn minutes_before(bars: &BTreeMap<i64, Bar>, time: i64) -> Vec<Minute> {
    let over = bars.range(..minute(time));
    over.map(|(number, bar)| Minute { start: number * MINUTE, volume: bar.4 }).collect()
}

/// Checks what each minute lacks by what was told of the gaps, and returns of how many it was told.
fn judged(out: &[Feed], truth: &BTreeMap<i64, Bar>, seen: &BTreeMap<i64, Bar>) -> usize {
    let short = |feed: &Feed| if let Feed::Short(short) = feed { Some(*short) } else { None };
    let short: Vec<Short> = out.iter().filter_map(short).collect();
    let mut lacking: BTreeMap<i64, Option<u64>> = BTreeMap::new();
    for gap in gaps(out).iter().filter(|gap| gap.phase == Phase::Closed && !gap.is_recovered()) {
        for number in minute(gap.from)..=minute(gap.to.unwrap_or(gap.from)) {
            let of = |short: &&Short| (short.gap, short.minute) == (gap.number, number * MINUTE);
            let told = short.iter().find(of).map(|short| short.missing);
            let sum = lacking.entry(number).or_insert(Some(0));
            *sum = sum.zip(told).map(|(sum, told)| sum + told);
        }
    }
    let told = lacking.iter().filter_map(|(number, missing)| Some((number, (*missing)?)));
    told.inspect(|(number, missing)| {
        let bar = seen.get(number);
        assert_eq!(bar.map_or(0, |bar| bar.4) + missing, truth[number].4, "minute {number}");
        assert!(*missing > 0 || bar == Some(&truth[number]), "minute {number} is not whole");
    })
    .count()
}

#[test]
fn minutes_that_contradict_the_volume_judge_nothing() {
    let minutes = |volume| [Minute { start: DAWN + 40 * SECOND - MINUTE, volume }];
    for (volume, told) in [(None, 0), (Some(5), 0), (Some(20), 0), (Some(7), 2)] {
        let (mut accounts, mut out) = (Accounts::new(AccountsSettings::default()), Vec::new());
        // The account's first minute is not known from its beginning; the second is.
        accounts.on_trade(trade(-21.0, 10, 3, 100), at(0.0), &mut out);
        accounts.on_trade(trade(-1.0, 10, 6, 106), at(1.0), &mut out);
        accounts.on_trade(trade(41.0, 10, 1, 111), at(2.0), &mut out);
        if let Some(volume) = volume {
            accounts.on_minutes(&minutes(volume));
        }
        accounts.on_time(at(5.0), &mut out);
        let short =
            |feed: &Feed| if let Feed::Short(short) = feed { Some(short.missing) } else { None };
        let short: Vec<u64> = out.iter().filter_map(short).collect();
        assert_eq!(short, if told == 0 { vec![] } else { vec![1, 3] }, "{volume:?}");
    }
}

#[test]
fn what_an_earlier_gap_took_from_a_minute_is_not_told_again() {
    let (mut accounts, mut out) = (accounts(), Vec::new());
    let begins = DAWN + 40 * SECOND;
    // Four contracts of the minute are told, two are lost, then three of it and two of the next.
    accounts.on_trade(trade(41.0, 10, 3, 103), at(41.0), &mut out);
    accounts.on_trade(trade(50.0, 10, 1, 106), at(50.0), &mut out);
    accounts.on_time(at(60.0), &mut out);
    accounts.on_trade(trade(101.0, 10, 1, 112), at(101.0), &mut out);
    accounts.on_minutes(&[Minute { start: begins, volume: 9 }]);
    accounts.on_time(at(110.0), &mut out);
    let short = |feed: &Feed| if let Feed::Short(short) = feed { Some(*short) } else { None };
    let expected = [(1, begins, 2), (2, begins, 3), (2, begins + MINUTE, 2)];
    let expected = expected.map(|(gap, minute, missing)| Short { gap, minute, missing });
    assert!(out.iter().filter_map(short).eq(expected), "{out:?}");
}

fn last_trade(change: impl FnOnce(&mut rti::LastTrade)) -> LastTrade {
    let mut trade = rti::LastTrade::default();
    trade.symbol = Some("ESZ6".to_owned());
    trade.presence_bits = Some(1 | 8);
    trade.trade_price = Some(4_700.25);
    trade.trade_size = Some(3);
    trade.aggressor = Some(2);
    trade.volume = Some(1_000);
    (trade.ssboe, trade.usecs) = (Some(1_700_000_001), Some(500_000));
    (trade.source_ssboe, trade.source_usecs) = (Some(1_700_000_001), Some(400_000));
    trade.source_nsecs = Some(400_000_123);
    change(&mut trade);
    let frame = encode(&trade, None);
    let Ok(Incoming::Trade(trade)) = decode(&frame[4..]) else { panic!() };
    trade
}

#[test]
fn f9_a_trade_without_a_usable_price_size_or_time_is_no_trade() {
    let good = Trade::of(&last_trade(|_| ()), &ES).unwrap();
    assert_eq!((good.ticks, good.size, good.volume), (18_801, 3, Some(1_000)));
    assert_eq!(good.time, DAWN + SECOND + 400_000_123);
    assert_eq!((good.gateway_time, good.aggressor), (DAWN + SECOND * 3 / 2, Aggressor::Seller));
    let refused =
        |change: fn(&mut rti::LastTrade)| Trade::of(&last_trade(change), &ES).unwrap_err();
    assert_eq!(refused(|trade| trade.trade_price = None), Unusable::NoPrice);
    assert_eq!(refused(|trade| trade.presence_bits = Some(8)), Unusable::NoPrice);
    assert_eq!(refused(|trade| trade.clear_bits = Some(1)), Unusable::NoPrice);
    for price in [-1.0, 0.0, -0.0, -4_700.25, f64::NAN, f64::INFINITY, 1e300, 4_700.26, 4_700.249] {
        let message = last_trade(|trade| trade.trade_price = Some(price));
        assert_eq!(Trade::of(&message, &ES), Err(Unusable::Price), "{price}");
    }
    assert_eq!(refused(|trade| trade.trade_size = Some(0)), Unusable::Size);
    assert_eq!(refused(|trade| trade.trade_size = Some(-3)), Unusable::Size);
    assert_eq!(refused(|trade| trade.trade_size = None), Unusable::Size);
    let no_time = |trade: &mut rti::LastTrade| (trade.ssboe, trade.source_ssboe) = (None, None);
    assert_eq!(refused(no_time), Unusable::Time);
    assert_eq!(refused(|trade| trade.volume = Some(Trade::LARGEST_VOLUME + 1)), Unusable::Volume);
    let no_volume = last_trade(|trade| trade.presence_bits = Some(1));
    assert_eq!(Trade::of(&no_volume, &ES).unwrap().volume, None);
    let beside = Contract { nanoseconds: Nanoseconds::BesideMicroseconds, ..ES };
    let message = last_trade(|trade| trade.source_nsecs = Some(123));
    assert_eq!(Trade::of(&message, &beside).unwrap().time, DAWN + SECOND + 400_000_123);
}

#[test]
fn f9_trades_without_a_volume_hide_no_loss() {
    let without = |trade: Trade| Trade { volume: None, ..trade };
    let repeated = |trade: Trade| Trade { is_snapshot: true, ..without(trade) };
    // Three contracts are lost with the link; the answer to the subscription repeats them.
    let (mut first, mut out) = (accounts(), Vec::new());
    first.on_lost(at(1.1), &mut out);
    first.on_live(at(2.0), &mut out);
    first.on_trade(repeated(trade(1.5, 11, 3, 0)), at(2.1), &mut out);
    first.on_trade(trade(2.5, 12, 1, 104), at(2.5), &mut out);
    assert_eq!(first.gap().unwrap().missing, Some(3));
    // Three are lost behind a repeated trade, which was told before.
    let (mut second, mut out) = (accounts(), Vec::new());
    second.on_trade(repeated(trade(1.0, 10, 3, 0)), at(1.5), &mut out);
    second.on_trade(trade(2.5, 12, 1, 104), at(2.5), &mut out);
    assert_eq!(second.gap().unwrap().missing, Some(3));
    // A loss may lie before a trade without a volume.
    let (mut third, mut out) = (accounts(), Vec::new());
    third.on_trade(without(trade(70.0, 11, 1, 0)), at(70.0), &mut out);
    third.on_trade(trade(80.0, 12, 1, 107), at(80.0), &mut out);
    let gap = third.gap().unwrap();
    assert_eq!((gap.missing, gap.from), (Some(5), DAWN + SECOND));
}

#[test]
fn f9_history_fills_no_gap_in_which_trades_without_a_volume_were_told() {
    let (mut one, mut out) = (accounts(), Vec::new());
    one.on_trade(Trade { volume: None, ..trade(70.0, 12, 1, 0) }, at(70.0), &mut out);
    one.on_trade(trade(80.0, 13, 1, 107), at(80.0), &mut out);
    // It lacks one of the five that are missing, and has the one that was told.
    let history = [2.0, 3.0, 4.0, 5.0, 70.0].map(|second| trade(second, 12, 1, 0));
    one.on_history(&history, at(80.1), &mut out);
    let minute = DAWN.div_euclid(60 * SECOND) * 60 * SECOND;
    one.on_minutes(&[Minute { start: minute, volume: 5 }]);
    one.on_time(at(90.0), &mut out);
    assert_eq!(told(&out), ["12x1", "Opened", "Closed", "13x1"]);
    assert_eq!((gaps(&out)[1].missing, gaps(&out)[1].recovered), (Some(5), 0));
    assert!(!out.iter().any(|it| matches!(it, Feed::Short(_))));
}

#[test]
fn t7_a_repeated_trade_of_the_session_before_is_no_loss_of_the_one_that_begins() {
    for is_lost in [false, true] {
        let (mut one, mut out) = (Accounts::new(AccountsSettings::default()), Vec::new());
        one.begin_with(DAWN + 10 * SECOND);
        one.on_session(DAWN + 10 * SECOND);
        if is_lost {
            one.on_lost(at(10.1), &mut out);
            one.on_live(at(10.2), &mut out);
        }
        let repeated = Trade { is_snapshot: true, ..trade(5.0, 10, 3, 1_000) };
        one.on_trade(repeated, at(10.3), &mut out);
        one.on_trade(trade(11.0, 10, 3, 3), at(11.0), &mut out);
        one.on_history_over(at(11.1), &mut out);
        one.on_trade(trade(12.0, 11, 2, 5), at(12.0), &mut out);
        let expected =
            if is_lost { vec!["Opened", "Closed", "10x3", "11x2"] } else { vec!["10x3", "11x2"] };
        assert_eq!(told(&out), expected);
        assert!(gaps(&out).iter().all(|gap| gap.missing.is_none_or(|missing| missing == 0)));
    }
}

#[test]
fn no_volume_of_the_wire_overflows_the_account() {
    let volumes = [0, 1, Trade::LARGEST_VOLUME - 1, Trade::LARGEST_VOLUME, u64::MAX - 1, u64::MAX];
    for seed in 0..200 {
        let mut random = Random(seed);
        let mut accounts = Accounts::new(AccountsSettings { held: 4, ..Default::default() });
        let mut out = Vec::new();
        for step in 0..50 {
            let now = at(step as f64);
            match random.below(12) {
                0 => accounts.on_lost(now, &mut out),
                1 => accounts.on_live(now, &mut out),
                2 => accounts.on_session(DAWN),
                3 => accounts.on_time(now, &mut out),
                _ => {}
            }
            let message = last_trade(|trade| {
                trade.presence_bits = Some(1 | if random.once_in(3) { 0 } else { 8 });
                trade.trade_size = Some(if random.once_in(2) { 1 } else { i32::MAX });
                trade.volume = Some(volumes[random.below(volumes.len() as u64) as usize]);
                trade.is_snapshot = Some(random.once_in(5));
            });
            if let Ok(trade) = Trade::of(&message, &ES) {
                accounts.on_trade(trade, now, &mut out);
            }
        }
        let missing = gaps(&out).into_iter().filter_map(|gap| gap.missing).max();
        assert!(missing <= Some(Trade::LARGEST_VOLUME), "seed {seed}: {missing:?}");
    }
}

fn quote(
    present: u32,
    cleared: u32,
    bid: Option<(f64, i32)>,
    ask: Option<(f64, i32)>,
) -> BestBidOffer {
    let mut quote = rti::BestBidOffer::default();
    (quote.presence_bits, quote.clear_bits) = (Some(present), Some(cleared));
    (quote.bid_price, quote.bid_size) = bid.unzip();
    (quote.ask_price, quote.ask_size) = ask.unzip();
    let frame = encode(&quote, None);
    let Ok(Incoming::Quote(quote)) = decode(&frame[4..]) else { panic!() };
    quote
}

#[test]
fn f10_one_sided_clearing_and_crossed_quotes_are_merged_by_their_bits() {
    let mut book = TopOfBook::default();
    let side = |ticks, size| Some(Side { ticks, size });
    book.on_quote(&quote(1, 0, Some((100.0, 5)), None), &ES);
    assert_eq!((book.bid, book.ask, book.is_usable()), (side(400, 5), None, false));
    // An offer in a message about the bid is not believed.
    book.on_quote(&quote(1, 0, Some((100.25, 6)), Some((0.25, 1))), &ES);
    book.on_quote(&quote(2, 0, None, Some((100.5, 7))), &ES);
    assert_eq!((book.bid, book.ask, book.is_usable()), (side(401, 6), side(402, 7), true));
    for crossed in [100.5, 100.75] {
        book.on_quote(&quote(1, 0, Some((crossed, 1)), None), &ES);
        assert!(book.is_crossed() && !book.is_usable());
    }
    book.on_quote(&quote(0, 1, None, None), &ES);
    assert_eq!((book.bid, book.ask, book.is_crossed()), (None, side(402, 7), false));
    book.on_quote(&quote(2, 0, None, Some((-1.0, 0))), &ES);
    assert_eq!((book.ask, book.invalid), (None, 0));
    book.on_quote(&quote(3, 0, Some((f64::NAN, 1)), Some((100.1, 1))), &ES);
    assert_eq!((book.bid, book.ask, book.invalid), (None, None, 2));
}

fn watch(session: Session) -> Freshness {
    let mut watch = Freshness::new(FreshnessSettings::default(), session);
    watch.on_live(at(0.0));
    watch
}

#[test]
fn f4_45_seconds_of_silence_at_night_are_nothing() {
    let (mut night, mut out) = (watch(Session::Other), Vec::new());
    night.on_time(at(45.0), &mut out);
    assert_eq!((out.len(), night.due()), (0, at(60.0)));
    night.on_time(at(60.0), &mut out);
    assert_eq!(out[..2], [Symptom::Stale(Kind::Trades), Symptom::Stale(Kind::Quotes)]);
}

#[test]
fn f5_trades_that_stop_are_noticed_while_quotes_live_and_the_reverse() {
    for (alive, dead) in [(Kind::Quotes, Kind::Trades), (Kind::Trades, Kind::Quotes)] {
        let (mut watch, mut out) = (watch(Session::Regular), Vec::new());
        for tenth in 1..=120 {
            let now = at(f64::from(tenth) / 10.0);
            watch.on_data(alive, now, &mut out);
            watch.on_time(now, &mut out);
        }
        // Stale after five seconds; asked again; given up after five more.
        assert_eq!(out, [Symptom::Stale(dead), Symptom::AskAgain, Symptom::Reconnect]);
        assert!(watch.is_stale(dead) && !watch.is_stale(alive));
        watch.on_data(dead, at(12.1), &mut out);
        assert_eq!(out[3], Symptom::Fresh(dead));
    }
}

#[test]
fn f7_a_subscription_that_helps_ends_it() {
    let (mut watch, mut out) = (watch(Session::Regular), Vec::new());
    watch.on_time(at(5.0), &mut out);
    assert_eq!(out[2..], [Symptom::AskAgain]);
    watch.on_data(Kind::Trades, at(6.0), &mut out);
    watch.on_data(Kind::Quotes, at(6.0), &mut out);
    out.clear();
    watch.on_time(at(10.5), &mut out);
    assert_eq!(out, []);
}

#[test]
fn f14_a_halt_is_not_staleness() {
    let (mut watch, mut out) = (watch(Session::Regular), Vec::new());
    watch.on_session(Session::Halted, at(3.0));
    watch.on_time(at(900.0), &mut out);
    assert_eq!((out.len(), watch.due()), (0, Monotonic::NEVER));
    watch.on_session(Session::Regular, at(900.0));
    watch.on_time(at(904.0), &mut out);
    assert_eq!(out, []);
    watch.on_time(at(905.0), &mut out);
    assert_eq!(out.len(), 3, "it must resume");
    // Without a link there is nothing to be stale.
    let mut down = self::watch(Session::Regular);
    down.on_lost();
    assert_eq!(down.due(), Monotonic::NEVER);
}
