"""Where the engine's program is."""

import os
import shutil
from pathlib import Path

from algospace_train.settings import SettingsError

VARIABLE = "ALGOSPACE_HFT"
"""environment variable that names it"""
NAME = "algospace-hft"
REPOSITORY = Path(__file__).resolve().parents[2]


def beside_the_package() -> list[Path]:
    """Where `cargo build` leaves it, whatever the current directory is."""
    folders = [Path(os.environ["CARGO_TARGET_DIR"])] if os.environ.get("CARGO_TARGET_DIR") else []
    return [folder / "release" / NAME for folder in [*folders, REPOSITORY / "target"]]


def find_program(given: str) -> str:
    """The program: as given, or as the environment names it, or beside the package, or on the PATH. What is named and is
    not there is refused: another one would run in its place."""
    for source, named in (("program", given), (VARIABLE, os.environ.get(VARIABLE))):
        if named:
            if not (found := shutil.which(named)):
                raise SettingsError(f"{source}: {named}: there is no such program; {remedy()}")
            return str(Path(found).resolve())
    places = beside_the_package()
    for place in places:
        if place.is_file():
            return str(place)
    if found := shutil.which(NAME):
        return found
    looked = ", ".join(map(str, places))
    raise SettingsError(f"program: there is none at {looked}, nor on the PATH; {remedy()}")


def remedy() -> str:
    """How to get it, or to say where it is."""
    return f"cargo build --release, or name it by `program:` or {VARIABLE}"
