//! Times as ratios within one run, for what instructions do not show: waiting for memory, for
//! another core, for the operation before.
//!
//! Other work on the machine doubles a time but hardly a ratio of two that were taken turn by turn,
//! so each bound lets noise pass and catches what becomes half as slow again. A ratio beyond its
//! bound is measured once more, and the better of the two counts.

use std::hint::black_box;
use std::time::{Duration, Instant};

use algospace_hft::features::IndicatorSettings;
use quanta::Clock;

use crate::plain_loop::plain_loop;
use crate::queues::measure::{median, nanoseconds, round_trips};
use crate::queues::ours::Ours;
use crate::queues::rtrb_queue::Rtrb;
use crate::{queues, rows, whole_pipeline};

/// A time beside its yardstick.
pub struct Ratio {
    pub name: &'static str,
    /// The most it may be.
    pub bound: f64,
    /// `None` if this machine cannot measure it; it then said why.
    measure: fn() -> Option<f64>,
}

pub const RATIOS: [Ratio; 2] = [
    Ratio { name: "whole pipeline / plain loop, a tick", bound: 3.0, measure: pipeline },
    Ratio { name: "our ring / rtrb, a round trip", bound: 1.3, measure: round_trip },
];

impl Ratio {
    /// The ratio, measured again if it is beyond its bound.
    pub fn measured(&self) -> Option<f64> {
        let first = (self.measure)()?;
        if first <= self.bound {
            return Some(first);
        }
        println!("{}: {first:.2} is beyond {}; once more", self.name, self.bound);
        Some((self.measure)()?.min(first))
    }
}

/// A median over pairs, half of which begin with the yardstick.
fn paired(pairs: usize, mut ours: impl FnMut() -> f64, mut yardstick: impl FnMut() -> f64) -> f64 {
    let ratios = (0..pairs).map(|pair| {
        if pair % 2 == 0 {
            let ours = ours();
            ours / yardstick()
        } else {
            1.0 / (yardstick() / ours())
        }
    });
    median(ratios.collect())
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn pipeline() -> Option<f64> {
    let ticks = rows::sessions(10, 340_000).concat();
    let indicators = IndicatorSettings::default();
    let whole = || {
        seconds(|| {
            black_box(whole_pipeline::run(&ticks, &indicators));
        })
    };
    let plain = || {
        seconds(|| {
            black_box(plain_loop(&ticks));
        })
    };
    Some(paired(21, whole, plain))
}

fn round_trip() -> Option<f64> {
    let Some([here, there]) = queues::two_cores() else {
        println!("SKIPPED: a round trip needs two cores, and this process may use one");
        return None;
    };
    let measuring = std::thread::spawn(move || {
        queues::pin(here);
        let clock = Clock::new();
        let median_of = |round_trips: fn(&Clock, _, _, _, &mut _)| {
            let mut histogram = nanoseconds();
            round_trips(&clock, there, 500, Duration::from_micros(1), &mut histogram);
            histogram.value_at_quantile(0.5) as f64
        };
        paired(200, || median_of(round_trips::<Ours>), || median_of(round_trips::<Rtrb>))
    });
    Some(measuring.join().expect("it only measures"))
}
