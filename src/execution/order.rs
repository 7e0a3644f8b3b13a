//! Messages to a venue and reports from it.

use serde::{Deserialize, Serialize};

use super::rules::Refusal;
use crate::execution::ExitReason;
use crate::market::{Money, Price, Side, Timestamp};

/// The name of an order: 1, 2, 3, … in the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(pub u64);

impl OrderId {
    /// Returns the name of the stop in this entry's bracket.
    pub const fn stop_loss(self) -> OrderId {
        OrderId(self.0 | 1 << 62)
    }

    /// Returns the name of the target in this entry's bracket.
    pub const fn profit_target(self) -> OrderId {
        OrderId(self.0 | 1 << 63)
    }

    /// Returns the entry of a bracket's order, and any other order's own name.
    pub const fn entry(self) -> OrderId {
        OrderId(self.0 & !(3 << 62))
    }
}

/// The identity of a fill: two reports with the same identity are about the same contracts.
///
/// The simulated exchange numbers its fills 1, 2, 3, …; those of a broker's fills are made of the
/// broker's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FillId(pub u64);

/// The price condition of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// Fills at once, at any price.
    Market,
    /// Fills at `price` or better.
    Limit {
        /// The worst price.
        price: Price,
    },
    /// Becomes a market order when the market trades at or beyond `trigger`.
    Stop {
        /// The price that wakes the order.
        trigger: Price,
    },
    /// Becomes a limit order at `price` when the market trades at or beyond `trigger`.
    StopLimit {
        /// The price that wakes the order.
        trigger: Price,
        /// The worst price.
        price: Price,
    },
}

/// The exits of an entry, each of which cancels the other ("one cancels other").
///
/// Distances are in ticks from the entry's first fill, as in Rithmic's brackets; 0 leaves an exit
/// out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bracket {
    /// Ticks of loss at which the stop triggers.
    pub stop_loss_ticks: u32,
    /// Ticks of profit at which the target fills.
    pub profit_target_ticks: u32,
}

/// The purpose of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// Opens or enlarges a position, or turns it over; cancelled at the session's end.
    Entry(Bracket),
    /// Closes. Never fills more than the open position; stays over the session's end.
    Exit(ExitReason),
}

/// An order as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its name.
    pub id: OrderId,
    /// Contract to trade, as in [`crate::market::Tick::contract`].
    pub contract: u16,
    /// Buy or sell.
    pub side: Side,
    /// Contracts (≥ 1).
    pub quantity: u32,
    /// Price.
    pub kind: OrderKind,
    /// Purpose.
    pub purpose: Purpose,
}

/// A request to close a position: cancel every working order, then trade at the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosePosition {
    /// Name of the order that closes.
    pub id: OrderId,
    /// Contract of the position, as in [`crate::market::Tick::contract`].
    pub contract: u16,
    /// Side that closes, opposite to the position.
    pub side: Side,
    /// Contracts to close: those that the desk knows of. Contracts filled in the meantime stay, and
    /// contracts closed in the meantime are not closed twice.
    pub quantity: u32,
    /// Reason for the exit.
    pub reason: ExitReason,
}

/// A message of the desk to its venue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderMessage {
    /// An order.
    Submit(Order),
    /// Cancel an order; without effect if it has ended when this arrives.
    Cancel(OrderId),
    /// Cancel every working order and close the position; without effect on orders sent later.
    ClosePosition(ClosePosition),
}

/// The desk's way to its venue.
pub trait OrderPort {
    /// Sends a message at time `now`.
    fn send(&mut self, message: OrderMessage, now: Timestamp);

    /// Takes note of a refusal by the rules at time `now`. A port without a record ignores it.
    fn refuse(&mut self, _refusal: Refusal, _now: Timestamp) {}
}

/// Contracts bought or sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Its identity.
    pub id: FillId,
    /// The order that filled.
    pub order: OrderId,
    /// Bought or sold.
    pub side: Side,
    /// Contracts (≥ 1).
    pub quantity: u32,
    /// Price.
    pub price: Price,
    /// Cost of slippage for all the contracts (≥ 0): from the traded price for a market or limit
    /// order, from the trigger for a stop. Contained in `price`.
    pub slippage: Money,
    /// Commission for all the contracts (≥ 0).
    pub commission: Money,
    /// Time of the fill at the exchange.
    pub time: Timestamp,
    /// Purpose of the order.
    pub purpose: Purpose,
    /// The contract, as in [`crate::market::Tick::contract`].
    pub contract: u16,
}

/// The reason why a venue rejected an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RejectReason {
    /// The exchange cannot hold more orders.
    TooManyOrders,
    /// Zero contracts.
    NoQuantity,
    /// A reason of the venue's own.
    Venue,
    /// The order provably never reached the venue.
    NeverArrived,
}

/// The content of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportKind {
    /// The venue has the order.
    Accepted(OrderId),
    /// The venue rejected the order.
    Rejected(OrderId, RejectReason),
    /// The order, or the rest of it, is gone: on request, at the session's end, because the other
    /// side of its bracket filled, or because there is no position left to close.
    Cancelled(OrderId),
    /// Contracts were bought or sold.
    Filled(Fill),
    /// The venue rejected the cancellation of the order, which works on unless it has ended in the
    /// meantime. The simulated exchange rejects no cancellation.
    CancelRejected(OrderId),
}

/// A report from a venue, and its arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Time of arrival.
    pub arrives: Timestamp,
    /// Content.
    pub kind: ReportKind,
}
