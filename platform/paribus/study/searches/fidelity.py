"""Trials of a search that are smaller at first: by a share of the data, the resolution, or another field."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as brief
from typing import TYPE_CHECKING, Any

from paribus.recipe import Recipe
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import label
from paribus.study.searches.population import is_population
from paribus.study.searches.space import levels_of
from paribus.study.words import Level

if TYPE_CHECKING:
    from paribus.study.searches.search import Search

_FORM = "such as {'data.train_fraction': (0.1, 0.3, 1.0)} or {'data.size': (16, 32)}, the whole trial's value last"


def rungs_of(fidelity: Mapping[str, Any]) -> tuple[str, tuple[Level, ...]] | None:
    """The field and its values, the whole trial's last; None where all trials are whole.

    Raises:
        StudyError: anything else than one field with two values or more, each once.
    """
    if not isinstance(fidelity, Mapping):
        raise StudyError(f"fidelity = {brief(fidelity)}: one field and its values, {_FORM}")
    if not fidelity:
        return None
    [(path, values), *more] = fidelity.items()
    is_list = isinstance(values, (tuple, list)) and len({label(value) for value in values}) == len(values) > 1
    if more or not isinstance(path, str) or not is_list:
        raise StudyError(f"fidelity = {brief(dict(fidelity))}: one field and two values or more, each once, {_FORM}")
    return path, tuple(values)


def check_fidelity(search: Search, whole: Recipe) -> None:
    """Raise StudyError where a search cannot have the fidelity that it gives; `whole` is a whole trial's recipe."""
    rungs = search.rungs
    if rungs is None:
        return
    path, values = rungs
    if path in search.space or path in (search.baseline or {}):
        raise StudyError(f"{path!r} is the search's fidelity: leave it out of space and baseline")
    known = levels_of(whole, [path])
    if path not in known:
        raise StudyError(f"fidelity names {path!r}, and a recipe of this search has no such field")
    if label(known[path]) != label(values[-1]):
        raise StudyError(
            f"fidelity = {{{path!r}: {values!r}}}: the last value is a whole trial's, and the base recipe has "
            f"{path} = {known[path]!r}"
        )
    if is_population(search.scheduler):
        raise StudyError(
            f"scheduler = {search.scheduler!r}: members of a population go on from checkpoints, and with fidelity each "
            "trial is trained anew: leave one of the two out"
        )
    if search.start:
        raise StudyError(
            "a search with fidelity learns from no past results and starts from no settings: leave start out"
        )
    if search.budget or search.against or search.constraints:
        raise StudyError(
            "a search with fidelity trains as many trials of each size as its scheduler says, the best by the metric "
            "alone: leave budget, against and constraints out"
        )
