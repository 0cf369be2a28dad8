"""Boschloo's (1970) exact test of two proportions over as many replicates each, for how often arms fail to train.

The statistic is Fisher's one-sided p; its own distribution is taken at the worst common failure rate, which finds far
more than Fisher's test (or McNemar's) in few replicates. Seeds that arms share make failures independent or positively
correlated, and under correlation the test is conservative.
"""

from collections.abc import Callable
from functools import lru_cache
from math import asin, ceil, inf, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
# Common failure rates at which the worst is looked for; the other half of [0, 1] mirrors them.
_NUM_RATES = 1024
# Up to here a table is worked out whole; beyond it, the need for replicates is approximated.
_MOST_EXACT = 60
MOST_REPLICATES = 10_000


@lru_cache(maxsize=256)
def boschloo_table(n: int) -> Floats:
    """Two-sided p (n + 1, n + 1) of every pair of counts, `first` of n against `second` of n.

    Twice the smaller one-sided p, as `scipy.stats.boschloo_exact` has it, which takes seconds for what this takes
    milliseconds. Raises ValueError below one replicate.
    """
    if n < 1:
        raise ValueError(f"a table of failures needs at least one replicate, not {n}")
    greater = _worst_case(n, _fisher_greater(n))
    return np.asarray(np.minimum(2 * np.minimum(greater, greater.T), 1.0))


def _fisher_greater(n: int) -> Floats:
    """Fisher's one-sided p (n + 1, n + 1) that the first is larger: hypergeometric tails for each total."""
    log_choose = (
        special.gammaln(n + 1) - special.gammaln(np.arange(n + 1) + 1) - special.gammaln(n - np.arange(n + 1) + 1)
    )
    p = np.empty((n + 1, n + 1))
    for total in range(2 * n + 1):
        first = np.arange(max(0, total - n), min(n, total) + 1)
        mass = log_choose[first] + log_choose[total - first]
        mass = np.exp(mass - special.logsumexp(mass))
        p[first, total - first] = np.cumsum(mass[::-1])[::-1]
    return p


def _worst_case(n: int, statistic: Floats) -> Floats:
    """One-sided p of each table: the chance of one at least as extreme, at the common rate that makes it largest."""
    flat = statistic.ravel()
    order = np.argsort(flat, kind="stable")
    # Tables of one statistic enter together: rounding must not part them.
    ends = np.searchsorted(flat[order], flat * (1 + 1e-9), side="right") - 1
    worst = np.zeros(flat.size)
    counts = np.arange(n + 1, dtype=np.float64)
    log_choose = special.gammaln(n + 1) - special.gammaln(counts + 1) - special.gammaln(n - counts + 1)
    for rate in np.linspace(0.0, 0.5, _NUM_RATES + 1)[1:]:
        mass = np.exp(log_choose + counts * np.log(rate) + (n - counts) * np.log1p(-rate))
        np.maximum(worst, np.outer(mass, mass).ravel()[order].cumsum()[ends], out=worst)
    return worst.reshape(statistic.shape)


def boschloo(first: ArrayLike, second: ArrayLike, n: ArrayLike) -> Floats:
    """Two-sided p of `first` of n against `second` of n, elementwise; 1 where there is no replicate."""
    a, b, pairs = np.broadcast_arrays(np.asarray(first), np.asarray(second), np.asarray(n))
    p = np.ones(a.shape)
    for size in np.unique(pairs[pairs > 0]):
        here = pairs == size
        p[here] = boschloo_table(int(size))[a[here], b[here]]
    return p


def boschloo_power(rate: float, baseline_rate: float, n: int, alpha: float) -> float:
    """Chance that the test over n replicates is below `alpha`, on the true side, for independent failures."""
    counts = np.arange(n + 1)
    mass, other = (special.binom(n, counts) * r**counts * (1 - r) ** (n - counts) for r in (rate, baseline_rate))
    larger = counts[:, None] > counts[None, :] if rate > baseline_rate else counts[:, None] < counts[None, :]
    return float((np.outer(mass, other) * (boschloo_table(n) < alpha) * larger).sum())


def replicates_to_settle(rate: float, baseline_rate: float, alpha: float, power: float = 0.8) -> float:
    """Fewest replicates in which the test finds these failure rates to differ with `power`; inf beyond 10,000.

    Exact up to 60 replicates; beyond them by the arcsine approximation (Cohen 1988), which is close there. `alpha` is
    the level of this one test.
    """
    if rate == baseline_rate:
        return inf
    apart = 2 * (asin(sqrt(rate)) - asin(sqrt(baseline_rate)))
    z = float(special.ndtri(1 - alpha / 2) + special.ndtri(power))
    rough = ceil(2 * (z / apart) ** 2)
    if rough > _MOST_EXACT:
        return float(rough) if rough <= MOST_REPLICATES else inf
    return float(_first(lambda n: boschloo_power(rate, baseline_rate, n, alpha) >= power, rough))


def _first(enough: Callable[[int], bool], start: int) -> int:
    """The smallest n from which on `enough` holds, for an `enough` that saws a little as n grows; begins at `start`."""
    n = start
    while not enough(n):
        n += 1
    while n > 1 and enough(n - 1):
        n -= 1
    return n
