"""Planned looks: the error is spent over them, so that all of them together make one of `alpha`.

Group-sequential boundaries by Lan and DeMets (1983) with the power family of Kim and DeMets (1987): by a look at the
share t of the replicates, alpha * t ** RHO may have been spent. Nominal levels come from the joint normal law of the
looks' statistics (Armitage, McPherson and Rowe 1969) and are applied to the p of Student's t and of exact tests, the
significance level approach of Jennison and Turnbull (2000, sections 4.4 and 7.2).
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

# Simulated for 1 to 7 contrasts, spreads of 1 to 1.5 margins, effects of 0 to 3: the fewest trials at equal power
# (tests/benchmarks/analysis/README.md); 1 spends too much early, 3 too late.
RHO = 1.5
# Student's t of few replicates are less alike from look to look than normal statistics: their joint error is 2 to 13 %
# larger over any sensible looks (simulated, 200,000 series each). So much less is spent.
_CAUTION = 0.9
# Levels between which repeated p are interpolated; below the first one, p are what they are at the first.
_LEVELS = np.geomspace(1e-7, 0.999, 90)
_GRID, _REACH, _TINY = 161, 8.0, 1e-300


@cache
def nominal_levels(looks: tuple[int, ...], alpha: float, *, sides: int) -> tuple[float, ...]:
    """The level of each look's test such that all looks together reject a true hypothesis with probability `alpha`.

    `looks` are the replicates at each, rising, the last one the most that there can be. `sides`: 2 for tests of a
    difference, 1 for the one-sided tests of equivalence; levels are of p of that many sides.
    """
    shares = np.array(looks, dtype=np.float64) / looks[-1]
    spent = alpha * shares**RHO
    levels = [float(spent[0])]
    bound = _normal_bound(spent[0], sides)
    places, weights = _continuation(bound, sides, shares[0])
    density = np.exp(-(places**2) / (2 * shares[0])) / np.sqrt(2 * np.pi * shares[0])
    for index in range(1, len(looks)):
        step = shares[index] - shares[index - 1]
        target = float(spent[index] - spent[index - 1])
        bound = _bound_that_spends(target, places, weights * density, shares[index], step, sides)
        levels.append(sides * float(special.ndtr(-bound)))
        if index + 1 < len(looks):
            new, new_weights = _continuation(bound, sides, shares[index])
            kernel = np.exp(-((new[:, None] - places[None, :]) ** 2) / (2 * step)) / np.sqrt(2 * np.pi * step)
            places, density, weights = new, kernel @ (weights * density), new_weights
    return tuple(levels)


def _normal_bound(level: float, sides: int) -> float:
    return -float(special.ndtri(level / sides))


def _continuation(bound: float, sides: int, share: float) -> tuple[Floats, Floats]:
    """Places of the score between the bounds, with the weights of Simpson's rule."""
    high = min(bound, _REACH) * share**0.5
    low = -high if sides == 2 else -_REACH * share**0.5
    places = np.linspace(low, high, _GRID)
    weights = np.ones(_GRID)
    weights[1:-1:2], weights[2:-1:2] = 4, 2
    return places, weights * (places[1] - places[0]) / 3


def _bound_that_spends(target: float, places: Floats, mass: Floats, share: float, step: float, sides: int) -> float:
    """The bound beyond which the next look's statistic falls with that probability, by bisection."""
    low, high = -_REACH if sides == 1 else 0.0, _REACH
    for _ in range(60):
        middle = (low + high) / 2
        score = middle * share**0.5
        beyond = special.ndtr((places - score) / step**0.5)
        if sides == 2:
            beyond = beyond + special.ndtr((-score - places) / step**0.5)
        low, high = (middle, high) if float(mass @ beyond) > target else (low, middle)
    return (low + high) / 2


def level_at(looks: tuple[int, ...], index: int, alpha: float, *, sides: int) -> float:
    """The level of the test at one look, an index into `looks`; `sides` as in `nominal_levels`."""
    return nominal_levels(looks, _CAUTION * alpha, sides=sides)[index]


@cache
def _table(looks: tuple[int, ...], sides: int) -> Floats:
    """Nominal levels (looks, levels), rising along both: the more error is allowed, the more each look may have."""
    found = np.array([nominal_levels(looks, float(level), sides=sides) for level in _LEVELS]).T
    return np.maximum.accumulate(found, axis=1)


@dataclass(frozen=True, kw_only=True)
class PlannedLooks:
    """The replicates at each look, rising, and the index of the one at which each contrast (..., A) is judged."""

    replicates: tuple[int, ...]
    at: NDArray[np.int64]

    def repeated_p(self, p: ArrayLike, *, sides: int) -> Floats:
        """The smallest alpha at which a test with this p, at its look, would have rejected.

        Where it is below alpha at any look, alpha was kept over all of them (Jennison and Turnbull 2000, section 9.2):
        it goes into Holm's correction as any p does. `sides`: 2 for tests of a difference, 1 of equivalence.
        """
        found, at = np.broadcast_arrays(np.asarray(p, dtype=np.float64), self.at)
        out = np.ones(found.shape)
        for index, levels in enumerate(_table(self.replicates, sides)):
            here = (at == index) & (found < 1)
            known = np.log(np.maximum(levels, _TINY))
            out[here] = np.exp(np.interp(np.log(np.maximum(found[here], _TINY)), known, np.log(_LEVELS), right=0.0))
        return np.minimum(out / _CAUTION, 1.0)

    def level(self, alpha: float) -> Floats:
        """The confidence level of each contrast's repeated interval: over all looks, it covers with 1 - alpha."""
        nominal = np.array(nominal_levels(self.replicates, _CAUTION * alpha, sides=2))
        return np.asarray(1 - nominal[np.maximum(self.at, 0)])
