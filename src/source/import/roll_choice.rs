//! A roll rule, applied to the contracts that an import found.

use clap::ValueEnum;

use super::importer::RollChoice;
use super::join::{ContractStream, JoinPlan, Stint};
use crate::market::{
    Calendar, Contract, Price, Product, RollRule, RollSchedule, Session, SessionVolumes, Tick,
    Timestamp,
};
use crate::settings::names;
use crate::source::native::Adjustment;

names! {
    /// The day on which a series moves to the next contract.
    #[derive(ValueEnum)]
    pub enum Roll {
        /// On the customary day: the Monday before the third Friday for equity index futures.
        Calendar = "calendar",
        /// At the session after one in which a later contract traded more.
        Volume = "volume",
    }
}

impl Roll {
    /// Returns the rule for a product that trades by `calendar`.
    pub const fn rule(self, calendar: Calendar) -> RollRule {
        match self {
            Roll::Calendar => RollRule::customary(calendar),
            Roll::Volume => RollRule::Volume,
        }
    }
}

/// Shows the contract that `rule` calls for, with prices joined as `adjustment` says.
///
/// The gap of a roll is the difference of the two contracts' last prices at the last moment before
/// it at which both had traded in one session; back-adjustment is refused without one.
pub fn roll_choice(rule: RollRule, adjustment: Adjustment, calendar: Calendar) -> RollChoice {
    Box::new(move |streams| choose(streams, rule, adjustment, calendar))
}

fn choose(
    streams: &[ContractStream],
    rule: RollRule,
    adjustment: Adjustment,
    calendar: Calendar,
) -> Result<JoinPlan, String> {
    // Contracts in order of expiry, each with its stream; those of thin months are never shown.
    let mut contracts = Vec::with_capacity(streams.len());
    for (stream, ContractStream { symbol, contract, .. }) in streams.iter().enumerate() {
        let contract = contract.clone().ok_or_else(|| format!("`{symbol}` is no contract"))?;
        let product = Product::called(contract.product());
        if product.is_none_or(|product| product.trades_in(contract.month())) {
            contracts.push((contract, stream));
        }
    }
    if contracts.is_empty() {
        let names: Vec<&str> = streams.iter().map(|stream| stream.symbol.as_str()).collect();
        return Err(format!(
            "{} are of months in which little trades; choose one with `--contract`",
            names.join(", ")
        ));
    }
    contracts.sort();
    let ticks_of = |contract: usize| &streams[contracts[contract].1].ticks[..];
    let sessions = session_volumes(contracts.len(), &ticks_of, calendar);
    let names: Vec<Contract> = contracts.iter().map(|(contract, _)| contract.clone()).collect();
    let schedule =
        RollSchedule::new(&names, calendar, rule, &sessions).map_err(|error| error.to_string())?;
    let offsets = match adjustment {
        Adjustment::None => vec![Price::ZERO; schedule.steps().len()],
        Adjustment::Back => {
            let mut gaps = Vec::new();
            for pair in schedule.steps().windows(2) {
                let (old, new) = (usize::from(pair[0].contract), usize::from(pair[1].contract));
                let gap = roll_gap(ticks_of(old), ticks_of(new), pair[1].from, calendar);
                gaps.push(gap.ok_or_else(|| {
                    format!(
                        "the series cannot be back-adjusted: {} and {} have no session in common before the roll of {}; leave prices unadjusted, or add history in which both trade",
                        names[old], names[new], pair[1].trade_date
                    )
                })?);
            }
            schedule.back_adjustment(&gaps).map_err(|error| error.to_string())?
        }
    };
    let stints = schedule
        .steps()
        .iter()
        .zip(offsets)
        .map(|(step, offset)| {
            let (contract, stream) = &contracts[usize::from(step.contract)];
            Stint {
                from: step.from,
                stream: *stream,
                expiry: Some(contract.expiry(calendar)),
                offset,
            }
        })
        .collect();
    Ok(JoinPlan { stints, adjustment })
}

/// Returns the volume of each contract in each session in which any traded.
fn session_volumes<'a>(
    contracts: usize,
    ticks_of: &impl Fn(usize) -> &'a [Tick],
    calendar: Calendar,
) -> Vec<SessionVolumes> {
    let mut rest: Vec<&[Tick]> = (0..contracts).map(ticks_of).collect();
    let mut sessions = Vec::new();
    while let Some(next) = rest.iter().filter_map(|ticks| ticks.first()).map(|t| t.time).min() {
        let session = calendar.session_at_or_after(next);
        let volumes = rest
            .iter_mut()
            .map(|ticks| {
                let (inside, after) =
                    ticks.split_at(ticks.partition_point(|tick| tick.time < session.close));
                *ticks = after;
                let inside = &inside[inside.partition_point(|tick| tick.time < session.open)..];
                inside.iter().map(|tick| u64::from(tick.size)).sum()
            })
            .collect();
        sessions.push(SessionVolumes { session, volumes });
    }
    sessions
}

/// Returns the new contract's price less the old one's, at the last tick before `roll` of the last
/// session in which both traded.
fn roll_gap(old: &[Tick], new: &[Tick], roll: Timestamp, calendar: Calendar) -> Option<Price> {
    let before = |ticks: &[Tick], time| ticks.partition_point(|tick| tick.time < time);
    let mut until = roll;
    loop {
        let (last_old, last_new) =
            (old[..before(old, until)].last()?, new[..before(new, until)].last()?);
        let earlier = last_old.time.min(last_new.time);
        let Session { open, close, .. } = calendar.session_at_or_after(earlier);
        if open <= earlier && last_old.time.max(last_new.time) < close {
            return Some(Price::from_units(last_new.price.units() - last_old.price.units()));
        }
        // One of them did not trade in the later session: look again before it.
        let later = calendar.session_at_or_after(last_old.time.max(last_new.time));
        until = later.open.min(last_old.time.max(last_new.time));
    }
}
