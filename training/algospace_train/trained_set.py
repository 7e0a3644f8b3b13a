"""What phase 3 learned, as a model set: calibrated on outcomes, exported, with what is known of it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from algospace_train import calibration, machine, team
from algospace_train.export import Card, export
from algospace_train.markets import Markets, open_markets
from algospace_train.networks import load as load_networks
from algospace_train.players import play
from algospace_train.run import kept_step, metrics_of, origin_of, revision, sha256
from algospace_train.settings import (
    PHASES,
    THRESHOLDS,
    CoreSettings,
    ExportSettings,
    MarketSettings,
    PhaseSettings,
    SettingsError,
    build,
    read,
)
from algospace_train.whole_file import write_whole

CONFIDENCES = (0.36, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)
"""thresholds that the validation markets are traded with, for whoever chooses one"""


def steps(folder: Path) -> int:
    """Steps of the environment that a phase took: closes, or on RLlib in phase 2 opportunities."""
    return int(max((line.get("steps", 0.0) for line in metrics_of(folder)), default=0.0))


def lineage(folder: Path) -> list[tuple[Path, PhaseSettings]]:
    """The runs that the networks of a run come from, wherever their folders are, the first one first: every phase's `initial` says
    which was before it. One that has learned other networks since is refused, since what these learned from is not known."""
    settings = read(folder / "settings.yaml", PHASES[folder.name].settings)
    if settings.initial is None:
        return [(folder, settings)]
    initial = Path(settings.initial)
    if sha256(settings.initial) != origin_of(folder)["initial_sha256"]:
        raise SettingsError(
            f"{folder}: began with other networks than {initial} has now; run {folder.name} again on these"
        )
    if initial.parent.name in PHASES and (initial.parent / "settings.yaml").exists():
        return [*lineage(initial.parent), (folder, settings)]
    return [(folder, settings)]


def beside_a_set(initial: str | None) -> Path | None:
    """What a model set, where networks are of one, knows of itself."""
    path = Path(initial).with_name("calibration.json") if initial else None
    return path if path is not None and path.exists() else None


def seen_by_set(known: dict[str, Any], path: Path) -> dict[str, MarketSettings]:
    """What the phases of a set and its calibration have looked at, as its `calibration.json`, at `path`, has it."""
    return {what: build(of, MarketSettings, f"{path}: seen: {what}") for what, of in known["seen"].items()}


def seen_by(runs: list[tuple[Path, PhaseSettings]]) -> dict[str, MarketSettings]:
    """Markets that phases have looked at, by what for; with those of the set that the first began with."""
    kinds = {"train": "learned from", "validation": "been chosen by"}
    names = [folder.name for folder, _ in runs]
    before: dict[str, MarketSettings] = {}
    if known := beside_a_set(runs[0][1].initial):
        seen = seen_by_set({"seen": {}} | json.loads(known.read_text()), known)
        before = {f"{what}, in {known.parent}": of for what, of in seen.items()}
    return before | {
        f"what {folder.name if names.count(folder.name) == 1 else folder} has {word}": getattr(settings, kind)
        for folder, settings in runs
        for kind, word in kinds.items()
    }


def write(settings: ExportSettings) -> Path:
    """Fits the temperature and writes the set; returns its folder."""
    machine.prepare(settings.threads)
    output, directory = Path(settings.output), Path(settings.directory)
    weights = output / "phase3" / "weights.safetensors"
    if not weights.exists() or not weights.with_name("settings.yaml").exists():
        raise SettingsError(f"{weights}: there is no such file; run phase3 with this `output` first")
    trained = lineage(weights.parent)
    _, learned = trained[-1]
    assert isinstance(learned, CoreSettings)
    seen, began = seen_by(trained), trained[0][1].initial
    unknown = began if began and not beside_a_set(began) else None
    if unknown:
        print(f"NOTE: {unknown} is of no phase: whether it has learned from markets to be judged on is not known")
    for name, of, others in (
        ("calibration", settings.calibration, [name for name in seen if "learned" in name]),
        ("test", settings.test, [*seen, "calibration"]),
    ):
        for other in others:
            if of.shares_with(settings.calibration if other == "calibration" else seen[other]):
                raise SettingsError(f"{name}: has sessions that are in {other} too; give others")
    networks, cache = load_networks(weights), learned.market_folder()

    def judged(of: MarketSettings, seed: int) -> calibration.Asked:
        markets = open_markets(of, learned.engine, cache)
        return calibration.ask(networks, markets, team.encode(networks, markets), settings.passes, settings.every, seed)

    fitted = judged(settings.calibration, learned.seed)
    temperature, fitted_on = calibration.fit(fitted), fitted.markets.describe()
    del fitted
    asked = judged(settings.test, learned.seed + 1)
    test = asked.judge(temperature)
    before, after = calibration.reliability(asked.judge(1.0), 1.0), calibration.reliability(test, temperature)
    print(
        f"temperature {temperature}: calibration error {before.error:.4f} before, {after.error:.4f} after, on other markets"
    )
    train = open_markets(learned.train, learned.engine, cache)
    confidence, earned = test.outcome(temperature)
    revisions = {folder.name: origin_of(folder)["revision"] for folder, _ in trained} | {"export": revision()}
    card = Card(
        name=settings.name,
        description=settings.description,
        seed=learned.seed,
        trained=True,
        calibration={
            "temperature": temperature,
            "expected_calibration_error_before": round(before.error, 6),
            "expected_calibration_error_after": round(after.error, 6),
        },
        training={
            "data_sha256": train.sha256(),
            "span": train.describe(),
            "steps": sum(steps(folder) for folder, _ in trained),
        },
        metrics={"test_outcomes": float(len(earned)), "test_share_earned": round(float(earned.mean()), 6)},
        revision=revisions.get("phase3"),
    )
    del train
    validation = open_markets(learned.validation, learned.engine, cache)
    facts: dict[str, Any] = {
        "temperature": temperature,
        "calibration": {"markets": fitted_on, "error_before": before.error, "error_after": after.error},
        "reliability_before": before.rows(),
        "reliability_after": after.rows(),
        "share_earned": float(earned.mean()),
        "confidence_quantiles": [round(float(confidence.quantile(share)), 4) for share in (0.5, 0.9, 0.99)],
        "thresholds_on_validation": thresholds(networks, validation, learned, temperature),
        "kept_iterations": {folder.name: kept_step(folder) for folder, _ in trained},
        "revisions": revisions,
        "unknown_origin": unknown,
        "seen": {
            name: asdict(of)
            for name, of in (seen | {"calibration": settings.calibration, "test": settings.test}).items()
        },
    }
    export(networks, directory, card)
    write_whole(directory / "calibration.json", (json.dumps(facts, indent=2) + "\n").encode())
    return directory


def thresholds(networks: Any, markets: Markets, learned: CoreSettings, temperature: float) -> list[dict[str, float]]:
    """What the team makes of the validation markets by the confidence that it asks for: what a threshold may be chosen by."""
    encoded = team.encode(networks, markets)
    rows = []
    for confidence in CONFIDENCES:
        chosen = THRESHOLDS | learned.thresholds | {"confidence": confidence}
        outcome = play(networks, markets, encoded, chosen, temperature)
        net, trades = float(outcome.net.mean()), outcome.trades / len(outcome.net)
        rows.append({"confidence": confidence, "net_a_day": round(net, 2), "trades_a_day": round(trades, 3)})
    return rows
