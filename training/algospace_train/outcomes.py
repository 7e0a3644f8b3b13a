"""What somebody made of some markets, by day, with intervals.

Every trade counts for one contract, since the oracle of a synthetic market holds one; a day without a trade counts as nothing.
Intervals are of 95 %, by a bootstrap over days (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from algospace_train import _engine
from algospace_train.markets import Markets
from algospace_train.settings import EvaluationSettings, WalkForwardSettings


@dataclass
class Outcome:
    """What somebody made of some markets."""

    net: np.ndarray
    """[days]: dollars a contract of every day"""
    gross: np.ndarray
    """before commission; spread and slippage are in it"""
    free: np.ndarray
    """before spread and slippage too"""
    trades: int

    def facts(self, settings: EvaluationSettings | WalkForwardSettings) -> dict[str, Any]:
        """Everything that is told of it."""
        intervals = {
            f"{name}_a_day": interval(getattr(self, name), settings.resamples, settings.seed)
            for name in ("net", "gross", "free")
        }
        return {"days": len(self.net), "trades_a_day": self.trades / len(self.net)} | intervals


def interval(values: np.ndarray, resamples: int, seed: int) -> dict[str, float]:
    """Mean a day, and its interval."""
    random = np.random.default_rng([seed, 17])
    means = np.array([values[random.integers(0, len(values), len(values))].mean() for _ in range(resamples)])
    low, high = np.quantile(means, (0.025, 0.975))
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def join(outcomes: list[Outcome]) -> Outcome:
    """Over several markets."""
    days = (np.concatenate([getattr(of, name) for of in outcomes]) for name in ("net", "gross", "free"))
    return Outcome(*days, sum(of.trades for of in outcomes))


def by_day(
    markets: Markets, market: int, entry: np.ndarray, net: np.ndarray, gross: np.ndarray, free: np.ndarray
) -> Outcome:
    """Trades by the session that they were entered in, of the sessions in which something can be decided."""
    opens = markets.markets[market].sessions()["open"]
    _, first, end = markets.spans[market]
    day = np.searchsorted(opens, entry, side="right") - 1
    chosen = (day >= first) & (day < end)
    total = np.zeros((3, end - first))
    for row, values in zip(total, (net, gross, free), strict=True):
        np.add.at(row, day[chosen] - first, values[chosen])
    return Outcome(*total, int(chosen.sum()))


def collected(environment: "_engine.VectorEnvironment", markets: Markets) -> Outcome:
    """What the round trips of an environment came to."""
    trades = environment.take_trades()
    each = np.maximum(trades["quantity"], 1)
    net, gross, free = trades["net"] / each, trades["gross"] / each, (trades["gross"] + trades["slippage"]) / each
    outcomes = []
    for market in range(len(markets.markets)):
        of = trades["market"] == market
        outcomes.append(by_day(markets, market, trades["entry_time"][of], net[of], gross[of], free[of]))
    return join(outcomes)
