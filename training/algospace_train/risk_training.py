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
from tqdm import trange

from algospace_train import _engine, mappo
from algospace_train.labels import label
from algospace_train.markets import Markets, open_markets
from algospace_train.networks import Networks, Risk, between
from algospace_train.regime_training import regime_vectors
from algospace_train.run import Run
from algospace_train.settings import RiskSettings


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
        self.nothing = np.zeros(settings.slots, np.int8), np.zeros((settings.slots, 3), np.float32)
        self.rewards = mappo.rewards_of(settings)

    def begin(self, seed: int) -> None:
        """Other episodes and opportunities, which the seed names."""
        self.signal = Signal(self.settings, np.random.default_rng([seed, 1]))
        self.environment.reset(seed)
        self.environment.step(*self.nothing)

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
                closes = self.markets.close(environment.market[at], environment.close[at])
                speaks, opportunity = self.signal.draw(self.better[closes])
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
            raise ValueError(
                "no opportunity ended in the rollout; give more slots, or a larger rollout or signal_share"
            )
        number = len(chosen[0]["state"])
        batch = {f"state_{part}": torch.stack([taken["state"][part] for taken in chosen]) for part in range(number)}
        for key in ("action", "old", "value"):
            batch[key] = torch.stack([taken[key] for taken in chosen])
        for key in ("advantage", "return", "profit", "reward"):
            batch[key] = torch.tensor([taken[key] for taken in chosen], dtype=torch.float32)
        return batch


def update(
    policy: RiskPolicy, optimizer: torch.optim.Optimizer, batch: dict[str, Tensor], settings: RiskSettings
) -> dict:
    """Several passes over a rollout."""
    policy.value_norm.update(batch["return"])
    target = policy.value_norm.normalise(batch["return"])
    advantage = batch["advantage"]
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-6)
    states = [batch[key] for key in sorted(batch) if key.startswith("state_")]
    losses = []
    for _ in range(settings.epochs):
        for part in torch.randperm(len(target)).chunk(settings.minibatches):
            state = [of[part] for of in states]
            distribution = policy.distribution(state)
            new = distribution.log_prob(batch["action"][part])
            actor = mappo.policy_loss(new, batch["old"][part], advantage[part], settings.clip)
            value = policy.value(state)
            critic = mappo.value_loss(value, batch["value"][part], target[part], settings.clip, settings.huber)
            entropy = distribution.entropy().mean()
            loss = actor + settings.value_weight * critic - settings.entropy * entropy
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(policy.parameters(), settings.maximum_gradient)
            optimizer.step()
            losses.append((actor.item(), critic.item(), entropy.item()))
    actor, critic, entropy = np.mean(losses, axis=0)
    return {"train/policy_loss": actor, "train/value_loss": critic, "train/entropy": entropy}


@torch.no_grad()
def judge(policy: RiskPolicy, environment: RiskEnvironment, steps: int) -> dict[str, float]:
    """What the heads themselves, without the draw, make of opportunities that they have not learned from."""
    kept = policy.log_deviation.clone()
    policy.log_deviation.fill_(-3.0)
    batch = environment.rollout(policy, steps)
    policy.log_deviation.copy_(kept)
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


def train(settings: RiskSettings, resume: bool = False) -> Path:
    """Trains the risk sub-system; returns the path of the networks."""
    torch.set_num_threads(settings.threads)
    run = Run("phase2", settings, resume)
    cache = Path(settings.output) / "markets"
    networks: Networks = run.networks()
    torch.manual_seed(settings.seed)
    policy = RiskPolicy(networks.risk)
    optimizer = torch.optim.Adam(policy.parameters(), lr=settings.learning_rate, eps=1e-5)
    begin, best, waited, steps = 0, -float("inf"), 0, 0
    if run.resumed is not None:
        state = run.resumed
        networks.load_state_dict(state["networks"])
        policy.load_state_dict(state["policy"])
        optimizer.load_state_dict(state["optimizer"])
        begin, best, waited, steps = (state[key] for key in ("iteration", "best", "waited", "steps"))
        torch.set_rng_state(state["random"])

    def environment(of: Markets) -> RiskEnvironment:
        return RiskEnvironment(of, regime_vectors(networks.regime, of), settings)

    learn = environment(open_markets(settings.train, settings.engine, cache))
    check = environment(open_markets(settings.validation, settings.engine, cache))
    if run.resumed is not None:
        learn.rewards.mean, learn.rewards.downside = run.resumed["rewards"]
    progress = trange(begin, settings.iterations, desc="phase 2", initial=begin, total=settings.iterations)
    for iteration in progress:
        if waited >= settings.patience:
            break
        # An iteration has its own episodes: resumed or not, they are the same.
        learn.begin(settings.seed + iteration)
        batch = learn.rollout(policy, settings.rollout)
        steps += settings.rollout * settings.slots
        numbers = {
            "train/reward": float(batch["reward"].mean()),
            "train/profit": float(batch["profit"].mean()),
            "train/opportunities": float(len(batch["profit"])),
            "steps": float(steps),
        } | update(policy, optimizer, batch, settings)
        if (iteration + 1) % settings.evaluate_every == 0:
            # The same opportunities at every look.
            check.begin(settings.seed + 1_000_003)
            numbers |= judge(policy, check, 4 * settings.rollout)
            progress.set_postfix(sortino=f"{numbers['validation/sortino']:.4f}")
            waited += 1
            if numbers["validation/sortino"] > best:
                best, waited = numbers["validation/sortino"], 0
                run.keep(networks)
        run.log(iteration + 1, numbers)
        state = {"networks": networks.state_dict(), "policy": policy.state_dict(), "optimizer": optimizer.state_dict()}
        state |= {"rewards": [learn.rewards.mean, learn.rewards.downside]}
        run.save(state | {"iteration": iteration + 1, "best": best, "waited": waited, "steps": steps})
    if not run.weights.exists():
        run.keep(networks)
    run.close()
    return run.weights
