"""The files of one attempt on their way to its run. Numbers and the outcome go first, and never wait for a file."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

from paribus.tracking.errors import LedgerBarred, LedgerError, LedgerUnreachable
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import Run, log_batch
from paribus.tracking.outbox.outbox import Outbox, OutboxError, Record
from paribus.tracking.trials.stored import from_mlflow, tags_of

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_TOO_LARGE = 413
log = logging.getLogger(__name__)


class Artifacts:
    """What of an outbox's files the server lacks, and why; the run says so while it does (`paribus.lost_artifact`).

    A file that meets a fault of the server or of the line is tried again with growing pauses. One that MLflow refuses
    is left to a later process: it stays in the outbox. One that can't be read, or that lies outside the outbox, is
    named on the run for good.
    """

    def __init__(self, outbox: Outbox, rest: MlflowRest, sent: tuple[str, ...] = ()) -> None:
        self._outbox, self._rest = outbox, rest
        self.sent = sent
        self._waiting: dict[str, Record] = {}
        self._refused: set[str] = set()
        self._why: dict[str, str] = {}
        self._told: str | None = None
        self._pause_s, self._next_try = _FIRST_PAUSE_S, 0.0

    def add(self, record: Record) -> None:
        """Take the file that `record` names, unless the server has it."""
        file = str(record.get("file"))
        if file not in self.sent:
            self._waiting[file] = record

    @property
    def due(self) -> bool:
        """Whether this process should try again."""
        return any(file not in self._refused for file in self._waiting)

    @property
    def lost(self) -> dict[str, str]:
        """Why the server lacks a file, by the file's name in the run, of those that wait."""
        names = {_name(record) for record in self._waiting.values()}
        return {name: why for name, why in self._why.items() if name in names}

    def send(self, run: Run, folder: str = "") -> bool:
        """Send what is due, under `folder` of the run (ends in "/"; "": its root); whether anything new was sent.

        Raises LedgerUnreachable where nothing answers.
        """
        if not self.due or time.monotonic() < self._next_try:
            return False
        before = len(self.sent)
        try:
            for file in [file for file in self._waiting if file not in self._refused]:
                self._send_one(run, folder, file)
        finally:
            self._tell(run)
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S) if self.due else _FIRST_PAUSE_S
        self._next_try = time.monotonic() + self._pause_s
        return len(self.sent) > before

    def _send_one(self, run: Run, folder: str, file: str) -> None:
        name, size = _name(self._waiting[file]), 0
        try:
            data = self._outbox.artifact(file)
            size = len(data)
            # Once: other trials' numbers would wait behind a second try.
            self._rest.put_artifact(run.artifact_uri, folder + name, data, budget_s=0.0)
        except OutboxError as error:
            del self._waiting[file]
            self._why[name] = str(error)
            return
        except LedgerError as error:
            if isinstance(error, LedgerUnreachable) and not error.status:
                raise
            if not isinstance(error, LedgerUnreachable | LedgerBarred):
                self._refused.add(file)
            self._why[name] = _reason(error, size)
            return
        del self._waiting[file]
        self._outbox.forget_file(file)
        self._why.pop(name, None)
        self.sent = (*self.sent, file)

    def _tell(self, run: Run) -> None:
        if self._told is None:
            self._told = from_mlflow(run).lost_artifact
        text = "; ".join(f"{name}: {why}" for name, why in self._why.items())
        if text == self._told:
            return
        try:
            log_batch(
                self._rest, run.run_id, tags=tags_of(replace(from_mlflow(run), lost_artifact=text), ["lost_artifact"])
            )
        except LedgerError:
            return  # with the next try
        self._told = text
        if text:
            log.warning("The ledger lacks files of %s, kept in %s: %s", run.name, self._outbox.folder, text)


def _name(record: Record) -> str:
    return str(record.get("name"))


def _reason(error: LedgerError, size: int) -> str:
    if error.status == _TOO_LARGE:
        return f"{size / 2**20:.0f} MiB are more than the server takes in one request (HTTP {_TOO_LARGE})"
    return str(error)[:600]
