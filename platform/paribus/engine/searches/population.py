"""The walk of a population: generation after generation, every trial after the first from another one's checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal

from paribus.engine.samplers.sampler import Proposal, Sampler
from paribus.engine.schedulers import Pbt, Rungs, Scheduler
from paribus.engine.schedulers.perturbing import draw_of, perturbed
from paribus.engine.schedulers.scheduler import ordinal
from paribus.engine.searches.ladder import Ladder
from paribus.engine.searches.stages import Stages
from paribus.engine.searches.tried import Go, State, Tried
from paribus.engine.searches.walk import Walk
from paribus.study.searches.search import Search
from paribus.study.searches.space import Levels

# Perturbed settings in a row whose fields do not fit each other, after which the copied one is taken as it is.
_MOST_PERTURBED = 20
# A trial that came to the end of its generation.
_CAME: tuple[State, ...] = ("paused", "stopped", "finished")


class Population(Stages):
    """Members of a population, of which trial `generation * members + member` trains one generation at one setting.

    A trial pauses at the end of its generation and others go on from its checkpoint; it is stopped when none will need
    that again. Those of the last generation train to their end. Who goes on from whom, and at which settings, is a
    function of the search's seed, the trial's number and what the generation before came to.
    """

    def __init__(self, search: Search, sampler: Sampler, scheduler: Pbt, epochs: int) -> None:
        super().__init__(search, sampler, scheduler, epochs)
        self.pbt, self.members = scheduler, search.trials
        self.generations = epochs // scheduler.interval
        self.planned = self.members * self.generations
        self._ended = 0  # generations that are known to have come to their end

    def generation_of(self, number: int) -> int:
        """From 0."""
        return number // self.members

    def stage_of(self, number: int) -> int:
        """Its generation."""
        return self.generation_of(number)

    def next(self) -> Go | Literal["over"] | None:
        """What to train now; None where it has to wait for its generation, `over` where nothing is left."""
        if self._in["interrupted"]:
            return self._go(min(self._in["interrupted"]), is_new=False)
        for generation in range(self._ended, self.generations):
            for number in self._numbers(generation):
                if number not in self.tried and (go := self._born(number)) is not None:
                    return go
            if any(self.tried[number].state == "running" for number in self._numbers(generation)):
                return None
            if not self._values(generation):
                self.planned = (generation + 1) * self.members
                self.ended_by = f"no member came to the end of generation {generation + 1} of {self.generations}"
                return "over"
            self._ended = generation + 1
        return "over"

    def until(self, number: int) -> int:
        """The epoch at which its generation ends; 0 in the last one."""
        generation = self.generation_of(number) + 1
        return 0 if generation == self.generations else generation * self.pbt.interval

    def hopeless(self) -> dict[int, str]:
        """Trials whose checkpoints are needed no more, with what became of them; the caller says `cut` of each."""
        waiting = sorted(self._in["paused"])
        return {number: self._fate(number) for number in waiting if self._is_done_with(number)}

    def best(self) -> list[Tried]:
        """The best of the last generation; equal settings that came about differently are different results."""
        return self.ranked()[: self.search.top]

    def children(self, number: int) -> list[int]:
        """The trials that go on from its checkpoint."""
        following = self._numbers(self.generation_of(number) + 1)
        return [child for child in following if child in self.tried and self.tried[child].parent == number]

    def span_of(self, number: int) -> tuple[int, int]:
        """Its first epoch and its last."""
        generation = self.generation_of(number)
        return generation * self.pbt.interval + 1, (generation + 1) * self.pbt.interval

    def line_of(self, number: int) -> list[Tried]:
        """The trials through which it came about, the first one first and itself last."""
        line = [self.tried[number]]
        while (parent := line[0].parent) is not None and parent in self.tried:
            line.insert(0, self.tried[parent])
        return line

    def _numbers(self, generation: int) -> range:
        return range(generation * self.members, (generation + 1) * self.members)

    def _values(self, generation: int) -> dict[int, float]:
        """Of the members that came to the generation's end."""
        epoch, found = (generation + 1) * self.pbt.interval, {}
        for member, number in enumerate(self._numbers(generation)):
            each = self.tried.get(number)
            if each is not None and each.state in _CAME:
                found[member] = self._turned(each.seen.get(epoch, math.nan))
        return found

    def _setting(self, number: int) -> tuple[Proposal | None, int | None]:
        if number >= self.members:
            return self._from_parent(number)
        proposal = self._proposed(number)
        assert proposal != "later", "samplers that draw by number alone wait for nobody"
        return proposal, None

    def _from_parent(self, number: int) -> tuple[Proposal, int]:
        generation, member = divmod(number, self.members)
        draw = draw_of(self.search.seed, number)
        donor = self.pbt.donor(member, self._values(generation - 1), self.members, draw)
        parent = self._numbers(generation - 1)[donor]
        levels = self.tried[parent].levels
        return Proposal(levels if donor == member else self._perturbed(levels, number)), parent

    def _perturbed(self, levels: Levels, number: int) -> Levels:
        for again in range(_MOST_PERTURBED):
            draw = draw_of(self.search.seed, number, again)
            found = perturbed(levels, self.search.domains, self.pbt.resample, draw)
            if not self._misfit(found):
                return found
        return levels

    def _is_done_with(self, number: int) -> bool:
        following = self._numbers(self.generation_of(number) + 1)
        after = following.stop in self.tried
        states = [self.tried[child].state if child in self.tried else "running" for child in following]
        if not all(state in (*_CAME, "failed") for state in states):
            return False
        # The same command tries what has no result again, from this checkpoint, unless others went on without it.
        return after or all(not self.tried[child].is_lost for child in self.children(number))

    def _fate(self, number: int) -> str:
        generation, member = divmod(number, self.members)
        values = self._values(generation)
        rank = sum((-value, each) < (-values[member], member) for each, value in values.items()) + 1
        children = self.children(number)
        told = f"{', '.join(f'#{child}' for child in children)} {'goes' if len(children) == 1 else 'go'} on from it"
        return (
            f"generation {generation + 1} of {self.generations}: {ordinal(rank)} of {self.members}; "
            f"{told if children else 'nobody goes on from it'}"
        )


def walk_of(search: Search, epochs: int, sampler: Sampler, scheduler: Scheduler, tried: Iterable[Tried]) -> Walk:
    """The walk under that scheduler, with what is known of it."""
    walk: Walk
    if isinstance(scheduler, Pbt):
        walk = Population(search, sampler, scheduler, epochs)
    elif isinstance(scheduler, Rungs):
        walk = Ladder(search, sampler, scheduler, epochs)
    else:
        walk = Walk(search, sampler, scheduler, epochs)
    walk.restore(tried)
    return walk
