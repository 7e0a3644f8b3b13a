//! An instrument: tick size, point value, session.

use super::{Calendar, Money, Price};

/// A futures product. Contracts of it (such as ESZ3) share all of this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instrument {
    /// The product's symbol, such as `ES`: 1 to 7 upper-case letters or digits.
    pub symbol: String,
    /// A description for people.
    pub description: String,
    /// The smallest price step (> 0).
    pub tick_size: Price,
    /// Money for one contract when the price moves one whole point (> 0).
    pub point_value: Money,
    /// The hours in which it trades.
    pub calendar: Calendar,
}

/// An invalid instrument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InstrumentError {
    /// No built-in instrument has that symbol.
    #[error("instrument `{0}` is not built in (built in: {list}); describe it under `instruments:` in the configuration", list = Instrument::built_in_symbols().join(", "))]
    Unknown(String),
    /// The symbol is empty, too long, or has other characters.
    #[error("instrument symbol `{0}`: use 1 to 7 upper-case letters or digits, such as ES")]
    Symbol(String),
    /// The tick size is zero or negative.
    #[error("instrument {symbol}: tick_size must be above 0, not {tick_size}")]
    TickSize {
        /// The instrument.
        symbol: String,
        /// Value that was given.
        tick_size: Price,
    },
    /// The point value is zero or negative.
    #[error("instrument {symbol}: point_value must be above 0, not {point_value}")]
    PointValue {
        /// The instrument.
        symbol: String,
        /// Value that was given.
        point_value: Money,
    },
    /// One tick's value is not a whole number of nano-dollars.
    #[error("instrument {symbol}: tick_size × point_value is finer than 1e-9 dollars")]
    TickValue {
        /// The instrument.
        symbol: String,
    },
}

/// Symbol, description, tick size and point value in units of 1e-9, calendar.
type BuiltIn = (&'static str, &'static str, i64, i64, Calendar);

const BUILT_IN: [BuiltIn; 10] = [
    ("ES", "E-mini S&P 500", 250_000_000, 50_000_000_000, Calendar::CmeEquityIndex),
    ("MES", "Micro E-mini S&P 500", 250_000_000, 5_000_000_000, Calendar::CmeEquityIndex),
    ("NQ", "E-mini Nasdaq-100", 250_000_000, 20_000_000_000, Calendar::CmeEquityIndex),
    ("MNQ", "Micro E-mini Nasdaq-100", 250_000_000, 2_000_000_000, Calendar::CmeEquityIndex),
    ("YM", "E-mini Dow", 1_000_000_000, 5_000_000_000, Calendar::CmeEquityIndex),
    ("MYM", "Micro E-mini Dow", 1_000_000_000, 500_000_000, Calendar::CmeEquityIndex),
    ("RTY", "E-mini Russell 2000", 100_000_000, 50_000_000_000, Calendar::CmeEquityIndex),
    ("M2K", "Micro E-mini Russell 2000", 100_000_000, 5_000_000_000, Calendar::CmeEquityIndex),
    ("GC", "Gold", 100_000_000, 100_000_000_000, Calendar::ComexMetals),
    ("6E", "Euro FX", 50_000, 125_000_000_000_000, Calendar::CmeFx),
];

impl Instrument {
    /// Creates an instrument of the user's own.
    ///
    /// # Errors
    /// If the symbol, the tick size or the point value is invalid.
    pub fn new(
        symbol: &str,
        description: &str,
        tick_size: Price,
        point_value: Money,
        calendar: Calendar,
    ) -> Result<Instrument, InstrumentError> {
        let symbol_is_good = (1..=7).contains(&symbol.len())
            && symbol.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !symbol_is_good {
            return Err(InstrumentError::Symbol(symbol.to_owned()));
        }
        let symbol = symbol.to_owned();
        if tick_size <= Price::ZERO {
            return Err(InstrumentError::TickSize { symbol, tick_size });
        }
        if point_value <= Money::ZERO {
            return Err(InstrumentError::PointValue { symbol, point_value });
        }
        let tick_value = i128::from(tick_size.units()) * i128::from(point_value.nanos());
        if tick_value % i128::from(Price::SCALE) != 0 {
            return Err(InstrumentError::TickValue { symbol });
        }
        let description = description.to_owned();
        Ok(Instrument { symbol, description, tick_size, point_value, calendar })
    }

    /// Returns the built-in instrument of that symbol.
    ///
    /// # Errors
    /// If no such instrument exists.
    pub fn built_in(symbol: &str) -> Result<Instrument, InstrumentError> {
        let &(symbol, description, tick_size, point_value, calendar) = BUILT_IN
            .iter()
            .find(|row| row.0 == symbol)
            .ok_or_else(|| InstrumentError::Unknown(symbol.to_owned()))?;
        Instrument::new(
            symbol,
            description,
            Price::from_units(tick_size),
            Money::from_nanos(point_value),
            calendar,
        )
    }

    /// Returns the symbols that [`Instrument::built_in`] knows.
    pub fn built_in_symbols() -> Vec<&'static str> {
        BUILT_IN.iter().map(|row| row.0).collect()
    }

    /// Returns the money for one contract when the price moves one tick.
    pub const fn tick_value(&self) -> Money {
        self.tick_size.value_from(Price::ZERO, self.point_value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tick_values_are_those_of_the_exchange() {
        // CME Group contract specifications.
        let expected = [
            ("ES", "12.5"),
            ("MES", "1.25"),
            ("NQ", "5"),
            ("MNQ", "0.5"),
            ("YM", "5"),
            ("MYM", "0.5"),
            ("RTY", "5"),
            ("M2K", "0.5"),
            ("GC", "10"),
            ("6E", "6.25"),
        ];
        for (symbol, value) in expected {
            assert_eq!(Instrument::built_in(symbol).unwrap().tick_value().to_string(), value);
        }
        assert_eq!(Instrument::built_in_symbols().len(), expected.len());
    }

    #[test]
    fn refuses_what_cannot_be_an_instrument() {
        let price = Price::from_units;
        let make = |symbol, tick, point| {
            Instrument::new(symbol, "", price(tick), Money::from_nanos(point), Calendar::AlwaysOpen)
        };
        assert!(matches!(make("es", 1, 1), Err(InstrumentError::Symbol(_))));
        assert!(matches!(make("ES", 0, 1), Err(InstrumentError::TickSize { .. })));
        assert!(matches!(make("ES", 1, -1), Err(InstrumentError::PointValue { .. })));
        assert!(matches!(make("ES", 1, 1), Err(InstrumentError::TickValue { .. })));
        let message = Instrument::built_in("ZZ").unwrap_err().to_string();
        assert!(message.contains("MES") && message.contains("`ZZ`"), "{message}");
    }
}
