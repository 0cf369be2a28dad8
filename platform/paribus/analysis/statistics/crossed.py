"""Training chance and data chance at once: the variance of a mean over replicates crossed with examples."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from paribus.analysis.statistics.intervals import MIN_PAIRS, Interval

Floats = NDArray[np.float64]
BOTH = "training and data chance"


def _checked(differences: ArrayLike) -> Floats:
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 2 or min(values.shape) < 1:
        raise ValueError(f"differences must be (replicates, examples), not of shape {values.shape}")
    return values


@dataclass(frozen=True, kw_only=True)
class Components:
    """What the variance of the mean of (R, n_eval) differences is made of, each already over its count.

    `rows` = S_rows^2 / R estimates V_r / R + V_e / (R n), `columns` = S_columns^2 / n estimates V_c / n + V_e / (R n),
    `residual` = MS_e / (R n), where S^2 are the sample variances of the row and column means.
    """

    rows: float
    columns: float
    residual: float
    num_rows: int
    num_columns: int

    @property
    def variance(self) -> float:
        """V_r / R + V_c / n + V_e / (R n) without bias, but never below `rows`, which is the t interval's."""
        return max(self.rows + self.columns - self.residual, self.rows)

    @property
    def freedom(self) -> float:
        """Degrees of freedom of `variance` (Satterthwaite 1946), at least the R - 1 of the rows."""
        spread = self.rows**2 / (self.num_rows - 1) + self.columns**2 / (self.num_columns - 1)
        return max(self.variance**2 / spread, self.num_rows - 1.0) if spread > 0 else self.num_rows - 1.0


def components_of(differences: ArrayLike) -> Components:
    """Variance components of a crossed layout without repeats (Searle, Casella and McCulloch 1992, section 4.3)."""
    values = _checked(differences)
    num_rows, num_columns = values.shape
    rows, columns = values.mean(axis=1), values.mean(axis=0)
    residual = values - rows[:, None] - columns + values.mean()
    mean_square = float((residual**2).sum()) / ((num_rows - 1) * (num_columns - 1))
    return Components(
        rows=float(rows.var(ddof=1)) / num_rows,
        columns=float(columns.var(ddof=1)) / num_columns,
        residual=mean_square / (num_rows * num_columns),
        num_rows=num_rows,
        num_columns=num_columns,
    )


def crossed_interval(differences: ArrayLike, level: float = 0.95, at_least: float = 0.0) -> Interval | None:
    """Interval of the mean difference that covers another training *and* another test set of the same size.

    Mean -+ t x the root of the variance of a crossed mean, by its components. The crossed bootstrap (Owen 2007), which
    stood here before, takes the residual's share three times, and where that is most of the variance (converged nets)
    its standard error is 1.6 to 1.8 times too large. Never narrower than the half-width `at_least` of training
    chance alone. None with fewer than three replicates, one example, or without any spread.
    """
    values = _checked(differences)
    if values.shape[0] < MIN_PAIRS or values.shape[1] < 2:
        return None
    found = components_of(values)
    if found.variance <= 0:
        return None
    t = float(special.stdtrit(found.freedom, 0.5 + level / 2))
    alone = float(special.stdtrit(found.num_rows - 1, 0.5 + level / 2)) * float(np.sqrt(found.rows))
    width, mean = max(t * float(np.sqrt(found.variance)), alone, at_least), float(values.mean())
    return Interval(low=mean - width, high=mean + width, level=level, covers=BOTH)
