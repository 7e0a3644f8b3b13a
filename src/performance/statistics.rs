//! What a run's trades and equity amount to.

use serde::{Deserialize, Serialize};

use super::drawdown::Drawdown;
use super::trading_day::daily_closes;
use super::{ExitReason, RunRecord, Trade};
use crate::market::{Money, Timestamp};

/// Trading days in a year, as `empyrical` and most of the industry count them.
const DAYS_A_YEAR: f64 = 252.0;

/// What a run's trades and equity amount to. Money is in dollars.
///
/// A value that is not defined for the run is `None` (`null` in JSON), never 0 and never NaN.
///
/// *Daily return*: the change of equity from one trading day's last point to the next day's, over
/// the equity before; the first day counts from the initial capital. Days without any equity point
/// are no days. All that rests on daily returns is `None` if the account was ever at or below zero at a
/// day's close.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Round trips.
    pub trades: u64,
    /// Sum over trades of the profit or loss after costs.
    pub net_pnl: f64,
    /// Sum over trades before costs; slippage is inside.
    pub gross_pnl: f64,
    /// Commissions of all fills (≥ 0).
    pub costs: f64,
    /// What slippage cost (≥ 0); already inside `gross_pnl`.
    pub slippage: f64,
    /// Equity at the last point.
    pub final_equity: Option<f64>,
    /// Trading days with an equity point.
    pub days: u64,
    /// Mean daily return over its standard deviation (n − 1), times √252. Risk-free rate 0. None
    /// with fewer than two days or without variance.
    pub sharpe: Option<f64>,
    /// Mean daily return over √(mean of min(return, 0)²), times √252 (Sortino and Price 1994,
    /// target 0). None with fewer than two days or without a losing day.
    pub sortino: Option<f64>,
    /// [`Statistics::cagr`] over the largest drawdown, in percent of the peak, at days' closes. None
    /// without such a drawdown.
    pub calmar: Option<f64>,
    /// Compound growth a year: (final ÷ initial)^(252 ÷ days) − 1, as a fraction. None with fewer
    /// than two days.
    pub cagr: Option<f64>,
    /// Standard deviation (n − 1) of daily returns, times √252, as a fraction. None with fewer than
    /// two days.
    pub volatility: Option<f64>,
    /// Largest fall of equity from its highest point before (the initial capital counts), over all
    /// equity points, in dollars (≥ 0). None without equity points.
    pub max_drawdown: Option<f64>,
    /// Largest such fall as a fraction of that highest point (≥ 0).
    pub max_drawdown_fraction: Option<f64>,
    /// Seconds of the longest time from a highest point to the first point that reaches it again, or
    /// to the last point.
    pub max_drawdown_seconds: Option<f64>,
    /// Trades with a net profit over all trades, 0 to 1.
    pub win_rate: Option<f64>,
    /// Net profits of winning trades over net losses of losing ones. None without a losing trade.
    pub profit_factor: Option<f64>,
    /// Mean net profit or loss of a trade.
    pub expectancy: Option<f64>,
    /// Mean net profit of winning trades (> 0).
    pub average_win: Option<f64>,
    /// Mean net loss of losing trades (< 0).
    pub average_loss: Option<f64>,
    /// `average_win` over −`average_loss`.
    pub payoff: Option<f64>,
    /// Largest net profit of a trade; None if none won.
    pub largest_win: Option<f64>,
    /// Largest net loss of a trade (< 0); None if none lost.
    pub largest_loss: Option<f64>,
    /// Most trades in a row with a net loss; None without trades.
    pub longest_losing_streak: Option<u64>,
    /// Mean closed bars a trade was open.
    pub average_bars_held: Option<f64>,
    /// Mean over trades of the largest open profit on the way (≥ 0).
    pub average_mfe: Option<f64>,
    /// Mean over trades of the largest open loss on the way (≤ 0).
    pub average_mae: Option<f64>,
    /// Open-market time with a position over all open-market time, 0 to 1.
    pub exposure: Option<f64>,
    /// Contracts bought plus contracts sold.
    pub contracts_traded: u64,
    /// Value of all contracts bought and sold (price × point value) over the mean equity at days'
    /// closes. None without equity points or when that mean is not above zero.
    pub turnover: Option<f64>,
    /// Trades by the reason of their exit; only reasons that occurred, in [`ExitReason::ALL`]'s
    /// order.
    pub exit_reasons: Vec<ExitReasonStatistics>,
}

/// The trades that ended for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitReasonStatistics {
    /// As [`ExitReason::name`].
    pub reason: String,
    /// How many trades.
    pub trades: u64,
    /// Those with a net profit.
    pub wins: u64,
    /// Their net profit or loss together, in dollars.
    pub net_pnl: f64,
}

impl Statistics {
    /// The statistics of a run.
    pub fn of(record: &RunRecord) -> Statistics {
        let trades = &record.trades;
        let sum = |amount: fn(&Trade) -> Money| trades.iter().map(amount).sum::<Money>().as_f64();
        let mean_of = |amount: fn(&Trade) -> Money| mean(trades.iter().map(|t| amount(t).as_f64()));
        let net = |sign: i64| {
            trades
                .iter()
                .map(Trade::net_pnl)
                .filter(move |net| net.nanos().signum() == sign)
                .collect::<Vec<_>>()
        };
        let (wins, losses) = (net(1), net(-1));
        let total = |amounts: &[Money]| amounts.iter().copied().sum::<Money>().as_f64();
        let average = |amounts: &[Money]| mean(amounts.iter().map(|amount| amount.as_f64()));

        let closes: Vec<f64> =
            daily_closes(&record.equity).iter().map(|close| close.1.as_f64()).collect();
        let capital = record.initial_capital.as_f64();
        let daily = Daily::of(capital, &closes);
        let drawdown = Drawdown::of(record.initial_capital, &record.equity);

        Statistics {
            trades: trades.len() as u64,
            net_pnl: sum(Trade::net_pnl),
            gross_pnl: sum(|trade| trade.gross_pnl),
            costs: sum(|trade| trade.costs),
            slippage: sum(|trade| trade.slippage),
            final_equity: record.equity.last().map(|point| point.equity.as_f64()),
            days: closes.len() as u64,
            sharpe: daily.sharpe,
            sortino: daily.sortino,
            calmar: daily.calmar,
            cagr: daily.cagr,
            volatility: daily.volatility,
            max_drawdown: drawdown.as_ref().map(|it| it.amount.as_f64()),
            max_drawdown_fraction: drawdown.as_ref().map(|it| it.fraction),
            max_drawdown_seconds: drawdown
                .as_ref()
                .map(|it| it.longest as f64 / Timestamp::SECOND as f64),
            win_rate: ratio(wins.len() as f64, trades.len() as f64),
            profit_factor: ratio(total(&wins), -total(&losses)),
            expectancy: mean_of(Trade::net_pnl),
            average_win: average(&wins),
            average_loss: average(&losses),
            payoff: average(&wins).zip(average(&losses)).and_then(|(win, loss)| ratio(win, -loss)),
            largest_win: wins.iter().max().map(|amount| amount.as_f64()),
            largest_loss: losses.iter().min().map(|amount| amount.as_f64()),
            longest_losing_streak: longest_losing_streak(trades),
            average_bars_held: mean(trades.iter().map(|trade| f64::from(trade.bars_held))),
            average_mfe: mean_of(|trade| trade.mfe),
            average_mae: mean_of(|trade| trade.mae),
            exposure: ratio(record.time_in_market as f64, record.open_market_time as f64),
            contracts_traded: trades.iter().map(|trade| 2 * u64::from(trade.quantity)).sum(),
            turnover: mean(closes.iter().copied())
                .and_then(|equity| ratio(notional(record), equity)),
            exit_reasons: exit_reasons(trades),
        }
    }
}

/// Daily returns of the closes, the first from `capital`; None if equity was not above zero.
pub(super) fn daily_returns(capital: f64, closes: &[f64]) -> Option<Vec<f64>> {
    let mut before = capital;
    let mut returns = Vec::with_capacity(closes.len());
    for &close in closes {
        if before <= 0.0 || close <= 0.0 {
            return None;
        }
        returns.push(close / before - 1.0);
        before = close;
    }
    Some(returns)
}

/// Annualised Sharpe ratio of daily returns, as [`Statistics::sharpe`].
pub(super) fn sharpe(returns: &[f64]) -> Option<f64> {
    let mean = mean(returns.iter().copied())?;
    ratio(mean * DAYS_A_YEAR.sqrt(), standard_deviation(returns)?)
}

#[derive(Default)]
struct Daily {
    sharpe: Option<f64>,
    sortino: Option<f64>,
    calmar: Option<f64>,
    cagr: Option<f64>,
    volatility: Option<f64>,
}

impl Daily {
    fn of(capital: f64, closes: &[f64]) -> Daily {
        let Some(returns) = daily_returns(capital, closes).filter(|all| all.len() >= 2) else {
            return Daily::default();
        };
        let days = returns.len() as f64;
        let last = closes[closes.len() - 1];
        let cagr = (last / capital).powf(DAYS_A_YEAR / days) - 1.0;
        let downside =
            (returns.iter().map(|value| value.min(0.0).powi(2)).sum::<f64>() / days).sqrt();
        let mut peak = capital;
        let mut deepest: f64 = 0.0;
        for &close in closes {
            peak = peak.max(close);
            deepest = deepest.max((peak - close) / peak);
        }
        Daily {
            sharpe: sharpe(&returns),
            sortino: mean(returns.iter().copied())
                .and_then(|mean| ratio(mean * DAYS_A_YEAR.sqrt(), downside)),
            calmar: ratio(cagr, deepest),
            cagr: Some(cagr).filter(|value| value.is_finite()),
            volatility: standard_deviation(&returns).map(|value| value * DAYS_A_YEAR.sqrt()),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut count = 0_u64;
    let sum: f64 = values.inspect(|_| count += 1).sum();
    ratio(sum, count as f64)
}

/// With n − 1; None for fewer than two values.
fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values.iter().copied()).filter(|_| values.len() >= 2)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// `None` unless the denominator is above zero (by more than rounding) and the result finite.
fn ratio(numerator: f64, denominator: f64) -> Option<f64> {
    // Equal returns have a deviation of some 1e-17 from rounding alone; that is no variance.
    // The sum of no floats is −0; adding 0 makes it 0.
    (denominator > 1e-14).then(|| numerator / denominator + 0.0).filter(|value| value.is_finite())
}

fn longest_losing_streak(trades: &[Trade]) -> Option<u64> {
    let mut longest = 0;
    let mut current = 0;
    for trade in trades {
        current = if trade.net_pnl() < Money::ZERO { current + 1 } else { 0 };
        longest = longest.max(current);
    }
    (!trades.is_empty()).then_some(longest)
}

fn notional(record: &RunRecord) -> f64 {
    let points: f64 = record
        .trades
        .iter()
        .map(|trade| {
            f64::from(trade.quantity) * (trade.entry_price.as_f64() + trade.exit_price.as_f64())
        })
        .sum();
    points * record.point_value.as_f64()
}

fn exit_reasons(trades: &[Trade]) -> Vec<ExitReasonStatistics> {
    ExitReason::ALL
        .iter()
        .map(|&reason| {
            let nets: Vec<Money> =
                trades.iter().filter(|t| t.exit_reason == reason).map(Trade::net_pnl).collect();
            ExitReasonStatistics {
                reason: reason.name().to_owned(),
                trades: nets.len() as u64,
                wins: nets.iter().filter(|&&net| net > Money::ZERO).count() as u64,
                net_pnl: nets.iter().copied().sum::<Money>().as_f64(),
            }
        })
        .filter(|row| row.trades > 0)
        .collect()
}
