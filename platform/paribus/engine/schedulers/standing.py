"""What is known of a search's trials: told as it happens, or read from a ledger; and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from paribus.engine.schedulers.bracket import Bracket
from paribus.engine.schedulers.scheduler import Scheduler


class Standing:
    """All trials of a search by their numbers (from 0), under one scheduler.

    `promote` and `cut` change nothing. They depend on what was told and not on its order, so that a driver that was
    killed and reads the ledger decides as the first one would have.
    """

    def __init__(self, scheduler: Scheduler, *, epochs: int, planned: int) -> None:
        """Nothing has started.

        Args:
            epochs: of a whole trial.
            planned: trials that will start in all: fewer than was asked for, perhaps, where a budget ended. Whether
                the scheduler fits them is for a plan to check.
        """
        self.scheduler, self.epochs, self.planned = scheduler, epochs, planned
        self._sizes: dict[int, int] = {}
        for number in range(planned):
            bracket = scheduler.bracket_of(number, epochs)
            self._sizes[bracket] = self._sizes.get(bracket, 0) + 1
        self._brackets: dict[int, Bracket] = {}
        # Those with a paused trial: no other can promote or cut any.
        self._with_paused: set[int] = set()

    @classmethod
    def of(
        cls,
        scheduler: Scheduler,
        *,
        epochs: int,
        planned: int,
        seen: Mapping[int, Mapping[int, float]],
        running: Iterable[int] = (),
        dead: Iterable[int] = (),
        cut: Iterable[int] = (),
    ) -> Standing:
        """What a ledger knows: of each trial its value at each rung that it reached (larger is better).

        Args:
            running: trials that train towards the rung after the last one that they reached.
            dead: trials that ended early: diverged, died, failed.
            cut: trials that were told that they will not go on.
        """
        standing = cls(scheduler, epochs=epochs, planned=planned)
        goes, gone, dropped = frozenset(running), frozenset(dead), frozenset(cut)
        for number in sorted({*seen, *goes, *gone}):
            standing.start(number)
            rungs = sorted(seen.get(number, ()))
            for index, epoch in enumerate(rungs):
                standing.pause(number, epoch, seen[number][epoch])
                if epoch < epochs and (index + 1 < len(rungs) or number in goes or number in gone):
                    standing.go_on(number)
            if number in gone:
                standing.end(number)
            elif number in dropped:
                standing.drop(number)
        return standing

    def start(self, number: int) -> int:
        """A new trial starts: the epoch that it trains to."""
        self._bracket(number).start(number)
        return self._bracket(number).rungs[0]

    def pause(self, number: int, epoch: int, value: float) -> None:
        """The trial came to the end of its rung, after `epoch` epochs, or to its end."""
        bracket = self._bracket(number)
        expected = bracket.rungs[len(bracket.values[number])]
        if epoch != expected:
            raise ValueError(f"trial {number} trained towards epoch {expected} and cannot have a value of {epoch}")
        bracket.arrive(number, value)
        self._note(number)

    def go_on(self, number: int) -> int:
        """A paused trial goes on: the epoch that it trains to."""
        bracket = self._bracket(number)
        bracket.leave(number, goes_on=True)
        self._note(number)
        return bracket.rungs[len(bracket.values[number])]

    def drop(self, number: int) -> None:
        """A paused trial was cut."""
        self._bracket(number).leave(number, goes_on=False)
        self._note(number)

    def end(self, number: int) -> None:
        """A trial that trained diverged, died or failed."""
        self._bracket(number).end(number)

    def promote(self) -> tuple[int, int] | None:
        """The paused trial that should go on before a new one starts, and the epoch to train to; None: none does."""
        for name in sorted(self._with_paused):
            bracket = self._brackets[name]
            for rung in reversed(range(len(bracket.rungs) - 1)):
                if bracket.paused[rung] and (number := self.scheduler.promoted(bracket, rung)) is not None:
                    return number, bracket.rungs[rung + 1]
        return None

    def cut(self) -> dict[int, str]:
        """Paused trials that will never go on, with the reason."""
        found: dict[int, str] = {}
        for name in sorted(self._with_paused):
            bracket = self._brackets[name]
            for rung in range(len(bracket.rungs) - 1):
                found |= self.scheduler.hopeless(bracket, rung) if bracket.paused[rung] else {}
        return found

    def _bracket(self, number: int) -> Bracket:
        name = self.scheduler.bracket_of(number, self.epochs)
        if name not in self._brackets:
            rungs = self.scheduler.rungs_of(number, self.epochs)
            self._brackets[name] = Bracket(rungs, self._sizes.get(name, 0))
        return self._brackets[name]

    def _note(self, number: int) -> None:
        name = self.scheduler.bracket_of(number, self.epochs)
        has_paused = any(self._brackets[name].paused)
        (self._with_paused.add if has_paused else self._with_paused.discard)(name)
