//! The settings of a synthetic market.

use std::path::PathBuf;

use jiff::civil::Date;

use crate::market::{Instrument, Money, Price};
use crate::source::native::TickFileError;

/// Which market to make.
#[derive(Clone, Debug, PartialEq)]
pub enum SyntheticMarket {
    /// No edge exists.
    Martingale(MartingaleSettings),
    /// Hidden regimes with a known edge.
    Regimes(RegimesSettings),
}

impl SyntheticMarket {
    /// `martingale` or `regimes`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Martingale(_) => "martingale",
            Self::Regimes(_) => "regimes",
        }
    }

    pub(super) const fn bid_ask_bounce(&self) -> bool {
        match self {
            Self::Martingale(settings) => settings.bid_ask_bounce,
            Self::Regimes(settings) => settings.bid_ask_bounce,
        }
    }
}

/// The market without an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct MartingaleSettings {
    /// `true` if trades print at the bid or the ask around the fair price (default), with quotes
    /// and aggressors known, or at the fair price itself, with both unknown.
    pub bid_ask_bounce: bool,
}

impl Default for MartingaleSettings {
    fn default() -> Self {
        Self { bid_ask_bounce: true }
    }
}

/// The market with an edge.
#[derive(Clone, Debug, PartialEq)]
pub struct RegimesSettings {
    /// As in [`MartingaleSettings`].
    pub bid_ask_bounce: bool,
    /// Mean length of a trend in hours of trading (> 0, default 3).
    pub trend_hours: f64,
    /// Mean length of a range in hours of trading (> 0, default 3).
    pub range_hours: f64,
    /// Mean length of a volatile stretch in hours of trading (> 0, default 2).
    pub volatile_hours: f64,
    /// Distance that a trend carries the fair price, in ticks per half hour of a regular session's
    /// average activity (0 to 100, default 12). Quieter hours carry it less far, busier ones
    /// farther.
    pub trend_ticks_per_half_hour: f64,
    /// Standard deviation, in ticks, of the fair price around a range's anchor once it has settled
    /// (2 to 1000, default 12).
    pub range_deviation_ticks: f64,
    /// The oracle's cost of each contract it buys or sells (≥ 0, default $8.50: half a tick of
    /// ES and a commission of $2.25). It enters the reported profit only, not the ticks.
    pub oracle_cost_per_side: Money,
    /// `true` if [`super::write_file`] also writes the hidden regimes, to `<output>.regimes.csv`
    /// (default true).
    pub write_regimes: bool,
}

impl Default for RegimesSettings {
    fn default() -> Self {
        Self {
            bid_ask_bounce: true,
            trend_hours: 3.0,
            range_hours: 3.0,
            volatile_hours: 2.0,
            trend_ticks_per_half_hour: 12.0,
            range_deviation_ticks: 12.0,
            oracle_cost_per_side: Money::from_nanos(8_500_000_000),
            write_regimes: true,
        }
    }
}

/// A market to generate. Equal settings give equal ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which market.
    pub market: SyntheticMarket,
    /// The instrument: tick size, point value and sessions.
    pub instrument: Instrument,
    /// The first session is the first whose trade date is this one or later.
    pub first_trade_date: Date,
    /// The fair price before the first trade; on the tick grid.
    pub first_price: Price,
    /// Number of sessions (≥ 1).
    pub days: u32,
    /// Seed of every random draw.
    pub seed: u64,
    /// Trades of an average full session (1 to 20,000,000). The fair price moves as much for any
    /// value of this up to 340,000: fewer trades show the same path at fewer points.
    pub trades_per_day: u32,
}

impl Settings {
    /// ES from 2024-01-02 at 4750, 20 sessions of 340,000 trades on average.
    pub fn new(market: SyntheticMarket, seed: u64) -> Settings {
        Settings {
            market,
            instrument: Instrument::built_in("ES").expect("ES is built in"),
            first_trade_date: Date::constant(2024, 1, 2),
            first_price: Price::from_units(4_750 * Price::SCALE),
            days: 20,
            seed,
            trades_per_day: 340_000,
        }
    }

    /// # Errors
    /// The first invalid setting, by name.
    pub(super) fn check(&self) -> Result<(), SyntheticError> {
        fn check(
            name: &'static str,
            value: f64,
            [low, high]: [f64; 2],
        ) -> Result<(), SyntheticError> {
            if (low..=high).contains(&value) {
                return Ok(());
            }
            Err(SyntheticError::Setting { name, value: value.to_string(), low, high })
        }
        // Sessions are numbered well within the dates that a timestamp can hold.
        check("days", f64::from(self.days), [1.0, 25_000.0])?;
        check("trades_per_day", f64::from(self.trades_per_day), [1.0, 20e6])?;
        check(
            "first_trade_date's year",
            f64::from(self.first_trade_date.year()),
            [1990.0, 2150.0],
        )?;
        let tick_size = self.instrument.tick_size;
        if !self.first_price.is_on_tick(tick_size) {
            return Err(SyntheticError::FirstPrice { price: self.first_price, tick_size });
        }
        if let SyntheticMarket::Regimes(regimes) = &self.market {
            let hours = [0.01, 10_000.0];
            check("trend_hours", regimes.trend_hours, hours)?;
            check("range_hours", regimes.range_hours, hours)?;
            check("volatile_hours", regimes.volatile_hours, hours)?;
            let trend = regimes.trend_ticks_per_half_hour;
            check("trend_ticks_per_half_hour", trend, [0.0, 100.0])?;
            check("range_deviation_ticks", regimes.range_deviation_ticks, [2.0, 1000.0])?;
            check("oracle_cost_per_side", regimes.oracle_cost_per_side.as_f64(), [0.0, 1e6])?;
        }
        Ok(())
    }
}

/// The reason why a synthetic market cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SyntheticError {
    /// A setting is out of its range.
    #[error("synthetic market: {name} is {value}; give {low} to {high}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Value that was given.
        value: String,
        /// The least that can be.
        low: f64,
        /// The most that can be.
        high: f64,
    },
    /// The first price is off the tick grid.
    #[error(
        "synthetic market: first_price {price} is not a whole number of ticks of {tick_size}; round it to one"
    )]
    FirstPrice {
        /// Value that was given.
        price: Price,
        /// The instrument's.
        tick_size: Price,
    },
    /// The user stopped it.
    #[error("stopped; nothing was written")]
    Stopped,
    /// The tick file cannot be written.
    #[error(transparent)]
    File(#[from] TickFileError),
    /// The file of regimes cannot be written.
    #[error("{path}: cannot write the regimes: {source}")]
    Regimes {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
}
