"""What a search must be, checked where it is built."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any

from paribus.recipe import Recipe, RecipeError
from paribus.recipe.components.component import written
from paribus.study.checks import check_name, check_word, is_number, is_whole
from paribus.study.designs.arms import StudyError
from paribus.study.searches.bounds import BUDGET_WORDS, COSTS
from paribus.study.searches.past import FORMS, check_source
from paribus.study.searches.space import check_fixed

if TYPE_CHECKING:
    from paribus.study.searches.search import Search

MOST_TRIALS = 100_000
MOST_TOP = 20
# The study that confirms a search is called by its name and this.
CONFIRMED = "-confirmed"


def check_fields(search: Search) -> None:
    check_name(search.name)
    check_name(f"{search.name}{CONFIRMED}")
    if not isinstance(search.base, (str, Recipe)):
        raise StudyError(f"base = {brief(search.base)}: give a preset's name, such as 'digits', or a Recipe")
    if not isinstance(search.fixed, Mapping):
        raise StudyError(f"fixed = {brief(search.fixed)}: map paths to values, such as {{'optimizer.lr': 0.1}}")
    check_word("metric", search.metric, tuple(search.metrics))
    if not isinstance(search.against, (tuple, list)):
        raise StudyError(f"against = {brief(search.against)}: a tuple of metrics or costs, such as ('num_params',)")
    for name in search.against:
        check_word("against", name, (*(each for each in search.metrics if each != search.metric), *COSTS))
    _check_named("sampler", search.sampler)
    if search.scheduler != "":
        _check_named("scheduler", search.scheduler)
    _check_numbers(search)
    _check_confirmation(search)
    for what, wanted in (("constraints", "'peak_memory_mib < 2000',"), ("start", "{'optimizer.lr': 0.1},")):
        if not isinstance(getattr(search, what), (tuple, list)):
            raise StudyError(f"{what} = {brief(getattr(search, what))}: give a tuple, such as ({wanted})")
    for one in search.start:
        if isinstance(one, str):
            check_source(one, (search.name, f"{search.name}{CONFIRMED}"))
        elif not isinstance(one, Mapping):
            raise StudyError(
                f"start = {brief(search.start)}: settings map paths to levels, such as {{'optimizer.lr': 0.1}}, and "
                f"past results are {FORMS}"
            )


def check_recipes(search: Search) -> None:
    """What the search decides itself, and what a search would undo or could not measure."""
    searched = [path for path, _ in search.domains]
    if search.final_recipe.data.holdout or {"data.holdout"} & {*searched, *search.fixed, *(search.baseline or {})}:
        raise StudyError(
            "data.holdout is the search's own, by which its trials are judged and its confirmation is not: give "
            "holdout=0.2, and leave data.holdout out of base, fixed, space and baseline"
        )
    check_fixed(search.base_recipe, search.fixed, search.proposed)
    has_gpus = search.base_recipe.resources.gpus > 0
    if search.seconds is not None and search.seconds.of_gpus and not has_gpus:
        raise StudyError(
            f"budget = {search.budget!r}, and resources.gpus = 0: give hours of workers, such as '2 hours'"
        )
    if "peak_memory_mib" in {*search.against, *(bound.name for bound in search.bounds)} and not has_gpus:
        raise StudyError(
            "peak_memory_mib without a GPU is the most that a worker has held since it began, for whatever trial: "
            "compare num_params or flops instead"
        )


def _check_numbers(search: Search) -> None:
    if not is_whole(search.trials) or not 1 <= search.trials <= MOST_TRIALS:
        raise StudyError(f"trials = {brief(search.trials)}: a whole number from 1 to {MOST_TRIALS:,}")
    if not is_whole(search.seed):
        raise StudyError(f"seed = {brief(search.seed)}: a whole number")
    if not is_whole(search.top) or not 1 <= search.top <= MOST_TOP:
        raise StudyError(f"top = {brief(search.top)}: how many settings are confirmed, from 1 to {MOST_TOP}")
    if not is_whole(search.confirm) or search.confirm < 0:
        raise StudyError(f"confirm = {brief(search.confirm)}: replicates of the confirmation, or 0 for none")
    if not is_number(search.holdout) or not 0 <= search.holdout <= 0.5:
        raise StudyError(
            f"holdout = {brief(search.holdout)}: the share of the training split to judge trials on, from 0 to 0.5"
        )
    if not isinstance(search.budget, str):
        raise StudyError(f"budget = {brief(search.budget)}: {BUDGET_WORDS}")


def _check_confirmation(search: Search) -> None:
    if search.confirm and not search.holdout:
        raise StudyError(
            "holdout = 0: the search would choose by the evaluation split, and nothing that it has not seen would be "
            "left to confirm on. Give holdout=0.2, or confirm=0 where no verdict is wanted"
        )


def _check_named(what: str, text: Any) -> None:
    if not isinstance(text, str) or not text.strip():
        raise StudyError(
            f"{what} = {brief(text)}: give its name, with arguments where it takes some: 'tpe', 'asha(eta=3)'"
        )
    try:
        written(text, what)
    except RecipeError as error:
        raise StudyError(str(error)) from None
