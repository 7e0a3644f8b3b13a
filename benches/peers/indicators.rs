//! Nanoseconds a bar of each indicator, taking bars one by one, beside other crates that have it.
//!
//! `cargo bench -p algospace-hft-peers --bench indicators -- [word]`: rows whose indicator's name
//! contains the word (default all). Generated bars on the tick grid, few enough to stay in the
//! processor's cache, as a bar that just closed is, taken lap after lap; contenders of one
//! indicator alternate; medians. Other crates take floats, made from the same bars beforehand.
//! Definitions may differ in seed or divisor; the name says where they differ in substance.

use std::hint::black_box;
use std::time::Instant;

use algospace_hft::indicators::{
    Autocorrelation, AverageTrueRange, ExactWeightedAverage, FairValueGap, FairValueGapSettings,
    HeikenAshi, Indicator, LogReturn, Momentum, MovingStatistics, MovingStatisticsLengths,
    MovingStatisticsValues, NadarayaWatson, NadarayaWatsonSettings, RealisedVolatility,
    RelativeStrengthIndex, Source, TickBar, VolumeStatistics, WeightedAverage,
};
use algospace_hft::random::Random;
use wickra::Indicator as _;
use yata::core::Method as _;

const BARS: usize = 8192;
const LAPS: usize = 128;
const RUNS: usize = 31;

/// The same bars as each crate takes them.
struct Data {
    bars: Vec<TickBar>,
    closes: Vec<f64>,
    returns: Vec<f64>,
    /// Relative strengths.
    strengths: Vec<f64>,
    volumes: Vec<f64>,
    candles: Vec<wickra::Candle>,
    yata: Vec<yata::core::Candle>,
    ta: Vec<ta::DataItem>,
}

/// Runs one indicator over all bars and folds its values, so that each is computed.
type Run = Box<dyn Fn(&Data) -> f64>;

/// An indicator, and who has it: ours first.
type Row = (&'static str, Vec<(&'static str, Run)>);

fn main() {
    let wanted = std::env::args().skip(1).find(|word| !word.starts_with('-')).unwrap_or_default();
    let data = Data::generate();
    println!("{LAPS} × {BARS} bars, medians of {RUNS} alternating runs, ns a bar");
    for (indicator, contenders) in rows() {
        if !indicator.contains(&wanted) {
            continue;
        }
        let mut times = vec![Vec::new(); contenders.len()];
        for _ in 0..RUNS {
            for ((_, run), times) in contenders.iter().zip(&mut times) {
                let start = Instant::now();
                black_box(run(black_box(&data)));
                times.push(start.elapsed().as_secs_f64() * 1e9 / (LAPS * BARS) as f64);
            }
        }
        print!("{indicator:<30}");
        for ((name, _), times) in contenders.iter().zip(&mut times) {
            times.sort_by(f64::total_cmp);
            print!(" {name} {:<8.2}", times[RUNS / 2]);
        }
        println!();
    }
}

fn rows() -> Vec<Row> {
    vec![
        (
            "Heiken Ashi",
            vec![
                ("ours", over_bars(HeikenAshi::new, |candle| candle.open + candle.high)),
                (
                    "wickra",
                    Box::new(|data| {
                        let mut indicator = wickra::HeikinAshi::new();
                        fold(&data.candles, |candle| {
                            indicator
                                .update(*candle)
                                .map_or(0.0, |candle| candle.open + candle.high)
                        })
                    }),
                ),
                (
                    "yata (other seed)",
                    Box::new(|data| {
                        let mut indicator =
                            yata::methods::HeikinAshi::new((), &data.yata[0]).unwrap();
                        fold(&data.yata, |candle| {
                            let candle = indicator.next(candle);
                            candle.open + candle.high
                        })
                    }),
                ),
            ],
        ),
        (
            "RSI 14",
            vec![
                (
                    "ours",
                    Box::new(|data| {
                        let mut indicator = RelativeStrengthIndex::new(14);
                        fold(&data.bars, |bar| indicator.update(bar.close))
                    }),
                ),
                (
                    "wickra",
                    Box::new(|data| {
                        let mut indicator = wickra::Rsi::new(14).unwrap();
                        fold(&data.closes, |close| indicator.update(*close).unwrap_or(0.0))
                    }),
                ),
                (
                    "yata (two RMA)",
                    Box::new(|data| {
                        let mut rises = yata::methods::RMA::new(14, &0.0).unwrap();
                        let mut falls = yata::methods::RMA::new(14, &0.0).unwrap();
                        let mut last = data.closes[0];
                        fold(&data.closes, |&close| {
                            let rise = rises.next(&(close - last).max(0.0));
                            let fall = falls.next(&(last - close).max(0.0));
                            last = close;
                            100.0 * rise / (rise + fall)
                        })
                    }),
                ),
                (
                    "kand",
                    Box::new(|data| {
                        let (mut last, mut rise, mut fall) = (data.closes[0], 0.1, 0.1);
                        fold(&data.closes, |&close| {
                            let index;
                            (index, rise, fall) =
                                kand::ohlcv::rsi::rsi_inc(close, last, rise, fall, 14).unwrap();
                            last = close;
                            index
                        })
                    }),
                ),
                (
                    "ta (exponential)",
                    Box::new(|data| {
                        use ta::Next;
                        let mut indicator = ta::indicators::RelativeStrengthIndex::new(14).unwrap();
                        fold(&data.closes, |&close| indicator.next(close))
                    }),
                ),
            ],
        ),
        (
            "WMA 20, exact",
            vec![
                (
                    "ours",
                    Box::new(|data| {
                        let mut indicator = ExactWeightedAverage::new(20);
                        fold(&data.bars, |bar| indicator.update(bar.close))
                    }),
                ),
                ("wickra (float)", Box::new(|data| wickra_wma(&data.closes))),
                ("yata (float)", Box::new(|data| yata_wma(&data.closes))),
            ],
        ),
        (
            "WMA 20 of percentages",
            vec![
                (
                    "ours",
                    Box::new(|data| {
                        let mut indicator = WeightedAverage::new(20);
                        fold(&data.strengths, |&value| indicator.update(value))
                    }),
                ),
                ("wickra", Box::new(|data| wickra_wma(&data.strengths))),
                ("yata", Box::new(|data| yata_wma(&data.strengths))),
            ],
        ),
        (
            "ATR 14",
            vec![
                ("ours", over_bars(|| AverageTrueRange::new(14), |ticks| ticks)),
                (
                    "wickra",
                    Box::new(|data| {
                        let mut indicator = wickra::Atr::new(14).unwrap();
                        fold(&data.candles, |candle| indicator.update(*candle).unwrap_or(0.0))
                    }),
                ),
                (
                    "kand",
                    Box::new(|data| {
                        let (mut last, mut range) = (data.candles[0].close, 1.0);
                        fold(&data.candles, |candle| {
                            range =
                                kand::ohlcv::atr::atr_inc(candle.high, candle.low, last, range, 14)
                                    .unwrap();
                            last = candle.close;
                            range
                        })
                    }),
                ),
                (
                    "ta (exponential)",
                    Box::new(|data| {
                        use ta::Next;
                        let mut indicator = ta::indicators::AverageTrueRange::new(14).unwrap();
                        fold(&data.ta, |item| indicator.next(item))
                    }),
                ),
            ],
        ),
        (
            "NW-RQK 27 taps",
            vec![
                (
                    "ours, both kernels",
                    Box::new(|data| {
                        let settings =
                            NadarayaWatsonSettings { source: Source::Close, ..Default::default() };
                        let mut indicator = NadarayaWatson::new(settings).unwrap();
                        fold(&data.bars, |bar| {
                            let values = indicator.update(bar);
                            values.estimate + f64::from(values.turn + values.cross)
                        })
                    }),
                ),
                (
                    "yata (Conv, one kernel)",
                    Box::new(|data| {
                        let weights = (0..27u8).rev().map(|age| {
                            (1.0 + f64::from(age).powi(2) / (2.0 * 8.0 * 64.0)).powi(-8)
                        });
                        let mut kernel =
                            yata::methods::Conv::new(weights.collect(), &data.closes[0]).unwrap();
                        fold(&data.closes, |close| kernel.next(close))
                    }),
                ),
            ],
        ),
        (
            "log return",
            vec![
                ("ours", over_bars(LogReturn::new, |value| value)),
                (
                    "wickra",
                    Box::new(|data| {
                        let mut indicator = wickra::LogReturn::new(1).unwrap();
                        fold(&data.closes, |close| indicator.update(*close).unwrap_or(0.0))
                    }),
                ),
            ],
        ),
        (
            "realised volatility 30",
            vec![
                (
                    "ours, and of volatility 30",
                    Box::new(|data| {
                        let mut indicator = RealisedVolatility::new(30, 30);
                        fold(&data.returns, |&value| indicator.update(value).of_volatility)
                    }),
                ),
                (
                    "wickra (from prices)",
                    Box::new(|data| {
                        let mut indicator = wickra::RealizedVolatility::new(30).unwrap();
                        fold(&data.closes, |close| indicator.update(*close).unwrap_or(0.0))
                    }),
                ),
            ],
        ),
        (
            "volatility 30 + 30 from prices",
            vec![
                (
                    "ours",
                    Box::new(|data| {
                        let mut returns = LogReturn::new();
                        let mut indicator = RealisedVolatility::new(30, 30);
                        fold(&data.bars, |bar| indicator.update(returns.update(bar)).of_volatility)
                    }),
                ),
                (
                    "wickra",
                    Box::new(|data| {
                        let mut indicator = wickra::RealizedVolatility::new(30).unwrap();
                        let mut deviation = wickra::StdDev::new(30).unwrap();
                        fold(&data.closes, |close| {
                            let realised = indicator.update(*close);
                            realised.and_then(|value| deviation.update(value)).unwrap_or(0.0)
                        })
                    }),
                ),
            ],
        ),
        (
            "autocorrelation 20",
            vec![
                (
                    "ours",
                    Box::new(|data| {
                        let mut indicator = Autocorrelation::new(20);
                        fold(&data.returns, |&value| indicator.update(value))
                    }),
                ),
                (
                    "wickra",
                    Box::new(|data| {
                        let mut indicator = wickra::Autocorrelation::new(20, 1).unwrap();
                        fold(&data.returns, |value| indicator.update(*value).unwrap_or(0.0))
                    }),
                ),
            ],
        ),
        (
            "momentum 5 and acceleration",
            vec![
                ("ours", over_bars(|| Momentum::new(5), |values| values.acceleration)),
                (
                    "wickra",
                    Box::new(|data| {
                        let mut momentum = wickra::Mom::new(5).unwrap();
                        let mut acceleration = wickra::Mom::new(5).unwrap();
                        fold(&data.closes, |close| {
                            let momentum = momentum.update(*close);
                            momentum.and_then(|value| acceleration.update(value)).unwrap_or(0.0)
                        })
                    }),
                ),
                (
                    "yata",
                    Box::new(|data| {
                        let mut momentum =
                            yata::methods::Momentum::new(5, &data.closes[0]).unwrap();
                        let mut acceleration = yata::methods::Momentum::new(5, &0.0).unwrap();
                        fold(&data.closes, |close| acceleration.next(&momentum.next(close)))
                    }),
                ),
                (
                    "yata (momentum alone)",
                    Box::new(|data| {
                        let mut momentum =
                            yata::methods::Momentum::new(5, &data.closes[0]).unwrap();
                        fold(&data.closes, |close| momentum.next(close))
                    }),
                ),
            ],
        ),
        (
            "volume z-score and skewness 20",
            vec![
                (
                    "ours, and ratio",
                    over_bars(
                        || VolumeStatistics::new(20),
                        |values| values.z_score + values.skewness + values.ratio,
                    ),
                ),
                (
                    "wickra",
                    Box::new(|data| {
                        let mut score = wickra::ZScore::new(20).unwrap();
                        let mut skewness = wickra::Skewness::new(20).unwrap();
                        fold(&data.volumes, |volume| {
                            let score = score.update(*volume).unwrap_or(0.0);
                            score + skewness.update(*volume).unwrap_or(0.0)
                        })
                    }),
                ),
            ],
        ),
        (
            "moving statistics, all",
            vec![("ours", over_bars(moving_statistics, every_moving_statistic))],
        ),
        (
            "moving statistics and FVG",
            vec![(
                "ours",
                Box::new(|data| {
                    let mut statistics = moving_statistics();
                    let mut gaps = FairValueGap::new(FairValueGapSettings::default())
                        .expect("the defaults are good");
                    fold(&data.bars, |bar| {
                        let gap = gaps.update(bar);
                        every_moving_statistic(statistics.update(bar)) + f64::from(gap.new)
                    })
                }),
            )],
        ),
    ]
}

fn moving_statistics() -> MovingStatistics {
    MovingStatistics::new(MovingStatisticsLengths::default()).unwrap()
}

/// Their sum, so that none is left out.
fn every_moving_statistic(values: MovingStatisticsValues) -> f64 {
    let MovingStatisticsValues { heiken_ashi, volatility, momentum, volume, .. } = values;
    let candle = heiken_ashi.open + heiken_ashi.high + heiken_ashi.low + heiken_ashi.close;
    let volatility = volatility.realised + volatility.of_volatility;
    let momentum = momentum.momentum + momentum.acceleration;
    let volume = volume.ratio + volume.log_ratio + volume.z_score + volume.skewness;
    candle
        + f64::from(heiken_ashi.direction)
        + values.average_true_range
        + values.range
        + values.relative_strength
        + values.weighted_average
        + values.log_return
        + volatility
        + values.autocorrelation
        + momentum
        + volume
        + values.volume_balance
}

/// A run of one of our indicators, one number of its values folded.
fn over_bars<I: Indicator>(
    new: impl Fn() -> I + 'static,
    number: impl Fn(I::Output) -> f64 + 'static,
) -> Run {
    Box::new(move |data| {
        let mut indicator = new();
        fold(&data.bars, |bar| number(indicator.update(bar)))
    })
}

fn wickra_wma(values: &[f64]) -> f64 {
    let mut indicator = wickra::Wma::new(20).unwrap();
    fold(values, |value| indicator.update(*value).unwrap_or(0.0))
}

fn yata_wma(values: &[f64]) -> f64 {
    let mut indicator = yata::methods::WMA::new(20, &values[0]).unwrap();
    fold(values, |value| indicator.next(value))
}

/// A sum of what is read of each item, by bits: an exclusive or costs every contender the same
/// single cycle, and no NaN of the first bars can swallow what follows.
#[inline]
fn fold<T>(items: &[T], mut number: impl FnMut(&T) -> f64) -> f64 {
    let mut bits = 0;
    for _ in 0..LAPS {
        bits = items.iter().fold(bits, |bits, item| bits ^ number(item).to_bits());
    }
    f64::from_bits(bits)
}

impl Data {
    /// A random walk on the tick grid.
    fn generate() -> Data {
        let mut random = Random::new(7, 0);
        let mut below = |bound: u64| (random.next_u64() % bound) as i64;
        let mut last = 18_000;
        let mut bars = Vec::with_capacity(BARS);
        for _ in 0..BARS {
            let open = last + below(3) - 1;
            let (high, low) = (open + below(20), open - below(20));
            // Drawn towards where it began, so that prices stay those of the market.
            last = (low + below((high - low + 1) as u64) + i64::from(open < 18_000)).min(high);
            bars.push(TickBar { open, high, low, close: last, volume: 1 + below(9_000) as u64 });
        }
        let points = |ticks: i64| ticks as f64 * 0.25;
        let each = |bar: &TickBar| {
            ([bar.open, bar.high, bar.low, bar.close].map(points), bar.volume as f64)
        };
        let closes: Vec<f64> = bars.iter().map(|bar| points(bar.close)).collect();
        let mut strength = RelativeStrengthIndex::new(14);
        let strengths = bars.iter().map(|bar| strength.update(bar.close));
        Data {
            strengths: strengths.filter(|strength| !strength.is_nan()).collect(),
            returns: closes.windows(2).map(|pair| (pair[1] / pair[0]).ln()).collect(),
            volumes: bars.iter().map(|bar| bar.volume as f64).collect(),
            candles: bars
                .iter()
                .map(each)
                .map(|([open, high, low, close], volume)| {
                    wickra::Candle::new(open, high, low, close, volume, 0).unwrap()
                })
                .collect(),
            yata: bars
                .iter()
                .map(each)
                .map(|([open, high, low, close], volume)| yata::core::Candle {
                    open,
                    high,
                    low,
                    close,
                    volume,
                })
                .collect(),
            ta: bars
                .iter()
                .map(each)
                .map(|([open, high, low, close], volume)| {
                    let item = ta::DataItem::builder().open(open).high(high).low(low);
                    item.close(close).volume(volume).build().unwrap()
                })
                .collect(),
            closes,
            bars,
        }
    }
}
