"""Levels as they are written: components as text, so that each has one spelling."""

from __future__ import annotations

from typing import Any, TypeGuard

from paribus.recipe.components.component import Component, as_text
from paribus.study.checks import MOST_ARMS


def is_short(listed: object) -> TypeGuard[tuple[Any, ...] | list[Any]]:
    """Whether levels or arms are a list that will not be refused for its length, or for being none, in a moment."""
    return isinstance(listed, (tuple, list)) and len(listed) <= MOST_ARMS


def levels_written(levels: Any) -> Any:
    return tuple(map(level_written, levels)) if isinstance(levels, tuple) else levels


def level_written(level: Any) -> Any:
    return as_text(level) if isinstance(level, Component) or (isinstance(level, dict) and "kind" in level) else level
