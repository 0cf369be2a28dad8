"""The base of everything in a recipe: frozen, keyword-only, no unknown fields."""

from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

_BOOKKEEPING = "bookkeeping"
_ADDED = "added"


class Part(BaseModel):
    """A frozen piece of a recipe; values are of the stated type, never converted."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


def bookkeeping(default: Any, **constraints: Any) -> Any:
    """A field that cannot change a result (where files lie, how many CPUs), so it is no part of a trial's identity."""
    return Field(default, json_schema_extra={_BOOKKEEPING: True}, **constraints)


def added(neutral: Any, **constraints: Any) -> Any:
    """A field that came after the first release: at its neutral value a recipe does, and is called, what it was before.

    `neutral` is also the default. A trial's identity leaves the field out as long as it has that value.
    """
    return Field(neutral, json_schema_extra={_ADDED: True}, **constraints)


def is_neutral(part: BaseModel, name: str) -> bool:
    """Whether the field `name` was declared with `added` and has its neutral value in `part`."""
    field = type(part).model_fields[name]
    extra = field.json_schema_extra
    return (
        isinstance(extra, dict)
        and bool(extra.get(_ADDED))
        and bool(getattr(part, name) == field.get_default(call_default_factory=True))
    )


def once_called(name: str, *old: str) -> AliasChoices:
    """The names under which a renamed field is read: today's, and those of documents and files of earlier releases."""
    return AliasChoices(name, *old)


def is_bookkeeping(part: type[BaseModel], name: str) -> bool:
    """Whether the field `name` of `part` was declared with `bookkeeping`."""
    extra = part.model_fields[name].json_schema_extra
    return isinstance(extra, dict) and bool(extra.get(_BOOKKEEPING))
