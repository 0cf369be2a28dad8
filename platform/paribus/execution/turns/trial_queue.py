"""The trials that a study hands to Ray Tune: as many at once as its turn allows, and again those that gave way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal

from paribus.execution.turns.turn import Turn
from paribus.study.plan import Step

# The next step; None where it has to wait for what runs.
NextStep = Callable[[], Step | Literal["over"] | None]


class TrialQueue:
    """What `next_step` gives, within the study's turn.

    `places` is how many trials the cluster has room for, None where that is not known. More are not handed out: for one
    that waits Tune asks Ray for a place, and gives it back as soon as a worker is free.

    Args:
        next_step: the trials in their order, each of them once.
        left: how many trials that has yet.
    """

    def __init__(self, next_step: NextStep, left: Callable[[], int], turn: Turn) -> None:
        self._next_step, self._left, self.turn = next_step, left, turn
        self.places: int | None = None
        self._out: dict[str, Step] = {}
        self._again: deque[Step] = deque()

    @property
    def num_out(self) -> int:
        """Trials that were handed out and have not ended."""
        return len(self._out)

    @property
    def wants(self) -> int:
        """Trials to go, those that run too."""
        return self.num_out + len(self._again) + self._left()

    def next(self) -> Step | Literal["over"] | None:
        """The next step; "over" where there is none, or where what runs is to give its places up."""
        if self.turn.over(self.num_out):
            return "over"
        if any(most is not None and self.num_out >= most for most in (self.turn.limit, self.places)):
            return None
        step = self._again.popleft() if self._again else self._next_step()
        if isinstance(step, Step):
            self._out[step.trial.id] = step
        return step

    def ended(self, trial_id: str) -> None:
        """A trial came to its end, or waits at a rung."""
        self._out.pop(trial_id, None)

    def take_back(self) -> None:
        """What was handed out gave way, and is to go on later, each in an attempt of its own."""
        self._again.extend(replace(step, attempt=step.attempt + 1, run_id=None) for step in self._out.values())
        self._out.clear()

    def has_more(self) -> bool:
        """Whether anything is to be trained, while nothing runs."""
        if not self._again:
            step = self._next_step()
            if not isinstance(step, Step):
                return step is None
            self._again.append(step)
        return True


def in_order(steps: Iterable[Step]) -> tuple[NextStep, Callable[[], int]]:
    """The steps of a plan, one after another, and how many are left."""
    rest = deque(steps)
    return lambda: rest.popleft() if rest else "over", lambda: len(rest)
