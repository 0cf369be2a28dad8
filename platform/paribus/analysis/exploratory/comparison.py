"""Contrasts of two studies, or of one at two settings, side by side, and whether they agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import special

from paribus.analysis.contrasts import Contrast
from paribus.analysis.statistics.intervals import MIN_PAIRS, Interval, moments
from paribus.analysis.statistics.multiplicity import holm
from paribus.analysis.study_analysis import StudyAnalysis

Agreement = Literal["differ", "agree", "unresolved", "no data"]


@dataclass(frozen=True, kw_only=True)
class Compared:
    """A contrast that both have: `difference` is the second's mean delta minus the first's, in the metric's unit.

    Its interval and p are Welch's, as if the two were independent: they are at other seeds, and where shared seeds move
    both alike the interval is too wide and never too narrow. `agreement` is `differ` where the p, corrected over the
    contrasts, is below alpha; `agree` where the interval of 1 - 2 alpha is within the smaller of the two margins; else
    `unresolved`. Where either has fewer than three pairs it is `no data`, and numbers are nan or None.
    """

    first: Contrast
    second: Contrast
    difference: float
    interval: Interval | None
    p: float
    p_holm: float
    agreement: Agreement


def compare(first: StudyAnalysis, second: StudyAnalysis) -> list[Compared]:
    """The contrasts of the judged metric whose arm and baseline have the same names in both, in the first's order.

    Raises:
        ValueError: the two are judged on different metrics.
    """
    if first.metric.name != second.metric.name:
        raise ValueError(f"{first.metric.name} and {second.metric.name} are different metrics, and have no difference")
    alpha = min(first.alpha, second.alpha)
    margin = min(first.margin, second.margin)
    others = {(each.arm.name, each.baseline.name): each for each in second.contrasts}
    both = [(each, others[each.arm.name, each.baseline.name]) for each in first.contrasts if _key(each) in others]
    found = [_welch(one, other, (first.num_eval, second.num_eval), alpha) for one, other in both]
    known = [at for at, (each, _) in enumerate(found) if not np.isnan(each.p)]
    corrected = dict(zip(known, holm([found[at][0].p for at in known]), strict=True)) if known else {}
    return [
        replace(
            each,
            p_holm=float(corrected.get(at, np.nan)),
            agreement=_agreement(corrected.get(at), within, alpha, margin),
        )
        for at, (each, within) in enumerate(found)
    ]


def _key(contrast: Contrast) -> tuple[str, str]:
    return contrast.arm.name, contrast.baseline.name


def _welch(
    one: Contrast, other: Contrast, num_evals: Sequence[int | None], alpha: float
) -> tuple[Compared, Interval | None]:
    """Welch's (1947) interval and p of the difference, and the interval of 1 - 2 alpha that agreement goes by."""
    sides = [
        moments(np.array(each.deltas), each.metric.resolution(count))
        for each, count in zip((one, other), num_evals, strict=True)
    ]
    variances = [float(side.se) ** 2 for side in sides]
    counts = [int(side.n) for side in sides]
    bare = Compared(
        first=one,
        second=other,
        difference=float("nan"),
        interval=None,
        p=float("nan"),
        p_holm=float("nan"),
        agreement="no data",
    )
    if min(counts) < MIN_PAIRS or np.isnan(sum(variances)):
        return bare, None
    difference, se = float(sides[1].mean - sides[0].mean), sum(variances) ** 0.5
    freedom = sum(variances) ** 2 / sum(v**2 / (n - 1) for v, n in zip(variances, counts, strict=True))
    p = float(2 * special.stdtr(freedom, -abs(difference) / se))

    def interval(level: float) -> Interval:
        width = float(special.stdtrit(freedom, 0.5 + level / 2)) * se
        return Interval(low=difference - width, high=difference + width, level=level)

    return replace(bare, difference=difference, interval=interval(1 - alpha), p=p), interval(1 - 2 * alpha)


def _agreement(p_holm: float | None, within: Interval | None, alpha: float, margin: float) -> Agreement:
    if p_holm is None or within is None:
        return "no data"
    if p_holm < alpha:
        return "differ"
    return "agree" if -margin < within.low and within.high < margin else "unresolved"
