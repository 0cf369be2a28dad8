"""Population based training: which members of a generation are replaced, and by whom."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.bracket import Bracket
from paribus.engine.schedulers.perturbing import Draw
from paribus.engine.schedulers.scheduler import Scheduler, SchedulerError, check_whole
from paribus.study.checks import is_number
from paribus.study.searches.population import POPULATION


@dataclass(frozen=True, kw_only=True)
class Pbt(Scheduler):
    """Population based training (Jaderberg et al. 2017, arXiv 1711.09846) in generations.

    All members train `interval` epochs. Then each of the worst `quantile` goes on from the checkpoint of one of the
    best `quantile` (truncation selection) at that one's settings, perturbed; the others go on as they are. The paper's
    members do not wait for each other; here a generation waits for its slowest, so that what is decided does not depend
    on who came first.

    Args:
        interval: epochs of a generation.
        quantile: the share that is replaced, and of the same size the share that is copied.
        resample: how likely a perturbed field is drawn anew from its domain, in place of a step from where it was.

    Raises:
        SchedulerError: no whole number, or a share that cannot be.
    """

    name: ClassVar[str] = POPULATION

    interval: int = 1
    quantile: float = 0.25
    resample: float = 0.25

    def __post_init__(self) -> None:
        check_whole(self.name, "interval", self.interval, 1)
        if not is_number(self.quantile) or not 0 < self.quantile <= 0.5:
            raise SchedulerError(
                f"scheduler {self.name!r}: quantile = {self.quantile!r} should be a number above 0 and at most 0.5: "
                "the share of the members that is replaced"
            )
        if not is_number(self.resample) or not 0 <= self.resample <= 1:
            raise SchedulerError(
                f"scheduler {self.name!r}: resample = {self.resample!r} should be a number from 0 to 1: how likely a "
                "perturbed field is drawn anew"
            )

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """The ends of all generations; each trial comes to that of its own."""
        return tuple(range(self.interval, epochs + 1, self.interval))

    def promoted(self, bracket: Bracket, rung: int) -> int | None:
        """Nobody: a trial ends with its generation, and others go on from it."""
        return None

    def hopeless(self, bracket: Bracket, rung: int) -> dict[int, str]:
        """Nobody, before its generation has ended."""
        return {}

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where generations do not fill the budget, or the share of the members is none."""
        if epochs % self.interval or self.interval >= epochs:
            fitting = [str(each) for each in range(1, epochs // 2 + 1) if epochs % each == 0]
            raise SchedulerError(
                f"scheduler {self.name!r}: interval = {self.interval} does not cut {epochs} epochs into generations of "
                f"equal length, two at least: {'take ' if fitting else 'train longer'}{', '.join(fitting)}"
            )
        if self.replaced(planned) < 1:
            raise SchedulerError(
                f"scheduler {self.name!r}: quantile = {self.quantile:g} of {planned} members is less than one, so that "
                f"none would be replaced: give trials={math.ceil(1 / self.quantile)} or more, or a larger quantile"
            )

    def replaced(self, members: int) -> int:
        """How many of so many members are replaced after a generation; as many of the best are copied."""
        return int(members * self.quantile + 1e-9)

    def donor(self, member: int, values: Mapping[int, float], members: int, draw: Draw) -> int:
        """The member from whose checkpoint `member` goes on: itself, unless it is among the worst or did not train.

        Args:
            values: of those members (numbered from 0 to below `members`) that came to the end of the generation, larger
                for better ones; of one at least.
        """
        order = sorted(values, key=lambda each: (-values[each] if math.isfinite(values[each]) else math.inf, each))
        count = self.replaced(members)
        best = [each for each in order[:count] if math.isfinite(values[each])] or order[:1]
        worst = [*order, *(each for each in range(members) if each not in values)][-count:]
        if member in values and member not in worst:
            return member
        return best[int(draw("donor") * len(best))]
