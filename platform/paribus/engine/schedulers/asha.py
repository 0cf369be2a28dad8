"""Asynchronous successive halving that pauses and promotes."""

from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.halving import Geometric
from paribus.engine.schedulers.scheduler import SchedulerError


@dataclass(frozen=True, kw_only=True)
class Asha(Geometric):
    """ASHA (Li et al. 2020, arXiv 1810.05934, Algorithm 2): a free worker takes on the best paused trial that is among
    the first n / eta of the n at its rung, from the highest rung down, and starts a new trial where there is none.
    """

    name: ClassVar[str] = "asha"
    waits: ClassVar[bool] = False

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where there is one rung alone, or so few trials that none would reach the last."""
        super().check(epochs, planned)
        rungs = self.rungs(epochs)
        if planned < (least := self.eta ** (len(rungs) - 1)):
            raise SchedulerError(
                f"scheduler {self.name!r}: one in {self.eta} goes on from each of the rungs "
                f"{', '.join(map(str, rungs))}, so that of {planned} trials none would train all {epochs} epochs: ask "
                f"for {least} trials or more, raise first, or lower eta"
            )
