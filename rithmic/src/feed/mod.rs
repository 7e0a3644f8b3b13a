//! The truth about the market data of one contract, as machines.
//!
//! Level-one data have no sequence numbers. What is missing shows by the cumulative volume of
//! trades ([`Accounts`]), and comes from the past ([`History`]); what has stopped shows by its
//! silence ([`Freshness`]), where the session leads one to expect data ([`SessionWatch`]). The time
//! in the market shows by the gateway's stamps ([`MarketClock`]), with the doubt in it
//! ([`ClockGuard`]). [`ContractFeed`] has the machines of one contract together.

mod accounts;
mod clock;
mod contract_feed;
mod freshness;
mod history;
mod session;
mod top_of_book;
mod trade;

pub use accounts::{Accounts, AccountsSettings, Counts, Feed, Gap, Known, Origin, Phase, Short};
pub use clock::{
    ClockEvent, ClockGuard, ClockGuardSettings, ClockWatch, Clocks, Doubt, MarketClock, Refused,
};
pub use contract_feed::{ContractFeed, Told};
pub use freshness::{Freshness, FreshnessSettings, Kind, Symptom};
pub use history::{Answer, End, History, Minute, Query, Rows, What};
pub use session::{Cause, Mode, Session, SessionChange, SessionWatch};
pub use top_of_book::{Side, TopOfBook};
pub use trade::{Aggressor, Contract, Trade, Unusable};
