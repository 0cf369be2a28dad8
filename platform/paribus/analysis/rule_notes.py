"""What a report says of the rule itself: the margin, what was corrected for, and what no failure excludes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.contrasts import Contrast, values_of
from paribus.analysis.statistics.stability import excluded_excess
from paribus.analysis.study_data import StudyData
from paribus.metrics.metric import Metric

# A gap this many times the spread within the two groups parts them, and this many times the margin matters. Without the
# second, normal noise alone would do in 21 % of arms of 4 replicates, 12 % of 5, 2 % of 8 (20,000 simulated each).
_GAP, _FEWEST = 5.0, 4


def rule_notes(data: StudyData, metric: Metric, contrasts: Sequence[Contrast]) -> list[str]:
    """Notes on a whole study."""
    if not contrasts:
        return []
    study = data.study
    margin = f"margin ±{study.margin:g} {metric.unit}: an effect within it is called equivalent"
    if not study.margin:
        margin = "no margin was given: an arm is better, worse or unresolved, and nothing can be called equivalent"
    notes = [
        f"{margin}. p are corrected by Holm over the study's contrasts; false verdicts of each kind are held at "
        f"{100 * study.alpha:g} % over the study"
    ]
    calm = [
        contrast.stability.n for contrast in contrasts if contrast.stability.n and not contrast.stability.any_failed
    ]
    if calm:
        excess = excluded_excess(min(calm), len(contrasts), study.alpha)
        where = "no run failed to train" if len(calm) == len(contrasts) else f"no run failed in {len(calm)} contrasts"
        notes.append(
            f"{where}: over {len(contrasts)} contrast{'s' if len(contrasts) != 1 else ''} of {min(calm)} replicates "
            f"that excludes an excess of failures above {100 * excess:.0f} %, and no smaller one"
        )
    return notes + _group_notes(data, metric)


def _group_notes(data: StudyData, metric: Metric) -> list[str]:
    notes = []
    for arm in data.study.arms:
        values = values_of(arm, metric, data.trials, data.replicates)
        if groups := two_groups(values[~np.isnan(values)], _GAP * data.study.margin):
            low, high = groups
            notes.append(
                f"{arm.name}: its replicates fall into two groups, {low.size} at {low.mean():.4g} and {high.size} at "
                f"{high.mean():.4g} {metric.unit}; its mean describes neither"
            )
    return notes


def two_groups(
    values: NDArray[np.float64], least: float = 0.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """The values (n,) below and above their largest gap, where it is more than five times the sd within; else None.

    The sd within is pooled over both groups, n - 2 degrees of freedom. None below four values, and for a gap of at
    most `least`, which is too small to matter.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    if ordered.size < _FEWEST:
        return None
    gaps = np.diff(ordered)
    at = int(gaps.argmax()) + 1
    low, high = ordered[:at], ordered[at:]
    within = ((low - low.mean()) ** 2).sum() + ((high - high.mean()) ** 2).sum()
    spread = np.sqrt(within / (ordered.size - 2))
    return (low, high) if gaps[at - 1] > max(_GAP * spread, least) else None
