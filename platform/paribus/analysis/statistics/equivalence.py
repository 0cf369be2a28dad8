"""Is a difference smaller than the smallest effect of interest? Two one-sided tests."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from paribus.analysis.statistics.intervals import MIN_PAIRS, Moments

Floats = NDArray[np.float64]


def superiority_p(found: Moments) -> Floats:
    """Two-sided paired t p of a mean delta of 0; 1 with fewer than three pairs or without any spread."""
    testable = (found.n >= MIN_PAIRS) & ~np.isnan(found.se)
    t = np.where(testable, found.mean, 0.0) / np.where(testable, found.se, 1.0)
    p = 2 * special.stdtr(found.n - 1, -np.abs(t))
    return np.asarray(np.where(testable, p, 1.0))


def tost_p(found: Moments, margin: ArrayLike, resolution: ArrayLike = 0.0) -> Floats:
    """Schuirmann's (1987) p that |true mean delta| >= `margin`: the larger of two one-sided paired t tests.

    1 with fewer than three pairs or without any spread. On a metric of step `resolution` the mean is moved by one
    step in one replicate towards the margin. Near 100 % the number of errors is as skewed as a Poisson count, with
    third moment / variance up to one step, and a one-sided t test is then too ready to say "equivalent" (about 6.6 %
    for 5 %); by Edgeworth's expansion this move makes up for it: (2 t^2 + 1) / 6 steps / n at t = 1.645.
    """
    testable = (found.n >= MIN_PAIRS) & ~np.isnan(found.se)
    pairs = np.maximum(found.n, 1)
    mean = np.abs(np.where(testable, found.mean, 0.0)) + np.asarray(resolution, dtype=np.float64) / pairs
    p = special.stdtr(found.n - 1, (mean - np.asarray(margin)) / np.where(testable, found.se, 1.0))
    return np.asarray(np.where(testable, p, 1.0))
