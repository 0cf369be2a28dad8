"""Training chance and data chance at once: the crossed ("pigeonhole") bootstrap over replicates x examples."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from paribus.analysis.intervals import MIN_PAIRS, Interval

Floats = NDArray[np.float64]
BOTH = "training and data chance"


def _checked(differences: ArrayLike) -> Floats:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 1:
        raise ValueError(f"differences must be (replicates, examples), not of shape {values.shape}")
    return values


def crossed_standard_error(differences: ArrayLike) -> float:
    """Standard error of the mean of `differences` (R, n_eval) over resamplings of replicates and of examples.

    Owen (2007) resamples the rows and, independently, the columns. The variance of the mean under that bootstrap has a
    closed form (multinomial counts with E[W_i W_j] = 1 - 1/n + [i = j]), so nothing needs to be drawn; a test
    compares it with `crossed_bootstrap`.
    """
    values = _checked(differences)
    num_rows, num_columns = values.shape
    keep_rows, keep_columns = 1 - 1 / num_rows, 1 - 1 / num_columns
    total = (keep_rows * keep_columns - 1) * values.sum() ** 2
    rows = keep_columns * (values.sum(axis=1) ** 2).sum()
    columns = keep_rows * (values.sum(axis=0) ** 2).sum()
    variance = (total + rows + columns + (values**2).sum()) / (num_rows * num_columns) ** 2
    return float(np.sqrt(max(variance, 0.0)))


def crossed_bootstrap(differences: ArrayLike, seed: int, num_resamples: int = 1000) -> Floats:
    """Resampled means (num_resamples,) of `differences` (R, n_eval), rows and columns resampled independently."""
    values = _checked(differences)
    num_rows, num_columns = values.shape
    rng = np.random.default_rng(seed)
    means = np.empty(num_resamples)
    for i in range(num_resamples):
        rows = values[rng.integers(0, num_rows, num_rows)].mean(axis=0)
        means[i] = rows @ np.bincount(rng.integers(0, num_columns, num_columns), minlength=num_columns) / num_columns
    return means


def crossed_interval(differences: ArrayLike, level: float = 0.95) -> Interval | None:
    """Interval of the mean difference that covers another training *and* another test set of the same size.

    Mean -+ t (R - 1 degrees of freedom) x the crossed bootstrap's standard error, scaled by sqrt(R / (R - 1)), since a
    bootstrap of R rows takes their variance with 1 / R. Conservative: Owen (2007) shows that the crossed bootstrap
    overstates the variance of a crossed mean. None with fewer than three replicates or without any spread.
    """
    values = _checked(differences)
    num_rows = values.shape[0]
    if num_rows < MIN_PAIRS:
        return None
    se = crossed_standard_error(values) * float(np.sqrt(num_rows / (num_rows - 1)))
    width, mean = float(special.stdtrit(num_rows - 1, 0.5 + level / 2)) * se, float(values.mean())
    return Interval(low=mean - width, high=mean + width, level=level, covers=BOTH) if se > 0 else None
