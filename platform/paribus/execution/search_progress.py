"""What a person sees while a search runs, and what the walk is told of its trials."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from ray import tune

from paribus.host.say import say
from paribus.host.time_left import duration, time_left

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

    from paribus.execution.search_driver import Driven

_HEARTBEAT_S = 10.0
_STILL_S = 30.0
_MOST_REASON = 500


class SearchProgress(tune.Callback):
    """Ray Tune's callback that tells the walk what its trials report, prints, and keeps the driver's lease alive."""

    def __init__(self, driven: Driven, out: TextIO | None = None) -> None:
        self._driven, self._out = driven, out or sys.stdout
        self._started = self._beaten = self._spoken = time.monotonic()
        self._begun_with = sum(each.state in ("finished", "failed", "stopped") for each in self._tried.values())

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore, which is never asked of it here."""
        return {}

    @property
    def _tried(self) -> Any:
        return self._driven.walk.tried

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Between events: keep the lease, and say now and then that all is well."""
        now = time.monotonic()
        if now - self._beaten > _HEARTBEAT_S:
            self._beaten = now
            self._driven.ledger.beat(self._driven.ended)
        if now - self._spoken > _STILL_S:
            running = [f"#{number}" for number, each in self._tried.items() if each.state == "running"]
            self._say(f"        running {', '.join(running) or 'nothing yet: workers start'}  ({self._outlook()})")

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """Tell the walk; print where a trial pauses or ends."""
        driven, number = self._driven, self._driven.number_of(result["trial_key"])
        if "outcome" in result:
            cut = driven.finished(number, result, result["spent_s"])
            self._end(number, cut)
            return
        driven.seen(number, result["epoch"], result["trained_steps"], result["metrics"])
        if result.get("paused"):
            cut = driven.paused(number, result["epoch"], result["spent_s"])
            self._rung(number, result["epoch"], cut)

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Ray starts a trial again whose worker was lost."""
        self._say(f"        #{self._number(trial)}: its worker was lost; it goes on from its last checkpoint")

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Ray gave the trial up."""
        number = self._number(trial)
        reason = "node: its worker's process or node was lost more often than Ray tries again"
        self._end(number, self._driven.lost(number, reason))

    def _number(self, trial: TuneTrial) -> int:
        return self._driven.number_of(json.loads(trial.config["trial"])["id"])

    def _end(self, number: int, cut: list[int]) -> None:
        each, search = self._tried[number], self._driven.preview.search
        shown = each.reason[:_MOST_REASON]
        if each.state == "finished":
            metric = search.primary
            shown = f"{metric.short} {metric.show(each.metrics[metric.name])} {metric.of_level}".rstrip()
        self._line(number, each.outcome or each.state, shown)
        self._cuts(cut)

    def _rung(self, number: int, epoch: int, cut: list[int]) -> None:
        each, metric = self._tried[number], self._driven.preview.search.primary
        value = each.seen.get(epoch)
        shown = f"{metric.short} {metric.show(value)} {metric.of_level}".rstrip() if value is not None else ""
        why = f"; {each.reason}" if each.state == "stopped" else ""
        self._line(number, each.state, f"{shown} after {epoch} of {self._driven.walk.epochs} epochs{why}")
        self._cuts([one for one in cut if one != number])

    def _cuts(self, numbers: list[int]) -> None:
        """Say which others are cut by what just came in, and why."""
        for number in numbers:
            self._say(f"        #{number} is cut: {self._tried[number].reason}")

    def _line(self, number: int, word: str, shown: str) -> None:
        walk = self._driven.walk
        ended = sum(each.state in ("finished", "failed", "stopped") for each in walk.tried.values())
        name = self._driven.preview.search.arm_of(self._tried[number].levels).name
        count = f"[{ended:>{len(str(walk.planned))}}/{walk.planned}]"
        self._say(f"{count} #{number:<3} {name:<52} {word:<8} {shown}  ({self._outlook()})")

    def _outlook(self) -> str:
        """The best so far, and how long the rest will take."""
        walk, metric = self._driven.walk, self._driven.preview.search.primary
        ranked = walk.ranked()
        best = f"best {metric.show(ranked[0].metrics[metric.name])} by #{ranked[0].number}, " if ranked else ""
        ended = sum(each.state in ("finished", "failed", "stopped") for each in walk.tried.values())
        left, spent_s = walk.planned - ended, time.monotonic() - self._started
        if not left:
            return f"{best}all tried in {duration(spent_s)}"
        left_s = time_left(spent_s, ended - self._begun_with, left)
        return f"{best}{left} to go" if left_s is None else f"{best}about {duration(left_s)} left"

    def _say(self, line: str) -> None:
        self._spoken = time.monotonic()
        say(line, self._out)
