"""A metric against what it costs, per arm: means over the same replicates, and how sure the Pareto front is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.statistics.intervals import Interval, t_interval
from paribus.study.words import Arm

Floats = NDArray[np.float64]
NUM_RESAMPLES: Final = 2000
# With fewer there are too few distinct resamples for a share to say anything, as with the bootstrap of deltas.
MIN_REPLICATES: Final = 5
# Comparisons of two arms that are held at once.
_MOST_PAIRS: Final = 2_000_000


@dataclass(frozen=True, kw_only=True)
class TradeOff:
    """One arm: its value and cost, means over the `n` of its replicates that tell both, with their intervals.

    `front_share` is the share of resamples of the replicates in which no other arm is as good in both and better in
    one; None where it cannot be told. `on_front` is that of the means.
    """

    arm: Arm
    n: int
    value: float
    value_interval: Interval | None
    cost: float
    cost_interval: Interval | None
    on_front: bool
    front_share: float | None


Points = Mapping[Arm, Mapping[int, tuple[float, float]]]


def trade_offs(points: Points, sign: int, resolution: float = 0.0, level: float = 0.95) -> list[TradeOff]:
    """The arms by cost; `points` are (value, cost) by arm and replicate, of trials that were trained to their end.

    `sign` is 1 where larger values are better, else -1; less cost is always better. Replicates are resampled together
    over the arms, for those of one share its seeds; an arm that lacks one of them has its mean over the others drawn.
    """
    own = {arm: rows for arm, rows in points.items() if rows}
    if not own:
        return []
    arrays = {arm: np.array([rows[r] for r in sorted(rows)], dtype=np.float64) for arm, rows in own.items()}
    means = np.array([rows.mean(axis=0) for rows in arrays.values()])
    front, shares = on_front(means[:, 0] * sign, means[:, 1]), _front_shares(own, sign)
    found = [
        TradeOff(
            arm=arm,
            n=len(rows),
            value=float(means[at, 0]),
            value_interval=t_interval(rows[:, 0], resolution, level),
            cost=float(means[at, 1]),
            cost_interval=_interval_of_cost(rows[:, 1], level),
            on_front=bool(front[at]),
            front_share=None if shares is None else float(shares[at]),
        )
        for at, (arm, rows) in enumerate(arrays.items())
    ]
    return sorted(found, key=lambda each: (each.cost, -sign * each.value))


def on_front(values: Floats, costs: Floats) -> NDArray[np.bool_]:
    """(..., arms): whether no other arm is as good in both and better in one; high values, low costs are good."""
    better_or_equal = (values[..., None, :] >= values[..., :, None]) & (costs[..., None, :] <= costs[..., :, None])
    better = (values[..., None, :] > values[..., :, None]) | (costs[..., None, :] < costs[..., :, None])
    return np.asarray(~(better_or_equal & better).any(axis=-1))


def _interval_of_cost(costs: Floats, level: float) -> Interval | None:
    """None where all are the same, as parameters are: those have no chance in them."""
    return t_interval(costs, level=level) if np.ptp(costs) > 0 else None


def _front_shares(points: Points, sign: int) -> Floats | None:
    """(arms,) shares of resamples in which each arm is on the front; None below `MIN_REPLICATES` of any arm."""
    if len(points) < 2 or min(len(rows) for rows in points.values()) < MIN_REPLICATES:
        return None
    replicates = sorted(set().union(*points.values()))
    table = np.full((len(points), len(replicates), 2), np.nan)
    for at, rows in enumerate(points.values()):
        for replicate, pair in rows.items():
            table[at, replicates.index(replicate)] = pair
    drawn = np.random.default_rng(0).integers(0, len(replicates), (NUM_RESAMPLES, len(replicates)))
    sums, there = np.nansum(table[:, drawn], axis=2), (~np.isnan(table[:, drawn, 0])).sum(axis=2)
    with np.errstate(invalid="ignore"):
        means = sums / there[..., None]  # (arms, resamples, 2)
    whole = ~np.isnan(means).any(axis=(0, 2))  # a resample may have none of an arm's replicates
    values, costs = sign * means[:, whole, 0].T, means[:, whole, 1].T
    step = max(1, _MOST_PAIRS // len(points) ** 2)
    parts = [on_front(values[at : at + step], costs[at : at + step]).sum(axis=0) for at in range(0, len(values), step)]
    return np.asarray(np.sum(parts, axis=0) / len(values), dtype=np.float64)
