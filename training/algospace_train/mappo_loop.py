"""The loop of the phases that learn by MAPPO: an iteration, a look at the validation markets now and then, the best is kept, until
nothing gets better."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import trange

from algospace_train import mappo
from algospace_train.networks import Networks
from algospace_train.run import Run
from algospace_train.settings import PHASES, PolicySettings


class Learner(Protocol):
    """MAPPO, an iteration at a time: a loop of our own, or RLlib."""

    def iterate(self) -> dict[str, float]:
        """One rollout and its updates: metrics."""

    def write(self, networks: Networks) -> None:
        """Brings what was learned into the networks."""

    def save(self, folder: str) -> None:
        """What `restore` goes on from."""

    def restore(self, folder: str) -> None: ...

    def close(self) -> None: ...


class PlainLearner:
    """MAPPO in a loop of PyTorch. An iteration has its own episodes and draws: resumed or not, they are the same."""

    def __init__(self, settings: PolicySettings, policy: nn.Module, rewards: mappo.Rewards) -> None:
        self.settings, self.policy, self.rewards = settings, policy, rewards
        self.optimizer = torch.optim.Adam(policy.parameters(), lr=settings.learning_rate, eps=mappo.ADAM_EPSILON)
        self.iteration = 0

    def roll_out(self, seed: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Episodes that the seed names, in a batch with `value` (of the critic then, normalised), `advantage` and `return`, [steps]
        each, and what `loss` takes beside; and metrics."""
        raise NotImplementedError

    def loss(self, taken: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Of a part of a rollout, with `advantage` and `target` as `mappo.prepared` gives them."""
        raise NotImplementedError

    def iterate(self) -> dict[str, float]:
        settings = self.settings
        seed = mappo.seed_of(settings.seed, self.iteration)
        torch.manual_seed(seed)
        batch, numbers = self.roll_out(seed)
        self.iteration += 1
        numbers["steps"] = float(self.iteration * settings.rollout * settings.slots)
        return numbers | self.update(batch)

    def update(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Several passes over a rollout."""
        losses = []
        for _ in range(self.settings.epochs):
            for part in torch.randperm(len(batch["return"])).chunk(self.settings.minibatches):
                taken = {key: value[part] for key, value in batch.items()}
                taken |= mappo.prepared(self.policy.value_norm, taken["advantage"], taken["return"])
                loss, numbers = self.loss(taken)
                self.optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(self.policy.parameters(), self.settings.maximum_gradient)
                self.optimizer.step()
                losses.append(list(numbers.values()))
        means = np.mean(losses, axis=0).tolist()
        return {f"train/{key}": mean for key, mean in zip(numbers, means, strict=True)}

    def write(self, networks: Networks) -> None:
        """Nothing: it learns in them."""

    def save(self, folder: str) -> None:
        state = {"policy": self.policy.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"rewards": self.rewards.running, "iteration": self.iteration}
        torch.save(state, Path(folder) / "learner.pt")

    def restore(self, folder: str) -> None:
        state = torch.load(Path(folder) / "learner.pt", weights_only=True)
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.rewards.running = state["rewards"]
        self.iteration = state["iteration"]

    def close(self) -> None:
        """Nothing is open."""


def improve(
    run: Run, settings: PolicySettings, networks: Networks, learner: Learner, look: Callable[[], dict[str, float]]
) -> None:
    """Runs the iterations that are left. `look` judges the networks as they are; what they are at the beginning counts too."""
    measure, begin, waited, best = PHASES[run.phase].measure, 0, 0, -float("inf")

    def save(step: int) -> None:
        run.save(step, {"networks": networks.state_dict(), "best": best, "waited": waited}, learner.save)

    if run.resumed is not None:
        begin, best, waited = (run.resumed[key] for key in ("step", "best", "waited"))
        run.restore(learner.restore)
    else:
        numbers = look()
        best = numbers[measure]
        print(f"{run.phase}: {measure} is {best:,.4g} before the first iteration")
        run.log(0, numbers)
        run.keep(networks)
        save(0)
    progress = trange(begin, settings.iterations, desc=run.phase, initial=begin, total=settings.iterations)
    for iteration in progress:
        if waited >= settings.patience:
            break
        numbers = learner.iterate()
        learner.write(networks)
        is_due = (iteration + 1) % settings.evaluate_every == 0
        if is_due or iteration + 1 == settings.iterations:
            numbers |= look()
            progress.set_postfix({measure: f"{numbers[measure]:,.4g}"})
            waited += is_due
            # What cannot be judged, since the measure is no number, is not better.
            if numbers[measure] > best:
                best, waited = numbers[measure], 0
                run.keep(networks)
        run.log(iteration + 1, numbers)
        save(iteration + 1)
    learner.close()
    run.close()
