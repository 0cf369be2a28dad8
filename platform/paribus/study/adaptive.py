"""Replication that goes only where a contrast is unresolved, with looks that are planned and so paid for."""

from collections.abc import Sequence
from itertools import pairwise
from reprlib import repr as brief
from typing import Any

from paribus.study.constructors import by_fields
from paribus.study.designs.arms import StudyError

# Below three pairs nothing can be judged; a look after every replicate spends the error on looks that tell nothing new.
FEWEST, MOST_LOOKS = 3, 12


@by_fields
class Adaptive(int):
    """A number of replicates that is reached by planned looks (Lan and DeMets 1983): the most that an arm can get.

    An arm that is resolved at a look gets no more, and neither does one that could hardly be resolved by the last.

    Args:
        looks: replicates at which every arm that goes on is judged, rising; the last is the number itself.
        trials: the most trials of the whole study; at a look after which the next would need more, it ends.
        hours: the most hours of the whole study, of GPUs where its trials have any, else of workers. What the next look
            would need is told by the times of the trials up to this one, so that the first look has no such limit;
            attempts that were lost are not in it.

    Raises:
        StudyError: looks that do not rise, start below 3 or are more than 12, or no positive number of trials or hours.
    """

    looks: tuple[int, ...]
    trials: int | None
    hours: float | None

    def __new__(
        cls, looks: Sequence[int] = (4, 6, 9, 13, 20, 30), *, trials: int | None = None, hours: float | None = None
    ) -> "Adaptive":
        """The last look, which knows the others."""
        _check(looks, trials)
        _check_hours(hours)
        made = super().__new__(cls, looks[-1])
        made.looks, made.trials, made.hours = tuple(looks), trials, hours
        return made

    def __repr__(self) -> str:
        """As it is written in a study."""
        limits = [f"{name}={limit}" for name, limit in self.budget.items()]
        return f"Adaptive({', '.join([str(self.looks), *limits])})"

    def __str__(self) -> str:
        """The number, as texts and tables have it."""
        return str(int(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled as it was made."""
        return _again, (self.looks, self.trials, self.hours)

    @property
    def budget(self) -> dict[str, int | float]:
        """The limits of the whole study by name, of trials and of hours; {} without any."""
        limits = {"trials": self.trials, "hours": self.hours}
        return {name: limit for name, limit in limits.items() if limit is not None}


def _again(looks: tuple[int, ...], trials: int | None, hours: float | None = None) -> Adaptive:
    return Adaptive(looks, trials=trials, hours=hours)


def _check_hours(hours: Any) -> None:
    if hours is not None and (type(hours) not in (int, float) or not 0 < hours < float("inf")):
        raise StudyError(f"hours = {hours!r}: the most hours of the whole study, a number above 0 such as 2.5")


def _check(looks: Any, trials: Any) -> None:
    if not isinstance(looks, (tuple, list)) or not all(type(look) is int for look in looks):
        raise StudyError(f"looks = {brief(looks)}: give numbers of replicates, such as (4, 6, 9, 13, 20)")
    rising = all(one < two for one, two in pairwise(looks))
    if not 2 <= len(looks) <= MOST_LOOKS or looks[0] < FEWEST or not rising:
        raise StudyError(
            f"looks = {tuple(looks)!r}: two to {MOST_LOOKS} numbers of replicates that rise, the first at least "
            f"{FEWEST}, such as (4, 6, 9, 13, 20); a single look is replicates={looks[0] if looks else 5}"
        )
    if trials is not None and (type(trials) is not int or trials < 1):
        raise StudyError(f"trials = {trials!r}: the most trials of the whole study, a whole number above 0")
