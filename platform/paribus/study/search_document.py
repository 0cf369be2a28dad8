"""A search as a JSON document, kept with it in the ledger."""

import json
from dataclasses import fields
from typing import Any

from paribus.study.own_metrics import facts_of
from paribus.study.search import Search

SEARCH_FILE = "search.json"


def write_search(search: Search) -> str:
    """The search as JSON; its base is written out whole, because presets may change."""
    apart = ("base", "space", "own_metrics")
    plain: dict[str, Any] = {each.name: getattr(search, each.name) for each in fields(Search) if each.name not in apart}
    space = {path: str(domain) for path, domain in search.domains}
    own = {name: facts_of(metric) for name, metric in search.own_metrics.items()}
    whole = {**plain, "base": search.final_recipe.model_dump(), "space": space, "own_metrics": own}
    return json.dumps(whole, indent=2, default=dict)
