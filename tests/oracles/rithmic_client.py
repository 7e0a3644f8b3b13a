"""Connects async_rithmic, which is independent of this repository, to rithmic-sim over wss, and compares what it sees
with the simulator's own dump: login at four plants, front month, trades as they come and as history has them, minutes,
a bracket from its entry to its end, changes and cancellations of orders, a lost connection, positions, fills, logout.

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

from async_rithmic import (
    DataType,
    ExchangeOrderNotificationType,
    OrderPlacement,
    OrderType,
    ReconnectionSettings,
    RithmicClient,
    TimeBarType,
    TransactionType,
)

TRADES = 3_000
BEGIN = "2024-01-02T14:30:00Z"
SPEED = 120
PATIENCE = 60


class Account:
    """What the client is told of its orders, and the wait for it."""

    def __init__(self, client):
        self.steps, self.events, self.brackets, self.profits = [], [], [], []
        self.logins = 0
        self.news = asyncio.Event()
        client.on_rithmic_order_notification += self.keeper(self.steps)
        client.on_exchange_order_notification += self.keeper(self.events)
        client.on_bracket_update += self.keeper(self.brackets)
        client.on_instrument_pnl_update += self.keeper(self.profits)
        client.on_connected += self.on_connected

    def keeper(self, into):
        async def keep(message):
            into.append(message)
            self.news.set()

        return keep

    async def on_connected(self, plant):
        self.logins += plant == "order"
        self.news.set()

    async def until(self, condition):
        """Waits until the condition holds, and returns its value."""
        while not (value := condition()):
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), PATIENCE)
        return value

    def fills(self, replayed=False):
        fill = ExchangeOrderNotificationType.FILL
        told = [event for event in self.events if event.notify_type == fill and event.is_snapshot == replayed]
        return [(fill.fill_id, fill.basket_id, fill.fill_size, fill.fill_price) for fill in told]

    def step(self, kind, **fields):
        """Returns the first notice of Rithmic that an order has come that far; `None` if there is none yet."""
        fields["notify_type"] = kind
        found = (step for step in self.steps if all(getattr(step, name) == value for name, value in fields.items()))
        return next(found, None)


# Steps of Rithmic, by their numbers in its messages.
OPEN, MODIFIED, COMPLETE, TRIGGER_PENDING = 13, 14, 15, 18


async def enter(client, account, symbol):
    """Enters with a bracket, and returns the names of entry, stop and target, and the price of the stop."""
    answers = await client.submit_order(
        "entry", symbol, "CME", 2, TransactionType.BUY, OrderType.MARKET, stop_ticks=400, target_ticks=400
    )
    entry = answers[0].basket_id
    assert (await account.until(lambda: account.step(COMPLETE, basket_id=entry))).completion_reason == "F"
    stop = await account.until(lambda: account.step(TRIGGER_PENDING, original_basket_id=entry))
    target = await account.until(lambda: account.step(OPEN, original_basket_id=entry))
    assert (stop.linked_basket_ids, target.linked_basket_ids) == (target.basket_id, stop.basket_id)
    price = sum(fill[2] * fill[3] for fill in account.fills()) / 2
    first = account.fills()[0][3]
    assert (stop.trigger_price, target.price) == (first - 100, first + 100), "the bracket is not where it belongs"
    bracket = await account.until(lambda: account.brackets and account.brackets[-1])
    assert (bracket.basket_id, bracket.stop_ticks, bracket.target_ticks) == (entry, 400, 400)
    positions = await client.list_positions()
    assert [(p.symbol, p.net_quantity, p.avg_open_fill_price) for p in positions] == [(symbol, 2, price)]
    return entry, stop.basket_id, target.basket_id, stop.trigger_price


async def change(client, account, symbol, stop, target, trigger):
    """Moves the stop, and cancels a new order."""
    await client.modify_order(basket_id=stop, trigger_price=trigger - 10)
    modified = await account.until(lambda: account.step(MODIFIED, basket_id=stop))
    assert modified.trigger_price == trigger - 10
    answers = await client.submit_order(
        "rest", symbol, "CME", 1, TransactionType.BUY, OrderType.LIMIT, price=trigger - 50
    )
    rest = answers[0].basket_id
    await account.until(lambda: account.step(OPEN, basket_id=rest))
    assert {order.basket_id for order in await client.list_orders()} == {stop, target, rest}
    await client.cancel_order(order_id="rest")
    assert (await account.until(lambda: account.step(COMPLETE, basket_id=rest))).completion_reason == "C"


async def trade(client, account, symbol):
    """Uses the account in every way, with a connection lost in between."""
    await client.subscribe_to_pnl_updates()
    entry, stop, target, trigger = await enter(client, account, symbol)
    await change(client, account, symbol, stop, target, trigger)
    assert await client.plants["order"].get_stop_and_target(entry) == (400, 400)
    # The connection breaks without a word while an order is out.
    logins = account.logins
    await client.submit_order("blind", symbol, "CME", 1, TransactionType.BUY, OrderType.MARKET)
    client.plants["order"].ws.transport.abort()
    await account.until(lambda: account.logins > logins)
    await client.plants["order"]._reconnected_event.wait()
    orders = {order.basket_id: order.trigger_price for order in await client.list_orders()}
    assert orders == {stop: trigger - 10, target: 0.0}, orders
    await account.until(lambda: account.profits[-1].net_quantity == 3)
    (position,) = await client.list_positions()
    assert position.net_quantity == 3, "the order that was out is lost"
    # The exit leaves the bracket.
    await client.exit_position(symbol=symbol, exchange="CME")
    await account.until(lambda: account.profits[-1].net_quantity == 0)
    assert len(await client.list_orders()) == 2
    await client.cancel_all_orders()
    for order in stop, target:
        assert (await account.until(lambda: account.step(COMPLETE, basket_id=order))).completion_reason == "C"
    assert await client.list_orders() == []
    day = datetime.datetime.fromisoformat(BEGIN)
    span = day, day + datetime.timedelta(days=1)
    history = await client.get_fill_history(*span)
    await client.replay_executions(*span)
    await account.until(lambda: len(account.fills(replayed=True)) == len(history))
    (summary,) = await client.list_account_summary()
    told = [(fill.fill_id, fill.basket_id, fill.fill_size, fill.fill_price) for fill in history]
    return told, account, summary


async def watch(client):
    """Returns what trading came to, and the contract, the live trades, and trades and minutes of history over the whole
    of their time."""
    account = Account(client)
    await client.connect()
    symbol = await client.get_front_month_contract("ES", "CME")
    trades, enough = [], asyncio.Event()

    async def on_tick(tick):
        if tick["data_type"] == DataType.LAST_TRADE and not tick.get("is_snapshot"):
            trades.append(tick)
            if len(trades) >= TRADES:
                enough.set()

    client.on_tick += on_tick
    await client.subscribe_to_market_data(symbol, "CME", DataType.LAST_TRADE | DataType.BBO)
    traded = await trade(client, account, symbol)
    await enough.wait()
    await client.unsubscribe_from_market_data(symbol, "CME", DataType.LAST_TRADE | DataType.BBO)
    seconds = [datetime.datetime.fromtimestamp(trades[end]["ssboe"], datetime.UTC) for end in (0, TRADES - 1)]
    ticks = await client.get_historical_tick_data(symbol, "CME", *seconds)
    bars = await client.get_historical_time_bars(symbol, "CME", *seconds, TimeBarType.MINUTE_BAR, 1)
    return traded, (symbol, trades, ticks, bars)


async def follow(url, authority):
    """Connects a client, and returns what it has seen."""
    client = RithmicClient(
        user="paper",
        password="paper",
        system_name="Rithmic Simulator",
        app_name="oracle",
        app_version="1",
        url=url,
        manual_or_auto=OrderPlacement.AUTO,
        reconnection_settings=ReconnectionSettings(backoff_type="constant", interval=0.1),
    )
    client.ssl_context.load_verify_locations(authority)
    try:
        return await asyncio.wait_for(watch(client), 2 * PATIENCE)
    finally:
        await client.disconnect()


def check_account(history, account, summary, orders, fills):
    """Compares them with the dumps of orders and fills."""
    known = [(row["fill"], row["basket"], int(row["size"]), float(row["price"])) for row in fills]
    assert known and history == known, f"history has {len(history)} fills, the dump {len(known)}"
    assert account.fills(replayed=True) == known, "the replay differs from the dump"
    live = account.fills()
    assert len(set(live)) == len(live) and set(live) <= set(known), "live fills differ from the dump"
    assert {row["tag"] for row in orders} == {"entry", "rest", "blind", ""}
    for row in orders:
        filled = sum(fill[2] for fill in known if fill[1] == row["basket"])
        assert (row["status"], int(row["filled"])) == ("complete", filled), row
        last = [step for step in account.steps if step.basket_id == row["basket"]][-1]
        missed = row["tag"] == "blind"
        assert missed or (last.status, last.total_fill_size) == ("complete", filled), row
    sides = {"BUY": -1, "SELL": 1}
    profit = 50 * sum(sides[row["side"]] * int(row["size"]) * float(row["price"]) for row in fills)
    told = summary.net_quantity, float(summary.closed_position_pnl), float(summary.open_position_pnl)
    assert told == (0, profit, 0), (told, profit)
    print(f"{len(orders)} orders and {len(known)} fills, {len(live)} of them live, are the simulator's: {profit} dollars")


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


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
            traded, seen = asyncio.run(follow(url, Path(folder, "ca.pem")))
        finally:
            simulator.send_signal(signal.SIGINT)
            status = simulator.wait(30)
        assert status == 0, f"the simulator ended with {status}"
        rows = [
            (row["symbol"], int(row["time"]), float(row["price"]), int(row["size"]), int(row["volume"]))
            for row in read(dump)
        ]
        check(*seen, rows)
        check_account(*traded, read(dump.with_suffix(".orders.csv")), read(dump.with_suffix(".fills.csv")))


main()
