"""The trial worker: a warm process on the cluster that trains one trial after another."""

from __future__ import annotations

import platform
import time
import traceback
from collections.abc import Generator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from paribus.engine.code_digest import OtherCodeError, check_node
from paribus.execution.room import request_of
from paribus.execution.telemetry import WorkerMetrics
from paribus.execution.workers import crashes
from paribus.execution.workers.attempts import forget_attempts, next_attempt
from paribus.execution.workers.failures import MAX_MOVES, classify, reason
from paribus.execution.workers.feed_reader import client_of, sharing_faults, sharing_told
from paribus.execution.workers.giving_way import GaveWayError, Hearing
from paribus.execution.workers.node_look import check_data, has_others, is_of_node
from paribus.execution.workers.printed import Printed
from paribus.execution.workers.trial_spec import (
    BEGAN,
    FAULT,
    GAVE_WAY,
    MOVES,
    NODE,
    NOTICED,
    RECORDS,
    RESTARTS,
    TRIAL,
    Context,
    as_pairs,
    decode,
    record_of,
)
from paribus.host.secrets import without_secrets
from paribus.metrics.known import METRICS
from paribus.study.own_metrics import own_values
from paribus.study.plan import Trial
from paribus.tracking.outbox.artifacts import PRINTED, TRACEBACK, crash_file
from paribus.tracking.trials.record import INTERRUPTED

# How long a worker that ends waits for the ledger to take its last records; what is left waits on disk.
_FLUSH_S = 10.0
# What is stored as final results, over which MLflow's page sorts; with the curves a run stays below 30 metric keys.
_RESULTS = (*METRICS, "train_loss", "dead_channels")
_FINAL = (*_RESULTS, "total_s", "train_s", "eval_s", "data_wait_s", "peak_memory_mib")
_MOST_TEXT = 4000
# What is kept of the hash of the stream after each epoch.
_HASH_DIGITS = 12
# Datasets that a warm worker keeps open between trials.
_MAX_FEEDS = 4

if TYPE_CHECKING:
    from paribus.data import Feed
    from paribus.data.sharing import Client
    from paribus.study.searches.population import Lineage
    from paribus.tracking import TrialLog
    from paribus.training import Epoch, Result


class TrialWorker(tune.Trainable):
    """One Ray actor that stays warm: torch, the data and the ledger's connection outlive a trial.

    Ray Tune calls `step` once per epoch. A trial's own failures are results of this class, with their class and reason;
    only the loss of the process reaches Tune, which starts the trial again, and it goes on from its checkpoint.
    """

    def setup(self, config: dict[str, Any], context: Context | None = None) -> None:
        """Prepare the process; torch is imported here and stays."""
        from paribus.tracking import Recorder

        assert context is not None, "the executor passes the context with tune.with_parameters"
        self._context = context = context.here()
        self._home = Path(context.home)
        self._recorder = Recorder(context.outbox, context.uri)
        self._hearing = Hearing(context.asking)
        self._lost_node: Exception | None = None
        self._feeds: dict[str, Feed] = {}
        self._sizes: dict[tuple[object, ...], dict[str, int]] = {}
        self._shared: Client | None = None
        self._crash_log: crashes.CrashLog | None = None
        self._printed = Printed()
        self._meter, self._epoch_step = WorkerMetrics(context.study), 0
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next trial without a new process."""
        self._end_sharing()
        self._step = decode(new_config[TRIAL])
        self._restarts = int(new_config.get(RESTARTS, 0))
        self._may_move = self._context.movable and int(new_config.get(MOVES, 0)) < MAX_MOVES
        self._has_data = self._told_began = False
        self._epochs: Generator[Epoch, None, Result] | None = None
        self._log: TrialLog | None = None
        self._begun_s = time.monotonic()
        self._end_crash_log()
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch, or finish; `outcome` is in the last result of a trial."""
        if self._lost_node is not None:
            raise self._lost_node  # as if the worker were lost: Tune takes the trial up again, elsewhere
        try:
            if self._epochs is None:
                if self._hearing.asked.is_set() or self._leaves():
                    return self._gave_way()
                self._begun_s = time.monotonic()
                self._printed = Printed()
                self._epochs = self._open()
            try:
                epoch = next(self._epochs)
            except StopIteration as stop:
                return self._finish(stop.value)
        except GaveWayError:
            self._pause()
            return self._gave_way()
        except Exception as error:  # a trial's fault must not take the worker down
            return self._fail(error)
        assert self._log is not None
        lineage = self._step.lineage
        if epoch.epoch == (lineage.epochs if lineage else 1):
            self._log.update(replace(self._log.record, total_steps=epoch.num_steps))
        self._log.metrics(epoch.metrics, step=epoch.step, epoch=epoch.epoch)
        self._meter.epoch(epoch.metrics, (epoch.step - self._epoch_step) * self._step.trial.recipe.data.batch_size)
        self._epoch_step = epoch.step
        if epoch.warnings:
            self._log.update(replace(self._log.record, warnings="\n".join(epoch.warnings)[:_MOST_TEXT]))
        progress: dict[str, Any] = {"epoch": epoch.epoch, "trained_steps": epoch.step, "num_steps": epoch.num_steps}
        progress |= {"trial_key": self._step.trial.id, "metrics": as_pairs(epoch.metrics), BEGAN: self._began()}
        if epoch.epoch == self._step.until and epoch.step < epoch.num_steps:
            self._pause()
            return {**progress, "paused": True, "spent_s": time.monotonic() - self._begun_s, "done": True}
        return {**progress, "done": False}

    def cleanup(self) -> None:
        """Give the ledger a moment to take the last records."""
        self._hearing.end()
        self._end_sharing()
        self._end_crash_log()
        self._recorder.close(timeout_s=_FLUSH_S)

    def _open(self) -> Generator[Epoch, None, Result]:
        trial = self._step.trial
        check_node(trial.recipe, self._step.code, self._context.versions)
        folder = self._context.folder_of(self._step)
        attempt = next_attempt(folder, self._step.attempt + self._restarts)
        # Before torch is loaded: on a processor that it was not built for, that alone may kill the process.
        self._crash_log = crash_log = crashes.CrashLog(folder, attempt)
        from paribus.execution.workers.watched_checkpoints import WatchedCheckpoints
        from paribus.training import epochs
        from paribus.training.loop import StepCounts

        checkpoints = WatchedCheckpoints(
            folder,
            every_s=self._context.checkpoint_s,
            crash_log=crash_log,
            meter=self._meter,
            asked=self._hearing.asked,
            noticed=self._hearing.noticed,
            leaves=self._leaves,
        )
        self._checkpoints = checkpoints
        if self._step.lineage:
            self._inherit(self._step.lineage)
        self._log = self._begin_log(attempt, checkpoints.newest_step())
        for crash in crash_log.before:
            self._log.artifact(crash_file(crash.attempt), crash.text())
        self._epoch_step = checkpoints.newest_step()
        self._meter.begin(self._epoch_step, trial.recipe.data.batch_size)
        crash_log.reached(self._epoch_step)
        crash_log.check(self._epoch_step)
        self._log.artifact("recipe.json", trial.recipe.model_dump_json(indent=2).encode())
        feed = self._feed(trial)
        check_data(trial, feed.digest)
        self._has_data = True
        feed.shared = self._shared = client_of(feed, trial.recipe, self._home)
        if self._step.until:
            checkpoints.pause_step = StepCounts.of(trial.recipe, feed).span(self._step.until - 1)[1]
        return epochs(trial.recipe, trial.seeds, feed, checkpoint=checkpoints)

    def _inherit(self, lineage: Lineage) -> None:
        """Go on from another trial's checkpoint, where there is none of this one yet."""
        from paribus.training.checkpoints.inherited import inherit
        from paribus.training.loop import StepCounts

        trial = self._step.trial
        feed = self._feed(trial)
        inherit(
            self._checkpoints,
            self._context.folder(lineage.trial, lineage.code),
            StepCounts.of(trial.recipe, feed).span(lineage.epochs - 1)[1],
            trial.recipe,
            trial.seeds,
            feed,
        )

    def _begin_log(self, attempt: int, resumed_step: int) -> TrialLog:
        from paribus.tracking.environment import processor, versions

        step = self._step
        record = replace(
            record_of(step, self._context.study),
            node=platform.node(),
            cpu=processor(),
            versions=versions(on_gpu=step.trial.recipe.resources.gpus > 0),
        )
        return self._recorder.trial(
            record.begun(attempt, resumed_step),
            settings=self._context.settings,
            is_new=step.run_id == "" and attempt == step.attempt,
        )

    def _feed(self, trial: Trial) -> Feed:
        from paribus.data import open_feed

        key = trial.recipe.data.model_dump_json() + trial.recipe.augment.model_dump_json()
        if key not in self._feeds:
            if len(self._feeds) >= _MAX_FEEDS:
                self._feeds.pop(next(iter(self._feeds)))
            self._feeds[key] = open_feed(trial.recipe, self._home)
        return self._feeds[key]

    def _pause(self) -> None:
        """Leave the trial with its checkpoint, to be gone on with here or on another node, or never."""
        assert self._epochs is not None
        assert self._log is not None
        self._epochs.close()
        self._end_sharing()
        self._end_crash_log()
        self._log.finish(INTERRUPTED, {}, self._log.record)

    def _leaves(self) -> bool:
        """Whether this node is to be taken back, and there is another one for the trial."""
        return self._hearing.noticed.is_set() and has_others(request_of(self._step.trial.recipe))

    def _gave_way(self) -> dict[str, Any]:
        if not self._hearing.asked.is_set():
            self._log = None  # it has told its end
            return {**self._leave_node(self._hearing.notice()), NOTICED: True}
        return {"trial_key": self._step.trial.id, GAVE_WAY: True, "done": True}

    def _finish(self, result: Result) -> dict[str, Any]:
        from paribus.tracking.outbox.artifacts import EXAMPLES, encode_curves, encode_examples

        assert self._log is not None
        trial = self._step.trial
        self._log.artifact("curves.parquet", encode_curves(result.curves))
        self._keep_printed(self._log)
        if result.examples is not None:
            self._log.artifact(EXAMPLES, encode_examples(result.examples))
        assert self._crash_log is not None
        went_on = [f"{crash}, and the next one went on" for crash in self._crash_log.before]
        warnings = [*went_on, *dict.fromkeys(result.warnings)]
        shared = self._log.record.shared
        if self._shared is not None:
            shared = sharing_told(self._shared)
            warnings += sharing_faults(self._shared)
            self._end_sharing()
        record = replace(
            self._log.record,
            weights=self._keep_weights(result.weights),
            data=self._feed(trial).digest,
            outcome_step=result.outcome_step,
            num_steps=result.num_steps,
            stream_hashes=tuple(whole[:_HASH_DIGITS] for whole in result.stream_hashes),
            device=result.device,
            reason=result.reason,
            shared=shared,
            warnings="\n".join(warnings)[:_MOST_TEXT] or self._log.record.warnings,
        )
        own = own_values(trial.recipe.metrics, result.examples) if result.examples is not None else {}
        found = {**result.metrics, **own, **result.durations, "peak_memory_mib": result.peak_memory_mib}
        metrics = {name: found[name] for name in (*_FINAL, *own) if name in found}
        metrics |= self._size(trial)
        metrics["gpu_s"] = result.durations["total_s"] * trial.recipe.resources.gpus
        self._log.finish(result.outcome, metrics, record)
        forget_attempts(self._checkpoints.folder)
        self._end_crash_log()
        crashes.clear(self._checkpoints.folder)
        self._checkpoints.clear()
        return self._last(
            result.outcome,
            {**result.metrics, **own},
            outcome_step=result.outcome_step,
            reason=result.reason,
            kept=as_pairs(metrics),
            seconds=result.durations["total_s"],
            warnings=warnings[:1],
        )

    def _size(self, trial: Trial) -> dict[str, float]:
        """The net's parameters and FLOPs, counted once in this process."""
        from paribus.models.complexity import quick_count

        feed = self._feed(trial)
        name = (trial.recipe.model.model_dump_json(), feed.size, feed.channels, feed.num_classes)
        if name not in self._sizes:
            self._sizes[name] = quick_count(trial.recipe.model, feed.size, feed.channels, feed.num_classes)
        return {word: float(number) for word, number in self._sizes[name].items()}

    def _end_sharing(self) -> None:
        """Let no other trial wait for this one."""
        if self._shared is not None:
            self._shared.close()
        self._shared = None

    def _keep_printed(self, log: TrialLog) -> None:
        """Keep with the trial what this process printed meanwhile, if anything: parts of the user's may have."""
        if text := self._printed.text():
            log.artifact(PRINTED, text)

    def _end_crash_log(self) -> None:
        self._meter.end()
        if self._crash_log is not None:
            self._crash_log.close()
        self._crash_log = None

    def _keep_weights(self, weights: bytes | None) -> str:
        """Store the weights; their digest, by which readers know that there are some, and know them again."""
        from paribus.tracking.outbox.artifacts import WEIGHTS

        if weights is None:
            return ""
        assert self._log is not None
        self._log.artifact(WEIGHTS, weights)
        return sha256(weights).hexdigest()

    def _fail(self, error: Exception) -> dict[str, Any]:
        self._end_sharing()
        kind = classify(error)
        if self._crash_log is not None and (signal := getattr(error, "signal", "")):
            self._crash_log.killed(signal, "".join(traceback.format_exception_only(error)))
        self._end_crash_log()
        # A node with another program stays so: where there is no other, another try ends as this one does, at once.
        if kind == "node" and not isinstance(error, OtherCodeError):
            # As if the worker itself were lost: Tune starts the trial again, and it goes on from its checkpoint.
            raise error
        may_move = self._may_move and is_of_node(error, opened=self._has_data)
        if may_move and has_others(request_of(self._step.trial.recipe)):
            return self._leave_node(error)
        text = reason(kind, error)
        if self._log is None:  # it failed before its log was open: say so all the same
            self._log = self._begin_log(self._step.attempt, 0)
        self._log.artifact(TRACEBACK, traceback.format_exc().encode())
        self._keep_printed(self._log)
        self._log.finish("failed", {}, replace(self._log.record, reason=text, failure=kind))
        return self._last("failed", {}, reason=text, failure=kind)

    def _last(self, outcome: str, metrics: dict[str, float], **more: Any) -> dict[str, Any]:
        last = {"outcome": outcome, "final": as_pairs(metrics), "seconds": 0.0, "trial_key": self._step.trial.id}
        last["spent_s"] = time.monotonic() - self._begun_s
        if self._context.apart and self._log is not None:
            # A node may be lost at any time, and what lies on its disk with it.
            last[RECORDS] = self._recorder.hand_over(self._log, timeout_s=_FLUSH_S)
        return {**last, **more, "done": True}

    def _leave_node(self, error: Exception) -> dict[str, Any]:
        """Say what is amiss with the node, and die when called next: the trial is for another one."""
        self._lost_node = error
        if self._log is not None:
            self._log.finish(INTERRUPTED, {}, self._log.record)
        node = ray.get_runtime_context().get_node_id()
        text = without_secrets(" ".join(str(error).split()))[:1000]
        return {"trial_key": self._step.trial.id, NODE: (node, platform.node()), FAULT: text, "done": False}

    def _began(self) -> str:
        """How an attempt began that was taken up again, once: what the driver cannot know of where it went."""
        if not self._restarts or self._log is None or self._told_began:
            return ""
        self._told_began = True
        record = self._log.record
        step = record.attempts[record.attempt].resumed_step
        how = f"goes on from step {step}" if step else "begins again from step 0"
        return f"attempt {record.attempt} {how} on {platform.node()}"
