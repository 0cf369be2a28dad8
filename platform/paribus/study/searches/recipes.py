"""The recipes of a search's settings, of which there may be ten thousand: what many of them begin from is made once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paribus.recipe import Recipe, RecipeError
from paribus.recipe.paths import holds_another
from paribus.study.searches.domains import label

# Beginnings that are kept. A space has as many as there are settings of its kinds together, a handful.
_MOST = 256


class Recipes:
    """`base.replace(levels)` of many levels: where some of them begin a part afresh, such as `optimizer.kind`, the base
    with those set is kept, and each setting is validated once and not twice."""

    def __init__(self, base: Recipe) -> None:
        self.base = base
        self._split: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._begun: dict[tuple[tuple[str, str], ...], Recipe | None] = {}

    def of(self, levels: Mapping[str, Any]) -> Recipe:
        """The recipe at these levels. Raises RecipeError where they do not fit each other."""
        paths = tuple(levels)
        if paths not in self._split:
            self._split[paths] = tuple(path for path in paths if holds_another(path, paths))
        first = {path: levels[path] for path in self._split[paths]}
        begun = self._from(first) if 0 < len(first) < len(levels) else None
        if begun is None:
            return self.base.replace(levels)
        return begun.replace({path: level for path, level in levels.items() if path not in first})

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
