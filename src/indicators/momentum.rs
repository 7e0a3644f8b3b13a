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
    /// Bars taken, counted until both values are defined.
    bars: usize,
}

/// What a bar leaves behind, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Past {
    close: i64,
    /// Zero until it is defined.
    momentum: i64,
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
        Momentum { last: vec![Past::default(); span], next: 0, bars: 0 }
    }

    /// What the bar makes, and its values.
    #[inline]
    fn after(&self, bar: &TickBar) -> (Past, MomentumValues) {
        let before = self.last[self.next];
        let mut values = MomentumValues { momentum: f64::NAN, acceleration: f64::NAN };
        let mut momentum = 0;
        if self.bars >= self.last.len() {
            momentum = bar.close - before.close;
            values.momentum = momentum as f64;
            if self.is_ready() {
                values.acceleration = (momentum - before.momentum) as f64;
            }
        }
        (Past { close: bar.close, momentum }, values)
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
        self.bars == other.bars && self.in_order().eq(other.in_order())
    }
}

impl Indicator for Momentum {
    type Output = MomentumValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> MomentumValues {
        let (past, values) = self.after(bar);
        self.last[self.next] = past;
        self.next = if self.next + 1 == self.last.len() { 0 } else { self.next + 1 };
        self.bars += usize::from(!self.is_ready());
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
        self.bars == 2 * self.last.len()
    }

    fn shift(&mut self, ticks: i64) {
        let taken = self.bars.min(self.last.len());
        self.last[..taken].iter_mut().for_each(|past| past.close += ticks);
    }
}
