//! Feeds: the sources of events, and their pace.

use quanta::Clock;

use crate::engine::message::Event;
use crate::market::{Tick, Timestamp};

/// The result of a poll.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Polled {
    /// An event, to be published as it comes.
    Event(Event),
    /// An event that was due at this stamp of the clock, in its raw unit (> 0). Its latency counts
    /// from there.
    Due(Event, u64),
    /// Nothing yet.
    Idle,
    /// Nothing any more.
    Ended,
}

/// A source of events. It is called on the sequencer's thread.
pub trait Feed: Send {
    /// Returns the next event, if one is there.
    fn poll(&mut self) -> Polled;
}

impl<F: Feed> Feed for &mut F {
    #[inline]
    fn poll(&mut self) -> Polled {
        (**self).poll()
    }
}

/// A feed of ticks as fast as they are taken.
#[derive(Clone, Debug)]
pub struct Recorded<'a> {
    ticks: std::slice::Iter<'a, Tick>,
}

impl<'a> Recorded<'a> {
    /// Creates a feed of `ticks`.
    pub fn new(ticks: &'a [Tick]) -> Recorded<'a> {
        Recorded { ticks: ticks.iter() }
    }
}

impl Feed for Recorded<'_> {
    #[inline]
    fn poll(&mut self) -> Polled {
        self.ticks.next().map_or(Polled::Ended, |tick| Polled::Event(Event::Tick(*tick)))
    }
}

/// The pace at which ticks are replayed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// As recorded, faster by a factor (> 0). A silence takes at most `longest_pause` nanoseconds
    /// (> 0) of wall time.
    Recorded {
        /// 1 is as recorded.
        speed: f64,
        /// Nanoseconds of wall time.
        longest_pause: u64,
    },
    /// A number of ticks in one millisecond, evenly, and then none for a while.
    Bursts {
        /// Ticks in the millisecond (≥ 1).
        ticks: u32,
        /// Nanoseconds from one burst's start to the next's (≥ 1 ms).
        every: u64,
    },
}

/// A feed of ticks at a pace. The instant at which a tick is due does not depend on the ticks
/// before it.
#[derive(Debug)]
pub struct Paced<'a> {
    ticks: std::slice::Iter<'a, Tick>,
    pace: Pace,
    clock: Clock,
    /// The first stamp, taken when the first tick is asked for.
    start: Option<u64>,
    /// Nanoseconds from the start to the next tick's instant.
    due: u64,
    next: Option<Tick>,
    last_time: Timestamp,
    sent: u64,
}

impl<'a> Paced<'a> {
    /// Creates a feed of `ticks` at `pace`.
    pub fn new(ticks: &'a [Tick], pace: Pace, clock: Clock) -> Paced<'a> {
        let last_time = ticks.first().map_or(Timestamp::MIN, |tick| tick.time);
        let (ticks, due) = (ticks.iter(), 0);
        Paced { ticks, pace, clock, start: None, due, next: None, last_time, sent: 0 }
    }

    /// Returns the nanoseconds from the last tick's instant to that of the tick at `time`.
    fn pause(&self, time: Timestamp) -> u64 {
        match self.pace {
            Pace::Recorded { speed, longest_pause } => {
                let recorded = (time - self.last_time).max(0) as f64;
                ((recorded / speed) as u64).min(longest_pause)
            }
            Pace::Bursts { ticks, every } => {
                const MILLISECOND: u64 = 1_000_000;
                let ticks = u64::from(ticks);
                let within = MILLISECOND / ticks;
                match self.sent % ticks {
                    0 if self.sent > 0 => every - within * (ticks - 1),
                    0 => 0,
                    _ => within,
                }
            }
        }
    }
}

impl Feed for Paced<'_> {
    fn poll(&mut self) -> Polled {
        if self.next.is_none() {
            let Some(tick) = self.ticks.next() else { return Polled::Ended };
            self.due += self.pause(tick.time);
            self.last_time = self.last_time.max(tick.time);
            self.sent += 1;
            self.next = Some(*tick);
        }
        let now = self.clock.raw();
        let start = *self.start.get_or_insert(now);
        let elapsed = self.clock.delta_as_nanos(start, now);
        match self.next {
            Some(tick) if elapsed >= self.due => {
                self.next = None;
                // The tick is late by this much. Its stamp is moved back as far, in the raw unit.
                let late = elapsed - self.due;
                let raw_late = match elapsed {
                    0 => 0,
                    elapsed => {
                        (u128::from(now - start) * u128::from(late) / u128::from(elapsed)) as u64
                    }
                };
                Polled::Due(Event::Tick(tick), (now - raw_late).max(1))
            }
            _ => Polled::Idle,
        }
    }
}
