"""Numbers as people read them, in one style everywhere: a true minus, and as many digits as the interval bears."""

from __future__ import annotations

from math import floor, isfinite, log10
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from paribus.analysis.statistics.intervals import Interval


def show_number(value: float, form: str = ".3g") -> str:
    """The number by Python's format `form`, with the sign − that is as wide as +: `−0.69`; `-` where there is none."""
    if not isfinite(value):
        return "-"
    shown = f"{value:{form}}"
    # What rounds to nothing has no side.
    return shown.lstrip("+-") if not shown.strip("+-0.") else shown.replace("-", "−")


def decimals_for(half_width: float) -> int:
    """Digits behind the point of a mean whose interval has this half-width: two significant ones of the half-width."""
    if not isfinite(half_width) or half_width <= 0:
        return 2
    return max(0, 1 - floor(log10(half_width)))


def with_interval(value: float | None, interval: Interval | None, form: str) -> str:
    """`+0.62 [+0.20, +1.04]`; `+0.62, no interval` where there are too few replicates for one; `-` without a value."""
    if value is None or not isfinite(value):
        return "-"
    shown = show_number(value, form)
    if interval is None:
        return f"{shown}, no interval"
    return f"{shown} [{show_number(interval.low, form)}, {show_number(interval.high, form)}]"


def amount(value: float | None) -> str:
    """`175 k`, `36.5 M`, `5.2 G`, `207`; `-` where there is none."""
    if value is None or not isfinite(value):
        return "-"
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{show_number(value / size)}{unit}"
    return show_number(value)
