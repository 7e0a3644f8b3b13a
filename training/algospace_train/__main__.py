"""Trains the agents, a phase at a time, exports model sets and judges them.

python -m algospace_train phase1 --config config/phase1.yaml
python -m algospace_train phase2 --config config/phase2.yaml
python -m algospace_train phase3 --config config/phase3.yaml
python -m algospace_train export --config config/export.yaml
python -m algospace_train evaluate --config config/evaluate.yaml
python -m algospace_train walk-forward --config config/walk_forward.yaml
python -m algospace_train search --config config/search.yaml
"""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from algospace_train.settings import (
    PHASES,
    EvaluationSettings,
    ExportSettings,
    SearchSettings,
    SettingsError,
    Start,
    WalkForwardSettings,
    read,
)

WORDS = {
    "phase1": "trains the regime detection engine (RDE), unsupervised",
    "phase2": "trains the risk sub-system (M-RMS), by MAPPO with a Sortino reward",
    "phase3": "trains embedders, MARL core and decision gate: a warm start on labels, then core and gate by MAPPO",
    "export": "calibrates what phase 3 learned on outcomes, and writes it as a model set",
    "evaluate": "judges a model set on markets that it has never seen, beside a rule and chance",
    "walk-forward": "trains on a rolling span and tests on the one after it, over and over",
    "search": "searches for the settings of a phase, by Ray Tune",
}
ON_RAY = ("phase2", "phase3", "search", "walk-forward")


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="algospace_train",
        description="Trains the agents of algospace-hft, a phase at a time, and judges what they learned. Each phase begins "
        "with the networks of the one before (its `initial`), and writes its own to OUTPUT/PHASE/weights.safetensors.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, words in WORDS.items():
        command = commands.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
        command.add_argument(
            "--config", type=Path, required=True, help="YAML file of its settings; settings.py has them"
        )
        if name in PHASES or name == "walk-forward":
            start = command.add_mutually_exclusive_group()
            start.add_argument("--resume", action="store_true", help="go on with the run that is there")
            start.add_argument(
                "--anew", action="store_true", help="remove the run that is there, and begin from nothing"
            )
        if name in ON_RAY:
            command.add_argument(
                "--ray-address",
                help="of a Ray cluster, such as auto or ray://host:10001; without, Ray is started here",
            )
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> Path:
    """What the command says; returns what it wrote. PyTorch takes seconds to import: mistakes in settings are told before."""
    command, config = arguments.command, arguments.config
    on_ray = {"address": arguments.ray_address} if command in ON_RAY else {}
    if command in PHASES:
        phase = PHASES[command]
        settings = read(config, phase.settings)
        if on_ray.get("address") and settings.trainer == "plain":
            raise SettingsError(f"{config}: --ray-address takes trainer: rllib; the plain loop is one process")
        return import_module(f"algospace_train.{phase.module}").train(settings, start_of(arguments), **on_ray)
    if command == "export":
        written = read(config, ExportSettings)
        return import_module("algospace_train.trained_set").write(written)
    if command == "evaluate":
        judged = read(config, EvaluationSettings)
        return import_module("algospace_train.evaluation").evaluate(judged)
    if command == "walk-forward":
        walked = read(config, WalkForwardSettings)
        return import_module("algospace_train.walk_forward").walk(walked, start_of(arguments), **on_ray)
    searched = read(config, SearchSettings)
    return import_module("algospace_train.search").search(searched, **on_ray)


def start_of(arguments: argparse.Namespace) -> Start:
    """As asked for."""
    if arguments.anew:
        return Start.ANEW
    return Start.RESUME if arguments.resume else Start.NEW


def main() -> int:
    arguments = parse()
    try:
        print(run(arguments))
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = "; --resume goes on from the last checkpoint, if there is one" if hasattr(arguments, "resume") else ""
        print(f"stopped{again}", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
