//! A feature's name, unit, range and first valid bar.

use std::fmt;

use crate::market::Timeframe;

/// The unit of a feature's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A price in points: it moves with the market's level, and with the contract at a roll.
    Price,
    /// A distance in points.
    Points,
    /// Points in each bar.
    PointsPerBar,
    /// A natural logarithm of a ratio.
    Logarithm,
    /// No unit.
    Number,
    /// −1, 0 or 1.
    Direction,
    /// A count.
    Count,
    /// Votes of remembered crossings.
    Votes,
    /// Points of relative strength, of which there are a hundred.
    StrengthPoints,
    /// Bars of the feature's own timeframe.
    Bars,
    /// Minutes of time.
    Minutes,
}

impl Unit {
    /// Returns the factor of an indicator's value, which counts prices in ticks.
    #[inline(always)]
    pub(super) fn factor(self, tick_size: f64) -> f64 {
        match self {
            Unit::Price | Unit::Points | Unit::PointsPerBar => tick_size,
            _ => 1.0,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unit::Price => "price",
            Unit::Points => "points",
            Unit::PointsPerBar => "points a bar",
            Unit::Logarithm => "logarithm",
            Unit::Number => "",
            Unit::Direction => "direction",
            Unit::Count => "count",
            Unit::Votes => "votes",
            Unit::StrengthPoints => "points of strength",
            Unit::Bars => "bars",
            Unit::Minutes => "minutes",
        })
    }
}

/// A feature of an indicator, on any timeframe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FieldDefinition {
    pub(super) name: &'static str,
    pub(super) unit: Unit,
    pub(super) range: &'static str,
    pub(super) first_valid: usize,
    pub(super) meaning: &'static str,
}

/// One column of the feature row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name: the indicator's field and the timeframe, such as `atr_5m`.
    pub name: String,
    /// The bars on whose close it is computed; `None` if it is new on every row.
    pub timeframe: Option<Timeframe>,
    /// The number's unit.
    pub unit: Unit,
    /// From where to where it goes, in words.
    pub range: &'static str,
    /// The first bar of its timeframe, counted from 0, that can have a value. A later bar may have
    /// none, as the distance to a gap where there is no gap.
    pub first_valid: usize,
    /// Its meaning, in a sentence.
    pub meaning: &'static str,
}
