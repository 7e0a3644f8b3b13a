"""Writes tests/fixtures/mlmi_oracle.json: the momentum index (MLMI) of made-up bars, by another hand.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install pynesys-pynecore
    /tmp/oracle/bin/python tests/oracles/mlmi_oracle.py

PyneCore executes `mlmi_script.py`. Every seventh bar and every crossing is kept. `cargo test` reads the
file and needs no Python.
"""

import json
import os
import random
from datetime import time
from importlib.metadata import version
from pathlib import Path

os.environ["PYNE_SAVE_SCRIPT_TOML"] = "0"  # no settings file beside the script

from pynecore.core.script_runner import ScriptRunner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.types.ohlcv import OHLCV

SCRIPT = Path(__file__).with_name("mlmi_script.py")


def bars(count, seed):
    """A walk in quarter points that stands still at times: open, high, low, close, volume."""
    source = random.Random(seed)
    close_ticks, width = 20_000, 6.0
    for bar in range(count):
        width = min(max(width * source.uniform(0.9, 1.1), 2.0), 20.0)
        still = 1200 <= bar < 1260
        open_ticks = close_ticks
        close_ticks += 0 if still else round(source.gauss(0.0, width))
        high_ticks = max(open_ticks, close_ticks) + (0 if still else source.randrange(6))
        low_ticks = min(open_ticks, close_ticks) - (0 if still else source.randrange(6))
        yield open_ticks, high_ticks, low_ticks, close_ticks, source.randrange(1, 5000)


def write(count=3000, seed=20130102, tick=0.25):
    days = range(7)
    midnight = time(0, 0)
    symbol = SymInfo(
        prefix="TEST", description="made-up bars", ticker="TEST", currency="USD", period="30",
        type="futures", mintick=tick, pricescale=100, minmove=25, pointvalue=50.0, mincontract=1.0,
        opening_hours=[SymInfoInterval(day=day, start=midnight, end=midnight) for day in days],
        session_starts=[SymInfoSession(day=day, time=midnight) for day in days],
        session_ends=[SymInfoSession(day=day, time=midnight) for day in days],
    )
    ticks = list(bars(count, seed))
    start = 1_700_000_000_000 // 1_800_000 * 1_800_000

    def run(source):
        """Rows of figures where `source` of a bar, in points, is the close."""
        candles = []
        for at, bar in enumerate(ticks):
            price = source(bar)
            candles.append(OHLCV(start + 1_800_000 * at, price, price, price, price, float(bar[4])))
        runner = ScriptRunner(SCRIPT, candles, symbol, lossless_prices=True, lossless_volume=True)
        return [figures for _, figures in runner.run_iter()]

    def number(value, whole):
        value = float(value)
        return None if value != value else int(value) if whole else value

    fields = ["crossing", "crossings", "vote", "forward", "vote_average", "upper", "lower", "radius"]
    whole = {"crossing", "crossings", "vote", "forward", "upper", "lower"}
    results = {}
    for name, source in {
        "close": lambda bar: bar[3] * tick,
        "ohlc4": lambda bar: sum(bar[:4]) * tick / 4,
    }.items():
        rows = run(source)
        results[name] = [
            [at] + [number(row[field], field in whole) for field in fields]
            for at, row in enumerate(rows)
            if at % 7 == 0 or row["crossing"] != 0
        ]
    fixture = {
        "made_by": f"tests/oracles/mlmi_oracle.py with pynesys-pynecore {version('pynesys-pynecore')}",
        "seed": seed,
        "neighbours": 50,
        "trend_length": 20,
        "bars": ticks,
        "fields": ["bar"] + fields,
        **results,
    }
    target = Path(__file__).parent.parent / "fixtures" / "mlmi_oracle.json"
    target.write_text(json.dumps(fixture, separators=(",", ":")).replace("],[", "],\n[") + "\n")


if __name__ == "__main__":
    write()
