"""The results of a study, checked and put in their places."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from paribus.analysis.contrasts import Trials
from paribus.analysis.metrics import AnalysisError
from paribus.study.words import Arm, TrialResult


class Compared(Protocol):
    """What the rule asks of a study, or of anything else whose arms are compared over paired replicates."""

    @property
    def name(self) -> str:
        """Part of the seed of its bootstrap."""

    @property
    def margin(self) -> float:
        """The smallest effect of interest, in the metric's unit."""

    @property
    def alpha(self) -> float:
        """Level of each kind of false verdict, over all contrasts."""

    @property
    def replicates(self) -> int:
        """As many are asked for, numbered from 1."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """What is compared, baselines among them."""

    @property
    def floors(self) -> tuple[Arm, ...]:
        """Baselines that were trained again."""

    def baseline_of(self, arm: Arm) -> Arm:
        """What the arm is compared with."""


@dataclass(frozen=True, kw_only=True)
class StudyData:
    """The results of a study, indexed; `compared` are its arms but for baselines, `num_asked` counts replicates."""

    study: Compared
    trials: Trials
    replicates: tuple[int, ...]
    compared: tuple[Arm, ...]
    num_eval: int | None
    level: float
    num_asked: int


def index_results(
    study: Compared, results: Sequence[TrialResult], num_eval: int | None, replicates: Sequence[int] = ()
) -> StudyData:
    """Index results by arm and replicate; `replicates` are those to judge on, if not all of the study's.

    Raises AnalysisError for two at one place or unequal test sets.
    """
    trials: dict[tuple[Arm, int], TrialResult] = {}
    for result in results:
        place = (result.arm, result.replicate)
        if place in trials:
            raise AnalysisError(
                f"two results for {result.arm.name}, replicate {result.replicate} (trials "
                f"{trials[place].trial_id[:12]} and {result.trial_id[:12]}): pass the one that the study's plan names"
            )
        trials[place] = result
    asked = replicates or range(1, study.replicates + 1)
    return StudyData(
        study=study,
        trials=trials,
        replicates=tuple(sorted({*asked, *(r for _, r in trials)})),
        compared=tuple(arm for arm in study.arms if study.baseline_of(arm) != arm),
        num_eval=_num_eval(results, num_eval),
        level=1 - study.alpha,
        num_asked=len(asked),
    )


def up_to(data: StudyData, most: int) -> StudyData:
    """The data of the first replicates alone."""
    trials = {place: trial for place, trial in data.trials.items() if place[1] <= most}
    return replace(data, trials=trials, replicates=tuple(r for r in data.replicates if r <= most))


def _num_eval(results: Sequence[TrialResult], stated: int | None) -> int | None:
    sizes = {result.examples.n for result in results if result.examples and result.examples.n} | (
        {stated} if stated else set()
    )
    if len(sizes) > 1:
        raise AnalysisError(
            f"results were judged on test sets of different sizes ({sorted(sizes)}): they can't be paired"
        )
    return sizes.pop() if sizes else None
