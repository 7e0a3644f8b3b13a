//! Records of the desk's account: round trips and the equity curve.

use serde::{Deserialize, Serialize};

use crate::market::{Money, Price, Side, Timestamp};

/// The reason why a trade ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ExitReason {
    /// The bracket's stop was reached.
    StopLoss,
    /// The bracket's target was reached.
    ProfitTarget,
    /// The strategy asked for it, or for the other side.
    Signal,
    /// The day's drawdown limit was reached.
    DailyDrawdown,
    /// Positions are not held over the session's end.
    SessionClose,
    /// The series moved to the next contract.
    ContractRoll,
    /// The contract stopped trading.
    Expiry,
    /// The history ended with the position open.
    EndOfData,
    /// Whole sessions are missing from the history: nothing is held over them.
    MissingData,
    /// The user stopped the run.
    Shutdown,
}

impl ExitReason {
    /// Every reason, in a fixed order.
    pub const ALL: [ExitReason; 10] = [
        Self::StopLoss,
        Self::ProfitTarget,
        Self::Signal,
        Self::DailyDrawdown,
        Self::SessionClose,
        Self::ContractRoll,
        Self::Expiry,
        Self::EndOfData,
        Self::MissingData,
        Self::Shutdown,
    ];

    /// Returns the name in `trades.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StopLoss => "stop_loss",
            Self::ProfitTarget => "profit_target",
            Self::Signal => "signal",
            Self::DailyDrawdown => "daily_drawdown",
            Self::SessionClose => "session_close",
            Self::ContractRoll => "contract_roll",
            Self::Expiry => "expiry",
            Self::EndOfData => "end_of_data",
            Self::MissingData => "missing_data",
            Self::Shutdown => "shutdown",
        }
    }
}

/// One round trip: from flat (or from the other side) to flat, by average price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trade {
    /// 1, 2, 3, … in order of exit.
    pub id: u32,
    /// The contract, as in [`crate::market::Tick::contract`].
    pub contract: u16,
    /// Buy for a long trade, sell for a short one.
    pub side: Side,
    /// Contracts entered in all (= contracts exited).
    pub quantity: u32,
    /// First entry fill.
    pub entry_time: Timestamp,
    /// Average entry price, rounded to 1e-9.
    pub entry_price: Price,
    /// Last exit fill.
    pub exit_time: Timestamp,
    /// Average exit price, rounded to 1e-9.
    pub exit_price: Price,
    /// Reason for its end, that of the last exit fill.
    pub exit_reason: ExitReason,
    /// Exact profit or loss before costs. It contains slippage, as the fill prices do.
    pub gross_pnl: Money,
    /// Commissions of all its fills (≥ 0).
    pub costs: Money,
    /// Largest open profit on the way, gross (≥ 0).
    pub mfe: Money,
    /// Largest open loss on the way, gross (≤ 0).
    pub mae: Money,
    /// Closed bars of the strategy's timeframe while it was open.
    pub bars_held: u32,
    /// Cost of slippage: the distance of the fills from the traded prices, in money (≥ 0).
    /// Contained in `gross_pnl`.
    pub slippage: Money,
}

impl Trade {
    /// Returns profit or loss after costs.
    pub fn net_pnl(&self) -> Money {
        self.gross_pnl - self.costs
    }
}

/// The account at one instant (every close of the finest bar, and each session's end).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquityPoint {
    /// Time of the point.
    pub time: Timestamp,
    /// Initial capital plus realised profit less costs.
    pub cash: Money,
    /// Contracts held: positive long, negative short.
    pub position: i32,
    /// Last traded price.
    pub mark: Price,
    /// `cash` plus the open profit at `mark`.
    pub equity: Money,
}
