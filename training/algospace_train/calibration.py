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
from algospace_train.settings import PLAIN_WISH, SettingsError
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

    def outcome(self, temperature: float) -> tuple[Tensor, Tensor]:
        """Confidence, and whether the side that it is about earned; only where the rules leave a contract."""
        opportunity = votes(self.logits, temperature)
        side = (opportunity.direction > 0).long().unsqueeze(1)
        net = self.net.gather(1, side).squeeze(1)
        known = ~net.isnan()
        if not known.any():
            raise SettingsError(
                "the rules leave no contract at any close of the markets that confidence is fitted on; look at `engine`'s risk rules"
            )
        return opportunity.confidence[known], (net[known] > 0.0).float()


def votes(logits: Tensor, temperature: float) -> team.Opportunity:
    """Of logits [closes, 3 * passes, 3]."""
    return team.count_votes(logits.reshape(-1, logits.shape[1] // AGENTS, CLASSES), temperature)


@dataclass
class Asked:
    """What the team's agents say at every `every`-th close of some markets, from a flat position."""

    networks: Networks
    markets: Markets
    encoded: Encoded
    closes: Tensor
    """[closes]"""
    logits: Tensor
    """[closes, 3 * passes, 3]"""

    @torch.no_grad()
    def judge(self, temperature: float) -> Judged:
        """With the wishes of a risk sub-system that is shown the opportunities at this temperature, as it is in the engine."""
        wishes = torch.tensor(PLAIN_WISH).repeat(len(self.markets.newest), 1)
        account = torch.zeros(len(self.closes), ACCOUNT)
        seen, shown = self.encoded.at(self.closes), votes(self.logits, temperature).seen()
        wishes[self.closes] = team.wish_of(
            self.networks.risk, seen, shown, self.encoded.volatility[self.closes], account
        )
        net = torch.full((len(self.markets.newest), 2), torch.nan)
        labels = label(self.markets, wishes)
        net[labels.closes] = labels.net
        return Judged(self.logits, net[self.closes])


@torch.no_grad()
def ask(networks: Networks, markets: Markets, encoded: Encoded, passes: int, every: int, seed: int) -> Asked:
    """Asks the agents."""
    closes = markets.decidable[::every]
    generator = torch.Generator().manual_seed(seed)
    logits = torch.empty(len(closes), AGENTS * passes, CLASSES)
    for part in torch.arange(len(closes)).split(1024):
        at = closes[part]
        given = networks.core(
            *encoded.at(at), torch.zeros(len(at), ACCOUNT), *team.draw_masks(len(at), passes, generator)
        )
        logits[part] = given.reshape(len(at), AGENTS * passes, CLASSES)
    return Asked(networks, markets, encoded, closes, logits)


def fit(asked: Asked) -> float:
    """The temperature under which confidences tell outcomes best. What the risk sub-system wishes, and so the outcomes, depend on it in
    turn: it is fitted again to those of the first fit."""
    return fit_to(asked.judge(fit_to(asked.judge(1.0))))


def fit_to(judged: Judged) -> float:
    """By cross-entropy."""

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
