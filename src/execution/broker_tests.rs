//! The desk before a broker that says no, says things twice, or says nothing.

use super::*;
use crate::market::{Money, Price, Side, Tick, Timestamp};

const TICK_SIZE: Price = Price::from_units(250_000_000);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(seconds * Timestamp::SECOND)
}

fn price(points: i64) -> Price {
    Price::from_units(points * Price::SCALE)
}

/// A broker that does nothing by itself: it keeps what it is sent and what the rules refuse.
#[derive(Default)]
struct Broker {
    sent: Vec<OrderMessage>,
    refused: Vec<Refusal>,
}

impl OrderPort for Broker {
    fn send(&mut self, message: OrderMessage, _now: Timestamp) {
        self.sent.push(message);
    }

    fn refuse(&mut self, refusal: Refusal, _now: Timestamp) {
        self.refused.push(refusal);
    }
}

/// A desk with $100,000, limits of 5 contracts and 1 % a day, and a broker.
struct Scene {
    desk: Desk,
    broker: Broker,
    now: i64,
    fills: u64,
}

impl Scene {
    fn new() -> Scene {
        let rules = RiskSettings {
            max_position_size: 5,
            max_daily_drawdown: 0.01,
            max_orders_per_second: 100,
            price_collar_ticks: 80,
            ..RiskSettings::default()
        };
        let desk =
            Desk::new(Money::from_dollars(100_000), TICK_SIZE, Money::from_dollars(50), rules)
                .with_answers_within(10 * Timestamp::SECOND);
        let mut scene = Scene { desk, broker: Broker::default(), now: 0, fills: 0 };
        scene.desk.on_contract(3);
        scene.desk.on_session_open();
        scene.trade(4_500);
        scene
    }

    /// An entry of 5 contracts long is sent, of which nothing is reported yet; and its number.
    fn entering() -> (Scene, OrderId) {
        let mut scene = Scene::new();
        scene.decide(Target::Long);
        let id = scene.submitted().id;
        (scene, id)
    }

    /// A desk that holds 5 contracts bought at 4,500.
    fn long() -> Scene {
        let (mut scene, id) = Scene::entering();
        scene.report(ReportKind::Accepted(id));
        scene.fill(id, Side::Buy, 5, 4_500);
        assert_eq!(scene.desk.ledger().position(), 5);
        scene
    }

    fn wait(&mut self, seconds: i64) {
        self.now += seconds;
        if self.desk.next_deadline() <= at(self.now) {
            self.desk.on_silence(at(self.now));
        }
    }

    fn trade(&mut self, points: i64) {
        self.wait(1);
        self.desk.on_tick(&Tick::new(at(self.now), price(points), 1), &mut self.broker);
    }

    fn decide(&mut self, target: Target) {
        self.wait(1);
        let decision = Decision { target, quantity: 5, ..Decision::FLAT };
        self.desk.on_decision(&decision, at(self.now), &mut self.broker);
    }

    /// Moves on to contract 4 as before a venue that closes by orders.
    fn roll(&mut self) {
        self.wait(1);
        self.desk.on_last_tick(at(self.now), &mut self.broker);
        self.desk.close(ExitReason::ContractRoll, at(self.now), &mut self.broker);
        self.desk.on_contract(4);
    }

    fn report(&mut self, kind: ReportKind) {
        let now = at(self.now);
        self.desk.on_report(&Report { arrives: now, kind }, now, &mut self.broker);
    }

    fn reject(&mut self, id: OrderId) {
        self.report(ReportKind::Rejected(id, RejectReason::Venue));
    }

    fn fill(&mut self, order: OrderId, side: Side, quantity: u32, points: i64) -> Fill {
        self.fills += 1;
        let fill = Fill {
            id: FillId(self.fills),
            order,
            side,
            quantity,
            price: price(points),
            slippage: Money::ZERO,
            commission: Money::ZERO,
            time: at(self.now),
            purpose: Purpose::Exit(ExitReason::Signal),
            contract: 3,
        };
        self.report(ReportKind::Filled(fill));
        fill
    }

    /// The only message since the last look, an order.
    fn submitted(&mut self) -> Order {
        match self.broker.sent.drain(..).collect::<Vec<_>>()[..] {
            [OrderMessage::Submit(order)] => order,
            ref other => panic!("{other:?}"),
        }
    }

    /// The only message since the last look, a close.
    fn close(&mut self) -> ClosePosition {
        match self.broker.sent.drain(..).collect::<Vec<_>>()[..] {
            [OrderMessage::ClosePosition(close)] => close,
            ref other => panic!("{other:?}"),
        }
    }

    fn count(&self, name: &str) -> u64 {
        let counters = self.desk.counters();
        counters.iter().find(|counter| counter.0 == name).expect("a counter of the desk").1
    }
}

#[test]
fn a_close_says_which_contract_side_and_quantity() {
    let mut scene = Scene::long();
    scene.decide(Target::Flat);
    let close = scene.close();
    assert_eq!((close.contract, close.side, close.quantity), (3, Side::Sell, 5));
    assert_eq!(close.reason, ExitReason::Signal);
}

/// Case 1: the same fill, told twice.
#[test]
fn a_fill_that_is_told_twice_is_booked_once() {
    let (mut scene, id) = Scene::entering();
    let fill = scene.fill(id, Side::Buy, 5, 4_500);
    let equity = scene.desk.account().equity;
    scene.report(ReportKind::Filled(fill));
    assert_eq!(scene.desk.ledger().position(), 5);
    assert_eq!(scene.desk.account().equity, equity);
    assert_eq!((scene.count("fills"), scene.count("fills told again")), (1, 1));
    // Another fill of the same order at the same price and time is another one.
    let mut parts = Scene::new();
    parts.decide(Target::Long);
    let id = parts.submitted().id;
    parts.fill(id, Side::Buy, 2, 4_500);
    parts.fill(id, Side::Buy, 2, 4_500);
    assert_eq!(parts.desk.ledger().position(), 4);
}

/// Case 2: a fill of an order that was never sent.
#[test]
fn a_fill_of_an_order_that_was_not_sent_is_not_booked() {
    let mut scene = Scene::new();
    scene.fill(OrderId(77), Side::Buy, 5, 4_500);
    assert_eq!((scene.desk.ledger().position(), scene.count("reports of unknown orders")), (0, 1));
    scene.report(ReportKind::Cancelled(OrderId(77)));
    scene.reject(OrderId(77));
    scene.report(ReportKind::CancelRejected(OrderId(77)));
    assert_eq!(scene.count("reports of unknown orders"), 4);
    assert_eq!((scene.count("cancelled"), scene.count("rejected by the exchange")), (0, 0));
    assert_eq!(scene.count("cancellations rejected"), 0);
}

/// Somebody else trades on the account, or we have forgotten that we do. Only a look at the account
/// could tell, which the desk cannot take.
#[test]
fn nothing_is_entered_after_a_fill_of_an_unknown_order() {
    let mut scene = Scene::new();
    scene.fill(OrderId(77), Side::Buy, 5, 4_500);
    assert_eq!(scene.broker.refused, [Refusal::PositionDoubted]);
    scene.decide(Target::Long);
    scene.desk.on_session_open();
    scene.decide(Target::Short);
    scene.fill(OrderId(78), Side::Buy, 5, 4_500);
    assert_eq!((scene.broker.sent.len(), scene.broker.refused.len()), (0, 3));
    assert_eq!(scene.count("refused: position_doubted"), 3);
}

/// More contracts than were ordered are ours all the same. They can be closed, and no more entered.
#[test]
fn an_overfill_is_booked_and_stops_entries() {
    let (mut scene, id) = Scene::entering();
    scene.fill(id, Side::Buy, 4, 4_500);
    scene.decide(Target::Short);
    let close = scene.close();
    assert_eq!(close.quantity, 4);
    scene.fill(id, Side::Buy, 2, 4_500);
    assert_eq!((scene.desk.ledger().position(), scene.count("fills beyond their order")), (6, 1));
    assert_eq!(scene.broker.refused, [Refusal::PositionDoubted]);
    scene.fill(close.id, Side::Sell, 4, 4_500);
    let close = scene.close();
    assert_eq!(close.quantity, 2);
    scene.fill(close.id, Side::Sell, 2, 4_500);
    // The entry of the turn is not sent.
    assert_eq!((scene.desk.ledger().position(), &scene.broker.sent[..]), (0, &[][..]));
}

/// Stop and target of one bracket both fill.
#[test]
fn a_bracket_that_fills_on_both_sides_stops_entries() {
    let (mut scene, id) = Scene::entering();
    scene.fill(id, Side::Buy, 5, 4_500);
    scene.fill(id.stop_loss(), Side::Sell, 5, 4_500);
    assert_eq!(scene.broker.refused, []);
    scene.fill(id.profit_target(), Side::Sell, 5, 4_500);
    assert_eq!(scene.desk.ledger().position(), -5);
    assert_eq!(scene.broker.refused, [Refusal::PositionDoubted]);
}

/// A cancelled entry cannot fill what its bracket has exited. Until then its fill may be reported
/// late.
#[test]
fn a_bracket_that_has_exited_more_than_a_cancelled_entry_stops_entries() {
    let (mut scene, id) = Scene::entering();
    scene.fill(id, Side::Buy, 3, 4_500);
    scene.fill(id.stop_loss(), Side::Sell, 5, 4_500);
    assert_eq!(scene.broker.refused, []);
    let mut late = Scene { desk: scene.desk.clone(), broker: Broker::default(), ..scene };
    late.fill(id, Side::Buy, 2, 4_500);
    assert_eq!((late.desk.ledger().position(), &late.broker.refused[..]), (0, &[][..]));
    scene.report(ReportKind::Cancelled(id));
    assert_eq!(scene.broker.refused, [Refusal::PositionDoubted]);
    assert_eq!(scene.count("fills beyond their order"), 1);
}

/// An entry that works when the position becomes doubtful would enlarge it.
#[test]
fn a_doubted_position_cancels_a_resting_entry() {
    let (mut scene, id) = Scene::entering();
    scene.report(ReportKind::Accepted(id));
    scene.fill(OrderId(77), Side::Buy, 5, 4_500);
    assert_eq!(std::mem::take(&mut scene.broker.sent), [OrderMessage::Cancel(id)]);
    // What fills of it all the same is closed at the closing time.
    scene.wait(1);
    scene.desk.on_closing_time(at(scene.now), &mut scene.broker);
    assert_eq!(scene.broker.sent, []);
    scene.fill(id, Side::Buy, 5, 4_500);
    assert_eq!(scene.close().quantity, 5);
}

/// At the day's limit and at the closing time alike, without a word of the strategy.
#[test]
fn a_rejected_cancellation_is_sent_again_a_limited_number_of_times() {
    let (mut scene, id) = Scene::entering();
    // What fills of it first loses $1,050: more than the day's limit.
    scene.fill(id, Side::Buy, 3, 4_500);
    scene.fill(id.stop_loss(), Side::Sell, 3, 4_493);
    scene.trade(4_493);
    for _ in 0..3 {
        assert_eq!(std::mem::take(&mut scene.broker.sent), [OrderMessage::Cancel(id)]);
        scene.report(ReportKind::CancelRejected(id));
        scene.trade(4_493);
    }
    assert_eq!(scene.broker.sent, []);
    assert_eq!(scene.broker.refused, [Refusal::CloseFailed]);
    scene.wait(1);
    scene.desk.on_closing_time(at(scene.now), &mut scene.broker);
    for _ in 0..3 {
        assert_eq!(std::mem::take(&mut scene.broker.sent), [OrderMessage::Cancel(id)]);
        scene.report(ReportKind::CancelRejected(id));
    }
    assert_eq!(scene.broker.sent, []);
    // It had filled. The close is another attempt.
    scene.fill(id, Side::Buy, 2, 4_493);
    let close = scene.close();
    scene.reject(close.id);
    assert_eq!(scene.close().quantity, 2);
}

/// The order works on, so nothing takes its place. It is cancelled again.
#[test]
fn an_order_whose_cancellation_is_rejected_works_on() {
    let (mut scene, id) = Scene::entering();
    scene.report(ReportKind::Accepted(id));
    scene.decide(Target::Short);
    assert_eq!(std::mem::take(&mut scene.broker.sent), [OrderMessage::Cancel(id)]);
    scene.report(ReportKind::CancelRejected(id));
    assert_eq!(std::mem::take(&mut scene.broker.sent), [OrderMessage::Cancel(id)]);
    // This one was too late.
    scene.fill(id, Side::Buy, 5, 4_500);
    let close = scene.close();
    scene.report(ReportKind::CancelRejected(id));
    scene.fill(close.id, Side::Sell, 5, 4_500);
    assert_eq!(scene.submitted().side, Side::Sell);
    assert_eq!((scene.count("cancellations rejected"), scene.count("cancelled")), (2, 0));
    assert_eq!(scene.broker.refused, []);
}

/// A fill that crosses the cancellation is ours all the same.
#[test]
fn a_fill_after_its_order_was_cancelled_is_booked() {
    let (mut scene, id) = Scene::entering();
    scene.report(ReportKind::Cancelled(id));
    scene.fill(id, Side::Buy, 1, 4_500);
    assert_eq!(scene.desk.ledger().position(), 1);
}

/// Case 3: the close for the day's drawdown is rejected.
#[test]
fn a_rejected_drawdown_close_is_sent_again_a_limited_number_of_times() {
    let mut scene = Scene::long();
    // 1 % are $1,000: 4 points of 5 contracts.
    scene.trade(4_495);
    let first = scene.close();
    assert_eq!((first.reason, first.quantity), (ExitReason::DailyDrawdown, 5));
    scene.reject(first.id);
    let second = scene.close();
    assert_eq!((second.reason, second.quantity), (ExitReason::DailyDrawdown, 5));
    assert_eq!(scene.count("closes sent again"), 1);
    // Part of it fills before the rest is cancelled.
    scene.report(ReportKind::Accepted(second.id));
    scene.fill(second.id, Side::Sell, 2, 4_495);
    scene.report(ReportKind::Cancelled(second.id));
    let third = scene.close();
    assert_eq!(third.quantity, 3);
    scene.reject(third.id);
    assert_eq!(scene.broker.refused, [Refusal::CloseFailed]);
    scene.trade(4_494);
    assert_eq!(scene.broker.sent, []);
    // Another reason is another attempt.
    scene.wait(1);
    scene.desk.on_closing_time(at(scene.now), &mut scene.broker);
    let fourth = scene.close();
    scene.fill(fourth.id, Side::Sell, 3, 4_494);
    assert_eq!(scene.desk.ledger().position(), 0);
}

/// Case 4: nothing is heard of a close.
#[test]
fn silence_about_a_close_is_neither_taken_for_a_close_nor_for_none() {
    let mut scene = Scene::long();
    scene.decide(Target::Flat);
    let close = scene.close();
    scene.wait(10);
    assert_eq!(scene.count("orders without an answer"), 1);
    // A second close could sell the contracts twice.
    scene.decide(Target::Flat);
    scene.trade(4_400);
    scene.desk.on_closing_time(at(scene.now), &mut scene.broker);
    assert_eq!(scene.broker.sent, []);
    // What became of it is known: it never arrived.
    scene.report(ReportKind::Rejected(close.id, RejectReason::NeverArrived));
    let again = scene.close();
    scene.fill(again.id, Side::Sell, 5, 4_400);
    assert_eq!(scene.desk.ledger().position(), 0);
}

#[test]
fn nothing_is_entered_while_an_order_is_unanswered() {
    let (mut scene, id) = Scene::entering();
    scene.wait(9);
    assert_eq!(scene.count("orders without an answer"), 0);
    scene.wait(1);
    assert_eq!(scene.count("orders without an answer"), 1);
    // To cancel it is always allowed.
    scene.decide(Target::Short);
    assert_eq!(std::mem::take(&mut scene.broker.sent), [OrderMessage::Cancel(id)]);
    assert_eq!(scene.broker.refused, [Refusal::Unanswered]);
    scene.desk.on_orders_dropped();
    // The drop is an answer; so is anything that is reported of an order.
    scene.decide(Target::Long);
    let second = scene.submitted().id;
    assert_ne!(second, id);
    scene.wait(10);
    scene.report(ReportKind::Accepted(second));
    scene.report(ReportKind::Cancelled(second));
    assert_eq!(scene.broker.sent, []);
    scene.decide(Target::Short);
    assert_eq!(scene.submitted().side, Side::Sell);
    assert_eq!(scene.broker.refused, [Refusal::Unanswered]);
}

/// Case 5: the close before the session's end is rejected.
#[test]
fn a_rejected_flatten_is_sent_again() {
    let mut scene = Scene::long();
    scene.wait(1);
    scene.desk.on_closing_time(at(scene.now), &mut scene.broker);
    let first = scene.close();
    scene.reject(first.id);
    let second = scene.close();
    assert_eq!((second.reason, second.quantity), (ExitReason::SessionClose, 5));
    scene.fill(second.id, Side::Sell, 5, 4_500);
    scene.desk.on_session_end(at(scene.now), &mut scene.broker);
    assert_eq!(scene.desk.ledger().position(), 0);
}

/// A roll while a close is under way. What fails of it is sent again, in the contract held.
#[test]
fn a_close_under_way_at_a_roll_is_sent_again_in_the_old_contract() {
    let mut scene = Scene::long();
    scene.decide(Target::Flat);
    let first = scene.close();
    scene.roll();
    assert_eq!(scene.broker.sent, []);
    scene.reject(first.id);
    let second = scene.close();
    assert_eq!((second.contract, second.quantity), (3, 5));
    assert_eq!(second.reason, ExitReason::ContractRoll);
    scene.report(ReportKind::Cancelled(second.id));
    let third = scene.close();
    assert_eq!(third.contract, 3);
    scene.reject(third.id);
    assert_eq!(scene.broker.refused, [Refusal::CloseFailed]);
}

/// A roll while an entry is being cancelled. What fills of it all the same is closed.
#[test]
fn an_entry_that_fills_after_a_roll_is_closed_in_the_old_contract() {
    let (mut scene, id) = Scene::entering();
    scene.decide(Target::Flat);
    assert_eq!(std::mem::take(&mut scene.broker.sent), [OrderMessage::Cancel(id)]);
    scene.roll();
    assert_eq!(scene.broker.sent, []);
    scene.fill(id, Side::Buy, 5, 4_500);
    let close = scene.close();
    assert_eq!((close.contract, close.side, close.quantity), (3, Side::Sell, 5));
    scene.fill(close.id, Side::Sell, 5, 4_500);
    scene.decide(Target::Short);
    assert_eq!(scene.submitted().contract, 4);
}

/// Case 6: a turn. No entry is sent while anything of the old position can still trade.
#[test]
fn a_turn_is_exit_then_flat_then_entry() {
    let mut scene = Scene::long();
    scene.decide(Target::Short);
    let close = scene.close();
    scene.report(ReportKind::Accepted(close.id));
    scene.fill(close.id, Side::Sell, 3, 4_500);
    assert_eq!(scene.broker.sent, []);
    scene.fill(close.id, Side::Sell, 2, 4_500);
    let entry = scene.submitted();
    assert_eq!((entry.side, entry.quantity), (Side::Sell, 5));
    assert_eq!(scene.desk.account().entering, Some(Side::Sell));
}

/// The stop fills while the close is under way. The broker may still sell five more.
/// The feed fails between the two.
#[test]
fn a_turn_whose_entry_is_refused_meanwhile_ends_flat() {
    let mut scene = Scene::long();
    scene.decide(Target::Short);
    let close = scene.close();
    let refused = Some(Refusal::ClockDoubt);
    scene.desk.on_entries(refused, at(scene.now), &mut scene.broker);
    assert_eq!(scene.broker.refused, [Refusal::ClockDoubt]);
    // That it passes brings the decision not back.
    scene.desk.on_entries(None, at(scene.now), &mut scene.broker);
    scene.fill(close.id, Side::Sell, 5, 4_500);
    assert!(scene.broker.sent.is_empty() && scene.desk.ledger().position() == 0);
}

/// Nothing works on that may enter while the run may not. It is not sent again by itself.
#[test]
fn an_entry_that_works_is_cancelled_when_entries_go_off() {
    let (mut scene, id) = Scene::entering();
    scene.report(ReportKind::Accepted(id));
    scene.fill(id, Side::Buy, 2, 4_500);
    let off = |scene: &mut Scene, refused| {
        scene.desk.on_entries(refused, at(scene.now), &mut scene.broker);
        std::mem::take(&mut scene.broker.sent)
    };
    assert_eq!(off(&mut scene, Some(Refusal::StaleData)), [OrderMessage::Cancel(id)]);
    // Once, however often the reason changes. What has filled stays.
    assert_eq!(off(&mut scene, Some(Refusal::ClockDoubt)), []);
    scene.report(ReportKind::Cancelled(id));
    assert_eq!((off(&mut scene, None).len(), scene.desk.ledger().position()), (0, 2));
    scene.fill(id.stop_loss(), Side::Sell, 2, 4_500);
    assert_eq!((scene.desk.ledger().position(), &scene.broker.sent[..]), (0, &[][..]));
    scene.decide(Target::Long);
    assert_eq!(scene.submitted().quantity, 5);
}

#[test]
fn a_turn_waits_until_the_close_has_ended() {
    let (mut scene, id) = Scene::entering();
    scene.fill(id, Side::Buy, 5, 4_500);
    scene.decide(Target::Short);
    let close = scene.close();
    scene.fill(id.stop_loss(), Side::Sell, 5, 4_500);
    assert_eq!((scene.desk.ledger().position(), &scene.broker.sent[..]), (0, &[][..]));
    scene.report(ReportKind::Cancelled(close.id));
    assert_eq!(scene.submitted().side, Side::Sell);
}

/// An entry that has not filled is cancelled; what fills of it all the same is closed.
#[test]
fn a_turn_from_an_entry_that_fills_meanwhile_closes_what_was_filled() {
    let (mut scene, id) = Scene::entering();
    scene.report(ReportKind::Accepted(id));
    scene.decide(Target::Short);
    assert_eq!(std::mem::take(&mut scene.broker.sent), [OrderMessage::Cancel(id)]);
    scene.fill(id, Side::Buy, 2, 4_500);
    let close = scene.close();
    assert_eq!(close.quantity, 2);
    // One more was under way when the close cancelled the rest.
    scene.fill(id, Side::Buy, 1, 4_500);
    scene.report(ReportKind::Cancelled(id));
    scene.fill(close.id, Side::Sell, 2, 4_500);
    let second = scene.close();
    assert_eq!(second.quantity, 1);
    assert_eq!(scene.count("closes sent again"), 0);
    scene.fill(second.id, Side::Sell, 1, 4_500);
    assert_eq!(scene.submitted().side, Side::Sell);
}

/// The last decision counts, and none outlives its session.
#[test]
fn what_waits_for_a_close_is_the_last_decision_of_the_session() {
    let mut scene = Scene::long();
    scene.decide(Target::Short);
    let close = scene.close();
    scene.decide(Target::Flat);
    scene.fill(close.id, Side::Sell, 5, 4_500);
    assert_eq!(scene.broker.sent, []);
    let mut scene = Scene::long();
    scene.decide(Target::Short);
    let close = scene.close();
    scene.desk.on_session_end(at(scene.now), &mut scene.broker);
    assert_eq!(scene.broker.refused, [Refusal::SessionClosing]);
    scene.fill(close.id, Side::Sell, 5, 4_500);
    assert_eq!(scene.broker.sent, []);
}

/// Case 7: every order is rejected.
#[test]
fn rejections_in_a_row_stop_entries_until_the_next_session() {
    let mut scene = Scene::new();
    for _ in 0..3 {
        scene.decide(Target::Long);
        let id = scene.submitted().id;
        scene.reject(id);
    }
    for _ in 0..207 {
        scene.decide(Target::Long);
    }
    assert_eq!(scene.broker.sent, []);
    assert_eq!(scene.broker.refused, [Refusal::Rejections; 207]);
    assert_eq!(scene.count("refused: orders_rejected"), 207);
    scene.desk.on_session_open();
    scene.decide(Target::Long);
    let id = scene.submitted().id;
    scene.report(ReportKind::Accepted(id));
}
