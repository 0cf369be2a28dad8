"""A search as it goes: what is known of each of its trials, and which comes next. Pure of Ray and of the ledger."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count, islice
from typing import Literal

from paribus.engine.samplers.sampler import Proposal, Sampler, Told
from paribus.engine.schedulers import Scheduler, Standing, TuneScheduler, TuneStanding
from paribus.engine.schedulers.tune.tune_news import BEGUN, ENDED, turned
from paribus.engine.searches.past_fit import asked_for, excess_of, told_of, values_of
from paribus.engine.searches.tried import Go, State, Tried
from paribus.recipe import RecipeError
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import label
from paribus.study.searches.search import Search
from paribus.study.searches.space import Levels
from paribus.study.words import FailureClass, Outcome

# Proposals in a row whose fields do not fit each other, after which a space is taken for one that nothing fits.
_MOST_MISFITS = 200
_SILENT = "{} gives no further setting, though nothing runs that it could wait for"
_TOLD: Mapping[State, Literal["running", "finished", "failed", "stopped"]] = {
    "running": "running",
    "paused": "running",
    "interrupted": "running",
    "finished": "finished",
    "failed": "failed",
    "stopped": "stopped",
}


class Walk:
    """The trials of a search, by what is told: `next` says what to train, the other calls what became of it.

    The answers are a function of the search and of what was told, so that a walk that is restored from a ledger goes on
    as the one before it would have.

    Args:
        epochs: of a whole trial; 1 where the scheduler cuts none.
    """

    def __init__(self, search: Search, sampler: Sampler, scheduler: Scheduler, epochs: int) -> None:
        self.search, self.sampler, self.scheduler, self.epochs = search, sampler, scheduler, epochs
        self.tried: dict[int, Tried] = {}
        # How many settings there will be: fewer than asked for where the space or the budget ends before.
        self.planned = search.trials
        self.ended_by = ""
        # What came last, of all that is known: see `Tried.when`.
        self._clock = 0
        self._standing = self._stood()
        # Kept beside `tried`, which may be of ten thousand: what the sampler is told, and who is in which state.
        self._told: dict[int, Told] = {}
        # The same as a list, as long as none is missing: to make one for each of ten thousand proposals takes seconds.
        self._in_order: list[Told] = []
        # What it learns from beside its own trials, and never counts among them.
        self.past = told_of(search)
        self._free = 0
        self._misfits: dict[tuple[tuple[str, str], ...], str] = {}
        self._in: dict[State, set[int]] = {state: set() for state in _TOLD}

    def restore(self, tried: Iterable[Tried]) -> None:
        """Take up what a ledger knows."""
        for each in sorted(tried, key=lambda each: each.number):
            if each.state == "finished":
                each = replace(each, state=self._state(each), reason=each.reason or self._lacks(each))
            self._put(each)
            if each.state == "paused" and self._is_baseline(each.number):
                self._put(replace(each, state="interrupted"))  # it was on its way to its end
        if self.tried:
            self.planned = max(self.planned, max(self.tried) + 1)
            self._clock = max(max(each.when.values(), default=0) for each in self.tried.values())
        self._stand()

    def next(self) -> Go | Literal["over"] | None:
        """What to train now; None where it has to wait for what runs, `over` where nothing is left.

        Raises:
            StudyError: the space's fields never fit each other.
        """
        if self._in["interrupted"]:
            return self._go(min(self._in["interrupted"]), is_new=False)
        if (promoted := self._standing.promote()) is not None:
            self._standing.go_on(promoted[0])
            return self._go(promoted[0], is_new=False)
        number = self._first_free()
        if number < self.planned and not self._spent():
            return self._begin(number)
        self._end_at(number)
        if self._in["running"]:
            return None
        return None if self._standing.promote() is not None else "over"

    def until(self, number: int) -> int:
        """The epoch after which the trial pauses next; 0: it trains to its end."""
        if self._is_baseline(number):
            return 0
        seen = self.tried[number].seen
        rungs = self.scheduler.rungs_of(number, self.epochs)
        left = [rung for rung in rungs if rung not in seen]
        return left[0] if left and left[0] != rungs[-1] else 0

    def seen(self, number: int, epoch: int, value: float) -> None:
        """The metric of a trial after an epoch."""
        each = self.tried[number]
        self._put(replace(each, seen={**each.seen, epoch: value}, when={**each.when, epoch: self._now()}))

    def paused(self, number: int, epoch: int, seconds: float = 0.0) -> None:
        """The trial came to the end of its rung."""
        each = self.tried[number]
        self._put(replace(each, state="paused", seconds=each.seconds + seconds))
        self._rank_paused(number, epoch)

    def ended(
        self,
        number: int,
        outcome: Outcome,
        metrics: Mapping[str, float],
        *,
        seconds: float = 0.0,
        reason: str = "",
        failure: FailureClass | None = None,
    ) -> None:
        """The trial ended, however it did; `failure` is the class of one without a result."""
        each = replace(self.tried[number], outcome=outcome, metrics=metrics, failure=failure)
        each = replace(each, reason=reason or (self._lacks(each) if outcome == "finished" else ""))
        when = {**each.when, ENDED: self._now()}
        self._put(replace(each, state=self._state(each), seconds=each.seconds + seconds, when=when))
        self._rank_ended(number)

    def hopeless(self) -> dict[int, str]:
        """Paused trials that will never go on, with the reason; the caller says `cut` of each."""
        return self._standing.cut()

    def cut(self, number: int, reason: str) -> None:
        """The trial will not go on."""
        each = self.tried[number]
        when = {**each.when, ENDED: self._now()}
        self._put(replace(each, state="stopped", outcome="stopped", reason=reason, when=when))
        self._rank_cut(number)

    def told(self) -> list[Told]:
        """What the sampler is told, in order."""
        return [self._told[number] for number in sorted(self._told)]

    def ranked(self) -> list[Tried]:
        """The settings that were trained to their end and keep the constraints, the best first; equal ones in order."""
        whole = (each for each in self.tried.values() if each.state == "finished" and self.is_whole(each))
        found = [each for each in whole if self._told[each.number].kept]
        return sorted(found, key=lambda each: (-self._turned(each.metrics[self.search.metric]), each.number))

    def front(self) -> list[Tried]:
        """Those of `ranked` than which no other is as good in every objective and better in one."""
        found = self.ranked()
        values = {each.number: self._told[each.number].values for each in found}
        return [each for each in found if not any(_beats(values[other.number], values[each.number]) for other in found)]

    def best(self) -> list[Tried]:
        """The settings to confirm, without the baseline that they are compared with: of several objectives those of the
        front come first; no training twice."""
        front = self.front() if self.search.against else []
        distinct: dict[str, Tried] = {}
        for each in [*front, *self.ranked()]:
            if not (self.search.confirm and self.search.is_baseline(each.levels)):
                distinct.setdefault(self.search.content_of(each.levels), each)
            if len(distinct) == self.search.top:
                break
        return list(distinct.values())

    def is_whole(self, each: Tried) -> bool:
        """Whether what it comes to at its end is what a setting is worth: not so of a trial that is smaller."""
        return True

    def history(self) -> list[tuple[int, float]]:
        """(number, best value up to it) after each trial that was trained to its end: how the search came on."""
        found: list[tuple[int, float]] = []
        sign, best = self.search.primary.sign, None
        for number in sorted(number for number in self._in["finished"] if self.is_whole(self.tried[number])):
            value = self.tried[number].metrics[self.search.metric]
            best = value if best is None else max(best, value, key=lambda one: sign * one)
            found.append((number, best))
        return found

    @property
    def order(self) -> Sequence[tuple[int, int]]:
        """In which order a scheduler was told of trials, and let them go, where that matters: see `TuneStanding`."""
        return self._standing.order if isinstance(self._standing, TuneStanding) else ()

    @property
    def num_ended(self) -> int:
        """Settings that will not be trained any more."""
        return sum(len(self._in[state]) for state in ("finished", "failed", "stopped"))

    @property
    def is_over(self) -> bool:
        """Whether every trial that there will be has ended, as a walk with what is known would say."""
        if self._in["running"]:
            return False
        other = type(self)(self.search, self.sampler, self.scheduler, self.epochs)
        other.restore(self.tried.values())
        for number, reason in other.hopeless().items():
            other.cut(number, reason)
        return other.next() == "over"

    @property
    def is_spent(self) -> bool:
        """Whether the budget allows no further setting."""
        return self._spent()

    @property
    def spent_s(self) -> float:
        """Seconds of workers so far."""
        return sum(each.seconds for each in self.tried.values())

    def _is_baseline(self, number: int) -> bool:
        """Whether it is what the others are compared with: it is trained to its end whatever a scheduler says."""
        return number == 0 and bool(self.search.confirm) and self.search.is_baseline(self.tried[0].levels)

    def _begin(self, number: int) -> Go | Literal["over"] | None:
        numbers = (at for at in count(number) if at not in self.tried)
        for at in islice(numbers, _MOST_MISFITS):
            if at >= self.planned:
                return self.next()
            proposal = self._proposed(at)
            if proposal == "later" and self._in["running"]:
                return None
            if proposal is None or proposal == "later":
                is_idle = proposal == "later"
                self._end_at(at, _SILENT.format(self.search.sampler) if is_idle else "the space has no further setting")
                return self.next()
            new = Tried(number=at, levels=proposal.levels, proposal=proposal, when={BEGUN: self._now()})
            if misfit := self._misfit(proposal.levels):
                self._put(replace(new, state="failed", reason=misfit))
                self._standing.start(at)
                self._standing.end(at)
                continue
            self._put(new)
            self._standing.start(at)
            return self._go(at, is_new=True)
        raise StudyError(
            f"{_MOST_MISFITS} settings in a row cannot be trained ({misfit}): give conditions with when=, or narrow "
            "the space"
        )

    def _misfit(self, levels: Levels) -> str:
        """Why no recipe has these levels; "" where one has. A setting that is tried again is not checked again."""
        setting = tuple((path, label(level)) for path, level in levels.items())
        if setting not in self._misfits:
            try:
                self.search.recipe_of(levels)
                self._misfits[setting] = ""
            except RecipeError as error:
                self._misfits[setting] = str(error)
        return self._misfits[setting]

    def _proposed(self, number: int) -> Proposal | Literal["later"] | None:
        if number < len(self.search.first):
            return Proposal(self.search.first[number])
        # Where a driver was killed, one that it had proposed may be missing among later ones: it is proposed again.
        if number == len(self._told) == len(self._in_order):
            return self.sampler.propose(number, [*self.past, *self._in_order] if self.past else self._in_order)
        return self.sampler.propose(number, [*self.past, *(each for each in self.told() if each.number < number)])

    def _go(self, number: int, *, is_new: bool) -> Go:
        self._put(replace(self.tried[number], state="running"))
        return Go(self.tried[number], self.until(number), is_new)

    def _first_free(self) -> int:
        while self._free in self.tried:
            self._free += 1
        return self._free

    def _spent(self) -> bool:
        budget = self.search.seconds
        if budget is None:
            return False
        share = self.search.base_recipe.resources.gpus if budget.of_gpus else 1.0
        return self.spent_s * share >= budget.seconds

    def _end_at(self, number: int, why: str = "") -> None:
        """No setting is begun from `number` on: who goes on is decided among those that there are."""
        if number >= self.planned:
            return
        number = max([number, *(known + 1 for known in self.tried)])
        if number >= self.planned:
            return
        self.planned = number
        self.ended_by = why or f"the budget of {self.search.budget} is spent"
        self._stand()

    def _rank_paused(self, number: int, epoch: int) -> None:
        self._standing.pause(number, epoch, self._turned(self.tried[number].seen[epoch]))

    def _rank_ended(self, number: int) -> None:
        each = self.tried[number]
        if self._is_baseline(number):
            self._stand()
        elif each.state == "finished":
            self._standing.pause(number, self.epochs, self._turned(each.metrics[self.search.metric]))
        else:
            self._standing.end(number)

    def _rank_cut(self, number: int) -> None:
        self._standing.drop(number)

    def _now(self) -> int:
        """What comes after all that is known."""
        self._clock += 1
        return self._clock

    def _stood(self) -> Standing | TuneStanding:
        """What a scheduler knows that was told nothing."""
        if isinstance(self.scheduler, TuneScheduler):
            return TuneStanding(self.scheduler, self.search, self.tried, epochs=self.epochs, planned=self.planned)
        return Standing(self.scheduler, epochs=self.epochs, planned=self.planned)

    def _stand(self) -> None:
        """Build anew what the scheduler knows; one to which the order matters is told what it does not know."""
        if isinstance(self._standing, TuneStanding):
            self._standing.catch_up(self.planned)
            return
        rungs = {number: self.scheduler.rungs_of(number, self.epochs) for number in self.tried}
        seen: dict[int, dict[int, float]] = {}
        for number, each in self.tried.items():
            at_rungs = {epoch: self._turned(each.seen[epoch]) for epoch in rungs[number][:-1] if epoch in each.seen}
            if each.state == "finished":
                at_rungs[self.epochs] = self._turned(each.metrics[self.search.metric])
            passing = self._is_baseline(number) and each.state in ("running", "interrupted")
            seen[number] = {} if passing else at_rungs
        self._standing = Standing.of(
            self.scheduler,
            epochs=self.epochs,
            planned=self.planned,
            seen=seen,
            running=self._in["running"] | self._in["interrupted"],
            dead=self._in["failed"],
            cut=self._in["stopped"],
        )

    def _state(self, each: Tried) -> State:
        if each.outcome == "stopped":
            return "stopped"
        if each.outcome != "finished":
            return "failed"
        return "failed" if self._lacks(each) else "finished"

    def _lacks(self, each: Tried) -> str:
        """What a trial that came to its end does not report; "" where it reports all that is asked for."""
        lacking = [name for name in asked_for(self.search) if name not in each.metrics]
        return f"it does not report {', '.join(lacking)}" if lacking else ""

    def _put(self, each: Tried) -> None:
        if (before := self.tried.get(each.number)) is not None:
            self._in[before.state].discard(each.number)
        self.tried[each.number] = each
        self._in[each.state].add(each.number)
        told = self._told[each.number] = self._as_told(each)
        if each.number < len(self._in_order):
            self._in_order[each.number] = told
        elif each.number == len(self._in_order):
            self._in_order.append(told)

    def _as_told(self, each: Tried) -> Told:
        whole = each.state == "finished"
        seen = {epoch: self._turned(value) for epoch, value in each.seen.items()}
        return Told(
            number=each.number,
            levels=each.levels,
            # What is to be trained again is still to come, in this run as in the next one.
            state="running" if each.is_lost else _TOLD[each.state],
            values=values_of(self.search, each.metrics) if whole else (),
            seen={epoch: value for epoch, value in seen.items() if math.isfinite(value)},
            excess=excess_of(self.search, each.metrics) if whole else {},
            memory=each.proposal.memory if each.proposal else {},
        )

    def _turned(self, value: float) -> float:
        """Larger for better ones; what is no number is worse than all."""
        return turned(value, self.search.primary.sign)


def _beats(one: Sequence[float], other: Sequence[float]) -> bool:
    return all(a >= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)
