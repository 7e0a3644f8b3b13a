"""A phase's folder: metrics, TensorBoard, checkpoints."""

import dataclasses
import hashlib
import json
import pickle
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import yaml
from torch import nn
from torch.utils.tensorboard import SummaryWriter

from algospace_train import networks as nets
from algospace_train.settings import PhaseSettings, SettingsError

FREE = ("iterations", "epochs", "patience", "threads", "runners", "output")
"""settings that a resumed run may have others of"""


class Run:
    """Writes `settings.yaml`, `metrics.jsonl`, TensorBoard's events, `checkpoint.pt` to go on from and
    `weights.safetensors`, the best networks so far, for the next phase. Every file appears under its name when it is whole."""

    def __init__(self, phase: str, settings: PhaseSettings, resume: bool) -> None:
        self.phase, self.folder = phase, Path(settings.output) / phase
        self.folder.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        described = yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(settings))), sort_keys=False)
        same = json.dumps(
            {key: value for key, value in yaml.safe_load(described).items() if key not in FREE}, sort_keys=True
        )
        self.digest = hashlib.sha256(same.encode()).hexdigest()
        self.checkpoint = self.folder / "checkpoint.pt"
        self.weights = self.folder / "weights.safetensors"
        self.metrics = self.folder / "metrics.jsonl"
        self.resumed: dict[str, Any] | None = None
        if resume:
            if not self.checkpoint.exists():
                raise SettingsError(f"{self.checkpoint}: there is nothing to resume; begin without --resume")
            try:
                self.resumed = torch.load(self.checkpoint, weights_only=True)
            except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
                raise SettingsError(f"{self.checkpoint}: is damaged; begin without --resume: {error}") from error
            if self.resumed["settings"] != self.digest:
                raise SettingsError(f"{self.checkpoint}: was written with other settings; begin without --resume")
        else:
            self.metrics.unlink(missing_ok=True)
            self.checkpoint.unlink(missing_ok=True)
            self.drop_learners()
            for events in self.folder.glob("events.out.tfevents.*"):
                events.unlink()
        write_whole(self.folder / "settings.yaml", described.encode())
        self.board = SummaryWriter(str(self.folder))
        self.began = time.monotonic()

    def networks(self) -> nets.Networks:
        """The networks to begin with, or to go on with."""
        if self.resumed is not None:
            networks = nets.Networks().eval()
            networks.load_state_dict(self.resumed["networks"])
            return networks
        initial = self.settings.initial
        if initial is None:
            return nets.initialised(self.settings.seed)
        return nets.load(Path(initial))

    def log(self, step: int, numbers: dict[str, float]) -> None:
        """A line of metrics."""
        for name, value in numbers.items():
            self.board.add_scalar(name, value, step)
        line = {"step": step, "seconds": round(time.monotonic() - self.began, 1)} | numbers
        with self.metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")

    def save(self, state: dict[str, Any], learner: Callable[[str], None] | None = None) -> None:
        """What `--resume` goes on from. `learner` writes what is its own into a folder that it is given."""
        whole = self.checkpoint.with_suffix(".part")
        own = None
        if learner is not None:
            own = f"learner-{state['iteration']}"
            (self.folder / own).mkdir(exist_ok=True)
            learner(str((self.folder / own).absolute()))
        torch.save(state | {"settings": self.digest, "random": torch.get_rng_state(), "learner": own}, whole)
        whole.rename(self.checkpoint)
        self.drop_learners(own)

    def latest(self) -> Path:
        """The folder that the learner of the resumed checkpoint wrote."""
        return (self.folder / self.resumed["learner"]).absolute()

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


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that appears when it is whole."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.rename(path)
