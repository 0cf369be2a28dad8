"""Simultaneous intervals of the contrasts that share a baseline, in the manner of Dunnett (1955)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

_CHUNK = 1 << 12
_MOST_CHUNKS, _FEWEST_CHUNKS = 16, 4
_MOST_DRAWS = 1 << 25


@lru_cache(maxsize=256)
def critical_value(num_contrasts: int, num_replicates: int, level: float = 0.95) -> float:
    """The c with P(every |T| <= c) = `level`, for A paired contrasts with one baseline over R replicates.

    The joint distribution of the A paired t statistics, each studentised with the sd of its own deltas, for normal
    arms of like variance (any two contrasts then correlate by 0.5, whatever replicates share). Dunnett's table pools
    the variance over arms; arms that train less stably make that wrong here, so each keeps its own sd and its R - 1
    degrees of freedom. From 65,536 simulated studies with a fixed seed the level is right to 0.1 points; with hundreds
    of contrasts from 16,384, to 0.2. One contrast gives Student's t, in closed form.

    Raises:
        ValueError: below one contrast or three replicates.
    """
    if num_contrasts < 1 or num_replicates < 3:
        raise ValueError(f"needs >= 1 contrast and >= 3 replicates, not {num_contrasts} and {num_replicates}")
    if num_contrasts == 1:
        return float(special.stdtrit(num_replicates - 1, 0.5 + level / 2))
    rng = np.random.default_rng([num_contrasts, num_replicates])
    draws = (num_contrasts + 1) * num_replicates * _CHUNK
    chunks = min(_MOST_CHUNKS, max(_FEWEST_CHUNKS, _MOST_DRAWS // draws))
    largest = [_largest_t(rng, num_contrasts, num_replicates) for _ in range(chunks)]
    return float(np.quantile(np.concatenate(largest), level))


def _largest_t(rng: np.random.Generator, num_contrasts: int, num_replicates: int) -> NDArray[np.float64]:
    runs = rng.standard_normal((num_replicates, num_contrasts + 1, _CHUNK))
    deltas = runs[:, 1:] - runs[:, :1]
    t = deltas.mean(axis=0) / (deltas.std(axis=0, ddof=1) / np.sqrt(num_replicates))
    return np.asarray(np.abs(t).max(axis=0))
