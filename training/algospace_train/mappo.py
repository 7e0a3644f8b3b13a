"""MAPPO: proximal policy optimisation of several agents with one central critic.

Source: C. Yu and others, "The Surprising Effectiveness of PPO in Cooperative Multi-Agent Games", NeurIPS 2022, and J. Schulman
and others, "Proximal Policy Optimization Algorithms", 2017. The functions here are all the mathematics; the plain loop and
RLlib's learner both call them.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import huber_loss

from algospace_train.settings import PolicySettings

ADAM_EPSILON = 1e-5
"""as in the MAPPO paper's table of hyper-parameters"""


def seed_of(*numbers: int) -> int:
    """A seed of its own for every combination of numbers, such as the run's seed, the iteration and the runner; below 2^63."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def advantages(
    rewards: Tensor, values: Tensor, is_alive: Tensor, discount: float, trace: float
) -> tuple[Tensor, Tensor]:
    """Generalised advantage estimation (J. Schulman and others, 2016): advantages and returns, [steps, slots].

    `rewards` [steps, slots] follow the steps; `values` [steps + 1, slots] are those of the states; `is_alive` [steps + 1,
    slots] says at which states something is decided. What follows a state at which nothing is, is worth nothing.
    """
    advantage = torch.zeros_like(rewards)
    running = torch.zeros_like(rewards[0])
    for step in reversed(range(len(rewards))):
        goes_on = is_alive[step + 1].to(rewards.dtype)
        error = rewards[step] + discount * goes_on * values[step + 1] - values[step]
        running = error + discount * trace * goes_on * running
        running = running * is_alive[step]
        advantage[step] = running
    return advantage, advantage + values[:-1]


def policy_loss(new: Tensor, old: Tensor, advantage: Tensor, clip: float, weight: Tensor | None = None) -> Tensor:
    """The clipped objective, negated, over [batch, agents] of log-probabilities; each agent has a ratio of its own, and all
    the advantage [batch]. `weight` [batch, agents] is 0 where an agent did not act."""
    ratio = torch.exp(new - old)
    advantage = advantage.unsqueeze(1)
    objective = torch.minimum(ratio * advantage, ratio.clamp(1.0 - clip, 1.0 + clip) * advantage)
    if weight is None:
        return -objective.mean()
    return -(objective * weight).sum() / weight.sum().clamp(min=1.0)


def value_loss(new: Tensor, old: Tensor, target: Tensor, clip: float, huber: float) -> Tensor:
    """Clipped Huber loss of the critic, all in normalised units."""
    clipped = old + (new - old).clamp(-clip, clip)
    plain = huber_loss(new, target, reduction="none", delta=huber)
    return torch.maximum(plain, huber_loss(clipped, target, reduction="none", delta=huber)).mean()


class ValueNorm(nn.Module):
    """Running mean and deviation of returns, which the critic predicts in units of."""

    DECAY = 0.999

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("square", torch.zeros(()))
        self.register_buffer("weight", torch.zeros(()))

    @torch.no_grad()
    def update(self, returns: Tensor) -> None:
        for buffer, new in ((self.mean, returns.mean()), (self.square, returns.square().mean())):
            buffer.mul_(self.DECAY).add_((1.0 - self.DECAY) * new)
        self.weight.mul_(self.DECAY).add_(1.0 - self.DECAY)

    def scale(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation."""
        weight = self.weight.clamp(min=1e-5)
        mean = self.mean / weight
        return mean, (self.square / weight - mean.square()).clamp(min=1e-4).sqrt()

    def normalise(self, returns: Tensor) -> Tensor:
        mean, deviation = self.scale()
        return (returns - mean) / deviation

    def restore(self, values: Tensor) -> Tensor:
        mean, deviation = self.scale()
        return values * deviation + mean


def prepared(norm: ValueNorm, advantage: Tensor, returns: Tensor) -> dict[str, Tensor]:
    """What a minibatch's loss is made of: the advantages, [batch], standardised within it, and the returns, [batch], in the critic's
    units, which move with every minibatch as in the authors' own code."""
    norm.update(returns)
    deviation = advantage.std(correction=0)
    return {"advantage": (advantage - advantage.mean()) / (deviation + 1e-6), "target": norm.normalise(returns)}


def critic(width: int) -> nn.Sequential:
    """The central critic: everything that any agent sees, to a value."""
    return nn.Sequential(
        nn.LayerNorm(width), nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 1)
    )


@dataclass
class Rewards:
    """What profits are worth, in units of `dollars`.

    * `net_pnl`: the profit after costs.
    * `risk_adjusted`: that, and a loss counts `1 + aversion` times.
    * `sortino`: the differential downside deviation ratio (J. Moody, M. Saffell, "Learning to Trade via Direct Reinforcement",
      2001): what the profit adds to the running Sortino ratio.
    """

    kind: str
    dollars: float
    aversion: float
    mean: float = 0.0
    downside: float = 1.0
    rate: float = 0.001

    def __post_init__(self) -> None:
        if self.kind not in ("net_pnl", "risk_adjusted", "sortino"):
            raise ValueError(f"reward: `{self.kind}` is none of net_pnl, risk_adjusted, sortino")

    @property
    def running(self) -> tuple[float, float]:
        """Mean and downside of the profits so far, in units of `dollars`: all that rewards remember."""
        return self.mean, self.downside

    @running.setter
    def running(self, state: tuple[float, float]) -> None:
        self.mean, self.downside = state

    def of(self, profit: Tensor) -> Tensor:
        """Of profits in dollars that came together."""
        profit = profit / self.dollars
        if self.kind == "net_pnl":
            return profit
        if self.kind == "risk_adjusted":
            return profit - self.aversion * (-profit).clamp(min=0.0)
        deviation = max(self.downside, 1e-4) ** 0.5
        gain = (profit - 0.5 * self.mean) / deviation
        loss = (self.downside * (profit - 0.5 * self.mean) - 0.5 * self.mean * profit.square()) / deviation**3
        reward = torch.where(profit > 0.0, gain, loss)
        if len(profit):
            mean, square = float(profit.mean()), float(profit.clamp(max=0.0).square().mean())
            weight = 1.0 - (1.0 - self.rate) ** len(profit)
            self.mean += weight * (mean - self.mean)
            self.downside += weight * (square - self.downside)
        return reward.clamp(-10.0, 10.0)


def rewards_of(settings: PolicySettings) -> Rewards:
    """As configured."""
    return Rewards(settings.reward, settings.reward_dollars, settings.risk_aversion)
