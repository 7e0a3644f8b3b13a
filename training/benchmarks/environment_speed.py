"""Environment steps a second: the engine's environment alone, behind its faces and under RLlib, beside the same work in pure Python.

    python benchmarks/environment_speed.py [--quick]

The pure-Python environment is a Gymnasium environment as people write them: for every step it walks the ticks of five minutes, moves
stop and target, fills them at the next tick after the latency, keeps cash, equity and the day's drawdown. It computes no indicators, and
neither does an environment of ours in a step: both look rows up. Random actions; one thread, but for RLlib's runners. Medians of five.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces

from algospace_train import _engine, networks
from algospace_train.environments import EpisodeSettings, TradingEnvironment, TradingVector
from algospace_train.settings import CoreSettings, MarketSettings

TICKS_A_STEP = 72
"""as a market of 20,000 trades a day has in five minutes"""


class PurePython(gymnasium.Env):
    """One contract with a bracket, in Python alone."""

    def __init__(self, days: int = 5) -> None:
        self.observation_space = spaces.Box(-3.0, 3.0, (48 * 8 + 60 * 7 + 100 * 12 + 5 + 6,), np.float32)
        self.action_space = spaces.Discrete(3)
        drawn, price = random.Random(1), 19_000
        self.ticks = []
        for number in range(days * 276 * TICKS_A_STEP):
            price += drawn.choice((-1, 0, 0, 0, 1))
            self.ticks.append((number * 4_000_000_000, price, price, price + 1, 1))
        self.rows = (
            np.random.default_rng(1).normal(size=(days * 276, self.observation_space.shape[0])).astype(np.float32)
        )

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        del options
        super().reset(seed=seed)
        self.place, self.position, self.cash, self.highest = 0, 0, 100_000.0, 100_000.0
        self.stop = self.target = self.pending = None
        return self.rows[0], {}

    def fill(self, side: int, quantity: int, price: int) -> None:
        self.cash -= side * quantity * price * 12.5 + 2.25 * quantity
        self.position += side * quantity

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        begin = self.place * TICKS_A_STEP
        before = self.cash + self.position * self.ticks[begin][1] * 12.5
        if action != 1 and self.position == 0:
            self.pending = (self.ticks[begin][0] + 2_000_000, action - 1)
        for moment, price, bid, ask, _ in self.ticks[begin : begin + TICKS_A_STEP]:
            if self.pending and moment > self.pending[0]:
                side = self.pending[1]
                self.pending = None
                self.fill(side, 1, ask if side > 0 else bid)
                self.stop, self.target = price - side * 30, price + side * 60
            elif self.position:
                side = 1 if self.position > 0 else -1
                if (price - self.stop) * side <= 0:
                    self.fill(-side, abs(self.position), bid if side > 0 else ask)
                elif (price - self.target) * side > 0:
                    self.fill(-side, abs(self.position), self.target)
            equity = self.cash + self.position * price * 12.5
            self.highest = max(self.highest, equity)
            if equity < 0.95 * self.highest and self.position:
                side = 1 if self.position > 0 else -1
                self.fill(-side, abs(self.position), bid if side > 0 else ask)
        self.place += 1
        is_over = self.place + 1 >= len(self.rows)
        return self.rows[self.place], self.cash + self.position * price * 12.5 - before, is_over, False, {}


def rate(step: Callable[[], Any], steps_each: int, seconds: float) -> float:
    """Steps a second: the median of five stretches."""
    found = []
    for _ in range(5):
        began, count = time.perf_counter(), 0
        while (spent := time.perf_counter() - began) < seconds / 5:
            step()
            count += steps_each
        found.append(count / spent)
    return statistics.median(found)


def one(environment: gymnasium.Env, act: Callable[[], Any]) -> Callable[[], None]:
    environment.reset(seed=1)

    def step() -> None:
        if environment.step(act())[2]:
            environment.reset()

    return step


def raw(markets: Any, slots: int) -> Callable[[], None]:
    environment = _engine.VectorEnvironment(markets.markets, markets.chunks(2), slots, 1)
    drawn = np.random.default_rng(1)
    directions = [drawn.integers(-1, 2, slots).astype(np.int8) for _ in range(64)]
    wish = np.tile(np.array((0.2, 2.0, 2.0), np.float32), (slots, 1))
    number = 0

    def step() -> None:
        nonlocal number
        number += 1
        environment.step(directions[number % 64], wish)
        if number % 1000 == 0:
            environment.take_trades()

    return step


def on_rllib(settings: CoreSettings, runners: int, weights: str, iterations: int) -> tuple[float, float]:
    """Steps a second of the whole iteration, and of sampling alone."""
    from algospace_train import rllib_team

    learner = rllib_team.learner(replace(settings, runners=runners), Path(weights), None)
    learner.iterate()
    whole, sampling = [], []
    for _ in range(iterations):
        began = time.perf_counter()
        found = learner.algorithm.train()
        spent = time.perf_counter() - began
        steps = settings.slots * settings.rollout
        whole.append(steps / spent)
        sampling.append(steps / float(found["timers"]["env_runner_sampling_timer"]))
    learner.close()
    return statistics.median(whole), statistics.median(sampling)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a second for each, no RLlib: to see that it runs")
    arguments = parser.parse_args()
    seconds = 1.0 if arguments.quick else 10.0
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        market = MarketSettings(seeds=[1], days=60)
        settings = EpisodeSettings(market, cache=f"{folder}/markets")
        markets = settings.markets()
        python = PurePython()
        found = {"pure Python, Gymnasium": rate(one(python, python.action_space.sample), 1, seconds)}
        for slots in (1, 16, 128):
            found[f"engine, {slots} slots"] = rate(raw(markets, slots), slots, seconds)
        ours = TradingEnvironment(settings, markets)
        found["engine behind Gymnasium"] = rate(one(ours, ours.action_space.sample), 1, seconds)
        vector = TradingVector(settings, 128, 1, markets)
        vector.reset()
        action = vector.action_space.sample()
        found["engine behind Gymnasium's vector, 128 slots"] = rate(lambda: vector.step(action), 128, seconds)
        if not arguments.quick:
            weights = Path(folder) / "weights.safetensors"
            import safetensors.torch

            safetensors.torch.save_file(networks.initialised(1).state_dict(), weights)
            other = MarketSettings(seeds=[2], days=60)
            core = CoreSettings(output=folder, train=market, validation=other, slots=128, rollout=64)
            for runners in (0, 1, 2):
                whole, sampling = on_rllib(core, runners, str(weights), 5)
                found[f"RLlib, {runners} runners: sampling"] = sampling
                found[f"RLlib, {runners} runners: with learning"] = whole
        for name, value in found.items():
            print(f"{name:48} {value:12,.0f} steps/s  {value / found['pure Python, Gymnasium']:8,.1f} x pure Python")


if __name__ == "__main__":
    main()
