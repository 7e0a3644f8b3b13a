"""
@pyne

The momentum index (MLMI) as PyneCore, a runtime of TradingView's Pine semantics checked against
TradingView itself, executes it bar by bar; `momentum_index.py` runs this. `main` is written from the
published definition with Pine's own rsi, wma, crossover, crossunder, highest, lowest and arrays, and
Pine's `na`. The store never forgets, as published. `forward` with its next labels is ours.
"""

from pynecore.lib import array, close, math, na, plot, script, ta
from pynecore.types import Persistent, Series

NEIGHBOURS = 50
TREND_LENGTH = 20


def farthest_of_nearest(distances, neighbours):
    """The greatest of the smallest `neighbours` distances."""
    nearest = array.copy(distances)
    array.sort(nearest)
    return array.max(array.slice(nearest, 0, math.min(neighbours, array.size(nearest))))


@script.indicator(title="MLMI")
def main():
    quick_store: Persistent[list[float]] = array.new_float(1, 0.0)
    slow_store: Persistent[list[float]] = array.new_float(1, 0.0)
    price_store: Persistent[list[float]] = array.new_float(1, 0.0)
    label_store: Persistent[list[float]] = array.new_float(1, 0.0)
    remembered: Persistent[int] = 0

    fast = ta.wma(close, 5)
    slow = ta.wma(close, 20)
    slow_feature = ta.wma(ta.rsi(close, 20), TREND_LENGTH)
    quick_feature = ta.wma(ta.rsi(close, 5), TREND_LENGTH)

    over = ta.crossover(fast, slow)
    under = ta.crossunder(fast, slow)
    if over or under:
        array.push(label_store, 1.0 if close >= array.last(price_store) else -1.0)
        array.push(slow_store, slow_feature)
        array.push(quick_store, quick_feature)
        array.push(price_store, close)
        if not na(slow_feature) and not na(quick_feature):
            remembered += 1

    distances = array.new_float(0)
    for i in range(array.size(slow_store)):
        slow_part = math.pow(slow_feature - array.get(slow_store, i), 2)
        quick_part = math.pow(quick_feature - array.get(quick_store, i), 2)
        array.push(distances, math.sqrt(slow_part + quick_part))
    radius = farthest_of_nearest(distances, NEIGHBOURS)
    voters = array.new_float(0)
    next_voters = array.new_float(0)
    for i in range(array.size(distances)):
        if array.get(distances, i) <= radius:
            array.push(voters, array.get(label_store, i))
            known = 0 < i and i + 1 < array.size(label_store)
            array.push(next_voters, array.get(label_store, i + 1) if known else 0.0)
    vote: Series[float] = array.sum(voters)
    forward = array.sum(next_voters)

    plot(1 if over else -1 if under else 0, "crossing")
    plot(remembered, "crossings")
    plot(vote, "vote")
    plot(forward, "forward")
    plot(ta.wma(vote, 20), "vote_average")
    plot(ta.highest(vote, 2000), "upper")
    plot(ta.lowest(vote, 2000), "lower")
    plot(radius, "radius")
