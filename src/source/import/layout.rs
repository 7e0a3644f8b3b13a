//! The layout of a text row: the contents of its columns.

use std::str::FromStr;

/// Columns of a row that can be told apart; more are counted only.
pub(super) const COLUMN_LIMIT: usize = 64;

/// The content of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Something that is not read.
    Unread,
    /// Date and time of day.
    Time,
    /// The date, the time of day having a column of its own.
    Date,
    /// The time of day, the date having a column of its own.
    Clock,
    /// Price of a trade.
    Price,
    /// Contracts: a trade's size, a bar's volume.
    Volume,
    /// Volume of rising trades, which [`Column::Down`] adds to.
    Up,
    /// Volume of falling trades.
    Down,
    /// Best bid with a trade.
    Bid,
    /// Best ask with a trade.
    Ask,
    /// Side that took liquidity: `buy`, `b`, `sell`, `s`, `a` (sold), `n` or empty.
    Side,
    /// The contract, as the source writes it, such as `ESZ3`.
    Contract,
    /// The source's number of the instrument, such as Databento's.
    InstrumentId,
    /// The event in the book, such as Databento's `T`: rows of anything but a trade are no
    /// rows.
    Action,
    /// First price of a bar.
    Open,
    /// Highest price of a bar.
    High,
    /// Lowest price of a bar.
    Low,
    /// Last price of a bar.
    Close,
}

/// Names of columns in headers and `--columns`, in lower case letters and digits only; the first
/// name is the one that messages use.
pub(super) const NAMES: &[(Column, &[&str])] = &[
    (Column::Unread, UNREAD),
    (Column::Time, &["timestamp", "datetime", "tsevent", "gmttime", "start", "indexlevel0"]),
    (Column::Date, &["date", "dtyyyymmdd"]),
    // The time of day beside a date, date and time otherwise.
    (Column::Clock, &["time"]),
    (Column::Price, &["price"]),
    (Column::Volume, &["volume", "vol", "v", "size", "quantity", "qty"]),
    (Column::Up, &["up"]),
    (Column::Down, &["down"]),
    (Column::Bid, &["bid", "bidprice", "bidpx00"]),
    (Column::Ask, &["ask", "askprice", "offer", "askpx00"]),
    (Column::Side, &["side", "aggressor"]),
    (Column::Contract, CONTRACTS),
    (Column::InstrumentId, &["instrumentid"]),
    (Column::Action, &["action"]),
    (Column::Open, &["open", "o"]),
    (Column::High, &["high", "h"]),
    // `Llow` is a misprint of a charting program's export that many files carry.
    (Column::Low, &["low", "l", "llow"]),
    // The price of a trade where there is no open.
    (Column::Close, &["close", "last", "c"]),
];

/// A volume since the session's open is not a row's.
const UNREAD: &[&str] = &[
    "-",
    "skip",
    "totalvolume",
    "totalvol",
    "cumulativevolume",
    "cumvolume",
    "cumvol",
    "dailyvolume",
    "dayvolume",
];

/// The most particular name first, as a file may have a contract and its product.
const CONTRACTS: &[&str] = &[
    "contract",
    "contractsymbol",
    "rawsymbol",
    "localsymbol",
    "symbol",
    "ticker",
    "instrument",
    "sym",
    "ric",
];

/// The columns of one kind of row, from the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Content of each column.
    pub columns: Vec<Column>,
    /// `true` if more columns may follow; they are not read.
    pub more: bool,
}

impl Layout {
    /// Returns whether a row is a bar; a trade otherwise.
    pub fn is_bar(&self) -> bool {
        self.columns.contains(&Column::Open)
    }

    /// Returns whether it can read a row with this number of columns.
    pub(super) fn fits(&self, count: usize) -> bool {
        self.columns.len() == count || (self.more && self.columns.len() < count)
    }

    /// Returns its fault, if it has one.
    pub(super) fn problem(&self) -> Option<String> {
        let count = |column| self.columns.iter().filter(|&&other| other == column).count();
        let needed: &[Column] = match self.is_bar() {
            true => &[Column::Open, Column::High, Column::Low, Column::Close, Column::Volume],
            false => &[Column::Price, Column::Volume],
        };
        let has_parts = count(Column::Up) > 0 && count(Column::Down) > 0;
        let is_absent =
            |&&column: &&Column| count(column) == 0 && !(column == Column::Volume && has_parts);
        if let Some(&absent) = needed.iter().find(is_absent) {
            return Some(format!("no column `{}`", name(absent)));
        }
        let twice =
            self.columns.iter().find(|&&column| column != Column::Unread && count(column) > 1);
        if let Some(&twice) = twice {
            return Some(format!("two columns `{}`", name(twice)));
        }
        match (count(Column::Time), count(Column::Date), count(Column::Clock)) {
            (1, 0, 0) | (0, 1, 1) => {}
            _ => return Some("no column `timestamp`, nor one `date` and one `time`".to_owned()),
        }
        let foreign: &[Column] = match self.is_bar() {
            true => &[Column::Price, Column::Bid, Column::Ask, Column::Side, Column::Action],
            false => &[Column::High, Column::Low, Column::Close],
        };
        foreign
            .iter()
            .find(|&&column| count(column) > 0)
            .map(|&column| format!("`{}` beside `{}`", name(column), name(needed[0])))
    }
}

/// A list of columns that cannot be read by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "columns `{columns}`: {reason}; name every column in order, such as `time,price,size` or `date,time,open,high,low,close,volume`, with `-` for one that is not to be read and `...` at the end if more may follow"
)]
pub struct LayoutError {
    /// Value that was given.
    pub columns: String,
    /// Fault that was found.
    pub reason: String,
}

impl FromStr for Layout {
    type Err = LayoutError;

    /// Reads `date,time,price,-,volume,...`.
    fn from_str(text: &str) -> Result<Layout, LayoutError> {
        let error = |reason| LayoutError { columns: text.to_owned(), reason };
        let mut names: Vec<&str> = text.split(',').map(str::trim).collect();
        let more = names.last() == Some(&"...");
        if more {
            names.pop();
        }
        let names: Vec<String> = names.into_iter().map(|name| normalise(name.as_bytes())).collect();
        let columns = meanings(&names)
            .into_iter()
            .zip(&names)
            .map(|(column, name)| column.ok_or_else(|| error(format!("`{name}` is no column"))))
            .collect::<Result<Vec<Column>, LayoutError>>()?;
        if columns.len() > COLUMN_LIMIT {
            return Err(error(format!("more than {COLUMN_LIMIT} columns")));
        }
        let layout = Layout { columns, more };
        match layout.problem() {
            Some(problem) => Err(error(problem)),
            None => Ok(layout),
        }
    }
}

/// Returns a column's name in messages.
pub(super) fn name(column: Column) -> &'static str {
    NAMES.iter().find(|row| row.0 == column).map_or("-", |row| row.1[0])
}

/// Returns the contents of columns of these names; `None` where the name is unknown.
pub(super) fn meanings(names: &[String]) -> Vec<Option<Column>> {
    let known =
        |name: &String| NAMES.iter().find(|row| row.1.contains(&name.as_str())).map(|row| row.0);
    let mut columns: Vec<Option<Column>> = names.iter().map(known).collect();
    let has = |columns: &[Option<Column>], column| columns.contains(&Some(column));
    let replace = |columns: &mut [Option<Column>], from, to| {
        columns.iter_mut().filter(|column| **column == Some(from)).for_each(|column| *column = to);
    };
    if has(&columns, Column::Date) && has(&columns, Column::Clock) {
        // A third column says the same again.
        replace(&mut columns, Column::Time, None);
    } else if has(&columns, Column::Time) {
        replace(&mut columns, Column::Date, None);
        replace(&mut columns, Column::Clock, None);
    } else {
        replace(&mut columns, Column::Date, Some(Column::Time));
        replace(&mut columns, Column::Clock, Some(Column::Time));
    }
    if !has(&columns, Column::Open) {
        replace(&mut columns, Column::Close, Some(Column::Price));
    }
    let by_rank = |name: &&String| CONTRACTS.iter().position(|known| known == name);
    let contract = names.iter().filter(|name| by_rank(name).is_some()).min_by_key(by_rank);
    for (column, name) in columns.iter_mut().zip(names) {
        if *column == Some(Column::Contract) && Some(name) != contract {
            *column = Some(Column::Unread);
        }
    }
    // The parts count where no column is the whole.
    if has(&columns, Column::Volume) {
        replace(&mut columns, Column::Up, None);
        replace(&mut columns, Column::Down, None);
    }
    columns
}

/// Reduces a name to lower-case letters and digits, without a `utc` at the end; `-` stays as it is.
pub(super) fn normalise(name: &[u8]) -> String {
    if name == b"-" {
        return "-".to_owned();
    }
    let name: String = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    name.strip_suffix("utc").unwrap_or(&name).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_in_words() {
        use Column::{Clock, Close, Date, Down, High, Low, Open, Price, Time, Unread, Up, Volume};
        let read = |text: &str| text.parse::<Layout>().map(|layout| (layout.columns, layout.more));
        assert_eq!(read("time,price,size"), Ok((vec![Time, Price, Volume], false)));
        assert_eq!(
            read("Date, Time, -, Last, Vol, ..."),
            Ok((vec![Date, Clock, Unread, Price, Volume], true))
        );
        assert_eq!(
            read("time,open,high,low,last,up,down"),
            Ok((vec![Time, Open, High, Low, Close, Up, Down], false))
        );
        // A volume since the open is not a row's.
        assert_eq!(
            read("time,price,total volume,size"),
            Ok((vec![Time, Price, Unread, Volume], false))
        );
        for (text, reason) in [
            ("time,price", "no column `volume`"),
            ("price,size", "no column `timestamp`"),
            ("time,open,high,low,size", "no column `close`"),
            ("time,price,last,size", "two columns `price`"),
            ("time,price,size,volume", "two columns `volume`"),
            ("time,price,total volume", "no column `volume`"),
            ("time,open,high,low,close,up", "no column `volume`"),
            ("time,price,up,down,up", "two columns `up`"),
            ("time,prise,size", "`prise` is no column"),
            ("time,open,high,low,close,volume,bid", "`bid` beside `open`"),
            ("", "`` is no column"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
