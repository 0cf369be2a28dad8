"""Components from outside as a document holds them, so that it is read where their files are not: nothing is imported.

A document keeps with a recipe what each of its own components takes, as JSON schema writes it: types and defaults. With
them a level such as `"my_parts:Snake"` means the same arguments, and names the same trial, as where it was written.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, create_model
from pydantic.errors import PydanticInvalidForJsonSchema

from paribus.recipe.components.own import arguments, load

# `PLACE module:Name` to the arguments by name, each with the `type` and `default` of JSON schema.
Recorded = Mapping[str, Mapping[str, Any]]
_READ: ContextVar[Recorded | None] = ContextVar("READ", default=None)
_NOTED: ContextVar[dict[str, Mapping[str, Any]] | None] = ContextVar("NOTED", default=None)


@contextmanager
def as_recorded(recorded: Recorded) -> Iterator[None]:
    """Inside it, recipes take components from outside as `recorded`; what is not in there takes any arguments."""
    before = _READ.set(recorded)
    try:
        yield
    finally:
        _READ.reset(before)


@contextmanager
def noted() -> Iterator[Recorded]:
    """Gathers what every component from outside takes that is checked inside it, for `as_recorded` to read."""
    found: dict[str, Mapping[str, Any]] = {}
    before = _NOTED.set(found)
    try:
        yield found
    finally:
        _NOTED.reset(before)


def is_recorded() -> bool:
    """Whether a document is being read, whose components are not to be imported."""
    return _READ.get() is not None


def taken(kind: str, place: str, given: frozenset[str]) -> type[BaseModel]:
    """The arguments that a recipe may set of the component `kind`; `given` are those that Paribus passes itself.

    Raises:
        RecipeError: it cannot be found, unless a document is being read.
    """
    name, read = f"{place} {kind}", _READ.get()
    if read is not None:
        return _model(read.get(name, {}))
    allowed = arguments(load(kind, place), given)
    if (found := _NOTED.get()) is not None:
        found[name] = _schema(allowed)
    return allowed


# Of a field's JSON schema: what it takes, and what it is where it is left out.
_KEPT = ("type", "anyOf", "items", "prefixItems", "default")


def _schema(allowed: type[BaseModel]) -> dict[str, Any]:
    try:
        properties = allowed.model_json_schema().get("properties", {})
    except PydanticInvalidForJsonSchema:  # a user's own config may hold anything
        return {}
    return {name: {key: field[key] for key in _KEPT if key in field} for name, field in properties.items()}


def _model(schema: Mapping[str, Any]) -> type[BaseModel]:
    fields: dict[str, Any] = {name: (_type_of(field), field.get("default", ...)) for name, field in schema.items()}
    return create_model(
        "Recorded", __config__=ConfigDict(strict=True, extra="allow", protected_namespaces=()), **fields
    )


def _type_of(field: Mapping[str, Any]) -> Any:
    """`float` where a whole number is taken for one (`alpha=1` names the trial of `alpha=1.0`); else as it is.

    What a user's own validator makes of an argument is not in a schema.
    """
    kinds = {each.get("type") for each in (field, *field.get("anyOf", ()))} - {None}
    if kinds == {"number"}:
        return float
    each = field.get("prefixItems") or [field.get("items") or {}]
    if kinds == {"array"} and all(item.get("type") == "number" for item in each):
        return Annotated[Any, AfterValidator(lambda values: tuple(map(float, values)))]
    return float | None if kinds == {"number", "null"} else Any
