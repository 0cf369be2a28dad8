"""Puts a mutant in the place of a module that is imported already: whoever holds its functions then runs the mutant."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any


def patch(module: ModuleType, tree: ast.Module) -> None:
    """Functions and methods get the mutant's code and defaults; numbers and texts are set wherever they are held."""
    fresh = ModuleType(module.__name__)
    fresh.__file__, fresh.__package__ = module.__file__, module.__package__
    sys.modules[module.__name__] = fresh  # dataclasses look their module up by its name
    try:
        exec(compile(tree, str(module.__file__), "exec"), fresh.__dict__)
    finally:
        sys.modules[module.__name__] = module
    _exchange(vars(module), vars(fresh), module.__name__)


def forget(mutated: str) -> None:
    """Empties the caches of the module and of those that import it: what they computed before is not the mutant's."""
    for name in _users(mutated) & set(sys.modules):
        for value in list(vars(sys.modules[name]).values()):
            if hasattr(value, "cache_clear"):
                value.cache_clear()


def _users(mutated: str) -> set[str]:
    """The module and every module of ours that imports it, by way of others or not."""
    users, before = {mutated}, set[str]()
    while users != before:
        before = set(users)
        users |= {name for name, imported in _imports().items() if imported & users}
    return users


@cache
def _imports() -> dict[str, set[str]]:
    """What each module of the package imports, by name; relative imports stay within their own room."""
    found = {}
    for path in Path("platform/paribus").rglob("*.py"):
        lines = re.findall(r"^ *from (paribus[\w.]*) import ([\w, ]*)", path.read_text(), re.MULTILINE)
        name = ".".join(path.relative_to("platform").with_suffix("").parts).removesuffix(".__init__")
        found[name] = {
            place for room, names in lines for place in (room, *(f"{room}.{n.strip()}" for n in names.split(",")))
        }
    return found


def _exchange(old: Mapping[str, Any], new: Mapping[str, Any], name: str) -> None:
    for key, now in new.items():
        was, now = _plain(old.get(key)), _plain(now)
        if isinstance(was, FunctionType) and isinstance(now, FunctionType):
            if was.__module__ == name and was.__code__.co_freevars == now.__code__.co_freevars:
                was.__code__ = now.__code__
                was.__defaults__, was.__kwdefaults__ = now.__defaults__, now.__kwdefaults__
        elif isinstance(was, type) and isinstance(now, type):
            if was.__module__ == name:
                _exchange(vars(was), vars(now), name)
        elif _is_constant(now) and was != now and not key.startswith("__"):
            _everywhere(key, was, now)


def _plain(value: Any) -> Any:
    """The function within a property, a static method or a cache."""
    value = getattr(value, "__func__", value)
    value = value.fget if isinstance(value, property) else value
    while hasattr(value, "__wrapped__"):
        value = value.__wrapped__
    return value


def _is_constant(value: Any) -> bool:
    if isinstance(value, tuple | frozenset):
        return all(map(_is_constant, value))
    if isinstance(value, dict):
        return all(map(_is_constant, (*value, *value.values())))
    return isinstance(value, int | float | str | type(None))


def _everywhere(key: str, was: Any, now: Any) -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith(("paribus", "tests", "test_")) and module.__dict__.get(key) is was:
            module.__dict__[key] = now
