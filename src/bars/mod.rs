//! Ticks into bars of every timeframe, in one pass.
//!
//! The rules, which hold for live ticks and for history alike:
//!
//! * A bar is labelled by its **start**. Bars are counted from the session's open, so a timeframe
//!   that divides the hour starts on whole multiples in UTC too. A daily bar is one session.
//! * A bar closes on the first tick at or after its end, or at the session's end if that comes
//!   first. A tick made from the close of a history bar ([`TickFlags::BAR_CLOSE`]) closes the bars
//!   that end with it at once, because that history bar is known to be whole; a halt up to a bar's
//!   end counts for nothing there.
//! * At a common boundary the finer bar closes first.
//! * A stretch without trades inside a session, between two ticks or before the session's end, is
//!   filled with flat bars of zero volume ([`BarFlags::FILLED`]) if it is no longer than
//!   `fill_gaps_up_to`. A longer one is missing data: no bar is invented, and the bars on its two
//!   sides are flagged [`BarFlags::INCOMPLETE`]. A history bar is no silence, however far its ticks
//!   are apart. Halts, breaks, weekends and holidays are never filled.
//! * A gap that the feed tells of ([`BarBuilder::on_gap`]) is filled by nothing. Every bar that
//!   overlaps a stretch of it that was not recovered is flagged incomplete, and [`BarFlags::GAP`].
//! * The first bar of the data is flagged incomplete unless it starts its session; the last one is,
//!   if the data ends before it does.
//! * A late tick (its time is before the last tick's) still counts in the high, low and volume of
//!   the open bar it belongs to; if that bar is closed, the tick is left out and counted.
//! * A tick outside every session is left out and counted.
//! * A bar holds prices of one contract. Where a series moves to another within a session,
//!   [`BarBuilder::on_contract_change`] cuts the open bars off, and two bars share an interval,
//!   both flagged incomplete.
//!
//! [`TickFlags::BAR_CLOSE`]: crate::market::TickFlags::BAR_CLOSE
//! [`BarFlags::FILLED`]: crate::market::BarFlags::FILLED
//! [`BarFlags::GAP`]: crate::market::BarFlags::GAP
//! [`BarFlags::INCOMPLETE`]: crate::market::BarFlags::INCOMPLETE

mod builder;
mod fold;
mod settings;
mod table;

pub use builder::{BarBuilder, TickCounts};
pub use fold::resample;
pub use settings::BarSettings;
pub use table::BarTable;

#[cfg(test)]
mod tests;
