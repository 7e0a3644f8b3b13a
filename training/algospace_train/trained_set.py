"""What phase 3 learned, as a model set: calibrated on outcomes, exported, with what is known of it."""

import hashlib
import json
import subprocess
from pathlib import Path

import torch

from algospace_train import calibration, machine, team
from algospace_train import networks as nets
from algospace_train.export import Card, export
from algospace_train.markets import open_markets
from algospace_train.settings import CoreSettings, ExportSettings, SettingsError, read


def revision() -> str | None:
    """Of the code, where it is a git checkout; with `+` if something is changed."""
    here = Path(__file__).parent
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=40"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def steps(metrics: Path) -> int:
    """Steps of the environment that a phase took."""
    lines = [json.loads(line) for line in metrics.read_text().splitlines()] if metrics.exists() else []
    return int(max((line.get("steps", 0.0) for line in lines), default=0.0))


def write(settings: ExportSettings) -> Path:
    """Fits the temperature and writes the set; returns its folder."""
    machine.prepare(settings.threads)
    phases = Path(settings.output)
    weights = phases / "phase3" / "weights.safetensors"
    if not weights.exists():
        raise SettingsError(f"{weights}: there is no such file; run phase3 with this `output` first")
    learned = read(phases / "phase3" / "settings.yaml", CoreSettings)
    seen = {"train of phase3": learned.train, "calibration": settings.calibration}
    for name, of, others in (
        ("calibration", settings.calibration, ("train of phase3",)),
        ("test", settings.test, seen),
    ):
        for other in others:
            if of.shares_with(seen[other]):
                raise SettingsError(f"{name}: has sessions that {other} has too; give others")
    networks = nets.load(weights)
    cache = phases / "markets"

    def judged(of, seed: int) -> calibration.Judged:
        markets = open_markets(of, learned.engine, cache)
        encoded = team.encode(networks, markets)
        return calibration.judge(networks, markets, encoded, settings.passes, settings.every, seed)

    fitted = judged(settings.calibration, learned.seed)
    temperature = calibration.fit(fitted)
    test = judged(settings.test, learned.seed + 1)
    before, after = calibration.reliability(test, 1.0), calibration.reliability(test, temperature)
    print(
        f"temperature {temperature}: calibration error {before.error:.4f} before, {after.error:.4f} after, on other markets"
    )
    train = open_markets(learned.train, learned.engine, cache)
    taken = sum(steps(phases / phase / "metrics.jsonl") for phase in ("phase2", "phase3"))
    confidence, earned = test.outcome(temperature)
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
        training={"data_sha256": train.sha256(), "span": train.describe(), "steps": taken},
        metrics={"test_outcomes": float(len(earned)), "test_share_earned": round(float(earned.mean()), 6)},
        revision=revision(),
    )
    directory = Path(settings.directory)
    export(networks, directory, card)
    facts = {
        "temperature": temperature,
        "reliability_before": before.rows(),
        "reliability_after": after.rows(),
        "share_earned": float(earned.mean()),
        "confidence_quantiles": torch.quantile(confidence, torch.tensor((0.5, 0.9, 0.99))).tolist(),
        "weights_sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
    }
    (directory / "calibration.json").write_text(json.dumps(facts, indent=2) + "\n")
    return directory
