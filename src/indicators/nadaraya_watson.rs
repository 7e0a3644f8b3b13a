//! Nadaraya-Watson regression of price on time with a rational quadratic kernel.

use serde::{Deserialize, Serialize};

use super::{Indicator, SettingOutOfRange, Source, TickBar};
use crate::settings::{Positive, settings};

/// The one-sided Nadaraya-Watson estimate of price with a rational quadratic kernel (NW-RQK).
///
/// ```text
/// w(i)    = (1 + i² / (2 r h²))^(-r)
/// yhat[t] = Σ w(i) x[t-i] / Σ w(i),   i = 0 … taps - 1
/// ```
///
/// The kernel and its colour changes are those of jdehorty's TradingView indicator (AWNvbPRM),
/// whose window of `x_0 + 2` = 27 bars is kept. Only bars up to `t` count, so nothing repaints.
///
/// It is computed from differences of whole quarter ticks, so that every output but the estimates
/// themselves stays the same, bit for bit, wherever the price level is:
///
/// ```text
/// W(j)    = Σ w(i) over i > j, divided by Σ w(i) over all i
/// yhat[t] = x[t] - Σ W(j) (x[t-j] - x[t-j-1]),   j = 0 … taps - 2
/// ```
///
/// Each change is added to the sums of all bars that it will count for, oldest change first, which
/// takes half the time of adding up a window at each bar.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NadarayaWatson {
    source: Source,
    taps: usize,
    /// W(j) by j.
    weights: Vec<Pair>,
    /// Amounts that the changes so far add to the deviation of the next bar, of the one after it,
    /// and so on.
    to_come: Vec<Pair>,
    /// Bars taken, counted until all that is told of a bar is defined.
    bars: usize,
    /// The source at the last bar, in quarter ticks; none before the first.
    last: Option<i64>,
    /// Of the last bar: its deviation in quarter ticks, the sign of its slope, and of the fast
    /// estimate less the estimate; signs are 0 before they are defined.
    deviation: f64,
    direction: i8,
    order: i8,
}

/// An estimate with bandwidth h, and one with h - lag: side by side, for the processor's vectors.
type Pair = [f64; 2];

settings! {
    /// Shape of the kernel.
    #[derive(Copy)]
    pub struct NadarayaWatsonSettings {
        /// h: how far back bars count.
        pub bandwidth: f64 = 8.0, Positive, "bars";
        /// r: how quickly the weights fall; towards infinity the kernel becomes Gaussian.
        pub relative_weight: f64 = 8.0, Positive;
        /// Bars in the window.
        pub taps: usize = 27, 2..=512, "bars";
        /// The second, faster estimate has bandwidth h - lag.
        pub lag: f64 = 2.0, "0 to below `bandwidth`", "bars";
        /// The price that is estimated.
        pub source: Source = Source::Ohlc4;
    }
}

impl NadarayaWatsonSettings {
    /// Checks that every setting is in its range.
    ///
    /// # Errors
    /// Naming the first that is not.
    pub fn validate(&self) -> Result<(), SettingOutOfRange> {
        let indicator = "nadaraya_watson";
        SettingOutOfRange::first(indicator, self)?;
        if !(0.0..self.bandwidth).contains(&self.lag) {
            let range = "from 0 to below the bandwidth".to_owned();
            let value = self.lag.to_string();
            return Err(SettingOutOfRange { indicator, setting: "lag", value, range });
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

impl NadarayaWatsonValues {
    const NONE: NadarayaWatsonValues = NadarayaWatsonValues {
        estimate: f64::NAN,
        fast_estimate: f64::NAN,
        slope: f64::NAN,
        deviation: f64::NAN,
        turn: 0,
        cross: 0,
    };
}

/// Returns W(j), without dimension.
fn kernel(bandwidth: f64, relative_weight: f64, taps: usize) -> Vec<f64> {
    let weight = |age: usize| {
        let age = age as f64;
        let scaled = age * age / (2.0 * relative_weight * bandwidth * bandwidth);
        // The platform's power may differ in its last bit from machine to machine.
        libm::pow(1.0 + scaled, -relative_weight)
    };
    // From the oldest: sums[j] = Σ weight(i) over i > j.
    let mut sums = vec![0.0; taps - 1];
    let mut sum = 0.0;
    for age in (1..taps).rev() {
        sum += weight(age);
        sums[age - 1] = sum;
    }
    let total = sum + weight(0);
    sums.iter().map(|sum| sum / total).collect()
}

#[inline]
fn plus_product(sums: Pair, weights: Pair, change: f64) -> Pair {
    [sums[0] + weights[0] * change, sums[1] + weights[1] * change]
}

/// State that a bar leaves behind.
struct Step {
    source: i64,
    change: f64,
    deviation: f64,
    direction: i8,
    order: i8,
}

impl NadarayaWatson {
    /// Creates the estimate without bars.
    ///
    /// # Errors
    /// If a setting is out of its range.
    pub fn new(settings: NadarayaWatsonSettings) -> Result<NadarayaWatson, SettingOutOfRange> {
        settings.validate()?;
        let NadarayaWatsonSettings { bandwidth, relative_weight, taps, lag, source } = settings;
        let slow = kernel(bandwidth, relative_weight, taps);
        let fast = kernel(bandwidth - lag, relative_weight, taps);
        Ok(NadarayaWatson {
            source,
            taps,
            weights: slow.into_iter().zip(fast).map(Pair::from).collect(),
            to_come: vec![Pair::default(); taps - 1],
            bars: 0,
            last: None,
            deviation: 0.0,
            direction: 0,
            order: 0,
        })
    }

    #[inline]
    fn step(&self, bar: &TickBar) -> (Step, NadarayaWatsonValues) {
        let source = self.source.quarter_ticks(bar);
        let change = self.last.map_or(0.0, |last| (source - last) as f64);
        let [deviation, fast_deviation] = plus_product(self.to_come[0], self.weights[0], change);
        let mut step = Step { source, change, deviation, direction: 0, order: 0 };
        let mut values = NadarayaWatsonValues::NONE;
        if self.bars + 1 < self.taps {
            return (step, values);
        }
        let sign = |up: bool, down: bool| i8::from(up) - i8::from(down);
        values.estimate = (source as f64 - deviation) / 4.0;
        values.fast_estimate = (source as f64 - fast_deviation) / 4.0;
        values.deviation = deviation / 4.0;
        // The higher estimate is the one that deviates less.
        step.order = sign(fast_deviation < deviation, fast_deviation > deviation);
        if self.bars < self.taps {
            return (step, values);
        }
        let slope = change - deviation + self.deviation;
        values.slope = slope / 4.0;
        step.direction = sign(slope > 0.0, slope < 0.0);
        values.turn = if step.direction == -self.direction { step.direction } else { 0 };
        values.cross = if step.order == self.order { 0 } else { step.order };
        (step, values)
    }
}

impl Indicator for NadarayaWatson {
    type Output = NadarayaWatsonValues;

    #[inline]
    fn update(&mut self, bar: &TickBar) -> NadarayaWatsonValues {
        let (step, values) = self.step(bar);
        self.last = Some(step.source);
        self.deviation = step.deviation;
        self.direction = step.direction;
        self.order = step.order;
        self.bars = (self.bars + 1).min(self.taps + 2);
        // One bar closer; to the farthest, which stays zero, none of the changes so far reaches.
        let weights = &self.weights[1..];
        let to_come = &mut self.to_come[..weights.len() + 1];
        for (at, &weight) in weights.iter().enumerate() {
            to_come[at] = plus_product(to_come[at + 1], weight, step.change);
        }
        values
    }

    #[inline]
    fn peek(&self, bar: &TickBar) -> NadarayaWatsonValues {
        self.step(bar).1
    }

    /// Returns `taps` + 1, where a turn can first be told; the estimates come two bars before.
    fn first_valid(&self) -> usize {
        self.taps + 1
    }

    /// Returns whether the window is full: nothing older counts.
    fn is_ready(&self) -> bool {
        self.bars == self.taps + 2
    }

    fn shift(&mut self, ticks: i64) {
        self.last = self.last.map(|last| last + 4 * ticks);
    }
}
