"""Phase 3 on RLlib: what frozen encoders say of each close is computed once and is the observation."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from ray.rllib.core.columns import Columns
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from torch import Tensor

from algospace_train import team
from algospace_train.core_training import TeamPolicy, act, loss_of
from algospace_train.environments import EpisodeSettings, TradingTeam, TradingVector, wish_space
from algospace_train.markets import Markets
from algospace_train.networks import ACCOUNT, Networks
from algospace_train.networks import load as load_networks
from algospace_train.rllib_training import MappoModule, RllibLearner, RllibPhase, runner_settings
from algospace_train.settings import CoreSettings

KEPT = ("votes", "old", "mask_1", "mask_2", "gated", "execute", "old_gate", "shown", "wish")
"""of what `act` gives, beside the actions of the environment"""


def widths(networks: Networks) -> list[int]:
    """Of structure, tactical, regime, context, account, volatility and position in an observation."""
    embedding = networks.structure.lstm.hidden_size
    latent, context = networks.regime.mean.out_features, networks.core.context.in_features
    return [embedding, embedding, latent, context, ACCOUNT, 1, 1]


def encoded_spaces(networks: Networks) -> tuple[spaces.Box, spaces.Box]:
    """Of an observation through frozen encoders, and of an action: direction, size, stop, reward."""
    wish = wish_space()
    low, high = np.append(-1.0, wish.low), np.append(1.0, wish.high)
    observation = spaces.Box(-np.inf, np.inf, (sum(widths(networks)),), np.float32)
    return observation, spaces.Box(low.astype(np.float32), high.astype(np.float32))


class EncodedVector(TradingVector):
    """Episodes side by side, seen through frozen encoders: float32 [slots, width]; an action is direction, size, stop, reward."""

    def __init__(
        self, settings: EpisodeSettings, networks: Networks, slots: int, seed: int, markets: Markets | None = None
    ) -> None:
        super().__init__(settings, slots, seed, markets)
        self.encoded = team.encode(networks, self.markets)
        self.single_observation_space, self.single_action_space = encoded_spaces(networks)
        self.batch_spaces()

    def seen(self) -> np.ndarray:
        closes = self.markets.close(self.environment.market, self.environment.close)
        account = torch.from_numpy(self.environment.account.copy())
        position = torch.from_numpy(np.sign(self.environment.position)).float().unsqueeze(1)
        parts = (*self.encoded.at(closes), account, self.encoded.volatility[closes], position)
        return torch.cat(parts, dim=1).numpy()

    def meant(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.rint(actions[:, 0]).astype(np.int8), np.ascontiguousarray(actions[:, 1:], np.float32)


def encoded_vector(context: dict[str, Any]) -> EncodedVector:
    """What a runner makes."""
    settings = runner_settings(context, CoreSettings)
    networks = load_networks(Path(context["weights"]))
    return EncodedVector(episodes(settings), networks, context.get("num_envs", 1), settings.seed)


def multi_agent(settings: EpisodeSettings) -> ParallelPettingZooEnv:
    """The team as RLlib's `MultiAgentEnv`, for other algorithms than ours."""
    return ParallelPettingZooEnv(TradingTeam(settings))


def episodes(settings: CoreSettings) -> EpisodeSettings:
    """The training episodes of a phase."""
    return EpisodeSettings(
        market=settings.train,
        engine=settings.engine,
        cache=str(settings.market_folder()),
        sessions=settings.sessions,
        reward=settings.reward,
        reward_dollars=settings.reward_dollars,
        risk_aversion=settings.risk_aversion,
    )


class TeamModule(MappoModule):
    """All actors, the gate and the central critic; the risk sub-system stands beside, frozen."""

    SETTINGS = CoreSettings
    NUMBERS = (*MappoModule.NUMBERS, "gate_loss")

    def prepare(self, networks: Networks) -> None:
        self.policy = TeamPolicy(networks, self.settings.policy_temperature)
        self.widths = widths(networks)
        # In a list, so that it is no part of what learns.
        self.frozen = [networks.risk]

    def parts(self, batch: dict[str, Tensor]) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """What the team sees, the account, volatility, position."""
        *seen, account, volatility, position = batch[Columns.OBS].split(self.widths, dim=-1)
        return seen, account, volatility, position.squeeze(-1)

    @torch.no_grad()
    def _forward_exploration(self, batch: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        seen, account, volatility, position = self.parts(batch)
        taken = act(self.policy, self.frozen[0], seen, account, volatility, position, self.settings.gate_passes)
        action = torch.cat((taken["direction"].float().unsqueeze(1), taken["wish"]), dim=1)
        kept = {key: taken[key] for key in KEPT} | {"value": self.policy.value(seen, account, volatility)}
        return kept | {Columns.ACTIONS: action, Columns.ACTION_LOGP: taken["old"].sum(1) + taken["old_gate"]}

    def value(self, batch: dict[str, Tensor]) -> Tensor:
        seen, account, volatility, _ = self.parts(batch)
        return self.policy.value(seen, account, volatility)

    def loss(self, taken: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        seen, account, volatility, _ = self.parts(taken)
        return loss_of(self.policy, seen, volatility, taken | {"account": account}, self.settings)


def learner(settings: CoreSettings, weights: Path, address: str | None) -> RllibLearner:
    """Of core and gate, from the networks in a file."""
    observation, action = encoded_spaces(load_networks(weights))
    phase = RllibPhase(TeamModule, encoded_vector, observation, action, ("core", "gate"))
    return RllibLearner(phase, settings, weights, address)
