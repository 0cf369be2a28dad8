"""A digest of the sources that training runs through: the `code` of a trial."""

from functools import cache
from hashlib import sha256
from pathlib import Path

import paribus

# What a change of cannot alter a result (orchestration, tracking, analysis, the command line) is left out.
_ROOMS = ("recipe", "models", "data", "training")
# Nor do these, which print, count and draw.
_NO_BEARING = ("models/commands.py", "models/complexity.py", "models/drawing/", "models/shapes.py", "data/commands.py")


@cache
def code_digest() -> str:
    """SHA-256, first 16 hex digits, over the names and bytes of every source file of the rooms that training uses."""
    root = Path(paribus.__file__).parent
    digest = sha256()
    for room in _ROOMS:
        for path in sorted((root / room).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if not name.startswith(_NO_BEARING):
                digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
