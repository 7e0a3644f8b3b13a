//! The meaning of requests to the order plant: new orders, and the orders that they name.

use algospace_hft::execution::{Bracket, OrderKind};
use algospace_hft::market::{Price, Side, Timestamp};
use algospace_hft_rithmic::wire::rti;

use crate::books::{Books, DAY, NewOrder, basket};
use crate::messages::EXCHANGE;
use crate::notices::ROUTE;

/// Good until cancelled.
const GTC: i32 = 2;
/// The most contracts of one order.
pub(crate) const MOST: i32 = 3_000;

/// Returns the bracket of a request: one stop, one target, or both, for the whole quantity.
pub(crate) fn bracket(request: &rti::RequestBracketOrder) -> Result<Bracket, &'static str> {
    let one = |ticks: &[i32], quantity: &[i32]| match (ticks, quantity) {
        ([], []) => Ok(0),
        (&[ticks], &[quantity]) if ticks > 0 && Some(quantity) == request.quantity => {
            Ok(ticks as u32)
        }
        _ => Err("such a bracket is not simulated"),
    };
    let stop_loss_ticks = one(&request.stop_ticks, &request.stop_quantity)?;
    let profit_target_ticks = one(&request.target_ticks, &request.target_quantity)?;
    Ok(Bracket { stop_loss_ticks, profit_target_ticks })
}

impl Books {
    /// Returns the order that a request describes, or the reason for which it is refused.
    pub(crate) fn understand(
        &self,
        request: &rti::RequestNewOrder,
        bracket: Bracket,
    ) -> Result<NewOrder, &'static str> {
        let is_it =
            |symbol: &str| self.contracts.iter().position(|contract| contract.symbol == symbol);
        let contract = request.symbol.as_deref().and_then(is_it);
        let (Some(contract), Some(EXCHANGE)) = (contract, request.exchange.as_deref()) else {
            return Err("no such contract");
        };
        if request.trade_route.as_deref().is_some_and(|route| route != ROUTE) {
            return Err("no such route");
        }
        let quantity = request.quantity.filter(|quantity| (1..=MOST).contains(quantity));
        let duration = request.duration.unwrap_or(DAY);
        if !matches!(duration, DAY | GTC) {
            return Err("such a duration is not simulated");
        }
        Ok(NewOrder {
            user_tag: request.user_tag.clone(),
            contract: contract as u16,
            side: match request.transaction_type {
                Some(1) => Side::Buy,
                Some(2) => Side::Sell,
                _ => return Err("invalid side"),
            },
            quantity: quantity.ok_or("invalid quantity")? as u32,
            kind: self.kind(
                request.price_type.unwrap_or(0),
                request.price,
                request.trigger_price,
            )?,
            duration,
            bracket,
        })
    }

    /// Returns the kind of order that a request means by its fields.
    pub(crate) fn kind(
        &self,
        price_type: i32,
        price: Option<f64>,
        trigger: Option<f64>,
    ) -> Result<OrderKind, &'static str> {
        let valid = |price: Option<f64>| {
            let price = price.and_then(Price::from_f64);
            price.filter(|price| price.is_on_tick(self.tick_size)).ok_or("invalid price")
        };
        Ok(match price_type {
            1 => OrderKind::Limit { price: valid(price)? },
            2 => OrderKind::Market,
            3 => OrderKind::StopLimit { trigger: valid(trigger)?, price: valid(price)? },
            4 => OrderKind::Stop { trigger: valid(trigger)? },
            _ => return Err("such a type of order is not simulated"),
        })
    }

    /// Returns the place of a working order.
    pub(crate) fn find(&self, name: Option<&str>) -> Option<usize> {
        self.working().into_iter().find(|&place| Some(basket(place).as_str()) == name)
    }

    /// Returns the orders that have a working order in their bracket, or work themselves.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (usize, &NewOrder)> {
        let working = self.working();
        let is_entry = move |place: &usize| {
            let is_of_it = |other: &usize| self.orders[*other].entry == Some(*place);
            working.contains(place) || working.iter().any(is_of_it)
        };
        (0..self.orders.len()).filter(is_entry).map(|place| (place, &self.orders[place].new))
    }

    /// Sends a modification of the stop or the target of an entry's bracket: its distance from the
    /// entry's first fill.
    pub(crate) fn move_exit(
        &mut self,
        entry: Option<&str>,
        stop: bool,
        ticks: i32,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        const ABSENT: &str = "no such working bracket";
        let is_it = |&place: &usize| {
            let order = &self.orders[place];
            let is_of_it =
                order.entry.is_some_and(|entry_at| Some(basket(entry_at).as_str()) == entry);
            is_of_it && order.is_stop_of_bracket() == stop
        };
        let place = self.working().into_iter().find(is_it).ok_or(ABSENT)?;
        let exit = &self.orders[place];
        let entry = exit.entry.ok_or(ABSENT)?;
        let price = self.orders[entry].first_fill.ok_or(ABSENT)?;
        if ticks <= 0 {
            return Err("invalid distance");
        }
        // The exit of a purchase is a sale: its stop is below the fill.
        let sign = if stop { exit.new.side.sign() } else { -exit.new.side.sign() };
        let price = price.offset_ticks(sign * i64::from(ticks), self.tick_size);
        let kind =
            if stop { OrderKind::Stop { trigger: price } } else { OrderKind::Limit { price } };
        let quantity = exit.new.quantity;
        let bracket = &mut self.orders[entry].new.bracket;
        if stop {
            bracket.stop_loss_ticks = ticks as u32;
        } else {
            bracket.profit_target_ticks = ticks as u32;
        }
        self.modify(place, kind, quantity, now);
        Ok(())
    }

    /// Returns the fills of these seconds.
    pub(crate) fn fills_between(
        &self,
        from: Option<i32>,
        to: Option<i32>,
    ) -> impl Iterator<Item = &rti::ExchangeOrderNotification> {
        let from = from.unwrap_or(0);
        let to = to.filter(|to| *to > 0).unwrap_or(i32::MAX);
        self.fills.iter().filter(move |fill| (from..=to).contains(&fill.source_ssboe()))
    }
}
