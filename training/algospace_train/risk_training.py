"""Phase 2: the risk sub-system learns size, stop and reward:risk by MAPPO, on opportunities that a deliberately mediocre
signal finds.

Each step is an opportunity from a flat position: a side and a confidence that is right as often as it says, the right side being
the one whose entry would have come to more. Its outcome is simulated tick by tick, costs in, by the engine. The reward is what it
adds to the running Sortino ratio. Three agents, a head each, draw from a normal distribution around what their head says, before
it is brought into its range; they share the advantage.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from algospace_train import _engine, machine, mappo
from algospace_train.improvement import Learner, improve
from algospace_train.labels import label
from algospace_train.markets import Markets, open_markets
from algospace_train.networks import Networks, Risk, between
from algospace_train.regime_training import regime_vectors
from algospace_train.run import Run
from algospace_train.settings import MarketSettings, RiskSettings, SettingsError

OPPORTUNITY = 4
"""direction, confidence, epistemic uncertainty, agreement"""


class RiskPolicy(nn.Module):
    """The risk sub-system with what only training has: deviations and the central critic."""

    def __init__(self, risk: Risk) -> None:
        super().__init__()
        self.risk = risk
        self.log_deviation = nn.Parameter(torch.full((3,), math.log(0.7)))
        self.critic = mappo.critic(risk.first.in_features)
        self.value_norm = mappo.ValueNorm()

    def distribution(self, state: list[Tensor]) -> Normal:
        """Of the three agents' actions, [batch, 3]."""
        return Normal(torch.cat(self.risk.heads(*state), dim=-1), self.log_deviation.clamp(-3.0, 1.0).exp())

    def value(self, state: list[Tensor]) -> Tensor:
        """[batch], normalised."""
        return self.critic(torch.cat(state, dim=-1)).squeeze(-1)


def wish_of(action: Tensor) -> Tensor:
    """Size, stop and reward of actions, [batch, 3]."""
    size, stop, reward = action.split(1, dim=-1)
    return torch.cat((torch.sigmoid(size), between(*Risk.STOP, stop), between(*Risk.REWARD, reward)), dim=-1)


@dataclass
class Signal:
    """Where the mediocre signal speaks, and what it says."""

    settings: RiskSettings
    random: np.random.Generator

    def draw(self, better: Tensor) -> tuple[Tensor, Tensor]:
        """Whether it speaks [batch], and the opportunity [batch, 4], where `better` [batch] is the better side."""
        count, settings = len(better), self.settings
        speaks = torch.from_numpy(self.random.random(count) < settings.signal_share) & (better != 0.0)
        confidence = self.random.uniform(*settings.signal_confidence, count)
        is_right = torch.from_numpy(self.random.random(count) < confidence)
        direction = torch.where(is_right, better, -better)
        epistemic, agreement = self.random.uniform(0.0, 0.1, count), self.random.uniform(0.5, 1.0, count)
        others = torch.from_numpy(np.stack((confidence, epistemic, agreement), axis=1)).float()
        return speaks, torch.cat((direction.unsqueeze(1), others), dim=1)


class RiskEnvironment:
    """Opportunities in episodes side by side."""

    def __init__(self, markets: Markets, regime: Tensor, settings: RiskSettings) -> None:
        self.markets, self.regime, self.settings = markets, regime, settings
        chunks = markets.chunks(settings.sessions)
        self.environment = _engine.VectorEnvironment(markets.markets, chunks, settings.slots, settings.seed)
        self.better = label(markets, settings.label_wish).better(markets)
        if not self.better.any():
            raise SettingsError(
                f"{markets.describe()}: no entry comes to anything, so that there is no side to be right about; take other markets, or another label_wish"
            )
        self.nothing = np.zeros(settings.slots, np.int8), np.zeros((settings.slots, 3), np.float32)
        self.rewards = mappo.rewards_of(settings)

    def begin(self, seed: int) -> None:
        """Other episodes and opportunities, which the seed names."""
        self.signal = Signal(self.settings, np.random.default_rng([seed, 1]))
        self.environment.reset(seed)
        self.environment.step(*self.nothing)

    def better_at(self, slots: np.ndarray) -> Tensor:
        """The side that is right where these slots stand, [slots]."""
        return self.better[self.markets.close(self.environment.market[slots], self.environment.close[slots])]

    def states(self, slots: np.ndarray, opportunity: Tensor) -> list[Tensor]:
        """What the risk agents see, in the order of their network's inputs."""
        closes = self.markets.close(self.environment.market[slots], self.environment.close[slots])
        account = torch.from_numpy(self.environment.account[slots])
        return [
            self.regime[closes],
            opportunity,
            self.markets.volatility[closes],
            self.markets.context(closes),
            account,
        ]

    @torch.no_grad()
    def rollout(self, policy: RiskPolicy, steps: int) -> dict[str, Tensor]:
        """Opportunities of so many steps, each followed until its outcome is known, with advantages."""
        environment, slots = self.environment, self.settings.slots
        opened: list[list[dict]] = [[] for _ in range(slots)]
        step = 0
        while step < steps or (environment.position != 0).any():
            direction, wish = (array.copy() for array in self.nothing)
            is_flat = ~environment.is_last & (environment.position == 0)
            at = np.flatnonzero(is_flat & (step < steps))
            step += 1
            if len(at):
                speaks, opportunity = self.signal.draw(self.better_at(at))
                at, opportunity = at[speaks.numpy()], opportunity[speaks]
            if len(at):
                state = self.states(at, opportunity)
                distribution = policy.distribution(state)
                action = distribution.sample()
                chosen = wish_of(action)
                log_probability, value = distribution.log_prob(action), policy.value(state)
                direction[at] = opportunity[:, 0].numpy().astype(np.int8)
                wish[at] = chosen.numpy()
                for row, slot in enumerate(at):
                    seen = [part[row] for part in state]
                    taken = {"state": seen, "action": action[row], "old": log_probability[row]}
                    opened[slot].append(taken | {"value": value[row], "profit": 0.0, "last": False})
            environment.step(direction, wish)
            for slot in np.flatnonzero((environment.profit != 0.0) | environment.is_last):
                if opened[slot]:
                    opened[slot][-1]["profit"] += float(environment.profit[slot])
                    opened[slot][-1]["last"] |= bool(environment.is_last[slot])
        environment.take_trades()
        return self.finish(policy, opened)

    def finish(self, policy: RiskPolicy, opened: list[list[dict]]) -> dict[str, Tensor]:
        """Advantages over the opportunities of each slot, one after the other until its episode is over."""
        settings = self.settings
        chosen: list[dict] = []
        for of_slot in filter(None, opened):
            values = policy.value_norm.restore(torch.stack([taken["value"] for taken in of_slot])).tolist()
            rewards = self.rewards.of(torch.tensor([taken["profit"] for taken in of_slot])).tolist()
            running, after = 0.0, 0.0
            for taken, value, reward in zip(reversed(of_slot), reversed(values), reversed(rewards), strict=True):
                if taken["last"]:
                    running, after = 0.0, 0.0
                error = reward + settings.discount * after - value
                running = error + settings.discount * settings.trace * running
                after = value
                taken |= {"advantage": running, "return": running + value, "reward": reward}
            chosen += of_slot
        if not chosen:
            raise SettingsError(
                "no opportunity ended in the rollout; give more slots, or a larger rollout or signal_share"
            )
        number = len(chosen[0]["state"])
        batch = {f"state_{part}": torch.stack([taken["state"][part] for taken in chosen]) for part in range(number)}
        for key in ("action", "old", "value"):
            batch[key] = torch.stack([taken[key] for taken in chosen])
        for key in ("advantage", "return", "profit", "reward"):
            batch[key] = torch.tensor([taken[key] for taken in chosen], dtype=torch.float32)
        return batch


def loss_of(
    policy: RiskPolicy, state: list[Tensor], taken: dict[str, Tensor], settings: RiskSettings
) -> tuple[Tensor, dict[str, float]]:
    """Actors and critic together, of opportunities where `taken` has `action`, `old` (its log-probabilities), and `value` (then),
    `target` and `advantage`, normalised."""
    distribution = policy.distribution(state)
    new = distribution.log_prob(taken["action"])
    actor = mappo.policy_loss(new, taken["old"], taken["advantage"], settings.clip)
    value = policy.value(state)
    critic = mappo.value_loss(value, taken["value"], taken["target"], settings.clip, settings.huber)
    entropy = distribution.entropy().mean()
    loss = actor + settings.value_weight * critic - settings.entropy * entropy
    numbers = {"policy_loss": actor, "value_loss": critic, "entropy": entropy}
    return loss, {key: part.item() for key, part in numbers.items()}


def update(
    policy: RiskPolicy, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor], settings: RiskSettings
) -> dict[str, float]:
    """Several passes over a rollout."""
    policy.value_norm.update(batch["return"])
    batch |= {"target": policy.value_norm.normalise(batch["return"])}
    batch["advantage"] = (batch["advantage"] - batch["advantage"].mean()) / (batch["advantage"].std() + 1e-6)
    states = sorted(key for key in batch if key.startswith("state_"))
    losses = []
    for _ in range(settings.epochs):
        for part in torch.randperm(len(batch["target"])).chunk(settings.minibatches):
            taken = {key: value[part] for key, value in batch.items()}
            loss, numbers = loss_of(policy, [taken[key] for key in states], taken, settings)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), settings.maximum_gradient)
            optimizer.step()
            losses.append(list(numbers.values()))
    means = np.mean(losses, axis=0).tolist()
    return {f"train/{key}": mean for key, mean in zip(numbers, means, strict=True)}


@torch.no_grad()
def judge(risk: Risk, environment: RiskEnvironment) -> dict[str, float]:
    """What the heads themselves, without the draw, make of opportunities that they have not learned from."""
    # The same opportunities at every look.
    environment.begin(environment.settings.seed + 1_000_003)
    with torch.random.fork_rng(devices=[]):
        policy = RiskPolicy(risk)
    policy.log_deviation.fill_(-3.0)
    batch = environment.rollout(policy, 4 * environment.settings.rollout)
    profit = batch["profit"]
    downside = float(profit.clamp(max=0.0).square().mean().sqrt())
    size, stop, reward = wish_of(batch["action"]).mean(0).tolist()
    return {
        "validation/opportunities": float(len(profit)),
        "validation/profit": float(profit.mean()),
        "validation/profit_error": float(profit.std() / len(profit) ** 0.5),
        "validation/sortino": float(profit.mean()) / max(downside, 1e-9),
        "validation/size": size,
        "validation/stop": stop,
        "validation/reward": reward,
    }


class PlainLearner:
    """MAPPO in a loop of our own, an iteration at a time."""

    def __init__(self, settings: RiskSettings, risk: Risk, environment: RiskEnvironment) -> None:
        self.settings, self.environment = settings, environment
        self.policy = RiskPolicy(risk)
        self.optimizer = torch.optim.Adam(self.policy.parameters(), lr=settings.learning_rate, eps=1e-5)
        self.iteration = 0

    def iterate(self) -> dict[str, float]:
        """One rollout and its updates."""
        settings = self.settings
        # An iteration has its own episodes: resumed or not, they are the same.
        self.environment.begin(settings.seed + self.iteration)
        self.iteration += 1
        batch = self.environment.rollout(self.policy, settings.rollout)
        numbers = {
            "train/reward": float(batch["reward"].mean()),
            "train/profit": float(batch["profit"].mean()),
            "train/opportunities": float(len(batch["profit"])),
            "steps": float(self.iteration * settings.rollout * settings.slots),
        }
        return numbers | update(self.policy, self.optimizer, batch, settings)

    def write(self, networks: Networks) -> None:
        """Nothing: it learns in them."""

    def save(self, folder: str) -> None:
        state = {"policy": self.policy.state_dict(), "optimizer": self.optimizer.state_dict()}
        state |= {"rewards": self.environment.rewards.running, "iteration": self.iteration}
        torch.save(state, Path(folder) / "learner.pt")

    def restore(self, folder: str) -> None:
        state = torch.load(Path(folder) / "learner.pt", weights_only=True)
        self.policy.load_state_dict(state["policy"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.environment.rewards.running = state["rewards"]
        self.iteration = state["iteration"]

    def close(self) -> None:
        """Nothing is open."""


def train(settings: RiskSettings, resume: bool = False, address: str | None = None) -> Path:
    """Trains the risk sub-system; returns the path of the networks. `address` is a Ray cluster's."""
    machine.prepare(settings.threads)
    run = Run("phase2", settings, resume)
    networks: Networks = run.networks()
    torch.manual_seed(settings.seed)

    def environment(of: MarketSettings) -> RiskEnvironment:
        markets = open_markets(of, settings.engine, Path(settings.output) / "markets")
        return RiskEnvironment(markets, regime_vectors(networks.regime, markets), settings)

    check = environment(settings.validation)
    learner: Learner
    if settings.trainer == "plain":
        learner = PlainLearner(settings, networks.risk, environment(settings.train))
    else:
        # Ray takes seconds to import.
        from algospace_train import rllib_risk

        began = run.folder / "began.safetensors"
        run.keep(networks, began)
        learner = rllib_risk.learner(settings, began, address)
    improve(run, settings, networks, learner, lambda: judge(networks.risk, check))
    return run.weights
