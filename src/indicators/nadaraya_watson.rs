//! Nadaraya-Watson regression of price on time with a rational quadratic kernel.

use serde::{Deserialize, Serialize};

use super::lane_sums::dot;
use super::sliding_window::SlidingWindow;
use super::{Indicator, SettingOutOfRange, Source, TickBar};

/// The one-sided Nadaraya-Watson estimate of price with a rational quadratic kernel (NW-RQK).
///
/// ```text
/// w(i)    = (1 + i² / (2 r h²))^(-r)
/// yhat[t] = Σ w(i) x[t-i] / Σ w(i),   i = 0 … taps - 1
/// ```
///
/// The kernel and its colour changes are those of jdehorty's TradingView indicator (AWNvbPRM), whose
/// window of `x_0 + 2` = 27 bars is kept. Only bars up to `t` count, so nothing repaints.
///
/// It is computed from differences of whole quarter ticks, so that every output but the estimates
/// themselves stays the same, bit for bit, wherever the price level is:
///
/// ```text
/// W(j)    = Σ w(i) over i > j, divided by Σ w(i) over all i
/// yhat[t] = x[t] - Σ W(j) (x[t-j] - x[t-j-1]),   j = 0 … taps - 2
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NadarayaWatson {
    source: Source,
    taps: usize,
    kernel: Kernel,
    fast_kernel: Kernel,
    bars: usize,
    /// The source at the last bar, in quarter ticks.
    last: i64,
    /// Changes of the source from bar to bar, in quarter ticks.
    changes: SlidingWindow<f64>,
    /// Of the last bar, in quarter ticks; zero until it is defined.
    deviation: f64,
    fast_deviation: f64,
    slope: f64,
}

/// What shapes the estimate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NadarayaWatsonSettings {
    /// h: how far back bars count, > 0.
    pub bandwidth: f64,
    /// r: how quickly the weights fall, > 0; towards infinity the kernel becomes Gaussian.
    pub relative_weight: f64,
    /// Bars in the window, 2 to 512.
    pub taps: usize,
    /// The second, faster estimate has bandwidth h - lag; 0 to below h.
    pub lag: f64,
    /// The price that is estimated.
    pub source: Source,
}

impl Default for NadarayaWatsonSettings {
    /// h 8, r 8, 27 taps, lag 2, ohlc4.
    fn default() -> NadarayaWatsonSettings {
        let source = Source::default();
        NadarayaWatsonSettings { bandwidth: 8.0, relative_weight: 8.0, taps: 27, lag: 2.0, source }
    }
}

impl NadarayaWatsonSettings {
    /// Whether every setting is in its range.
    ///
    /// # Errors
    /// Naming the first that is not.
    pub fn validate(&self) -> Result<(), SettingOutOfRange> {
        let NadarayaWatsonSettings { bandwidth, relative_weight, taps, lag, .. } = *self;
        for (setting, value, range, good) in [
            ("bandwidth", bandwidth, "above 0", bandwidth > 0.0),
            ("relative_weight", relative_weight, "above 0", relative_weight > 0.0),
            ("taps", taps as f64, "2 to 512", (2..=512).contains(&taps)),
            ("lag", lag, "from 0 to below the bandwidth", (0.0..bandwidth).contains(&lag)),
        ] {
            let good = good && value.is_finite();
            SettingOutOfRange::unless(good, "nadaraya_watson", setting, value, range)?;
        }
        Ok(())
    }
}

/// The values of one bar.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NadarayaWatsonValues {
    /// yhat with bandwidth h, in ticks.
    pub estimate: f64,
    /// yhat with bandwidth h - lag, in ticks.
    pub fast_estimate: f64,
    /// The estimate less that of the bar before, in ticks a bar.
    pub slope: f64,
    /// The source less the estimate, in ticks.
    pub deviation: f64,
    /// 1 when the slope turned from falling to rising at this bar, -1 the other way, else 0.
    pub turn: i8,
    /// 1 when the fast estimate crossed over the estimate at this bar, -1 under it, else 0.
    pub cross: i8,
}

/// W(j) of one bandwidth, without dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Kernel {
    /// W(0), for the newest change.
    newest: f64,
    /// For the changes before it, oldest first; zero for those that are too old to count.
    earlier: Vec<f64>,
}

impl Kernel {
    fn new(bandwidth: f64, relative_weight: f64, taps: usize, earlier: usize) -> Kernel {
        let weight = |age: usize| {
            let age = age as f64;
            let scaled = age * age / (2.0 * relative_weight * bandwidth * bandwidth);
            // The platform's power may differ in its last bit from machine to machine.
            libm::pow(1.0 + scaled, -relative_weight)
        };
        // From the oldest: sums[j] = Σ weight(i) over i > j.
        let mut sums = vec![0.0; taps];
        for age in (1..taps).rev() {
            sums[age - 1] = sums[age] + weight(age);
        }
        let total = sums[0] + weight(0);
        let share = |age: usize| if age + 1 < taps { sums[age] / total } else { 0.0 };
        Kernel { newest: share(0), earlier: (1..=earlier).rev().map(share).collect() }
    }

    #[inline]
    fn deviation(&self, change: f64, earlier: &[f64]) -> f64 {
        dot(&self.earlier, earlier) + change * self.newest
    }
}

/// What a bar leaves behind.
struct Step {
    source: i64,
    change: f64,
    deviation: f64,
    fast_deviation: f64,
    slope: f64,
}

impl NadarayaWatson {
    /// The estimate over bars yet to come.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn new(settings: NadarayaWatsonSettings) -> Result<NadarayaWatson, SettingOutOfRange> {
        settings.validate()?;
        let NadarayaWatsonSettings { bandwidth, relative_weight, taps, lag, source } = settings;
        // Whole blocks of eight changes before the newest.
        let earlier = (taps - 2).next_multiple_of(8);
        Ok(NadarayaWatson {
            source,
            taps,
            kernel: Kernel::new(bandwidth, relative_weight, taps, earlier),
            fast_kernel: Kernel::new(bandwidth - lag, relative_weight, taps, earlier),
            bars: 0,
            last: 0,
            changes: SlidingWindow::new(earlier),
            deviation: 0.0,
            fast_deviation: 0.0,
            slope: 0.0,
        })
    }

    #[inline]
    fn step(&self, bar: &TickBar) -> (Step, NadarayaWatsonValues) {
        let source = self.source.quarter_ticks(bar);
        let change = if self.bars == 0 { 0.0 } else { (source - self.last) as f64 };
        let earlier = self.changes.values();
        let deviation = self.kernel.deviation(change, earlier);
        let fast_deviation = self.fast_kernel.deviation(change, earlier);
        let slope = change - deviation + self.deviation;

        let sign = |up: bool, down: bool| i8::from(up) - i8::from(down);
        let valid = |after: usize, value: f64| {
            if self.bars >= self.taps - 1 + after { value / 4.0 } else { f64::NAN }
        };
        let values = NadarayaWatsonValues {
            estimate: valid(0, source as f64 - deviation),
            fast_estimate: valid(0, source as f64 - fast_deviation),
            slope: valid(1, slope),
            deviation: valid(0, deviation),
            turn: if self.bars > self.taps {
                sign(slope > 0.0 && self.slope < 0.0, slope < 0.0 && self.slope > 0.0)
            } else {
                0
            },
            // The higher estimate is the one that deviates less.
            cross: if self.bars >= self.taps {
                sign(
                    fast_deviation < deviation && self.fast_deviation >= self.deviation,
                    fast_deviation > deviation && self.fast_deviation <= self.deviation,
                )
            } else {
                0
            },
        };
        (Step { source, change, deviation, fast_deviation, slope }, values)
    }
}

impl Indicator for NadarayaWatson {
    type Output = NadarayaWatsonValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> NadarayaWatsonValues {
        let (step, values) = self.step(bar);
        self.last = step.source;
        self.changes.push(step.change);
        self.deviation = step.deviation;
        self.fast_deviation = step.fast_deviation;
        self.slope = step.slope;
        self.bars += 1;
        values
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> NadarayaWatsonValues {
        self.step(bar).1
    }

    /// `taps` + 1, where a turn can first be told; the estimates come two bars before.
    fn first_valid(&self) -> usize {
        self.taps + 1
    }

    /// Nothing older than the window counts.
    fn is_ready(&self) -> bool {
        self.bars > self.first_valid()
    }

    fn shift(&mut self, ticks: i64) {
        self.last += 4 * ticks;
    }
}
