"""Metrics of trained nets over evaluation examples, and paired differences of two over the same ones.

The chance that these intervals cover is that of the finite test set (`statistics.md`, section 1): would another test
set of this size say so too? They say nothing about another training of the same recipe; replicates do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from paribus.analysis.metrics import AnalysisError
from paribus.analysis.statistics.intervals import Interval, t_interval
from paribus.analysis.statistics.proportions import newcombe, wilson

DATA_CHANCE = "data chance"


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A metric, or a difference of two, over n examples; `interval` is None where there are too few."""

    value: float
    interval: Interval | None
    n: int

    def as_dict(self) -> dict[str, float | int | None]:
        """For JSON, which has no infinity: value, low, high, n."""
        low, high = (None, None) if self.interval is None else (self.interval.low, self.interval.high)
        return {"value": self.value if np.isfinite(self.value) else None, "low": low, "high": high, "n": self.n}


def accuracy(correct: ArrayLike, level: float = 0.95) -> Estimate:
    """Percent of `correct` (n,) bool, with Wilson's interval in points."""
    hits = _vector(correct)
    low, high = wilson(int(hits.sum()), len(hits), level)
    return Estimate(value=100 * float(hits.mean()), interval=_interval(100 * low, 100 * high, level), n=len(hits))


def accuracy_difference(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Estimate:
    """Points by which `first` is above `second`, (n,) bool over the same examples; Newcombe's paired interval."""
    one, other = (side.astype(np.bool_) for side in _paired(first, second))
    both, first_only = int((one & other).sum()), int((one & ~other).sum())
    second_only = int((~one & other).sum())
    found = newcombe(both, first_only, second_only, len(one) - both - first_only - second_only, level)
    value = 100 * (first_only - second_only) / len(one)
    return Estimate(value=value, interval=_interval(100 * found.low, 100 * found.high, level), n=len(one))


def mean(values: ArrayLike, level: float = 0.95) -> Estimate:
    """The mean of (n,) numbers, with the t interval; an infinite one has none."""
    numbers = np.asarray(_vector(values), np.float64)
    found = t_interval(numbers, level=level) if np.isfinite(numbers).all() else None
    interval = None if found is None else _interval(found.low, found.high, level)
    return Estimate(value=float(numbers.mean()), interval=interval, n=len(numbers))


def mean_difference(first: ArrayLike, second: ArrayLike, level: float = 0.95) -> Estimate:
    """The mean of `first` minus `second`, (n,) numbers over the same examples, with the paired t interval."""
    a, b = _paired(first, second)
    return mean(a.astype(np.float64) - b.astype(np.float64), level)


def _interval(low: float, high: float, level: float) -> Interval:
    return Interval(low=low, high=high, level=level, covers=DATA_CHANCE)


def _vector(values: ArrayLike) -> NDArray[np.generic]:
    found: NDArray[np.generic] = np.asarray(values)
    if found.ndim != 1 or len(found) == 0:
        raise AnalysisError(f"a metric over examples needs a vector of at least one, not shape {found.shape}")
    return found


def _paired(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.generic], NDArray[np.generic]]:
    a, b = _vector(first), _vector(second)
    if a.shape != b.shape:
        raise AnalysisError(f"{len(a)} and {len(b)} examples cannot be paired: evaluate both on the same ones")
    return a, b
