//! The P&L plant: positions and money, as the exchange's own fills make them.
//!
//! Profits count from the start of the simulator, before commissions.

use algospace_hft::market::{Money, Price, Side, Timestamp};
use algospace_hft_rithmic::wire::prost::Message as _;
use algospace_hft_rithmic::wire::{encode, rti};

use crate::books::{Books, Contract, Topic};
use crate::broker::Broker;
use crate::gateway::{ClientId, Output};
use crate::messages::{EXCHANGE, good, message};
use crate::notices::FIRM;

impl Broker {
    /// Answers a request to the P&L plant. Returns `false` if it is not known.
    pub(crate) fn on_profit(
        &mut self,
        id: ClientId,
        template: i32,
        bytes: &[u8],
        now: Timestamp,
        outputs: &mut Vec<Output>,
    ) -> bool {
        let mut send = |frame| outputs.push(Output::Send(id, frame));
        match template {
            400 => {
                use rti::request_pn_l_position_updates::Request::Subscribe;
                let Ok(request) = rti::RequestPnLPositionUpdates::decode(bytes) else {
                    return false;
                };
                self.subscribe(id, Topic::Profit, request.request == Some(Subscribe.into()));
                let (user_msg, rp_code) = (request.user_msg, good());
                send(encode(&message!(ResponsePnLPositionUpdates { user_msg, rp_code }), None));
            }
            402 => {
                let Ok(request) = rti::RequestPnLPositionSnapshot::decode(bytes) else {
                    return false;
                };
                for index in 0..self.books.contracts.len() {
                    if self.books.contracts[index].traded != [0; 2] {
                        send(self.books.contract_profit(index as u16, true, now));
                    }
                }
                send(self.books.account_profit(true, now));
                let (user_msg, rp_code) = (request.user_msg, good());
                send(encode(&message!(ResponsePnLPositionSnapshot { user_msg, rp_code }), None));
            }
            _ => return false,
        }
        true
    }
}

/// Sums over a position, or over all of them.
#[derive(Clone, Copy, Default)]
struct Sums {
    traded: [i32; 2],
    /// Contracts of the orders that work.
    ordered: [i32; 2],
    net: i64,
    open: Money,
    closed: Money,
    commission: Money,
}

impl Sums {
    fn and(self, other: Sums) -> Sums {
        let both = |a: [i32; 2], b: [i32; 2]| [a[0] + b[0], a[1] + b[1]];
        Sums {
            traded: both(self.traded, other.traded),
            ordered: both(self.ordered, other.ordered),
            net: self.net + other.net,
            open: self.open + other.open,
            closed: self.closed + other.closed,
            commission: self.commission + other.commission,
        }
    }
}

impl Books {
    fn sums(&self, contract: u16) -> Sums {
        let Contract { ledger, traded, commission, last, .. } =
            &self.contracts[usize::from(contract)];
        let is_ours = |place: &usize| self.orders[*place].new.contract == contract;
        let mut ordered = [0; 2];
        for place in self.working().into_iter().filter(is_ours) {
            let order = &self.orders[place];
            ordered[usize::from(order.new.side == Side::Sell)] += order.left() as i32;
        }
        Sums {
            traded: traded.map(|quantity| quantity as i32),
            ordered,
            net: ledger.position(),
            open: ledger.unrealised(last.unwrap_or_default()),
            closed: ledger.cash() + *commission,
            commission: *commission,
        }
    }

    /// Returns the frame of a contract's position and profit.
    pub(crate) fn contract_profit(
        &self,
        contract: u16,
        is_snapshot: bool,
        time: Timestamp,
    ) -> Vec<u8> {
        let sums = self.sums(contract);
        let (ssboe, usecs) = self.gateway_stamp(time);
        let [bought, sold] = sums.traded;
        let [buys, sells] = sums.ordered;
        let (open, closed) = (sums.open.as_f64(), sums.closed.as_f64());
        let message = message!(InstrumentPnLPositionUpdate {
            is_snapshot: is_snapshot.then_some(true),
            fcm_id: Some(FIRM.to_owned()),
            ib_id: Some(FIRM.to_owned()),
            account_id: Some(self.account.clone()),
            symbol: Some(self.contracts[usize::from(contract)].symbol.clone()),
            exchange: Some(EXCHANGE.to_owned()),
            product_code: Some(self.product.clone()),
            instrument_type: Some("Future".to_owned()),
            fill_buy_qty: Some(bought),
            fill_sell_qty: Some(sold),
            order_buy_qty: Some(buys),
            order_sell_qty: Some(sells),
            buy_qty: Some(bought + buys),
            sell_qty: Some(sold + sells),
            avg_open_fill_price: Some(self.average(contract)),
            day_open_pnl: Some(open),
            day_closed_pnl: Some(closed),
            day_pnl: Some((sums.open + sums.closed).as_f64()),
            open_position_pnl: Some(sums.open.to_string()),
            open_position_quantity: Some(sums.net.unsigned_abs() as i32),
            closed_position_pnl: Some(sums.closed.to_string()),
            closed_position_quantity: Some(bought.min(sold)),
            net_quantity: Some(sums.net as i32),
            ssboe: Some(ssboe),
            usecs: Some(usecs),
        });
        encode(&message, None)
    }

    /// Returns the frame of the account's money.
    pub(crate) fn account_profit(&self, is_snapshot: bool, time: Timestamp) -> Vec<u8> {
        let contracts = 0..self.contracts.len() as u16;
        let sums = contracts.map(|contract| self.sums(contract)).fold(Sums::default(), Sums::and);
        let (ssboe, usecs) = self.gateway_stamp(time);
        let [bought, sold] = sums.traded;
        let [buys, sells] = sums.ordered;
        let cash = self.balance + sums.closed - sums.commission;
        let message = message!(AccountPnLPositionUpdate {
            is_snapshot: is_snapshot.then_some(true),
            fcm_id: Some(FIRM.to_owned()),
            ib_id: Some(FIRM.to_owned()),
            account_id: Some(self.account.clone()),
            fill_buy_qty: Some(bought),
            fill_sell_qty: Some(sold),
            order_buy_qty: Some(buys),
            order_sell_qty: Some(sells),
            buy_qty: Some(bought + buys),
            sell_qty: Some(sold + sells),
            rms_account_commission: Some(sums.commission.to_string()),
            open_position_pnl: Some(sums.open.to_string()),
            open_position_quantity: Some(sums.net.unsigned_abs() as i32),
            closed_position_pnl: Some(sums.closed.to_string()),
            closed_position_quantity: Some(bought.min(sold)),
            net_quantity: Some(sums.net as i32),
            account_balance: Some((cash + sums.open).to_string()),
            cash_on_hand: Some(cash.to_string()),
            day_open_pnl: Some(sums.open.to_string()),
            day_closed_pnl: Some(sums.closed.to_string()),
            day_pnl: Some((sums.open + sums.closed).to_string()),
            ssboe: Some(ssboe),
            usecs: Some(usecs),
        });
        encode(&message, None)
    }

    /// Returns the average price of the open position; 0 without one.
    fn average(&self, contract: u16) -> f64 {
        let ledger = &self.contracts[usize::from(contract)].ledger;
        let held = ledger.position() as f64 * self.point_value.as_f64();
        let paid = -ledger.unrealised(Price::ZERO).as_f64();
        if ledger.position() == 0 { 0.0 } else { paid / held }
    }
}
