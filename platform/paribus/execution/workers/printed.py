"""What a trial's process printed: Ray writes it into a file of the process, which ends with the cluster's session."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

# The end of what was printed says most, and a progress bar may print without end.
_MOST_BYTES = 64 << 10
_OUT, _ERR = 1, 2


@dataclass
class Printed:
    """From when it is made, what this process writes to standard output and error, where those are files (on Linux)."""

    _begun: dict[Path, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for descriptor in (_OUT, _ERR):
            with suppress(OSError):
                if stat.S_ISREG(os.fstat(descriptor).st_mode):
                    file = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
                    self._begun.setdefault(file, os.fstat(descriptor).st_size)

    def text(self) -> bytes:
        """All of it, its beginning left out where it is long; b"" where nothing was printed, or it cannot be had."""
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError, AttributeError):
                stream.flush()
        parts = [part for file, begun in self._begun.items() if (part := _from(file, begun))]
        return b"\n".join(parts)


def _from(file: Path, begun: int) -> bytes:
    with suppress(OSError), file.open("rb") as opened:
        size = os.fstat(opened.fileno()).st_size
        opened.seek(max(begun, size - _MOST_BYTES))
        left_out = b"... (what was printed before is left out)\n" if size - _MOST_BYTES > begun else b""
        text = opened.read(_MOST_BYTES)
        return left_out + text if text.strip() else b""
    return b""
