//! What a header line says about the columns.

use super::text::{COLUMN_LIMIT, Columns, Layout};

/// The layout of a file with this header; `expected` says whether trades or bars are wanted.
///
/// Bars go by name. Trades go by position, as many files name the columns in words of their own; a
/// header that contradicts the positions is refused, and quotes and the side are found by name.
pub(super) fn layout(fields: &[&[u8]], expected: &Layout) -> Result<Layout, String> {
    let names: Vec<String> = fields.iter().map(|field| normalise(field)).collect();
    let find = |known: &[&str]| {
        known.iter().find_map(|&known| names.iter().position(|name| name == known))
    };
    let shown = || {
        let shown: Vec<_> = fields.iter().map(|field| String::from_utf8_lossy(field)).collect();
        shown.join(",").chars().take(120).collect::<String>()
    };
    match expected.columns {
        Columns::Trade { .. } => {
            for (column, wanted, others) in [
                (1, "price", &[TIME, CLOCK, SIZE, BID, ASK, SIDE][..]),
                (2, "volume", &[TIME, CLOCK, PRICE, BID, ASK, SIDE][..]),
            ] {
                let name = names.get(column).map_or("", String::as_str);
                if others.iter().any(|other| other.contains(&name)) {
                    return Err(format!(
                        "column {} must be the {wanted}, but the header `{}` names it `{name}`",
                        column + 1,
                        shown()
                    ));
                }
            }
            let (bid, ask, side) = (find(BID), find(ASK), find(SIDE));
            let last = [Some(2), bid, ask, side].into_iter().flatten().max();
            Ok(Layout {
                fields: last.unwrap_or(2) + 1,
                more: true,
                time: 0,
                clock: None,
                columns: Columns::Trade { price: 1, size: 2, bid, ask, side },
            })
        }
        Columns::Bar { .. } => {
            let column = |name: &str, known: &[&str]| {
                find(known)
                    .filter(|&column| column < COLUMN_LIMIT)
                    .ok_or_else(|| format!("no column `{name}` in the header `{}`", shown()))
            };
            let (time, clock) = match (find(&["date"]), find(CLOCK)) {
                (Some(date), Some(clock)) => (date, Some(clock)),
                _ => (column("timestamp", &[TIME, CLOCK].concat())?, None),
            };
            Ok(Layout {
                fields: fields.len(),
                more: false,
                time,
                clock,
                columns: Columns::Bar {
                    open: column("open", &["open", "o"])?,
                    high: column("high", &["high", "h"])?,
                    // `Llow` is a misprint of a charting program's export that many files carry.
                    low: column("low", &["low", "llow", "l"])?,
                    close: column("close", &["close", "last", "c"])?,
                    volume: column("volume", SIZE)?,
                },
            })
        }
    }
}

const TIME: &[&str] = &["timestamp", "datetime", "date", "tsevent", "gmttime"];
const CLOCK: &[&str] = &["time"];
const PRICE: &[&str] = &["price", "last", "close", "open", "high", "low"];
const SIZE: &[&str] = &["volume", "vol", "v", "size", "quantity", "qty", "totalvolume"];
const BID: &[&str] = &["bid", "bidprice"];
const ASK: &[&str] = &["ask", "askprice", "offer"];
const SIDE: &[&str] = &["side", "aggressor"];

/// Lower case letters and digits only, without a `utc` at the end.
fn normalise(name: &[u8]) -> String {
    let name: String = name
        .iter()
        .filter(|byte| byte.is_ascii_alphanumeric())
        .map(|byte| char::from(byte.to_ascii_lowercase()))
        .collect();
    name.strip_suffix("utc").unwrap_or(&name).to_owned()
}
