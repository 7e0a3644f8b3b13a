//! Rows from a decoder to the importer, as the source has them, before any policy.

use crate::market::{Price, Side, Timestamp};

/// One trade as a source has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradeRow {
    /// Exchange time.
    pub time: Timestamp,
    /// Price; not yet checked against the tick size.
    pub price: Price,
    /// Contracts; not yet checked to be positive.
    pub size: i64,
    /// The side that took liquidity, where the source tells.
    pub aggressor: Option<Side>,
    /// Receive time, where the source tells.
    pub received: Option<Timestamp>,
    /// Best bid with the trade, where the source tells.
    pub bid: Option<Price>,
    /// Best ask with the trade, where the source tells.
    pub ask: Option<Price>,
}

/// One bar as a source has it, its label already moved to the start of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BarRow {
    /// Start of the interval.
    pub start: Timestamp,
    /// Length of the interval in nanoseconds.
    pub duration: i64,
    /// First price.
    pub open: Price,
    /// Highest price.
    pub high: Price,
    /// Lowest price.
    pub low: Price,
    /// Last price.
    pub close: Price,
    /// Contracts; not yet checked to be positive.
    pub volume: i64,
}

/// A row of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// A trade.
    Trade(TradeRow),
    /// A bar.
    Bar(BarRow),
}

impl Row {
    /// Returns its time: a trade's time, a bar's start.
    pub const fn time(&self) -> Timestamp {
        match self {
            Row::Trade(trade) => trade.time,
            Row::Bar(bar) => bar.start,
        }
    }
}

/// The reason why a row was not taken as it stands.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowRefusal {
    /// The row does not have the columns that the format asks for.
    #[error("expected {expected} columns, found {found}{}", if found > expected { "; is a number cut in two by its decimal or thousands separator?" } else { "" })]
    Columns {
        /// Columns of the format.
        expected: usize,
        /// Columns of the row.
        found: usize,
    },
    /// A field cannot be read.
    #[error("{field}: {reason}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// Fault that was found.
        reason: String,
    },
}

/// The source's name for the contract of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// As the source writes it, such as `ESZ3` or `ES 12-23`; empty if it has a number only.
    pub name: &'a str,
    /// The source's number of the instrument. It tells contracts apart where the name stands for
    /// one after the other, as `ES.c.0` does.
    pub number: Option<u32>,
    /// Time of the first of the rows, which gives the decade of a year of one digit.
    pub at: Timestamp,
}

/// Takes rows from a decoder. Line numbers are 1-based; a binary format counts records.
pub trait RowSink {
    /// The error that stops an import as a whole.
    type Error;

    /// Begins `input`, from which the rows that follow come: a path, or `archive.zip/member.csv`.
    ///
    /// # Errors
    /// What stops the import.
    fn begin(&mut self, input: &str) -> Result<(), Self::Error>;

    /// Selects the contract, by the source's label, to which the rows that follow belong. Rows
    /// before the first call belong to one that the source does not name.
    ///
    /// Returns whether the importer wants these rows at all; a decoder skips them otherwise.
    ///
    /// # Errors
    /// What stops the import.
    fn select(&mut self, label: Label<'_>) -> Result<bool, Self::Error> {
        let _ = label;
        Ok(true)
    }

    /// Takes a row that could be read.
    ///
    /// # Errors
    /// What stops the import.
    fn row(&mut self, line: u64, row: Row) -> Result<(), Self::Error>;

    /// Takes a row that could not be read; `text` is the row as it stands, cut to a sensible
    /// length.
    ///
    /// # Errors
    /// What stops the import.
    fn refuse(&mut self, line: u64, refusal: RowRefusal, text: &str) -> Result<(), Self::Error>;

    /// Reports, for the progress bar, the number of further bytes read from the input.
    ///
    /// # Errors
    /// What stops the import, such as the user.
    fn advance(&mut self, bytes: u64) -> Result<(), Self::Error>;
}
