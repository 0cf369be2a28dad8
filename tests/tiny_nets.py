"""A small net of every family: one that trains a step in well under a second."""

from __future__ import annotations

from typing import Any

from paribus.recipe import Recipe, preset
from paribus.recipe.families.family import Family
from paribus.recipe.model import FAMILIES

_FIELDS: dict[str, dict[str, Any]] = {
    "ResNeXt": {"depth": 11, "cardinality": 2, "width": 1.0},
    "SENet": {"blocks": (1, 1, 1, 1), "cardinality": 2, "width": 0.5},
}


def tiny(family: type[Family]) -> Recipe:
    """Two steps of a net of `family` on synthetic images."""
    model = family(**{"width": 0.125, **_FIELDS.get(family.__name__, {})})
    base = preset("synthetic")
    data = {**base.data.model_dump(), "size": max(16, model.min_size), "batch_size": 8}
    budget = {"amount": 2.0, "unit": "steps"}
    return Recipe.model_validate({**base.model_dump(), "model": model.model_dump(), "data": data, "budget": budget})


TINY = {family.__name__: tiny(family) for family in FAMILIES}
