//! Our side of the line: the desk turns decisions into orders, keeps the account and enforces the
//! rule constraints.

use serde::{Deserialize, Serialize};

use super::account::Account;
use super::exchange::Marks;
use super::ledger::Ledger;
use super::order::{
    Bracket, ClosePosition, Fill, Order, OrderId, OrderKind, OrderMessage, OrderPort, Purpose,
    Report, ReportKind,
};
use super::rules::{OrderRate, Refusal, within_collar};
use super::settings::RiskSettings;
use super::working_orders::{Reported, WorkingOrders};
use crate::execution::{EquityPoint, ExitReason, Trade};
use crate::market::{Money, Price, Side, Tick, TickFlags, Timestamp};

/// The position that a decision wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// Contracts bought.
    Long,
    /// Contracts sold.
    Short,
    /// No contracts.
    Flat,
}

/// A decision of the strategy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The position to hold.
    pub target: Target,
    /// Contracts to hold (≥ 1; without meaning for [`Target::Flat`]).
    pub quantity: u32,
    /// The kind of the entry order.
    pub entry: OrderKind,
    /// The exits of the entry.
    pub bracket: Bracket,
}

impl Decision {
    /// The decision to close the position.
    pub const FLAT: Decision = Decision {
        target: Target::Flat,
        quantity: 0,
        entry: OrderKind::Market,
        bracket: Bracket { stop_loss_ticks: 0, profit_target_ticks: 0 },
    };

    /// Returns the side of the entry; `None` if the decision is to close.
    fn side(&self) -> Option<Side> {
        match self.target {
            Target::Flat => None,
            Target::Long => Some(Side::Buy),
            Target::Short => Some(Side::Sell),
        }
    }
}

/// The most closes, or cancellations of an entry, sent for one reason, the first one included.
const MOST_CLOSES: u32 = 3;
/// Rejections in a row that stop entries until the next session.
const MOST_REJECTIONS: u32 = 3;

/// A position to be closed.
#[derive(Clone, Copy, Debug)]
struct ToClose {
    reason: ExitReason,
    /// Closes, or cancellations of the entry, in a row that failed.
    failed: u32,
}

/// The last entry sent.
#[derive(Clone, Copy, Debug)]
struct SentEntry {
    id: OrderId,
    side: Side,
    /// `true` if its cancellation was sent.
    is_cancelled: bool,
}

/// The desk: turns decisions into orders, keeps the account and enforces the rules.
#[derive(Clone, Debug)]
pub struct Desk {
    rules: RiskSettings,
    tick_size: Price,
    ledger: Ledger,
    rate: OrderRate,
    last_price: Price,
    /// Price of an exit inside a history bar, until its report arrives.
    exit: Option<Price>,
    next_id: u64,
    /// The traded contract.
    contract: u16,
    orders: WorkingOrders,
    /// The reason why nothing may be entered now; `None` if entries are allowed.
    blocked: Option<Refusal>,
    /// The reason why the feed allows no entry; `None` if it does.
    entries_refused: Option<Refusal>,
    /// The last entry sent, as long as it may fill or its position is open.
    entry: Option<SentEntry>,
    /// The order that closes the position, until it has ended.
    closing: Option<OrderId>,
    /// The close in progress, until nothing is held and no order is under way.
    to_close: Option<ToClose>,
    /// The decision to enter after that.
    turn: Option<Decision>,
    /// Orders rejected since the last order that was accepted or filled.
    rejected_in_a_row: u32,
    /// `true` once a fill was reported that none of our orders explains.
    is_position_doubted: bool,
    /// Equity when the session began.
    day_open: Money,
    /// Highest equity since the session began.
    day_high: Money,
    /// Length of the current run of winning (positive) or losing (negative) round trips.
    streak: i32,
    /// Bounds (inclusive) within which a trade makes no new equity high and does not reach the
    /// day's limit.
    watch_from: Price,
    watch_to: Price,
    /// `true` once the account was beyond what [`Money`] holds.
    is_out_of_range: bool,
    counts: Counts,
}

/// Counts of the desk's actions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    orders: u64,
    fills: u64,
    rejected: u64,
    cancelled: u64,
    cancels_rejected: u64,
    told_again: u64,
    beyond: u64,
    unknown: u64,
    unanswered: u64,
    closed_again: u64,
    refused: [u64; Refusal::ALL.len()],
}

impl Desk {
    /// Creates a flat desk with `initial_capital`. Nothing may be entered until
    /// [`Desk::on_session_open`].
    pub fn new(
        initial_capital: Money,
        tick_size: Price,
        point_value: Money,
        rules: RiskSettings,
    ) -> Desk {
        Desk {
            rules,
            tick_size,
            ledger: Ledger::new(initial_capital, point_value),
            rate: OrderRate::new(rules.max_orders_per_second),
            last_price: Price::ZERO,
            exit: None,
            next_id: 1,
            contract: 0,
            orders: WorkingOrders::new(i64::MAX),
            blocked: Some(Refusal::SessionClosing),
            entries_refused: None,
            entry: None,
            closing: None,
            to_close: None,
            turn: None,
            rejected_in_a_row: 0,
            is_position_doubted: false,
            day_open: initial_capital,
            day_high: initial_capital,
            streak: 0,
            watch_from: Price::MIN,
            watch_to: Price::MAX,
            is_out_of_range: false,
            counts: Counts::default(),
        }
    }

    /// Marks an order as unanswered if nothing is reported of it within this number of nanoseconds.
    /// By default the desk waits for every answer, which is safe before a simulated venue.
    pub fn with_answers_within(mut self, nanoseconds: i64) -> Desk {
        self.orders = WorkingOrders::new(nanoseconds);
        self
    }

    /// Returns the account.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The last traded price.
    pub fn last_price(&self) -> Price {
        self.last_price
    }

    /// Returns the account as a decision sees it.
    pub fn account(&self) -> Account {
        let mark = self.mark();
        let equity = self.ledger.equity(mark);
        Account {
            position: self.ledger.position(),
            entering: self.turn.map_or(self.entry.map(|entry| entry.side), |turn| turn.side()),
            last_price: self.last_price,
            equity,
            unrealised: self.ledger.unrealised(mark),
            day_open: self.day_open,
            // Prices within the watched bounds make no new high.
            day_high: self.day_high.max(equity),
            day_limit: self.day_limit(),
            streak: self.streak,
        }
    }

    /// Returns the account at `time`.
    pub fn equity_point(&mut self, time: Timestamp) -> EquityPoint {
        let mark = self.mark();
        self.is_out_of_range |= !self.ledger.is_in_range(mark);
        EquityPoint {
            time,
            cash: self.ledger.cash(),
            position: self.ledger.position() as i32,
            mark,
            equity: self.ledger.equity(mark),
        }
    }

    /// Returns whether the account has ever exceeded the range of [`Money`], ±$9.22 billion. Its
    /// figures are invalid from then on.
    pub fn is_out_of_range(&self) -> bool {
        self.is_out_of_range
    }

    /// Returns the price at which the position, as far as the desk knows of it, is valued: the last
    /// traded price, but no further than an exit inside a history bar.
    fn mark(&self) -> Price {
        self.exit.unwrap_or(self.last_price)
    }

    /// Returns whether one of our orders may still fill or close.
    #[cfg(test)]
    pub(crate) fn is_waiting(&self) -> bool {
        self.entry.is_some() || self.closing.is_some() || self.turn.is_some()
    }

    /// Returns the counts by name, in a fixed order.
    pub fn counters(&self) -> Vec<(String, u64)> {
        let counts = &self.counts;
        let totals = [
            ("orders", counts.orders),
            ("fills", counts.fills),
            ("rejected by the exchange", counts.rejected),
            ("cancelled", counts.cancelled),
            ("cancellations rejected", counts.cancels_rejected),
            ("fills told again", counts.told_again),
            ("fills beyond their order", counts.beyond),
            ("reports of unknown orders", counts.unknown),
            ("orders without an answer", counts.unanswered),
            ("closes sent again", counts.closed_again),
        ];
        let refusals = Refusal::ALL
            .iter()
            .zip(counts.refused)
            .map(|(refusal, count)| (format!("refused: {}", refusal.name()), count));
        totals.iter().map(|&(name, count)| (name.to_owned(), count)).chain(refusals).collect()
    }

    fn new_order_id(&mut self) -> OrderId {
        let id = OrderId(self.next_id);
        self.next_id += 1;
        id
    }

    /// Sets the contract of entries sent from now on, as in [`Tick::contract`].
    pub fn on_contract(&mut self, contract: u16) {
        self.contract = contract;
    }

    /// Returns the time at which the next order becomes unanswered (see [`Desk::on_silence`]);
    /// `Timestamp::MAX` if no order waits for an answer.
    pub fn next_deadline(&self) -> Timestamp {
        self.orders.deadline()
    }

    /// Marks the orders without a report in time as unanswered. An unanswered order is assumed
    /// neither to work nor to be gone: until a report tells what became of it, the desk sends no
    /// order in its place and enters nothing.
    pub fn on_silence(&mut self, now: Timestamp) {
        self.counts.unanswered += self.orders.on_time(now);
    }

    /// Returns the bounds (inclusive) within which a trade makes no new equity high of the day and
    /// does not reach the day's limit. Such a trade may be given to [`Desk::on_calm_price`].
    pub fn calm(&self) -> (Price, Price) {
        (self.watch_from, self.watch_to)
    }

    /// Takes a traded price within [`Desk::calm`].
    #[inline(always)]
    pub fn on_calm_price(&mut self, price: Price) {
        self.last_price = price;
        self.ledger.on_price(price);
    }

    /// Takes a trade: updates the extremes of the open position and checks the day's drawdown
    /// limit.
    pub fn on_tick(&mut self, tick: &Tick, port: &mut impl OrderPort) {
        self.exit = None;
        self.on_calm_price(tick.price);
        if tick.price < self.watch_from || tick.price > self.watch_to {
            self.look(tick.price, tick.time, port);
        }
    }

    /// Takes a tick of a history bar, which values our position at `marks`. Inside the bar the last
    /// traded price stays that of its open. Returns the price at which the day's limit was reached
    /// if this tick has reached it and the bar is not over.
    pub fn on_bar_tick(
        &mut self,
        tick: &Tick,
        marks: Marks,
        port: &mut impl OrderPort,
    ) -> Option<Price> {
        if !tick.flags.any(TickFlags::BAR_EXTREME) {
            self.last_price = tick.price;
        }
        self.exit = marks.exit;
        let was_open = self.blocked != Some(Refusal::DailyDrawdown);
        let mut level = None;
        for mark in [marks.best, marks.last].into_iter().flatten() {
            level = Some(self.first_watched_to(mark));
            self.ledger.on_price(mark);
            self.look(mark, tick.time, port);
        }
        let is_locked = was_open && self.blocked == Some(Refusal::DailyDrawdown);
        level.filter(|_| is_locked && !tick.flags.any(TickFlags::BAR_CLOSE))
    }

    /// Returns the first price on the way from the last one to `mark` at which the day's limit may
    /// be reached.
    fn first_watched_to(&self, mark: Price) -> Price {
        if mark < self.last_price {
            let first = self.watch_from.offset_ticks(-1, self.tick_size);
            first.max(mark).min(self.last_price)
        } else {
            let first = self.watch_to.offset_ticks(1, self.tick_size);
            first.min(mark).max(self.last_price)
        }
    }

    /// Begins a session: the day's drawdown counts from here.
    pub fn on_session_open(&mut self) {
        self.blocked = None;
        self.day_open = self.ledger.equity(self.mark());
        self.day_high = self.day_open;
        if let Some(to_close) = &mut self.to_close {
            to_close.failed = 0;
        }
        self.watch();
    }

    /// Closes the position before the session's end. Nothing is entered any more.
    pub fn on_closing_time(&mut self, now: Timestamp, port: &mut impl OrderPort) {
        self.drop_turn(Refusal::SessionClosing, now, port);
        self.close(ExitReason::SessionClose, now, port);
        self.block(Refusal::SessionClosing);
    }

    /// Ends the session: nothing is entered until the next one. The venue ends working entries and
    /// reports it.
    pub fn on_session_end(&mut self, now: Timestamp, port: &mut impl OrderPort) {
        self.drop_turn(Refusal::SessionClosing, now, port);
        self.block(Refusal::SessionClosing);
    }

    /// Prepares for the end of the series or of a contract: later reports cause no more orders.
    pub fn on_last_tick(&mut self, now: Timestamp, port: &mut impl OrderPort) {
        self.drop_turn(Refusal::Late, now, port);
        self.to_close = None;
    }

    /// Expects the fill of `close`, which the venue made at once. [`Desk::on_orders_dropped`]
    /// follows.
    pub fn on_closed_out(&mut self, close: &ClosePosition, now: Timestamp) {
        self.orders.send(close.id, close.quantity, now);
    }

    /// Forgets every order. They and the position are gone without a report.
    pub fn on_orders_dropped(&mut self) {
        self.entry = None;
        self.closing = None;
        self.to_close = None;
        self.turn = None;
        self.orders.end_all();
        self.watch();
    }

    /// Stops entries until another contract trades: this one has expired.
    pub fn on_expiry(&mut self) {
        self.blocked = Some(Refusal::ContractExpired);
    }

    /// Refuses entries from now on for that reason, or allows them again. A decision that waits for
    /// its entry is refused with it, and an entry that works is cancelled; every exit stays.
    pub fn on_entries(
        &mut self,
        refused: Option<Refusal>,
        now: Timestamp,
        port: &mut impl OrderPort,
    ) {
        self.entries_refused = refused;
        if let Some(refusal) = refused {
            self.drop_turn(refusal, now, port);
            self.cancel_entry(now, port);
        }
    }

    /// The reason why the feed allows no entry; `None` if it does.
    pub fn entries_refused(&self) -> Option<Refusal> {
        self.entries_refused
    }

    /// Counts a closed bar of the strategy's timeframe in the open trade.
    pub fn on_bar(&mut self) {
        self.ledger.on_bar();
    }

    /// Carries out a decision, if the rules allow it. A position or an entry on the other side is
    /// closed first, and the decision waits until nothing is held and no order is under way. A
    /// later decision replaces one that waits.
    pub fn on_decision(&mut self, decision: &Decision, now: Timestamp, port: &mut impl OrderPort) {
        self.decide(decision, None, now, port);
    }

    /// Does what a decision asks for as [`Desk::on_decision`] does, but enters nothing: an entry is
    /// refused for this reason.
    pub fn on_barred_decision(
        &mut self,
        decision: &Decision,
        reason: Refusal,
        now: Timestamp,
        port: &mut impl OrderPort,
    ) {
        self.decide(decision, Some(reason), now, port);
    }

    fn decide(
        &mut self,
        decision: &Decision,
        barred: Option<Refusal>,
        now: Timestamp,
        port: &mut impl OrderPort,
    ) {
        self.turn = None;
        let Some(side) = decision.side() else {
            return self.close(ExitReason::Signal, now, port);
        };
        let is_held = self.ledger.position().signum() == side.sign()
            || self.entry.is_some_and(|entry| entry.side == side);
        if is_held && self.to_close.is_none() {
            return;
        }
        let is_free = self.is_flat();
        match barred.or_else(|| self.refusal(decision, now)) {
            Some(refusal) => self.refuse(refusal, now, port),
            None if is_free => return self.enter(decision, side, now, port),
            None => self.turn = Some(*decision),
        }
        if !is_free {
            self.close(ExitReason::Signal, now, port);
        }
    }

    /// Sends an entry that the rules allow.
    fn enter(
        &mut self,
        decision: &Decision,
        side: Side,
        now: Timestamp,
        port: &mut impl OrderPort,
    ) {
        let id = self.new_order_id();
        self.entry = Some(SentEntry { id, side, is_cancelled: false });
        let order = Order {
            id,
            contract: self.contract,
            side,
            quantity: decision.quantity,
            kind: decision.entry,
            purpose: Purpose::Entry(decision.bracket),
        };
        self.send(id, order.quantity, OrderMessage::Submit(order), now, port);
    }

    /// Returns whether nothing is held, and no order of ours may still enter or exit.
    pub fn is_flat(&self) -> bool {
        !self.is_exposed() && self.closing.is_none()
    }

    /// Returns whether a position is open or may be.
    fn is_exposed(&self) -> bool {
        self.ledger.position() != 0 || self.entry.is_some()
    }

    /// Refuses the waiting decision, if there is one.
    fn drop_turn(&mut self, refusal: Refusal, now: Timestamp, port: &mut impl OrderPort) {
        if self.turn.take().is_some() {
            self.refuse(refusal, now, port);
        }
    }

    /// Refuses a decision whose session or contract has ended since it was asked for.
    pub fn on_late_decision(&mut self, now: Timestamp, port: &mut impl OrderPort) {
        self.refuse(Refusal::Late, now, port);
    }

    /// Refuses a decision that took longer than its budget.
    pub fn on_overdue_decision(&mut self, now: Timestamp, port: &mut impl OrderPort) {
        self.refuse(Refusal::Overdue, now, port);
    }

    /// Takes a report from the venue at time `now`, and sends the close or the entry that comes
    /// next. Returns the round trip that the report completes; `None` if it completes none.
    pub fn on_report(
        &mut self,
        report: &Report,
        now: Timestamp,
        port: &mut impl OrderPort,
    ) -> Option<Trade> {
        let mut trade = None;
        match report.kind {
            ReportKind::Accepted(id) => {
                self.on_accepted(id);
                return None;
            }
            ReportKind::Rejected(id, _) => self.on_rejected(id, now, port),
            ReportKind::Cancelled(id) if self.orders.end(id) => {
                self.counts.cancelled += 1;
                self.on_ended(id, now, port);
            }
            ReportKind::Cancelled(_) => self.counts.unknown += 1,
            ReportKind::CancelRejected(id) => self.on_cancel_rejected(id, now, port),
            ReportKind::Filled(fill) => match self.orders.fill(&fill) {
                Reported::New => trade = self.on_fill(&fill),
                Reported::Beyond => {
                    self.counts.beyond += 1;
                    self.doubt_position(now, port);
                    trade = self.on_fill(&fill);
                }
                Reported::Again => self.counts.told_again += 1,
                Reported::Unknown => {
                    self.counts.unknown += 1;
                    self.doubt_position(now, port);
                }
            },
        }
        self.forget_ended();
        self.go_on(now, port);
        self.watch();
        trade
    }

    fn on_accepted(&mut self, id: OrderId) {
        if self.orders.accept(id) {
            self.rejected_in_a_row = 0;
        } else {
            self.counts.unknown += 1;
        }
    }

    fn on_rejected(&mut self, id: OrderId, now: Timestamp, port: &mut impl OrderPort) {
        if !self.orders.end(id) {
            self.counts.unknown += 1;
            return;
        }
        self.counts.rejected += 1;
        self.rejected_in_a_row += 1;
        if self.rejected_in_a_row >= MOST_REJECTIONS {
            self.block(Refusal::Rejections);
        }
        self.on_ended(id, now, port);
    }

    /// Notes that an order works on although it was to be cancelled. If nothing is held, one more
    /// attempt to close has failed.
    fn on_cancel_rejected(&mut self, id: OrderId, now: Timestamp, port: &mut impl OrderPort) {
        if !self.orders.keep(id) {
            self.counts.unknown += 1;
            return;
        }
        self.counts.cancels_rejected += 1;
        if let Some(entry) = self.entry.as_mut().filter(|entry| entry.id == id) {
            entry.is_cancelled = false;
            if self.ledger.position() == 0 && self.closing.is_none() {
                self.on_failure(now, port);
            }
        }
    }

    /// Stops entries for the rest of the run: the position may differ from the booked one. Closes
    /// are still sent. An entry that works is cancelled.
    fn doubt_position(&mut self, now: Timestamp, port: &mut impl OrderPort) {
        if !std::mem::replace(&mut self.is_position_doubted, true) {
            self.turn = None;
            self.refuse(Refusal::PositionDoubted, now, port);
            self.cancel_entry(now, port);
        }
    }

    /// Takes the end of an order. If it was to close a position that is still open, one more close
    /// has failed.
    fn on_ended(&mut self, id: OrderId, now: Timestamp, port: &mut impl OrderPort) {
        if self.orders.has_exited_beyond(id) {
            self.counts.beyond += 1;
            self.doubt_position(now, port);
        }
        if self.closing == Some(id) && self.ledger.position() != 0 && self.on_failure(now, port) {
            self.counts.closed_again += 1;
        }
    }

    /// Counts a failed attempt to close the position or to cancel its entry. Returns whether
    /// another one follows.
    fn on_failure(&mut self, now: Timestamp, port: &mut impl OrderPort) -> bool {
        let Some(to_close) = &mut self.to_close else { return false };
        to_close.failed += 1;
        let goes_on = to_close.failed < MOST_CLOSES;
        if !goes_on {
            self.refuse(Refusal::CloseFailed, now, port);
        }
        goes_on
    }

    /// Books a fill. Returns the round trip that it completes; `None` if it completes none.
    fn on_fill(&mut self, fill: &Fill) -> Option<Trade> {
        self.counts.fills += 1;
        self.rejected_in_a_row = 0;
        let was_flat = self.ledger.position() == 0;
        let trade = self.ledger.on_fill(fill, self.mark());
        if let Some(to_close) = &mut self.to_close
            && was_flat != (self.ledger.position() == 0)
        {
            // To cancel an entry is one attempt, to close what it has filled is another.
            to_close.failed = 0;
        }
        self.is_out_of_range |= !self.ledger.is_in_range(self.mark());
        if self.ledger.position() == 0 {
            self.exit = None;
        }
        if let Some(trade) = &trade {
            let outcome = trade.net_pnl().nanos().signum() as i32;
            let goes_on = outcome == self.streak.signum();
            self.streak = if goes_on { self.streak.saturating_add(outcome) } else { outcome };
        }
        trade
    }

    /// Forgets the orders that have ended. An entry is remembered until its position is closed.
    fn forget_ended(&mut self) {
        let held = self.ledger.position().signum();
        let orders = &self.orders;
        self.closing = self.closing.filter(|&closing| orders.is_live(closing));
        self.entry =
            self.entry.filter(|entry| held == entry.side.sign() || orders.is_live(entry.id));
    }

    /// Returns the reason why the rules refuse a decision; `None` if they allow it.
    fn refusal(&self, decision: &Decision, now: Timestamp) -> Option<Refusal> {
        let in_collar = |price| {
            within_collar(price, self.last_price, self.tick_size, self.rules.price_collar_ticks)
        };
        let prices_are_good = match decision.entry {
            OrderKind::Market => true,
            OrderKind::Limit { price } => in_collar(price),
            OrderKind::Stop { trigger } => in_collar(trigger),
            OrderKind::StopLimit { trigger, price } => in_collar(trigger) && in_collar(price),
        };
        if self.blocked.is_some() {
            self.blocked
        } else if self.entries_refused.is_some() {
            self.entries_refused
        } else if self.is_position_doubted {
            Some(Refusal::PositionDoubted)
        } else if self.orders.has_unanswered() {
            Some(Refusal::Unanswered)
        } else if self.ledger.equity(self.mark()) <= self.day_limit() {
            // A fill has taken equity there. The position is closed at the next trade.
            Some(Refusal::DailyDrawdown)
        } else if decision.quantity > self.rules.max_position_size {
            Some(Refusal::PositionSize)
        } else if !prices_are_good {
            Some(Refusal::PriceCollar)
        } else if !self.rate.allows(1, now) {
            Some(Refusal::OrderRate)
        } else {
            None
        }
    }

    /// Closes the position and cancels a working entry, unless that is under way. A close that has
    /// failed too often for one reason is sent again for another.
    pub fn close(&mut self, reason: ExitReason, now: Timestamp, port: &mut impl OrderPort) {
        let is_on_its_way = self.closing.is_some()
            || (self.ledger.position() == 0 && self.entry.is_some_and(|entry| entry.is_cancelled));
        // After [`Desk::on_last_tick`] nothing guards what is on its way: its failure counts now.
        if !is_on_its_way || self.to_close.is_none() {
            // The day's limit is met at every trade, but is a single reason.
            let is_exhausted = |to_close: &ToClose| {
                reason == ExitReason::DailyDrawdown
                    && to_close.reason == reason
                    && to_close.failed >= MOST_CLOSES
            };
            if !self.to_close.as_ref().is_some_and(is_exhausted) {
                self.to_close = Some(ToClose { reason, failed: 0 });
            }
        }
        self.go_on(now, port);
    }

    /// Sends the next order on the way from one position over flat to the next.
    fn go_on(&mut self, now: Timestamp, port: &mut impl OrderPort) {
        let Some(ToClose { reason, failed }) = self.to_close else { return };
        if self.closing.is_some() {
            return;
        }
        if self.ledger.position() != 0 {
            if failed < MOST_CLOSES {
                let close = self.new_close(reason);
                self.closing = Some(close.id);
                self.send(close.id, close.quantity, OrderMessage::ClosePosition(close), now, port);
            }
        } else if self.entry.is_some() {
            if failed < MOST_CLOSES {
                self.cancel_entry(now, port);
            }
        } else {
            self.to_close = None;
            if let Some(decision) = self.turn.take()
                && let Some(side) = decision.side()
            {
                match self.refusal(&decision, now) {
                    Some(refusal) => self.refuse(refusal, now, port),
                    None => self.enter(&decision, side, now, port),
                }
            }
        }
    }

    /// Cancels the last entry, unless it has ended or that is under way.
    fn cancel_entry(&mut self, now: Timestamp, port: &mut impl OrderPort) {
        if let Some(entry) = &mut self.entry
            && self.orders.is_live(entry.id)
            && !std::mem::replace(&mut entry.is_cancelled, true)
        {
            let id = entry.id;
            self.rate.record(now);
            self.orders.ask_again(id, now);
            port.send(OrderMessage::Cancel(id), now);
        }
    }

    /// Returns a close of the position, in the contract that it is held in, without sending it.
    pub fn new_close(&mut self, reason: ExitReason) -> ClosePosition {
        let position = self.ledger.position();
        let entering = self.entry.map_or(Side::Buy, |entry| entry.side);
        let held = match position.signum() {
            0 => entering,
            1 => Side::Buy,
            _ => Side::Sell,
        };
        let contract = if position == 0 { self.contract } else { self.ledger.contract() };
        ClosePosition {
            id: self.new_order_id(),
            contract,
            side: held.opposite(),
            quantity: position.unsigned_abs() as u32,
            reason,
        }
    }

    /// Sends an order and counts it towards the rate.
    fn send(
        &mut self,
        id: OrderId,
        quantity: u32,
        message: OrderMessage,
        now: Timestamp,
        port: &mut impl OrderPort,
    ) {
        self.rate.record(now);
        self.counts.orders += 1;
        self.orders.send(id, quantity, now);
        port.send(message, now);
    }

    fn refuse(&mut self, refusal: Refusal, now: Timestamp, port: &mut impl OrderPort) {
        self.counts.refused[refusal as usize] += 1;
        port.refuse(refusal, now);
    }

    fn block(&mut self, refusal: Refusal) {
        if self.blocked.is_none() {
            self.blocked = Some(refusal);
        }
    }

    /// Checks the day's drawdown limit, with the position valued at `mark`.
    fn look(&mut self, mark: Price, now: Timestamp, port: &mut impl OrderPort) {
        self.is_out_of_range |= !self.ledger.is_in_range(mark);
        let equity = self.ledger.equity(mark);
        self.day_high = self.day_high.max(equity);
        if equity <= self.day_limit() {
            self.blocked = Some(Refusal::DailyDrawdown);
            self.drop_turn(Refusal::DailyDrawdown, now, port);
        }
        if self.blocked == Some(Refusal::DailyDrawdown) {
            self.close(ExitReason::DailyDrawdown, now, port);
        }
        self.watch();
    }

    /// Returns the equity at which the day's drawdown limit is reached.
    fn day_limit(&self) -> Money {
        let allowed = self.day_high.as_f64() * self.rules.max_daily_drawdown;
        self.day_high - Money::from_f64(allowed).unwrap_or(Money::MAX)
    }

    /// Computes the bounds beyond which a trade needs a check of the day's drawdown.
    fn watch(&mut self) {
        (self.watch_from, self.watch_to) = (Price::MIN, Price::MAX);
        let position = self.ledger.position();
        if self.blocked == Some(Refusal::DailyDrawdown) {
            let has_failed = self.to_close.is_some_and(|to_close| to_close.failed >= MOST_CLOSES);
            if self.is_exposed() && self.closing.is_none() && !has_failed {
                // The next trade is checked at any price.
                (self.watch_from, self.watch_to) = (Price::MAX, Price::MIN);
            }
            return;
        }
        let equity = self.ledger.equity(self.mark());
        self.day_high = self.day_high.max(equity);
        let limit = self.day_limit();
        if equity <= limit {
            // A fill has taken equity there: the next trade is checked at any price.
            (self.watch_from, self.watch_to) = (Price::MAX, Price::MIN);
            return;
        }
        if position == 0 {
            return;
        }
        // Equity is linear in the price: one tick moves it by `tick_value × position`. Rounded
        // towards the last price, so that a crossing is never missed.
        let one_tick = self.ledger.tick_value(self.tick_size) * position.abs();
        let up = (self.day_high - equity).nanos() / one_tick.nanos();
        let down = ((equity - limit).nanos() - 1) / one_tick.nanos();
        let away = |ticks: i64| self.last_price.offset_ticks(ticks, self.tick_size);
        (self.watch_from, self.watch_to) =
            if position > 0 { (away(-down), away(up)) } else { (away(-up), away(down)) };
    }
}
