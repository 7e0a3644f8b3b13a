//! The trading stage before a broker: nothing is filled unless a report says so.

use super::*;
use crate::engine::message::{Entries, Question};
use crate::execution::{
    Account, Bracket, Decision, ExecutionSettings, Fill, FillId, OrderId, OrderKind, OrderMessage,
    OrderPort, Purpose, Refusal, ReportKind, RiskSettings, Slippage, Target, Trade,
};
use crate::market::{Bar, Calendar, Gap, GapPhase, Money, Side, TickFlags};

const TICK_SIZE: Price = Price::from_units(250_000_000);

/// A broker that does nothing by itself.
struct Broker;

impl OrderPort for Broker {
    fn send(&mut self, _: OrderMessage, _: Timestamp) {}
}

impl Venue for Broker {}

#[derive(Default)]
struct Heard {
    trades: Vec<Trade>,
    orders: Vec<OrderMessage>,
}

impl Sink for Heard {
    fn output(&mut self, output: &Output<'_>) {
        match output {
            Output::Action(Action::Trade(trade)) => self.trades.push(*trade),
            Output::Action(Action::Order { message, .. }) => self.orders.push(*message),
            _ => {}
        }
    }
}

/// Buys at the first bar.
#[derive(Default)]
pub(in crate::engine) struct BuysOnce(Option<Answer>);

impl Downstream for BuysOnce {
    fn on_trade(&mut self, _: &Tick) {}
    fn on_bar(&mut self, _: &Bar, _: &mut impl Sink) {}
    fn on_question(&mut self, _: &Bar, question: &Question, _: &Account) {
        let bracket = Bracket::default();
        let (target, entry) = (Target::Long, OrderKind::Market);
        let decision = Decision { target, quantity: 2, entry, bracket };
        let is_first = question.number == 1;
        let decision = is_first.then_some(decision);
        self.0 = Some(Answer { question: *question, decision, is_overdue: false });
    }
    fn take_answer(&mut self) -> Option<Answer> {
        self.0.take()
    }
    fn on_contract_change(&mut self, _: Price, _: Price) {}
    fn on_restart(&mut self, _: Break) {}
}

/// A stage of minute bars before a venue.
pub(in crate::engine) fn stage<V: Venue>(venue: V) -> TradingStage<V> {
    stage_within(1.0, venue)
}

/// The same, where so much of the day's highest equity may be lost.
fn stage_within<V: Venue>(max_daily_drawdown: f64, venue: V) -> TradingStage<V> {
    let rules = RiskSettings {
        max_position_size: 5,
        max_daily_drawdown,
        max_orders_per_second: 5,
        price_collar_ticks: 100,
        ..RiskSettings::default()
    };
    let desk = Desk::new(Money::from_dollars(100_000), TICK_SIZE, Money::from_dollars(50), rules);
    let settings = PipelineSettings {
        calendar: Calendar::AlwaysOpen,
        timeframes: vec![Timeframe::MINUTE_1],
        fill_gaps_up_to: Timestamp::HOUR,
        history_bar: 0,
        flatten_before_close: None,
        expiries: Vec::new(),
        prices_are_joined: false,
        decisions: DecisionTiming::After(0),
        trades_from: Timestamp::MIN,
    };
    TradingStage::new(settings, Timeframe::MINUTE_1, desk, venue)
}

/// The last tick of the data ends no position at a broker: the desk asks for it, and hears of it.
#[test]
fn a_broker_s_position_ends_by_an_order_and_not_by_the_end_of_the_run() {
    let (mut stage, mut downstream, mut heard) =
        (stage(Broker), BuysOnce::default(), Heard::default());
    let start: Timestamp = "2024-01-03T14:30:00Z".parse().unwrap();
    let mut tell = |stage: &mut TradingStage<Broker>, event: Event| {
        stage.on_event(&event, &mut downstream, &mut heard);
        std::mem::take(&mut heard.orders)
    };
    let tick = |seconds: i64, ticks: i64| {
        let time = start + seconds * Timestamp::SECOND;
        Tick::new(time, Price::ZERO.offset_ticks(ticks, TICK_SIZE), 9)
    };
    let fill = |id, order: OrderId, side, seconds, ticks| {
        let Tick { time, price, .. } = tick(seconds, ticks);
        let (slippage, commission) = (Money::ZERO, Money::ZERO);
        let (id, purpose) = (FillId(id), Purpose::Exit(ExitReason::Shutdown));
        let (quantity, contract) = (2, 4);
        let fill = Fill {
            id,
            order,
            side,
            quantity,
            price,
            slippage,
            commission,
            time,
            purpose,
            contract,
        };
        Event::Report(Report { arrives: time, kind: ReportKind::Filled(fill) })
    };
    let of_contract = |seconds, ticks| Event::Tick(tick(seconds, ticks).with_contract(4));
    assert_eq!(tell(&mut stage, of_contract(0, 18_000)), []);
    let sent = tell(&mut stage, of_contract(60, 18_004));
    let [OrderMessage::Submit(entry)] = sent[..] else { panic!("{sent:?}") };
    assert_eq!((entry.contract, entry.side, entry.quantity), (4, Side::Buy, 2));
    // However much trades, nothing is held until the broker says so.
    tell(&mut stage, of_contract(61, 18_008));
    assert_eq!(stage.desk().ledger().position(), 0);
    tell(&mut stage, fill(1, entry.id, Side::Buy, 62, 18_010));
    assert_eq!(stage.desk().ledger().position(), 2);

    let sent = tell(&mut stage, Event::End(ExitReason::Shutdown));
    let [OrderMessage::ClosePosition(close)] = sent[..] else { panic!("{sent:?}") };
    assert_eq!((close.contract, close.side, close.quantity), (4, Side::Sell, 2));
    assert_eq!(stage.desk().ledger().position(), 2);
    tell(&mut stage, fill(2, close.id, Side::Sell, 63, 18_006));
    assert_eq!(stage.desk().ledger().position(), 0);
    let [trade] = heard.trades[..] else { panic!("{:?}", heard.trades) };
    // Four ticks of $12.50 and two contracts.
    assert_eq!((trade.gross_pnl, trade.contract), (Money::from_dollars(-100), 4));
}

/// Asks for the next target of a list at each bar.
struct Script<'a>(std::slice::Iter<'a, Target>, Option<Answer>);

impl Downstream for Script<'_> {
    fn on_trade(&mut self, _: &Tick) {}
    fn on_bar(&mut self, _: &Bar, _: &mut impl Sink) {}
    fn on_question(&mut self, _: &Bar, question: &Question, _: &Account) {
        let (entry, bracket) = (OrderKind::Market, Bracket::default());
        let decision =
            self.0.next().map(|&target| Decision { target, quantity: 1, entry, bracket });
        self.1 = Some(Answer { question: *question, decision, is_overdue: false });
    }
    fn take_answer(&mut self) -> Option<Answer> {
        self.1.take()
    }
    fn on_contract_change(&mut self, _: Price, _: Price) {}
    fn on_restart(&mut self, _: Break) {}
}

/// An exchange without latency and costs.
fn exchange() -> SimulatedExchange {
    let settings = ExecutionSettings {
        order_latency_microseconds: 0,
        acknowledgement_latency_microseconds: 0,
        commission_per_side: Money::ZERO,
        slippage: Slippage { ticks: 0, cross_spread: false, assumed_spread_ticks: 1 },
        ..ExecutionSettings::default()
    };
    SimulatedExchange::new(settings, TICK_SIZE, Money::from_dollars(50))
}

/// The refusals, the orders and the last position of a run of minute bars of three ticks, where the
/// strategy asks for `targets` in turn. `before` gives an event before a minute and the flags of
/// its ticks.
fn minutes_with_gaps(
    targets: &[Target],
    before: impl Fn(i64, Timestamp) -> (Option<Event>, TickFlags),
) -> (Vec<Refusal>, Vec<&'static str>, i64) {
    #[derive(Default)]
    struct Noted(Vec<Refusal>, Vec<&'static str>);
    impl Sink for Noted {
        fn output(&mut self, output: &Output<'_>) {
            match output {
                Output::Action(Action::Refused { refusal, .. }) => self.0.push(*refusal),
                Output::Action(Action::Order { message: OrderMessage::Submit(_), .. }) => {
                    self.1.push("entry");
                }
                Output::Action(Action::Order { .. }) => self.1.push("exit"),
                _ => {}
            }
        }
    }
    let mut stage = stage(exchange());
    let mut script = Script(targets.iter(), None);
    let mut noted = Noted::default();
    let start: Timestamp = "2024-01-03T14:30:00Z".parse().unwrap();
    for minute in 0..=targets.len() as i64 {
        let time = start + minute * Timestamp::MINUTE;
        let (event, flags) = before(minute, time);
        if let Some(event) = event {
            stage.on_event(&event, &mut script, &mut noted);
        }
        // The first closes the bar, the second fills what was sent on it, the third tells of it.
        for second in 0..3 {
            let time = time + second * Timestamp::SECOND;
            let tick = Tick::new(time, Price::ZERO.offset_ticks(18_000, TICK_SIZE), 9);
            stage.on_event(&Event::Tick(tick.with_flags(flags)), &mut script, &mut noted);
        }
    }
    (noted.0, noted.1, stage.desk().ledger().position())
}

fn gap_to(to: Timestamp, recovered: u64) -> Event {
    let (from, phase) = (to + -Timestamp::MINUTE, GapPhase::Closed);
    Event::Gap(Gap { contract: 0, from, to, missing: Some(5), recovered, phase })
}

#[test]
fn nothing_is_entered_on_a_bar_of_a_gap_and_exits_pass() {
    use Target::{Flat, Long, Short};
    let run = |targets: &[Target], recovered: u64| {
        minutes_with_gaps(targets, |minute, time| {
            ((minute == 2).then(|| gap_to(time, recovered)), TickFlags::NONE)
        })
    };
    let incomplete = Refusal::IncompleteBar;
    // The bars on both sides of the gap, and none behind them.
    assert_eq!(run(&[Flat, Long, Long, Long], 4), (vec![incomplete; 2], vec!["entry"], 1));
    assert_eq!(run(&[Flat, Long, Long, Long], 5), (vec![], vec!["entry"], 1));
    assert_eq!(run(&[Long, Flat, Long], 0), (vec![incomplete], vec!["entry", "exit"], 0));
    // Of a turn the exit passes.
    assert_eq!(run(&[Long, Short], 0), (vec![incomplete], vec!["entry", "exit"], 0));
    // What is held already is no entry.
    assert_eq!(run(&[Long, Long], 0), (vec![], vec!["entry"], 1));
}

#[test]
fn nothing_is_entered_while_entries_are_refused_and_exits_pass() {
    use Target::{Flat, Long, Short};
    // They are off from one minute to another.
    let run = |targets: &[Target], minutes: std::ops::Range<i64>| {
        minutes_with_gaps(targets, |minute, time| {
            let refused = minutes.contains(&minute).then_some(Refusal::StaleData);
            let changes = minute == minutes.start || minute == minutes.end;
            let event = Event::Entries(Entries { time, refused });
            (changes.then_some(event), TickFlags::NONE)
        })
    };
    let stale = Refusal::StaleData;
    assert_eq!(run(&[Flat, Long, Long, Long], 2..4), (vec![stale; 2], vec!["entry"], 1));
    assert_eq!(run(&[Long, Flat, Long], 2..9), (vec![stale], vec!["entry", "exit"], 0));
    assert_eq!(run(&[Long, Short], 2..9), (vec![stale], vec!["entry", "exit"], 0));
    assert_eq!(run(&[Long, Long], 2..9), (vec![], vec!["entry"], 1));
    assert_eq!(run(&[Long, Short, Short], 7..9), (vec![], vec!["entry", "exit", "entry"], -1));
}

#[test]
fn a_recovered_tick_enters_nothing_and_reaches_no_limit_but_fills_and_moves_extremes() {
    use Target::{Flat, Long};
    let late = |minute, _| {
        let flags = if minute == 2 { TickFlags::BACKFILLED } else { TickFlags::NONE };
        (None, flags)
    };
    let refused = vec![Refusal::Backfilled];
    assert_eq!(minutes_with_gaps(&[Flat, Long, Long], late), (refused, vec!["entry"], 1));

    // Two contracts lose $2,500 in a hundred ticks; a thousand may be lost.
    let mut stage = stage_within(0.01, exchange());
    let (mut downstream, mut heard) = (BuysOnce::default(), Heard::default());
    let start: Timestamp = "2024-01-03T14:30:00Z".parse().unwrap();
    let mut sent = |seconds: i64, ticks, flags| {
        let time = start + seconds * Timestamp::SECOND;
        let tick = Tick::new(time, Price::ZERO.offset_ticks(ticks, TICK_SIZE), 9);
        stage.on_event(&Event::Tick(tick.with_flags(flags)), &mut downstream, &mut heard);
        (std::mem::take(&mut heard.orders).len(), stage.desk().ledger().position())
    };
    assert_eq!(sent(0, 18_000, TickFlags::NONE), (0, 0));
    assert_eq!(sent(60, 18_000, TickFlags::NONE), (1, 0));
    // It works already: the recovered trade fills it.
    assert_eq!(sent(61, 18_000, TickFlags::BACKFILLED), (0, 0));
    assert_eq!(sent(62, 17_900, TickFlags::BACKFILLED), (0, 2));
    assert_eq!(sent(63, 17_990, TickFlags::NONE), (0, 2));
    assert_eq!(sent(64, 17_900, TickFlags::NONE), (1, 2));
    assert_eq!(sent(65, 17_995, TickFlags::NONE), (0, 2));
    assert_eq!(sent(66, 17_995, TickFlags::NONE), (0, 0));
    let [trade] = heard.trades[..] else { panic!("{:?}", heard.trades) };
    assert_eq!(trade.mae, Money::from_dollars(-2_500));
}

/// A history ends a position where no tick of it can. A live market does not: what is held
/// stays over missing days, and keeps its contract.
#[test]
fn a_live_market_closes_no_position_that_nobody_has_traded() {
    const DAY: i64 = 86_400;
    let run = |venue: SimulatedExchange| {
        let mut stage = stage(venue);
        let (mut downstream, mut heard) = (BuysOnce::default(), Heard::default());
        let start: Timestamp = "2024-01-03T14:30:00Z".parse().unwrap();
        let mut held = Vec::new();
        for (seconds, contract) in
            [(0, 0), (60, 0), (61, 0), (62, 0), (5 * DAY, 0), (5 * DAY + 1, 1), (5 * DAY + 2, 0)]
        {
            let time = start + seconds * Timestamp::SECOND;
            let tick = Tick::new(time, Price::ZERO.offset_ticks(18_000, TICK_SIZE), 9);
            let event = Event::Tick(tick.with_contract(contract));
            stage.on_event(&event, &mut downstream, &mut heard);
            held.push(stage.desk().ledger().position());
        }
        let reasons: Vec<ExitReason> = heard.trades.iter().map(|it| it.exit_reason).collect();
        (held, reasons, stage.holes(), stage.tick_counts().of_other_contract)
    };
    let closed = vec![ExitReason::MissingData];
    assert_eq!(run(exchange()), (vec![0, 0, 0, 2, 0, 0, 0], closed, 1, 0));
    let live = exchange().of_a_live_market();
    assert_eq!(run(live), (vec![0, 0, 0, 2, 2, 2, 2], vec![], 1, 1));
}

/// Without a position the next contract follows as in a history.
#[test]
fn a_live_market_that_is_flat_moves_on_to_the_next_contract() {
    let mut stage = stage(exchange().of_a_live_market());
    // The first is asked on the bar that the change cuts off.
    let targets = [Target::Long; 2];
    let (mut downstream, mut heard) = (Script(targets.iter(), None), Heard::default());
    let start: Timestamp = "2024-01-03T14:30:00Z".parse().unwrap();
    for (seconds, contract) in [(0, 0), (30, 1), (90, 1), (91, 1), (92, 1)] {
        let time = start + seconds * Timestamp::SECOND;
        let tick = Tick::new(time, Price::ZERO.offset_ticks(18_000, TICK_SIZE), 9);
        let event = Event::Tick(tick.with_contract(contract));
        stage.on_event(&event, &mut downstream, &mut heard);
    }
    let [OrderMessage::Submit(entry)] = heard.orders[..] else { panic!("{:?}", heard.orders) };
    assert_eq!((entry.contract, stage.tick_counts().of_other_contract), (1, 0));
    assert_eq!(stage.desk().ledger().position(), 1);
}
