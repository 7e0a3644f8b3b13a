//! A gateway that speaks Rithmic's protocol, replays the trades of a native tick file, and fills
//! orders from them.
//!
//! - [`Market`]: the ticks, their contracts and sessions, and what history has of them.
//! - [`Gateway`]: the gateway as a machine without thread, clock or socket. A test drives it in
//!   virtual time.
//! - [`AccountSettings`]: the account of the order plant and the P&L plant.
//! - [`Script`]: faults and quirks that the gateway shows, read from YAML.
//! - [`Server`]: the machine on WebSockets, with or without TLS.
//! - [`certificates`]: an authority and a certificate for TLS on this machine.
//!
//! ```
//! use algospace_hft::market::{Price, Tick, Timestamp};
//! use algospace_hft_rithmic::Monotonic;
//! use rithmic_sim::{Gateway, Input, Market, Settings};
//!
//! let open = Timestamp::from_nanos(1_700_000_000_000_000_000);
//! let ticks = vec![Tick::new(open, Price::from_units(4_500 * Price::SCALE), 1)];
//! let market = Market::of_ticks("ES", ticks).unwrap();
//! let mut gateway = Gateway::new(Settings::default(), market);
//! gateway.on(Input::Connect(1), Monotonic(0));
//! assert!(gateway.outputs().next().is_none());
//! ```
//!
//! `docs/rithmic-sim.md` lists the templates, and what the real Rithmic may do otherwise.

mod books;
mod broker;
pub mod certificates;
mod faults;
mod gateway;
mod history;
mod market;
mod messages;
mod notices;
mod orders;
mod profit;
mod requests;
pub mod script;
mod server;

pub use broker::AccountSettings;
pub use gateway::{ClientId, Gateway, Input, Output, Settings};
pub use market::{Market, MarketError};
pub use script::Script;
pub use server::{Server, ServerError};
