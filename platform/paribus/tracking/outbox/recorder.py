"""What a trial's worker records through: calls that cost microseconds, and one thread that speaks to the server."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self

from paribus.tracking.errors import LedgerBarred, LedgerUnreachable
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import now_ms
from paribus.tracking.outbox.delivery import deliver
from paribus.tracking.outbox.opening import Opening, opening_line
from paribus.tracking.outbox.outbox import Outbox, folder_of, free_folder
from paribus.tracking.outbox.sender import Sender
from paribus.tracking.trials.record import STATUS, TrialRecord
from paribus.tracking.trials.runs import Studies
from paribus.tracking.trials.stored import changes

if TYPE_CHECKING:
    from paribus.study.settings import Settings

_FLUSH_S = 1.0
_LONGEST_PAUSE_S = 10.0
_GIVE_UP_S = 2.0
log = logging.getLogger(__name__)


class TrialLog:
    """One attempt's log. Every call appends to a file and returns; none waits for a server or raises for a disk.

    `record` is the trial as far as it was told of.
    """

    def __init__(self, record: TrialRecord, outbox: Outbox, ended: threading.Event) -> None:
        self.record = record
        self.outbox = outbox
        self._ended = ended

    def metrics(self, values: Mapping[str, float], step: int, epoch: int, when: float | None = None) -> None:
        """Record `values` after `step` steps and `epoch` epochs; `when` in seconds since 1970 (None: now)."""
        time_ms = now_ms() if when is None else int(when * 1000)
        numbers = {key: float(value) for key, value in values.items()}
        self.outbox.write(
            {"kind": "metrics", "step": int(step), "epoch": int(epoch), "time_ms": time_ms, "metrics": numbers}
        )

    def artifact(self, name: str, data: bytes) -> None:
        """Record a file: `name` is its path in the run, such as `curves.parquet`."""
        self.outbox.write_artifact(name, data)

    def update(self, now: TrialRecord) -> None:
        """Record what is known of the trial by now: `record` with other values in some fields."""
        self.outbox.write({"kind": "tags", "tags": changes(self.record, now)})
        self.record = now

    def finish(self, outcome: str, metrics: Mapping[str, float] | None = None, now: TrialRecord | None = None) -> None:
        """End the attempt as one of STATUS: `finished`, `diverged`, ..., or `interrupted` (to be resumed).

        `metrics` are the final results; `now` is what else is known of the trial, as in `update`. What an attempt's end
        does not tell (a reason, weights ...) is not kept of an earlier one. Raises ValueError for any other outcome.
        """
        if outcome not in STATUS:
            raise ValueError(f"outcome is {outcome!r}; it must be one of {', '.join(STATUS)}")
        numbers = {key: float(value) for key, value in (metrics or {}).items()}
        tags = changes(self.record, now or self.record)
        record = {"kind": "end", "outcome": outcome, "time_ms": now_ms(), "metrics": numbers, "tags": tags}
        self.outbox.write(record)
        self._ended.set()


class Recorder:
    """Records trials to `outbox` and, where `uri` names an MLflow server, sends them from one background thread.

    A server that is down delays nothing and loses nothing: records wait in the outbox, also for a later process
    (`replay`). Without `uri` they only wait.
    """

    def __init__(self, outbox: Path, uri: str | None, *, flush_s: float = _FLUSH_S) -> None:
        self.outbox = outbox
        self.trouble = ""
        self._rest = MlflowRest(uri, budget_s=1.0) if uri else None
        self._flush_s = flush_s
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._sending = threading.Lock()  # while one outbox is being sent, before `_lock` where both are held
        self._given_up = threading.Event()
        self._unsent: list[Outbox] = []
        self._left_behind = False
        self._senders: list[Sender] = []
        self._studies = Studies(self._rest) if self._rest else None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def trial(self, record: TrialRecord, *, settings: Settings | None = None, is_new: bool = False) -> TrialLog:
        """Log the newest attempt of a trial that has `begun`, of a study at these settings.

        `is_new` promises that the planner looked, and the trial has no run yet. Raises BlockingIOError if a live
        process is recording the same attempt.
        """
        outbox = Outbox(free_folder(folder_of(self.outbox, record)), create=True)
        outbox.write(opening_line(Opening(record=record, settings=settings, is_new=is_new)))
        with self._lock:
            if self._studies is None:
                self._unsent.append(outbox)
            else:
                self._senders.append(Sender(outbox, self._studies))
                self._start()
        return TrialLog(record, outbox, self._wake)

    def hand_over(self, log: TrialLog, timeout_s: float) -> dict[str, dict[str, bytes]]:
        """Wait until the server has all of a trial that has ended; {} then.

        What it does not have after `timeout_s`, or where it is known to be away, is given to the caller, by the
        attempt's folder below the outbox and its files, and is this recorder's no more. Nothing is given where the disk
        did not take it: it is sent from memory, as long as this process lives.
        """
        outbox, deadline = log.outbox, time.monotonic() + timeout_s
        self._wake.set()
        while self._has(outbox) and not self.trouble and time.monotonic() < deadline:
            time.sleep(0.02)
        with self._sending, self._lock:
            mine = [sender for sender in self._senders if sender.outbox is outbox]
            if not (mine or outbox in self._unsent) or not outbox.settle():
                return {}
            self._senders = [sender for sender in self._senders if sender not in mine]
            self._unsent = [each for each in self._unsent if each is not outbox]
            files = outbox.files()
            name = str(outbox.folder.relative_to(self.outbox))
            outbox.discard()
        return {name: files}

    def _has(self, outbox: Outbox) -> bool:
        with self._lock:
            return any(sender.outbox is outbox for sender in self._senders)

    def close(self, timeout_s: float = 30.0) -> bool:
        """Send what is left for at most `timeout_s` seconds; whether the server has everything.

        What it does not have stays in the outbox for `replay`.
        """
        self._closing.set()
        self._wake.set()
        if self._thread is not None and not self._ended(self._thread, timeout_s):
            return False  # a request hangs: the outboxes stay ours until the process ends
        with self._lock:
            sent = not self._unsent and not self._left_behind and all(sender.idle for sender in self._senders)
            for outbox in [*self._unsent, *(sender.outbox for sender in self._senders)]:
                if not outbox.settle():
                    log.error(
                        "Records of %s are lost with this process: the disk is full, and the ledger did not take "
                        "them. Make room; the same command trains the trial again.",
                        outbox.folder.name,
                    )
                outbox.close()
            self._unsent, self._senders = [], []
        return sent

    def _ended(self, thread: threading.Thread, timeout_s: float) -> bool:
        thread.join(timeout_s)
        self._given_up.set()
        if self._rest is not None:
            self._rest.abandon()
        thread.join(_GIVE_UP_S)
        return not thread.is_alive()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="paribus-recorder", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        assert self._rest is not None
        with self._rest:
            self._send_until_closed()

    def _send_until_closed(self) -> None:
        pause_s = self._flush_s
        while not self._given_up.is_set():
            self._wake.wait(self._flush_s)
            self._wake.clear()
            closing = self._closing.is_set()
            if self._send_all():
                pause_s = self._flush_s
                if closing and not self._files_due():
                    return
                if closing:
                    self._given_up.wait(0.2)
                    self._wake.set()
                continue
            self._wake.set()
            if not self._closing.wait(pause_s):
                pause_s = min(max(pause_s, 0.5) * 2, _LONGEST_PAUSE_S)
            else:
                self._given_up.wait(0.2)

    def _files_due(self) -> bool:
        with self._lock:
            return any(sender.over for sender in self._senders)

    def _send_all(self) -> bool:
        """Send what every open trial has; whether the server was there and took all of it."""
        with self._lock:
            senders = list(self._senders)
        trouble = ""
        for sender in senders:
            try:
                with self._sending:
                    if not self._has(sender.outbox):
                        continue  # it was handed over meanwhile
                    over = deliver(sender)
                    if over:
                        self._left_behind = self._left_behind or bool(sender.lost or sender.rejected)
                        with self._lock:
                            self._senders.remove(sender)
            except (LedgerUnreachable, LedgerBarred) as error:
                trouble = str(error)
                if not self.trouble:
                    log.warning("%s Records wait in %s meanwhile.", error, self.outbox)
                self.trouble = trouble
                if error.status:
                    continue  # it answers, and may take the other trials'
                return False
        if self.trouble and not trouble:
            log.warning("The MLflow server is back; everything recorded meanwhile has been sent.")
        self.trouble = trouble
        return not trouble
