"""The recipes of a search's settings, of which there may be ten thousand: only what a setting changes is checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from paribus.recipe import Recipe, RecipeError
from paribus.recipe.part import Part
from paribus.recipe.paths import assign, holds_another, is_discriminator
from paribus.study.searches.domains import label

# Beginnings that are kept. A space has as many as there are settings of its kinds together, a handful.
_MOST = 256


class Recipes:
    """`base.replace(levels)` of many levels, equal to it and in a third of its time.

    The base with those levels set that begin a part afresh, such as `optimizer.kind`, is kept. Of a setting only the
    parts in which it changes a field are validated, each as the document that it is in a recipe, and then the recipe
    with all parts: what they ask of each other. What does not fit goes the long way, whose message names whole paths.
    """

    def __init__(self, base: Recipe) -> None:
        self.base = base
        self._split: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._begun: dict[tuple[tuple[str, str], ...], Recipe | None] = {}

    def of(self, levels: Mapping[str, Any]) -> Recipe:
        """The recipe at these levels. Raises RecipeError where they do not fit each other."""
        paths = tuple(levels)
        if paths not in self._split:
            self._split[paths] = tuple(path for path in paths if _begins(path, paths))
        first = {path: levels[path] for path in self._split[paths]}
        begun = self._from(first)
        if begun is not None:
            rest = {path: level for path, level in levels.items() if path not in first}
            if (found := _with_parts(begun, rest)) is not None:
                return found
        return self.base.replace(levels)

    def _from(self, first: Mapping[str, Any]) -> Recipe | None:
        """The base with these set; None where it is none without the others, which may yet make one of it."""
        setting = tuple((path, label(level)) for path, level in first.items())
        if setting not in self._begun:
            if len(self._begun) == _MOST:
                self._begun.clear()
            try:
                self._begun[setting] = self.base.replace(first)
            except RecipeError:
                self._begun[setting] = None
        return self._begun[setting]


def _begins(path: str, paths: tuple[str, ...]) -> bool:
    """Whether the path is set first: it begins a part afresh, or is no field of one part."""
    return is_discriminator(path) or "." not in path or holds_another(path, paths)


def _with_parts(begun: Recipe, levels: Mapping[str, Any]) -> Recipe | None:
    """`begun` with fields of its parts set; None where that is no recipe."""
    trees: dict[str, Any] = {}
    parts = {name: getattr(begun, name) for name in Recipe.model_fields}
    try:
        for path, level in levels.items():
            name = path.partition(".")[0]
            if not isinstance(parts.get(name), Part):
                return None
            if name not in trees:
                trees[name] = parts[name].model_dump()
            assign(trees, path, level)
        changed = {name: type(parts[name]).model_validate_json(json.dumps(tree)) for name, tree in trees.items()}
        return Recipe(**{**parts, **changed})
    except (RecipeError, ValidationError, TypeError):  # TypeError: a level that no document can hold
        return None
