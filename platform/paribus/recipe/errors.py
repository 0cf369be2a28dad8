"""What a wrong recipe raises: the value, what is allowed, and the nearest right one."""

import re
import reprlib
from collections.abc import Iterable
from difflib import get_close_matches

from pydantic import ValidationError
from pydantic_core import ErrorDetails


class RecipeError(ValueError):
    """A recipe, a path into it or a level that cannot be."""


def nearest(wrong: str, allowed: Iterable[str], *, in_full: bool = False) -> str:
    """`did you mean 'x'?` for the closest of `allowed`; the whole list where nothing is close, or `in_full`."""
    choices = list(allowed)
    close = get_close_matches(wrong, choices, n=1, cutoff=0.5)
    everything = f"allowed: {', '.join(choices)}"
    if not close:
        return everything
    return f"did you mean {close[0]!r}?" + (f" ({everything})" if in_full else "")


def readable(error: ValidationError, prefix: str = "") -> str:
    """Pydantic's report as one line a fault: `path = value: what is wrong`."""
    lines = []
    for fault in error.errors(include_url=False):
        steps = _reader_path(fault["loc"])
        path = ".".join([prefix, *steps]).strip(".") or "recipe"
        whole = isinstance(fault["input"], dict) or fault["type"] == "json_invalid"
        value = "" if whole else f" = {reprlib.repr(fault['input'])}"
        lines.append(f"{path}{value}: {_message(fault)}")
    return "; ".join(lines)


# Pydantic names the member of a union that it tried among the steps of the path; a reader's path has no such step.
_UNION_TAGS = frozenset({"tuple[int, ...]", "literal['bottleneck']"})
_TAGGED_PARTS = ("model", "optimizer", "schedule")

_TYPE_FAULTS = ("float_type", "int_type")


def _reader_path(steps: tuple[int | str, ...]) -> list[str]:
    tagged = len(steps) > 1 and steps[0] in _TAGGED_PARTS
    return [str(step) for at, step in enumerate(steps) if step not in _UNION_TAGS and not (tagged and at == 1)]


def _message(fault: ErrorDetails) -> str:
    text = fault["msg"].removeprefix("Value error, ").replace("Input should be", "should be")
    context = fault.get("ctx", {})
    if fault["type"] == "union_tag_invalid":
        choices = re.findall(r"'([^']*)'", context["expected_tags"])
        return f"no kind {context['tag']!r}: {nearest(context['tag'], choices, in_full=True)}"
    if fault["type"] == "union_tag_not_found" and isinstance(fault["input"], dict):
        told = "family" if fault["loc"] == ("model",) else "kind"
        return f"has no {told!r}: say which, as in {{{told!r}: ...}}"
    if fault["type"] == "extra_forbidden":
        return "there is no such field"
    if fault["type"] in ("model_type", "dict_type", "union_tag_not_found") and fault["loc"]:
        named = ", or name a published net" if fault["loc"] == ("model",) else ""
        return f"is a part of the recipe, not a field: set one of its fields{named}"
    if fault["type"] == "tuple_type":
        given = fault["input"]
        values = tuple(part.strip() for part in given.split(",")) if isinstance(given, str) else (given,)
        return f"should be a tuple, such as {values!r}"
    if fault["type"] == "missing" and isinstance(fault["loc"][-1], int):
        return "too few values: this place, counted from 0, has none"
    if fault["input"] == "none" and fault["type"] in _TYPE_FAULTS:
        return f"{text}; no value is written null"
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        choices = re.findall(r"'([^']*)'", context["expected"])
        if close := get_close_matches(fault["input"], choices, n=1, cutoff=0.5):
            return f"{text}; did you mean {close[0]!r}?"
    return text
