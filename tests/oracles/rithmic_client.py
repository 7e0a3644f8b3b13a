"""Connects async_rithmic, which is independent of this repository, to rithmic-sim over wss, and compares what it sees
with the simulator's own dump: login, front month, trades as they come and as history has them, minutes, logout.

    cargo build --package rithmic-sim
    python3 -m venv oracle
    oracle/bin/pip install async_rithmic==1.6.6
    oracle/bin/python tests/oracles/rithmic_client.py target/debug/rithmic-sim
"""

import asyncio
import csv
import datetime
import re
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from async_rithmic import DataType, RithmicClient, SysInfraType, TimeBarType

TRADES = 3_000
BEGIN = "2024-01-02T14:30:00Z"
SPEED = 120


async def follow(url, authority):
    """Returns the contract, the live trades, and trades and minutes of history over the whole of their time."""
    client = RithmicClient(
        user="paper", password="paper", system_name="Rithmic Simulator", app_name="oracle", app_version="1", url=url
    )
    client.ssl_context.load_verify_locations(authority)
    await client.connect(plants=[SysInfraType.TICKER_PLANT, SysInfraType.HISTORY_PLANT])
    symbol = await client.get_front_month_contract("ES", "CME")
    trades, enough = [], asyncio.Event()

    async def on_tick(tick):
        if tick["data_type"] == DataType.LAST_TRADE and not tick.get("is_snapshot"):
            trades.append(tick)
            if len(trades) >= TRADES:
                enough.set()

    client.on_tick += on_tick
    await client.subscribe_to_market_data(symbol, "CME", DataType.LAST_TRADE | DataType.BBO)
    await asyncio.wait_for(enough.wait(), 120)
    await client.unsubscribe_from_market_data(symbol, "CME", DataType.LAST_TRADE | DataType.BBO)
    seconds = [datetime.datetime.fromtimestamp(trades[end]["ssboe"], datetime.UTC) for end in (0, TRADES - 1)]
    ticks = await client.get_historical_tick_data(symbol, "CME", *seconds)
    bars = await client.get_historical_time_bars(symbol, "CME", *seconds, TimeBarType.MINUTE_BAR, 1)
    await client.disconnect()
    return symbol, trades, ticks, bars


def check(symbol, trades, ticks, bars, rows):
    """Compares them with the dump, whose rows are contract, nanoseconds, price, size and volume of the session."""
    # Its messages leave a zero out, and write numbers of 64 bits as text.
    live = [
        (
            symbol,
            trade["source_ssboe"] * 10**9 + trade.get("source_nsecs", 0),
            trade["trade_price"],
            trade["trade_size"],
            int(trade["volume"]),
        )
        for trade in trades
    ]
    assert live == rows[: len(live)], "live trades differ from the dump"
    first, last = trades[0]["ssboe"], trades[TRADES - 1]["ssboe"]
    past = [(row[1] // 1_000, row[2], row[3]) for row in rows if first <= row[1] // 10**9 <= last]
    times = [tick["data_bar_ssboe"][0] * 10**6 + tick["data_bar_usecs"][0] for tick in ticks]
    told = [(time, tick["close_price"], int(tick["volume"])) for time, tick in zip(times, ticks)]
    assert told == past, f"history has {len(told)} trades, the dump {len(past)}"
    minutes = Counter()
    for row in rows:
        minutes[row[1] // (60 * 10**9) * 60 + 60] += row[3]
    assert bars, "there are no minutes"
    # The simulator may have gone on after the answer, in the last minute alone.
    for bar in bars[:-1]:
        assert int(bar["volume"]) == minutes[bar["marker"]], bar
    print(f"{len(live)} live trades, {len(told)} of history and {len(bars) - 1} minutes of {symbol} are the simulator's")


def main():
    with tempfile.TemporaryDirectory() as folder:
        dump = Path(folder, "dump.csv")
        arguments = ["--synthetic", "1", "--from", BEGIN, "--speed", str(SPEED), "--dump", dump]
        arguments += ["--tls", "--certificates", folder]
        simulator = subprocess.Popen([sys.argv[1], *arguments], stdout=subprocess.PIPE, text=True)
        try:
            url = next(found[1] for line in simulator.stdout if (found := re.search(r'gateway: "(.*)"', line)))
            seen = asyncio.run(follow(url, Path(folder, "ca.pem")))
        finally:
            simulator.send_signal(signal.SIGINT)
            status = simulator.wait(30)
        assert status == 0, f"the simulator ended with {status}"
        with open(dump, newline="") as file:
            rows = [
                (row["symbol"], int(row["time"]), float(row["price"]), int(row["size"]), int(row["volume"]))
                for row in csv.DictReader(file)
            ]
        check(*seen, rows)


main()
