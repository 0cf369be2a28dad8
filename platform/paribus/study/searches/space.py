"""A space: what each field may take in a search, and for which settings of others it is asked at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from reprlib import repr as brief
from typing import Any

from paribus.recipe import Recipe, RecipeError
from paribus.recipe.components.component import components
from paribus.recipe.errors import nearest
from paribus.recipe.model import MODEL, name_of
from paribus.recipe.paths import leaves
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import Choice, Domain, Float, Int, conditions
from paribus.study.words import Level, column_names

_ABSENT = object()
Levels = Mapping[str, Level]


class Space:
    """Domains by path, those that others depend on first.

    Raises:
        StudyError: no domain, a condition on a field that there is not, on itself, or that can never hold.
        RecipeError: a path or a level that the recipe does not admit.
    """

    def __init__(self, domains: Mapping[str, Any], base: Recipe) -> None:
        self.base = base
        self.domains = _ordered(_written(domains))
        self._check_conditions()
        self._check_levels()

    def __iter__(self) -> Iterator[tuple[str, Domain]]:
        return iter(self.domains.items())

    def asks(self, path: str, chosen: Levels) -> bool:
        """Whether `path` is asked, once the fields before it are `chosen`."""
        return all(_allows(wanted, self._setting(other, chosen)) for other, wanted in self.domains[path].when.items())

    def levels_at(self, shares: Sequence[float]) -> dict[str, Level]:
        """The setting at one number from 0 to below 1 per domain, in order; what is not asked is passed over."""
        chosen: dict[str, Level] = {}
        for (path, domain), share in zip(self, shares, strict=True):
            if self.asks(path, chosen):
                chosen[path] = domain.at(share)
        return chosen

    def every(self) -> Iterator[dict[str, Level]]:
        """Every setting, each once.

        Raises:
            StudyError: a range without a step, whose values cannot be counted.
        """
        yield from self._every(list(self.domains), {})

    def size(self) -> int | None:
        """How many settings there are; None where they cannot be counted, or are more than a million."""
        if any(domain.levels() is None for domain in self.domains.values()):
            return None
        count = 0
        for count, _ in enumerate(self.every(), start=1):
            if count > 1_000_000:
                return None
        return count

    def fault(self, levels: Levels) -> str:
        """Why `levels` is no setting of the space; "" where it is one."""
        for path, domain in self:
            asked = self.asks(path, levels)
            if asked and path not in levels:
                return f"{path!r} is not set"
            if asked and not domain.holds(levels[path]):
                return f"{path} = {levels[path]!r} is none of {domain}"
            if not asked and path in levels:
                return f"{path!r} is set, and is asked only when {conditions(domain)}"
        strange = [path for path in levels if path not in self.domains]
        return f"{strange[0]!r} is not in the space: {nearest(strange[0], self.domains)}" if strange else ""

    def names(self) -> dict[str, str]:
        """The paths by short name, or whole where two share one."""
        return dict(zip(self.domains, column_names(list(self.domains)), strict=True))

    def asked(self, levels: Levels) -> dict[str, Level]:
        """Those of `levels` that are asked, each under the ones before it."""
        chosen: dict[str, Level] = {}
        for path in self.domains:
            if path in levels and self.asks(path, chosen):
                chosen[path] = levels[path]
        return chosen

    def _every(self, left: list[str], chosen: dict[str, Level]) -> Iterator[dict[str, Level]]:
        if not left:
            yield dict(chosen)
            return
        path, *rest = left
        if not self.asks(path, chosen):
            yield from self._every(rest, chosen)
            return
        levels = self.domains[path].levels()
        if levels is None:
            raise StudyError(f"{path!r} is {self.domains[path]}, whose values cannot be counted: give it a step")
        for level in levels:
            yield from self._every(rest, {**chosen, path: level})

    def _setting(self, path: str, chosen: Levels) -> Any:
        if path in chosen or path in self.domains:
            return chosen.get(path, _ABSENT)  # one that is not asked itself has no level
        return dict(leaves(self.base.model_dump())).get(path, _ABSENT)

    def _check_conditions(self) -> None:
        for path, domain in self:
            for other, wanted in domain.when.items():
                if other in self.domains:
                    allowed = wanted if isinstance(wanted, tuple) else (wanted,)
                    if not any(self.domains[other].holds(level) for level in allowed):
                        raise StudyError(
                            f"{path!r} is asked when {other} is {wanted!r}, which is none of {self.domains[other]}"
                        )
                elif self._setting(other, {}) is _ABSENT:
                    known = [*self.domains, *(name for name, _ in leaves(self.base.model_dump()))]
                    raise StudyError(
                        f"{path!r} is asked when {other!r} is {wanted!r}, and there is no such field: "
                        f"{nearest(other, known)}"
                    )
                elif not self.asks(path, {}):
                    raise StudyError(
                        f"{path!r} is asked when {other} is {wanted!r}, and it is always {self._setting(other, {})!r}: "
                        "search it too, or drop the condition"
                    )

    def ends(self) -> Iterator[dict[str, Level]]:
        """Both ends of each range and every choice once, each with what it depends on, and nothing else."""
        for path, domain in self:
            levels = domain.options if isinstance(domain, Choice) else (domain.low, domain.high)
            yield from ({**self._needed(path), path: level} for level in levels)

    def _check_levels(self) -> None:
        for levels in self.ends():
            try:
                self.base.replace(levels)
            except RecipeError as error:
                path, level = list(levels.items())[-1]
                raise RecipeError(f"the space has {path} = {level!r}: {error}") from None

    def _needed(self, path: str) -> dict[str, Level]:
        """Levels under which `path` is asked."""
        found: dict[str, Level] = {}
        for other, wanted in self.domains[path].when.items():
            if other in self.domains:
                allowed = wanted if isinstance(wanted, tuple) else (wanted,)
                level = next(each for each in allowed if self.domains[other].holds(each))
                found |= {**self._needed(other), other: level}
        return found


def levels_of(recipe: Recipe, paths: Iterable[str]) -> dict[str, Level]:
    """What the recipe has at those of `paths` that it has, as levels are written."""
    known = dict(leaves(recipe.model_dump()))
    known |= {path: place.short(value) for path, place, value in components(recipe)}
    known[MODEL] = name_of(recipe.model)
    return {path: known[path] for path in paths if path in known}


def check_fixed(base: Recipe, fixed: Levels, space: Space) -> None:
    """Raise StudyError where a setting of the space begins the part afresh in which something is fixed."""
    held = {path: value for path, value in leaves(base.model_dump()) if path in fixed}
    for levels in space.ends():
        trained = dict(leaves(base.replace(levels).model_dump()))
        for path, value in held.items():
            if trained.get(path, _ABSENT) != value:
                path_set, level = list(levels.items())[-1]
                raise StudyError(
                    f"{path!r} is fixed at {value!r}, and {path_set} = {level!r} begins that part afresh from its "
                    "defaults: put it into the space, with when= where it is another for each"
                )


def _written(domains: Any) -> dict[str, Domain]:
    if not isinstance(domains, Mapping) or not domains:
        raise StudyError(
            f"space = {brief(domains)}: map paths to what they may take, such as "
            "{'optimizer.lr': Float(1e-4, 1.0, log=True), 'data.batch_size': Choice(32, 64)}"
        )
    found: dict[str, Domain] = {}
    for path, domain in domains.items():
        if not isinstance(path, str):
            raise StudyError(f"space has {path!r}: paths are text, such as 'optimizer.lr'")
        if isinstance(domain, (tuple, list)):  # the levels of a study, as they are
            domain = Choice(*domain)
        if not isinstance(domain, (Float, Int, Choice)):
            raise StudyError(
                f"{path!r} is {brief(domain)}: give Float(low, high), Int(low, high), Choice(...) or a tuple of levels"
            )
        if path in domain.when:
            raise StudyError(f"{path!r} is asked by its own level: a condition names another field")
        found[path] = domain
    return found


def _ordered(domains: dict[str, Domain]) -> dict[str, Domain]:
    """Each after those that it depends on; otherwise as they were written."""
    found: dict[str, Domain] = {}
    while len(found) < len(domains):
        ready = [
            path
            for path, domain in domains.items()
            if path not in found and all(other in found or other not in domains for other in domain.when)
        ]
        if not ready:
            circle = ", ".join(path for path in domains if path not in found)
            raise StudyError(f"{circle} depend on each other in a circle: one of them has to be asked first")
        found |= {path: domains[path] for path in ready}
    return found


def _allows(wanted: Any, setting: Any) -> bool:
    allowed = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(type(each) is type(setting) and each == setting for each in allowed)
