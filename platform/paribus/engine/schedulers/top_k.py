"""Top-K after one epoch: the baseline that every multi-fidelity method must beat."""

from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.halving import Halving
from paribus.engine.schedulers.scheduler import SchedulerError, check_whole


@dataclass(frozen=True, kw_only=True)
class TopK(Halving):
    """All trials train `after` epochs, the best k of them all (Egele et al. 2023, arXiv 2307.15422, section 3).

    Args:
        k: trials that go on; None: one in ten, at least one.
        after: epochs before the one decision.

    Raises:
        SchedulerError: no whole numbers above 0.
    """

    name: ClassVar[str] = "top_k"
    waits: ClassVar[bool] = True

    k: int | None = None
    after: int = 1

    def __post_init__(self) -> None:
        if self.k is not None:
            check_whole(self.name, "k", self.k, 1)
        check_whole(self.name, "after", self.after, 1)

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """One rung before the end."""
        return (self.after, epochs)

    def keep(self, n: int) -> int:
        """k, whatever n."""
        return self.k or max(1, n // 10)

    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where the decision would come at the end or later, or all would go on."""
        if self.after >= epochs:
            raise SchedulerError(
                f"scheduler 'top_k': after = {self.after} of {epochs} epochs leaves nothing to save: take fewer"
            )
        if self.k is not None and self.k >= planned:
            raise SchedulerError(
                f"scheduler 'top_k': k = {self.k} of {planned} trials go on, which is all: take fewer, or 'none'"
            )
