//! Scenarios C1 to C3, F5, F14, T3, T4, T7 and T8: a market in virtual time before the stages.

use algospace_hft_rithmic::feed::{End, Minute};
use algospace_hft_rithmic::link::{Latch, Plant, State, Why};
use algospace_hft_rithmic::wire::{Incoming, Template, decode, encode};

use super::super::series::{describe, named};
use super::super::watch::Watch;
use super::*;
use crate::config::Config;
use crate::engine::{
    Action, Break, DecisionTiming, Downstream, Output, PipelineSettings, Question, Sink,
    TradingStage,
};
use crate::execution::{
    Account, Bracket, Decision, Desk, ExecutionSettings, ExitReason, OrderKind, OrderMessage,
    RiskSettings, SimulatedExchange, Target, Trade,
};
use crate::market::{Bar, BarFlags, Money, RollRule, Timeframe};
use crate::source::native::TickFileDescription;

const SECOND: i64 = Timestamp::SECOND;
const HOUR: i64 = 3_600 * SECOND;
/// The usual delay, in nanoseconds.
const DELAY: i64 = 20_000_000;

/// Buys when flat, and closes what it holds, at each bar; or wants what it is told.
#[derive(Default)]
struct InAndOut {
    answer: Option<crate::engine::Answer>,
    wants: Option<Target>,
    /// The last price of the old contract and the first of the new one.
    changes: Vec<(Price, Price)>,
}

impl Downstream for InAndOut {
    fn on_trade(&mut self, _: &Tick) {}
    fn on_bar(&mut self, _: &Bar, _: &mut impl Sink) {}
    fn on_question(&mut self, _: &Bar, question: &Question, account: &Account) {
        let (entry, bracket) = (OrderKind::Market, Bracket::default());
        let other = if account.position == 0 { Target::Long } else { Target::Flat };
        let target = self.wants.unwrap_or(other);
        let decision = Some(Decision { target, quantity: 1, entry, bracket });
        self.answer =
            Some(crate::engine::Answer { question: *question, decision, is_overdue: false });
    }
    fn take_answer(&mut self) -> Option<crate::engine::Answer> {
        self.answer.take()
    }
    fn on_contract_change(&mut self, old: Price, new: Price) {
        self.changes.push((old, new));
    }
    fn on_restart(&mut self, _: Break) {}
}

#[derive(Default)]
struct Heard {
    bars: Vec<Bar>,
    entries: Vec<Timestamp>,
    exits: usize,
    refused: Vec<(Refusal, Timestamp)>,
    trades: Vec<Trade>,
    watch: Option<Watch>,
}

impl Sink for Heard {
    fn output(&mut self, output: &Output<'_>) {
        if let Some(mut watch) = self.watch.as_ref() {
            watch.output(output);
        }
        match output {
            Output::Action(Action::Trade(trade)) => self.trades.push(*trade),
            Output::Bar(bar) => self.bars.push(*bar),
            Output::Action(Action::Refused { refusal, time }) => {
                self.refused.push((*refusal, *time));
            }
            Output::Action(Action::Order { message: OrderMessage::Submit(_), time }) => {
                self.entries.push(*time);
            }
            Output::Action(Action::Order { .. }) => self.exits += 1,
            _ => {}
        }
    }
}

/// A market, the stages behind it, and the clocks before it.
struct World {
    market: Market,
    stage: TradingStage,
    script: InAndOut,
    heard: Heard,
    changes: Vec<Option<Refusal>>,
    /// The ticks that the stages took, and the number of timers.
    ticks: Vec<Tick>,
    timers: usize,
    start: Timestamp,
    /// Nanoseconds that the machine has slept, and that its wall clock is off by.
    slept: i64,
    stepped: i64,
    /// The contract in which all trades are, its volume and its price.
    symbol: &'static str,
    volume: u64,
    price: f64,
}

impl World {
    /// Creates one of ESH4 at that time, its link up and its clock settled.
    fn at(start: &str) -> World {
        World::of("ESH4", start)
    }

    fn of(symbol: &'static str, start: &str) -> World {
        World::that(symbol, start, false)
    }

    fn that(symbol: &'static str, start: &str, is_resumed: bool) -> World {
        let instrument = Instrument::built_in("ES").unwrap();
        let start = start.parse().unwrap();
        let first = named(symbol, &instrument, start).unwrap();
        let mut market = TickFileDescription::new(&instrument, "live");
        market.contracts.clear();
        describe(&mut market, &instrument, &first, false);
        let series = Series::new(&market, &instrument, RollRule::Volume, &first, is_resumed);
        let config = "system: { mode: paper }";
        let config = Config::parse(config, "my.yaml", &Default::default()).unwrap();
        let watch = Some(Watch::new(&config, &instrument));
        let timers = Timers::new(&settings(&instrument), 2 * SECOND, SECOND);
        let stale = Duration::from_secs(60);
        let mut world = World {
            market: Market::new(series, &instrument, timers, stale, true),
            stage: stage(&instrument),
            script: InAndOut::default(),
            heard: Heard { watch, ..Heard::default() },
            changes: Vec::new(),
            ticks: Vec::new(),
            timers: 0,
            start,
            slept: 0,
            stepped: 0,
            symbol,
            volume: 0,
            price: 4_500.0,
        };
        assert_eq!(world.wishes(), [format!("Subscribe({symbol:?})")]);
        // Nobody has its past.
        world.market.on_history_link(State::LoggedOut(Latch::ForcedTwice));
        world.link(State::Restoring, State::Live, 0);
        world.trades(0..6, DELAY);
        let settled = is_resumed.then_some(Refusal::RollDue);
        assert_eq!(std::mem::take(&mut world.changes), [Some(Refusal::ClockDoubt), settled]);
        world
    }

    fn now(&self, second: i64, delay: i64) -> Monotonic {
        Monotonic((100 * HOUR + second * SECOND + delay) as u64)
    }

    fn link(&mut self, from: State, to: State, second: i64) {
        let (plant, generation, why) = (Plant::Ticker, 1, Why::Told);
        let now = self.now(second, DELAY);
        self.market.on_link(&Change { plant, from, to, generation, why }, now);
        self.drain();
    }

    /// Lets time pass without data, with a reading of the clocks; returns what they did.
    fn pass(&mut self, second: i64, delay: i64) -> Option<ClockEvent> {
        let now = self.now(second, delay);
        let wall = self.start.nanos() + second * SECOND + self.stepped;
        let awake = now.0 - self.slept as u64;
        let noticed = self.market.on_reading(Clocks { now, awake, wall });
        self.market.on_time(now);
        self.drain();
        noticed
    }

    fn silence(&mut self, seconds: std::ops::Range<i64>) {
        for second in seconds {
            self.pass(second, DELAY);
        }
    }

    /// Lets a quote and a trade come each second, `delay` after they were stamped.
    fn trades(&mut self, seconds: std::ops::Range<i64>, delay: i64) {
        for second in seconds {
            self.quote(second, delay);
            self.trade(second, delay);
            self.pass(second, delay);
        }
    }

    fn trade(&mut self, second: i64, delay: i64) {
        self.volume += 3;
        let mut trade = rti::LastTrade::default();
        trade.presence_bits = Some(1 | 8);
        trade.symbol = Some(self.symbol.to_owned());
        trade.trade_price = Some(self.price + 0.25 * (second % 7) as f64);
        (trade.trade_size, trade.volume) = (Some(3), Some(self.volume));
        (trade.ssboe, trade.usecs) = (Some(self.seconds(second)), Some(0));
        let Incoming::Trade(trade) = sent(&trade) else { panic!() };
        self.market.on_trade(&trade, self.now(second, delay));
        self.drain();
    }

    fn quote(&mut self, second: i64, delay: i64) {
        let mut quote = rti::BestBidOffer::default();
        quote.symbol = Some(self.symbol.to_owned());
        (quote.presence_bits, quote.bid_price) = (Some(1), Some(self.price - 1.0));
        quote.bid_size = Some(1);
        (quote.ssboe, quote.usecs) = (Some(self.seconds(second)), Some(0));
        let Incoming::Quote(quote) = sent(&quote) else { panic!() };
        self.market.on_quote(&quote, self.now(second, delay));
        self.drain();
    }

    fn mode(&mut self, mode: &str, second: i64) {
        let mut message = rti::MarketMode::default();
        message.market_mode = Some(mode.to_owned());
        (message.ssboe, message.usecs) = (Some(self.seconds(second)), Some(0));
        self.market.on_mode(&message, self.now(second, DELAY));
        self.drain();
    }

    /// Lets trades of another contract come, up to that volume.
    fn other(&mut self, symbol: &'static str, volume: u64, second: i64) {
        let before = (self.symbol, self.volume, self.price);
        (self.symbol, self.volume, self.price) = (symbol, volume - 3, self.price - 9.0);
        self.trade(second, DELAY);
        (self.symbol, self.volume, self.price) = before;
    }

    fn seconds(&self, second: i64) -> i32 {
        (self.start.nanos() / SECOND + second) as i32
    }

    fn drain(&mut self) {
        while let Some(event) = self.market.take() {
            match &event {
                Event::Entries(entries) => self.changes.push(entries.refused),
                Event::Tick(tick) => self.ticks.push(*tick),
                Event::Timer(_) => self.timers += 1,
                _ => {}
            }
            self.stage.on_event(&event, &mut self.script, &mut self.heard);
        }
        let watch = self.heard.watch.as_ref();
        self.market.on_flat(watch.map_or(Timestamp::MIN, Watch::flat_until));
    }

    /// Returns the times of the entries, in seconds from the start.
    fn entered(&self) -> Vec<i64> {
        self.heard.entries.iter().map(|&time| (time - self.start) / SECOND).collect()
    }

    fn refused(&self) -> Vec<(Refusal, i64)> {
        let refused = self.heard.refused.iter();
        refused.map(|&(refusal, time)| (refusal, (time - self.start) / SECOND)).collect()
    }

    fn wishes(&mut self) -> Vec<String> {
        self.market.wishes().map(|wish| format!("{wish:?}")).collect()
    }

    /// Lets history say that nothing is missing at the end of the session's only minute.
    fn answer_that_all_came(&mut self, now: Monotonic) {
        let key = self.market.feed.accounts().gap().unwrap().number.into();
        let minute = Minute { start: self.start.nanos(), volume: self.volume };
        for rows in [Rows::Minutes(vec![minute]), Rows::Trades(Vec::new())] {
            self.market.on_history(&Answer { key, rows, end: End::Whole }, now);
        }
    }

    /// Checks that bars, orders and trades are those of a backtest of the ticks, which has no
    /// timer.
    fn check_with_a_backtest(&self) {
        let mut stage = stage(&Instrument::built_in("ES").unwrap());
        let (mut script, mut heard) = (InAndOut::default(), Heard::default());
        for tick in &self.ticks {
            stage.on_event(&Event::Tick(*tick), &mut script, &mut heard);
        }
        let bars = self.heard.bars.iter().zip(&heard.bars);
        assert_eq!(bars.clone().find(|(one, other)| one != other), None);
        let shown = |heard: &Heard| {
            let trades: Vec<_> =
                heard.trades.iter().map(|it| (it.entry_time, it.exit_time, it.gross_pnl)).collect();
            (heard.bars.len(), heard.entries.clone(), heard.exits, trades)
        };
        assert_eq!(shown(&self.heard), shown(&heard));
    }
}

fn settings(instrument: &Instrument) -> PipelineSettings {
    PipelineSettings {
        calendar: instrument.calendar,
        timeframes: vec![Timeframe::MINUTE_1],
        fill_gaps_up_to: HOUR,
        history_bar: 0,
        flatten_before_close: None,
        expiries: vec![Timestamp::MAX; 4],
        prices_are_joined: false,
        decisions: DecisionTiming::After(0),
        trades_from: Timestamp::MIN,
    }
}

fn stage(instrument: &Instrument) -> TradingStage {
    let rules = RiskSettings { max_daily_drawdown: 1.0, ..RiskSettings::default() };
    let (tick_size, point) = (instrument.tick_size, instrument.point_value);
    let desk = Desk::new(Money::from_dollars(100_000), tick_size, point, rules);
    let execution = ExecutionSettings {
        order_latency_microseconds: 0,
        acknowledgement_latency_microseconds: 0,
        ..ExecutionSettings::default()
    };
    let venue = SimulatedExchange::new(execution, tick_size, point);
    TradingStage::new(settings(instrument), Timeframe::MINUTE_1, desk, venue)
}

/// Returns a message as it is received.
fn sent<M: Template>(message: &M) -> Incoming<'static> {
    let frame: &'static [u8] = Vec::leak(encode(message, None));
    decode(&frame[4..]).unwrap()
}

/// In Chicago's winter, at 08:30:00.
const MORNING: &str = "2024-01-03T14:30:00Z";

#[test]
fn c1_steps_of_the_wall_clock_stop_entries_for_a_while_and_change_no_bar() {
    let run = |step: i64| {
        let mut world = World::at(MORNING);
        world.trades(6..178, DELAY);
        world.stepped = step;
        world.trades(178..600, DELAY);
        world
    };
    let good = run(0);
    // Each second minute's decision is to buy.
    assert_eq!(good.entered(), [60, 180, 300, 420, 540]);
    assert_eq!((good.refused(), &good.changes[..]), (vec![], &[][..]));
    for step in [5 * SECOND, -5 * SECOND, HOUR, -HOUR] {
        let stepped = run(step);
        assert_eq!(stepped.heard.bars, good.heard.bars);
        assert_eq!(stepped.entered(), [60, 240, 360, 480]);
        assert_eq!(stepped.refused(), [(Refusal::ClockDoubt, 180)]);
        assert_eq!(stepped.changes, [Some(Refusal::ClockDoubt), None]);
    }
}

#[test]
fn c2_a_sleep_of_90_seconds_is_a_gap_and_no_burst_of_orders() {
    let mut world = World::at(MORNING);
    world.trades(6..170, DELAY);
    assert_eq!(world.heard.exits, 1);
    world.slept = 90 * SECOND;
    let slept = world.pass(260, DELAY);
    assert_eq!(slept, Some(ClockEvent::Suspended(Duration::from_secs(90))));
    let bars = world.heard.bars.len();
    world.link(State::Live, State::Connecting, 260);
    world.pass(261, DELAY);
    assert_eq!(world.heard.bars.len(), bars, "nobody has seen the time meanwhile");
    world.link(State::Restoring, State::Live, 262);
    // What was traded meanwhile is in the volume, and history does not answer.
    world.market.on_history_link(State::Live);
    world.volume += 270;
    world.trades(263..500, DELAY);
    let asked = world.wishes().iter().filter(|wish| wish.contains("History")).count();
    assert_eq!(asked, 2);
    let cut: Vec<_> = world.heard.bars.iter().filter(|bar| bar.flags.any(BarFlags::GAP)).collect();
    let minutes = cut.iter().map(|bar| (bar.start - world.start) / (60 * SECOND));
    assert_eq!(minutes.collect::<Vec<_>>(), [2, 4]);
    assert_eq!(world.entered(), [60, 360, 480]);
    assert!(world.refused().iter().all(|(refusal, _)| *refusal == Refusal::IncompleteBar));
    assert_eq!(world.changes, [Some(Refusal::ClockDoubt), None]);
}

#[test]
fn c3_nothing_is_decided_on_data_older_than_two_seconds() {
    let mut world = World::at(MORNING);
    world.trades(6..170, DELAY);
    let late = |world: &mut World, seconds: std::ops::Range<i64>, delay: &dyn Fn(i64) -> i64| {
        for second in seconds {
            world.trades(second..second + 1, delay(second));
        }
    };
    // It grows to four seconds within eight.
    late(&mut world, 170..178, &|second| DELAY + (second - 170) * SECOND / 2);
    late(&mut world, 178..310, &|_| 4 * SECOND);
    assert_eq!(world.entered(), [60]);
    let doubt = Refusal::ClockDoubt;
    assert_eq!(world.refused(), [180, 240, 300].map(|at| (doubt, at)));
    // The queue is gone.
    world.trades(315..500, DELAY);
    assert_eq!(world.entered(), [60, 360, 480]);
    assert_eq!(world.changes, [Some(doubt), None]);
}

#[test]
fn f5_entries_are_off_while_trades_or_quotes_are_silent() {
    let mut world = World::at(MORNING);
    world.trades(6..10, DELAY);
    let stale = Refusal::StaleData;
    // Quotes live, trades stop.
    (10..75).for_each(|second| world.quote(second, DELAY));
    world.pass(75, DELAY);
    assert_eq!(std::mem::take(&mut world.changes), [Some(stale)]);
    assert_eq!(world.wishes(), ["AskAgain"]);
    // The first trade is good: what it closes may be decided on.
    world.trade(76, DELAY);
    assert_eq!(std::mem::take(&mut world.changes), [None]);
    assert_eq!((world.entered(), world.refused()), (vec![76], vec![]));
    // And the reverse.
    for second in 77..190 {
        world.trade(second, DELAY);
        world.pass(second, DELAY);
    }
    assert_eq!(world.changes, [Some(stale)]);
    assert_eq!((world.heard.exits, world.refused()), (1, vec![(stale, 180)]));
}

/// F14 and T3: a halt that no calendar has planned.
#[test]
fn f14_a_market_that_the_gateway_halts_is_not_stale_and_nothing_is_entered() {
    let mut world = World::at(MORNING);
    world.trades(6..59, DELAY);
    world.mode("Trading Halt", 59);
    let halted = Refusal::MarketHalted;
    assert_eq!(std::mem::take(&mut world.changes), [Some(halted)]);
    // It was on its way, and closes a bar.
    world.trade(61, DELAY);
    assert_eq!(world.refused(), [(halted, 61)]);
    world.silence(61..1_800);
    assert_eq!((world.wishes(), world.changes.len()), (vec![], 0));
    world.mode("Open", 1_800);
    assert_eq!(world.changes, [None]);
    world.trades(1_801..1_870, DELAY);
    assert_eq!(world.entered().len(), 1);
}

/// One quote, or one trade, is stamped nearly nine hours ahead: in the next session.
#[test]
fn a_stamp_from_the_future_ends_no_bar_and_no_session() {
    let run = |wrong: fn(&mut World)| {
        let mut world = World::at(MORNING);
        world.trades(6..90, DELAY);
        wrong(&mut world);
        world.trades(91..300, DELAY);
        world
    };
    const AHEAD: i64 = 31_500;
    let good = run(|world| world.trades(90..91, DELAY));
    let quoted = run(|world| {
        world.quote(90 + AHEAD, DELAY - AHEAD * SECOND);
        world.trades(90..91, DELAY);
    });
    // At the same price as the right one.
    let traded = run(|world| {
        world.quote(90, DELAY);
        world.trade(90 + AHEAD, DELAY - AHEAD * SECOND);
        world.pass(90, DELAY);
        assert!(world.wishes()[0].contains("it is taken as of then"));
    });
    for wrong in [quoted, traded] {
        assert_eq!(wrong.heard.bars, good.heard.bars);
        assert_eq!(wrong.changes, [Some(Refusal::ClockDoubt), None]);
    }
    assert_eq!(good.heard.bars.len(), 4);
}

/// The session ends at 16:00 in Chicago; the next opens an hour later.
#[test]
fn t4_the_daily_maintenance_is_neither_stale_nor_a_gap() {
    let mut world = World::at("2024-01-03T21:59:00Z");
    world.market.on_history_link(State::Live);
    world.trades(6..60, DELAY);
    // What the calendar plans is no halt.
    world.mode("Closed", 60);
    world.silence(60..63);
    // Nothing is missing at the session's end: history's minutes say so.
    assert_eq!((world.wishes().len(), world.heard.bars.len()), (2, 0));
    world.answer_that_all_came(world.now(62, 2 * DELAY));
    world.silence(63..3_600);
    world.mode("Open", 3_600);
    world.silence(3_600..3_661);
    world.volume = 0;
    world.trades(3_661..3_700, DELAY);
    assert_eq!((world.wishes(), &world.changes[..]), (vec![], &[][..]));
    assert_eq!(world.heard.bars.len(), 1);
    assert!(!world.heard.bars[0].flags.any(BarFlags::GAP));
}

/// A silence within a session closes no bar: only the next trade says what it was.
#[test]
fn t4_silent_minutes_end_with_the_next_trade_as_in_a_backtest() {
    for is_real_time in [true, false] {
        let mut world = World::at(MORNING);
        world.market.is_real_time = is_real_time;
        world.trades(6..200, DELAY);
        let (bars, timers) = (world.heard.bars.len(), world.timers);
        world.silence(200..400);
        assert_eq!(world.heard.bars.len(), bars);
        assert!(world.timers > timers + 190);
        world.trades(400..600, DELAY);
        let filled = world.heard.bars.iter().filter(|bar| bar.flags.any(BarFlags::FILLED));
        assert_eq!((filled.count(), world.heard.bars.len()), (2, 9));
        world.check_with_a_backtest();
    }
}

/// Until 2021 nothing was traded from 15:15 to 15:30 in Chicago.
#[test]
fn t4_a_planned_halt_closes_no_bar_and_is_as_in_a_backtest() {
    for is_real_time in [true, false] {
        let mut world = World::of("ESZ3", "2013-12-10T21:10:00Z");
        world.market.is_real_time = is_real_time;
        world.trades(6..300, DELAY);
        world.silence(300..301);
        world.mode("Halted", 300);
        world.silence(301..1_200);
        assert_eq!((world.heard.bars.len(), &world.changes[..]), (4, &[][..]));
        world.mode("Open", 1_200);
        world.trades(1_200..1_400, DELAY);
        assert_eq!(world.heard.bars.len(), 8);
        world.check_with_a_backtest();
    }
}

#[test]
fn t4_a_session_that_ends_in_silence_ends_by_the_clock_as_in_a_backtest() {
    for (is_real_time, is_halted) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut world = World::at("2024-01-03T21:59:00Z");
        world.market.is_real_time = is_real_time;
        world.market.on_history_link(State::Live);
        world.trades(6..40, DELAY);
        if is_halted {
            world.mode("Halted", 40);
        }
        world.silence(40..63);
        assert_eq!(world.heard.bars.len(), 0, "history is asked for the last trades first");
        world.answer_that_all_came(world.now(62, 2 * DELAY));
        world.silence(63..64);
        let [bar] = world.heard.bars[..] else { panic!("{:?}", world.heard.bars) };
        assert_eq!((bar.end - world.start, bar.flags), (60 * SECOND, BarFlags::INCOMPLETE));
        world.silence(64..3_661);
        world.volume = 0;
        world.mode("Open", 3_661);
        world.trades(3_661..3_800, DELAY);
        world.check_with_a_backtest();
    }
}

/// Data come late, or the gateway plays the market slowly. History knows no more than what it has
/// told.
#[test]
fn t4_a_session_does_not_end_before_its_last_trades_can_have_come() {
    type Delay = fn(i64) -> i64;
    let (short, long, slow): (Delay, Delay, Delay) =
        (|_| 1_900_000_000, |_| 10 * SECOND, |second| (second - 19) * SECOND);
    for (what, delay, is_real_time) in
        [("short", short, true), ("long", long, true), ("slow", slow, false)]
    {
        let mut world = World::at("2024-01-03T21:59:00Z");
        world.market.is_real_time = is_real_time;
        world.market.on_history_link(State::Live);
        world.trades(6..20, DELAY);
        for second in 20..66 {
            let delay = delay(second);
            if second < 60 {
                world.trades(second..second + 1, delay);
            } else {
                world.pass(second, delay);
            }
            if world.market.feed.accounts().gap().is_some() {
                world.answer_that_all_came(world.now(second, delay + DELAY));
            }
        }
        let [bar] = world.heard.bars[..] else { panic!("{what}: {:?}", world.heard.bars) };
        assert_eq!((bar.volume, bar.flags), (world.volume, BarFlags::INCOMPLETE), "{what}");
        world.silence(200..3_661);
        world.volume = 0;
        world.trades(3_661..3_800, DELAY);
        world.check_with_a_backtest();
    }
}

#[test]
fn a_refused_subscription_stops_entries_until_data_come() {
    let mut world = World::at(MORNING);
    world.market.on_refused();
    world.drain();
    world.trades(6..8, DELAY);
    assert_eq!(world.changes, [Some(Refusal::NotSubscribed), None]);
}

/// Tuesday's session is open; the next opens at 17:00 in Chicago.
const AFTERNOON: &str = "2013-12-10T20:00:00Z";
const CLOSED: i64 = 9_000;
const OPEN: i64 = 10_800;
const DAY: i64 = 24 * 3_600;

#[test]
fn t7_the_volumes_cross_and_the_next_session_begins_with_the_next_contract() {
    let mut world = World::of("ESZ3", AFTERNOON);
    // Less than five sessions before the customary day.
    assert_eq!(world.wishes(), [r#"Subscribe("ESH4")"#]);
    world.trades(6..130, DELAY);
    world.other("ESH4", 1_000, 130);
    assert_eq!((world.market.symbol(), world.heard.exits), ("ESZ3", 1));
    world.pass(CLOSED, DELAY);
    (world.symbol, world.volume, world.price) = ("ESH4", 0, 4_491.0);
    let (bars, last) = (world.heard.bars.len(), world.stage.desk().last_price());
    world.trades(OPEN..OPEN + 61, DELAY);
    assert_eq!(world.market.symbol(), "ESH4");
    assert!(world.wishes().iter().any(|wish| wish.contains("ESH4 is traded")));
    // The features go on from the one price to the other, and no bar has both.
    let [(old, new)] = world.script.changes[..] else { panic!("{:?}", world.script.changes) };
    assert_eq!((old, new.as_f64()), (last, 4_491.0 + 0.25 * (OPEN % 7) as f64));
    let bar = world.heard.bars[bars];
    assert!(bar.low.as_f64() >= 4_491.0 && bar.high.as_f64() < 4_493.0, "{bar:?}");
    assert!(!bar.flags.any(BarFlags::GAP));
    assert_eq!(world.entered(), [60, OPEN + 60]);
    // On the session's last bar, when it is over.
    assert_eq!(world.refused(), [(Refusal::Late, 8_100)]);
    let reasons: Vec<_> = world.heard.trades.iter().map(|trade| trade.exit_reason).collect();
    assert_eq!(reasons, [ExitReason::Signal]);
    // What comes of the old contract is of no account.
    world.other("ESZ3", 3, OPEN + 62);
    assert_eq!((world.market.symbol(), world.heard.bars.len()), ("ESH4", bars + 1));
}

/// Frames that are lost at the open, or a link that is down over it.
#[test]
fn t7_what_is_lost_at_the_open_of_a_rolled_session_is_a_gap() {
    for down in [0, 170] {
        let mut world = World::of("ESZ3", AFTERNOON);
        world.trades(6..130, DELAY);
        world.other("ESH4", 1_000, 130);
        world.pass(CLOSED, DELAY);
        if down > 0 {
            world.link(State::Live, State::Connecting, CLOSED + 60);
        }
        world.silence(OPEN..OPEN + down);
        if down > 0 {
            world.link(State::Restoring, State::Live, OPEN + down);
        }
        let bars = world.heard.bars.len();
        (world.symbol, world.volume, world.price) = ("ESH4", 47, 4_491.0);
        world.trades(OPEN + down..OPEN + 361, DELAY);
        assert_eq!(world.market.symbol(), "ESH4");
        let flagged = |bar: &&Bar| bar.flags.any(BarFlags::GAP);
        let new = &world.heard.bars[bars..];
        let lossy: Vec<_> =
            new.iter().filter(flagged).map(|bar| (bar.start - world.start) / SECOND).collect();
        assert_eq!(lossy, [OPEN + down / 60 * 60], "{new:?}");
        assert!(new.len() >= 3);
    }
}

#[test]
fn t7_a_trade_of_the_session_before_is_no_loss_at_a_rolled_sessions_open() {
    let mut world = World::of("ESZ3", AFTERNOON);
    world.trades(6..130, DELAY);
    world.other("ESH4", 1_000, 130);
    world.pass(CLOSED, DELAY);
    let bars = world.heard.bars.len();
    world.quote(OPEN, DELAY);
    assert_eq!(world.market.symbol(), "ESH4");
    // The last trade of the session before comes again.
    world.other("ESH4", 1_000, 130);
    (world.symbol, world.volume, world.price) = ("ESH4", 0, 4_491.0);
    world.trades(OPEN + 1..OPEN + 62, DELAY);
    assert!(!world.heard.bars[bars].flags.any(BarFlags::GAP));
}

#[test]
fn t8_a_position_keeps_its_contract_and_nothing_is_entered_until_a_session_opens_flat() {
    let mut world = World::of("ESZ3", AFTERNOON);
    world.script.wants = Some(Target::Long);
    world.trades(6..130, DELAY);
    world.other("ESH4", 1_000, 130);
    world.pass(CLOSED, DELAY);
    world.volume = 0;
    world.trades(OPEN..OPEN + 61, DELAY);
    assert_eq!((world.market.symbol(), world.stage.desk().ledger().position()), ("ESZ3", 1));
    let due = Refusal::RollDue;
    assert_eq!(world.changes, [Some(due)]);
    // The exit passes; what follows is refused.
    world.script.wants = Some(Target::Flat);
    world.trades(OPEN + 61..OPEN + 130, DELAY);
    world.script.wants = Some(Target::Long);
    world.trades(OPEN + 130..OPEN + 190, DELAY);
    assert_eq!((world.entered().len(), world.heard.exits), (1, 1));
    assert_eq!(world.refused(), [(Refusal::Late, 8_100), (due, OPEN + 180)]);
    assert_eq!(world.heard.trades[0].exit_reason, ExitReason::Signal);
    world.pass(CLOSED + DAY, DELAY);
    (world.symbol, world.volume) = ("ESH4", 0);
    world.trades(OPEN + DAY..OPEN + DAY + 61, DELAY);
    assert_eq!((world.market.symbol(), world.changes.last()), ("ESH4", Some(&None)));
    assert_eq!((world.entered().len(), world.heard.trades.len()), (2, 1));
}

/// On the day of its expiry every rule leaves a contract. A run that was begun before may hold it.
#[test]
fn a_run_that_goes_on_keeps_its_contract_until_it_is_known_to_be_flat() {
    let mut world = World::that("ESZ3", "2013-12-20T12:00:00Z", true);
    let due = Refusal::RollDue;
    world.trades(6..70, DELAY);
    assert_eq!((world.market.symbol(), world.refused()), ("ESZ3", vec![(due, 60)]));
    world.pass(12 * 3_600, DELAY);
    (world.symbol, world.volume) = ("ESH4", 0);
    let sunday = 2 * DAY + 11 * 3_600;
    world.trades(sunday..sunday + 9, DELAY);
    assert_eq!(world.market.symbol(), "ESH4");

    let new = World::that("ESZ3", "2013-12-20T12:00:00Z", false);
    assert_eq!(new.market.symbol(), "ESH4");
}
