//! `trades.csv`: one line a round trip.

use std::io::Write;
use std::path::Path;

use super::RunDirectoryError;
use super::csv_row::{CsvRow, read_table};
use crate::execution::{ExitReason, Trade};
use crate::market::Side;
use crate::whole_file::{self, FileKind};

/// Other programs read the first fifteen by place.
const COLUMNS: [&str; 17] = [
    "id",
    "instrument",
    "side",
    "quantity",
    "entry_utc",
    "entry_price",
    "exit_utc",
    "exit_price",
    "exit_reason",
    "gross_pnl",
    "costs",
    "net_pnl",
    "mfe",
    "mae",
    "bars_held",
    "slippage",
    "contract",
];

/// The files that a table of trades may replace outside a run directory.
pub(crate) const TRADES_FILE: FileKind = FileKind {
    what: "a table of trades",
    is_ours: &|file| whole_file::begins_with(file, COLUMNS[..9].join(",").as_bytes()),
};

/// Returns `long` or `short`.
pub(super) fn side_name(side: Side) -> &'static str {
    match side {
        Side::Buy => "long",
        Side::Sell => "short",
    }
}

/// Returns the symbol of a trade's contract; its number if the run has no symbol for it.
pub(super) fn contract_symbol(contracts: &[String], contract: u16) -> String {
    contracts.get(usize::from(contract)).cloned().unwrap_or_else(|| contract.to_string())
}

/// Writes the trades of a run in `instrument`.
pub(super) fn write_trades(
    writer: impl Write,
    instrument: &str,
    contracts: &[String],
    trades: &[Trade],
) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(writer);
    writer.write_record(COLUMNS)?;
    for trade in trades {
        writer.write_record([
            &trade.id.to_string(),
            instrument,
            side_name(trade.side),
            &trade.quantity.to_string(),
            &trade.entry_time.to_string(),
            &trade.entry_price.to_string(),
            &trade.exit_time.to_string(),
            &trade.exit_price.to_string(),
            trade.exit_reason.name(),
            &trade.gross_pnl.to_string(),
            &trade.costs.to_string(),
            &trade.net_pnl().to_string(),
            &trade.mfe.to_string(),
            &trade.mae.to_string(),
            &trade.bars_held.to_string(),
            &trade.slippage.to_string(),
            &contract_symbol(contracts, trade.contract),
        ])?;
    }
    writer.flush()?;
    Ok(())
}

/// Reads what [`write_trades`] wrote.
///
/// # Errors
/// Naming the line and the column that cannot be read, or a net that is not gross less costs.
pub(super) fn read_trades(
    path: &Path,
    bytes: &[u8],
    contracts: &[String],
) -> Result<Vec<Trade>, RunDirectoryError> {
    read_table(path, bytes, &COLUMNS, |row| read_trade(row, contracts))
}

fn read_trade(row: &CsvRow, contracts: &[String]) -> Result<Trade, RunDirectoryError> {
    let trade = Trade {
        id: row.parse("id")?,
        contract: row.value("contract", |text| {
            match contracts.iter().position(|symbol| symbol == text) {
                Some(place) => u16::try_from(place).map_err(|_| "too many contracts"),
                None => text.parse().map_err(|_| "summary.json lists no such contract"),
            }
        })?,
        side: row.value("side", |text| match text {
            "long" => Ok(Side::Buy),
            "short" => Ok(Side::Sell),
            _ => Err("must be long or short"),
        })?,
        quantity: row.parse("quantity")?,
        entry_time: row.parse("entry_utc")?,
        entry_price: row.parse("entry_price")?,
        exit_time: row.parse("exit_utc")?,
        exit_price: row.parse("exit_price")?,
        exit_reason: row.value("exit_reason", |text| {
            let reason = ExitReason::ALL.into_iter().find(|reason| reason.name() == text);
            reason.ok_or_else(|| {
                format!("must be one of {}", ExitReason::ALL.map(ExitReason::name).join(", "))
            })
        })?,
        gross_pnl: row.money("gross_pnl")?,
        costs: row.money("costs")?,
        mfe: row.money("mfe")?,
        mae: row.money("mae")?,
        bars_held: row.parse("bars_held")?,
        slippage: row.money("slippage")?,
    };
    let net = row.money("net_pnl")?;
    if trade.gross_pnl.nanos().checked_sub(trade.costs.nanos()) != Some(net.nanos()) {
        return Err(row.refuse(format!(
            "net_pnl {net} is not gross_pnl {} less costs {}",
            trade.gross_pnl, trade.costs
        )));
    }
    Ok(trade)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{Money, Price, Timestamp};
    use proptest::prelude::*;

    fn any_trade() -> impl Strategy<Value = Trade> {
        let money = -1_000_000_000_000_000_i64..1_000_000_000_000_000;
        (
            (any::<u32>(), 0..3_u16, any::<bool>(), any::<u32>(), any::<u32>()),
            (any::<i64>(), any::<i64>()),
            ((i64::MIN + 1).., (i64::MIN + 1)..),
            0..ExitReason::ALL.len(),
            [money.clone(), money.clone(), money.clone(), money.clone(), money],
        )
            .prop_map(|(facts, times, prices, reason, money)| {
                let (id, contract, buy, quantity, bars_held) = facts;
                let [gross_pnl, costs, mfe, mae, slippage] = money.map(Money::from_nanos);
                Trade {
                    id,
                    contract,
                    side: if buy { Side::Buy } else { Side::Sell },
                    quantity,
                    entry_time: Timestamp::from_nanos(times.0),
                    entry_price: Price::from_units(prices.0),
                    exit_time: Timestamp::from_nanos(times.1),
                    exit_price: Price::from_units(prices.1),
                    exit_reason: ExitReason::ALL[reason],
                    gross_pnl,
                    costs,
                    mfe,
                    mae,
                    bars_held,
                    slippage,
                }
            })
    }

    fn written(trades: &[Trade], contracts: &[String]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_trades(&mut bytes, "ES", contracts, trades).unwrap();
        bytes
    }

    fn read(bytes: &[u8], contracts: &[String]) -> Result<Vec<Trade>, RunDirectoryError> {
        read_trades(Path::new("trades.csv"), bytes, contracts)
    }

    proptest! {
        #[test]
        fn reads_back_exactly_what_was_written(
            trades in prop::collection::vec(any_trade(), 0..8),
            symbols in prop::sample::select(vec![vec!["ESZ3", "ESH4", "ESM4"], vec!["E,\"S\n"], vec![]]),
        ) {
            let contracts: Vec<String> = symbols.iter().map(|&symbol| symbol.to_owned()).collect();
            prop_assert_eq!(read(&written(&trades, &contracts), &contracts).unwrap(), trades);
        }
    }

    #[test]
    fn writes_the_promised_columns_and_refuses_a_changed_line_by_its_number() {
        let trade = Trade {
            id: 1,
            contract: 0,
            side: Side::Sell,
            quantity: 2,
            entry_time: "2013-10-07T13:30:00Z".parse().unwrap(),
            entry_price: "1680.25".parse().unwrap(),
            exit_time: "2013-10-07T13:45:00.000000001Z".parse().unwrap(),
            exit_price: "1679".parse().unwrap(),
            exit_reason: ExitReason::ProfitTarget,
            gross_pnl: Money::from_dollars(125),
            costs: Money::from_nanos(8_480_000_000),
            mfe: Money::from_dollars(150),
            mae: Money::from_dollars(-25),
            bars_held: 3,
            slippage: Money::from_dollars(25),
        };
        let contracts = ["ESZ3".to_owned()];
        let bytes = written(&[trade, trade], &contracts);
        let text = String::from_utf8(bytes).unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next().unwrap(),
            "id,instrument,side,quantity,entry_utc,entry_price,exit_utc,exit_price,exit_reason,\
             gross_pnl,costs,net_pnl,mfe,mae,bars_held,slippage,contract"
        );
        assert_eq!(
            lines.next().unwrap(),
            "1,ES,short,2,2013-10-07T13:30:00.000000000Z,1680.25,2013-10-07T13:45:00.000000001Z,\
             1679,profit_target,125,8.48,116.52,150,-25,3,25,ESZ3"
        );
        let refusal = |from: &str, to: &str| {
            let at = text.rfind(from).unwrap();
            let changed = format!("{}{to}{}", &text[..at], &text[at + from.len()..]);
            read(changed.as_bytes(), &contracts).unwrap_err().to_string()
        };
        for (from, to, hint) in [
            ("short", "flat", "side `flat`: must be long or short"),
            ("116.52", "116.53", "net_pnl 116.53 is not"),
            ("profit_target", "luck", "stop_loss"),
            ("ESZ3", "NQZ3", "contract `NQZ3`"),
            ("1680.25", "1,680.25", "fields"),
        ] {
            let message = refusal(from, to);
            assert!(message.contains("trades.csv") && message.contains("line 3"), "{message}");
            assert!(message.contains(hint), "{message}");
        }
        assert!(refusal("id,", "number,").contains("line 1"));
    }
}
