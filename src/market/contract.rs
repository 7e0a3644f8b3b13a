//! Contract codes and expiry.

use std::fmt;

use jiff::civil::{Date, Time, Weekday, date, time};

use super::Timestamp;
use super::calendar::{Calendar, tomorrow, yesterday};

/// The exchange's letters for January to December.
pub(super) const MONTH_CODES: &str = "FGHJKMNQUVXZ";

/// Delivery years that a contract may have; [`Timestamp`] holds all their expiries.
const YEARS: std::ops::RangeInclusive<i16> = 1700..=2199;

/// One futures contract: a product and the month in which it expires, such as ESZ13.
///
/// Contracts of one product are ordered by month.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Contract {
    product: String,
    year: i16,
    month: u8,
}

/// An invalid contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContractError {
    /// The product is empty, too long, or has other characters.
    #[error("`{0}` is not a product: use 1 to 7 upper-case letters or digits, such as ES")]
    Product(String),
    /// No such month.
    #[error("{0} is not a month from 1 to 12")]
    Month(u8),
    /// A year that instants cannot reach.
    #[error("{0} is not a year from {first} to {last}", first = YEARS.start(), last = YEARS.end())]
    Year(i16),
}

impl Contract {
    /// Returns the contract of `product` that expires in `month` (1 to 12) of `year` (1700 to
    /// 2199).
    ///
    /// # Errors
    /// If the product, the year or the month is invalid.
    pub fn from_year_month(product: &str, year: i16, month: u8) -> Result<Contract, ContractError> {
        let product_is_good = (1..=7).contains(&product.len())
            && product.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
        if !product_is_good {
            return Err(ContractError::Product(product.to_owned()));
        }
        if !(1..=12).contains(&month) {
            return Err(ContractError::Month(month));
        }
        if !YEARS.contains(&year) {
            return Err(ContractError::Year(year));
        }
        Ok(Contract { product: product.to_owned(), year, month })
    }

    /// Returns the product's symbol, such as `ES`.
    pub fn product(&self) -> &str {
        &self.product
    }

    /// Returns the year of expiry.
    pub fn year(&self) -> i16 {
        self.year
    }

    /// Returns the month of expiry, 1 to 12.
    pub fn month(&self) -> u8 {
        self.month
    }

    /// Returns the contract's expiry: the first instant at which it no longer trades.
    ///
    /// Rules of the CME rulebook for the products that each calendar is for: equity index, 08:30 in
    /// Chicago on the third Friday, or on the business day before a Friday that is a holiday; gold,
    /// 12:30 on the third last business day; currencies, 09:16 on the second business day before
    /// the third Wednesday. Without sessions it is the end of the month in UTC.
    pub fn expiry(&self, calendar: Calendar) -> Timestamp {
        let day = self.last_trade_date(calendar);
        match calendar {
            Calendar::CmeEquityIndex => calendar.instant(day, time(8, 30, 0, 0)),
            Calendar::ComexMetals => calendar.instant(day, time(12, 30, 0, 0)),
            Calendar::CmeFx => calendar.instant(day, time(9, 16, 0, 0)),
            Calendar::AlwaysOpen => calendar.instant(tomorrow(day), Time::midnight()),
        }
    }

    /// Returns the trade date on which [`Contract::expiry`] falls.
    pub fn last_trade_date(&self, calendar: Calendar) -> Date {
        let first = date(self.year, self.month as i8, 1);
        let nth = |nth, weekday| {
            first.nth_weekday_of_month(nth, weekday).expect("every month has three of a weekday")
        };
        match calendar {
            Calendar::CmeEquityIndex => business_day_before(tomorrow(nth(3, Weekday::Friday)), 1),
            Calendar::ComexMetals => business_day_before(tomorrow(first.last_of_month()), 3),
            Calendar::CmeFx => business_day_before(nth(3, Weekday::Wednesday), 2),
            Calendar::AlwaysOpen => first.last_of_month(),
        }
    }
}

/// Returns the `count`-th business day before `day`.
fn business_day_before(mut day: Date, count: u32) -> Date {
    for _ in 0..count {
        day = yesterday(day);
        while !Calendar::is_business_day(day) {
            day = yesterday(day);
        }
    }
    day
}

impl fmt::Display for Contract {
    /// Writes two digits of the year, as `ESZ13`: one digit, the exchange's own habit, would be
    /// ambiguous in a history of more than ten years.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = char::from(MONTH_CODES.as_bytes()[usize::from(self.month) - 1]);
        write!(f, "{}{letter}{:02}", self.product, self.year % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Reads a contract such as `ESZ13`.
    fn contract(text: &str) -> Contract {
        let (code, year) = text.split_at(text.len() - 2);
        let (product, letter) = code.split_at(code.len() - 1);
        let month = MONTH_CODES.find(letter).unwrap() as u8 + 1;
        Contract::from_year_month(product, 2000 + year.parse::<i16>().unwrap(), month).unwrap()
    }

    #[test]
    fn refuses_what_is_no_contract() {
        let make = |product, year, month| Contract::from_year_month(product, year, month);
        for product in ["", "es", "E S", "ÉS", "TOOLONGS"] {
            assert!(matches!(make(product, 2013, 12), Err(ContractError::Product(_))), "{product}");
        }
        assert_eq!(make("ES", 1, 12), Err(ContractError::Year(1)));
        assert_eq!(make("ES", 2013, 13), Err(ContractError::Month(13)));
    }

    #[test]
    fn expires_when_the_exchange_says() {
        // CME Group product calendars.
        let published = [
            ("ESZ13", Calendar::CmeEquityIndex, "2013-12-20T14:30:00Z"),
            ("ESU13", Calendar::CmeEquityIndex, "2013-09-20T13:30:00Z"),
            ("ESZ26", Calendar::CmeEquityIndex, "2026-12-18T14:30:00Z"),
            ("ESH27", Calendar::CmeEquityIndex, "2027-03-19T13:30:00Z"),
            // The third Friday was Good Friday; was Juneteenth.
            ("ESH08", Calendar::CmeEquityIndex, "2008-03-20T13:30:00Z"),
            ("ESM26", Calendar::CmeEquityIndex, "2026-06-18T13:30:00Z"),
            ("GCZ13", Calendar::ComexMetals, "2013-12-27T18:30:00Z"),
            ("GCG24", Calendar::ComexMetals, "2024-02-27T18:30:00Z"),
            ("GCJ24", Calendar::ComexMetals, "2024-04-26T17:30:00Z"),
            ("GCZ24", Calendar::ComexMetals, "2024-12-27T18:30:00Z"),
            ("6EH24", Calendar::CmeFx, "2024-03-18T14:16:00Z"),
            // The third Wednesday was Juneteenth.
            ("6EM24", Calendar::CmeFx, "2024-06-17T14:16:00Z"),
            ("BTCG24", Calendar::AlwaysOpen, "2024-03-01T00:00:00Z"),
        ];
        for (text, calendar, expiry) in published {
            assert_eq!(contract(text).expiry(calendar), at(expiry), "{text}");
        }
    }

    #[test]
    fn expires_on_the_day_after_leans_last_mapped_day_from_2009_to_2023() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/lean/cme/map_files/es.csv");
        let Ok(text) = std::fs::read_to_string(path) else {
            eprintln!("SKIPPED: no test data at {path}");
            return;
        };
        let mut quarter = (2009, 12);
        let mut count = 0;
        // Rows of mode 0 give the day before the last trading day of one quarter after the other.
        for row in text.lines().filter(|row| row.ends_with(",0")) {
            let day = Date::strptime("%Y%m%d", &row[..8]).unwrap();
            let contract = Contract::from_year_month("ES", quarter.0, quarter.1).unwrap();
            let last = contract.last_trade_date(Calendar::CmeEquityIndex);
            assert_eq!(last, tomorrow(day), "{contract}");
            quarter = if quarter.1 == 12 { (quarter.0 + 1, 3) } else { (quarter.0, quarter.1 + 3) };
            count += 1;
        }
        assert_eq!((count, quarter), (55, (2023, 9)));
    }

    proptest! {
        #[test]
        fn orders_by_expiry(
            year in 1990i16..2060, month in 1u8..=12, later in 1i16..40,
        ) {
            let first = Contract::from_year_month("GC", year, month).unwrap();
            let months = i16::from(month) - 1 + later;
            let second =
                Contract::from_year_month("GC", year + months / 12, (months % 12) as u8 + 1).unwrap();
            prop_assert!(first < second);
            for calendar in [Calendar::CmeEquityIndex, Calendar::ComexMetals, Calendar::CmeFx, Calendar::AlwaysOpen] {
                prop_assert!(first.expiry(calendar) < second.expiry(calendar));
            }
        }
    }
}
