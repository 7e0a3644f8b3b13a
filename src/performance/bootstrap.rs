//! Confidence intervals: the distance of the figures from long-run earnings, by resampling.
//!
//! Trade statistics: trades are drawn with replacement, as if they were independent (Efron and
//! Tibshirani, *An Introduction to the Bootstrap*, 1993). Sharpe ratio: blocks of days are drawn,
//! of geometrically distributed length with mean √days, so that dependence between neighbouring
//! days is kept (stationary bootstrap, Politis and Romano 1994). Limits are percentiles of the
//! resampled values.

use serde::{Deserialize, Serialize};

use super::RunRecord;
use super::statistics::{daily_returns, sharpe};
use crate::random::Random;

/// Resamples behind each confidence interval of a run.
pub const BOOTSTRAP_RESAMPLES: u32 = 2000;

/// The fewest trades, or days with a result, that are resampled.
pub(super) const FEWEST: usize = 10;

/// Limits between which a figure lies with some confidence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower limit.
    pub lower: f64,
    /// Upper limit; `None` if it is not bounded (a profit factor when resamples have no loss).
    pub upper: Option<f64>,
}

/// Bootstrap confidence intervals of a run's figures, each as in [`super::Statistics`]. `None` with
/// fewer than ten trades (for [`Intervals::sharpe`]: days on which equity changed), or where the
/// figure itself is undefined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// Share of cases in which an interval shall hold the true figure, such as 0.95.
    pub level: f64,
    /// Number of resamples of trades and of days.
    pub resamples: u32,
    /// Of [`super::Statistics::expectancy`], dollars.
    pub expectancy: Option<Interval>,
    /// Of [`super::Statistics::net_pnl`] with the same number of trades, dollars.
    pub net_pnl: Option<Interval>,
    /// Of [`super::Statistics::win_rate`].
    pub win_rate: Option<Interval>,
    /// Of [`super::Statistics::profit_factor`].
    pub profit_factor: Option<Interval>,
    /// Of [`super::Statistics::sharpe`].
    pub sharpe: Option<Interval>,
}

impl Intervals {
    /// Returns the intervals at the level and from the number of resamples that the run asks for,
    /// keyed by its seed.
    pub fn of(record: &RunRecord) -> Intervals {
        let (level, resamples) = (record.confidence_level, record.bootstrap_resamples);
        let nets: Vec<f64> = record.trades.iter().map(|trade| trade.net_pnl().as_f64()).collect();
        let returns = daily_returns(record).unwrap_or_default();
        let days_a_year = f64::from(record.calendar.sessions_a_year());
        let trades = TradeResamples::draw(&nets, resamples, record.seed);
        let count = nets.len() as f64;
        Intervals {
            level,
            resamples,
            expectancy: interval(trades.net.iter().map(|net| net / count), level),
            net_pnl: interval(trades.net.iter().copied(), level),
            win_rate: interval(trades.win_rate.iter().copied(), level),
            profit_factor: interval(trades.profit_factor.iter().copied(), level)
                .filter(|_| nets.iter().any(|&net| net < 0.0)),
            sharpe: interval(
                sharpe_resamples(&returns, days_a_year, resamples, record.seed),
                level,
            ),
        }
    }
}

#[derive(Default)]
struct TradeResamples {
    net: Vec<f64>,
    win_rate: Vec<f64>,
    profit_factor: Vec<f64>,
}

impl TradeResamples {
    fn draw(nets: &[f64], resamples: u32, seed: u64) -> TradeResamples {
        let mut drawn = TradeResamples::default();
        if nets.len() < FEWEST {
            return drawn;
        }
        let mut draws = Draws::new(seed, 1);
        for _ in 0..resamples {
            let (mut won, mut lost, mut wins) = (0.0, 0.0, 0_u32);
            for _ in 0..nets.len() {
                let net = nets[draws.index(nets.len())];
                if net > 0.0 {
                    won += net;
                    wins += 1;
                } else {
                    lost -= net;
                }
            }
            drawn.net.push(won - lost);
            drawn.win_rate.push(f64::from(wins) / nets.len() as f64);
            drawn.profit_factor.push(if lost > 0.0 { won / lost } else { f64::INFINITY });
        }
        drawn
    }
}

/// Returns Sharpe ratios of resampled days; resamples without variance have none and are left out.
fn sharpe_resamples(
    returns: &[f64],
    days_a_year: f64,
    resamples: u32,
    seed: u64,
) -> impl Iterator<Item = f64> {
    let mut draws = Draws::new(seed, 2);
    let days = returns.len();
    let block = (days as f64).sqrt().round() as usize;
    let with_result = returns.iter().filter(|value| **value != 0.0).count();
    // Most resamples of one trade have no variance: those that are left all say the same.
    let resamples = if with_result < FEWEST { 0 } else { resamples };
    let mut sample = vec![0.0; days];
    (0..resamples).filter_map(move |_| {
        let mut at = 0;
        for (place, value) in sample.iter_mut().enumerate() {
            // A block ends with probability 1 in `block`, which makes its mean length that.
            at = if place == 0 || draws.index(block) == 0 {
                draws.index(days)
            } else {
                (at + 1) % days
            };
            *value = returns[at];
        }
        sharpe(&sample, days_a_year)
    })
}

/// Returns the percentile interval of resampled values, by nearest rank.
fn interval(values: impl Iterator<Item = f64>, level: f64) -> Option<Interval> {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let rank = |quantile: f64| values[(quantile * last as f64).round() as usize];
    let tail = (1.0 - level) / 2.0;
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    Some(Interval { lower: finite(rank(tail))?, upper: finite(rank(1.0 - tail)) })
}

/// Random places, the same for the same seed and stream.
struct Draws(Random);

/// The streams of random numbers that resampling draws from.
const STREAM: u64 = u64::from_be_bytes(*b"resample");

impl Draws {
    fn new(seed: u64, stream: u64) -> Draws {
        Draws(Random::new(seed, STREAM.wrapping_add(stream)))
    }

    /// Returns a place below `bound` (1 to 2³² − 1).
    fn index(&mut self, bound: usize) -> usize {
        self.0.below(bound as u32) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns normally distributed values (Box and Muller 1958).
    fn normal(draws: &mut Draws, count: usize, mean: f64, deviation: f64) -> Vec<f64> {
        let unit = |draws: &mut Draws| draws.0.unit();
        (0..count)
            .map(|_| {
                let radius = (-2.0 * (1.0 - unit(draws)).ln()).sqrt();
                mean + deviation * radius * (std::f64::consts::TAU * unit(draws)).cos()
            })
            .collect()
    }

    #[test]
    fn the_interval_of_a_mean_holds_it_about_95_times_in_100() {
        let mut draws = Draws::new(7, 0);
        let held = (0..400)
            .filter(|&case| {
                let nets = normal(&mut draws, 60, 25.0, 300.0);
                let resamples = TradeResamples::draw(&nets, 400, case);
                let interval = interval(resamples.net.iter().map(|n| n / 60.0), 0.95).unwrap();
                (interval.lower..interval.upper.unwrap()).contains(&25.0)
            })
            .count();
        // Binomial(400, 0.94): within four standard deviations.
        assert!((357..=395).contains(&held), "{held} of 400");
    }

    #[test]
    fn the_interval_of_a_sharpe_ratio_holds_it_about_95_times_in_100() {
        let mut draws = Draws::new(8, 0);
        let truth = 0.1 * 252_f64.sqrt();
        let held = (0..300)
            .filter(|&case| {
                let returns = normal(&mut draws, 250, 0.001, 0.01);
                let interval =
                    interval(sharpe_resamples(&returns, 252.0, 300, case), 0.95).unwrap();
                (interval.lower..interval.upper.unwrap()).contains(&truth)
            })
            .count();
        // Blocks of 16 of 250 days make the interval a little narrow: 90 to 95 % is what to expect.
        assert!((255..=297).contains(&held), "{held} of 300");
    }

    #[test]
    fn blocks_keep_the_dependence_between_days_that_single_draws_would_lose() {
        // Gains and losses come in runs of forty days; drawn in blocks of twenty on average, their
        // sums spread far wider than those of days drawn one by one.
        let returns: Vec<f64> =
            (0..400).map(|day| if day / 40 % 2 == 0 { 0.01 } else { -0.01 }).collect();
        let blocks = interval(sharpe_resamples(&returns, 252.0, 500, 1), 0.95).unwrap();
        let mut draws = Draws::new(1, 0);
        let single = interval(
            (0..500).filter_map(|_| {
                let sample: Vec<f64> = (0..400).map(|_| returns[draws.index(400)]).collect();
                sharpe(&sample, 252.0)
            }),
            0.95,
        )
        .unwrap();
        let width = |interval: Interval| interval.upper.unwrap() - interval.lower;
        assert!(width(blocks) > 1.5 * width(single), "{blocks:?} {single:?}");
    }

    #[test]
    fn a_seed_decides_everything_and_too_few_values_have_no_interval() {
        let nets: Vec<f64> = (0..50).map(|i| f64::from(i % 7) - 2.5).collect();
        let draw = |seed| TradeResamples::draw(&nets, 100, seed).net;
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        assert!(TradeResamples::draw(&nets[..FEWEST - 1], 100, 1).net.is_empty());
        assert_eq!(sharpe_resamples(&nets[..FEWEST - 1], 252.0, 100, 1).count(), 0);
        // A hundred days of which one has a result are one trade.
        let mut one = [0.0; 100];
        one[50] = -0.01;
        assert_eq!(sharpe_resamples(&one, 252.0, 100, 1).count(), 0);
    }

    #[test]
    fn a_profit_factor_is_not_bounded_above_when_most_resamples_lose_nothing() {
        let mut nets = vec![1.0; 30];
        nets[3] = -1.0;
        let drawn = TradeResamples::draw(&nets, 500, 1).profit_factor;
        let interval = interval(drawn.into_iter(), 0.95).unwrap();
        assert_eq!(interval.upper, None);
        assert!(interval.lower < 29.0, "{interval:?}");
    }
}
