"""Writes tests/fixtures/mlmi_oracle.json: the momentum index (MLMI) of made-up bars, by PyneCore.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install -r tests/oracles/requirements.txt
    /tmp/oracle/bin/python tests/oracles/mlmi_oracle.py

Every seventh bar and every crossing is kept. `cargo test` reads the file and needs no Python.
"""

import random
from importlib.metadata import version

import fixtures
import momentum_index

BARS, SEED, TICK = 3000, 20130102, 0.25


def made_up_bars():
    """A walk in quarter points that stands still at times: open, high, low, close, volume."""
    source = random.Random(SEED)
    close_ticks, width = 20_000, 6.0
    for bar in range(BARS):
        width = min(max(width * source.uniform(0.9, 1.1), 2.0), 20.0)
        still = 1200 <= bar < 1260
        open_ticks = close_ticks
        close_ticks += 0 if still else round(source.gauss(0.0, width))
        high_ticks = max(open_ticks, close_ticks) + (0 if still else source.randrange(6))
        low_ticks = min(open_ticks, close_ticks) - (0 if still else source.randrange(6))
        yield open_ticks, high_ticks, low_ticks, close_ticks, source.randrange(1, 5000)


def rows(prices):
    figures = momentum_index.figures(prices, [bar[4] for bar in bars])
    return [
        [at] + list(row.values())
        for at, row in enumerate(figures)
        if at % 7 == 0 or row["crossing"] != 0
    ]


bars = list(made_up_bars())
fixtures.write("mlmi_oracle.json", {
    "made_by": f"tests/oracles/mlmi_oracle.py with pynesys-pynecore {version('pynesys-pynecore')}",
    "seed": SEED,
    "neighbours": momentum_index.NEIGHBOURS,
    "trend_length": momentum_index.TREND_LENGTH,
    "bars": bars,
    "fields": ["bar"] + momentum_index.FIELDS,
    "close": rows([bar[3] * TICK for bar in bars]),
    "ohlc4": rows([sum(bar[:4]) * TICK / 4 for bar in bars]),
})
