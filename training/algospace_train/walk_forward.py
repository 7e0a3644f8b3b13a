"""Rolling spans: every fold trains all phases on its own past and is tested on what comes next; the tests, one after the other, are
one curve that no network has learned from.

A fold's networks, temperature and early stops come from its training and validation sessions alone. Its model set is exported, and
the engine's program trades the test with it: everything before warms up, the test's sessions are the trading days, the account is new. In
the end the program stitches the tests into one run with one report. Folds are tasks on Ray.
"""

import csv
import json
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import ray

from algospace_train import machine, rllib_training, trained_set
from algospace_train.evaluation import Outcome, agents, attainable, call, join, ran
from algospace_train.markets import open_markets, synthetic
from algospace_train.model_card import walked
from algospace_train.settings import (
    PHASES,
    ExportSettings,
    MarketSettings,
    PolicySettings,
    SettingsError,
    WalkForwardSettings,
    build,
)


def folds(first: int, end: int, settings: WalkForwardSettings) -> list[tuple[int, int, int, int]]:
    """First session of training, validation and test, and the one after the test, for every fold that is whole."""
    lengths = (settings.train_sessions, settings.validation_sessions, settings.test_sessions)
    found = []
    while first + sum(lengths) <= end:
        edges = np.cumsum((first, *lengths)).tolist()
        found.append(tuple(edges))
        first += settings.test_sessions
    return found


def fold(settings: WalkForwardSettings, edges: tuple[int, int, int, int], folder: Path) -> dict[str, Any]:
    """Trains and tests one fold; returns its days."""
    machine.prepare(1)
    begin, checks, tests, end = edges
    cache = folder.parent / "markets"

    def span(first: int, last: int) -> MarketSettings:
        return replace(settings.market, sessions=(first, last))

    # Histories are made once, for all folds.
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "markets").exists():
        (folder / "markets").symlink_to(cache)
    weights: Path | None = None
    for name, (kind, module, _, _) in PHASES.items():
        own = {"output": str(folder), "threads": 1, "engine": settings.engine, "seed": settings.seed}
        own |= {"initial": str(weights)} if weights else {}
        own |= {"trainer": "plain"} if issubclass(kind, PolicySettings) else {}
        phase = build(getattr(settings, name) | own, kind, name)
        phase = replace(phase, train=span(begin, checks), validation=span(checks, tests))
        weights = import_module(f"algospace_train.{module}").train(phase)
    given = {"output": str(folder), "directory": str(folder / "set"), "name": folder.name, "every": 1, "threads": 1}
    export = build(given, ExportSettings, "export")
    trained_set.write(replace(export, calibration=span(checks, tests), test=span(tests, end)))
    markets = open_markets(span(tests, end), settings.engine, cache)
    opens = markets.markets[0].sessions()["open"][tests:end]
    of = settings.market
    path = Path(of.files[0]) if of.kind == "files" else synthetic(of, of.seeds[0], cache)
    # A session opens on the evening before its date, or at its midnight.
    days = [str(np.datetime64(int(session), "ns") + np.timedelta64(12, "h"))[:10] for session in opens]
    trading = {"first_trading_day": days[0], "last_trading_day": days[-1]}
    history = {"backtest_settings": {"file_path": str(path.absolute())} | trading}
    configuration = settings.engine | {"data_handler": history} | agents(folder / "set", settings.thresholds)
    outcome = ran(settings.program, markets, 0, configuration, folder / "test")
    return {
        "edges": list(edges),
        "first_day": days[0],
        "temperature": json.loads((folder / "set" / "calibration.json").read_text())["temperature"],
        "open": opens.tolist(),
        "net": outcome.net.tolist(),
        "gross": outcome.gross.tolist(),
        "free": outcome.free.tolist(),
        "trades": outcome.trades,
    }


def walk(settings: WalkForwardSettings, address: str | None = None) -> Path:
    """Runs all folds; writes `walk_forward.json`, `equity.csv` and the tests as one run, `stitched`, and returns the folder."""
    output = Path(settings.output).absolute()
    markets = open_markets(settings.market, settings.engine, output / "markets")
    if len(markets.markets) != 1:
        raise SettingsError("market: walk over one history: give one file or one seed")
    _, first, end = markets.spans[0]
    spans = folds(first, end, settings)
    if not spans:
        need = settings.train_sessions + settings.validation_sessions + settings.test_sessions
        raise SettingsError(
            f"market: decisions can be made in {end - first} sessions, and a fold takes {need}; give a longer history"
        )
    print(
        f"{len(spans)} folds of {settings.train_sessions}, {settings.validation_sessions}, {settings.test_sessions} sessions"
    )
    rllib_training.start(address, settings.parallel)
    task = ray.remote(num_cpus=1)(fold)
    waiting = {task.remote(settings, edges, output / f"fold-{number}"): number for number, edges in enumerate(spans)}
    done: dict[int, dict[str, Any]] = {}
    while waiting:
        ready, _ = ray.wait(list(waiting))
        number = waiting.pop(ready[0])
        done[number] = ray.get(ready[0])
        net = sum(done[number]["net"])
        print(f"fold {number + 1}/{len(spans)}: {net:,.0f} dollars a contract, {done[number]['trades']} trades")
    rows = [done[number] for number in range(len(spans))]
    days = ("net", "gross", "free")
    stitched = join([Outcome(*(np.array(row[name]) for name in days), row["trades"]) for row in rows])
    facts = stitched.facts(settings) | {"folds": rows}
    if "best_attainable_pnl_dollars_per_contract" in markets.markets[0].facts:
        facts["attainable_a_day"] = attainable(markets)
    (output / "walk_forward.json").write_text(json.dumps(facts, indent=2) + "\n")
    with (output / "equity.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["session_open_utc", "fold", "net_pnl", "equity"])
        equity = 0.0
        for number, row in enumerate(rows):
            for moment, net in zip(row["open"], row["net"], strict=True):
                equity += net
                writer.writerow([f"{np.datetime64(moment, 'ns')}Z", number + 1, round(net, 2), round(equity, 2)])
    (output / "README.md").write_text(walked(facts, markets.describe()))
    tests = [str(output / f"fold-{number}" / "test" / "run") for number in range(len(spans))]
    if len(tests) > 1:
        call(settings.program, "stitch", *tests, "--output", str(output / "stitched"))
        print(f"report: {output / 'stitched' / 'report.html'}")
    mean, low, high = (facts["net_a_day"][name] for name in ("mean", "low", "high"))
    print(f"out of sample: {mean:,.0f} dollars a day and contract, 95 % {low:,.0f} to {high:,.0f}")
    return output
