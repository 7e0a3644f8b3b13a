//! The order plant: its requests and their answers.

use algospace_hft::execution::Bracket;
use algospace_hft::market::Timestamp;
use algospace_hft_rithmic::wire::prost::Message as _;
use algospace_hft_rithmic::wire::{Template, encode, rti};
use rti::exchange_order_notification::NotifyType as Exchange;

use crate::books::{Topic, basket};
use crate::broker::Broker;
use crate::gateway::{ClientId, Output};
use crate::messages::{EXCHANGE, codes, good, message};
use crate::notices::{FIRM, ROUTE, price_type, prices};
use crate::requests::{MOST, bracket};
use crate::script::ShowOrders;

/// The way back to the client that asks.
struct Reply<'a> {
    id: ClientId,
    user_msg: Vec<String>,
    now: Timestamp,
    outputs: &'a mut Vec<Output>,
}

impl Reply<'_> {
    fn send<M: Template>(&mut self, message: &M) {
        self.outputs.push(Output::Send(self.id, encode(message, None)));
    }
}

/// Sends one part of an answer that has several.
macro_rules! row {
    ($reply:ident, $name:ident { $($fields:tt)* }) => {{
        let (user_msg, rq_handler_rp_code) = ($reply.user_msg.clone(), good());
        $reply.send(&message!($name { user_msg, rq_handler_rp_code, $($fields)* }));
    }};
}

/// Sends the last part of an answer.
macro_rules! end {
    ($reply:ident, $name:ident { $($fields:tt)* }) => {{
        let (user_msg, rp_code) = ($reply.user_msg.clone(), good());
        $reply.send(&message!($name { user_msg, rp_code, $($fields)* }));
    }};
}

/// Sends an answer that is a refusal, or says that there is nothing.
macro_rules! refused {
    ($reply:ident, $name:ident, $codes:expr) => {{
        let (user_msg, rp_code) = ($reply.user_msg.clone(), codes(&$codes));
        $reply.send(&message!($name { user_msg, rp_code }));
    }};
}

impl Broker {
    /// Answers a request to the order plant. Returns `false` if it is not known.
    pub(crate) fn on_order_plant(
        &mut self,
        id: ClientId,
        template: i32,
        bytes: &[u8],
        now: Timestamp,
        outputs: &mut Vec<Output>,
    ) -> bool {
        // Every request has the fields of this one under the same numbers.
        let Ok(head) = rti::RequestShowOrders::decode(bytes) else { return false };
        let reply = &mut Reply { id, user_msg: head.user_msg, now, outputs };
        if head.account_id.is_some_and(|account| account != self.settings.name) {
            refused!(reply, Reject, ["13", "permission denied"]);
            return true;
        }
        match template {
            300 => end!(
                reply,
                ResponseLoginInfo {
                    fcm_id: Some(FIRM.to_owned()),
                    ib_id: Some(FIRM.to_owned()),
                    user: Some(self.books.user.clone()),
                    user_type: Some(rti::response_login_info::UserType::Trader.into()),
                }
            ),
            302 => self.accounts(reply),
            304 => self.account_limits(reply),
            306 => self.product_limits(reply),
            308 => {
                self.subscribe(id, Topic::Orders, true);
                end!(reply, ResponseSubscribeForOrderUpdates {});
            }
            310 => routes(reply),
            312 => self.new_order(reply, bytes),
            314 => self.modify(reply, bytes),
            316 => self.cancel(reply, bytes),
            320 => self.show_orders(reply),
            330 => self.bracket_order(reply, bytes),
            332 => self.move_target(reply, bytes),
            334 => self.move_stop(reply, bytes),
            336 => {
                self.subscribe(id, Topic::Brackets, true);
                end!(reply, ResponseSubscribeToBracketUpdates {});
            }
            338 => self.show_targets(reply),
            340 => self.show_stops(reply),
            346 => {
                for place in self.books.working() {
                    self.books.cancel(place, now);
                }
                end!(reply, ResponseCancelAllOrders {});
            }
            3504 => self.exit_position(reply, bytes),
            3506 => self.replay_executions(reply, bytes),
            3512 => self.show_fills(reply, bytes),
            _ => return false,
        }
        true
    }

    fn accounts(&self, reply: &mut Reply<'_>) {
        row!(
            reply,
            ResponseAccountList {
                fcm_id: Some(FIRM.to_owned()),
                ib_id: Some(FIRM.to_owned()),
                account_id: Some(self.settings.name.clone()),
                account_name: Some(self.settings.name.clone()),
                account_currency: Some("USD".to_owned()),
                account_auto_liquidate: Some("disabled".to_owned()),
            }
        );
        end!(reply, ResponseAccountList {});
    }

    fn account_limits(&self, reply: &mut Reply<'_>) {
        row!(
            reply,
            ResponseAccountRmsInfo {
                fcm_id: Some(FIRM.to_owned()),
                ib_id: Some(FIRM.to_owned()),
                account_id: Some(self.settings.name.clone()),
                currency: Some("USD".to_owned()),
                status: Some("active".to_owned()),
                default_commission: Some(self.settings.execution.commission_per_side.as_f64()),
                max_order_quantity: Some(MOST),
            }
        );
        end!(reply, ResponseAccountRmsInfo {});
    }

    fn product_limits(&self, reply: &mut Reply<'_>) {
        row!(
            reply,
            ResponseProductRmsInfo {
                fcm_id: Some(FIRM.to_owned()),
                ib_id: Some(FIRM.to_owned()),
                account_id: Some(self.settings.name.clone()),
                product_code: Some(self.books.product.clone()),
                commission_fill_rate: Some(self.settings.execution.commission_per_side.as_f64()),
                max_order_quantity: Some(MOST),
            }
        );
        end!(reply, ResponseProductRmsInfo {});
    }

    fn new_order(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestNewOrder::decode(bytes).unwrap_or_default();
        let order = self.books.understand(&request, Bracket::default());
        match order {
            Ok(order) => {
                let user_tag = order.user_tag.clone();
                let place = self.books.submit(order, reply.now);
                let (ssboe, usecs) = self.books.gateway_stamp(reply.now);
                let (basket_id, ssboe, usecs) = (Some(basket(place)), Some(ssboe), Some(usecs));
                end!(reply, ResponseNewOrder { user_tag, basket_id, ssboe, usecs });
            }
            Err(why) => refused!(reply, ResponseNewOrder, ["6", why]),
        }
    }

    fn bracket_order(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestBracketOrder::decode(bytes).unwrap_or_default();
        // The fields of both requests have the same numbers.
        let entry = rti::RequestNewOrder::decode(bytes).unwrap_or_default();
        let order = bracket(&request).and_then(|bracket| self.books.understand(&entry, bracket));
        match order {
            Ok(order) => {
                let user_tag = order.user_tag.clone();
                let place = self.books.submit(order, reply.now);
                let (ssboe, usecs) = self.books.gateway_stamp(reply.now);
                let (basket_id, ssboe, usecs) = (Some(basket(place)), Some(ssboe), Some(usecs));
                end!(reply, ResponseBracketOrder { user_tag, basket_id, ssboe, usecs });
            }
            Err(why) => refused!(reply, ResponseBracketOrder, ["6", why]),
        }
    }

    fn modify(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestModifyOrder::decode(bytes).unwrap_or_default();
        let Some(place) = self.books.find(request.basket_id.as_deref()) else {
            return refused!(reply, ResponseModifyOrder, ["6", "no such working order"]);
        };
        let order = &self.books.orders[place].new;
        let quantity = request.quantity.unwrap_or(order.quantity as i32);
        // What the request leaves out stays.
        let (price, trigger) = prices(order.kind);
        let (price, trigger) = (request.price.or(price), request.trigger_price.or(trigger));
        let price_type = request.price_type.unwrap_or(price_type(order.kind));
        let kind = match self.books.kind(price_type, price, trigger) {
            Ok(kind) if std::mem::discriminant(&kind) == std::mem::discriminant(&order.kind) => {
                kind
            }
            Ok(_) => return refused!(reply, ResponseModifyOrder, ["6", "another type of order"]),
            Err(why) => return refused!(reply, ResponseModifyOrder, ["6", why]),
        };
        if !(1..=MOST).contains(&quantity) {
            return refused!(reply, ResponseModifyOrder, ["6", "invalid quantity"]);
        }
        self.books.modify(place, kind, quantity as u32, reply.now);
        let (ssboe, usecs) = self.books.gateway_stamp(reply.now);
        let (basket_id, ssboe, usecs) = (request.basket_id, Some(ssboe), Some(usecs));
        end!(reply, ResponseModifyOrder { basket_id, ssboe, usecs });
    }

    fn cancel(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestCancelOrder::decode(bytes).unwrap_or_default();
        let Some(place) = self.books.find(request.basket_id.as_deref()) else {
            return refused!(reply, ResponseCancelOrder, ["6", "no such working order"]);
        };
        self.books.cancel(place, reply.now);
        let (ssboe, usecs) = self.books.gateway_stamp(reply.now);
        let (basket_id, ssboe, usecs) = (request.basket_id, Some(ssboe), Some(usecs));
        end!(reply, ResponseCancelOrder { basket_id, ssboe, usecs });
    }

    fn move_stop(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestUpdateStopBracketLevel::decode(bytes).unwrap_or_default();
        let ticks = request.stop_ticks.unwrap_or(0);
        match self.books.move_exit(request.basket_id.as_deref(), true, ticks, reply.now) {
            Ok(()) => end!(reply, ResponseUpdateStopBracketLevel {}),
            Err(why) => refused!(reply, ResponseUpdateStopBracketLevel, ["6", why]),
        }
    }

    fn move_target(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestUpdateTargetBracketLevel::decode(bytes).unwrap_or_default();
        let ticks = request.target_ticks.unwrap_or(0);
        match self.books.move_exit(request.basket_id.as_deref(), false, ticks, reply.now) {
            Ok(()) => end!(reply, ResponseUpdateTargetBracketLevel {}),
            Err(why) => refused!(reply, ResponseUpdateTargetBracketLevel, ["6", why]),
        }
    }

    fn show_orders(&mut self, reply: &mut Reply<'_>) {
        let show = self.books.quirks.show_orders;
        if show != ShowOrders::RowsThenAnswer {
            end!(reply, ResponseShowOrders {});
        }
        if show != ShowOrders::AnswerAlone {
            for place in self.books.working() {
                let mut row = self.books.order_row(place, Exchange::Status, reply.now);
                row.is_snapshot = Some(true);
                reply.send(&row);
            }
        }
        if show == ShowOrders::RowsThenAnswer {
            end!(reply, ResponseShowOrders {});
        }
    }

    fn show_targets(&self, reply: &mut Reply<'_>) {
        for (place, order) in self.books.entries() {
            let ticks = order.bracket.profit_target_ticks;
            if ticks > 0 {
                row!(
                    reply,
                    ResponseShowBrackets {
                        basket_id: Some(basket(place)),
                        target_quantity: Some(order.quantity.to_string()),
                        target_quantity_released: Some(
                            self.books.released(place, false).to_string()
                        ),
                        target_ticks: Some(ticks.to_string()),
                    }
                );
            }
        }
        end!(reply, ResponseShowBrackets {});
    }

    fn show_stops(&self, reply: &mut Reply<'_>) {
        for (place, order) in self.books.entries() {
            let ticks = order.bracket.stop_loss_ticks;
            if ticks > 0 {
                row!(
                    reply,
                    ResponseShowBracketStops {
                        basket_id: Some(basket(place)),
                        stop_quantity: Some(order.quantity.to_string()),
                        stop_quantity_released: Some(self.books.released(place, true).to_string()),
                        stop_ticks: Some(ticks.to_string()),
                    }
                );
            }
        }
        end!(reply, ResponseShowBracketStops {});
    }

    fn exit_position(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestExitPosition::decode(bytes).unwrap_or_default();
        let mut has_position = false;
        for contract in 0..self.books.contracts.len() as u16 {
            let symbol = self.books.contracts[usize::from(contract)].symbol.clone();
            if request.symbol.as_ref().is_some_and(|wanted| *wanted != symbol) {
                continue;
            }
            if !self.books.quirks.exit_leaves_orders {
                for place in self.books.working() {
                    if self.books.orders[place].new.contract == contract {
                        self.books.cancel(place, reply.now);
                    }
                }
            }
            if self.books.exit(contract, reply.now) {
                has_position = true;
                let (symbol, exchange) = (Some(symbol), Some(EXCHANGE.to_owned()));
                row!(reply, ResponseExitPosition { symbol, exchange });
            }
        }
        if has_position {
            end!(reply, ResponseExitPosition {});
        } else {
            refused!(reply, ResponseExitPosition, ["7", "no data"]);
        }
    }

    fn replay_executions(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestReplayExecutions::decode(bytes).unwrap_or_default();
        end!(reply, ResponseReplayExecutions {});
        for fill in self.books.fills_between(request.start_index, request.finish_index) {
            let mut fill = fill.clone();
            fill.is_snapshot = Some(true);
            reply.send(&fill);
        }
    }

    fn show_fills(&mut self, reply: &mut Reply<'_>, bytes: &[u8]) {
        let request = rti::RequestShowFillHistory::decode(bytes).unwrap_or_default();
        // Trade dates as an index are not simulated: all fills are then told.
        let is_seconds = request.index_format.as_deref().is_none_or(|format| format == "ssboe");
        let index = |index: Option<i32>| index.filter(|_| is_seconds);
        let (from, to) = (index(request.start_index), index(request.finish_index));
        for fill in self.books.fills_between(from, to) {
            row!(
                reply,
                ResponseShowFillHistory {
                    basket_id: fill.basket_id.clone(),
                    sequence_number: fill.sequence_number.clone(),
                    fcm_id: fill.fcm_id.clone(),
                    ib_id: fill.ib_id.clone(),
                    account_id: fill.account_id.clone(),
                    symbol: fill.symbol.clone(),
                    exchange: fill.exchange.clone(),
                    trade_exchange: fill.trade_exchange.clone(),
                    trade_route: fill.trade_route.clone(),
                    exchange_order_id: fill.exchange_order_id.clone(),
                    instrument_type: fill.instrument_type.clone(),
                    // Here it is text.
                    transaction_type: Some(fill.transaction_type().as_str_name().to_owned()),
                    price_type: Some(fill.price_type().as_str_name().to_owned()),
                    fill_time: fill.fill_time.clone(),
                    fill_date: fill.fill_date.clone(),
                    fill_id: fill.fill_id.clone(),
                    price: fill.price,
                    trigger_price: fill.trigger_price,
                    fill_price: fill.fill_price,
                    avg_fill_price: fill.avg_fill_price,
                    fill_size: fill.fill_size.map(|size| size as u64),
                    total_fill_size: fill.total_fill_size.map(|size| size as u64),
                    total_unfilled_size: fill.total_unfilled_size.map(|size| size as u64),
                    ssboe: fill.ssboe,
                    usecs: fill.usecs,
                    source_ssboe: fill.source_ssboe,
                    source_usecs: fill.source_usecs,
                    source_nsecs: fill.source_nsecs,
                }
            );
        }
        end!(reply, ResponseShowFillHistory {});
    }
}

fn routes(reply: &mut Reply<'_>) {
    row!(
        reply,
        ResponseTradeRoutes {
            fcm_id: Some(FIRM.to_owned()),
            ib_id: Some(FIRM.to_owned()),
            exchange: Some(EXCHANGE.to_owned()),
            trade_route: Some(ROUTE.to_owned()),
            status: Some("UP".to_owned()),
            is_default: Some(true),
        }
    );
    end!(reply, ResponseTradeRoutes {});
}
