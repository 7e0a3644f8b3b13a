//! Delimited text into rows, by a declarative description of the layout.

use jiff::tz::TimeZone;

use super::row::RowSink;
use crate::market::Timestamp;

/// How a text file is laid out.
#[derive(Clone, Debug, PartialEq)]
pub struct TextFormat {
    /// Between two columns, such as `b','`.
    pub delimiter: u8,
    /// Whether the first line names the columns.
    pub header: Header,
    /// Which column is what. A row uses the first layout that fits its number of columns.
    pub layouts: Vec<Layout>,
    /// How a time is written.
    pub time: TimePattern,
    /// The zone of times that do not carry an offset of their own.
    pub zone: TimeZone,
    /// Which end of its interval a bar is labelled with.
    pub stamp: Stamp,
    /// Nanoseconds in a bar; `None`: the most frequent step between the first bars of the file.
    pub bar_length: Option<i64>,
}

/// Whether the first line names the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// It is a row like any other.
    Absent,
    /// It names the columns if it starts with a letter.
    Auto,
}

/// The columns of one kind of row, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Columns that a row has.
    pub fields: usize,
    /// Whether more columns may follow; they are not read.
    pub more: bool,
    /// Date and time, or the date where `clock` is given.
    pub time: usize,
    /// Time of day, where it stands in a column of its own.
    pub clock: Option<usize>,
    /// The other columns.
    pub columns: Columns,
}

/// What a row says beside its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Columns {
    /// A trade.
    Trade {
        /// Price.
        price: usize,
        /// Contracts.
        size: usize,
        /// Best bid with the trade.
        bid: Option<usize>,
        /// Best ask with the trade.
        ask: Option<usize>,
        /// Side that took liquidity: `buy`, `b`, `sell`, `s`, `a` (sold), `n` or empty.
        side: Option<usize>,
    },
    /// A bar.
    Bar {
        /// First price.
        open: usize,
        /// Highest price.
        high: usize,
        /// Lowest price.
        low: usize,
        /// Last price.
        close: usize,
        /// Contracts.
        volume: usize,
    },
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimePattern {
    /// `YYYY-MM-DD[T ]HH:MM[:SS[.fraction]]` with or without an offset, or an integer since 1970 in
    /// seconds (9 to 11 digits), milli- (12 to 14), micro- (15 to 17) or nanoseconds (18, 19).
    Iso,
    /// `d/M/yyyy H:mm[:ss[.fraction]]`.
    DayFirst,
    /// `M/d/yyyy H:mm[:ss[.fraction]]`.
    MonthFirst,
    /// `yyyyMMdd HHmmss[ fffffff]`.
    Compact,
    /// Milliseconds since this instant.
    MillisecondsSince(Timestamp),
}

/// Which end of its interval a bar is labelled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// Its first instant.
    Start,
    /// The first instant after it.
    End,
}

/// What [`read_text`] saw beside the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TextSummary {
    /// Rows in an hour that the clocks went through twice.
    pub rows_in_repeated_hour: u64,
    /// Rows in an hour that the clocks left out; each was refused.
    pub rows_in_skipped_hour: u64,
}

/// Reads the rows of `bytes` (a whole file) into `sink`; a row that cannot be read goes to
/// [`RowSink::refuse`]. Calls neither [`RowSink::begin`] nor [`RowSink::advance`].
///
/// # Errors
/// What the sink says.
pub(super) fn read_text<S: RowSink>(
    bytes: &[u8],
    format: &TextFormat,
    sink: &mut S,
) -> Result<TextSummary, S::Error> {
    let _ = (bytes, format, sink);
    todo!("being written")
}
