//! Several contracts of a product into one series.

use crate::market::{Contract, Price, Tick, Timestamp};
use crate::source::native::{Adjustment, ContractEntry};

/// All ticks of one contract, in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct ContractStream {
    /// Such as `ESZ13`.
    pub symbol: String,
    /// The contract, where the source's name is one's.
    pub contract: Option<Contract>,
    /// Its ticks.
    pub ticks: Vec<Tick>,
}

/// The contracts that the series shows, and their times.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinPlan {
    /// The contracts that are shown, in order of time; each until the next one starts.
    pub stints: Vec<Stint>,
    /// The method that chose the offsets.
    pub adjustment: Adjustment,
}

/// One contract's time in the series.
#[derive(Clone, Debug, PartialEq)]
pub struct Stint {
    /// First instant. A session's start: a bar that lies across it would be cut.
    pub from: Timestamp,
    /// The index of the stream.
    pub stream: usize,
    /// The contract's expiry, where known.
    pub expiry: Option<Timestamp>,
    /// Offset added to its prices; a whole number of ticks.
    pub offset: Price,
}

/// Several contracts as one series.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinedContracts {
    /// The contracts in the order in which they are shown.
    pub contracts: Vec<ContractEntry>,
    /// Their ticks, each with its place in that table.
    pub ticks: Vec<Tick>,
    /// Ticks left out, as another contract was shown at their time.
    pub left_out: u64,
}

/// A plan that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// The plan is empty, out of order, or names a stream that is not there.
    #[error("the roll plan's contract {0} is out of order or not in the input")]
    Plan(usize),
    /// A price left the range that can be held.
    #[error(
        "contract {symbol}: a price of {price} moved by {offset} is beyond the range of prices"
    )]
    Range {
        /// The contract.
        symbol: String,
        /// The price.
        price: Price,
        /// Offset that was to be added.
        offset: Price,
    },
}

/// Joins the contracts by the plan.
///
/// # Errors
/// If the plan's times do not rise, a stream is not there, or a moved price cannot be held.
pub fn join_contracts(
    streams: &[ContractStream],
    plan: &JoinPlan,
) -> Result<JoinedContracts, JoinError> {
    let total: usize = streams.iter().map(|stream| stream.ticks.len()).sum();
    let mut joined = JoinedContracts { contracts: Vec::new(), ticks: Vec::new(), left_out: 0 };
    if plan.stints.is_empty() {
        return Err(JoinError::Plan(0));
    }
    for (index, stint) in plan.stints.iter().enumerate() {
        let until = plan.stints.get(index + 1).map_or(Timestamp::MAX, |next| next.from);
        let stream = streams
            .get(stint.stream)
            .filter(|_| stint.from < until && index <= usize::from(u16::MAX))
            .ok_or(JoinError::Plan(index))?;
        joined.contracts.push(ContractEntry {
            symbol: stream.symbol.clone(),
            expiry: stint.expiry.map(|expiry| expiry.to_string()),
            price_offset: stint.offset.to_string(),
        });
        let first = stream.ticks.partition_point(|tick| tick.time < stint.from);
        let last = stream.ticks.partition_point(|tick| tick.time < until);
        for tick in &stream.ticks[first..last] {
            let units = tick.price.units().checked_add(stint.offset.units()).ok_or_else(|| {
                let (symbol, offset) = (stream.symbol.clone(), stint.offset);
                JoinError::Range { symbol, price: tick.price, offset }
            })?;
            let mut tick = tick.with_contract(index as u16);
            tick.price = Price::from_units(units);
            joined.ticks.push(tick);
        }
    }
    joined.left_out = (total - joined.ticks.len()) as u64;
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(symbol: &str, times: std::ops::Range<i64>, price: i64) -> ContractStream {
        let price = Price::from_units(price * Price::SCALE);
        let ticks =
            times.map(|time| Tick::new(Timestamp::from_nanos(time), price, 1)).collect::<Vec<_>>();
        ContractStream { symbol: symbol.to_owned(), contract: None, ticks }
    }

    fn stint(from: i64, stream: usize, offset: i64) -> Stint {
        let from = Timestamp::from_nanos(from);
        Stint { from, stream, expiry: None, offset: Price::from_units(offset * Price::SCALE) }
    }

    #[test]
    fn shows_each_contract_in_its_time_with_its_offset() {
        let streams = [stream("ESH4", 5..20, 110), stream("ESZ3", 0..15, 100)];
        let stints = vec![stint(2, 1, 10), stint(8, 0, 0)];
        let plan = JoinPlan { stints, adjustment: Adjustment::Back };
        let joined = join_contracts(&streams, &plan).unwrap();
        let symbols: Vec<_> = joined.contracts.iter().map(|c| c.symbol.as_str()).collect();
        assert_eq!(symbols, ["ESZ3", "ESH4"]);
        assert_eq!(joined.contracts[0].price_offset, "10");
        let times: Vec<_> = joined.ticks.iter().map(|tick| tick.time.nanos()).collect();
        assert_eq!(times, (2..20).collect::<Vec<_>>());
        let of_first = joined.ticks.iter().filter(|tick| tick.contract == 0).count();
        assert_eq!((of_first, joined.left_out), (6, 12));
        assert!(joined.ticks.iter().all(|tick| tick.price == streams[0].ticks[0].price));
        // The streams are handed in, not changed.
        assert_eq!(streams[1].ticks[0].price.to_string(), "100");
    }

    #[test]
    fn refuses_a_schedule_that_cannot_be_followed() {
        let streams = [stream("ESZ3", 0..3, 1)];
        for stints in [vec![], vec![stint(0, 1, 0)], vec![stint(5, 0, 0), stint(5, 0, 0)]] {
            let plan = JoinPlan { stints, adjustment: Adjustment::None };
            assert!(matches!(join_contracts(&streams, &plan), Err(JoinError::Plan(_))));
        }
        let stints = vec![stint(0, 0, 9_223_372_036)];
        let plan = JoinPlan { stints, adjustment: Adjustment::Back };
        assert!(matches!(join_contracts(&streams, &plan), Err(JoinError::Range { .. })));
    }
}
