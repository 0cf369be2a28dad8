"""A search as a JSON document, kept with it in the ledger, and back."""

import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import fields
from typing import Any

from paribus.recipe import Recipe, RecipeError
from paribus.recipe.components.recorded import Recorded, as_recorded
from paribus.study.designs.arms import StudyError
from paribus.study.own_metrics import facts_of, told_metric
from paribus.study.searches.domains import domain_as_json, domain_from_json
from paribus.study.searches.past import past_as_json, past_from_json
from paribus.study.searches.search import Search
from paribus.study.words import level_from_json

SEARCH_FILE = "search.json"
# What stands as the design of a search's run, and of the run of a search that tunes an arm of a study.
DESIGN = "search"
TUNING_DESIGN = "tuning"
SEARCHES = (DESIGN, TUNING_DESIGN)


def write_search(search: Search) -> str:
    """The search as JSON; its base is written out whole, because presets may change."""
    apart = ("base", "space", "own_metrics", "past")
    plain: dict[str, Any] = {each.name: getattr(search, each.name) for each in fields(Search) if each.name not in apart}
    space = {path: domain_as_json(domain) for path, domain in search.proposed}
    own = {name: facts_of(metric) for name, metric in search.own_metrics.items()}
    plain["scheduler"] = search.used_scheduler  # another release may take another where none is given
    whole = {**plain, "base": search.final_recipe.model_dump(), "space": space, "own_metrics": own}
    whole |= {"past": past_as_json(search.past)} if search.past is not None else {}
    return json.dumps(whole, indent=2, default=dict)


def read_search(text: str | bytes) -> Search:
    """The search that `write_search` wrote. It can be looked at where the files of its own components are gone.

    Raises:
        StudyError: the text is no such document.
    """
    try:
        try:
            return _search_of(json.loads(text), None)
        except RecipeError:
            return _search_of(json.loads(text), {})
    except (StudyError, RecipeError):
        raise
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError, ValueError) as error:
        raise StudyError(
            f"this is no search document ({error}); paribus writes one as search.json of a search"
        ) from None


def _search_of(document: dict[str, Any], recorded: Recorded | None) -> Search:
    """The search of a decoded document, with components from outside as `recorded`; None: they are imported."""
    space = {path: domain_from_json(domain) for path, domain in document["space"].items()}
    own = {name: told_metric(facts) for name, facts in document["own_metrics"].items()}
    baseline = document["baseline"]
    changed = {
        "space": space,
        "own_metrics": own,
        "fixed": _levels(document["fixed"]),
        "baseline": None if baseline is None else _levels(baseline),
        "start": tuple(one if isinstance(one, str) else _levels(one) for one in document["start"]),
    }
    if fidelity := document.get("fidelity"):  # not in what earlier releases wrote
        changed["fidelity"] = {path: tuple(map(level_from_json, values)) for path, values in fidelity.items()}
    if document.get("past") is not None:  # not in what earlier releases wrote
        changed["past"] = past_from_json(document["past"])
    with as_recorded(recorded) if recorded is not None else nullcontext():
        return Search(**{**document, **changed, "base": Recipe.read(json.dumps(document["base"]))})


def _levels(levels: Mapping[str, Any]) -> dict[str, Any]:
    return {path: level_from_json(level) for path, level in levels.items()}
