"""HyperBand: successive halving from several first rungs."""

import math
from dataclasses import dataclass
from functools import cache
from typing import ClassVar

from paribus.engine.schedulers.asha import check_rungs
from paribus.engine.schedulers.halving import Halving
from paribus.engine.schedulers.scheduler import check_whole, counted_down


@dataclass(frozen=True, kw_only=True)
class HyperBand(Halving):
    """HyperBand (Li et al. 2018, arXiv 1603.06560, Algorithm 1) for any number of epochs and eta.

    With s_max + 1 rungs, bracket s = s_max, ..., 0 has `ceil((s_max + 1) eta^s / (s + 1))` trials that start at the
    rung `epochs / eta^s`, and halves synchronously. Trials are dealt to the brackets by their numbers, in proportion;
    when all are full, a second set of brackets begins.

    Args:
        eta: one in eta goes on from each rung.
        first: epochs at the lowest rung, at least; rungs are counted down from the whole budget.

    Raises:
        SchedulerError: no whole numbers, eta below 2.
    """

    name: ClassVar[str] = "hyperband"
    waits: ClassVar[bool] = True

    eta: int = 3
    first: int = 1

    def __post_init__(self) -> None:
        check_whole(self.name, "eta", self.eta, 2)
        check_whole(self.name, "first", self.first, 1)

    def sizes(self, epochs: int) -> tuple[int, ...]:
        """Trials of each bracket, the one with the lowest first rung first."""
        count = len(self._rungs(epochs))
        return tuple(math.ceil(count * self.eta**s / (s + 1)) for s in reversed(range(count)))

    def bracket_of(self, number: int, epochs: int) -> int:
        """Set and bracket as one number: `set * brackets + bracket`."""
        sizes = self.sizes(epochs)
        whole, within = divmod(number, sum(sizes))
        return whole * len(sizes) + _dealt(sizes)[within]

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """Those of the trial's bracket: the later brackets leave out the lowest rungs."""
        rungs = self._rungs(epochs)
        return rungs[self.bracket_of(number, epochs) % len(rungs) :]

    def keep(self, n: int) -> int:
        """One in eta."""
        return n // self.eta

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where there is one rung alone."""
        check_rungs(self.name, self._rungs(epochs), self.first, self.eta)

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

    def _rungs(self, epochs: int) -> tuple[int, ...]:
        return counted_down(epochs, self.first, self.eta)


@cache
def _dealt(sizes: tuple[int, ...]) -> tuple[int, ...]:
    """The bracket of each trial of a set: always the one that is furthest behind its share, of equal ones the first."""
    given, order = [0] * len(sizes), []
    for _ in range(sum(sizes)):
        bracket = min(range(len(sizes)), key=lambda index: ((given[index] + 1) / sizes[index], index))
        given[bracket] += 1
        order.append(bracket)
    return tuple(order)
