"""Where an arm gains and loses: by class, by what is taken for what, and by how sure it is of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.statistics.equivalence import superiority_p
from paribus.analysis.statistics.intervals import Interval, moments, t_interval
from paribus.analysis.statistics.multiplicity import holm
from paribus.metrics.examples import Examples

Floats = NDArray[np.float64]
# The nets of an arm and of its baseline in one replicate, over the same examples in the same order.
Pair = tuple[Examples, Examples]
NUM_BINS: Final = 10


@dataclass(frozen=True, kw_only=True)
class ClassDelta:
    """One class: the share of its `num_examples` that each side has right, in %, and the difference in points.

    Over `n` replicates, with the paired t interval; `p_holm` is of no difference, corrected over the classes, which are
    a family of their own beside the study's contrasts.
    """

    label: int
    num_examples: int
    n: int
    arm: float
    baseline: float
    delta: float
    interval: Interval | None
    p_holm: float


def class_deltas(pairs: Sequence[Pair], level: float = 0.95) -> list[ClassDelta]:
    """Every class that the examples have, by its number; [] without a pair."""
    if not pairs:
        return []
    labels = pairs[0][0].column("label")
    classes, counts = np.unique(labels, return_counts=True)
    arm, baseline = (np.stack([_by_class(pair[side], classes, counts) for pair in pairs], axis=1) for side in (0, 1))
    # One image more or less in one replicate: fewer of a class make it coarser.
    steps = 100.0 / counts
    found = moments(arm - baseline, steps)
    corrected = holm(superiority_p(found))
    return [
        ClassDelta(
            label=int(label),
            num_examples=int(counts[at]),
            n=len(pairs),
            arm=float(arm[at].mean()),
            baseline=float(baseline[at].mean()),
            delta=float(found.mean[at]),
            interval=t_interval(arm[at] - baseline[at], float(steps[at]), level),
            p_holm=float(corrected[at]),
        )
        for at, label in enumerate(classes)
    ]


def _by_class(examples: Examples, classes: NDArray[np.int64], counts: NDArray[np.int64]) -> Floats:
    """(classes,) percent that is right."""
    right = examples.column("predicted") == examples.column("label")
    hits = np.bincount(np.searchsorted(classes, examples.column("label")), weights=right, minlength=len(classes))
    return np.asarray(100 * hits / counts, dtype=np.float64)


def confusion(several: Sequence[Examples], num_classes: int) -> Floats:
    """(label, predicted) percent of the examples of a label that are taken for each class, the mean over replicates."""
    tables = []
    for each in several:
        pairs = each.column("label").astype(np.int64) * num_classes + each.column("predicted")
        counts = np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)
        tables.append(100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    return np.asarray(np.mean(tables, axis=0), dtype=np.float64)


def num_classes(several: Sequence[Examples]) -> int:
    """How many classes are named, as a label or as a prediction."""
    return 1 + max(int(max(each.column("label").max(), each.column("predicted").max())) for each in several)


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Examples whose predicted class has a probability from `low` to `high`: `num_examples` of a replicate in the mean.

    `confidence` and `accuracy` in %, means over the `n` replicates that have any there, with the interval of the
    accuracy over them; None below three.
    """

    low: float
    high: float
    num_examples: float
    n: int
    confidence: float
    accuracy: float
    interval: Interval | None


def reliability(several: Sequence[Examples], level: float = 0.95) -> list[Bin]:
    """The reliability diagram (Guo et al. 2017, section 2) in ten bins of equal width; empty ones are left out."""
    found = []
    for low in np.arange(NUM_BINS) / NUM_BINS:
        high = low + 1 / NUM_BINS
        rows = [_in_bin(each, low, high) for each in several]
        own = np.array([row for row in rows if row[0]], dtype=np.float64)
        if own.size:
            # Nets that agree to the last image are no less of a chance than one image.
            step = 100 / float(own[:, 0].mean())
            found.append(
                Bin(
                    low=float(low),
                    high=float(high),
                    num_examples=float(np.mean([row[0] for row in rows])),
                    n=len(own),
                    confidence=float(own[:, 1].mean()),
                    accuracy=float(own[:, 2].mean()),
                    interval=_within(t_interval(own[:, 2], step, level)),
                )
            )
    return found


def _in_bin(examples: Examples, low: float, high: float) -> tuple[float, float, float]:
    """How many, their mean probability and the share that is right, in %."""
    top = examples.column("top_probability").astype(np.float64)
    inside = (top > low) & (top <= high) if low else top <= high
    if not inside.any():
        return 0.0, 0.0, 0.0
    right = (examples.column("predicted") == examples.column("label"))[inside]
    return float(inside.sum()), 100 * float(top[inside].mean()), 100 * float(right.mean())


def _within(interval: Interval | None) -> Interval | None:
    """A share is never below 0 or above 100 %."""
    if interval is None:
        return None
    return Interval(low=max(interval.low, 0.0), high=min(interval.high, 100.0), level=interval.level)
