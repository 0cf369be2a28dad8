"""Dotted paths into a recipe's tree of plain values."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

from paribus.recipe.errors import RecipeError

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
    """What is meant by a path that is none: by its last word first, because all paths of a part begin alike."""
    places = _places(tree)
    last = path.rpartition(".")[2]
    if last in _OTHER_WORDS:
        return _OTHER_WORDS[last]
    part, node = _deepest(tree, path)
    siblings = [f"{part}.{name}" for name in node] if part and isinstance(node, dict) else []
    if part and not isinstance(node, dict):
        more = f": `paribus fields {part}` says what has" if isinstance(node, str) else ""
        return f"did you mean {part!r}? It is {node!r}, which has no fields{more}"
    if near := _near(last, siblings, 0.6) or _near(last, places, 1.0):
        return f"did you mean {near!r}?"
    if siblings:
        kinds = "".join(
            f"; its {name} is {node[name]!r}, and `paribus fields {part}` has those of every {name}"
            for name in DISCRIMINATORS
            if name in node
        )
        return f"{part} has {', '.join(node)}{kinds}"
    if near := _near(last, places, 0.7):
        return f"did you mean {near!r}?"
    if close := get_close_matches(path, places, n=1, cutoff=0.7):
        return f"did you mean {close[0]!r}?"
    return f"it begins with one of {', '.join(tree)}, as in 'model.depth'; `paribus fields` lists all"


# What other programs call it, or have where a recipe has none.
_OTHER_WORDS = {
    **dict.fromkeys(("learning_rate", "lrate"), "did you mean 'optimizer.lr'?"),
    "wd": "did you mean 'optimizer.weight_decay'?",
    "batch": "did you mean 'data.batch_size'?",
    "dataset": "did you mean 'data.name'?",
    "scheduler": "did you mean 'schedule.kind'?",
    "amp": "did you mean 'numerics.precision'?",
    "k": "did you mean 'model.width'?",
    **dict.fromkeys(("epochs", "num_epochs"), "did you mean 'budget', such as '20 epochs'?"),
    "steps": "did you mean 'budget', such as '1000 steps'?",
    "seed": "a recipe holds no chance; the study does, in Study(seed=...)",
    "seeds": "a recipe holds no chance; the study does, in Study(replicates=...)",
}


def _places(tree: Tree, prefix: str = "") -> list[str]:
    """Every path of the tree, those of its parts too."""
    found = []
    for name, value in tree.items():
        found.append(f"{prefix}{name}")
        found += _places(value, f"{prefix}{name}.") if isinstance(value, dict) else []
    return found


def _deepest(tree: Tree, path: str) -> tuple[str, Any]:
    """The part or field furthest along the way of `path` that is there, and its value; "" where not even its first."""
    node: Any = tree
    steps = path.split(".")
    for at, step in enumerate(steps):
        if not isinstance(node, dict) or step not in node:
            return ".".join(steps[:at]), node
        node = node[step]
    return path, node


def _near(last: str, places: Iterable[str], cutoff: float) -> str:
    """Of these paths the one whose last word is nearest, the shortest of several; "" where none is near."""
    by_last: dict[str, str] = {}
    for place in sorted(places, key=len, reverse=True):
        by_last[place.rpartition(".")[2]] = place
    close = get_close_matches(last, by_last, n=1, cutoff=cutoff)
    return by_last[close[0]] if close else ""
