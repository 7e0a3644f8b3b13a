"""One iteration of each phase on a small market, and that a phase that was stopped and resumed is the phase that was not."""

import csv
import json
import subprocess
import tempfile
import unittest
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from statistics import NormalDist

import yaml
from small import DAYS, SEED, TRADES, command_line, need

need("algospace_train._engine", "pydantic", "tensorboard", "scipy", "yaml", "tqdm")

import numpy as np  # noqa: E402
import torch  # noqa: E402

from algospace_train import (  # noqa: E402
    core_training,
    evaluation,
    mappo,
    networks,
    regime_filter,
    regime_training,
    risk_training,
    team,
    trained_set,
    unseen_kinds,
)
from algospace_train.markets import open_markets  # noqa: E402
from algospace_train.run import metrics_of  # noqa: E402
from algospace_train.settings import (  # noqa: E402
    CoreSettings,
    EvaluationSettings,
    ExportSettings,
    MarketSettings,
    PhaseSettings,
    RegimeSettings,
    RiskSettings,
    SearchSettings,
    SettingsError,
    Start,
    WalkForwardSettings,
    build,
)

MARKET = MarketSettings(seeds=[SEED], days=DAYS, trades_per_day=TRADES)
OTHER = MarketSettings(seeds=[SEED + 1], days=DAYS, trades_per_day=TRADES)

THIRD = MarketSettings(seeds=[SEED + 2], days=DAYS, trades_per_day=TRADES)


class Phases(unittest.TestCase):
    """In one folder, in order."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = Path(folder.name)

    def common(self, output: str = "straight", **others) -> dict:
        return {"output": str(self.folder / output), "train": MARKET, "validation": OTHER, "threads": 1} | others

    def latest(self, written: Path) -> dict[str, torch.Tensor]:
        """The networks after a phase's last iteration; it writes the best ones."""
        return torch.load(written.parent / "checkpoint.pt", weights_only=True)["networks"]

    def same_if_resumed(self, train, settings: Callable[[str, int], PhaseSettings], name: str) -> Path:
        """Two iterations at once, and one and then another, give the same weights; one alone gives others. Returns what the
        two at once wrote."""
        straight = train(settings(name, 2))
        first = self.latest(train(settings(f"{name} halves", 1)))
        whole, resumed = self.latest(straight), self.latest(train(settings(f"{name} halves", 2), Start.RESUME))
        self.assertTrue(all(torch.equal(whole[key], resumed[key]) for key in whole))
        self.assertFalse(all(torch.equal(whole[key], first[key]) for key in whole))
        measured = [
            [{key: value for key, value in line.items() if key != "seconds"} for line in metrics_of(of.parent)]
            for of in (straight, self.folder / f"{name} halves" / straight.parent.name / straight.name)
        ]
        self.assertEqual(*(json.dumps(lines) for lines in measured))
        return straight

    def assert_learned(self, written: Path, began: str, expected: set[str]) -> None:
        """These networks are others than at the beginning, and no more."""
        before, after = networks.load(written.parent / began).state_dict(), self.latest(written)
        self.assertEqual({key.split(".")[0] for key in after if not torch.equal(after[key], before[key])}, expected)

    def test_1_a_run_that_is_there_is_not_lost_by_mistake(self):
        settings = RegimeSettings(**self.common("twice"), epochs=1)
        first = regime_training.train(settings).read_bytes()
        with self.assertRaises(SettingsError) as refused:
            regime_training.train(settings)
        self.assertIn("--resume goes on with it, --anew removes it", str(refused.exception))
        other = replace(settings, seed=8)
        # What cannot begin removes nothing.
        with self.assertRaises(SettingsError):
            regime_training.train(replace(other, initial=str(self.folder / "none.safetensors")), Start.ANEW)
        none = MarketSettings(kind="files", files=[str(self.folder / "none.ticks")])
        with self.assertRaises(SettingsError):
            regime_training.train(replace(other, train=none), Start.ANEW)
        self.assertEqual((self.folder / "twice" / "phase1" / "weights.safetensors").read_bytes(), first)
        self.assertNotEqual(regime_training.train(other, Start.ANEW).read_bytes(), first)

    def test_1_regime_engine(self):
        self.same_if_resumed(
            regime_training.train, lambda name, epochs: RegimeSettings(**self.common(name), epochs=epochs), "regime"
        )

    def test_2_risk_sub_system(self):
        given = {"slots": 8, "rollout": 64, "signal_share": 0.3, "evaluate_every": 1, "epochs": 1, "minibatches": 2}
        self.same_if_resumed(
            risk_training.train,
            lambda name, iterations: RiskSettings(**self.common(name, **given), iterations=iterations),
            "risk",
        )

    def test_2_the_last_iteration_is_looked_at_too_and_a_run_stopped_before_the_first_goes_on(self):
        given = {"slots": 8, "rollout": 64, "signal_share": 0.3, "evaluate_every": 5, "epochs": 1, "minibatches": 2}
        settings = RiskSettings(**self.common("looks", **given), iterations=2)
        folder = risk_training.train(settings).parent
        looks = [line["step"] for line in metrics_of(folder) if "validation/sortino" in line]
        self.assertEqual(looks, [0, 2])
        # The look that ends a shorter run does not count for the patience of a longer one.
        still = replace(settings, iterations=1, learning_rate=1e-12, output=str(self.folder / "looks still"))
        checkpoint = risk_training.train(still).parent / "checkpoint.pt"
        self.assertEqual(torch.load(checkpoint, weights_only=True)["waited"], 0)
        whole = self.latest(folder / "weights.safetensors")
        risk_training.train(replace(settings, iterations=0, output=str(self.folder / "looks later")))
        later = replace(settings, output=str(self.folder / "looks later"))
        resumed = self.latest(risk_training.train(later, Start.RESUME))
        self.assertTrue(all(torch.equal(whole[key], resumed[key]) for key in whole))

    def test_2_a_damaged_checkpoint_is_refused_by_name(self):
        given = {"slots": 4, "rollout": 64, "signal_share": 0.3, "evaluate_every": 5, "epochs": 1, "minibatches": 2}
        settings = RiskSettings(**self.common("damaged", **given), iterations=1)
        folder = risk_training.train(settings).parent
        for initial in ("none/weights.safetensors", "damaged/phase2/weights.safetensors"):
            with self.assertRaises(SettingsError):
                risk_training.train(replace(settings, initial=str(self.folder / initial)), Start.RESUME)
        for path in (folder / "learner-1" / "learner.pt", folder / "checkpoint.pt"):
            path.write_bytes(b"none")
            with self.assertRaises(SettingsError) as refused:
                risk_training.train(settings, Start.RESUME)
            self.assertIn("is damaged; begin with --anew", str(refused.exception))

    def risk_on_rllib(self, name: str, iterations: int = 1, **others) -> RiskSettings:
        given = {"slots": 4, "rollout": 64, "opportunities": 8, "signal_share": 0.3, "evaluate_every": 1, "epochs": 1}
        given |= {"minibatches": 2, "trainer": "rllib", "iterations": iterations}
        return RiskSettings(**self.common(name, **given | others))

    def test_2_two_runners_have_their_share_each_and_the_same_seed_is_the_same_run(self):
        need("ray")
        written = [risk_training.train(self.risk_on_rllib(f"runners {number}", runners=2)) for number in range(2)]
        first, second = map(self.latest, written)
        self.assertTrue(all(torch.equal(first[key], second[key]) for key in first))
        self.assertEqual(metrics_of(written[0].parent)[-1]["steps"], 4 * 8)

    def test_2_a_slot_that_is_cut_off_is_worth_what_its_last_state_is(self):
        settings = RiskSettings(**self.common("cut"), discount=0.5, trace=1.0, reward="net_pnl", reward_dollars=1.0)
        markets = open_markets(MARKET, {}, self.folder / "cut")
        regime = torch.zeros(len(markets.newest), networks.LATENT)
        environment = risk_training.RiskEnvironment(markets, regime, settings, 1)
        policy = risk_training.RiskPolicy(networks.initialised(1).risk)

        def opened(last: bool) -> list[dict]:
            state = {"state": [torch.zeros(1)], "action": torch.zeros(3), "old": torch.zeros(3)}
            value = policy.value_norm.normalise
            return [
                state | {"value": value(torch.tensor(4.0)), "profit": 10.0, "last": False},
                state | {"value": value(torch.tensor(6.0)), "profit": 20.0, "last": last},
            ]

        ended = environment.finish(policy, [opened(True)])
        torch.testing.assert_close(ended["return"], torch.tensor([10.0 + 0.5 * 20.0, 20.0]))
        # The second goes on beyond the rollout: what it comes to is not known, only what the critic says.
        cut = environment.finish(policy, [opened(False)])
        torch.testing.assert_close(cut["return"], torch.tensor([10.0 + 0.5 * 6.0]))

    def test_2_risk_sub_system_on_rllib(self):
        need("ray")
        written = self.same_if_resumed(risk_training.train, self.risk_on_rllib, "risk rllib")
        self.assert_learned(written, "began.safetensors", {"risk"})

    def test_2_a_step_is_an_opportunity_and_books_are_kept(self):
        need("ray")
        from algospace_train import rllib_risk

        # A reward is the profit.
        settings = self.risk_on_rllib("books", reward="net_pnl", reward_dollars=1.0)
        markets = open_markets(MARKET, {}, self.folder / "books")
        regime = torch.zeros(len(markets.newest), networks.LATENT)
        inside = risk_training.RiskEnvironment(markets, regime, settings, settings.slots)
        vector = rllib_risk.OpportunityVector(inside)
        seen, _ = vector.reset(seed=3)
        random = np.random.default_rng(4)
        earned, paid, ended, over = np.zeros(4), np.zeros(4), 0, np.zeros(4, np.bool_)
        for _ in range(100):
            began = over
            side = seen[:, networks.LATENT]
            np.testing.assert_array_equal(np.abs(side), np.where(began, 0.0, 1.0))
            np.testing.assert_array_equal(inside.environment.position, 0)
            seen, reward, over, _, _ = vector.step(random.normal(size=(4, 3)).astype(np.float32))
            np.testing.assert_array_equal(reward[began], 0.0)
            earned += reward
            trades = inside.environment.take_trades()
            np.add.at(paid, trades["slot"], trades["net"])
            np.testing.assert_allclose(earned[over], paid[over], atol=1e-6)
            ended += int(over.sum())
        self.assertGreater(ended, 4)
        self.assertGreater(np.abs(paid).min(), 0.0)

    def core(self) -> dict:
        return {
            "slots": 8,
            "rollout": 32,
            "evaluate_every": 1,
            "epochs": 1,
            "minibatches": 2,
            "warm_start_epochs": 1,
            "passes": 4,
            "gate_passes": 2,
        }

    def test_3_core_in_the_plain_loop(self):
        self.same_if_resumed(
            core_training.train,
            lambda name, count: CoreSettings(**self.common(name, **self.core()), trainer="plain", iterations=count),
            "plain",
        )

    def test_4_core_on_rllib(self):
        need("ray")
        written = self.same_if_resumed(
            core_training.train,
            lambda name, count: CoreSettings(**self.common(name, **self.core()), iterations=count),
            "rllib",
        )
        self.assert_learned(written, "warm_start.safetensors", {"core", "gate"})

    def test_5_a_trained_set_is_loaded_by_the_engine(self):
        given = ExportSettings(
            output=str(self.folder / "plain"),
            directory=str(self.folder / "set"),
            calibration=OTHER,
            test=THIRD,
            passes=4,
            every=20,
            description="For a test.",
        )
        directory = trained_set.write(given)
        manifest = json.loads((directory / "manifest.json").read_text())
        self.assertTrue(manifest["trained"])
        self.assertGreater(manifest["training"]["steps"], 0)
        synthetic = {"market": "regimes", "days": 20, "seed": 1, "trades_per_day": TRADES}
        configuration = {
            "data_handler": {"backtest_settings": {"synthetic": synthetic}},
            "marl_core": {"model_set": str(directory)},
            "output": {"directory": str(self.folder / "run")},
        }
        path = self.folder / "check.yaml"
        path.write_text(yaml.safe_dump(configuration))
        found = subprocess.run([command_line(), "check", "--config", str(path)], capture_output=True, text=True)
        self.assertEqual(found.returncode, 0, found.stderr)
        self.assertIn("regimes", found.stdout)
        self.assertNotIn("UNTRAINED", found.stdout)
        known = json.loads((directory / "calibration.json").read_text())
        self.assertEqual(known["seen"]["what phase3 has learned from"]["seeds"], [SEED])
        self.assertEqual(len(known["thresholds_on_validation"]), len(trained_set.CONFIDENCES))
        self.assertIn(f"regimes-{SEED + 1}-", known["calibration"]["markets"])
        (directory / "calibration.json").write_text(json.dumps({"seen": known["seen"]}))
        with self.assertRaises(SettingsError) as refused:
            evaluation.evaluate(EvaluationSettings(directory=str(directory)))
        self.assertIn("export the set again", str(refused.exception))
        (directory / "calibration.json").write_text(json.dumps(known))

    def test_5_what_a_set_has_seen_is_what_every_phase_before_has_seen_wherever_it_lies(self):
        before = RegimeSettings(**self.common("elsewhere") | {"train": THIRD}, epochs=1)
        initial = regime_training.train(before)
        given = CoreSettings(**self.common("after", **self.core()), trainer="plain", iterations=0, initial=str(initial))
        core_training.train(given)
        export = ExportSettings(
            output=str(self.folder / "after"), directory=str(self.folder / "set after"), calibration=THIRD, test=OTHER
        )
        with self.assertRaises(SettingsError) as refused:
            trained_set.write(export)
        self.assertIn("calibration: has sessions that are in what phase1 has learned from", str(refused.exception))
        # A set that goes on from another has seen what that has.
        others = {"train": MarketSettings(seeds=[SEED + 5], days=DAYS, trades_per_day=TRADES)}
        others |= {"initial": str(self.folder / "set" / "weights.safetensors")}
        core_training.train(replace(given, output=str(self.folder / "going on"), **others))
        with self.assertRaises(SettingsError) as refused:
            trained_set.write(replace(export, output=str(self.folder / "going on"), calibration=MARKET))
        self.assertIn(f"phase3 has learned from, in {self.folder / 'set'}", str(refused.exception))
        # And what it began with has to be there as it was.
        regime_training.train(replace(before, seed=8), Start.ANEW)
        with self.assertRaises(SettingsError) as refused:
            trained_set.write(export)
        self.assertIn("began with other networks", str(refused.exception))

    def test_6_a_trained_set_is_judged_on_markets_that_it_has_not_seen_and_on_no_others(self):
        def market(seed: int, **others) -> MarketSettings:
            return MarketSettings(**{"seeds": [SEED + seed], "days": DAYS, "trades_per_day": TRADES} | others)

        given = {
            "directory": str(self.folder / "set"),
            "output": str(self.folder / "evaluation"),
            "program": str(Path(command_line()).absolute()),
            "planted": market(10),
            "without_edge": market(11, kind="martingale"),
            "held_out": {"hectic": market(12, regimes={"trend_hours": 1.0})},
            "thresholds": {"confidence": 0.3, "agreement": 0.0, "gate": 0.0},
            "runs": [str(self.folder / "plain"), str(self.folder / "none")],
            "limits": ["Made for a test."],
            "resamples": 50,
            "threads": 1,
        }
        for seed in (0, 1, 2):
            with self.assertRaises(SettingsError) as refused:
                evaluation.evaluate(EvaluationSettings(**given | {"planted": market(seed, days=DAYS + 1)}))
            self.assertIn("planted: has sessions that are in", str(refused.exception))
        facts = json.loads(evaluation.evaluate(EvaluationSettings(**given)).read_text())
        self.assertEqual(set(facts["planted"]), {"trained", "rule", "filter", "random"})
        self.assertEqual(set(facts["seeds"]), {"plain", "plain, warm start alone"})
        # Every session once: the program and the environment have the same days.
        self.assertEqual(len({of["days"] for of in facts["planted"].values()}), 1)
        text = (self.folder / "set" / "README.md").read_text()
        for part in ("Made for a test.", "| hectic |", "warm start alone", "## Learning: phase3: validation/net_a_day"):
            self.assertIn(part, text)

    def test_6_search_runs_its_trials(self):
        need("ray")
        from algospace_train import search

        base = self.folder / "base.yaml"
        base.write_text(yaml.safe_dump(json.loads(json.dumps(asdict(RegimeSettings(**self.common("search base")))))))
        given = {"phase": "phase1", "base": str(base), "space": {"epochs": [1]}, "trials": 1, "parallel": 1}
        trials = yaml.safe_load(search.search(SearchSettings(**given, output=str(self.folder / "search"))).read_text())
        self.assertEqual([trial["error"] for trial in trials], [""])
        self.assertTrue(Path(trials[0]["weights"]).exists())

    def test_6_a_walk_forwards_tests_are_traded_by_the_program_and_stitched(self):
        need("ray")
        from algospace_train import walk_forward

        # Without an edge: there is no oracle's profit to divide by.
        settings = WalkForwardSettings(
            market=MarketSettings(kind="martingale", seeds=[SEED], days=DAYS, trades_per_day=TRADES),
            train_sessions=5,
            validation_sessions=3,
            test_sessions=3,
            phase1={"epochs": 1},
            phase2={"slots": 8, "rollout": 64, "signal_share": 0.3, "iterations": 1, "evaluate_every": 1},
            phase3=self.core() | {"iterations": 1, "warm_start_share": 0.2},
            # Whoever has learned so little is never sure.
            thresholds={"confidence": 0.01, "agreement": 0.0, "gate": 0.0, "epistemic": 1.0},
            program=str(Path(command_line()).absolute()),
            output=str(self.folder / "walk"),
        )
        output = walk_forward.walk(settings)
        with self.assertRaises(SettingsError) as refused:
            walk_forward.walk(settings)
        self.assertIn("--resume keeps its folds", str(refused.exception))
        before = (output / "walk_forward.json").read_text()
        (output / "fold-1" / "fold.json").unlink()
        walk_forward.walk(settings, Start.RESUME)
        self.assertEqual((output / "walk_forward.json").read_text(), before)
        rows = json.loads((output / "walk_forward.json").read_text())["folds"]
        self.assertEqual([len(row["net"]) for row in rows], [3, 3])
        count = 0
        for number, row in enumerate(rows):
            with (output / f"fold-{number}" / "test" / "run" / "trades.csv").open() as file:
                entries = [trade["entry_utc"] for trade in csv.DictReader(file)]
            begins = np.datetime64(row["open"][0], "ns")
            self.assertGreater(row["trades"], 0)
            self.assertTrue(all(np.datetime64(entry.rstrip("Z"), "ns") > begins for entry in entries))
            # No trade of another fold's days.
            self.assertEqual(len(entries), row["trades"])
            count += len(entries)
        stitched = json.loads((output / "stitched" / "summary.json").read_text())
        self.assertEqual((stitched["trades"], stitched["days"]), (count, 6))
        self.assertTrue((output / "stitched" / "report.html").exists())

    def test_before_the_first_step_every_ratio_is_one(self):
        settings = CoreSettings(**self.common("ratio", **self.core()), trainer="plain")
        torch.manual_seed(1)
        markets = open_markets(MARKET, {}, self.folder / "ratio")
        learner = core_training.PlainTeamLearner(settings, networks.initialised(1), markets)
        learner.environment.step(
            *(learner.environment.entered.astype("int8"), learner.environment.account[:, :3].copy())
        )
        batch = core_training.rollout(
            learner.policy,
            learner.networks.risk,
            markets,
            learner.encoded,
            learner.environment,
            learner.rewards,
            settings,
        )
        kept = 1.0 - team.masks.PROBABILITY
        masks = tuple(batch[key].flatten(0, 1).unsqueeze(1) / kept for key in ("mask_1", "mask_2"))
        new = learner.policy.log_probabilities(learner.encoded.at(batch["closes"]), batch["account"], masks)
        new = new.gather(2, batch["votes"].unsqueeze(2)).squeeze(2)
        torch.testing.assert_close(new, batch["old"], rtol=0.0, atol=1e-6)
        seen = learner.encoded.at(batch["closes"])
        execute = learner.policy.gate(*seen, batch["account"], batch["shown"], batch["wish"]).squeeze(1)
        chance = core_training.log_chance(execute, batch["execute"])
        torch.testing.assert_close(chance, batch["old_gate"], rtol=0.0, atol=1e-6)
        other = learner.policy.log_probabilities(
            learner.encoded.at(batch["closes"]), batch["account"], team.draw_masks(len(new), 1)
        )
        other = other.gather(2, batch["votes"].unsqueeze(2)).squeeze(2)
        self.assertGreater(float((other - batch["old"]).detach().abs().max()), 1e-3)


class RegimeFilter(unittest.TestCase):
    def test_regimes_last_as_long_as_they_should(self):
        hours = [3.0, 3.0, 5.0, 2.0]
        of = regime_filter.chain(hours)
        np.testing.assert_allclose(of.transition.sum(1), 1.0)
        for regime, mean in enumerate(hours):
            # The mean number of steps from its first state until it is left: (1 - Q)^-1 over its own states.
            own = np.flatnonzero(of.regime == regime)
            within = of.transition[np.ix_(own, own)]
            steps = np.linalg.solve(np.eye(len(own)) - within, np.ones(len(own)))[0]
            self.assertAlmostEqual(steps / regime_filter.CLOSES_PER_HOUR, mean)

    def test_it_is_right_about_as_often_as_it_says(self):
        with tempfile.TemporaryDirectory() as folder:
            strong = {"trend_ticks_per_half_hour": 48, "trend_hours": 8}
            markets = open_markets(MarketSettings(seeds=[5], days=40, regimes=strong), {}, Path(folder))
            with next(Path(folder).glob("*.regimes.csv")).open() as file:
                rows = list(csv.DictReader(file))
        said = regime_filter.probabilities(markets, 0)
        ends = markets.markets[0].closes()["bar_end"]
        starts = np.array([row["start_utc"].rstrip("Z") for row in rows], "datetime64[ns]").astype(np.int64)
        names = np.array([row["regime"] for row in rows])
        true = names[np.searchsorted(starts, ends, side="right") - 1]
        for regime, name in ((regime_filter.UP, "trend_up"), (regime_filter.DOWN, "trend_down")):
            sure = said[:, regime] > 0.9
            self.assertGreater(int(sure.sum()), 300)
            self.assertAlmostEqual(float((true[sure] == name).mean()), float(said[sure, regime].mean()), delta=0.08)


class UnseenKinds(unittest.TestCase):
    def test_the_chance_to_be_above_is_that_of_all_pairs(self):
        random = np.random.default_rng(3)
        for _ in range(20):
            known, new = (
                unseen_kinds.Sample(random.integers(0, 6, size).astype(float), np.sort(random.integers(0, 4, size)))
                for size in random.integers(1, 30, 2)
            )
            pairs = np.sign(new.value[:, None] - known.value[None, :])
            found = unseen_kinds.auroc(known, new, 50, 1)
            self.assertAlmostEqual(found["mean"], float((pairs + 1.0).mean() / 2.0))
            self.assertLessEqual(found["low"], found["high"])
        self.assertEqual(unseen_kinds.auroc(known, unseen_kinds.Sample(np.empty(0), np.empty(0, int)), 50, 1), {})

    def test_an_interval_is_as_wide_as_days_differ(self):
        random = np.random.default_rng(5)
        day = np.repeat(np.arange(40), 50)
        known = unseen_kinds.Sample(random.normal(size=len(day)), day)
        alike = unseen_kinds.Sample(random.normal(size=len(day)) + 0.5, day)
        quantiles = NormalDist().inv_cdf
        of_days = random.permutation([quantiles((place + 0.5) / 40) for place in range(40)])
        by_day = unseen_kinds.Sample(np.repeat(of_days, 50) + 0.5, day)
        widths = []
        for new in (alike, by_day):
            found = unseen_kinds.auroc(known, new, 200, 1)
            # Two normal draws half a deviation apart, and their sum's deviation: Phi(0.5 / sqrt 2).
            self.assertTrue(found["low"] < 0.638 < found["high"])
            widths.append(found["high"] - found["low"])
        # A day says one thing fifty times, not fifty things.
        self.assertGreater(widths[1], 3.0 * widths[0])


class Mathematics(unittest.TestCase):
    def test_advantages_are_the_sums_of_their_definition(self):
        torch.manual_seed(2)
        rewards, values = torch.randn(6, 1, dtype=torch.float64), torch.randn(7, 1, dtype=torch.float64)
        alive = torch.tensor([1, 1, 1, 0, 1, 1, 1], dtype=torch.bool).unsqueeze(1)
        discount, trace = 0.9, 0.8
        advantage, returns = mappo.advantages(rewards, values, alive, discount, trace)

        def error(step: int) -> torch.Tensor:
            after = values[step + 1] if alive[step + 1] else 0.0
            return rewards[step] + discount * after - values[step]

        # The episode ends with step 2; another begins with step 4.
        expected = {2: error(2), 1: error(1) + discount * trace * error(2), 4: error(4) + discount * trace * error(5)}
        for step, value in expected.items():
            torch.testing.assert_close(advantage[step], value)
            torch.testing.assert_close(returns[step], value + values[step])
        self.assertEqual(float(advantage[3]), 0.0)

    def test_the_clipped_loss_has_no_gradient_beyond_its_clip(self):
        new = torch.tensor([[0.5], [-0.5], [0.05]], requires_grad=True)
        advantage = torch.tensor([1.0, -1.0, 1.0])
        mappo.policy_loss(new, torch.zeros(3, 1), advantage, 0.2).backward()
        gradient = new.grad.squeeze(1)
        self.assertEqual(gradient[:2].tolist(), [0.0, 0.0])
        self.assertLess(float(gradient[2]), 0.0)

    def test_the_sortino_reward_sums_to_what_the_ratio_gains(self):
        rewards = mappo.Rewards("sortino", 1.0, 0.0, rate=1e-4)
        rewards.mean, rewards.downside = 0.1, 0.5
        profit = torch.tensor([0.7])
        ratio = 0.1 / 0.5**0.5
        found = float(rewards.of(profit)[0])
        gained = (rewards.mean / rewards.downside**0.5 - ratio) / 1e-4
        self.assertAlmostEqual(found, gained, places=2)

    def test_settings_are_refused_by_name(self):
        market = {"seeds": [1]}
        for given, part in (
            ({"epoch": 3}, "there is no key `epoch`"),
            ({"learning_rate": "fast"}, "learning_rate: Input should be a valid number"),
            ({"train": {"kind": "walk"}}, "not `walk`"),
            ({"iterations": 1.5}, "iterations: Input should be a valid integer, not `1.5`"),
            ({"iterations": -1}, "iterations: Input should be greater than or equal to 0"),
            ({"iterations": True}, "iterations: Input should be a valid integer"),
            ({"trainer": "sb3"}, "trainer: Input should be 'rllib' or 'plain', not `sb3`"),
            ({"train": {"seeds": 5}}, "train: seeds: Input should be a valid list, not `5`"),
            ({"train": market, "validation": market}, "validation: has sessions that train has too"),
            ({"train": market | {"sessions": [9, 5]}}, "train: sessions: [9, 5] has none"),
            # However many days and trades: a seed's draws are the same.
            ({"train": market, "validation": market | {"days": 60}}, "validation: has sessions that train has too"),
            (
                {"train": market | {"null_seeds": [2]}, "validation": {"seeds": [2]}},
                "validation: has sessions that train",
            ),
            ({"train": market | {"regimes": {"seed": 2}}}, "seed is a key of its own"),
            ({"train": {"kind": "martingale", "seeds": [1], "regimes": {"trend_hours": 2}}}, "only that kind has"),
            ({"train": {"seeds": [0, 3, 0]}}, "train: seeds: 0 is there twice"),
            ({"engine": {"data_handler": {}}}, "engine: data_handler: is given by the settings here"),
            ({"slots": 5, "runners": 2}, "slots: 5 is no multiple of runners"),
        ):
            with self.assertRaises(SettingsError) as refused:
                build(given, CoreSettings, "my.yaml")
            self.assertIn(part, str(refused.exception))
        # YAML reads 1e-3 as text; and later sessions of a history are others.
        spans = {"train": market | {"sessions": [0, 5]}, "validation": market | {"sessions": [5, 9]}}
        self.assertEqual(build({"learning_rate": "1e-3"} | spans, CoreSettings, "my.yaml").learning_rate, 1e-3)

    def test_what_was_never_there_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            for given, part in (
                (MarketSettings(kind="files", files=[f"{folder}/none.ticks"]), "none.ticks"),
                (MarketSettings(seeds=[1], regimes={"trend_hour": 1.0}), "trend_hour"),
                (MarketSettings(seeds=[1], days=2, trades_per_day=TRADES), "too few"),
                (replace(MARKET, sessions=(900, 901)), "give some of them"),
            ):
                with self.assertRaises(SettingsError) as refused:
                    open_markets(given, {}, Path(folder))
                self.assertIn(part, str(refused.exception))
            cut = Path(folder) / "weights.safetensors"
            cut.write_bytes(b"half a file")
            with self.assertRaises(SettingsError) as refused:
                networks.load(cut)
            self.assertIn("weights.safetensors", str(refused.exception))


if __name__ == "__main__":
    unittest.main()
