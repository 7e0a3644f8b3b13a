//! Any history into a native tick file: declarative presets, one importer, stated policies.

mod databento;
mod lean;
mod read_error;
#[cfg(test)]
mod recorded;
mod row;
mod sierra;

pub use databento::{
    DATABENTO_MAGIC, DatabentoError, ZSTANDARD_MAGIC, decode_databento, read_databento,
};
pub use lean::{LeanError, LeanOptions, ZIP_MAGIC, decode_lean, read_lean};
pub use read_error::ReadError;
pub use row::{BarRow, Refusal, Row, RowSink, TradeRow};
pub use sierra::{SIERRA_MAGIC, SierraError, SierraOptions, decode_sierra, read_sierra};
