//! `algospace-hft`: a trading engine for CME index futures that replays history and trades live
//! through the same code.
//!
//! Read the modules in the order in which data flows:
//! [`source`] (ticks) → [`bars`] → [`indicators`] → [`features`] (one row at each close) →
//! [`matrix`] (windows of scaled rows) → [`strategy`] and [`agents`] (decisions) → [`execution`]
//! (orders, fills, positions) → [`performance`] (statistics and the report). [`market`] is the
//! ground floor. [`engine`] wires the stages together, [`config`] holds the user's settings, and
//! [`run`] goes from a configuration to everything that a run leaves. [`environment`] lets agents
//! learn on the same stages. `ARCHITECTURE.md` has the rest.
//!
//! Prices, money and time are integers: see [`market::Price`], [`market::Money`] and
//! [`market::Timestamp`].
//!
//! Rooms of stages are marked below: they read no clock and no environment, and hold nothing whose
//! order is random.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]

#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod agents;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod bars;
pub mod chart;
pub mod cli;
pub mod config;
pub mod engine;
pub mod environment;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod execution;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod features;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod indicators;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod inference;
pub mod journal;
pub mod latency;
pub mod machine;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod market;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod matrix;
mod page;
pub mod performance;
mod printable;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod random;
pub mod run;
#[cfg(test)]
mod sampling;
pub mod settings;
pub mod source;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod strategy;
pub mod table;
mod whole_file;
