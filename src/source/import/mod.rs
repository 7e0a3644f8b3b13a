//! Any history into a native tick file: declarative presets, one importer, stated policies.

mod row;

pub use row::{BarRow, Refusal, Row, RowSink, TradeRow};
