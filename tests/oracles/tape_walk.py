#!/usr/bin/env python3
"""A second implementation of docs/simulation.md, trade by trade against the program.

    python3 tests/oracles/tape_walk.py --program target/release/algospace-hft [--runs 300] [--seed 1]
    python3 tests/oracles/tape_walk.py --program … --pin       writes tests/fixtures/tape_walk.json

Each run is a random market (trades, trades with quotes, or bars of a minute), random costs, latencies, sizes and limits, and
the rule of two moving averages that turns over at each cross. The walk shares no code with the program, works in fractions,
and knows the trades of the whole run before the program's `trades.csv` is read.
"""

import argparse
import csv
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from datetime import datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path

FIXTURE = Path(__file__).parents[1] / "fixtures" / "tape_walk.json"
SECOND = 10**9
MINUTE = 60 * SECOND
TICK = Fraction(1, 4)
POINT = 50
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
# ES in January 2024: from 23:00 to 22:00 UTC.
FIRST_CLOSE = int((datetime(2024, 1, 9, 22, tzinfo=timezone.utc) - EPOCH).total_seconds()) * SECOND
DAY, BREAK = 24 * 60 * MINUTE, 60 * MINUTE
OPEN_TICK, EXTREME, CLOSE_TICK = 1, 2, 4


def session(time):
    """Open and close of the session that holds the time."""
    close = FIRST_CLOSE
    while time >= close:
        close += DAY
    return close - DAY + BREAK, close


class Tick:
    def __init__(self, time, price, size, part=0, bid=None, ask=None, taker=0):
        self.time, self.price, self.size, self.part = time, price, size, part
        self.bid, self.ask, self.taker = bid, ask, taker


class Order:
    """`kind`: market, stop or limit. `level`: trigger or limit."""

    def __init__(self, number, sign, left, kind, level=None, reason=None, bracket=None, entry=None):
        self.number, self.sign, self.left, self.kind, self.level = number, sign, left, kind, level
        self.reason, self.bracket, self.entry = reason, bracket, entry
        self.expected = None  # of a triggered stop
        self.born = None  # the tick that made it, which cannot fill it
        self.taking, self.taking_from = 0, None  # contracts of a target that take liquidity
        self.reached = False
        self.from_inside = False
        self.born_inside = None


class Walk:
    def __init__(self, s):
        self.s = s
        self.capital = Fraction(s["capital"])
        # The exchange.
        self.letters, self.book, self.held = deque(), [], 0
        self.bar_high = self.bar_low = self.bar_open = None
        self.bar_held, self.bar_best, self.last_fill = 0, None, None
        self.locked_at = None  # where the bar reached the day's limit
        # The desk, and what it knows.
        self.news = deque()
        self.cash, self.position, self.basis = self.capital, 0, Fraction(0)
        self.trade, self.trades = None, []
        self.last, self.exit = None, None
        self.number = 0
        self.entry = None  # number, sign, contracts that may still fill (0: none), whether it is to be cancelled
        self.closing = None  # number, contracts that may still fill
        self.goal = self.turn = None  # why to be flat, and what to be then
        self.floor = None  # the last tick's time, or the session's end after it
        self.locked, self.shut = False, True
        self.high = self.capital
        # The clock.
        self.now, self.session = None, None
        self.answers, self.stretch, self.closing_time = deque(), 0, None
        # Bars of a minute, and the rule.
        self.bar_end, self.bar_close, self.bar_is_open, self.last_seen = None, None, False, None
        self.closes, self.wanted, self.questions = [], None, []

    # ---- money ----

    def equity(self, price=None):
        price = self.mark() if price is None else price
        return self.cash + (self.position * price * POINT - self.basis if self.position else 0)

    def mark(self):
        return self.last if self.exit is None else self.exit

    def limit(self):
        # One multiplication of floats, to the nearest nano-dollar: limits are met to the cent.
        allowed = float(self.high) * self.s["drawdown"]
        return self.high - Fraction(round(Fraction(allowed) * 10**9), 10**9)

    # ---- the exchange ----

    def send(self, now, letter):
        self.letters.append((now + self.s["order_latency"], letter))

    def tell(self, now, *news):
        self.news.append((now + self.s["acknowledgement_latency"], news))

    def market_price(self, sign, tick):
        s = self.s
        price = tick.price
        if s["cross_spread"]:
            quote = tick.ask if sign > 0 else tick.bid
            other = tick.bid if sign > 0 else tick.ask
            farthest = max(price / 10, 100 * TICK)
            is_one = lambda quote: (
                quote is not None and quote > 0 and (quote / TICK).denominator == 1 and abs(quote - price) <= farthest
            )
            believed = is_one(quote) and (quote - price) * sign >= 0
            believed = believed and not (is_one(other) and (quote - other) * sign <= 0)
            if believed:
                price = quote
            elif tick.taker != sign:
                price += sign * s["assumed_spread"] * TICK
        return price + sign * s["slippage"] * TICK

    def at_trigger(self, order, tick):
        return self.market_price(order.sign, Tick(tick.time, order.level, tick.size))

    def receive(self, letter, time):
        if letter[0] == "submit":
            self.book.append(letter[1])
            return
        if letter[0] == "cancel":
            for order in [order for order in self.book if order.number == letter[1]]:
                self.book.remove(order)
                self.tell(time, "gone", order.number)
            return
        _, number, reason, sign, quantity = letter
        for order in self.book:
            self.tell(time, "gone", order.number)
        self.book = []
        if self.held * sign < 0:
            self.book.append(Order(number, sign, quantity, "market", reason=reason))
        else:
            self.tell(time, "gone", number)

    def end(self, order):
        if order in self.book and order.left > 0:
            self.book.remove(order)
            self.gone.append(order.number)

    def partner(self, order):
        return next((o for o in self.book if o.entry == order.entry and o is not order and o.entry), None)

    def fill(self, order, price, expected, tick, most=None, inside=False):
        quantity = min(order.left, self.volume, order.left if most is None else most)
        if order.reason:
            is_open = abs(self.held) if self.held * order.sign < 0 else 0
            if not is_open:
                partner = self.partner(order) if order.entry else None
                self.end(order)
                if partner:
                    self.end(partner)
                return 0
            quantity = min(quantity, is_open)
        if quantity <= 0:
            return 0
        self.volume -= quantity
        order.left -= quantity
        self.held += order.sign * quantity
        self.last_fill = price
        worse = max(Fraction(0), (price - expected) * order.sign) * POINT * quantity
        self.tell(tick.time, "fill", order, quantity, price, worse, tick.time)
        if order.entry:
            partner = self.partner(order)
            if partner:
                partner.left -= quantity
                if partner.left <= 0:
                    self.book.remove(partner)
                    self.gone.append(partner.number)
            self.end_entry(order)
        if order.reason and self.held == 0:
            self.end(order)
        if order.bracket:
            self.enlarge(order, quantity, price, tick, inside)
        return quantity

    def end_entry(self, exit_order):
        for order in list(self.book):
            if order.bracket and order.number == exit_order.entry:
                self.end(order)

    def enlarge(self, entry, quantity, price, tick, inside):
        stop, target = entry.bracket
        for kind, level, reason in [
            ("stop", price - entry.sign * stop * TICK, "stop_loss"),
            ("limit", price + entry.sign * target * TICK, "profit_target"),
        ]:
            order = next((o for o in self.book if o.entry == entry.number and o.kind == kind), None)
            if order:
                order.left += quantity
                if kind == "limit" and (tick.price - order.level) * entry.sign >= 0:
                    order.taking += quantity
                    order.taking_from = tick
                continue
            order = Order((entry.number, kind), -entry.sign, quantity, kind, level, reason, entry=entry.number)
            order.born, order.from_inside = tick, inside
            self.book.append(order)

    def stop_now(self, order, price, tick):
        """A stop is triggered."""
        order.expected = order.level
        partner = self.partner(order)
        if partner:
            self.end(partner)
        self.end_entry(order)
        self.bar_held = 0
        self.fill(order, price, order.level, tick)

    def match(self, tick, orders):
        inside = tick.part == EXTREME
        alive = lambda order: order in self.book and order.left > 0 and order.born is not tick
        for order in orders:
            if alive(order) and not inside and (order.kind == "market" or order.expected is not None):
                expected = tick.price if order.expected is None else order.expected
                price = self.market_price(order.sign, tick)
                if self.locked_at is not None and order.reason == "daily_drawdown" and order.born_inside is tick:
                    there = self.market_price(order.sign, Tick(tick.time, self.locked_at, tick.size))
                    price = max(price, there) if order.sign > 0 else min(price, there)
                self.fill(order, price, expected, tick)
        for order in orders:
            if alive(order) and order.kind == "stop" and order.expected is None:
                if (tick.price - order.level) * order.sign >= 0:
                    price = self.at_trigger(order, tick) if inside else self.market_price(order.sign, tick)
                    self.stop_now(order, price, tick)
        for order in orders:
            if alive(order) and order.kind == "limit":
                beyond = (tick.price - order.level) * -order.sign
                reached = beyond >= 0 if self.s["touch"] else beyond > 0
                if inside:
                    order.reached |= reached
                    continue
                if self.locked_at is not None and order.entry and self.letters and self.letters[0][0] <= tick.time:
                    continue  # the close came before the target
                if reached or order.reached:
                    order.reached = False
                    self.fill(order, order.level, order.level, tick, order.left - min(order.taking, order.left))
                if alive(order) and order.taking and order.taking_from is not tick:
                    if beyond >= 0 or tick.part & CLOSE_TICK:
                        market = self.market_price(order.sign, tick)
                        bounded = max(market, order.level) if order.sign < 0 else min(market, order.level)
                        order.taking -= self.fill(order, bounded, tick.price, tick, order.taking)
                    if beyond < 0:
                        order.taking = 0

    def exchange(self, tick):
        self.volume, self.gone = tick.size, []
        arrived = []
        is_late = tick.part and not tick.part & OPEN_TICK
        if tick.part & OPEN_TICK:
            self.bar_open = tick.price
            self.bar_held, self.bar_best, self.locked_at = 0, None, None
        worst = self.value_inside(tick) if tick.part == EXTREME and self.bar_held else None
        if not is_late:
            while self.letters and self.letters[0][0] <= tick.time:
                arrival, letter = self.letters.popleft()
                self.receive(letter, arrival)
        self.match(tick, list(self.book))
        self.sweep(tick.time)
        if is_late and tick.part & CLOSE_TICK:
            before = list(self.book)
            while self.letters and self.letters[0][0] <= tick.time:
                _, letter = self.letters.popleft()
                self.receive(letter, tick.time)
            late = [order for order in self.book if order not in before]
            for order in late:
                order.born_inside = tick
            self.match(tick, late)
            self.sweep(tick.time)
        if not tick.part:
            return [tick.price]
        # A bar's tick: at what prices it values what is held.
        if tick.part & OPEN_TICK:
            self.bar_held = self.held
        self.ended = None if self.held else self.last_fill
        if tick.part == EXTREME:
            return [] if worst is None else [worst]
        marks = [self.bar_best] if self.bar_held and self.bar_best is not None and is_late else []
        return marks + [tick.price if self.ended is None else self.ended]

    def value_inside(self, tick):
        """The bar's worst price, no further than the stop; the best is kept, no further than the target."""
        price = tick.price
        for order in self.book:
            if order.entry and order.sign * self.held < 0 and order.expected is None:
                bound_is_lower = (order.kind == "stop") == (order.sign < 0)
                price = max(price, order.level) if bound_is_lower else min(price, order.level)
        if (tick.price - self.bar_open) * self.bar_held > 0:
            best = price if self.bar_best is None else self.bar_best
            self.bar_best = max(best, price) if self.bar_held > 0 else min(best, price)
            return None
        return price

    def sweep(self, time):
        for number in self.gone:
            self.tell(time, "gone", number)
        self.gone = []
        self.book = [order for order in self.book if order.left > 0]

    # ---- the desk ----

    def hear(self, news, now):
        if news[0] == "gone":
            if self.closing and self.closing[0] == news[1]:
                assert self.position == 0, "no close fails here"
                self.closing = None
            if self.entry and self.entry[0] == news[1]:
                self.entry[2] = 0
        else:
            order, quantity = news[1:3]
            for sent, left in ((self.closing, 1), (self.entry, 2)):
                if sent and sent[0] == order.number:
                    sent[left] -= quantity
            if self.closing and not self.closing[1]:
                self.closing = None
            self.on_fill(*news[1:])
        if self.entry and not self.entry[2] and self.position * self.entry[1] <= 0:
            self.entry = None
        self.go_on(now)
        if self.last is not None:
            self.high = max(self.high, self.equity())

    def on_fill(self, order, quantity, price, slippage, time):
        commission = self.s["commission"] * quantity
        self.cash -= commission
        sign = order.sign
        closes = min(quantity, abs(self.position)) if self.position * sign < 0 else 0
        assert closes in (0, quantity), "no fill turns a position over here"
        if self.trade is None:
            self.trade = {
                "side": "long" if sign > 0 else "short", "entry_time": time, "entered": 0, "entries": Fraction(0),
                "exits": Fraction(0), "exited": 0, "gross": Fraction(0), "costs": Fraction(0),
                "slippage": Fraction(0), "mfe": Fraction(0), "mae": Fraction(0), "bars": 0,
            }
        trade = self.trade
        trade["costs"] += commission
        trade["slippage"] += slippage
        if closes:
            share = self.basis * closes / abs(self.position)
            profit = price * POINT * closes * (1 if self.position > 0 else -1) - share
            self.basis -= share
            self.cash += profit
            trade["gross"] += profit
            trade["exits"] += price * closes
            trade["exited"] += closes
            self.position += sign * closes
            self.extremes(price if self.position == 0 else self.mark())
        else:
            if self.position:
                self.extremes(price)
            self.position += sign * quantity
            self.basis += price * POINT * sign * quantity
            trade["entries"] += price * quantity
            trade["entered"] += quantity
            self.extremes(price)
        if self.position == 0:
            self.exit = None
            trade.update(exit_time=time, reason=order.reason)
            self.trades.append(trade)
            self.trade = None

    def extremes(self, price):
        profit = self.trade["gross"] + self.position * price * POINT - self.basis
        self.trade["mfe"] = max(self.trade["mfe"], profit)
        self.trade["mae"] = min(self.trade["mae"], profit)

    def look(self, price, now):
        if self.position:
            self.extremes(price)
        equity = self.equity(price)
        self.high = max(self.high, equity)
        if equity <= self.limit():
            self.locked, self.turn = True, None
        if self.locked:
            self.close("daily_drawdown", now)

    def close(self, reason, now):
        if not self.closing and (self.position or not (self.entry and self.entry[3])):
            self.goal = reason
        self.go_on(now)

    def go_on(self, now):
        """Exit, then flat, then entry."""
        if self.goal is None or self.closing:
            return
        if self.position:
            self.number += 1
            self.closing = [self.number, abs(self.position)]
            self.send(now, ("close", self.number, self.goal, -1 if self.position > 0 else 1, abs(self.position)))
        elif self.entry:
            if not self.entry[3]:
                self.entry[3] = True
                self.send(now, ("cancel", self.entry[0]))
        else:
            self.goal, wanted, self.turn = None, self.turn, None
            if wanted and not self.refuses():
                self.number += 1
                self.entry = [self.number, wanted, self.s["quantity"], False]
                bracket = (self.s["stop"], self.s["target"])
                order = Order(self.number, wanted, self.s["quantity"], "market", bracket=bracket)
                self.send(now, ("submit", order))

    def refuses(self):
        return self.locked or self.shut or self.equity() <= self.limit()

    def decide(self, wanted, now):
        self.turn = None
        is_held = wanted and (self.position * wanted > 0 or (self.entry and self.entry[1] == wanted))
        if is_held and self.goal is None:
            return
        if wanted and not self.refuses():
            self.turn = wanted
        self.close("signal", now)

    # ---- bars of a minute, and the rule ----

    def bar_closes(self, close):
        if self.position:
            self.trade["bars"] += 1
        self.questions.append(close)

    def ask(self, now):
        """The two averages; they are asked on all bars that one tick closed."""
        for close in self.questions:
            self.closes.append(close)
            fast, slow = self.s["fast"], self.s["slow"]
            if len(self.closes) < slow:
                continue
            difference = sum(self.closes[-fast:]) * slow - sum(self.closes[-slow:]) * fast
            wanted = (difference > 0) - (difference < 0)
            before, self.wanted = self.wanted, wanted
            decision = None if before is None or wanted == before else wanted
            if decision is not None:
                self.answers.append((now + self.s["decision_latency"], self.stretch, decision))
        self.questions = []

    def bars_until(self, start, now):
        """Closes the open bar, and fills a silence of up to an hour before `start`."""
        is_filled = now - self.last_seen <= 60 * MINUTE
        if self.bar_is_open:
            self.bar_closes(self.bar_close)
            self.bar_is_open = False
        while is_filled and self.bar_end < start:
            self.bar_end += MINUTE
            self.bar_closes(self.bar_close)

    def bars(self, tick):
        start = tick.time - (tick.time - self.session[0]) % MINUTE
        if self.last_seen is None:
            self.bar_end = start
        elif tick.time >= self.bar_end or not self.bar_is_open:
            self.bars_until(start, tick.time)
        self.bar_end, self.bar_is_open = start + MINUTE, True
        self.bar_close, self.last_seen = tick.price, tick.time
        if tick.part & CLOSE_TICK:
            self.bar_closes(tick.price)
            self.bar_is_open = False

    # ---- the clock ----

    def due(self):
        """What is due next: its time, and its place among what is due at once."""
        times = []
        if self.news:
            times.append((self.news[0][0], 0))
        if self.session:
            if self.closing_time is not None:
                times.append((self.closing_time, 1))
            times.append((self.session[1], 2))
        if self.answers:
            times.append((self.answers[0][0], 3))
        return min(times, default=(None, None))

    def run_until(self, now):
        while True:
            time, what = self.due()
            if time is None or time > now:
                return
            if what == 0:
                heard = time if self.floor is None else max(time, self.floor)
                while self.news and self.news[0][0] <= time:
                    self.hear(self.news.popleft()[1], heard)
            elif what == 1:
                self.closing_time = self.turn = None
                self.close("session_close", time)
                self.shut = True
            elif what == 2:
                self.end_session(time)
            else:
                _, stretch, decision = self.answers.popleft()
                if stretch == self.stretch:
                    self.decide(decision, time)

    def end_session(self, close):
        self.gone = []
        for order in list(self.book):
            if order.bracket:
                self.end(order)
        self.sweep(close)
        for letter in list(self.letters):
            if letter[1][0] == "submit":
                self.letters.remove(letter)
                self.tell(close, "gone", letter[1][1].number)
        self.shut, self.turn = True, None
        self.floor = max(self.floor, close)
        self.bars_until(close, close)
        self.ask(close)
        self.session, self.last_seen = None, None
        self.stretch += 1

    def run(self, ticks):
        for tick in ticks:
            self.run_until(tick.time)
            if self.session is None:
                self.session = session(tick.time)
                if self.s["flatten"]:
                    self.closing_time = self.session[1] - self.s["flatten"] * MINUTE
                self.shut = self.locked = False
                if self.last is not None:
                    self.high = self.equity()
                self.run_until(tick.time)
            self.floor = tick.time
            marks = self.exchange(tick)
            if tick.part != EXTREME:
                self.last = tick.price
            self.exit = self.ended if tick.part else None
            was_locked = self.locked
            for mark in marks:
                self.look(mark, tick.time)
            if tick.part and not tick.part & CLOSE_TICK and self.locked and not was_locked:
                # The first price from the open on at which equity is at the limit.
                level, step = self.last, TICK if marks[0] > self.last else -TICK
                while self.equity(level) > self.limit():
                    level += step
                self.locked_at = level
            self.bars(tick)
            self.ask(tick.time)
            # An answer without latency counts at once.
            while self.answers and self.answers[0][0] <= tick.time:
                _, stretch, decision = self.answers.popleft()
                self.decide(decision, tick.time)
        self.goal = self.turn = None
        for _, news in list(self.news):
            self.hear(news, self.floor)
        if self.held:
            end = ticks[-1].time
            sign = -1 if self.held > 0 else 1
            price = self.market_price(sign, Tick(end, self.last, 1))
            worse = abs(price - self.last) * POINT * abs(self.held)
            self.number += 1
            order = Order(self.number, sign, 0, "market", reason="end_of_data")
            self.on_fill(order, abs(self.held), price, worse, end)
        return [self.row(trade) for trade in self.trades]

    def row(self, t):
        nano = lambda value: round(value * 10**9)
        return {
            "side": t["side"], "quantity": t["entered"], "entry_utc": t["entry_time"],
            "entry_price": nano(t["entries"] / t["entered"]), "exit_utc": t["exit_time"],
            "exit_price": nano(t["exits"] / t["exited"]), "exit_reason": t["reason"],
            "gross_pnl": nano(t["gross"]), "costs": nano(t["costs"]), "mfe": nano(t["mfe"]),
            "mae": nano(t["mae"]), "bars_held": t["bars"], "slippage": nano(t["slippage"]),
        }


# ---- random runs ----

def scenario(rng):
    """Settings and ticks of a random run."""
    kind = rng.choice(["trades", "trades", "quotes", "bars", "bars"])
    latency = lambda: rng.choice([0, 2_000, 700_000, rng.randrange(5_000_000)]) * 1_000
    quantity = rng.randint(1, 7)
    fast = rng.randint(1, 3)
    return kind, {
        "capital": 100_000,
        "quantity": quantity,
        "fast": fast,
        "slow": fast + rng.randint(1, 3),
        "stop": rng.choice([2, 4, 8, 16, 40]),
        "target": rng.choice([2, 4, 8, 20, 40]),
        "order_latency": latency(),
        "acknowledgement_latency": latency(),
        "decision_latency": rng.choice([0, 0, latency()]),
        "commission": Fraction(rng.choice(["0", "2.25", "20"])),
        "slippage": rng.choice([0, 0, 1, 3]),
        "cross_spread": rng.random() < 0.6,
        "assumed_spread": rng.randint(1, 3),
        "touch": rng.random() < 0.5,
        "drawdown": rng.choice([1.0, 0.02, 0.01, 0.005, 0.002]),
        "flatten": rng.choice([None, 5, 17]),
    }


def walk_of(rng, count, gaps):
    """Times and prices in ticks: a walk with jumps, around the end of a session."""
    time = FIRST_CLOSE - rng.randint(10, 120) * MINUTE
    price = 18_900
    for _ in range(count):
        yield time, price
        time += gaps()
        opens, _ = session(time)
        time = max(time, opens + rng.randrange(3 * MINUTE) // 1_000 * 1_000)
        price += rng.choice([-2, -1, -1, 0, 0, 0, 1, 1, 2]) if rng.random() < 0.97 else rng.randint(-30, 30)


def trades(rng, count, quoted):
    gaps = lambda: 1_000 * (rng.randrange(2_000_000) if rng.random() < 0.2 else rng.randrange(30_000_000)
                            if rng.random() < 0.97 else rng.randrange(400_000_000))
    thin = rng.random() < 0.7
    tells_taker = quoted and rng.random() < 0.5
    for time, ticks in walk_of(rng, count, gaps):
        price = ticks * TICK
        taker = rng.choice([-1, 0, 1]) if tells_taker else 0
        bid = ask = None
        if quoted and rng.random() < 0.8:
            bid, ask = price - rng.randint(0, 2) * TICK, price + rng.randint(0, 2) * TICK
            if rng.random() < 0.2:
                # What cannot be quotes of this trade.
                bid, ask = rng.choice([(Fraction(0), Fraction(0)), (ask + TICK, bid), (bid, price - TICK), (bid, Fraction(0)),
                                       (price + TICK, ask + 2 * TICK), (bid - TICK / 5, ask), (bid, ask + TICK / 5), (TICK, ask),
                                       (bid, Fraction(9999))])
        yield Tick(time, price, rng.randint(1, 3) if thin else rng.randint(5, 50), 0, bid, ask, taker)


def minutes(rng, count):
    """Rows of bars: start, open, high, low, close in ticks, volume."""
    gaps = lambda: MINUTE * (1 if rng.random() < 0.95 else rng.randint(2, 8))
    thin = rng.random() < 0.5
    for time, ticks in walk_of(rng, count, gaps):
        time -= time % MINUTE
        if time < session(time)[0]:
            continue
        close = ticks + rng.randint(-6, 6)
        high, low = max(ticks, close) + rng.randrange(12), min(ticks, close) - rng.randrange(12)
        volume = rng.randint(4, 12) if thin else rng.randint(40, 400)
        if thin and rng.random() < 0.2:
            # Fewer trades than a bar has prices.
            volume = rng.randint(1, 3)
            close = ticks if volume == 1 else close
            high, low = (high if volume == 3 else max(ticks, close)), min(ticks, close)
        yield time, ticks, high, low, close, volume


def ticks_of_bar(row):
    """docs/import.md: open, high, low, close, the earlier ones taking what is left of the volume; of fewer than four
    contracts those that the prices need, and one alone at the end."""
    start, opened, high, low, close, volume = row
    is_needed = lambda price: volume >= 4 or price not in (opened, close)
    parts = [(start + MINUTE // 4, opened)] if volume > 1 else []
    parts += [(start + MINUTE // 2, high)] if is_needed(high) else []
    parts += [(start + MINUTE // 4 * 3, low)] if is_needed(low) else []
    parts += [(start + MINUTE - 1, close)]
    share, rest = divmod(volume, len(parts))
    for index, (time, price) in enumerate(parts):
        part = (OPEN_TICK if index == 0 else 0) | (CLOSE_TICK if index == len(parts) - 1 else 0)
        yield Tick(time, price * TICK, share + (index < rest), part or EXTREME)


def decimal(value):
    if value is None:
        return ""
    text = str(int(value * 10**9))
    sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text)
    digits = digits.rjust(10, "0")
    return f"{sign}{digits[:-9]}.{digits[-9:]}".rstrip("0").rstrip(".")


def clock(nanos, places):
    moment = EPOCH + timedelta(seconds=nanos // SECOND)
    fraction = f"{nanos % SECOND:09}"[:places]
    return f"{moment:%Y-%m-%d %H:%M:%S}" + (f".{fraction}" if places else "")


def configuration(kind, s):
    micros = lambda nanos: nanos // 1_000
    nothing = ["moving_statistics", "fair_value_gap", "momentum_index", "nadaraya_watson", "low_volume_node"]
    return {
        "system": {"seed": 1},
        "instrument": "ES",
        "data_handler": {"backtest_settings": {"file_path": "t.csv", "format": "bar-csv" if kind == "bars" else "tick-csv"}},
        "bars": {"timeframes": [1]},
        "indicators": {"timeframes": {name: [] for name in nothing}},
        "strategy": {"kind": "baseline", "timeframe": 1, "quantity": s["quantity"],
                     "stop_loss_ticks": s["stop"], "profit_target_ticks": s["target"],
                     "baseline": {"fast_period": s["fast"], "slow_period": s["slow"]}},
        "execution": {
            "decision_latency_microseconds": micros(s["decision_latency"]),
            "order_latency_microseconds": micros(s["order_latency"]),
            "acknowledgement_latency_microseconds": micros(s["acknowledgement_latency"]),
            "commission_per_side": float(s["commission"]),
            "slippage": {"ticks": s["slippage"], "cross_spread": s["cross_spread"], "assumed_spread_ticks": s["assumed_spread"]},
            "limit_fill": "touch" if s["touch"] else "through",
            "flatten_before_close_minutes": s["flatten"]},
        "account": {"initial_capital": s["capital"]},
        "risk_management": {"max_daily_drawdown": s["drawdown"], "max_position_size": 10, "max_orders_per_second": 500},
        "output": {"directory": "run"},
    }


def make(seed, longest):
    """Kind, settings, the history as text, and its ticks."""
    rng = random.Random(seed)
    kind, s = scenario(rng)
    count = rng.randint(longest // 4, longest)
    if kind == "bars":
        rows = list(minutes(rng, count))
        lines = ["Timestamp,Open,High,Low,Close,Volume"]
        lines += [",".join([clock(row[0], 0), *(decimal(price * TICK) for price in row[1:5]), str(row[5])]) for row in rows]
        ticks = [tick for row in rows for tick in ticks_of_bar(row)]
    else:
        ticks = list(trades(rng, count, kind == "quotes"))
        quoted = ",bid,ask,side" if kind == "quotes" else ""
        lines = ["timestamp,price,volume" + quoted]
        for tick in ticks:
            line = f"{clock(tick.time, 6)},{decimal(tick.price)},{tick.size}"
            side = ["", "buy", "sell"][tick.taker]
            lines.append(line + (f",{decimal(tick.bid)},{decimal(tick.ask)},{side}" if quoted else ""))
    return kind, s, "\n".join(lines) + "\n", ticks


def program_says(program, config, history, folder):
    (folder / "c.yaml").write_text(json.dumps(config))
    (folder / "t.csv").write_text(history)
    done = subprocess.run([str(program), "--config", "c.yaml"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the program failed in {folder}:\n{done.stdout}{done.stderr}")
    with open(folder / "run" / "trades.csv", newline="") as table:
        return list(csv.DictReader(table))


def nanos_of(text):
    moment, _, fraction = text.rstrip("Z").replace("T", " ").partition(".")
    seconds = (datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc) - EPOCH).total_seconds()
    return int(seconds) * SECOND + int(fraction.ljust(9, "0") or 0)


def as_text(row):
    """A trade of the walk as `trades.csv` has it."""
    def text(name, value):
        if name.endswith("_utc"):
            return clock(value, 9).replace(" ", "T") + "Z"
        is_count = name in ("quantity", "bars_held")
        return str(value) if is_count or isinstance(value, str) else decimal(Fraction(value, 10**9))

    return {name: text(name, value) for name, value in row.items()}


def differences(ours, theirs):
    """Between the walk's trades and the program's."""
    found = []
    for index in range(max(len(ours), len(theirs))):
        if index >= len(ours) or index >= len(theirs):
            found.append(f"trade {index + 1}: {'not in the walk' if index >= len(ours) else 'not in the program'}")
            continue
        for name, value in ours[index].items():
            text = theirs[index][name]
            if name.endswith("_utc"):
                is_equal, shown = nanos_of(text) == value, clock(value, 9)
            elif isinstance(value, int) and name not in ("quantity", "bars_held"):
                # Shares of a cost basis are cut to the nano-dollar.
                slack = 20 if name in ("mfe", "mae", "entry_price", "exit_price") else 0
                is_equal, shown = abs(Fraction(text) * 10**9 - value) <= slack, decimal(Fraction(value, 10**9))
            else:
                is_equal, shown = text == str(value), value
            if not is_equal:
                found.append(f"trade {index + 1}, {name}: the walk says {shown}, the program {text}")
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", type=Path, required=True)
    parser.add_argument("--runs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1, help="of the first run; the others follow")
    parser.add_argument("--longest", type=int, default=1_200, help="trades, or bars, of a run at most")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that differs")
    parser.add_argument("--pin", action="store_true", help=f"write {FIXTURE.name} from ten short runs")
    arguments = parser.parse_args()
    program = arguments.program.resolve()
    runs, longest = (10, 220) if arguments.pin else (arguments.runs, arguments.longest)
    pinned, bad, total = [], 0, 0
    for seed in range(arguments.seed, arguments.seed + runs):
        kind, s, history, ticks = make(seed, longest)
        config = configuration(kind, s)
        ours = Walk(s).run(ticks)
        folder = Path(tempfile.mkdtemp(prefix="tape-"))
        theirs = program_says(program, config, history, folder)
        found = differences(ours, theirs)
        if found:
            bad += 1
            print(f"seed {seed}, {kind}: {len(found)} differences{f', {folder}' if arguments.keep else ''}")
            print("\n".join("  " + line for line in found[:6]))
        if not (found and arguments.keep):
            shutil.rmtree(folder)
        total += len(ours)
        pinned.append({"seed": seed, "config": config, "history": history, "trades": [as_text(row) for row in ours]})
    print(f"{runs} runs, {total} trades, {bad} runs differ")
    if bad:
        sys.exit(1)
    if arguments.pin:
        text = json.dumps(pinned, separators=(",", ":"))
        FIXTURE.write_text(text.replace('},{"seed', '},\n{"seed') + "\n")
        print(f"{FIXTURE}: {FIXTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
