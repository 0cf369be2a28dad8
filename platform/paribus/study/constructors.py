"""What a person writes in a study file says by name which of its fields is wrong or missing, as a StudyError."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from paribus.recipe.errors import RecipeError, nearest
from paribus.study.where import end_script_in_a_sentence

_Made = TypeVar("_Made")
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class StudyError(ValueError):
    """A study that cannot be: the message names the value, what is allowed and what to do."""


def by_fields(cls: type[_Made]) -> type[_Made]:
    """The class, whose constructor raises StudyError for a field that it has not, or that is left out.

    Python's own TypeError names no field that is near, and is a traceback to whoever wrote the study.
    """
    name = "__new__" if "__new__" in vars(cls) else "__init__"
    made = getattr(cls, name)

    @functools.wraps(made)
    def construct(*args: Any, **kwargs: Any) -> Any:
        try:
            return made(*args, **kwargs)
        except (StudyError, RecipeError) as error:
            end_script_in_a_sentence(error, inspect.currentframe())
            raise
        except TypeError:
            fault = _fault(cls.__name__, made, args, kwargs)
            if not fault:
                raise  # of what it does, and not of how it was called
        told = StudyError(fault)
        end_script_in_a_sentence(told, inspect.currentframe())
        raise told

    setattr(cls, name, staticmethod(construct) if name == "__new__" else construct)
    return cls


def _fault(name: str, made: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """What is wrong with the call; "" where nothing is."""
    signature = inspect.signature(made)
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        own = list(signature.parameters.values())[1:]  # the first is the object
        known = [each.name for each in own if each.kind in _BY_NAME]
        if unknown := [each for each in kwargs if each not in known]:
            return f"{name} has no {unknown[0]!r}: {nearest(unknown[0], known)}"
        in_order = [each.name for each in own if each.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD]
        if len(args) - 1 > len(in_order):
            most = f"after the first {len(in_order)} " if in_order else ""
            return f"{name} takes its fields by name {most}({name}({known[0]}=..., ...)): it has {', '.join(known)}"
        given = {*in_order[: len(args) - 1], *kwargs}
        missing = [each.name for each in own if each.default is each.empty and each.name not in given]
        missing = [each for each in missing if each in known]
        if missing:
            shape = ", ".join(f"{each}=..." for each in missing)
            return f"{name} lacks {' and '.join(missing)}: write {name}({shape}, ...)"
        twice = ", ".join(sorted({*in_order[: len(args) - 1]} & set(kwargs)))
        return f"{name} is given {twice} twice, once by name"
    return ""
