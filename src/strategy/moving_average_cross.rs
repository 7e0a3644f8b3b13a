//! The baseline: a moving-average cross with bracket exits. No claim that it earns anything; it
//! keeps the path complete and is what the agents have to beat.

use super::{BaselineSettings, Strategy, StrategySettings};
use crate::execution::{Account, Decision, OrderKind, Target};
use crate::market::{Bar, Price, Timeframe};

/// Long while the fast simple average of closes is above the slow one, short while it is below,
/// flat in between. It acts on a change only: after a stop or a target it waits for the next cross.
///
/// The averages are compared as integer sums, so there is no rounding at all:
/// `fast_sum × slow_period` against `slow_sum × fast_period`.
#[derive(Clone, Debug)]
pub struct MovingAverageCross {
    settings: StrategySettings,
    tick_size: Price,
    /// The last `slow_period` closes, as a ring.
    closes: Box<[i64]>,
    next: usize,
    seen: usize,
    fast_sum: i128,
    slow_sum: i128,
    wanted: Option<Target>,
}

impl MovingAverageCross {
    /// Creates a strategy that has seen nothing, for prices in steps of `tick_size`.
    ///
    /// # Panics
    /// Unless `1 ≤ fast_period < slow_period`.
    pub fn new(settings: StrategySettings, tick_size: Price) -> MovingAverageCross {
        let BaselineSettings { fast_period, slow_period, .. } = settings.baseline;
        assert!(1 <= fast_period && fast_period < slow_period);
        MovingAverageCross {
            settings,
            tick_size,
            closes: vec![0; slow_period as usize].into(),
            next: 0,
            seen: 0,
            fast_sum: 0,
            slow_sum: 0,
            wanted: None,
        }
    }

    fn add(&mut self, close: i64) {
        let slow = self.closes.len();
        let fast = self.settings.baseline.fast_period as usize;
        let leaves_fast = self.closes[(self.next + slow - fast) % slow];
        let leaves_slow = self.closes[self.next];
        // Before the ring is full the closes that leave are the zeros that it began with.
        self.fast_sum += i128::from(close) - i128::from(leaves_fast);
        self.slow_sum += i128::from(close) - i128::from(leaves_slow);
        self.closes[self.next] = close;
        self.next = (self.next + 1) % slow;
        self.seen = (self.seen + 1).min(slow);
    }

    /// Returns the target of the averages; `None` until the slow one has all its bars.
    fn target(&self) -> Option<Target> {
        if self.seen < self.closes.len() {
            return None;
        }
        let BaselineSettings { fast_period, slow_period, flat_band_ticks } = self.settings.baseline;
        let (fast, slow) = (i128::from(fast_period), i128::from(slow_period));
        let difference = self.fast_sum * slow - self.slow_sum * fast;
        let band = i128::from(flat_band_ticks) * i128::from(self.tick_size.units()) * fast * slow;
        Some(if difference > band {
            Target::Long
        } else if difference < -band {
            Target::Short
        } else {
            Target::Flat
        })
    }
}

impl Strategy for MovingAverageCross {
    fn timeframe(&self) -> Timeframe {
        self.settings.timeframe
    }

    fn warm_up(&self) -> u64 {
        // The first opinion is no cross.
        self.closes.len() as u64
    }

    fn on_bar(&mut self, bar: &Bar, _: u64, _: &Account) -> Option<Decision> {
        self.add(bar.close.units());
        let target = self.target()?;
        // The first opinion is no cross: nobody knows for how long it has held.
        let before = self.wanted.replace(target)?;
        (target != before).then_some(Decision {
            target,
            quantity: self.settings.quantity,
            entry: OrderKind::Market,
            bracket: self.settings.bracket(),
        })
    }

    fn restart(&mut self) {
        // In place, without a new ring: this happens between two ticks.
        self.closes.fill(0);
        (self.next, self.seen, self.fast_sum, self.slow_sum) = (0, 0, 0, 0);
        self.wanted = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{BarFlags, Timestamp};
    use crate::strategy::Strategy;
    use proptest::prelude::*;

    fn bar(close: i64) -> Bar {
        let price = Price::from_units(close);
        Bar {
            start: Timestamp::MIN,
            end: Timestamp::MIN,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: 1,
            ticks: 1,
            timeframe: Timeframe::MINUTES_5,
            contract: 0,
            flags: BarFlags::NONE,
        }
    }

    fn cross(fast_period: u32, slow_period: u32, flat_band_ticks: u32) -> MovingAverageCross {
        let baseline = BaselineSettings { fast_period, slow_period, flat_band_ticks };
        let settings = StrategySettings { baseline, ..StrategySettings::default() };
        MovingAverageCross::new(settings, Price::from_units(1))
    }

    #[test]
    fn knows_nothing_of_the_contract_before() {
        let mut changed = cross(2, 3, 0);
        for close in [10, 20, 5, 7] {
            changed.on_bar(&bar(close), 1, &Account::default());
        }
        changed.restart();
        let mut new = cross(2, 3, 0);
        for close in [50, 49, 48, 60, 70, 30, 20] {
            assert_eq!(
                changed.on_bar(&bar(close), 1, &Account::default()),
                new.on_bar(&bar(close), 1, &Account::default())
            );
        }
    }

    proptest! {
        /// The running sums against averages computed from scratch on every bar.
        #[test]
        fn acts_exactly_on_a_change_of_the_averages(
            closes in prop::collection::vec(-40i64..40, 1..150),
            fast in 1u32..5,
            more in 1u32..8,
            band in 0u32..3,
        ) {
            let slow = fast + more;
            let mut strategy = cross(fast, slow, band);
            let mut before = None;
            for end in 1..=closes.len() {
                let decision = strategy.on_bar(&bar(closes[end - 1]), 1, &Account::default());
                let mut expected = None;
                if end >= slow as usize {
                    let sum = |n: u32| closes[end - n as usize..end].iter().sum::<i64>();
                    // Both averages as fractions over fast × slow.
                    let apart = sum(fast) * i64::from(slow) - sum(slow) * i64::from(fast);
                    let within = i64::from(band * fast * slow);
                    let now = if apart > within { 1 } else if apart < -within { -1 } else { 0 };
                    expected = before.filter(|&b| b != now).map(|_| now);
                    before = Some(now);
                }
                let decided = decision.map(|decision| match decision.target {
                    Target::Long => 1,
                    Target::Short => -1,
                    Target::Flat => 0,
                });
                prop_assert_eq!(decided, expected);
            }
        }
    }
}
