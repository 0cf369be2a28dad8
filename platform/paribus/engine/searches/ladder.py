"""The walk of a search whose trials are smaller at first: of each size the best are trained anew at the next."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import accumulate
from typing import Literal

from paribus.engine.samplers.sampler import Proposal, Sampler, Told
from paribus.engine.schedulers import Rungs
from paribus.engine.searches.stages import Stages
from paribus.engine.searches.tried import Go, Tried
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import label
from paribus.study.searches.search import Search


class Ladder(Stages):
    """Rungs of trials, each of them trained from its start to its end at the rung's value of one field.

    Trial `starts[rung] + place` is at the setting of the place-th best of the rung below; those of the first rung are
    proposed, and number 0 is the baseline, where there is one, which is trained whole at once and stands in no rung.
    A rung begins when all trials of the one below have ended, so that who goes on does not depend on who came first.
    """

    def __init__(self, search: Search, sampler: Sampler, scheduler: Rungs, epochs: int) -> None:
        super().__init__(search, sampler, scheduler, epochs)
        assert search.rungs is not None
        self.path, self.values = search.rungs
        self.has_baseline = search.baseline_setting is not None
        self.sizes = scheduler.sizes
        self.starts = [0, *accumulate(self.sizes)]
        self.planned = self.starts[-1]

    def stage_of(self, number: int) -> int:
        """Its rung."""
        return next((rung for rung, end in enumerate(self.starts[1:]) if number < end), len(self.sizes) - 1)

    def next(self) -> Go | Literal["over"] | None:
        """What to train now; None where it has to wait for the rung below, `over` where nothing is left."""
        if self._in["interrupted"]:
            return self._go(min(self._in["interrupted"]), is_new=False)
        for rung in range(len(self.sizes)):
            numbers = self._numbers(rung)
            for number in numbers:
                if number not in self.tried and (go := self._born(number)) is not None:
                    return go
            if any(self.tried[number].state == "running" for number in numbers if not self._is_whole_at_once(number)):
                return None
        return None if self._in["running"] else "over"

    def until(self, number: int) -> int:
        """0: every trial is trained to its end."""
        return 0

    def hopeless(self) -> dict[int, str]:
        """Nobody waits."""
        return {}

    def is_whole(self, each: Tried) -> bool:
        """Whether it was trained at the last rung's value."""
        return label(each.levels.get(self.path)) == label(self.values[-1])

    def _numbers(self, rung: int) -> list[int]:
        """The trials of a rung: fewer than were planned where fewer came to the end of the one below."""
        start, size = self.starts[rung], self.sizes[rung]
        return list(range(start, start + (min(size, len(self._order(rung - 1))) if rung else size)))

    def _order(self, rung: int) -> list[int]:
        """Those of a rung that were trained to their end, the best first; equal ones in order."""
        numbers = range(self.starts[rung], self.starts[rung + 1])
        done = [self.tried[each] for each in numbers if each in self.tried and not self._is_whole_at_once(each)]
        metric = self.search.metric
        values = {each.number: self._turned(each.metrics[metric]) for each in done if each.state == "finished"}
        return sorted((each for each in values if values[each] > -math.inf), key=lambda each: (-values[each], each))

    def _is_whole_at_once(self, number: int) -> bool:
        return number == 0 and self.has_baseline

    def _setting(self, number: int) -> tuple[Proposal | None, int | None]:
        rung = self.stage_of(number)
        if rung:
            below = self.tried[self._order(rung - 1)[number - self.starts[rung]]]
            return Proposal({**below.levels, self.path: self.values[rung]}), None
        return self._proposed(number), None

    def _proposed(self, number: int) -> Proposal | None:
        if self._is_whole_at_once(number):
            return Proposal(self.search.first[0])
        first = range(self.has_baseline, self.sizes[0])
        proposal = self.sampler.propose(number, [self._told_of(told) for told in self.told() if told.number in first])
        if proposal == "later":
            raise StudyError(
                f"the sampler {self.search.sampler!r} waits for results, and with fidelity all settings are proposed "
                "before the first has ended: take another, or leave fidelity out"
            )
        return proposal and Proposal({**proposal.levels, self.path: self.values[0]}, proposal.memory)

    def _told_of(self, told: Told) -> Told:
        """As the sampler knows it, which is asked for the other fields."""
        return replace(told, levels={path: level for path, level in told.levels.items() if path != self.path})
