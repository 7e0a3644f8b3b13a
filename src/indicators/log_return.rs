//! Logarithmic returns.

use serde::{Deserialize, Serialize};

use super::{Indicator, TickBar};

/// ln(close / close before).
///
/// NaN at the first bar, and where one of the two prices is not positive.
/// It is the one price statistic that the level of prices changes, so continue a series in another
/// contract with [`Indicator::shift`]: the return over the roll is then that of the new contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogReturn {
    /// None before the first bar.
    last_close: Option<i64>,
}

impl LogReturn {
    /// Creates an indicator without bars.
    pub fn new() -> LogReturn {
        LogReturn::default()
    }
}

impl Indicator for LogReturn {
    type Output = f64;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> f64 {
        let value = self.peek(bar);
        self.last_close = Some(bar.close);
        value
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> f64 {
        let Some(last) = self.last_close.filter(|last| last.min(&bar.close) > &0) else {
            return f64::NAN;
        };
        // From the exact change, which keeps every digit of a small return; and not with the
        // platform's logarithm, which may differ in its last bit from machine to machine.
        libm::log1p((bar.close - last) as f64 / last as f64)
    }

    fn first_valid(&self) -> usize {
        1
    }

    fn is_ready(&self) -> bool {
        self.last_close.is_some()
    }

    fn shift(&mut self, ticks: i64) {
        self.last_close = self.last_close.map(|close| close + ticks);
    }
}
