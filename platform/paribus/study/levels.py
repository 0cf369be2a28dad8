"""Levels as they are written: components as text, so that each has one spelling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from paribus.recipe.components.component import Component, as_text
from paribus.study.checks import MOST_ARMS


def is_short(listed: object) -> TypeGuard[tuple[Any, ...] | list[Any]]:
    """Whether levels or arms are a list that will not be refused for its length, or for being none, in a moment."""
    return isinstance(listed, (tuple, list)) and len(listed) <= MOST_ARMS


def levels_written(levels: Any) -> Any:
    """Several levels of one factor."""
    return tuple(map(level_written, levels)) if isinstance(levels, tuple) else levels


def level_written(level: Any) -> Any:
    """A component as its text; any other level as it is."""
    return as_text(level) if isinstance(level, Component) or (isinstance(level, dict) and "kind" in level) else level


def arm_written(levels: Any) -> Any:
    """The levels of an arm by path; what is no mapping as it is, to be refused in a moment."""
    return {path: level_written(level) for path, level in levels.items()} if isinstance(levels, Mapping) else levels
