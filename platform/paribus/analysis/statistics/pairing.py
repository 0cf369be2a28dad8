"""What pairing buys: the correlation of a metric between arms over replicates, measured and never assumed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from paribus.analysis.statistics.intervals import MIN_PAIRS, Interval


@dataclass(frozen=True, kw_only=True)
class Pairing:
    """Correlation between arms over replicates, and what it does to the intervals of contrasts.

    `variance_ratio` = 1 - rho is the variance of a paired delta over that of an unpaired one; `width_ratio` is the
    expected length of the paired t interval over the unpaired one's, so it counts the degrees of freedom that
    pairing costs. Below 1, pairing helped.
    """

    num_arms: int
    num_replicates: int
    rho: float
    interval: Interval
    variance_ratio: float
    width_ratio: float

    def sentence(self) -> str:
        """What the numbers say, for a report."""
        low, high = self.interval.low, self.interval.high
        verb = "narrowed" if self.width_ratio < 1 else "widened"
        sure = "" if low > 0 or high < 0 else "; the interval holds 0, so nothing shows that paired seeds matter here"
        return (
            f"pairing: rho = {self.rho:.2f} [{low:.2f}, {high:.2f}] between {self.num_arms} arms over "
            f"{self.num_replicates} replicates, variance ratio {self.variance_ratio:.2f}; with the degrees of freedom "
            f"that it costs, pairing {verb} the intervals by {100 * abs(1 - self.width_ratio):.0f} %{sure}"
        )


def pairing_of(runs: ArrayLike, level: float = 0.95) -> Pairing | None:
    """Pairing of `runs` (arms, R), the metric of every arm in every replicate.

    rho is the intraclass correlation of a two-way layout, ICC(3,1), with its exact F interval (Shrout and Fleiss
    1979); for two arms 1 - rho is exactly Var(delta) / (Var(arm) + Var(baseline)). None below two arms or three
    replicates, or without any spread.
    """
    values = np.asarray(runs, dtype=np.float64)
    num_arms, num_replicates = values.shape
    if num_arms < 2 or num_replicates < MIN_PAIRS:
        return None
    blocks, arms = values.mean(axis=0), values.mean(axis=1)
    residual = values - blocks - arms[:, None] + values.mean()
    df_blocks, df_residual = num_replicates - 1, (num_replicates - 1) * (num_arms - 1)
    between = num_arms * float(((blocks - values.mean()) ** 2).sum()) / df_blocks
    within = float((residual**2).sum()) / df_residual
    if between + within < 1e-18:
        return None
    tail = (1 - level) / 2
    low_factor = float(special.fdtri(df_blocks, df_residual, 1 - tail))
    high_factor = float(special.fdtri(df_residual, df_blocks, 1 - tail))
    rho = _rho(between, within, num_arms)
    t_paired = float(special.stdtrit(num_replicates - 1, 0.5 + level / 2))
    t_unpaired = float(special.stdtrit(2 * (num_replicates - 1), 0.5 + level / 2))
    return Pairing(
        num_arms=num_arms,
        num_replicates=num_replicates,
        rho=rho,
        interval=Interval(
            low=_rho(between / low_factor, within, num_arms),
            high=_rho(between * high_factor, within, num_arms),
            level=level,
        ),
        variance_ratio=1 - rho,
        width_ratio=float(np.sqrt(max(1 - rho, 0.0))) * t_paired / t_unpaired,
    )


def _rho(between: float, within: float, num_arms: int) -> float:
    return (between - within) / (between + (num_arms - 1) * within)
