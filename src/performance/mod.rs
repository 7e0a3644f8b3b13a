//! Trade statistics and the report.

mod record;

pub use record::{EquityPoint, ExitReason, Trade};
