"""Intervals of a mean of paired deltas: Student's t, the studentised bootstrap, and Hedges' g.

All functions work on plain arrays. The last axis holds replicates; a nan is a replicate without a pair, so that many
studies (or many contrasts of one study) can be judged in one call.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]
MIN_PAIRS = 3
MIN_PAIRS_BOOTSTRAP = 5


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A two-sided interval of an effect, in the metric's own unit; `covers` names the chance that it covers."""

    low: float
    high: float
    level: float
    covers: str = "training chance"

    @property
    def half_width(self) -> float:
        """Half of the interval's length."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Number, mean, sd and standard error of the deltas along the last axis, each of shape `deltas.shape[:-1]`.

    `sd` is never below the resolution of the metric; where the resolution is unknown (0) and all deltas are
    identical, `sd` and `se` are nan: such deltas say nothing about chance, so that no interval and no p follow.
    """

    n: NDArray[np.int64]
    mean: Floats
    sd: Floats
    se: Floats


def moments(deltas: ArrayLike, resolution: ArrayLike = 0.0) -> Moments:
    """Moments of `deltas` (..., R), nan where there is no pair, in the metric's unit.

    `resolution` is the smallest step of the metric (100 / n_eval points for an accuracy, 0 if continuous). Few
    replicates of a coarse metric can agree by luck, and a t test then takes that luck for certainty; so the sd is
    floored at one step.
    """
    values = np.asarray(deltas, dtype=np.float64)
    present = ~np.isnan(values)
    n = present.sum(axis=-1)
    filled = np.where(present, values, 0.0)
    mean = np.where(n > 0, filled.sum(axis=-1) / np.maximum(n, 1), np.nan)
    squares = np.where(present, values - mean[..., None], 0.0) ** 2
    sd = np.where(n > 1, np.sqrt(squares.sum(axis=-1) / np.maximum(n - 1, 1)), np.nan)
    rounding = 1e-12 + 1e-9 * np.abs(filled).max(axis=-1, initial=0.0)
    sd = np.where(sd <= rounding, 0.0, sd)
    floored = np.maximum(sd, np.asarray(resolution, dtype=np.float64))
    sd = np.where(floored > 0, floored, np.nan)
    return Moments(n=n, mean=mean, sd=sd, se=sd / np.sqrt(n))


def t_half_width(found: Moments, level: ArrayLike = 0.95) -> Floats:
    """Half-width of the two-sided paired t interval, n - 1 degrees of freedom; nan with fewer than three pairs."""
    width = special.stdtrit(found.n - 1, 0.5 + np.asarray(level) / 2) * found.se
    return np.asarray(np.where(found.n >= MIN_PAIRS, width, np.nan))


def t_interval(deltas: ArrayLike, resolution: float = 0.0, level: float = 0.95) -> Interval | None:
    """The paired t interval of the deltas (R,), or None with fewer than three pairs or without any spread."""
    found = moments(deltas, resolution)
    width = float(t_half_width(found, level))
    if np.isnan(width):
        return None
    mean = float(found.mean)
    return Interval(low=mean - width, high=mean + width, level=level)


def sd_interval(sd: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """The interval of a normal sd that was seen in n values: (n - 1) s^2 / sigma^2 is chi square of n - 1 degrees."""
    low, high = (float(special.chdtri(n - 1, tail)) for tail in ((1 - level) / 2, (1 + level) / 2))
    return sd * ((n - 1) / low) ** 0.5, sd * ((n - 1) / high) ** 0.5


def bootstrap_interval(
    deltas: ArrayLike, seed: int, resolution: float = 0.0, level: float = 0.95, num_resamples: int = 4000
) -> Interval | None:
    """The studentised (bootstrap-t) interval of the deltas (R,) (Efron and Tibshirani 1993, section 12.5).

    None below five pairs, where too few distinct resamples exist, or without any spread. Resamples without spread
    have no t and are left out; at a known `resolution` their sd is floored like that of the data.
    """
    values = np.asarray(deltas, dtype=np.float64)
    values = values[~np.isnan(values)]
    found = moments(values, resolution)
    if values.size < MIN_PAIRS_BOOTSTRAP or np.isnan(found.se):
        return None
    rng = np.random.default_rng(seed)
    resampled = moments(values[rng.integers(0, values.size, (num_resamples, values.size))], resolution)
    t = (resampled.mean - found.mean) / resampled.se
    low, high = np.quantile(t[np.isfinite(t)], [(1 - level) / 2, (1 + level) / 2])
    mean, se = float(found.mean), float(found.se)
    return Interval(low=mean - float(high) * se, high=mean - float(low) * se, level=level)


def hedges_g(mean: ArrayLike, sd: ArrayLike, n: ArrayLike) -> Floats:
    """Mean delta over the sd of the deltas, with Hedges' (1981) exact small-sample correction; nan below n = 3."""
    freedom = np.maximum(np.asarray(n, dtype=np.float64) - 1, 1.0)
    log_correction = special.gammaln(freedom / 2) - special.gammaln(np.maximum(freedom - 1, 0.5) / 2)
    correction = np.exp(log_correction) / np.sqrt(freedom / 2)
    effect = correction * np.asarray(mean) / np.asarray(sd)
    return np.asarray(np.where(np.asarray(n) >= MIN_PAIRS, effect, np.nan))
