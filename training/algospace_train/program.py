"""The engine's program: runs on histories, and what came of them."""

import csv
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from algospace_train.executable import find_program, remedy
from algospace_train.markets import Markets
from algospace_train.outcomes import Outcome, by_day
from algospace_train.settings import THRESHOLDS, SettingsError, Thresholds


def call(program: str, *arguments: str) -> None:
    """Calls it; an empty one is looked for."""
    program = find_program(program)
    try:
        subprocess.run([program, *arguments], check=True, capture_output=True, text=True)
    except OSError as error:
        raise SettingsError(f"program: {program}: cannot be run: {error.strerror}; {remedy()}") from error
    except subprocess.CalledProcessError as error:
        told = error.stderr.strip()
        raise SettingsError(f"{program} {' '.join(arguments)}: the engine refuses it: {told}") from error


def run(program: str, configuration: dict[str, Any], folder: Path) -> None:
    """Runs a configuration; results are in `folder / "run"`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "configuration.yaml"
    path.write_text(yaml.safe_dump(configuration | {"output": {"directory": str(folder / "run")}}))
    call(program, "--config", str(path))


def outcome(program: str, markets: Markets, market: int, configuration: dict[str, Any], folder: Path) -> Outcome:
    """What a configuration makes of the market at this place, in `folder`."""
    run(program, configuration, folder)
    with (folder / "run" / "trades.csv").open() as file:
        rows = list(csv.DictReader(file))
    quantity = np.array([int(row["quantity"]) for row in rows])
    entry = np.array([row["entry_utc"].rstrip("Z") for row in rows], "datetime64[ns]").astype(np.int64)
    names = ("net_pnl", "gross_pnl", "slippage")
    net, gross, slippage = (np.array([float(row[name]) for row in rows]) for name in names)
    each = np.maximum(quantity, 1)
    return by_day(markets, market, entry, net / each, gross / each, (gross + slippage) / each)


def agents(model_set: str | Path, thresholds: Thresholds) -> dict[str, Any]:
    """Its settings for a model set."""
    chosen = THRESHOLDS | thresholds
    mc_dropout = {
        "confidence_threshold": chosen["confidence"],
        "maximum_epistemic": chosen["epistemic"],
        "minimum_agreement": chosen["agreement"],
    }
    core = {"model_set": str(Path(model_set).absolute()), "mc_dropout": mc_dropout}
    return {"strategy": {"kind": "marl"}, "marl_core": core | {"gate_threshold": chosen["gate"]}}
