"""Who trades a market in the engine's environment: the team, the team with something missing, who follows given sides, and chance."""

from dataclasses import dataclass, replace

import numpy as np
import torch

from algospace_train import _engine, team
from algospace_train.markets import Markets
from algospace_train.networks import AGENTS, Networks
from algospace_train.outcomes import Outcome, collected
from algospace_train.settings import PLAIN_WISH, Thresholds
from algospace_train.team import Encoded

SESSIONS = 5
"""that an account lives"""
PASSES = 30
"""of Monte Carlo dropout, as the engine has it"""


@dataclass
class Variant:
    """A team with something missing."""

    without: str = ""
    """`regime`: the regime vector is all zeros; `risk`: every wish is the same; `gate`: nothing is asked of it; `dropout`: one
    pass without dropout, and no bound on uncertainty"""
    random_share: float | None = None
    """enters a random side at this share of the closes at which it holds nothing"""


WHOLE = Variant()


@torch.no_grad()
def play(
    networks: Networks,
    markets: Markets,
    encoded: Encoded,
    thresholds: Thresholds,
    temperature: float = 1.0,
    variant: Variant = WHOLE,
    seed: int = 7,
    passes: int = PASSES,
) -> Outcome:
    """A team on every session once. `thresholds` has all four."""
    chunks = markets.chunks(SESSIONS)
    environment = _engine.VectorEnvironment(markets.markets, chunks, len(chunks), None)
    if variant.without == "regime":
        encoded = replace(encoded, regime=torch.zeros_like(encoded.regime))
    environment.step(np.zeros(len(chunks), np.int8), np.zeros((len(chunks), 3), np.float32))
    # Whoever learns goes on with draws of its own afterwards.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        while not environment.is_idle.all():
            closes = markets.close(environment.market, environment.close)
            account = torch.from_numpy(environment.account.copy())
            seen = encoded.at(closes)
            if variant.without == "dropout":
                ones = [torch.ones(AGENTS * len(closes), 1, width) for width in team.masks.WIDTHS]
                said = team.count_votes(networks.core(*seen, account, *ones), temperature)
            else:
                said = team.opportunities(networks.core, seen, account, passes, temperature)
            wished = team.wish_of(networks.risk, seen, said.seen(), encoded.volatility[closes], account)
            enters = (said.confidence >= thresholds["confidence"]) & (said.agreement >= thresholds["agreement"])
            if variant.without != "dropout":
                enters &= said.epistemic <= thresholds["epistemic"]
            if variant.without == "risk":
                wished = torch.tensor(PLAIN_WISH).repeat(len(closes), 1)
            if variant.without != "gate":
                enters &= networks.gate(*seen, account, said.seen(), wished).squeeze(1) >= thresholds["gate"]
            side = torch.where(enters, said.direction, 0.0)
            if variant.random_share is not None:
                is_flat = torch.from_numpy(environment.position == 0)
                drawn = is_flat & (torch.rand(len(closes)) < variant.random_share)
                side = torch.where(drawn, torch.where(torch.rand(len(closes)) < 0.5, 1.0, -1.0), 0.0)
            environment.step(side.numpy().astype(np.int8), wished.numpy())
    return collected(environment, markets)


def chance(
    networks: Networks,
    markets: Markets,
    encoded: Encoded,
    thresholds: Thresholds,
    temperature: float,
    seed: int,
    trades: int,
) -> Outcome:
    """Entries at random, as many as `trades` within a twentieth if it can be, with the team's stops and targets."""
    share = min(1.0, max(1e-4, trades / max(1, len(markets.decidable))))
    for _ in range(4):
        variant = Variant(random_share=share)
        found = play(networks, markets, encoded, thresholds, temperature, variant, seed)
        if found.trades == 0 or abs(found.trades - trades) <= 0.05 * trades:
            break
        share = min(1.0, share * trades / found.trades)
    return found


def follow(markets: Markets, side: np.ndarray, wish: tuple[float, float, float]) -> Outcome:
    """Enters `side` [closes] wherever it is not 0, always with the same wish; every session once."""
    chunks = markets.chunks(SESSIONS)
    environment = _engine.VectorEnvironment(markets.markets, chunks, len(chunks), None)
    wishes = np.tile(np.array(wish, np.float32), (len(chunks), 1))
    environment.step(np.zeros(len(chunks), np.int8), wishes)
    while not environment.is_idle.all():
        closes = markets.close(environment.market, environment.close)
        environment.step(side[closes], wishes)
    return collected(environment, markets)
