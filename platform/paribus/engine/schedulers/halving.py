"""What successive halving, in its forms, and top-K have in common: of n trials at a rung the best so many go on."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.bracket import Bracket
from paribus.engine.schedulers.scheduler import Scheduler, SchedulerError, check_whole, counted_down, ordinal


@dataclass(frozen=True, kw_only=True)
class Halving(Scheduler):
    """Of n trials that arrived at a rung the best `keep(n)` go on: at once, or (`waits`) when all of them are there.

    When all are there at least one goes on: a search that its budget ends early trains its best one to the end.
    """

    waits: ClassVar[bool]

    @abstractmethod
    def keep(self, n: int) -> int:
        """How many of n go on; rises with n."""

    def promoted(self, bracket: Bracket, rung: int) -> int | None:
        """The best that is paused, where it is among those that go on."""
        if not bracket.paused[rung]:
            return None
        best, n = bracket.paused[rung][0], len(bracket.arrived[rung])
        rank = bracket.rank(best, rung)
        if best[0] == math.inf or rank >= self._in_the_end(n):
            return None
        at_once = not self.waits and rank < self.keep(n)
        return best[1] if at_once or bracket.at_most(rung, self._in_the_end) == n else None

    def hopeless(self, bracket: Bracket, rung: int) -> dict[int, str]:
        """Those that would not go on if all that are still to come were worse."""
        if not bracket.paused[rung]:
            return {}
        n = bracket.at_most(rung, self._in_the_end)
        kept, found = self._in_the_end(n), {}
        for place in reversed(bracket.paused[rung]):
            rank = bracket.rank(place, rung)
            if place[0] == math.inf:
                found[place[1]] = f"rung {rung + 1} of {len(bracket.rungs)}: its value is no number"
            elif rank >= kept:
                found[place[1]] = (
                    f"rung {rung + 1} of {len(bracket.rungs)}: {ordinal(rank + 1)} of {len(bracket.arrived[rung])}"
                    f"{f', {n} at most,' if n > len(bracket.arrived[rung]) else ','} {_go_on(kept)}"
                )
            else:
                break
        return found

    def _in_the_end(self, n: int) -> int:
        """How many of n go on once all are there."""
        return max(1, self.keep(n))


@dataclass(frozen=True, kw_only=True)
class Geometric(Halving):
    """Halving with rungs that grow by `eta`, from each of which one in `eta` goes on.

    Args:
        eta: one in eta goes on from each rung.
        first: epochs at the lowest rung, at least; rungs are counted down from the whole budget.

    Raises:
        SchedulerError: no whole numbers, eta below 2.
    """

    eta: int = 3
    first: int = 1

    def __post_init__(self) -> None:
        check_whole(self.name, "eta", self.eta, 2)
        check_whole(self.name, "first", self.first, 1)

    def rungs(self, epochs: int) -> tuple[int, ...]:
        """All rungs of trials of so many epochs."""
        return counted_down(epochs, self.first, self.eta)

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """Of every trial the same."""
        return self.rungs(epochs)

    def keep(self, n: int) -> int:
        """One in eta."""
        return n // self.eta

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where trials end at their first rung."""
        if len(self.rungs(epochs)) == 1:
            raise SchedulerError(
                f"scheduler {self.name!r}: trials of {epochs} epochs have no rung between first = {self.first} and "
                f"the end with eta = {self.eta}, so that none would be cut: train longer, lower eta or first, or take "
                "'none'"
            )


def _go_on(number: int) -> str:
    return "1 goes on" if number == 1 else f"{number} go on"
