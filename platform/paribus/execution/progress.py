"""What a person sees while a study runs: one line per trial that ends, and how long the rest will take."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from ray import tune

from paribus.host.say import say
from paribus.host.time_left import duration, time_left
from paribus.study.plan import Plan, Step
from paribus.study.study import Study

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

_HEARTBEAT_S = 10.0
_STILL_S = 30.0
# A path of ours, with a trial's whole id, has its place in a line.
_MOST_REASON = 500


class Progress(tune.Callback):
    """Ray Tune's callback that prints, counts and keeps the driver's lease alive.

    Args:
        plan: what runs.
        ended: receives the outcome of each trial that ends, by its id.
        beat: called about every ten seconds while Tune is alive.
        lost: called with a step and a reason when Ray gave a trial up because its workers kept dying.
    """

    def __init__(
        self,
        plan: Plan,
        ended: dict[str, str],
        beat: Callable[[], None],
        lost: Callable[[Step, str], None],
        out: TextIO | None = None,
    ) -> None:
        self._steps = {step.trial.id: step for step in plan.todo}
        self._beat, self._lost, self._out = beat, lost, out or sys.stdout
        self._study = plan.study
        self._num_total = len(self._steps)
        self._epochs: dict[str, str] = {}
        self._started = self._beaten = self._spoken = time.monotonic()
        self.ended = ended

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore, which is never asked of it here."""
        return {}

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Between events: keep the lease, and say now and then that all is well."""
        now = time.monotonic()
        if now - self._beaten > _HEARTBEAT_S:
            self._beaten = now
            self._beat()
        if now - self._spoken > _STILL_S:
            running = ", ".join(self._epochs.values()) or "starting workers"
            self._say(f"        {running}  ({self._remaining()})")

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """Note an epoch, or print the line of a trial that ended."""
        step = self._steps[result["trial_key"]]
        if "outcome" not in result:
            done = f"{100 * result['trained_steps'] / result['num_steps']:.0f} %"
            self._epochs[step.trial.id] = f"{step.trial.name} {done}"
            return
        self._end(step, result["outcome"], _summary(result, self._study))
        for warning in result.get("warnings", ()):
            self._say(f"        warning: {warning}")

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Ray starts a trial again whose worker was lost."""
        self._say(
            f"        {self._step_of(trial).trial.name}: its worker was lost; it goes on from its last checkpoint"
        )

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Ray gave the trial up."""
        step = self._step_of(trial)
        text = "node: its worker's process or node was lost more often than Ray tries again"
        self._lost(step, text)
        self._end(step, "failed", text)

    def _step_of(self, trial: TuneTrial) -> Step:
        return self._steps[json.loads(trial.config["trial"])["id"]]

    def _end(self, step: Step, outcome: str, summary: str) -> None:
        self._epochs.pop(step.trial.id, None)
        self.ended[step.trial.id] = outcome
        width = len(str(self._num_total))
        count = f"[{len(self.ended):>{width}}/{self._num_total}]"
        self._say(f"{count} {step.trial.name:<44} {outcome:<9} {summary}  ({self._remaining()})")

    def _remaining(self) -> str:
        num_left, spent_s = self._num_total - len(self.ended), time.monotonic() - self._started
        if not num_left:
            return f"all done in {duration(spent_s)}"
        left_s = time_left(spent_s, len(self.ended), num_left)
        return f"{num_left} to go" if left_s is None else f"about {duration(left_s)} left"

    def _say(self, line: str) -> None:
        self._spoken = time.monotonic()
        say(line, self._out)


def _summary(result: dict[str, Any], study: Study) -> str:
    if result.get("reason"):
        return str(result["reason"])[:_MOST_REASON]
    parts = [f"at step {result['outcome_step']}"] if result.get("outcome_step") is not None else []
    if result["outcome"] == "finished":
        for metric in study.metrics.values():
            if metric.name in result["final"] and (metric.headline or metric.name == study.metric):
                parts.append(f"{metric.short} {metric.show(result['final'][metric.name])} {metric.of_level}")
    return "  ".join([*parts, f"{result['seconds']:.1f} s"])
