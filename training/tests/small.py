"""What several tests stand on: a small market, and the command line, if they can be had."""

import os
import shutil
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEED, DAYS, TRADES = 3, 20, 5_000


def need(*modules: str) -> None:
    """Skips the module's tests, loudly, where a package is not installed."""
    for module in modules:
        try:
            __import__(module)
        except ImportError as error:
            raise unittest.SkipTest(f"SKIPPED: {module} cannot be had: {error}") from error


def command_line() -> str:
    """The engine's program: ALGOSPACE_HFT, or what was built last."""
    built = [ROOT / "target" / profile / "algospace-hft" for profile in ("release", "debug")]
    found = [path for path in built if path.exists()]
    found.sort(key=lambda path: path.stat().st_mtime)
    program = os.environ.get("ALGOSPACE_HFT") or (str(found[-1]) if found else shutil.which("algospace-hft"))
    if not program:
        raise unittest.SkipTest("SKIPPED: algospace-hft is not built: cargo build --release, or set ALGOSPACE_HFT")
    return program
