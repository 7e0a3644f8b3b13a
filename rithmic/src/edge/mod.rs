//! Sockets and clocks: everything else in this crate is told what comes from here.

mod connection;
mod socket;
mod tls;

pub use connection::{Connection, Event, FrameCounts};
pub use socket::{ConnectError, Connector, Received, Socket};

use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::Monotonic;
use crate::feed::Clocks;

/// Returns the time for the machines.
pub fn now() -> Monotonic {
    Monotonic(whole(clock_gettime(ClockId::Boottime)) as u64)
}

/// Reads the machine's clocks.
pub fn clocks() -> Clocks {
    Clocks {
        now: now(),
        awake: whole(clock_gettime(ClockId::Monotonic)) as u64,
        wall: whole(clock_gettime(ClockId::Realtime)),
    }
}

fn whole(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}
