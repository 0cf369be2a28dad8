"""What a factor may take in a search: a range or a choice, and for which settings of others it is asked at all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from reprlib import repr as brief
from typing import Any

from paribus.recipe import Recipe, RecipeError
from paribus.recipe.components.component import Component, as_text, components
from paribus.recipe.errors import nearest
from paribus.recipe.model import MODEL, name_of
from paribus.recipe.paths import leaves
from paribus.study.checks import is_number
from paribus.study.designs import StudyError
from paribus.study.words import Level, column_names, show_level

# A step divides a range where the rest is below this share of the step.
_ROUNDING = 1e-9
# Of a real number: two settings that differ by less are one for every purpose, and tables are read by people.
_DIGITS = 4
_ABSENT = object()
When = Mapping[str, Any]


@dataclass(frozen=True)
class Float:
    """A real number from `low` to `high`, both allowed; with `log` evenly on its logarithm, with `step` on a grid.

    Args:
        when: the settings of other fields for which it is asked: a level, or a tuple of levels, by path.

    Raises:
        StudyError: low not below high, a logarithm of what is not above 0, a step that does not divide the range.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_range(self, "Float")
        if self.step is None:
            return
        if self.log:
            raise StudyError(f"{self}: a step is linear and log is not: leave one of the two out")
        if not is_number(self.step) or not self.step > 0:
            raise StudyError(f"{self}: the step is a number above 0")
        steps = (self.high - self.low) / self.step
        if abs(steps - round(steps)) > _ROUNDING * max(1.0, steps):
            raise StudyError(
                f"{self}: the step does not divide the range into whole steps: end it at "
                f"{self.low + math.floor(steps) * self.step:g}, or take another step"
            )

    def levels(self) -> tuple[Level, ...] | None:
        """All values, where they can be counted."""
        if self.step is None:
            return None
        return tuple(self._on_grid(index) for index in range(round((self.high - self.low) / self.step) + 1))

    def at(self, share: float) -> Level:
        """The value at `share` of the range, from 0 to below 1."""
        if (levels := self.levels()) is not None:
            return levels[min(int(share * len(levels)), len(levels) - 1)]
        if self.log:
            return self.read(math.exp(math.log(self.low) + share * (math.log(self.high) - math.log(self.low))))
        return self.read(self.low + share * (self.high - self.low))

    def read(self, value: float) -> Level:
        """The value that a sampler named, with as many digits as a person would write."""
        if self.step is not None:
            return self._on_grid(round((value - self.low) / self.step))
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def holds(self, level: Any) -> bool:
        """Whether it is one of these values."""
        if not is_number(level) or not self.low <= level <= self.high:
            return False
        return self.step is None or abs((level - self.low) / self.step - round((level - self.low) / self.step)) < 1e-6

    def __str__(self) -> str:
        """As it is written in a search."""
        more = ", log=True" if self.log else f", step={self.step:g}" if self.step else ""
        return f"Float({self.low:g}, {self.high:g}{more}{_when_text(self.when)})"

    def _on_grid(self, index: int) -> float:
        assert self.step is not None
        return float(f"{self.low + index * self.step:.12g}")  # 0.30000000000000004 is no level for people


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`, both allowed; see `Float`."""

    low: int
    high: int
    log: bool = False
    step: int = 1
    when: When = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("low", "high", "step"):
            if type(getattr(self, name)) is not int:
                raise StudyError(f"{self}: {name} is a whole number; Float is for others")
        _check_range(self, "Int")
        if self.step < 1 or (self.high - self.low) % self.step:
            raise StudyError(f"{self}: the step is a whole number above 0 that divides the range")
        if self.log and self.step != 1:
            raise StudyError(f"{self}: a step is linear and log is not: leave one of the two out")

    def levels(self) -> tuple[Level, ...]:
        """All values."""
        return tuple(range(self.low, self.high + 1, self.step))

    def at(self, share: float) -> Level:
        """The value at `share` of the range, from 0 to below 1."""
        if self.log:  # every number has the part of the scale between its halves, as rounding gives it
            low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
            return min(max(round(math.exp(low + share * (high - low))), self.low), self.high)
        count = (self.high - self.low) // self.step + 1
        return self.low + min(int(share * count), count - 1) * self.step

    def read(self, value: int) -> Level:
        """The value that a sampler named."""
        return int(value)

    def holds(self, level: Any) -> bool:
        """Whether it is one of these values."""
        return type(level) is int and self.low <= level <= self.high and (level - self.low) % self.step == 0

    def __str__(self) -> str:
        """As it is written in a search."""
        more = ", log=True" if self.log else f", step={self.step}" if self.step != 1 else ""
        return f"Int({self.low}, {self.high}{more}{_when_text(self.when)})"


@dataclass(frozen=True, init=False)
class Choice:
    """One of these levels, without order: `Choice(32, 64)`, `Choice("relu", "my_parts:Snake")`."""

    options: tuple[Level, ...]
    when: When

    def __init__(self, *options: Any, when: When | None = None) -> None:
        written = tuple(_plain(option) for option in options)
        object.__setattr__(self, "options", written)
        object.__setattr__(self, "when", dict(when or {}))
        if not written:
            raise StudyError("Choice(): name the levels to choose from, such as Choice(32, 64, 128)")
        if len(written) == 1 and isinstance(options[0], (list, tuple, set, dict)) and not isinstance(options[0], tuple):
            raise StudyError(f"Choice({brief(options[0])}): give the levels one by one, such as Choice(32, 64, 128)")
        for option in written:
            if not isinstance(option, (str, int, float, tuple, type(None))):
                raise StudyError(
                    f"Choice has {brief(option)} of the type {type(option).__name__}: use plain numbers, text, True, "
                    "False, None, a tuple of them, or a component"
                )
        labels = [label(option) for option in written]
        if twins := [one for one in labels if labels.count(one) > 1]:
            raise StudyError(f"Choice has the level {twins[0]} {labels.count(twins[0])} times: give each level once")

    def levels(self) -> tuple[Level, ...]:
        """All of them."""
        return self.options

    def at(self, share: float) -> Level:
        """The level at `share` of them, from 0 to below 1."""
        return self.options[min(int(share * len(self.options)), len(self.options) - 1)]

    def read(self, value: str) -> Level:
        """The level with that label."""
        return next(option for option in self.options if label(option) == value)

    def holds(self, level: Any) -> bool:
        """Whether it is one of these levels."""
        return any(label(level) == label(option) for option in self.options)

    def __str__(self) -> str:
        """As it is written in a search."""
        return f"Choice({', '.join(map(repr, self.options))}{_when_text(self.when)})"


Domain = Float | Int | Choice
Levels = Mapping[str, Level]


def label(level: Level) -> str:
    """Text that two levels of one choice never share: True is not 1, and the text '1' neither."""
    return repr(level) if isinstance(level, (str, tuple)) else show_level(level)


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
                return f"{path!r} is set, and is asked only when {_conditions(domain)}"
        strange = [path for path in levels if path not in self.domains]
        return f"{strange[0]!r} is not in the space: {nearest(strange[0], self.domains)}" if strange else ""

    def names(self) -> dict[str, str]:
        """The paths by short name, or whole where two share one."""
        return dict(zip(self.domains, column_names(list(self.domains)), strict=True))

    def of_base(self) -> dict[str, Level]:
        """The base recipe's own setting: its levels of the fields that are asked under it."""
        known = dict(leaves(self.base.model_dump()))
        known |= {path: place.short(value) for path, place, value in components(self.base)}
        known[MODEL] = name_of(self.base.model)
        chosen: dict[str, Level] = {}
        for path in self.domains:
            if path in known and self.asks(path, chosen):
                chosen[path] = known[path]
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


def _check_range(domain: Float | Int, name: str) -> None:
    for what in ("low", "high"):
        value: Any = getattr(domain, what)
        if not is_number(value):
            raise StudyError(f"{name}(low={domain.low!r}, high={domain.high!r}): {what} is a finite number")
    if not domain.low < domain.high:
        raise StudyError(f"{name}({domain.low:g}, {domain.high:g}): low is below high; a single value goes into fixed")
    if domain.log and not domain.low > 0:
        raise StudyError(f"{domain}: a logarithmic range begins above 0; for a 0 beside it take Choice")


def _allows(wanted: Any, setting: Any) -> bool:
    allowed = wanted if isinstance(wanted, tuple) else (wanted,)
    return any(type(each) is type(setting) and each == setting for each in allowed)


def _plain(option: Any) -> Any:
    return (
        as_text(option) if isinstance(option, Component) or (isinstance(option, dict) and "kind" in option) else option
    )


def _conditions(domain: Domain) -> str:
    return " and ".join(f"{path} is {wanted!r}" for path, wanted in domain.when.items())


def _when_text(when: When) -> str:
    return f", when={dict(when)!r}" if when else ""
