//! A table, without effects, of the orders that were sent and their states.

use super::order::{Fill, FillId, OrderId};
use crate::market::Timestamp;

/// Orders in the table.
const MOST_ORDERS: usize = 64;
/// Fills by whose identity one that is reported again is recognised, at least.
const MOST_FILLS: usize = 1024;
/// Places of a table of fills, a power of two: half of them stay free.
const PLACES: usize = 2 * MOST_FILLS;

/// The state of an order: what was reported, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OrderState {
    /// Sent, without a report since.
    Sent,
    /// Without a report for longer than an answer takes. The order may work, may have filled, and
    /// may never have arrived.
    Unanswered,
    /// The venue has it.
    Working,
    /// Filled whole, cancelled or rejected. A fill that is reported later still counts.
    Ended,
}

#[derive(Clone, Copy, Debug)]
struct SentOrder {
    id: OrderId,
    quantity: u32,
    filled: u32,
    /// Contracts that the orders of its bracket have filled.
    exited: u32,
    state: OrderState,
    /// `true` while its cancellation waits for an answer.
    is_cancelling: bool,
    /// Time of the last message about it.
    sent: Timestamp,
}

impl SentOrder {
    /// Returns whether its bracket has filled more contracts than the order has, or can.
    fn has_exited_beyond(&self) -> bool {
        let has_ended = self.state == OrderState::Ended;
        self.exited > if has_ended { self.filled } else { self.quantity }
    }
}

/// The meaning of a reported fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reported {
    /// A fill of one of our orders.
    New,
    /// A fill of more contracts than the order was for, or of more in the order's bracket than the
    /// order can fill. Reports of the order's own fills may come later.
    Beyond,
    /// A fill that was reported before.
    Again,
    /// A fill of an order that was not sent from here, or is no longer in the table.
    Unknown,
}

/// The last orders sent and the last fills reported.
#[derive(Clone, Debug)]
pub(super) struct WorkingOrders {
    orders: Vec<SentOrder>,
    /// Place of the last order sent.
    last: usize,
    unanswered: usize,
    fills: Fills,
    /// Nanoseconds after which an order without a report is unanswered.
    answers_within: i64,
    deadline: Timestamp,
}

impl WorkingOrders {
    /// Creates an empty table. `i64::MAX` waits for every answer.
    pub(super) fn new(answers_within: i64) -> WorkingOrders {
        WorkingOrders {
            orders: Vec::with_capacity(MOST_ORDERS),
            last: 0,
            unanswered: 0,
            fills: Fills::new(),
            answers_within,
            deadline: Timestamp::MAX,
        }
    }

    /// Returns the time at which the next order becomes unanswered; `Timestamp::MAX` if none waits
    /// for an answer.
    #[inline]
    pub(super) fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// Returns whether an order is unanswered.
    pub(super) fn has_unanswered(&self) -> bool {
        self.unanswered > 0
    }

    /// Returns the state of an order; `None` if it is not in the table.
    #[cfg(test)]
    pub(super) fn state(&self, id: OrderId) -> Option<OrderState> {
        self.orders.iter().find(|order| order.id == id).map(|order| order.state)
    }

    /// Returns whether an order may still have an effect, as far as is known.
    pub(super) fn is_live(&self, id: OrderId) -> bool {
        let order = self.orders.iter().find(|order| order.id == id);
        order.is_some_and(|order| order.state != OrderState::Ended)
    }

    /// Returns whether the bracket of an order has filled more contracts than the order has, or
    /// can if it has not ended.
    pub(super) fn has_exited_beyond(&self, id: OrderId) -> bool {
        let order = self.orders.iter().find(|order| order.id == id);
        order.is_some_and(SentOrder::has_exited_beyond)
    }

    /// Waits for the answer to an order's cancellation.
    pub(super) fn ask_again(&mut self, id: OrderId, now: Timestamp) {
        if let Some(order) = self.find(id)
            && order.state != OrderState::Ended
        {
            (order.state, order.is_cancelling, order.sent) = (OrderState::Sent, true, now);
        }
        self.count();
    }

    /// Marks an order whose cancellation was rejected as working. Returns whether it is known. An
    /// order that has ended stays ended.
    pub(super) fn keep(&mut self, id: OrderId) -> bool {
        if let Some(order) = self.find(id) {
            order.is_cancelling = false;
        }
        self.accept(id)
    }

    /// Adds an order that is being sent. It replaces the oldest order that has ended, or else the
    /// oldest.
    pub(super) fn send(&mut self, id: OrderId, quantity: u32, now: Timestamp) {
        let order = SentOrder {
            id,
            quantity,
            filled: 0,
            exited: 0,
            state: OrderState::Sent,
            is_cancelling: false,
            sent: now,
        };
        if self.orders.len() < MOST_ORDERS {
            self.last = self.orders.len();
            self.orders.push(order);
        } else {
            let mut places = (1..=MOST_ORDERS).map(|step| (self.last + step) % MOST_ORDERS);
            let oldest = (self.last + 1) % MOST_ORDERS;
            let has_ended = |&place: &usize| self.orders[place].state == OrderState::Ended;
            self.last = places.find(has_ended).unwrap_or(oldest);
            self.orders[self.last] = order;
        }
        self.count();
    }

    /// Marks an order as working. Returns whether it is known. An order that has ended stays ended,
    /// and a cancellation keeps waiting for its own answer.
    pub(super) fn accept(&mut self, id: OrderId) -> bool {
        self.answer(id, OrderState::Working)
    }

    /// Marks an order as ended. Returns whether it, or the entry of its bracket, is known.
    pub(super) fn end(&mut self, id: OrderId) -> bool {
        self.answer(id, OrderState::Ended)
    }

    /// Marks all orders as ended.
    pub(super) fn end_all(&mut self) {
        for order in &mut self.orders {
            order.state = OrderState::Ended;
        }
        self.count();
    }

    /// Takes a reported fill.
    pub(super) fn fill(&mut self, fill: &Fill) -> Reported {
        if self.fills.has(fill.id) {
            return Reported::Again;
        }
        let parent = fill.order.entry();
        let Some(order) = self.find(parent) else {
            return Reported::Unknown;
        };
        let is_beyond = if order.id == fill.order {
            order.filled = order.filled.saturating_add(fill.quantity);
            if order.filled >= order.quantity {
                order.state = OrderState::Ended;
            } else if order.state != OrderState::Ended && !order.is_cancelling {
                order.state = OrderState::Working;
            }
            order.filled > order.quantity || order.has_exited_beyond()
        } else {
            order.exited = order.exited.saturating_add(fill.quantity);
            order.has_exited_beyond()
        };
        self.fills.add(fill.id);
        self.count();
        if is_beyond { Reported::Beyond } else { Reported::New }
    }

    /// Marks the orders whose time is over at `now` as unanswered, and returns their number.
    pub(super) fn on_time(&mut self, now: Timestamp) -> u64 {
        let within = self.answers_within;
        let silent = self.orders.iter_mut().filter(|order| {
            order.state == OrderState::Sent && order.sent.saturating_add(within) <= now
        });
        let mut count = 0;
        for order in silent {
            order.state = OrderState::Unanswered;
            count += 1;
        }
        self.count();
        count
    }

    fn answer(&mut self, id: OrderId, state: OrderState) -> bool {
        let parent = id.entry();
        let Some(order) = self.find(parent) else {
            return false;
        };
        let is_answered = state == OrderState::Ended || !order.is_cancelling;
        if order.id == id && order.state != OrderState::Ended && is_answered {
            order.state = state;
        }
        self.count();
        true
    }

    /// Returns the order of this name. It is nearly always one of the last.
    fn find(&mut self, id: OrderId) -> Option<&mut SentOrder> {
        let count = self.orders.len();
        let mut newest_first = (0..count).map(|step| (self.last + count - step) % count);
        let place = newest_first.find(|&place| self.orders[place].id == id)?;
        Some(&mut self.orders[place])
    }

    /// Counts the unanswered orders and computes the next deadline.
    fn count(&mut self) {
        if self.answers_within == i64::MAX {
            return;
        }
        let has = |state| move |order: &&SentOrder| order.state == state;
        self.unanswered = self.orders.iter().filter(has(OrderState::Unanswered)).count();
        let sent = self.orders.iter().filter(has(OrderState::Sent)).map(|order| order.sent).min();
        let deadline = sent.map(|sent| sent.saturating_add(self.answers_within));
        self.deadline = deadline.unwrap_or(Timestamp::MAX);
    }
}

/// The identities of the fills that were reported last, [`MOST_FILLS`] of them or more: two hash
/// tables, of which the older is emptied and becomes the newer when the newer is half full.
#[derive(Clone, Debug)]
struct Fills {
    newer: Vec<Option<FillId>>,
    older: Vec<Option<FillId>>,
    /// Fills in the newer table.
    count: usize,
}

impl Fills {
    fn new() -> Fills {
        Fills { newer: vec![None; PLACES], older: vec![None; PLACES], count: 0 }
    }

    /// Returns whether a fill is among them.
    fn has(&self, id: FillId) -> bool {
        [&self.newer, &self.older].into_iter().any(|table| table[place(table, id)].is_some())
    }

    /// Adds a fill that is not among them.
    fn add(&mut self, id: FillId) {
        let place = place(&self.newer, id);
        self.newer[place] = Some(id);
        self.count += 1;
        if self.count == MOST_FILLS {
            std::mem::swap(&mut self.newer, &mut self.older);
            self.newer.fill(None);
            self.count = 0;
        }
    }
}

/// Returns the place of a fill in a table, or the free place that it would get.
fn place(table: &[Option<FillId>], id: FillId) -> usize {
    // The upper bits of this product spread numbers that follow each other, and any others.
    let hash = id.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - PLACES.trailing_zeros());
    let mut place = hash as usize;
    while table[place].is_some_and(|other| other != id) {
        place = (place + 1) % PLACES;
    }
    place
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::execution::{Bracket, Purpose};
    use crate::market::{Money, Price, Side};
    use proptest::prelude::*;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    fn fill(id: u64, order: OrderId, quantity: u32) -> Fill {
        Fill {
            id: FillId(id),
            order,
            side: Side::Buy,
            quantity,
            price: Price::ZERO,
            slippage: Money::ZERO,
            commission: Money::ZERO,
            time: at(0),
            purpose: Purpose::Entry(Bracket::default()),
            contract: 0,
        }
    }

    #[test]
    fn an_order_goes_from_sent_over_working_to_ended_and_never_back() {
        let id = OrderId(1);
        let mut orders = WorkingOrders::new(10);
        assert!(!orders.accept(id));
        orders.send(id, 3, at(0));
        assert_eq!((orders.state(id), orders.deadline()), (Some(OrderState::Sent), at(10)));
        assert_eq!(orders.on_time(at(9)), 0);
        assert_eq!(orders.on_time(at(10)), 1);
        assert_eq!((orders.has_unanswered(), orders.deadline()), (true, Timestamp::MAX));
        assert!(orders.accept(id));
        assert_eq!((orders.has_unanswered(), orders.on_time(at(99))), (false, 0));
        assert_eq!(orders.fill(&fill(1, id, 2)), Reported::New);
        assert_eq!(orders.state(id), Some(OrderState::Working));
        // A bracket's order is known by its entry, and does not change the entry's state.
        assert!(orders.end(id.stop_loss()));
        assert_eq!(orders.fill(&fill(2, id.profit_target(), 2)), Reported::New);
        assert_eq!(orders.state(id), Some(OrderState::Working));
        assert_eq!(orders.fill(&fill(3, id, 1)), Reported::New);
        assert_eq!(orders.state(id), Some(OrderState::Ended));
        assert!(orders.accept(id));
        assert_eq!(orders.state(id), Some(OrderState::Ended));
    }

    #[test]
    fn a_fill_counts_once_and_only_if_its_order_is_known() {
        let mut orders = WorkingOrders::new(i64::MAX);
        orders.send(OrderId(1), 5_000, at(0));
        assert_eq!(orders.fill(&fill(7, OrderId(2), 1)), Reported::Unknown);
        assert_eq!(orders.fill(&fill(7, OrderId(1), 1)), Reported::New);
        assert_eq!(orders.fill(&fill(7, OrderId(1), 1)), Reported::Again);
        // Two fills of the same quantity at the same time are two.
        assert_eq!(orders.fill(&fill(8, OrderId(1), 1)), Reported::New);
    }

    proptest! {
        /// Any of the last 1,024 fills is recognised, one that is new is not, and one that is
        /// older than 2,048 has been forgotten. The identities collide a lot.
        #[test]
        fn the_last_fills_are_recognised(
            ids in prop::collection::vec(prop_oneof![0_u64..4_000, any::<u64>()], 1..3_000),
        ) {
            let (mut fills, mut reported) = (Fills::new(), Vec::new());
            for id in ids {
                let age = reported.iter().rev().position(|&other| other == id);
                match age {
                    None => prop_assert!(!fills.has(FillId(id))),
                    Some(age) if age < MOST_FILLS => prop_assert!(fills.has(FillId(id))),
                    Some(age) if age >= 2 * MOST_FILLS => prop_assert!(!fills.has(FillId(id))),
                    Some(_) => {}
                }
                if !fills.has(FillId(id)) {
                    fills.add(FillId(id));
                    reported.push(id);
                }
            }
        }
    }

    #[test]
    fn fills_beyond_an_order_or_its_bracket_are_told_apart() {
        let mut orders = WorkingOrders::new(i64::MAX);
        let id = OrderId(1);
        orders.send(id, 3, at(0));
        assert_eq!(orders.fill(&fill(1, id, 2)), Reported::New);
        assert_eq!(orders.fill(&fill(2, id.stop_loss(), 2)), Reported::New);
        // The target of a bracket whose stop has closed it.
        assert_eq!(orders.fill(&fill(3, id.profit_target(), 2)), Reported::Beyond);
        assert_eq!(orders.fill(&fill(4, id, 2)), Reported::Beyond);
        assert_eq!(orders.fill(&fill(4, id, 2)), Reported::Again);
    }

    proptest! {
        /// The order of the reports before the entry's end does not matter: what is beyond is a
        /// matter of sums.
        #[test]
        fn fills_are_beyond_by_their_sums_in_any_order(
            quantity in 1_u32..8,
            reports in prop::collection::vec((0..3_u8, 1_u32..4), 0..8)
                .prop_flat_map(|reports| (Just(reports.clone()), Just(reports).prop_shuffle())),
        ) {
            let id = OrderId(1);
            let is_beyond = |reports: &[(u8, u32)]| {
                let mut orders = WorkingOrders::new(i64::MAX);
                orders.send(id, quantity, at(0));
                let mut is_beyond = false;
                for (&(kind, count), number) in reports.iter().zip(1..) {
                    let order = [id, id.stop_loss(), id.profit_target()][usize::from(kind)];
                    let reported = orders.fill(&fill(number, order, count));
                    is_beyond |= reported == Reported::Beyond;
                }
                orders.end(id);
                is_beyond || orders.has_exited_beyond(id)
            };
            let sum = |is_entry| -> u32 {
                let of = reports.0.iter().filter(|&&(kind, _)| (kind == 0) == is_entry);
                of.map(|&(_, count)| count).sum()
            };
            let (entered, exited) = (sum(true), sum(false));
            let expected = entered > quantity || exited > entered;
            prop_assert_eq!(is_beyond(&reports.0), expected);
            prop_assert_eq!(is_beyond(&reports.1), expected);
        }
    }

    #[test]
    fn a_cancellation_waits_for_its_own_answer() {
        let id = OrderId(1);
        let mut orders = WorkingOrders::new(10);
        orders.send(id, 3, at(0));
        orders.ask_again(id, at(5));
        // What was reported before the cancellation arrived is no answer to it.
        orders.accept(id);
        orders.fill(&fill(1, id, 1));
        assert_eq!((orders.state(id), orders.deadline()), (Some(OrderState::Sent), at(15)));
        assert_eq!(orders.on_time(at(15)), 1);
        orders.accept(id);
        assert!(orders.has_unanswered());
        assert!(orders.keep(id));
        assert_eq!(orders.state(id), Some(OrderState::Working));
        orders.ask_again(id, at(20));
        assert!(orders.end(id) && orders.keep(id));
        assert_eq!(orders.state(id), Some(OrderState::Ended));
        assert!(!orders.keep(OrderId(2)));
    }

    /// A working order is remembered longer than one that has ended.
    #[test]
    fn the_oldest_order_that_has_ended_makes_room() {
        let mut orders = WorkingOrders::new(i64::MAX);
        for id in 1..=MOST_ORDERS as u64 {
            orders.send(OrderId(id), 1, at(0));
        }
        orders.end(OrderId(3));
        orders.end(OrderId(2));
        orders.send(OrderId(65), 1, at(0));
        assert!(!orders.accept(OrderId(2)));
        assert!(orders.accept(OrderId(1)) && orders.accept(OrderId(3)));
    }
}
