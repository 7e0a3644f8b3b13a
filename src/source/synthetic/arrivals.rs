//! Times of trades: bursts within the second, and the shape of the day.

use jiff::tz::TimeZone;

use crate::market::{Session, Timestamp, time_zone};
use crate::random::Random;

/// Trades in each half hour of the day from 17:00 Chicago, in tenths of a percent before scaling.
///
/// The overnight is quiet, Europe opens at 02:00, the regular session of 08:30 to 15:00 has three
/// quarters of the trades with its peaks in the first half hour and at the end. The last two half
/// hours are of use only where there is no daily break.
const HALF_HOURS: [u32; 48] = [
    8, 5, 5, 5, 5, 5, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, // 17:00 to 01:00
    4, 4, 10, 12, 9, 9, 9, 9, 8, 8, 8, 8, 9, 20, 16, // 01:00 to 08:30
    78, 78, 66, 57, 50, 44, 40, 38, 38, 43, 51, 60, 84, // 08:30 to 15:00
    20, 6, 3, 3, // 15:00 to 17:00
];
/// The shape starts at this minute of the day in Chicago.
const FIRST_MINUTE: usize = 17 * 60;
const MINUTES_A_DAY: usize = 1440;
/// Minutes of a full session, from 17:00 to 16:00.
const MINUTES_A_SESSION: usize = 1380;
/// Minutes from 17:00 to the regular open at 08:30, whose first minutes are busier still.
const REGULAR_OPEN: usize = 930;
const OPENING_RUSH: [f64; 5] = [3.5, 2.0, 1.6, 1.3, 1.1];
/// So is the last minute before 15:00.
const REGULAR_LAST: usize = 1319;
const CLOSING_RUSH: f64 = 2.5;

// Chances in 1024ths.
/// A trade shares the time of the one before.
const SAME_TIME: u32 = 307;
/// A trade follows within a millisecond.
const CLOSE_BEHIND: u32 = 154;
/// The market turns from quiet to busy, or back; asked at each wait.
const TURN: u32 = 32;
/// A sweep through many resting orders begins; asked at each wait.
const SWEEP: u32 = 12;
/// The sweep ends; asked at each of its trades.
const SWEEP_END: u32 = 73;
/// Within a sweep, a trade shares the time of the one before; else it follows within a millisecond.
const SWEEP_SAME_TIME: u32 = 614;

/// Waits are this much longer than the average wait while the market is quiet ...
const QUIET: f64 = 24.0 / 13.0;
/// ... and this much while it is busy.
const BUSY: f64 = 2.0 / 13.0;

/// Share of trades that come after a wait: the others share a time, or follow within a millisecond.
const WAITS: f64 = {
    let waits = 1.0 - (SAME_TIME + CLOSE_BEHIND) as f64 / 1024.0;
    let sweep_trades = waits * SWEEP as f64 / SWEEP_END as f64;
    waits / (1.0 + sweep_trades)
};

/// Returns the share of a full session's trades in each minute from 17:00 Chicago.
fn shape() -> [f64; MINUTES_A_DAY] {
    let mut shape = [0.0; MINUTES_A_DAY];
    for (minute, share) in shape.iter_mut().enumerate() {
        *share = f64::from(HALF_HOURS[minute / 30]);
    }
    for (minute, factor) in OPENING_RUSH.iter().enumerate() {
        shape[REGULAR_OPEN + minute] *= factor;
    }
    shape[REGULAR_LAST] *= CLOSING_RUSH;
    let total: f64 = shape[..MINUTES_A_SESSION].iter().sum();
    shape.map(|share| share / total)
}

/// Mean waits by minute of the day, for a number of trades a day.
#[derive(Debug)]
pub(super) struct ArrivalRates {
    /// In nanoseconds, from 17:00 Chicago.
    mean_waits: [f64; MINUTES_A_DAY],
    chicago: TimeZone,
}

impl ArrivalRates {
    pub(super) fn new(trades_per_day: u32) -> ArrivalRates {
        let mean_waits = shape()
            .map(|share| Timestamp::MINUTE as f64 / (share * f64::from(trades_per_day)) / WAITS);
        let chicago = time_zone("America/Chicago").expect("the bundled database has Chicago");
        ArrivalRates { mean_waits, chicago }
    }

    /// Returns the minute, counted from 17:00 Chicago, of a session's open.
    fn first_minute(&self, session: &Session) -> usize {
        let open = jiff::Timestamp::from_nanosecond(i128::from(session.open.nanos()))
            .expect("sessions lie within the dates that a timestamp holds");
        let local = open.to_zoned(self.chicago.clone());
        let minute = local.hour() as usize * 60 + local.minute() as usize;
        (minute + MINUTES_A_DAY - FIRST_MINUTE) % MINUTES_A_DAY
    }
}

/// The times of a session's trades.
pub(super) struct Arrivals<'a> {
    random: Random,
    pace: &'a ArrivalRates,
    open: Timestamp,
    first_minute: usize,
    busy: bool,
    sweeping: bool,
}

impl Arrivals<'_> {
    pub(super) fn new<'a>(
        pace: &'a ArrivalRates,
        session: &Session,
        random: Random,
    ) -> Arrivals<'a> {
        let first_minute = pace.first_minute(session);
        Arrivals { random, pace, open: session.open, first_minute, busy: false, sweeping: false }
    }

    /// Returns the time of the trade after the one at `time`, where trades come `activity` times as
    /// often as on average.
    #[inline]
    pub(super) fn after(&mut self, time: Timestamp, activity: f64) -> Timestamp {
        let word = self.random.next_u32();
        let (kind, turn, sweep) = (word & 1023, word >> 10 & 1023, word >> 20 & 1023);
        if self.sweeping {
            self.sweeping = turn >= SWEEP_END;
            return if kind < SWEEP_SAME_TIME { time } else { self.close_behind(time) };
        }
        if kind < SAME_TIME {
            return time;
        }
        if kind < SAME_TIME + CLOSE_BEHIND {
            return self.close_behind(time);
        }
        self.busy ^= turn < TURN;
        self.sweeping = sweep < SWEEP;
        let minutes = ((time - self.open) / Timestamp::MINUTE) as usize;
        let mean = self.pace.mean_waits[(self.first_minute + minutes) % MINUTES_A_DAY];
        let factor = if self.busy { BUSY } else { QUIET };
        time.saturating_add((self.random.exponential() * mean * factor / activity) as i64)
    }

    /// Returns a time 1 µs to 1.024 ms later, each doubling as likely as any other.
    fn close_behind(&mut self, time: Timestamp) -> Timestamp {
        let least = 1_000 << self.random.below(10);
        time + i64::from(least + self.random.below(least))
    }
}
