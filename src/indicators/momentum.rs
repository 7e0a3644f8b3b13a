//! Momentum and acceleration of the close.

use serde::{Deserialize, Serialize};

use super::{Indicator, TickBar};

/// The close's change over n bars, and the change of that over n bars; exact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Momentum {
    /// The newest n bars, in a ring: each is looked at once more, n bars later, and then replaced.
    last: Vec<Past>,
    /// The oldest of them.
    next: usize,
}

/// What a bar leaves behind, in ticks; NaN where there is none, so that what follows from it is NaN
/// without a question. Whole numbers below 2⁵³ are exact.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(into = "[u64; 2]", from = "[u64; 2]")]
struct Past {
    close: f64,
    momentum: f64,
}

/// Bits, since a NaN has no place in JSON.
impl From<Past> for [u64; 2] {
    fn from(past: Past) -> [u64; 2] {
        [past.close.to_bits(), past.momentum.to_bits()]
    }
}

impl From<[u64; 2]> for Past {
    fn from([close, momentum]: [u64; 2]) -> Past {
        Past { close: f64::from_bits(close), momentum: f64::from_bits(momentum) }
    }
}

/// The values of one bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MomentumValues {
    /// close\[t\] - close\[t-n\], in ticks; NaN before bar n.
    pub momentum: f64,
    /// close\[t\] - 2 close\[t-n\] + close\[t-2n\], in ticks; NaN before bar 2n.
    pub acceleration: f64,
}

impl Momentum {
    /// Over `span` bars.
    ///
    /// # Panics
    /// If `span` is zero.
    pub fn new(span: usize) -> Momentum {
        assert!(span > 0, "momentum over no bars");
        Momentum { last: vec![Past { close: f64::NAN, momentum: f64::NAN }; span], next: 0 }
    }

    /// What the bar makes, and its values.
    #[inline]
    fn after(&self, bar: &TickBar) -> (Past, MomentumValues) {
        let before = self.last[self.next];
        let close = bar.close as f64;
        let momentum = close - before.close;
        let values = MomentumValues { momentum, acceleration: momentum - before.momentum };
        (Past { close, momentum }, values)
    }

    /// Oldest first.
    fn in_order(&self) -> impl Iterator<Item = &Past> {
        let (newer, older) = self.last.split_at(self.next);
        older.iter().chain(newer)
    }
}

/// Equal if both give the same values for whatever comes.
impl PartialEq for Momentum {
    fn eq(&self, other: &Momentum) -> bool {
        let bits = |past: &Past| <[u64; 2]>::from(*past);
        self.in_order().map(bits).eq(other.in_order().map(bits))
    }
}

impl Indicator for Momentum {
    type Output = MomentumValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> MomentumValues {
        let (past, values) = self.after(bar);
        self.last[self.next] = past;
        self.next = if self.next + 1 == self.last.len() { 0 } else { self.next + 1 };
        values
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> MomentumValues {
        self.after(bar).1
    }

    fn first_valid(&self) -> usize {
        2 * self.last.len()
    }

    /// Nothing older than twice the span counts.
    fn is_ready(&self) -> bool {
        !self.last[self.next].momentum.is_nan()
    }

    fn shift(&mut self, ticks: i64) {
        self.last.iter_mut().for_each(|past| past.close += ticks as f64);
    }
}
