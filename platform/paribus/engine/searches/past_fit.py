"""Whether a result of elsewhere is one of a search's settings: what it learns from, and why the others are left out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paribus.engine.samplers.sampler import Told
from paribus.recipe import Recipe, RecipeError
from paribus.recipe.identity import result_bearing
from paribus.recipe.paths import leaves
from paribus.study.searches.past import Past, PastResult
from paribus.study.searches.search import Search
from paribus.study.searches.space import Levels, levels_of

# On which data a trial is judged is the search's own affair, and what else is reported of it changes nothing.
_OF_NO_ACCOUNT = ("data.holdout", "metrics")
_MOST_NAMED = 2
_ABSENT = object()


@dataclass
class Gathered:
    """Past results as they are gathered: rows that fit, and how many were left out for which reason."""

    search: Search
    rows: list[PastResult] = field(default_factory=list)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def leave(self, source: str, why: str) -> None:
        """One is left out."""
        self.left_out[source, why] += 1

    def add(self, source: str, levels: Levels, metrics: Mapping[str, float]) -> None:
        """A result at `levels`, those of the whole space that are asked; no `metrics`: it did not train."""
        if why := outside(self.search, levels):
            self.leave(source, why)
        elif metrics and (lacking := [name for name in asked_for(self.search) if name not in metrics]):
            self.leave(source, f"without {', '.join(lacking)}")
        elif not all(math.isfinite(metrics[name]) for name in asked_for(self.search) if metrics):
            self.leave(source, "a value that is no number")
        else:
            told = {name: metrics[name] for name in asked_for(self.search)} if metrics else {}
            self.rows.append(PastResult(source=source, levels=levels, metrics=told))

    def past(self) -> Past:
        """What was gathered."""
        return Past(rows=tuple(self.rows), left_out=dict(self.left_out), notes=tuple(dict.fromkeys(self.notes)))


def asked_for(search: Search) -> list[str]:
    """What a result must report to be learnt from: the objectives, and what constraints bound."""
    return list(dict.fromkeys([*(name for name, _ in search.objectives), *(bound.name for bound in search.bounds)]))


def values_of(search: Search, metrics: Mapping[str, float]) -> tuple[float, ...]:
    """The objectives of a result, turned so that larger is better."""
    return tuple(sign * metrics[name] for name, sign in search.objectives)


def excess_of(search: Search, metrics: Mapping[str, float]) -> dict[str, float]:
    """By how much a result breaks each constraint."""
    return {f"{bound.name} at {bound.bound:g}": bound.excess(metrics[bound.name]) for bound in search.bounds}


def outside(search: Search, levels: Levels) -> str:
    """Why these levels are no setting of the search's space, by the field and not by its value; "" where they are."""
    chosen: dict[str, Any] = {}
    for path, domain in search.domains:
        if not search.domains.asks(path, chosen):
            continue
        if path not in levels:
            return f"without {path}"
        if not domain.holds(levels[path]):
            return f"{path} outside {domain}"
        chosen[path] = levels[path]
    return search.domains.fault(levels)


def setting_of(search: Search, recipe: Recipe) -> tuple[Levels, str]:
    """The setting of the search's space that a recipe is, and what else of it is otherwise; "" where nothing is."""
    levels = search.domains.asked(levels_of(recipe, [path for path, _ in search.domains]))
    if outside(search, levels):
        return levels, ""
    try:
        own = _facts(search.recipe_of(levels))
    except RecipeError as error:
        return levels, f"fields that do not fit each other: {error}"
    theirs = _facts(recipe)
    other = [path for path in {**own, **theirs} if own.get(path, _ABSENT) != theirs.get(path, _ABSENT)]
    told = [_otherwise(path, theirs, own) for path in other[:_MOST_NAMED]]
    more = [f"{len(other) - _MOST_NAMED} more fields"] if len(other) > _MOST_NAMED else []
    return levels, ", ".join([*told, *more])


def told_of(search: Search) -> list[Told]:
    """What a sampler is told of past results, before all trials of the search: numbers below 0 are none of its own."""
    rows = search.past.rows if search.past is not None else ()
    return [
        Told(
            number=at - len(rows),
            levels=row.levels,
            state="finished" if row.metrics else "failed",
            values=values_of(search, row.metrics) if row.metrics else (),
            excess=excess_of(search, row.metrics) if row.metrics else {},
        )
        for at, row in enumerate(rows)
    ]


def _otherwise(path: str, theirs: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    has, wants = (str(each[path]) if path in each else "not set" for each in (theirs, own))
    return f"{path} = {has} and not {wants}"


def _facts(recipe: Recipe) -> dict[str, Any]:
    return {path: value for path, value in leaves(result_bearing(recipe)) if path not in _OF_NO_ACCOUNT}
