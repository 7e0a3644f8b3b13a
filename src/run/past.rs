//! The market before a run begins: the ticks of its warm-up, and the journals that it continues.

use super::chain::JournalChain;
use super::journal_file::RunJournalError;
use crate::engine::Event;
use crate::market::{Gap, GapPhase, Tick, Timestamp};

/// The market before a run begins, as far as it is known.
#[derive(Debug)]
pub(crate) struct Past<'a> {
    /// The unfinished run that continues.
    chain: Option<JournalChain>,
    /// The warm-up, as far as the run has yet to take it.
    pub(super) warm_up: &'a [Tick],
    last: Option<LastTick>,
}

impl<'a> Past<'a> {
    /// Creates it from the ticks of a warm-up, and the journals of the unfinished run, if there is
    /// one.
    ///
    /// # Errors
    /// If the journals cannot be read.
    pub(crate) fn new(
        chain: Option<JournalChain>,
        warm_up: &'a [Tick],
    ) -> Result<Past<'a>, RunJournalError> {
        let mut last: Option<LastTick> = None;
        let mut rest = warm_up;
        if let Some(chain) = &chain {
            let mut taken = 0;
            for event in chain.events() {
                match event?.1 {
                    Event::Tick(tick) => {
                        taken += 1;
                        last = Some(LastTick::after(last, &tick));
                    }
                    Event::Gap(gap) => {
                        if let Some(last) = &mut last {
                            last.on_gap(&gap);
                        }
                    }
                    _ => {}
                }
            }
            // It may have ended in its warm-up.
            let is_inside = taken == 0
                || warm_up.get(taken - 1).zip(last).is_some_and(|(tick, last)| *tick == last.tick);
            rest = warm_up.get(taken..).filter(|_| is_inside).unwrap_or(&[]);
        }
        if let Some(end) = rest.last() {
            // The tick before the last minute says that it was seen from its beginning.
            let minute = end.time.floor_to(Timestamp::MINUTE);
            let first = rest.partition_point(|tick| tick.time < minute).saturating_sub(1);
            last = rest[first..].iter().fold(last, |last, tick| Some(LastTick::after(last, tick)));
        }
        Ok(Past { chain, warm_up: rest, last })
    }

    /// The unfinished run that continues.
    pub(crate) fn chain(&self) -> Option<&JournalChain> {
        self.chain.as_ref()
    }

    /// The last tick that is known.
    pub(crate) fn last(&self) -> Option<LastTick> {
        self.last
    }
}

/// The last tick that is known of a market.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastTick {
    /// The tick.
    pub(crate) tick: Tick,
    /// Contracts of its microsecond.
    pub(crate) at_time: u64,
    in_minute: u64,
    /// From here on no trade is missing.
    whole_from: Timestamp,
    is_in_gap: bool,
}

impl LastTick {
    /// Returns the last tick after `tick` has come behind `before`.
    fn after(before: Option<LastTick>, tick: &Tick) -> LastTick {
        let size = u64::from(tick.size);
        let mut last = LastTick {
            tick: *tick,
            at_time: size,
            in_minute: size,
            whole_from: tick.time.saturating_add(1),
            is_in_gap: false,
        };
        if let Some(before) = before.filter(|before| before.tick.contract == tick.contract) {
            let is_same =
                |every: i64| before.tick.time.floor_to(every) == tick.time.floor_to(every);
            last.at_time += if is_same(1_000) { before.at_time } else { 0 };
            last.in_minute += if is_same(Timestamp::MINUTE) { before.in_minute } else { 0 };
            (last.whole_from, last.is_in_gap) = (before.whole_from, before.is_in_gap);
        }
        last
    }

    /// Takes note of a gap, whose ticks follow.
    fn on_gap(&mut self, gap: &Gap) {
        self.is_in_gap = gap.phase == GapPhase::Opened;
        if !self.is_in_gap && !gap.is_recovered() {
            self.whole_from = self.whole_from.max(gap.to.saturating_add(1));
        }
    }

    /// Returns the contracts of its minute; `None` if more may have been traded in it.
    pub(crate) fn in_minute(&self) -> Option<u64> {
        let minute = self.tick.time.floor_to(Timestamp::MINUTE);
        (minute >= self.whole_from && !self.is_in_gap).then_some(self.in_minute)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::Price;

    fn at(text: &str) -> Timestamp {
        format!("2024-01-03T15:{text}Z").parse().unwrap()
    }

    fn tick(text: &str, size: u32) -> Tick {
        Tick::new(at(text), Price::from_units(Price::SCALE), size)
    }

    fn last_of(ticks: &[Tick]) -> LastTick {
        Past::new(None, ticks).unwrap().last().unwrap()
    }

    #[test]
    fn a_minute_counts_if_it_was_seen_from_its_beginning() {
        let ticks = [tick("00:59", 1), tick("01:00", 2), tick("01:07", 4), tick("01:07", 8)];
        let last = last_of(&ticks);
        assert_eq!((last.at_time, last.in_minute()), (12, Some(14)));
        assert_eq!((last_of(&ticks[1..]).at_time, last_of(&ticks[1..]).in_minute()), (12, None));
        // Another contract was not seen before.
        let other = last_of(&[ticks[0], ticks[1].with_contract(1)]);
        assert_eq!((other.at_time, other.in_minute()), (2, None));
    }

    #[test]
    fn a_gap_takes_away_what_was_known_of_its_minutes() {
        let gap = |to: &str, recovered, phase| {
            let (contract, from, missing) = (0, at("01:10"), Some(5));
            Gap { contract, from, to: at(to), missing, recovered, phase }
        };
        let mut last = last_of(&[tick("00:59", 1), tick("01:10", 2)]);
        last.on_gap(&gap("02:05", 0, GapPhase::Opened));
        assert_eq!(last.in_minute(), None);
        let mut recovered = last;
        recovered.on_gap(&gap("02:05", 5, GapPhase::Closed));
        assert_eq!(recovered.in_minute(), Some(2));
        last.on_gap(&gap("02:05", 4, GapPhase::Closed));
        let in_gap = LastTick::after(Some(last), &tick("02:05", 1));
        assert_eq!(in_gap.in_minute(), None);
        assert_eq!(LastTick::after(Some(in_gap), &tick("03:05", 3)).in_minute(), Some(3));
    }
}
