"""The driver's side of the ledger: a study's parent run, its lease, its orphans and its end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from paribus.tracking import tags as words
from paribus.tracking.errors import LeaseHeld, LedgerError, LedgerUnreachable
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import (
    Run,
    ensure_experiment,
    experiment_ids,
    get_run,
    log_batch,
    now_ms,
    run_url,
    search_runs,
    update_run,
)
from paribus.tracking.mlflow.view import RunsView, keep_view, runs_url
from paribus.tracking.notes import note_of, with_note
from paribus.tracking.studies.choice import ensure_study_run, name_run, study_runs
from paribus.tracking.studies.heard import Event, heard_tags
from paribus.tracking.studies.lease import Lease, driver_of
from paribus.tracking.studies.places import Paused, Places, paused_in
from paribus.tracking.studies.record import StudyRecord, study_record
from paribus.tracking.studies.replication import Replication
from paribus.tracking.trials.stored import from_mlflow, is_trial, tags_of

if TYPE_CHECKING:
    from paribus.study.settings import Settings

# Written and read back before a study trains.
_CHECK = "can-keep-files.txt"
TRIALS_FILE = "trials.json"
Status = Literal["FINISHED", "KILLED", "FAILED"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyHeader:
    """What the ledger says of a study: `claim` is any JSON object, `caveats` the fixed factors in words,
    `note` the Markdown that MLflow shows as the run's description, `num_planned` the number of its trials, `settings`
    those that tell this run from the study's others, `view` how MLflow's page of its trials opens, `nodes_aside` the
    nodes that get no trials, with the reasons."""

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
    settings: Settings | None = None
    view: RunsView | None = None
    nodes_aside: Mapping[str, str] = field(default_factory=dict)

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
        # Those of an earlier run may be mended, and are written over.
        aside = {words.NODES_ASIDE: json.dumps(dict(self.nodes_aside)) if self.nodes_aside else ""}
        return {**{key: value for key, value in named.items() if value}, **aside, **self.tags}


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

    def ways(self) -> str:
        """The ways to MLflow's page of its trials, as a table and as charts, in Markdown."""
        table, charts = (
            runs_url(self.rest.uri, self.experiment_id, self.run_id, charts=each) for each in (False, True)
        )
        return f"[Trials]({table}) · [Learning curves]({charts})"

    def url_of(self, name: str) -> str:
        """The page of a file that is stored with the study."""
        return run_url(self.rest.uri, self.experiment_id, self.run_id, f"/artifacts/{name}")

    def claim_lease(self) -> None:
        """Become the driver at these settings and set the run RUNNING; raises LeaseHeld if another live process is."""
        self.lease.claim()
        update_run(self.rest, self.run_id, "RUNNING")

    def refuse_shared(self, trial_ids: Collection[str]) -> None:
        """Raise LeaseHeld, and give the lease up, where a live driver at other settings may train one of these trials.

        Other settings are other trials but where they differ in a field that is a factor. Call it once the own
        trials.json is written: of two that start at once, at least one then sees the other.
        """
        for run in study_runs(self.rest, self.experiment_id):
            driver = driver_of(run.tags.get(words.DRIVER, ""))
            if run.run_id == self.run_id or driver is None or not driver.alive:
                continue
            if shared := _ids_written(self.rest, run) & set(trial_ids):
                self.lease.release()
                update_run(self.rest, self.run_id, "KILLED", now_ms())
                raise LeaseHeld(
                    f"{run.name!r} is being run by process {driver.pid} on {driver.host} and has {len(shared)} of "
                    "these trials too. Wait for it or stop it: one trial is never trained twice at once."
                )

    def heartbeat(self, counts: Mapping[str, int] | None = None, places: Places | None = None) -> Paused | None:
        """Say that the driver lives, with the number of trials by outcome; at least every 20 s.

        Returns who paused the study, if it is. Raises LeaseHeld if another driver took it over.
        """
        told = {words.COUNTS: json.dumps(dict(counts))} if counts is not None else {}
        return paused_in(self.lease.heartbeat({**told, **(places.as_tags() if places else {})} or None))

    def at_work_on(self, cluster: str) -> list[StudyRecord]:
        """The other studies, in all experiments, that live drivers train on that cluster; none that is paused."""
        where = f"tags.`{words.CLUSTER}` = '{cluster}'"
        found = (study_record(run, self.rest.uri) for run in search_runs(self.rest, experiment_ids(self.rest), where))
        return [each for each in found if each.run_id != self.run_id and each.live and each.paused is None]

    def describe(self, note: str) -> None:
        """Let MLflow show `note`, in Markdown, as the run's description; what people noted on it stays."""
        kept = note_of(get_run(self.rest, self.run_id))
        log_batch(self.rest, self.run_id, tags={words.NOTE: with_note(note, kept)})

    def plan(self, num_planned: int) -> None:
        """Write down how many trials the study has by now."""
        log_batch(self.rest, self.run_id, tags={words.PLANNED: str(num_planned)})

    def keep_replication(self, known: Replication) -> None:
        """Write down the replicates that were asked for, and the looks in between."""
        log_batch(self.rest, self.run_id, tags={words.REPLICATION: known.as_tag()})

    def keep_heard(self, events: Sequence[Event], kept: int) -> None:
        """Write down in which order a scheduler was told of trials; the run has the first `kept` of the events."""
        log_batch(self.rest, self.run_id, tags=heard_tags(events, kept))

    def note_aside(self, nodes: Mapping[str, str]) -> None:
        """Write down which nodes are put aside, and why."""
        log_batch(self.rest, self.run_id, tags={words.NODES_ASIDE: json.dumps(dict(nodes))})

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
            self.artifact(_CHECK, proof)
            found = self.rest.get_artifact(self.artifact_uri, _CHECK)
        except LedgerUnreachable as error:
            raise LedgerUnreachable(f"{where}: {error} {do}.", status=error.status) from error
        except LedgerError as error:
            raise LedgerError(f"{where}: {error} {do}.", code=error.code, status=error.status) from error
        if found != proof:
            raise LedgerError(f"{where}: what is read back is not what was written. {do}.")

    def close_orphans(self, own_ids: Collection[str] = ()) -> list[str]:
        """Close what the ledger takes for running of the trials in `own_ids` and of this run's children; returns ids.

        They become KILLED with paribus.interrupted=true, which the same command resumes. For the study's driver only:
        holding the lease is what proves that no other driver has them, and it is held for these settings alone: the
        trials of other settings are another driver's. Call `replay` first.
        """
        closed = []
        for run in search_runs(self.rest, [self.experiment_id], "attributes.status = 'RUNNING'"):
            if not is_trial(run):
                continue
            trial = from_mlflow(run)
            if trial.trial_id not in own_ids and trial.parent != self.run_id:
                continue
            log_batch(self.rest, run.run_id, tags=tags_of(replace(trial, interrupted=True), ["interrupted"]))
            update_run(self.rest, run.run_id, "KILLED", now_ms())
            closed.append(trial.trial_id)
        return closed

    def finish(self, status: Status, counts: Mapping[str, int] | None = None) -> None:
        """End the driver's work: FINISHED (every trial has a result), KILLED (to be gone on with) or FAILED."""
        if counts is not None:
            log_batch(self.rest, self.run_id, tags={words.COUNTS: json.dumps(dict(counts))})
        update_run(self.rest, self.run_id, status, now_ms())
        self.lease.release()


def open_study(rest: MlflowRest, header: StudyHeader) -> StudyRun:
    """The study's run at the header's settings, created if missing, with `header` written to it.

    Safe to repeat and to race.
    """
    experiment_id = ensure_experiment(rest, header.name)
    run = ensure_study_run(rest, experiment_id, header.name, header.settings)
    if header.settings is not None:
        name_run(rest, run, header.name, header.settings)
    opened = StudyRun(rest, header.name, experiment_id, run.run_id, run.artifact_uri)
    if header.view is not None:
        keep_view(rest, experiment_id, run.run_id, header.view)
        header = replace(header, note="\n\n".join(filter(None, (header.note, opened.ways()))))
    tags = header.as_tags()
    if words.NOTE in tags:
        tags[words.NOTE] = with_note(tags[words.NOTE], note_of(run))
    log_batch(rest, run.run_id, tags=tags)
    return opened


def _ids_written(rest: MlflowRest, run: Run) -> set[str]:
    """The trials that the run's driver wrote down; none where it has not got so far."""
    try:
        rows = json.loads(rest.get_artifact(run.artifact_uri, TRIALS_FILE))
    except LedgerUnreachable:
        raise
    except (LedgerError, ValueError):
        return set()
    return {row if isinstance(row, str) else str(row["id"]) for row in rows}
