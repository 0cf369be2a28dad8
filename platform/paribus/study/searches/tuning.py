"""Tuned comparisons: what is tuned afresh in every arm, with as much for one as for the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any

from paribus.study.checks import is_number, is_whole
from paribus.study.constructors import by_fields
from paribus.study.designs.arms import StudyError
from paribus.study.searches.space import Levels, Space, check_fixed

if TYPE_CHECKING:
    from paribus.study.study import Study
    from paribus.study.words import Arm, Level

# The experiment in which the arms of a study are tuned is called by its name and this.
TUNING = "-tuning"


@by_fields
@dataclass(frozen=True, kw_only=True)
class Tuning:
    """How each arm is tuned: by a search of its own, with as many trials as every other arm has, on seeds of its own,
    judged on a held-out share of the training split. The study then trains each arm at what was found, on fresh seeds
    with the whole training split, and judges on the evaluation split, which no tuning has seen.

    Args:
        trials: of each arm; the first is the base recipe's own setting.
        sampler, scheduler: as of a search.
        holdout: share of the training split that settings are judged on, above 0 and at most 0.5.

    Raises:
        StudyError: a number that cannot be.
    """

    trials: int = 20
    sampler: str = "tpe"
    scheduler: str = "none"
    holdout: float = 0.2

    def __post_init__(self) -> None:
        if not is_whole(self.trials) or self.trials < 1:
            raise StudyError(f"Tuning(trials={brief(self.trials)}): settings tried in each arm, at least 1")
        if not is_number(self.holdout) or not 0 < self.holdout <= 0.5:
            raise StudyError(
                f"Tuning(holdout={brief(self.holdout)}): the share of the training split that settings are judged on, "
                "above 0 and at most 0.5, for the evaluation split is what the arms are judged on in the end"
            )


def check_tuning(study: Study) -> None:
    """Raise StudyError or RecipeError where what is to be tuned cannot be, or is something else already."""
    if not isinstance(study.tuning, Tuning):
        raise StudyError(f"tuning = {brief(study.tuning)}: give Tuning(trials=12, sampler='tpe', scheduler='none')")
    if not study.nuisance:
        return
    if not isinstance(study.nuisance, Mapping):
        raise StudyError(f"nuisance = {brief(study.nuisance)}: map paths to what they may take, as in a search")
    taken: dict[str, str] = {path: "a factor" for arm in study.arms for path, _ in arm.levels}
    taken |= dict.fromkeys(study.fixed, "fixed") | ({study.free: "what matches the arms"} if study.match else {})
    if clash := [path for path in study.nuisance if path in taken]:
        raise StudyError(f"{clash[0]!r} is to be tuned in every arm and is {taken[clash[0]]}: drop one of the two")
    if study.match and (of_model := [path for path in study.nuisance if path.partition(".")[0] == "model"]):
        raise StudyError(f"{of_model[0]!r} is to be tuned, and would undo what matches the arms: drop one of the two")
    if study.base_recipe.data.holdout or "data.holdout" in {*study.nuisance, *taken}:
        raise StudyError(
            "data.holdout is the tuning's own: leave it out, and give tuning=Tuning(holdout=...): the arms are judged "
            "on the evaluation split, which no tuning has seen"
        )
    for arm in study.arms:
        try:
            base = study.base_recipe.replace(arm.as_dict())
            check_fixed(base, study.fixed, Space(study.nuisance, base))
        except ValueError as error:
            raise type(error)(f"study {study.name!r}, arm {arm.name!r}, nuisance: {error}") from None
    if strange := [arm for arm in study.tuned if arm not in study.arms]:
        raise StudyError(f"tuned has {strange[0].name!r}, which is no arm of the study")


def tuned_study(study: Study, found: Mapping[Arm, Levels]) -> Study:
    """The study whose arms are trained at what their tuning found."""
    return replace(study, tuned={arm: dict(levels) for arm, levels in found.items()})


def tuned_as_json(study: Study) -> list[dict[str, Any]]:
    """What was found, as JSON holds it."""
    return [{"arm": arm.levels, "levels": list(levels.items())} for arm, levels in study.tuned.items()]


def tuned_from_json(rows: Sequence[Mapping[str, Any]], level: Any, arm_of: Any) -> dict[Arm, dict[str, Level]]:
    """What `tuned_as_json` wrote; `level` and `arm_of` read a level and an arm."""
    return {arm_of(row["arm"]): {path: level(value) for path, value in row["levels"]} for row in rows}
