"""Writes tests/fixtures/zones_oracle.json: fair value gaps and volume profiles of made-up bars by other
hands, those of `fair_value_gaps.py` and `low_volume_nodes.py`.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install -r tests/oracles/requirements.txt
    /tmp/oracle/bin/python tests/oracles/zones_oracle.py

Prices are written in ticks. `cargo test` reads the file and needs no Python.
"""

import numpy as np

import fair_value_gaps
import fixtures
import low_volume_nodes

BARS = 3_000
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

bars = np.column_stack([opening, high, low, close, volume])
gaps = fair_value_gaps.gaps(bars)
windows = low_volume_nodes.windows(bars, EVERY)
fixtures.write("zones_oracle.json", {
    "oracles": fixtures.versions("smartmoneyconcepts", "scipy", "numpy", "pandas"),
    "bars": bars.tolist(),
    "gaps": gaps,
    "settings": low_volume_nodes.SETTINGS,
    "windows": windows,
})
nodes = [window[4] for window in windows]
print(f"{len(gaps)} gaps, {len(windows)} windows, {np.mean(nodes):.2f} nodes a window, none in {nodes.count(0)}")
