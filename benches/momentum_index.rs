//! Nanoseconds a bar of the momentum index, streamed, beside the plain way: scan and sort the store
//! on every bar.
//!
//! `cargo bench --bench momentum_index -- [bars]`: bars of a seeded random walk timed in each of
//! the runs (default 40,000), after as many as fill the store. Runs alternate; figures are medians.
//! No other library is beside it: none that we know of has this index.

use std::hint::black_box;
use std::time::Instant;

use algospace_hft::indicators::{Indicator, MomentumIndex, MomentumIndexSettings, TickBar};
use algospace_hft::random::Random;

#[path = "../tests/it/momentum_index_reference/mod.rs"]
#[allow(dead_code)] // the tests need the rest
mod reference;

use reference::Reference;

const RUNS: usize = 7;
/// Bars until 2,048 crossings are remembered, with room to spare.
const WARM_UP: usize = 40_000;
const SORTED_BARS: usize = 2_000;

fn main() {
    let bars = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(40_000);
    let walk = random_walk(WARM_UP + bars);
    let (warm_up, timed) = walk.split_at(WARM_UP);
    println!("{bars} bars after {WARM_UP}, medians of {RUNS} alternating runs, ns/bar");

    // With one neighbour in a store of one there is next to nothing to search.
    let cases = [(1, 1), (200, 1000), (200, 2048)];
    let warm = cases.map(|(neighbours, capacity)| {
        let settings = MomentumIndexSettings { neighbours, capacity, ..Default::default() };
        let mut index = MomentumIndex::new(settings).expect("settings in range");
        for bar in warm_up {
            index.update(bar);
        }
        assert!(index.is_ready());
        index
    });
    let mut streamed = cases.map(|_| Vec::new());
    let mut peeked = cases.map(|_| Vec::new());
    for _ in 0..RUNS {
        for (at, index) in warm.iter().enumerate() {
            let mut copy = index.clone();
            streamed[at].push(time(timed, |bar| copy.update(bar)));
            peeked[at].push(time(timed, |bar| index.peek(bar)));
        }
    }
    let mut sorted = cases.map(|_| Vec::new());
    for (at, (neighbours, capacity)) in cases.into_iter().enumerate().skip(1) {
        let mut plain = Reference::new(neighbours, 20, capacity);
        for bar in warm_up {
            plain.update(bar.ohlc4_quarters());
        }
        for run in timed.chunks(SORTED_BARS).take(RUNS) {
            sorted[at].push(time(run, |bar| plain.update(bar.ohlc4_quarters())));
        }
    }

    println!("{:<44} {:>10} {:>10} {:>14}", "", "update", "peek", "sorted anew");
    for (at, (neighbours, capacity)) in cases.into_iter().enumerate() {
        let name = match capacity {
            1 => "features, crossings, averages, bands only".to_owned(),
            _ => format!("with the vote of {neighbours} among {capacity}"),
        };
        let [update, peek] = [&mut streamed[at], &mut peeked[at]].map(|times| median(times));
        let sort = match sorted[at].is_empty() {
            true => "-".to_owned(),
            false => format!("{:.0}", median(&mut sorted[at])),
        };
        println!("{name:<44} {update:>10.0} {peek:>10.0} {sort:>14}");
    }
}

/// Nanoseconds a bar.
fn time<T>(bars: &[TickBar], mut each: impl FnMut(&TickBar) -> T) -> f64 {
    let start = Instant::now();
    for bar in bars {
        black_box(each(bar));
    }
    start.elapsed().as_nanos() as f64 / bars.len() as f64
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// A walk in ticks whose steps are wider at some times than at others, as 30-minute bars are.
fn random_walk(bars: usize) -> Vec<TickBar> {
    let mut random = Random::new(20130102, 0);
    let mut close = 20_000_i64;
    let mut width = 8.0;
    (0..bars)
        .map(|_| {
            width = (width * (0.9 + 0.2 * random.unit())).clamp(3.0, 40.0);
            let mut step = |scale: f64| {
                let sum: f64 = (0..4).map(|_| random.unit() - 0.5).sum();
                (sum * scale * 1.7).round() as i64
            };
            let open = close;
            close += step(width);
            let high = open.max(close) + step(width / 2.0).abs();
            let low = open.min(close) - step(width / 2.0).abs();
            TickBar { open, high, low, close, volume: 1000 }
        })
        .collect()
}
