"""How a trial lives in MLflow: the run that is its own for ever, its attempts, and how it ends."""

from __future__ import annotations

import json
import logging
import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

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
)
from paribus.tracking.outbox.outbox import Record, TrialHeader
from paribus.tracking.study_choice import ensure_study_run
from paribus.tracking.tag_values import TagValues

log = logging.getLogger(__name__)

# An attempt's facts, beside those of the newest one in the tags of the trial.
_MADE_WITH = {"cpu": words.CPU, "versions": words.VERSIONS}


@dataclass(slots=True)
class Batch:
    """What goes to the server in the next requests."""

    metrics: list[Metric] = field(default_factory=list)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


class Studies:
    """Each study's experiment and parent run at each of its settings, looked up once per process."""

    def __init__(self, rest: MlflowRest) -> None:
        self.rest = rest
        self._known: dict[tuple[str, str], tuple[str, str]] = {}

    def find(self, header: TrialHeader) -> tuple[str, str]:
        """(experiment id, parent run id) of the trial's study at its settings, created if missing."""
        from paribus.study.settings import Settings

        key = (header.study, header.settings)
        if key not in self._known:
            experiment_id = ensure_experiment(self.rest, header.study)
            settings = Settings(header.settings, header.settings_name) if header.settings else None
            parent = ensure_study_run(self.rest, experiment_id, header.study, settings)
            self._known[key] = (experiment_id, parent.run_id)
        return self._known[key]


def open_run(studies: Studies, header: TrialHeader, known: str, *, alone: bool, batch: Batch) -> tuple[Run, bool]:
    """The trial's run, and whether it was created here; `batch` receives what the run still needs to be told.

    `known` is its id where the outbox remembers it. `alone` promises that no other process can have created it since
    the planner looked (`header.run_id == ""`): then nothing is searched.
    """
    name, (experiment_id, parent) = run_name(header), studies.find(header)
    tags = trial_tags(header, parent)
    if found := known_run(studies.rest, header, known or header.run_id or ""):
        run, created = found, False
    elif alone and not known:
        run, created = create_run(studies.rest, experiment_id, name, tags, header.started_ms), True
    else:
        run, created = ensure_run(studies.rest, experiment_id, words.TRIAL_ID, name, tags, header.started_ms)
    add_params(batch, run, {**columns(header), **header.params})
    return run, created


def known_run(rest: MlflowRest, header: TrialHeader, run_id: str) -> Run | None:
    """The run that was the trial's when somebody looked; None if it is gone for good, or is none of this trial's."""
    if not run_id:
        return None
    try:
        run = winner_of(rest, get_run(rest, run_id))
    except LedgerError as error:
        if error.code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise
    if run.tags.get(words.TRIAL_ID) != header.trial_id:
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
    log_batch(rest, run.run_id, tags={words.RESTORED: text})


def reopen(rest: MlflowRest, run: Run, header: TrialHeader, batch: Batch, *, ends: bool) -> None:
    """Tell an existing run of this attempt, and set it RUNNING unless a newer attempt has it or this one `ends`."""
    if is_superseded(run, header):
        batch.tags.update(attempt_tags(header, run))
        return
    batch.tags.update(attempt_tags(header))
    batch.tags.update(header.tags)
    batch.tags[words.ATTEMPT] = str(header.attempt)
    if not ends:
        batch.tags.update({words.OUTCOME: "", words.INTERRUPTED: "false"})
        if run.status != "RUNNING":
            update_run(rest, run.run_id, "RUNNING")


def columns(header: TrialHeader) -> dict[str, str]:
    """The params by which MLflow's page can sort: each factor's level under its short name, and the replicate."""
    from paribus.study.words import column_names, show_level

    names = column_names([path for path, _ in header.arm])
    levels = {name: show_level(level) for name, (_, level) in zip(names, header.arm, strict=True)}
    return {**levels, "replicate": str(header.replicate)}


def run_name(header: TrialHeader) -> str:
    """The run's name in MLflow's page: `k=4 · r2`."""
    return f"{header.arm_name} · r{header.replicate}"


def trial_tags(header: TrialHeader, parent: str) -> dict[str, str]:
    """The tags with which a trial's run is created."""
    return {
        **header.tags,
        words.KIND: words.TRIAL_KIND,
        words.PARENT: parent,
        words.STUDY: header.study,
        words.TRIAL_ID: header.trial_id,
        words.ARM: json.dumps(header.arm),
        words.ARM_NAME: header.arm_name,
        words.REPLICATE: str(header.replicate),
        words.ATTEMPT: str(header.attempt),
        **attempt_tags(header),
    }


def attempt_tags(header: TrialHeader, run: Run | None = None, **more: object) -> dict[str, str]:
    """One tag per attempt, so that two attempts never overwrite each other's; none where `run` has that of another
    process which had the same number and ended."""
    if run is not None and _is_anothers(run, header):
        return {}
    facts = {
        "resumed_step": header.resumed_step,
        "started_ms": header.started_ms,
        "host": platform.node(),
        "pid": os.getpid(),
        **{fact: header.tags[tag] for fact, tag in _MADE_WITH.items() if tag in header.tags},
        **more,
    }
    return {words.attempt_tag(header.attempt): json.dumps(facts)}


def attempts_of(tags: Mapping[str, str]) -> dict[int, dict[str, object]]:
    """The attempts that a run's tags tell of: number to its facts, in order; of a damaged one, no facts."""
    prefix = words.attempt_tag(0)[:-1]
    numbers = sorted(
        int(key[len(prefix) :]) for key in tags if key.startswith(prefix) and key[len(prefix) :].isdecimal()
    )
    return {number: TagValues(tags).json(words.attempt_tag(number), {}) for number in numbers}


def is_superseded(run: Run, header: TrialHeader) -> bool:
    """Whether a newer attempt has written to `run`, or one of the same number on another node, which has ended."""
    return any(number > header.attempt for number in attempts_of(run.tags)) or _is_anothers(run, header)


def _is_anothers(run: Run, header: TrialHeader) -> bool:
    facts = attempts_of(run.tags).get(header.attempt, {})
    ended = facts.get("outcome") not in (None, "interrupted")
    return ended and facts.get("started_ms") != header.started_ms


def winner_of(rest: MlflowRest, run: Run) -> Run:
    """`run`, or the run that it duplicates."""
    other = run.tags.get(words.DUPLICATE_OF)
    return winner_of(rest, get_run(rest, other)) if other else run


def add_params(batch: Batch, run: Run, params: Mapping[str, str]) -> None:
    """Add the params that `run` lacks. MLflow params never change: one that differs becomes a tag that says so."""
    params = fitting_params(params)
    batch.params.update({key: value for key, value in params.items() if key not in run.params})
    differing = {key: [run.params[key], value] for key, value in params.items() if run.params.get(key, value) != value}
    if differing:
        batch.tags[words.CONFLICT] = json.dumps(differing)


def add_end(batch: Batch, header: TrialHeader, end: Record) -> None:
    """Add an attempt's end: its outcome and final metrics, stored as themselves and never read off the last point."""
    outcome, values = end["outcome"], end["metrics"]
    interrupted = outcome == "interrupted"
    batch.tags.update(end["tags"])
    batch.tags[words.OUTCOME] = "" if interrupted else outcome
    batch.tags[words.INTERRUPTED] = "true" if interrupted else "false"
    batch.tags[words.ATTEMPT] = str(header.attempt)
    batch.tags.update(attempt_tags(header, ended_ms=end["time_ms"], outcome=outcome))
    if interrupted:
        return
    batch.tags[words.FINAL] = json.dumps(values)
    step = int(end["tags"].get(words.NUM_STEPS) or 0)
    batch.metrics += [
        Metric(f"{words.FINAL_PREFIX}{key}", value, end["time_ms"], step) for key, value in values.items()
    ]


def close_run(rest: MlflowRest, run: Run, end: Record) -> None:
    """Set the run's last status and end time."""
    outcome = end["outcome"]
    if outcome not in words.STATUS:
        raise LedgerError(f"The outcome {outcome!r} is none of {', '.join(words.STATUS)}")
    update_run(rest, run.run_id, words.STATUS[outcome], end["time_ms"])
