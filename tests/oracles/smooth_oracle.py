"""Writes tests/fixtures/smooth_oracle.json: indicators over made-up bars, by other hands.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install -r tests/oracles/requirements.txt
    /tmp/oracle/bin/python tests/oracles/smooth_oracle.py

Each column comes from the library named beside it. `cargo test` reads the file and needs no Python.
"""

import numpy as np
import pandas as pd
import talib
from scipy import stats
from statsmodels.tsa.stattools import acf

import fixtures
import price_indicators

SEED = 20131007
BARS = 500
TICK = 0.25

# ---- bars on the tick grid, with a stretch where nothing traded --------------------------------
random = np.random.default_rng(SEED)
open_, high, low, close, volume = (np.zeros(BARS, dtype=np.int64) for _ in range(5))
last = 18_000
for bar in range(BARS):
    if 200 <= bar < 212:
        open_[bar] = high[bar] = low[bar] = close[bar] = last
        continue
    open_[bar] = last + random.integers(-2, 3)
    path = open_[bar] + np.cumsum(random.integers(-3, 4, 30))
    close[bar] = last = path[-1]
    high[bar], low[bar] = max(open_[bar], path.max()), min(open_[bar], path.min())
    volume[bar] = int(random.lognormal(8.0, 0.8))

points = {name: ticks * TICK for name, ticks in
          {"open": open_, "high": high, "low": low, "close": close}.items()}

# ---- price: TA-Lib, pandas-ta-classic, PyneCore -----------------------------------------------
columns = price_indicators.columns(
    np.column_stack([points[name] for name in ("open", "high", "low", "close")] + [volume]))
columns["wma_20_of_rsi"] = np.concatenate(
    [np.full(20, np.nan), talib.WMA(columns["rsi_20_ohlc4"][20:], 20)])
columns["estimate_of_close"] = price_indicators.kernel_regression(points["close"], 50, 15.0, 2.0)

# ---- returns: numpy, pandas, statsmodels -----------------------------------------------------
close_series, volume_series = pd.Series(points["close"]), pd.Series(volume.astype(float))
returns = np.log(close_series / close_series.shift(1))
realised = returns.rolling(30).apply(lambda window: np.sqrt(np.mean(np.square(window))), raw=True)
columns["log_return"] = returns
columns["realised_volatility"] = realised
columns["volatility_of_volatility"] = realised.rolling(30).apply(lambda window: np.std(window, ddof=1))
# Rounded, since the order in which acf sums, and with it the last digits, depends on the processor.
columns["autocorrelation"] = returns.rolling(20).apply(
    lambda window: acf(window, nlags=1, fft=False)[1], raw=True).round(11)

# ---- momentum: TA-Lib ------------------------------------------------------------------------
columns["momentum"] = talib.MOM(points["close"], 5)
columns["acceleration"] = np.concatenate([np.full(5, np.nan), talib.MOM(columns["momentum"][5:], 5)])

# ---- volume: numpy, scipy, pandas ------------------------------------------------------------
rolling = volume_series.rolling(20)
with np.errstate(divide="ignore"):
    columns["volume_ratio"] = volume_series / rolling.mean()
    columns["log_volume_ratio"] = np.log(columns["volume_ratio"])
columns["volume_z_score"] = rolling.apply(lambda window: stats.zscore(window, ddof=1)[-1], raw=True)
columns["volume_skewness"] = rolling.apply(lambda window: stats.skew(window, bias=False), raw=True)
sign = np.sign(close_series.diff())
columns["volume_balance"] = (sign * volume_series).rolling(20).sum() / rolling.sum()

# ---- the file --------------------------------------------------------------------------------
def rounded(name, value):
    if not np.isfinite(value):
        return None
    return float(value) if name.startswith("heiken") else float(f"{value:.13g}")


assert all(len(values) == BARS for values in columns.values())
fixtures.write("smooth_oracle.json", {
    "seed": SEED,
    "versions": fixtures.versions(
        "numpy", "pandas", "scipy", "statsmodels", "TA-Lib", "pandas-ta-classic", "pynesys-pynecore"),
    "tick_size": str(TICK),
    "bars": np.stack([open_, high, low, close, volume], axis=1).tolist(),
    "columns": {name: [rounded(name, value) for value in np.asarray(values, dtype=float)]
                for name, values in columns.items()},
})
