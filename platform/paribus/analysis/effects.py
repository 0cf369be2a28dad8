"""Effects of factors with their intervals, from what each replicate says by itself.

The replicate is the block: an effect is computed within each one, and its t interval rests on the spread of those R
values (R - 1 degrees of freedom), whatever the cells' own spreads and correlations are. An analysis of variance that
pools the error of all cells has more degrees of freedom, and believes that they are all alike (Boik 1981).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from paribus.analysis.contrasts import values_of
from paribus.analysis.statistics.intervals import MIN_PAIRS, Interval, moments, t_interval
from paribus.analysis.statistics.multiplicity import holm
from paribus.analysis.study_data import StudyData
from paribus.metrics.metric import Metric
from paribus.study.designs.effects import Kind, Question, Weights, questions_of
from paribus.study.study import Study
from paribus.study.words import FAILED_TO_TRAIN, Arm

# Fewer backgrounds have no middle that one odd one would not move.
_MIN_ROBUST = 3


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One effect over the cells that train, in the metric's unit; not turned so that up is good.

    A main effect is the mean difference between two levels of a factor; an interaction the difference of such
    differences (0 where two factors add up); a trend the rise of the straight line over all levels.

    `values` has one number per replicate in `replicates`, each the mean over `num_backgrounds`. `robust` is the
    interval of their medians over backgrounds, where there are three or more. `p` is of no effect at all, `p_holm`
    corrected over the study's effects, a family of its own beside that of the contrasts; nan where there is none.
    `failed` counts the trials that failed to train on either side of a main effect, over all cells, of how many.
    """

    kind: Kind
    name: str
    metric: Metric
    replicates: tuple[int, ...]
    values: tuple[float, ...]
    mean: float
    sd: float
    interval: Interval | None
    robust_mean: float
    robust: Interval | None
    p: float
    p_holm: float
    num_backgrounds: int
    failed: tuple[int, int, int]
    mixed_with: str
    note: str

    @property
    def n(self) -> int:
        """Replicates in which every cell of the effect trained to its end."""
        return len(self.values)


def effects_on(study: Study, data: StudyData, metric: Metric) -> tuple[Effect, ...]:
    """Every effect that the study's design can tell, judged together; () for a design that has none."""
    values = {arm: values_of(arm, metric, data.trials, data.replicates) for arm in study.arms}
    unstable = unstable_cells(data)
    resolution = metric.resolution(data.num_eval)
    questions = questions_of(study, lambda arm: arm not in unstable)
    found = [_effect(question, data, metric, values, resolution) for question in questions]
    known = [index for index, effect in enumerate(found) if not np.isnan(effect.p)]
    for index, p in zip(known, holm([found[index].p for index in known]), strict=True):
        found[index] = replace(found[index], p_holm=float(p))
    return tuple(found)


def unstable_cells(data: StudyData) -> set[Arm]:
    """The arms of which a replicate failed to train: no effect is computed over them."""
    return {arm for (arm, _), trial in data.trials.items() if trial.outcome in FAILED_TO_TRAIN}


def effect_notes(data: StudyData, effects: Sequence[Effect], first_look: int | None = None) -> tuple[str, ...]:
    """What a reader must know of the effects as a whole; () where there are none.

    `first_look` are the replicates on which effects rest where looks decide about later ones.
    """
    if not effects:
        return ()
    notes = []
    if first_look is not None:
        notes.append(
            f"effects rest on the {first_look} replicates of the first look, which every arm has: who got more of them "
            "depends on what the arms showed, and a mean over those would be off"
        )
    if unstable := [arm for arm in data.study.arms if arm in unstable_cells(data)]:
        some = ", ".join(arm.name for arm in unstable[:3]) + (", ..." if len(unstable) > 3 else "")
        notes.append(
            f"effects are over the cells that train in every replicate: {len(unstable)} of {len(data.study.arms)} do "
            f"not ({some}), and an effect over them would be neither of quality nor of stability"
        )
    for factor in dict.fromkeys(effect.name.partition(":")[0] for effect in effects if effect.kind == "main"):
        sizes = {e.num_backgrounds for e in effects if e.kind == "main" and e.name.startswith(f"{factor}:")} - {0}
        if len(sizes) > 1:
            notes.append(
                f"the main effects of {factor} rest on {min(sizes)} to {max(sizes)} backgrounds, for cells lack: two "
                "that stand side by side are not over the same ones"
            )
    if mixed := [effect for effect in effects if effect.mixed_with]:
        notes.append(
            f"{len(mixed)} of {len(effects)} effects are mixed with others that this design cannot tell from them: "
            "read each as itself only where those are known to be small"
        )
    return tuple(notes)


def _effect(
    question: Question,
    data: StudyData,
    metric: Metric,
    values: dict[Arm, NDArray[np.float64]],
    resolution: float,
) -> Effect:
    size = len(question.backgrounds)
    rows = np.stack([_weighed(weights, values) for weights in question.backgrounds]) if size else np.empty((0, 0))
    means = rows.mean(axis=0) if size else np.full(len(data.replicates), np.nan)
    there = ~np.isnan(means)
    kept = means[there]
    # One example more in one cell moves the mean by its weight, over as many backgrounds.
    smallest = min((abs(w) for weights in question.backgrounds for w in weights.values() if w), default=0.0)
    step = resolution * smallest / max(size, 1)
    found = moments(kept, step)
    interval = t_interval(kept, step, data.level)
    medians = np.median(rows[:, there], axis=0) if size >= _MIN_ROBUST else np.empty(0)
    return Effect(
        kind=question.kind,
        name=question.name,
        metric=metric,
        replicates=tuple(r for r, here in zip(data.replicates, there, strict=True) if here),
        values=tuple(map(float, kept)),
        mean=float(found.mean),
        sd=float(found.sd),
        interval=interval,
        robust_mean=float(medians.mean()) if medians.size else float("nan"),
        robust=t_interval(medians, resolution, data.level) if medians.size else None,
        p=_p(float(found.mean), float(found.se), kept.size) if interval else float("nan"),
        p_holm=float("nan"),
        num_backgrounds=size,
        failed=_failed(question, data),
        mixed_with=question.mixed_with,
        note="" if size else "cannot be told: its cells fail to train",
    )


def _weighed(weights: Weights, values: dict[Arm, NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(sum(weight * values[arm] for arm, weight in weights.items()))


def _p(mean: float, se: float, n: int) -> float:
    """Two-sided p of Student's t with n - 1 degrees of freedom."""
    from scipy.special import stdtr

    return float(2 * stdtr(n - 1, -abs(mean) / se)) if n >= MIN_PAIRS else float("nan")


def _failed(question: Question, data: StudyData) -> tuple[int, int, int]:
    """Trials that failed to train on both sides, and how many of the larger side ended by themselves."""
    counts, ended = [], []
    for side in question.sides:
        own = [trial for (arm, _), trial in data.trials.items() if arm in side]
        counts.append(sum(trial.outcome in FAILED_TO_TRAIN for trial in own))
        ended.append(sum(trial.survived or trial.outcome in FAILED_TO_TRAIN for trial in own))
    return counts[0], counts[1], max(ended)
