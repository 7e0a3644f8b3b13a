//! Silence of the data, by kind and by what the session leads one to expect.

use std::time::Duration;

use super::Session;
use crate::Monotonic;

/// A kind of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Last trades.
    Trades,
    /// The best bid and offer.
    Quotes,
}

/// A symptom, or its remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symptom {
    /// That kind has stopped: no entries.
    Stale(Kind),
    /// That kind comes again.
    Fresh(Kind),
    /// Subscribe again: the link may have lost the subscription ([`Link::ask_again`]).
    ///
    /// [`Link::ask_again`]: crate::link::Link::ask_again
    AskAgain,
    /// That did not help: give the connection up.
    Reconnect,
}

/// After which silence data are stale.
#[derive(Clone, Copy, Debug)]
pub struct FreshnessSettings {
    /// In regular hours.
    pub regular: Duration,
    /// In other hours.
    pub other: Duration,
}

impl Default for FreshnessSettings {
    fn default() -> FreshnessSettings {
        FreshnessSettings { regular: Duration::from_secs(5), other: Duration::from_secs(60) }
    }
}

/// The state of a kind.
#[derive(Clone, Copy, Debug)]
struct Stream {
    last: Monotonic,
    is_stale: bool,
    /// The remedies tried: 1 asked again, 2 reconnected.
    done: u8,
}

/// Watches trades and quotes of one contract.
#[derive(Clone, Debug)]
pub struct Freshness {
    settings: FreshnessSettings,
    session: Session,
    is_live: bool,
    streams: [Stream; 2],
}

impl Freshness {
    /// Creates a watch that begins with the first [`on_live`](Freshness::on_live).
    pub fn new(settings: FreshnessSettings, session: Session) -> Freshness {
        let stream = Stream { last: Monotonic::default(), is_stale: false, done: 0 };
        Freshness { settings, session, is_live: false, streams: [stream; 2] }
    }

    /// Returns true if that kind is stale.
    pub fn is_stale(&self, kind: Kind) -> bool {
        self.streams[kind as usize].is_stale
    }

    /// Takes note of data.
    #[inline]
    pub fn on_data(&mut self, kind: Kind, now: Monotonic, out: &mut Vec<Symptom>) {
        let stream = &mut self.streams[kind as usize];
        stream.last = now;
        if stream.is_stale {
            (stream.is_stale, stream.done) = (false, 0);
            out.push(Symptom::Fresh(kind));
        }
    }

    /// Takes note that the link is live: data have from now on to come.
    pub fn on_live(&mut self, now: Monotonic) {
        self.is_live = true;
        self.restart(now);
    }

    /// Takes note that the link is gone, which tells enough.
    pub fn on_lost(&mut self) {
        self.is_live = false;
    }

    /// Takes note of the session.
    pub fn on_session(&mut self, session: Session, now: Monotonic) {
        if session != self.session {
            self.session = session;
            self.restart(now);
        }
    }

    /// Returns when it must be told the time, if nothing happens before.
    pub fn due(&self) -> Monotonic {
        let Some(limit) = self.limit() else { return Monotonic::NEVER };
        let due = |stream: &Stream| match (stream.is_stale, stream.done) {
            (false, _) => stream.last.after(limit),
            (true, 0 | 1) => stream.last.after(limit * 2),
            _ => Monotonic::NEVER,
        };
        self.streams.iter().map(due).min().unwrap_or(Monotonic::NEVER)
    }

    /// Does what is due.
    pub fn on_time(&mut self, now: Monotonic, out: &mut Vec<Symptom>) {
        let Some(limit) = self.limit() else { return };
        let (mut asks, mut reconnects) = (false, false);
        for (stream, kind) in self.streams.iter_mut().zip([Kind::Trades, Kind::Quotes]) {
            let silence = now.since(stream.last);
            if !stream.is_stale && silence >= limit {
                (stream.is_stale, stream.done) = (true, 1);
                out.push(Symptom::Stale(kind));
                asks = true;
            } else if stream.is_stale && stream.done == 1 && silence >= limit * 2 {
                stream.done = 2;
                reconnects = true;
            }
        }
        if reconnects {
            out.push(Symptom::Reconnect);
        } else if asks {
            out.push(Symptom::AskAgain);
        }
    }

    fn limit(&self) -> Option<Duration> {
        match self.session {
            _ if !self.is_live => None,
            Session::Regular => Some(self.settings.regular),
            Session::Other => Some(self.settings.other),
            Session::PreOpen | Session::Halted | Session::Closed => None,
        }
    }

    /// Gives each kind its time again; what is stale stays so until it comes.
    fn restart(&mut self, now: Monotonic) {
        for stream in &mut self.streams {
            stream.last = now;
            stream.done = u8::from(stream.is_stale);
        }
    }
}
