"""From a study's words and its results to contrasts, verdicts and the outcome of its claim."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from paribus.analysis.arms import ArmSummary, summarise
from paribus.analysis.claims import ClaimOutcome, describe_setting, judge_claim
from paribus.analysis.conditions import conditioned
from paribus.analysis.contrasts import Contrast, values_of
from paribus.analysis.effects import Effect, effect_notes, effects_on
from paribus.analysis.looks import Looks
from paribus.analysis.metrics import check_margin
from paribus.analysis.noise_floor import floor_notes, floors_on
from paribus.analysis.rule_notes import rule_notes
from paribus.analysis.stages import Stage, replicates_asked, stage_notes, stage_of
from paribus.analysis.statistics.pairing import Pairing
from paribus.analysis.study_contrasts import contrasts_on, pairing_between
from paribus.analysis.study_data import StudyData, index_results, up_to
from paribus.analysis.verdicts import VERDICTS
from paribus.metrics.metric import Metric
from paribus.study.study import Study
from paribus.study.words import FAILED_TO_TRAIN, Arm, Outcome, TrialResult


@dataclass(frozen=True, kw_only=True)
class StudyAnalysis:
    """Everything that a report, a dashboard or a terminal shows of a study; partial results give partial answers.

    `contrasts` are on the primary metric and carry verdicts; `secondary` ones carry intervals alone, and so do the
    `effects` of factors over all arms, on the primary metric, where the design tells them apart; `floor` holds the
    baselines against themselves with other seeds, where the study has a noise floor. `exploratory`
    says that a scheduler cut trials: print the word beside every number. `asked` are the replicates of each arm that
    are asked for by now.
    """

    study: str
    question: str
    metric: Metric
    margin: float
    alpha: float
    num_replicates: int
    num_eval: int | None
    arms: tuple[ArmSummary, ...]
    contrasts: tuple[Contrast, ...]
    secondary: tuple[Contrast, ...]
    effects: tuple[Effect, ...]
    floor: tuple[Contrast, ...]
    claim: ClaimOutcome | None
    pairing: Pairing | None
    exploratory: bool
    outcomes: Mapping[Outcome, int]
    asked: Mapping[Arm, int]
    caveats: Mapping[str, Any]
    notes: tuple[str, ...]
    looks: Looks

    @property
    def num_expected(self) -> int:
        """The trials that are asked for by now."""
        return sum(self.asked.values())

    @property
    def num_own_ends(self) -> int:
        """Trials that came to an end of their own: trained to it, or failed to train."""
        words: tuple[Outcome, ...] = ("finished", *FAILED_TO_TRAIN)
        return sum(self.outcomes.get(word, 0) for word in words)

    @property
    def on_primary(self) -> tuple[Contrast, ...]:
        """What tables and figures of the primary metric show: the contrasts, and the noise floor beside them."""
        return (*self.contrasts, *self.floor)

    def verdict_counts(self) -> dict[str, int]:
        """How many contrasts came to each verdict, in the order of the verdict words."""
        counts = Counter(contrast.verdict for contrast in self.contrasts)
        return {word: counts[word] for word in VERDICTS if counts[word]}


def analyse(
    study: Study,
    results: Iterable[TrialResult],
    num_eval: int | None = None,
    *,
    looks: Looks | None = None,
    broken: Sequence[str] = (),
    replicates: Sequence[int] = (),
) -> StudyAnalysis:
    """Judge a study on the results that are there.

    `num_eval` is the number of evaluation examples where no result carries per-example arrays to count; `looks` are
    those that came before; `broken` are sentences on pairs whose arms saw different data; `replicates` are those to
    judge on, if not all of them.

    Raises:
        AnalysisError: a margin below one evaluation example, two results for one arm and
            replicate, or results judged on test sets of different sizes.
    """
    known = [r for r in results if r.arm in study.trained and (not replicates or r.replicate in replicates)]
    metric = study.primary
    data = index_results(study, known, num_eval, replicates)
    check_margin(study.margin, metric, data.num_eval)
    # Replicates that are judged alone, after a look that nobody planned, are a fixed number of them.
    stage = stage_of(data, metric, study.adaptive) if study.adaptive and not replicates else None
    contrasts = contrasts_on(data, metric, primary=True, stage=stage)
    seen, told = _looks_told(data, contrasts, looks)
    others = _others(study, known)
    secondary = [contrast for other in others for contrast in contrasts_on(data, other, primary=False, stage=stage)]
    effects, floor = _effects(study, data, metric, stage), floors_on(data, metric)
    asked = replicates_asked(data, stage) if stage else dict.fromkeys(study.trained, data.num_asked)
    claim = judge_claim(study.claim, contrasts, _setting(study, data, stage)) if study.claim else None
    return StudyAnalysis(
        study=study.name,
        question=study.question,
        metric=metric,
        margin=study.margin,
        alpha=study.alpha,
        num_replicates=data.num_asked,
        num_eval=data.num_eval,
        arms=_arms(study, data, [metric, *others]),
        contrasts=tuple(contrasts),
        secondary=tuple(secondary),
        effects=effects,
        floor=floor,
        claim=conditioned(claim, seen, broken),
        pairing=_pairing_of_study(data, metric, contrasts),
        exploratory=any(result.outcome == "stopped" for result in known),
        outcomes=dict(Counter(result.outcome for result in known)),
        asked=asked,
        caveats=study.caveats(),
        notes=(
            *told,
            *_study_notes(study, data, metric, known, stage, sum(asked.values())),
            *rule_notes(data, metric, contrasts),
            *effect_notes(data, effects, stage.looks[0] if stage else None),
            *floor_notes(contrasts, floor, data.level),
        ),
        looks=seen,
    )


def _others(study: Study, results: Sequence[TrialResult]) -> list[Metric]:
    """The secondary metrics that some result has."""
    reported = {name for result in results for name in result.metrics}
    return [other for name, other in study.metrics.items() if name != study.metric and name in reported]


def _effects(study: Study, data: StudyData, metric: Metric, stage: Stage | None) -> tuple[Effect, ...]:
    # Cells stop at different replicates for what they showed: all of them have those of the first look.
    return effects_on(study, up_to(data, stage.looks[0]) if stage else data, metric)


def _setting(study: Study, data: StudyData, stage: Stage | None) -> str:
    judged = {stage.replicates_of(arm) for arm in data.compared} if stage else {data.num_asked}
    return describe_setting(study.caveats(), data.num_eval, *judged)


def _looks_told(data: StudyData, contrasts: Sequence[Contrast], looks: Looks | None) -> tuple[Looks, tuple[str, ...]]:
    """The looks that came before these contrasts, and what they cost, in sentences."""
    most = max((contrast.stability.n for contrast in contrasts), default=0)
    seen = looks.before(most) if looks else Looks()
    return seen, seen.sentences(most, len(data.compared), data.study.alpha)


def _arms(study: Study, data: StudyData, metrics: Sequence[Metric]) -> tuple[ArmSummary, ...]:
    return tuple(
        summarise(arm, arm in study.baselines, data.trials, data.replicates, metrics, data.level)
        for arm in study.trained
    )


def _pairing_of_study(data: StudyData, metric: Metric, contrasts: Sequence[Contrast]) -> Pairing | None:
    """Over the arms that trained to the end as often as the best did; an unstable arm would take replicates away.

    An arm that is the same training as its baseline is left out: it correlates by 1 whatever pairing buys.
    """
    same = {contrast.arm for contrast in contrasts if contrast.verdict == "same training"}
    arms = [arm for arm in data.study.arms if arm not in same]
    counts = {arm: values_of(arm, metric, data.trials, data.replicates) for arm in arms}
    most = max(int((~np.isnan(values)).sum()) for values in counts.values())
    return pairing_between(data, metric, [arm for arm, values in counts.items() if (~np.isnan(values)).sum() == most])


def _study_notes(
    study: Study, data: StudyData, metric: Metric, results: Sequence[TrialResult], stage: Stage | None, expected: int
) -> tuple[str, ...]:
    adaptive, there = study.adaptive, len(results)
    notes = stage_notes(adaptive, stage) if adaptive and stage else []
    if there < expected:
        notes.append(f"{there} of {expected} trials have ended: numbers and verdicts may still change")
    if stopped := sum(result.outcome == "stopped" for result in results):
        notes.append(f"exploratory: a scheduler stopped {stopped} trials, which are in no mean and no contrast")
    if failed := sum(result.outcome == "failed" for result in results):
        notes.append(
            f"{failed} trials failed (no result, for a reason outside of training): in no mean and no contrast"
        )
    stuck = [result for result in results if result.outcome == "stuck"]
    if stuck:
        why = f"; the first: {stuck[0].reason}" if stuck[0].reason else ""
        notes.append(f"{len(stuck)} trials are stuck at chance and count as failures to train{why}")
    if metric.step and data.num_eval is None:
        notes.append("the number of evaluation examples is unknown: the margin could not be checked against it")
    notes.append("intervals cover training chance (other seeds, this test set) unless they say otherwise")
    return tuple(notes)
