//! The notices of the order plant: the messages 351, 352 and 353.

use algospace_hft::execution::{Fill, OrderKind};
use algospace_hft::market::{Price, Side, Timestamp};
use algospace_hft_rithmic::wire::{encode, rti};
use rti::exchange_order_notification::NotifyType as Exchange;
use rti::rithmic_order_notification::NotifyType as Rithmic;

use crate::books::{Books, Notice, Order, Status, Topic, basket};
use crate::faults::{Draw, draws};
use crate::messages::{EXCHANGE, message, stamp};

/// The names of the broker's firm and desk.
pub(crate) const FIRM: &str = "SIM";
/// The only way to the exchange.
pub(crate) const ROUTE: &str = "simulator";

impl Books {
    /// Leaves a notice of what Rithmic does with an order.
    pub(crate) fn tell_rithmic(&mut self, place: usize, step: Rithmic, due: Timestamp) {
        let order = &self.orders[place];
        let (ssboe, usecs) = self.gateway_stamp(due);
        let (price, trigger_price) = prices(order.new.kind);
        self.sequence += 1;
        let notice = message!(RithmicOrderNotification {
            user_tag: order.new.user_tag.clone(),
            notify_type: Some(step.into()),
            status: Some(text(step, order.status).to_owned()),
            basket_id: Some(basket(place)),
            original_basket_id: order.entry.map(basket),
            linked_basket_ids: self.sibling(place).map(basket),
            fcm_id: Some(FIRM.to_owned()),
            ib_id: Some(FIRM.to_owned()),
            user_id: Some(self.user.clone()),
            account_id: Some(self.account.clone()),
            symbol: Some(self.contracts[usize::from(order.new.contract)].symbol.clone()),
            exchange: Some(EXCHANGE.to_owned()),
            trade_exchange: Some(EXCHANGE.to_owned()),
            trade_route: Some(ROUTE.to_owned()),
            exchange_order_id: Some(exchange_name(place)),
            instrument_type: Some("Future".to_owned()),
            completion_reason: (step == Rithmic::Complete).then(|| reason(order).to_owned()),
            quantity: Some(order.new.quantity as i32),
            price,
            trigger_price,
            transaction_type: Some(side(order.new.side)),
            duration: Some(order.new.duration),
            price_type: Some(price_type(order.new.kind)),
            orig_price_type: Some(price_type(order.new.kind)),
            bracket_type: bracket_type(order),
            avg_fill_price: order.average(),
            total_fill_size: Some(order.filled as i32),
            total_unfilled_size: Some(order.left() as i32),
            sequence_number: Some(self.sequence.to_string()),
            currency: Some("USD".to_owned()),
            ssboe: Some(ssboe),
            usecs: Some(usecs),
        });
        self.leave(Topic::Orders, due, encode(&notice, None));
    }

    /// Leaves a notice of what the exchange did with an order, and keeps it if that is a fill.
    pub(crate) fn tell_exchange(
        &mut self,
        place: usize,
        event: Exchange,
        due: Timestamp,
        fill: Option<&Fill>,
    ) {
        let mut times = 1;
        self.sequence += 1;
        let mut notice = self.order_row(place, event, due);
        notice.sequence_number = Some(self.sequence.to_string());
        if let Some(fill) = fill {
            let (ssboe, usecs) = stamp(fill.time);
            let date = self.calendar.session_at_or_after(fill.time).trade_date.to_string();
            notice.fill_price = Some(fill.price.as_f64());
            notice.fill_size = Some(fill.quantity as i32);
            notice.fill_time = fill.time.to_string().get(11..19).map(str::to_owned);
            notice.fill_date = Some(date.replace('-', ""));
            notice.fill_id = Some((self.fills.len() + 1).to_string());
            (notice.source_ssboe, notice.source_usecs) = (Some(ssboe), Some(usecs));
            notice.source_nsecs = Some(fill.time.nanos().rem_euclid(1_000_000_000) as i32);
            let number = self.fills.len();
            let is = |draw, chance| draws(self.seed, draw, number, chance);
            times += usize::from(is(Draw::FillRepeat, self.quirks.fill_repeat));
            times *= usize::from(!is(Draw::FillLoss, self.quirks.fill_loss));
            self.fills.push(notice.clone());
        }
        let size = Some(self.orders[place].left() as i32);
        match event {
            Exchange::Status => notice.confirmed_size = size,
            Exchange::Modify => notice.modified_size = size,
            Exchange::Cancel => notice.cancelled_size = size,
            Exchange::Reject => notice.text = Some("too many orders".to_owned()),
            _ => {}
        }
        for _ in 0..times {
            self.leave(Topic::Orders, due, encode(&notice, None));
        }
    }

    /// Returns an order as the exchange has it.
    pub(crate) fn order_row(
        &self,
        place: usize,
        event: Exchange,
        time: Timestamp,
    ) -> rti::ExchangeOrderNotification {
        let order = &self.orders[place];
        let (ssboe, usecs) = self.gateway_stamp(time);
        let (price, trigger_price) = prices(order.new.kind);
        message!(ExchangeOrderNotification {
            user_tag: order.new.user_tag.clone(),
            notify_type: Some(event.into()),
            report_type: Some(report_type(event).to_owned()),
            status: Some(status(order.status).to_owned()),
            basket_id: Some(basket(place)),
            original_basket_id: order.entry.map(basket),
            linked_basket_ids: self.sibling(place).map(basket),
            fcm_id: Some(FIRM.to_owned()),
            ib_id: Some(FIRM.to_owned()),
            user_id: Some(self.user.clone()),
            account_id: Some(self.account.clone()),
            symbol: Some(self.contracts[usize::from(order.new.contract)].symbol.clone()),
            exchange: Some(EXCHANGE.to_owned()),
            trade_exchange: Some(EXCHANGE.to_owned()),
            trade_route: Some(ROUTE.to_owned()),
            exchange_order_id: Some(exchange_name(place)),
            instrument_type: Some("Future".to_owned()),
            quantity: Some(order.new.quantity as i32),
            price,
            trigger_price,
            transaction_type: Some(side(order.new.side)),
            duration: Some(order.new.duration),
            price_type: Some(price_type(order.new.kind)),
            orig_price_type: Some(price_type(order.new.kind)),
            bracket_type: bracket_type(order),
            avg_fill_price: order.average(),
            total_fill_size: Some(order.filled as i32),
            total_unfilled_size: Some(order.left() as i32),
            currency: Some("USD".to_owned()),
            ssboe: Some(ssboe),
            usecs: Some(usecs),
        })
    }

    /// Leaves a notice of the bracket of an entry.
    pub(crate) fn tell_bracket(&mut self, entry: usize, due: Timestamp) {
        let bracket = self.orders[entry].new.bracket;
        let [stop, target] = [true, false].map(|stop| self.released(entry, stop));
        let is = |ticks: u32| move |value: u32| (ticks > 0).then_some(value as i32);
        let (stop_ticks, target_ticks) = (bracket.stop_loss_ticks, bracket.profit_target_ticks);
        let quantity = self.orders[entry].new.quantity;
        let notice = message!(BracketUpdates {
            fcm_id: Some(FIRM.to_owned()),
            ib_id: Some(FIRM.to_owned()),
            account_id: Some(self.account.clone()),
            basket_id: Some(basket(entry)),
            stop_ticks: is(stop_ticks)(stop_ticks),
            stop_quantity: is(stop_ticks)(quantity),
            stop_quantity_released: is(stop_ticks)(stop),
            target_ticks: is(target_ticks)(target_ticks),
            target_quantity: is(target_ticks)(quantity),
            target_quantity_released: is(target_ticks)(target),
        });
        self.leave(Topic::Brackets, due, encode(&notice, None));
    }

    /// Returns the contracts for which an entry's bracket has made its stop, or its target.
    pub(crate) fn released(&self, entry: usize, stop: bool) -> u32 {
        let is_it =
            |order: &&Order| order.entry == Some(entry) && order.is_stop_of_bracket() == stop;
        self.orders.iter().find(is_it).map_or(0, |order| order.new.quantity)
    }

    fn leave(&mut self, topic: Topic, due: Timestamp, frame: Vec<u8>) {
        self.notices.push_back(Notice { due, topic, frame });
    }
}

/// Returns the price and the trigger of an order.
pub(crate) fn prices(kind: OrderKind) -> (Option<f64>, Option<f64>) {
    let (price, trigger) = match kind {
        OrderKind::Market => (None, None),
        OrderKind::Limit { price } => (Some(price), None),
        OrderKind::Stop { trigger } => (None, Some(trigger)),
        OrderKind::StopLimit { trigger, price } => (Some(price), Some(trigger)),
    };
    (price.map(Price::as_f64), trigger.map(Price::as_f64))
}

/// Returns the number of a kind of order.
pub(crate) fn price_type(kind: OrderKind) -> i32 {
    match kind {
        OrderKind::Limit { .. } => 1,
        OrderKind::Market => 2,
        OrderKind::StopLimit { .. } => 3,
        OrderKind::Stop { .. } => 4,
    }
}

/// Returns the number of a side.
pub(crate) fn side(side: Side) -> i32 {
    if side == Side::Buy { 1 } else { 2 }
}

/// Returns the name of a state.
pub(crate) fn status(status: Status) -> &'static str {
    match status {
        Status::Pending => "open pending",
        Status::Open => "open",
        Status::TriggerPending => "trigger pending",
        Status::Filled | Status::Cancelled | Status::Rejected => "complete",
    }
}

fn exchange_name(place: usize) -> String {
    format!("X{}", basket(place))
}

/// Returns the number of a bracket's kind, of an entry that has one.
fn bracket_type(order: &Order) -> Option<i32> {
    let bracket = order.new.bracket;
    match (bracket.stop_loss_ticks > 0, bracket.profit_target_ticks > 0) {
        (true, true) => Some(6),
        (true, false) => Some(4),
        (false, true) => Some(5),
        (false, false) => None,
    }
}

/// Returns the reason for which an order is complete.
fn reason(order: &Order) -> &'static str {
    match order.status {
        Status::Cancelled => "C",
        Status::Rejected => "R",
        _ => "F",
    }
}

fn text(step: Rithmic, known: Status) -> &'static str {
    use Rithmic::{
        CancelRcvdByExchGtwy, CancelRcvdFromClnt, CancelSentToExch, CancellationFailed,
        ModificationFailed, Modified, ModifyRcvdByExchGtwy, ModifyRcvdFromClnt, ModifySentToExch,
        OrderRcvdByExchGtwy, OrderRcvdFromClnt, OrderSentToExch,
    };
    match step {
        OrderRcvdFromClnt => "Order received from client",
        OrderRcvdByExchGtwy => "Order received by exch gateway",
        OrderSentToExch => "Order sent to exch",
        ModifyRcvdFromClnt => "Modify received from client",
        ModifyRcvdByExchGtwy => "Modify received by exch gateway",
        ModifySentToExch => "Modify sent to exch",
        CancelRcvdFromClnt => "Cancel received from client",
        CancelRcvdByExchGtwy => "Cancel received by exch gateway",
        CancelSentToExch => "Cancel sent to exch",
        Modified if known == Status::TriggerPending => "modified, trigger pending",
        Modified => "modified",
        ModificationFailed => "Modification failed",
        CancellationFailed => "Cancellation failed",
        _ => status(known),
    }
}

fn report_type(event: Exchange) -> &'static str {
    match event {
        Exchange::Status => "status",
        Exchange::Modify => "modify",
        Exchange::Cancel => "cancel",
        Exchange::Trigger => "trigger",
        Exchange::Fill => "fill",
        Exchange::Reject => "reject",
        Exchange::NotModified => "not modified",
        Exchange::NotCancelled => "not cancelled",
        _ => "generic",
    }
}
