"""Low-volume nodes by scipy.signal, over a profile that numpy makes anew for each window by the rule of
src/indicators/volume_profile.rs, as are the point of control and the value area."""

import numpy as np
from scipy.signal import argrelextrema, peak_prominences

SETTINGS = {"window": 230, "row_ticks": 4, "order": 7, "min_ratio": 0.01, "value_area": 0.7}


def profile(bars):
    """Units of 2^-20 contracts by row, and the first row's number, of the rows with volume."""
    high, low, volume = bars[:, 1], bars[:, 2], bars[:, 4]
    bottom, top = low.min(), high.max()
    prices = np.zeros(top - bottom + 1, dtype=np.int64)
    for bar in range(len(bars)):
        touched = high[bar] - low[bar] + 1
        units = int(volume[bar]) << 20
        at = low[bar] - bottom
        prices[at : at + touched] += units // int(touched)
        prices[at : at + units % int(touched)] += 1
    number = np.arange(bottom, top + 1) // SETTINGS["row_ticks"]
    rows = np.zeros(number[-1] - number[0] + 1, dtype=np.int64)
    np.add.at(rows, number - number[0], prices)
    assert rows.sum() == int(volume.sum()) << 20
    filled = np.flatnonzero(rows)
    return rows[filled[0] : filled[-1] + 1], int(number[0] + filled[0])


def value_area(rows, busiest):
    inside = {busiest}
    while rows[sorted(inside)].sum() < SETTINGS["value_area"] * rows.sum():
        above, below = max(inside) + 1, min(inside) - 1
        candidates = [row for row in (above, below) if 0 <= row < len(rows)]
        # max() keeps the first of equals, which is the one above.
        inside.add(max(candidates, key=lambda row: rows[row]))
    return min(inside), max(inside)


def centre(row):
    return (int(row) + 0.5) * SETTINGS["row_ticks"]


def windows(bars, every):
    """Rows for the first whole window of `bars` and each `every` bars on: its last bar; the nearest node,
    the next above and the next below, each as price, strength and prominence, or None; how many nodes;
    the point of control and the value area's upper and lower edge. Prices are in ticks."""
    bars, result = np.asarray(bars, dtype=np.int64), []
    for last in range(SETTINGS["window"] - 1, len(bars), every):
        close = bars[last, 3]
        rows, first = profile(bars[last - SETTINGS["window"] + 1 : last + 1])
        busiest = int(np.argmax(rows))
        troughs = argrelextrema(rows, np.less, order=SETTINGS["order"], mode="clip")[0]
        troughs = troughs[rows[troughs] > SETTINGS["min_ratio"] * rows[busiest]]
        troughs = troughs[(troughs > 0) & (troughs < len(rows) - 1)]
        depths = peak_prominences(-rows.astype(float), troughs)[0]
        prices = np.array([centre(first + row) for row in troughs])

        def node(index):
            if index is None:
                return None
            most = float(rows[busiest])
            strength = 1.0 - float(rows[troughs[index]]) / most
            return [float(prices[index]), strength, float(depths[index]) / most]

        above, below = np.flatnonzero(prices > close), np.flatnonzero(prices < close)
        # argmin() keeps the first of equals, which is the lower.
        nearest = int(np.argmin(np.abs(prices - close))) if len(prices) else None
        lowest, highest = value_area(rows, busiest)
        row_ticks = SETTINGS["row_ticks"]
        result.append([
            last,
            node(nearest),
            node(int(above[0]) if len(above) else None),
            node(int(below[-1]) if len(below) else None),
            len(troughs),
            centre(first + busiest),
            (first + highest + 1) * row_ticks,
            (first + lowest) * row_ticks,
        ])
    return result
