"""Means of a metric at the levels of one or two factors, over the same backgrounds: what interaction plots show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.arms import ArmSummary
from paribus.analysis.statistics.intervals import Interval, t_interval
from paribus.metrics.metric import Metric
from paribus.study.words import FAILED_TO_TRAIN, Arm, Level

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CellMean:
    """The mean of a metric at some levels, over `num_backgrounds` combinations of the other factors' levels.

    Each replicate is a block: `mean` and `interval` are those of its mean over the backgrounds, in `n` replicates. Both
    are None where these levels fail in every background, and where no background has all the other levels. `failed` of
    `ended` trials at these levels, over all backgrounds, failed to train.
    """

    levels: tuple[Level, ...]
    n: int
    num_backgrounds: int
    mean: float | None
    interval: Interval | None
    failed: int
    ended: int


def cell_means(
    arms: Sequence[ArmSummary], metric: Metric, paths: Sequence[str], level: float = 0.95, num_eval: int | None = None
) -> list[CellMean]:
    """The cells of the factors at `paths`, in the order of the arms; over backgrounds that all of them have.

    Only such backgrounds count in which every one of the cells was trained to its end in each replicate that ended: two
    means over other backgrounds, or over those that survived, would differ by that alone.
    """
    by_levels: dict[tuple[Level, ...], dict[frozenset[tuple[str, Level]], ArmSummary]] = {}
    for each in arms:
        if each.arm.again or any(path not in each.arm.as_dict() for path in paths):
            continue
        at = tuple(each.arm.as_dict()[path] for path in paths)
        by_levels.setdefault(at, {})[_background(each.arm, paths)] = each
    # A cell that fails in every background has no mean, and takes none from the others.
    alive = [own for own in by_levels.values() if any(not each.failed_replicates for each in own.values())]
    shared = [
        background
        for background in next(iter(alive), {})
        if all(background in own and not own[background].failed_replicates for own in alive)
    ]
    kept = [own[background] for own in alive for background in shared]
    replicates = sorted(set.intersection(*(set(dict(_points(each, metric))) for each in kept)) if kept else ())
    step = metric.resolution(num_eval) / max(len(shared), 1)
    found = []
    for levels, own in by_levels.items():
        means = _block_means([own[at] for at in shared] if own in alive else [], metric, replicates)
        found.append(
            CellMean(
                levels=levels,
                n=len(means),
                num_backgrounds=len(shared) if own in alive else 0,
                mean=float(means.mean()) if means.size else None,
                interval=t_interval(means, step, level),
                failed=sum(len(each.failed_replicates) for each in own.values()),
                ended=sum(_ended(each) for each in own.values()),
            )
        )
    return found


def _background(arm: Arm, paths: Sequence[str]) -> frozenset[tuple[str, Level]]:
    return frozenset((path, level) for path, level in arm.levels if path not in paths)


def _points(each: ArmSummary, metric: Metric) -> tuple[tuple[int, float], ...]:
    return each.points.get(metric.name, ())


def _block_means(arms: Sequence[ArmSummary], metric: Metric, replicates: Sequence[int]) -> Floats:
    """(replicates,) means over the arms."""
    if not arms or not replicates:
        return np.empty(0)
    values = np.array([[dict(_points(each, metric))[r] for r in replicates] for each in arms], dtype=np.float64)
    return np.asarray(values.mean(axis=0))


def _ended(each: ArmSummary) -> int:
    return sum(count for outcome, count in each.outcomes.items() if outcome in ("finished", *FAILED_TO_TRAIN))
