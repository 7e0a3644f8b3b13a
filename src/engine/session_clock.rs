//! The clock of sessions and contracts: it says whether a session is open and what falls due next.
//! It has no effect on anything but itself.

use super::settings::PipelineSettings;
use crate::market::{Calendar, Session, Timestamp};

/// An occasion that no event brings. Occasions of one instant are taken in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Occasion {
    /// The venue's next report arrives.
    Report,
    /// The contract stops trading.
    Expiry,
    /// Positions are closed before the session's end.
    ClosingTime,
    /// An order was not answered in time.
    Silence,
    /// The session ends.
    SessionEnd,
    /// A decision takes effect.
    Decision,
}

/// The next occasion; `Timestamp::MAX` without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    /// Market time.
    pub(super) at: Timestamp,
    pub(super) what: Occasion,
}

/// The place of an instant while no session is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Outside every session.
    Outside,
    /// In the halt of the session that comes next.
    Halt,
    /// In the session that comes next.
    Session,
}

/// A session that was just opened.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenedSession {
    /// `true` if it is the first session.
    pub(super) is_first: bool,
    /// `true` if whole sessions are missing before it.
    pub(super) follows_hole: bool,
    /// `true` if it is the first session after a warm-up.
    pub(super) ends_warm_up: bool,
}

/// Sessions and contracts in market time.
#[derive(Clone, Debug)]
pub(super) struct SessionClock {
    calendar: Calendar,
    flatten_before_close: Option<i64>,
    expiries: Vec<Timestamp>,
    trades_from: Timestamp,
    session: Option<Session>,
    /// The session that opens next, or the last one that was looked up.
    next_session: Session,
    /// Start of the counted part of the open session.
    open_from: Timestamp,
    /// The close of the last session that had ticks.
    last_close: Timestamp,
    closing_time: Timestamp,
    expiry: Timestamp,
    open_nanos: i64,
    sessions: u64,
    warm_up_sessions: u64,
    holes: u64,
    /// `true` if the open session follows a hole.
    follows_hole: bool,
    /// `true` if the open session is of the warm-up.
    is_warm_up: bool,
}

impl SessionClock {
    /// Creates a clock before the first session.
    pub(super) fn new(settings: &PipelineSettings) -> SessionClock {
        SessionClock {
            calendar: settings.calendar,
            flatten_before_close: settings.flatten_before_close,
            expiries: settings.expiries.clone(),
            trades_from: settings.trades_from,
            session: None,
            next_session: Session::NEVER,
            open_from: Timestamp::MIN,
            last_close: Timestamp::MIN,
            closing_time: Timestamp::MAX,
            expiry: Timestamp::MAX,
            open_nanos: 0,
            sessions: 0,
            warm_up_sessions: 0,
            holes: 0,
            follows_hole: false,
            is_warm_up: false,
        }
    }

    /// Returns what falls due next.
    pub(super) fn next(&self) -> Due {
        let close = self.session.map_or(Timestamp::MAX, |session| session.close);
        let expiry = Due { at: self.expiry, what: Occasion::Expiry };
        let closing_time = Due { at: self.closing_time, what: Occasion::ClosingTime };
        expiry.min(closing_time).min(Due { at: close, what: Occasion::SessionEnd })
    }

    /// Passes an occasion, which is then no longer due.
    pub(super) fn pass(&mut self, due: Due) {
        match due.what {
            Occasion::Expiry => self.expiry = Timestamp::MAX,
            Occasion::ClosingTime => self.closing_time = Timestamp::MAX,
            Occasion::SessionEnd => self.close(due.at),
            Occasion::Report | Occasion::Silence | Occasion::Decision => {}
        }
    }

    /// Returns whether a session is open.
    pub(super) fn is_open(&self) -> bool {
        self.session.is_some()
    }

    /// Returns whether a session is open and `time` lies in its halt.
    pub(super) fn is_halted(&self, time: Timestamp) -> bool {
        self.session.is_some_and(|session| halts(&session, time))
    }

    /// Returns the beginning of the open session's halt, unless the halt is over at `now`;
    /// `Timestamp::MAX` without one.
    pub(super) fn next_halt(&self, now: Timestamp) -> Timestamp {
        let halt = self.session.and_then(|session| session.halt);
        halt.filter(|&(_, end)| now < end).map_or(Timestamp::MAX, |(start, _)| start)
    }

    /// Looks up the next session for `time`, while none is open.
    pub(super) fn find(&mut self, time: Timestamp) -> Place {
        if time >= self.next_session.close {
            self.next_session = self.calendar.session_at_or_after(time);
        }
        if time < self.next_session.open {
            Place::Outside
        } else if halts(&self.next_session, time) {
            Place::Halt
        } else {
            Place::Session
        }
    }

    /// Opens the session that was found; its first tick is at `first_tick`.
    pub(super) fn open(&mut self, first_tick: Timestamp) -> OpenedSession {
        let session = self.next_session;
        let is_first = self.sessions == 0;
        let is_warm_up = session.close <= self.trades_from;
        let opened = OpenedSession {
            is_first,
            follows_hole: !is_first
                && self.calendar.session_at_or_after(self.last_close).open < session.open,
            ends_warm_up: !is_warm_up
                && self.sessions == self.warm_up_sessions
                && self.trades_from > Timestamp::MIN,
        };
        self.holes += u64::from(opened.follows_hole && !is_warm_up);
        // The first session counts from the first tick.
        self.open_from = if is_first { first_tick } else { session.open };
        self.sessions += 1;
        self.warm_up_sessions += u64::from(is_warm_up);
        let closing_time = self.flatten_before_close.map(|before| session.close + -before);
        self.closing_time = closing_time.unwrap_or(Timestamp::MAX);
        self.session = Some(session);
        (self.follows_hole, self.is_warm_up) = (opened.follows_hole, is_warm_up);
        opened
    }

    /// Ends the warm-up at `time` instead: a session that is open then and closes later is traded.
    pub(super) fn set_trades_from(&mut self, time: Timestamp) {
        self.trades_from = time;
        let Some(session) = self.session else { return };
        let is_warm_up = session.close <= time;
        match (self.is_warm_up, is_warm_up) {
            (true, false) => {
                self.warm_up_sessions -= 1;
                self.holes += u64::from(self.follows_hole);
            }
            (false, true) => {
                self.warm_up_sessions += 1;
                self.holes -= u64::from(self.follows_hole);
            }
            _ => {}
        }
        self.is_warm_up = is_warm_up;
    }

    /// Sets the traded contract.
    pub(super) fn on_contract(&mut self, contract: u16) {
        let expiry = self.expiries.get(usize::from(contract)).copied();
        self.expiry = expiry.unwrap_or(Timestamp::MAX);
    }

    /// Closes the open session at its end, or earlier where the data ends.
    pub(super) fn close(&mut self, now: Timestamp) {
        if let Some(session) = self.session.take() {
            let end = now.min(session.close);
            self.open_nanos += (end - self.open_from.max(self.trades_from)).max(0);
            self.last_close = session.close;
        }
    }

    /// Returns the nanoseconds of the sessions that had ticks, and the number of these sessions,
    /// those of the warm-up apart.
    pub(super) fn sessions(&self) -> (i64, u64) {
        (self.open_nanos, self.sessions - self.warm_up_sessions)
    }

    /// Returns the number of holes of whole sessions between two ticks, those before a session of
    /// the warm-up apart.
    pub(super) fn holes(&self) -> u64 {
        self.holes
    }
}

/// Returns whether nothing trades in the session at `time`.
fn halts(session: &Session, time: Timestamp) -> bool {
    session.halt.is_some_and(|(start, end)| start <= time && time < end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::message::DecisionTiming;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn clock(expiry: &str) -> SessionClock {
        SessionClock::new(&PipelineSettings {
            calendar: Calendar::CmeEquityIndex,
            timeframes: Vec::new(),
            fill_gaps_up_to: 0,
            history_bar: 0,
            flatten_before_close: Some(5 * Timestamp::MINUTE),
            expiries: vec![at(expiry)],
            prices_are_joined: false,
            decisions: DecisionTiming::After(0),
            trades_from: Timestamp::MIN,
        })
    }

    /// A Thursday's session of January 2024 is open from 17:00 to 16:00 in Chicago.
    #[test]
    fn a_session_falls_due_in_its_order() {
        let mut clock = clock("2024-01-04T15:00:00Z");
        assert_eq!(clock.next().at, Timestamp::MAX);
        assert_eq!(clock.find(at("2024-01-03T22:30:00Z")), Place::Outside);
        let first_tick = at("2024-01-03T23:30:00Z");
        assert_eq!(clock.find(first_tick), Place::Session);
        let opened = clock.open(first_tick);
        assert!(opened.is_first && !opened.follows_hole && !opened.ends_warm_up);
        clock.on_contract(0);
        let mut due = Vec::new();
        while clock.next().at < Timestamp::MAX {
            due.push((clock.next().at, clock.next().what));
            clock.pass(clock.next());
        }
        let expected = [
            (at("2024-01-04T15:00:00Z"), Occasion::Expiry),
            (at("2024-01-04T21:55:00Z"), Occasion::ClosingTime),
            (at("2024-01-04T22:00:00Z"), Occasion::SessionEnd),
        ];
        assert_eq!(due, expected);
        assert_eq!(clock.sessions(), (at("2024-01-04T22:00:00Z") - first_tick, 1));

        // The next session follows at once; after a missing Monday there is a hole.
        assert_eq!(clock.find(at("2024-01-05T15:00:00Z")), Place::Session);
        assert!(!clock.open(at("2024-01-05T15:00:00Z")).follows_hole);
        clock.close(at("2024-01-05T22:00:00Z"));
        assert_eq!(clock.find(at("2024-01-09T15:00:00Z")), Place::Session);
        assert!(clock.open(at("2024-01-09T15:00:00Z")).follows_hole);
        assert_eq!(clock.holes(), 1);
    }

    /// Events due at one instant come in the order of their kinds.
    #[test]
    fn an_expiry_at_the_sessions_end_comes_before_it() {
        let mut clock = clock("2024-01-04T22:00:00Z");
        clock.find(at("2024-01-04T15:00:00Z"));
        clock.open(at("2024-01-04T15:00:00Z"));
        clock.on_contract(0);
        clock.pass(clock.next());
        assert_eq!(clock.next().what, Occasion::Expiry);
        clock.pass(clock.next());
        assert_eq!(clock.next().what, Occasion::SessionEnd);
    }
}
