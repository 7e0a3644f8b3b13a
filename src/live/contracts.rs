//! The contract that enters the stages, and the roll to the next.
//!
//! It stands on this side of the wire because rolls, sessions and expiries are the engine's: a
//! paper session rolls where a backtest of the same days would, by the same [`RollSchedule`].
//! Nothing here closes a position: one that is open at the open of the session in which the roll
//! falls due keeps its contract, and entries are off until a session opens without it.

use crate::market::{
    Calendar, Contract, RollError, RollRule, RollSchedule, Session, SessionVolumes,
};

/// The contract that each of three sources has first, as an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrontMonths {
    /// By the customary day before the expiry.
    pub calendar: u16,
    /// By the volumes of earlier sessions.
    pub volume: u16,
    /// By the gateway, if it has answered with a contract that is known.
    pub gateway: Option<u16>,
}

/// An event at a session's open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractEvent {
    /// From now on this contract enters the stages; `from` is the one before, if there was one.
    Active {
        /// The contract before.
        from: Option<u16>,
        /// The contract now.
        to: u16,
    },
    /// True if the roll is due and a position is in its way: entries are off. False when they are
    /// on again.
    RollWindow(bool),
    /// Not all sources have the active contract first. It is told and changes nothing.
    Disagreement(FrontMonths),
}

/// Chooses among the contracts of one product, given by expiry. An index is a place among them.
#[derive(Clone, Debug)]
pub struct Contracts {
    contracts: Vec<Contract>,
    calendar: Calendar,
    rule: RollRule,
    /// The sessions so far, the present one last, with the volumes as far as they are known.
    sessions: Vec<SessionVolumes>,
    active: Option<u16>,
    gateway: Option<u16>,
    is_in_roll_window: bool,
}

impl Contracts {
    /// The sessions before a customary roll from which the next contract is subscribed as well.
    pub const AHEAD: usize = 5;

    /// Creates a choice that is made when the first session opens. `past` are the sessions before
    /// it, as far as their volumes are known: at best all since the roll before.
    ///
    /// # Errors
    /// If there is no contract, or contracts or sessions are not in order.
    pub fn new(
        contracts: Vec<Contract>,
        calendar: Calendar,
        rule: RollRule,
        past: Vec<SessionVolumes>,
    ) -> Result<Contracts, RollError> {
        RollSchedule::new(&contracts, calendar, rule, &past)?;
        let (active, gateway) = (None, None);
        let sessions = past;
        Ok(Contracts {
            contracts,
            calendar,
            rule,
            sessions,
            active,
            gateway,
            is_in_roll_window: false,
        })
    }

    /// The contract that enters the stages; `None` before the first session.
    pub fn active(&self) -> Option<u16> {
        self.active
    }

    /// Returns true if that contract's ticks enter the stages. Those of any other are counted.
    #[inline]
    pub fn admits(&self, contract: u16) -> bool {
        self.active == Some(contract)
    }

    /// Returns true while the roll is due and was not made: entries are off.
    pub fn is_in_roll_window(&self) -> bool {
        self.is_in_roll_window
    }

    /// Returns the contracts to subscribe: the active one, and near a roll the next.
    pub fn subscribed(&self) -> impl Iterator<Item = u16> + use<> {
        let first = self.active.unwrap_or(0);
        let last = if self.is_near_a_roll() { first + 1 } else { first };
        first..=last.min(self.contracts.len() as u16 - 1)
    }

    /// Takes the session's cumulative volume of a contract.
    #[inline]
    pub fn on_volume(&mut self, contract: u16, volume: u64) {
        if let Some(session) = self.sessions.last_mut()
            && let Some(known) = session.volumes.get_mut(usize::from(contract))
        {
            *known = volume.max(*known);
        }
    }

    /// Takes the gateway's answer to which contract is first (templates 114 and 159); `None` if it
    /// names none or another product's, as in the daily maintenance.
    pub fn on_front_month(&mut self, contract: Option<&Contract>) {
        let place = |named| self.contracts.iter().position(|contract| contract == named);
        self.gateway = contract.and_then(place).map(|place| place as u16);
    }

    /// Takes note that a session opens. `held` is the contract in which there is a position or an
    /// order; `None` if there is neither.
    ///
    /// # Errors
    /// If the session is not after the one before it.
    pub fn on_session(
        &mut self,
        session: Session,
        held: Option<u16>,
        out: &mut Vec<ContractEvent>,
    ) -> Result<(), RollError> {
        let volumes = vec![0; self.contracts.len()];
        self.sessions.push(SessionVolumes { session, volumes });
        let due = self.due(self.rule).inspect_err(|_| drop(self.sessions.pop()))?;
        let active = match (self.active, held) {
            // What is held stays where it is, after a restart as well.
            (_, Some(held)) => held,
            (active, None) => active.map_or(due, |active| active.max(due)),
        };
        if self.active != Some(active) {
            out.push(ContractEvent::Active { from: self.active, to: active });
            self.active = Some(active);
        }
        if self.is_in_roll_window != (active < due) {
            self.is_in_roll_window = active < due;
            out.push(ContractEvent::RollWindow(self.is_in_roll_window));
        }
        let customary = RollRule::customary(self.calendar);
        let (calendar, volume) = (self.due(customary)?, self.due(RollRule::Volume)?);
        let first = FrontMonths { calendar, volume, gateway: self.gateway };
        if calendar != active || volume != active || self.gateway.is_some_and(|it| it != active) {
            out.push(ContractEvent::Disagreement(first));
        }
        Ok(())
    }

    /// Returns true if the roll falls due at the next session's open, by what is known now: a
    /// position is to be closed before this session ends.
    pub fn rolls_next(&self) -> bool {
        let (Some(present), Some(active)) = (self.sessions.last(), self.active) else {
            return false;
        };
        let mut next = self.clone();
        let session = self.calendar.session_at_or_after(present.session.close);
        next.sessions.push(SessionVolumes { session, volumes: vec![0; self.contracts.len()] });
        next.due(self.rule).is_ok_and(|due| due > active)
    }

    /// Returns the contract that a rule has in the last session.
    fn due(&self, rule: RollRule) -> Result<u16, RollError> {
        let schedule = RollSchedule::new(&self.contracts, self.calendar, rule, &self.sessions)?;
        Ok(schedule.steps().last().map_or(0, |step| step.contract))
    }

    /// Returns true if the customary roll from the active contract is at most
    /// [`AHEAD`](Self::AHEAD) sessions away.
    fn is_near_a_roll(&self) -> bool {
        let (Some(present), Some(active)) = (self.sessions.last(), self.active) else {
            return false;
        };
        let days = match RollRule::customary(self.calendar) {
            RollRule::Calendar { days_before_expiry } => i64::from(days_before_expiry),
            RollRule::Volume => 0,
        };
        let last = self.contracts[usize::from(active)].last_trade_date(self.calendar);
        let mut session = present.session;
        for _ in 0..Self::AHEAD {
            session = self.calendar.session_at_or_after(session.close);
        }
        session.trade_date >= last.saturating_sub(jiff::ToSpan::days(days))
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::{Date, date};

    use super::*;

    const ES: Calendar = Calendar::CmeEquityIndex;

    /// December and March are 0 and 1.
    fn contracts() -> Vec<Contract> {
        [(2013, 12), (2014, 3), (2014, 6)]
            .map(|(year, month)| Contract::from_year_month("ES", year, month).unwrap())
            .to_vec()
    }

    fn december(day: i8) -> Date {
        date(2013, 12, day)
    }

    fn opens(contracts: &mut Contracts, day: i8, held: Option<u16>) -> Vec<ContractEvent> {
        let session = ES.session_on_or_after(december(day));
        assert_eq!(session.trade_date, december(day));
        let mut out = Vec::new();
        contracts.on_session(session, held, &mut out).unwrap();
        out.retain(|event| !matches!(event, ContractEvent::Disagreement(_)));
        out
    }

    fn active(from: Option<u16>, to: u16) -> ContractEvent {
        ContractEvent::Active { from, to }
    }

    #[test]
    fn t7_the_session_after_the_volumes_have_crossed_begins_with_the_next_contract() {
        let mut choice = Contracts::new(contracts(), ES, RollRule::Volume, Vec::new()).unwrap();
        assert_eq!(choice.active(), None);
        for (day, volumes, events) in [
            (10, [10, 9], vec![active(None, 0)]),
            (11, [10, 11], vec![]),
            (12, [5, 20], vec![active(Some(0), 1)]),
            (13, [20, 5], vec![]),
        ] {
            assert_eq!(opens(&mut choice, day, None), events, "{day}");
            let now = choice.active().unwrap();
            assert_eq!([0, 1, 2].map(|it| choice.admits(it)), [now == 0, now == 1, false]);
            for (contract, volume) in (0..).zip(volumes) {
                choice.on_volume(contract, volume);
                // What comes late or again takes nothing back.
                choice.on_volume(contract, volume - 1);
            }
            assert_eq!(choice.rolls_next(), day == 11, "{day}");
        }
    }

    #[test]
    fn t8_a_position_keeps_its_contract_and_entries_are_off_until_it_is_gone() {
        let mut choice = Contracts::new(contracts(), ES, RollRule::default(), Vec::new()).unwrap();
        assert_eq!(opens(&mut choice, 13, None), [active(None, 0)]);
        assert!(choice.rolls_next());
        assert_eq!(opens(&mut choice, 16, Some(0)), [ContractEvent::RollWindow(true)]);
        // On the last trading morning too.
        for day in 17..=20 {
            assert_eq!(opens(&mut choice, day, Some(0)), []);
            assert!(choice.is_in_roll_window() && choice.admits(0) && choice.rolls_next());
        }
        let gone = [active(Some(0), 1), ContractEvent::RollWindow(false)];
        assert_eq!(opens(&mut choice, 23, None), gone);
        // A restart finds it as it is.
        let mut again = Contracts::new(contracts(), ES, RollRule::default(), Vec::new()).unwrap();
        let held = [active(None, 0), ContractEvent::RollWindow(true)];
        assert_eq!(opens(&mut again, 17, Some(0)), held);
    }

    #[test]
    fn the_next_contract_is_subscribed_five_sessions_before_the_customary_roll() {
        let mut choice = Contracts::new(contracts(), ES, RollRule::default(), Vec::new()).unwrap();
        // The roll is on Monday the 16th.
        for (day, subscribed) in [(6, 1), (9, 2), (13, 2), (16, 1)] {
            opens(&mut choice, day, None);
            assert_eq!(choice.subscribed().count(), subscribed, "{day}");
            assert_eq!(choice.subscribed().next(), choice.active());
        }
    }

    #[test]
    fn sources_that_disagree_are_told_and_the_rule_decides() {
        let mut choice = Contracts::new(contracts(), ES, RollRule::Volume, Vec::new()).unwrap();
        let open = |choice: &mut Contracts, day| {
            let mut out = Vec::new();
            choice.on_session(ES.session_on_or_after(december(day)), None, &mut out).unwrap();
            out
        };
        let march = contracts()[1].clone();
        choice.on_front_month(Some(&march));
        let told = FrontMonths { calendar: 0, volume: 0, gateway: Some(1) };
        let expected = [active(None, 0), ContractEvent::Disagreement(told)];
        assert_eq!(open(&mut choice, 12), expected);
        choice.on_front_month(None);
        assert_eq!(open(&mut choice, 13), []);
        // The customary day has come, and nobody has traded March.
        let told = FrontMonths { calendar: 1, volume: 0, gateway: None };
        assert_eq!(open(&mut choice, 16), [ContractEvent::Disagreement(told)]);
        // A session that is not after the last changes nothing.
        let mut out = Vec::new();
        let again = choice.on_session(ES.session_on_or_after(december(16)), None, &mut out);
        assert!(again.is_err() && out.is_empty() && choice.admits(0));
        // On the day of its expiry every rule leaves it.
        assert_eq!(open(&mut choice, 20), [active(Some(0), 1)]);
    }
}
