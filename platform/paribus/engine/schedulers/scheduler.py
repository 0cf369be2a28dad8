"""What a scheduler is: arguments, rungs, and who of a bracket goes on."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from paribus.engine.schedulers.bracket import Bracket
from paribus.study.designs.arms import StudyError


class SchedulerError(StudyError):
    """A scheduler that cannot be: the message names the value, what is allowed and what to do."""


@dataclass(frozen=True, kw_only=True)
class Scheduler(ABC):
    """How trials of a search are cut short. A trial trains to the end of a rung, pauses there with a checkpoint, and
    goes on later or never.

    Every method is a function of its arguments: the same facts give the same decision, in whatever order they came.
    Values at rungs are larger for better ones.
    """

    name: ClassVar[str]

    @abstractmethod
    def rungs_of(self, number: int, epochs: int) -> tuple[int, ...]:
        """Epochs after which trial `number` (from 0) is judged, rising; the last is `epochs`, a whole trial's."""

    def bracket_of(self, number: int, epochs: int) -> int:
        """The bracket of trial `number`: trials are ranked within theirs alone, and one bracket has the same rungs."""
        return 0

    @abstractmethod
    def promoted(self, bracket: Bracket, rung: int) -> int | None:
        """The trial paused at `rung` that goes on now; None: none yet. Asked of all rungs but the last."""

    @abstractmethod
    def hopeless(self, bracket: Bracket, rung: int) -> dict[int, str]:
        """Trials paused at `rung` that will never go on, whatever the others come to, with the reason in words."""

    @abstractmethod
    def check(self, epochs: int, planned: int) -> None:
        """Raise SchedulerError where the arguments don't fit trials of `epochs` epochs, of which `planned` start."""

    def notes(self, epochs: int, planned: int) -> tuple[str, ...]:
        """What a plan should say of this scheduler: what it cannot do with so many trials."""
        return ()


def check_whole(scheduler: str, name: str, value: object, least: int) -> None:
    """Raise SchedulerError where the argument is no whole number from `least` on."""
    if type(value) is not int or value < least:
        raise SchedulerError(f"scheduler {scheduler!r}: {name} = {value!r} should be a whole number, {least} or more")


def counted_down(epochs: int, first: int, eta: int) -> tuple[int, ...]:
    """The rungs `epochs`, `epochs / eta`, `epochs / eta^2` and so on down to `first`, rising, as whole epochs.

    The papers count up from `first`, which is the same where `epochs = first eta^k`; where it is not, the last rung
    would then lie just below the whole budget, and cutting there saves nothing.
    """
    rungs, down = [epochs], float(epochs)
    while (down := down / eta) >= first:
        if (rung := int(down + 0.5)) < rungs[-1]:
            rungs.append(rung)
    return tuple(reversed(rungs))


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
