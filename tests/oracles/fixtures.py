"""Where what the oracles say is pinned, so that `cargo test` needs no Python."""

import json
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "fixtures"


def versions(*packages):
    return {package: version(package) for package in packages}


def write(name, fixture):
    path = FOLDER / name
    text = json.dumps(fixture, separators=(",", ":"), allow_nan=False)
    path.write_text(text.replace("],[", "],\n[").replace('],"', '],\n"') + "\n")
    print(f"{path}: {path.stat().st_size:,} bytes")
