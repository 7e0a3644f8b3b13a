//! The simulated exchange, which fills our orders from the trades of the history.

use std::collections::VecDeque;

use super::order::{
    Bracket, ClosePosition, Fill, FillId, Order, OrderId, OrderKind, OrderMessage, OrderPort,
    Purpose, RejectReason, Report, ReportKind,
};
use super::settings::ExecutionSettings;
use super::venue::{ClosedOut, Venue};
use crate::execution::ExitReason;
use crate::market::{Money, Price, Quoted, Side, Tick, TickFlags, Timestamp};
use crate::settings::{names, settings};

/// The most working orders, and the most messages under way, at once.
const MOST_ORDERS: usize = 64;

settings! {
    /// Losses of market and stop orders against the traded price.
    #[derive(Copy, Eq)]
    pub struct Slippage {
        /// Loss on every fill of a market or stop order.
        pub ticks: u32 = 0, 0..=1000, "ticks";
        /// Charge the spread to such a fill, too: a buy pays the best ask and a sell gets the best
        /// bid. Where the history has no quotes, the side that took liquidity says which of the two
        /// the trade was; if that is unknown, too, the other side is taken to be
        /// `assumed_spread_ticks` away.
        pub cross_spread: bool = true;
        /// The spread where the history has no quotes. No effect without `cross_spread`.
        pub assumed_spread_ticks: u32 = 1, 1..=1000, "ticks";
    }
}

names! {
    /// Condition on which a resting limit order fills.
    pub enum LimitFill {
        /// The market trades through its price: the queue before it is assumed long.
        Through = "through",
        /// The market trades at its price: the queue before it is assumed empty.
        Touch = "touch",
    }
}

/// An exchange that fills orders from the trades of the history. See the [module](super) for the
/// rules.
#[derive(Clone, Debug)]
pub struct SimulatedExchange {
    settings: ExecutionSettings,
    tick_size: Price,
    point_value: Money,
    under_way: VecDeque<(Timestamp, OrderMessage)>,
    working: Vec<WorkingOrder>,
    reports: VecDeque<Report>,
    position: i64,
    /// Arrival of the next message; `Timestamp::MAX` if nothing is under way.
    next_arrival: Timestamp,
    /// Bounds (inclusive) within which a trade changes no working order.
    quiet_from: Price,
    quiet_to: Price,
    /// Exits fill without a position, too, and so may open one.
    exits_may_open: bool,
    /// `true` for a history, in which no later tick may close a position.
    invents_fills: bool,
    /// Number of ticks matched, which keeps an order from filling on the tick that made it.
    matched: u64,
    /// Number of times that an order met an impossible quote.
    impossible_quotes: u64,
    /// Price of our last fill.
    last_fill: Price,
    /// Fills so far; the last one has this number.
    fills: u64,
    bar: PlayedBar,
}

/// The current history bar: the one whose ticks are being played.
#[derive(Clone, Copy, Debug)]
struct PlayedBar {
    open: Price,
    high: Price,
    low: Price,
    /// Position after its open; 0 once a stop has been triggered inside the bar.
    held: i64,
    /// The most favourable price for that position inside the bar.
    best: Option<Price>,
    /// The price inside the bar at which the desk's rule for the day closes the position.
    locked_at: Option<Price>,
    marks: Marks,
}

impl PlayedBar {
    const NONE: PlayedBar = PlayedBar {
        open: Price::ZERO,
        high: Price::MIN,
        low: Price::MAX,
        held: 0,
        best: None,
        locked_at: None,
        marks: Marks { best: None, last: None, exit: None },
    };
}

/// The prices at which a tick of a history bar values our position, in this order.
///
/// A position is valued no further than its exit. Inside the bar its stop comes before its target,
/// and the bar's worst price before the best: the best counts once the bar is whole, if the
/// position has outlived the worst. None of this depends on which of high and low comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks {
    /// The best price inside the bar, up to the target.
    pub best: Option<Price>,
    /// The price of the tick itself: at the bar's worst price no further than the stop; absent at
    /// its best price.
    pub last: Option<Price>,
    /// Price at which the position ended, if the exchange holds none any more.
    pub exit: Option<Price>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// A stop that has not been triggered.
    Waiting,
    /// A limit order that may take liquidity: the market has been within its limit since it
    /// arrived.
    FreshLimit,
    /// A limit order in the book.
    Resting,
    /// Fills at the market. For a stop, `expected` is its trigger.
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
    /// Made by an entry, or triggered as a stop-limit, at an unknown time inside the current
    /// history bar.
    from_inside_bar: bool,
    /// A limit order that the current history bar has reached.
    reached: bool,
    /// Arrived inside the current history bar, and is at the market from its close on.
    late: bool,
    /// Contracts of a target that were added when the market was already beyond it: they take
    /// liquidity, from the match after `fresh_in` on.
    fresh: u32,
    fresh_in: u64,
    /// Gone at the end of this match.
    done: bool,
}

impl SimulatedExchange {
    /// Creates an exchange without orders, for prices in steps of `tick_size` of which a point is
    /// worth `point_value` for one contract.
    pub fn new(
        settings: ExecutionSettings,
        tick_size: Price,
        point_value: Money,
    ) -> SimulatedExchange {
        SimulatedExchange {
            settings,
            tick_size,
            point_value,
            under_way: VecDeque::with_capacity(MOST_ORDERS),
            working: Vec::with_capacity(MOST_ORDERS),
            reports: VecDeque::with_capacity(1024),
            position: 0,
            next_arrival: Timestamp::MAX,
            quiet_from: Price::MIN,
            quiet_to: Price::MAX,
            exits_may_open: false,
            invents_fills: true,
            matched: 0,
            impossible_quotes: 0,
            last_fill: Price::ZERO,
            fills: 0,
            bar: PlayedBar::NONE,
        }
    }

    /// Prepares for a live market, which may be silent for any length: every fill is one of its
    /// trades, but those of an expiry and of the run's end.
    pub fn of_a_live_market(self) -> SimulatedExchange {
        SimulatedExchange { invents_fills: false, ..self }
    }

    /// Returns the contracts that the exchange holds for us.
    pub fn position(&self) -> i64 {
        self.position
    }

    /// Returns the number of working orders and of messages under way.
    pub fn orders(&self) -> usize {
        self.working.len() + self.under_way.len()
    }

    /// Returns the working orders, each with the contracts that are left of it.
    pub fn working(&self) -> impl Iterator<Item = (&Order, u32)> {
        self.working.iter().map(|working| (&working.order, working.remaining))
    }

    /// Lets exits fill without a position, as an exchange does that knows no such orders: an exit
    /// that outlives its position opens another.
    pub fn let_exits_open(&mut self) {
        self.exits_may_open = true;
    }

    /// Takes a message at once, at `now`, instead of after the order latency. Not meant for the
    /// time inside a history bar.
    pub fn receive_now(&mut self, message: OrderMessage, now: Timestamp) {
        self.receive(message, now, false);
        self.settle();
    }

    /// Gives a working order another price, of the same kind, and leaves `remaining` contracts
    /// (≥ 1) of it. Its place in the book is lost. Returns `false`, without effect, if no such
    /// order works, or its stop has been triggered.
    pub fn modify(&mut self, id: OrderId, kind: OrderKind, remaining: u32) -> bool {
        let working = self.working.iter_mut().find(|w| w.order.id == id);
        let Some(working) = working.filter(|w| {
            let is_waiting = w.state == State::Waiting;
            match (w.order.kind, kind) {
                (OrderKind::Limit { .. }, OrderKind::Limit { .. }) => true,
                (OrderKind::Stop { .. }, OrderKind::Stop { .. })
                | (OrderKind::StopLimit { .. }, OrderKind::StopLimit { .. }) => is_waiting,
                _ => false,
            }
        }) else {
            return false;
        };
        if matches!(kind, OrderKind::Limit { .. }) {
            working.state = State::FreshLimit;
        }
        working.order.kind = kind;
        (working.remaining, working.reached, working.fresh) = (remaining, false, 0);
        self.settle();
        true
    }

    /// Matches the orders that arrived inside the history bar that ends (`late`), or all others.
    fn match_orders(&mut self, tick: &Tick, left: &mut u32, late: bool) {
        for pass in [Pass::Market, Pass::Stops, Pass::Limits, Pass::StopsOfInsideEntries] {
            for index in 0..self.working.len() {
                let working = &self.working[index];
                if working.late != late {
                    continue;
                }
                if !working.done && working.made_in != self.matched {
                    match pass {
                        Pass::Market => self.match_market(index, tick, left),
                        Pass::Stops => self.match_stop(index, tick, left),
                        Pass::Limits => self.match_limit(index, tick, left),
                        Pass::StopsOfInsideEntries => {}
                    }
                }
                if pass == Pass::StopsOfInsideEntries {
                    self.working[index].late = false;
                    if tick.flags.any(TickFlags::BAR_CLOSE) {
                        self.end_bar(index, tick, left);
                    }
                }
            }
        }
    }

    /// Takes a tick of a history bar into the bar's range, and values the position held from the
    /// bar's open on at it.
    fn enter_bar(&mut self, tick: &Tick) {
        let price = tick.price;
        if tick.flags.any(TickFlags::BAR_OPEN) {
            self.bar = PlayedBar { open: price, high: price, low: price, ..PlayedBar::NONE };
        }
        self.bar.high = self.bar.high.max(price);
        self.bar.low = self.bar.low.min(price);
        self.bar.marks = Marks::default();
        let side = self.bar.held.signum();
        if side == 0 || !tick.flags.any(TickFlags::BAR_EXTREME) {
            return;
        }
        let mark = self.within_exits(price);
        if (price.units() - self.bar.open.units()).signum() == side {
            let best = self.bar.best.unwrap_or(mark);
            self.bar.best = Some(if side > 0 { best.max(mark) } else { best.min(mark) });
        } else {
            self.bar.marks.last = Some(mark);
        }
    }

    /// Values our position after a tick of a history bar.
    fn mark_bar(&mut self, tick: &Tick) {
        let exit = (self.position == 0).then_some(self.last_fill);
        self.bar.marks.exit = exit;
        if tick.flags.any(TickFlags::BAR_EXTREME) {
            return;
        }
        self.bar.marks.last = Some(exit.unwrap_or(tick.price));
        if tick.flags.any(TickFlags::BAR_OPEN) {
            self.bar.held = self.position;
        } else if self.bar.held != 0 {
            self.bar.marks.best = self.bar.best;
        }
    }

    /// Returns the price, but no further than the stop and the target of the position.
    fn within_exits(&self, mut price: Price) -> Price {
        let exits = self.working.iter().filter(|working| {
            !working.done && working.order.side.sign() == -self.position.signum()
        });
        for WorkingOrder { order, state, .. } in exits {
            // A sale bounds the price from above with its limit, and from below with its stop.
            let is_lower = match (order.purpose, order.kind) {
                (Purpose::Exit(_), OrderKind::Limit { .. }) => order.side == Side::Buy,
                (Purpose::Exit(_), OrderKind::Stop { .. }) if *state == State::Waiting => {
                    order.side == Side::Sell
                }
                _ => continue,
            };
            let (OrderKind::Limit { price: bound } | OrderKind::Stop { trigger: bound }) =
                order.kind
            else {
                continue;
            };
            price = if is_lower { price.max(bound) } else { price.min(bound) };
        }
        price
    }

    fn receive_until(&mut self, now: Timestamp, late: bool) {
        while let Some(&(arrival, message)) = self.under_way.front()
            && arrival <= now
        {
            self.under_way.pop_front();
            self.receive(message, if late { now } else { arrival }, late);
        }
    }

    fn receive(&mut self, message: OrderMessage, now: Timestamp, late: bool) {
        match message {
            OrderMessage::Submit(order) => self.accept(order, now, late),
            OrderMessage::Cancel(id) => {
                if let Some(working) = self.working.iter_mut().find(|w| w.order.id == id) {
                    working.done = true;
                }
                self.sweep(now);
            }
            OrderMessage::ClosePosition(close) => {
                for working in &mut self.working {
                    working.done = true;
                }
                self.sweep(now);
                let ClosePosition { id, contract, side, quantity, reason } = close;
                let (kind, purpose) = (OrderKind::Market, Purpose::Exit(reason));
                if self.position.signum() == -side.sign() {
                    let order = Order { id, contract, side, quantity, kind, purpose };
                    self.accept(order, now, late);
                } else {
                    self.report(now, ReportKind::Cancelled(id));
                }
            }
        }
    }

    fn accept(&mut self, order: Order, now: Timestamp, late: bool) {
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
            late,
            fresh: 0,
            fresh_in: 0,
            done: false,
        });
        self.report(now, ReportKind::Accepted(order.id));
    }

    fn match_market(&mut self, index: usize, tick: &Tick, left: &mut u32) {
        let working = self.working[index];
        if let State::Marketable { expected } = working.state
            && !tick.flags.any(TickFlags::BAR_EXTREME)
            && *left > 0
        {
            let (side, purpose) = (working.order.side, working.order.purpose);
            let mut price = self.market_price(side, tick);
            if let Some(level) = self.bar.locked_at
                && working.late
                && purpose == Purpose::Exit(ExitReason::DailyDrawdown)
            {
                let there = self.price_at_trigger(side, level, tick);
                price = if is_beyond(side, there, price) { there } else { price };
            }
            let expected = expected.unwrap_or(tick.price);
            self.fill(index, price, expected, tick, left, u32::MAX, false);
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
            self.working[index].from_inside_bar = tick.flags.any(TickFlags::BAR_EXTREME);
            return;
        }
        self.working[index].state = State::Marketable { expected: Some(trigger) };
        if matches!(self.working[index].order.purpose, Purpose::Exit(_)) {
            // The bar's best price came later.
            self.bar.held = 0;
        }
        if tick.flags.any(TickFlags::BAR_EXTREME) {
            // An entry does not overtake the market order that was sent before it to close the
            // position: both fill at the bar's end, in their order.
            let is_entry = matches!(self.working[index].order.purpose, Purpose::Entry(_));
            let is_market_order = |w: &WorkingOrder| !w.done && w.order.kind == OrderKind::Market;
            if is_entry && self.working[..index].iter().any(is_market_order) {
                return;
            }
            let price = self.price_at_trigger(side, trigger, tick);
            self.fill(index, price, trigger, tick, left, u32::MAX, true);
        } else {
            let price = self.market_price(side, tick);
            self.fill(index, price, trigger, tick, left, u32::MAX, false);
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
            // It takes liquidity as long as there is some within its limit, then it rests.
            if is_beyond(side.opposite(), tick.price, price) {
                self.working[index].reached = false;
                let bounded = self.market_price_within(side, price, tick);
                self.fill(index, bounded, tick.price, tick, left, u32::MAX, false);
                return;
            }
            self.working[index].state = State::Resting;
            if !working.reached {
                return;
            }
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
            // An order that may take liquidity waits for the close: the trades inside the bar are
            // unknown.
            self.working[index].reached |= reached;
            return;
        }
        if self.bar.locked_at.is_some()
            && self.next_arrival <= tick.time
            && matches!(working.order.purpose, Purpose::Exit(_))
        {
            // The close of the day came before the target.
            return;
        }
        let fresh = working.fresh.min(working.remaining);
        if reached || working.reached {
            // The rest, for which this bar was too thin, has to be reached again.
            self.working[index].reached = false;
            let rested = working.remaining - fresh;
            self.fill(index, price, price, tick, left, rested, working.reached);
        }
        if fresh > 0 && working.fresh_in != self.matched {
            // The market has been beyond the limit since these arrived. Between the open and the
            // close of a history bar it has been within the limit for a while at least.
            let is_within = is_beyond(side.opposite(), tick.price, price);
            if is_within || tick.flags.any(TickFlags::BAR_CLOSE) {
                let left_before = *left;
                let bounded = self.market_price_within(side, price, tick);
                self.fill(index, bounded, tick.price, tick, left, fresh, false);
                self.working[index].fresh = fresh - (left_before - *left);
            }
            if !is_within {
                self.working[index].fresh = 0;
            }
        }
    }

    /// Ends a history bar for an order made by an entry inside it, which faces the whole bar.
    fn end_bar(&mut self, index: usize, tick: &Tick, left: &mut u32) {
        let working = &mut self.working[index];
        let from_inside = std::mem::take(&mut working.from_inside_bar);
        if working.done || !from_inside || working.state != State::Waiting {
            return;
        }
        let OrderKind::Stop { trigger } = working.order.kind else { return };
        let (side, sibling) = (working.order.side, working.sibling);
        let worst = match side {
            Side::Buy => self.bar.high,
            Side::Sell => self.bar.low,
        };
        if is_beyond(side, worst, trigger) {
            let id = working.order.id;
            working.state = State::Marketable { expected: Some(trigger) };
            if let Some(sibling) = sibling {
                self.end(sibling);
            }
            self.end_rest_of_entry(id);
            let price = self.price_at_trigger(side, trigger, tick);
            self.fill(index, price, trigger, tick, left, u32::MAX, false);
        }
    }

    /// Fills as much of an order as is left of the tick, at most `most` contracts. `expected` is
    /// the price from which slippage is counted.
    #[expect(clippy::too_many_arguments, reason = "one fill has as many facts")]
    fn fill(
        &mut self,
        index: usize,
        price: Price,
        expected: Price,
        tick: &Tick,
        left: &mut u32,
        most: u32,
        inside_bar: bool,
    ) {
        let WorkingOrder { order, remaining, sibling, .. } = self.working[index];
        let mut quantity = remaining.min(*left).min(most);
        let is_exit = matches!(order.purpose, Purpose::Exit(_)) && !self.exits_may_open;
        if is_exit {
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
        self.working[index].done = is_exit && self.position == 0 && remaining > quantity;
        self.last_fill = price;
        let id = self.next_fill();
        self.report(
            tick.time,
            ReportKind::Filled(Fill {
                id,
                order: order.id,
                side: order.side,
                quantity,
                price,
                slippage: self.cost(order.side, expected, price, quantity),
                commission: self.settings.commission_per_side * i64::from(quantity),
                time: tick.time,
                purpose: order.purpose,
                contract: order.contract,
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
            self.enlarge_bracket(&order, bracket, quantity, price, tick.price, inside_bar);
        }
    }

    /// Adds `quantity` contracts to the stop and the target of an entry. The entry's first fill, at
    /// `price` when the market was at `market`, creates them.
    fn enlarge_bracket(
        &mut self,
        entry: &Order,
        bracket: Bracket,
        quantity: u32,
        price: Price,
        market: Price,
        from_inside_bar: bool,
    ) {
        let (stop_id, target_id) = (entry.id.stop_loss(), entry.id.profit_target());
        let tick_size = self.tick_size;
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
                if let OrderKind::Limit { price } = child.order.kind
                    && is_beyond(child.order.side.opposite(), market, price)
                {
                    child.fresh += quantity;
                    child.fresh_in = self.matched;
                }
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
                    contract: entry.contract,
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
                late: false,
                fresh: 0,
                fresh_in: 0,
                done: false,
            });
        }
    }

    /// Ends the rest of an entry: an exit of its bracket is under way.
    fn end_rest_of_entry(&mut self, exit: OrderId) {
        if exit.entry() != exit {
            self.end(exit.entry());
        }
    }

    /// Marks an order as ended, unless it is filled.
    fn end(&mut self, id: OrderId) {
        let working = self.working.iter_mut().find(|w| w.order.id == id && w.remaining > 0);
        if let Some(working) = working {
            working.done = true;
        }
    }

    /// Removes the orders that are filled, and with a report those that have ended.
    fn sweep(&mut self, now: Timestamp) {
        let arrives = now.saturating_add(self.settings.acknowledgement_latency());
        let reports = &mut self.reports;
        self.working.retain(|working| {
            if working.done {
                let kind = ReportKind::Cancelled(working.order.id);
                reports.push_back(Report { arrives, kind });
            }
            working.remaining > 0 && !working.done
        });
    }

    /// Computes the bounds within which trades change no order.
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
                ) if working.fresh == 0 => (price, side == Side::Sell),
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

    fn next_fill(&mut self) -> FillId {
        self.fills += 1;
        FillId(self.fills)
    }

    fn report(&mut self, now: Timestamp, kind: ReportKind) {
        let arrives = now.saturating_add(self.settings.acknowledgement_latency());
        self.reports.push_back(Report { arrives, kind });
    }

    /// Returns the price of a market order on `side` when `tick` trades.
    fn market_price(&mut self, side: Side, tick: &Tick) -> Price {
        let Slippage { ticks, cross_spread, assumed_spread_ticks } = self.settings.slippage;
        let mut price = tick.price;
        if cross_spread {
            let quote = tick.quote_for(side, self.tick_size);
            self.impossible_quotes += u64::from(quote == Quoted::Impossible);
            price = match quote {
                Quoted::At(quote) => quote,
                _ if tick.aggressor() == Some(side) => price,
                _ => self.worsen(side, price, assumed_spread_ticks),
            };
        }
        self.worsen(side, price, ticks)
    }

    /// Returns the price of a market order at `tick`, but no worse than `limit`.
    fn market_price_within(&mut self, side: Side, limit: Price, tick: &Tick) -> Price {
        let market = self.market_price(side, tick);
        match side {
            Side::Buy => market.min(limit),
            Side::Sell => market.max(limit),
        }
    }

    /// Returns the price of a stop that is triggered inside a history bar: as far beyond its
    /// trigger as a market order fills beyond a trade.
    fn price_at_trigger(&mut self, side: Side, trigger: Price, tick: &Tick) -> Price {
        self.market_price(side, &Tick::new(tick.time, trigger, tick.size))
    }

    fn worsen(&self, side: Side, price: Price, ticks: u32) -> Price {
        price.offset_ticks(side.sign() * i64::from(ticks), self.tick_size)
    }

    /// Returns the cost of a fill at `price` instead of `expected` (≥ 0).
    fn cost(&self, side: Side, expected: Price, price: Price, quantity: u32) -> Money {
        let one = price.value_from(expected, self.point_value) * side.sign();
        one.max(Money::ZERO) * i64::from(quantity)
    }
}

impl Venue for SimulatedExchange {
    #[inline]
    fn next_report(&self) -> Timestamp {
        self.reports.front().map_or(Timestamp::MAX, |report| report.arrives)
    }

    fn take_report(&mut self, now: Timestamp) -> Option<Report> {
        self.reports.pop_front_if(|report| report.arrives <= now)
    }

    fn impossible_quotes(&self) -> u64 {
        self.impossible_quotes
    }

    fn calm(&self) -> (Timestamp, Price, Price) {
        (self.next_arrival, self.quiet_from, self.quiet_to)
    }

    /// Cancels waiting entries; exits stay for the next session.
    fn on_session_end(&mut self, now: Timestamp) {
        for working in &mut self.working {
            working.done |= matches!(working.order.purpose, Purpose::Entry(_));
        }
        self.sweep(now);
        let arrives = now.saturating_add(self.settings.acknowledgement_latency());
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

    fn invents_fills(&self) -> bool {
        self.invents_fills
    }

    fn close_out(
        &mut self,
        close: &ClosePosition,
        last: &Tick,
        now: Timestamp,
        slip: bool,
    ) -> ClosedOut {
        self.working.clear();
        self.under_way.clear();
        self.settle();
        if self.position == 0 {
            return ClosedOut::AtOnce(None);
        }
        let side = if self.position > 0 { Side::Sell } else { Side::Buy };
        let quantity = self.position.unsigned_abs() as u32;
        let price = if slip { self.market_price(side, last) } else { last.price };
        self.position = 0;
        ClosedOut::AtOnce(Some(Fill {
            id: self.next_fill(),
            order: close.id,
            side,
            quantity,
            price,
            slippage: self.cost(side, last.price, price, quantity),
            commission: self.settings.commission_per_side * i64::from(quantity),
            time: now,
            purpose: Purpose::Exit(close.reason),
            contract: close.contract,
        }))
    }

    fn marks(&self) -> Marks {
        self.bar.marks
    }

    /// Lets the close come before the target, as a stop does. It fills at the bar's close, but no
    /// better than at `level`, because the bar had to pass it.
    fn on_day_locked(&mut self, level: Price) {
        self.bar.locked_at = Some(level);
    }

    /// Matches a tick. A message that arrives inside a history bar, after its open, takes effect at
    /// the bar's close, behind everything that the bar has done to older orders: the time of that
    /// is unknown, and a filled order cannot be cancelled.
    fn on_tick(&mut self, tick: &Tick) {
        let is_of_bar = tick.flags.any(TickFlags::OF_BAR);
        let is_inside = is_of_bar && !tick.flags.any(TickFlags::BAR_OPEN);
        self.matched += 1;
        let mut left = tick.size;
        if is_of_bar {
            self.enter_bar(tick);
        }
        if !is_inside {
            self.receive_until(tick.time, false);
        }
        self.match_orders(tick, &mut left, false);
        if is_inside && tick.flags.any(TickFlags::BAR_CLOSE) {
            self.sweep(tick.time);
            self.receive_until(tick.time, true);
            self.match_orders(tick, &mut left, true);
        }
        self.sweep(tick.time);
        self.settle();
        if is_of_bar {
            self.mark_bar(tick);
        }
    }
}

impl OrderPort for SimulatedExchange {
    fn send(&mut self, message: OrderMessage, now: Timestamp) {
        self.under_way.push_back((now.saturating_add(self.settings.order_latency()), message));
        self.next_arrival = self.under_way[0].0;
    }
}

/// The order in which orders meet a trade. Stops come before limits: if one trade could end a
/// bracket either way, the loss counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Market,
    Stops,
    Limits,
    StopsOfInsideEntries,
}

/// Returns whether `price` is at or beyond `level` in the direction in which an order on `side`
/// loses: up for a buy, down for a sell.
fn is_beyond(side: Side, price: Price, level: Price) -> bool {
    match side {
        Side::Buy => price >= level,
        Side::Sell => price <= level,
    }
}
