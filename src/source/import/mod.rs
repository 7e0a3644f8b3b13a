//! Any history into a native tick file: declarative presets, one importer, stated policies.

mod row;
mod text;

pub use row::{BarRow, Refusal, Row, RowSink, TradeRow};
pub use text::{Columns, Header, Layout, Stamp, TextFormat, TextSummary, TimePattern};
