"""Rolling spans: every fold trains all phases on its own past and is tested on what comes next; the tests, one after the other, are
one curve that no network has learned from.

A fold's networks, temperature and early stops come from its training and validation sessions alone. Its model set is exported, and
the engine's program trades the test with it: everything before warms up, the test's sessions are the trading days, the account is new. In
the end the program stitches the tests into one run with one report. Folds are tasks on Ray.
"""

import csv
import json
import shutil
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import ray

from algospace_train import program, rllib_training, trained_set
from algospace_train.evaluation import attainable
from algospace_train.markets import open_markets, synthetic
from algospace_train.model_card import walked
from algospace_train.outcomes import Outcome, join
from algospace_train.settings import (
    PHASES,
    ExportSettings,
    MarketSettings,
    PolicySettings,
    SettingsError,
    Start,
    WalkForwardSettings,
    build,
)
from algospace_train.whole_file import write_whole

FREE = ("output", "program", "parallel", "resamples")
"""settings that a resumed walk may have others of"""


def folds(first: int, end: int, settings: WalkForwardSettings) -> list[tuple[int, int, int, int]]:
    """First session of training, validation and test, and the one after the test, for every fold that is whole."""
    lengths = (settings.train_sessions, settings.validation_sessions, settings.test_sessions)
    found = []
    while first + sum(lengths) <= end:
        edges = np.cumsum((first, *lengths)).tolist()
        found.append(tuple(edges))
        first += settings.test_sessions
    return found


def fold(settings: WalkForwardSettings, edges: tuple[int, int, int, int], folder: Path, cache: Path) -> dict[str, Any]:
    """Trains and tests one fold; returns its days, and leaves them in `fold.json`."""
    begin, checks, tests, end = edges

    def span(first: int, last: int) -> MarketSettings:
        return replace(settings.market, sessions=(first, last))

    folder.mkdir(parents=True, exist_ok=True)
    own = {"output": str(folder), "cache": str(cache), "threads": 1, "engine": settings.engine, "seed": settings.seed}
    # Histories are made once, for all folds.
    own |= {"train": asdict(span(begin, checks)), "validation": asdict(span(checks, tests))}
    weights: Path | None = None
    for name, phase in PHASES.items():
        own |= {"initial": str(weights)} if weights else {}
        given = getattr(settings, name) | own
        given |= {"trainer": "plain"} if issubclass(phase.settings, PolicySettings) else {}
        built = build(given, phase.settings, name)
        weights = import_module(f"algospace_train.{phase.module}").train(built, Start.ANEW)
    export = ExportSettings(
        output=str(folder),
        directory=str(folder / "set"),
        name=folder.name,
        description=f"A fold of a walk-forward, for sessions {tests} to {end - 1} of its market.",
        calibration=span(checks, tests),
        test=span(tests, end),
        every=1,
        threads=1,
    )
    trained_set.write(export)
    markets = open_markets(span(tests, end), settings.engine, cache)
    opens = markets.markets[0].sessions()["open"][tests:end]
    of = settings.market
    path = Path(of.files[0]) if of.kind == "files" else synthetic(of, of.seeds[0], cache)
    # A session opens on the evening before its date, or at its midnight.
    days = [str(np.datetime64(int(session), "ns") + np.timedelta64(12, "h"))[:10] for session in opens]
    trading = {"first_trading_day": days[0], "last_trading_day": days[-1]}
    history = {"backtest_settings": {"file_path": str(path.absolute())} | trading}
    configuration = settings.engine | {"data_handler": history} | program.agents(folder / "set", settings.thresholds)
    outcome = program.outcome(settings.program, markets, 0, configuration, folder / "test")
    calibrated = json.loads((folder / "set" / "calibration.json").read_text())
    row = {
        "edges": list(edges),
        "first_day": days[0],
        "temperature": calibrated["temperature"],
        "kept_iterations": calibrated["kept_iterations"],
        "open": opens.tolist(),
        "net": outcome.net.tolist(),
        "gross": outcome.gross.tolist(),
        "free": outcome.free.tolist(),
        "trades": outcome.trades,
    }
    write_whole(folder / "fold.json", json.dumps(row).encode())
    return row


def kept_folds(settings: WalkForwardSettings, start: Start, output: Path, count: int) -> dict[int, dict[str, Any]]:
    """Folds that are there already and need not be run again, by number. A folder of another walk is refused, or removed."""
    same = {key: value for key, value in asdict(settings).items() if key not in FREE}
    described = json.dumps(same, sort_keys=True, indent=2) + "\n"
    before, done = output / "walk.json", {}
    if start is Start.RESUME and not before.exists():
        raise SettingsError(f"{before}: there is nothing to resume; begin without --resume")
    if before.exists():
        if start is Start.NEW:
            raise SettingsError(
                f"{output}: there is a walk already: --resume keeps its folds that are whole, --anew removes them, and another "
                "`output` keeps both"
            )
        if start is Start.RESUME and before.read_text() != described:
            raise SettingsError(f"{before}: was written with other settings; begin with --anew")
    for number in range(count) if start is Start.RESUME else ():
        path = output / f"fold-{number}" / "fold.json"
        if path.exists():
            done[number] = json.loads(path.read_text())
    if start is not Start.RESUME:
        for folder in (*output.glob("fold-*"), output / "stitched"):
            shutil.rmtree(folder, ignore_errors=True)
    write_whole(before, described.encode())
    return done


def run_folds(
    settings: WalkForwardSettings,
    spans: list[tuple[int, int, int, int]],
    done: dict[int, dict[str, Any]],
    output: Path,
    address: str | None,
) -> None:
    """Runs the folds that are not in `done`, so many at a time, into it. One that fails is told of when the others are through."""
    rllib_training.start(address, settings.parallel)
    task = ray.remote(num_cpus=1)(fold)
    left = [number for number in range(len(spans)) if number not in done]
    waiting: dict[Any, int] = {}
    failed: dict[int, Exception] = {}
    while left or waiting:
        while left and len(waiting) < settings.parallel:
            number = left.pop(0)
            waiting[task.remote(settings, spans[number], output / f"fold-{number}", output / "markets")] = number
        ready, _ = ray.wait(list(waiting))
        number = waiting.pop(ready[0])
        try:
            done[number] = ray.get(ready[0])
        except ray.exceptions.RayTaskError as error:
            failed[number] = error
            print(f"fold {number + 1}/{len(spans)}: failed")
            continue
        net, trades = sum(done[number]["net"]), done[number]["trades"]
        print(f"fold {number + 1}/{len(spans)}: {net:,.0f} dollars a contract, {trades} trades")
    if failed:
        number, error = next(iter(failed.items()))
        raise SettingsError(
            f"fold {number + 1}: {error.cause if isinstance(error.cause, SettingsError) else error}; --resume runs the failed folds again"
        )


def walk(settings: WalkForwardSettings, start: Start = Start.NEW, address: str | None = None) -> Path:
    """Runs all folds; writes `walk_forward.json`, `equity.csv`, `README.md` and the tests as one run, `stitched`, and returns the
    folder."""
    output = Path(settings.output)
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
    program.call(settings.program, "--version")
    done = kept_folds(settings, start, output, len(spans))
    lengths = f"{settings.train_sessions}, {settings.validation_sessions}, {settings.test_sessions}"
    print(f"{len(spans)} folds of {lengths} sessions, {len(done)} of them there already")
    run_folds(settings, spans, done, output, address)
    rows = [done[number] for number in range(len(spans))]
    whole = join([Outcome(*(np.array(row[name]) for name in ("net", "gross", "free")), row["trades"]) for row in rows])
    facts = whole.facts(settings) | {"folds": rows}
    if "best_attainable_pnl_dollars_per_contract" in markets.markets[0].facts:
        facts["attainable_a_day"] = attainable(markets)
    (output / "walk_forward.json").write_text(json.dumps(facts, indent=2) + "\n")
    write_equity(output / "equity.csv", rows)
    runs = [str(output / f"fold-{number}" / "test" / "run") for number in range(len(spans))]
    report = Path(runs[0]) / "report.html"
    if len(runs) > 1:
        program.call(settings.program, "stitch", *runs, "--output", str(output / "stitched"))
        report = output / "stitched" / "report.html"
    (output / "README.md").write_text(walked(facts, markets.describe(), str(report.relative_to(output))))
    mean, low, high = (facts["net_a_day"][name] for name in ("mean", "low", "high"))
    print(f"out of sample: {mean:,.0f} dollars a day and contract, 95 % {low:,.0f} to {high:,.0f}")
    print(report)
    return output


def write_equity(path: Path, rows: list[dict[str, Any]]) -> None:
    """The tests' days, one after the other, dollars of one contract."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["session_open_utc", "fold", "net_pnl", "equity"])
        equity = 0.0
        for number, row in enumerate(rows):
            for moment, net in zip(row["open"], row["net"], strict=True):
                equity += net
                writer.writerow([f"{np.datetime64(moment, 'ns')}Z", number + 1, round(net, 2), round(equity, 2)])
