"""The admissible value of one number at which a count that follows from it comes nearest to a target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from math import sqrt

Number = int | float

# Outward from the start: by a factor of 65,536 either way, or by as many whole numbers.
_DOUBLINGS = 16
# Admissible whole numbers lie no further apart: depths of 6 n + 4, say.
_MOST_APART = 64
# Far finer than channels are rounded.
_FINEST = 1 + 1e-6
_MOST_DIGITS = 7


class UnreachedError(Exception):
    """All counts lie on one side of the target: the nearest is `count`, at `value`; `moves` says whether any differ."""

    def __init__(self, value: Number, count: int, moves: bool) -> None:
        super().__init__(f"{count} at {value}")
        self.value, self.count, self.moves = value, count, moves


@dataclass(frozen=True)
class Counting:
    """`admits` says, at little cost, whether a value may be; `count` what follows from it. Each is asked once a value.

    The count is taken to rise or to fall with the value; that it does so in steps, as channels are rounded, is no
    trouble.
    """

    admits: Callable[[Number], bool]
    count: Callable[[Number], int]
    known: dict[Number, int] = field(default_factory=dict)
    allowed: dict[Number, bool] = field(default_factory=dict)

    def at(self, value: Number) -> int:
        """The count of an admissible value."""
        if value not in self.known:
            self.known[value] = self.count(value)
        return self.known[value]

    def may(self, value: Number) -> bool:
        """Whether the value is admissible."""
        if value not in self.allowed:
            self.allowed[value] = self.admits(value)
        return self.allowed[value]

    def first(self, values: Iterable[Number]) -> Number | None:
        """The first admissible one of `values`."""
        return next((value for value in values if self.may(value)), None)


def nearest(counting: Counting, start: Number, target: int) -> Number:
    """The value whose count is nearest to `target`, written with the fewest digits that give the same count.

    Args:
        counting: what follows from a value.
        start: an admissible value above 0, from which the search goes outward; where it is whole, so is the answer.
        target: the count to come to.

    Raises:
        UnreachedError: no count lies at or beyond the target.
    """
    for upward in (True, False):
        inner = start
        for outer in _outward(counting, start, upward):
            off_inner, off_outer = counting.at(inner) - target, counting.at(outer) - target
            if off_inner * off_outer <= 0:
                low, high = sorted((inner, outer))
                return _shortest(counting, _between(counting, low, high, target))
            if abs(off_outer) > abs(off_inner):
                break  # it lies the other way
            inner = outer
    best = min(counting.known, key=lambda value: (abs(counting.known[value] - target), value))
    moves = len(set(counting.known.values())) > 1
    raise UnreachedError(_shortest(counting, best), counting.known[best], moves)


def _outward(counting: Counting, start: Number, upward: bool) -> Iterator[Number]:
    """Admissible values ever further from `start`, to the last one, if there is a last."""
    inner = start
    for doubling in range(_DOUBLINGS):
        aim = (
            start + (1 if upward else -1) * 2**doubling if isinstance(start, int) else _scaled(start, upward, doubling)
        )
        step = 1 if upward else -1
        beyond = range(int(aim), int(aim) + step * _MOST_APART, step) if isinstance(start, int) else (aim,)
        found = counting.first(beyond)
        if found is not None:
            yield (inner := found)
            continue
        last = _last(counting, inner, aim)
        if last != inner:
            yield last
        return


def _scaled(start: Number, upward: bool, doubling: int) -> float:
    return float(start * 2.0 ** (doubling + 1 if upward else -doubling - 1))


def _last(counting: Counting, inner: Number, aim: Number) -> Number:
    """The admissible value next to `aim`, which is not, on the way from `inner`, which is."""
    if isinstance(inner, int):
        step = 1 if inner > aim else -1
        return counting.first(range(int(aim), inner, step)) or inner
    bad = float(aim)
    while max(inner / bad, bad / inner) > _FINEST:
        middle = sqrt(inner * bad)
        inner, bad = (middle, bad) if counting.may(middle) else (inner, middle)
    return inner


def _between(counting: Counting, low: Number, high: Number, target: int) -> Number:
    """The value from `low` to `high`, whose counts have the target between them, that comes nearest to it."""
    rises = counting.at(high) > counting.at(low)
    while (middle := _middle(counting, low, high)) is not None:
        if (counting.at(middle) < target) == rises:
            low = middle
        else:
            high = middle
    return min((low, high), key=lambda value: (abs(counting.at(value) - target), value))


def _middle(counting: Counting, low: Number, high: Number) -> Number | None:
    """An admissible value near the middle; None where there is none between the two, or none worth a look."""
    if isinstance(low, int):
        half = (low + high) // 2
        return counting.first(sorted(range(low + 1, int(high)), key=lambda value: abs(value - half)))
    if high / low < _FINEST:
        return None
    return counting.first((sqrt(low * high),))


def _shortest(counting: Counting, value: Number) -> Number:
    """The value in the fewest digits that give the same count."""
    if isinstance(value, int):
        return value
    for digits in range(1, _MOST_DIGITS):
        short = float(f"{value:.{digits}g}")
        if short > 0 and counting.may(short) and counting.at(short) == counting.at(value):
            return short
    return value
