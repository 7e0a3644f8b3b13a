"""Indicators of price by TA-Lib, pandas-ta-classic and PyneCore, which must agree."""

import math
import operator

import numpy as np
import pandas as pd
import pandas_ta_classic as pandas_ta
import talib

import tradingview

TOLERANCE = 1e-9


def agree(name, column, *others, tolerance=TOLERANCE):
    """`column`, once the others are found to be the same."""
    column = np.asarray(column, dtype=float)
    for other in (np.asarray(other, dtype=float) for other in others):
        assert np.array_equal(np.isnan(column), np.isnan(other)), f"{name}: defined at different bars"
        worst = np.nanmax(np.abs(column - other))
        assert worst <= tolerance, f"{name}: {worst} apart"
    return column


def relative_strength(source, length, tradingview):
    theirs = pandas_ta.rsi(pd.Series(source), length, talib=False)
    return agree(f"RSI {length}", talib.RSI(source, length), theirs, tradingview)


def weighted_average(source, length, tradingview):
    theirs = pandas_ta.wma(pd.Series(source), length, talib=False)
    return agree(f"WMA {length}", talib.WMA(source, length), theirs, tradingview)


def columns(candles):
    """Columns of values by name, of rows of open, high, low, close in points and volume."""
    prices = dict(zip(("open", "high", "low", "close"), np.asarray(candles, dtype=float).T))
    close, ohlc4 = prices["close"], sum(prices.values()) / 4.0
    rows = pd.DataFrame(tradingview.run("price_indicators_script.py", candles))

    result = {}
    classic = pandas_ta.ha(*map(pd.Series, prices.values()))
    for name, column in zip(prices, talib.HA(*prices.values())):
        name = f"heiken_ashi_{name}"
        result[name] = agree(name, column, classic[f"HA_{name.split('_')[-1]}"], tolerance=0.0)

    result["rsi_14_close"] = relative_strength(close, 14, rows["rsi_14_close"])
    result["rsi_20_ohlc4"] = relative_strength(ohlc4, 20, rows["rsi_20_ohlc4"])
    result["wma_20_close"] = weighted_average(close, 20, rows["wma_20_close"])
    result["wma_5_ohlc4"] = weighted_average(ohlc4, 5, rows["wma_5_ohlc4"])

    # TA-Lib and pandas-ta-classic leave the first bar out, so a bar that closed inside it goes before.
    before = {name: np.concatenate([prices["open"][:1], prices[name]]) for name in ("high", "low", "close")}
    result["average_true_range"] = agree(
        "ATR",
        talib.ATR(*before.values(), 14)[1:],
        pandas_ta.atr(*map(pd.Series, before.values()), 14, talib=False)[1:],
        rows["average_true_range"])

    for name, bandwidth in (("estimate", 8.0), ("fast_estimate", 6.0)):
        result[name] = agree(name, rows[name], kernel_regression(ohlc4, 27, bandwidth, 8.0))
    result["slope"] = np.concatenate([[np.nan], np.diff(result["estimate"])])
    result["deviation"] = ohlc4 - result["estimate"]
    result["turn"] = rows["turn"].to_numpy()
    result["cross"] = rows["cross"].to_numpy()
    return result


def kernel_regression(source, taps, bandwidth, relative_weight):
    """By exact sums; numpy's differ in their last bits from processor to processor."""
    weights = [(1.0 + age**2 / (2.0 * relative_weight * bandwidth**2)) ** -relative_weight
               for age in range(taps - 1, -1, -1)]
    total = math.fsum(weights)
    values = [math.fsum(map(operator.mul, weights, source[end - taps : end])) / total
              for end in range(taps, len(source) + 1)]
    return np.concatenate([np.full(taps - 1, np.nan), values])
