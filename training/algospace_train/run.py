"""A phase's folder: what it began with, metrics, TensorBoard, checkpoints."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import yaml
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from algospace_train.networks import Networks, initialised
from algospace_train.networks import load as load_networks
from algospace_train.settings import PHASES, PhaseSettings, SettingsError, Start
from algospace_train.whole_file import write_whole

FREE = {"iterations", "patience", "threads", "runners", "output", "cache", "initial"}
"""settings that a resumed run may have others of; in phase 1 `epochs` too, which are its iterations. Other runners draw other
episodes; `initial` may lie elsewhere, with the same bytes; and the last of fewer iterations had a look of its own, whose networks
are kept if they were the best"""


class Run:
    """Writes `settings.yaml`, `origin.json`, `metrics.jsonl`, TensorBoard's events, `checkpoint.pt` to go on from and
    `weights.safetensors`, the best networks so far, for the next phase. Every file appears under its name when it is whole."""

    def __init__(self, phase: str, settings: PhaseSettings, start: Start) -> None:
        self.phase, self.folder, self.settings = phase, Path(settings.output) / phase, settings
        described = yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(settings), default=str)), sort_keys=False)
        free = FREE | ({"epochs"} if phase == "phase1" else set())
        same = {key: value for key, value in yaml.safe_load(described).items() if key not in free}
        self.digest = hashlib.sha256(json.dumps(same, sort_keys=True).encode()).hexdigest()
        self.checkpoint = self.folder / "checkpoint.pt"
        self.weights = self.folder / "weights.safetensors"
        self.metrics = self.folder / "metrics.jsonl"
        self.resumed: dict[str, Any] | None = None
        self.initial_sha256 = sha256(settings.initial)
        if start is Start.RESUME:
            self.resumed = self.load_checkpoint()
            if origin_of(self.folder)["initial_sha256"] != self.initial_sha256:
                raise SettingsError(f"initial: {settings.initial}: is not what the run in {self.folder} began with")
        elif start is Start.NEW and (self.checkpoint.exists() or self.weights.exists()):
            raise SettingsError(
                f"{self.folder}: there is a run already: --resume goes on with it, --anew removes it and begins from nothing, and "
                "another `output` keeps both"
            )
        self.described = described
        self.networks = self.networks_to_begin_with()
        self.lines = 0 if self.resumed is None else self.resumed["lines"]
        self.began = time.monotonic()

    def begin(self) -> None:
        """Writes what the run begins with, in the place of an earlier one. Comes after what can be refused: what was there before
        is kept until then."""
        if self.resumed is None:
            self.remove_earlier()
        else:
            self.drop_metrics_after(self.lines)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_whole(self.folder / "settings.yaml", self.described.encode())
        if self.resumed is None:
            origin = {"revision": revision(), "initial_sha256": self.initial_sha256}
            write_whole(self.folder / "origin.json", (json.dumps(origin, indent=2) + "\n").encode())
        self.board = SummaryWriter(str(self.folder))

    def load_checkpoint(self) -> dict[str, Any]:
        if not self.checkpoint.exists():
            raise SettingsError(f"{self.checkpoint}: there is nothing to resume; begin without --resume")
        try:
            state = torch.load(self.checkpoint, weights_only=True)
        # What damaged bytes make the unpickler raise is anything.
        except Exception as error:
            raise SettingsError(f"{self.checkpoint}: is damaged; begin with --anew: {error}") from error
        if state["settings"] != self.digest:
            raise SettingsError(f"{self.checkpoint}: was written with other settings; begin with --anew")
        return state

    def networks_to_begin_with(self) -> Networks:
        """Those of the checkpoint, of `initial`, or as initialised under the seed."""
        if self.resumed is not None:
            networks = Networks().eval()
            networks.load_state_dict(self.resumed["networks"])
            return networks
        if self.settings.initial is None:
            return initialised(self.settings.seed)
        return load_networks(Path(self.settings.initial))

    def remove_earlier(self) -> None:
        """Everything that a run before has left here."""
        for path in (self.metrics, self.checkpoint, self.weights, *self.folder.glob("events.out.tfevents.*")):
            path.unlink(missing_ok=True)
        self.drop_learners()

    def drop_metrics_after(self, lines: int) -> None:
        """Takes away what was logged after the checkpoint, a half line too: it comes again."""
        kept = self.metrics.read_text().splitlines(keepends=True)[:lines] if self.metrics.exists() else []
        write_whole(self.metrics, "".join(kept).encode())

    def log(self, step: int, numbers: dict[str, float]) -> None:
        """A line of metrics."""
        for name, value in numbers.items():
            self.board.add_scalar(name, value, step)
        line = {"step": step, "seconds": round(time.monotonic() - self.began, 1)} | numbers
        with self.metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")
        self.lines += 1

    def save(self, step: int, state: dict[str, Any], learner: Callable[[str], None] | None = None) -> None:
        """What `--resume` goes on from after `step` iterations. `learner` writes what is its own into a folder that it is given."""
        whole = self.checkpoint.with_suffix(".part")
        own = None
        if learner is not None:
            own = f"learner-{step}"
            (self.folder / own).mkdir(exist_ok=True)
            learner(str((self.folder / own).absolute()))
        beside = {"step": step, "lines": self.lines, "settings": self.digest, "learner": own}
        torch.save(state | beside | {"random": torch.get_rng_state()}, whole)
        whole.rename(self.checkpoint)
        self.drop_learners(own)

    def restore(self, learner: Callable[[str], None]) -> None:
        """Has `learner` read the folder that it wrote for the resumed checkpoint."""
        folder = (self.folder / self.resumed["learner"]).absolute()
        try:
            learner(str(folder))
        # What damaged bytes make PyTorch or Ray raise is anything.
        except Exception as error:
            raise SettingsError(f"{folder}: is damaged; begin with --anew: {error}") from error

    def drop_learners(self, keep: str | None = None) -> None:
        """Removes what learners wrote for checkpoints before."""
        for folder in self.folder.glob("learner-*"):
            if folder.name != keep:
                shutil.rmtree(folder)

    def keep(self, networks: nn.Module, path: Path | None = None) -> None:
        """The best networks so far, or networks for a path."""
        state = {key: value.contiguous() for key, value in networks.state_dict().items()}
        write_whole(path or self.weights, safetensors.torch.save(state))

    def close(self) -> None:
        self.board.close()


def metrics_of(folder: Path) -> list[dict[str, float]]:
    """All that a phase has logged, in order; nothing where there is no run."""
    path = folder / "metrics.jsonl"
    whole = path.read_text().rpartition("\n")[0] if path.exists() else ""
    return [json.loads(line) for line in whole.splitlines()]


def kept_step(folder: Path) -> int | None:
    """After how many iterations the networks were the best: those that are kept. None where nothing was judged."""
    phase = PHASES[folder.name]
    looks = [line for line in metrics_of(folder) if phase.measure in line]
    best = max(looks, key=lambda line: phase.sign * line[phase.measure], default=None)
    return None if best is None else int(best["step"])


def origin_of(folder: Path) -> dict[str, str | None]:
    """Of a run: the code that it was trained by and the hash of the networks that it began with."""
    path = folder / "origin.json"
    try:
        origin = json.loads(path.read_text())
        return {key: origin[key] for key in ("revision", "initial_sha256")}
    except (OSError, ValueError, KeyError) as error:
        raise SettingsError(f"{path}: cannot be read; run {folder.name} again, with --anew: {error}") from error


def sha256(path: str | None) -> str | None:
    """Of a file."""
    if path is None:
        return None
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read; run the phase that writes it first: {error}") from error


def revision() -> str | None:
    """Of the code, where it is a git checkout; with `+` if something is changed."""
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=40"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()
