"""Phase 2: the risk sub-system learns size, stop and reward:risk by MAPPO, on opportunities that a deliberately mediocre
signal finds.

Each step is an opportunity from a flat position: a side and a confidence that is right as often as it says, the right side being
the one whose entry would have come to more. The signal thus knows something of what comes, on validation markets too: profits here
are no profits that could be had, and only the risk sub-system's share in them is learned. An outcome is simulated tick by tick, costs
in, by the engine. The reward is what it adds to the running Sortino ratio. Three agents, a head each, draw from a normal
distribution around what their head says, before it is brought into its range; they share the advantage.
"""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Normal

from algospace_train import _engine, machine, mappo
from algospace_train.labels import label
from algospace_train.mappo_loop import Learner, PlainLearner, improve
from algospace_train.markets import Markets, open_markets
from algospace_train.networks import Networks, Risk, between
from algospace_train.regime_training import regime_vectors
from algospace_train.run import Run
from algospace_train.settings import MarketSettings, RiskSettings, SettingsError, Start

OPPORTUNITY = 4
"""direction, confidence, epistemic uncertainty, agreement"""
LOOKS = 8
"""signals that the validation sessions are judged with"""


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


class Signal:
    """At which closes the mediocre signal speaks, and what it says: drawn for every close beforehand, whoever stands there."""

    def __init__(self, settings: RiskSettings, better: Tensor, seed: int) -> None:
        """`better` is the better side at every close, -1 or 1, 0 where there is none: [closes]."""
        random, count = np.random.default_rng([seed, 1]), len(better)
        self.speaks = torch.from_numpy(random.random(count) < settings.signal_share) & (better != 0.0)
        """[closes]"""
        confidence = random.uniform(*settings.signal_confidence, count)
        is_right = torch.from_numpy(random.random(count) < confidence)
        epistemic, agreement = random.uniform(0.0, 0.1, count), random.uniform(0.5, 1.0, count)
        others = torch.from_numpy(np.stack((confidence, epistemic, agreement), axis=1)).float()
        self.opportunity = torch.cat((torch.where(is_right, better, -better).unsqueeze(1), others), dim=1)
        """[closes, 4]"""


class RiskEnvironment:
    """Opportunities in episodes side by side. Without a number of slots every span of `sessions` sessions comes once, in a slot
    of its own."""

    def __init__(self, markets: Markets, regime: Tensor, settings: RiskSettings, slots: int | None) -> None:
        self.markets, self.regime, self.settings = markets, regime, settings
        chunks = markets.chunks(settings.sessions)
        seed = None if slots is None else settings.seed
        self.slots = slots or len(chunks)
        self.environment = _engine.VectorEnvironment(markets.markets, chunks, self.slots, seed)
        self.better = label(markets, settings.label_wish).better(markets)
        if not self.better.any():
            raise SettingsError(
                f"{markets.describe()}: no entry comes to anything, so that there is no side to be right about; take other markets, or another label_wish"
            )
        self.nothing = np.zeros(self.slots, np.int8), np.zeros((self.slots, 3), np.float32)
        self.rewards = mappo.rewards_of(settings)

    def begin(self, seed: int) -> None:
        """Other episodes, where they are drawn, and other opportunities, which the seed names."""
        self.signal = Signal(self.settings, self.better, seed)
        self.environment.reset(seed)
        self.environment.step(*self.nothing)

    def closes(self, slots: np.ndarray) -> Tensor:
        """Where these slots stand."""
        return self.markets.close(self.environment.market[slots], self.environment.close[slots])

    def states(self, slots: np.ndarray, opportunity: Tensor) -> list[Tensor]:
        """What the risk agents see, in the order of their network's inputs."""
        closes = self.closes(slots)
        account = torch.from_numpy(self.environment.account[slots])
        return [
            self.regime[closes],
            opportunity,
            self.markets.volatility[closes],
            self.markets.context(closes),
            account,
        ]

    @torch.no_grad()
    def rollout(self, policy: RiskPolicy, steps: int | None, draws: bool = True) -> dict[str, Tensor]:
        """Opportunities of so many steps, or of all episodes, each followed until its outcome is known, with advantages. Without
        `draws` the agents do what their heads say."""
        environment = self.environment
        opened: list[list[dict]] = [[] for _ in range(self.slots)]
        step = 0
        while not environment.is_idle.all() if steps is None else step < steps or (environment.position != 0).any():
            direction, wish = (array.copy() for array in self.nothing)
            is_flat = ~environment.is_last & ~environment.is_idle & (environment.position == 0)
            at = np.flatnonzero(is_flat & (steps is None or step < steps))
            step += 1
            at = at[self.signal.speaks[self.closes(at)].numpy()]
            if len(at):
                opportunity = self.signal.opportunity[self.closes(at)]
                state = self.states(at, opportunity)
                distribution = policy.distribution(state)
                action = distribution.sample() if draws else distribution.mean
                log_probability, value = distribution.log_prob(action), policy.value(state)
                direction[at] = opportunity[:, 0].numpy().astype(np.int8)
                wish[at] = wish_of(action).numpy()
                for row, slot in enumerate(at):
                    seen = [part[row] for part in state]
                    taken = {"state": seen, "action": action[row], "old": log_probability[row]}
                    opened[slot].append(taken | {"value": value[row], "profit": 0.0, "last": False})
            environment.step(direction, wish)
            for slot in np.flatnonzero((environment.profit != 0.0) | environment.is_last):
                if opened[slot]:
                    opened[slot][-1]["profit"] += float(environment.profit[slot])
                    opened[slot][-1]["last"] |= bool(environment.is_last[slot])
        environment.drop_trades()
        return self.finish(policy, opened)

    def finish(self, policy: RiskPolicy, opened: list[list[dict]]) -> dict[str, Tensor]:
        """Advantages over the opportunities of each slot, one after the other until its episode is over. What follows the last one
        of an episode that goes on is not known: it is what the one before leads to, and no more."""
        settings = self.settings
        chosen: list[dict] = []
        for of_slot in filter(None, opened):
            values = policy.value_norm.restore(torch.stack([taken["value"] for taken in of_slot])).tolist()
            rewards = self.rewards.of(torch.tensor([taken["profit"] for taken in of_slot])).tolist()
            running, after = 0.0, 0.0
            if not of_slot[-1]["last"]:
                after = values.pop()
                of_slot, rewards = of_slot[:-1], rewards[:-1]
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


@torch.no_grad()
def judge(risk: Risk, environment: RiskEnvironment) -> dict[str, float]:
    """What the heads themselves, without a draw, make of every session of the environment, once with each of several signals, which
    are the same at every look."""
    with torch.random.fork_rng(devices=[]):
        policy = RiskPolicy(risk)
    batches = []
    for number in range(LOOKS):
        environment.begin(number)
        batches.append(environment.rollout(policy, None, draws=False))
    profit = torch.cat([batch["profit"] for batch in batches])
    size, stop, reward = wish_of(torch.cat([batch["action"] for batch in batches])).mean(0).tolist()
    # A dollar is next to nothing: without any loss the ratio is large, and a number.
    downside = max(float(profit.clamp(max=0.0).square().mean().sqrt()), 1.0)
    return {
        "validation/opportunities": float(len(profit)),
        "validation/profit": float(profit.mean()),
        "validation/sortino": float(profit.mean()) / downside,
        "validation/size": size,
        "validation/stop": stop,
        "validation/reward": reward,
    }


class PlainRiskLearner(PlainLearner):
    """The risk agents in the plain loop."""

    def __init__(self, settings: RiskSettings, risk: Risk, environment: RiskEnvironment) -> None:
        super().__init__(settings, RiskPolicy(risk), environment.rewards)
        self.environment = environment

    def roll_out(self, seed: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        self.environment.begin(seed)
        batch = self.environment.rollout(self.policy, self.settings.rollout)
        return batch, {
            "train/reward": float(batch["reward"].mean()),
            "train/profit": float(batch["profit"].mean()),
            "train/opportunities": float(len(batch["profit"])),
        }

    def loss(self, taken: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        state = [taken[key] for key in sorted(taken) if key.startswith("state_")]
        return loss_of(self.policy, state, taken, self.settings)


def train(settings: RiskSettings, start: Start = Start.NEW, address: str | None = None) -> Path:
    """Trains the risk sub-system; returns the path of the networks. `address` is a Ray cluster's."""
    machine.prepare(settings.threads)
    run = Run("phase2", settings, start)
    networks: Networks = run.networks
    torch.manual_seed(settings.seed)

    def environment(of: MarketSettings, slots: int | None) -> RiskEnvironment:
        markets = open_markets(of, settings.engine, settings.market_folder())
        return RiskEnvironment(markets, regime_vectors(networks.regime, markets), settings, slots)

    check = environment(settings.validation, None)
    learn = environment(settings.train, settings.slots) if settings.trainer == "plain" else None
    if settings.trainer == "rllib":
        # Ray takes seconds to import.
        from algospace_train import rllib_training

        # A cluster that is not there is told before an earlier run is removed.
        rllib_training.start(address, settings.threads)
    run.begin()
    learner: Learner
    if learn is not None:
        learner = PlainRiskLearner(settings, networks.risk, learn)
    else:
        # Ray takes seconds to import.
        from algospace_train import rllib_risk

        began = run.folder / "began.safetensors"
        run.keep(networks, began)
        learner = rllib_risk.learner(settings, began, address)
    improve(run, settings, networks, learner, lambda: judge(networks.risk, check))
    return run.weights
