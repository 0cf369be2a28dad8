"""The types of numeric options: each has its range, and says it where a value lies outside."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def whole(least: int, most: int | None = None) -> Callable[[str], int]:
    """A whole number from `least`, to `most` where there is one."""
    allowed = f"a whole number from {least}" + ("" if most is None else f" to {most}")

    def number(text: str) -> int:
        if not text.isdecimal() or int(text) < least or (most is not None and int(text) > most):
            raise argparse.ArgumentTypeError(f"{text!r} should be {allowed}")
        return int(text)

    return number
