//! Scenarios C1 to C3, F5, F14, T3 and T4: a market in virtual time before the stages.

use algospace_hft_rithmic::link::{Plant, State, Why};
use algospace_hft_rithmic::wire::{Incoming, Template, decode, encode};

use super::*;
use crate::engine::{
    Action, Break, DecisionTiming, Downstream, Output, PipelineSettings, Question, Sink,
    TradingStage,
};
use crate::execution::{
    Account, Bracket, Decision, Desk, ExecutionSettings, OrderKind, OrderMessage, RiskSettings,
    SimulatedExchange, Target,
};
use crate::market::{Bar, BarFlags, Money, Timeframe};

const SECOND: i64 = Timestamp::SECOND;
const HOUR: i64 = 3_600 * SECOND;
/// The usual delay, in nanoseconds.
const DELAY: i64 = 20_000_000;

/// Buys when flat, and closes what it holds, at each bar.
#[derive(Default)]
struct InAndOut(Option<crate::engine::Answer>);

impl Downstream for InAndOut {
    fn on_trade(&mut self, _: &Tick) {}
    fn on_bar(&mut self, _: &Bar, _: &mut impl Sink) {}
    fn on_question(&mut self, _: &Bar, question: &Question, account: &Account) {
        let (entry, bracket) = (OrderKind::Market, Bracket::default());
        let target = if account.position == 0 { Target::Long } else { Target::Flat };
        let decision = Some(Decision { target, quantity: 1, entry, bracket });
        self.0 = Some(crate::engine::Answer { question: *question, decision, is_overdue: false });
    }
    fn take_answer(&mut self) -> Option<crate::engine::Answer> {
        self.0.take()
    }
    fn on_contract_change(&mut self, _: Price, _: Price) {}
    fn on_restart(&mut self, _: Break) {}
}

#[derive(Default)]
struct Heard {
    bars: Vec<Bar>,
    entries: Vec<Timestamp>,
    exits: usize,
    refused: Vec<(Refusal, Timestamp)>,
}

impl Sink for Heard {
    fn output(&mut self, output: &Output<'_>) {
        match output {
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
    start: Timestamp,
    /// Nanoseconds that the machine has slept, and that its wall clock is off by.
    slept: i64,
    stepped: i64,
    volume: u64,
}

impl World {
    /// Creates one at that time, its link up and its clock settled.
    fn at(start: &str) -> World {
        let instrument = Instrument::built_in("ES").unwrap();
        let settings = PipelineSettings {
            calendar: instrument.calendar,
            timeframes: vec![Timeframe::MINUTE_1],
            fill_gaps_up_to: HOUR,
            history_bar: 0,
            flatten_before_close: None,
            expiries: Vec::new(),
            prices_are_joined: false,
            decisions: DecisionTiming::After(0),
            trades_from: Timestamp::MIN,
        };
        let rules = RiskSettings { max_daily_drawdown: 1.0, ..RiskSettings::default() };
        let (tick_size, point) = (instrument.tick_size, instrument.point_value);
        let desk = Desk::new(Money::from_dollars(100_000), tick_size, point, rules);
        let execution = ExecutionSettings {
            order_latency_microseconds: 0,
            acknowledgement_latency_microseconds: 0,
            ..ExecutionSettings::default()
        };
        let venue = SimulatedExchange::new(execution, tick_size, point);
        let timers = Timers::new(&settings, 2 * SECOND, SECOND);
        let names = Names { symbol: "ESH4".to_owned(), exchange: "CME".to_owned(), contract: 0 };
        let stale = Duration::from_secs(60);
        let mut world = World {
            market: Market::new(names, &instrument, timers, stale, true),
            stage: TradingStage::new(settings, Timeframe::MINUTE_1, desk, venue),
            script: InAndOut::default(),
            heard: Heard::default(),
            changes: Vec::new(),
            start: start.parse().unwrap(),
            slept: 0,
            stepped: 0,
            volume: 0,
        };
        world.link(State::Restoring, State::Live, 0);
        world.trades(0..6, DELAY);
        assert_eq!(std::mem::take(&mut world.changes), [Some(Refusal::ClockDoubt), None]);
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
        trade.trade_price = Some(4_500.0 + 0.25 * (second % 7) as f64);
        (trade.trade_size, trade.volume) = (Some(3), Some(self.volume));
        (trade.ssboe, trade.usecs) = (Some(self.seconds(second)), Some(0));
        let Incoming::Trade(trade) = sent(&trade) else { panic!() };
        self.market.on_trade(&trade, self.now(second, delay));
        self.drain();
    }

    fn quote(&mut self, second: i64, delay: i64) {
        let mut quote = rti::BestBidOffer::default();
        (quote.presence_bits, quote.bid_price, quote.bid_size) = (Some(1), Some(4_499.0), Some(1));
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

    fn seconds(&self, second: i64) -> i32 {
        (self.start.nanos() / SECOND + second) as i32
    }

    fn drain(&mut self) {
        while let Some(event) = self.market.take() {
            if let Event::Entries(entries) = event {
                self.changes.push(entries.refused);
            }
            self.stage.on_event(&event, &mut self.script, &mut self.heard);
        }
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

/// The session ends at 16:00 in Chicago; the next opens an hour later.
#[test]
fn t4_the_daily_maintenance_is_neither_stale_nor_a_gap() {
    let mut world = World::at("2024-01-03T21:59:00Z");
    world.trades(6..60, DELAY);
    world.silence(60..3_661);
    world.volume = 0;
    world.trades(3_661..3_700, DELAY);
    assert_eq!((world.wishes(), &world.changes[..]), (vec![], &[][..]));
    assert_eq!(world.heard.bars.len(), 1);
    assert!(!world.heard.bars[0].flags.any(BarFlags::GAP));
}

#[test]
fn a_refused_subscription_stops_entries_until_data_come() {
    let mut world = World::at(MORNING);
    world.market.on_refused();
    world.drain();
    world.trades(6..8, DELAY);
    assert_eq!(world.changes, [Some(Refusal::NotSubscribed), None]);
}
