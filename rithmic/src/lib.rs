//! Rithmic's protocol for the engine: the wire, links and feed as machines without sockets or
//! clocks, and the one place where sockets and clocks are.
//!
//! - [`wire`]: frames and messages. Last trades and quotes are decoded by hand, without an
//!   allocation; everything else by `rithmic-rs`'s types.
//! - [`link`](mod@link): one link to one plant: login, heartbeat, probes, requests with deadlines,
//!   back-off.
//! - [`feed`]: the truth about the market data: gaps by the cumulative volume and what history has
//!   of them, the best bid and offer, the session, the gateway's clock, what is stale.
//! - [`edge`]: sockets under TLS, clocks, and the loop that drives a link.
//!
//! A machine is a plain struct: it is told its input and the time and returns what is to be done,
//! so that hours of faults are tested in milliseconds, in virtual time.
//!
//! # What the real Rithmic has not confirmed
//!
//! Nothing here has ever met the real Rithmic. The facts come from `rithmic-rs`, from
//! `async_rithmic` and from what their users report. Unverified are, of what this crate does:
//!
//! - one message a frame, and a length of exactly the rest (more than one is taken, less is
//!   refused);
//! - `source_nsecs` as the whole fraction of a second ([`wire::Nanoseconds`]);
//! - partial updates and `clear_bits` of quotes;
//! - `volume` in every trade, with presence bit 8, exact to the contract, and when it begins again;
//! - the repeated trade after a subscription (`is_snapshot`) and its volume;
//! - the order and the time stamps of the history plant's ticks, and what it leaves out;
//! - the notice of an answer that it cuts (`request_key`), and the request to continue it;
//! - that its minutes are marked by their ends, that their volumes are those of the trades, and
//!   that it has a session's last minute two seconds after the close;
//! - template 77's meaning, how far logins must be apart, and how many sessions a login may have;
//! - the codes and texts of refused logins: a wrong system is told as "permission denied";
//! - heartbeats more often than the interval that the login's answer asks for;
//! - whether an answer to template 18 comes while nothing else does;
//! - the texts of the market mode (template 157), all of them ([`feed::Mode::TEXTS`]), and that its
//!   `halt_reason` comes with planned changes as well;
//! - the certificate, and the version of TLS.

pub mod credentials;
pub mod edge;
// Results come from input, settings and seed alone: what clippy.toml lists is denied to machines.
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod feed;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod link;
mod time;
#[deny(clippy::disallowed_methods, clippy::disallowed_types)]
pub mod wire;

pub use time::Monotonic;
