//! The order plant and the P&L plant, in virtual time.

use algospace_hft::execution::{ExecutionSettings, Slippage};
use algospace_hft::market::{Price, Tick, Timestamp};
use algospace_hft_rithmic::Monotonic;
use algospace_hft_rithmic::wire::prost::Message;
use algospace_hft_rithmic::wire::{Incoming, Template, decode, encode, rti};
use rithmic_sim::script::ShowOrders;
use rithmic_sim::{AccountSettings, Gateway, Input, Market, Output, Script, Settings};

use crate::machine::{OPEN, SECOND, login};

const BUY: i32 = 1;
const SELL: i32 = 2;
const LIMIT: i32 = 1;
const MARKET: i32 = 2;
const STOP: i32 = 4;
/// The clients of the order plant and of the P&L plant.
const ORDERS: u32 = 1;
const PROFIT: u32 = 2;
/// A millisecond, in nanoseconds.
const MILLISECOND: u64 = 1_000_000;

/// A message that a client has read; template 0: its connection has broken.
#[derive(Clone, Debug)]
struct Told {
    client: u32,
    template: i32,
    code: String,
    bytes: Vec<u8>,
}

impl Told {
    fn rithmic(&self) -> Option<rti::RithmicOrderNotification> {
        (self.template == 351).then(|| Message::decode(&self.bytes[..]).unwrap())
    }

    fn exchange(&self) -> Option<rti::ExchangeOrderNotification> {
        (self.template == 352).then(|| Message::decode(&self.bytes[..]).unwrap())
    }

    fn decode<M: Template>(&self) -> M {
        assert_eq!(self.template, M::TEMPLATE);
        M::decode(&self.bytes[..]).unwrap()
    }
}

/// A gateway with a client at both plants.
struct Desk {
    gateway: Gateway,
    now: u64,
    /// Notices that came with the answers to orders.
    early: Vec<Told>,
}

impl Desk {
    /// A market that trades once a second, at 4,500 plus as many ticks, and in that size.
    fn new(trades: &[(i64, u32)], change: impl FnOnce(&mut Script)) -> Desk {
        let tick = |(place, &(ticks, size)): (usize, &(i64, u32))| {
            let time = Timestamp::from_nanos(OPEN + place as i64 * SECOND as i64);
            Tick::new(time, Price::from_units((18_000 + ticks) * Price::SCALE / 4), size)
        };
        Desk::of(trades.iter().enumerate().map(tick).collect(), change)
    }

    fn of(ticks: Vec<Tick>, change: impl FnOnce(&mut Script)) -> Desk {
        let slippage = Slippage { ticks: 0, cross_spread: false, ..Slippage::default() };
        let execution = ExecutionSettings { slippage, ..ExecutionSettings::default() };
        let account = AccountSettings { execution, ..AccountSettings::default() };
        let mut script = Script { seed: 7, ..Script::default() };
        change(&mut script);
        let market = Market::of_ticks("ES", ticks).unwrap();
        let gateway = Gateway::new(Settings { account, script, ..Settings::default() }, market);
        let mut desk = Desk { gateway, now: 0, early: Vec::new() };
        for (client, plant) in [(ORDERS, 2), (PROFIT, 4)] {
            desk.gateway.on(Input::Connect(client), Monotonic(0));
            assert_eq!(desk.ask(client, &login(plant))[0].code, "0");
        }
        desk.ask(ORDERS, &rti::RequestSubscribeForOrderUpdates::default());
        desk.ask(ORDERS, &rti::RequestSubscribeToBracketUpdates::default());
        let mut request = rti::RequestPnLPositionUpdates::default();
        request.request = Some(1);
        assert_eq!(desk.ask(PROFIT, &request)[0].code, "0");
        desk
    }

    fn ask<M: Template>(&mut self, client: u32, message: &M) -> Vec<Told> {
        let frame = encode(message, Some(7));
        self.gateway.on(Input::Frame(client, &frame), Monotonic(self.now));
        self.told()
    }

    /// Lets that time pass, and returns what was told in it.
    fn wait(&mut self, nanos: u64) -> Vec<Told> {
        let until = self.now + nanos;
        let mut told = std::mem::take(&mut self.early);
        while let Some(due) = self.gateway.due().filter(|due| due.0 <= until) {
            self.now = self.now.max(due.0);
            self.gateway.on(Input::Time, due);
            told.extend(self.told());
        }
        self.now = until;
        told
    }

    fn told(&mut self) -> Vec<Told> {
        let outputs = self.gateway.outputs().map(|output| match output {
            Output::Send(client, frame) => match decode(&frame[4..]).unwrap() {
                Incoming::Other(envelope, bytes) => Told {
                    client,
                    template: envelope.template,
                    code: envelope.code.unwrap_or("").to_owned(),
                    bytes: bytes.to_vec(),
                },
                other => panic!("market data: {other:?}"),
            },
            Output::Reset(client) => {
                Told { client, template: 0, code: String::new(), bytes: Vec::new() }
            }
            other => panic!("{other:?}"),
        });
        outputs.collect()
    }

    /// Sends an order, and returns its basket.
    fn order(&mut self, side: i32, quantity: i32, kind: i32, price: f64) -> String {
        let told = self.ask(ORDERS, &order(side, quantity, kind, price));
        assert_eq!(told[0].code, "0");
        self.early.extend_from_slice(&told[1..]);
        told[0].decode::<rti::ResponseNewOrder>().basket_id.unwrap()
    }

    /// Sends a market order with a bracket, and returns its basket.
    fn bracket(&mut self, quantity: i32, stop: i32, target: i32) -> String {
        let told = self.ask(ORDERS, &bracket(quantity, stop, target));
        assert_eq!(told[0].code, "0");
        self.early.extend_from_slice(&told[1..]);
        told[0].decode::<rti::ResponseBracketOrder>().basket_id.unwrap()
    }

    /// Returns the working orders: basket, contracts left, and price or trigger.
    fn working(&mut self) -> Vec<(String, i32, f64)> {
        let mut told = self.ask(ORDERS, &rti::RequestShowOrders::default());
        assert_eq!(told.pop().map(|last| last.template), Some(321));
        let rows = told.iter().map(|told| told.exchange().unwrap());
        let row = |row: rti::ExchangeOrderNotification| {
            assert_eq!(row.is_snapshot, Some(true));
            let price = row.price.or(row.trigger_price).unwrap_or(0.0);
            (row.basket_id.unwrap(), row.total_unfilled_size.unwrap(), price)
        };
        rows.map(row).collect()
    }

    fn position(&mut self) -> rti::InstrumentPnLPositionUpdate {
        let told = self.ask(PROFIT, &rti::RequestPnLPositionSnapshot::default());
        assert_eq!(told.last().map(|last| (last.template, last.code.as_str())), Some((403, "0")));
        let position: rti::InstrumentPnLPositionUpdate = told[0].decode();
        assert_eq!(position.is_snapshot, Some(true));
        position
    }
}

/// The request for an order: its side, contracts, type, and price or trigger.
pub fn order(side: i32, quantity: i32, kind: i32, price: f64) -> rti::RequestNewOrder {
    let mut order = rti::RequestNewOrder::default();
    (order.symbol, order.exchange) = (Some("ESZ3".to_owned()), Some("CME".to_owned()));
    (order.quantity, order.transaction_type) = (Some(quantity), Some(side));
    (order.price_type, order.duration) = (Some(kind), Some(2));
    (order.user_tag, order.trade_route) = (Some("tag".to_owned()), Some("simulator".to_owned()));
    match kind {
        LIMIT => order.price = Some(price),
        STOP => order.trigger_price = Some(price),
        _ => {}
    }
    order
}

fn bracket(quantity: i32, stop: i32, target: i32) -> rti::RequestBracketOrder {
    let mut bracket = rti::RequestBracketOrder::default();
    (bracket.symbol, bracket.exchange) = (Some("ESZ3".to_owned()), Some("CME".to_owned()));
    (bracket.quantity, bracket.transaction_type) = (Some(quantity), Some(BUY));
    (bracket.price_type, bracket.duration) = (Some(MARKET), Some(2));
    bracket.user_tag = Some("entry".to_owned());
    (bracket.stop_ticks, bracket.stop_quantity) = (vec![stop], vec![quantity]);
    (bracket.target_ticks, bracket.target_quantity) = (vec![target], vec![quantity]);
    bracket
}

fn named(
    basket: &str,
    change: impl FnOnce(&mut rti::RequestModifyOrder),
) -> rti::RequestModifyOrder {
    let mut request = rti::RequestModifyOrder::default();
    request.basket_id = Some(basket.to_owned());
    change(&mut request);
    request
}

fn cancel(basket: &str) -> rti::RequestCancelOrder {
    let mut request = rti::RequestCancelOrder::default();
    request.basket_id = Some(basket.to_owned());
    request
}

/// Returns what was told of an order: the steps of 351 as they are, the events of 352 below zero.
fn life(told: &[Told], basket: &str) -> Vec<i32> {
    let step = |told: &Told| match (told.rithmic(), told.exchange()) {
        (Some(step), _) if step.basket_id() == basket => step.notify_type,
        (_, Some(event)) if event.basket_id() == basket => event.notify_type.map(|kind| -kind),
        _ => None,
    };
    told.iter().filter_map(step).collect()
}

/// Returns the reasons for which orders were completed, by basket.
fn ends(told: &[Told]) -> Vec<(String, String)> {
    let end = |told: &Told| {
        let step = told.rithmic().filter(|step| step.notify_type == Some(15))?;
        Some((step.basket_id?, step.completion_reason?))
    };
    told.iter().filter_map(end).collect()
}

fn fills(told: &[Told]) -> Vec<rti::ExchangeOrderNotification> {
    let fills = told.iter().filter_map(Told::exchange);
    fills.filter(|notice| notice.notify_type == Some(5)).collect()
}

#[test]
fn a_bracket_lives_from_its_entry_to_its_target() {
    let trades = [(0, 9), (0, 9), (3, 9), (7, 9), (8, 9), (9, 9), (9, 9)];
    let mut desk = Desk::new(&trades, |_| ());
    let entry = desk.bracket(2, 4, 8);
    let told = desk.wait(SECOND + SECOND / 2);
    assert_eq!(life(&told, &entry), [1, 7, 10, -1, 13, -5, 15]);
    // The orders of the bracket are told as they are made, the stop never as open.
    let children: Vec<_> = told.iter().filter_map(Told::rithmic).collect();
    let children = children.iter().filter(|step| step.original_basket_id() == entry);
    let baskets = |of: i32| {
        let mut found = children.clone().filter(|step| step.notify_type == Some(of));
        let step = found.next().unwrap();
        assert!(found.next().is_none() && step.user_tag.is_none());
        (step.basket_id.clone().unwrap(), step.linked_basket_ids.clone().unwrap())
    };
    let ((stop, its_target), (target, its_stop)) = (baskets(18), baskets(13));
    assert_eq!((&stop, &target), (&its_stop, &its_target));
    assert_eq!(life(&told, &stop), [1, 7, 10, -1, 18]);
    assert_eq!(life(&told, &target), [1, 7, 10, -1, 13]);
    let update: rti::BracketUpdates =
        told.iter().find(|told| told.template == 353).unwrap().decode();
    assert_eq!((update.basket_id(), update.stop_ticks(), update.target_ticks()), (&*entry, 4, 8));
    assert_eq!((update.stop_quantity_released(), update.target_quantity_released()), (2, 2));
    let working = [(stop.clone(), 2, 4_499.0), (target.clone(), 2, 4_502.0)];
    assert_eq!(desk.working(), working);
    // It fills when the market goes through its price, and not when it touches it.
    let told = desk.wait(2 * SECOND);
    assert!(fills(&told).is_empty());
    let told = desk.wait(2 * SECOND);
    let fill = &fills(&told)[0];
    assert_eq!((fill.basket_id(), fill.fill_price(), fill.fill_size()), (&*target, 4_502.0, 2));
    assert_eq!(life(&told, &target), [-5, 15]);
    assert_eq!(life(&told, &stop), [-3, 15]);
    let ends = ends(&told);
    assert_eq!(ends, [(target, "F".to_owned()), (stop, "C".to_owned())]);
    assert!(desk.working().is_empty());
    assert_eq!(desk.position().closed_position_pnl(), "200");
}

#[test]
fn the_orders_of_a_bracket_grow_and_shrink_with_partial_fills() {
    let trades = [(0, 1), (0, 1), (0, 2), (0, 9), (3, 2), (3, 9), (-4, 2), (-4, 9), (-4, 9)];
    let mut desk = Desk::new(&trades, |_| ());
    desk.bracket(4, 4, 2);
    desk.wait(SECOND + SECOND / 2);
    let quantities = |desk: &mut Desk| desk.working().iter().map(|row| row.1).collect::<Vec<_>>();
    assert_eq!(quantities(&mut desk), [3, 1, 1]);
    desk.wait(SECOND);
    assert_eq!(quantities(&mut desk), [1, 3, 3]);
    let told = desk.wait(SECOND);
    assert_eq!(quantities(&mut desk), [4, 4]);
    assert_eq!(told.iter().filter(|told| told.template == 353).count(), 1);
    // Two of the target fill, so the stop is for two less.
    let told = desk.wait(SECOND);
    assert_eq!(fills(&told)[0].fill_size(), 2);
    assert_eq!(quantities(&mut desk), [2, 2]);
    assert_eq!(desk.position().net_quantity(), 2);
}

#[test]
fn a_cancellation_loses_the_race_to_a_fill() {
    let mut desk = Desk::new(&[(4, 9), (4, 9), (-1, 9), (0, 9)], |_| ());
    let lost = desk.order(BUY, 1, LIMIT, 4_500.0);
    let other = desk.order(BUY, 1, LIMIT, 4_400.0);
    desk.wait(2 * SECOND - MILLISECOND);
    let mut told = desk.ask(ORDERS, &cancel(&lost));
    told.extend(desk.ask(ORDERS, &cancel(&other)));
    assert_eq!((told[0].template, told[0].code.as_str()), (317, "0"));
    told.extend(desk.wait(SECOND / 2));
    assert_eq!(life(&told, &lost), [3, 9, 12, -5, 15, -8, 17]);
    assert_eq!(life(&told, &other), [3, 9, 12, -3, 15]);
    assert_eq!(ends(&told), [(lost.clone(), "F".to_owned()), (other, "C".to_owned())]);
    assert_eq!(desk.position().net_quantity(), 1);
    // What is over cannot be cancelled or modified.
    assert_eq!(desk.ask(ORDERS, &cancel(&lost))[0].code, "6");
    assert_eq!(desk.ask(ORDERS, &named(&lost, |_| ()))[0].code, "6");
}

#[test]
fn a_stop_is_moved_and_triggers_at_its_new_price() {
    let trades = [(0, 9), (0, 9), (0, 9), (-4, 9), (-4, 9), (-7, 9), (0, 9)];
    let mut desk = Desk::new(&trades, |_| ());
    let entry = desk.bracket(1, 4, 40);
    desk.wait(SECOND + SECOND / 2);
    let stop = desk.working()[0].0.clone();
    let move_it = named(&stop, |request| request.trigger_price = Some(4_498.5));
    let mut told = desk.ask(ORDERS, &move_it);
    assert_eq!((told[0].template, told[0].code.as_str()), (315, "0"));
    told.extend(desk.wait(MILLISECOND * 5));
    assert_eq!(life(&told, &stop), [2, 8, 11, -2, 14]);
    let modified = told.iter().filter_map(Told::rithmic).next_back().unwrap();
    assert_eq!(modified.status(), "modified, trigger pending");
    assert_eq!(desk.working()[0].2, 4_498.5);
    // Its distance, too, is counted from the entry's fill.
    let mut request = rti::RequestUpdateStopBracketLevel::default();
    (request.basket_id, request.stop_ticks) = (Some(entry), Some(7));
    assert_eq!(desk.ask(ORDERS, &request)[0].code, "0");
    desk.wait(MILLISECOND * 5);
    assert_eq!(desk.working()[0].2, 4_498.25);
    assert!(fills(&desk.wait(3 * SECOND)).is_empty());
    let told = desk.wait(SECOND);
    assert_eq!(life(&told, &stop), [-4, -5, 15]);
    assert_eq!(fills(&told)[0].fill_price(), 4_498.25);
    assert!(desk.working().is_empty());
    // Prices off the tick, other types and absent orders are refused.
    let order = desk.order(BUY, 1, LIMIT, 4_400.0);
    for change in [
        |request: &mut rti::RequestModifyOrder| request.price = Some(4_400.1),
        |request: &mut rti::RequestModifyOrder| request.price_type = Some(MARKET),
        |request: &mut rti::RequestModifyOrder| request.quantity = Some(0),
        |request: &mut rti::RequestModifyOrder| request.basket_id = None,
    ] {
        assert_eq!(desk.ask(ORDERS, &named(&order, change))[0].code, "6");
    }
}

#[test]
fn an_exit_leaves_the_bracket_which_then_opens_a_position() {
    let trades = [(0, 9), (0, 9), (1, 9), (1, 9), (-4, 9), (0, 9)];
    let mut desk = Desk::new(&trades, |_| ());
    desk.bracket(2, 4, 40);
    desk.wait(SECOND + SECOND / 2);
    let told = desk.ask(ORDERS, &rti::RequestExitPosition::default());
    let codes: Vec<_> = told.iter().map(|told| (told.template, told.code.as_str())).collect();
    assert_eq!(codes[..2], [(3505, ""), (3505, "0")]);
    desk.wait(2 * SECOND);
    assert_eq!((desk.position().net_quantity(), desk.working().len()), (0, 2));
    desk.wait(SECOND);
    assert_eq!((desk.position().net_quantity(), desk.working().len()), (-2, 0));

    // The same with the other setting.
    let mut desk = Desk::new(&trades, |script| script.quirks.exit_leaves_orders = false);
    desk.bracket(2, 4, 40);
    desk.wait(SECOND + SECOND / 2);
    desk.ask(ORDERS, &rti::RequestExitPosition::default());
    desk.wait(3 * SECOND);
    assert_eq!((desk.position().net_quantity(), desk.working().len()), (0, 0));
    assert_eq!(desk.ask(ORDERS, &rti::RequestExitPosition::default())[0].code, "7");
}

#[test]
fn working_orders_are_shown_in_three_ways_and_cancelled_at_once() {
    for (show, expected) in [
        (ShowOrders::RowsThenAnswer, &[352, 352, 321][..]),
        (ShowOrders::AnswerThenRows, &[321, 352, 352]),
        (ShowOrders::AnswerAlone, &[321]),
    ] {
        let mut desk =
            Desk::new(&[(0, 9), (0, 9), (0, 9)], |script| script.quirks.show_orders = show);
        desk.order(BUY, 1, LIMIT, 4_400.0);
        desk.order(SELL, 1, STOP, 4_300.0);
        desk.wait(SECOND / 2);
        let told = desk.ask(ORDERS, &rti::RequestShowOrders::default());
        assert!(told.iter().map(|told| told.template).eq(expected.iter().copied()));
        assert_eq!(desk.ask(ORDERS, &rti::RequestCancelAllOrders::default())[0].code, "0");
        assert_eq!(ends(&desk.wait(SECOND)).len(), 2);
        let told = desk.ask(ORDERS, &rti::RequestShowOrders::default());
        assert_eq!((told.len(), told[0].template), (1, 321));
    }
}

#[test]
fn quirks_lose_brackets_lose_and_repeat_fills_and_open_stops() {
    let trades = [(0, 9); 120];
    let mut desk = Desk::new(&trades, |script| {
        let quirks = &mut script.quirks;
        (quirks.bracket_loss, quirks.fill_loss, quirks.fill_repeat) = (0.5, 0.3, 0.3);
        quirks.stops_open = true;
    });
    let mut told = Vec::new();
    for _ in 0..50 {
        desk.bracket(1, 40, 40);
        told.extend(desk.wait(2 * SECOND));
    }
    let of_brackets = told.iter().filter_map(Told::rithmic).filter(|step| {
        step.original_basket_id.is_some() && matches!(step.notify_type, Some(13 | 18))
    });
    // Of each bracket that was made, a target, and a stop that is told both as waiting and as open.
    let steps: Vec<_> = of_brackets.map(|step| step.notify_type.unwrap()).collect();
    let (opened, waits): (Vec<i32>, _) = steps.iter().partition(|step| **step == 13);
    assert_eq!(opened.len(), 2 * waits.len());
    assert!((10..40).contains(&waits.len()), "{} brackets of 50", waits.len());
    let mut times = std::collections::BTreeMap::<_, usize>::new();
    for fill in fills(&told) {
        *times.entry(fill.fill_id().to_owned()).or_default() += 1;
    }
    let counted = |wanted: usize| times.values().filter(|times| **times == wanted).count();
    let (once, twice) = (counted(1), counted(2));
    assert!((20..48).contains(&times.len()), "{} fills of 50 are told", times.len());
    assert!(twice > 3 && once > twice && once + twice == times.len(), "{once} once, {twice} twice");
    assert_eq!(desk.position().net_quantity(), 50);
    assert_eq!(desk.ask(ORDERS, &rti::RequestShowFillHistory::default()).len(), 51);
}

/// A connection breaks at a fill, which nobody is told; then somebody else sells.
#[test]
fn history_has_the_fill_at_which_a_connection_breaks_and_that_of_somebody_else() {
    let mut desk = Desk::new(&[(0, 9); 9], |script| {
        let text = "faults:
  - { when: { after_fills: 1 }, plant: orders, do: reset }
  - { when: { after_fills: 1 }, do: foreign_order, side: sell, count: 3 }";
        *script = Script::parse(text, "test").unwrap();
    });
    let ours = desk.order(BUY, 2, MARKET, 0.0);
    let told = desk.wait(SECOND + 5 * MILLISECOND);
    assert!(fills(&told).is_empty() && told.iter().any(|told| told.template == 0));
    assert_eq!(desk.position().net_quantity(), 2);
    desk.gateway.on(Input::Connect(3), Monotonic(desk.now));
    assert_eq!(desk.ask(3, &login(2))[0].code, "0");
    desk.ask(3, &rti::RequestSubscribeForOrderUpdates::default());
    let told = desk.wait(2 * SECOND);
    assert_eq!(desk.position().net_quantity(), -1);
    let foreign = &fills(&told)[0];
    assert_eq!((foreign.user_tag(), foreign.fill_size()), ("", 3));
    let rows = desk.ask(3, &rti::RequestShowFillHistory::default());
    let rows: Vec<rti::ResponseShowFillHistory> = rows.iter().map(|row| row.decode()).collect();
    let baskets: Vec<_> = rows.iter().map(|row| row.basket_id()).collect();
    assert_eq!(baskets, [&ours, foreign.basket_id(), ""]);
}

#[test]
fn notices_have_the_gateways_clock_and_fills_the_exchanges_as_well() {
    let mut desk = Desk::new(&[(0, 9); 9], |script| {
        let text = "faults: [{ when: { after_fills: 1 }, do: clock_step, by: -5s }]";
        *script = Script::parse(text, "test").unwrap();
    });
    let lag = |desk: &mut Desk| {
        desk.order(BUY, 1, MARKET, 0.0);
        let told = desk.wait(2 * SECOND);
        let fill = fills(&told).remove(0);
        let complete = told.iter().filter_map(Told::rithmic).next_back().unwrap();
        assert_eq!(complete.ssboe(), fill.ssboe());
        fill.source_ssboe() - fill.ssboe()
    };
    assert_eq!([lag(&mut desk), lag(&mut desk)], [0, 5]);
}

#[test]
fn day_orders_end_with_the_session_and_others_stay() {
    let price = Price::from_units(4_500 * Price::SCALE);
    let tick =
        |seconds: i64| Tick::new(Timestamp::from_nanos(OPEN + seconds * SECOND as i64), price, 9);
    let mut desk = Desk::of([0, 1, 24 * 3_600].map(tick).to_vec(), |_| ());
    let stays = desk.order(BUY, 1, LIMIT, 4_400.0);
    let mut day = order(BUY, 1, LIMIT, 4_400.0);
    day.duration = Some(1);
    desk.ask(ORDERS, &day);
    let told = desk.wait(24 * 3_600 * SECOND + SECOND);
    assert_eq!(ends(&told).len(), 1);
    assert_eq!(desk.working(), [(stays, 1, 4_400.0)]);
}

#[test]
fn profit_is_the_sum_of_the_fills_and_history_has_them_all() {
    let mut random = 7_u64;
    let mut next = move |below: i64| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as i64 % below
    };
    let trades: Vec<_> = (0..300).map(|_| (next(20) - 10, 1 + next(5) as u32)).collect();
    let mut desk = Desk::new(&trades, |_| ());
    let mut told = Vec::new();
    for _ in 0..120 {
        let side = 1 + next(2) as i32;
        let price = 4_500.0 + (next(20) - 10) as f64 / 4.0;
        match next(6) {
            0 => drop(desk.bracket(1 + next(3) as i32, 1 + next(6) as i32, 1 + next(6) as i32)),
            1 => drop(desk.order(side, 1 + next(3) as i32, STOP, price)),
            2 => drop(desk.ask(ORDERS, &rti::RequestExitPosition::default())),
            3 => drop(desk.ask(ORDERS, &rti::RequestCancelAllOrders::default())),
            _ => drop(desk.order(side, 1 + next(3) as i32, LIMIT, price)),
        }
        told.extend(desk.wait(2 * SECOND + next(SECOND as i64 / 2) as u64));
    }
    let fills = fills(&told);
    assert!(fills.len() > 100, "{} fills", fills.len());
    // All in ticks of 12.50 dollars, from the notices alone.
    let (mut net, mut flow, mut contracts) = (0_i64, 0_i64, 0_i64);
    for fill in &fills {
        let sign = if fill.transaction_type == Some(BUY) { 1 } else { -1 };
        let size = i64::from(fill.fill_size());
        net += sign * size;
        flow -= sign * size * (fill.fill_price() * 4.0) as i64;
        contracts += size;
    }
    let position = desk.position();
    let last = 18_000 + trades[desk.gateway.market().position() - 1].0;
    let profit = (flow + net * last) as f64 * 12.5;
    assert_eq!((i64::from(position.net_quantity()), position.day_pnl()), (net, profit));
    let both: f64 = position.open_position_pnl().parse::<f64>().unwrap()
        + position.closed_position_pnl().parse::<f64>().unwrap();
    assert!((both - profit).abs() < 1e-6, "{both}");
    if net != 0 {
        let paid = net as f64 * 50.0 * (last as f64 / 4.0 - position.avg_open_fill_price());
        assert!((paid - position.day_open_pnl()).abs() < 1e-3, "{paid}");
    }
    let told = desk.ask(PROFIT, &rti::RequestPnLPositionSnapshot::default());
    let account: rti::AccountPnLPositionUpdate = told[1].decode();
    let balance = 100_000.0 + profit - contracts as f64 * 2.25;
    assert_eq!(account.account_balance().parse::<f64>().unwrap(), balance);
    check_history(&mut desk, &fills);
}

/// History and replay have the same fills, under the same names.
fn check_history(desk: &mut Desk, fills: &[rti::ExchangeOrderNotification]) {
    let rows = desk.ask(ORDERS, &rti::RequestShowFillHistory::default());
    let rows: Vec<_> = rows[..rows.len() - 1].iter().map(|row| row.decode()).collect();
    let row = |row: &rti::ResponseShowFillHistory| {
        (
            row.fill_id().to_owned(),
            row.basket_id().to_owned(),
            row.fill_price(),
            row.fill_size() as i32,
        )
    };
    let notice = |fill: &rti::ExchangeOrderNotification| {
        (
            fill.fill_id().to_owned(),
            fill.basket_id().to_owned(),
            fill.fill_price(),
            fill.fill_size(),
        )
    };
    assert!(rows.iter().map(row).eq(fills.iter().map(notice)));
    let replayed = desk.ask(ORDERS, &rti::RequestReplayExecutions::default());
    assert_eq!(replayed[0].template, 3507);
    let replayed = replayed[1..].iter().map(|told| told.exchange().unwrap());
    assert!(replayed.map(|fill| notice(&fill)).eq(fills.iter().map(notice)));
}

#[test]
fn who_connects_learns_the_account_and_wrong_orders_are_refused() {
    let mut desk = Desk::new(&[(0, 9), (0, 9)], |_| ());
    let info: rti::ResponseLoginInfo =
        desk.ask(ORDERS, &rti::RequestLoginInfo::default())[0].decode();
    assert_eq!((info.fcm_id(), info.ib_id(), info.user_type), ("SIM", "SIM", Some(3)));
    // Answers with several parts: data, and an end with a code.
    let told = desk.ask(ORDERS, &rti::RequestAccountList::default());
    let account: rti::ResponseAccountList = told[0].decode();
    assert_eq!((account.account_id(), account.rq_handler_rp_code.len()), ("SIM-1", 1));
    assert_eq!((told.len(), told[1].code.as_str()), (2, "0"));
    let routes: rti::ResponseTradeRoutes =
        desk.ask(ORDERS, &rti::RequestTradeRoutes::default())[0].decode();
    assert_eq!((routes.exchange(), routes.trade_route()), ("CME", "simulator"));
    let mut wrong: Vec<rti::RequestNewOrder> = vec![order(BUY, 1, LIMIT, 4_500.0); 8];
    wrong[0].quantity = Some(0);
    wrong[1].symbol = Some("ESH4".to_owned());
    wrong[2].trade_route = Some("another".to_owned());
    wrong[3].price = Some(4_500.1);
    wrong[4].price = None;
    wrong[5].price_type = Some(5);
    wrong[6].duration = Some(3);
    wrong[7].transaction_type = None;
    for request in wrong {
        let told = desk.ask(ORDERS, &request);
        assert_eq!((told.len(), told[0].template, told[0].code.as_str()), (1, 313, "6"));
    }
    let mut request = order(BUY, 1, LIMIT, 4_500.0);
    request.account_id = Some("another".to_owned());
    let told = desk.ask(ORDERS, &request);
    assert_eq!((told[0].template, told[0].code.as_str()), (75, "13"));
    let mut request = bracket(2, 4, 4);
    request.stop_quantity = vec![1];
    assert_eq!(desk.ask(ORDERS, &request)[0].code, "6");
    assert!(desk.working().is_empty());
    assert!(desk.gateway.due().is_none(), "the market has begun");
}

#[test]
fn only_those_are_told_who_have_subscribed() {
    let mut desk = Desk::new(&[(0, 9), (0, 9), (0, 9)], |_| ());
    desk.order(BUY, 1, MARKET, 0.0);
    let told = desk.wait(SECOND + SECOND / 2);
    let clients = |plant: std::ops::Range<i32>| {
        let told = told.iter().filter(move |told| plant.contains(&told.template));
        told.map(|told| told.client)
    };
    assert!(clients(351..354).count() > 0 && clients(351..354).all(|client| client == ORDERS));
    assert!(clients(450..452).count() > 0 && clients(450..452).all(|client| client == PROFIT));
    // A connection that is gone has no subscription, and its successor none either.
    desk.gateway.on(Input::Closed(ORDERS), Monotonic(desk.now));
    desk.gateway.on(Input::Connect(3), Monotonic(desk.now));
    assert_eq!(desk.ask(3, &login(2))[0].code, "0");
    assert_eq!(desk.ask(3, &order(BUY, 1, MARKET, 0.0))[0].code, "0");
    let told = desk.wait(2 * SECOND);
    assert!(told.iter().all(|told| told.client == PROFIT));
    assert_eq!(desk.position().net_quantity(), 2);
}
