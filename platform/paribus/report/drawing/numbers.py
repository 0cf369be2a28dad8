"""Numbers as pages write them: `−0.69`, with a true minus that is as wide as a plus, and `+0.62 [+0.20, +1.04]`."""

from __future__ import annotations

from math import isfinite

from paribus.analysis.statistics.intervals import Interval

NONE = "–"


def number(value: float | None, digits: int, sign: str = "") -> str:
    """`−0.69`; `sign` is "+" for a difference; `–` where there is none."""
    if value is None or not isfinite(value):
        return NONE
    shown = f"{value:{sign}.{digits}f}"
    # What rounds to nothing has no side.
    return shown.lstrip("+-") if not float(shown) else shown.replace("-", "−")


def with_interval(value: float | None, interval: Interval | None, digits: int, sign: str = "") -> str:
    """`+0.62 [+0.20, +1.04]`; `+0.62, no interval` where there are too few replicates for one."""
    shown = number(value, digits, sign)
    if shown == NONE:
        return NONE
    if interval is None:
        return f"{shown}, no interval"
    return f"{shown} [{number(interval.low, digits, sign)}, {number(interval.high, digits, sign)}]"


def amount(value: float | None) -> str:
    """`175 k`, `36.5 M`, `5.2 G`, `207`."""
    if value is None or not isfinite(value):
        return NONE
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"
