//! The ground floor: prices, money, time, ticks, bars, instruments, session calendar, contract
//! roll.
//!
//! Nothing here knows of files, threads, strategies or brokers.

mod bar;
mod calendar;
mod contract;
mod gap;
mod instrument;
mod money;
mod naming;
mod price;
mod product;
mod roll;
mod tick;
mod tick_division;
mod tick_rule;
mod timestamp;

pub use bar::{Bar, BarFlags, Timeframe, TimeframeError};
pub use calendar::{Calendar, CalendarError, Session, time_zone};
pub use contract::{Contract, ContractError};
pub use gap::{Gap, GapPhase};
pub use instrument::{Instrument, InstrumentError};
pub use money::Money;
pub use naming::{ContractName, Naming};
pub use price::{Price, PriceError};
pub use product::Product;
pub use roll::{RollError, RollRule, RollSchedule, RollStep, SessionVolumes};
pub use tick::{Quoted, Side, Tick, TickFlags};
pub use tick_division::TickDivision;
pub use tick_rule::{TickFault, TickRule};
pub use timestamp::{Timestamp, TimestampError};
