"""Numbers as people read them, in one style everywhere: a true minus, and as many digits as the interval bears."""

from __future__ import annotations

from math import floor, isfinite, log10


def show_number(value: float, form: str = ".3g") -> str:
    """The number by Python's format `form`, with the sign − that is as wide as +: `−0.69`; `-` where there is none."""
    return f"{value:{form}}".replace("-", "−") if isfinite(value) else "-"


def decimals_for(half_width: float) -> int:
    """Digits behind the point of a mean whose interval has this half-width: two significant ones of the half-width."""
    if not isfinite(half_width) or half_width <= 0:
        return 2
    return max(0, 1 - floor(log10(half_width)))
