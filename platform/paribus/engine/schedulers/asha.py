"""Asynchronous successive halving that pauses and promotes."""

from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.halving import Halving
from paribus.engine.schedulers.scheduler import SchedulerError, check_whole, counted_down


@dataclass(frozen=True, kw_only=True)
class Asha(Halving):
    """ASHA (Li et al. 2020, arXiv 1810.05934, Algorithm 2): a free worker takes on the best paused trial that is among
    the first n / eta of the n at its rung, from the highest rung down, and starts a new trial where there is none.

    Args:
        eta: one in eta goes on from each rung.
        first: epochs at the lowest rung, at least; rungs are counted down from the whole budget.

    Raises:
        SchedulerError: no whole numbers, eta below 2.
    """

    name: ClassVar[str] = "asha"
    waits: ClassVar[bool] = False

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
        """Raise SchedulerError where there is one rung alone, or so few trials that none would reach the last."""
        rungs = self.rungs_of(0, epochs)
        check_rungs(self.name, rungs, self.first, self.eta)
        if planned < (least := self.eta ** (len(rungs) - 1)):
            raise SchedulerError(
                f"scheduler {self.name!r}: one in {self.eta} goes on from each of the rungs "
                f"{', '.join(map(str, rungs))}, so that of {planned} trials none would train all {epochs} epochs: ask "
                f"for {least} trials or more, raise first, or lower eta"
            )


def check_rungs(name: str, rungs: tuple[int, ...], first: int, eta: int) -> None:
    """Raise SchedulerError where trials end at their first rung."""
    if len(rungs) == 1:
        raise SchedulerError(
            f"scheduler {name!r}: trials of {rungs[0]} epochs have no rung between first = {first} and the end with "
            f"eta = {eta}, so that none would be cut: train longer, lower eta or first, or take 'none'"
        )
