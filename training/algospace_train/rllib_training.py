"""MAPPO on Ray RLlib: the same actors, critic and loss as the plain loops, with rollouts by as many runners as there are.

RLlib has no MAPPO, so a team is one agent to it: one module that holds all actors and the central critic, and a learner whose
loss is the plain loop's, with a ratio for each agent. The environment is one vector of episodes in the engine. Nothing in RLlib's
checkpoints is handed over: weights go back into the networks after every iteration.
"""

import json
import logging
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import gymnasium
import ray
import torch
from gymnasium import spaces
from ray.rllib.algorithms.ppo import PPO, PPOConfig
from ray.rllib.algorithms.ppo.torch.ppo_torch_learner import PPOTorchLearner
from ray.rllib.core.columns import Columns
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch import TorchRLModule
from ray.rllib.env.single_agent_env_runner import SingleAgentEnvRunner
from ray.rllib.evaluation.postprocessing import Postprocessing
from ray.rllib.utils.debug import update_global_seed_if_necessary
from ray.tune.registry import register_env
from torch import Tensor, nn

from algospace_train import machine, mappo
from algospace_train.networks import Networks
from algospace_train.networks import load as load_networks
from algospace_train.settings import PolicySettings, Settings, build

SEEDS = 2**32
"""as many as NumPy's global generator takes"""


class MappoModule(TorchRLModule, ValueFunctionAPI):
    """All actors of a phase and their central critic, in `policy`."""

    SETTINGS: ClassVar[type[PolicySettings]]
    NUMBERS: ClassVar[tuple[str, ...]] = ("policy_loss", "value_loss", "entropy")
    """that `loss` tells"""
    policy: nn.Module

    def setup(self) -> None:
        self.settings = build(self.model_config["settings"], self.SETTINGS, "settings")
        self.prepare(load_networks(Path(self.model_config["weights"])))

    def prepare(self, networks: Networks) -> None:
        """Makes `policy`."""
        raise NotImplementedError

    def value(self, batch: dict[str, Tensor]) -> Tensor:
        """Of the critic, [batch], normalised."""
        raise NotImplementedError

    def loss(self, taken: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        """Of steps, where `taken` has what exploration kept, `value` (of the critic then, normalised) among it, and `advantage` and
        `target` as `mappo.prepared` gives them."""
        raise NotImplementedError

    def _forward_inference(self, batch: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        return self._forward_exploration(batch)

    def _forward_train(self, batch: dict[str, Tensor], **_: Any) -> dict[str, Tensor]:
        """Nothing: the loss evaluates the networks itself."""
        del batch
        return {}

    @torch.no_grad()
    def compute_values(self, batch: dict[str, Tensor], embeddings: Tensor | None = None) -> Tensor:
        """In units of reward."""
        del embeddings
        return self.policy.value_norm.restore(self.value(batch))


class MappoLearner(PPOTorchLearner):
    """The exact MAPPO loss: one ratio for each agent, one advantage."""

    def configure_optimizers_for_module(self, module_id: str, config: PPOConfig) -> None:
        """Adam with MAPPO's epsilon instead of RLlib's."""
        parameters = self.get_parameters(self.module[module_id])
        optimizer = torch.optim.Adam(parameters, eps=mappo.ADAM_EPSILON)
        self.register_optimizer(
            module_id=module_id, optimizer=optimizer, params=parameters, lr_or_lr_schedule=config.lr
        )

    def compute_loss_for_module(
        self, *, module_id: str, config: PPOConfig, batch: dict[str, Tensor], fwd_out: dict[str, Tensor]
    ) -> Tensor:
        del fwd_out, config
        module: MappoModule = self.module[module_id].unwrapped()
        # Without the step that RLlib adds to every episode for the sake of its last value.
        real = batch.get(Columns.LOSS_MASK)
        taken = batch if real is None else {key: of[real] for key, of in batch.items() if torch.is_tensor(of)}
        # RLlib has standardised advantages over what it added too; within the minibatch they are standardised again.
        advantage, returns = taken[Postprocessing.ADVANTAGES], taken[Postprocessing.VALUE_TARGETS]
        loss, numbers = module.loss(dict(taken) | mappo.prepared(module.policy.value_norm, advantage, returns))
        for key, value in numbers.items():
            self.metrics.log_value((module_id, key), value, window=1)
        return loss


@dataclass(frozen=True)
class RllibPhase:
    """What RLlib needs to know of one."""

    module: type[MappoModule]
    environment: Callable[[dict[str, Any]], gymnasium.vector.VectorEnv]
    """makes a runner's, of `settings`, `weights` and `num_envs`"""
    observation: spaces.Box
    action: spaces.Box
    learns: tuple[str, ...]
    """networks that learn, by their names in the policy and in `Networks`"""


def configuration(phase: RllibPhase, settings: PolicySettings, weights: Path) -> PPOConfig:
    """RLlib's configuration of a phase. `weights` is a file that every node can read."""
    shared = {"settings": asdict(settings), "weights": str(weights.absolute())}
    runners = max(1, settings.runners)
    name = f"algospace_{phase.module.__name__}"
    register_env(name, phase.environment)
    return (
        PPOConfig()
        .environment(
            name,
            env_config=shared,
            observation_space=phase.observation,
            action_space=phase.action,
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
        .rl_module(rl_module_spec=RLModuleSpec(module_class=phase.module, model_config=shared))
        .training(
            learner_class=MappoLearner,
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
        .debugging(seed=settings.seed % SEEDS, log_level="ERROR")
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


def begin(runner: SingleAgentEnvRunner, seed: int, running: tuple[float, float]) -> None:
    """Lets a runner begin other episodes with its next step, which the seed names, from these running rewards. RLlib's own way
    goes on with the episodes that it has, which no checkpoint holds: a resumed run would see others."""
    update_global_seed_if_necessary("torch", seed % SEEDS)
    if runner.env is not None:
        runner.env.unwrapped.running = running
        # RLlib resets its vector with this seed where an initial reset is due.
        runner._seed, runner._needs_initial_reset = seed, True


def running_rewards(runner: SingleAgentEnvRunner) -> tuple[float, float] | None:
    """Where a runner's rewards have come to."""
    return None if runner.env is None else runner.env.unwrapped.rewards.running


def runner_settings(context: dict[str, Any], kind: type[Settings]) -> Settings:
    """Of a phase, in a process that rolls out: RLlib tells it what `configuration` was given. Where the learner rolls out itself,
    it keeps its threads."""
    settings = build(context["settings"], kind, "settings")
    machine.prepare(1 if settings.runners else settings.threads)
    return settings


class RllibLearner:
    """MAPPO by RLlib, an iteration at a time. An iteration has its own episodes and draws: resumed or not, they are the same."""

    STATE = "iteration.json"

    def __init__(self, phase: RllibPhase, settings: PolicySettings, weights: Path, address: str | None) -> None:
        start(address, settings.threads)
        self.phase, self.seed, self.iteration = phase, settings.seed, 0
        self.running = mappo.rewards_of(settings).running
        self.algorithm: PPO = configuration(phase, settings, weights).build_algo()

    def iterate(self) -> dict[str, float]:
        """One rollout and its updates."""
        group, running, name = self.algorithm.env_runner_group, self.running, (self.seed, self.iteration)
        group.foreach_env_runner(lambda runner: begin(runner, mappo.seed_of(*name, runner.worker_index), running))
        found = self.algorithm.train()
        self.iteration += 1
        ended = [of for of in group.foreach_env_runner(running_rewards) if of is not None]
        # Runners have seen as much as each other.
        self.running = tuple(sum(of) / len(ended) for of in zip(*ended, strict=True))
        learned = found["learners"]["default_policy"]
        runners = found["env_runners"]
        numbers = {f"train/{name}": float(learned[name]) for name in self.phase.module.NUMBERS}
        numbers["train/return"] = float(runners.get("episode_return_mean", float("nan")))
        numbers["steps"] = float(runners["num_env_steps_sampled_lifetime"])
        return numbers

    def write(self, networks: Networks) -> None:
        """Brings what was learned into the networks."""
        weights = self.algorithm.learner_group.get_weights()["default_policy"]
        for name in self.phase.learns:
            prefix = f"policy.{name}."
            own = {
                key.removeprefix(prefix): torch.as_tensor(value)
                for key, value in weights.items()
                if key.startswith(prefix)
            }
            getattr(networks, name).load_state_dict(own)

    def save(self, folder: str) -> None:
        self.algorithm.save_to_path(folder)
        (Path(folder) / self.STATE).write_text(json.dumps({"iteration": self.iteration, "running": self.running}))

    def restore(self, folder: str) -> None:
        self.algorithm.restore_from_path(folder)
        state = json.loads((Path(folder) / self.STATE).read_text())
        self.iteration, self.running = state["iteration"], tuple(state["running"])

    def close(self) -> None:
        self.algorithm.stop()
