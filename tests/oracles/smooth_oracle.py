"""Writes tests/fixtures/smooth_oracle.json: indicators over made-up bars, by other hands.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install numpy pandas scipy statsmodels TA-Lib pandas-ta-classic pynesys-pynecore
    /tmp/oracle/bin/python tests/oracles/smooth_oracle.py

Each column comes from the library named beside it. Where two libraries have it, they must agree
before anything is written. `cargo test` reads the file and needs no Python.
"""

import datetime
import json
import tempfile
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
import pandas_ta_classic as pandas_ta
import talib
from pynecore.core.script_runner import ScriptRunner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.types.ohlcv import OHLCV
from scipy import stats
from statsmodels.tsa.stattools import acf

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
ohlc4 = sum(points.values()) / 4.0


# ---- PyneCore: a Pine interpreter, for what TradingView defines --------------------------------
PYNE = '''"""
@pyne
"""
from pynecore.lib import close, ohlc4, plot, script, ta
from pynecore.types import Series


def kernel(source: Series[float], bandwidth: float) -> float:
    total = 0.0
    weights = 0.0
    for i in range(27):
        weight = (1.0 + i ** 2 / (bandwidth ** 2 * 2.0 * 8.0)) ** -8.0
        total += source[i] * weight
        weights += weight
    return total / weights


@script.indicator("oracle")
def main():
    source: Series[float] = ohlc4
    slow: Series[float] = kernel(source, 8.0)
    fast: Series[float] = kernel(source, 6.0)
    was_down = slow[2] > slow[1]
    was_up = slow[2] < slow[1]
    down = slow[1] > slow
    up = slow[1] < slow
    plot(slow, "estimate")
    plot(fast, "fast_estimate")
    plot(1 if up and was_down else -1 if down and was_up else 0, "turn")
    over = ta.crossover(fast, slow)
    under = ta.crossunder(fast, slow)
    plot(1 if over else -1 if under else 0, "cross")
    plot(ta.rsi(close, 14), "rsi_14_close")
    plot(ta.rsi(ohlc4, 20), "rsi_20_ohlc4")
    plot(ta.wma(close, 20), "wma_20_close")
    plot(ta.atr(14), "average_true_range")
'''


def pyne():
    whole_day = [SymInfoInterval(day, datetime.time(0), datetime.time(23, 59, 59)) for day in range(7)]
    midnight = [SymInfoSession(day, datetime.time(0)) for day in range(7)]
    symbol = SymInfo(
        prefix="CME", description="", ticker="ES", currency="USD", period="30", type="futures",
        mintick=TICK, pricescale=100, minmove=25, pointvalue=50.0, mincontract=1.0,
        opening_hours=whole_day, session_starts=midnight, session_ends=midnight)
    candles = [
        OHLCV(1_600_000_200_000 + bar * 1_800_000, *(float(points[name][bar]) for name in points),
              float(volume[bar]))
        for bar in range(BARS)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "oracle.py"
        path.write_text(PYNE)
        runner = ScriptRunner(path, candles, symbol, last_bar_index=BARS - 1, lossless_prices=True)
        rows = [{name: float(value) for name, value in plots.items()}
                for _, plots, *_ in runner.run_iter()]
    return pd.DataFrame(rows)


def agree(name, one, other, tolerance=1e-9, since=0):
    one, other = np.asarray(one, dtype=float)[since:], np.asarray(other, dtype=float)[since:]
    assert np.array_equal(np.isnan(one), np.isnan(other)), f"{name}: defined at different bars"
    worst = np.nanmax(np.abs(one - other))
    assert worst <= tolerance, f"{name}: {worst} apart"
    print(f"{name:<28} two libraries agree within {worst:.1e}")
    return one


columns = {}

# ---- Heiken Ashi: pandas-ta-classic, TA-Lib --------------------------------------------------
frame = pandas_ta.ha(*(pd.Series(points[name]) for name in ("open", "high", "low", "close")))
for name in ("open", "high", "low", "close"):
    columns[f"heiken_ashi_{name}"] = frame[f"HA_{name}"].to_numpy()
if hasattr(talib, "HA"):
    for name, column in zip(("open", "high", "low", "close"), talib.HA(*points.values())):
        agree(f"heiken_ashi_{name}", columns[f"heiken_ashi_{name}"], column, 0.0)

# ---- RSI, WMA: TA-Lib, PyneCore, pandas-ta-classic -------------------------------------------
tradingview = pyne()
columns["rsi_14_close"] = talib.RSI(points["close"], 14)
columns["rsi_20_ohlc4"] = talib.RSI(ohlc4, 20)
columns["wma_20_close"] = talib.WMA(points["close"], 20)
columns["wma_5_ohlc4"] = talib.WMA(ohlc4, 5)
for name in ("rsi_14_close", "rsi_20_ohlc4", "wma_20_close"):
    agree(name, columns[name], tradingview[name])
agree("wma_5_ohlc4", columns["wma_5_ohlc4"], pandas_ta.wma(pd.Series(ohlc4), 5, talib=False))
columns["wma_20_of_rsi"] = np.concatenate(
    [np.full(20, np.nan), talib.WMA(columns["rsi_20_ohlc4"][20:], 20)])

# ---- ATR: PyneCore; TA-Lib leaves the first bar out, so a bar that closed inside it goes before ----
before = {name: np.concatenate([[points["open"][0]], points[name]]) for name in points}
columns["average_true_range"] = talib.ATR(before["high"], before["low"], before["close"], 14)[1:]
agree("average_true_range", columns["average_true_range"], tradingview["average_true_range"])

# ---- NW-RQK: numpy, PyneCore -----------------------------------------------------------------
for name, bandwidth in (("estimate", 8.0), ("fast_estimate", 6.0)):
    weights = (1.0 + np.arange(27.0) ** 2 / (2.0 * 8.0 * bandwidth**2)) ** -8.0
    values = np.convolve(ohlc4, weights / weights.sum(), "valid")
    columns[name] = np.concatenate([np.full(26, np.nan), values])
    agree(name, columns[name], tradingview[name])
weights = (1.0 + np.arange(50.0) ** 2 / (2.0 * 2.0 * 15.0**2)) ** -2.0
columns["estimate_of_close"] = np.concatenate(
    [np.full(49, np.nan), np.convolve(points["close"], weights / weights.sum(), "valid")])
columns["slope"] = np.concatenate([[np.nan], np.diff(columns["estimate"])])
columns["deviation"] = ohlc4 - columns["estimate"]
columns["turn"] = tradingview["turn"].to_numpy()
columns["cross"] = tradingview["cross"].to_numpy()

# ---- returns: numpy, pandas, statsmodels -----------------------------------------------------
close_series, volume_series = pd.Series(points["close"]), pd.Series(volume.astype(float))
returns = np.log(close_series / close_series.shift(1))
realised = returns.rolling(30).apply(lambda window: np.sqrt(np.mean(np.square(window))), raw=True)
columns["log_return"] = returns
columns["realised_volatility"] = realised
columns["volatility_of_volatility"] = realised.rolling(30).apply(lambda window: np.std(window, ddof=1))
columns["autocorrelation"] = returns.rolling(20).apply(
    lambda window: acf(window, nlags=1, fft=False)[1], raw=True)

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


libraries = ("numpy", "pandas", "scipy", "statsmodels", "TA-Lib", "pandas-ta-classic", "pynesys-pynecore")
fixture = {
    "seed": SEED,
    "versions": {name: version(name) for name in libraries},
    "tick_size": str(TICK),
    "bars": np.stack([open_, high, low, close, volume], axis=1).tolist(),
    "columns": {name: [rounded(name, value) for value in np.asarray(values, dtype=float)]
                for name, values in columns.items()},
}
assert all(len(values) == BARS for values in fixture["columns"].values())
path = Path(__file__).parents[1] / "fixtures" / "smooth_oracle.json"
path.write_text(json.dumps(fixture, separators=(",", ":")).replace('],"', '],\n"') + "\n")
print(f"{path}: {path.stat().st_size} bytes")
