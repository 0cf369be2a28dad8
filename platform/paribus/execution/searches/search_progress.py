"""What a person sees while a search runs, and what the walk is told of its trials."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, TextIO

from paribus.execution.run_progress import MOST_REASON, RunProgress
from paribus.execution.workers.trial_spec import GAVE_WAY
from paribus.host.time_left import duration
from paribus.study.searches.population import is_population

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

    from paribus.engine.searches.walk import Walk
    from paribus.execution.searches.search_driver import Driven


class SearchProgress(RunProgress):
    """Tells the walk what its trials report, and prints where one pauses, ends or is cut."""

    def __init__(self, driven: Driven, out: TextIO | None = None) -> None:
        super().__init__(out)
        self._driven = driven

    @property
    def _ends(self) -> str:
        """What a scheduler's end of a trial is called: the members of a population are not cut short by it."""
        return "is done with" if is_population(self._driven.preview.search.scheduler) else "is cut"

    @property
    def _walk(self) -> Walk:
        return self._driven.walk

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """Tell the walk; print where a trial pauses or ends."""
        if self._told_of_node(trial, result):
            return
        if GAVE_WAY in result:
            return
        driven, number = self._driven, self._driven.number_of(result["trial_key"])
        if "outcome" in result or result.get("paused"):
            self._begun.pop(result["trial_key"], None)
        if "outcome" in result:
            cut = driven.finished(number, result, result["spent_s"])
            self._end(number, cut)
            return
        driven.seen(number, result["epoch"], result["trained_steps"], dict(result["metrics"]))
        if result.get("paused"):
            cut = driven.paused(number, result["epoch"], result["spent_s"])
            self._rung(number, result["epoch"], cut)

    def _beat(self) -> None:
        self._driven.ledger.beat(self._driven.ended)

    def _note_aside(self, name: str, fault: str) -> None:
        self._driven.ledger.put_aside(name, fault)

    def _still(self) -> str:
        running = [f"#{number}" for number, each in self._walk.tried.items() if each.state == "running"]
        return f"running {', '.join(running) or 'nothing yet: workers start'}  ({self._outlook()})"

    def _name(self, trial_id: str) -> str:
        return f"#{self._driven.number_of(trial_id)}"

    def _lost(self, trial_id: str, reason: str) -> None:
        number = self._driven.number_of(trial_id)
        self._begun.pop(trial_id, None)
        self._end(number, self._driven.lost(number, reason))

    def _end(self, number: int, cut: list[int]) -> None:
        each, search = self._walk.tried[number], self._driven.preview.search
        shown = each.reason[:MOST_REASON]
        if each.state == "finished":
            metric = search.primary
            shown = f"{metric.short} {metric.show(each.metrics[metric.name])} {metric.of_level}".rstrip()
        self._line(number, each.outcome or each.state, shown)
        self._cuts(cut)

    def _rung(self, number: int, epoch: int, cut: list[int]) -> None:
        each, metric = self._walk.tried[number], self._driven.preview.search.primary
        value = each.seen.get(epoch)
        shown = f"{metric.short} {metric.show(value)} {metric.of_level}".rstrip() if value is not None else ""
        why = f"; {each.reason}" if each.state == "stopped" else ""
        self._line(number, each.state, f"{shown} after {epoch} of {self._walk.epochs} epochs{why}")
        self._cuts([one for one in cut if one != number])

    def _cuts(self, numbers: list[int]) -> None:
        """Say which others are cut by what just came in, and why."""
        for number in numbers:
            self._say(f"        #{number} {self._ends}: {self._walk.tried[number].reason}")

    def _line(self, number: int, word: str, shown: str) -> None:
        walk = self._walk
        name = self._driven.preview.search.arm_of(walk.tried[number].levels).name
        count = f"[{walk.num_ended:>{len(str(walk.planned))}}/{walk.planned}]"
        self._say(f"{count} #{number:<3} {name:<52} {word:<8} {shown}  ({self._outlook()})")

    def _outlook(self) -> str:
        """The best so far, and how long the rest will take."""
        walk, metric = self._walk, self._driven.preview.search.primary
        ranked = walk.ranked()
        best = f"best {metric.show(ranked[0].metrics[metric.name])} by #{ranked[0].number}, " if ranked else ""
        left = walk.planned - walk.num_ended
        if not left:
            return f"{best}all tried in {duration(time.monotonic() - self._started)}"
        took_s = [each.seconds for each in walk.tried.values() if each.state == "finished"]
        return f"{best}{self._left(took_s, left)}"
