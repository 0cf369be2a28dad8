"""How a trial lives in MLflow: the run that is its own for ever, its attempts, and how it ends."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from paribus.tracking import tags as words
from paribus.tracking.errors import LedgerError
from paribus.tracking.mlflow.agreement import ensure_run
from paribus.tracking.mlflow.rest import MlflowRest
from paribus.tracking.mlflow.runs import (
    Metric,
    Run,
    check_active,
    create_run,
    ensure_experiment,
    fitting_params,
    get_run,
    log_batch,
    update_run,
    winner_of,
)
from paribus.tracking.outbox.opening import Opening
from paribus.tracking.studies.choice import ensure_study_run
from paribus.tracking.trials.record import INTERRUPTED, STATUS, TrialRecord
from paribus.tracking.trials.stored import attempt_tag, changes, from_mlflow, is_trial, tags_of, to_mlflow

log = logging.getLogger(__name__)

# What an attempt tells of the trial at its beginning, where it is interrupted, and besides that where it has a result.
_MADE_WITH = ("seeds", "code", "node", "cpu", "versions")
_OF_INTERRUPTION = ("attempt", "outcome", "interrupted")
_OF_RESULT = (
    *("metrics", "outcome_step", "num_steps", "reason", "failure", "data", "device", "weights", "stream_hashes"),
    *("shared", "warnings"),
)


@dataclass(slots=True)
class RunBatch:
    """What goes to the server in the next requests; `tells_outcome`: how the trial stands is among it."""

    metrics: list[Metric] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    tells_outcome: bool = False


class Studies:
    """Each study's experiment and parent run at each of its settings, looked up once per process."""

    def __init__(self, rest: MlflowRest) -> None:
        self.rest = rest
        self._known: dict[tuple[str, str], tuple[str, str]] = {}

    def find(self, opening: Opening) -> tuple[str, str]:
        """(experiment id, parent run id) of the trial's study at its settings, created if missing."""
        study, settings = opening.record.study, opening.settings
        key = (study, settings.digest if settings else "")
        if key not in self._known:
            experiment_id = ensure_experiment(self.rest, study)
            parent = ensure_study_run(self.rest, experiment_id, study, settings)
            self._known[key] = (experiment_id, parent.run_id)
        return self._known[key]


def open_run(studies: Studies, opening: Opening, known: str, *, alone: bool, batch: RunBatch) -> tuple[Run, bool]:
    """The trial's run, and whether it was created here; `batch` receives what the run still needs to be told.

    `known` is its id where the outbox remembers it. `alone` promises that no other process can have created it since
    the planner looked (`opening.is_new`): then nothing is searched.
    """
    rest, (experiment_id, parent) = studies.rest, studies.find(opening)
    wanted = to_mlflow(replace(opening.record, parent=parent))
    if found := known_run(rest, opening.record, known or opening.record.run_id):
        run, created = found, False
    elif alone and not known:
        run, created = create_run(rest, experiment_id, wanted.name, wanted.tags, wanted.start_ms), True
    else:
        run, created = ensure_run(rest, experiment_id, words.TRIAL_ID, wanted.name, wanted.tags, wanted.start_ms)
    add_params(batch, run, wanted.params)
    return run, created


def known_run(rest: MlflowRest, trial: TrialRecord, run_id: str) -> Run | None:
    """The run that was the trial's when somebody looked; None if it is gone for good, or is none of this trial's."""
    if not run_id:
        return None
    try:
        run = winner_of(rest, get_run(rest, run_id))
    except LedgerError as error:
        if error.code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    if not is_trial(run) or from_mlflow(run).trial_id != trial.trial_id:
        return None
    if run.deleted:
        restore(rest, run)
    return run


def restore(rest: MlflowRest, run: Run) -> None:
    """Take a trial's run back out of MLflow's bin, where somebody put it while the trial trained, and say so on it."""
    experiment = rest.get("experiments/get", experiment_id=run.experiment_id)["experiment"]
    check_active(experiment)
    rest.post("runs/restore", {"run_id": run.run_id})
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    text = f"the run was deleted in MLflow while its trial trained, and restored for its result at {when} UTC"
    log.warning("%s (%s): %s", run.name, run.run_id, text)
    log_batch(rest, run.run_id, tags=tags_of(replace(from_mlflow(run), restored=text), ["restored"]))


def reopen(rest: MlflowRest, run: Run, trial: TrialRecord, batch: RunBatch, *, ends: bool) -> None:
    """Tell an existing run of this attempt, and set it RUNNING unless a newer attempt has it or this one `ends`."""
    there = from_mlflow(run)
    if is_superseded(there, trial):
        batch.tags.update(_own_attempt(there, trial))
        return
    batch.tags.update(attempt_tag(trial) | tags_of(trial, ["attempt"]))
    batch.tags.update({key: text for key, text in tags_of(trial, _MADE_WITH).items() if text})
    if not ends:
        batch.tags.update(tags_of(trial, ["outcome", "interrupted"]))
        batch.tells_outcome = True
        if not there.running:
            update_run(rest, run.run_id, trial.status)


def give_back(rest: MlflowRest, run_id: str, trial: TrialRecord) -> None:
    """Let the run say how its newest attempt stands, where that told of itself while this one's words were on their
    way: who looks, finds nobody and then writes may be the last to write."""
    while True:
        there = from_mlflow(get_run(rest, run_id))
        if not is_superseded(there, trial):
            return
        newest = max(there.attempts)
        outcome = there.attempts[newest].outcome
        status = STATUS[outcome] if outcome else "RUNNING"
        says: dict[str, Any] = {"attempt": newest, "outcome": outcome, "interrupted": outcome == INTERRUPTED}
        if outcome in ("", INTERRUPTED):
            says |= {"outcome": None, **{name: getattr(trial, name) for name in _OF_RESULT}}
        told = changes(there, replace(there, **says))
        if not told and there.status == status:
            return
        log_batch(rest, run_id, tags=told)
        update_run(rest, run_id, status, there.attempts[newest].ended_ms or None)


def is_superseded(there: TrialRecord, trial: TrialRecord) -> bool:
    """Whether a newer attempt has written to the run, or one of the same number on another node, which has ended."""
    return any(number > trial.attempt for number in there.attempts) or _is_anothers(there, trial)


def _is_anothers(there: TrialRecord, trial: TrialRecord) -> bool:
    found = there.attempts.get(trial.attempt)
    ended = found is not None and found.outcome not in ("", INTERRUPTED)
    return ended and found is not None and found.started_ms != trial.started_ms


def _own_attempt(there: TrialRecord, trial: TrialRecord) -> dict[str, str]:
    """What the run is told of an attempt that others have overtaken; nothing where its number is another's."""
    return {} if _is_anothers(there, trial) else attempt_tag(trial)


def add_params(batch: RunBatch, run: Run, params: Mapping[str, str]) -> None:
    """Add the params that `run` lacks. MLflow params never change: one that differs becomes a tag that says so."""
    params = fitting_params(params)
    batch.params.update({key: value for key, value in params.items() if key not in run.params})
    differing = {key: [run.params[key], value] for key, value in params.items() if run.params.get(key, value) != value}
    if differing:
        batch.tags.update(tags_of(replace(from_mlflow(run), conflicts=differing), ["conflicts"]))


def add_end(batch: RunBatch, ended: TrialRecord) -> None:
    """Add an attempt's end: its outcome and final metrics, stored as themselves and never read off the last point."""
    batch.tags.update(tags_of(ended, _OF_INTERRUPTION if ended.interrupted else (*_OF_INTERRUPTION, *_OF_RESULT)))
    batch.tags.update(attempt_tag(ended))
    batch.tells_outcome = True
    final = to_mlflow(replace(ended, latest={})).metrics
    batch.metrics += [Metric(key, point.value, point.time_ms, point.step) for key, point in final.items()]


def add_late_end(batch: RunBatch, there: TrialRecord, ended: TrialRecord) -> None:
    """Add the end of an attempt that others have overtaken: it changes neither outcome nor status."""
    batch.tags.update(_own_attempt(there, ended))
