//! Any history into a native tick file: declarative presets, one importer, stated policies.

mod bar_length;
mod clock;
mod databento;
mod detect;
mod expansion;
mod header;
mod importer;
mod input;
mod intake;
mod join;
mod labels;
mod lane;
mod layout;
mod lean;
mod ledger;
mod order;
mod output;
mod parquet_text;
mod parts;
mod placement;
mod policy;
mod preset;
mod price_watch;
mod read_error;
#[cfg(test)]
mod recorded;
mod report;
mod roll_choice;
mod row;
mod sierra;
mod text;

pub use databento::{
    DATABENTO_MAGIC, DatabentoError, ZSTANDARD_MAGIC, decode_databento, read_databento,
};
pub use detect::{DetectError, Detected, detect};
pub use expansion::{ImpossibleBar, check_bar, expand_bar};
pub use importer::{ImportError, ImportOptions, ImportProgress, RollChoice, run};
pub use join::{ContractStream, JoinError, JoinPlan, JoinedContracts, Stint, join_contracts};
pub use layout::{Column, Layout, LayoutError};
pub use lean::{LeanError, LeanOptions, ZIP_MAGIC, decode_lean, read_lean};
pub(crate) use ledger::REJECTS_FILE;
pub use policy::{
    IdenticalTrades, ImplausiblePrices, LateRows, OffTickPrices, Policies, PricesBelowZero,
};
pub use preset::{BINARY_PRESETS, PRESETS, Preset, preset_names};
pub use read_error::ReadError;
pub use report::{Count, Effect, Example, Finding, ImportReport};
pub use roll_choice::{Roll, roll_choice};
pub use row::{BarRow, Label, Row, RowRefusal, RowSink, TradeRow};
pub use sierra::{SIERRA_MAGIC, SierraError, SierraOptions, decode_sierra, read_sierra};
pub use text::{
    DelimiterError, Header, Stamp, TextFormat, TextSummary, TimePattern, delimiter, read_text,
};
