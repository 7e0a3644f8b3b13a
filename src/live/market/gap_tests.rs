//! A market in virtual time, through the bar stage: scenarios F1, F2, F8, F9, F16 and T2. Each bar
//! is that of the whole file, or says that trades of it are missing.

use algospace_hft_rithmic::feed::{End, Minute, Query};
use algospace_hft_rithmic::link::{Latch, Plant, Why};
use algospace_hft_rithmic::wire::{Incoming, decode, encode};

use super::super::series::{describe, named};
use super::*;
use crate::bars::BarBuilder;
use crate::engine::PipelineSettings;
use crate::market::{Bar, BarFlags, RollRule, Timeframe};
use crate::run::Past;
use crate::source::native::TickFileDescription;

const SECOND: i64 = Timestamp::SECOND;
const TICK: Price = Price::from_units(Price::SCALE / 4);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Numbers of a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// The knowledge of the history plant.
#[derive(Clone, Copy, Debug)]
struct Kept {
    is_up: bool,
    /// It has lost the trades at those of whose index by this is 0; `None` if it has all of them.
    loses_every: Option<usize>,
    has_minutes: bool,
}

const WHOLE: Kept = Kept { is_up: true, loses_every: None, has_minutes: true };

/// The trades of an exchange, a market that hears of them, and what comes out.
struct Scene {
    trades: Vec<Tick>,
    /// The session's volume behind each.
    volumes: Vec<u64>,
    /// Trades that were made.
    made: usize,
    past: Kept,
    market: Market,
    now: Monotonic,
    answers: VecDeque<(Monotonic, Answer)>,
    events: Vec<Event>,
    /// Questions that the history plant got.
    asked: Vec<Query>,
    /// The line on the seam, and the time from which the run trades.
    told: Vec<String>,
    begun: Option<Option<Timestamp>>,
}

fn pipeline_settings() -> PipelineSettings {
    PipelineSettings {
        calendar: Calendar::CmeEquityIndex,
        timeframes: vec![Timeframe::MINUTE_1],
        fill_gaps_up_to: Timestamp::HOUR,
        history_bar: 0,
        flatten_before_close: None,
        expiries: vec![Timestamp::MAX],
        prices_are_joined: false,
        decisions: crate::engine::DecisionTiming::After(0),
        trades_from: Timestamp::MIN,
    }
}

fn market() -> Market {
    let instrument = Instrument::built_in("ES").unwrap();
    let first = named("ESH4", &instrument, at("2024-01-03T15:00:00Z")).unwrap();
    let mut market = TickFileDescription::new(&instrument, "live");
    market.contracts.clear();
    describe(&mut market, &instrument, &first, true);
    let series = Series::new(&market, &instrument, RollRule::Volume, &first, false);
    let timers = Timers::new(&pipeline_settings(), 2 * SECOND, SECOND);
    Market::new(series, &instrument, timers, Duration::from_secs(600), false)
}

impl Scene {
    fn new(trades: Vec<Tick>) -> Scene {
        let mut scene = Scene::down(trades);
        scene.link(true);
        scene
    }

    /// Returns one that begins behind that many trades, which it took from a file; with 0 it knows
    /// nothing.
    fn behind(trades: Vec<Tick>, known: usize) -> Scene {
        let mut scene = Scene::down(trades);
        scene.run(known, false);
        scene.events.extend(scene.trades[..known].iter().map(|tick| Event::Tick(*tick)));
        let last = Past::new(None, &scene.trades[..known]).unwrap().last();
        scene.market.begin_after(last, Duration::from_secs(60));
        scene
    }

    fn down(trades: Vec<Tick>) -> Scene {
        let calendar = Calendar::CmeEquityIndex;
        let (mut volumes, mut volume, mut session) = (Vec::new(), 0, None);
        for trade in &trades {
            let open = calendar.session_at_or_after(trade.time).open;
            volume = if session.replace(open) == Some(open) { volume } else { 0 };
            volume += u64::from(trade.size);
            volumes.push(volume);
        }
        let mut scene = Scene {
            trades,
            volumes,
            made: 0,
            past: WHOLE,
            market: market(),
            now: Monotonic::default(),
            answers: VecDeque::new(),
            events: Vec::new(),
            asked: Vec::new(),
            told: Vec::new(),
            begun: None,
        };
        scene.history(WHOLE);
        scene
    }

    fn history(&mut self, past: Kept) {
        self.past = past;
        let state = if past.is_up { State::Live } else { State::LoggedOut(Latch::ForcedTwice) };
        self.market.on_history_link(state);
        if !past.is_up {
            self.answers.clear();
        }
    }

    fn link(&mut self, is_up: bool) {
        let down = State::Down { until: self.now };
        let (from, to) = if is_up { (down, State::Live) } else { (State::Live, down) };
        let change = Change { plant: Plant::Ticker, from, to, generation: 1, why: Why::Told };
        self.market.on_link(&change, self.now);
        self.settle();
    }

    /// Lets the trades up to the one at that place be made, and be heard of if `is_heard`.
    fn run(&mut self, until: usize, is_heard: bool) {
        while self.made < until {
            let place = self.made;
            self.pass_to(self.trades[place].time);
            self.made += 1;
            if is_heard {
                self.hear(place, |_| {});
            }
        }
    }

    fn hear(&mut self, place: usize, change: impl FnOnce(&mut rti::LastTrade)) {
        let trade = self.trades[place];
        let nanos = trade.time.nanos();
        let mut message = rti::LastTrade::default();
        message.presence_bits = Some(1 | 8);
        message.trade_price = Some(trade.price.as_f64());
        message.trade_size = Some(trade.size as i32);
        message.volume = Some(self.volumes[place]);
        let (seconds, rest) = ((nanos / SECOND) as i32, nanos % SECOND);
        (message.ssboe, message.usecs) = (Some(seconds), Some((rest / 1_000) as i32));
        (message.source_ssboe, message.source_nsecs) = (Some(seconds), Some(rest as i32));
        change(&mut message);
        let frame = encode(&message, None);
        let Ok(Incoming::Trade(message)) = decode(&frame[4..]) else { panic!() };
        self.market.on_trade(&message, self.now);
        self.settle();
    }

    /// Passes time.
    fn pass_to(&mut self, time: Timestamp) {
        let end = Monotonic((time - self.trades[0].time) as u64);
        loop {
            let answer = self.answers.front().map_or(Monotonic::NEVER, |(due, _)| *due);
            self.now = answer.min(self.now.after(Duration::from_secs(1))).min(end);
            while self.answers.front().is_some_and(|(due, _)| *due <= self.now) {
                let (_, answer) = self.answers.pop_front().unwrap();
                self.market.on_history(&answer, self.now);
            }
            self.market.on_time(self.now);
            self.settle();
            if self.now >= end {
                return;
            }
        }
    }

    fn settle(&mut self) {
        for wish in self.market.wishes().collect::<Vec<_>>() {
            let query = match wish {
                Wish::History(query) => query,
                Wish::Tell(text) => {
                    self.told.push(text);
                    continue;
                }
                Wish::Begin(trades_from) => {
                    self.begun = Some(trades_from);
                    continue;
                }
                _ => continue,
            };
            self.asked.push(query.clone());
            let answer = self.answer(&query);
            self.answers.push_back((self.now.after(Duration::from_millis(300)), answer));
        }
        self.events.extend(std::iter::from_fn(|| self.market.take()));
    }

    fn answer(&self, query: &Query) -> Answer {
        let made = self.trades[..self.made].iter().enumerate();
        let second = |time: i64| time.div_euclid(SECOND);
        let seconds = second(query.from)..=second(query.to) + 1;
        let is_kept =
            |place: usize| self.past.loses_every.is_none_or(|every| !place.is_multiple_of(every));
        let rows = match query.what {
            What::Trades => {
                let rows = made.filter(|(place, it)| {
                    is_kept(*place) && seconds.contains(&second(it.time.nanos()))
                });
                Rows::Trades(rows.map(|(_, tick)| row(tick)).collect())
            }
            What::Minutes => Rows::Minutes(self.minutes(query)),
        };
        let is_empty = rows == Rows::Trades(Vec::new());
        Answer { key: query.key, rows, end: if is_empty { End::Empty } else { End::Whole } }
    }

    /// Returns the minutes that are over.
    fn minutes(&self, query: &Query) -> Vec<Minute> {
        let minute = |time: Timestamp| time.floor_to(Timestamp::MINUTE).nanos();
        let time = self.trades[0].time.saturating_add(self.now.0 as i64);
        let mut minutes = BTreeMap::new();
        for trade in self.trades[..self.made].iter().filter(|_| self.past.has_minutes) {
            let start = minute(trade.time);
            if start < minute(time) && start + 60 * SECOND > query.from {
                *minutes.entry(start).or_insert(0) += u64::from(trade.size);
            }
        }
        minutes.into_iter().map(|(start, volume)| Minute { start, volume }).collect()
    }

    /// Returns the bars of what came out, and the stretches in which trades are missing.
    fn bars(&self) -> (Vec<Bar>, Vec<Gap>) {
        let mut builder = builder();
        let (mut bars, mut lossy) = (Vec::new(), Vec::new());
        let mut emit = |bar: &Bar| bars.push(*bar);
        for event in &self.events {
            match event {
                Event::Tick(tick) => _ = builder.on_tick(tick, &mut emit),
                Event::Timer(time) => builder.on_session_end(*time, &mut emit),
                Event::Gap(gap) => {
                    builder.on_gap(gap);
                    let is_lossy = gap.phase == GapPhase::Closed && !gap.is_recovered();
                    lossy.extend(is_lossy.then_some(*gap));
                }
                _ => {}
            }
        }
        builder.finish(&mut emit);
        (bars, lossy)
    }

    /// Checks that each bar is that of the whole file or says that it is not, and that none says so
    /// without a reason. Returns the minutes that say so.
    fn check(&self, what: &str) -> Vec<String> {
        let (bars, lossy) = self.bars();
        let mut whole = Vec::new();
        let mut builder = builder();
        let ticks = &self.trades[..self.made];
        ticks.iter().for_each(|tick| _ = builder.on_tick(tick, &mut |bar| whole.push(*bar)));
        builder.finish(&mut |bar| whole.push(*bar));
        for bar in bars.iter().filter(|bar| !bar.flags.any(BarFlags::GAP)) {
            assert!(whole.contains(bar), "{what}: it is wrong and unflagged: {bar:?}");
        }
        let in_loss = |time: Timestamp| lossy.iter().any(|it| (it.from..=it.to).contains(&time));
        let is_sound = |bar: &&Bar| {
            let overlaps = lossy.iter().any(|it| bar.start <= it.to && it.from < bar.end);
            let before = ticks[..ticks.partition_point(|tick| tick.time < bar.start)].last();
            let in_doubt =
                bar.flags.any(BarFlags::FILLED) && before.is_some_and(|it| in_loss(it.time));
            !overlaps && !in_doubt
        };
        let expected: Vec<&Bar> = whole.iter().filter(is_sound).collect();
        let kept: Vec<&Bar> = bars.iter().filter(is_sound).collect();
        assert_eq!(kept, expected, "{what}");
        let flagged = bars.iter().filter(|bar| bar.flags.any(BarFlags::GAP));
        let minutes = flagged.filter(|bar| bar.timeframe == Timeframe::MINUTE_1);
        minutes.map(|bar| bar.start.to_string()[11..16].to_owned()).collect()
    }

    /// Returns the last tick that came out.
    fn last_tick(&self) -> Tick {
        let tick = |event: &Event| if let Event::Tick(tick) = event { Some(*tick) } else { None };
        self.events.iter().rev().find_map(tick).unwrap()
    }
}

fn builder() -> BarBuilder {
    let timeframes = [1, 5, 30, 1440].map(|it| Timeframe::from_minutes(it).unwrap());
    BarBuilder::new(&timeframes, Calendar::CmeEquityIndex, Timestamp::HOUR)
}

/// Returns the row of a trade, whose time is cut to microseconds.
fn row(tick: &Tick) -> Trade {
    let time = tick.time.nanos() / 1_000 * 1_000;
    let ticks = tick.price.ticks_from(Price::ZERO, TICK);
    let (size, volume, is_snapshot) = (tick.size, None, false);
    Trade {
        time,
        gateway_time: time,
        ticks,
        size,
        volume,
        aggressor: Aggressor::Unknown,
        is_snapshot,
        bid: None,
        ask: None,
    }
}

/// Returns that number of trades from a time on, one after the other in equal distances.
fn trades(from: &str, milliseconds: i64, count: i64) -> Vec<Tick> {
    let trade = |number: i64| {
        let price = Price::ZERO.offset_ticks(18_000 + number * 7 % 11, TICK);
        Tick::new(at(from) + number * milliseconds * 1_000_000, price, 1 + (number % 4) as u32)
    };
    (0..count).map(trade).collect()
}

#[test]
fn f1_a_drop_of_a_second_that_history_fills_leaves_no_trace_in_the_bars() {
    let mut scene = Scene::new(trades("2024-01-03T15:00:00Z", 200, 3_000));
    let (gone, back) = (1_501, 1_507);
    scene.run(gone, true);
    scene.link(false);
    scene.run(back, false);
    scene.link(true);
    scene.run(back + 1, true);
    assert_eq!(scene.last_tick().time, scene.trades[gone - 1].time, "live trades are held");
    scene.run(back + 3, true);
    assert_eq!(scene.last_tick().time, scene.trades[back + 2].time, "it ends with its answer");
    scene.run(3_000, true);
    assert_eq!(scene.check("F1"), [""; 0]);
    let ticks = |flags| {
        let of = |event: &&Event| matches!(event, Event::Tick(tick) if tick.flags == flags);
        scene.events.iter().filter(of).count()
    };
    assert_eq!((ticks(TickFlags::BACKFILLED), ticks(TickFlags::NONE)), (6, 2_994));
}

#[test]
fn f2_lost_trades_flag_the_minutes_that_lack_them_and_no_other() {
    let lossy = Kept { loses_every: Some(397), ..WHOLE };
    let cases = [
        // The trade at place 1588 is lost: at 15:05:17.6.
        ("lossy", lossy, vec!["15:05"]),
        ("without minutes", Kept { has_minutes: false, ..lossy }, vec!["15:04", "15:05", "15:06"]),
        // Of 15:05 there is no trade, and no bar.
        ("lost", Kept { loses_every: Some(1), ..WHOLE }, vec!["15:04", "15:06"]),
        ("down", Kept { is_up: false, ..WHOLE }, vec!["15:04", "15:06"]),
    ];
    for (what, past, expected) in cases {
        let mut scene = Scene::new(trades("2024-01-03T15:00:00Z", 200, 3_000));
        scene.run(1_401, true);
        scene.history(past);
        scene.link(false);
        scene.run(1_901, false);
        scene.link(true);
        scene.run(1_902, true);
        if !past.is_up {
            // Nothing is waited for.
            scene.market.on_time(scene.now);
            scene.settle();
            assert_eq!(scene.last_tick().time, scene.trades[1_901].time);
        }
        scene.run(1_904, true);
        assert_eq!(scene.last_tick().time, scene.trades[1_903].time, "{what}: it has ended");
        scene.run(3_000, true);
        assert_eq!(scene.check(what), expected, "{what}");
    }
}

#[test]
fn f8_a_jump_of_the_volume_is_recovered_or_flags_its_minute() {
    for (past, expected) in
        [(WHOLE, vec![]), (Kept { loses_every: Some(1), ..WHOLE }, vec!["15:05"])]
    {
        let mut scene = Scene::new(trades("2024-01-03T15:00:00Z", 200, 3_000));
        scene.history(past);
        scene.run(1_601, true);
        scene.run(1_604, false);
        scene.run(3_000, true);
        assert_eq!(scene.check("F8"), expected);
    }
}

#[test]
fn f9_what_is_no_trade_reaches_no_bar() {
    let mut scene = Scene::new(trades("2024-01-03T15:00:00Z", 200, 900));
    scene.run(600, true);
    let before = scene.events.len();
    scene.hear(599, |message| message.presence_bits = Some(8));
    scene.hear(599, |message| message.trade_price = Some(-1.0));
    scene.hear(599, |message| message.trade_price = Some(f64::NAN));
    scene.hear(599, |message| message.trade_size = Some(0));
    // What was heard before is no trade either.
    scene.hear(599, |_| {});
    assert_eq!(scene.events.len(), before);
    scene.run(900, true);
    assert_eq!(scene.check("F9"), [""; 0]);
}

#[test]
fn f16_a_drop_while_history_is_asked_is_another_gap_and_both_are_flagged() {
    let mut scene = Scene::new(trades("2024-01-03T15:00:00Z", 200, 3_000));
    scene.run(1_400, true);
    scene.run(1_410, false);
    scene.run(1_411, true);
    scene.link(false);
    scene.run(1_700, false);
    scene.link(true);
    // The contract has expired meanwhile: history is empty.
    scene.history(Kept { loses_every: Some(1), has_minutes: false, ..WHOLE });
    scene.run(3_000, true);
    assert_eq!(scene.check("F16"), ["15:04", "15:05"]);
    let keys: Vec<u64> = scene.asked.iter().map(|query| query.key).collect();
    assert_eq!(keys, [1, 1, 2, 2]);
    assert!(scene.asked.iter().all(|query| query.is_urgent));
}

/// T2, and a link that is away over it.
#[test]
fn t2_a_session_ends_by_its_timer_and_a_drop_over_its_end_is_judged_by_minutes() {
    let two_sessions = || {
        let mut all = trades("2024-01-03T21:50:00Z", 1_500, 397);
        all.extend(trades("2024-01-03T23:00:00Z", 1_500, 400));
        all
    };
    let mut scene = Scene::new(two_sessions());
    scene.run(397, true);
    scene.pass_to(at("2024-01-03T22:00:03Z"));
    let mut closed = scene.bars().0.into_iter().filter(|bar| !bar.flags.any(BarFlags::INCOMPLETE));
    assert_eq!(closed.next_back().unwrap().end, at("2024-01-03T22:00:00Z"));
    scene.run(797, true);
    assert_eq!(scene.check("T2"), [""; 0]);

    let none = Kept { loses_every: Some(1), has_minutes: false, ..WHOLE };
    for (past, back, expected) in [
        // The session ends before a trade says what is missing.
        (WHOLE, 397, vec![]),
        (Kept { loses_every: Some(30), ..WHOLE }, 397, vec!["21:59"]),
        (none, 397, vec!["21:58"]),
        (WHOLE, 420, vec![]),
        (Kept { loses_every: Some(30), ..WHOLE }, 500, vec!["21:59", "23:00", "23:01", "23:02"]),
        (none, 420, vec!["21:58", "23:00"]),
        (Kept { is_up: false, ..WHOLE }, 420, vec!["21:58", "23:00"]),
    ] {
        let mut scene = Scene::new(two_sessions());
        scene.run(350, true);
        scene.history(past);
        scene.link(false);
        scene.run(back, false);
        scene.link(true);
        scene.run(797, true);
        assert_eq!(scene.check("a drop over the end"), expected, "{back}");
    }
}

#[test]
fn trades_that_are_lost_at_a_sessions_end_while_the_link_is_up_come_after_all_or_flag_its_bars() {
    let none = Kept { loses_every: Some(1), has_minutes: false, ..WHOLE };
    for (past, lost, expected) in [
        (WHOLE, 0, vec![]),
        (WHOLE, 60, vec![]),
        // Of the last minute there is no trade, and no bar.
        (Kept { loses_every: Some(1), ..WHOLE }, 60, vec!["21:58"]),
        (Kept { loses_every: Some(1), ..WHOLE }, 10, vec!["21:59"]),
        // Nobody knows.
        (none, 0, vec!["21:59"]),
        (Kept { is_up: false, ..WHOLE }, 0, vec!["21:59"]),
    ] {
        let mut all = trades("2024-01-03T21:50:00Z", 1_500, 397);
        all.extend(trades("2024-01-03T23:00:00Z", 1_500, 400));
        let mut scene = Scene::new(all);
        scene.history(past);
        scene.run(397 - lost, true);
        scene.run(397, false);
        let ended = |scene: &Scene| {
            scene.bars().0.iter().any(|bar| {
                bar.end == at("2024-01-03T22:00:00Z") && !bar.flags.any(BarFlags::INCOMPLETE)
            })
        };
        scene.pass_to(at("2024-01-03T22:00:02Z"));
        let is_over = scene.events.contains(&Event::Timer(at("2024-01-03T22:00:00Z")));
        assert_eq!(is_over, !past.is_up);
        // History is waited for, for two seconds.
        scene.pass_to(at("2024-01-03T22:00:05Z"));
        assert!(scene.events.contains(&Event::Timer(at("2024-01-03T22:00:00Z"))));
        assert_eq!(ended(&scene), expected.is_empty());
        let gaps = scene.events.iter().filter(|event| matches!(event, Event::Gap(_))).count();
        assert_eq!(
            gaps > 0,
            lost > 0 || !past.has_minutes || !past.is_up,
            "{lost}: no false alarm"
        );
        // A drop in the maintenance costs nothing.
        scene.link(false);
        scene.pass_to(at("2024-01-03T22:50:00Z"));
        scene.link(true);
        scene.run(797, true);
        assert_eq!(scene.check("a loss at the end"), expected, "{lost} of {past:?}");
    }
}

#[test]
fn a_trade_that_is_held_keeps_the_quotes_of_its_receipt() {
    let mut scene = Scene::new(trades("2024-01-03T15:00:00Z", 200, 900));
    scene.run(600, true);
    scene.run(610, false);
    for (place, bid) in [(610, 4_500.0), (611, 4_500.5), (612, 4_501.0)] {
        let mut quote = rti::BestBidOffer::default();
        (quote.presence_bits, quote.bid_price, quote.bid_size) = (Some(1), Some(bid), Some(1));
        let frame = encode(&quote, None);
        let Ok(Incoming::Quote(quote)) = decode(&frame[4..]) else { panic!() };
        scene.market.on_quote(&quote, scene.now);
        scene.run(place + 1, true);
    }
    let ticks = scene.events.iter().filter_map(|event| match event {
        Event::Tick(tick) if tick.time >= scene.trades[610].time => Some(tick.bid(TICK)),
        _ => None,
    });
    let bids: Vec<_> = ticks.take(3).map(|bid| bid.unwrap().as_f64()).collect();
    assert_eq!(bids, [4_500.0, 4_500.5, 4_501.0]);
}

/// Returns the trades of an hour around the end of a session, some of the same instant, with
/// silences of minutes.
fn random_trades(random: &mut Random) -> Vec<Tick> {
    let (mut time, mut price) = (at("2024-01-03T21:20:00Z"), 18_000);
    let mut trades = Vec::new();
    while time < at("2024-01-03T23:30:00Z") {
        time = match random.below(100) {
            0..40 => time,
            40..98 => time + random.below(6_000_000) as i64 * 1_000,
            98 => time + random.below(200 * SECOND as u64) as i64,
            _ => time + 123,
        };
        price += random.below(5) as i64 - 2;
        if Calendar::CmeEquityIndex.session_at(time).is_some() {
            let size = 1 + random.below(5) as u32;
            trades.push(Tick::new(time, Price::ZERO.offset_ticks(price, TICK), size));
        } else {
            time = time.max(at("2024-01-03T23:00:00Z"));
        }
    }
    trades
}

#[test]
fn of_20_random_drops_in_a_session_no_bar_is_wrong_and_unflagged() {
    let (mut flagged, mut gaps, mut at_end, mut lossless) = (0, 0, 0, 0);
    for seed in 0..12 {
        let random = &mut Random(seed);
        let mut scene = Scene::new(random_trades(random));
        let count = scene.trades.len();
        // Where the session ends.
        let end = scene.trades.partition_point(|tick| tick.time < at("2024-01-03T22:00:00Z"));
        let mut drops: Vec<usize> =
            (0..19).map(|_| random.below(count as u64 - 100) as usize).collect();
        drops.push(end - 1 - random.below(40) as usize);
        drops.sort_unstable();
        for place in drops {
            scene.run(place, true);
            scene.history(Kept {
                is_up: random.below(6) > 0,
                loses_every: [None, Some(1), Some(7), Some(40)][random.below(4) as usize],
                has_minutes: random.below(4) > 0,
            });
            let back = place.max(scene.made) + 1 + random.below(60) as usize;
            let back = back.min(if random.below(2) == 0 { end.max(place + 1) } else { count - 1 });
            let back = back.max(scene.made);
            let is_noticed = random.below(2) == 0;
            if is_noticed {
                scene.link(false);
            }
            scene.run(back, false);
            if is_noticed {
                let wait = if back == end { random.below(100 * SECOND as u64) } else { 0 };
                scene.pass_to(scene.trades[back - 1].time + wait as i64);
                scene.link(true);
            }
            gaps += 1;
            at_end += usize::from(!is_noticed && place < end && end <= back);
        }
        scene.run(count, true);
        scene.pass_to(scene.trades[count - 1].time + 5 * SECOND);
        let before = flagged;
        flagged += scene.check(&format!("seed {seed}")).len();
        lossless += usize::from(flagged == before);
    }
    println!("{gaps} gaps, {at_end} at an end, {flagged} flagged, {lossless} lossless");
    assert!(gaps == 240 && at_end > 2 && flagged > 50 && lossless == 0, "{flagged} flagged");
}

/// Returns ten minutes of trades, of which the first 1,401 are known, and the first live one is
/// that at 2,101.
fn begun(past: Kept) -> Scene {
    let mut scene = Scene::behind(trades("2024-01-03T15:00:00Z", 200, 3_000), 1_401);
    scene.run(2_101, false);
    scene.history(past);
    scene.link(true);
    scene.run(2_102, true);
    scene
}

#[test]
fn a_warm_up_ends_with_the_trades_that_history_has() {
    let mut scene = begun(WHOLE);
    assert!(scene.begun.is_none() && scene.asked.iter().all(|query| !query.is_urgent));
    let asked: Vec<What> = scene.asked.iter().map(|query| query.what).collect();
    assert_eq!(asked, [What::Minutes, What::Trades]);
    assert_eq!(scene.events.len(), 1_402, "nothing but the gap's beginning follows the file");
    scene.run(3_000, true);
    assert_eq!(scene.check("whole"), [""; 0]);
    assert_eq!(scene.begun, Some(Some(scene.trades[2_101].time)));
    let told = "warm-up: of history from 2024-01-03T15:04:40Z to 2024-01-03T15:07:00Z 700 trades \
        came: that is all it has; nothing is missing";
    assert_eq!(scene.told[1], told);

    let mut scene = begun(Kept { loses_every: Some(397), ..WHOLE });
    scene.run(3_000, true);
    assert_eq!(scene.check("lossy"), ["15:05", "15:06"]);
    let missing = "trades are missing from 2024-01-03T15:05:00Z to 2024-01-03T15:06:59Z";
    assert!(scene.told[1].ends_with(missing), "{:?}", scene.told);
}

#[test]
fn f16_a_warm_up_without_history_begins_with_a_gap_and_a_reason() {
    let lost = ["15:04".to_owned(), "15:07".to_owned()];
    let empty = Kept { loses_every: Some(1), has_minutes: false, ..WHOLE };
    for (past, reason) in [
        (empty, "0 trades came: it has nothing of this contract and time; trades are missing"),
        (Kept { is_up: false, ..WHOLE }, "0 trades came: it was not asked; trades are missing"),
    ] {
        let mut scene = begun(past);
        scene.run(3_000, true);
        assert_eq!((scene.check("no history"), scene.begun), (lost.to_vec(), Some(None)));
        assert!(scene.told.concat().contains(reason), "{:?}", scene.told);
    }
    // The market's link drops before history has answered.
    let mut scene = begun(WHOLE);
    scene.link(false);
    assert_eq!(scene.begun, Some(None));
    assert!(scene.told[1].contains("the link to the market was lost before its answer"));
    scene.run(2_200, false);
    scene.link(true);
    scene.run(3_000, true);
    assert_eq!(scene.check("a drop"), lost);
}

#[test]
fn a_warm_up_begins_in_an_earlier_session_or_with_nothing() {
    let two_sessions = || {
        let mut all = trades("2024-01-02T23:00:00Z", 20_000, 4_130);
        all.extend(trades("2024-01-03T23:00:00Z", 1_500, 400));
        all
    };
    for known in [3_000, 0] {
        let mut scene = Scene::behind(two_sessions(), known);
        scene.run(4_330, false);
        scene.link(true);
        scene.run(4_530, true);
        assert_eq!(scene.check("sessions"), [""; 0], "{known}: {:?}", scene.told);
        assert_eq!(scene.begun, Some(Some(scene.trades[4_330].time)));
    }
    // Without history nothing is known before the first trade, which is no gap.
    let mut scene = Scene::behind(trades("2024-01-03T15:00:00Z", 200, 900), 0);
    scene.history(Kept { loses_every: Some(1), has_minutes: false, ..WHOLE });
    scene.link(true);
    scene.run(900, true);
    assert_eq!((scene.check("cold"), scene.begun), (vec![], Some(None)));
    assert!(!scene.events.iter().any(|event| matches!(event, Event::Gap(_))));
}
