"""What the ledger would say of a trial that ended, or of a study, for tests of what is concluded from it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable
from typing import Any

from paribus.host.processes import start_of
from paribus.recipe import Recipe
from paribus.study import Arm, Study
from paribus.study.plan import Trial, trials
from paribus.study.settings import Settings
from paribus.tracking.studies.lease import Driver
from paribus.tracking.studies.record import StudyRecord
from paribus.tracking.studies.replication import Replication
from paribus.tracking.trials.record import TrialRecord


def record_of(trial: Trial, **fields: Any) -> TrialRecord:
    """The record of a finished trial; `fields` are what is to be otherwise."""
    return ended(trial.arm, trial.replicate, **{"trial_id": trial.id, "study": "plan", **fields})


def ended(arm: Arm, replicate: int, **fields: Any) -> TrialRecord:
    """The record of a trial of a plan that is not at hand."""
    made: dict[str, Any] = {
        "run_id": "run",
        "trial_id": f"{arm.name}-{replicate}",
        "study": "",
        "arm": arm,
        "arm_name": arm.name,
        "replicate": replicate,
        "outcome": "finished",
        "interrupted": False,
        "status": "FINISHED",
        "attempt": 1,
        "attempts": {},
        "metrics": {},
        "latest": {},
        "params": {},
        "outcome_step": None,
        "num_steps": 8,
        "total_steps": 8,
        "reason": "",
        "started_ms": 0,
        "ended_ms": 1,
    }
    return TrialRecord(**{**made, **fields})


def study_record(name: str, *, live: bool = False, **fields: Any) -> StudyRecord:
    """The record of a study's run; `live`: a driver is at work on it."""
    pid = os.getppid()  # another process that lives: this one drives no study
    driver = Driver(host=platform.node(), pid=pid, pid_start=start_of(pid), token="", heartbeat_ms=0) if live else None
    made: dict[str, Any] = {
        "run_id": name,
        "experiment_id": "1",
        "status": "RUNNING",
        "url": "",
        "question": "",
        "claim": None,
        "caveats": (),
        "design": "",
        "num_planned": 0,
        "counts": {},
        "started_ms": 0,
        "updated_ms": 0,
        "replication": Replication(),
        "settings": Settings(),
    }
    return StudyRecord(name=name, driver=driver, **{**made, **fields})


def digest(recipe: Recipe) -> str:
    """Of data that are nowhere."""
    return "the data"


def held(study: Study, told: Callable[[Trial], Any]) -> list[TrialRecord]:
    """The records of those trials of which `told` names an outcome ("running" for one that has none yet)."""
    drawn = [(trial, told(trial)) for trial in trials(study, digest)]
    return [record_of(trial, outcome=None if say == "running" else say) for trial, say in drawn if say]
