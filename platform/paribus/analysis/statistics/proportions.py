"""Paired proportions: Newcombe's interval, for how often arms fail to train."""

from math import sqrt

from scipy import special

from paribus.analysis.statistics.intervals import Interval


def wilson(successes: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a single proportion."""
    z = float(special.ndtri(0.5 + level / 2))
    p = successes / n
    centre = p + z**2 / (2 * n)
    spread = z * sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return (centre - spread) / (1 + z**2 / n), (centre + spread) / (1 + z**2 / n)


def newcombe(both: int, first_only: int, second_only: int, neither: int, level: float = 0.95) -> Interval:
    """Interval of the paired difference of proportions, first minus second (Newcombe 1998, method 10).

    Wilson intervals of the two proportions, squared and added, with the continuity-corrected phi between them.
    Raises ValueError for negative counts or none at all.
    """
    counts = (both, first_only, second_only, neither)
    n = sum(counts)
    if min(counts) < 0 or n == 0:
        raise ValueError(f"the four counts of a paired table must be >= 0 and not all 0, not {counts}")
    p1, p2 = (both + first_only) / n, (both + second_only) / n
    (low1, high1), (low2, high2) = wilson(both + first_only, n, level), wilson(both + second_only, n, level)
    phi = _phi(*counts)
    below = _joint(p1 - low1, high2 - p2, phi)
    above = _joint(high1 - p1, p2 - low2, phi)
    return Interval(low=p1 - p2 - below, high=p1 - p2 + above, level=level)


def _phi(both: int, first_only: int, second_only: int, neither: int) -> float:
    margins = (both + first_only) * (second_only + neither) * (both + second_only) * (first_only + neither)
    if margins == 0:
        return 0.0
    excess = both * neither - first_only * second_only
    half = (both + first_only + second_only + neither) / 2
    return (max(excess - half, 0.0) if excess > 0 else excess) / sqrt(margins)


def _joint(first: float, second: float, phi: float) -> float:
    return sqrt(max(first**2 - 2 * phi * first * second + second**2, 0.0))
