//! The settings of a synthetic market.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use clap::ValueEnum;
use jiff::civil::Date;

use crate::market::{Instrument, Price};
use crate::settings::{Limits, OutOfRange, Section, names, settings};
use crate::source::native::TickFileError;

settings! {
    /// `data_handler.backtest_settings.synthetic`
    #[derive(Copy)]
    pub struct SyntheticSettings {
        /// The market.
        pub market: SyntheticMarket = SyntheticMarket::Regimes;
        /// Length.
        pub days: u32 = 20, 1..=25_000, "trading days";
        /// Seed of this market; `null`: `system.seed`.
        pub seed: Option<u64> = None, 0..=u64::MAX;
        /// Trades on an average day.
        pub trades_per_day: u32 = 340_000, 1..=20_000_000, "trades";
        /// Drift of a trend of `regimes` in half an hour of a regular session: the strength of the
        /// planted edge.
        pub trend_ticks_per_half_hour: f64 = 12.0, 0.0..=100.0, "ticks";
        /// Mean length of a trend of `regimes` in hours of trading: how long there is to find it.
        pub trend_hours: f64 = 3.0, 0.01..=10_000.0, "hours";
        /// Mean length of a range of `regimes` in hours of trading.
        pub range_hours: f64 = 3.0, 0.01..=10_000.0, "hours";
    }
}

names! {
    /// `data_handler.backtest_settings.synthetic.market`
    #[derive(ValueEnum)]
    pub enum SyntheticMarket {
        /// A fair game: no strategy can profit before costs.
        Martingale = "martingale",
        /// Trends, ranges and shocks by turns.
        Regimes = "regimes",
    }
}

impl SyntheticSettings {
    /// The market `market` of `days` sessions, with the default edge.
    pub fn new(market: SyntheticMarket, days: u32, trades_per_day: u32) -> SyntheticSettings {
        SyntheticSettings { market, days, trades_per_day, ..SyntheticSettings::default() }
    }
}

/// A market to generate. Equal settings give equal ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The market, its length and its edge. Its seed has no effect here.
    pub market: SyntheticSettings,
    /// Seed of every random draw.
    pub seed: u64,
    /// The instrument: tick size, point value and sessions.
    pub instrument: Instrument,
    /// The first session is the first whose trade date is this one or later.
    pub first_trade_date: Date,
    /// The fair price before the first trade; on the tick grid.
    pub first_price: Price,
    /// `true` if trades print at the bid or the ask around the fair price, with quotes and
    /// aggressors known, or at the fair price itself, with both unknown.
    pub bid_ask_bounce: bool,
    /// Mean length of a volatile stretch of `regimes` in hours of trading (0.01 to 10,000).
    pub volatile_hours: f64,
    /// Standard deviation, in ticks, of the fair price around the anchor of a range of `regimes`
    /// once it has settled (2 to 1000).
    pub range_deviation_ticks: f64,
    /// `true` if [`super::write_file`] also writes the hidden regimes of `regimes`, to
    /// `<output>.regimes.csv`.
    pub write_regimes: bool,
}

impl Settings {
    /// ES from 2024-01-02 at 4750.
    pub fn new(market: SyntheticSettings, seed: u64) -> Settings {
        Settings {
            market,
            seed,
            instrument: Instrument::built_in("ES").expect("ES is built in"),
            first_trade_date: Date::constant(2024, 1, 2),
            first_price: Price::from_units(4_750 * Price::SCALE),
            bid_ask_bounce: true,
            volatile_hours: 2.0,
            range_deviation_ticks: 12.0,
            write_regimes: true,
        }
    }

    /// Returns whether the market has hidden regimes, and so an edge.
    pub(super) fn has_regimes(&self) -> bool {
        self.market.market == SyntheticMarket::Regimes
    }

    /// # Errors
    /// The first invalid setting, by name.
    pub(super) fn check(&self) -> Result<(), SyntheticError> {
        let mut refusal = None;
        self.market.visit("", &mut |setting| {
            if let (None, Some(OutOfRange { value, .. })) = (&refusal, setting.refusal) {
                let (name, range) = (setting.name, setting.range);
                refusal = Some(SyntheticError::Setting { name, value, range });
            }
        });
        let mut check = |name: &'static str, value: f64, range: RangeInclusive<f64>| {
            if refusal.is_none() && !range.contains(&value) {
                let (value, range) = (value.to_string(), Limits::<f64>::words(&range));
                refusal = Some(SyntheticError::Setting { name, value, range });
            }
        };
        let year = f64::from(self.first_trade_date.year());
        check("first_trade_date's year", year, 1990.0..=2150.0);
        check("volatile_hours", self.volatile_hours, 0.01..=10_000.0);
        check("range_deviation_ticks", self.range_deviation_ticks, 2.0..=1000.0);
        let tick_size = self.instrument.tick_size;
        if refusal.is_none() && !self.first_price.is_on_tick(tick_size) {
            refusal = Some(SyntheticError::FirstPrice { price: self.first_price, tick_size });
        }
        refusal.map_or(Ok(()), Err)
    }
}

/// The reason why a synthetic market cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SyntheticError {
    /// A setting is out of its range.
    #[error("synthetic market: {name} is {value}; give {range}")]
    Setting {
        /// Its name.
        name: &'static str,
        /// Value that was given.
        value: String,
        /// Values that are allowed, in words.
        range: String,
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
