//! Statistics of a run's trades and equity.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::RunRecord;
use super::drawdown::Drawdown;
use super::trading_day::decidable_closes;
use crate::execution::{ExitReason, Trade};
use crate::market::{Money, Timestamp};

/// The fewest losing days from which their size is estimated.
const FEWEST_LOSING_DAYS: usize = 10;

/// Statistics of a run's trades and equity. Money is in dollars.
///
/// A value that is undefined for the run, or that rests on too little, is `None` (`null` in JSON),
/// never 0 and never NaN; [`Statistics::undefined`] says why.
///
/// *Day*: a session of the instrument's calendar, by its trade date; *year*:
/// [`crate::market::Calendar::sessions_a_year`] of them. *Daily return*: the change of equity from
/// one day's last point to the next day's, over the equity before; the first day counts from the
/// initial capital. Days without any equity point are no days, and neither are those before
/// anything could be decided. All that rests on daily returns is `None` if the account was ever at
/// or below zero at a day's close.
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
    /// Cost of slippage (≥ 0); already inside `gross_pnl`.
    pub slippage: f64,
    /// Equity at the last point.
    pub final_equity: Option<f64>,
    /// Days with an equity point, from the first on which something could be decided.
    pub days: u64,
    /// Mean daily return over its standard deviation (n − 1), times √(days a year); the risk-free
    /// rate is 0.
    /// None with fewer than two days or without variance.
    pub sharpe: Option<f64>,
    /// Mean daily return over √(mean of min(return, 0)²), times √(days a year) (Sortino and Price
    /// 1994, target 0). None with fewer days than half a year has, or fewer than ten losing ones.
    pub sortino: Option<f64>,
    /// [`Statistics::cagr`] over the largest drawdown, in percent of the peak, at days' closes.
    /// None without such a drawdown, or with fewer days than half a year has.
    pub calmar: Option<f64>,
    /// Compound growth a year: (final ÷ initial)^(days a year ÷ days) − 1, as a fraction. None with
    /// fewer days than half a year has.
    pub cagr: Option<f64>,
    /// Standard deviation (n − 1) of daily returns, times √(days a year), as a fraction. None with
    /// fewer than two days.
    pub volatility: Option<f64>,
    /// Largest fall of equity from its highest point before (the initial capital counts), over all
    /// equity points, in dollars (≥ 0). None without equity points.
    pub max_drawdown: Option<f64>,
    /// Largest such fall as a fraction of that highest point (≥ 0).
    pub max_drawdown_fraction: Option<f64>,
    /// Seconds of the longest time from a highest point to the first point that reaches it again,
    /// or to the last point.
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
    /// The figures that are `None`, by their names in JSON, and why.
    #[serde(default)]
    pub undefined: BTreeMap<String, String>,
}

/// The trades that ended for one reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitReasonStatistics {
    /// As [`ExitReason::name`].
    pub reason: String,
    /// Number of trades.
    pub trades: u64,
    /// Those with a net profit.
    pub wins: u64,
    /// Their net profit or loss together, in dollars.
    pub net_pnl: f64,
}

impl Statistics {
    /// Returns the statistics of a run.
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

        let closes = closes(record);
        let daily = Daily::of(record, &closes);
        let drawdown = Drawdown::of(record.initial_capital, &record.equity);
        let mut undefined = BTreeMap::new();
        let mut known = |name: &str, figure: Figure| match figure {
            Ok(value) => Some(value),
            Err(why) => {
                undefined.insert(name.to_owned(), why);
                None
            }
        };
        let no = |what: &'static str| move || format!("there is no {what}");
        let (no_trade, no_point) = (no("trade"), no("equity point"));
        let (no_win, no_loss) = (no("trade with a profit"), no("trade with a loss"));
        let (win, loss) = (average(&wins).ok_or_else(no_win), average(&losses).ok_or_else(no_loss));
        let payoff = match (&win, &loss) {
            (Ok(win), Ok(loss)) => ratio(*win, -loss).ok_or_else(no_loss),
            (Err(why), _) | (_, Err(why)) => Err(why.clone()),
        };
        let equity = mean(closes.iter().copied());
        let turnover = equity.ok_or_else(no_point).and_then(|equity| {
            ratio(notional(record), equity)
                .ok_or_else(|| "mean equity is not above zero".to_owned())
        });
        let exposure = ratio(record.time_in_market as f64, record.open_market_time as f64);

        Statistics {
            trades: trades.len() as u64,
            net_pnl: sum(Trade::net_pnl),
            gross_pnl: sum(|trade| trade.gross_pnl),
            costs: sum(|trade| trade.costs),
            slippage: sum(|trade| trade.slippage),
            final_equity: known(
                "final_equity",
                record.equity.last().map(|point| point.equity.as_f64()).ok_or_else(no_point),
            ),
            days: closes.len() as u64,
            sharpe: known("sharpe", daily.sharpe),
            sortino: known("sortino", daily.sortino),
            calmar: known("calmar", daily.calmar),
            cagr: known("cagr", daily.cagr),
            volatility: known("volatility", daily.volatility),
            max_drawdown: known(
                "max_drawdown",
                drawdown.as_ref().map(|it| it.amount.as_f64()).ok_or_else(no_point),
            ),
            max_drawdown_fraction: known(
                "max_drawdown_fraction",
                drawdown.as_ref().map(|it| it.fraction).ok_or_else(no_point),
            ),
            max_drawdown_seconds: known(
                "max_drawdown_seconds",
                drawdown
                    .as_ref()
                    .map(|it| it.longest as f64 / Timestamp::SECOND as f64)
                    .ok_or_else(no_point),
            ),
            win_rate: known(
                "win_rate",
                ratio(wins.len() as f64, trades.len() as f64).ok_or_else(no_trade),
            ),
            profit_factor: known(
                "profit_factor",
                ratio(total(&wins), -total(&losses)).ok_or_else(no_loss),
            ),
            expectancy: known("expectancy", mean_of(Trade::net_pnl).ok_or_else(no_trade)),
            average_win: known("average_win", win),
            average_loss: known("average_loss", loss),
            payoff: known("payoff", payoff),
            largest_win: known(
                "largest_win",
                wins.iter().max().map(|amount| amount.as_f64()).ok_or_else(no_win),
            ),
            largest_loss: known(
                "largest_loss",
                losses.iter().min().map(|amount| amount.as_f64()).ok_or_else(no_loss),
            ),
            longest_losing_streak: longest_losing_streak(trades),
            average_bars_held: known(
                "average_bars_held",
                mean(trades.iter().map(|trade| f64::from(trade.bars_held))).ok_or_else(no_trade),
            ),
            average_mfe: known("average_mfe", mean_of(|trade| trade.mfe).ok_or_else(no_trade)),
            average_mae: known("average_mae", mean_of(|trade| trade.mae).ok_or_else(no_trade)),
            exposure: known("exposure", exposure.ok_or_else(no("time of an open market"))),
            contracts_traded: trades.iter().map(|trade| 2 * u64::from(trade.quantity)).sum(),
            turnover: known("turnover", turnover),
            exit_reasons: exit_reasons(trades),
            undefined,
        }
    }
}

/// A value, or the reason why it is undefined.
type Figure = Result<f64, String>;

/// Returns equity at the end of each day, from the first on which something could be decided.
fn closes(record: &RunRecord) -> Vec<f64> {
    let closes = decidable_closes(record.calendar, &record.equity, record.decides_from);
    closes.iter().map(|close| close.1.as_f64()).collect()
}

/// Returns daily returns, the first from the initial capital; `None` if equity was not above zero.
pub(super) fn daily_returns(record: &RunRecord) -> Option<Vec<f64>> {
    returns_of(record.initial_capital.as_f64(), &closes(record))
}

fn returns_of(capital: f64, closes: &[f64]) -> Option<Vec<f64>> {
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

/// Returns the annualised Sharpe ratio of daily returns, as [`Statistics::sharpe`].
pub(super) fn sharpe(returns: &[f64], days_a_year: f64) -> Option<f64> {
    let mean = mean(returns.iter().copied())?;
    ratio(mean * days_a_year.sqrt(), standard_deviation(returns)?)
}

/// Returns `too few days: 20 of the 126 that it takes`.
pub(super) fn too_few(what: &str, found: usize, needed: usize) -> String {
    format!("too few {what}: {found} of the {needed} that it takes")
}

/// Figures that rest on daily returns.
struct Daily {
    sharpe: Figure,
    sortino: Figure,
    calmar: Figure,
    cagr: Figure,
    volatility: Figure,
}

impl Daily {
    fn of(record: &RunRecord, closes: &[f64]) -> Daily {
        let capital = record.initial_capital.as_f64();
        let none = |why: String| Daily {
            sharpe: Err(why.clone()),
            sortino: Err(why.clone()),
            calmar: Err(why.clone()),
            cagr: Err(why.clone()),
            volatility: Err(why),
        };
        let Some(returns) = returns_of(capital, closes) else {
            return none("the account was at or below zero at a day's close".to_owned());
        };
        let (days, a_year) = (returns.len(), record.calendar.sessions_a_year());
        if days == 0 && record.decides_from.is_none() && !record.equity.is_empty() {
            return none("no decision was possible on any day".to_owned());
        }
        if days < 2 {
            return none(too_few("days", days, 2));
        }
        let (half_a_year, a_year) = (a_year as usize / 2, f64::from(a_year));
        // Less is extrapolated too far: a month's growth to the power of twelve.
        let carried = match days < half_a_year {
            true => Err(too_few("days", days, half_a_year)),
            false => Ok(()),
        };
        let growth = (closes[days - 1] / capital).powf(a_year / days as f64) - 1.0;
        let cagr = carried.clone().and_then(|()| {
            Some(growth)
                .filter(|it| it.is_finite())
                .ok_or_else(|| "it is beyond any number".to_owned())
        });
        let losing = returns.iter().filter(|value| **value < 0.0).count();
        let downside =
            (returns.iter().map(|value| value.min(0.0).powi(2)).sum::<f64>() / days as f64).sqrt();
        let mean = mean(returns.iter().copied()).unwrap_or_default();
        let sortino = carried.and_then(|()| match losing < FEWEST_LOSING_DAYS {
            true => Err(too_few("losing days", losing, FEWEST_LOSING_DAYS)),
            false => ratio(mean * a_year.sqrt(), downside)
                .ok_or_else(|| "no day lost more than rounding".to_owned()),
        });
        let mut peak = capital;
        let mut deepest: f64 = 0.0;
        for &close in closes {
            peak = peak.max(close);
            deepest = deepest.max((peak - close) / peak);
        }
        let calmar = cagr.clone().and_then(|cagr| {
            ratio(cagr, deepest).ok_or_else(|| "no day closed below an earlier one".to_owned())
        });
        let deviation = standard_deviation(&returns).map(|value| value * a_year.sqrt());
        Daily {
            sharpe: sharpe(&returns, a_year)
                .ok_or_else(|| "the returns of all days are equal".to_owned()),
            sortino,
            calmar,
            cagr,
            volatility: deviation.ok_or_else(|| too_few("days", days, 2)),
        }
    }
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut count = 0_u64;
    let sum: f64 = values.inspect(|_| count += 1).sum();
    ratio(sum, count as f64)
}

/// Returns the deviation with n − 1; `None` for fewer than two values.
fn standard_deviation(values: &[f64]) -> Option<f64> {
    let mean = mean(values.iter().copied()).filter(|_| values.len() >= 2)?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((squares / (values.len() - 1) as f64).sqrt())
}

/// Divides; `None` unless the denominator is above zero (by more than rounding) and the result
/// finite.
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
