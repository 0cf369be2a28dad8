"""Components from outside, found by name: `"my_parts:Snake"` is `Snake` of the module `my_parts`.

A module is one that Python finds: beside the study file, or installed. Importing it here may import torch; nothing of
ours does.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import lru_cache, partial
from importlib import import_module
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, create_model

from paribus.recipe.errors import RecipeError

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")
# Of torch's own layers: where they lie and how they save memory changes no result.
_HIDDEN = frozenset({"inplace", "device", "dtype", "foreach", "fused", "capturable", "differentiable", "maximize"})
_PLAIN = (str, int, float, bool, type(None))
# Short for where well-known components live, by the place that they are named at.
SHORT = {
    "activation": {"torch": "torch.nn"},
    "norm": {"torch": "torch.nn"},
    "attention": {"torch": "torch.nn"},
    "loss": {"torch": "torch.nn"},
    "optimizer": {"torch": "torch.optim"},
    "augmentation": {"torchvision": "torchvision.transforms.v2"},
    "model": {"torchvision": "torchvision.models"},
}
_HOW = "write module:Name, of a file beside the study or an installed package, such as my_parts:Snake"


def is_own(kind: object) -> bool:
    """Whether `kind` names a component from outside, as no name of ours does."""
    return isinstance(kind, str) and ":" in kind


def is_reference(text: str) -> bool:
    """Whether `text` is written as `module:Name`; whether there is such a thing, `load` finds."""
    return _REFERENCE.fullmatch(text) is not None


def canonical(kind: str, place: str) -> str:
    """The one spelling of a reference, so that one component has one identity: `torch:NAdam`, not `torch.optim:`."""
    module, _, name = kind.strip().partition(":")
    longs = {long: short for short, long in SHORT.get(place, {}).items()}
    return f"{longs.get(module.strip(), module.strip())}:{name.strip()}"


def load(reference: str, place: str = "") -> Any:
    """What `"module:Name"` names, imported where that has not happened; `place` allows its short forms.

    Raises:
        RecipeError: no reference, no such module, one that raises while it is imported, or no such name in it.
    """
    if not isinstance(reference, str) or not _REFERENCE.fullmatch(reference):
        raise RecipeError(f"{reference!r} names no component: {_HOW}")
    name, _, attribute = reference.partition(":")
    module = _module(SHORT.get(place, {}).get(name, name), reference)
    found: Any = module
    for step in attribute.split("."):
        if not hasattr(found, step):
            raise RecipeError(f"{reference!r}: {name} has no {step!r}{_instead(found, step)}")
        found = getattr(found, step)
    if not callable(found):
        raise RecipeError(f"{reference!r} is a {type(found).__name__}: name a class, or a function that makes one")
    return found


def _module(name: str, reference: str) -> types.ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            extra = _EXTRAS.get(error.name, "")
            raise RecipeError(
                f"{reference!r}: there is no module {error.name!r} beside the study, and none is installed{extra}"
            ) from None
        raise RecipeError(f"{reference!r}: {name} imports {error.name!r}, which is not there") from None
    except Exception as error:  # a user's file may raise anything
        raise RecipeError(f"{reference!r}: importing {name} raised {type(error).__name__}: {error}") from error


_EXTRAS = {"timm": "; `pip install timm` brings it"}


def _instead(found: Any, step: str) -> str:
    names = [name for name in vars(found) if not name.startswith("_")] if hasattr(found, "__dict__") else []
    if close := get_close_matches(step, names, n=1, cutoff=0.5):
        return f"; did you mean {close[0]!r}?"
    here = getattr(found, "__name__", "")
    own = [name for name in names if getattr(getattr(found, name), "__module__", None) == here]
    return f"; it has {', '.join(own[:10])}" if own else ""


@lru_cache(maxsize=256)
def arguments(target: Callable[..., Any], given: frozenset[str]) -> type[BaseModel]:
    """The arguments of `target` that a recipe may set, as typed fields; `given` are those that Paribus passes itself.

    A callable that takes one `config`, a pydantic model, has that model's fields.
    """
    parameters = _parameters(target)
    config = config_of(target)
    if config is not None:
        return config
    hints = _hints(target)
    fields: dict[str, Any] = {}
    for name, parameter in parameters.items():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY) or name in given | _HIDDEN:
            continue
        default = ... if parameter.default is parameter.empty else parameter.default
        if default is not ... and not _is_plain(default):
            continue  # such as a class: it keeps its default
        fields[name] = (_typed(hints.get(name, Any), default), Field(default))
    open_ended = any(parameter.kind == parameter.VAR_KEYWORD for parameter in parameters.values())
    settings = ConfigDict(
        strict=True, extra="allow" if open_ended else "forbid", allow_inf_nan=False, protected_namespaces=()
    )
    return create_model(getattr(target, "__name__", "Own"), __config__=settings, **fields)


def config_of(target: Callable[..., Any]) -> type[BaseModel] | None:
    """The pydantic model that `target` takes as its `config`, if it is built so."""
    kind = _hints(target).get("config") if "config" in _parameters(target) else None
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def call(target: Callable[..., Any], given: Mapping[str, Any], chosen: Mapping[str, Any]) -> Any:
    """`target(**chosen)`, and of `given` what it has a parameter for."""
    parameters = _parameters(target)
    passed = {name: value for name, value in given.items() if name in parameters}
    if (config := config_of(target)) is not None:
        return target(config=config(**chosen), **passed)
    return target(**passed, **chosen)


def accepts(target: Callable[..., Any], name: str) -> bool:
    """Whether `target` has a parameter called `name`."""
    return name in _parameters(target)


def _parameters(target: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(target).parameters
    except (ValueError, TypeError):
        raise RecipeError(f"{target!r} does not say which arguments it takes: write a class or a function") from None


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(target.__init__ if isinstance(target, type) else target)  # type: ignore[misc]
    except Exception:  # annotations may be any text
        return {}


def _typed(hint: Any, default: Any) -> Any:
    """The type of a field: what is annotated where that is plain, else what the default is."""
    if hint is not Any and _is_plain_type(hint):
        return hint
    if isinstance(default, (bool, int, float, str)):
        return type(default)
    return Any


def _is_plain_type(hint: Any) -> bool:
    if hint in _PLAIN or hint is ...:
        return True
    origin = get_origin(hint)
    if origin is Literal:
        return True
    if origin in (Union, types.UnionType, tuple):
        return all(map(_is_plain_type, get_args(hint)))
    return False


def _is_plain(value: Any) -> bool:
    return isinstance(value, _PLAIN) or (isinstance(value, tuple) and all(map(_is_plain, value)))


def function(kind: str, place: str, chosen: Mapping[str, Any], first: str, **given: Any) -> Any:
    """What an own component is called as: a function itself, whose first argument is called `first`, or an object."""
    target = load(kind, place)
    if inspect.isfunction(target) and first in _parameters(target):
        return partial(target, **chosen, **{name: each for name, each in given.items() if accepts(target, name)})
    made = call(target, given, chosen)
    if not callable(made):
        raise RecipeError(f"{place} {kind!r} makes a {type(made).__name__}, which cannot be called")
    return made
