"""A model set on markets that it has never seen, beside a rule and chance, with intervals.

The set and the rule run in the engine's own program. Entries at random and ablations run in the engine's environment. Every
trade counts for one contract, since the oracle of a synthetic market holds one; a day without a trade counts as nothing. Intervals
are of 95 %, by a bootstrap over days (B. Efron, R. Tibshirani, "An Introduction to the Bootstrap", 1993).
"""

import csv
import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from tqdm import tqdm

from algospace_train import _engine, machine, regime_filter, team, unseen_kinds
from algospace_train import networks as nets
from algospace_train.markets import Markets, open_markets, synthetic
from algospace_train.model_card import card
from algospace_train.networks import Networks
from algospace_train.settings import PLAIN_WISH, EvaluationSettings, MarketSettings, SettingsError, WalkForwardSettings
from algospace_train.team import Encoded

SESSIONS = 5
"""that an account lives, in the environment"""
WIDE_WISH = (0.2, 3.0, 5.0)
"""size, stop and reward of who follows trends that last for hours"""
AUROC_RESAMPLES = 500
"""of the bootstrap over days; each goes over all closes"""
THRESHOLDS = {"confidence": 0.8, "epistemic": 0.3, "agreement": 0.5, "gate": 0.5}
"""as the engine has them"""


@dataclass
class Outcome:
    """What somebody made of some markets."""

    net: np.ndarray
    """dollars a contract of every day"""
    gross: np.ndarray
    """before commission; spread and slippage are in it"""
    free: np.ndarray
    """before spread and slippage too"""
    trades: int

    def facts(self, settings: EvaluationSettings | WalkForwardSettings) -> dict[str, Any]:
        """Everything that is told of it."""
        intervals = {
            f"{name}_a_day": interval(getattr(self, name), settings.resamples, settings.seed)
            for name in ("net", "gross", "free")
        }
        return {"days": len(self.net), "trades_a_day": self.trades / len(self.net)} | intervals


def interval(values: np.ndarray, resamples: int, seed: int) -> dict[str, float]:
    """Mean a day, and its interval."""
    random = np.random.default_rng([seed, 17])
    means = np.array([values[random.integers(0, len(values), len(values))].mean() for _ in range(resamples)])
    low, high = np.quantile(means, (0.025, 0.975))
    return {"mean": float(values.mean()), "low": float(low), "high": float(high)}


def join(outcomes: list[Outcome]) -> Outcome:
    """Over several markets."""
    days = (np.concatenate([getattr(of, name) for of in outcomes]) for name in ("net", "gross", "free"))
    return Outcome(*days, sum(of.trades for of in outcomes))


def by_day(
    markets: Markets, market: int, entry: np.ndarray, net: np.ndarray, gross: np.ndarray, free: np.ndarray
) -> Outcome:
    """Trades by the session that they were entered in, of the sessions in which something can be decided."""
    opens = markets.markets[market].sessions()["open"]
    _, first, end = markets.spans[market]
    day = np.searchsorted(opens, entry, side="right") - 1
    chosen = (day >= first) & (day < end)
    total = np.zeros((3, end - first))
    for row, values in zip(total, (net, gross, free), strict=True):
        np.add.at(row, day[chosen] - first, values[chosen])
    return Outcome(*total, int(chosen.sum()))


def run_program(program: str, configuration: dict[str, Any], folder: Path) -> None:
    """Runs the engine on a configuration; its results are in `folder / "run"`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "configuration.yaml"
    path.write_text(yaml.safe_dump(configuration | {"output": {"directory": str(folder / "run")}}))
    call(program, "--config", str(path))


def call(program: str, *arguments: str) -> None:
    """Calls the engine's program."""
    try:
        subprocess.run([program, *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise SettingsError(f"program: {program}: there is no such program; cargo build --release") from error
    except subprocess.CalledProcessError as error:
        told = error.stderr.strip()
        raise SettingsError(f"{program} {' '.join(arguments)}: the engine refuses it: {told}") from error


def ran(program: str, markets: Markets, market: int, configuration: dict[str, Any], folder: Path) -> Outcome:
    """What the program made of a market."""
    run_program(program, configuration, folder)
    with (folder / "run" / "trades.csv").open() as file:
        rows = list(csv.DictReader(file))
    quantity = np.array([int(row["quantity"]) for row in rows])
    entry = np.array([row["entry_utc"].rstrip("Z") for row in rows], "datetime64[ns]").astype(np.int64)
    names = ("net_pnl", "gross_pnl", "slippage")
    net, gross, slippage = (np.array([float(row[name]) for row in rows]) for name in names)
    each = np.maximum(quantity, 1)
    return by_day(markets, market, entry, net / each, gross / each, (gross + slippage) / each)


def agents(model_set: str | Path, thresholds: dict[str, float]) -> dict[str, Any]:
    """The engine's settings for a set."""
    chosen = THRESHOLDS | thresholds
    mc_dropout = {
        "confidence_threshold": chosen["confidence"],
        "maximum_epistemic": chosen["epistemic"],
        "minimum_agreement": chosen["agreement"],
    }
    core = {"model_set": str(Path(model_set).absolute()), "mc_dropout": mc_dropout}
    return {"strategy": {"kind": "marl"}, "marl_core": core | {"gate_threshold": chosen["gate"]}}


@dataclass
class Variant:
    """A team with something missing."""

    name: str
    without: str = ""
    """`regime`: the regime vector is all zeros; `risk`: every wish is the same; `gate`: nothing is asked of it; `dropout`: one
    pass without dropout, and no bound on uncertainty"""
    random_share: float | None = None
    """enters a random side at this share of the closes at which it holds nothing"""


@torch.no_grad()
def play(
    networks: Networks,
    markets: Markets,
    encoded: Encoded,
    variant: Variant,
    settings: EvaluationSettings,
    temperature: float,
) -> Outcome:
    """A variant of the team in the engine's environment, every session once; a new account every five sessions."""
    torch.manual_seed(settings.seed)
    chosen = THRESHOLDS | settings.thresholds
    chunks = markets.chunks(SESSIONS)
    environment = _engine.VectorEnvironment(markets.markets, chunks, len(chunks), None)
    if variant.without == "regime":
        encoded = replace(encoded, regime=torch.zeros_like(encoded.regime))
    direction, wish = np.zeros(len(chunks), np.int8), np.zeros((len(chunks), 3), np.float32)
    environment.step(direction, wish)
    while not environment.is_idle.all():
        closes = markets.close(environment.market, environment.close)
        account = torch.from_numpy(environment.account.copy())
        seen = encoded.at(closes)
        if variant.without == "dropout":
            ones = [torch.ones(3 * len(closes), 1, width) for width in team.masks.WIDTHS]
            said = team.count_votes(networks.core(*seen, account, *ones), temperature)
        else:
            said = team.opportunities(networks.core, seen, account, 30, temperature)
        wished = team.wish_of(networks.risk, seen, said.seen(), encoded.volatility[closes], account)
        enters = (said.confidence >= chosen["confidence"]) & (said.agreement >= chosen["agreement"])
        if variant.without != "dropout":
            enters &= said.epistemic <= chosen["epistemic"]
        if variant.without == "risk":
            wished = torch.tensor(PLAIN_WISH).repeat(len(closes), 1)
        if variant.without != "gate":
            enters &= networks.gate(*seen, account, said.seen(), wished).squeeze(1) >= chosen["gate"]
        side = torch.where(enters, said.direction, 0.0)
        if variant.random_share is not None:
            is_flat = torch.from_numpy(environment.position == 0)
            drawn = is_flat & (torch.rand(len(closes)) < variant.random_share)
            side = torch.where(drawn, torch.where(torch.rand(len(closes)) < 0.5, 1.0, -1.0), 0.0)
        environment.step(side.numpy().astype(np.int8), wished.numpy())
    return collected(environment, markets)


def collected(environment: "_engine.VectorEnvironment", markets: Markets) -> Outcome:
    """What the round trips of an environment came to."""
    trades = environment.take_trades()
    each = np.maximum(trades["quantity"], 1)
    net, gross, free = trades["net"] / each, trades["gross"] / each, (trades["gross"] + trades["slippage"]) / each
    outcomes = []
    for market in range(len(markets.markets)):
        of = trades["market"] == market
        outcomes.append(by_day(markets, market, trades["entry_time"][of], net[of], gross[of], free[of]))
    return join(outcomes)


def follow(markets: Markets, side: np.ndarray, wish: tuple[float, float, float]) -> Outcome:
    """Enters `side` [closes] wherever it is not 0, always with the same wish; every session once."""
    chunks = markets.chunks(SESSIONS)
    environment = _engine.VectorEnvironment(markets.markets, chunks, len(chunks), None)
    wishes = np.tile(np.array(wish, np.float32), (len(chunks), 1))
    environment.step(np.zeros(len(chunks), np.int8), wishes)
    while not environment.is_idle.all():
        closes = markets.close(environment.market, environment.close)
        environment.step(side[closes], wishes)
    return collected(environment, markets)


def matched(
    networks: Networks,
    markets: Markets,
    encoded: Encoded,
    trades: int,
    settings: EvaluationSettings,
    temperature: float,
) -> Outcome:
    """Entries at random, as many as `trades` within a tenth or so, with the same stops and targets."""
    share = min(1.0, max(1e-4, trades / max(1, len(markets.decidable))))
    for _ in range(4):
        found = play(networks, markets, encoded, Variant("random", random_share=share), settings, temperature)
        if found.trades == 0 or abs(found.trades - trades) <= 0.05 * trades:
            break
        share = min(1.0, share * trades / found.trades)
    return found


def attainable(markets: Markets) -> float:
    """Of the oracle, dollars a contract and day, after costs."""
    total = sum(float(market.facts["best_attainable_pnl_dollars_per_contract"]) for market in markets.markets)
    return total / sum(len(market.sessions()["open"]) for market in markets.markets)


def on_real_days(settings: EvaluationSettings, cache: Path) -> dict[str, Any]:
    """The set and the rule on real histories, and what that shows."""
    there = [path for path in settings.real if Path(path).exists()]
    for path in sorted(set(settings.real) - set(there)):
        print(f"SKIPPED: {path}: there is no such file; it is left out of the real days")
    if not there:
        return {}
    markets = open_markets(MarketSettings(kind="files", files=there), settings.engine, cache)
    outcomes = with_program(settings, markets, {f"real-{place}": Path(path) for place, path in enumerate(there)})
    note = (
        f"{', '.join(Path(path).name for path in there)}: {markets.days()} sessions after the matrices were whole. So few days show that "
        "everything runs on a real market. They show no edge, and could not: the set has never learned from a real market, and an "
        "interval this wide holds nearly anything."
    )
    return {"real": {kind: of.facts(settings) for kind, of in outcomes.items()}, "real_note": note}


def synthetic_paths(of: MarketSettings, name: str, cache: Path) -> dict[str, Path]:
    """The histories of synthetic markets, by names for their runs."""
    return {f"{name}-{seed}": synthetic(of, seed, cache) for seed in of.seeds}


def with_program(settings: EvaluationSettings, markets: Markets, histories: dict[str, Path]) -> dict[str, Outcome]:
    """The set and the rule on every market, whose histories come in the markets' order."""
    strategies = {
        "trained": agents(settings.directory, settings.thresholds),
        "rule": {"strategy": {"kind": "baseline"}},
    }
    found: dict[str, list[Outcome]] = {kind: [] for kind in strategies}
    for place, (name, path) in enumerate(tqdm(histories.items(), desc="engine")):
        history = {"data_handler": {"backtest_settings": {"file_path": str(path.absolute())}}}
        for kind, strategy in strategies.items():
            folder = Path(settings.output) / name / kind
            found[kind].append(ran(settings.program, markets, place, settings.engine | history | strategy, folder))
    return {kind: join(outcomes) for kind, outcomes in found.items()}


CURVES = (
    ("phase1", "validation/loss"),
    ("phase2", "validation/sortino"),
    ("phase3", "warm_start/validation"),
    ("phase3", "validation/net_a_day"),
)
"""what says whether a phase learns"""


def learning(runs: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """By what is measured and by run, the values on the validation markets by step."""
    curves: dict[str, dict[str, dict[str, float]]] = {f"{phase}: {name}": {} for phase, name in CURVES}
    for run in runs:
        for phase, name in CURVES:
            path = Path(run) / phase / "metrics.jsonl"
            if not path.exists():
                print(f"SKIPPED: {path}: there is no such file; the card leaves it out")
                continue
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            curves[f"{phase}: {name}"][Path(run).name] = {
                str(line["step"]): line[name] for line in lines if name in line
            }
    return curves


def evaluate(settings: EvaluationSettings) -> Path:
    """Runs everything; writes and returns `evaluation.json`."""
    machine.prepare(settings.threads)
    directory, output = Path(settings.directory), Path(settings.output)
    manifest = json.loads((directory / "manifest.json").read_text())
    temperature = float(manifest["calibration"]["temperature"])
    networks = nets.load(directory / "weights.safetensors")
    cache = output / "markets"
    planted = open_markets(settings.planted, settings.engine, cache)
    null = open_markets(settings.without_edge, settings.engine, cache)
    encoded, encoded_null = team.encode(networks, planted), team.encode(networks, null)
    found = with_program(settings, planted, synthetic_paths(settings.planted, "planted", cache))
    on_null = with_program(settings, null, synthetic_paths(settings.without_edge, "null", cache))
    found["filter"] = follow(planted, regime_filter.sides(planted), WIDE_WISH)
    found["random"] = matched(networks, planted, encoded, found["trained"].trades, settings, temperature)
    facts: dict[str, Any] = {
        "set": manifest["name"],
        "revision": manifest["revision"],
        "thresholds": THRESHOLDS | settings.thresholds,
        "attainable_a_day": attainable(planted),
        "planted": {name: outcome.facts(settings) for name, outcome in found.items()},
        "null": {name: outcome.facts(settings) for name, outcome in on_null.items()},
    }
    net = facts["planted"]["trained"]["net_a_day"]["mean"]
    facts["captured"] = net / facts["attainable_a_day"]
    facts["captured_of_filter"] = net / facts["planted"]["filter"]["net_a_day"]["mean"]
    if settings.ablations:
        variants = [
            Variant("everything"),
            *(Variant(f"without {part}", part) for part in ("regime", "risk", "gate", "dropout")),
        ]
        facts["ablations"] = {
            variant.name: play(networks, planted, encoded, variant, settings, temperature).facts(settings)
            for variant in tqdm(variants, desc="ablations")
        }
    sure = (THRESHOLDS | settings.thresholds)["confidence"]
    known = {
        kind: unseen_kinds.measures(networks, of, encoded_of, temperature, sure)
        for kind, of, encoded_of in (("planted", planted, encoded), ("null", null, encoded_null))
    }
    facts["held_out"] = {}
    for name, of in tqdm(settings.held_out.items(), desc="held-out kinds"):
        new = open_markets(of, settings.engine, cache)
        encoded_new = team.encode(networks, new)
        measured = unseen_kinds.measures(networks, new, encoded_new, temperature, sure)
        facts["held_out"][name] = {
            "auroc": {
                measure: {
                    kind: unseen_kinds.auroc(there[measure], sample, AUROC_RESAMPLES, settings.seed)
                    for kind, there in known.items()
                }
                for measure, sample in measured.items()
            },
            "share_sure": len(measured["entering"].value) / len(measured["everywhere"].value),
            "attainable_a_day": attainable(new),
            "filter": follow(new, regime_filter.sides(new), WIDE_WISH).facts(settings),
            "trained": play(networks, new, encoded_new, Variant("trained"), settings, temperature).facts(settings),
        }
    facts["learning"] = learning(settings.runs)
    facts["seeds"] = {}
    for run in settings.runs:
        weights = Path(run) / "phase3" / "weights.safetensors"
        if weights.exists():
            of_seed = nets.load(weights)
            facts["seeds"][Path(run).name] = {
                kind: play(of_seed, of, team.encode(of_seed, of), Variant(run), settings, temperature).facts(settings)
                for kind, of in (("planted", planted), ("null", null))
            }
    facts |= on_real_days(settings, cache)
    path = output / "evaluation.json"
    path.write_text(json.dumps(facts, indent=2) + "\n")
    calibrated = json.loads((directory / "calibration.json").read_text())
    (directory / "README.md").write_text(card(manifest, calibrated, facts))
    return path
