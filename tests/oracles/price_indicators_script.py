"""
@pyne

Kernel regression (NW-RQK) with its colour changes and crossings as published on TradingView, relative
strength, weighted average and average true range; `price_indicators.py` has PyneCore run this.
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


@script.indicator("price indicators")
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
    plot(ta.wma(ohlc4, 5), "wma_5_ohlc4")
    plot(ta.atr(14), "average_true_range")
