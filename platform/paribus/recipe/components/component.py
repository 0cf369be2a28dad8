"""A component as a field of a recipe: a name of ours or `"module:Name"`, with its arguments where it takes some.

Without arguments it is its name, as text; with some it is a part whose fields they are, so that each has a dotted path
(`model.activation.alpha`). Every way of writing it gives the same value: `"elu"`, `"elu(alpha=0.5)"`,
`{"kind": "elu", "alpha": 0.5}`; what is left out has its default.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, ValidationError
from pydantic_core import CoreSchema, core_schema

from paribus.recipe.components.own import canonical, is_own
from paribus.recipe.components.recorded import taken
from paribus.recipe.errors import RecipeError, nearest, readable
from paribus.recipe.part import Part

_TEXT = re.compile(r"\s*([\w.:]+)\s*\((.*)\)\s*", re.DOTALL)
# What Paribus passes itself to a component that has such a parameter: the channels of the map that it works on, the
# classes, and what functions are called with.
GIVEN = frozenset({"channels", "num_channels", "num_features", "num_classes"})
CALLED_WITH = frozenset({"logits", "targets", "done", "images", "labels", "image", "params"})


class WithArguments(Part):
    """A part whose further fields are the arguments of what it names."""

    model_config = ConfigDict(extra="allow")

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments by name."""
        return dict(self.__pydantic_extra__ or {})


class Component(WithArguments):
    """A component with arguments."""

    kind: str

    def __str__(self) -> str:
        return as_text(self)


# Text where there are no arguments, so that a field which was text before has the identities that it had.
Value = str | Component


def kind_of(value: Value) -> str:
    """The name alone."""
    return value if isinstance(value, str) else value.kind


def arguments_of(value: Value) -> dict[str, Any]:
    """Arguments by name."""
    return {} if isinstance(value, str) else value.arguments


def as_text(value: Value | Mapping[str, Any]) -> str:
    """`elu(alpha=0.5)`: how a level of a study is called, and another way to write the component."""
    if isinstance(value, str):
        return value
    fields = value if isinstance(value, Mapping) else {"kind": value.kind, **value.arguments}
    inside = ", ".join(f"{name}={argument!r}" for name, argument in fields.items() if name != "kind")
    return f"{fields.get('kind')}({inside})" if inside else str(fields.get("kind"))


class Place:
    """In the annotation of a field: it takes one of `kinds` (name to the model of its arguments), or an own component.

    `name` says in errors what it is, and is the key of `own.SHORT`.
    """

    def __init__(self, name: str, kinds: Mapping[str, type[BaseModel]]) -> None:
        self.name, self.kinds = name, kinds

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        dumped = core_schema.plain_serializer_function_ser_schema(_dumped)
        return core_schema.no_info_plain_validator_function(self.check, serialization=dumped)

    def check(self, value: Any) -> Value:
        """The component that `value` writes; see `component_of`."""
        return component_of(value, self.name, self.kinds)

    def short(self, value: Value) -> str:
        """The text of `value` without the arguments that have their defaults."""
        usual = arguments_of(self.check(kind_of(value))) if not isinstance(value, str) else {}
        odd = {name: each for name, each in arguments_of(value).items() if name not in usual or usual[name] != each}
        return as_text({"kind": kind_of(value), **odd})


def _dumped(value: Value) -> str | dict[str, Any]:
    return value if isinstance(value, str) else {"kind": value.kind, **value.arguments}


def component_of(value: Any, place: str, kinds: Mapping[str, type[BaseModel]]) -> Value:
    """The checked component that `value` writes.

    Raises:
        RecipeError: no such name, or an argument that it does not take.
    """
    fields = written(value, place)
    kind = fields.pop("kind", None)
    if not isinstance(kind, str):
        raise RecipeError(f"{value!r} is no {place}: give its name, or its name and arguments as {{'kind': 'name', …}}")
    if is_own(kind):
        kind = canonical(kind, place)
        allowed = taken(kind, place, GIVEN | CALLED_WITH)
    elif kind in kinds:
        allowed = kinds[kind]
    else:
        raise RecipeError(
            f"no {place} {kind!r}: {nearest(kind, kinds, in_full=True)}, or one of your own as module:Name"
        )
    chosen = checked(allowed, fields, f"{place} {kind!r}")
    return Component(kind=kind, **chosen) if chosen else kind


def checked(allowed: type[BaseModel], fields: Mapping[str, Any], whose: str) -> dict[str, Any]:
    """`fields` validated, with the defaults of those left out; RecipeError says what `whose` takes."""
    try:
        return frozen(allowed.model_validate(frozen(fields)).model_dump())
    except ValidationError as error:
        known = {name for name, each in allowed.model_fields.items()}
        if strange := [name for name in fields if name not in known and allowed.model_config.get("extra") == "forbid"]:
            hint = nearest(strange[0], sorted(known)) if known else "it takes none"
            raise RecipeError(f"{whose} takes no argument {strange[0]!r}: {hint}") from None
        raise RecipeError(f"{whose}: {readable(error).replace('recipe: ', '')}") from None


def written(value: Any, place: str) -> dict[str, Any]:
    """`kind` and the arguments in it, of whichever way of writing a component; RecipeError for text that is none."""
    if isinstance(value, Component):
        return {"kind": value.kind, **value.arguments}
    if isinstance(value, Mapping):
        return frozen(value)
    if isinstance(value, str) and (written := _TEXT.fullmatch(value)):
        try:
            called = ast.parse(f"f({written[2]})", mode="eval").body
            assert isinstance(called, ast.Call)
            if called.args or any(each.arg is None for each in called.keywords):
                raise ValueError
            chosen = {str(each.arg): ast.literal_eval(each.value) for each in called.keywords}
        except (SyntaxError, ValueError, AssertionError):
            raise RecipeError(
                f"{value!r} is no {place}: write arguments by name and as plain values, such as elu(alpha=0.5)"
            ) from None
        return {"kind": written[1], **frozen(chosen)}
    return {"kind": value}


def frozen(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Lists, which is how JSON writes tuples, as tuples."""
    return {name: _tuple(value) for name, value in fields.items()}


def _tuple(value: Any) -> Any:
    return tuple(map(_tuple, value)) if isinstance(value, (list, tuple)) else value


def components(part: BaseModel, prefix: str = "") -> Iterator[tuple[str, Place, Value]]:
    """`(path, place, value)` of every component field of a recipe, or of a part of one at `prefix`."""
    for name, value in part:
        info = type(part).model_fields.get(name)
        place = next((each for each in info.metadata if isinstance(each, Place)), None) if info else None
        if place is not None:
            yield f"{prefix}{name}", place, value
        elif isinstance(value, BaseModel):
            yield from components(value, f"{prefix}{name}.")


# Where a function of the user's stands in the stream of samples, `data.stages`; where a dataset of theirs stands,
# `data.name`; and where one makes a metric.
STAGE, DATASET, METRIC = "stage", "dataset", "metric"


def own_of(part: BaseModel) -> Iterator[tuple[str, str]]:
    """`(place, reference)` of every component from outside in a recipe or a part of one."""
    for _, place, value in components(part):
        if is_own(kind_of(value)):
            yield place.name, kind_of(value)
    for _, value in ("", part), *part:
        if place_name := getattr(value, "own_place", ""):
            yield place_name, getattr(value, "kind", getattr(value, "family", ""))
    data = getattr(part, "data", None)
    for reference in getattr(data, "stages", ()):
        yield STAGE, reference
    if is_own(getattr(data, "name", "")) and getattr(data, "shards", None) is None:
        yield DATASET, getattr(data, "name", "")
    for reference in getattr(part, "metrics", ()):
        yield METRIC, reference


# The tag of a union's member for components from outside.
OWN = "module:Name"


def tag_of(value: Any) -> str | None:
    """The member of a union that `value` is of: its kind, or `module:Name` for one's own."""
    kind = value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)
    return OWN if is_own(kind) else kind if isinstance(kind, str) or kind is None else repr(kind)


class NoArguments(Part):
    """The arguments of a component that takes none."""
