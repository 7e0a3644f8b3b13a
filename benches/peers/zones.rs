//! Nanoseconds a bar for fair value gaps and low-volume nodes, and a tick for traded volume, beside
//! the nearest of their like.
//!
//! No crate known to us has a streaming list of fair value gaps, so the yardstick is the plain way
//! to write it: a vector of zones, looked through on every bar, without age, depth or taps.
//! wickra's `HighLowVolumeNodes` is a rolling profile that is rebuilt for every bar, with as
//! many rows as ours spans on average; it finds the one least traded row, where ours finds all
//! valleys, their depths, the point of control and the value area. Traded volume is beside the map
//! that one would otherwise use.
//!
//! `cargo bench -p algospace-hft-peers --bench zones -- [bars]`: that many bars (default 10,000).
//! Runs alternate; each figure is the least of many short ones, since everything else that the
//! machine does only adds.

use std::collections::HashMap;
use std::hint::black_box;
use std::time::Instant;

use algospace_hft::indicators::{
    FairValueGap, FairValueGapSettings, Indicator, LowVolumeNode, LowVolumeNodeSettings, TickBar,
    TradedVolume,
};
use algospace_hft::random::Random;
use wickra::{Candle, HighLowVolumeNodes, Indicator as _};

const RUNS: usize = 60;

fn main() {
    let bars = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(10_000);
    let fine = walk(bars, 6);
    let coarse = walk(bars, 24);
    let rows = average_rows(&coarse);
    let candles: Vec<Candle> = coarse
        .iter()
        .map(|bar| {
            let [open, high, low, close] =
                [bar.open, bar.high, bar.low, bar.close].map(|price| price as f64 * 0.25);
            Candle::new(open, high, low, close, bar.volume as f64, 0).expect("a candle")
        })
        .collect();

    let mut times = [f64::INFINITY; 8];
    for _ in 0..RUNS {
        let runs: [&dyn Fn(); 8] = [
            &|| gaps(&fine, 276),
            &|| gaps(&fine, 0),
            &|| gaps_peeked(&fine),
            &|| listed_gaps(&fine),
            &|| nodes(&coarse, 230, 4),
            &|| nodes(&coarse, 230, 1),
            &|| nodes_peeked(&coarse),
            &|| wickra_nodes(&candles, rows),
        ];
        for (time, run) in times.iter_mut().zip(runs) {
            let start = Instant::now();
            run();
            *time = time.min(start.elapsed().as_secs_f64() * 1e9 / bars as f64);
        }
    }
    let names = [
        "fair value gaps, max_age 276".to_owned(),
        "fair value gaps, unlimited age".to_owned(),
        "fair value gaps, peek and update".to_owned(),
        "fair value gaps, plain list, unlimited age".to_owned(),
        "low-volume nodes, 230 bars, rows of 4 ticks".to_owned(),
        "low-volume nodes, 230 bars, rows of 1 tick".to_owned(),
        "low-volume nodes, 230, 4, peek and update".to_owned(),
        format!("wickra HighLowVolumeNodes(230, {rows})"),
    ];
    println!("{bars} bars, least of {RUNS} alternating runs; {rows} rows of 4 ticks on average");
    for (name, time) in names.iter().zip(times) {
        println!("{name:<46} {time:>9.1} ns/bar");
    }

    let ticks = trades(100 * TICKS_A_BAR);
    let mut times = [f64::INFINITY; 2];
    for _ in 0..RUNS {
        let runs: [&dyn Fn(); 2] = [&|| traded(&ticks), &|| mapped(&ticks)];
        for (time, run) in times.iter_mut().zip(runs) {
            let start = Instant::now();
            run();
            *time = time.min(start.elapsed().as_secs_f64() * 1e9 / ticks.len() as f64);
        }
    }
    println!("{:<46} {:>9.2} ns/tick", "traded volume", times[0]);
    println!("{:<46} {:>9.2} ns/tick", "a map from price to volume", times[1]);
}

/// Trades in a bar: a busy five minutes of ES.
const TICKS_A_BAR: usize = 3000;

/// Trades that bounce between bid and offer, which move by a tick in every eighth.
fn trades(count: usize) -> Vec<(i64, u32)> {
    let mut random = Random::at(3, 0, 0);
    let mut bid: i64 = 20_000;
    (0..count)
        .map(|_| {
            bid += match random.below(16) {
                0 => 1,
                1 => -1,
                _ => 0,
            };
            (bid + i64::from(random.below(2)), 1 + random.below(8))
        })
        .collect()
}

fn traded(ticks: &[(i64, u32)]) {
    let mut volume = TradedVolume::default();
    for bar in ticks.chunks(TICKS_A_BAR) {
        volume.clear();
        for &(price, size) in bar {
            volume.add(price, size);
        }
        black_box(&volume);
    }
}

fn mapped(ticks: &[(i64, u32)]) {
    let mut volume: HashMap<i64, u64> = HashMap::new();
    for bar in ticks.chunks(TICKS_A_BAR) {
        volume.clear();
        for &(price, size) in bar {
            *volume.entry(price).or_default() += u64::from(size);
        }
        black_box(&volume);
    }
}

/// Bars whose close moves by some `step` ticks.
fn walk(count: usize, step: u32) -> Vec<TickBar> {
    let mut random = Random::at(1, u64::from(step), 0);
    let mut close: i64 = 20_000;
    (0..count)
        .map(|_| {
            let mut within = |bound: u32| i64::from(random.below(bound));
            let open = close + within(3) - 1;
            // The sum of three is near enough to a bell.
            close += (0..3).map(|_| within(2 * step + 1) - i64::from(step)).sum::<i64>();
            // A walk that stays where ES trades.
            close += (20_000 - close) / 512;
            let high = open.max(close) + within(step);
            let low = open.min(close) - within(step);
            TickBar { open, high, low, close, volume: 500 + random.below(20_000) as u64 }
        })
        .collect()
}

fn average_rows(bars: &[TickBar]) -> usize {
    let windows = bars.windows(230).step_by(97);
    let rows = windows.clone().map(|window| {
        let high = window.iter().map(|bar| bar.high).max().unwrap_or(0);
        let low = window.iter().map(|bar| bar.low).min().unwrap_or(0);
        (high.div_euclid(4) - low.div_euclid(4) + 1) as usize
    });
    rows.sum::<usize>() / windows.count().max(1)
}

fn gaps(bars: &[TickBar], max_age: u32) {
    let settings = FairValueGapSettings { max_age, ..Default::default() };
    let mut indicator = FairValueGap::new(settings).expect("settings in range");
    for bar in bars {
        black_box(&indicator.update(bar));
    }
}

fn gaps_peeked(bars: &[TickBar]) {
    let mut indicator = FairValueGap::new(FairValueGapSettings::default()).expect("in range");
    for bar in bars {
        black_box(&indicator.peek(bar));
        black_box(&indicator.update(bar));
    }
}

fn listed_gaps(bars: &[TickBar]) {
    let mut bull: Vec<(i64, i64)> = Vec::new();
    let mut bear = bull.clone();
    for bars in bars.windows(3) {
        let [before, previous, bar] = bars else { continue };
        if bar.low > before.high && previous.close > before.high {
            bull.push((bar.low, before.high));
        }
        if bar.high < before.low && previous.close < before.low {
            bear.push((before.low, bar.high));
        }
        bull.retain(|zone| bar.close >= zone.1);
        bear.retain(|zone| bar.close <= zone.0);
        black_box(bull.iter().max_by_key(|zone| zone.1));
        black_box(bear.iter().min_by_key(|zone| zone.0));
    }
}

fn profile(window: usize, row_ticks: u32) -> LowVolumeNode {
    LowVolumeNode::new(LowVolumeNodeSettings { window, row_ticks, ..Default::default() })
        .expect("settings in their ranges")
}

fn nodes(bars: &[TickBar], window: usize, row_ticks: u32) {
    let mut indicator = profile(window, row_ticks);
    for bar in bars {
        black_box(&indicator.update(bar));
    }
}

fn nodes_peeked(bars: &[TickBar]) {
    let mut indicator = profile(230, 4);
    for bar in bars {
        black_box(&indicator.peek(bar));
        black_box(&indicator.update(bar));
    }
}

fn wickra_nodes(candles: &[Candle], rows: usize) {
    let mut indicator = HighLowVolumeNodes::new(230, rows).expect("not 0");
    for candle in candles {
        black_box(indicator.update(*candle));
    }
}
