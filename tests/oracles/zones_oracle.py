"""Writes tests/fixtures/zones_oracle.json: fair value gaps and volume profiles by other hands.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install smartmoneyconcepts scipy numpy pandas
    /tmp/oracle/bin/python tests/oracles/zones_oracle.py

Bars are made up, on the 0.25 grid. Fair value gaps come from smartmoneyconcepts, which wants the middle
bar to point the gap's way where LuxAlgo wants its close beyond the gap's edge, reports a gap on its
middle bar, and the bar that first touches it. Low-volume nodes come from scipy.signal, over a profile
that numpy makes anew for each window by the rule of src/indicators/volume_profile.rs, as are the point
of control and the value area. `cargo test` reads the file and needs no Python.

Prices are written in ticks.
"""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import argrelextrema, peak_prominences
from smartmoneyconcepts.smc import smc

BARS = 3_000
WINDOW, ROW, ORDER, MIN_RATIO, VALUE_AREA = 230, 4, 7, 0.01, 0.70
EVERY = 3  # windows compared: every third

random = np.random.default_rng(20240301)

# A walk in ticks whose moves cluster, opening off the last close now and then, so that there are gaps.
scale = np.exp(np.cumsum(random.normal(0, 0.05, BARS)) * 0.3)
drift = random.normal(0, 5, BARS) * np.clip(scale, 0.4, 3.0)
jumps = np.where(random.random(BARS) < 0.08, random.normal(0, 12, BARS), 0)
close = np.rint(17_000 + np.cumsum(drift + jumps)).astype(np.int64)
opening = np.concatenate([[17_000], close[:-1]]) + np.rint(jumps).astype(np.int64)
high = np.maximum(opening, close) + random.geometric(0.35, BARS) - 1
low = np.minimum(opening, close) - (random.geometric(0.35, BARS) - 1)
volume = np.rint(np.exp(random.normal(7.5, 0.9, BARS))).astype(np.int64)
volume[random.random(BARS) < 0.01] = 0

# --- fair value gaps

frame = pd.DataFrame({"open": opening, "high": high, "low": low, "close": close}) * 0.25
found = smc.fvg(frame.assign(volume=volume))
gaps = []
for middle in np.flatnonzero(found["FVG"].notna()):
    row = found.iloc[middle]
    touched = int(row["MitigatedIndex"])
    gaps.append(
        [
            int(middle) + 1,  # it is known with the bar after its middle
            int(row["FVG"]),
            int(row["Top"] * 4),
            int(row["Bottom"] * 4),
            touched if touched > 0 else None,
        ]
    )


# --- low-volume nodes


def profile(bars):
    """Units of 2^-20 contracts by row, and the first row's number, of the rows with volume."""
    bottom, top = low[bars].min(), high[bars].max()
    prices = np.zeros(top - bottom + 1, dtype=np.int64)
    for bar in bars:
        touched = high[bar] - low[bar] + 1
        units = int(volume[bar]) << 20
        at = low[bar] - bottom
        prices[at : at + touched] += units // int(touched)
        prices[at : at + units % int(touched)] += 1
    number = np.arange(bottom, top + 1) // ROW
    rows = np.zeros(number[-1] - number[0] + 1, dtype=np.int64)
    np.add.at(rows, number - number[0], prices)
    assert rows.sum() == int(volume[bars].sum()) << 20
    filled = np.flatnonzero(rows)
    return rows[filled[0] : filled[-1] + 1], int(number[0] + filled[0])


def value_area(rows, busiest):
    inside = {busiest}
    while rows[sorted(inside)].sum() < VALUE_AREA * rows.sum():
        above, below = max(inside) + 1, min(inside) - 1
        candidates = [row for row in (above, below) if 0 <= row < len(rows)]
        # max() keeps the first of equals, which is the one above.
        inside.add(max(candidates, key=lambda row: rows[row]))
    return min(inside), max(inside)


def centre(row):
    return (int(row) + 0.5) * ROW


windows = []
for last in range(WINDOW - 1, BARS, EVERY):
    rows, first = profile(np.arange(last - WINDOW + 1, last + 1))
    busiest = int(np.argmax(rows))
    troughs = argrelextrema(rows, np.less, order=ORDER, mode="clip")[0]
    troughs = troughs[rows[troughs] > MIN_RATIO * rows[busiest]]
    troughs = troughs[(troughs > 0) & (troughs < len(rows) - 1)]
    depths = peak_prominences(-rows.astype(float), troughs)[0]
    prices = np.array([centre(first + row) for row in troughs])

    def node(index):
        if index is None:
            return None
        most = float(rows[busiest])
        return [
            prices[index],
            1.0 - float(rows[troughs[index]]) / most,
            float(depths[index]) / most,
        ]

    above = np.flatnonzero(prices > close[last])
    below = np.flatnonzero(prices < close[last])
    # argmin() keeps the first of equals, which is the lower.
    nearest = int(np.argmin(np.abs(prices - close[last]))) if len(prices) else None
    lowest, highest = value_area(rows, busiest)
    windows.append(
        [
            last,
            node(nearest),
            node(int(above[0]) if len(above) else None),
            node(int(below[-1]) if len(below) else None),
            len(troughs),
            centre(first + busiest),
            (first + highest + 1) * ROW,
            (first + lowest) * ROW,
        ]
    )

fixture = {
    "oracles": {
        name: version(name) for name in ("smartmoneyconcepts", "scipy", "numpy", "pandas")
    },
    "bars": np.column_stack([opening, high, low, close, volume]).tolist(),
    "gaps": gaps,
    "settings": {
        "window": WINDOW,
        "row_ticks": ROW,
        "order": ORDER,
        "min_ratio": MIN_RATIO,
        "value_area": VALUE_AREA,
    },
    "windows": windows,
}
path = Path(__file__).parent.parent / "fixtures" / "zones_oracle.json"
text = json.dumps(fixture, separators=(",", ":"), allow_nan=False)
path.write_text(text.replace("],[", "],\n[") + "\n")
print(f"{len(gaps)} gaps, {len(windows)} windows, {path.stat().st_size:,} bytes")
nodes = [window[4] for window in windows]
print(f"nodes per window: mean {np.mean(nodes):.2f}, none in {nodes.count(0)}")
