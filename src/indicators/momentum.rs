//! Momentum and acceleration of the close.

use serde::{Deserialize, Serialize};

use super::sliding_window::SlidingWindow;
use super::{Indicator, TickBar};

/// The close's change over n bars, and the change of that over n bars; exact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Momentum {
    span: usize,
    /// The newest 2n.
    closes: SlidingWindow<i64>,
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
        Momentum { span, closes: SlidingWindow::new(2 * span) }
    }
}

impl Indicator for Momentum {
    type Output = MomentumValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> MomentumValues {
        let values = self.peek(bar);
        self.closes.push(bar.close);
        values
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> MomentumValues {
        let mut values = MomentumValues { momentum: f64::NAN, acceleration: f64::NAN };
        if self.closes.filled() >= self.span {
            let middle = self.closes.after_oldest(self.span);
            values.momentum = (bar.close - middle) as f64;
            if self.closes.is_full() {
                values.acceleration = (bar.close - 2 * middle + self.closes.oldest()) as f64;
            }
        }
        values
    }

    fn first_valid(&self) -> usize {
        self.closes.length()
    }

    /// Nothing older than the window counts.
    fn is_ready(&self) -> bool {
        self.closes.is_full()
    }

    fn shift(&mut self, ticks: i64) {
        self.closes.change_each(|close| *close += ticks);
    }
}
