"""HyperBand: successive halving from several first rungs."""

import math
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from paribus.engine.schedulers.halving import Geometric


@dataclass(frozen=True, kw_only=True)
class HyperBand(Geometric):
    """HyperBand (Li et al. 2018, arXiv 1603.06560, Algorithm 1) for any number of epochs and eta.

    With s_max + 1 rungs, bracket s = s_max, ..., 0 has `ceil((s_max + 1) eta^s / (s + 1))` trials that start at the
    rung `epochs / eta^s`, and halves synchronously. Trials are dealt to the brackets by their numbers, in proportion;
    when all are full, a second set of brackets begins.
    """

    name: ClassVar[str] = "hyperband"
    waits: ClassVar[bool] = True

    def sizes(self, epochs: int) -> tuple[int, ...]:
        """Trials of each bracket, the one with the lowest first rung first."""
        count = len(self.rungs(epochs))
        return tuple(math.ceil(count * self.eta**s / (s + 1)) for s in reversed(range(count)))

    def bracket_of(self, number: int, epochs: int) -> int:
        """Set and bracket as one number: `set * brackets + bracket`."""
        sizes = self.sizes(epochs)
        whole, within = divmod(number, sum(sizes))
        return whole * len(sizes) + _dealt(sizes)[within]

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """Those of the trial's bracket: the later brackets leave out the lowest rungs."""
        rungs = self.rungs(epochs)
        return rungs[self.bracket_of(number, epochs) % len(rungs) :]

    def notes(self, epochs: int, planned: int) -> tuple[str, ...]:
        """Where the last set of brackets is not full, how many trials would fill it."""
        sizes, whole = self.sizes(epochs), sum(self.sizes(epochs))
        if planned % whole == 0:
            return ()
        had = ", ".join(
            f"{sum(_dealt(sizes)[number] == index for number in range(planned % whole))} of {size}"
            for index, size in enumerate(sizes)
        )
        fits, which = whole * math.ceil(planned / whole), "its first" if planned < whole else "the last"
        return (
            f"hyperband with eta = {self.eta} over {epochs} epochs has brackets of {', '.join(map(str, sizes))} "
            f"trials, and {planned} trials fill those of {which} set with {had}: they cut less than they should; "
            f"{fits} trials would fill them",
        )


@cache
def _dealt(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The bracket of each trial of a set: always the one that is furthest behind its share, of equal ones the first."""
    given, order = [0] * len(sizes), []
    for _ in range(sum(sizes)):
        bracket = min(range(len(sizes)), key=lambda index: ((given[index] + 1) / sizes[index], index))
        given[bracket] += 1
        order.append(bracket)
    return tuple(order)
