"""What one field may take in a search: a range of numbers, or a choice."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from reprlib import repr as brief
from typing import Any

from paribus.recipe.components.component import Component, as_text
from paribus.study.checks import is_number
from paribus.study.constructors import by_fields
from paribus.study.designs.arms import StudyError
from paribus.study.words import Level, level_from_json, show_level

# A step divides a range where the rest is below this share of the step.
_ROUNDING = 1e-9
# Of a real number: two settings that differ by less are one for every purpose, and tables are read by people.
_DIGITS = 4
When = Mapping[str, Any]


@by_fields
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


@by_fields
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


@by_fields
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
        if len(written) == 1 and isinstance(options[0], (list, set)):
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


def domain_as_json(domain: Domain | tuple[Level, ...]) -> dict[str, Any]:
    """A domain as JSON holds it."""
    found = domain if isinstance(domain, (Float, Int, Choice)) else Choice(*domain)
    if isinstance(found, Choice):
        return {"kind": "Choice", "options": found.options, "when": dict(found.when)}
    return {
        "kind": type(found).__name__,
        **{name: getattr(found, name) for name in ("low", "high", "log", "step", "when")},
    }


def domain_from_json(document: Mapping[str, Any]) -> Domain:
    """What `domain_as_json` wrote.

    Raises:
        KeyError, TypeError, StudyError: it is no such document.
    """
    fields = dict(document)
    kind = fields.pop("kind")
    fields["when"] = {path: level_from_json(level) for path, level in fields["when"].items()}
    if kind == "Choice":
        return Choice(*map(level_from_json, fields["options"]), when=fields["when"])
    return Float(**fields) if kind == "Float" else Int(**fields)


def label(level: Level) -> str:
    """Text that two levels of one choice never share: True is not 1, and the text '1' neither."""
    return repr(level) if isinstance(level, (str, tuple)) else show_level(level)


def _check_range(domain: Float | Int, name: str) -> None:
    for what in ("low", "high"):
        value: Any = getattr(domain, what)
        if not is_number(value):
            raise StudyError(f"{name}(low={domain.low!r}, high={domain.high!r}): {what} is a finite number")
    if not domain.low < domain.high:
        raise StudyError(f"{name}({domain.low:g}, {domain.high:g}): low is below high; a single value goes into fixed")
    if domain.log and not domain.low > 0:
        raise StudyError(f"{domain}: a logarithmic range begins above 0; for a 0 beside it take Choice")


def _plain(option: Any) -> Any:
    return (
        as_text(option) if isinstance(option, Component) or (isinstance(option, dict) and "kind" in option) else option
    )


def _when_text(when: When) -> str:
    return f", when={dict(when)!r}" if when else ""


def conditions(domain: Domain) -> str:
    return " and ".join(f"{path} is {wanted!r}" for path, wanted in domain.when.items())
