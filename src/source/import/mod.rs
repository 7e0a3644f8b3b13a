//! Any history into a native tick file: declarative presets, one importer, stated policies.

mod bar_length;
mod clock;
mod detect;
mod expansion;
mod header;
mod importer;
mod input;
mod intake;
mod join;
mod ledger;
mod output;
mod policy;
mod preset;
mod report;
mod row;
mod text;
mod trade_line;

pub use detect::{DetectError, Detected, detect};
pub use expansion::{ImpossibleBar, check_bar, expand_bar};
pub use importer::{ImportError, ImportOptions, Progress, RollChoice, run};
pub use join::{ContractStream, JoinError, JoinPlan, JoinedContracts, Stint, join_contracts};
pub use policy::{IdenticalTrades, LateRows, OffTickPrices, Policies};
pub use preset::{PRESETS, Preset};
pub use report::{Count, Effect, Example, Finding, ImportReport};
pub use row::{BarRow, Refusal, Row, RowSink, TradeRow};
pub use text::{Columns, Header, Layout, Stamp, TextFormat, TextSummary, TimePattern, read_text};
