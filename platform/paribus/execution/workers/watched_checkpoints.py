"""Checkpoints that tell how far a trial is; apart from the crash log, which is begun before torch is loaded."""

from collections.abc import Mapping
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
    after that.
    """

    crash_log: CrashLog | None = field(default=None, repr=False)
    meter: WorkerMetrics | None = field(default=None, repr=False)
    pause_step: int | None = None
    asked: Event = field(default_factory=Event, repr=False)

    def due(self, step: int) -> bool:
        """Whether to save after `step` steps."""
        if self.crash_log is not None:
            self.crash_log.reached(step)
        if self.meter is not None:
            self.meter.reached(step)
        return step == self.pause_step or self.asked.is_set() or super().due(step)

    def save(self, step: int, state: Mapping[str, Any]) -> None:
        """Write `state`, or not where the disk is full; raises GaveWayError where the trial was asked to."""
        try:
            super().save(step, state)
        finally:
            if self.asked.is_set():
                raise GaveWayError(f"after step {step}")
