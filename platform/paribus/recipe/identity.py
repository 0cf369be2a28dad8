"""A trial's name for ever: a hash of all that bears on its result."""

import json
from functools import cache
from hashlib import sha256
from typing import Any

from pydantic import BaseModel

from paribus.recipe.part import is_bookkeeping, is_neutral
from paribus.recipe.recipe import Recipe
from paribus.recipe.seeds import Seeds


def result_bearing(part: BaseModel) -> dict[str, Any]:
    """The fields of a recipe that can change a result, nested as the recipe is; later fields where they are in use."""
    never, neutral = _told_apart(type(part))
    return {
        name: result_bearing(value) if isinstance(value, BaseModel) else value
        for name, value in part
        if name not in never and not (name in neutral and is_neutral(part, name))
    }


@cache
def _told_apart(kind: type[BaseModel]) -> tuple[frozenset[str], frozenset[str]]:
    """Of a part's fields those that never bear on a result, and those that may have a neutral value."""
    never = frozenset(name for name in kind.model_fields if is_bookkeeping(kind, name))
    return never, frozenset(name for name, field in kind.model_fields.items() if field.json_schema_extra)


def canonical_json(value: Any) -> str:
    """The one way of writing a value as JSON: sorted names, no spaces, 1.0 as 1.0 wherever a float is declared."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def trial_id(recipe: Recipe, seeds: Seeds, data_digest: str) -> str:
    """SHA-256, 64 hex digits, of the recipe's result-bearing fields, the replicate's seeds and the data's digest."""
    identity = {"recipe": result_bearing(recipe), "seeds": seeds.model_dump(), "data": data_digest}
    return sha256(canonical_json(identity).encode()).hexdigest()
