"""Writes tests/fixtures/performance_oracle.json: figures of a made-up account by other hands.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install -r tests/oracles/requirements.txt
    /tmp/oracle/bin/python tests/oracles/performance_oracle.py

Daily figures come from empyrical-reloaded, trade figures from quantstats (which is handed the net
profit of each trade), the drawdown in dollars and the turnover from pandas. `cargo test` reads the
file and needs no Python.
"""

import json
from importlib.metadata import version
from pathlib import Path

import empyrical
import numpy as np
import pandas as pd
from quantstats import stats as quantstats

CAPITAL = 100_000.0
POINT_VALUE = 50.0

random = np.random.default_rng(20131007)

# One equity point a trading day, at the session's close in winter (16:00 in Chicago), in cents.
days = pd.bdate_range("2013-01-02", periods=300)
growth = np.cumprod(1.0 + random.normal(0.0006, 0.011, len(days)))
equity = pd.Series(np.round(CAPITAL * growth, 2), index=days)
returns = pd.concat([pd.Series([CAPITAL]), equity]).pct_change().iloc[1:]
returns.index = days

# Trades; none is exactly zero, which quantstats would not count at all.
count = 180
quantity = random.integers(1, 5, count)
entry = 1600.0 + 0.25 * random.integers(-400, 400, count)
move = 0.25 * random.integers(-40, 45, count)
gross = np.round(move * quantity * POINT_VALUE, 2)
costs = np.round(4.24 * quantity, 2)
net = pd.Series(np.round(gross - costs, 2), index=pd.date_range("2013-01-02", periods=count))
assert (net != 0).all()

level = pd.concat([pd.Series([CAPITAL]), equity])
expected = {
    "sharpe": empyrical.sharpe_ratio(returns),
    "sortino": empyrical.sortino_ratio(returns),
    "calmar": empyrical.calmar_ratio(returns),
    "cagr": empyrical.cagr(returns),
    "volatility": empyrical.annual_volatility(returns),
    "max_drawdown_fraction": -empyrical.max_drawdown(returns),
    "max_drawdown": (level.cummax() - level).max(),
    "net_pnl": net.sum(),
    "gross_pnl": gross.sum(),
    "costs": costs.sum(),
    "win_rate": quantstats.win_rate(net, prepare_returns=False),
    "profit_factor": quantstats.profit_factor(net, prepare_returns=False),
    "expectancy": net.mean(),
    "average_win": quantstats.avg_win(net, prepare_returns=False),
    "average_loss": quantstats.avg_loss(net, prepare_returns=False),
    "payoff": quantstats.payoff_ratio(net, prepare_returns=False),
    "largest_win": net.max(),
    "largest_loss": net.min(),
    "longest_losing_streak": quantstats.consecutive_losses(net, prepare_returns=False),
    "turnover": (quantity * (entry + entry + move) * POINT_VALUE).sum() / equity.mean(),
}

fixture = {
    "made_by": "tests/oracles/performance_oracle.py with empyrical-reloaded "
    f"{version('empyrical-reloaded')}, quantstats {version('quantstats')}",
    "capital": CAPITAL,
    "point_value": POINT_VALUE,
    "equity": [[f"{day.date()}T22:00:00Z", value] for day, value in equity.items()],
    "trades": [
        {
            "quantity": int(quantity[i]),
            "entry": float(entry[i]),
            "exit": float(entry[i] + move[i]),
            "gross": float(gross[i]),
            "costs": float(costs[i]),
        }
        for i in range(count)
    ],
    "expected": {name: float(value) for name, value in expected.items()},
}
path = Path(__file__).parent.parent / "fixtures" / "performance_oracle.json"
path.parent.mkdir(exist_ok=True)
path.write_text(json.dumps(fixture, indent=0) + "\n")
print(path, path.stat().st_size, "bytes")
print(json.dumps(fixture["expected"], indent=1))
