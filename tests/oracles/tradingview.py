"""Runs a script of TradingView's language over bars, by PyneCore."""

import os
from datetime import time
from pathlib import Path

os.environ["PYNE_SAVE_SCRIPT_TOML"] = "0"  # no settings file beside the script

from pynecore.core.script_runner import ScriptRunner
from pynecore.core.syminfo import SymInfo, SymInfoInterval, SymInfoSession
from pynecore.types.ohlcv import OHLCV

HALF_HOUR = 1_800_000
START = 1_700_000_000_000 // HALF_HOUR * HALF_HOUR


def run(script, candles):
    """What `script`, a file of this folder, plots at each of `candles`: open, high, low, close in points
    and volume. They are taken as bars of 30 minutes one after the other, since only their order counts."""
    days, midnight = range(7), time(0, 0)
    symbol = SymInfo(
        prefix="TEST", description="bars", ticker="TEST", currency="USD", period="30",
        type="futures", mintick=0.25, pricescale=100, minmove=25, pointvalue=50.0, mincontract=1.0,
        opening_hours=[SymInfoInterval(day=day, start=midnight, end=midnight) for day in days],
        session_starts=[SymInfoSession(day=day, time=midnight) for day in days],
        session_ends=[SymInfoSession(day=day, time=midnight) for day in days],
    )
    bars = [OHLCV(START + HALF_HOUR * at, *map(float, candle)) for at, candle in enumerate(candles)]
    path = Path(__file__).with_name(script)
    runner = ScriptRunner(path, bars, symbol, lossless_prices=True, lossless_volume=True)
    return [{name: float(value) for name, value in plots.items()} for _, plots in runner.run_iter()]
