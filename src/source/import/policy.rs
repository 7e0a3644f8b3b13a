//! Policies for irregular rows.

use clap::ValueEnum;

use crate::settings::names;

/// The policy for a row whose time is before that of a row before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LateRows {
    /// Everything is read into memory (48 bytes a trade) and sorted by time; rows of one time stay
    /// in the order in which they were read. Input files may overlap.
    #[default]
    Sort,
    /// The row is left out.
    Drop,
    /// The import fails.
    Refuse,
}

/// The policy for a row whose price is not a whole number of the instrument's ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OffTickPrices {
    /// The row is refused.
    #[default]
    RefuseRow,
    /// The price is rounded to the nearest tick, half away from zero.
    Round,
}

/// The policy for a trade that is the same as the trade before it in every field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IdenticalTrades {
    /// It is kept: a third of all trades share a time with the one before, many a price and a size.
    #[default]
    Keep,
    /// It is left out.
    Drop,
}

/// The policy for a row whose prices its neighbours contradict: far from those before and after
/// it, or the session's whole range on the first bar after a halt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ImplausiblePrices {
    /// The row is refused.
    #[default]
    RefuseRow,
    /// The row is kept, and told.
    Keep,
}

names! {
    /// The policy for a row with a price of zero or below.
    #[derive(ValueEnum)]
    pub enum PricesBelowZero {
        /// The row is refused: index futures cannot trade there.
        RefuseRow = "refuse_row",
        /// It is a price like any other, as oil's was on 20 April 2020, and those of spreads and
        /// power are.
        Keep = "keep",
    }
}

#[allow(clippy::derivable_impls, reason = "a table of names marks no variant as the default")]
impl Default for PricesBelowZero {
    fn default() -> PricesBelowZero {
        PricesBelowZero::RefuseRow
    }
}

/// An import's policies for irregular rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Policies {
    /// Rows that go back in time.
    pub late_rows: LateRows,
    /// Prices off the tick grid.
    pub off_tick_prices: OffTickPrices,
    /// Prices of zero and below.
    pub prices_below_zero: PricesBelowZero,
    /// Trades that repeat the one before.
    pub identical_trades: IdenticalTrades,
    /// Prices that their neighbours contradict.
    pub implausible_prices: ImplausiblePrices,
    /// The import fails if more than this part of all rows, 0 to 1, is refused. Half by default:
    /// the good rows of a bad file are kept, and the report tells how many were not. More than half
    /// refused rows are another format at any setting.
    pub max_refused: f64,
}

impl Default for Policies {
    fn default() -> Policies {
        Policies {
            late_rows: LateRows::default(),
            off_tick_prices: OffTickPrices::default(),
            prices_below_zero: PricesBelowZero::default(),
            identical_trades: IdenticalTrades::default(),
            implausible_prices: ImplausiblePrices::default(),
            max_refused: 0.5,
        }
    }
}
