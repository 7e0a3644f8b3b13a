"""Phase 3's MAPPO on Ray RLlib: the same actors, critic and loss as the plain loop, with rollouts by as many runners as there are.

RLlib has no MAPPO, so the team is one agent to it: one module that holds all actors and the central critic, and a learner whose
loss is `core_training.loss_of`, with a ratio for each agent. The environment is one vector of episodes in the engine; what frozen
encoders say of each close is computed once and is the observation. Nothing in RLlib's checkpoints is handed over: weights go back
into the networks after every iteration.
"""

import logging
import os
from dataclasses import asdict
from typing import Any

import numpy as np
import ray
import torch
from gymnasium import spaces
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.tune.registry import register_env
from torch import Tensor

from algospace_train import networks as nets
from algospace_train import team
from algospace_train.core_training import TeamPolicy, act, loss_of
from algospace_train.environments import EpisodeSettings, TradingTeam, TradingVector, wish_space
from algospace_train.markets import Markets
from algospace_train.networks import ACCOUNT, Networks
from algospace_train.settings import CoreSettings, MarketSettings, build

ENVIRONMENT = "algospace_encoded"
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
    """What a runner makes: every runner has its own episodes, which its number and the seed name."""
    torch.set_num_threads(1)
    settings = episodes(build(context["settings"], CoreSettings, "settings"))
    networks = nets.load(context["weights"])
    seed = context["settings"]["seed"] + 1_000 * getattr(context, "worker_index", 0)
    return EncodedVector(settings, networks, context.get("num_envs", 1), seed)


def multi_agent(settings: EpisodeSettings) -> ParallelPettingZooEnv:
    """The team as RLlib's `MultiAgentEnv`, for other algorithms than ours."""
    return ParallelPettingZooEnv(TradingTeam(settings))


def episodes(settings: CoreSettings) -> EpisodeSettings:
    """The training episodes of a phase."""
    market: MarketSettings = settings.train
    return EpisodeSettings(
        market=market,
        engine=settings.engine,
        cache=os.path.join(settings.output, "markets"),
        sessions=settings.sessions,
        reward=settings.reward,
        reward_dollars=settings.reward_dollars,
        risk_aversion=settings.risk_aversion,
    )


class TeamModule(TorchRLModule, ValueFunctionAPI):
    """All actors, the gate and the central critic; the risk sub-system stands beside, frozen."""

    def setup(self) -> None:
        networks = nets.load(self.model_config["weights"])
        self.policy = TeamPolicy(networks, self.model_config["policy_temperature"])
        self.widths = widths(networks)
        self.passes = self.model_config["gate_passes"]
        # In a list, so that it is no part of what learns.
        self.frozen = [networks.risk]

    def parts(self, batch: dict[str, Tensor]) -> tuple[list[Tensor], Tensor, Tensor, Tensor]:
        """What the team sees, the account, volatility, position."""
        *seen, account, volatility, position = batch[Columns.OBS].split(self.widths, dim=-1)
        return seen, account, volatility, position.squeeze(-1)

    @torch.no_grad()
    def _forward_exploration(self, batch: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        seen, account, volatility, position = self.parts(batch)
        taken = act(self.policy, self.frozen[0], seen, account, volatility, position, self.passes)
        action = torch.cat((taken["direction"].float().unsqueeze(1), taken["wish"]), dim=1)
        kept = {key: taken[key] for key in KEPT}
        return kept | {Columns.ACTIONS: action, Columns.ACTION_LOGP: taken["old"].sum(1) + taken["old_gate"]}

    def _forward_inference(self, batch: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        return self._forward_exploration(batch)

    def _forward_train(self, batch: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        """Nothing: the loss evaluates the networks under the masks of the rollout."""
        return {}

    @torch.no_grad()
    def compute_values(self, batch: dict[str, Tensor], embeddings: Tensor | None = None) -> Tensor:
        """In units of reward."""
        del embeddings
        seen, account, volatility, _ = self.parts(batch)
        return self.policy.value_norm.restore(self.policy.value(seen, account, volatility))


class TeamLearner(PPOTorchLearner):
    """The exact MAPPO loss: one ratio for each agent, one advantage."""

    def compute_loss_for_module(
        self, *, module_id: str, config: PPOConfig, batch: dict[str, Tensor], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        del fwd_out
        module: TeamModule = self.module[module_id].unwrapped()
        # Without the step that RLlib adds to every episode for the sake of its last value.
        real = batch.get(Columns.LOSS_MASK)
        taken = batch if real is None else {key: of[real] for key, of in batch.items() if torch.is_tensor(of)}
        seen, account, volatility, _ = module.parts(taken)
        norm = module.policy.value_norm
        returns = taken[Postprocessing.VALUE_TARGETS]
        norm.update(returns)
        settings = build(config.learner_config_dict["settings"], CoreSettings, "settings")
        known = {key: taken[key] for key in KEPT} | {
            "account": account,
            "advantage": taken[Postprocessing.ADVANTAGES],
            "value": module.policy.value(seen, account, volatility).detach(),
            "target": norm.normalise(returns),
        }
        loss, numbers = loss_of(module.policy, seen, volatility, known, settings)
        for key, value in numbers.items():
            self.metrics.log_value((module_id, key), value, window=1)
        return loss


def configuration(settings: CoreSettings, weights: str) -> PPOConfig:
    """RLlib's configuration of the phase. `weights` is a file that every node can read."""
    plain = asdict(settings)
    shared = {"settings": plain, "weights": str(weights)}
    runners = max(1, settings.runners)
    register_env(ENVIRONMENT, encoded_vector)
    observation_space, action_space = encoded_spaces(nets.load(weights))
    return (
        PPOConfig()
        .environment(
            ENVIRONMENT,
            env_config=shared,
            observation_space=observation_space,
            action_space=action_space,
            # Actions are the engine's own units.
            normalize_actions=False,
            clip_actions=False,
        )
        .env_runners(
            num_env_runners=settings.runners,
            num_envs_per_env_runner=max(1, settings.slots // runners),
            gym_env_vectorize_mode="vector_entry_point",
            rollout_fragment_length=settings.rollout,
            batch_mode="truncate_episodes",
        )
        .learners(num_learners=0)
        .rl_module(
            rl_module_spec=RLModuleSpec(
                module_class=TeamModule,
                model_config={
                    "weights": str(weights),
                    "gate_passes": settings.gate_passes,
                    "policy_temperature": settings.policy_temperature,
                },
            )
        )
        .training(
            learner_class=TeamLearner,
            learner_config_dict={"settings": plain},
            lr=settings.learning_rate,
            gamma=settings.discount,
            lambda_=settings.trace,
            train_batch_size_per_learner=settings.slots * settings.rollout,
            minibatch_size=settings.slots * settings.rollout // settings.minibatches,
            num_epochs=settings.epochs,
            grad_clip=settings.maximum_gradient,
            grad_clip_by="global_norm",
            use_kl_loss=False,
        )
        .debugging(seed=settings.seed, log_level="ERROR")
        .fault_tolerance(restart_failed_env_runners=True)
    )


def start(address: str | None, threads: int) -> None:
    """Joins the Ray cluster at an address, or starts one here."""
    if ray.is_initialized():
        return
    # Ray would let its workers yield to every other program, and tell its makers how it is used.
    os.environ.setdefault("RAY_worker_niceness", "0")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    given: dict[str, Any] = (
        {"address": address} if address else {"num_cpus": max(threads, os.cpu_count() or 1), "include_dashboard": False}
    )
    ray.init(logging_level=logging.ERROR, log_to_driver=False, **given)


class Learner:
    """MAPPO by RLlib, an iteration at a time."""

    def __init__(self, settings: CoreSettings, weights: str, address: str | None) -> None:
        start(address, settings.threads)
        self.algorithm: PPO = configuration(settings, weights).build_algo()

    def iterate(self) -> dict[str, float]:
        """One rollout and its updates."""
        found = self.algorithm.train()
        learned = found["learners"]["default_policy"]
        runners = found["env_runners"]
        names = ("policy_loss", "value_loss", "entropy", "gate_loss")
        numbers = {f"train/{name}": float(learned[name]) for name in names}
        numbers["train/return"] = float(runners.get("episode_return_mean", float("nan")))
        numbers["steps"] = float(runners["num_env_steps_sampled_lifetime"])
        return numbers

    def write(self, networks: Networks) -> None:
        """Brings what was learned into the networks."""
        weights = self.algorithm.learner_group.get_weights()["default_policy"]
        for name, network in (("core", networks.core), ("gate", networks.gate)):
            prefix = f"policy.{name}."
            own = {
                key.removeprefix(prefix): torch.as_tensor(value)
                for key, value in weights.items()
                if key.startswith(prefix)
            }
            network.load_state_dict(own)

    def save(self, folder: str) -> None:
        self.algorithm.save_to_path(folder)

    def restore(self, folder: str) -> None:
        self.algorithm.restore_from_path(folder)

    def close(self) -> None:
        self.algorithm.stop()
