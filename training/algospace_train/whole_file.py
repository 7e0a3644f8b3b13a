"""Files that appear under their names when they are whole."""

from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Writes one beside its name, and gives it its name then."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.rename(path)
