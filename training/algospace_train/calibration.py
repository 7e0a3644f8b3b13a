"""Confidence in terms of outcomes.

A policy's softmax is no probability of success. One temperature, by which every logit is divided, is fitted so that the
confidence of an opportunity says how often the trade it would open earns (C. Guo and others, "On Calibration of Modern Neural
Networks", 2017, with outcomes in the place of classes).
"""

from dataclasses import dataclass

import torch
from scipy.optimize import minimize_scalar
from torch import Tensor
from torch.nn.functional import binary_cross_entropy

from algospace_train import team
from algospace_train.labels import label
from algospace_train.markets import Markets
from algospace_train.networks import ACCOUNT, AGENTS, CLASSES, Networks
from algospace_train.settings import PLAIN_WISH
from algospace_train.team import Encoded

LIMITS = 0.01, 100.0
"""temperatures that the engine takes"""
BINS = 10


@dataclass
class Judged:
    """What the team says at closes from a flat position, and what came of it."""

    logits: Tensor
    """[closes, 3 * passes, 3]"""
    net: Tensor
    """[closes, 2]: dollars after costs of an entry short and of one long, with the wish of the risk sub-system; NaN where the
    rules leave no contract"""

    def opportunity(self, temperature: float) -> team.Opportunity:
        """Of every close."""
        return team.count_votes(self.logits.reshape(-1, self.logits.shape[1] // AGENTS, CLASSES), temperature)

    def outcome(self, temperature: float) -> tuple[Tensor, Tensor]:
        """Confidence, and whether the side that it is about earned; only where the rules leave a contract."""
        opportunity = self.opportunity(temperature)
        side = (opportunity.direction > 0).long().unsqueeze(1)
        net = self.net.gather(1, side).squeeze(1)
        known = ~net.isnan()
        return opportunity.confidence[known], (net[known] > 0.0).float()


@torch.no_grad()
def judge(networks: Networks, markets: Markets, encoded: Encoded, passes: int, every: int, seed: int) -> Judged:
    """At every `every`-th close of the markets at which something can be decided."""
    closes = markets.decidable[::every]
    generator = torch.Generator().manual_seed(seed)
    logits = torch.empty(len(closes), AGENTS * passes, CLASSES)
    wishes = torch.tensor(PLAIN_WISH).repeat(len(markets.newest), 1)
    for part in torch.arange(len(closes)).split(1024):
        at = closes[part]
        seen, account = encoded.at(at), torch.zeros(len(at), ACCOUNT)
        given = networks.core(*seen, account, *team.draw_masks(len(at), passes, generator))
        logits[part] = given.reshape(len(at), AGENTS * passes, CLASSES)
        shown = team.count_votes(given).seen()
        wishes[at] = team.wish_of(networks.risk, seen, shown, encoded.volatility[at], account)
    net = torch.full((len(markets.newest), 2), torch.nan)
    labels = label(markets, wishes)
    net[labels.closes] = labels.net
    return Judged(logits, net[closes])


def fit(judged: Judged) -> float:
    """The temperature under which confidences tell outcomes best, by cross-entropy."""

    def cost(logarithm: float) -> float:
        confidence, earned = judged.outcome(float(torch.tensor(logarithm).exp()))
        return float(binary_cross_entropy(confidence.clamp(1e-6, 1.0 - 1e-6), earned))

    low, high = torch.tensor(LIMITS).log().tolist()
    found = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-3})
    return round(float(torch.tensor(found.x).exp()), 4)


@dataclass
class Reliability:
    """Confidence beside outcomes, in bins of equally many closes."""

    confidence: list[float]
    earned: list[float]
    count: list[int]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance, over all closes."""
        total = sum(self.count)
        rows = zip(self.confidence, self.earned, self.count, strict=True)
        return sum(abs(confidence - earned) * count for confidence, earned, count in rows) / total

    def rows(self) -> list[list[float]]:
        """Confidence, share that earned and number, for each bin."""
        return [[round(c, 4), round(e, 4), n] for c, e, n in zip(self.confidence, self.earned, self.count, strict=True)]


def reliability(judged: Judged, temperature: float) -> Reliability:
    """How well confidences tell outcomes."""
    confidence, earned = judged.outcome(temperature)
    order = confidence.argsort()
    parts = [part for part in order.chunk(BINS) if len(part)]
    return Reliability(
        [float(confidence[part].mean()) for part in parts],
        [float(earned[part].mean()) for part in parts],
        [len(part) for part in parts],
    )
