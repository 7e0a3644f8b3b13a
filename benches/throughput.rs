//! Ticks a second through the whole inline path, as a ratio to a plain loop over the same records.
//!
//! Both read the same mapped native file in the same run and do the same work in substance: 5- and
//! 30-minute bars, a moving-average cross on 5-minute closes, positions, profit. The plain loop is
//! what one would write by hand for just that: no brackets, no latency, no session calendar, no
//! rules, no account. It is the yardstick, not a backtest.
//!
//! `cargo bench --bench throughput -- [days]`: that many days of the synthetic regimes market
//! (default 30, some 10 million ticks). Runs alternate; the ratio is that of the medians.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use algospace_hft::features::{IndicatorSettings, IndicatorTimeframes};
use algospace_hft::market::{Calendar, Tick, Timestamp};
use algospace_hft::source::native::TickFile;
use algospace_hft::source::synthetic::{Settings, SyntheticSettings, write_file};
use plain_loop::plain_loop;
use whole_pipeline::{Counts, timeframes};

mod plain_loop;
mod whole_pipeline;

const RUNS: usize = 7;

fn main() {
    let days = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(30);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("throughput.ticks");
    let market = SyntheticSettings { days, ..SyntheticSettings::default() };
    write_file(Settings::new(market, 1), &path, &AtomicBool::new(false), |_, _| {})
        .expect("a market");
    let file = TickFile::open(&path).expect("the file just written");
    let ticks = file.ticks().len();

    let mut fold = Vec::new();
    let mut plain = Vec::new();
    let mut bars_only = Vec::new();
    let mut bare = Vec::new();
    let mut pipeline = Vec::new();
    let (mut plain_trades, mut sink) = (0, Counts::default());
    for _ in 0..RUNS {
        fold.push(time(|| read_only(file.ticks())));
        plain.push(time(|| plain_trades = plain_loop(file.ticks()).0));
        bars_only.push(time(|| build_bars(file.ticks())));
        bare.push(time(|| {
            whole_pipeline::run(file.ticks(), &without_indicators());
        }));
        let indicators = IndicatorSettings::default();
        pipeline.push(time(|| sink = whole_pipeline::run(file.ticks(), &indicators)));
    }
    let [fold, plain, bars_only, bare, pipeline] =
        [fold, plain, bars_only, bare, pipeline].map(median);
    println!("{ticks} ticks, medians of {RUNS} alternating runs");
    let row = |name: &str, time: Duration| {
        println!(
            "{name:<44} {:>8.2} ns/tick {:>8.1} M ticks/s {:>6.2} × plain loop",
            time.as_secs_f64() * 1e9 / ticks as f64,
            ticks as f64 / time.as_secs_f64() / 1e6,
            time.as_secs_f64() / plain.as_secs_f64(),
        );
    };
    row("read every record (floor)", fold);
    row("plain loop", plain);
    row("bars only (5, 30 min)", bars_only);
    row("bars + baseline + simulated exchange", bare);
    row("the same + features and matrices", pipeline);
    println!("plain loop: {plain_trades} trades; pipeline: {sink:?}");
}

fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut runs: Vec<Duration>) -> Duration {
    runs.sort_unstable();
    runs[runs.len() / 2]
}

fn read_only(ticks: &[Tick]) {
    let sum = ticks.iter().fold(0i64, |sum, tick| {
        sum.wrapping_add(tick.price.units()).wrapping_add(tick.time.nanos())
    });
    black_box(sum);
}

fn build_bars(ticks: &[Tick]) {
    let mut builder = algospace_hft::bars::BarBuilder::new(
        &timeframes(),
        Calendar::CmeEquityIndex,
        Timestamp::HOUR,
    );
    let mut volume = 0;
    for tick in ticks {
        builder.on_tick(tick, &mut |bar| volume += bar.volume);
    }
    black_box(volume);
}

fn without_indicators() -> IndicatorSettings {
    let none = || Some(Vec::new());
    IndicatorSettings {
        timeframes: IndicatorTimeframes {
            moving_statistics: none(),
            fair_value_gap: none(),
            momentum_index: none(),
            nadaraya_watson: none(),
            low_volume_node: none(),
        },
        ..IndicatorSettings::default()
    }
}
