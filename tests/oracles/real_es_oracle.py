"""Writes tests/fixtures/real_es_oracle.json: what other hands make of real ES bars, without the bars.

    python3 -m venv /tmp/oracle
    /tmp/oracle/bin/pip install -r tests/oracles/requirements.txt
    /tmp/oracle/bin/python tests/oracles/real_es_oracle.py ../shared/data

The argument is the shared data's folder; its README tells the format. All minutes of one contract are
taken in order, and bars of 5 and 30 minutes made of them; minutes without trades make no bar.

The data may not be copied, so no price is written: prices are sampled now and then and relative to
the close of their bar, in ticks; events are bar numbers, negative where the event points down. The hash
of the bars tells the test whether it looks at the same ones. `cargo test` reads the file and needs no
Python.
"""

import hashlib
import sys
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np

import fair_value_gaps
import fixtures
import low_volume_nodes
import momentum_index
import price_indicators

TICK = 0.25
CONTRACT, MEMBER = "ESZ13", "_es_minute_trade_201312.csv"
TIMEFRAMES = {1: 97, 5: 29, 30: 7}  # minutes in a bar, and each how many bars a sample is taken

RELATIVE = ["heiken_ashi_open", "heiken_ashi_high", "heiken_ashi_low", "heiken_ashi_close",
            "wma_20_close", "wma_5_ohlc4", "estimate", "fast_estimate"]
SIZES = ["average_true_range", "slope", "deviation"]
UNITLESS = ["rsi_14_close", "rsi_20_ohlc4"]


def minutes(folder):
    """Minutes since 1970 and open, high, low, close in ticks and volume."""
    for archive in sorted(Path(folder, "lean/cme/minute/es").glob("*_trade.zip")):
        date = archive.name[:8]
        midnight = np.datetime64(f"{date[:4]}-{date[4:6]}-{date[6:]}", "m").astype(int)
        with zipfile.ZipFile(archive) as members:
            for line in members.read(date + MEMBER).decode().splitlines():
                time, *prices, volume = line.split(",")
                ticks = [Decimal(price) / Decimal(TICK) for price in prices]
                assert all(price == int(price) for price in ticks), f"{archive}: {line}"
                yield int(midnight) + int(time) // 60_000, [int(price) for price in ticks] + [int(volume)]


def resampled(minutes, length):
    bars = {}
    for minute, (open_, high, low, close, volume) in minutes:
        bar = bars.setdefault(minute // length, [open_, high, low, close, 0])
        bar[1:] = [max(bar[1], high), min(bar[2], low), close, bar[4] + volume]
    return list(bars.values())


def events(signs):
    return [int(sign) * at for at, sign in enumerate(signs) if sign == sign and sign != 0]


def rounded(value):
    return round(float(value), 10) if np.isfinite(value) else None


def nodes(window, close):
    """A window with its prices relative to the close."""
    last, *found, count, control, highest, lowest = window
    found = [node and [node[0] - close, rounded(node[1]), rounded(node[2])] for node in found]
    return [last, *found, count, control - close, highest - close, lowest - close]


def timeframe(bars, every):
    ticks = np.array(bars)
    close = ticks[:, 3].astype(float)
    columns = price_indicators.columns(ticks * [TICK, TICK, TICK, TICK, 1])
    for name in RELATIVE:
        columns[name] = columns[name] / TICK - close
    for name in SIZES:
        columns[name] = columns[name] / TICK
    names = RELATIVE + SIZES + UNITLESS
    candle = np.sign(columns["heiken_ashi_close"] - columns["heiken_ashi_open"])

    ohlc4 = ticks[:, :4].sum(axis=1) * TICK / 4
    momentum = momentum_index.figures(ohlc4.tolist(), ticks[:, 4].tolist())
    windows = low_volume_nodes.windows(ticks, every)

    return {
        "bars": len(bars),
        "sha256": hashlib.sha256("".join(
            " ".join(map(str, bar)) + "\n" for bar in bars).encode()).hexdigest(),
        "candles_up_and_down": [int((candle > 0).sum()), int((candle < 0).sum())],
        "turns": events(columns["turn"]),
        "crosses": events(columns["cross"]),
        "samples": [[at] + [rounded(columns[name][at]) for name in names]
                    for at in range(0, len(bars), every)],
        "gaps": [[at, direction, int(top - close[at]), int(bottom - close[at]), touched]
                 for at, direction, top, bottom, touched in fair_value_gaps.gaps(ticks)],
        "windows": [nodes(window, close[window[0]]) for window in windows],
        "momentum_index": {
            "crossings": events([row["crossing"] for row in momentum]),
            "sum_of_votes": sum(row["vote"] or 0 for row in momentum),
            "sum_of_forward_votes": sum(row["forward"] or 0 for row in momentum),
            "samples": [[at] + [momentum[at][field] for field in momentum_index.FIELDS[1:]]
                        for at in range(0, len(bars), every)],
        },
    }


source = list(minutes(sys.argv[1]))
assert [minute for minute, _ in source] == sorted({minute for minute, _ in source})
fixtures.write("real_es_oracle.json", {
    "made_by": "tests/oracles/real_es_oracle.py",
    "versions": fixtures.versions("TA-Lib", "pandas-ta-classic", "pynesys-pynecore", "smartmoneyconcepts",
                                  "scipy", "numpy", "pandas"),
    "data": "LEAN's ES minutes",
    "contract": CONTRACT,
    "fields": RELATIVE + SIZES + UNITLESS,
    "neighbours": momentum_index.NEIGHBOURS,
    "momentum_index_fields": momentum_index.FIELDS[1:],
    "low_volume_nodes": low_volume_nodes.SETTINGS,
    "timeframes": {str(length): timeframe(resampled(source, length), every)
                   for length, every in TIMEFRAMES.items()},
})
