//! The rule for every tick before a stage sees it. Importer, tick file and journal ask the same
//! rule.

use super::{Price, Tick, TickDivision, TickFlags, Timestamp};

/// A fault of a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TickFault {
    /// Computing with its time could leave what a [`Timestamp`] holds.
    #[error("its time, {0}, is not between 1970 and 2199")]
    Year(Timestamp),
    /// It goes back in time.
    #[error("its time, {time}, is before {before}, that of the tick before it")]
    Order {
        /// Its time.
        time: Timestamp,
        /// That of the tick before it.
        before: Timestamp,
    },
    /// Computing with its price could leave what a [`Price`] holds.
    #[error("its price, {0}, is not between -{highest} and {highest}", highest = Price::HIGHEST)]
    PriceRange(Price),
    /// It is between two prices at which the instrument trades.
    #[error("its price, {price}, is not a whole number of ticks of {tick_size}")]
    OffTick {
        /// Its price.
        price: Price,
        /// The instrument's tick size.
        tick_size: Price,
    },
    /// No contract was traded.
    #[error("its size is 0")]
    NoSize,
    /// Its contract is unknown.
    #[error("its contract is number {contract} of {contracts}, counted from 0")]
    Contract {
        /// Its index.
        contract: u16,
        /// Number of contracts.
        contracts: usize,
    },
    /// Its side or one of its flags has no meaning.
    #[error("its side or its flags have no meaning")]
    Meaning,
}

/// The side bits that [`Tick::with_aggressor`] writes for a sale, the highest value in use.
const HIGHEST_SIDE: u8 = 2;

/// The rule for the ticks of one series.
#[derive(Clone, Copy, Debug)]
pub struct TickRule {
    tick_size: Price,
    division: TickDivision,
    /// [`Price::HIGHEST`] in ticks.
    most_ticks: i64,
    contracts: usize,
}

impl TickRule {
    /// Creates the rule for an instrument of this tick size (> 0) with this number of contracts.
    pub fn new(tick_size: Price, contracts: usize) -> TickRule {
        TickRule {
            tick_size,
            division: TickDivision::new(tick_size),
            most_ticks: Price::HIGHEST.units() / tick_size.units(),
            contracts,
        }
    }

    /// Returns the same rule for another number of contracts.
    pub fn with_contracts(self, contracts: usize) -> TickRule {
        TickRule { contracts, ..self }
    }

    /// Returns the first invalid tick of `ticks`, and its fault; `before` is the time of the tick
    /// before them, or [`Timestamp::MIN`].
    ///
    /// Some twenty instructions a tick without a branch: everything is looked at before anything is
    /// named.
    pub fn first_fault(&self, before: Timestamp, ticks: &[Tick]) -> Option<(usize, TickFault)> {
        let (first, last) = (ticks.first()?.time, ticks.last()?.time);
        let highest_contract = self.contracts as i64 - 1;
        let (mut previous, mut is_late) = (before, false);
        // Below 0 once anything is out of its range; other than 0 once any bit is set that must not
        // be.
        let (mut ranges, mut bits) = (0, 0);
        for tick in ticks {
            is_late |= tick.time < previous;
            previous = tick.time;
            // Of a price off the grid this is any number, of which the product is not the price.
            let in_ticks = self.division.ticks(tick.price);
            bits |= in_ticks.wrapping_mul(self.tick_size.units()) ^ tick.price.units();
            bits |= i64::from(tick.flags.0 & !TickFlags::ALL.0);
            ranges |= in_ticks.wrapping_add(self.most_ticks)
                | self.most_ticks.wrapping_sub(in_ticks)
                | (i64::from(tick.size) - 1)
                | (highest_contract - i64::from(tick.contract))
                | (i64::from(HIGHEST_SIDE) - i64::from(tick.aggressor));
        }
        // What is in order and begins and ends in these years is in them.
        let is_in_years = first.is_in_market_years() && last.is_in_market_years();
        if ranges >= 0 && bits == 0 && !is_late && is_in_years {
            return None;
        }
        let befores = std::iter::once(before).chain(ticks.iter().map(|tick| tick.time));
        let named = |(before, tick)| self.check(before, tick).err();
        let mut faults = befores.zip(ticks).map(named).enumerate();
        faults.find_map(|(index, fault)| Some((index, fault?)))
    }

    /// Names what is wrong with a tick.
    ///
    /// # Errors
    /// If anything is.
    pub fn check(&self, before: Timestamp, tick: &Tick) -> Result<(), TickFault> {
        let Tick { time, price, contract, .. } = *tick;
        if !time.is_in_market_years() {
            return Err(TickFault::Year(time));
        }
        if time < before {
            return Err(TickFault::Order { time, before });
        }
        if price.units().unsigned_abs() > Price::HIGHEST.units() as u64 {
            return Err(TickFault::PriceRange(price));
        }
        if !price.is_on_tick(self.tick_size) {
            return Err(TickFault::OffTick { price, tick_size: self.tick_size });
        }
        if tick.size == 0 {
            return Err(TickFault::NoSize);
        }
        if usize::from(contract) >= self.contracts {
            return Err(TickFault::Contract { contract, contracts: self.contracts });
        }
        if tick.aggressor > HIGHEST_SIDE || tick.flags.0 & !TickFlags::ALL.0 != 0 {
            return Err(TickFault::Meaning);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Returns a good tick or one that is bad in one or several ways.
    fn tick() -> impl Strategy<Value = Tick> {
        let year_2200 = 7_258_118_400 * Timestamp::SECOND;
        let time = prop_oneof![
            6 => 0i64..5,
            1 => prop_oneof![Just(-1), Just(year_2200 - 1), Just(year_2200), any::<i64>()],
        ];
        let highest = i64::MAX / 2;
        let price = prop_oneof![
            6 => (-4i64..4).prop_map(|quarters| quarters * 250_000_000),
            1 => prop_oneof![
                Just(highest), Just(highest + 1), Just(-highest), Just(i64::MIN), Just(i64::MAX),
                Just(highest / 250_000_000 * 250_000_000), any::<i64>(), -3i64..3,
            ],
        ];
        let rest = (
            prop_oneof![8 => 1u32..3, 1 => Just(0)],
            prop_oneof![8 => 0u16..2, 1 => 2u16..],
            prop_oneof![8 => 0u8..3, 1 => 3u8..],
            prop_oneof![8 => 0u8..32, 1 => 32u8..],
        );
        (time, price, rest).prop_map(|(time, price, (size, contract, aggressor, flags))| {
            let mut tick = Tick::new(Timestamp::from_nanos(time), Price::from_units(price), size)
                .with_contract(contract)
                .with_flags(TickFlags(flags));
            tick.aggressor = aggressor;
            tick
        })
    }

    proptest! {
        /// As simple as the rule can be said, and in 128 bits.
        #[test]
        fn the_first_bad_tick_is_found(mut ticks in prop::collection::vec(tick(), 0..6), sorted: bool) {
            if sorted {
                ticks.sort_by_key(|tick| tick.time);
            }
            let rule = TickRule::new("0.25".parse().unwrap(), 2);
            let mut last = i64::MIN;
            let good = |tick: &Tick| {
                let (time, price) = (tick.time.nanos(), i128::from(tick.price.units()));
                let is_good = time >= last
                    && (0..7_258_118_400_000_000_000).contains(&time)
                    && price % 250_000_000 == 0
                    && price.abs() <= i128::from(i64::MAX) / 2
                    && tick.size > 0
                    && tick.contract < 2
                    && tick.aggressor < 3
                    && tick.flags.0 < 32;
                last = time;
                is_good
            };
            let expected = ticks.iter().map(good).position(|is_good| !is_good);
            let found = rule.first_fault(Timestamp::MIN, &ticks);
            prop_assert_eq!(found.map(|(index, _)| index), expected);
        }
    }
}
