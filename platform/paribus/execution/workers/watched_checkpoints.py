"""Checkpoints that tell how far a trial is; apart from the crash log, which is begun before torch is loaded."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event
from typing import Any

from paribus.execution.telemetry import WorkerMetrics
from paribus.execution.workers.crashes import CrashLog
from paribus.execution.workers.giving_way import GaveWayError
from paribus.training import Checkpoints


@dataclass
class WatchedCheckpoints(Checkpoints):
    """Those of a trial, which is asked after every step whether one is due: each step is noted in its crash log.

    One is due where the trial pauses too, after `pause_step` steps; and once it is `asked` to give way, which it does
    after that. So it is once the node was `noticed` that it is to be taken back; then it gives way if it `leaves`, and
    trains on where there is no other node.
    """

    crash_log: CrashLog | None = field(default=None, repr=False)
    meter: WorkerMetrics | None = field(default=None, repr=False)
    pause_step: int | None = None
    asked: Event = field(default_factory=Event, repr=False)
    noticed: Event = field(default_factory=Event, repr=False)
    leaves: Callable[[], bool] = field(default=lambda: False, repr=False)
    _stays: bool = field(default=False, init=False, repr=False)

    def due(self, step: int) -> bool:
        """Whether to save after `step` steps."""
        if self.crash_log is not None:
            self.crash_log.reached(step)
        if self.meter is not None:
            self.meter.reached(step)
        if self.asked.is_set() or (self.noticed.is_set() and not self._stays):
            return True
        return step == self.pause_step or super().due(step)

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write `state`, or not where the disk is full; raises GaveWayError where the trial was asked to."""
        try:
            super().save(step, state)
        finally:
            if self.noticed.is_set() and not self._stays:
                self._stays = not self.leaves()
            if self.asked.is_set() or (self.noticed.is_set() and not self._stays):
                raise GaveWayError(f"after step {step}")
