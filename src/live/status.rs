//! The state of a paper session at one instant.

use std::time::Duration;

use crate::market::{Money, Price, Timeframe, Timestamp};

/// The state of a paper session, for its user. What fills it reads counters; what shows it is
/// [`view`](super::view).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Status {
    /// The market's time, by the gateway's clock; `None` until it has told one.
    pub time: Option<Timestamp>,
    /// The traded contract, such as `ESZ6`; empty until it is known.
    pub contract: String,
    /// `true` while the session is open.
    pub is_open: bool,
    /// The market data.
    pub feed: FeedStatus,
    /// The links, one a plant.
    pub links: Vec<LinkStatus>,
    /// Bars of this session, one entry a timeframe.
    pub bars: Vec<BarStatus>,
    /// The position and the money.
    pub account: AccountStatus,
    /// The reasons for which nothing is entered, each a few words; empty if entries are allowed.
    pub stopped: Vec<String>,
    /// The rest that is missing until every indicator and matrix is whole; `None` if nothing is.
    pub warm_up: Option<String>,
    /// Time from frame to decision or order, if any was measured.
    pub latency: Option<LatencyStatus>,
    /// Further counts by name: orders, fills, refusals. Zeros are not shown to people.
    pub counters: Vec<(String, u64)>,
}

/// The state of the market data.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeedStatus {
    /// Age of the last trade or quote; `None` before the first.
    pub age: Option<Duration>,
    /// The last trade's price.
    pub last: Option<Price>,
    /// Trades that reached the stages.
    pub trades: u64,
    /// Gaps since the program started.
    pub gaps: u64,
    /// Contracts traded in them, as far as their number is known.
    pub missing: u64,
    /// Those gaps whose size is not known.
    pub unmeasured: u64,
    /// Those of them that history gave back.
    pub recovered: u64,
    /// `true` while a gap is open.
    pub is_in_gap: bool,
}

/// The state of one link.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkStatus {
    /// The plant: `ticker`, `history`.
    pub plant: &'static str,
    /// Its state in a word or two: `live`, `logging in`, `down`.
    pub state: &'static str,
    /// Connections so far.
    pub connections: u32,
    /// The remedy for its user, if it stays down until then.
    pub remedy: Option<&'static str>,
}

/// Bars of one timeframe.
#[derive(Clone, Debug, PartialEq)]
pub struct BarStatus {
    /// Their length.
    pub timeframe: Timeframe,
    /// Closed bars.
    pub closed: u64,
    /// Those of them that are incomplete.
    pub incomplete: u64,
}

/// The position and the money.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AccountStatus {
    /// Contracts held, negative if short.
    pub position: i64,
    /// Profit of this session, costs deducted: what is closed and what is open.
    pub day: Money,
    /// Profit of the open position at the last price.
    pub open: Money,
    /// Cash and open profit.
    pub equity: Money,
}

/// Quantiles of one latency.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyStatus {
    /// From where to where: `frame to order`.
    pub span: &'static str,
    /// Half take at most this long.
    pub p50: Duration,
    /// All but one of a hundred take at most this long.
    pub p99: Duration,
}
