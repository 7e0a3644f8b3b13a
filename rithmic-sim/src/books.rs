//! The account: its orders at the exchange, its fills and its positions.

use std::collections::VecDeque;

use algospace_hft::execution::{
    Bracket, ExecutionSettings, Fill, Ledger, Order as ExchangeOrder, OrderId, OrderKind,
    OrderMessage, Purpose, RejectReason, ReportKind, SimulatedExchange, Venue,
};
use algospace_hft::market::{Calendar, Money, Price, Side, Tick, TickFlags, Timestamp};
use algospace_hft_rithmic::wire::rti;
use rti::exchange_order_notification::NotifyType as Exchange;
use rti::rithmic_order_notification::NotifyType as Rithmic;

use crate::faults::{Draw, draws};
use crate::gateway::Settings;
use crate::market::Market;
use crate::messages::stamp;
use crate::script::Quirks;

/// The name of the first order; the others are counted on from it.
const FIRST_BASKET: usize = 1_000_001;
/// A day order: it ends with the session.
pub(crate) const DAY: i32 = 1;
/// A second of the market, in nanoseconds.
const SECOND: i64 = 1_000_000_000;

/// The state of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// On its way to the exchange.
    Pending,
    /// In the book, or at the market.
    Open,
    /// A stop that waits for its price.
    TriggerPending,
    Filled,
    Cancelled,
    Rejected,
}

/// A new order, as a request describes it.
#[derive(Clone, Debug)]
pub(crate) struct NewOrder {
    pub(crate) user_tag: Option<String>,
    pub(crate) contract: u16,
    pub(crate) side: Side,
    pub(crate) quantity: u32,
    pub(crate) kind: OrderKind,
    pub(crate) duration: i32,
    pub(crate) bracket: Bracket,
}

/// An order, as the gateway knows it.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) new: NewOrder,
    /// Its name at the exchange.
    id: OrderId,
    pub(crate) filled: u32,
    /// Sum of price units by contracts.
    paid: i128,
    pub(crate) status: Status,
    /// The entry to whose bracket it belongs, by its place.
    pub(crate) entry: Option<usize>,
    /// The price of its first fill.
    pub(crate) first_fill: Option<Price>,
}

impl Order {
    /// Returns whether it may fill or be cancelled.
    pub(crate) fn is_working(&self) -> bool {
        matches!(self.status, Status::Pending | Status::Open | Status::TriggerPending)
    }

    /// Returns the contracts that are not filled.
    pub(crate) fn left(&self) -> u32 {
        self.new.quantity - self.filled
    }

    /// Returns the average price of its fills.
    pub(crate) fn average(&self) -> Option<f64> {
        let price = || self.paid as f64 / f64::from(self.filled) / Price::SCALE as f64;
        (self.filled > 0).then(price)
    }

    /// Returns whether it is the stop of a bracket.
    pub(crate) fn is_stop_of_bracket(&self) -> bool {
        self.id != self.id.entry() && self.id == self.id.entry().stop_loss()
    }
}

/// Returns the name of the order at that place.
pub(crate) fn basket(place: usize) -> String {
    (FIRST_BASKET + place).to_string()
}

/// A message under way to the exchange.
#[derive(Clone, Copy, Debug)]
enum Message {
    Submit,
    Cancel,
    Modify { kind: OrderKind, quantity: u32 },
}

/// The subject of a notice: who has not subscribed to it is not told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topic {
    Orders,
    Brackets,
    Profit,
}

/// A message for all who have subscribed.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// The market's time at which it is told.
    pub(crate) due: Timestamp,
    pub(crate) topic: Topic,
    pub(crate) frame: Vec<u8>,
}

/// One contract's side of the account.
#[derive(Clone, Debug)]
pub(crate) struct Contract {
    pub(crate) symbol: String,
    exchange: SimulatedExchange,
    pub(crate) ledger: Ledger,
    /// Contracts bought and sold.
    pub(crate) traded: [u32; 2],
    pub(crate) commission: Money,
    /// The last traded price.
    pub(crate) last: Option<Price>,
    /// The time at which the profit was told last.
    told: Timestamp,
}

impl Contract {
    /// Returns the contracts that the exchange holds for the account.
    pub(crate) fn position(&self) -> i64 {
        self.exchange.position()
    }
}

/// The account. All times are the market's. It takes messages with their latency, and leaves
/// notices that become due.
#[derive(Clone, Debug)]
pub(crate) struct Books {
    pub(crate) account: String,
    /// Money at the start.
    pub(crate) balance: Money,
    pub(crate) user: String,
    /// The seed of what is random in the quirks.
    pub(crate) seed: u64,
    pub(crate) quirks: Quirks,
    pub(crate) product: String,
    pub(crate) tick_size: Price,
    pub(crate) point_value: Money,
    pub(crate) execution: ExecutionSettings,
    pub(crate) calendar: Calendar,
    /// Nanoseconds by which the gateway's clock is ahead of the exchange's.
    pub(crate) skew: i64,
    /// The close of the session of the last tick.
    close: Timestamp,
    pub(crate) contracts: Vec<Contract>,
    /// All orders that ever were, in the order of their names.
    pub(crate) orders: Vec<Order>,
    /// All fills, as they were told.
    pub(crate) fills: Vec<rti::ExchangeOrderNotification>,
    under_way: VecDeque<(Timestamp, usize, Message)>,
    pub(crate) notices: VecDeque<Notice>,
    /// Notices so far.
    pub(crate) sequence: u64,
}

impl Books {
    /// Creates an account without orders.
    pub(crate) fn new(settings: &Settings, market: &Market) -> Books {
        let Settings { account, user, script, .. } = settings;
        let (instrument, execution) = (market.instrument(), account.execution);
        let contract = |symbol: &String| {
            let (tick_size, point_value) = (instrument.tick_size, instrument.point_value);
            let mut exchange = SimulatedExchange::new(execution, tick_size, point_value);
            exchange.let_exits_open();
            Contract {
                symbol: symbol.clone(),
                exchange,
                ledger: Ledger::new(Money::ZERO, point_value),
                traded: [0; 2],
                commission: Money::ZERO,
                last: None,
                told: Timestamp::MIN,
            }
        };
        Books {
            account: account.name.clone(),
            balance: account.balance,
            user: user.clone(),
            seed: script.seed,
            quirks: script.quirks.clone(),
            product: instrument.symbol.clone(),
            tick_size: instrument.tick_size,
            point_value: instrument.point_value,
            execution,
            calendar: instrument.calendar,
            skew: 0,
            close: instrument.calendar.session_at_or_after(market.time()).close,
            contracts: market.symbols().iter().map(contract).collect(),
            orders: Vec::new(),
            fills: Vec::new(),
            under_way: VecDeque::new(),
            notices: VecDeque::new(),
            sequence: 0,
        }
    }

    /// Returns the gateway's stamp of a time: seconds and microseconds.
    pub(crate) fn gateway_stamp(&self, time: Timestamp) -> (i32, i32) {
        stamp(time.saturating_add(self.skew))
    }

    /// Returns the time at which the next message arrives or the next notice is told.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        let arrival = self.under_way.front().map(|message| message.0);
        let notice = self.notices.front().map(|notice| notice.due);
        [arrival, notice].into_iter().flatten().min()
    }

    /// Sends an order. Returns its place.
    pub(crate) fn submit(&mut self, new: NewOrder, now: Timestamp) -> usize {
        let place = self.add(new, OrderId(self.orders.len() as u64 + 1), None);
        self.tell_way(place, now);
        self.send(place, Message::Submit, now);
        place
    }

    /// Sends a cancellation of a working order.
    pub(crate) fn cancel(&mut self, place: usize, now: Timestamp) {
        use Rithmic::{CancelRcvdByExchGtwy, CancelRcvdFromClnt, CancelSentToExch};
        for step in [CancelRcvdFromClnt, CancelRcvdByExchGtwy, CancelSentToExch] {
            self.tell_rithmic(place, step, now);
        }
        self.send(place, Message::Cancel, now);
    }

    /// Sends a modification of a working order: its price, and the contracts that it is for.
    pub(crate) fn modify(&mut self, place: usize, kind: OrderKind, quantity: u32, now: Timestamp) {
        use Rithmic::{ModifyRcvdByExchGtwy, ModifyRcvdFromClnt, ModifySentToExch};
        for step in [ModifyRcvdFromClnt, ModifyRcvdByExchGtwy, ModifySentToExch] {
            self.tell_rithmic(place, step, now);
        }
        self.send(place, Message::Modify { kind, quantity }, now);
    }

    /// Sends a market order that closes the position of a contract. Returns `false` if there is no
    /// position.
    pub(crate) fn exit(&mut self, contract: u16, now: Timestamp) -> bool {
        let position = self.contracts[usize::from(contract)].position();
        let side = if position > 0 { Side::Sell } else { Side::Buy };
        if position != 0 {
            self.trade(contract, side, position.unsigned_abs() as u32, now);
        }
        position != 0
    }

    /// Sends a market order that no client has named.
    pub(crate) fn trade(&mut self, contract: u16, side: Side, quantity: u32, now: Timestamp) {
        let (kind, duration, bracket) = (OrderKind::Market, DAY, Bracket::default());
        let user_tag = None;
        self.submit(NewOrder { user_tag, contract, side, quantity, kind, duration, bracket }, now);
    }

    /// Returns the places of the orders that work.
    pub(crate) fn working(&self) -> Vec<usize> {
        (0..self.orders.len()).filter(|&place| self.orders[place].is_working()).collect()
    }

    /// Returns the other side of a bracket.
    pub(crate) fn sibling(&self, place: usize) -> Option<usize> {
        let entry = self.orders[place].entry?;
        let is_other = |other: &usize| *other != place && self.orders[*other].entry == Some(entry);
        (0..self.orders.len()).find(is_other)
    }

    /// Lets the messages arrive that are due.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        while let Some(&(arrival, place, message)) = self.under_way.front()
            && arrival <= now
        {
            self.under_way.pop_front();
            self.deliver(place, message, arrival);
        }
    }

    /// Matches a trade.
    pub(crate) fn on_tick(&mut self, tick: &Tick) {
        if tick.time >= self.close {
            self.end_session();
            self.close = self.calendar.session_at_or_after(tick.time).close;
        }
        self.advance(tick.time);
        // The client is told trades, also where they were made from bars.
        let mut tick = *tick;
        tick.flags = TickFlags::NONE;
        let contract = &mut self.contracts[usize::from(tick.contract)];
        contract.exchange.on_tick(&tick);
        contract.last = Some(tick.price);
        let is_due = tick.time.saturating_add(-SECOND) >= contract.told;
        let is_open = contract.position() != 0;
        self.collect(tick.contract, tick.time);
        if is_due && is_open {
            self.tell_profit(tick.contract, tick.time);
        }
    }

    /// Cancels the day orders.
    fn end_session(&mut self) {
        self.advance(self.close);
        for place in self.working() {
            let order = &self.orders[place];
            // What is under way belongs to the next session.
            if order.new.duration == DAY && order.status != Status::Pending {
                self.deliver(place, Message::Cancel, self.close);
            }
        }
    }

    fn add(&mut self, new: NewOrder, id: OrderId, entry: Option<usize>) -> usize {
        let (filled, paid, first_fill, status) = (0, 0, None, Status::Pending);
        self.orders.push(Order { new, id, filled, paid, status, entry, first_fill });
        self.orders.len() - 1
    }

    fn send(&mut self, place: usize, message: Message, now: Timestamp) {
        let arrival = now.saturating_add(self.execution.order_latency());
        self.under_way.push_back((arrival, place, message));
    }

    /// Gives a message to the exchange.
    fn deliver(&mut self, place: usize, message: Message, at: Timestamp) {
        let Order { new, id, filled, .. } = self.orders[place].clone();
        let exchange = &mut self.contracts[usize::from(new.contract)].exchange;
        let due = at.saturating_add(self.execution.acknowledgement_latency());
        match message {
            Message::Submit => {
                let NewOrder { contract, side, quantity, kind, bracket, .. } = new;
                let is_lost = draws(self.seed, Draw::Bracket, place, self.quirks.bracket_loss);
                let bracket = if is_lost { Bracket::default() } else { bracket };
                let purpose = Purpose::Entry(bracket);
                let order = ExchangeOrder { id, contract, side, quantity, kind, purpose };
                exchange.receive_now(OrderMessage::Submit(order), at);
            }
            Message::Cancel => {
                if exchange.working().any(|(order, _)| order.id == id) {
                    exchange.receive_now(OrderMessage::Cancel(id), at);
                } else {
                    self.tell_exchange(place, Exchange::NotCancelled, due, None);
                    self.tell_rithmic(place, Rithmic::CancellationFailed, due);
                }
            }
            Message::Modify { kind, quantity } => {
                if quantity > filled && exchange.modify(id, kind, quantity - filled) {
                    let order = &mut self.orders[place].new;
                    (order.kind, order.quantity) = (kind, quantity);
                    self.tell_modified(place, due);
                } else {
                    self.tell_exchange(place, Exchange::NotModified, due, None);
                    self.tell_rithmic(place, Rithmic::ModificationFailed, due);
                }
            }
        }
        self.collect(new.contract, at);
    }

    /// Takes what the exchange reports of a contract, and looks what it has made without a report:
    /// the orders of brackets.
    fn collect(&mut self, contract: u16, at: Timestamp) {
        let index = usize::from(contract);
        while let Some(report) = self.contracts[index].exchange.take_report(Timestamp::MAX) {
            let due = report.arrives;
            match report.kind {
                ReportKind::Accepted(id) => self.on_accepted(id, due),
                ReportKind::Rejected(id, reason) => self.on_rejected(id, reason, due),
                ReportKind::Cancelled(id) => self.on_cancelled(id, due),
                ReportKind::Filled(fill) => self.on_filled(&fill, due),
                ReportKind::CancelRejected(_) => {}
            }
        }
        let due = at.saturating_add(self.execution.acknowledgement_latency());
        let working = self.contracts[index].exchange.working();
        let working: Vec<_> = working.map(|(order, left)| (*order, left)).collect();
        let (mut made, mut brackets) = (Vec::new(), Vec::new());
        for (order, left) in working {
            let entry = self.place(order.id.entry());
            match self.place(order.id).filter(|&place| self.orders[place].is_working()) {
                None => made.push(self.add_made(order, left)),
                Some(place) => {
                    debug_assert!(self.orders[place].left() == left, "a fill was not told");
                    continue;
                }
            }
            brackets.extend(entry);
        }
        for place in made {
            self.tell_way(place, due);
            self.on_accepted(self.orders[place].id, due);
        }
        brackets.dedup();
        for entry in brackets {
            self.tell_bracket(entry, due);
        }
    }

    fn place(&self, id: OrderId) -> Option<usize> {
        self.orders.iter().rposition(|order| order.id == id)
    }

    fn on_accepted(&mut self, id: OrderId, due: Timestamp) {
        let Some(place) = self.place(id) else { return };
        let order = &mut self.orders[place];
        let is_stop =
            matches!(order.new.kind, OrderKind::Stop { .. } | OrderKind::StopLimit { .. });
        order.status = if is_stop { Status::TriggerPending } else { Status::Open };
        self.tell_exchange(place, Exchange::Status, due, None);
        if is_stop {
            self.tell_rithmic(place, Rithmic::TriggerPending, due);
        }
        if !is_stop || self.quirks.stops_open {
            self.tell_rithmic(place, Rithmic::Open, due);
        }
    }

    fn on_rejected(&mut self, id: OrderId, reason: RejectReason, due: Timestamp) {
        let Some(place) = self.place(id) else { return };
        self.orders[place].status = Status::Rejected;
        debug_assert!(reason == RejectReason::TooManyOrders, "a quantity was checked");
        self.tell_exchange(place, Exchange::Reject, due, None);
        self.tell_rithmic(place, Rithmic::Complete, due);
    }

    fn on_cancelled(&mut self, id: OrderId, due: Timestamp) {
        let Some(place) = self.place(id) else { return };
        self.orders[place].status = Status::Cancelled;
        self.tell_exchange(place, Exchange::Cancel, due, None);
        self.tell_rithmic(place, Rithmic::Complete, due);
    }

    fn on_filled(&mut self, fill: &Fill, due: Timestamp) {
        let Some(place) = self.place(fill.order) else { return };
        if self.orders[place].status == Status::TriggerPending {
            self.orders[place].status = Status::Open;
            self.tell_exchange(place, Exchange::Trigger, due, None);
        }
        let order = &mut self.orders[place];
        order.filled += fill.quantity;
        order.paid += i128::from(fill.price.units()) * i128::from(fill.quantity);
        order.first_fill.get_or_insert(fill.price);
        let is_whole = order.left() == 0;
        if is_whole {
            order.status = Status::Filled;
        }
        let contract = &mut self.contracts[usize::from(fill.contract)];
        contract.traded[usize::from(fill.side == Side::Sell)] += fill.quantity;
        contract.commission += fill.commission;
        contract.ledger.on_fill(fill, contract.last.unwrap_or(fill.price));
        self.tell_exchange(place, Exchange::Fill, due, Some(fill));
        if is_whole {
            self.tell_rithmic(place, Rithmic::Complete, due);
        }
        self.resize_bracket(place, fill.quantity, due);
        self.tell_profit(fill.contract, due);
    }

    /// Follows the exchange, which reports no change of a bracket: its orders grow with the fills
    /// of their entry, and shrink with those of each other.
    fn resize_bracket(&mut self, filled: usize, quantity: u32, due: Timestamp) {
        let entry = self.orders[filled].entry;
        let mut has_changed = false;
        for place in self.working() {
            let order = &mut self.orders[place];
            if order.entry == Some(filled) {
                order.new.quantity += quantity;
            } else if place != filled && entry.is_some() && order.entry == entry {
                // What is left of nothing is cancelled, which is reported.
                if order.left() <= quantity {
                    continue;
                }
                order.new.quantity -= quantity;
            } else {
                continue;
            }
            has_changed = true;
            self.tell_modified(place, due);
        }
        if has_changed {
            self.tell_bracket(entry.unwrap_or(filled), due);
        }
    }

    /// Takes note of an order that a bracket has made. Returns its place.
    fn add_made(&mut self, made: ExchangeOrder, quantity: u32) -> usize {
        let entry = self.place(made.id.entry());
        let duration = entry.map_or(DAY, |entry| self.orders[entry].new.duration);
        let ExchangeOrder { id, contract, side, kind, .. } = made;
        let (user_tag, bracket) = (None, Bracket::default());
        let new = NewOrder { user_tag, contract, side, quantity, kind, duration, bracket };
        self.add(new, id, entry)
    }

    /// Tells the steps of an order to the exchange.
    fn tell_way(&mut self, place: usize, due: Timestamp) {
        use Rithmic::{OrderRcvdByExchGtwy, OrderRcvdFromClnt, OrderSentToExch};
        for step in [OrderRcvdFromClnt, OrderRcvdByExchGtwy, OrderSentToExch] {
            self.tell_rithmic(place, step, due);
        }
    }

    fn tell_modified(&mut self, place: usize, due: Timestamp) {
        self.tell_exchange(place, Exchange::Modify, due, None);
        self.tell_rithmic(place, Rithmic::Modified, due);
    }

    fn tell_profit(&mut self, contract: u16, due: Timestamp) {
        self.contracts[usize::from(contract)].told = due;
        for frame in [self.contract_profit(contract, false, due), self.account_profit(false, due)] {
            self.notices.push_back(Notice { due, topic: Topic::Profit, frame });
        }
    }
}
