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
/// is a float in ticks, which forgets half of its past at every bar: two runs that began at different bars
/// agree bit for bit after 64, but for one pair in some ten million.
///
/// The halving is left for later: what is kept is the next open times a power of two that doubles with
/// every bar, `u[t+1] = u[t] + close[t] 2^t`, so that only one addition waits for the bar before. Powers
/// of two change no digit, so the bits are those of the formula.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct HeikenAshi {
    /// Bars taken, counted until [`READY`].
    bars: usize,
    /// The next candle's open in ticks times `scale`; meaningless before the first bar.
    scaled_open: f64,
    /// A power of two, and one over it.
    scale: f64,
    inverse: f64,
}

/// Where the scale begins anew, far below the largest number.
const LARGEST_SCALE: f64 = (1u128 << 100) as f64;

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

impl Default for HeikenAshi {
    fn default() -> HeikenAshi {
        HeikenAshi { bars: 0, scaled_open: 0.0, scale: 1.0, inverse: 1.0 }
    }
}

/// Equal if both give the same values for whatever comes.
impl PartialEq for HeikenAshi {
    fn eq(&self, other: &HeikenAshi) -> bool {
        let open = |it: &HeikenAshi| it.scaled_open * it.inverse;
        self.bars == other.bars && open(self) == open(other)
    }
}

impl HeikenAshi {
    /// No bar taken yet.
    pub fn new() -> HeikenAshi {
        HeikenAshi::default()
    }

    #[inline]
    fn step(&self, bar: &TickBar) -> (HeikenAshi, HeikenAshiCandle) {
        let HeikenAshi { bars, mut scaled_open, mut scale, mut inverse } = *self;
        if bars == 0 {
            scaled_open = (bar.open + bar.close) as f64 / 2.0;
        } else if scale > LARGEST_SCALE {
            (scaled_open, scale, inverse) = (scaled_open * inverse, 1.0, 1.0);
        }
        let open = scaled_open * inverse;
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
        let after = HeikenAshi {
            bars: (bars + 1).min(READY),
            scaled_open: scaled_open + close * scale,
            scale: scale * 2.0,
            inverse: inverse / 2.0,
        };
        (after, candle)
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

    /// After 32 bars.
    fn is_ready(&self) -> bool {
        self.bars == READY
    }

    fn shift(&mut self, ticks: i64) {
        if self.bars > 0 {
            let open = self.scaled_open * self.inverse + ticks as f64;
            self.scaled_open = open * self.scale;
        }
    }
}
