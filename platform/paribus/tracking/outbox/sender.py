"""From an attempt's outbox to its MLflow run: one sender per outbox, safe to repeat from any point."""

from __future__ import annotations

from paribus.tracking.errors import LedgerBarred, LedgerError, LedgerUnreachable
from paribus.tracking.mlflow.runs import Metric, Run, get_run, log_batch, update_run
from paribus.tracking.outbox.opening import OPENING, Opening, opening_of
from paribus.tracking.outbox.outbox import Outbox, Record, Sent, parsed
from paribus.tracking.outbox.upload import Artifacts
from paribus.tracking.trials.record import ATTEMPT_METRIC, EPOCH_METRIC, INTERRUPTED, TrialRecord
from paribus.tracking.trials.runs import (
    RunBatch,
    Studies,
    add_end,
    add_late_end,
    give_back,
    is_superseded,
    open_run,
    reopen,
    restore,
)
from paribus.tracking.trials.stored import from_mlflow, with_tags

_READ_BYTES = 400_000


class Sender:
    """Sends one outbox to the one run of its trial: records first, so that no number ever waits for a file.

    `leftover` says that the process which wrote the outbox is gone: then an attempt without an end was interrupted.
    """

    def __init__(self, outbox: Outbox, studies: Studies, *, leftover: bool = False) -> None:
        self.outbox = outbox
        self.studies = studies
        self.rest = studies.rest
        self.leftover = leftover
        self.num_points = 0
        self.rejected = ""
        self._opening: Opening | None = None
        self._run: Run | None = None
        self._told: dict[str, str] = {}  # what the attempt said of the trial before its end
        self._last_ms = 0  # when the last record was written that tells its time
        self._alone = False
        self.over = False  # all records are in the ledger, the end too
        sent = outbox.sent()
        self._offset, self._run_id = sent.offset, sent.run_id
        self._artifacts = Artifacts(outbox, self.rest, sent.files)
        self._recall()

    def _recall(self) -> None:
        """From the records that an earlier process has sent: the files that it had not, and whether they end."""
        position = 0
        while position < self._offset:
            before = position
            for record, position in self.outbox.read(before, _READ_BYTES):
                if position > self._offset:
                    return
                self._note(record)
            if position == before:
                return

    def _note(self, record: Record) -> None:
        if record["kind"] == "artifact":
            self._artifacts.add(record)
        elif record["kind"] == "tags":
            self._told |= record["tags"]
        self._last_ms = max(self._last_ms, int(record.get("time_ms", 0)))
        self.over = self.over or record["kind"] == "end"

    @property
    def lost(self) -> dict[str, str]:
        """The files that the server did not take and that stay in the outbox, each with the reason."""
        return self._artifacts.lost

    def step(self) -> bool:
        """Send what there is; whether the attempt is over and nothing is left that this process should try again.

        Raises LedgerUnreachable or LedgerBarred (try again later: nothing is lost or doubled), or LedgerError (it will
        not be taken as things are).
        """
        self.outbox.settle()
        while not self.over and self._send_records():
            pass
        if self._artifacts.due and (self.over or self._run is not None):
            self._send_files()
        return self.over and not self._artifacts.due

    def _send_records(self) -> bool:
        """Send the next records; whether there may be more."""
        records, offset, held = self._next()
        end = records[-1] if records and records[-1]["kind"] == "end" else None
        if not records:
            if not self.leftover:
                return False
            # Its process was found dead by now, perhaps the next day: it ran no longer than to its last record.
            ended_ms = self._last_ms or self._first([]).record.started_ms
            end = {"kind": "end", "outcome": INTERRUPTED, "metrics": {}, "tags": {}, "time_ms": ended_ms}
        if not self._send_or_mend(records, end):
            self._offset, self._run, self._run_id = 0, None, ""
            self._artifacts = Artifacts(self.outbox, self.rest)
            return True
        self._offset = offset
        self.outbox.forget(held)
        for record in records:
            self._note(record)
        self.over = end is not None
        self._acknowledge()
        return True

    def _acknowledge(self) -> None:
        self.outbox.acknowledge(Sent(self._offset, self._run_id, self._artifacts.sent))

    @property
    def idle(self) -> bool:
        """Whether the server has everything recorded so far."""
        return not self._next()[0] and not self._artifacts.due and not self._artifacts.lost

    def _next(self) -> tuple[list[Record], int, list[bytes]]:
        """The next records, the offset after those on disk, and the lines of those that the disk has no room for."""
        records: list[Record] = []
        offset = self._offset
        for record, after in self.outbox.read(self._offset, _READ_BYTES):
            records.append(record)
            offset = after
            if record["kind"] == "end":
                break
        held = [] if records else self.outbox.held()
        return records or list(map(parsed, held)), offset, held

    def _send_or_mend(self, records: list[Record], end: Record | None) -> bool:
        """Send records; False if they must all go to another run: this one is a duplicate, or gone for good."""
        try:
            return self._send(records, end)
        except (LedgerUnreachable, LedgerBarred):
            raise
        except LedgerError as error:
            if self._run is None:
                raise
            try:
                now = get_run(self.rest, self._run.run_id)
            except LedgerError as gone:
                if gone.code == "RESOURCE_DOES_NOT_EXIST":
                    return False
                raise
            if now.deleted:
                restore(self.rest, now)
                return self._send(records, end)
            if now.params.keys() <= self._run.params.keys():
                raise error
            # Another attempt told it of the params meanwhile: MLflow looks and then inserts, and refuses one of two.
            self._run = None
            return self._send_or_mend(records, end)

    def _send(self, records: list[Record], end: Record | None) -> bool:
        """Send records; False if the run turned out to be a duplicate, so that all must go to another."""
        opening, batch = self._first(records), RunBatch()
        run = self._opened(opening, batch, ends=end is not None)
        superseded = None
        if end is not None and not (self._alone and end["outcome"] != INTERRUPTED):
            there = from_mlflow(get_run(self.rest, run.run_id))
            if there.duplicate_of:
                return False
            superseded = there if is_superseded(there, opening.record) else None
        _fill(batch, opening.record, records)
        ended = self._ended(opening.record, records, end) if end is not None else None
        if ended is not None and superseded is not None:
            add_late_end(batch, superseded, ended)
        elif ended is not None and end is not None:
            batch.tags.update(end["tags"])
            add_end(batch, ended)
        tags = self._news(run, batch.tags) if self._alone else batch.tags
        log_batch(self.rest, run.run_id, batch.metrics, batch.params, tags)
        self.num_points += len(batch.metrics)
        if ended is not None and superseded is None:
            update_run(self.rest, run.run_id, ended.status, ended.ended_ms)
        if not self._alone and batch.tells_outcome:
            give_back(self.rest, run.run_id, opening.record)
        return True

    def _news(self, run: Run, tags: dict[str, str]) -> dict[str, str]:
        """Of `tags` those that say anything new of a run to which nobody else writes: nothing earlier is to be cleared
        there, and each tag costs the server a look and a row."""
        known = {**run.tags, **self._told}
        return {key: text for key, text in tags.items() if text != known.get(key, "")}

    def _ended(self, trial: TrialRecord, records: list[Record], end: Record) -> TrialRecord:
        told = dict(self._told)
        for record in (*records, end):
            told |= record.get("tags", {})
        return with_tags(trial, told).ended(end["outcome"], end["metrics"], end["time_ms"])

    def _send_files(self) -> None:
        record = self._first([]).record
        run, folder = self._run, ""
        if run is None or not self._alone:
            run = get_run(self.rest, run.run_id if run else self._run_id)
            # A newer attempt's files have these names in the run already, or will.
            folder = f"attempt.{record.attempt}/" if is_superseded(from_mlflow(run), record) else ""
        if self._artifacts.send(run, folder):
            self._acknowledge()

    def _first(self, records: list[Record]) -> Opening:
        if self._opening is None:
            first = next((record for record, _ in self.outbox.read(0, _READ_BYTES)), None)
            found = first or (records[0] if records else {})
            if found.get("kind") != OPENING:
                raise LedgerError(f"The outbox {self.outbox.folder} does not begin with a trial's header")
            try:
                self._opening = opening_of(found)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                text = f"The outbox {self.outbox.folder} begins with a header that lacks or damages {error}"
                raise LedgerError(text) from error
        return self._opening

    def _opened(self, opening: Opening, batch: RunBatch, *, ends: bool) -> Run:
        if self._run is None:
            alone = opening.is_new and not self.leftover
            self._run, created = open_run(self.studies, opening, self._run_id, alone=alone, batch=batch)
            # Only a run that nobody else can have met needs no second look before it is closed.
            self._alone = alone and created
            self._run_id = self._run.run_id
            self._acknowledge()
            if not created:
                reopen(self.rest, self._run, opening.record, batch, ends=ends)
        return self._run


def _fill(batch: RunBatch, trial: TrialRecord, records: list[Record]) -> None:
    for record in records:
        if record["kind"] == "metrics":
            batch.metrics += points(record, trial.attempt)
        elif record["kind"] == "tags":
            batch.tags.update(record["tags"])


def points(record: Record, attempt: int) -> list[Metric]:
    """The points of one record. Attempts after the first say so at every step, for readers to tell them apart."""
    step, time_ms = record["step"], record["time_ms"]
    values = {**record["metrics"], EPOCH_METRIC: float(record["epoch"])}
    if attempt > 1:
        values[ATTEMPT_METRIC] = float(attempt)
    return [Metric(key, value, time_ms, step) for key, value in values.items()]
