"""Dotted paths into a recipe's tree of plain values."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from paribus.recipe.errors import RecipeError, nearest

Tree = dict[str, Any]
# Paths of earlier releases; `recipe.part.once_called` reads the same names in documents.
_RENAMED = {"data.resident": "data.cache"}
# Fields that tell the members of a union apart: setting one starts that part afresh from its new kind's defaults.
DISCRIMINATORS = ("kind", "family")


def leaves(tree: Tree, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every `(dotted path, value)` of the tree, in its order."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def assign(tree: Tree, path: str, value: Any) -> None:
    """Set `path` in the tree, in place.

    Raises:
        RecipeError: there is no such path; the error names the nearest one.
    """
    if not isinstance(path, str):
        raise RecipeError(f"{path!r} is no path: name a recipe field as text, such as 'model.depth'")
    *parents, last = _RENAMED.get(path, path).split(".")
    node: Any = tree
    for step in parents:
        node = node.get(step) if isinstance(node, dict) else None
    if not isinstance(node, dict) or last not in node:
        raise RecipeError(f"no recipe field {path!r}: {_suggestion(tree, path)}")
    if is_discriminator(path) and node[last] != value:
        node.clear()
    node[last] = value.model_dump() if isinstance(value, BaseModel) else value


def is_discriminator(path: str) -> bool:
    """Whether the path picks a member of a union, such as `optimizer.kind`."""
    return str(path).rpartition(".")[2] in DISCRIMINATORS


def holds_another(path: str, paths: Iterable[str]) -> bool:
    """Whether `path` is a part that another of `paths` lies in, or picks the kind of such a part."""
    part = str(path).rpartition(".")[0] if is_discriminator(path) else str(path)
    return any(other != path and str(other).startswith(f"{part}.") for other in paths)


def set_over(fixed: Mapping[str, Any], more: Mapping[str, Any] | None) -> dict[str, Any]:
    """`fixed` with `more` set after it: a part that is set whole, such as a budget, takes the place of its fields."""
    kept = {path: value for path, value in fixed.items() if path.partition(".")[0] not in (more or {})}
    return {**kept, **(more or {})}


def parse_assignment(text: str) -> tuple[str, Any]:
    """`model.depth=28` as `("model.depth", 28)`; values are Python literals, and anything else is a string.

    Raises:
        RecipeError: no `=` in the text.
    """
    path, equals, value = text.partition("=")
    if not equals or not path.strip():
        raise RecipeError(f"{text!r} sets nothing: write PATH=VALUE, such as model.depth=28")
    words = {"true": True, "false": False, "none": "none", "null": None}
    if value.strip() in words:
        return path.strip(), words[value.strip()]
    try:
        return path.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # all that literal_eval documents
        return path.strip(), value.strip()


def _suggestion(tree: Tree, path: str) -> str:
    known = [name for name, _ in leaves(tree)]
    last = path.rpartition(".")[2]
    ends = {name.rpartition(".")[2]: name for name in known}
    if "." not in path and (close := get_close_matches(last, ends, n=1, cutoff=0.7)):
        return f"did you mean {ends[close[0]]!r}?"
    if unknown := _unknown_part(tree, path):
        return unknown
    part = path.rpartition(".")[0]
    siblings = [name for name in known if part and name.rpartition(".")[0] == part]
    if siblings and not get_close_matches(path, siblings, n=1, cutoff=0.75):
        return f"{part} has {', '.join(name.rpartition('.')[2] for name in siblings)}"
    if siblings or get_close_matches(path, known, n=1, cutoff=0.5):
        return nearest(path, siblings or known)
    return f"it begins with one of {', '.join(tree)}, as in 'model.depth'"


def _unknown_part(tree: Tree, path: str) -> str:
    """What the part has in which a part on the way of `path` is not, such as the auxiliary heads of a net without."""
    node: Any = tree
    steps = path.split(".")
    for at, step in enumerate(steps[:-1]):
        if step not in node:
            if at == 0 or get_close_matches(step, node, n=1, cutoff=0.6):
                return ""
            kinds = [f", its {name} {node[name]!r}" for name in DISCRIMINATORS if name in node]
            return f"{'.'.join(steps[:at])}{''.join(kinds)}, has {', '.join(node)}"
        node = node[step]
        if not isinstance(node, dict):
            return ""
    return ""
