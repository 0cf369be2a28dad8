"""Settings near others, for members of a population that go on from another's checkpoint."""

from __future__ import annotations

from collections.abc import Callable

from paribus.recipe.seeds import key
from paribus.study.searches.domains import Choice, Domain, Float, Int, label
from paribus.study.searches.space import Levels, Space
from paribus.study.words import Level

# By what a number of a range is multiplied (Jaderberg et al. 2017, arXiv 1711.09846, section 4.1.1).
FACTORS = (0.8, 1.2)
_BITS = 63
# A number from 0 to below 1 for each name: always the same one.
Draw = Callable[[str], float]


def draw_of(*parts: int | str) -> Draw:
    """Numbers from 0 to below 1, each a hash of `parts` and of the name that is asked for."""
    return lambda name: key("population", *parts, name) / 2**_BITS


def perturbed(levels: Levels, space: Space, resample: float, draw: Draw) -> dict[str, Level]:
    """A setting near `levels`: with the probability `resample` a field is drawn anew, else it takes a step.

    A field that is asked at the new setting alone is drawn anew; one that is asked no longer has no level.
    """
    chosen: dict[str, Level] = {}
    for path, domain in space:
        if not space.asks(path, chosen):
            continue
        # Zero times anything is zero: by steps such a number would never move.
        is_stuck = not isinstance(domain, Choice) and levels.get(path) == 0
        is_anew = path not in levels or is_stuck or draw(f"resample {path}") < resample
        chosen[path] = (
            domain.at(draw(f"level {path}")) if is_anew else stepped(domain, levels[path], draw(f"step {path}") < 0.5)
        )
    return chosen


def stepped(domain: Domain, level: Level, is_down: bool) -> Level:
    """A fifth less or more within the domain, on a grid at least the next value; of a choice the one beside it."""
    if isinstance(domain, Choice):
        at = [label(option) for option in domain.options].index(label(level))
        beside = [index for index in (at - 1, at + 1) if 0 <= index < len(domain.options)]
        return domain.options[beside[0 if is_down else -1]] if beside else level
    assert isinstance(level, (int, float))
    wanted = level * FACTORS[0 if is_down else 1]
    # What is above the range, or below it, is read as its end.
    return domain.read(wanted) if domain.step is None else _on_grid(domain, level, wanted)


def _on_grid(domain: Float | Int, level: float, wanted: float) -> Level:
    assert domain.step is not None
    here, place = (round((value - domain.low) / domain.step) for value in (level, wanted))
    if place == here:
        place += (wanted > level) - (wanted < level)
    last = round((domain.high - domain.low) / domain.step)
    value = domain.low + min(max(place, 0), last) * domain.step
    return domain.read(value) if isinstance(domain, Float) else round(value)
