//! The trading stage before a broker: nothing is filled unless a report says so.

use super::*;
use crate::engine::message::Question;
use crate::execution::{
    Account, Bracket, Decision, Fill, FillId, OrderId, OrderKind, OrderMessage, OrderPort, Purpose,
    ReportKind, RiskSettings, Target, Trade,
};
use crate::market::{Bar, Calendar, Money, Side};

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
    let rules = RiskSettings {
        max_position_size: 5,
        max_daily_drawdown: 1.0,
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
