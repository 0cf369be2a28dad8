"""No scheduler: every trial trains to its end."""

from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.bracket import Bracket
from paribus.engine.schedulers.scheduler import Scheduler


@dataclass(frozen=True, kw_only=True)
class FullBudget(Scheduler):
    """Every trial trains all epochs."""

    name: ClassVar[str] = "none"

    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """The end alone."""
        return (epochs,)

    def promoted(self, bracket: Bracket, rung: int) -> int | None:
        """Nobody pauses."""
        return None

    def hopeless(self, bracket: Bracket, rung: int) -> dict[int, str]:
        """Nobody is cut."""
        return {}

    def check(self, epochs: int, planned: int) -> None:
        """Any trials will do."""
