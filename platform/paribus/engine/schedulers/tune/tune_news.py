"""What is known of a search's trials, in the order in which it came about: what the ledger tells of a search again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Protocol

from paribus.study.searches.search import Search
from paribus.study.words import Level

# Where a trial's beginning and its end stand among its epochs, and that the scheduler let it go.
BEGUN, ENDED, GONE = 0, -1, -2
# What is known to be in the order in which a driver told it, stands before all that is ordered by clocks.
_BEFORE_CLOCKS = 1 << 50


class Known(Protocol):
    """What is known of a trial; `when` orders its beginning, epochs and end among those of all trials."""

    @property
    def levels(self) -> Mapping[str, Level]: ...
    @property
    def state(self) -> str: ...
    @property
    def seen(self) -> Mapping[int, float]: ...
    @property
    def metrics(self) -> Mapping[str, float]: ...
    @property
    def when(self) -> Mapping[int, int]: ...


def when_heard(at: int) -> int:
    """What `when` says of the event that was the one numbered `at` (from 0) of all that a driver told a scheduler."""
    return at - _BEFORE_CLOCKS


def is_heard(each: Known, place: int) -> bool:
    """Whether a driver wrote down that it told a scheduler of this, and so what was decided at it."""
    return each.when.get(place, 0) < 0


def news(
    search: Search, tried: Mapping[int, Known], told: Mapping[int, int], epochs: int, skips_first: bool
) -> list[tuple[int, int, float]]:
    """(number, place, value), in order: beginnings, epochs with their values (larger is better), ends, and that a
    scheduler let a trial go, where that is known.

    Args:
        told: the last epoch of each trial that is no news.
        skips_first: of the first trial it is told that it began, and nothing else.
    """
    found = []
    for number, each in tried.items():
        at = -_BEFORE_CLOCKS
        for when, place, value in _places(search, each, epochs):
            at = max(at, when)  # of one trial nothing comes before what was
            if place < BEGUN or place > told.get(number, -1):
                found.append((at, number, place, value))
            if skips_first and number == 0:
                break
    return [(number, place, value) for _, number, place, value in sorted(found, key=lambda each: each[:2])]


def _places(search: Search, each: Known, epochs: int) -> Iterator[tuple[int, int, float]]:
    """(when, place, value) of a trial's beginning, its epochs and its end."""
    sign = search.primary.sign
    yield each.when.get(BEGUN, 0), BEGUN, 0.0
    for epoch, value in sorted(each.seen.items()):
        if epoch < epochs:
            yield each.when.get(epoch, 0), epoch, turned(value, sign)
    if GONE in each.when:
        yield each.when[GONE], GONE, 0.0
    last = each.when.get(ENDED, 0)
    if each.state == "finished":
        yield last, epochs, turned(each.metrics[search.metric], sign)
    elif each.state in ("failed", "stopped"):
        yield last, ENDED, 0.0


def turned(value: float, sign: int) -> float:
    """Larger for better ones; what is no number is worse than all."""
    return -math.inf if math.isnan(value) else sign * value
