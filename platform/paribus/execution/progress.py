"""What a person sees while a study runs: one line per trial that ends, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TextIO

from paribus.execution.run_progress import MOST_REASON, RunProgress
from paribus.execution.workers.trial_spec import GAVE_WAY
from paribus.host.time_left import duration
from paribus.study.plan import Plan, Step
from paribus.study.study import Study

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial


class Progress(RunProgress):
    """Prints and counts the trials of a study.

    Args:
        plan: what runs.
        ended: receives the outcome of each trial that ends, by its id.
        beat: called about every ten seconds while Tune is alive.
        lost: called with a step and a reason when Ray gave a trial up because its workers kept dying.
        aside: called with a node's name and what is amiss with it when it is put aside.
    """

    def __init__(
        self,
        plan: Plan,
        ended: dict[str, str],
        beat: Callable[[], None],
        lost: Callable[[Step, str], None],
        aside: Callable[[str, str], None],
        out: TextIO | None = None,
    ) -> None:
        super().__init__(out)
        self._steps = {step.trial.id: step for step in plan.todo}
        self._told_beat, self._told_lost, self._told_aside = beat, lost, aside
        self._study = plan.study
        self._num_total = len(self._steps)
        self._epochs: dict[str, str] = {}
        self._took_s: list[float] = []
        self.ended = ended

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """Note an epoch, or print the line of a trial that ended."""
        if self._told_of_node(trial, result):
            return
        step = self._steps[result["trial_key"]]
        if GAVE_WAY in result:
            return
        if "outcome" not in result:
            done = f"{100 * result['trained_steps'] / result['num_steps']:.0f} %"
            self._epochs[step.trial.id] = f"{step.trial.name} {done}"
            return
        self._took_s.append(result["spent_s"])
        self._end(step, result["outcome"], _summary(result, self._study))
        for warning in result.get("warnings", ()):
            self._say(f"        warning: {warning}")

    def gave_way(self) -> None:
        """What was under way gave up its places."""
        super().gave_way()
        self._epochs.clear()

    def _beat(self) -> None:
        self._told_beat()

    def _note_aside(self, name: str, fault: str) -> None:
        self._told_aside(name, fault)

    def _still(self) -> str:
        running = ", ".join(self._epochs.values()) or "starting workers"
        return f"{running}  ({self._remaining()})"

    def _name(self, trial_id: str) -> str:
        return self._steps[trial_id].trial.name

    def _lost(self, trial_id: str, reason: str) -> None:
        step = self._steps[trial_id]
        self._told_lost(step, reason)
        self._end(step, "failed", reason)

    def _end(self, step: Step, outcome: str, summary: str) -> None:
        self._epochs.pop(step.trial.id, None)
        self._begun.pop(step.trial.id, None)
        self.ended[step.trial.id] = outcome
        width = len(str(self._num_total))
        count = f"[{len(self.ended):>{width}}/{self._num_total}]"
        self._say(f"{count} {step.trial.name:<44} {outcome:<9} {summary}  ({self._remaining()})")

    def _remaining(self) -> str:
        num_left = self._num_total - len(self.ended)
        if not num_left:
            return f"all done in {duration(time.monotonic() - self._started)}"
        return self._left(self._took_s, num_left)


def _summary(result: dict[str, Any], study: Study) -> str:
    if result.get("reason"):
        return str(result["reason"])[:MOST_REASON]
    parts = [f"at step {result['outcome_step']}"] if result.get("outcome_step") is not None else []
    if result["outcome"] == "finished":
        final = dict(result["final"])
        for metric in study.metrics.values():
            if metric.name in final and (metric.headline or metric.name == study.metric):
                parts.append(f"{metric.short} {metric.show(final[metric.name])} {metric.of_level}")
    return "  ".join([*parts, f"{result['seconds']:.1f} s"])
