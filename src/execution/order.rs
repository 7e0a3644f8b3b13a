//! What goes to the exchange and what comes back.

use serde::{Deserialize, Serialize};

use super::rules::Refusal;
use crate::execution::ExitReason;
use crate::market::{Money, Price, Side, Timestamp};

/// Names an order; 1, 2, 3, … in the order in which they were made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct OrderId(pub u64);

impl OrderId {
    /// Returns the stop of the bracket that came with this entry.
    pub const fn stop_loss(self) -> OrderId {
        OrderId(self.0 | 1 << 62)
    }

    /// Returns the target of the bracket that came with this entry.
    pub const fn profit_target(self) -> OrderId {
        OrderId(self.0 | 1 << 63)
    }

    /// Returns the entry that a bracket's order came with, and any other order itself.
    pub const fn entry(self) -> OrderId {
        OrderId(self.0 & !(3 << 62))
    }
}

/// The identity of a fill: two reports with the same one tell of the same contracts.
///
/// The simulated exchange numbers its fills 1, 2, 3, …; a broker's are made from what it calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FillId(pub u64);

/// At what price an order may fill.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderKind {
    /// At once, at any price.
    Market,
    /// At `price` or better.
    Limit {
        /// The worst price.
        price: Price,
    },
    /// As a market order once the market trades at or beyond `trigger`.
    Stop {
        /// The price that wakes the order.
        trigger: Price,
    },
    /// As a limit order at `price` once the market trades at or beyond `trigger`.
    StopLimit {
        /// The price that wakes the order.
        trigger: Price,
        /// The worst price.
        price: Price,
    },
}

/// The exits that an entry brings along, each cancelling the other ("one cancels other").
///
/// Distances are in ticks from the entry's first fill, as in Rithmic's brackets; 0 leaves one out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bracket {
    /// Ticks of loss at which the stop triggers.
    pub stop_loss_ticks: u32,
    /// Ticks of profit at which the target fills.
    pub profit_target_ticks: u32,
}

/// What an order is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// To open or enlarge a position (or to turn it over); cancelled at the session's end.
    Entry(Bracket),
    /// To close. Never fills more than the position that is open; stays over the session's end.
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
    /// At what price.
    pub kind: OrderKind,
    /// What for.
    pub purpose: Purpose,
}

/// A request to close a position: cancel every order that works, then trade at the market.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClosePosition {
    /// Name of the order that closes.
    pub id: OrderId,
    /// Contract of the position, as in [`crate::market::Tick::contract`].
    pub contract: u16,
    /// Side that closes, opposite to the position.
    pub side: Side,
    /// Contracts to close: those held as far as the desk knows. What was filled meanwhile stays, and what
    /// has been closed meanwhile is not closed twice.
    pub quantity: u32,
    /// Reason for the exit.
    pub reason: ExitReason,
}

/// What the desk sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderMessage {
    /// An order.
    Submit(Order),
    /// Cancel an order; without effect if it is no longer working when that arrives.
    Cancel(OrderId),
    /// Cancel every working order and close the position; without effect on orders that are sent
    /// later.
    ClosePosition(ClosePosition),
}

/// Where the desk sends: the simulated exchange, or a broker.
pub trait OrderPort {
    /// Sends a message at time `now`.
    fn send(&mut self, message: OrderMessage, now: Timestamp);

    /// Notes that the rules refused something at time `now`. A port that keeps no record ignores it.
    fn refuse(&mut self, _refusal: Refusal, _now: Timestamp) {}
}

/// Contracts bought or sold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// Its identity.
    pub id: FillId,
    /// Of which order.
    pub order: OrderId,
    /// Bought or sold.
    pub side: Side,
    /// Contracts (≥ 1).
    pub quantity: u32,
    /// At what price.
    pub price: Price,
    /// What slippage cost, in money for all the contracts (≥ 0): from the traded price for a market
    /// or limit order, from the trigger for a stop. Already inside `price`.
    pub slippage: Money,
    /// Commission for all the contracts (≥ 0).
    pub commission: Money,
    /// When the exchange filled it.
    pub time: Timestamp,
    /// What the order was for.
    pub purpose: Purpose,
    /// Which contract, as in [`crate::market::Tick::contract`].
    pub contract: u16,
}

/// Why the exchange did not take an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RejectReason {
    /// Its side of the line cannot hold more orders.
    TooManyOrders,
    /// Zero contracts.
    NoQuantity,
    /// The venue refused it for a reason of its own.
    Venue,
    /// It is proven that the order never reached the venue.
    NeverArrived,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReportKind {
    /// The exchange has the order.
    Accepted(OrderId),
    /// The exchange did not take the order.
    Rejected(OrderId, RejectReason),
    /// The order, or what was left of it, is gone: on request, at the session's end, because its
    /// bracket's other side filled, or because there is no position left to close.
    Cancelled(OrderId),
    /// Contracts were bought or sold.
    Filled(Fill),
    /// The cancellation of the order was rejected: it works on, unless it has ended meanwhile. The
    /// simulated exchange rejects none.
    CancelRejected(OrderId),
}

/// News from the exchange, and when it reaches us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When we know.
    pub arrives: Timestamp,
    /// What happened.
    pub kind: ReportKind,
}
