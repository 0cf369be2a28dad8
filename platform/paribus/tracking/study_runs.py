"""The driver's side of the ledger: a study's parent run, its lease, its orphans and its end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from . import tags as words
from .errors import LedgerError, LedgerUnreachable
from .lease import Lease
from .rest import MlflowRest
from .runs import ensure_experiment, log_batch, now_ms, search_runs, update_run
from .trial_runs import ensure_study_run

# Written and read back before a study trains.
CHECK = "can-keep-files.txt"
Status = Literal["FINISHED", "KILLED", "FAILED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyHeader:
    """What the ledger says of a study: `claim` is any JSON object, `caveats` the fixed factors in words,
    `note` the Markdown that MLflow shows as the run's description, `num_planned` the number of its trials."""

    name: str
    question: str = ""
    claim: Mapping[str, Any] | None = None
    caveats: tuple[str, ...] = ()
    design: str = ""
    num_planned: int = 0
    code: str = ""
    note: str = ""
    source: str = ""
    commit: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    def as_tags(self) -> dict[str, str]:
        """The tags of the study's run; what is not known is left out."""
        named = {
            words.QUESTION: self.question,
            words.CLAIM: json.dumps(dict(self.claim)) if self.claim else "",
            words.CAVEATS: json.dumps(self.caveats) if self.caveats else "",
            words.DESIGN: self.design,
            words.PLANNED: str(self.num_planned) if self.num_planned else "",
            words.CODE: self.code,
            words.NOTE: self.note,
            words.SOURCE: self.source,
            words.COMMIT: self.commit,
        }
        return {**{key: value for key, value in named.items() if value}, **self.tags}


class StudyRun:
    """A study's parent run, open for its driver."""

    def __init__(self, rest: MlflowRest, study: str, experiment_id: str, run_id: str, artifact_uri: str) -> None:
        self.rest = rest
        self.study = study
        self.experiment_id = experiment_id
        self.run_id = run_id
        self.artifact_uri = artifact_uri
        self.lease = Lease(rest, run_id, study)

    @property
    def url(self) -> str:
        """The run's page in MLflow."""
        return run_url(self.rest.uri, self.experiment_id, self.run_id)

    def claim_lease(self) -> None:
        """Become the study's driver and set its run RUNNING; raises LeaseHeld if another live process is."""
        self.lease.claim()
        update_run(self.rest, self.run_id, "RUNNING")

    def heartbeat(self, counts: Mapping[str, int] | None = None) -> None:
        """Say that the driver lives, with the number of trials by outcome; at least every 20 s.

        Raises LeaseHeld if another driver took the study over.
        """
        self.lease.heartbeat({words.COUNTS: json.dumps(dict(counts))} if counts is not None else None)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags of the study's run."""
        log_batch(self.rest, self.run_id, tags=tags)

    def artifact(self, name: str, data: bytes) -> None:
        """Store a file with the study, such as `verdicts.json`."""
        self.rest.put_artifact(self.artifact_uri, name, data)

    def check_files(self) -> None:
        """Write one small file to the run and read it back. Raises LedgerError, saying what to do, if that fails."""
        proof = uuid.uuid4().hex.encode()
        where = f"MLflow at {self.rest.uri} can't keep files of the study {self.study!r} (under {self.artifact_uri})"
        do = (
            "Trials would end without their weights and per-example results. Where the experiment was made with a "
            "place of its own (such as s3://...), give the study another name, so that its experiment is made new and "
            "served by MLflow; else look at the server's disk and at its --artifacts-destination"
        )
        try:
            self.artifact(CHECK, proof)
            found = self.rest.get_artifact(self.artifact_uri, CHECK)
        except LedgerUnreachable as error:
            raise LedgerUnreachable(f"{where}: {error} {do}.", status=error.status) from error
        except LedgerError as error:
            raise LedgerError(f"{where}: {error} {do}.", code=error.code, status=error.status) from error
        if found != proof:
            raise LedgerError(f"{where}: what is read back is not what was written. {do}.")

    def close_orphans(self, except_ids: Collection[str] = ()) -> list[str]:
        """Close the trials that the ledger takes for running, but for the trial ids in `except_ids`; returns theirs.

        They become KILLED with paribus.interrupted=true, which the same command resumes. For the study's driver only:
        holding the lease is what proves that no other driver has them. Call `replay` first.
        """
        closed = []
        for run in search_runs(self.rest, [self.experiment_id], "attributes.status = 'RUNNING'"):
            trial_id = run.tags.get(words.TRIAL_ID, "")
            if run.tags.get(words.KIND) != words.TRIAL_KIND or trial_id in except_ids:
                continue
            log_batch(self.rest, run.run_id, tags={words.INTERRUPTED: "true"})
            update_run(self.rest, run.run_id, "KILLED", now_ms())
            closed.append(trial_id)
        return closed

    def finish(self, status: Status, counts: Mapping[str, int] | None = None) -> None:
        """End the driver's work: FINISHED (every trial has a result), KILLED (to be gone on with) or FAILED."""
        if counts is not None:
            self.set_tags({words.COUNTS: json.dumps(dict(counts))})
        update_run(self.rest, self.run_id, status, now_ms())
        self.lease.release()


def open_study(rest: MlflowRest, header: StudyHeader) -> StudyRun:
    """The study's parent run, created if missing, with `header` written to it. Safe to repeat and to race."""
    experiment_id = ensure_experiment(rest, header.name)
    run, _ = ensure_study_run(rest, experiment_id, header.name)
    log_batch(rest, run.run_id, tags=header.as_tags())
    return StudyRun(rest, header.name, experiment_id, run.run_id, run.artifact_uri)


def run_url(uri: str, experiment_id: str, run_id: str) -> str:
    """The address of a run's page."""
    return f"{uri}/#/experiments/{experiment_id}/runs/{run_id}"
