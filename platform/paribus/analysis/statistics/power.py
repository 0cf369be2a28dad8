"""How many replicates a contrast would need, by the noncentral t distribution."""

from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from paribus.analysis.statistics.intervals import MIN_PAIRS
from paribus.study.power import power_of

Floats = NDArray[np.float64]
MOST_REPLICATES = 10_000


def superiority_power(effect: float, sd: float, n: ArrayLike, alpha: float = 0.05) -> Floats:
    """Chance that the two-sided paired t test over n pairs finds `effect`; effect and sd in the metric's unit."""
    one = np.vectorize(lambda pairs: power_of(effect, sd, int(pairs), alpha))
    return np.asarray(one(n))


def equivalence_power(effect: float, sd: float, margin: float, n: ArrayLike, alpha: float = 0.05) -> Floats:
    """Chance that two one-sided tests over n pairs show |true effect| < `margin` (noncentral t approximation).

    At most `alpha` from |effect| = margin on.
    """
    pairs = np.asarray(n, dtype=np.float64)
    freedom, scale = pairs - 1, np.sqrt(pairs) / sd
    critical = special.stdtrit(freedom, 1 - alpha)
    # P(T < -c; -d) = 1 - P(T < c; d): scipy's noncentral t is nan for negative arguments.
    below_upper = 1 - special.nctdtr(freedom, (margin - abs(effect)) * scale, critical)
    below_lower = special.nctdtr(freedom, (margin + abs(effect)) * scale, critical)
    return np.asarray(np.maximum(below_upper - below_lower, 0.0))


def replicates_to_resolve(
    effect: float, sd: float, margin: float, alpha: float, power: float = 0.8, alpha_equivalence: float | None = None
) -> float:
    """Fewest pairs that resolve a true `effect` either way (superiority or equivalence) with `power`.

    `inf` beyond 10,000. The observed effect and sd stand for the true ones, so this is a guide and not a promise.
    `alpha` is the level of this one contrast: divide the study's by the number of tests; `alpha_equivalence` is that
    of its equivalence, where it is another.
    """
    same_alpha = alpha if alpha_equivalence is None else alpha_equivalence

    def enough(n: Floats) -> NDArray[np.bool_]:
        different = superiority_power(effect, sd, n, alpha)
        same = equivalence_power(effect, sd, margin, n, same_alpha)
        return np.asarray(np.maximum(different, same) >= power)

    sizes = np.unique(np.geomspace(MIN_PAIRS, MOST_REPLICATES, 240).astype(int)).astype(np.float64)
    reached = np.flatnonzero(enough(sizes))
    if reached.size == 0:
        return inf
    last = int(reached[0])
    between = np.arange(sizes[max(last - 1, 0)], sizes[last] + 1)
    return float(between[np.flatnonzero(enough(between))[0]])
