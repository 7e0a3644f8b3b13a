//! Any history into a native tick file: declarative presets, one importer, stated policies.

mod bar_length;
mod clock;
mod header;
mod preset;
mod row;
mod text;
mod trade_line;

pub use preset::{PRESETS, Preset};
pub use row::{BarRow, Refusal, Row, RowSink, TradeRow};
pub use text::{Columns, Header, Layout, Stamp, TextFormat, TextSummary, TimePattern};
