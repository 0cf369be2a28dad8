"""Checkpoints that tell how far a trial is; apart from the crash log, which is begun before torch is loaded."""

from dataclasses import dataclass, field

from paribus.execution.telemetry import WorkerMetrics
from paribus.execution.workers.crashes import CrashLog
from paribus.training import Checkpoints


@dataclass
class WatchedCheckpoints(Checkpoints):
    """Those of a trial, which is asked after every step whether one is due: each step is noted in its crash log.

    One is due where the trial pauses too, after `pause_step` steps.
    """

    crash_log: CrashLog | None = field(default=None, repr=False)
    meter: WorkerMetrics | None = field(default=None, repr=False)
    pause_step: int | None = None

    def due(self, step: int) -> bool:
        """Whether to save after `step` steps."""
        if self.crash_log is not None:
            self.crash_log.reached(step)
        if self.meter is not None:
            self.meter.reached(step)
        return step == self.pause_step or super().due(step)
