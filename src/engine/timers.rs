//! Timers of a live run: they end sessions, and with them bars, when no tick comes.

use super::session_clock::{Occasion, Place, SessionClock};
use super::settings::PipelineSettings;
use crate::market::Timestamp;

/// Says which timers are due, by the session clock alone. It has no clock of its own: the feed
/// tells it the market's time, and publishes what it gives as
/// [`Event::Timer`](super::Event::Timer).
///
/// Every timer is late by a grace, so that hardly a tick comes behind it. Closing times, expiries
/// and session ends have timers of exactly their own instants. In between, while a session is open,
/// one comes at regular intervals: decisions, and reports of the simulated exchange, take effect by
/// them in a silence. Timers change no result, they only bring it sooner.
#[derive(Clone, Debug)]
pub struct Timers {
    clock: SessionClock,
    grace: i64,
    every: i64,
    contract: u16,
    last: Timestamp,
}

impl Timers {
    /// Creates the timers of a run with these settings. Each is due `grace` nanoseconds (≥ 0) after
    /// its instant; within a session one comes every `every` nanoseconds (≥ 1).
    ///
    /// # Panics
    /// If `grace` or `every` is out of range.
    pub fn new(settings: &PipelineSettings, grace: i64, every: i64) -> Timers {
        assert!(grace >= 0 && every >= 1);
        let clock = SessionClock::new(settings);
        Timers { clock, grace, every, contract: 0, last: Timestamp::MIN }
    }

    /// Sets the contract whose expiry counts, as in [`Tick::contract`](crate::market::Tick).
    pub fn on_contract(&mut self, contract: u16) {
        self.contract = contract;
        if self.clock.is_open() {
            self.clock.on_contract(contract);
        }
    }

    /// Returns the next timer that is due at `now`, market time; `None` if none is. To be asked
    /// again until it gives none. What it gives never goes back in time.
    pub fn poll(&mut self, now: Timestamp) -> Option<Timestamp> {
        let now = now.saturating_add(-self.grace);
        loop {
            if !self.clock.is_open() {
                if self.clock.find(now) == Place::Outside {
                    return None;
                }
                self.clock.open(now);
                self.clock.on_contract(self.contract);
            }
            let due = self.clock.next();
            if due.at > now {
                break;
            }
            self.clock.pass(due);
            // What was over when the session was first seen has no timer, but the session's end.
            if due.at > self.last || due.what == Occasion::SessionEnd {
                self.last = self.last.max(due.at);
                return Some(due.at);
            }
        }
        let next = self.last.saturating_add(self.every);
        (next <= now).then(|| {
            self.last = now;
            now
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::message::DecisionTiming;
    use crate::market::Calendar;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn timers(expiry: &str) -> Timers {
        let settings = PipelineSettings {
            calendar: Calendar::CmeEquityIndex,
            timeframes: Vec::new(),
            fill_gaps_up_to: 0,
            history_bar: 0,
            flatten_before_close: Some(5 * Timestamp::MINUTE),
            expiries: vec![Timestamp::MAX, at(expiry)],
            prices_are_joined: false,
            decisions: DecisionTiming::OnArrival,
            trades_from: Timestamp::MIN,
        };
        Timers::new(&settings, 2 * Timestamp::SECOND, 10 * Timestamp::MINUTE)
    }

    fn polled(timers: &mut Timers, now: &str) -> Vec<Timestamp> {
        std::iter::from_fn(|| timers.poll(at(now))).collect()
    }

    /// Thursday's session ends at 16:00 in Chicago; Friday's opens an hour later.
    #[test]
    fn a_session_without_a_tick_has_its_closing_time_its_expiry_and_its_end() {
        let mut timers = timers("2024-01-04T21:58:00Z");
        assert_eq!(polled(&mut timers, "2024-01-04T21:40:02Z"), [at("2024-01-04T21:40:00Z")]);
        // The next in between is ten minutes later.
        assert_eq!(polled(&mut timers, "2024-01-04T21:50:01.9Z"), []);
        assert_eq!(polled(&mut timers, "2024-01-04T21:50:02Z"), [at("2024-01-04T21:50:00Z")]);
        timers.on_contract(1);
        assert_eq!(polled(&mut timers, "2024-01-04T21:55:01.9Z"), []);
        // After a silence of the caller each still has its own instant.
        let expected = ["2024-01-04T21:55:00Z", "2024-01-04T21:58:00Z", "2024-01-04T22:00:00Z"];
        assert_eq!(polled(&mut timers, "2024-01-04T22:30:00Z"), expected.map(at));
        assert_eq!(polled(&mut timers, "2024-01-04T22:59:59Z"), []);
        assert_eq!(polled(&mut timers, "2024-01-04T23:00:02Z"), [at("2024-01-04T23:00:00Z")]);
    }

    /// A process that was suspended over a session's end gives the end's instant, not today's.
    #[test]
    fn a_step_of_the_clock_gives_the_end_that_it_went_over_and_no_other() {
        let mut timers = timers("2024-03-15T13:30:00Z");
        assert_eq!(polled(&mut timers, "2024-01-04T15:00:02Z").len(), 1);
        let given = polled(&mut timers, "2024-01-09T15:00:02Z");
        let expected = ["2024-01-04T21:55:00Z", "2024-01-04T22:00:00Z", "2024-01-09T15:00:00Z"];
        assert_eq!(given, expected.map(at));
        // The clock goes back: nothing does.
        assert_eq!(polled(&mut timers, "2024-01-09T14:00:02Z"), []);
    }
}
