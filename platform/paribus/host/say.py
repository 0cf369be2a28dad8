"""The one way in which the commands of a study print: no password of an address gets past it."""

from __future__ import annotations

import sys
from typing import TextIO

from paribus.host.secrets import without_secrets


def say(text: object = "", out: TextIO | None = None) -> None:
    """Print a line at once, to standard output or `out`, without the secrets of the addresses in it."""
    print(without_secrets(str(text)), file=out or sys.stdout, flush=True)


def warn(text: object) -> None:
    """`say` on standard error."""
    say(text, sys.stderr)
