"""From a recipe to `code`: all that it runs through, as one number that no file's or definition's name is part of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from pathlib import Path

from pydantic import BaseModel

from paribus.recipe.code.beside import module_name
from paribus.recipe.code.kept import kept
from paribus.recipe.code.modules import Module
from paribus.recipe.code.names import EFFECTS, WHOLE, CodeError, Definition, Own, Place
from paribus.recipe.code.roots import FEED, METRICS, READERS, TRAINING, is_left_out, place_of
from paribus.recipe.code.sources import Sources
from paribus.recipe.code.tokens import Writer
from paribus.recipe.recipe import Recipe

_DIGITS = 16


def code_of(recipe: Recipe, own: Sequence[Own] = (), sources: Sources | None = None) -> str:
    """The first 16 hex digits of a SHA-256 over every definition that training `recipe` can reach.

    `own` are a user's components, which count with all that they reach in the files beside them, and are read anew by
    each call: a notebook outlives many versions of them. `sources` is the package, by default this one, read once.

    Raises:
        CodeError: a file that is not there, or is no Python.
    """
    return _code(sources or _installed(), _classes(recipe), (*TRAINING, *METRICS, *FEED, *READERS), tuple(own))


def feed_code_of(recipe: Recipe, own: Sequence[Own] = (), sources: Sources | None = None) -> str:
    """`code_of` the feed alone: trials of different nets may take their batches from one reader."""
    parts = _classes(recipe.data) | _classes(recipe.augment)
    return _code(sources or _installed(), parts, (*FEED, *READERS), tuple(own))


def reached_by(recipe: Recipe, own: Sequence[Own] = (), sources: Sources | None = None) -> set[Place]:
    """The definitions that `code_of` is made of."""
    return set(_walk(sources or _installed(), _classes(recipe), (*TRAINING, *METRICS, *FEED, *READERS), tuple(own)))


@cache
def _installed() -> Sources:
    return Sources(Path(__file__).parents[2])


def _classes(part: BaseModel) -> frozenset[Place]:
    """The classes of a recipe's parts, at any depth."""
    found = {Place(type(part).__module__, type(part).__qualname__)}
    for _, value in part:
        if isinstance(value, BaseModel):
            found |= _classes(value)
    return frozenset(found)


def _code(sources: Sources, parts: frozenset[Place], roots: tuple[str, ...], own: tuple[Own, ...]) -> str:
    if own or sources is not _installed():
        return _digest(_walk(sources, parts, roots, own))
    return _code_of_ours(sources, parts, roots)


@cache
def _code_of_ours(sources: Sources, parts: frozenset[Place], roots: tuple[str, ...]) -> str:
    question = " ".join([*sorted(f"{module}:{name}" for module, name in parts), *roots])
    return kept(sources.root, question, lambda: _digest(_walk(sources, parts, roots, ())))


def _digest(found: dict[Place, Definition]) -> str:
    return sha256("\n".join(sorted(set(_labels(found).values()))).encode()).hexdigest()[:_DIGITS]


def _walk(
    sources: Sources, parts: frozenset[Place], roots: tuple[str, ...], own: tuple[Own, ...]
) -> dict[Place, Definition]:
    walk = _Walk(sources.beside(each.import_folder for each in own), parts)
    begin = [place_of(text, sources.package) for text in roots] + sorted(parts)
    for each in own:
        begin += _entry(walk.sources, module_name(each.file, each.import_folder), each.name)
    walk.through(begin)
    return walk.found


def _entry(sources: Sources, name: str, component: str) -> list[Place]:
    """Where a user's `component` begins: its definition, wherever module `name` has it from, and what that module does.

    All of the module where it is another library's, or where it cannot be seen without running the module.
    """
    module = sources.load(name)
    if module is not None and module.fault:
        raise CodeError(module.fault)
    if module is None or not component:
        return [Place(name, WHOLE)]
    found, effects = sources.resolve(module, component), [Place(name, EFFECTS)] if EFFECTS in module.bindings else []
    if isinstance(found, Place):
        return [found, *effects]
    return [Place(name, WHOLE if found or effects or module.stars else component)]


@dataclass
class _Walk:
    """The definitions that are reached."""

    sources: Sources
    chosen: frozenset[Place]
    found: dict[Place, Definition] = field(default_factory=dict)

    def through(self, begin: Iterable[Place]) -> None:
        """Reach `begin`, what it refers to, what that refers to, and what the modules of all of these do at import."""
        waiting = list(begin)
        while waiting:
            place = waiting.pop()
            if place in self.found or is_left_out(place, self.sources.package):
                continue
            module = self.sources.load(place.module)
            if module is None:
                raise CodeError(f"there is no module {place.module} among the sources of {self.sources.package}")
            self.found[place] = self._written(module, place)
            waiting += self.found[place].refers_to
            if EFFECTS in module.bindings:
                waiting.append(Place(place.module, EFFECTS))

    def _written(self, module: Module, place: Place) -> Definition:
        if place.name == WHOLE:
            return Definition("", tuple(Place(module.name, name) for name in module.bindings))
        if place.name not in module.bindings:
            raise CodeError(f"{place.module} defines no {place.name!r}")
        if place.name not in module.written:
            writer = Writer(self.sources, module, self.chosen)
            definition = writer.definition(module.bindings[place.name])
            if writer.has_chosen:
                return definition
            module.written[place.name] = definition
        return module.written[place.name]


def _labels(found: dict[Place, Definition]) -> dict[Place, str]:
    """A hash for each definition in which every name of ours is replaced by the hash of what it refers to.

    Definitions may refer to each other in circles, so the hashes are refined in rounds (Weisfeiler and Lehman 1968)
    until a round tells no more of them apart.
    """
    labels = dict.fromkeys(found, "")
    distinct = 0
    while len(apart := set(labels.values())) > distinct:
        distinct = len(apart)
        labels = {place: _label(each, labels, ordered=place.name != WHOLE) for place, each in found.items()}
    return labels


def _label(definition: Definition, labels: dict[Place, str], *, ordered: bool) -> str:
    meant = [labels.get(place, "left out") for place in definition.refers_to]
    if not ordered:
        meant.sort()
    return sha256(" ".join([definition.text, *meant]).encode()).hexdigest()
