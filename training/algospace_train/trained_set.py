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
from algospace_train.run import kept_step, metrics_of, revision, sha256
from algospace_train.settings import (
    PHASES,
    THRESHOLDS,
    CoreSettings,
    ExportSettings,
    MarketSettings,
    PhaseSettings,
    SettingsError,
    read,
)
from algospace_train.whole_file import write_whole

CONFIDENCES = (0.36, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7, 0.8)
"""thresholds that the validation markets are traded with, for whoever chooses one"""


def steps(folder: Path) -> int:
    """Steps of the environment that a phase took: closes, or on RLlib in phase 2 opportunities."""
    return int(max((line.get("steps", 0.0) for line in metrics_of(folder)), default=0.0))


def phases(output: Path) -> dict[str, PhaseSettings]:
    """The settings of the phases that were run there."""
    written = {name: output / name / "settings.yaml" for name in PHASES}
    return {name: read(path, PHASES[name].settings) for name, path in written.items() if path.exists()}


def seen_by(of: dict[str, PhaseSettings]) -> dict[str, MarketSettings]:
    """Markets that phases have looked at, by what for."""
    kinds = {"train": "learned from", "validation": "chosen by"}
    return {
        f"what {name} has {word}": getattr(settings, kind)
        for name, settings in of.items()
        for kind, word in kinds.items()
    }


def origins(output: Path) -> dict[str, str | None]:
    """By phase, the code that it was trained by. Says it where a phase began with other networks than the one before has now."""
    found, before = {}, output / "none"
    for name in PHASES:
        path = output / name / "origin.json"
        if path.exists():
            origin = json.loads(path.read_text())
            found[name] = origin["revision"]
            if before.exists() and origin["initial_sha256"] != sha256(str(before)):
                print(f"NOTE: {name} did not begin with {before} as it is now")
        before = output / name / "weights.safetensors"
    return found


def write(settings: ExportSettings) -> Path:
    """Fits the temperature and writes the set; returns its folder."""
    machine.prepare(settings.threads)
    output, directory = Path(settings.output), Path(settings.directory)
    weights = output / "phase3" / "weights.safetensors"
    trained = phases(output)
    if not weights.exists() or "phase3" not in trained:
        raise SettingsError(f"{weights}: there is no such file; run phase3 with this `output` first")
    learned = trained["phase3"]
    assert isinstance(learned, CoreSettings)
    seen = seen_by(trained)
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

    temperature = calibration.fit(judged(settings.calibration, learned.seed))
    asked = judged(settings.test, learned.seed + 1)
    test = asked.judge(temperature)
    before, after = calibration.reliability(asked.judge(1.0), 1.0), calibration.reliability(test, temperature)
    print(
        f"temperature {temperature}: calibration error {before.error:.4f} before, {after.error:.4f} after, on other markets"
    )
    train = open_markets(learned.train, learned.engine, cache)
    confidence, earned = test.outcome(temperature)
    revisions = origins(output) | {"export": revision()}
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
            "steps": sum(steps(output / phase) for phase in ("phase2", "phase3")),
        },
        metrics={"test_outcomes": float(len(earned)), "test_share_earned": round(float(earned.mean()), 6)},
        revision=revisions.get("phase3"),
    )
    del train
    validation = open_markets(learned.validation, learned.engine, cache)
    facts: dict[str, Any] = {
        "temperature": temperature,
        "calibration": {"markets": asked.markets.describe(), "error_before": before.error, "error_after": after.error},
        "reliability_before": before.rows(),
        "reliability_after": after.rows(),
        "share_earned": float(earned.mean()),
        "confidence_quantiles": [round(float(confidence.quantile(share)), 4) for share in (0.5, 0.9, 0.99)],
        "thresholds_on_validation": thresholds(networks, validation, learned, temperature),
        "kept_iterations": {name: kept_step(output / name) for name in trained},
        "revisions": revisions,
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
