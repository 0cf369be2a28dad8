"""The tuning of a study's arms: what is known of each arm's search, and the study that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from paribus.engine.options import Options
from paribus.engine.preview import num_eval_of
from paribus.engine.searches.search_preview import CurvesOf, SearchPreview, make_search_preview
from paribus.engine.searches.tried import Tried
from paribus.study.designs.arms import StudyError
from paribus.study.searches.arm_search import search_of
from paribus.study.searches.tuning import tuned_study
from paribus.study.settings import Settings, settings_of
from paribus.study.study import Study
from paribus.study.words import Arm
from paribus.tracking.trials.record import TrialRecord


@dataclass(frozen=True, kw_only=True)
class ArmTuning:
    """What is known of one arm's tuning. `best` is None until a trial was trained to its end."""

    arm: Arm
    preview: SearchPreview
    best: Tried | None

    @property
    def is_over(self) -> bool:
        """Whether all of its trials have ended."""
        return self.preview.walk.is_over

    def history(self) -> list[tuple[int, float]]:
        """(trials, best value so far) after each that was trained to its end."""
        return self.preview.walk.history()

    def gained_late(self) -> float | None:
        """What the last third of the trials added to the best value, in the metric's unit; None with fewer than three
        that were trained to their end. Near 0, more trials would hardly have found better."""
        curve, sign = self.history(), self.preview.search.primary.sign
        if len(curve) < 3:
            return None
        before = [value for number, value in curve if number < self.preview.walk.planned * 2 / 3]
        return sign * (curve[-1][1] - before[-1]) if before else None


def arm_settings(study: Study, arm: Arm) -> Settings:
    """The settings by which the ledger knows the search of an arm: named as the arm is."""
    return replace(settings_of(search_of(study, arm)), name=arm.name)


def tunings(
    study: Study, home: Path, records: list[TrialRecord] | None, curves: CurvesOf, options: Options
) -> list[ArmTuning]:
    """What the ledger's `records` of the tuning's experiment say of each arm; None where it could not be asked.

    Raises:
        StudyError, RecipeError, DataError: what its trials would refuse.
    """
    num_eval_of(study, home)  # what the judgement would refuse is refused before anything is tuned
    found = []
    for arm in study.arms:
        preview = make_search_preview(search_of(study, arm), home, records, curves, options, again=False)
        preview = replace(preview, settings=arm_settings(study, arm))
        best = preview.walk.best()
        found.append(ArmTuning(arm=arm, preview=preview, best=best[0] if best else None))
    return found


def after_tuning(study: Study, found: list[ArmTuning]) -> Study | None:
    """The study at what each arm's tuning found; None while one of them has trials to go.

    Raises:
        StudyError: an arm that was trained to its end at none of its settings.
    """
    if not all(each.is_over for each in found):
        return None
    best = {}
    for each in found:
        if each.best is None:
            raise StudyError(
                f"study {study.name!r}, arm {each.arm.name!r}: none of {len(each.preview.walk.tried)} settings of "
                f"{', '.join(study.nuisance)} was trained to its end: widen what nuisance may take"
            )
        best[each.arm] = each.best.levels
    return tuned_study(study, best)
