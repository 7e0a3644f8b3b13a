//! The market's time, and what the machine's clocks do.

use std::time::Duration;

use crate::Monotonic;
use crate::time::nanoseconds;

/// Follows the gateway's clock: the least delay of the last minutes is taken as none.
#[derive(Clone, Debug)]
pub struct MarketClock {
    /// The least of `now - stamp` of each stretch, the present one at `present`.
    least: [Option<i64>; MarketClock::STRETCHES],
    present: u64,
}

impl MarketClock {
    /// Stretches that are remembered.
    const STRETCHES: usize = 10;
    /// The length of one, in nanoseconds.
    const STRETCH: u64 = 30_000_000_000;

    /// Creates a clock that knows no time yet.
    pub fn new() -> MarketClock {
        MarketClock { least: [None; Self::STRETCHES], present: 0 }
    }

    /// Takes the gateway's stamp, in nanoseconds since 1970, of something that came now.
    #[inline]
    pub fn on_stamp(&mut self, stamp: i64, now: Monotonic) {
        let stretch = now.0 / Self::STRETCH;
        for passed in (self.present + 1..=stretch).rev().take(Self::STRETCHES) {
            self.least[passed as usize % Self::STRETCHES] = None;
        }
        self.present = self.present.max(stretch);
        let least = &mut self.least[self.present as usize % Self::STRETCHES];
        let offset = (now.0 as i64).wrapping_sub(stamp);
        *least = Some(least.map_or(offset, |least| least.min(offset)));
    }

    /// Returns the market's time, in nanoseconds since 1970; `None` before the first stamp. It is
    /// early by the least delay there is.
    pub fn now(&self, now: Monotonic) -> Option<i64> {
        let offset = self.least.iter().flatten().min()?;
        Some((now.0 as i64).wrapping_sub(*offset))
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
