//! Volume of rising against falling bars.

use serde::{Deserialize, Serialize};

use super::sliding_window::SlidingWindow;
use super::{Indicator, TickBar};

/// (Volume of bars that closed above the close before - volume of those that closed below it) / volume of
/// all, over the newest n changes: -1 to 1. Exact sums of contracts.
///
/// NaN before bar n, and where nothing traded in n bars.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeBalance {
    bars: usize,
    last_close: i64,
    /// Volumes before the newest: with the sign of the change, and without.
    signed: SlidingWindow<i64>,
    traded: SlidingWindow<i64>,
    signed_sum: i64,
    traded_sum: i64,
}

impl VolumeBalance {
    /// Over `length` changes.
    ///
    /// # Panics
    /// If `length` is below 2.
    pub fn new(length: usize) -> VolumeBalance {
        assert!(length >= 2, "volume balance of {length} changes");
        VolumeBalance {
            bars: 0,
            last_close: 0,
            signed: SlidingWindow::new(length - 1),
            traded: SlidingWindow::new(length - 1),
            signed_sum: 0,
            traded_sum: 0,
        }
    }

    #[inline]
    fn signed_volume(&self, bar: &TickBar) -> i64 {
        (bar.close - self.last_close).signum() * bar.volume as i64
    }
}

impl Indicator for VolumeBalance {
    type Output = f64;

    fn update(&mut self, bar: &TickBar) -> f64 {
        let value = self.peek(bar);
        if self.bars > 0 {
            let (signed, traded) = (self.signed_volume(bar), bar.volume as i64);
            self.signed_sum += signed - self.signed.push(signed);
            self.traded_sum += traded - self.traded.push(traded);
        }
        self.last_close = bar.close;
        self.bars += 1;
        value
    }

    fn peek(&self, bar: &TickBar) -> f64 {
        let traded = self.traded_sum + bar.volume as i64;
        if self.traded.is_full() && traded > 0 {
            (self.signed_sum + self.signed_volume(bar)) as f64 / traded as f64
        } else {
            f64::NAN
        }
    }

    fn first_valid(&self) -> usize {
        self.traded.length() + 1
    }

    /// Nothing older than the window counts.
    fn is_ready(&self) -> bool {
        self.traded.is_full()
    }

    fn shift(&mut self, ticks: i64) {
        self.last_close += ticks;
    }
}
