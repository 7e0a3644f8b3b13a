"""Phase 2 on RLlib: a step is an opportunity, and what is between two is one call of the environment."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from ray.rllib.core.columns import Columns
from torch import Tensor

from algospace_train.markets import open_markets
from algospace_train.networks import ACCOUNT, CONTEXT, LATENT, Networks
from algospace_train.networks import load as load_networks
from algospace_train.regime_training import regime_vectors
from algospace_train.risk_training import OPPORTUNITY, RiskEnvironment, RiskPolicy, loss_of, wish_of
from algospace_train.rllib_training import MappoModule, RllibLearner, RllibPhase, runner_settings
from algospace_train.settings import RiskSettings

WIDTHS = [LATENT, OPPORTUNITY, 1, CONTEXT, ACCOUNT]
"""of regime, opportunity, volatility, context and account in an observation, which is in the order of the network's inputs"""
OBSERVATION = spaces.Box(-np.inf, np.inf, (sum(WIDTHS),), np.float32)
ACTION = spaces.Box(-np.inf, np.inf, (3,), np.float32)
"""what the three heads say, before it is brought into its range"""


class OpportunityVector(gymnasium.vector.VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Opportunities of many episodes side by side: float32 [slots, width]. A slot goes on alone until its signal speaks
    again, so that no step is without a decision. What `rewards` remember begins with `running` at every reset."""

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012 - Gymnasium's own

    def __init__(self, inside: RiskEnvironment) -> None:
        self.inside, self.environment = inside, inside.environment
        self.rewards, self.running = inside.rewards, inside.rewards.running
        self.num_envs = inside.slots
        self.single_observation_space, self.single_action_space = OBSERVATION, ACTION
        self.observation_space = gymnasium.vector.utils.batch_space(OBSERVATION, self.num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(ACTION, self.num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        del options
        given = seed[0] if isinstance(seed, list) else seed
        self.inside.begin(self.inside.settings.seed if given is None else given)
        self.rewards.running = self.running
        self.opportunity = torch.zeros(self.num_envs, OPPORTUNITY)
        self.is_over = np.zeros(self.num_envs, np.bool_)
        self.seek(np.ones(self.num_envs, np.bool_))
        return self.seen(), {}

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        began, environment = self.is_over, self.environment
        wish = wish_of(torch.as_tensor(actions, dtype=torch.float32)).numpy()
        direction = self.opportunity[:, 0].numpy().astype(np.int8)
        environment.step(direction, wish)
        profit = environment.profit.copy()
        profit += self.seek(began)
        reward = np.zeros(self.num_envs)
        reward[~began] = self.rewards.of(torch.from_numpy(profit[~began])).numpy()
        self.is_over = environment.is_last.copy()
        return self.seen(), reward, self.is_over, np.zeros(self.num_envs, np.bool_), {}

    def seek(self, began: np.ndarray) -> np.ndarray:
        """Goes on in every slot until its signal speaks, or its episode is over; where one has just begun, into others until
        the signal speaks. Returns the dollars on the way, [slots]."""
        environment, inside = self.environment, self.inside
        profit = np.zeros(self.num_envs)
        waits = np.ones(self.num_envs, np.bool_)
        self.opportunity.zero_()
        while True:
            at = np.flatnonzero(waits & ~environment.is_last & (environment.position == 0))
            spoken = at[inside.signal.speaks[inside.closes(at)].numpy()]
            self.opportunity[spoken] = inside.signal.opportunity[inside.closes(spoken)]
            waits[spoken] = False
            waits &= began | ~environment.is_last
            if not waits.any():
                return profit
            environment.step(*inside.nothing, waits)
            profit[waits] += environment.profit[waits]

    def seen(self) -> np.ndarray:
        every = np.arange(self.num_envs)
        return torch.cat(self.inside.states(every, self.opportunity), dim=1).numpy()


def opportunity_vector(context: dict[str, Any]) -> OpportunityVector:
    """What a runner makes."""
    settings = runner_settings(context, RiskSettings)
    networks = load_networks(Path(context["weights"]))
    markets = open_markets(settings.train, settings.engine, settings.market_folder())
    regime = regime_vectors(networks.regime, markets)
    return OpportunityVector(RiskEnvironment(markets, regime, settings, context.get("num_envs", 1)))


class RiskModule(MappoModule):
    """The three risk agents and the central critic."""

    SETTINGS = RiskSettings

    def prepare(self, networks: Networks) -> None:
        self.policy = RiskPolicy(networks.risk)

    def state(self, batch: dict[str, Tensor]) -> list[Tensor]:
        return list(batch[Columns.OBS].split(WIDTHS, dim=-1))

    @torch.no_grad()
    def _forward_exploration(self, batch: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        distribution = self.policy.distribution(self.state(batch))
        action = distribution.sample()
        old = distribution.log_prob(action)
        value = self.policy.value(self.state(batch))
        return {Columns.ACTIONS: action, Columns.ACTION_LOGP: old.sum(1), "old": old, "value": value}

    def value(self, batch: dict[str, Tensor]) -> Tensor:
        return self.policy.value(self.state(batch))

    def loss(self, taken: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        return loss_of(self.policy, self.state(taken), taken | {"action": taken[Columns.ACTIONS]}, self.settings)


def learner(settings: RiskSettings, weights: Path, address: str | None) -> RllibLearner:
    """Of the risk sub-system, from the networks in a file."""
    phase = RllibPhase(RiskModule, opportunity_vector, OBSERVATION, ACTION, ("risk",))
    return RllibLearner(phase, replace(settings, rollout=settings.opportunities), weights, address)
