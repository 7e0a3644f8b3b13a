//! Nanoseconds for a whole row of features, for the matrices, and for many bars at once on all
//! cores.
//!
//! `cargo bench --bench features -- [sessions]`: the number of sessions of a market (default 400,
//! of 276 five-minute and 46 thirty-minute bars each). The rows are the default ones. Figures are
//! medians over runs; beside them stands the number of columns written.

use std::hint::black_box;
use std::num::NonZeroUsize;
use std::time::Instant;

use algospace_hft::bars::resample;
use algospace_hft::features::{FeatureEngine, IndicatorSettings, in_chunks};
use algospace_hft::market::{Bar, BarFlags, Calendar, Instrument, Price, Timeframe, Timestamp};
use algospace_hft::matrix::{FeatureMatrix, MatrixKind, MatrixSettings};
use algospace_hft::random::Random;

const RUNS: usize = 9;
const TIMEFRAMES: [Timeframe; 2] = [Timeframe::MINUTES_5, Timeframe::MINUTES_30];

fn main() {
    let sessions = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(400);
    let fast = walk(sessions);
    let slow = resample(&fast, Timeframe::MINUTES_30, Calendar::CmeEquityIndex);
    let fresh = engine();
    let columns = |timeframe| {
        let fields = fresh.layout().fields().iter();
        fields.filter(|field| field.timeframe == Some(timeframe)).count()
    };
    println!("{sessions} sessions, medians of {RUNS} runs");
    for (name, bars, timeframe) in
        [("row of 5 minutes", &fast, TIMEFRAMES[0]), ("row of 30 minutes", &slow, TIMEFRAMES[1])]
    {
        let time = median(|| {
            let mut engine = fresh.clone();
            for bar in bars {
                black_box(engine.update(bar, None).expect("a good bar"));
            }
        });
        report(name, time, bars.len());
        println!("    {} columns", columns(timeframe));
    }
    for (name, settings, bars) in [
        ("structure matrix, 48x8", MatrixSettings::structure(), &slow),
        ("tactical matrix, 60x7", MatrixSettings::tactical(), &fast),
        ("regime matrix, 100x12", MatrixSettings::regime(), &slow),
    ] {
        let mut engine = fresh.clone();
        for bar in bars.iter().take(2_100) {
            engine.update(bar, None).expect("a good bar");
        }
        let mut matrix = FeatureMatrix::new(MatrixKind::Structure, &settings, engine.layout())
            .expect("a matrix");
        let rows = 1_000_000;
        let time = median(|| {
            for _ in 0..rows {
                black_box(matrix.update(black_box(&engine)));
            }
        });
        report(name, time, rows);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for threads in [1, threads] {
        let threads = NonZeroUsize::new(threads).expect("at least one");
        // An index of 2,048 crossings forgets within some 25,000 bars.
        let time = median(|| {
            black_box(in_chunks(&fresh, slow.len(), 30_000, threads, |engine, at| {
                engine.update(&slow[at], None).expect("a good bar").map(|row| row.valid)
            }));
        });
        report(&format!("batch of 30 minutes on {threads} threads"), time, slow.len());
    }
    for threads in [1, threads] {
        let threads = NonZeroUsize::new(threads).expect("at least one");
        let time = median(|| {
            black_box(in_chunks(&fresh, fast.len(), 3_000, threads, |engine, at| {
                engine.update(&fast[at], None).expect("a good bar").map(|row| row.valid)
            }));
        });
        report(&format!("batch of 5 minutes on {threads} threads"), time, fast.len());
    }
}

fn report(name: &str, seconds: f64, items: usize) {
    println!("{name:<36} {:>9.1} ns", seconds * 1e9 / items as f64);
}

fn median(mut work: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

fn engine() -> FeatureEngine {
    let es = Instrument::built_in("ES").expect("it is built in");
    FeatureEngine::new(&IndicatorSettings::default(), &TIMEFRAMES, &es)
        .expect("the defaults are good")
}

/// Five-minute bars about as wide as those of ES.
fn walk(sessions: usize) -> Vec<Bar> {
    let mut random = Random::new(1, 0);
    let tick_size = Price::from_units(250_000_000);
    let mut bars = Vec::new();
    let mut close = 16_000_i64;
    let mut from: Timestamp = "2020-01-06T00:00:00Z".parse().expect("an instant");
    for _ in 0..sessions {
        let session = Calendar::CmeEquityIndex.session_at_or_after(from);
        let mut start = session.open;
        while start < session.close {
            let mut step = |most: u32| i64::from(random.below(2 * most + 1)) - i64::from(most);
            let open = close + step(1);
            close = open + step(8);
            let (high, low) = (open.max(close) + step(5).abs(), open.min(close) - step(5).abs());
            let price = |ticks| Price::ZERO.offset_ticks(ticks, tick_size);
            bars.push(Bar {
                start,
                end: start + 5 * Timestamp::MINUTE,
                open: price(open),
                high: price(high),
                low: price(low),
                close: price(close),
                volume: 100 + u64::from(random.below(9_000)),
                ticks: 1,
                timeframe: Timeframe::MINUTES_5,
                contract: 0,
                flags: BarFlags::NONE,
            });
            start = start + 5 * Timestamp::MINUTE;
        }
        from = session.close;
    }
    bars
}
