"""The team in the decision seat, many decisions at once: what the engine computes one at a time.

Used to learn, to judge on validation markets and to calibrate; a test holds it to the engine's own decisions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from algospace_train import masks
from algospace_train.markets import Markets
from algospace_train.networks import AGENTS, CLASSES, Core, Networks, Risk
from algospace_train.regime_training import closes_of_rows, regime_vectors

SHORT, STAND_ASIDE, LONG = range(CLASSES)


@dataclass
class Encoded:
    """What the encoders make of every close of some markets: [closes, ...], zeros where nothing can be decided."""

    structure: Tensor
    tactical: Tensor
    regime: Tensor
    context: Tensor
    volatility: Tensor

    def at(self, closes: Tensor) -> list[Tensor]:
        """Structure, tactical, regime and context at these closes."""
        return [self.structure[closes], self.tactical[closes], self.regime[closes], self.context[closes]]


@torch.no_grad()
def encode(networks: Networks, markets: Markets) -> Encoded:
    """Runs the encoders on every close at which something can be decided."""
    closes = markets.decidable
    width = networks.structure.lstm.hidden_size
    count = len(markets.newest)
    tactical = torch.zeros(count, width)
    for part in closes.split(2048):
        tactical[part] = networks.tactical(markets.window("tactical", part))
    rows = torch.zeros(len(markets.rows["structure"]) + 1, width)
    for part in closes_of_rows(markets).split(2048):
        rows[markets.newest[part, 0]] = networks.structure(markets.window("structure", part))
    context = torch.zeros(count, markets.rows["context"].shape[1])
    context[closes] = markets.context(closes)
    regime = regime_vectors(networks.regime, markets)
    return Encoded(rows[markets.newest[:, 0]], tactical, regime, context, markets.volatility)


def draw_masks(batch: int, passes: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """Dropout masks for so many decisions, distributed as the engine's: [3 * batch, passes, 256 and 128]."""
    kept = 1.0 - masks.PROBABILITY
    shape = (AGENTS * batch, passes)
    first, second = ((torch.rand(*shape, width, generator=generator) < kept) / kept for width in masks.WIDTHS)
    return first, second


@dataclass
class Opportunity:
    """What the passes of all agents say: [batch] each, as in the engine's `count_votes`."""

    direction: Tensor
    confidence: Tensor
    aleatoric: Tensor
    epistemic: Tensor
    agreement: Tensor
    probabilities: Tensor

    def seen(self) -> Tensor:
        """As risk sub-system and gate see it: [batch, 4]."""
        return torch.stack((self.direction, self.confidence, self.epistemic, self.agreement), dim=1)


def count_votes(logits: Tensor, temperature: float = 1.0) -> Opportunity:
    """Logits [3 * batch, passes, 3], agents of one decision together, to opportunities."""
    passes = logits.shape[1]
    by_decision = logits.reshape(-1, AGENTS * passes, CLASSES)
    probabilities = torch.softmax(by_decision / temperature, dim=-1)
    mean = probabilities.mean(1)
    is_long = mean[:, LONG] >= mean[:, SHORT]
    side = torch.where(is_long, LONG, SHORT)
    aleatoric = entropy(probabilities).mean(1)
    return Opportunity(
        direction=torch.where(is_long, 1.0, -1.0),
        confidence=mean.gather(1, side.unsqueeze(1)).squeeze(1),
        aleatoric=aleatoric,
        epistemic=(entropy(mean) - aleatoric).clamp(min=0.0),
        agreement=(by_decision.argmax(-1) == side.unsqueeze(1)).float().mean(1),
        probabilities=mean,
    )


def entropy(probabilities: Tensor) -> Tensor:
    """In nats, over the last axis."""
    return torch.special.entr(probabilities).sum(-1)


@torch.no_grad()
def opportunities(
    core: Core, seen: list[Tensor], account: Tensor, passes: int, temperature: float = 1.0
) -> Opportunity:
    """Stage one for a batch."""
    logits = core(*seen, account, *draw_masks(len(account), passes))
    return count_votes(logits, temperature)


@torch.no_grad()
def wish_of(risk: Risk, seen: list[Tensor], opportunity: Tensor, volatility: Tensor, account: Tensor) -> Tensor:
    """Size, stop and reward of the risk sub-system: [batch, 3]."""
    regime, context = seen[2], seen[3]
    return torch.cat(risk(regime, opportunity, volatility, context, account), dim=-1)
