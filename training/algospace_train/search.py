"""Hyper-parameters of a phase, by Ray Tune: random search, every trial a whole phase in a folder of its own.

What is best is so on the validation markets, and for as many trials as there were: judge it on markets that no trial has seen.
"""

import random
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from ray import tune

from algospace_train import rllib_training
from algospace_train.run import metrics_of
from algospace_train.settings import PHASES, SearchSettings, SettingsError, build, read


def draw(space: dict[str, Any]) -> dict[str, Any]:
    """What Tune draws from: a list of choices, or `{low, high}` with `log: true` for a logarithmic scale."""
    drawn: dict[str, Any] = {}
    for key, of in space.items():
        if isinstance(of, list):
            drawn[key] = tune.choice(of)
        elif isinstance(of, dict) and {"low", "high"} <= of.keys() <= {"low", "high", "log"}:
            kind = tune.loguniform if of.get("log") else tune.uniform
            try:
                drawn[key] = kind(float(of["low"]), float(of["high"]))
            except (TypeError, ValueError) as error:
                raise SettingsError(f"space: {key}: {error}") from error
        else:
            raise SettingsError(f"space: {key}: give a list of choices, or {{low, high, log}}")
    return drawn


def trial(drawn: dict[str, Any], phase: str, base: dict[str, Any], output: str) -> None:
    """One phase, reported by its best look at the validation markets."""
    kind, module, metric, sign = PHASES[phase]
    folder = Path(output) / tune.get_context().get_trial_id()
    settings = build(base | drawn | {"output": str(folder), "threads": 1}, kind, "trial")
    weights = import_module(f"algospace_train.{module}").train(settings)
    looks = [line[metric] for line in metrics_of(weights.parent) if metric in line]
    tune.report({"best": max(sign * look for look in looks), "looks": len(looks), "weights": str(weights)})


def search(settings: SearchSettings, address: str | None = None) -> Path:
    """Runs the trials; writes all of them, best first, and returns the file."""
    kind = PHASES[settings.phase].settings
    of_base = read(Path(settings.base), kind)
    base = asdict(of_base) | {"cache": str(of_base.market_folder())}
    if "trainer" in base:
        # A trial is one process: Tune is what spreads them.
        base["trainer"] = "plain"
    output = Path(settings.output)
    path = output / "trials.yaml"
    if path.exists():
        raise SettingsError(f"{path}: there is a search already; give another `output`, or move it away")
    output.mkdir(parents=True, exist_ok=True)
    space = draw(settings.space)
    unknown = sorted(set(space) - set(base))
    if unknown:
        raise SettingsError(f"space: {settings.phase} has no setting `{unknown[0]}`")
    # What no trial could have is told before there are any.
    for key, of in settings.space.items():
        for value in of if isinstance(of, list) else [space[key].sample()]:
            build(base | {key: value}, kind, f"space: {key}")
    rllib_training.start(address, settings.parallel)
    random.seed(settings.seed)
    tuner = tune.Tuner(
        tune.with_resources(
            tune.with_parameters(trial, phase=settings.phase, base=base, output=str(output)), {"cpu": 1}
        ),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric="best",
            mode="max",
            num_samples=settings.trials,
            max_concurrent_trials=settings.parallel,
            search_alg=tune.search.BasicVariantGenerator(random_state=settings.seed),
        ),
        run_config=tune.RunConfig(storage_path=str(output), name="tune", verbose=1),
    )
    results = tuner.fit()
    rows = [
        {
            "settings": of.config,
            "weights": of.metrics.get("weights"),
            "best": of.metrics.get("best"),
            "error": str(of.error or ""),
        }
        for of in results
    ]
    rows.sort(key=lambda row: -(row["best"] if row["best"] is not None else float("inf") * -1))
    if all(row["best"] is None for row in rows):
        told = [line for line in rows[0]["error"].splitlines() if line.strip()]
        raise SettingsError(f"{output}: every trial failed; the first: {told[-1] if told else 'without a word'}")
    path.write_text(yaml.safe_dump(rows, sort_keys=False))
    return path
