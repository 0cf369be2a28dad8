"""All contrasts of a study on one metric, judged together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.arms import log_rank_of
from paribus.analysis.contrasts import (
    Contrast,
    Pairs,
    contrast_notes,
    example_differences,
    num_test_sets,
    values_of,
)
from paribus.analysis.same_training import SENTENCE
from paribus.analysis.sentences import Need, interval_note, need_of, stability_note, unresolved_note
from paribus.analysis.stages import Stage, judge_at, look_note
from paribus.analysis.statistics.crossed import crossed_interval
from paribus.analysis.statistics.intervals import MIN_PAIRS, Interval, bootstrap_interval, hedges_g
from paribus.analysis.statistics.pairing import Pairing, pairing_of
from paribus.analysis.statistics.simultaneous import critical_value
from paribus.analysis.statistics.stability import MIN_INFORMATIVE, Stability, stability_of
from paribus.analysis.study_data import StudyData
from paribus.analysis.verdicts import SAME_TRAINING, UNRESOLVED, VERDICTS, Judged
from paribus.metrics.metric import Metric
from paribus.recipe.seeds import key
from paribus.study.words import Arm


def contrasts_on(data: StudyData, metric: Metric, primary: bool, stage: Stage | None = None) -> list[Contrast]:
    """Every arm against its baseline on one metric; only on the primary one do they carry verdicts.

    With a `stage` each is judged at its own planned look.
    """
    if not data.compared:
        return []
    pairs, deltas, judged = judge_at(data, metric, stage)
    critical = _critical_values(pairs, judged)
    rows = zip(pairs, deltas, critical, strict=True)
    found = [_contrast(data, metric, primary, i, judged, *row, stage) for i, row in enumerate(rows)]
    both = zip(found, pairs, judged.quality, strict=True)
    return [replace(one, notes=tuple(_notes(data, one, pair, int(quality), stage))) for one, pair, quality in both]


def _critical_values(pairs: Sequence[Pairs], judged: Judged) -> list[float]:
    """Dunnett-type critical values per contrast, each for its own n; nan where a contrast has no interval."""
    usable = (judged.moments.n >= MIN_PAIRS) & ~np.isnan(judged.moments.se) & (judged.codes != SAME_TRAINING)
    sharing = Counter(pair.baseline for pair, use in zip(pairs, usable, strict=True) if use)
    return [
        critical_value(sharing[pair.baseline], int(n), float(level)) if use else float("nan")
        for pair, n, level, use in zip(pairs, judged.moments.n, judged.level, usable, strict=True)
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
    stage: Stage | None,
) -> Contrast:
    study, found, level = data.study, judged.moments, float(judged.level[index])
    there = ~np.isnan(deltas)
    present = deltas[there]
    mean, sd = metric.sign * float(found.mean[index]), float(found.sd[index])
    withheld = judged.codes[index] == SAME_TRAINING
    half_width = float("nan") if withheld else float(judged.half_width[index])
    seen = tuple(r for r in data.replicates if stage is None or r <= stage.replicates_of(pairs.arm))
    stability = _stability(data, pairs, judged, index, seen)
    verdict = VERDICTS[judged.codes[index]] if primary else None
    # How far planned looks go is settled before.
    open_to_more = primary and not withheld and stage is None
    need = _need(data, judged, index, stability) if open_to_more else Need(quality=None, stability=None)
    resolution = metric.resolution(data.num_eval)
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
        interval=_around(mean, half_width, level),
        bootstrap=None if withheld else bootstrap_interval(present, seed, resolution, level),
        crossed=_crossed_of(pairs, metric, data, half_width, level),
        simultaneous=_around(mean, critical * float(found.se[index]), level),
        hedges_g=metric.sign * float(hedges_g(found.mean, found.sd, found.n)[index]),
        p_superiority=float(judged.p_superiority[index]),
        p_superiority_holm=float(judged.p_superiority_holm[index]) if primary else nan,
        p_equivalence=float(judged.p_equivalence[index]) if primary else nan,
        p_equivalence_holm=float(judged.p_equivalence_holm[index]) if primary else nan,
        stability=stability,
        pairing=None if withheld else pairing_between(data, metric, [pairs.arm, pairs.baseline], seen),
        verdict=verdict,
        margin=study.margin if primary else None,
        further_replicates=need.quality if verdict == "unresolved" else None,
        further_for_stability=need.stability,
    )


def _stability(data: StudyData, pairs: Pairs, judged: Judged, index: int, replicates: Sequence[int]) -> Stability:
    by_step = log_rank_of(pairs.arm, pairs.baseline, data.trials, replicates, MIN_INFORMATIVE)
    p_holm = float(judged.p_stability_holm[index])
    return stability_of(pairs.arm_failed, pairs.baseline_failed, p_holm, by_step, data.level)


def _need(data: StudyData, judged: Judged, index: int, stability: Stability) -> Need:
    """What is open, at the level that the last step of Holm's correction leaves to one test."""
    found, alpha = judged.moments, data.study.alpha
    need = need_of(
        float(found.mean[index]),
        float(found.sd[index]),
        int(found.n[index]),
        stability,
        data.study.margin,
        levels=(alpha / max(int(judged.num_difference), 1), alpha / max(int(judged.num_equivalence), 1)),
        alpha=alpha,
    )
    return need if judged.quality[index] == UNRESOLVED else replace(need, quality=None)


def _crossed_of(pairs: Pairs, metric: Metric, data: StudyData, half_width: float, level: float) -> Interval | None:
    differences = example_differences(pairs, metric, data.trials)
    if differences is None or np.isnan(half_width):
        return None
    return crossed_interval(differences, level, at_least=half_width)


def _notes(data: StudyData, contrast: Contrast, pairs: Pairs, quality: int, stage: Stage | None) -> list[str]:
    """What a reader must know before believing the numbers; on the primary metric, also what they leave open."""
    resolution = contrast.metric.resolution(data.num_eval)
    asked = stage.replicates_of(contrast.arm) if stage else len(data.replicates)
    notes = contrast_notes(pairs, contrast, asked, num_test_sets(pairs, data.trials), resolution)
    if not contrast.primary:
        return notes
    if contrast.verdict == "same training":
        return [SENTENCE, *notes]
    study, stability = data.study, contrast.stability
    found = [stability_note(stability, contrast.further_for_stability, study.alpha, len(data.compared))]
    if contrast.verdict == "unresolved":
        margin = f"{study.margin:g} {contrast.metric.unit}" if study.margin else ""
        found.append(unresolved_note(quality, stability, contrast.half_width, margin, contrast.further_replicates))
    found.append(interval_note(contrast, study.margin))
    found.append(look_note(stage, contrast.arm, contrast.verdict) if stage else None)
    return [*notes, *(note for note in found if note)]


def _around(mean: float, half_width: float, level: float) -> Interval | None:
    return None if np.isnan(half_width) else Interval(low=mean - half_width, high=mean + half_width, level=level)


def pairing_between(
    data: StudyData, metric: Metric, arms: Sequence[Arm], replicates: Sequence[int] | None = None
) -> Pairing | None:
    """Pairing between these arms, over those of the `replicates` in which all of them trained to the end."""
    asked = data.replicates if replicates is None else replicates
    values = np.stack([values_of(arm, metric, data.trials, asked) for arm in arms])
    return pairing_of(values[:, ~np.isnan(values).any(axis=0)])
