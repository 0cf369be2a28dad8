"""Arms that cost what their baseline costs: in each, one free number of the recipe is set to what comes nearest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any

from paribus.recipe.errors import nearest
from paribus.recipe.paths import leaves
from paribus.study.designs.arms import StudyError
from paribus.study.words import Arm, short_name, show_level

if TYPE_CHECKING:
    from paribus.recipe import Recipe
    from paribus.study.designs.nearest_value import Number
    from paribus.study.study import Study

# What arms may be matched on, in the words of a sentence.
FIGURES = {"params": "parameters", "flops": "FLOPs"}
_MEASURED = {"seconds": "time", "peak_memory": "memory"}


@dataclass(frozen=True, kw_only=True)
class Matched:
    """The free number of an arm was set to `value`, which gives it `figure` where its baseline has `target`."""

    arm: Arm
    value: Number
    figure: int
    target: int

    @property
    def off(self) -> float:
        """By which share of the target the figure is above (+) or below it (-)."""
        return self.figure / self.target - 1


def to_match(study: Study) -> tuple[Arm, ...]:
    """The arms whose free number is to be set: all but the baselines."""
    return tuple(arm for arm in study.arms if arm not in study.baselines)


def is_unmatched(study: Study) -> bool:
    """Whether the arms are to be matched and have not been."""
    return bool(study.match) and not study.matched


def check_match(study: Study) -> None:
    """Raise StudyError for a figure that arms cannot be matched on, or a free field that no arm can be matched by."""
    _check_tolerance(study)
    if not study.match and not study.free:
        return
    _check_figure(study.match)
    if not isinstance(study.free, str) or not study.free:
        raise StudyError(
            f"match = {study.match!r} and free = {brief(study.free)}: name the number of the recipe that each arm may "
            "change to come to its baseline's figure, such as free='model.width'"
        )
    if study.free in study.arms[0].as_dict():
        raise StudyError(
            f"free = {study.free!r} is a factor too, and each arm has its level of it: name another number"
        )
    if not to_match(study):
        raise StudyError(f"match = {study.match!r}: there is no arm beside the baseline to be matched with it")
    for arm in study.arms:
        start_of(study, arm, study.recipe_of(arm))


def start_of(study: Study, arm: Arm, recipe: Recipe) -> Number:
    """The free number of an arm's recipe; StudyError where the arm has none of that name, or no number above 0."""
    known: Mapping[str, Any] = dict(leaves(recipe.model_dump()))
    if study.free not in known:
        if any(path.startswith(f"{study.free}.") for path in known):
            raise StudyError(f"free = {study.free!r} is a part of the recipe, not a number: name one of its fields")
        hint = nearest(study.free, known)
        raise StudyError(f"free = {study.free!r} is no field of the recipe of the arm {arm.name!r}: {hint}")
    value = known[study.free]
    if not _is_number(value) or value <= 0:
        raise StudyError(
            f"free = {study.free!r} is {show_level(value)} in the arm {arm.name!r}: it takes a number above 0, from "
            f"which the search begins, such as 'model.width'; fixed={{{study.free!r}: ...}} may give it one"
        )
    number: Number = value
    return number


def match_sentence(study: Study, found: Matched) -> str:
    """`k = 0.62 for 172,300 parameters, +0.2 % of the baseline's`."""
    return (
        f"{short_name(study.free)} = {show_level(found.value)} for {found.figure:,} {FIGURES[study.match]}, "
        f"{100 * found.off:+.2g} % of its baseline's"
    )


def violations(study: Study, figures: Mapping[Arm, float]) -> list[str]:
    """A sentence for each arm whose figure is further from its baseline's than the tolerance; `figures` are measured,
    and those of arms that are not in it are the ones counted."""
    lines = []
    for found in study.matched:
        baseline = study.baseline_of(found.arm)
        figure, target = figures.get(found.arm, found.figure), figures.get(baseline, found.target)
        if abs(figure / target - 1) > study.match_tolerance:
            lines.append(
                f"{found.arm.name} is not matched: it has {figure:,.0f} {FIGURES[study.match]} where {baseline.name} "
                f"has {target:,.0f} ({100 * (figure / target - 1):+.2g} %, the tolerance is "
                f"{100 * study.match_tolerance:g} %), and no {study.free} comes nearer than {show_level(found.value)}"
            )
    return lines


def _check_figure(match: Any) -> None:
    if isinstance(match, str) and match in FIGURES:
        return
    if isinstance(match, str) and match in _MEASURED:
        raise StudyError(
            f"match = {match!r}: {_MEASURED[match]} is measured, and differs from run to run and machine to machine, "
            "so that the same command would not come to the same trials. Match on 'flops' or 'params', or find the "
            "values by runs of a few steps, whose seconds reports show, and list the arms with them (design='explicit')"
        )
    allowed = ", ".join(map(repr, FIGURES))
    raise StudyError(f"match = {brief(match)} with a free number of the recipe: allowed are {allowed}")


def _check_tolerance(study: Study) -> None:
    tolerance: Any = study.match_tolerance
    if not _is_number(tolerance) or not 0 < tolerance < 1:
        raise StudyError(
            f"match_tolerance = {brief(tolerance)}: the share of the baseline's figure by which an arm may miss it, "
            "above 0 and below 1, such as 0.02"
        )
    if not study.match and not study.free and tolerance != type(study).match_tolerance:
        raise StudyError(
            f"match_tolerance = {tolerance} goes with match and free, such as match='params', free='model.width'"
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and isfinite(value)
