//! Time as the machines are told it.

use std::time::Duration;

/// Nanoseconds of a clock that never steps and counts while the machine sleeps: an instant of this
/// process, and no date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// Later than every instant.
    pub const NEVER: Monotonic = Monotonic(u64::MAX);

    /// Returns the instant that much later.
    pub const fn after(self, span: Duration) -> Monotonic {
        Monotonic(self.0.saturating_add(nanoseconds(span)))
    }

    /// Returns the time since an earlier instant; zero if it is later.
    pub const fn since(self, earlier: Monotonic) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

/// Returns a span in nanoseconds, at most some 584 years.
pub(crate) const fn nanoseconds(span: Duration) -> u64 {
    let whole = span.as_nanos();
    if whole > u64::MAX as u128 { u64::MAX } else { whole as u64 }
}
