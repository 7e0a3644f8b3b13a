//! The report of an import on every row.

use std::fmt;
use std::path::PathBuf;

use crate::market::{Price, Timestamp};

/// Examples of a finding that are kept.
pub(super) const EXAMPLES: usize = 20;

/// Something about a row that is worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A field cannot be read, or there are too few or too many of them.
    Unreadable,
    /// A time before 1970 or after 2199.
    TimeOutOfRange,
    /// A price of zero or below, or beyond 4.6e9.
    PriceOutOfRange,
    /// A negative size, or one beyond what a tick can hold.
    SizeOutOfRange,
    /// A price that is not a whole number of ticks.
    OffTick,
    /// A bar that no trades can have made.
    ImpossibleBar,
    /// A bar that starts with the bar before it but says something else.
    ConflictingBar,
    /// A bar that starts before the bar before it has ended.
    OverlappingBar,
    /// A bar that begins between two product bars.
    OffGrid,
    /// A bar that holds trades of two sessions.
    TwoSessions,
    /// A daily bar of a day that is no session.
    NoSession,
    /// Prices that the row's neighbours contradict.
    Implausible,
    /// A trade of no contracts.
    ZeroSize,
    /// A bar in which nothing traded.
    ZeroVolumeBar,
    /// A row that goes back in time, left out.
    LateDropped,
    /// A trade that is the same as the one before it, left out.
    IdenticalTradeDropped,
    /// A bar that is the same as the one before it.
    IdenticalBar,
    /// A row of a contract that the series did not show at that time.
    OtherContract,
    /// A trade that an input read before has too.
    RepeatedTrade,
    /// A row of another product than the instrument.
    OtherProduct,
    /// A row of a spread, a strategy or an option.
    Combination,
    /// A row that went back in time and was sorted into its place.
    LateSorted,
    /// A trade that is the same as the one before it, kept.
    IdenticalTradeKept,
    /// A price off the tick grid, rounded.
    Rounded,
    /// A bar outside every session.
    OutsideSession,
    /// Prices that the row's neighbours contradict, kept.
    ImplausibleKept,
    /// A price far from those before it, and those after it are near it.
    PriceJump,
}

/// The effect of a finding on its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The row is not in the output and stands in the file of refused rows.
    Refused,
    /// The row is not in the output.
    Dropped,
    /// The row is in the output.
    Kept,
}

impl Finding {
    /// All of them, refused ones first, then dropped ones.
    pub const ALL: [Finding; 27] = [
        Finding::Unreadable,
        Finding::TimeOutOfRange,
        Finding::PriceOutOfRange,
        Finding::SizeOutOfRange,
        Finding::OffTick,
        Finding::ImpossibleBar,
        Finding::ConflictingBar,
        Finding::OverlappingBar,
        Finding::OffGrid,
        Finding::TwoSessions,
        Finding::NoSession,
        Finding::Implausible,
        Finding::ZeroSize,
        Finding::ZeroVolumeBar,
        Finding::LateDropped,
        Finding::IdenticalTradeDropped,
        Finding::IdenticalBar,
        Finding::OtherContract,
        Finding::RepeatedTrade,
        Finding::OtherProduct,
        Finding::Combination,
        Finding::LateSorted,
        Finding::IdenticalTradeKept,
        Finding::Rounded,
        Finding::OutsideSession,
        Finding::ImplausibleKept,
        Finding::PriceJump,
    ];

    /// Returns its effect on its row.
    pub const fn effect(self) -> Effect {
        match self {
            Finding::Unreadable
            | Finding::TimeOutOfRange
            | Finding::PriceOutOfRange
            | Finding::SizeOutOfRange
            | Finding::OffTick
            | Finding::ImpossibleBar
            | Finding::ConflictingBar
            | Finding::OverlappingBar
            | Finding::OffGrid
            | Finding::TwoSessions
            | Finding::NoSession
            | Finding::Implausible => Effect::Refused,
            Finding::ZeroSize
            | Finding::ZeroVolumeBar
            | Finding::LateDropped
            | Finding::IdenticalTradeDropped
            | Finding::IdenticalBar
            | Finding::OtherContract
            | Finding::RepeatedTrade
            | Finding::OtherProduct
            | Finding::Combination => Effect::Dropped,
            Finding::LateSorted
            | Finding::IdenticalTradeKept
            | Finding::Rounded
            | Finding::OutsideSession
            | Finding::ImplausibleKept
            | Finding::PriceJump => Effect::Kept,
        }
    }

    /// Returns a few words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Finding::Unreadable => "unreadable",
            Finding::TimeOutOfRange => "time out of range",
            Finding::PriceOutOfRange => "price out of range",
            Finding::SizeOutOfRange => "size out of range",
            Finding::OffTick => "price off the tick grid",
            Finding::ImpossibleBar => "impossible bar",
            Finding::ConflictingBar => "second bar of the same start",
            Finding::OverlappingBar => "bar inside the one before",
            Finding::OffGrid => "bar that begins between two product bars",
            Finding::TwoSessions => "bar that holds trades of two sessions",
            Finding::NoSession => "daily bar of a day that is no session",
            Finding::Implausible => "price that its neighbours contradict",
            Finding::ZeroSize => "trade of size 0",
            Finding::ZeroVolumeBar => "bar without volume",
            Finding::LateDropped => "back in time",
            Finding::IdenticalTradeDropped => "same trade as before",
            Finding::IdenticalBar => "same bar as before",
            Finding::OtherContract => "not the contract shown at that time",
            Finding::RepeatedTrade => "a trade that another input has too",
            Finding::OtherProduct => "of another product than the instrument",
            Finding::Combination => "a spread or an option, not one contract",
            Finding::LateSorted => "back in time, sorted into place",
            Finding::IdenticalTradeKept => "same trade as before, kept",
            Finding::Rounded => "price rounded to the tick grid",
            Finding::OutsideSession => "bar outside every session, which runs leave out",
            Finding::ImplausibleKept => "price that its neighbours contradict, kept",
            Finding::PriceJump => "price that jumps and stays there",
        }
    }
}

/// One row with a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The file, or the member of an archive.
    pub input: String,
    /// Line from 1; a binary format counts records.
    pub line: u64,
    /// The finding.
    pub reason: String,
    /// The row, as it stands or as it was understood.
    pub text: String,
}

/// The count of a finding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Rows.
    pub rows: u64,
    /// The first 20 of them.
    pub examples: Vec<Example>,
}

/// The report of an import.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportReport {
    /// The native file that was written.
    pub output: PathBuf,
    /// The refused rows, if there were any.
    pub rejects: Option<PathBuf>,
    /// The format that was read.
    pub format: String,
    /// The files that were read, in order.
    pub inputs: Vec<PathBuf>,
    /// Rows in the input: imported, dropped and refused ones.
    pub rows: u64,
    /// Rows that are in the output.
    pub imported: u64,
    /// Ticks in the output; four a bar for most bars.
    pub ticks: u64,
    /// Time of the first tick.
    pub first: Timestamp,
    /// Time of the last tick.
    pub last: Timestamp,
    /// The lowest price in the output.
    pub lowest: Price,
    /// The highest one.
    pub highest: Price,
    /// A multiple of the instrument's tick that all prices are multiples of: they may be another
    /// instrument's.
    pub coarser_tick: Option<Price>,
    /// The contracts in the output.
    pub contracts: Vec<String>,
    /// Seconds in a bar, where the input was bars.
    pub bar_seconds: Option<u32>,
    /// Rows in an hour that the clocks went through twice: taken as the first unless that went back
    /// in time.
    pub rows_in_repeated_hour: u64,
    /// Rows in an hour that the clocks left out; they are among the unreadable ones.
    pub rows_in_skipped_hour: u64,
    /// Columns that a text file's header names and nobody reads.
    pub unread_columns: Vec<String>,
    pub(super) counts: [Count; Finding::ALL.len()],
}

impl ImportReport {
    /// Returns the count of a finding.
    pub fn count(&self, finding: Finding) -> &Count {
        &self.counts[finding as usize]
    }

    /// Returns a warning if the prices fit another instrument.
    pub fn tick_warning(&self) -> Option<String> {
        let tick = self.coarser_tick?;
        Some(format!(
            "every price is a multiple of {tick}, and the instrument's tick is finer: is it this instrument, in this scale?"
        ))
    }

    /// Returns the number of rows to which that happened; a kept row can have several findings.
    pub fn total(&self, effect: Effect) -> u64 {
        Finding::ALL
            .iter()
            .filter(|finding| finding.effect() == effect)
            .map(|&finding| self.count(finding).rows)
            .sum()
    }
}

impl fmt::Display for ImportReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.inputs.len() == 1 { "file" } else { "files" };
        writeln!(
            f,
            "{}: {} ticks of {} from {} of {} rows ({} {files}, {})",
            self.output.display(),
            self.ticks,
            self.contracts.join(", "),
            self.imported,
            self.rows,
            self.inputs.len(),
            self.format
        )?;
        writeln!(f, "  from {} to {}", self.first, self.last)?;
        writeln!(f, "  prices from {} to {}", self.lowest, self.highest)?;
        if let Some(warning) = self.tick_warning() {
            writeln!(f, "  {warning}")?;
        }
        if let Some(seconds) = self.bar_seconds {
            writeln!(f, "  made from bars of {seconds} s")?;
        }
        if !self.unread_columns.is_empty() {
            writeln!(f, "  columns that were not read: {}", self.unread_columns.join(", "))?;
        }
        for (count, words) in [
            (
                self.rows_in_repeated_hour,
                "clocks went through twice: the first, unless out of order",
            ),
            (self.rows_in_skipped_hour, "clocks left out: refused"),
        ] {
            if count > 0 {
                writeln!(f, "  {count} rows in an hour that the {words}")?;
            }
        }
        for finding in Finding::ALL {
            let count = self.count(finding);
            if count.rows == 0 {
                continue;
            }
            let effect = match finding.effect() {
                Effect::Refused => "refused",
                Effect::Dropped => "dropped",
                Effect::Kept => "kept",
            };
            writeln!(f, "  {effect} {}: {}", count.rows, finding.words())?;
            // Of rows whose place or price was put right, and of whole contracts, the number says
            // enough.
            let number_says_enough = matches!(
                finding,
                Finding::LateSorted | Finding::IdenticalTradeKept | Finding::Rounded
            );
            if number_says_enough || count.examples.is_empty() {
                continue;
            }
            for Example { input, line, reason, .. } in &count.examples {
                writeln!(f, "    {input}:{line}: {reason}")?;
            }
            let more = count.rows - count.examples.len() as u64;
            if more > 0 {
                writeln!(f, "    … and {more} more")?;
            }
        }
        match &self.rejects {
            Some(path) => writeln!(f, "  all refused rows are in {}", path.display()),
            None => Ok(()),
        }
    }
}
