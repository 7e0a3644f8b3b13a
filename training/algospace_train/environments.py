"""The engine's environment behind the faces that libraries know: Gymnasium, Gymnasium's vectors, PettingZoo.

An episode is some sessions of a market. Each step is a close at which something can be decided; what happens up to the next one
is the engine's own pipeline: orders, latency, slippage, commission, rules. An episode ends flat with its last session: it is
terminated, and never truncated.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from pettingzoo import ParallelEnv

from algospace_train import _engine, mappo
from algospace_train.markets import KINDS, Markets, open_markets
from algospace_train.networks import ACCOUNT, Risk
from algospace_train.settings import MarketSettings

SIDES = 3
"""short, stand aside, long: an action less 1 is the direction"""
LIMIT = 3.0
"""rows are clipped to +-3"""


@dataclass(frozen=True)
class EpisodeSettings:
    """What an environment is made of."""

    market: MarketSettings
    engine: dict[str, Any] = field(default_factory=dict)
    """configuration of the engine: instrument, costs, rules"""
    cache: str = "../runs/training/markets"
    """folder of the synthetic markets"""
    sessions: int = 2
    """of an episode"""
    reward: str = "risk_adjusted"
    """see `mappo.Rewards`"""
    reward_dollars: float = 250.0
    risk_aversion: float = 0.1

    def markets(self) -> Markets:
        return open_markets(self.market, self.engine, Path(self.cache))

    def rewards(self) -> mappo.Rewards:
        return mappo.Rewards(self.reward, self.reward_dollars, self.risk_aversion)


def wish_space() -> spaces.Box:
    """Size (share of the largest position), stop (average true ranges), reward (for one unit of risk)."""
    ranges = (0.0, 1.0), Risk.STOP, Risk.REWARD
    low, high = np.array(ranges, np.float32).T
    return spaces.Box(low, high)


def observation_spaces(markets: Markets) -> dict[str, spaces.Box]:
    """Of everything that an agent may see."""
    shapes = {kind: (markets.windows[kind], markets.rows[kind].shape[1]) for kind in KINDS}
    seen: dict[str, spaces.Box] = {kind: spaces.Box(-LIMIT, LIMIT, shape) for kind, shape in shapes.items()}
    seen["account"] = spaces.Box(-np.inf, np.inf, (ACCOUNT,))
    seen["volatility"] = spaces.Box(-np.inf, np.inf, (1,))
    return seen


def observe(markets: Markets, environment: "_engine.VectorEnvironment") -> dict[str, np.ndarray]:
    """What there is to see in every slot."""
    closes = markets.close(environment.market, environment.close)
    seen = {kind: markets.window(kind, closes).numpy() for kind in KINDS}
    seen["account"] = environment.account.copy()
    seen["volatility"] = markets.volatility[closes].numpy()
    return seen


class TradingEnvironment(gymnasium.Env[dict[str, np.ndarray], dict[str, Any]]):
    """One who decides alone: a direction, and what the risk sub-system would wish.

    `reset(options={"span": (market, first_session, end_session)})` chooses the sessions; without, one of the chunks of
    `sessions` sessions is drawn.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 - Gymnasium's own name and kind

    def __init__(self, settings: EpisodeSettings, markets: Markets | None = None) -> None:
        self.settings, self.markets = settings, markets or settings.markets()
        self.chunks = self.markets.chunks(settings.sessions)
        self.rows = {kind: rows.numpy() for kind, rows in self.markets.rows.items()}
        for rows in self.rows.values():
            # What is seen is shared by all that see this market.
            rows.flags.writeable = False
        self.newest, self.volatility = self.markets.newest.numpy(), self.markets.volatility.numpy()
        self.observation_space = spaces.Dict(observation_spaces(self.markets))
        self.action_space = spaces.Dict({"side": spaces.Discrete(SIDES), "wish": wish_space()})

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        super().reset(seed=seed)
        drawn = self.chunks[self.np_random.integers(len(self.chunks))]
        span = (options or {}).get("span", drawn)
        self.environment = _engine.VectorEnvironment(self.markets.markets, [tuple(span)], 1, None)
        self.rewards = self.settings.rewards()
        self.environment.step(np.zeros(1, np.int8), np.zeros((1, 3), np.float32))
        return self.seen(), self.told()

    def step(self, action: dict[str, Any]) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        wish = np.asarray(action["wish"], np.float32).reshape(1, 3)
        self.environment.step(np.array([int(action["side"]) - 1], np.int8), wish)
        reward = float(self.rewards.of(torch.from_numpy(self.environment.profit).float())[0])
        return self.seen(), reward, bool(self.environment.is_last[0]), False, self.told()

    def seen(self) -> dict[str, np.ndarray]:
        """Views of the markets' rows: nothing is copied but the account."""
        markets, environment = self.markets, self.environment
        close = int(markets.close_base[int(environment.market[0])]) + int(environment.close[0])
        seen = {}
        for kind, end in zip(KINDS, self.newest[close], strict=True):
            seen[kind] = self.rows[kind][end - markets.windows[kind] : end]
        return seen | {"account": environment.account[0].copy(), "volatility": self.volatility[close]}

    def told(self) -> dict[str, Any]:
        """For people: the position, and by how many dollars equity grew."""
        return {"position": int(self.environment.position[0]), "profit": float(self.environment.profit[0])}


class TradingTeam(ParallelEnv[str, dict[str, np.ndarray], Any]):
    """Four who decide together: structure, tactical and regime choose a side each, which is entered where two more want it than
    want the other; risk says how. All have the same reward."""

    metadata = {"name": "algospace_trading_team", "render_modes": []}  # noqa: RUF012 - PettingZoo's own name and kind
    VOTERS = ("structure", "tactical", "regime")

    def __init__(self, settings: EpisodeSettings, markets: Markets | None = None) -> None:
        self.alone = TradingEnvironment(settings, markets)
        self.possible_agents = [*self.VOTERS, "risk"]
        self.agents: list[str] = []
        every = observation_spaces(self.alone.markets)
        own: dict[str, tuple[str, ...]] = {agent: (agent, "context", "account") for agent in self.VOTERS}
        self.sees = own | {"risk": ("regime", "context", "account", "volatility")}
        self.observation_spaces = {
            agent: spaces.Dict({key: every[key] for key in keys}) for agent, keys in self.sees.items()
        }
        sides: dict[str, spaces.Space] = {agent: spaces.Discrete(SIDES) for agent in self.VOTERS}
        self.action_spaces = sides | {"risk": wish_space()}

    def observation_space(self, agent: str) -> spaces.Space:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, dict[str, Any]]]:
        seen, told = self.alone.reset(seed=seed, options=options)
        self.agents = list(self.possible_agents)
        return self.shared(seen), dict.fromkeys(self.agents, told)

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        votes = sum(int(actions[agent]) - 1 for agent in self.VOTERS)
        side = 1 + (np.sign(votes) if abs(votes) >= 2 else 0)
        seen, reward, is_over, _, told = self.alone.step({"side": side, "wish": actions["risk"]})
        agents = list(self.agents)
        if is_over:
            self.agents = []
        rewards, over = dict.fromkeys(agents, reward), dict.fromkeys(agents, is_over)
        return self.shared(seen), rewards, over, dict.fromkeys(agents, False), dict.fromkeys(agents, told)

    def shared(self, seen: dict[str, np.ndarray]) -> dict[str, dict[str, np.ndarray]]:
        return {agent: {key: seen[key] for key in keys} for agent, keys in self.sees.items()}


class TradingVector(gymnasium.vector.VectorEnv[dict[str, np.ndarray], dict[str, Any], np.ndarray]):
    """Many episodes side by side, all in one call of the engine; a slot whose episode is over begins another in its next step. `seen`
    makes observations and `meant` understands actions: who sees or acts otherwise, such as through frozen encoders, has others.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012 - Gymnasium's own

    def __init__(self, settings: EpisodeSettings, slots: int, seed: int = 0, markets: Markets | None = None) -> None:
        self.settings, self.markets, self.num_envs, self.seed = settings, markets or settings.markets(), slots, seed
        self.rewards = settings.rewards()
        self.running = self.rewards.running
        """what `rewards` remember at a reset"""
        self.environment = _engine.VectorEnvironment(
            self.markets.markets, self.markets.chunks(settings.sessions), slots, seed
        )
        self.single_observation_space: spaces.Space = spaces.Dict(observation_spaces(self.markets))
        self.single_action_space: spaces.Space = spaces.Dict({"side": spaces.Discrete(SIDES), "wish": wish_space()})
        self.batch_spaces()

    def batch_spaces(self) -> None:
        """Spaces of all slots together."""
        self.observation_space = gymnasium.vector.utils.batch_space(self.single_observation_space, self.num_envs)
        self.action_space = gymnasium.vector.utils.batch_space(self.single_action_space, self.num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        del options
        given = seed[0] if isinstance(seed, list) else seed
        if given is not None or self._np_random is None:
            self._np_random, self._np_random_seed = gymnasium.utils.seeding.np_random(
                self.seed if given is None else given
            )
        # Without a seed the generator goes on, as Gymnasium has it.
        self.environment.reset(int(self.np_random.integers(2**63)))
        self.rewards.running = self.running
        self.environment.step(np.zeros(self.num_envs, np.int8), np.zeros((self.num_envs, 3), np.float32))
        return self.seen(), {}

    def step(self, actions: Any) -> tuple[Any, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        direction, wish = self.meant(actions)
        self.environment.step(direction, wish)
        # Nobody asks for them here, and they would be kept.
        self.environment.drop_trades()
        profit = torch.from_numpy(self.environment.profit.copy())
        reward = self.rewards.of(profit).numpy().astype(np.float64)
        never = np.zeros(self.num_envs, np.bool_)
        return self.seen(), reward, self.environment.is_last.copy(), never, {}

    def seen(self) -> Any:
        """Observations of all slots."""
        return observe(self.markets, self.environment)

    def meant(self, actions: Any) -> tuple[np.ndarray, np.ndarray]:
        """Directions and wishes of all slots."""
        return (np.asarray(actions["side"]) - 1).astype(np.int8), np.asarray(actions["wish"], np.float32)
