//! Orders, fills, positions, and the rules in front of them.
//!
//! The [`Desk`] is our side: it turns decisions into orders, holds the account, and enforces the
//! rule constraints. A [`Venue`] is the other side. One venue is the [`SimulatedExchange`], behind
//! a line with latency: orders arrive late, and so do its reports. Both are stages of plain
//! structs, and neither allocates after construction.
//!
//! # How the simulated exchange fills
//!
//! * An order that arrives at `t` can fill on ticks at or after `t`, and never on the tick that
//!   caused it.
//! * Every fill is bounded by the contracts that traded: all our fills on one tick together take at
//!   most its size. The rest waits for the next tick.
//! * A **market** order fills at the traded price, worsened by [`Slippage`].
//! * A **stop** triggers on the first trade at or beyond its price and fills from that trade on, as
//!   a market order: a gap through the stop fills at the next traded price, not at the stop.
//! * A **limit** order that is marketable when it arrives fills at the traded price, never worse
//!   than its limit. So do the contracts added to a target that the market has passed. A resting
//!   order fills at its limit when the market trades through it (or touches it, by [`LimitFill`]).
//! * A **stop-limit** triggers like a stop and continues as a limit order.
//! * A **bracket** belongs to an entry: its stop and target live at the exchange from the entry's
//!   first fill, in ticks from that fill, for as many contracts as were filled. A fill of one
//!   reduces the other by as much. They can fill from the tick after the entry's.
//! * On ticks made from **history bars** ([`crate::market::TickFlags`]) time inside the bar is
//!   unknown. Market orders fill on the open and the close only. A stop inside the bar fills at its
//!   price (the market had to pass it), worsened by slippage, unless it enters and an older market
//!   order still waits: then both fill at the bar's end. A limit order reached inside the bar fills
//!   at the bar's end, and not at all if its stop was reached in the same bar: **stop before
//!   target**. For an entry inside the bar the whole bar counts against its stop, and nothing of it
//!   counts for its target. A message that arrives inside the bar takes effect at its close, behind
//!   everything that the bar has done to older orders. A position is valued no further than the bar
//!   has let it live ([`Marks`]).
//! * At the session's end waiting entries are cancelled; exits stay.

mod account;
mod desk;
mod exchange;
mod ledger;
mod order;
mod rules;
mod settings;
mod trade;
mod venue;
mod working_orders;

pub use account::Account;
pub use desk::{Decision, Desk, Target};
pub use exchange::{LimitFill, Marks, SimulatedExchange, Slippage};
pub use ledger::Ledger;
pub use order::{
    Bracket, ClosePosition, Fill, FillId, Order, OrderId, OrderKind, OrderMessage, OrderPort,
    Purpose, RejectReason, Report, ReportKind,
};
pub use rules::Refusal;
pub use settings::{AccountSettings, ExecutionSettings, RiskSettings};
pub use trade::{EquityPoint, ExitReason, Trade};
pub use venue::{ClosedOut, Venue};

#[cfg(test)]
mod broker_tests;
#[cfg(test)]
mod tests;
