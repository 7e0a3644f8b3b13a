//! Momentum and acceleration of the close.

use serde::{Deserialize, Serialize};

use super::sliding_window::SlidingWindow;
use super::{Indicator, TickBar};

/// The close's change over n bars, and the change of that over n bars; exact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Momentum {
    /// The newest n bars: each is looked at once more, n bars later, when it leaves.
    last: SlidingWindow<Past>,
}

/// State that a bar leaves behind, in ticks; NaN where undefined, so that what follows from it is
/// NaN without a question. Whole numbers below 2⁵³ are exact.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(into = "[u64; 2]", from = "[u64; 2]")]
struct Past {
    close: f64,
    momentum: f64,
}

impl Default for Past {
    fn default() -> Past {
        Past { close: f64::NAN, momentum: f64::NAN }
    }
}

/// By bits, so that no value is the same as no value.
impl PartialEq for Past {
    fn eq(&self, other: &Past) -> bool {
        <[u64; 2]>::from(*self) == <[u64; 2]>::from(*other)
    }
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
    /// Creates the momentum over `span` bars.
    ///
    /// # Panics
    /// If `span` is zero.
    pub fn new(span: usize) -> Momentum {
        assert!(span > 0, "momentum over no bars");
        Momentum { last: SlidingWindow::new(span) }
    }

    /// Returns the state after the bar, and its values.
    #[inline]
    fn after(&self, bar: &TickBar) -> (Past, MomentumValues) {
        let before = self.last.oldest();
        let close = bar.close as f64;
        let momentum = close - before.close;
        let values = MomentumValues { momentum, acceleration: momentum - before.momentum };
        (Past { close, momentum }, values)
    }
}

impl Indicator for Momentum {
    type Output = MomentumValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> MomentumValues {
        let (past, values) = self.after(bar);
        self.last.push(past);
        values
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> MomentumValues {
        self.after(bar).1
    }

    fn first_valid(&self) -> usize {
        2 * self.last.length()
    }

    /// Returns whether twice the span was taken: nothing older counts.
    fn is_ready(&self) -> bool {
        !self.last.oldest().momentum.is_nan()
    }

    fn shift(&mut self, ticks: i64) {
        self.last.change_each(|past| past.close += ticks as f64);
    }
}
