"""What no effect looks like: a baseline against itself with other seeds, in no test of the study's."""

import math
from collections.abc import Sequence

import numpy as np
from scipy import special

from paribus.analysis.contrasts import Contrast, pairs_of, values_of
from paribus.analysis.statistics.equivalence import superiority_p
from paribus.analysis.statistics.intervals import MIN_PAIRS, hedges_g, moments, sd_interval, t_interval
from paribus.analysis.statistics.stability import stability_of
from paribus.analysis.study_data import StudyData
from paribus.metrics.metric import Metric
from paribus.study.words import Arm


def floors_on(data: StudyData, metric: Metric) -> tuple[Contrast, ...]:
    """Each baseline again, minus itself, on one metric: with an interval, and no verdict.

    Both sides are paired by number alone, for they share no seed: where pairing helps, arms differ by less.
    """
    return tuple(_floor(data, metric, arm) for arm in data.study.floors)


def _floor(data: StudyData, metric: Metric, arm: Arm) -> Contrast:
    baseline, nan = data.study.baseline_of(arm), float("nan")
    pairs = pairs_of(arm, baseline, data.trials, data.replicates)
    own, other = (values_of(side, metric, data.trials, data.replicates) for side in (arm, baseline))
    deltas = own - other
    there, resolution = ~np.isnan(deltas), metric.resolution(data.num_eval)
    found = moments(deltas[there], resolution)
    return Contrast(
        arm=arm,
        baseline=baseline,
        metric=metric,
        primary=False,
        replicates=tuple(r for r, here in zip(data.replicates, there, strict=True) if here),
        deltas=tuple(map(float, deltas[there])),
        mean=float(found.mean),
        sd=float(found.sd),
        interval=t_interval(deltas[there], resolution, data.level),
        bootstrap=None,
        crossed=None,
        simultaneous=None,
        hedges_g=metric.sign * float(hedges_g(found.mean, found.sd, found.n)),
        p_superiority=float(superiority_p(found)) if int(found.n) >= MIN_PAIRS else nan,
        p_superiority_holm=nan,
        p_equivalence=nan,
        p_equivalence_holm=nan,
        stability=stability_of(pairs.arm_failed, pairs.baseline_failed, nan, None, data.level),
        pairing=None,
        verdict=None,
        margin=None,
    )


def floor_notes(contrasts: Sequence[Contrast], floors: Sequence[Contrast], level: float) -> tuple[str, ...]:
    """What each floor says of chance, how many contrasts lie inside its range, and whether it differs by itself."""
    notes = []
    for floor in floors:
        which = f"noise floor ({floor.arm.name})" if len(floors) > 1 else "noise floor"
        if floor.interval is None:
            notes.append(f"{which}: {floor.n} pairs of the baseline and itself again, and a spread takes {MIN_PAIRS}")
            continue
        own = [each for each in contrasts if each.baseline == floor.baseline and each.n]
        inside = sum(abs(each.mean) <= _range(floor, each.n, level) for each in own)
        low, high = sd_interval(floor.sd, floor.n, level)
        notes.append(
            f"{which}: a difference without an effect, of unpaired runs, has an sd of {floor.sd:.2g} "
            f"[{low:.2g}, {high:.2g}] {floor.metric.unit}; the mean of {floor.n} lies within "
            f"±{_range(floor, floor.n, level):.2g} in {100 * level:g} %, and so do {inside} of {len(own)} contrasts"
        )
        notes += _differing(which, floor, level)
    return tuple(notes)


def _range(floor: Contrast, n: int, level: float) -> float:
    """Half the range in which the mean of n differences without an effect lies with that probability."""
    quantile = float(special.stdtrit(floor.n - 1, (1 + level) / 2))
    return quantile * floor.sd / math.sqrt(n)


def _differing(which: str, floor: Contrast, level: float) -> list[str]:
    notes = []
    if floor.p_superiority < 1 - level:
        notes.append(
            f"{which}: the baseline differs from itself (p = {floor.p_superiority:.2g}), as it does in "
            f"{100 * (1 - level):g} % of studies in which all is well; if it still does with more replicates, "
            "something else differs between its trials"
        )
    if floor.stability.p < 1 - level:
        failed = floor.stability
        notes.append(
            f"{which}: it fails to train in {failed.arm_failed} against {failed.baseline_failed} of {failed.n} "
            f"(p = {failed.p:.2g}), by chance or by something that differs between its trials"
        )
    return notes
