"""What the progress of a study and of a search have in common: Ray Tune's callback that keeps the lease and speaks."""

from __future__ import annotations

import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, TextIO

from ray import tune

from paribus.execution.unrestored import Unrestored
from paribus.execution.workers.trial_spec import BEGAN, FAULT, TRIAL_ID
from paribus.host.say import say
from paribus.host.time_left import duration, rest_of

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

_HEARTBEAT_S = 10.0
_STILL_S = 30.0
_HELD_S = 60.0
# A path of ours, with a trial's whole id, has its place in a line.
MOST_REASON: Final = 500


class RunProgress(Unrestored, tune.Callback, ABC):
    """Ray Tune's callback that keeps the driver's lease alive and says now and then that all is well."""

    def __init__(self, out: TextIO | None) -> None:
        self._out = out or sys.stdout
        self._started = self._beaten = self._spoken = time.monotonic()
        self._begun: dict[str, float] = {}
        self._moved = set[str]()
        self._why = ""

    @abstractmethod
    def _beat(self) -> None:
        """Tell the ledger that the driver lives; called about every ten seconds."""

    @abstractmethod
    def _still(self) -> str:
        """What runs now, for a line after half a minute in which nothing ended."""

    @abstractmethod
    def _name(self, trial_id: str) -> str:
        """What a person calls the trial."""

    @abstractmethod
    def _lost(self, trial_id: str, reason: str) -> None:
        """Note and print that Ray gave the trial up because its workers kept dying."""

    @abstractmethod
    def _note_aside(self, name: str, fault: str) -> None:
        """Tell the ledger that a node is put aside."""

    def learn(self, apart: str) -> None:
        """What is to be known of the cluster: that nodes have a storage of their own, or that others share it."""
        if apart:
            self._say(apart)

    def hold(self, why: str) -> None:
        """While nothing may train: keep the lease, and say now and then why."""
        self._keep_lease()
        if why != self._why or time.monotonic() - self._spoken > _HELD_S:
            self._why = why
            self._say(why)

    def gave_way(self) -> None:
        """What was under way gave up its places, and begins anew later."""
        self._begun.clear()

    def put_aside(self, name: str, fault: str) -> None:
        """Say that a node gets no more trials, and why; those that it had go elsewhere."""
        self._say(f"node {name} is put aside: {fault[:MOST_REASON]}. Its trials run elsewhere")
        self._note_aside(name, fault)

    def _told_of_node(self, trial: TuneTrial, result: dict[str, Any]) -> bool:
        """Whether a report is about its node alone; what a trial says that was taken up again, is said."""
        if FAULT in result:
            self._moved.add(trial.trial_id)
            return True
        if began := result.get(BEGAN):
            self._say(f"        {self._name(trial.config[TRIAL_ID])}: {began}")
        return False

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Between events: keep the lease, and say now and then that all is well."""
        self._keep_lease()
        self._why = ""
        if time.monotonic() - self._spoken > _STILL_S:
            self._say(f"        {self._still()}")

    def _keep_lease(self) -> None:
        now = time.monotonic()
        if now - self._beaten > _HEARTBEAT_S:
            self._beaten = now
            self._beat()

    def on_trial_start(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """From now on the trial takes its time."""
        self._begun[trial.config[TRIAL_ID]] = time.monotonic()

    def _left(self, took_s: Sequence[float], num_left: int) -> str:
        """`about 3 min left`, by the estimate of the study's page; `7 to go` where nothing has been timed."""
        now = time.monotonic()
        spent_s = [now - begun for begun in self._begun.values()]
        # Whose trial has just ended takes the next one, if there is one.
        spent_s += [0.0] if num_left > len(spent_s) else []
        left_s = rest_of(took_s, spent_s, num_left)
        return f"{num_left} to go" if left_s is None else f"about {duration(left_s)} left"

    def on_trial_recover(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Ray starts a trial again whose worker was lost, or whose node is put aside."""
        if trial.trial_id in self._moved:
            self._moved.discard(trial.trial_id)
            return
        # From which step, its next worker says: only that one knows what lies on its node.
        self._say(f"        {self._name(trial.config[TRIAL_ID])}: its worker was lost; it is taken up again")

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Ray gave the trial up."""
        self._lost(
            trial.config[TRIAL_ID], "node: its worker's process or node was lost more often than Ray tries again"
        )

    def _say(self, line: str) -> None:
        self._spoken = time.monotonic()
        say(line, self._out)
