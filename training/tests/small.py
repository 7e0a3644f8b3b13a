"""What several tests stand on: a small market, and the command line, if they can be had."""

import unittest

from algospace_train.executable import find_program
from algospace_train.settings import SettingsError

SEED, DAYS, TRADES = 3, 20, 5_000


def need(*modules: str) -> None:
    """Skips the module's tests, loudly, where a package is not installed."""
    for module in modules:
        try:
            __import__(module)
        except ImportError as error:
            raise unittest.SkipTest(f"SKIPPED: {module} cannot be had: {error}") from error


def command_line() -> str:
    """The engine's program, found as the package finds it."""
    try:
        return find_program("")
    except SettingsError as error:
        raise unittest.SkipTest(f"SKIPPED: {error}") from error
