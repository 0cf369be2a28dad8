"""A digest of the sources that training runs through: the `code` of a trial."""

from functools import cache
from hashlib import sha256
from pathlib import Path

# What a change of cannot alter a result (orchestration, tracking, analysis, the command line) is left out.
_ROOMS = ("recipe", "models", "data", "training")
# Nor do these, which print, count and draw; nor what makes and inspects shards, for which the data's digest stands.
_NO_BEARING = (
    *(f"models/{name}" for name in ("commands.py", "complexity.py", "drawing/", "shapes.py")),
    *(f"data/{name}" for name in ("commands.py", "decoding/png.py", "making/", "sources/")),
)


@cache
def code_digest() -> str:
    """SHA-256, first 16 hex digits, over the names and bytes of every source file of the rooms that training uses."""
    root = Path(__file__).parents[1]
    digest = sha256()
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith(_NO_BEARING):
                digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
