"""All contrasts of a study on one metric, judged together."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.arms import log_rank_of
from paribus.analysis.contrasts import (
    Contrast,
    Pairs,
    contrast_notes,
    example_differences,
    pairs_of,
    unresolved_note,
    values_of,
)
from paribus.analysis.crossed import crossed_interval
from paribus.analysis.intervals import MIN_PAIRS, Interval, bootstrap_interval, standardised_effect
from paribus.analysis.metrics import Metric, resolution_of
from paribus.analysis.pairing import Pairing, pairing_of
from paribus.analysis.power import replicates_to_resolve
from paribus.analysis.simultaneous import critical_value
from paribus.analysis.stability import MIN_INFORMATIVE, Stability, stability_note, stability_of
from paribus.analysis.study_data import StudyData
from paribus.analysis.verdicts import VERDICTS, Judged, judge
from paribus.recipe.seeds import key
from paribus.study.words import Arm


def contrasts_on(data: StudyData, metric: Metric, primary: bool) -> list[Contrast]:
    """Every arm against its baseline on one metric; only on the primary one do they carry verdicts."""
    if not data.compared:
        return []
    study = data.study
    pairs = [pairs_of(arm, study.baseline_of(arm), data.trials, data.replicates) for arm in data.compared]
    values = {arm: values_of(arm, metric, data.trials, data.replicates) for arm in study.arms}
    deltas = np.stack([values[pair.arm] - values[pair.baseline] for pair in pairs])
    judged = judge(
        metric.sign * deltas,
        margin=study.margin,
        alpha=study.alpha,
        resolution=resolution_of(metric, data.num_eval),
        arm_failed_alone=[pair.arm_failed_alone for pair in pairs],
        baseline_failed_alone=[pair.baseline_failed_alone for pair in pairs],
    )
    critical = _critical_values(pairs, judged, data.level)
    rows = zip(pairs, deltas, critical, strict=True)
    return [_contrast(data, metric, primary, i, judged, *row) for i, row in enumerate(rows)]


def _critical_values(pairs: Sequence[Pairs], judged: Judged, level: float) -> list[float]:
    """Dunnett-type critical values per contrast, each for its own n; nan where a contrast has no interval."""
    usable = (judged.moments.n >= MIN_PAIRS) & ~np.isnan(judged.moments.se)
    sharing = Counter(pair.baseline for pair, use in zip(pairs, usable, strict=True) if use)
    return [
        critical_value(sharing[pair.baseline], int(n), level) if use else float("nan")
        for pair, n, use in zip(pairs, judged.moments.n, usable, strict=True)
    ]


def _contrast(
    data: StudyData,
    metric: Metric,
    primary: bool,
    index: int,
    judged: Judged,
    pairs: Pairs,
    deltas: NDArray[np.float64],
    critical: float,
) -> Contrast:
    study, found = data.study, judged.moments
    there = ~np.isnan(deltas)
    present = deltas[there]
    mean, sd, half_width = (
        metric.sign * float(found.mean[index]),
        float(found.sd[index]),
        float(judged.half_width[index]),
    )
    stability = _stability(data, pairs, float(judged.p_stability_holm[index]))
    verdict = VERDICTS[judged.codes[index]] if primary else None
    further = _further(mean, sd, int(found.n[index]), data) if verdict == "unresolved" else None
    resolution = resolution_of(metric, data.num_eval)
    notes = contrast_notes(pairs, [float(delta) for delta in present], sd, len(data.replicates), resolution)
    if primary:
        notes += _verdict_notes(data, metric, stability, half_width, further)
    differences = example_differences(pairs, metric, data.trials)
    seed = key("analysis", "bootstrap", study.name, pairs.arm.name, metric.name)
    nan = float("nan")
    return Contrast(
        arm=pairs.arm,
        baseline=pairs.baseline,
        metric=metric,
        primary=primary,
        replicates=tuple(r for r, here in zip(data.replicates, there, strict=True) if here),
        deltas=tuple(float(delta) for delta in present),
        mean=mean,
        sd=sd,
        interval=_around(mean, half_width, data.level),
        bootstrap=bootstrap_interval(present, seed, resolution, data.level),
        both_chances=crossed_interval(differences, data.level) if differences is not None else None,
        simultaneous=_around(mean, critical * float(found.se[index]), data.level),
        standardised=metric.sign * float(standardised_effect(found.mean, found.sd, found.n)[index]),
        p_superiority=float(judged.p_superiority[index]),
        p_superiority_holm=float(judged.p_superiority_holm[index]) if primary else nan,
        p_equivalence=float(judged.p_equivalence[index]) if primary else nan,
        p_equivalence_holm=float(judged.p_equivalence_holm[index]) if primary else nan,
        stability=stability,
        pairing=pairing_between(data, metric, [pairs.arm, pairs.baseline]),
        verdict=verdict,
        margin=study.margin if primary else None,
        further_replicates=further,
        notes=tuple(notes),
    )


def _stability(data: StudyData, pairs: Pairs, p_holm: float) -> Stability:
    by_step = log_rank_of(pairs.arm, pairs.baseline, data.trials, data.replicates, MIN_INFORMATIVE)
    return stability_of(pairs.arm_failed, pairs.baseline_failed, p_holm, by_step, data.level)


def _verdict_notes(
    data: StudyData, metric: Metric, stability: Stability, half_width: float, further: float | None
) -> list[str]:
    found = (
        stability_note(stability, data.study.alpha, len(data.compared)),
        unresolved_note(half_width, data.study.margin, metric.unit, further),
    )
    return [note for note in found if note]


def _around(mean: float, half_width: float, level: float) -> Interval | None:
    return None if np.isnan(half_width) else Interval(low=mean - half_width, high=mean + half_width, level=level)


def _further(mean: float, sd: float, n: int, data: StudyData) -> float | None:
    if n < MIN_PAIRS or np.isnan(sd) or sd == 0:
        return None
    needed = replicates_to_resolve(mean, sd, data.study.margin, data.study.alpha / len(data.compared))
    return max(needed - n, 1.0)


def pairing_between(data: StudyData, metric: Metric, arms: Sequence[Arm]) -> Pairing | None:
    """Pairing between these arms, over the replicates in which all of them trained to the end."""
    values = np.stack([values_of(arm, metric, data.trials, data.replicates) for arm in arms])
    return pairing_of(values[:, ~np.isnan(values).any(axis=0)])
