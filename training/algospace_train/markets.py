"""Markets as tensors: what the networks see at every close, gathered by the number of the close."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import Tensor
from tqdm import tqdm

from algospace_train import _engine
from algospace_train.settings import MarketSettings, SettingsError

KINDS = ("structure", "tactical", "regime", "context")


def open_markets(settings: MarketSettings, engine: dict, cache: Path) -> "Markets":
    """Generates the synthetic markets that `cache` does not hold yet, and prepares all."""
    cache.mkdir(parents=True, exist_ok=True)
    paths: Iterable[Path] = map(Path, settings.files)
    if settings.kind != "files":
        null = replace(settings, kind="martingale", regimes={})
        paths = [synthetic(settings, seed, cache) for seed in settings.seeds]
        paths += [synthetic(null, seed, cache) for seed in settings.null_seeds]
    prepared = []
    for path in tqdm(list(paths), desc="markets", leave=False):
        history = {"backtest_settings": {"file_path": str(path)}}
        configuration = engine | {"data_handler": history, "output": {"directory": str(cache)}}
        try:
            prepared.append(_engine.Market(text=yaml.safe_dump(configuration)))
        except ValueError as error:
            raise SettingsError(str(error)) from error
    return Markets(prepared, settings.sessions)


def synthetic(settings: MarketSettings, seed: int, cache: Path) -> Path:
    """The tick file of a synthetic market, made unless it is there."""
    keywords = {"market": settings.kind, "seed": seed, "days": settings.days} | {
        "trades_per_day": settings.trades_per_day
    }
    keywords |= settings.regimes
    version = {"engine": _engine.__version__}
    digest = hashlib.sha256(json.dumps(keywords | version, sort_keys=True).encode()).hexdigest()
    path = cache / f"{settings.kind}-{seed}-{digest[:12]}.ticks"
    if not path.exists():
        try:
            _engine.write_synthetic(path, **keywords)
        except (TypeError, ValueError) as error:
            raise SettingsError(str(error)) from error
    return path


class Markets:
    """Prepared markets, one after the other: rows of each matrix, and closes, have numbers that go on over markets."""

    def __init__(self, markets: list[_engine.Market], sessions: tuple[int, int] | None = None) -> None:
        self.markets = markets
        self.windows = {kind: markets[0].window(kind) for kind in KINDS}
        rows: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
        newest, ready, volatility, session = [], [], [], []
        base = [0, 0, 0, 0]
        close_base = [0]
        for market in markets:
            closes = market.closes()
            newest.append(closes["newest"] + np.array(base))
            ready.append(closes["is_ready"])
            volatility.append(closes["volatility"])
            session.append(closes["session"])
            close_base.append(close_base[-1] + len(closes["is_ready"]))
            for place, kind in enumerate(KINDS):
                rows[kind].append(market.rows(kind))
                base[place] += len(rows[kind][-1])
        self.rows = {kind: torch.from_numpy(np.concatenate(rows[kind])) for kind in KINDS}
        self.newest = torch.from_numpy(np.concatenate(newest))
        """[closes, 4]: one past the newest row of each matrix"""
        self.is_ready = torch.from_numpy(np.concatenate(ready))
        self.volatility = torch.from_numpy(np.concatenate(volatility)).unsqueeze(1)
        self.session = torch.from_numpy(np.concatenate(session))
        self.close_base = torch.tensor(close_base)
        self.market = torch.repeat_interleave(torch.arange(len(markets)), self.close_base.diff())
        self.spans: list[tuple[int, int, int]] = []
        """of each market: its place, its first session in which something can be decided, and after its last"""
        for place, market in enumerate(markets):
            is_ready = np.flatnonzero(market.sessions()["is_ready"])
            first, end = int(is_ready[0]), int(is_ready[-1]) + 1
            if sessions is not None:
                ready, (first, end) = (first, end), (max(first, sessions[0]), min(end, sessions[1]))
                if first >= end:
                    raise SettingsError(
                        f"sessions: {list(sessions)}: in {Path(market.name).name} something can be decided in sessions {ready[0]} to "
                        f"{ready[1] - 1}; give some of them"
                    )
            self.spans.append((place, first, end))
        within = torch.zeros_like(self.is_ready)
        for place, first, end in self.spans:
            of_market = (self.market == place) & (self.session >= first) & (self.session < end)
            within |= of_market
        self.decidable = torch.nonzero(self.is_ready & within).squeeze(1)
        """closes at which something can be decided"""

    def window(self, kind: str, closes: Tensor) -> Tensor:
        """The matrix at these closes: [batch, rows, columns]."""
        end = self.newest[closes, KINDS.index(kind)]
        steps = torch.arange(-self.windows[kind], 0)
        return self.rows[kind][end.unsqueeze(1) + steps]

    def context(self, closes: Tensor) -> Tensor:
        """The volume profile's row at these closes: [batch, 5]."""
        return self.window("context", closes).squeeze(1)

    def close(self, market: np.ndarray, close: np.ndarray) -> Tensor:
        """Numbers of closes from places of markets and of closes in them."""
        return self.close_base[torch.from_numpy(market)] + torch.from_numpy(close)

    def chunks(self, sessions: int) -> list[tuple[int, int, int]]:
        """The spans in pieces of so many sessions; the rest of a market that is shorter is a piece too."""
        return [
            (market, start, min(start + sessions, end))
            for market, first, end in self.spans
            for start in range(first, end, sessions)
        ]

    def days(self) -> int:
        """Sessions in which something can be decided."""
        return sum(end - first for _, first, end in self.spans)

    def sha256(self) -> str:
        """Of the SHA-256 of every history, in order."""
        return hashlib.sha256("".join(market.sha256() for market in self.markets).encode()).hexdigest()

    def describe(self) -> str:
        """The histories, for people."""
        names = [Path(market.name).name for market in self.markets]
        return ", ".join(names) + f": {self.days()} sessions in which something can be decided"
