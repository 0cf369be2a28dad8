"""A study's numbers for Prometheus: Ray's agent on each node serves them, as `ray_paribus_...`, to who scrapes it.

Names and units are Prometheus' own conventions: seconds, a counter ends in `_total` (Ray adds that and `ray_`), and no
label takes as many values as there are trials: a worker's own series has Ray's label WorkerId.
"""

from __future__ import annotations

import time
from collections import Counter as Counts
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ray import tune
from ray.util.metrics import Counter, Gauge

from paribus.execution.unrestored import Unrestored
from paribus.tracking import waiting

if TYPE_CHECKING:
    from ray.tune.experiment import Trial as TuneTrial

    from paribus.execution.workers.trial_spec import Context

# Ray sends what was set every few seconds, and forgets a gauge that has not been set for a while.
_EVERY_S: Final = 5.0
_STUDY = ("study",)
_WAITING = {"PENDING": "waiting", "PAUSED": "waiting", "RUNNING": "running"}


class DriverMetrics(Unrestored, tune.Callback):
    """What the driver knows: trials by state, its own life, and what waits on its disk for the ledger."""

    def __init__(self, context: Context) -> None:
        self._study, self._outbox = context.study, context.outbox
        self._ended: Counts[str] = Counts()
        self._told_s = 0.0
        self._trials = Gauge("paribus_trials", "Trials of this run of a study by state", (*_STUDY, "state"))
        self._seen = Gauge(
            "paribus_driver_last_seen_timestamp_seconds",
            "When the study's driver was last at work; 0: it ended",
            _STUDY,
        )
        self._unsent = Gauge("paribus_outbox_attempts", "Attempts whose records are not in the ledger", _STUDY)
        self._refused = Gauge("paribus_outbox_refused", "Attempts whose records the ledger refused", _STUDY)
        self._bytes = Gauge("paribus_outbox_bytes", "What waits on the driver's disk for the ledger", _STUDY)

    def on_trial_result(
        self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, result: dict[str, Any], **info: Any
    ) -> None:
        """Count a trial that ended."""
        if "outcome" in result:
            self._ended[result["outcome"]] += 1

    def on_trial_error(self, iteration: int, trials: list[TuneTrial], trial: TuneTrial, **info: Any) -> None:
        """Count a trial whose workers were lost too often."""
        self._ended["failed"] += 1

    def on_step_end(self, iteration: int, trials: list[TuneTrial], **info: Any) -> None:
        """Between events, at most every few seconds."""
        now = time.monotonic()
        if now - self._told_s > _EVERY_S:
            self._told_s = now
            self._tell(trials, time.time())

    def on_experiment_end(self, trials: list[TuneTrial], **info: Any) -> None:
        """The driver is done with Ray: no longer seen, and not missed."""
        self._tell(trials, 0.0)

    def _tell(self, trials: list[TuneTrial], seen_s: float) -> None:
        tags = {"study": self._study}
        states = Counts({"waiting": 0, "running": 0, **self._ended})
        states.update(_WAITING[trial.status] for trial in trials if trial.status in _WAITING)
        for state, number in states.items():
            self._trials.set(number, {**tags, "state": state})
        self._seen.set(seen_s, tags)
        found = waiting(self._outbox)
        self._unsent.set(found.num_unsent, tags)
        self._refused.set(len(found.rejected), tags)
        self._bytes.set(found.num_bytes, tags)


class WorkerMetrics:
    """What a worker knows: steps, images, what it waited for data, and when its trial last took a step."""

    def __init__(self, study: str) -> None:
        self._tags = {"study": study}
        self._batch_size = self._step = self._told_step = 0
        self._told_s = 0.0
        self._steps = Counter("paribus_steps", "Training steps taken", _STUDY)
        self._images = Counter("paribus_images", "Images trained on", _STUDY)
        self._waits = Counter("paribus_data_wait_seconds", "Time that training waited for data", _STUDY)
        self._moved = Gauge(
            "paribus_trial_last_step_timestamp_seconds",
            "When the worker's trial last took a step; 0: it has none",
            _STUDY,
        )

    def begin(self, step: int, batch_size: int) -> None:
        """A trial goes on from `step`; its steps take `batch_size` images, over all ranks."""
        self._step = self._told_step = step
        self._batch_size = batch_size
        self._tell(time.monotonic())

    def reached(self, step: int) -> None:
        """After every step: Ray is told once in a few seconds."""
        self._step = step
        now = time.monotonic()
        if now - self._told_s > _EVERY_S:
            self._tell(now)

    def epoch(self, metrics: Mapping[str, float], num_images: int) -> None:
        """An epoch of `num_images` ended, whose pace and share of waiting are among `metrics`."""
        if pace := metrics.get("images_per_s"):
            wait_s = metrics.get("data_wait", 0.0) * num_images / pace
            if wait_s > 0:
                self._waits.inc(wait_s, self._tags)

    def end(self) -> None:
        """The worker has no trial."""
        self._tell(time.monotonic())
        self._moved.set(0.0, self._tags)

    def _tell(self, now: float) -> None:
        self._told_s = now
        if (num := self._step - self._told_step) > 0:
            self._steps.inc(num, self._tags)
            self._images.inc(num * self._batch_size, self._tags)
        self._told_step = self._step
        self._moved.set(time.time(), self._tags)
