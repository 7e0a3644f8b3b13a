"""The loop of the phases that learn by MAPPO: an iteration, a look at the validation markets now and then, the best is kept, until
nothing gets better."""

from collections.abc import Callable
from typing import Protocol

import torch
from tqdm import trange

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


def improve(
    run: Run,
    settings: PolicySettings,
    networks: Networks,
    learner: Learner,
    look: Callable[[], dict[str, float]],
    best: float = -float("inf"),
) -> None:
    """Runs the iterations that are left. `look` judges the networks as they are, `best` is what it found before the first."""
    measure, begin, waited = PHASES[run.phase][2], 0, 0
    if run.resumed is not None:
        begin, best, waited = (run.resumed[key] for key in ("iteration", "best", "waited"))
        learner.restore(str(run.latest()))
        torch.set_rng_state(run.resumed["random"])
    progress = trange(begin, settings.iterations, desc=run.phase, initial=begin, total=settings.iterations)
    for iteration in progress:
        if waited >= settings.patience:
            break
        numbers = learner.iterate()
        learner.write(networks)
        if (iteration + 1) % settings.evaluate_every == 0:
            numbers |= look()
            progress.set_postfix({measure: f"{numbers[measure]:,.2f}"})
            waited += 1
            if numbers[measure] > best:
                best, waited = numbers[measure], 0
                run.keep(networks)
        run.log(iteration + 1, numbers)
        state = {"networks": networks.state_dict(), "iteration": iteration + 1, "best": best, "waited": waited}
        run.save(state, learner.save)
    if not run.weights.exists():
        run.keep(networks)
    learner.close()
    run.close()
