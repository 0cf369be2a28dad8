"""How a trial lives in MLflow: the run that is its own for ever, its attempts, and how it ends."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

from . import tags as words
from .errors import LedgerError
from .rest import MlflowRest
from .runs import Metric, Run, create_run, ensure_experiment, ensure_run, get_run, update_run
from .spool import Record, TrialHeader
from .study_choice import ensure_study_run

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

    `known` is its id where the spool remembers it. `alone` promises that no other process can have created it since
    the planner looked (`header.run_id == ""`): then nothing is searched.
    """
    name, (experiment_id, parent) = run_name(header), studies.find(header)
    tags = trial_tags(header, parent)
    if run_id := known or header.run_id:
        run, created = winner_of(studies.rest, get_run(studies.rest, run_id)), False
    elif alone:
        run, created = create_run(studies.rest, experiment_id, name, tags, header.started_ms), True
    else:
        run, created = ensure_run(studies.rest, experiment_id, words.TRIAL_ID, name, tags, header.started_ms)
    add_params(batch, run, {**columns(header), **header.params})
    return run, created


def reopen(rest: MlflowRest, run: Run, header: TrialHeader, batch: Batch, *, ends: bool) -> None:
    """Tell an existing run of this attempt, and set it RUNNING unless a newer attempt has it or this one `ends`."""
    batch.tags.update(attempt_tags(header))
    if is_superseded(run, header.attempt):
        return
    batch.tags.update(header.tags)
    batch.tags[words.ATTEMPT] = str(header.attempt)
    if not ends:
        batch.tags.update({words.OUTCOME: "", words.INTERRUPTED: "false"})
        if run.status != "RUNNING":
            update_run(rest, run.run_id, "RUNNING")


def columns(header: TrialHeader) -> dict[str, str]:
    """The params by which MLflow's page can sort: each factor's level under its short name, and the replicate."""
    from paribus.study.words import short_name, show_level

    shorts = [short_name(path) for path, _ in header.arm]
    names = [short if shorts.count(short) == 1 else path for short, (path, _) in zip(shorts, header.arm, strict=True)]
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


def attempt_tags(header: TrialHeader, **more: object) -> dict[str, str]:
    """One tag per attempt, so that two attempts never overwrite each other's."""
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
    """The attempts that a run's tags tell of: number to its facts, in order."""
    prefix = words.attempt_tag(0)[:-1]
    found = {key[len(prefix) :]: value for key, value in tags.items() if key.startswith(prefix)}
    return {int(number): json.loads(found[number]) for number in sorted(found, key=int)}


def is_superseded(run: Run, attempt: int) -> bool:
    """Whether a newer attempt has written to `run`."""
    return any(number > attempt for number in attempts_of(run.tags))


def winner_of(rest: MlflowRest, run: Run) -> Run:
    """`run`, or the run that it duplicates."""
    other = run.tags.get(words.DUPLICATE_OF)
    return winner_of(rest, get_run(rest, other)) if other else run


def add_params(batch: Batch, run: Run, params: Mapping[str, str]) -> None:
    """Add the params that `run` lacks. MLflow params never change: one that differs becomes a tag that says so."""
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
