"""What each number of replicates would tell, with the very correction of the verdict, and how many a margin takes."""

from collections.abc import Sequence
from dataclasses import dataclass

from paribus.study.power import Power, detectable, equivalence_power, failures_needed, power_of, rate_found

_MOST_REPLICATES = 10_000


@dataclass(frozen=True, kw_only=True)
class PowerPoint:
    """What `replicates` tell with 80 % power; fields as in `Power`."""

    replicates: int
    detectable: float | None
    equivalent: float
    failures: int | None
    failure_rate: float | None


def power_curve(power: Power, levels: Sequence[tuple[int, float]], margin: float, step: float) -> list[PowerPoint]:
    """The points of a study whose deltas have the sd that `power` has.

    `levels` are numbers of replicates, each with the error that a verdict may spend there: alpha, or at a planned look
    that look's own. `margin` and `step` as in `power_of_study`.
    """
    return [_point(power, replicates, alpha, margin, step) for replicates, alpha in levels]


def _point(power: Power, replicates: int, alpha: float, margin: float, step: float) -> PowerPoint:
    level = alpha / max(power.num_contrasts, 1)
    failures = failures_needed(replicates, power.num_contrasts, alpha)
    return PowerPoint(
        replicates=replicates,
        detectable=detectable(power.sd, replicates, level),
        equivalent=equivalence_power(power.sd, replicates, level, margin, step),
        failures=failures,
        failure_rate=None if failures is None else rate_found(failures, replicates),
    )


def replicates_for_effect(effect: float, sd: float, alpha: float, power: float = 0.8) -> int | None:
    """The fewest replicates that find a true mean delta of this size with that power; None beyond 10,000.

    A two-sided paired t test at `alpha`; with sd 0 the three that a verdict takes.
    """
    if sd == 0:
        return 3
    low = high = 3
    while high <= _MOST_REPLICATES and power_of(effect, sd, high, alpha) < power:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_of(effect, sd, middle, alpha) >= power else (middle, high)
    return high if high <= _MOST_REPLICATES else None
