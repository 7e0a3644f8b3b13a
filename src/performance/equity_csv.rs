//! `equity.csv`: one line a point of the equity curve.

use std::io::Write;
use std::path::Path;

use super::RunDirectoryError;
use super::csv_row::read_table;
use super::drawdown::drawdowns;
use crate::execution::EquityPoint;
use crate::market::Money;

/// Other programs read the first four by place.
const COLUMNS: [&str; 7] =
    ["utc", "cash", "position", "equity", "mark", "unrealized_pnl", "drawdown"];

/// Writes the points; `drawdown` is the fall from the highest equity before, `capital` included.
pub(super) fn write_equity(
    writer: impl Write,
    capital: Money,
    equity: &[EquityPoint],
) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(writer);
    writer.write_record(COLUMNS)?;
    for (point, drawdown) in equity.iter().zip(drawdowns(capital, equity)) {
        writer.write_record([
            point.time.to_string(),
            point.cash.to_string(),
            point.position.to_string(),
            point.equity.to_string(),
            point.mark.to_string(),
            (point.equity - point.cash).to_string(),
            drawdown.to_string(),
        ])?;
    }
    writer.flush()?;
    Ok(())
}

/// Reads what [`write_equity`] wrote.
///
/// # Errors
/// Naming the line and the column that cannot be read.
pub(super) fn read_equity(
    path: &Path,
    bytes: &[u8],
) -> Result<Vec<EquityPoint>, RunDirectoryError> {
    read_table(path, bytes, &COLUMNS, |row| {
        Ok(EquityPoint {
            time: row.parse("utc")?,
            cash: row.money("cash")?,
            position: row.parse("position")?,
            mark: row.parse("mark")?,
            equity: row.money("equity")?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Price, Timestamp};
    use proptest::prelude::*;

    prop_compose! {
        fn any_point()(
            time in any::<i64>(),
            cash in -1_000_000_000_000_000_000_i64..1_000_000_000_000_000_000,
            position in any::<i32>(),
            mark in (i64::MIN + 1)..,
            equity in -1_000_000_000_000_000_000_i64..1_000_000_000_000_000_000,
        ) -> EquityPoint {
            EquityPoint {
                time: Timestamp::from_nanos(time),
                cash: Money::from_nanos(cash),
                position,
                mark: Price::from_units(mark),
                equity: Money::from_nanos(equity),
            }
        }
    }

    proptest! {
        #[test]
        fn reads_back_exactly_what_was_written(
            equity in prop::collection::vec(any_point(), 0..20)
        ) {
            let mut bytes = Vec::new();
            write_equity(&mut bytes, Money::ZERO, &equity).unwrap();
            prop_assert_eq!(read_equity(Path::new("equity.csv"), &bytes).unwrap(), equity);
        }
    }

    #[test]
    fn shows_open_profit_and_drawdown_beside_the_account() {
        let point = |cash, equity| EquityPoint {
            time: Timestamp::from_nanos(0),
            cash: Money::from_dollars(cash),
            position: -1,
            mark: Price::from_units(1_500_000_000),
            equity: Money::from_dollars(equity),
        };
        let mut bytes = Vec::new();
        write_equity(&mut bytes, Money::from_dollars(100), &[point(100, 130), point(110, 115)])
            .unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "utc,cash,position,equity,mark,unrealized_pnl,drawdown\n\
             1970-01-01T00:00:00.000000000Z,100,-1,130,1.5,30,0\n\
             1970-01-01T00:00:00.000000000Z,110,-1,115,1.5,5,15\n"
        );
    }
}
