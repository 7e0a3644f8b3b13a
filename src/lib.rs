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
//! A backtest from a configuration:
//!
//! ```
//! use std::collections::HashMap;
//!
//! use algospace_hft::config::Config;
//! use algospace_hft::run::run_backtest;
//!
//! let yaml = "
//! data_handler:
//!   backtest_settings:
//!     synthetic: { market: martingale, days: 1, trades_per_day: 1000 }
//! strategy: { kind: baseline }
//! ";
//! let config = Config::parse(yaml, "an example", &HashMap::new())?;
//! let record = run_backtest(&config, &Default::default(), &mut |_| {}, &|_| {})?;
//! assert!(record.ticks > 0 && !record.equity.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Prices, money and time are integers: see [`market::Price`], [`market::Money`] and
//! [`market::Timestamp`].
//!
//! Rooms of stages are marked below: they read no clock and no environment, and hold nothing whose
//! order is random.

#![cfg_attr(not(test), warn(clippy::unwrap_used))]
// For the library only: in tests and benches, `pub` is how files that several programs share show
// what they share.
#![warn(unreachable_pub)]

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
#[cfg(feature = "live")]
pub mod live;
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
