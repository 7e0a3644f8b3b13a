"""A model set on markets that it has never seen, beside a rule, a filter and chance; and what its card says of it.

The set and the rule run in the engine's own program. Entries at random, ablations, other seeds and other kinds of markets run in
the engine's environment.
"""

import json
from pathlib import Path
from typing import Any

from tqdm import tqdm

from algospace_train import machine, program, regime_filter, team, trained_set, unseen_kinds
from algospace_train.markets import Markets, open_markets, synthetic
from algospace_train.model_card import card
from algospace_train.networks import load as load_networks
from algospace_train.outcomes import Outcome, join
from algospace_train.players import Variant, chance, follow, play
from algospace_train.run import metrics_of
from algospace_train.settings import THRESHOLDS, EvaluationSettings, MarketSettings, SettingsError

WIDE_WISH = (0.2, 3.0, 5.0)
"""size, stop and reward of who follows trends that last for hours"""
AUROC_RESAMPLES = 500
"""of the bootstrap over days; each goes over all closes"""
CURVES = (
    ("phase1", "validation/loss"),
    ("phase2", "validation/sortino"),
    ("phase3", "warm_start/validation"),
    ("phase3", "validation/net_a_day"),
)
"""what says whether a phase learns"""
WRITTEN = {
    "manifest.json": ("name", "description", "seed", "revision", "training", "calibration"),
    "calibration.json": (
        "temperature",
        "calibration",
        "reliability_after",
        "share_earned",
        "confidence_quantiles",
        "thresholds_on_validation",
        "kept_iterations",
        "revisions",
        "seen",
    ),
}
"""what the card takes from a set's files"""


def attainable(markets: Markets) -> float:
    """Of the oracle, dollars a contract and day, after costs."""
    total = sum(float(market.facts["best_attainable_pnl_dollars_per_contract"]) for market in markets.markets)
    return total / sum(len(market.sessions()["open"]) for market in markets.markets)


def facts_of_set(directory: Path, name: str) -> dict[str, Any]:
    """A file that `export` has written into a set."""
    path = directory / name
    try:
        facts = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise SettingsError(f"directory: {path}: there is no such file; `export` writes a set") from error
    except ValueError as error:
        raise SettingsError(f"directory: {path}: is damaged; export the set again: {error}") from error
    if missing := [key for key in WRITTEN[name] if key not in facts]:
        raise SettingsError(
            f"directory: {path}: has no `{missing[0]}`: another version wrote it, or not `export`; export the set again"
        )
    return facts


def seen_by_runs(settings: EvaluationSettings) -> dict[str, MarketSettings]:
    """What the other runs that are judged too have looked at."""
    found = {}
    for run in settings.runs:
        phase3 = Path(run) / "phase3"
        if (phase3 / "settings.yaml").exists():
            try:
                seen = trained_set.seen_by(trained_set.lineage(phase3))
            except SettingsError as error:
                raise SettingsError(f"runs: {error}; or leave {run} out") from error
            found |= {f"{what}, in {run}": of for what, of in seen.items()}
    return found


def refuse_what_was_seen(settings: EvaluationSettings, calibrated: dict[str, Any]) -> None:
    """Markets to be judged on may have no session that learning, choosing or calibrating has looked at."""
    judged = {"planted": settings.planted, "without_edge": settings.without_edge}
    judged |= {f"held_out: {name}": of for name, of in settings.held_out.items()}
    if settings.real:
        judged["real"] = MarketSettings(kind="files", files=settings.real)
    looked_at = trained_set.seen_by_set(calibrated, Path(settings.directory) / "calibration.json")
    for seen, before in (looked_at | seen_by_runs(settings)).items():
        for name, of in judged.items():
            if of.shares_with(before):
                raise SettingsError(f"{name}: has sessions that are in {seen}; give others")


def synthetic_paths(of: MarketSettings, name: str, cache: Path) -> dict[str, Path]:
    """The histories of synthetic markets, by names for their runs."""
    return {f"{name}-{seed}": synthetic(of, seed, cache) for seed in of.seeds}


def with_program(settings: EvaluationSettings, markets: Markets, histories: dict[str, Path]) -> dict[str, Outcome]:
    """The set and the rule on every market, whose histories come in the markets' order."""
    strategies = {
        "trained": program.agents(settings.directory, settings.thresholds),
        "rule": {"strategy": {"kind": "baseline"}},
    }
    found: dict[str, list[Outcome]] = {kind: [] for kind in strategies}
    for place, (name, path) in enumerate(tqdm(histories.items(), desc="engine")):
        history = {"data_handler": {"backtest_settings": {"file_path": str(path.absolute())}}}
        for kind, strategy in strategies.items():
            folder = Path(settings.output) / name / kind
            configuration = settings.engine | history | strategy
            found[kind].append(program.outcome(settings.program, markets, place, configuration, folder))
    return {kind: join(outcomes) for kind, outcomes in found.items()}


def on_real_days(settings: EvaluationSettings, cache: Path) -> dict[str, Any]:
    """The set and the rule on real histories."""
    there = [path for path in settings.real if Path(path).exists()]
    for path in sorted(set(settings.real) - set(there)):
        print(f"SKIPPED: {path}: there is no such file; it is left out of the real days")
    if not there:
        return {}
    markets = open_markets(MarketSettings(kind="files", files=there), settings.engine, cache)
    outcomes = with_program(settings, markets, {f"real-{place}": Path(path) for place, path in enumerate(there)})
    span = f"{', '.join(Path(path).name for path in there)}: {markets.days()} sessions after the matrices were whole."
    return {"real": {kind: of.facts(settings) for kind, of in outcomes.items()}, "real_span": span}


def learning(runs: list[str]) -> dict[str, dict[str, dict[str, float]]]:
    """By what is measured and by run, the values on the validation markets by step."""
    curves: dict[str, dict[str, dict[str, float]]] = {f"{phase}: {name}": {} for phase, name in CURVES}
    for run in runs:
        for phase, name in CURVES:
            lines = metrics_of(Path(run) / phase)
            if not lines:
                print(f"SKIPPED: {run}/{phase}: has no metrics; the card leaves it out")
            if values := {str(line["step"]): line[name] for line in lines if name in line}:
                curves[f"{phase}: {name}"][Path(run).name] = values
    return curves


class Judge:
    """The set in the engine's environment, on markets with and without an edge."""

    def __init__(self, settings: EvaluationSettings, temperature: float) -> None:
        self.settings, self.temperature = settings, temperature
        self.thresholds = THRESHOLDS | settings.thresholds
        self.cache = Path(settings.output) / "markets"
        self.networks = load_networks(Path(settings.directory) / "weights.safetensors")
        self.planted = open_markets(settings.planted, settings.engine, self.cache)
        self.null = open_markets(settings.without_edge, settings.engine, self.cache)
        self.encoded = team.encode(self.networks, self.planted)

    def facts(self, outcome: Outcome) -> dict[str, Any]:
        return outcome.facts(self.settings)

    def chance(self, trades: int) -> Outcome:
        """Entries at random, about as many."""
        return chance(
            self.networks, self.planted, self.encoded, self.thresholds, self.temperature, self.settings.seed, trades
        )

    def ablations(self) -> dict[str, Any]:
        """On the planted markets, by what is missing."""
        variants = {"everything": Variant()}
        variants |= {f"without {part}": Variant(part) for part in ("regime", "risk", "gate", "dropout")}
        return {
            name: self.facts(
                play(
                    self.networks,
                    self.planted,
                    self.encoded,
                    self.thresholds,
                    self.temperature,
                    variant,
                    self.settings.seed,
                )
            )
            for name, variant in tqdm(variants.items(), desc="ablations")
        }

    def seeds(self) -> dict[str, Any]:
        """What the phases came to under other seeds, and with the warm start alone."""
        found = {}
        for run in self.settings.runs:
            for name, weights in (("", "weights"), (", warm start alone", "warm_start")):
                path = Path(run) / "phase3" / f"{weights}.safetensors"
                if path.exists():
                    networks = load_networks(path)
                    found[Path(run).name + name] = {
                        kind: self.facts(
                            play(
                                networks,
                                of,
                                team.encode(networks, of),
                                self.thresholds,
                                self.temperature,
                                seed=self.settings.seed,
                            )
                        )
                        for kind, of in (("planted", self.planted), ("null", self.null))
                    }
        return found

    def held_out(self) -> dict[str, Any]:
        """Kinds of markets that the set has not learned from, by name."""
        settings, networks, temperature = self.settings, self.networks, self.temperature

        def measured(markets: Markets, encoded: team.Encoded) -> dict[str, unseen_kinds.Sample]:
            return unseen_kinds.measures(networks, markets, encoded, temperature, self.thresholds["confidence"])

        known = {
            "planted": measured(self.planted, self.encoded),
            "null": measured(self.null, team.encode(networks, self.null)),
        }
        found = {}
        for name, of in tqdm(settings.held_out.items(), desc="held-out kinds"):
            new = open_markets(of, settings.engine, self.cache)
            encoded = team.encode(networks, new)
            here = measured(new, encoded)
            found[name] = {
                "auroc": {
                    measure: {
                        kind: unseen_kinds.auroc(there[measure], sample, AUROC_RESAMPLES, settings.seed)
                        for kind, there in known.items()
                    }
                    for measure, sample in here.items()
                },
                "share_sure": len(here["entering"].value) / len(here["everywhere"].value),
                "attainable_a_day": attainable(new),
                "filter": self.facts(follow(new, regime_filter.sides(new), WIDE_WISH)),
                "trained": self.facts(play(networks, new, encoded, self.thresholds, temperature, seed=settings.seed)),
            }
        return found


def evaluate(settings: EvaluationSettings) -> Path:
    """Runs everything; writes the card, and writes and returns `evaluation.json`."""
    machine.prepare(settings.threads)
    directory, output = Path(settings.directory), Path(settings.output)
    manifest, calibrated = (facts_of_set(directory, name) for name in WRITTEN)
    program.call(settings.program, "--version")
    refuse_what_was_seen(settings, calibrated)
    judge = Judge(settings, float(manifest["calibration"]["temperature"]))
    found = with_program(settings, judge.planted, synthetic_paths(settings.planted, "planted", judge.cache))
    on_null = with_program(settings, judge.null, synthetic_paths(settings.without_edge, "null", judge.cache))
    found["filter"] = follow(judge.planted, regime_filter.sides(judge.planted), WIDE_WISH)
    found["random"] = judge.chance(found["trained"].trades)
    facts: dict[str, Any] = {
        "set": manifest["name"],
        "revision": manifest["revision"],
        "thresholds": judge.thresholds,
        "limits": settings.limits,
        "attainable_a_day": attainable(judge.planted),
        "planted": {name: judge.facts(outcome) for name, outcome in found.items()},
        "null": {name: judge.facts(outcome) for name, outcome in on_null.items()},
    }
    if settings.ablations:
        facts["ablations"] = judge.ablations()
    facts["held_out"] = judge.held_out()
    facts["learning"] = learning(settings.runs)
    facts["seeds"] = judge.seeds()
    facts |= on_real_days(settings, judge.cache)
    path = output / "evaluation.json"
    path.write_text(json.dumps(facts, indent=2) + "\n")
    (directory / "README.md").write_text(card(manifest, calibrated, facts))
    return path
