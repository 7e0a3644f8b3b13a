"""Phase 3: embedders, MARL core and decision gate.

1. Warm start: at every close the engine says what an entry short and one long would come to, tick by tick and after costs. The
   class that earned is the label of all three agents, through dropout; the gate learns whether the team's direction earned.
   Labels look ahead, networks do not: nothing is learned from labels of other markets than those of training, and those of the
   validation markets choose the epoch.
2. MAPPO in the full engine: each agent draws an action; where two more want a side than want the other the risk sub-system (frozen)
   proposes and the gate draws whether to execute. The advantage of the central critic is everyone's. Core and gate learn, the
   embedders are frozen by then. Dropout masks are drawn once a step and used again in the update (M. Hausknecht, N. Wagener,
   "Consistent Dropout for Policy Gradient Reinforcement Learning", 2022), so that the ratio is exactly 1 before the first step.
3. Every few iterations the whole team, with its passes and thresholds, runs on the validation markets; the best is kept.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy, cross_entropy
from tqdm import tqdm

from algospace_train import _engine, machine, mappo, team
from algospace_train.labels import Labels, label
from algospace_train.mappo_loop import Learner, PlainLearner, improve
from algospace_train.markets import Markets, open_markets
from algospace_train.networks import ACCOUNT, AGENTS, CLASSES, Networks, Risk
from algospace_train.players import play
from algospace_train.run import Run
from algospace_train.settings import THRESHOLDS, CoreSettings, SettingsError, Start
from algospace_train.team import STAND_ASIDE, Encoded


def any_account(batch: int) -> Tensor:
    """Accounts from a flat position as they come in a run, so that the warm start does not learn one by heart."""
    profit = 0.2 * torch.randn(batch)
    drawdown = (-profit).clamp(min=0.0) + 0.1 * torch.rand(batch)
    streak = torch.randint(-5, 6, (batch,)) / 5.0
    nothing = torch.zeros(batch)
    return torch.stack((profit, drawdown, streak, nothing, nothing), dim=1)


def warm_start(networks: Networks, learn: Markets, check: Markets, settings: CoreSettings, run: Run) -> None:
    """Embedders and core learn the labels; the best on the validation markets are kept."""
    trained = nn.ModuleList([networks.structure, networks.tactical, networks.core])
    optimizer = torch.optim.AdamW(trained.parameters(), lr=settings.warm_start_learning_rate)
    labels, check_labels = label(learn, settings.label_wish), label(check, settings.label_wish)
    classes = labels.classes(settings.label_margin)
    share = torch.bincount(classes, minlength=CLASSES) / len(classes)
    print(f"labels: {len(classes):,}, short {share[0]:.0%}, stand aside {share[1]:.0%}, long {share[2]:.0%}")
    regime = {id(of): team.regime_vectors(networks.regime, of) for of in (learn, check)}
    best, kept = float("inf"), None

    def logits(markets: Markets, closes: Tensor) -> Tensor:
        seen = (
            networks.structure(markets.window("structure", closes)),
            networks.tactical(markets.window("tactical", closes)),
            regime[id(markets)][closes],
            markets.context(closes),
        )
        given = networks.core(*seen, any_account(len(closes)), *team.draw_masks(len(closes), 1))
        return given.reshape(len(closes) * AGENTS, CLASSES)

    taken = max(1, round(settings.warm_start_share * len(classes)))
    steps = settings.warm_start_epochs * -(-taken // settings.warm_start_batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.warm_start_learning_rate, total_steps=steps)
    for epoch in range(settings.warm_start_epochs):
        total, seen = 0.0, 0
        parts = torch.randperm(len(classes))[:taken].split(settings.warm_start_batch)
        progress = tqdm(parts, desc=f"warm start {epoch + 1}/{settings.warm_start_epochs}")
        for part in progress:
            target = classes[part].repeat_interleave(AGENTS)
            value = cross_entropy(logits(learn, labels.closes[part]), target)
            optimizer.zero_grad()
            value.backward()
            nn.utils.clip_grad_norm_(trained.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            total, seen = total + value.item() * len(part), seen + len(part)
            progress.set_postfix(loss=f"{total / seen:.4f}")
        with torch.no_grad():
            target = check_labels.classes(settings.label_margin)
            parts = torch.arange(len(target)).split(2048)
            losses = [
                cross_entropy(logits(check, check_labels.closes[part]), target[part].repeat_interleave(AGENTS))
                * len(part)
                for part in parts
            ]
        check_loss = float(sum(losses) / len(target))
        run.log(epoch + 1, {"warm_start/loss": total / seen, "warm_start/validation": check_loss})
        print(f"warm start: loss {total / seen:.4f}, validation {check_loss:.4f}")
        if check_loss < best:
            best, kept = check_loss, {key: value.clone() for key, value in networks.state_dict().items()}
    if kept is None:
        raise SettingsError(
            f"{run.folder}: no epoch of the warm start had a loss that is a number; try a smaller warm_start_learning_rate"
        )
    networks.load_state_dict(kept)
    warm_start_gate(networks, learn, labels, settings)


def warm_start_gate(networks: Networks, learn: Markets, labels: Labels, settings: CoreSettings) -> None:
    """The gate learns whether the team's direction earned."""
    encoded = team.encode(networks, learn)
    optimizer = torch.optim.AdamW(networks.gate.parameters(), lr=settings.warm_start_learning_rate)
    taken = max(1, round(settings.warm_start_share * len(labels.closes)))
    for _ in range(2):
        for part in torch.randperm(len(labels.closes))[:taken].split(1024):
            closes = labels.closes[part]
            seen, account = encoded.at(closes), any_account(len(closes))
            opportunity = team.opportunities(networks.core, seen, account, settings.gate_passes)
            shown = opportunity.seen()
            wish = team.wish_of(networks.risk, seen, shown, encoded.volatility[closes], account)
            side = (opportunity.direction > 0).long().unsqueeze(1)
            earned = labels.net[part].nan_to_num(-1e9).gather(1, side) > 0.0
            value = binary_cross_entropy(networks.gate(*seen, account, shown, wish), earned.float())
            optimizer.zero_grad()
            value.backward()
            optimizer.step()


class TeamPolicy(nn.Module):
    """Core and gate with what only training has: the central critic."""

    def __init__(self, networks: Networks, temperature: float) -> None:
        super().__init__()
        self.core, self.gate, self.temperature = networks.core, networks.gate, temperature
        width = 2 * networks.structure.lstm.hidden_size + networks.regime.mean.out_features
        self.critic = mappo.critic(width + networks.core.context.in_features + ACCOUNT + 1)
        self.value_norm = mappo.ValueNorm()

    def log_probabilities(self, seen: list[Tensor], account: Tensor, masks: tuple[Tensor, Tensor]) -> Tensor:
        """Of the agents' classes under one pass: [batch, 3 agents, 3 classes]."""
        logits = self.core(*seen, account, *masks)
        return torch.log_softmax(logits.reshape(len(account), AGENTS, CLASSES) / self.temperature, dim=-1)

    def value(self, seen: list[Tensor], account: Tensor, volatility: Tensor) -> Tensor:
        """[batch], normalised."""
        return self.critic(torch.cat((*seen, account, volatility), dim=-1)).squeeze(-1)


def side_of(actions: Tensor) -> Tensor:
    """The side that two agents more want than want the other, or none: -1, 0 or 1, [batch]."""
    votes = (actions - STAND_ASIDE).sum(1)
    return torch.sign(votes) * (votes.abs() >= 2)


def log_chance(execute: Tensor, drawn: Tensor) -> Tensor:
    """Log-probability of what the gate drew, where `execute` is that of an entry."""
    return torch.where(drawn, execute, 1.0 - execute).clamp(min=1e-6).log()


@torch.no_grad()
def act(
    policy: TeamPolicy,
    risk: Risk,
    seen: list[Tensor],
    account: Tensor,
    volatility: Tensor,
    position: Tensor,
    gate_passes: int,
) -> dict[str, Tensor]:
    """Draws what the team does at so many closes, and keeps what the update needs of it."""
    masks = team.draw_masks(len(account), 1)
    log_probabilities = policy.log_probabilities(seen, account, masks)
    actions = torch.distributions.Categorical(logits=log_probabilities).sample()
    old = log_probabilities.gather(2, actions.unsqueeze(2)).squeeze(2)
    side = side_of(actions)
    shown = team.opportunities(policy.core, seen, account, gate_passes).seen()
    # The gate is asked about the side that is to be entered.
    shown[:, 0] = torch.where(side == 0, shown[:, 0], side.to(shown.dtype))
    wish = team.wish_of(risk, seen, shown, volatility, account)
    execute = policy.gate(*seen, account, shown, wish).squeeze(1)
    drawn = torch.rand(len(execute)) < execute
    gated = (side != 0) & (position.sign() != side)
    by_agent = (len(account), AGENTS, -1)
    return {
        "votes": actions,
        "old": old,
        "mask_1": (masks[0] > 0).reshape(by_agent),
        "mask_2": (masks[1] > 0).reshape(by_agent),
        "shown": shown,
        "wish": wish,
        "gated": gated,
        "execute": drawn,
        "old_gate": log_chance(execute, drawn),
        "direction": torch.where(gated & drawn, side, 0),
    }


@torch.no_grad()
def rollout(
    policy: TeamPolicy,
    risk: Risk,
    markets: Markets,
    encoded: Encoded,
    environment: "_engine.VectorEnvironment",
    rewards: mappo.Rewards,
    settings: CoreSettings,
) -> dict[str, Tensor]:
    """So many steps of every slot, with advantages; only what was decided."""
    steps: list[dict[str, Tensor]] = []

    def stand() -> tuple[Tensor, Tensor, Tensor]:
        closes = markets.close(environment.market, environment.close)
        return closes, torch.from_numpy(environment.account.copy()), torch.from_numpy(~environment.is_last)

    for _ in range(settings.rollout):
        closes, account, alive = stand()
        seen, volatility = encoded.at(closes), encoded.volatility[closes]
        position = torch.from_numpy(environment.position.copy())
        taken = act(policy, risk, seen, account, volatility, position, settings.gate_passes)
        environment.step(taken["direction"].numpy().astype(np.int8), taken["wish"].numpy())
        value = policy.value(seen, account, volatility)
        profit = torch.from_numpy(environment.profit.copy()).float()
        steps.append(taken | {"closes": closes, "account": account, "alive": alive, "value": value, "profit": profit})
    environment.drop_trades()
    closes, account, alive = stand()
    last = policy.value(encoded.at(closes), account, encoded.volatility[closes])
    kept = {key: torch.stack([step[key] for step in steps]) for key in steps[0]}
    reward = torch.stack([rewards.of(profit) for profit in kept["profit"]])
    is_alive = torch.cat((kept.pop("alive"), alive.unsqueeze(0)))
    values = policy.value_norm.restore(torch.cat((kept["value"], last.unsqueeze(0))))
    advantage, returns = mappo.advantages(reward, values, is_alive, settings.discount, settings.trace)
    chosen = is_alive[:-1]
    kept |= {"advantage": advantage, "return": returns}
    return {key: value[chosen] for key, value in kept.items()}


def loss_of(
    policy: TeamPolicy, seen: list[Tensor], volatility: Tensor, taken: dict[str, Tensor], settings: CoreSettings
) -> tuple[Tensor, dict[str, float]]:
    """Actors, gate and critic together, at closes where `taken` has what `act` kept, the account, and `value` (then), `target`
    and `advantage`, normalised."""
    account, advantage = taken["account"], taken["advantage"]
    kept = 1.0 - team.masks.PROBABILITY
    first, second = (taken[key].flatten(0, 1).unsqueeze(1) / kept for key in ("mask_1", "mask_2"))
    log_probabilities = policy.log_probabilities(seen, account, (first, second))
    new = log_probabilities.gather(2, taken["votes"].unsqueeze(2)).squeeze(2)
    actor = mappo.policy_loss(new, taken["old"], advantage, settings.clip)
    execute = policy.gate(*seen, account, taken["shown"], taken["wish"])
    chance = log_chance(execute, taken["execute"].unsqueeze(1))
    gated = taken["gated"].unsqueeze(1).float()
    gate = mappo.policy_loss(chance, taken["old_gate"].unsqueeze(1), advantage, settings.clip, gated)
    value = policy.value(seen, account, volatility)
    critic = mappo.value_loss(value, taken["value"], taken["target"], settings.clip, settings.huber)
    entropy = -(log_probabilities.exp() * log_probabilities).sum(-1).mean()
    loss = actor + gate + settings.value_weight * critic - settings.entropy * entropy
    numbers = {"policy_loss": actor, "value_loss": critic, "entropy": entropy, "gate_loss": gate}
    return loss, {key: part.item() for key, part in numbers.items()}


def judge(networks: Networks, markets: Markets, encoded: Encoded, settings: CoreSettings) -> dict[str, float]:
    """The whole team as the engine has it, before any calibration, on every session of the markets once: dollars of one contract
    after costs, and before commission, a day."""
    outcome = play(networks, markets, encoded, THRESHOLDS | settings.thresholds, passes=settings.passes)
    return {
        "validation/net_a_day": float(outcome.net.mean()),
        "validation/gross_a_day": float(outcome.gross.mean()),
        "validation/trades_a_day": outcome.trades / len(outcome.net),
    }


class PlainTeamLearner(PlainLearner):
    """Core and gate in the plain loop."""

    def __init__(self, settings: CoreSettings, networks: Networks, markets: Markets) -> None:
        super().__init__(settings, TeamPolicy(networks, settings.policy_temperature), mappo.rewards_of(settings))
        self.networks, self.markets = networks, markets
        self.encoded = team.encode(networks, markets)
        chunks = markets.chunks(settings.sessions)
        self.environment = _engine.VectorEnvironment(markets.markets, chunks, settings.slots, settings.seed)

    def roll_out(self, seed: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        settings, risk = self.settings, self.networks.risk
        self.environment.reset(seed)
        self.environment.step(np.zeros(settings.slots, np.int8), np.zeros((settings.slots, 3), np.float32))
        batch = rollout(self.policy, risk, self.markets, self.encoded, self.environment, self.rewards, settings)
        return batch, {
            "train/profit": float(batch["profit"].mean()),
            "train/return": float(batch["return"].mean()),
            "train/sides": float((batch["votes"] - STAND_ASIDE).abs().float().mean()),
            "train/executed": float((batch["gated"] & batch["execute"]).float().mean()),
        }

    def loss(self, taken: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        closes = taken["closes"]
        return loss_of(self.policy, self.encoded.at(closes), self.encoded.volatility[closes], taken, self.settings)


def train(settings: CoreSettings, start: Start = Start.NEW, address: str | None = None) -> Path:
    """Trains embedders, core and gate; returns the path of the networks. `address` is a Ray cluster's."""
    machine.prepare(settings.threads)
    run = Run("phase3", settings, start)
    networks = run.networks
    torch.manual_seed(settings.seed)
    check = open_markets(settings.validation, settings.engine, settings.market_folder())
    began = run.folder / "warm_start.safetensors"
    learn: Markets | None = None
    if start is not Start.RESUME or settings.trainer == "plain":
        learn = open_markets(settings.train, settings.engine, settings.market_folder())
    if settings.trainer == "rllib":
        # Ray takes seconds to import.
        from algospace_train import rllib_training

        # A cluster that is not there is told before an earlier run is removed.
        rllib_training.start(address, settings.threads)
    run.begin()
    if start is not Start.RESUME:
        if settings.warm_start_epochs:
            warm_start(networks, learn, check, settings, run)
        run.keep(networks, began)
    learner: Learner
    if settings.trainer == "plain":
        learner = PlainTeamLearner(settings, networks, learn)
    else:
        # Runners open the markets themselves: twice is a lot of memory.
        del learn
        # Ray takes seconds to import.
        from algospace_train import rllib_team

        learner = rllib_team.learner(settings, began, address)
    check_encoded = team.encode(networks, check)
    improve(run, settings, networks, learner, lambda: judge(networks, check, check_encoded, settings))
    return run.weights
