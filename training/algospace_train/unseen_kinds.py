"""Kinds of markets that a set has not learned from: is it less sure there than where it has learned?

Measured by the area under the ROC curve (AUROC): the chance that a close of the new kind has more of a measure than one of a known
kind (the Mann-Whitney statistic, ties as one half); 0.5 tells nothing apart. Closes of a day say much the same, so intervals are
bootstraps over days of both kinds.
"""

from dataclasses import dataclass

import numpy as np
import torch

from algospace_train import team
from algospace_train.markets import Markets
from algospace_train.networks import ACCOUNT, Networks
from algospace_train.regime_training import closes_of_rows
from algospace_train.team import Encoded

PASSES = 30
MEASURES = {
    "entering": "uncertainty where it would enter",
    "everywhere": "uncertainty at all closes",
    "unlikeness": "RDE's error",
}
"""by name, what is compared, for people"""


@dataclass
class Sample:
    """A measure at some closes."""

    value: np.ndarray
    day: np.ndarray
    """of each value, a number of its own over all markets"""


@torch.no_grad()
def measures(
    networks: Networks, markets: Markets, encoded: Encoded, temperature: float, confidence: float
) -> dict[str, Sample]:
    """By the names of `MEASURES`: epistemic uncertainty at the closes at which confidence would let the team enter from a flat
    position, and so a decision hangs on it; the same at all closes; the regime detection engine's mean squared error of each window."""
    said = []
    for closes in markets.decidable.split(1024):
        account = torch.zeros(len(closes), ACCOUNT)
        of = team.opportunities(networks.core, encoded.at(closes), account, PASSES, temperature)
        said.append(torch.stack((of.epistemic, of.confidence)))
    epistemic, confident = torch.cat(said, dim=1)
    windows = closes_of_rows(markets)
    errors = []
    for closes in windows.split(512):
        window = markets.window("regime", closes)
        errors.append((networks.regime.reconstruct(networks.regime(window)) - window).square().mean((1, 2)))

    def sample(value: torch.Tensor, closes: torch.Tensor) -> Sample:
        day = markets.market[closes] * (int(markets.session.max()) + 1) + markets.session[closes]
        return Sample(value.double().numpy(), day.numpy())

    enters = confident >= confidence
    return {
        "entering": sample(epistemic[enters], markets.decidable[enters]),
        "everywhere": sample(epistemic, markets.decidable),
        "unlikeness": sample(torch.cat(errors), windows),
    }


def auroc(known: Sample, new: Sample, resamples: int, seed: int) -> dict[str, float]:
    """The chance that a draw of `new` is above one of `known`, and its interval of 95 %; nothing where a side has no value."""
    if not len(known.value) or not len(new.value):
        return {}
    unique, place = np.unique(np.concatenate((known.value, new.value)), return_inverse=True)
    sides = [(place[: len(known.value)], known.day), (place[len(known.value) :], new.day)]
    days = [np.unique(day, return_inverse=True)[1] for _, day in sides]
    counts = [int(day.max()) + 1 for day in days]

    def of(weights: list[np.ndarray]) -> float:
        below, above = (
            np.bincount(places, weight[day], len(unique))
            for (places, _), day, weight in zip(sides, days, weights, strict=True)
        )
        total = below.sum() * above.sum()
        return float((above * (below.cumsum() - below / 2.0)).sum() / total)

    random = np.random.default_rng([seed, 19])
    drawn = [of([random.multinomial(count, np.full(count, 1.0 / count)) for count in counts]) for _ in range(resamples)]
    low, high = np.quantile(drawn, (0.025, 0.975))
    return {"mean": of([np.ones(count) for count in counts]), "low": float(low), "high": float(high)}
