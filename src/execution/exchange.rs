//! The other side of the line: an exchange that fills our orders from the trades of the history.

use std::collections::VecDeque;

use super::order::{
    Bracket, Fill, Order, OrderId, OrderKind, OrderMessage, OrderPort, Purpose, RejectReason,
    Report, ReportKind,
};
use crate::market::{Money, Price, Side, Tick, TickFlags, Timestamp};
use crate::performance::ExitReason;

/// Orders that can work at once, and messages that can be under way at once.
const MOST_ORDERS: usize = 64;

/// What a market order pays beyond the traded price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slippage {
    /// Always so many ticks.
    pub ticks: u32,
    /// Also the spread: a buy pays the best ask and a sell gets the best bid. Where the history has no
    /// quotes, the side that took liquidity tells which of the two the trade was; where it does not
    /// tell that either, the other side is taken to be `assumed_spread_ticks` away.
    pub cross_spread: bool,
    /// The spread where the history has no quotes.
    pub assumed_spread_ticks: u32,
}

/// When a resting limit order fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitFill {
    /// When the market trades through its price: our place in the queue is unknown, so last.
    Through,
    /// When the market trades at its price: optimistic.
    Touch,
}

/// How the simulated exchange treats us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExchangeSettings {
    /// Smallest price step.
    pub tick_size: Price,
    /// Money for one contract and one point.
    pub point_value: Money,
    /// Nanoseconds from our decision until an order is at the exchange (≥ 0).
    pub order_latency: i64,
    /// Nanoseconds from an event at the exchange until we know (≥ 0).
    pub acknowledgement_latency: i64,
    /// Commission for one contract and one side (≥ 0).
    pub commission_per_side: Money,
    /// What market orders pay.
    pub slippage: Slippage,
    /// When limit orders fill.
    pub limit_fill: LimitFill,
}

/// Fills orders from the trades of the history. See the [module](super) for the rules.
#[derive(Clone, Debug)]
pub struct SimulatedExchange {
    settings: ExchangeSettings,
    under_way: VecDeque<(Timestamp, OrderMessage)>,
    working: Vec<WorkingOrder>,
    reports: VecDeque<Report>,
    position: i64,
    /// Arrival of the next message; `Timestamp::MAX` if there is none.
    next_arrival: Timestamp,
    /// While trades stay within these prices (inclusive) no working order can change.
    quiet_from: Price,
    quiet_to: Price,
    /// Counts the ticks that were matched, to keep an order from filling on the tick that made it.
    matched: u64,
    /// Range of the history bar whose ticks are being played.
    bar_high: Price,
    bar_low: Price,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A stop that has not been triggered.
    Waiting,
    /// A limit order that may take liquidity: the market has been within its limit ever since it came.
    FreshLimit,
    /// A limit order in the book.
    Resting,
    /// Fills at the market; a stop fills so with its trigger as the price it could expect.
    Marketable { expected: Option<Price> },
}

#[derive(Clone, Copy, Debug)]
struct WorkingOrder {
    order: Order,
    remaining: u32,
    state: State,
    /// The other side of its bracket.
    sibling: Option<OrderId>,
    /// The match in which a bracket's order was made; 0 for an order that arrived.
    made_in: u64,
    /// Made by an entry at an unknown time inside the history bar that is being played.
    from_inside_bar: bool,
    /// A limit order that the history bar being played has reached.
    reached: bool,
    /// Gone at the end of this match.
    done: bool,
}

impl OrderId {
    /// The stop of the bracket that came with this entry.
    pub const fn stop_loss(self) -> OrderId {
        OrderId(self.0 | 1 << 62)
    }

    /// The target of the bracket that came with this entry.
    pub const fn profit_target(self) -> OrderId {
        OrderId(self.0 | 1 << 63)
    }

    /// The entry that a bracket's order came with; any other order itself.
    pub const fn entry(self) -> OrderId {
        OrderId(self.0 & !(3 << 62))
    }
}

impl SimulatedExchange {
    /// An exchange without orders.
    pub fn new(settings: ExchangeSettings) -> SimulatedExchange {
        SimulatedExchange {
            settings,
            under_way: VecDeque::with_capacity(MOST_ORDERS),
            working: Vec::with_capacity(MOST_ORDERS),
            reports: VecDeque::with_capacity(1024),
            position: 0,
            next_arrival: Timestamp::MAX,
            quiet_from: Price::MIN,
            quiet_to: Price::MAX,
            matched: 0,
            bar_high: Price::MIN,
            bar_low: Price::MAX,
        }
    }

    /// When the next report reaches us; `Timestamp::MAX` if none is under way.
    #[inline]
    pub fn next_report(&self) -> Timestamp {
        self.reports.front().map_or(Timestamp::MAX, |report| report.arrives)
    }

    /// The next report that has reached us by `now`.
    pub fn take_report(&mut self, now: Timestamp) -> Option<Report> {
        self.reports.pop_front_if(|report| report.arrives <= now)
    }

    /// Contracts that the exchange holds for us.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Orders in the book or waiting for their trigger, and messages on their way.
    pub fn orders(&self) -> usize {
        self.working.len() + self.under_way.len()
    }

    /// When the next message arrives, and the prices (inclusive) within which no working order can
    /// change. A plain trade before the first and within the second need not be shown to the exchange.
    pub fn calm(&self) -> (Timestamp, Price, Price) {
        (self.next_arrival, self.quiet_from, self.quiet_to)
    }

    /// Cancels the entries that wait; exits stay for the next session.
    pub fn on_session_end(&mut self, now: Timestamp) {
        for working in &mut self.working {
            working.done |= matches!(working.order.purpose, Purpose::Entry(_));
        }
        self.sweep(now);
        let arrives = now.saturating_add(self.settings.acknowledgement_latency);
        let reports = &mut self.reports;
        self.under_way.retain(|(_, message)| match message {
            OrderMessage::Submit(Order { id, purpose: Purpose::Entry(_), .. }) => {
                reports.push_back(Report { arrives, kind: ReportKind::Cancelled(*id) });
                false
            }
            _ => true,
        });
        self.settle();
    }

    /// Ends everything at once, at `price`: working orders and messages are dropped, and the position
    /// is closed whole. For the ends that no order can wait for: the last tick of the history, of a
    /// contract, or of its life. `slip` says whether slippage is paid.
    ///
    /// Returns the closing fill, if there was a position.
    pub fn force_close(
        &mut self,
        id: OrderId,
        reason: ExitReason,
        last: &Tick,
        now: Timestamp,
        slip: bool,
    ) -> Option<Fill> {
        self.working.clear();
        self.under_way.clear();
        self.settle();
        if self.position == 0 {
            return None;
        }
        let side = if self.position > 0 { Side::Sell } else { Side::Buy };
        let quantity = self.position.unsigned_abs() as u32;
        let price = if slip { self.market_price(side, last) } else { last.price };
        self.position = 0;
        Some(Fill {
            order: id,
            side,
            quantity,
            price,
            slippage: self.cost(side, last.price, price, quantity),
            commission: self.settings.commission_per_side * i64::from(quantity),
            time: now,
            purpose: Purpose::Exit(reason),
            contract: last.contract,
        })
    }

    /// Takes the messages that have arrived, and fills what this trade fills.
    pub fn on_tick(&mut self, tick: &Tick) {
        while let Some(&(arrival, message)) = self.under_way.front()
            && arrival <= tick.time
        {
            self.under_way.pop_front();
            self.receive(message, arrival);
        }
        if tick.flags.any(TickFlags::BAR_OPEN) {
            self.bar_high = Price::MIN;
            self.bar_low = Price::MAX;
        }
        self.bar_high = self.bar_high.max(tick.price);
        self.bar_low = self.bar_low.min(tick.price);
        self.matched += 1;
        let mut left = tick.size;
        for pass in [Pass::Market, Pass::Stops, Pass::Limits, Pass::StopsOfInsideEntries] {
            for index in 0..self.working.len() {
                let working = &self.working[index];
                if !working.done && working.made_in != self.matched {
                    match pass {
                        Pass::Market => self.match_market(index, tick, &mut left),
                        Pass::Stops => self.match_stop(index, tick, &mut left),
                        Pass::Limits => self.match_limit(index, tick, &mut left),
                        Pass::StopsOfInsideEntries => {}
                    }
                }
                if pass == Pass::StopsOfInsideEntries && tick.flags.any(TickFlags::BAR_CLOSE) {
                    self.end_bar(index, tick, &mut left);
                }
            }
        }
        self.sweep(tick.time);
        self.settle();
    }

    fn receive(&mut self, message: OrderMessage, now: Timestamp) {
        match message {
            OrderMessage::Submit(order) => self.accept(order, now),
            OrderMessage::Cancel(id) => {
                if let Some(working) = self.working.iter_mut().find(|w| w.order.id == id) {
                    working.done = true;
                }
                self.sweep(now);
            }
            OrderMessage::ClosePosition(id, reason) => {
                for working in &mut self.working {
                    working.done = true;
                }
                self.sweep(now);
                let side = if self.position > 0 { Side::Sell } else { Side::Buy };
                let quantity = self.position.unsigned_abs() as u32;
                let (kind, purpose) = (OrderKind::Market, Purpose::Exit(reason));
                if quantity == 0 {
                    self.report(now, ReportKind::Cancelled(id));
                } else {
                    self.accept(Order { id, side, quantity, kind, purpose }, now);
                }
            }
        }
    }

    fn accept(&mut self, order: Order, now: Timestamp) {
        // Two places stay free for the bracket of an entry.
        let reserve = if matches!(order.purpose, Purpose::Entry(_)) { 2 } else { 0 };
        if order.quantity == 0 {
            return self.report(now, ReportKind::Rejected(order.id, RejectReason::NoQuantity));
        }
        if self.working.len() + reserve >= MOST_ORDERS {
            return self.report(now, ReportKind::Rejected(order.id, RejectReason::TooManyOrders));
        }
        self.working.push(WorkingOrder {
            order,
            remaining: order.quantity,
            state: match order.kind {
                OrderKind::Market => State::Marketable { expected: None },
                OrderKind::Limit { .. } => State::FreshLimit,
                OrderKind::Stop { .. } | OrderKind::StopLimit { .. } => State::Waiting,
            },
            sibling: None,
            made_in: 0,
            from_inside_bar: false,
            reached: false,
            done: false,
        });
        self.report(now, ReportKind::Accepted(order.id));
    }

    fn match_market(&mut self, index: usize, tick: &Tick, left: &mut u32) {
        let working = &self.working[index];
        if let State::Marketable { expected } = working.state
            && !tick.flags.any(TickFlags::BAR_EXTREME)
        {
            let side = working.order.side;
            let price = self.market_price(side, tick);
            self.fill(index, price, expected.unwrap_or(tick.price), tick, left, false);
        }
    }

    fn match_stop(&mut self, index: usize, tick: &Tick, left: &mut u32) {
        let working = &self.working[index];
        let (OrderKind::Stop { trigger } | OrderKind::StopLimit { trigger, .. }) =
            working.order.kind
        else {
            return;
        };
        let side = working.order.side;
        if working.state != State::Waiting || !is_beyond(side, tick.price, trigger) {
            return;
        }
        let id = working.order.id;
        if let Some(sibling) = working.sibling {
            self.end(sibling);
        }
        self.end_rest_of_entry(id);
        if matches!(self.working[index].order.kind, OrderKind::StopLimit { .. }) {
            self.working[index].state = State::FreshLimit;
            return;
        }
        self.working[index].state = State::Marketable { expected: Some(trigger) };
        if tick.flags.any(TickFlags::BAR_EXTREME) {
            // An entry does not overtake the market order that was sent to close the position before
            // it: both fill at the bar's end, in their order.
            let is_entry = matches!(self.working[index].order.purpose, Purpose::Entry(_));
            let is_market_order = |w: &WorkingOrder| !w.done && w.order.kind == OrderKind::Market;
            if is_entry && self.working[..index].iter().any(is_market_order) {
                return;
            }
            let price = self.worsen(side, trigger, self.settings.slippage.ticks);
            self.fill(index, price, trigger, tick, left, true);
        } else {
            let price = self.market_price(side, tick);
            self.fill(index, price, trigger, tick, left, false);
        }
    }

    fn match_limit(&mut self, index: usize, tick: &Tick, left: &mut u32) {
        let working = self.working[index];
        let (OrderKind::Limit { price } | OrderKind::StopLimit { price, .. }) = working.order.kind
        else {
            return;
        };
        let side = working.order.side;
        let is_extreme = tick.flags.any(TickFlags::BAR_EXTREME);
        if working.state == State::FreshLimit && !is_extreme {
            // It takes liquidity for as long as there is some within its limit, then it rests.
            if is_beyond(side.opposite(), tick.price, price) {
                let market = self.market_price(side, tick);
                let bounded = match side {
                    Side::Buy => market.min(price),
                    Side::Sell => market.max(price),
                };
                self.fill(index, bounded, tick.price, tick, left, false);
            } else {
                self.working[index].state = State::Resting;
            }
            return;
        }
        let is_limit = matches!(working.state, State::FreshLimit | State::Resting);
        let reached = match self.settings.limit_fill {
            LimitFill::Touch => is_beyond(side.opposite(), tick.price, price),
            LimitFill::Through => {
                is_beyond(side.opposite(), tick.price, price) && tick.price != price
            }
        };
        if !is_limit || working.from_inside_bar {
            return;
        }
        if is_extreme {
            self.working[index].reached |= reached;
            self.working[index].state = State::Resting;
        } else if reached || working.reached {
            // What this bar was too thin for has to be reached again.
            self.working[index].reached = false;
            self.fill(index, price, price, tick, left, working.reached);
        }
    }

    /// At the end of a history bar: an order made by an entry inside the bar faces the whole bar.
    fn end_bar(&mut self, index: usize, tick: &Tick, left: &mut u32) {
        let working = &mut self.working[index];
        let from_inside = std::mem::take(&mut working.from_inside_bar);
        if working.done || !from_inside || working.state != State::Waiting {
            return;
        }
        let OrderKind::Stop { trigger } = working.order.kind else { return };
        let (side, sibling) = (working.order.side, working.sibling);
        let worst = match side {
            Side::Buy => self.bar_high,
            Side::Sell => self.bar_low,
        };
        if is_beyond(side, worst, trigger) {
            let id = working.order.id;
            working.state = State::Marketable { expected: Some(trigger) };
            if let Some(sibling) = sibling {
                self.end(sibling);
            }
            self.end_rest_of_entry(id);
            let price = self.worsen(side, trigger, self.settings.slippage.ticks);
            self.fill(index, price, trigger, tick, left, false);
        }
    }

    /// Fills as much of an order as is left of the tick; `expected` is the price that slippage is
    /// counted from.
    fn fill(
        &mut self,
        index: usize,
        price: Price,
        expected: Price,
        tick: &Tick,
        left: &mut u32,
        inside_bar: bool,
    ) {
        let WorkingOrder { order, remaining, sibling, .. } = self.working[index];
        let mut quantity = remaining.min(*left);
        if matches!(order.purpose, Purpose::Exit(_)) {
            let open = if self.position.signum() == -order.side.sign() {
                self.position.unsigned_abs() as u32
            } else {
                0
            };
            if open == 0 {
                self.working[index].done = true;
                if let Some(sibling) = sibling {
                    self.end(sibling);
                }
                return;
            }
            quantity = quantity.min(open);
        }
        if quantity == 0 {
            return;
        }
        *left -= quantity;
        self.working[index].remaining -= quantity;
        self.position += order.side.sign() * i64::from(quantity);
        self.report(
            tick.time,
            ReportKind::Filled(Fill {
                order: order.id,
                side: order.side,
                quantity,
                price,
                slippage: self.cost(order.side, expected, price, quantity),
                commission: self.settings.commission_per_side * i64::from(quantity),
                time: tick.time,
                purpose: order.purpose,
                contract: tick.contract,
            }),
        );
        if let Some(sibling) = sibling
            && let Some(other) = self.working.iter_mut().find(|w| w.order.id == sibling)
        {
            other.remaining = other.remaining.saturating_sub(quantity);
            other.done |= other.remaining == 0;
        }
        self.end_rest_of_entry(order.id);
        if let Purpose::Entry(bracket) = order.purpose {
            self.enlarge_bracket(&order, bracket, quantity, price, inside_bar);
        }
    }

    /// Gives `quantity` more contracts to the stop and the target of an entry; makes them at its
    /// first fill.
    fn enlarge_bracket(
        &mut self,
        entry: &Order,
        bracket: Bracket,
        quantity: u32,
        price: Price,
        from_inside_bar: bool,
    ) {
        let (stop_id, target_id) = (entry.id.stop_loss(), entry.id.profit_target());
        let tick_size = self.settings.tick_size;
        let away = |ticks: u32| price.offset_ticks(entry.side.sign() * i64::from(ticks), tick_size);
        let back =
            |ticks: u32| price.offset_ticks(-entry.side.sign() * i64::from(ticks), tick_size);
        let both = bracket.stop_loss_ticks > 0 && bracket.profit_target_ticks > 0;
        let sides = [
            (bracket.stop_loss_ticks, stop_id, target_id, ExitReason::StopLoss),
            (bracket.profit_target_ticks, target_id, stop_id, ExitReason::ProfitTarget),
        ];
        for (ticks, id, sibling, reason) in sides {
            if ticks == 0 {
                continue;
            }
            if let Some(child) = self.working.iter_mut().find(|w| w.order.id == id && !w.done) {
                child.remaining += quantity;
                child.order.quantity += quantity;
                continue;
            }
            let (kind, state) = if id == stop_id {
                (OrderKind::Stop { trigger: back(ticks) }, State::Waiting)
            } else {
                (OrderKind::Limit { price: away(ticks) }, State::Resting)
            };
            self.working.push(WorkingOrder {
                order: Order {
                    id,
                    side: entry.side.opposite(),
                    quantity,
                    kind,
                    purpose: Purpose::Exit(reason),
                },
                remaining: quantity,
                state,
                sibling: both.then_some(sibling),
                made_in: self.matched,
                from_inside_bar,
                reached: false,
                done: false,
            });
        }
    }

    /// Once an exit of a bracket is under way, what is left of its entry must not fill any more.
    fn end_rest_of_entry(&mut self, exit: OrderId) {
        if exit.entry() != exit {
            self.end(exit.entry());
        }
    }

    /// Marks an order as gone, unless it is filled.
    fn end(&mut self, id: OrderId) {
        let working = self.working.iter_mut().find(|w| w.order.id == id && w.remaining > 0);
        if let Some(working) = working {
            working.done = true;
        }
    }

    /// Takes out what is filled, and what is gone with a report.
    fn sweep(&mut self, now: Timestamp) {
        let arrives = now.saturating_add(self.settings.acknowledgement_latency);
        let reports = &mut self.reports;
        self.working.retain(|working| {
            if working.done {
                let kind = ReportKind::Cancelled(working.order.id);
                reports.push_back(Report { arrives, kind });
            }
            working.remaining > 0 && !working.done
        });
    }

    /// Works out from the orders which trades leave all of them unchanged.
    fn settle(&mut self) {
        self.next_arrival = self.under_way.front().map_or(Timestamp::MAX, |message| message.0);
        self.quiet_from = Price::MIN;
        self.quiet_to = Price::MAX;
        for working in &self.working {
            let side = working.order.side;
            let (active_from, is_upper) = match (working.state, working.order.kind) {
                (
                    State::Waiting,
                    OrderKind::Stop { trigger } | OrderKind::StopLimit { trigger, .. },
                ) => (trigger, side == Side::Buy),
                (
                    State::Resting,
                    OrderKind::Limit { price } | OrderKind::StopLimit { price, .. },
                ) => (price, side == Side::Sell),
                _ => {
                    // It may fill on any trade.
                    (self.quiet_from, self.quiet_to) = (Price::MAX, Price::MIN);
                    return;
                }
            };
            if is_upper {
                self.quiet_to = self.quiet_to.min(Price::from_units(active_from.units() - 1));
            } else {
                self.quiet_from = self.quiet_from.max(Price::from_units(active_from.units() + 1));
            }
        }
    }

    fn report(&mut self, now: Timestamp, kind: ReportKind) {
        let arrives = now.saturating_add(self.settings.acknowledgement_latency);
        self.reports.push_back(Report { arrives, kind });
    }

    /// What a market order on `side` pays when `tick` trades.
    fn market_price(&self, side: Side, tick: &Tick) -> Price {
        let Slippage { ticks, cross_spread, assumed_spread_ticks } = self.settings.slippage;
        let tick_size = self.settings.tick_size;
        let mut price = tick.price;
        if cross_spread {
            let quote = match side {
                Side::Buy => tick.ask(tick_size),
                Side::Sell => tick.bid(tick_size),
            };
            price = match quote {
                Some(quote) if is_beyond(side, quote, price) => quote,
                Some(_) => price,
                None if tick.aggressor() == Some(side) => price,
                None => self.worsen(side, price, assumed_spread_ticks),
            };
        }
        self.worsen(side, price, ticks)
    }

    fn worsen(&self, side: Side, price: Price, ticks: u32) -> Price {
        price.offset_ticks(side.sign() * i64::from(ticks), self.settings.tick_size)
    }

    /// What it cost to fill at `price` instead of `expected` (≥ 0).
    fn cost(&self, side: Side, expected: Price, price: Price, quantity: u32) -> Money {
        let one = price.value_from(expected, self.settings.point_value) * side.sign();
        one.max(Money::ZERO) * i64::from(quantity)
    }
}

impl OrderPort for SimulatedExchange {
    fn send(&mut self, message: OrderMessage, now: Timestamp) {
        self.under_way.push_back((now.saturating_add(self.settings.order_latency), message));
        self.next_arrival = self.under_way[0].0;
    }
}

/// The order in which orders meet a trade. Stops come before limits: on a bracket that one trade
/// could end either way, the loss counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Market,
    Stops,
    Limits,
    StopsOfInsideEntries,
}

/// Whether `price` is at `level` or further in the direction in which an order on `side` loses: up
/// for a buy, down for a sell.
fn is_beyond(side: Side, price: Price, level: Price) -> bool {
    match side {
        Side::Buy => price >= level,
        Side::Sell => price <= level,
    }
}
