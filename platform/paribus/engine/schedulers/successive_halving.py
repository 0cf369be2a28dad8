"""Synchronous successive halving."""

from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.asha import check_rungs
from paribus.engine.schedulers.halving import Halving
from paribus.engine.schedulers.scheduler import check_whole, counted_down


@dataclass(frozen=True, kw_only=True)
class SuccessiveHalving(Halving):
    """Successive halving (Jamieson and Talwalkar 2016, arXiv 1502.07943): when all trials are at a rung the best
    n / eta go on, at least one. Workers wait for the slowest; decisions don't depend on who came first.

    Args:
        eta: one in eta goes on from each rung.
        first: epochs at the lowest rung, at least; rungs are counted down from the whole budget.

    Raises:
        SchedulerError: no whole numbers, eta below 2.
    """

    name: ClassVar[str] = "successive_halving"
    waits: ClassVar[bool] = True

    eta: int = 3
    first: int = 1

    def __post_init__(self) -> None:
        check_whole(self.name, "eta", self.eta, 2)
        check_whole(self.name, "first", self.first, 1)

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """Of every trial the same."""
        return counted_down(epochs, self.first, self.eta)

    def keep(self, n: int) -> int:
        """One in eta."""
        return n // self.eta

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where there is one rung alone."""
        check_rungs(self.name, self.rungs_of(0, epochs), self.first, self.eta)
