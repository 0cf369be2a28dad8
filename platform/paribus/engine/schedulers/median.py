"""Median stopping."""

from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from paribus.engine.schedulers.bracket import Bracket
from paribus.engine.schedulers.scheduler import Scheduler, SchedulerError, check_whole


@dataclass(frozen=True, kw_only=True)
class MedianStopping(Scheduler):
    """A trial stops after an epoch at which its best value so far is below the median of the others' means so far.

    (Golovin et al. 2017, Google Vizier, section 3.2.) It goes on at once or never, so that nothing stays paused; what
    it decides depends on who was there before.

    Args:
        first: epochs before the first decision.
        every: epochs between decisions.
        others: trials that must have got as far before one is stopped there.

    Raises:
        SchedulerError: no whole numbers above 0.
    """

    name: ClassVar[str] = "median"

    first: int = 1
    every: int = 1
    others: int = 3

    def __post_init__(self) -> None:
        for name in ("first", "every", "others"):
            check_whole(self.name, name, getattr(self, name), 1)

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """Every `every` epochs from `first` on."""
        return (*range(self.first, epochs, self.every), epochs)

    def promoted(self, bracket: Bracket, rung: int) -> int | None:
        """The best of those that are not to be stopped."""
        return next((number for _, number in bracket.paused[rung] if not self._stops(bracket, rung, number)), None)

    def hopeless(self, bracket: Bracket, rung: int) -> dict[int, str]:
        """Those that are to be stopped."""
        return {
            number: f"after epoch {bracket.rungs[rung]}: its best so far is below the median of the means of "
            f"{len(bracket.means[rung]) - 1} others"
            for _, number in bracket.paused[rung]
            if self._stops(bracket, rung, number)
        }

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where the first decision would come at the end."""
        if self.first >= epochs:
            raise SchedulerError(
                f"scheduler 'median': first = {self.first} of {epochs} epochs leaves nothing to stop: take fewer"
            )

    def notes(self, epochs: int, planned: int) -> tuple[str, ...]:
        """Where there are too few trials to stop any."""
        if planned > self.others:
            return ()
        return (f"median stopping waits for {self.others} other trials, and of {planned} none has so many",)

    def _stops(self, bracket: Bracket, rung: int, number: int) -> bool:
        values = bracket.values[number][: rung + 1]
        if max(values) == float("-inf"):
            return True
        others = list(bracket.means[rung])
        others.remove(sum(values) / len(values))
        return len(others) >= self.others and max(values) < median(others)
