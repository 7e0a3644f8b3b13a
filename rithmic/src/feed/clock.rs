//! The market's time, and what the machine's clocks do.

use std::time::Duration;

use crate::Monotonic;
use crate::time::nanoseconds;

/// Follows the gateway's clock: the least delay is taken as none. That the two clocks run apart is
/// allowed for, a delay that grows faster is a delay.
#[derive(Clone, Debug)]
pub struct MarketClock {
    /// The least of `now - stamp`, once there is one.
    least: Option<i64>,
    last: Monotonic,
}

impl MarketClock {
    /// The part by which the clocks may run apart: twice of what a clock is slewed by at most.
    const DRIFT: u64 = 1_000;

    /// Creates a clock that knows no time yet.
    pub fn new() -> MarketClock {
        MarketClock { least: None, last: Monotonic::default() }
    }

    /// Takes the gateway's stamp, in nanoseconds since 1970, of something that came now.
    #[inline]
    pub fn on_stamp(&mut self, stamp: i64, now: Monotonic) {
        let offset = (now.0 as i64).wrapping_sub(stamp);
        // Silence tells nothing of the clocks: a second of it counts at most.
        let passed = nanoseconds(now.since(self.last)).min(1_000_000_000);
        let drift = (passed / Self::DRIFT) as i64;
        self.least =
            Some(self.least.map_or(offset, |least| least.saturating_add(drift).min(offset)));
        self.last = now;
    }

    /// Returns the market's time, in nanoseconds since 1970; `None` before the first stamp. It is
    /// early by the least delay there is.
    pub fn now(&self, now: Monotonic) -> Option<i64> {
        Some((now.0 as i64).wrapping_sub(self.least?))
    }

    /// Returns how old data of that stamp are by now.
    pub fn age(&self, stamp: i64, now: Monotonic) -> Option<Duration> {
        let age = self.now(now)?.saturating_sub(stamp);
        Some(Duration::from_nanos(u64::try_from(age).unwrap_or(0)))
    }
}

impl Default for MarketClock {
    fn default() -> MarketClock {
        MarketClock::new()
    }
}

/// A reading of the machine's clocks, taken together.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The clock that counts while the machine sleeps.
    pub now: Monotonic,
    /// Nanoseconds of the clock that does not.
    pub awake: u64,
    /// Nanoseconds since 1970, by the wall clock: used for nothing but to notice its steps.
    pub wall: i64,
}

/// A clock's leap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockEvent {
    /// The machine slept that long: sockets are dead, data are old.
    Suspended(Duration),
    /// The wall clock was set, by that many nanoseconds.
    Stepped(i64),
}

/// Notices steps of the wall clock and sleep of the machine by comparing three clocks.
#[derive(Clone, Debug, Default)]
pub struct ClockWatch {
    before: Option<Clocks>,
}

impl ClockWatch {
    /// A sleep or step that is noticed. A clock that is slewed moves less within a reading or two.
    pub const LEAST: Duration = Duration::from_millis(100);

    /// Takes a reading, some times a second. Returns what happened since the last.
    pub fn on_reading(&mut self, clocks: Clocks) -> Option<ClockEvent> {
        let before = self.before.replace(clocks)?;
        let passed = nanoseconds(clocks.now.since(before.now));
        let slept = passed.saturating_sub(clocks.awake.saturating_sub(before.awake));
        if slept >= nanoseconds(Self::LEAST) {
            return Some(ClockEvent::Suspended(Duration::from_nanos(slept)));
        }
        let step = clocks.wall.wrapping_sub(before.wall).wrapping_sub(passed as i64);
        (step.unsigned_abs() >= nanoseconds(Self::LEAST)).then_some(ClockEvent::Stepped(step))
    }
}

/// The reason that the clock is not relied on, until it has been good for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Nothing has come with a stamp of the gateway.
    NoStamp,
    /// The first stamps came, or the gateway's clock has leapt ahead.
    Unsettled,
    /// The wall clock was set, by that many nanoseconds.
    Stepped(i64),
    /// The machine slept that long.
    Suspended(Duration),
    /// Data come late.
    Delayed,
}

/// The reason that no decision follows from data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The clock is not relied on.
    Doubt(Doubt),
    /// The data are that old.
    Old(Duration),
}

/// The limits of a [`ClockGuard`].
#[derive(Clone, Copy, Debug)]
pub struct ClockGuardSettings {
    /// The age beyond which data are old.
    pub oldest: Duration,
    /// The leap ahead of the gateway's clock that is not believed at once.
    pub leap: Duration,
    /// The time for which all stamps must agree on such a leap.
    pub agreed: Duration,
    /// The time for which all must have been good.
    pub settled: Duration,
}

impl Default for ClockGuardSettings {
    fn default() -> ClockGuardSettings {
        ClockGuardSettings {
            oldest: Duration::from_secs(2),
            leap: Duration::from_secs(1),
            agreed: Duration::from_secs(1),
            settled: Duration::from_secs(5),
        }
    }
}

/// The market's time with the doubt in it, which lasts until the clock has been good for a while:
/// while there is doubt, entries are off.
///
/// A delay lasts until data come as they came before it, or over a new connection
/// ([`on_lost`](ClockGuard::on_lost)): a delay that stays is never taken for the gateway's clock.
/// A leap ahead is, once all stamps agree on it for a while: a single stamp may be wrong.
#[derive(Clone, Debug)]
pub struct ClockGuard {
    settings: ClockGuardSettings,
    market: MarketClock,
    /// The clock that has leapt ahead, as long as it is not believed, and the time of the leap.
    ahead: Option<(MarketClock, Monotonic)>,
    watch: ClockWatch,
    doubt: Option<Doubt>,
    /// The end of the doubt if nothing happens: never, while it waits for a stamp.
    until: Monotonic,
}

impl ClockGuard {
    /// Creates a guard that waits for a stamp.
    pub fn new(settings: ClockGuardSettings) -> ClockGuard {
        let (market, watch) = (MarketClock::new(), ClockWatch::default());
        let (doubt, until) = (Some(Doubt::NoStamp), Monotonic::NEVER);
        ClockGuard { settings, market, ahead: None, watch, doubt, until }
    }

    /// The market's time.
    pub fn market(&self) -> &MarketClock {
        &self.market
    }

    /// The doubt that there is.
    pub fn doubt(&self) -> Option<Doubt> {
        self.doubt
    }

    /// Returns why no decision follows from data of that stamp; `None` if one may.
    pub fn refuses(&self, stamp: i64, now: Monotonic) -> Option<Refused> {
        if let Some(doubt) = self.doubt {
            return Some(Refused::Doubt(doubt));
        }
        let age = self.market.age(stamp, now)?;
        (age > self.settings.oldest).then_some(Refused::Old(age))
    }

    /// Returns when it must be told the time, if nothing happens before.
    pub fn due(&self) -> Monotonic {
        if self.doubt.is_some() { self.until } else { Monotonic::NEVER }
    }

    /// Returns true while the market's time is not confirmed by a stamp: before the first one, and
    /// after a sleep or over a new connection. The time is then what the last stamps said.
    pub fn waits_for_stamp(&self) -> bool {
        self.doubt.is_some() && self.until == Monotonic::NEVER
    }

    /// Takes the gateway's stamp, in nanoseconds since 1970, of something that came now and repeats
    /// nothing. Tells the doubt where it changes: `None` is its end.
    #[inline]
    pub fn on_stamp(&mut self, stamp: i64, now: Monotonic, out: &mut Vec<Option<Doubt>>) {
        if self.waits_for_stamp() {
            (self.market, self.ahead) = (MarketClock::new(), None);
        }
        let Some(expected) = self.market.now(now) else {
            self.market.on_stamp(stamp, now);
            return self.set(Doubt::Unsettled, now.after(self.settings.settled), out);
        };
        let late = expected.saturating_sub(stamp);
        if late > nanoseconds(self.settings.oldest) as i64 {
            return self.raise(Doubt::Delayed, now, out);
        }
        if late < -i64::try_from(nanoseconds(self.settings.leap)).unwrap_or(i64::MAX) {
            self.on_leap(stamp, now);
            return self.raise(Doubt::Unsettled, now, out);
        }
        self.ahead = None;
        self.market.on_stamp(stamp, now);
    }

    /// Takes a stamp that is ahead of the market's time.
    #[cold]
    fn on_leap(&mut self, stamp: i64, now: Monotonic) {
        let leap = nanoseconds(self.settings.leap);
        let agrees = |(clock, _): &mut (MarketClock, Monotonic)| {
            clock.now(now).is_some_and(|time| time.abs_diff(stamp) <= leap)
        };
        let (mut clock, since) = self.ahead.take_if(agrees).unwrap_or((MarketClock::new(), now));
        clock.on_stamp(stamp, now);
        if now.since(since) >= self.settings.agreed {
            self.market = clock;
        } else {
            self.ahead = Some((clock, since));
        }
    }

    /// Takes a reading of the machine's clocks, some times a second. Returns what it noticed.
    pub fn on_reading(
        &mut self,
        clocks: Clocks,
        out: &mut Vec<Option<Doubt>>,
    ) -> Option<ClockEvent> {
        let event = self.watch.on_reading(clocks)?;
        match event {
            ClockEvent::Stepped(step) => self.raise(Doubt::Stepped(step), clocks.now, out),
            ClockEvent::Suspended(slept) => {
                self.set(Doubt::Suspended(slept), Monotonic::NEVER, out);
            }
        }
        Some(event)
    }

    /// Takes note that the ticker link is gone: the next one has delays of its own.
    pub fn on_lost(&mut self, out: &mut Vec<Option<Doubt>>) {
        if !self.waits_for_stamp() {
            self.set(Doubt::NoStamp, Monotonic::NEVER, out);
        }
    }

    /// Does what is due.
    pub fn on_time(&mut self, now: Monotonic, out: &mut Vec<Option<Doubt>>) {
        if now >= self.due() {
            self.doubt = None;
            out.push(None);
        }
    }

    /// Raises a doubt that lasts for a while, unless one waits for a stamp.
    #[cold]
    fn raise(&mut self, doubt: Doubt, now: Monotonic, out: &mut Vec<Option<Doubt>>) {
        if self.waits_for_stamp() {
            return;
        }
        self.set(doubt, now.after(self.settings.settled), out);
    }

    #[cold]
    fn set(&mut self, doubt: Doubt, until: Monotonic, out: &mut Vec<Option<Doubt>>) {
        self.until = until;
        if self.doubt.replace(doubt) != Some(doubt) {
            out.push(Some(doubt));
        }
    }
}
