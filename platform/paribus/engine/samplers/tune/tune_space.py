"""A search's space as a searcher of Ray Tune is given it, and its answers as settings."""

from __future__ import annotations

from collections.abc import Mapping
from reprlib import repr as brief
from typing import Any

from paribus.recipe.components.own import load
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import Choice, Domain, Float, label
from paribus.study.searches.space import Levels, Space
from paribus.study.words import Level

# Of the ends of a range: what a logarithm and back may lose of a number.
_ROUNDING = 1e-9


def as_tune(space: Space) -> dict[str, Any]:
    """Tune's domains by path. A range with a step is the whole numbers of its steps, for Tune's `quniform` has
    multiples of the step alone; of a choice they are the labels. Tune knows no conditions: all fields are there."""
    return {path: _domain(domain) for path, domain in space}


def _domain(domain: Domain) -> Any:
    def of(kind: str, *numbers: Any) -> Any:
        return load(f"ray.tune:{kind}")(*numbers)

    if isinstance(domain, Choice):
        return of("choice", [label(option) for option in domain.options])
    if _is_stepped(domain):
        return of("randint", 0, len(domain.levels() or ()))
    if isinstance(domain, Float):
        return of("loguniform" if domain.log else "uniform", domain.low, domain.high)
    return of("lograndint" if domain.log else "randint", domain.low, domain.high + 1)


def told_to_tune(space: Space, levels: Levels) -> dict[str, Any] | None:
    """A setting as a searcher with that space would have proposed it; None where a field is not asked at it, for which
    Tune has no word."""
    if any(path not in levels for path, _ in space):
        return None
    found: dict[str, Any] = {}
    for path, domain in space:
        level = levels[path]
        if isinstance(domain, Choice):
            found[path] = label(level)
        else:
            found[path] = (domain.levels() or ()).index(level) if _is_stepped(domain) else level
    return found


def levels_from(space: Space, said: Any, who: str, *, own_space: bool) -> dict[str, Level]:
    """The setting that a searcher proposes, of the fields that are asked at it.

    Args:
        own_space: it has a space of its own, and so knows nothing of ours: its values are levels as they are.

    Raises:
        StudyError: no setting of the space, in words for whoever wrote the searcher.
    """
    if not isinstance(said, Mapping):
        raise StudyError(f"{who} proposes {brief(said)}: suggest() gives a dict of a value by path, or None for now")
    if strange := [path for path in said if path not in space.domains]:
        raise StudyError(f"{who} proposes {strange[0]!r}, which is no field of the space: {', '.join(space.domains)}")
    levels: dict[str, Level] = {}
    for path, domain in space:
        if not space.asks(path, levels):
            continue
        if path not in said:
            raise StudyError(f"{who} proposes no {path}, which the space asks for: {brief(dict(said))}")
        level = _level(domain, _plain(said[path]), own_space)
        if level is None:
            raise StudyError(f"{who} proposes {path} = {brief(said[path])}, which is outside {domain}")
        levels[path] = level[0]
    return levels


def _level(domain: Domain, value: Any, own_space: bool) -> tuple[Level] | None:
    """The level in a tuple, for None may be one; None where there is none."""
    if isinstance(domain, Choice):
        found = [one for one in domain.options if value == label(one) or (own_space and label(value) == label(one))]
        return (found[0],) if found else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if _is_stepped(domain) and not own_space:
        steps = domain.levels() or ()
        return (steps[int(value)],) if value == int(value) and 0 <= value < len(steps) else None
    within = max(domain.low, min(value, domain.high))
    if abs(within - value) > _ROUNDING * max(1.0, abs(value)):
        return None
    if isinstance(domain, Float):
        return (domain.read(within),)
    return (int(within),) if within == int(within) and domain.holds(int(within)) else None


def _is_stepped(domain: Domain) -> bool:
    """Whether it is a grid that Tune's ranges of whole numbers do not have as it is."""
    return domain.step is not None if isinstance(domain, Float) else not isinstance(domain, Choice) and domain.step != 1


def _plain(value: Any) -> Any:
    """A number of Python's for one of NumPy's."""
    return value.item() if hasattr(value, "item") and hasattr(value, "dtype") else value
