"""The six networks of a model set.

Shapes are written [batch, ...]. Exported graphs have batch 1; training uses any. The engine scales every input to
about +-3 beforehand, so no network normalises its own. Agents come in the order structure, tactical, regime; classes
in the order short, stand aside, long.
"""

from pathlib import Path
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import relu

from algospace_train import masks
from algospace_train.settings import SettingsError

EMBEDDING = 64
LATENT = 8
CONTEXT = 5
ACCOUNT = 5
AGENTS = masks.AGENTS
CLASSES = 3

PASSES = "passes"
"""Name of the one dynamic axis: Monte Carlo dropout passes."""

Shape = tuple[int | str, ...]


class Embedder(nn.Module):
    """Rows of a matrix, oldest first, to the last hidden state of a one-layer LSTM."""

    OUTPUTS: ClassVar[dict[str, Shape]] = {"embedding": (1, EMBEDDING)}

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.INPUTS: dict[str, Shape] = {"matrix": (1, rows, columns)}
        self.lstm = nn.LSTM(columns, EMBEDDING, batch_first=True)

    def forward(self, matrix: Tensor) -> Tensor:
        """[batch, rows, columns] -> [batch, 64]"""
        _, (hidden, _) = self.lstm(matrix)
        return hidden[0]


class EncoderLayer(nn.Module):
    """Pre-norm Transformer encoder layer without dropout."""

    def __init__(self, width: int, heads: int, feed_forward: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.projection = nn.Linear(width, width)
        self.feed_forward_norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, feed_forward)
        self.narrow = nn.Linear(feed_forward, width)

    def forward(self, rows: Tensor) -> Tensor:
        """[batch, rows, width] -> the same"""
        rows = rows + self.attend(self.attention_norm(rows))
        return rows + self.narrow(relu(self.widen(self.feed_forward_norm(rows))))

    def attend(self, rows: Tensor) -> Tensor:
        batch, length, width = rows.shape
        by_head = (batch, length, self.heads, width // self.heads)
        query = self.query(rows).reshape(by_head).permute(0, 2, 1, 3)
        key = self.key(rows).reshape(by_head).permute(0, 2, 3, 1)
        value = self.value(rows).reshape(by_head).permute(0, 2, 1, 3)
        weights = torch.softmax(query @ key * by_head[-1] ** -0.5, dim=-1)
        return self.projection((weights @ value).permute(0, 2, 1, 3).reshape(batch, length, width))


class RegimeEngine(nn.Module):
    """Regime detection engine: a variational autoencoder of the regime matrix, whose mean is the regime vector.

    The decoder reconstructs the input window. It and the log-variance serve training and are not exported.
    """

    ROWS, COLUMNS, WIDTH, HEADS, FEED_FORWARD, LAYERS = 100, 12, 64, 2, 128, 2
    INPUTS: ClassVar[dict[str, Shape]] = {"matrix": (1, ROWS, COLUMNS)}
    OUTPUTS: ClassVar[dict[str, Shape]] = {"regime": (1, LATENT)}

    def __init__(self) -> None:
        super().__init__()
        self.widen = nn.Linear(self.COLUMNS, self.WIDTH)
        self.positions = nn.Parameter(torch.empty(self.ROWS, self.WIDTH).uniform_(-0.1, 0.1))
        self.layers = nn.Sequential(
            *(EncoderLayer(self.WIDTH, self.HEADS, self.FEED_FORWARD) for _ in range(self.LAYERS))
        )
        self.norm = nn.LayerNorm(self.WIDTH)
        self.pool = nn.Linear(self.WIDTH, 1, bias=False)
        self.mean = nn.Linear(self.WIDTH, LATENT)
        self.log_variance = nn.Linear(self.WIDTH, LATENT)
        self.decoder_latent = nn.Linear(LATENT, self.WIDTH)
        self.decoder_positions = nn.Parameter(torch.empty(self.ROWS, self.WIDTH).uniform_(-0.1, 0.1))
        self.decoder_hidden = nn.Linear(self.WIDTH, self.WIDTH)
        self.decoder_rows = nn.Linear(self.WIDTH, self.COLUMNS)

    def forward(self, matrix: Tensor) -> Tensor:
        """[batch, 100, 12] -> regime vector [batch, 8]"""
        return self.mean(self.summary(matrix))

    def posterior(self, matrix: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, 100, 12] -> mean and log-variance of the latent, [batch, 8] each"""
        summary = self.summary(matrix)
        return self.mean(summary), self.log_variance(summary)

    def reconstruct(self, latent: Tensor) -> Tensor:
        """[batch, 8] -> the input window [batch, 100, 12]"""
        rows = relu(self.decoder_latent(latent).unsqueeze(1) + self.decoder_positions)
        return self.decoder_rows(relu(self.decoder_hidden(rows)))

    def summary(self, matrix: Tensor) -> Tensor:
        """[batch, 100, 12] -> rows pooled by attention, [batch, 64]"""
        rows = self.norm(self.layers(self.widen(matrix) + self.positions))
        weights = torch.softmax(self.pool(rows).transpose(1, 2), dim=-1)
        return (weights @ rows).squeeze(1)


class Core(nn.Module):
    """The actor the three agents share, with dropout masks as inputs.

    What dropout does not touch is evaluated once per agent and broadcast at the first mask: the same mathematics as
    that many full passes.
    """

    CONTEXT_WIDTH = 16
    INPUTS: ClassVar[dict[str, Shape]] = {
        "structure": (1, EMBEDDING),
        "tactical": (1, EMBEDDING),
        "regime": (1, LATENT),
        "context": (1, CONTEXT),
        "account": (1, ACCOUNT),
        "mask_1": (AGENTS, PASSES, masks.WIDTHS[0]),
        "mask_2": (AGENTS, PASSES, masks.WIDTHS[1]),
    }
    OUTPUTS: ClassVar[dict[str, Shape]] = {"logits": (AGENTS, PASSES, CLASSES)}

    def __init__(self) -> None:
        super().__init__()
        first, second = masks.WIDTHS
        observation = EMBEDDING + LATENT + self.CONTEXT_WIDTH + ACCOUNT + AGENTS
        self.regime_embedding = nn.Linear(LATENT, EMBEDDING)
        self.context = nn.Linear(CONTEXT, self.CONTEXT_WIDTH)
        self.first = nn.Linear(observation, first)
        self.second = nn.Linear(first, second)
        self.logits = nn.Linear(second, CLASSES)
        self.register_buffer("agents", torch.eye(AGENTS), persistent=False)

    def forward(
        self,
        structure: Tensor,
        tactical: Tensor,
        regime: Tensor,
        context: Tensor,
        account: Tensor,
        mask_1: Tensor,
        mask_2: Tensor,
    ) -> Tensor:
        """Masks [3 * batch, passes, 256 and 128], agents of one decision together -> logits [3 * batch, passes, 3]"""
        hidden = relu(self.first(self.observations(structure, tactical, regime, context, account)))
        hidden = hidden.unsqueeze(1) * mask_1
        return self.logits(relu(self.second(hidden)) * mask_2)

    def observations(
        self, structure: Tensor, tactical: Tensor, regime: Tensor, context: Tensor, account: Tensor
    ) -> Tensor:
        """What each agent sees: [3 * batch, 96], agents of one decision together."""
        batch = structure.shape[0]
        own = torch.cat((structure, tactical, relu(self.regime_embedding(regime))), dim=-1)
        shared = torch.cat((regime, relu(self.context(context)), account), dim=-1)
        return torch.cat(
            (
                own.reshape(AGENTS * batch, EMBEDDING),
                shared.unsqueeze(1).expand(-1, AGENTS, -1).reshape(AGENTS * batch, -1),
                self.agents.repeat(batch, 1),
            ),
            dim=-1,
        )


class Risk(nn.Module):
    """Risk sub-system (M-RMS): three risk agents, a head each, on one body."""

    WIDTH = 64
    STOP = (0.5, 3.0)
    REWARD = (1.0, 5.0)
    INPUTS: ClassVar[dict[str, Shape]] = {
        "regime": (1, LATENT),
        "opportunity": (1, 4),
        "volatility": (1, 1),
        "context": (1, CONTEXT),
        "account": (1, ACCOUNT),
    }
    OUTPUTS: ClassVar[dict[str, Shape]] = {"size": (1, 1), "stop": (1, 1), "reward": (1, 1)}

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(LATENT + 4 + 1 + CONTEXT + ACCOUNT, self.WIDTH)
        self.second = nn.Linear(self.WIDTH, self.WIDTH)
        self.size = nn.Linear(self.WIDTH, 1)
        self.stop = nn.Linear(self.WIDTH, 1)
        self.reward = nn.Linear(self.WIDTH, 1)

    def forward(
        self, regime: Tensor, opportunity: Tensor, volatility: Tensor, context: Tensor, account: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Share of the most contracts, stop in average true ranges, reward as a multiple of the risk: [batch, 1] each.

        `opportunity` is direction (-1 or +1), confidence, epistemic uncertainty, agreement.
        """
        size, stop, reward = self.heads(regime, opportunity, volatility, context, account)
        return torch.sigmoid(size), between(*self.STOP, stop), between(*self.REWARD, reward)

    def heads(
        self, regime: Tensor, opportunity: Tensor, volatility: Tensor, context: Tensor, account: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """What each risk agent says before it is brought into its range: [batch, 1] each."""
        state = torch.cat((regime, opportunity, volatility, context, account), dim=-1)
        hidden = relu(self.second(relu(self.first(state))))
        return self.size(hidden), self.stop(hidden), self.reward(hidden)


def between(low: float, high: float, value: Tensor) -> Tensor:
    return torch.sigmoid(value) * (high - low) + low


class Gate(nn.Module):
    """Decision gate: the joint state and the risk proposal (size, stop, reward) to the probability of executing."""

    WIDTHS = (64, 32)
    INPUTS: ClassVar[dict[str, Shape]] = {
        "structure": (1, EMBEDDING),
        "tactical": (1, EMBEDDING),
        "regime": (1, LATENT),
        "context": (1, CONTEXT),
        "account": (1, ACCOUNT),
        "opportunity": (1, 4),
        "proposal": (1, 3),
    }
    OUTPUTS: ClassVar[dict[str, Shape]] = {"execute": (1, 1)}

    def __init__(self) -> None:
        super().__init__()
        state = 2 * EMBEDDING + LATENT + CONTEXT + ACCOUNT + 4 + 3
        self.first = nn.Linear(state, self.WIDTHS[0])
        self.second = nn.Linear(*self.WIDTHS)
        self.execute = nn.Linear(self.WIDTHS[1], 1)

    def forward(
        self,
        structure: Tensor,
        tactical: Tensor,
        regime: Tensor,
        context: Tensor,
        account: Tensor,
        opportunity: Tensor,
        proposal: Tensor,
    ) -> Tensor:
        """-> [batch, 1]"""
        state = torch.cat((structure, tactical, regime, context, account, opportunity, proposal), dim=-1)
        return torch.sigmoid(self.execute(relu(self.second(relu(self.first(state))))))


class Networks(nn.Module):
    """All networks of a set; its state is `weights.safetensors`."""

    def __init__(self) -> None:
        super().__init__()
        self.structure = Embedder(48, 8)
        self.tactical = Embedder(60, 7)
        self.regime = RegimeEngine()
        self.core = Core()
        self.risk = Risk()
        self.gate = Gate()


UNTRAINED_LOGIT_SCALE = 3.5
"""Makes the logits of untrained networks over inputs within +-3 vary by about 0.5, so that classes differ visibly."""


def initialised(seed: int) -> Networks:
    """Networks as initialised under a seed, in evaluation mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Networks().eval()


def untrained(seed: int) -> Networks:
    """Networks as initialised under a seed, with logits of a visible size."""
    networks = initialised(seed)
    with torch.no_grad():
        networks.core.logits.weight *= UNTRAINED_LOGIT_SCALE
    return networks


def load(weights: Path) -> Networks:
    """Networks of a set's `weights.safetensors`, in evaluation mode."""
    networks = Networks().eval()
    try:
        networks.load_state_dict(safetensors.torch.load_file(weights))
    except FileNotFoundError as error:
        raise SettingsError(f"{weights}: there is no such file; run the phase before, or leave it out") from error
    except (safetensors.SafetensorError, RuntimeError) as error:
        raise SettingsError(
            f"{weights}: is no weights of these networks; a phase or a model set has some: {error}"
        ) from error
    return networks
