"""Every field of a recipe with what it takes, its default, what it does and where it comes from, for people."""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from paribus.recipe.components.component import CALLED_WITH, GIVEN, Component, Place, kind_of
from paribus.recipe.components.own import SHORT, arguments, load
from paribus.recipe.errors import RecipeError, nearest
from paribus.recipe.part import is_bookkeeping
from paribus.recipe.paths import DISCRIMINATORS, leaves
from paribus.recipe.recipe import Recipe

_OWN = "one's own as module:Name"
_WORDS = {float: "a number", int: "a whole number", bool: "true or false", str: "text", type(None): "null"}
_PLURAL = {float: "numbers", int: "whole numbers", str: "texts"}
# What a whole part can be set to, beside its fields.
_WHOLE = {
    "model": ("a published net by its name", "the whole network; `paribus models list` has the names"),
    "budget": ("text such as 6 epochs, 100 steps, 5000 examples", "the whole budget at once"),
}
# In a docstring, where something was published: (Hu et al. 2018, section 3).
_SOURCE = re.compile(r"\(([^()]*(?:et al\.|arXiv|[Ss]ection \d|[Tt]able \d|[Ff]igure \d|\b(?:19|20)\d\d\b)[^()]*)\)")
_SENTENCE = re.compile(r"(?<=\.)\s+(?=[A-Z`(])|\n\s*\n|\n\s*- ")


@dataclass(frozen=True, kw_only=True)
class RecipeField:
    """One field; `kinds` are those of the part that it lies in where that has several, and the defaults are by kind.

    `takes` says its type and range, `does` what it is, `part` all that is said of the part that it lies in.
    """

    path: str
    takes: str
    defaults: tuple[tuple[str, Any], ...]
    does: str
    sources: tuple[tuple[str, str], ...]
    part: str
    bears_on_results: bool = True

    @property
    def kinds(self) -> tuple[str, ...]:
        """`("sgd", "muon")`; () where the part has one kind."""
        return tuple(kind for kind, _ in self.defaults if kind)

    @property
    def default(self) -> str:
        """`0.1`, or `0.1 (sgd), 0.001 (adamw, muon)` where it depends on the kind."""
        by_value: dict[str, list[str]] = {}
        for kind, value in self.defaults:
            by_value.setdefault(shown(value), []).append(kind)
        if len(by_value) == 1:
            return next(iter(by_value))
        return ", ".join(f"{value} ({', '.join(kinds)})" for value, kinds in by_value.items())

    @property
    def source(self) -> str:
        """Who published it; by kind where each comes from elsewhere."""
        by_source: dict[str, list[str]] = {}
        for kind, source in self.sources:
            by_source.setdefault(source, []).append(kind)
        if len(by_source) == 1:
            return next(iter(by_source))
        return "; ".join(f"{', '.join(kinds)}: {source}" for source, kinds in by_source.items())

    def as_dict(self) -> dict[str, Any]:
        """As plain data, for `--json`."""
        return {
            "path": self.path,
            "takes": self.takes,
            "kinds": list(self.kinds),
            "default": self.defaults[0][1] if len({shown(value) for _, value in self.defaults}) == 1 else None,
            "defaults": {kind: value for kind, value in self.defaults if kind},
            "does": self.does,
            "source": self.source,
            "bears_on_results": self.bears_on_results,
        }


def shown(value: Any) -> str:
    """A value as `--set` reads it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f"{value:g}" if isinstance(value, float) else str(value)


def recipe_fields() -> tuple[RecipeField, ...]:
    """All of them, in the recipe's order; what differs by kind stands one after the other."""
    return tuple(_merged(_of_part(Recipe(), "", "")))


def fields_named(words: Sequence[str], known: Sequence[RecipeField]) -> list[RecipeField]:
    """Those at or below a path that `words` name, else those that have every word in path, kinds or text.

    Raises:
        RecipeError: there is none.
    """
    if len(words) == 1 and (found := [one for one in known if f"{one.path}.".startswith(f"{words[0]}.")]):
        return found
    found = [one for one in known if all(word.lower() in _text(one) for word in words)]
    if not found:
        paths = list(dict.fromkeys(one.path for one in known))
        raise RecipeError(f"no recipe field has {' '.join(words)!r} in it: {nearest(words[0], paths)}")
    return found


def _text(one: RecipeField) -> str:
    return " ".join([one.path, *one.kinds, one.takes, one.does, one.source]).lower()


def at_base(known: Sequence[RecipeField], base: Recipe) -> list[RecipeField]:
    """The fields that `base` has, with its values in place of the defaults."""
    values = dict(leaves(base.model_dump()))
    return [replace(one, defaults=(("", values[one.path]),)) for one in known if one.path in values]


def own_fields(reference: str) -> tuple[str, list[RecipeField]]:
    """What a component from outside says of itself, and its arguments, which are fields of the part that names it.

    Raises:
        RecipeError: there is no such component.
    """
    module = reference.partition(":")[0]
    places = [place for place, short in SHORT.items() if module in short] or [""]
    target = _loaded(reference, places)
    taken = arguments(target, GIVEN | CALLED_WITH)
    doc = inspect.getdoc(target) or ""
    return doc.split("\n\n")[0], [
        RecipeField(
            path=name,
            takes=_takes(field.annotation, field.metadata),
            defaults=(("", "(has to be given)" if field.is_required() else field.default),),
            does=field.description or _told(name, [doc]),
            sources=(),
            part=doc,
        )
        for name, field in taken.model_fields.items()
    ]


def _loaded(reference: str, places: Sequence[str]) -> Any:
    """What the short name of a library means differs by the place that it is used at."""
    for place in places[:-1]:
        try:
            return load(reference, place)
        except RecipeError:
            continue
    return load(reference, places[-1])


def _of_part(part: BaseModel, prefix: str, kind: str) -> Iterator[RecipeField]:
    """The fields of a part, whose values are the defaults; `kind` is the part's where there are several."""
    for name, field in type(part).model_fields.items():
        value, path = getattr(part, name), f"{prefix}{name}"
        place = next((each for each in field.metadata if isinstance(each, Place)), None)
        members = _members(field.annotation)
        if path in _WHOLE:
            takes, does = _WHOLE[path]
            usual = " ".join(shown(each) for each in value.model_dump().values()) if path == "budget" else value.name
            yield RecipeField(path=path, takes=takes, defaults=(("", usual),), does=does, sources=(), part="")
        if place is not None:
            yield _leaf(part, name, path, kind, _of_place(place))
            yield from _arguments(place, path)
        elif len(members) > 1:
            yield from _of_union(members, value, f"{path}.")
        elif isinstance(value, BaseModel):
            yield from _of_part(value, f"{path}.", kind)
        elif name not in DISCRIMINATORS:
            yield _leaf(part, name, path, kind, _takes(field.annotation, field.metadata))


def _of_union(members: Sequence[type[BaseModel]], usual: BaseModel, prefix: str) -> Iterator[RecipeField]:
    """The fields of a part that has several kinds; those from outside have the arguments of what they name."""
    told = next(name for name in DISCRIMINATORS if name in type(usual).model_fields)
    ours = [member for member in members if get_origin(member.model_fields[told].annotation) is Literal]
    tags = [str(member.model_fields[told].default) for member in ours]
    yield RecipeField(
        path=f"{prefix}{told}",
        takes=f"{_choices(tags)}; or {_OWN}",
        defaults=(("", getattr(usual, told)),),
        does="which it is: the part's other fields are then those of that kind, at their defaults",
        sources=(),
        part="",
    )
    for tag, member in zip(tags, ours, strict=True):
        yield from _of_part(usual if type(usual) is member else member(), prefix, tag)


def _arguments(place: Place, path: str) -> Iterator[RecipeField]:
    for kind, allowed in place.kinds.items():
        yield from _of_part(allowed(), f"{path}.", kind)


def _leaf(part: BaseModel, name: str, path: str, kind: str, takes: str) -> RecipeField:
    field: FieldInfo = type(part).model_fields[name]
    docs = [inspect.cleandoc(each.__doc__ or "") for each in type(part).__mro__ if _is_described(each)]
    does = field.description or _told(name, docs)
    owner = next(each for each in type(part).__mro__ if name in vars(each).get("__annotations__", {}))
    texts = (does, owner.__doc__ or "")
    source = next((found[1] for text in texts if (found := _SOURCE.search(text))), "")
    value = getattr(part, name)
    return RecipeField(
        path=path,
        takes=takes,
        defaults=((kind, kind_of(value) if isinstance(value, Component) else value),),
        does=does,
        sources=((kind, " ".join(source.split())),) if source else (),
        part=docs[0].partition("\n\nRaises:")[0] if docs else "",
        bears_on_results=not is_bookkeeping(type(part), name),
    )


def _is_described(part: type) -> bool:
    return part.__module__.startswith("paribus.") and bool(part.__doc__) and part.__name__ != "Part"


def _told(name: str, docs: Iterable[str]) -> str:
    """The sentences of a part's docstring that name the field."""
    for doc in docs:
        body = doc.partition("\nRaises:")[0]
        named = re.compile(rf"`[^`]*\b{re.escape(name)}\b[^`]*`")
        found = [" ".join(each.split()).lstrip("- ") for each in _SENTENCE.split(body) if named.search(each)]
        if found:
            return " ".join(found).rstrip(".")
    return ""


def _merged(found: Iterable[RecipeField]) -> Iterator[RecipeField]:
    """Fields of several kinds that are the same field of each, as one."""
    by_what: dict[tuple[str, str, str], RecipeField] = {}
    places: dict[str, None] = {}
    for one in found:
        what = (one.path, one.takes, one.does)
        before = by_what.get(what)
        by_what[what] = one if before is None else _joined(before, one)
        places.setdefault(one.path)
    for path in places:
        yield from (one for one in by_what.values() if one.path == path)


def _joined(one: RecipeField, other: RecipeField) -> RecipeField:
    return replace(
        one,
        defaults=tuple(dict.fromkeys((*one.defaults, *other.defaults))),
        sources=tuple(dict.fromkeys((*one.sources, *other.sources))),
        part=one.part if other.part in one.part else f"{one.part}\n\n{other.part}",
    )


def _members(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation] if annotation is not Component else []
    return [member for each in get_args(annotation) for member in _members(each)]


def _of_place(place: Place) -> str:
    return f"{_choices(place.kinds)}; or {_OWN}"


def _choices(values: Iterable[Any]) -> str:
    return ", ".join(map(shown, values))


def _takes(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """A type in words, with its bounds."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__metadata__"):
        return _takes(inner[0], annotation.__metadata__)
    if origin is Literal:
        return _choices(inner)
    if origin is tuple:
        return _tuple_of(inner)
    if origin in (Union, types.UnionType):
        rest = [each for each in inner if each is not type(None)]
        told = " or ".join(_takes(each, metadata) for each in rest)
        return f"{told}, or null" if len(rest) < len(inner) else told
    bounds = _bounds([*metadata])
    return " ".join(filter(None, [_WORDS.get(annotation, "any plain value"), bounds]))


def _tuple_of(inner: Sequence[Any]) -> str:
    kind = inner[0] if inner else Any
    many = "a tuple of" if Ellipsis in inner else f"a tuple of {len(inner)}"
    if kind in _PLURAL:
        return f"{many} {_PLURAL[kind]}"
    of = "one of " if get_origin(kind) is Literal else ""
    return f"{many.removesuffix(' of')}, each {of}{_takes(kind)}"


def _bounds(metadata: Sequence[Any]) -> str:
    """`from 0 to below 1`, `above 0, at most 64`."""
    found: dict[type, float] = {}
    least = ""
    for each in (each for one in metadata for each in (one.metadata if isinstance(one, FieldInfo) else [one])):
        for kind, name in ((Gt, "gt"), (Ge, "ge"), (Lt, "lt"), (Le, "le")):
            if isinstance(each, kind):
                found[kind] = getattr(each, name)
        least = f"of at least {each.min_length}" if isinstance(each, MinLen) else least
    low = f"above {found[Gt]:g}" if Gt in found else f"from {found[Ge]:g}" if Ge in found else ""
    if Lt in found:
        high = f"{'to ' if Ge in found else 'and '}below {found[Lt]:g}"
    else:
        high = f"{'to' if Ge in found else 'and at most'} {found[Le]:g}" if Le in found else ""
    return " ".join(filter(None, [low, high, least]))
