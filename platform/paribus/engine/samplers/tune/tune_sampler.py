"""A searcher of Ray Tune as a sampler: told again, from the ledger, all that it was told and asked, in that order.

A searcher remembers what it said and heard, and a driver may be killed. So each proposal keeps what the searcher had
heard since the one before: who made it anew tells it the same, asks it the same, and has it as it was. While the driver
lives it is kept, and told only what is new.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from paribus.engine.samplers.sampler import Proposal, Told
from paribus.engine.samplers.tune.tune_searcher import TuneSearcher
from paribus.engine.samplers.tune.tune_space import levels_from, told_to_tune
from paribus.engine.samplers.tune.tune_steps import Ask, Tell
from paribus.engine.schedulers.tune.tune_controller import drawing
from paribus.engine.schedulers.tune.tune_news import ENDED
from paribus.engine.schedulers.tune.tune_scheduler import EPOCH, said
from paribus.recipe.seeds import key
from paribus.study.designs.arms import StudyError
from paribus.study.searches.domains import label
from paribus.study.searches.search import Search
from paribus.study.searches.space import Levels

_HEARD, _SAID = "tune:heard", "tune:said"


class TuneSampler:
    """A `ray.tune.search.Searcher`, asked and told through its public methods.

    A trial that ends is told with `on_trial_complete`, with its value; one that did not train, or broke a constraint,
    as an error; one that a scheduler cut with the last value that was seen of it, as Tune does. What it did not propose
    itself (the baseline, `start`, past results) is told through `add_evaluated_point`, to those that have it.

    Args:
        hears_epochs: a scheduler looks at trials after epochs: `on_trial_result` is told of each.

    Raises:
        StudyError: it cannot be made, or draws otherwise each time it is made: of `propose` too, where it raises or
            proposes what is no setting of the space.
    """

    def __init__(self, searcher: TuneSearcher, *, hears_epochs: bool) -> None:
        self.searcher, self.hears_epochs = searcher, hears_epochs
        # What it said last, to whoever asks the same again; whom it would now propose otherwise than it did.
        self._asked: int | None = None
        self._levels: Levels | None = None
        self._astray: set[int] = set()
        self._log: list[Ask | Tell] = []
        self._begin()
        self._check_draws()

    def propose(self, number: int, told: Sequence[Told]) -> Proposal | Literal["later"] | None:
        """Its setting of trial `number`; `later` where it waits for results, None where it has no more."""
        script, news = self._script(told)
        done = self._log
        if self._levels is not None and self._asked == number and done[:-1] == script:
            return self._proposal(self._levels, news)
        if script[: len(done)] != done:
            self._begin()
        for step in script[len(self._log) :]:
            self._do(step)
        answer = self._ask(number)
        if answer is None:
            return "later"
        if isinstance(answer, str):
            return None
        self._log.append(Ask(number, _said(answer)))
        self._asked, self._levels = number, answer
        return self._proposal(answer, news)

    def notes(self, search: Search) -> list[str]:
        """What it will not learn from, for a plan."""
        others = len(search.first) + (len(search.past.rows) if search.past else 0)
        if not others or type(self._searcher).add_evaluated_point is not self.searcher.base.add_evaluated_point:
            return []
        return [f"{self.searcher.name} is told of none of the {others} settings that it did not propose itself"]

    def _begin(self) -> None:
        """Make it anew; it knows nothing."""
        self._searcher, self._own_space = self.searcher.made()
        self._log, self._astray = [], set()
        self._asked = self._levels = None

    def _check_draws(self) -> None:
        """Two of a kind say the same first, or no driver could go on as the one before it."""
        first = self._ask(0)
        self._begin()
        if self._ask(0) != first:
            raise StudyError(
                f"the sampler {self.searcher.name} proposes another setting each time it is made, so that a driver "
                "that was killed could not go on: give it a seed, or draw from random or numpy.random, which are "
                "seeded here"
            )
        self._begin()

    def _script(self, told: Sequence[Told]) -> tuple[list[Ask | Tell], list[Tell]]:
        """All that it is to hear and to be asked before the next proposal, and of that what no proposal has kept."""
        known = {each.number: each for each in told}
        left = {(step.number, step.place): step for number in sorted(known) for step in self._news(known[number])}
        script: list[Ask | Tell] = []
        for number in sorted(known):
            memory = known[number].memory
            if _SAID not in memory:
                continue
            for of, place in memory[_HEARD]:
                if (step := left.pop((of, place), None)) is not None:
                    script.append(step)
            script.append(Ask(number, memory[_SAID]))
        news = list(left.values())
        return [*script, *news], news

    def _news(self, each: Told) -> list[Tell]:
        """What there is to hear of a trial."""
        is_own = _SAID in each.memory
        epochs = sorted(each.seen) if self.hears_epochs and is_own else []
        places: dict[int, float | None] = {epoch: self._turned(each.seen[epoch]) for epoch in epochs}
        if each.state != "running" and (is_own or self._value(each) is not None):
            places |= {ENDED: self._value(each)}
        return [Tell(each.number, place, value, each.levels, is_own) for place, value in places.items()]

    def _value(self, each: Told) -> float | None:
        """What it is told that a trial came to; None: nothing."""
        if each.state == "stopped":
            return self._turned(each.seen[max(each.seen)]) if each.seen else None
        if each.state != "finished" or not each.kept or not math.isfinite(each.values[0]):
            return None
        return self._turned(each.values[0])

    def _turned(self, value: float) -> float:
        return self.searcher.sign * value

    def _proposal(self, levels: Levels, news: Sequence[Tell]) -> Proposal:
        return Proposal(levels, {_HEARD: [[each.number, each.place] for each in news], _SAID: dict(_said(levels))})

    def _ask(self, number: int) -> Levels | str | None:
        found = self._call("suggest", number, 0, str(number))
        if found is None or (isinstance(found, str) and found == self._searcher.FINISHED):
            return found
        return levels_from(self.searcher.space, found, f"the sampler {self.searcher.name}", own_space=self._own_space)

    def _do(self, step: Ask | Tell) -> None:
        self._log.append(step)
        if isinstance(step, Ask):
            found = self._ask(step.number)
            if found is None or isinstance(found, str):
                self._astray.add(step.number)
            elif _said(found) != step.said:
                # Results were made anew, or one came to light late: what it now thinks of was never tried.
                self._astray.add(step.number)
                self._call("on_trial_complete", step.number, ENDED, str(step.number), None, True)
        elif step.is_own and step.number not in self._astray:
            self._tell(step)
        elif step.place == ENDED and step.value is not None:
            self._tell_point(step)

    def _tell(self, step: Tell) -> None:
        name, (number, place) = str(step.number), (step.number, step.place)
        result = None if step.value is None else {self.searcher.metric: step.value, "trial_id": name}
        if place == ENDED:
            ended = result and {**result, EPOCH: self._last(number), "done": True}
            self._call("on_trial_complete", number, place, name, ended, result is None)
        elif result is not None:
            self._call("on_trial_result", number, place, name, {**result, EPOCH: place, "done": False})

    def _last(self, number: int) -> int:
        """The last epoch that it heard of a trial; 1 where it hears of none."""
        places = (step.place for step in self._log if isinstance(step, Tell) and step.number == number)
        return max([1, *places])

    def _tell_point(self, step: Tell) -> None:
        parameters = dict(step.levels) if self._own_space else told_to_tune(self.searcher.space, step.levels)
        if parameters is not None:
            self._call("add_evaluated_point", step.number, ENDED, parameters, step.value, may_lack=True)

    def _call(self, method: str, number: int, place: int, *given: Any, may_lack: bool = False) -> Any:
        with drawing(key("searcher", self.searcher.seed, method, number, place)):
            try:
                return getattr(self._searcher, method)(*given)
            except NotImplementedError as error:
                if may_lack:
                    return None
                raise StudyError(f"the sampler {self.searcher.name} has no {method}") from error
            except Exception as error:  # it may be anybody's
                raise StudyError(f"the sampler {self.searcher.name} raised in {method}: {said(error)}") from error


def _said(levels: Levels) -> dict[str, str]:
    return {path: label(level) for path, level in levels.items()}
