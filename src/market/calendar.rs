//! Trading sessions, versioned by date.

use jiff::civil::Date;

use super::Timestamp;

/// When a product trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Calendar {
    /// CME equity index futures: ES, NQ, YM, RTY and their micros.
    CmeEquityIndex,
    /// COMEX metals: GC.
    ComexMetals,
    /// CME currency futures: 6E.
    CmeFx,
    /// No session at all: each UTC day is one.
    AlwaysOpen,
}

/// One trading session: from its open to its close, with at most one halt between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The date under which the exchange books the session's trades.
    pub trade_date: Date,
    /// First instant of trading.
    pub open: Timestamp,
    /// First instant after trading.
    pub close: Timestamp,
    /// A pause inside the session: `[start, end)`.
    pub halt: Option<(Timestamp, Timestamp)>,
}

impl Calendar {
    /// The session that holds `time` (a halt is inside its session), or the next one to open.
    pub fn session_at_or_after(self, time: Timestamp) -> Session {
        let _ = time;
        todo!("helper calendar")
    }
}
