//! Waits before the next try.

use std::time::Duration;

use crate::Monotonic;
use crate::time::nanoseconds;

/// Tries that may fail within [`Backoff::WINDOW`].
const TRIES: usize = 6;

/// Waits that double with each failure, each longer or shorter by up to half, and never more than
/// six failed tries a minute.
#[derive(Clone, Debug)]
pub struct Backoff {
    failures: u32,
    /// The last failed tries, the oldest at `next`.
    tries: [Option<Monotonic>; TRIES],
    next: usize,
    random: u64,
}

impl Backoff {
    /// The first wait.
    pub const FIRST: Duration = Duration::from_millis(500);
    /// The longest wait before jitter.
    pub const LONGEST: Duration = Duration::from_secs(30);
    /// The time in which six tries may fail.
    pub const WINDOW: Duration = Duration::from_secs(60);

    /// Creates one whose jitter is a function of the seed.
    pub fn new(seed: u64) -> Backoff {
        Backoff { failures: 0, tries: [None; TRIES], next: 0, random: seed }
    }

    /// Notes that a try begun at `tried` failed, and returns when the next may begin.
    pub fn failed(&mut self, tried: Monotonic, now: Monotonic) -> Monotonic {
        self.tries[self.next] = Some(tried);
        self.next = (self.next + 1) % TRIES;
        let wait = self.wait(now);
        // The oldest of six: a seventh within a minute of it would be one too many.
        self.tries[self.next].map_or(wait, |oldest| wait.max(oldest.after(Self::WINDOW)))
    }

    /// Returns when to try again after a link that was up.
    pub fn lost(&mut self, now: Monotonic) -> Monotonic {
        self.wait(now)
    }

    /// Forgets the failures: the link has been up for a while.
    pub fn settled(&mut self) {
        self.failures = 0;
    }

    fn wait(&mut self, now: Monotonic) -> Monotonic {
        let doubled = nanoseconds(Self::FIRST) << self.failures.min(10);
        let wait = doubled.min(nanoseconds(Self::LONGEST));
        self.failures = self.failures.saturating_add(1);
        now.after(Duration::from_nanos(wait / 2 + self.random() % (wait + 1)))
    }

    /// The next number of SplitMix64.
    fn random(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
