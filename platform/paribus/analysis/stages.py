"""How far an adaptive study is: at which planned look each contrast is judged, and which arms go on.

A stage is a function of the results alone. Whoever asks, the driver, a report or the dashboard, and however often the
driver was killed in between, comes to the same one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from paribus.analysis.contrasts import Pairs, pairs_of, values_of
from paribus.analysis.same_training import is_same_training
from paribus.analysis.statistics.intervals import MIN_PAIRS
from paribus.analysis.statistics.spending import PlannedLooks, level_at
from paribus.analysis.study_data import StudyData, index_results
from paribus.analysis.verdicts import NO_DATA, UNRESOLVED, Judged, Verdict, judge
from paribus.metrics.metric import Metric
from paribus.study.adaptive import Adaptive
from paribus.study.study import Study
from paribus.study.words import Arm, TrialResult

# An arm that will be resolved by the last look with a lower chance than this gets no more replicates. It costs 1 to 2
# points of power and one trial in a hundred; boundaries do not rest on it, so that it may be overruled.
FUTILE = 0.1


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Where every compared arm stands. `at` is the index of its look, -1 before the first one; `next` the next look's.

    `going` are those that the next look is for. One that was resolved is of them again if it is no more, for failures
    of others add tests to the family; it then comes from an earlier look. `futile` stopped unresolved, since the last
    look would hardly resolve them; `spent` says that the budget of trials ends the study although some are going.
    """

    looks: tuple[int, ...]
    at: Mapping[Arm, int]
    next: int
    going: tuple[Arm, ...]
    futile: frozenset[Arm]
    spent: bool

    def replicates_of(self, arm: Arm) -> int:
        """The replicates on which a compared arm is judged; 0 before its first look."""
        return self.looks[self.at[arm]] if self.at[arm] >= 0 else 0

    def asked_of(self, arm: Arm) -> int:
        """The replicates that a compared arm is to have by now, those of the next look included."""
        return self.looks[self.next] if arm in self.going and not self.spent else self.replicates_of(arm)

    @property
    def ended(self) -> bool:
        """Whether no further trial is asked for."""
        return self.spent or not self.going

    def planned(self, arms: Sequence[Arm]) -> PlannedLooks:
        """The looks as the rule takes them."""
        return PlannedLooks(replicates=self.looks, at=np.array([self.at[arm] for arm in arms], dtype=np.int64))


def stage_of(data: StudyData, metric: Metric, adaptive: Adaptive) -> Stage:
    """The stage of an adaptive study: one look after another, as far as the results go."""
    arms, looks = data.compared, adaptive.looks
    stage = Stage(looks=looks, at=dict.fromkeys(arms, -1), next=0, going=tuple(arms), futile=frozenset(), spent=False)
    for index, replicates in enumerate(looks):
        if stage.ended:
            return stage
        if adaptive.trials is not None and trials_asked(data, stage) > adaptive.trials:
            return replace(stage, spent=True)
        if adaptive.hours is not None and index and (needed := hours_asked(data, stage)) and needed > adaptive.hours:
            return replace(stage, spent=True)
        if not _complete(data, stage.going, replicates):
            return stage
        stage = _after(
            data, metric, replace(stage, at={**stage.at, **dict.fromkeys(stage.going, index)}, next=index + 1)
        )
    return stage


def judge_at(data: StudyData, metric: Metric, stage: Stage | None) -> tuple[list[Pairs], NDArray[np.float64], Judged]:
    """Every contrast's pairs and deltas (A, R), judged together; each at its own look where there is a `stage`."""
    study = data.study
    pairs, rows = [], []
    for arm in data.compared:
        there = [r for r in data.replicates if stage is None or r <= stage.replicates_of(arm)]
        pair = pairs_of(arm, study.baseline_of(arm), data.trials, there)
        own, other = (values_of(side, metric, data.trials, data.replicates) for side in (pair.arm, pair.baseline))
        pairs.append(pair)
        rows.append(np.where(np.isin(data.replicates, there), own - other, np.nan))
    deltas = np.stack(rows)
    judged = judge(
        metric.sign * deltas,
        margin=study.margin,
        alpha=study.alpha,
        resolution=metric.resolution(data.num_eval),
        arm_failed=[pair.arm_failed.sum() for pair in pairs],
        baseline_failed=[pair.baseline_failed.sum() for pair in pairs],
        ended=[len(pair.ended) for pair in pairs],
        same_training=[is_same_training(pair, data.trials) for pair in pairs],
        planned=stage.planned(data.compared) if stage else None,
    )
    return pairs, deltas, judged


def stage_notes(study_looks: Adaptive, stage: Stage) -> list[str]:
    """Where an adaptive study is, for people."""
    looks = ", ".join(map(str, stage.looks))
    notes = [
        f"planned looks at {looks} replicates: the error is spent over all of them (Lan and DeMets), so that verdicts "
        "hold at any; t intervals are repeated ones, and hold at every look at once, those of failures at one"
    ]
    names = ", ".join(arm.name for arm in stage.going)
    if stage.going and stage.spent:
        budget = " or ".join(f"{limit:g} {unit}" for unit, limit in study_looks.budget.items())
        notes.append(f"the budget of {budget} ends the study before the next look; unresolved: {names}")
    elif stage.going:
        notes.append(f"the next look is at {stage.looks[stage.next]} replicates, for {names}")
    return notes


def look_note(stage: Stage, arm: Arm, verdict: Verdict | None) -> str:
    """At which look a contrast is judged, and why it got no more."""
    if stage.at[arm] < 0:
        return f"before the first look, at {stage.looks[0]} replicates"
    where = f"the look at {stage.replicates_of(arm)} replicates"
    if arm in stage.futile and verdict == "unresolved":
        return (
            f"stopped at {where} as futile: less than {100 * FUTILE:.0f} % chance of any verdict by {stage.looks[-1]}"
        )
    return f"judged at {where}" + (", the last" if stage.at[arm] + 1 == len(stage.looks) else "")


def _after(data: StudyData, metric: Metric, stage: Stage) -> Stage:
    """The stage once the arms that went on are judged: who is resolved or futile goes no further."""
    pairs, _, judged = judge_at(data, metric, stage)
    chance = _chance_of_verdict(data, judged, pairs, stage)
    going, futile = [], set(stage.futile)
    for arm, code, likely in zip(data.compared, judged.codes, chance, strict=True):
        if code not in (UNRESOLVED, NO_DATA) or arm in futile or stage.next == len(stage.looks):
            continue
        if likely < FUTILE:
            futile.add(arm)
        else:
            going.append(arm)
    return replace(stage, going=tuple(going), futile=frozenset(futile))


def _chance_of_verdict(data: StudyData, judged: Judged, pairs: Sequence[Pairs], stage: Stage) -> NDArray[np.float64]:
    """The predictive probability (flat prior, sd as seen) that quality will be resolved at the last look.

    1 where it cannot be told, or where failures are what is open.
    """
    found, last, study = judged.moments, stage.looks[-1], data.study
    n = np.maximum(found.n, 1)
    share = n / np.maximum([stage.replicates_of(arm) for arm in data.compared], 1)
    final = np.maximum(share * last, n + 1e-9)
    difference, equivalence = (level_at(stage.looks, -1, study.alpha / len(data.compared), sides=n) for n in (2, 1))
    se, spread = found.sd / final**0.5, found.sd * np.sqrt(1 / n - 1 / final)
    freedom = np.maximum(final - 1, 1)
    far = special.stdtrit(freedom, 1 - difference / 2) * se
    near = study.margin - special.stdtrit(freedom, 1 - equivalence) * se
    mean = found.mean
    resolved = special.ndtr((mean - far) / spread) + special.ndtr((-mean - far) / spread)
    same = np.where(near > 0, special.ndtr((near - mean) / spread) - special.ndtr((-near - mean) / spread), 0.0)
    alike = np.array([pair.arm_failed.sum() == pair.baseline_failed.sum() for pair in pairs])
    known = (found.n >= MIN_PAIRS) & ~np.isnan(found.sd) & (judged.quality == UNRESOLVED) & alike
    return np.where(known, np.minimum(resolved + same, 1.0), 1.0)


def _complete(data: StudyData, going: Sequence[Arm], replicates: int) -> bool:
    """Whether every trial that this look judges has ended, if without a result."""
    sides = {side for arm in going for side in (arm, data.study.baseline_of(arm))}
    return all((side, r) in data.trials for side in sides for r in range(1, replicates + 1))


def trials_asked(data: StudyData, stage: Stage) -> int:
    """How many trials the study has once the next look has all that it asks for; all that it had, where it ended."""
    return sum(replicates_asked(data, stage).values())


def hours_asked(data: StudyData, stage: Stage) -> float:
    """The hours of the study once the next look has all that it asks for: of GPUs, or of workers without one.

    Each arm takes the mean of its trials up to its look, and no later ones: what a look decides is the same whatever
    ended since. An arm of which no trial tells its time takes the others' mean; 0 where none does.
    """
    seen = {arm: stage.replicates_of(arm) for arm in data.compared}
    for arm in data.compared:
        side = data.study.baseline_of(arm)
        seen[side] = max(seen.get(side, 0), seen[arm])
    seen |= {floor: seen[data.study.baseline_of(floor)] for floor in data.study.floors}
    by_arm = {arm: _seconds(data, arm, replicates) for arm, replicates in seen.items()}
    known = [seconds for seconds in by_arm.values() if seconds is not None]
    if not known:
        return 0.0
    mean = sum(known) / len(known)
    asked = replicates_asked(data, stage)
    each = {arm: mean if seconds is None else seconds for arm, seconds in by_arm.items()}
    return sum(num * each[arm] for arm, num in asked.items()) / 3600


def _seconds(data: StudyData, arm: Arm, replicates: int) -> float | None:
    """The mean time of an arm's first trials, of a GPU where they had one; None where none tells it."""
    own = [trial.metrics for r in range(1, replicates + 1) if (trial := data.trials.get((arm, r))) is not None]
    told = [metrics.get("gpu_s") or metrics["total_s"] for metrics in own if "total_s" in metrics]
    return sum(told) / len(told) if told else None


def asked_by_looks(study: Study, results: Sequence[TrialResult], num_eval: int | None) -> dict[Arm, int]:
    """The replicates that every arm is to have by now, of the study that these results are of; all, without looks."""
    if study.adaptive is None:
        return dict.fromkeys(study.trained, study.replicates)
    data = index_results(study, results, num_eval)
    return replicates_asked(data, stage_of(data, study.primary, study.adaptive))


def replicates_asked(data: StudyData, stage: Stage) -> dict[Arm, int]:
    """The replicates that every arm is to have by now; a baseline and its noise floor have those of its contrasts."""
    asked = dict.fromkeys(data.study.arms, 0)
    for arm in data.compared:
        for side in (arm, data.study.baseline_of(arm)):
            asked[side] = max(asked[side], stage.asked_of(arm))
    return asked | {floor: asked[data.study.baseline_of(floor)] for floor in data.study.floors}
