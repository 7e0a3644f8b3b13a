//! Ticks a second through the whole inline path, as a ratio to a plain loop over the same records.
//!
//! Both read the same mapped native file in the same run and do the same work in substance: 5- and
//! 30-minute bars, a moving-average cross on 5-minute closes, positions, profit. The plain loop is
//! what one would write by hand for just that: no brackets, no latency, no session calendar, no rules,
//! no account. It is the yardstick, not a backtest.
//!
//! `cargo bench --bench throughput -- [days]`: that many days of the synthetic regimes market (default
//! 30, some 10 million ticks). Runs alternate; the ratio is that of the medians.

use std::hint::black_box;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use algospace_hft::execution::{
    Bracket, Desk, ExchangeSettings, LimitFill, RuleConstraints, SimulatedExchange, Slippage,
};
use algospace_hft::features::{IndicatorSettings, IndicatorTimeframes};
use algospace_hft::market::{Bar, Calendar, Instrument, Money, Tick, Timeframe, Timestamp};
use algospace_hft::matrix::MatricesSettings;
use algospace_hft::performance::{EquityPoint, ExitReason, Trade};
use algospace_hft::pipeline::{DecisionTiming, FeatureStage, Pipeline, PipelineSettings, Sink};
use algospace_hft::source::native::TickFile;
use algospace_hft::source::synthetic::{RegimesSettings, Settings, SyntheticMarket, write_file};
use algospace_hft::strategy::{MovingAverageCross, MovingAverageCrossSettings};

const RUNS: usize = 7;

fn main() {
    let days = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(30);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("throughput.ticks");
    let market = SyntheticMarket::Regimes(RegimesSettings::default());
    write_file(
        Settings { days, ..Settings::new(market, 1) },
        &path,
        &AtomicBool::new(false),
        |_, _| {},
    )
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
            run_pipeline(file.ticks(), &without_indicators());
        }));
        let indicators = IndicatorSettings::default();
        pipeline.push(time(|| sink = run_pipeline(file.ticks(), &indicators)));
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

/// The task by hand. Returns trades and profit in price units.
fn plain_loop(ticks: &[Tick]) -> (u64, i64) {
    #[derive(Default)]
    struct PlainBar {
        slot: i64,
        open: i64,
        high: i64,
        low: i64,
        close: i64,
        volume: u64,
    }
    let mut five = PlainBar::default();
    let mut thirty = PlainBar::default();
    let mut closes: Vec<i64> = Vec::with_capacity(1 << 20);
    let (mut position, mut entry, mut profit, mut trades, mut checksum) =
        (0i64, 0i64, 0i64, 0u64, 0i64);
    for tick in ticks {
        let (time, price) = (tick.time.nanos(), tick.price.units());
        let slot = time / (5 * Timestamp::MINUTE);
        if slot != five.slot {
            if five.slot != 0 {
                checksum =
                    checksum.wrapping_add(five.open ^ five.high ^ five.low ^ five.volume as i64);
                closes.push(five.close);
                if closes.len() >= 30 {
                    let sum = |n: usize| closes[closes.len() - n..].iter().sum::<i64>();
                    let wanted = (sum(10) * 3 - sum(30)).signum();
                    if wanted != position {
                        profit += position * (price - entry);
                        trades += u64::from(position != 0);
                        (position, entry) = (wanted, price);
                    }
                }
            }
            five = PlainBar { slot, open: price, high: price, low: price, close: price, volume: 0 };
            let slot = time / (30 * Timestamp::MINUTE);
            if slot != thirty.slot {
                checksum = checksum.wrapping_add(thirty.open ^ thirty.close);
                thirty = PlainBar {
                    slot,
                    open: price,
                    high: price,
                    low: price,
                    close: price,
                    volume: 0,
                };
            }
        }
        five.high = five.high.max(price);
        five.low = five.low.min(price);
        five.close = price;
        five.volume += u64::from(tick.size);
        thirty.high = thirty.high.max(price);
        thirty.low = thirty.low.min(price);
        thirty.close = price;
        thirty.volume += u64::from(tick.size);
    }
    black_box(checksum);
    black_box((trades, profit))
}

fn timeframes() -> Vec<Timeframe> {
    vec![Timeframe::MINUTES_5, Timeframe::MINUTES_30]
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

#[derive(Debug, Default)]
struct Counts {
    bars: u64,
    trades: u64,
    points: u64,
    net: Money,
}

impl Sink for Counts {
    fn bar(&mut self, _: &Bar) {
        self.bars += 1;
    }
    fn trade(&mut self, trade: &Trade) {
        self.trades += 1;
        self.net += trade.net_pnl();
    }
    fn equity(&mut self, _: &EquityPoint) {
        self.points += 1;
    }
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

fn run_pipeline(ticks: &[Tick], indicators: &IndicatorSettings) -> Counts {
    let instrument = Instrument::built_in("ES").expect("built in");
    let (tick_size, point_value) = (instrument.tick_size, instrument.point_value);
    let strategy = MovingAverageCross::new(MovingAverageCrossSettings {
        timeframe: Timeframe::MINUTES_5,
        fast_period: 10,
        slow_period: 30,
        flat_band_ticks: 0,
        tick_size,
        quantity: 1,
        bracket: Bracket { stop_loss_ticks: 16, profit_target_ticks: 32 },
    });
    let rules = RuleConstraints {
        max_position_size: 5,
        max_daily_drawdown: 0.05,
        max_orders_per_second: 10,
        price_collar_ticks: 80,
    };
    let desk = Desk::new(Money::from_dollars(100_000), tick_size, point_value, rules);
    let exchange = SimulatedExchange::new(ExchangeSettings {
        tick_size,
        point_value,
        order_latency: 2_000_000,
        acknowledgement_latency: 2_000_000,
        commission_per_side: Money::from_nanos(2_250_000_000),
        slippage: Slippage { ticks: 0, cross_spread: true, assumed_spread_ticks: 1 },
        limit_fill: LimitFill::Through,
    });
    let settings = PipelineSettings {
        calendar: Calendar::CmeEquityIndex,
        timeframes: timeframes(),
        fill_gaps_up_to: Timestamp::HOUR,
        flatten_before_close: Some(5 * Timestamp::MINUTE),
        expiries: Vec::new(),
        prices_are_joined: false,
        decisions: DecisionTiming::After(0),
    };
    let features = FeatureStage::new(
        indicators,
        &MatricesSettings::default(),
        &settings.timeframes,
        &Instrument::built_in("ES").expect("it is built in"),
        true,
    );
    let features = features.expect("the defaults are good");
    let mut pipeline = Pipeline::new(settings, features, strategy, desk, exchange);
    let mut sink = Counts::default();
    for tick in ticks {
        pipeline.on_tick(tick, &mut sink);
    }
    pipeline.finish(ExitReason::EndOfData, &mut sink);
    sink
}
