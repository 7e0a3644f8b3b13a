//! Heiken Ashi: candles averaged with their past.

use serde::{Deserialize, Serialize};

use super::{Indicator, TickBar};

/// Heiken Ashi candles in ticks.
///
/// ```text
/// close[t] = (o + h + l + c) / 4
/// open[t]  = (open[t-1] + close[t-1]) / 2, at the first bar (o + c) / 2
/// high[t]  = max(h, open[t], close[t])        low[t] = min(l, open[t], close[t])
/// ```
///
/// This is the definition of TradingView and TA-Lib. The close is exact in quarter ticks. The open
/// is a float in ticks, which forgets half of its past at every bar: two runs that began at
/// different bars agree bit for bit after 64, but for one pair in some ten million.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HeikenAshi {
    /// Bars taken, counted until [`READY`].
    bars: usize,
    /// The last candle's open and close in ticks; zero before the first bar.
    open: f64,
    close: f64,
}

/// Bars after which the first open counts for less than 2⁻³¹ of its distance.
const READY: usize = 32;

/// One Heiken Ashi candle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HeikenAshiCandle {
    /// Open in ticks.
    pub open: f64,
    /// High in ticks.
    pub high: f64,
    /// Low in ticks.
    pub low: f64,
    /// Close in ticks.
    pub close: f64,
    /// 1 when the close is above the open, -1 when below, 0 when equal.
    pub direction: i8,
}

impl HeikenAshi {
    /// Creates an indicator without bars.
    pub fn new() -> HeikenAshi {
        HeikenAshi::default()
    }

    #[inline]
    fn step(&self, bar: &TickBar) -> (HeikenAshi, HeikenAshiCandle) {
        let open = if self.bars == 0 {
            (bar.open + bar.close) as f64 / 2.0
        } else {
            (self.open + self.close) / 2.0
        };
        let close = bar.ohlc4_quarters() as f64 / 4.0;
        // The close lies between the bar's low and high, so only the open can exceed them.
        let (high, low) = (bar.high as f64, bar.low as f64);
        let candle = HeikenAshiCandle {
            open,
            high: if open > high { open } else { high },
            low: if open < low { open } else { low },
            close,
            direction: i8::from(close > open) - i8::from(close < open),
        };
        (HeikenAshi { bars: (self.bars + 1).min(READY), open, close }, candle)
    }
}

impl Indicator for HeikenAshi {
    type Output = HeikenAshiCandle;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> HeikenAshiCandle {
        let candle;
        (*self, candle) = self.step(bar);
        candle
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> HeikenAshiCandle {
        self.step(bar).1
    }

    fn first_valid(&self) -> usize {
        0
    }

    /// Returns whether 32 bars were taken.
    fn is_ready(&self) -> bool {
        self.bars == READY
    }

    fn shift(&mut self, ticks: i64) {
        if self.bars > 0 {
            self.open += ticks as f64;
            self.close += ticks as f64;
        }
    }
}
