"""From an attempt's spool to its MLflow run: one sender per spool, safe to repeat from any point."""

from __future__ import annotations

import logging

from . import tags as words
from .errors import LedgerError
from .runs import Metric, Run, get_run, log_batch, now_ms
from .spool import Record, Spool, TrialHeader, header_of
from .trial_runs import (
    Batch,
    Studies,
    add_end,
    attempt_tags,
    close_run,
    is_superseded,
    open_run,
    reopen,
)

READ_BYTES = 400_000
TOO_LARGE = 413
log = logging.getLogger(__name__)


class Sender:
    """Sends one spool to the one run of its trial.

    `leftover` says that the process which wrote the spool is gone: then an attempt without an end was interrupted.
    """

    def __init__(self, spool: Spool, studies: Studies, *, leftover: bool = False) -> None:
        self.spool = spool
        self.studies = studies
        self.rest = studies.rest
        self.leftover = leftover
        self.num_points = 0
        self.rejected = ""
        self._header: TrialHeader | None = None
        self._run: Run | None = None
        self._alone = False
        self._offset, self._run_id = spool.sent()

    def step(self) -> bool:
        """Send what there is; whether the attempt is over and the server has all of it.

        Raises LedgerUnreachable (try again later: nothing is lost or doubled) or LedgerError (it will never be taken).
        """
        self.spool.settle()
        while True:
            records, offset = self._next()
            end = records[-1] if records and records[-1]["kind"] == "end" else None
            if not records:
                if not self.leftover:
                    return False
                end = {"kind": "end", "outcome": "interrupted", "metrics": {}, "tags": {}, "time_ms": now_ms()}
            if not self._send(records, end):
                self._offset, self._run, self._run_id = 0, None, ""
                continue
            self._offset = offset
            self.spool.acknowledge(offset, self._run_id)
            if end is not None:
                return True

    @property
    def idle(self) -> bool:
        """Whether the server has everything written so far."""
        return not self._next()[0]

    def _next(self) -> tuple[list[Record], int]:
        records: list[Record] = []
        offset = self._offset
        for record, after in self.spool.read(self._offset, READ_BYTES):
            records.append(record)
            offset = after
            if record["kind"] == "end":
                break
        return records, offset

    def _send(self, records: list[Record], end: Record | None) -> bool:
        """Send records; False if the run turned out to be a duplicate, so that all must go to another."""
        header, batch = self._first(records), Batch()
        run = self._opened(header, batch, ends=end is not None)
        superseded = False
        if end is not None and not (self._alone and end["outcome"] != "interrupted"):
            now = get_run(self.rest, run.run_id)
            if words.DUPLICATE_OF in now.tags:
                return False
            superseded = is_superseded(now, header.attempt)
        self._fill(batch, header, records, run)
        if end is not None and superseded:
            batch.tags.update(attempt_tags(header, ended_ms=end["time_ms"], outcome=end["outcome"]))
        elif end is not None:
            add_end(batch, header, end)
        log_batch(self.rest, run.run_id, batch.metrics, batch.params, batch.tags)
        self.num_points += len(batch.metrics)
        if end is not None and not superseded:
            close_run(self.rest, run, end)
        return True

    def _first(self, records: list[Record]) -> TrialHeader:
        if self._header is None:
            found = next((record for record, _ in self.spool.read(0, READ_BYTES)), None) or records[0]
            if found["kind"] != "header":
                raise LedgerError(f"The spool {self.spool.folder} does not begin with a trial's header")
            self._header = header_of(found)
        return self._header

    def _opened(self, header: TrialHeader, batch: Batch, *, ends: bool) -> Run:
        if self._run is None:
            alone = header.run_id == "" and not self.leftover
            self._run, created = open_run(self.studies, header, self._run_id, alone=alone, batch=batch)
            # Only a run that nobody else can have met needs no second look before it is closed.
            self._alone = alone and created
            self._run_id = self._run.run_id
            self.spool.acknowledge(self._offset, self._run_id)
            if not created:
                reopen(self.rest, self._run, header, batch, ends=ends)
        return self._run

    def _fill(self, batch: Batch, header: TrialHeader, records: list[Record], run: Run) -> None:
        for record in records:
            if record["kind"] == "metrics":
                batch.metrics += points(record, header.attempt)
            elif record["kind"] == "tags":
                batch.tags.update(record["tags"])
            elif record["kind"] == "artifact":
                self._put(batch, run, record)

    def _put(self, batch: Batch, run: Run, record: Record) -> None:
        data = (self.spool.folder / record["file"]).read_bytes()
        try:
            self.rest.put_artifact(run.artifact_uri, record["name"], data)
        except LedgerError as error:
            if error.status != TOO_LARGE:
                raise
            # A proxy's limit on bodies, met by the weights of a large net, must not cost the trial its results.
            text = f"{record['name']}: {len(data) / 2**20:.0f} MiB are more than the server takes in one request"
            log.warning("The ledger did not take %s of %s", text, run.name)
            batch.tags[words.LOST_ARTIFACT] = text


def points(record: Record, attempt: int) -> list[Metric]:
    """The points of one record. Attempts after the first say so at every step, for readers to tell them apart."""
    step, time_ms = record["step"], record["time_ms"]
    values = {**record["metrics"], words.EPOCH_METRIC: float(record["epoch"])}
    if attempt > 1:
        values[words.ATTEMPT_METRIC] = float(attempt)
    return [Metric(key, value, time_ms, step) for key, value in values.items()]
