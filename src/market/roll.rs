//! Rolls: the moves of a series from one contract to the next, and the joining of their prices.

use jiff::ToSpan;
use jiff::civil::Date;

use super::{Calendar, Contract, Price, Session, Timestamp};

/// The rule that chooses the contract that a series follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollRule {
    /// At the open of the first session whose trade date is at most that many calendar days before
    /// the last trade date.
    ///
    /// 4 is the custom of the equity index: the Monday before the third Friday. Gold is left before
    /// its deliveries begin, about 30 days before.
    Calendar {
        /// Calendar days from the first trade date of the new contract to the old one's last.
        days_before_expiry: u16,
    },
    /// At the open of the session after one in which a contract that expires later traded more than
    /// the current one. Never back. A contract that still leads when it expires is left at the open
    /// of the session in which it does.
    Volume,
}

impl RollRule {
    /// Returns the customary calendar rule of a product that trades by `calendar`: see
    /// [`RollRule::Calendar`].
    pub const fn customary(calendar: Calendar) -> RollRule {
        match calendar {
            Calendar::ComexMetals => RollRule::Calendar { days_before_expiry: 30 },
            Calendar::CmeEquityIndex | Calendar::CmeFx | Calendar::AlwaysOpen => {
                RollRule::Calendar { days_before_expiry: 4 }
            }
        }
    }
}

impl Default for RollRule {
    /// Returns the Monday before the third Friday.
    fn default() -> RollRule {
        RollRule::Calendar { days_before_expiry: 4 }
    }
}

/// The volume of each contract in one session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionVolumes {
    /// The session.
    pub session: Session,
    /// Contracts traded, in the order of the contracts given to [`RollSchedule::new`]; 0 for none.
    pub volumes: Vec<u64>,
}

/// The start of a contract's time as the active one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollStep {
    /// The open of the first session in which it is.
    pub from: Timestamp,
    /// That session's trade date.
    pub trade_date: Date,
    /// The contract, as an index into the contracts given to [`RollSchedule::new`].
    pub contract: u16,
}

/// The contract that a series follows, session by session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollSchedule {
    steps: Vec<RollStep>,
}

/// A roll schedule that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RollError {
    /// No contract, or more than an index can number.
    #[error("a roll schedule is made of 1 to 65536 contracts, not {0}")]
    ContractCount(usize),
    /// Contracts out of order, twice the same, or of two products.
    #[error(
        "contracts {first} and {second} are not in order: give one product's contracts by expiry"
    )]
    ContractOrder {
        /// The one given first.
        first: Contract,
        /// The one given right after it.
        second: Contract,
    },
    /// A session with too few or too many volumes.
    #[error("session {trade_date} has volumes of {found} contracts, expected {expected}")]
    VolumeCount {
        /// The session's trade date.
        trade_date: Date,
        /// Number of volumes.
        found: usize,
        /// Number of contracts.
        expected: usize,
    },
    /// A session that is not after the one before it.
    #[error(
        "session {trade_date} is not after the one given before it: give sessions in order of time"
    )]
    SessionOrder {
        /// The session's trade date.
        trade_date: Date,
    },
    /// A gap is missing, or one too many.
    #[error("{found} price gaps for {expected} rolls: give one for each")]
    GapCount {
        /// Number of gaps given.
        found: usize,
        /// Number of rolls.
        expected: usize,
    },
    /// The gaps add up to more than a price can hold.
    #[error(
        "the price gaps add up to more than a price can hold; look for a wrong price at a roll"
    )]
    GapOverflow,
}

impl RollSchedule {
    /// Creates the schedule for the sessions of a history, in order of time.
    ///
    /// `contracts` are those that may become active, by expiry: leave out months that are listed
    /// but hardly traded. Each decision uses earlier sessions only, so the schedule of a shorter
    /// history is the beginning of that of a longer one. Sessions may be missing: a roll that fell
    /// due meanwhile takes effect with the next session that is there. The last contract stays
    /// active beyond its own roll date.
    ///
    /// # Errors
    /// If contracts or sessions are not in order, or volumes and contracts do not match.
    pub fn new(
        contracts: &[Contract],
        calendar: Calendar,
        rule: RollRule,
        sessions: &[SessionVolumes],
    ) -> Result<RollSchedule, RollError> {
        check(contracts, sessions)?;
        let days = match rule {
            RollRule::Calendar { days_before_expiry } => i64::from(days_before_expiry).days(),
            RollRule::Volume => 0.days(),
        };
        // The first trade date on which each contract is no longer to be active.
        let left_on: Vec<Date> = contracts
            .iter()
            .map(|contract| contract.last_trade_date(calendar).saturating_sub(days))
            .collect();
        let last = contracts.len() - 1;
        let mut active = 0;
        let mut steps: Vec<RollStep> = Vec::new();
        for SessionVolumes { session, volumes } in sessions {
            while active < last && session.trade_date >= left_on[active] {
                active += 1;
            }
            let contract = active as u16;
            if steps.last().is_none_or(|step| step.contract != contract) {
                let (from, trade_date) = (session.open, session.trade_date);
                steps.push(RollStep { from, trade_date, contract });
            }
            if rule == RollRule::Volume {
                // The most traded; of equals the first to expire.
                for later in active + 1..=last {
                    if volumes[later] > volumes[active] {
                        active = later;
                    }
                }
            }
        }
        Ok(RollSchedule { steps })
    }

    /// Returns every contract that becomes active, in order of time. The first is the one that the
    /// history begins with, each other one a roll. Empty if there was no session.
    pub fn steps(&self) -> &[RollStep] {
        &self.steps
    }

    /// Returns the contract that is active at `time`, as an index into the contracts; `None` before
    /// the first session.
    pub fn active_at(&self, time: Timestamp) -> Option<u16> {
        let begun = self.steps.partition_point(|step| step.from <= time);
        self.steps[..begun].last().map(|step| step.contract)
    }

    /// Returns what to add to the prices of each step's contract so that the series has no jump at
    /// the rolls and the last contract keeps its prices ("Panama" back-adjustment).
    ///
    /// `gaps` holds for each roll, in order, the new contract's price less the old one's, at the
    /// last moment before the roll at which both are known.
    ///
    /// # Errors
    /// If the number of gaps is not that of the rolls, or the sums are beyond what a price can
    /// hold.
    pub fn back_adjustment(&self, gaps: &[Price]) -> Result<Vec<Price>, RollError> {
        let expected = self.steps.len().saturating_sub(1);
        if gaps.len() != expected {
            return Err(RollError::GapCount { found: gaps.len(), expected });
        }
        let mut offsets = vec![Price::ZERO; self.steps.len()];
        for (at, gap) in gaps.iter().enumerate().rev() {
            let sum = offsets[at + 1].units().checked_add(gap.units());
            offsets[at] = Price::from_units(sum.ok_or(RollError::GapOverflow)?);
        }
        Ok(offsets)
    }
}

fn check(contracts: &[Contract], sessions: &[SessionVolumes]) -> Result<(), RollError> {
    let expected = contracts.len();
    if !(1..=usize::from(u16::MAX) + 1).contains(&expected) {
        return Err(RollError::ContractCount(expected));
    }
    for pair in contracts.windows(2) {
        if pair[0].product() != pair[1].product() || pair[0] >= pair[1] {
            let (first, second) = (pair[0].clone(), pair[1].clone());
            return Err(RollError::ContractOrder { first, second });
        }
    }
    for pair in sessions.windows(2) {
        if pair[1].session.open < pair[0].session.close {
            return Err(RollError::SessionOrder { trade_date: pair[1].session.trade_date });
        }
    }
    match sessions.iter().find(|session| session.volumes.len() != expected) {
        Some(SessionVolumes { session, volumes }) => Err(RollError::VolumeCount {
            trade_date: session.trade_date,
            found: volumes.len(),
            expected,
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::File;
    use std::io::Read;
    use std::path::PathBuf;

    use jiff::civil::{Weekday, date};
    use proptest::prelude::*;

    use super::*;

    const ES: Calendar = Calendar::CmeEquityIndex;

    fn contracts(months: &[(i16, u8)]) -> Vec<Contract> {
        months.iter().map(|&(y, m)| Contract::from_year_month("ES", y, m).unwrap()).collect()
    }

    /// Returns the session of that trade date; the day must have one.
    fn session(day: Date) -> Session {
        let noon_utc = Calendar::AlwaysOpen.instant(day, jiff::civil::time(12, 0, 0, 0));
        let session = ES.session_at(noon_utc).unwrap();
        assert_eq!(session.trade_date, day);
        session
    }

    fn volumes(rows: &[(Date, &[u64])]) -> Vec<SessionVolumes> {
        rows.iter()
            .map(|&(day, volumes)| SessionVolumes {
                session: session(day),
                volumes: volumes.to_vec(),
            })
            .collect()
    }

    fn steps(schedule: &RollSchedule) -> Vec<(Date, u16)> {
        schedule.steps().iter().map(|step| (step.trade_date, step.contract)).collect()
    }

    fn december(day: i8) -> Date {
        date(2013, 12, day)
    }

    const Z3_H4_M4: [(i16, u8); 3] = [(2013, 12), (2014, 3), (2014, 6)];

    #[test]
    fn the_calendar_rolls_on_the_monday_of_the_week_of_expiry() {
        let sessions =
            volumes(&[12, 13, 16, 17, 20, 23].map(|day| (december(day), &[9, 1, 0][..])));
        let es = contracts(&Z3_H4_M4);
        let roll = |rule| RollSchedule::new(&es, ES, rule, &sessions).unwrap();
        let schedule = roll(RollRule::default());
        assert_eq!(steps(&schedule), [(december(12), 0), (december(16), 1)]);
        // From Sunday evening on.
        let open: Timestamp = "2013-12-15T23:00:00Z".parse().unwrap();
        assert_eq!(schedule.active_at(open + -1), Some(0));
        assert_eq!(schedule.active_at(open), Some(1));
        assert_eq!(schedule.active_at(Timestamp::MIN), None);
        assert_eq!(schedule.active_at(Timestamp::MAX), Some(1));

        let schedule = roll(RollRule::Calendar { days_before_expiry: 8 });
        assert_eq!(steps(&schedule), [(december(12), 1)]);
    }

    #[test]
    fn volume_rolls_after_the_session_in_which_it_turned_and_never_back() {
        let sessions = volumes(&[
            (december(9), &[10, 9, 0]),
            (december(10), &[10, 10, 0]),
            (december(11), &[10, 11, 0]),
            (december(12), &[20, 5, 0]),
            (december(13), &[20, 5, 6]),
            (december(16), &[20, 5, 0]),
        ]);
        let schedule =
            RollSchedule::new(&contracts(&Z3_H4_M4), ES, RollRule::Volume, &sessions).unwrap();
        assert_eq!(steps(&schedule), [(december(9), 0), (december(12), 1), (december(16), 2)]);
    }

    #[test]
    fn volume_leaves_a_contract_that_expires_though_it_leads() {
        let sessions = volumes(&[18, 19, 20].map(|day| (december(day), &[9, 1, 0][..])));
        let schedule =
            RollSchedule::new(&contracts(&Z3_H4_M4), ES, RollRule::Volume, &sessions).unwrap();
        assert_eq!(steps(&schedule), [(december(18), 0), (december(20), 1)]);
    }

    #[test]
    fn a_roll_that_fell_due_in_a_hole_takes_effect_after_it() {
        let es = contracts(&Z3_H4_M4);
        let sessions = volumes(&[
            (december(10), &[9, 1, 0]),
            (december(18), &[1, 9, 0]),
            (date(2014, 7, 1), &[0, 0, 9]),
        ]);
        for rule in [RollRule::default(), RollRule::Volume] {
            let schedule = RollSchedule::new(&es, ES, rule, &sessions).unwrap();
            let first_roll = if rule == RollRule::Volume {
                // On the 18th nothing is known of the days before it.
                vec![(december(10), 0), (date(2014, 7, 1), 2)]
            } else {
                vec![(december(10), 0), (december(18), 1), (date(2014, 7, 1), 2)]
            };
            assert_eq!(steps(&schedule), first_roll, "{rule:?}");
        }
    }

    #[test]
    fn refuses_what_is_out_of_order() {
        let es = contracts(&Z3_H4_M4);
        let row = |day| (december(day), &[1, 1, 1][..]);
        let new = |es: &[Contract], rows: &[(Date, &[u64])]| {
            RollSchedule::new(es, ES, RollRule::default(), &volumes(rows)).unwrap_err()
        };
        assert_eq!(new(&[], &[]), RollError::ContractCount(0));
        let twice = contracts(&[(2013, 12), (2013, 12)]);
        assert!(matches!(new(&twice, &[]), RollError::ContractOrder { .. }));
        let trade_date = december(10);
        assert_eq!(new(&es, &[row(11), row(10)]), RollError::SessionOrder { trade_date });
        assert_eq!(new(&es, &[row(10), row(10)]), RollError::SessionOrder { trade_date });
        assert_eq!(
            new(&es, &[(trade_date, &[1, 1])]),
            RollError::VolumeCount { trade_date, found: 2, expected: 3 }
        );
        let schedule =
            RollSchedule::new(&es, ES, RollRule::default(), &volumes(&[row(13), row(16)])).unwrap();
        assert_eq!(
            schedule.back_adjustment(&[]),
            Err(RollError::GapCount { found: 0, expected: 1 })
        );
        let none = RollSchedule::new(&es, ES, RollRule::Volume, &[]).unwrap();
        assert_eq!(none.back_adjustment(&[]), Ok(vec![]));
    }

    fn shared_data(path: &str) -> Option<PathBuf> {
        let full = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(path);
        if full.exists() {
            return Some(full);
        }
        eprintln!("SKIPPED: no test data at {}", full.display());
        None
    }

    /// Returns the days on which LEAN's map, by open interest (mode 2), has each contract first,
    /// from ESH10.
    fn lean_open_interest_rolls() -> Option<Vec<Date>> {
        let map = std::fs::read_to_string(shared_data("lean/cme/map_files/es.csv")?).unwrap();
        let rows = map.lines().filter(|row| row.ends_with(",2") && !row.starts_with("2050"));
        Some(rows.map(|row| Date::strptime("%Y%m%d", &row[..8]).unwrap()).collect())
    }

    #[test]
    fn rolls_from_december_to_march_when_the_market_did() {
        let (Some(daily), Some(lean)) =
            (shared_data("lean/cme/daily/es_trade.zip"), lean_open_interest_rolls())
        else {
            return;
        };
        let es = contracts(&Z3_H4_M4);
        let mut archive = zip::ZipArchive::new(File::open(daily).unwrap()).unwrap();
        let mut traded: BTreeMap<Date, Vec<u64>> = BTreeMap::new();
        let mut friday_closes: Vec<Price> = Vec::new();
        for (index, contract) in es.iter().enumerate() {
            let name = format!("es_trade_{}{:02}.csv", contract.year(), contract.month());
            let mut text = String::new();
            archive.by_name(&name).unwrap().read_to_string(&mut text).unwrap();
            for line in text.lines() {
                let day = Date::strptime("%Y%m%d", &line[..8]).unwrap();
                // LEAN's days are those of the clock: Sunday evening belongs to Monday's session.
                let noon = Calendar::AlwaysOpen.instant(day, jiff::civil::time(15, 0, 0, 0));
                let day = ES.session_at_or_after(noon).trade_date;
                let row = traded.entry(day).or_insert_with(|| vec![0; es.len()]);
                let mut columns = line.rsplit(',');
                row[index] += columns.next().unwrap().parse::<u64>().unwrap();
                if day == december(13) {
                    friday_closes.push(columns.next().unwrap().parse().unwrap());
                }
            }
        }
        let sessions: Vec<SessionVolumes> = traded
            .into_iter()
            .filter(|&(day, _)| day < date(2014, 1, 1))
            .map(|(day, volumes)| SessionVolumes { session: session(day), volumes })
            .collect();
        assert!(sessions.len() > 50);
        // March first traded more than December on Friday the 13th; LEAN's open interest, known a
        // day late, turned on the 17th.
        for rule in [RollRule::default(), RollRule::Volume] {
            let schedule = RollSchedule::new(&es, ES, rule, &sessions).unwrap();
            assert_eq!(steps(&schedule)[1..], [(december(16), 1)], "{rule:?}");
            // LEAN's own adjustment falls by 6.50 at this roll; it takes prices of another moment.
            let gap = friday_closes[1].units() - friday_closes[0].units();
            let offsets = schedule.back_adjustment(&[Price::from_units(gap)]).unwrap();
            assert_eq!(offsets, ["-6.25", "0"].map(|price| price.parse::<Price>().unwrap()));
        }
        assert!(lean.contains(&december(17)));
    }

    #[test]
    fn the_customary_roll_is_within_two_days_of_open_interest_from_2009_to_2022() {
        let Some(lean) = lean_open_interest_rolls() else { return };
        let mut far = Vec::new();
        let mut count = 0;
        for day in lean {
            let month = (day.month() as u8).div_ceil(3) * 3;
            let [old, new] = [0, 3].map(|more| {
                (day.year() + i16::from(month + more > 12), (month + more - 1) % 12 + 1)
            });
            let es = contracts(&[old, new]);
            // Every weekday of the month before the expiry that has a session.
            let last = es[0].last_trade_date(ES);
            let sessions: Vec<SessionVolumes> = (0..30)
                .rev()
                .map(|back| last.saturating_sub(back.days()))
                .filter(|day| !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday))
                .map(|day| SessionVolumes { session: session(day), volumes: vec![0, 0] })
                .collect();
            let schedule = RollSchedule::new(&es, ES, RollRule::default(), &sessions).unwrap();
            let roll = schedule.steps()[1].trade_date;
            assert_eq!(roll.weekday(), Weekday::Monday);
            let days = roll.until(day).unwrap().get_days();
            if !(0..=2).contains(&days) {
                far.push((day, days));
            }
            count += 1;
        }
        // 2011: a day early, dated on the Sunday. 2012: LEAN has October 28th, weeks before any
        // roll.
        assert_eq!(far, [(date(2011, 12, 11), -1), (date(2012, 10, 28), -50)]);
        assert_eq!(count, 51);
    }

    fn histories() -> impl Strategy<Value = (Vec<Contract>, Vec<SessionVolumes>)> {
        let months = prop::collection::vec(any::<bool>(), 8);
        let sessions = prop::collection::vec((0usize..40, prop::array::uniform8(0u64..6)), 0..40);
        (months, sessions).prop_map(|(chosen, rows)| {
            let mut months: Vec<(i16, u8)> = (0..8u8)
                .filter(|&at| chosen[usize::from(at)])
                .map(|at| (2013 + i16::from(at / 4), at % 4 * 3 + 3))
                .collect();
            if months.is_empty() {
                months.push((2013, 6));
            }
            let mut time: Timestamp = "2013-01-01T12:00:00Z".parse().unwrap();
            let mut sessions = Vec::new();
            for (skipped, volumes) in rows {
                for _ in 0..skipped {
                    time = ES.session_at_or_after(time).close;
                }
                let session = ES.session_at_or_after(time);
                time = session.close;
                let volumes = volumes[..months.len()].to_vec();
                sessions.push(SessionVolumes { session, volumes });
            }
            (contracts(&months), sessions)
        })
    }

    fn rules() -> impl Strategy<Value = RollRule> {
        prop_oneof![
            Just(RollRule::Volume),
            (0u16..100).prop_map(|days_before_expiry| RollRule::Calendar { days_before_expiry }),
        ]
    }

    proptest! {
        #[test]
        fn one_contract_is_active_a_session_and_only_the_past_decides_which(
            (es, sessions) in histories(), rule in rules(), known in 0usize..40,
        ) {
            let schedule = RollSchedule::new(&es, ES, rule, &sessions).unwrap();
            let active: Vec<usize> = sessions
                .iter()
                .map(|row| {
                    let at_open = schedule.active_at(row.session.open).unwrap();
                    assert_eq!(schedule.active_at(row.session.close + -1), Some(at_open));
                    usize::from(at_open)
                })
                .collect();
            prop_assert!(active.is_sorted());
            let last = es.len() - 1;
            for (at, row) in sessions.iter().enumerate() {
                let expires = |contract: usize| {
                    (es[contract].last_trade_date(ES) - row.session.trade_date).get_days()
                };
                match rule {
                    RollRule::Calendar { days_before_expiry } => {
                        // The first contract that is farther from its expiry than that.
                        let first = (0..last).find(|&c| expires(c) > i32::from(days_before_expiry));
                        prop_assert_eq!(active[at], first.unwrap_or(last));
                    }
                    RollRule::Volume => {
                        prop_assert!(active[at] == last || expires(active[at]) > 0);
                        let Some(before) = at.checked_sub(1) else { continue };
                        let volumes = &sessions[before].volumes;
                        let most = *volumes[active[before]..].iter().max().unwrap();
                        // The first of the most traded, or the first after it that has not expired.
                        let leader =
                            (active[before]..=last).find(|&c| volumes[c] == most).unwrap();
                        let alive = (leader..last).find(|&c| expires(c) > 0).unwrap_or(last);
                        prop_assert_eq!(active[at], alive);
                    }
                }
            }
            let known = known.min(sessions.len());
            let earlier = RollSchedule::new(&es, ES, rule, &sessions[..known]).unwrap();
            prop_assert!(schedule.steps().starts_with(earlier.steps()));
        }

        #[test]
        fn back_adjusted_prices_do_not_jump_and_the_last_are_untouched(
            (es, sessions) in histories(), prices in prop::collection::vec((0i64..1_000_000, 0i64..1_000_000), 8),
        ) {
            let rule = RollRule::default();
            let schedule = RollSchedule::new(&es, ES, rule, &sessions).unwrap();
            let rolls = &prices[..schedule.steps().len().saturating_sub(1)];
            let gaps: Vec<Price> =
                rolls.iter().map(|&(old, new)| Price::from_units(new - old)).collect();
            let offsets = schedule.back_adjustment(&gaps).unwrap();
            prop_assert_eq!(offsets.len(), schedule.steps().len());
            prop_assert!(offsets.last().is_none_or(|&offset| offset == Price::ZERO));
            for (roll, &(old, new)) in rolls.iter().enumerate() {
                prop_assert_eq!(old + offsets[roll].units(), new + offsets[roll + 1].units());
            }
        }
    }
}
