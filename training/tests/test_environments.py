"""The environment is the engine: the same seed and the same actions give the same trades as the command line, and libraries'
own checkers pass."""

import csv
import subprocess
import tempfile
import unittest
import warnings
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
import yaml
from small import DAYS, SEED, TRADES, command_line, need

need("gymnasium", "pettingzoo", "pydantic", "algospace_train._engine")

from gymnasium.utils.env_checker import check_env  # noqa: E402
from pettingzoo.test import parallel_api_test, parallel_seed_test  # noqa: E402

from algospace_train import _engine, masks, networks, team  # noqa: E402
from algospace_train.environments import EpisodeSettings, TradingEnvironment, TradingTeam, TradingVector  # noqa: E402
from algospace_train.markets import Markets  # noqa: E402
from algospace_train.settings import MarketSettings  # noqa: E402

CONFIGURATION = {
    "system": {"seed": 11},
    "data_handler": {
        "backtest_settings": {"synthetic": {"market": "regimes", "days": DAYS, "seed": SEED, "trades_per_day": TRADES}}
    },
    "strategy": {"kind": "marl"},
    "marl_core": {"mc_dropout": {"confidence_threshold": 0.35, "minimum_agreement": 0.0}, "gate_threshold": 0.0},
}


def nanoseconds(text: str) -> int:
    """Of a time as the engine writes it, such as 2024-01-02T15:30:00.123456789Z."""
    moment, _, fraction = text.rstrip("Z").partition(".")
    seconds = int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    return seconds * 10**9 + int(fraction.ljust(9, "0") or "0")


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as file:
        return list(csv.DictReader(file))


class TheEnvironmentIsTheCommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        cls.text = yaml.safe_dump(CONFIGURATION | {"output": {"directory": cls.folder.name + "/run"}})
        path = Path(cls.folder.name) / "agents.yaml"
        path.write_text(cls.text)
        output = Path(cls.folder.name) / "run"
        arguments = [command_line(), "--config", str(path)]
        subprocess.run(arguments, check=True, capture_output=True)
        cls.decisions, cls.trades = table(output / "decisions.csv"), table(output / "trades.csv")
        cls.market = _engine.Market(text=cls.text)

    def test_the_same_actions_give_the_same_trades(self):
        sessions = len(self.market.sessions()["open"])
        environment = _engine.VectorEnvironment([self.market], [(0, 0, sessions)], 1, None)
        decided = {nanoseconds(row["bar_end_utc"]): row for row in self.decisions}
        ends = self.market.closes()["bar_end"]
        direction, wish = np.zeros(1, np.int8), np.zeros((1, 3), np.float32)
        environment.step(direction, wish)
        steps = 0
        while not environment.is_last[0]:
            row = decided[int(ends[environment.close[0]])]
            direction[0] = {"long": 1, "short": -1, "none": 0}[row["decided"]]
            if direction[0]:
                wish[0] = [float(row[name]) for name in ("size", "stop_ranges", "reward")]
            environment.step(direction, wish)
            steps += 1
        found = environment.take_trades()
        self.assertGreater(len(self.trades), 20)
        self.assertGreater(steps, 1000)
        self.assertEqual(len(found["net"]), len(self.trades))
        for place, row in enumerate(self.trades):
            self.assertEqual(int(found["side"][place]), 1 if row["side"] == "long" else -1)
            self.assertEqual(int(found["quantity"][place]), int(row["quantity"]))
            self.assertEqual(int(found["entry_time"][place]), nanoseconds(row["entry_utc"]))
            self.assertEqual(int(found["exit_time"][place]), nanoseconds(row["exit_utc"]))
            self.assertEqual(found["exit"][place], row["exit_reason"])
            for name, column in (
                ("gross", "gross_pnl"),
                ("net", "net_pnl"),
                ("costs", "costs"),
                ("slippage", "slippage"),
            ):
                self.assertEqual(float(found[name][place]), float(row[column]))

    @torch.inference_mode()
    def test_the_team_in_batches_says_what_the_engine_says(self):
        built_in = networks.load(Path(__file__).parents[2] / "models" / "untrained" / "weights.safetensors")
        markets = Markets([self.market])
        encoded = team.encode(built_in, markets)
        place = {int(end): close for close, end in enumerate(self.market.closes()["bar_end"])}
        # Up to the first entry the account is all zeros.
        ready = [row for row in self.decisions if row["confidence"]]
        first_entry = next(number for number, row in enumerate(ready) if row["decided"] != "none")
        for row in ready[: first_entry + 1]:
            drawn = masks.masks(CONFIGURATION["system"]["seed"], int(row["question"]), 30)
            seen = encoded.at(torch.tensor([place[nanoseconds(row["bar_end_utc"])]]))
            said = team.count_votes(built_in.core(*seen, torch.zeros(1, 5), *map(torch.from_numpy, drawn)))
            for name in ("confidence", "aleatoric", "epistemic", "agreement"):
                self.assertAlmostEqual(float(getattr(said, name)), float(row[name]), places=4, msg=name)


class LibrariesCheckersPass(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.folder.cleanup)
        market = MarketSettings(seeds=[SEED], days=DAYS, trades_per_day=TRADES)
        cls.settings = EpisodeSettings(market, cache=cls.folder.name)
        cls.markets = cls.settings.markets()

    def test_gymnasium(self):
        with warnings.catch_warnings():
            # The account has no bounds.
            warnings.filterwarnings("ignore", message=".*infinity.*")
            check_env(TradingEnvironment(self.settings, self.markets), skip_render_check=True)

    def test_pettingzoo(self):
        parallel_api_test(TradingTeam(self.settings, self.markets), num_cycles=500)
        parallel_seed_test(lambda: TradingTeam(self.settings, self.markets), num_cycles=200)

    def test_a_vector_has_observations_of_its_space_and_begins_anew_after_an_end(self):
        vector = TradingVector(self.settings, 3, 5, self.markets)
        seen, _ = vector.reset(seed=9)
        vector.action_space.seed(1)
        ended = np.zeros(3, bool)
        for _ in range(700):
            self.assertTrue(vector.observation_space.contains(seen))
            before = ended
            seen, reward, ended, _, _ = vector.step(vector.action_space.sample())
            np.testing.assert_array_equal(vector.environment.is_first, before)
            self.assertTrue((reward[before] == 0.0).all())

    def test_a_vector_without_a_seed_goes_on_with_other_episodes(self):
        def first_closes(vector: TradingVector, **seed) -> list[int]:
            vector.reset(**seed)
            return [*vector.environment.market.tolist(), *vector.environment.close.tolist()]

        vector = TradingVector(self.settings, 8, 5, self.markets)
        runs = [first_closes(vector, seed=1), first_closes(vector), first_closes(vector)]
        self.assertNotEqual(runs[0], runs[1])
        self.assertNotEqual(runs[1], runs[2])
        self.assertEqual(runs, [first_closes(vector, seed=1), first_closes(vector), first_closes(vector)])

    def test_rllib_takes_the_team_as_its_multi_agent_environment(self):
        need("ray")
        from ray.rllib.env.multi_agent_env import MultiAgentEnv
        from ray.rllib.utils.pre_checks.env import check_multiagent_environments

        from algospace_train import rllib_team

        environment = rllib_team.multi_agent(self.settings)
        self.assertIsInstance(environment, MultiAgentEnv)
        check_multiagent_environments(environment)
        seen, _ = environment.reset(seed=4)
        self.assertEqual(set(seen), set(environment.possible_agents))
        actions = {agent: environment.get_action_space(agent).sample() for agent in seen}
        _, reward, over, _, _ = environment.step(actions)
        self.assertEqual(len(set(reward.values())), 1)
        self.assertFalse(over["__all__"])

    def test_one_seed_is_one_trajectory(self):
        def run(seed: int) -> list[float]:
            environment = TradingEnvironment(self.settings, self.markets)
            environment.reset(seed=seed)
            environment.action_space.seed(4)
            return [environment.step(environment.action_space.sample())[1] for _ in range(200)]

        self.assertEqual(run(1), run(1))
        self.assertNotEqual(run(1), run(2))


if __name__ == "__main__":
    unittest.main()
